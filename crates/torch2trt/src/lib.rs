//! PyTorch to TensorRT: the facade.
//!
//! `pipeline.rs` reads as the architecture; [`Options`] holds every choice a user has; [`Error`] is the one error,
//! with a stable code. The stages are crates of their own and know nothing of each other but what flows between
//! them.
#![forbid(unsafe_code)]

mod bench;
mod cache;
mod call;
mod compare;
mod conversion;
mod discovery;
mod drawn;
mod engines;
mod error;
mod executable;
mod facts;
mod file;
mod forecast;
mod inspect;
mod interface;
mod onnx_file;
mod options;
mod pipeline;
mod plan;
mod plan_cache;
mod plugins;
mod report;
mod structure;
mod tensor_file;

pub use self::report::{EngineFacts, ReportSource};
pub use ::report::UNFOLDED;
pub use archive::{Archive, Ranges as RecordedRanges, SymbolRanges, SymbolicSize, symbolic_size};
pub use bench::{Bench, BenchOptions, layer_table};
pub use build::{Progress, Silent};
pub use cache::Cache;
pub use call::Staged;
pub use compare::{CompareOptions, Compared, Comparisons, LayerChange, OutputDifference, Subject, compare};
pub use conversion::{
    Asked, AxisRanges, Chosen, Comparison, Culprit, DebugOptions, Debugged, Diagnosis, End, Failed, FailedCall,
    Float32, Kind as FaultKind, Metric, NamedRange, NetworkValues, OutputError, Precise, ProgramValues,
    QuantizationReport, Reference, Replayed, Requested, Samples, SearchReport, SensitiveLayer, Shape,
    Stage as FaultStage, Suspect, Tolerance, ValueRange, choose_backend, computed_in, debug, debug_conversion,
    difference, exported_profiles, precision, replay, search, verify,
};
pub use convert::{Coverage, Foreign};
pub use discovery::{Found, RetainedBuilder, find_tensorrt, keep_builder, tensorrt};
pub use drawn::network_svg;
pub use engine::{EngineFile, Kind, Manifest, PartEntry, PartsManifest, is_engine_file};
pub use error::{CODES, Code, Error, Result};
pub use executable::{Artifact, Executable, Payload};
pub use facts::{calls_text, dims_text, engine_text, part_text, parts_text, profile_text};
pub use file::{Description, load, load_plan};
pub use forecast::{DeviceForecast, forecast};
pub use inspect::{EngineLayer, model_layers};
pub use interface::{network_text, spec as interface};
pub use network::{Network, ProgramValue};
pub use nvinfer::TacticSource;
pub use onnx::is_model as is_onnx;
pub use onnx_file::load_onnx;
pub use options::{
    Backend, BuildOptions, CalibrationAlgorithm, ConvertOptions, Declared, Libraries, Options, PartsOptions, Precision,
    ReportOptions, RunOptions, SearchTolerance, declared,
};
pub use passes::{Float32Layer, Half, PrecisionReport, Quantization, Reason};
pub use pipeline::{
    SupportedOperator, build_plan, check_target, convert, convert_plainly, coverage, cpu_engine, operators,
    read_archive, refit, save_onnx, tensorrt_engine,
};
pub use plan::Plan;
pub use plugins::{plugin_creators, plugin_fields};
pub use program::Program;
pub use runtime::{DataType, Device, Tensor, TensorView};
pub use structure::call_structure;
pub use tensor_file::{read_tensors, write_tensors};
