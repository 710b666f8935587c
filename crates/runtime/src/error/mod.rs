//! Everything that can go wrong when an engine is loaded or run, as data.
//!
//! The first line of each message stands alone; the lines after it have the place, what was found, and help.

mod help;
mod search;
mod shape;
mod stage;

pub use search::{LibrarySearch, Place, ProbeError, Source};
pub use shape::{AxisFault, Reason, ShapeError};
pub use stage::{Node, Stage, Task};

use crate::{DataType, Device};
use std::fmt;
use std::path::PathBuf;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An engine could not be loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No usable ONNX Runtime.
    #[error("{0}")]
    LibraryNotFound(LibrarySearch),
    /// A process holds one ONNX Runtime; another was asked for.
    #[error("ONNX Runtime is already loaded from {}; {} cannot be loaded as well", loaded.display(), asked.display())]
    LibraryLoaded {
        /// The library in use.
        loaded: PathBuf,
        /// The path asked for.
        asked: PathBuf,
    },
    /// ONNX Runtime refused or failed.
    #[error(
        "ONNX Runtime failed to {stage}{}\n  {}",
        node.as_ref().map(|n| format!(", at node {n}")).unwrap_or_default(),
        message.trim().replace('\n', "\n  ")
    )]
    OnnxRuntime {
        /// What was being done.
        stage: Stage,
        /// The node it named.
        node: Option<Node>,
        /// Its own words.
        message: String,
    },
    /// The ONNX model does not have the interface of the spec.
    #[error("the ONNX model does not match the engine's interface: {side} `{name}` {problem}")]
    Interface {
        /// Input or output.
        side: Side,
        /// Its name in the spec.
        name: String,
        /// What differs.
        problem: String,
    },
    /// A weight's bytes do not match its dtype and sizes.
    #[error("weight `{name}` ({dtype} {dims:?}) has {got} bytes; its shape needs {needed}")]
    WeightLength {
        /// The initializer's name.
        name: String,
        /// Element type.
        dtype: DataType,
        /// Sizes.
        dims: Vec<i64>,
        /// Bytes that the shape needs.
        needed: usize,
        /// Bytes that came.
        got: usize,
    },
    /// A text cannot be passed to a C library.
    #[error("the {what} {text:?} contains a NUL character")]
    Nul {
        /// What it names.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// The engine is used in a child process that was forked after it was made.
    #[error("the engine was made before this process was forked, and its threads stayed in the parent")]
    Forked,
    /// A call passes too few or too many tensors.
    #[error("the engine has {expected} {side}{}; the call passes {got}", if *expected == 1 { "" } else { "s" })]
    Count {
        /// Inputs or outputs.
        side: Side,
        /// How many the spec has.
        expected: usize,
        /// How many came.
        got: usize,
    },
    /// A tensor of another type.
    #[error("{side} `{name}` is {got}; the engine takes {expected}")]
    Type {
        /// Input or output.
        side: Side,
        /// Its name.
        name: String,
        /// The spec's type.
        expected: DataType,
        /// What came.
        got: DataType,
    },
    /// A tensor on another device.
    #[error("{side} `{name}` is on {got}; the engine runs on {expected}")]
    Device {
        /// Input or output.
        side: Side,
        /// Its name.
        name: String,
        /// The engine's device.
        expected: Device,
        /// Where the tensor is.
        got: Device,
    },
    /// A stream was passed to an engine that has none.
    #[error("the CPU engine has no CUDA streams")]
    Stream,
    /// An input's shape is not accepted.
    #[error("{0}")]
    Shape(Box<ShapeError>),
    /// A profile that is not there.
    #[error("the engine has no profile {asked} (it has {count})")]
    Profile {
        /// The index asked for.
        asked: usize,
        /// How many there are.
        count: usize,
    },
    /// The sizes of the inputs make an output of negative size.
    #[error("output `{output}` would have shape {dims:?}: the inputs are too small for this network")]
    OutputDims {
        /// The output's name.
        output: String,
        /// Its sizes.
        dims: Vec<i64>,
    },
    /// A size expression has no value.
    #[error("the size `{text}` has no value: {source}")]
    Size {
        /// The expression.
        text: String,
        /// Why.
        source: dims::EvalError,
    },
    /// A preallocated output of another shape.
    #[error("output `{output}` has a buffer of shape {got:?}; these inputs give {expected:?}")]
    OutputShape {
        /// The output's name.
        output: String,
        /// Its shape for these inputs.
        expected: Vec<i64>,
        /// The buffer's shape.
        got: Vec<i64>,
    },
    /// An output overlaps another tensor of the call.
    #[error(
        "output `{output}` shares memory with `{other}`, which the engine may still read or write when it writes \
         there"
    )]
    OutputOverlaps {
        /// The output's name.
        output: String,
        /// The other tensor's name.
        other: String,
    },
    /// An output whose shape depends on data was preallocated.
    #[error("the shape of output `{output}` depends on data, so it has no buffer to run into")]
    OutputDependsOnData {
        /// The output's name.
        output: String,
    },
    /// Sizes that no tensor can have.
    #[error("{dims:?} is not the shape of a tensor (negative, or beyond the address space)")]
    BadDims {
        /// The sizes.
        dims: Vec<i64>,
    },
    /// A buffer of another length than its shape needs.
    #[error("a {dtype} tensor of shape {dims:?} needs {needed} bytes; the buffer has {got}")]
    BufferLength {
        /// Element type.
        dtype: DataType,
        /// Sizes.
        dims: Vec<i64>,
        /// Bytes that the shape needs.
        needed: usize,
        /// Bytes of the buffer.
        got: usize,
    },
    /// A buffer at an address its elements cannot lie at.
    #[error("a {dtype} tensor cannot start at address {address:#x} (null, or not a multiple of {})", dtype.size())]
    BufferAddress {
        /// Element type.
        dtype: DataType,
        /// The address.
        address: usize,
    },
    /// Memory of a GPU where host memory is needed.
    #[error("the tensor is on {device}, not in host memory")]
    NotHostMemory {
        /// Where it is.
        device: Device,
    },
    /// There is no such GPU here, or no CUDA driver.
    #[error("the engine needs the GPU cuda:{index}, and there is none: {reason}")]
    NoCuda {
        /// The GPU's index.
        index: u32,
        /// What is missing.
        reason: String,
    },
    /// The CUDA driver failed.
    #[error("CUDA failed to {doing}: {words}")]
    Cuda {
        /// What was being done.
        doing: &'static str,
        /// The driver's name and words for the error.
        words: String,
    },
    /// TensorRT refused or failed.
    #[error("TensorRT failed to {task}: {source}")]
    TensorRt {
        /// What was being done.
        task: Task,
        /// Its own words.
        source: Box<nvinfer::Error>,
    },
    /// The plan does not have the interface of the spec.
    #[error("the plan does not match the engine's interface: {side} `{name}` {problem}")]
    PlanInterface {
        /// Input or output.
        side: Side,
        /// Its name.
        name: String,
        /// What differs.
        problem: String,
    },
    /// New weights for a plan that takes none.
    #[error("the plan was not built to take new weights")]
    NotRefittable,
    /// New weights that are not those of the plan.
    #[error(
        "the new weights are not those of the plan: it has {} that the model does not: {}",
        missing.len(), some(missing)
    )]
    Refit {
        /// Weights of the plan that were not given.
        missing: Vec<String>,
    },
    /// A caller's CUDA graph cannot hold a call whose output sizes are not known beforehand.
    #[error("a call whose output shapes depend on data cannot be captured into a CUDA graph")]
    CaptureDependsOnData,
    /// ONNX Runtime returned a tensor of a type that engines do not have.
    #[error("output `{output}` has an ONNX element type ({code}) that engines do not pass")]
    UnknownType {
        /// The output's name.
        output: String,
        /// ONNX's number of the type.
        code: i32,
    },
}

impl Error {
    /// TensorRT's error, with what was being done.
    pub(crate) fn tensorrt(task: Task, source: nvinfer::Error) -> Self {
        Self::TensorRt { task, source: Box::new(source) }
    }
}

/// The first few names.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
}

/// Inputs or outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What a call passes.
    Input,
    /// What a call gets.
    Output,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Output => "output",
        })
    }
}
