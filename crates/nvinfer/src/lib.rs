//! TensorRT 8.6, 10, 11 and TensorRT-RTX 1.3 to 1.7 from one Rust binary: loaded at run time, without headers, a C++
//! compiler or a link-time dependency.
//!
//! | layer | what it is | unsafe |
//! |---|---|---|
//! | `sys` | memory layouts; method slots and enum numbers by version (generated from `facts/`) | no calls |
//! | `raw` | one function per call, which finds the slot; null and false become errors | every function |
//! | `object` | C++ objects made in Rust, for callbacks | pointers from TensorRT |
//! | the rest | safe types with lifetimes: [`Library`], [`Builder`], [`Network`], [`Runtime`], … | inside only |
//!
//! Errors have TensorRT's own words.
//!
//! A call or an enum value that the loaded version lacks is [`Error::NotInThisVersion`], never a wrong slot. A call
//! that TensorRT refuses is [`Error::Refused`] with what its logger and error recorder received. A panic in a callback
//! does not reach C++.
//!
//! The crate knows nothing of PyTorch, of where a network comes from, or of CUDA: streams and device addresses are raw
//! pointers, and functions that take them are unsafe.
//!
//! ```no_run
//! use nvinfer::{ActivationType, Builder, DataType, Discovery, Library, Typing};
//!
//! # fn main() -> nvinfer::Result<()> {
//! let builder = Builder::new(Library::find(&Discovery::default())?)?;
//! let network = builder.create_network(Typing::Strong)?;
//! let x = network.add_input("x", DataType::Float, &[1, 3, 224, 224])?;
//! let y = network.add_activation(x, ActivationType::Relu)?.output(0)?;
//! y.set_name("y")?;
//! network.mark_output(y)?;
//! let plan = builder.build(&network, &builder.create_config()?)?;
//! std::fs::write("model.plan", &*plan).ok();
//! # Ok(())
//! # }
//! ```

mod algorithms;
mod allocator;
mod argument;
mod builder;
mod config;
mod context;
mod device;
mod dims;
mod engine;
mod error;
mod inspector;
mod library;
mod logger;
mod memory;
pub mod network;
mod object;
mod onnx;
mod plugins;
mod profile;
mod profiler;
mod progress;
#[allow(missing_docs, clippy::missing_safety_doc, reason = "not public; the modules' docs state what holds for all")]
mod raw;
mod recorder;
mod refit;
mod runtime;
mod runtime_config;
#[cfg(not(feature = "tables"))]
mod sys;
#[cfg(feature = "tables")]
pub mod sys;
#[cfg(test)]
mod testing;
mod timing_cache;
mod types;
mod version;
mod weights;

pub use algorithms::{Algorithm, AlgorithmSelector};
pub use allocator::{OutputAllocator, Request};
pub use builder::{Builder, Typing};
pub use config::BuilderConfig;
pub use context::ExecutionContext;
pub use dims::Dims;
pub use engine::{Engine, IoTensor};
pub use error::{Diagnostics, Error, Message, Result};
pub use inspector::EngineInspector;
pub use library::{Discovery, ENVIRONMENT, Found, Library, Place, Purpose, Search};
pub use logger::{Listener, Logger};
pub use memory::HostMemory;
pub use network::{Layer, Network, Tensor};
pub use onnx::OnnxParser;
pub use plugins::{KnownField, Plugin, PluginApi, PluginCreator, PluginField, PluginRegistry};
pub use profile::{OptimizationProfile, Range};
pub use profiler::Profiler;
pub use progress::Progress;
pub use refit::Refitter;
pub use runtime::{InvalidityReason, Runtime, Validity};
pub use runtime_config::{RuntimeCache, RuntimeConfig};
pub use timing_cache::TimingCache;
pub use types::*;
pub use version::{Family, Unsupported, Version, supported};
pub use weights::{Axes, Element, Weights};
