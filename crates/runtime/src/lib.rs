//! Running engines: bind tensors, check shapes, enqueue.
//!
//! One trait, [`Engine`], stands for whatever executes a network: TensorRT on a GPU, or [`CpuEngine`] (ONNX
//! Runtime) on any machine. Around it live the interface of an engine ([`EngineSpec`]: names, dtypes, dims over
//! symbols, profiles), the check of a call's shapes against it, and the borrowed tensors a call is made with.
//!
//! The crate knows no program and no network. An engine is made from bytes: a TensorRT plan, or an ONNX model
//! with its weights.
//!
//! | Module | What it holds |
//! |---|---|
//! | [`Engine`], [`RunOptions`], [`CallerStream`] | the trait |
//! | [`EngineSpec`], [`IoSpec`], [`Profile`], [`SizeRange`] | the interface and its shape check |
//! | [`TensorView`], [`TensorViewMut`], [`Tensor`], [`Device`], [`DataType`] | tensors, borrowed and owned |
//! | [`CpuEngine`], [`CpuOptions`], [`Weight`], [`OnnxRuntime`] | the CPU engine |
//! | [`CallTime`], [`CallTimer`], [`LayerTimes`] | how long calls and layers take |
//! | [`TensorRtEngine`], [`TensorRtOptions`], [`CudaGraph`], [`CudaDevice`], [`refit`] | the TensorRT engine |
//!
//! `unsafe` is confined to `tensor/` (pointers to slices), `cpu/sys.rs` (calls into ONNX Runtime), `cuda/` (the CUDA
//! driver) and `tensorrt/` (device addresses and streams).
#![deny(unsafe_code)]

mod check;
mod cpu;
#[allow(unsafe_code)]
mod cuda;
mod dtype;
mod engine;
mod error;
mod layers;
mod spec;
#[allow(unsafe_code)]
mod tensor;
mod tensorrt;

pub use check::Checked;
pub use cpu::{CpuEngine, CpuOptions, Library, MIN_VERSION, OnnxRuntime, Weight};
pub use cuda::{CudaDevice, Entered};
pub use dims::{Dim, Dims, Profile, SizeRange};
pub use dtype::DataType;
pub use engine::{CallerStream, Engine, RunOptions};
pub use error::{
    AxisFault, Error, LibrarySearch, Node, Place, ProbeError, Reason, Result, ShapeError, Side, Source, Stage, Task,
};
pub use layers::{CallTime, LayerTime, LayerTimes};
pub use spec::{EngineSpec, IoSpec};
pub use tensor::{Device, Span, Tensor, TensorView, TensorViewMut};
pub use tensorrt::{CallTimer, CudaGraph, TensorRtEngine, TensorRtOptions, refit};
