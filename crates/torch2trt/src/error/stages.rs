//! The stages' errors as the facade's: each kind gets its code, and its place, help and nodes as fields.

use super::{Code, Error};
use std::sync::Arc;

impl Error {
    /// A stage's error under its code. Its text has no help: that is a field.
    fn of(code: Code, help: Option<String>, error: impl std::error::Error + Send + Sync + 'static) -> Self {
        let mut made = Self::new(code, error.to_string());
        made.help = help;
        made.cause = Some(Arc::new(error));
        made
    }
}

fn place_in_network(error: &network::Error) -> Option<String> {
    match error {
        network::Error::Layer { origin, .. } | network::Error::Inconsistent { origin, .. } => Some(origin.to_string()),
        _ => None,
    }
}

impl From<program::Error> for Error {
    fn from(error: program::Error) -> Self {
        Self::of(Code::BadProgram, None, error)
    }
}

impl From<network::Error> for Error {
    fn from(error: network::Error) -> Self {
        let code = if matches!(error, network::Error::Layer { .. }) { Code::LayerRefused } else { Code::BadNetwork };
        let place = place_in_network(&error);
        Self::of(code, None, error).at(place)
    }
}

impl From<convert::Error> for Error {
    fn from(error: convert::Error) -> Self {
        use convert::Error as E;
        let innermost = match &error {
            E::At { error, .. } => error.as_ref(),
            other => other,
        };
        let (code, help) = match innermost {
            E::NoConverter { missing, .. } => (Code::NoConverter, Some(missing_help(missing))),
            E::Unsupported { .. } => (Code::UnsupportedArgument, Some(ARGUMENT_HELP)),
            E::Converter { .. } => (Code::ConverterContradiction, Some(BUG_HELP)),
            E::Network(_) => (Code::LayerRefused, None),
            E::Foreign { .. } => (Code::UserConverter, None),
            E::InputDtype { dtype, .. } => (Code::InputDtype, Some(dtype_help(dtype))),
            E::OutputDtype { .. } => (Code::OutputDtype, Some("return it as float32, or leave it out of the outputs")),
            E::At { .. } => (Code::ConverterContradiction, None),
        };
        let (help, nodes) = (help.map(str::to_owned), error.nodes());
        let place = match &error {
            E::At { target, origin, .. } => Some(format!("{target} {origin}")),
            E::Network(error) => place_in_network(error),
            _ => None,
        };
        Self::of(code, help, error).about(nodes).at(place)
    }
}

const BUG_HELP: &str = "this is a bug in torch2trt: please report it with the operator and its arguments";

const ARGUMENT_HELP: &str = "write it with other arguments or operations, or convert the module around it yourself \
                             (@tensorrt_converter, docs/custom-converters.md)";

fn missing_help(missing: &[convert::Missing]) -> &'static str {
    if missing.iter().all(|m| m.complex) {
        return "use real numbers: torch.view_as_real(x) has the real and the imaginary part on its last axis";
    }
    // Which names can be registered depends on the Python packages: the Python half names them.
    "write that part of the model with other operators, or convert it in Python with a converter of your own \
     (@tensorrt_converter, docs/custom-converters.md)"
}

fn dtype_help(dtype: &str) -> &'static str {
    match dtype {
        "float64" => "convert the model and its inputs to float32 first: model.float(), x.float()",
        "int16" | "int8" => "pass int32, or uint8 for images",
        _ => "pass float32, float16, bfloat16, int64, int32, uint8 or bool",
    }
}

impl From<runtime::Error> for Error {
    fn from(error: runtime::Error) -> Self {
        use runtime::Error as E;
        let code = match &error {
            E::LibraryNotFound(_) => Code::OnnxRuntimeNotFound,
            E::LibraryLoaded { .. } => Code::OnnxRuntimeLoaded,
            E::OnnxRuntime { stage: runtime::Stage::Run, .. } | E::Cuda { .. } | E::Forked => Code::RunFailed,
            E::TensorRt { task: runtime::Task::Run, .. } => Code::RunFailed,
            E::TensorRt { task: runtime::Task::Refit, .. } => Code::Refit,
            E::TensorRt { source, .. } if source.is_not_found() => Code::TensorRtNotFound,
            E::NoCuda { .. } | E::TensorRt { .. } | E::PlanInterface { .. } => Code::NotRunnable,
            E::OnnxRuntime { .. } | E::Interface { .. } | E::UnknownType { .. } => Code::OnnxRuntimeRefused,
            E::NotRefittable | E::Refit { .. } => Code::Refit,
            E::Count { .. } => Code::InputCount,
            E::Type { .. } => Code::TensorDtype,
            E::Device { .. } | E::NotHostMemory { .. } | E::Stream => Code::TensorDevice,
            E::Shape(_) | E::Profile { .. } | E::OutputDims { .. } | E::Size { .. } => Code::InputShape,
            E::OutputShape { .. } | E::OutputDependsOnData { .. } | E::CaptureDependsOnData => Code::OutputShape,
            _ => Code::BadBuffer,
        };
        Self::of(code, error.help(), error)
    }
}

impl From<onnx::Error> for Error {
    fn from(error: onnx::Error) -> Self {
        use onnx::Error as E;
        let (code, place) = match &error {
            E::Unsupported { origin, .. } => (Code::OnnxUnsupported, Some(origin.to_string())),
            E::Malformed { origin, .. } => (Code::OnnxWrite, Some(origin.to_string())),
            _ => (Code::OnnxWrite, None),
        };
        let nodes = error.nodes();
        Self::of(code, Some(error.help().to_owned()), error).about(nodes).at(place)
    }
}

impl From<passes::Error> for Error {
    fn from(error: passes::Error) -> Self {
        use passes::Error as E;
        let (code, nodes, place) = match &error {
            // The target lacks something: another version of TensorRT may have it.
            E::Unsupported { nodes, origin, .. } => (Code::NotInThisVersion, nodes.clone(), Some(origin.to_string())),
            E::Pass { source, .. } | E::Network(source) => (Code::Pass, Vec::new(), place_in_network(source)),
        };
        Self::of(code, error.help().map(str::to_owned), error).about(nodes).at(place)
    }
}

impl From<nvinfer::Error> for Error {
    fn from(error: nvinfer::Error) -> Self {
        use nvinfer::Error as E;
        let code = match &error {
            E::NotFound(_) | E::NoBuilder { .. } => Code::TensorRtNotFound,
            E::NotInThisVersion { .. } => Code::NotInThisVersion,
            E::Cancelled => Code::Cancelled,
            _ => Code::TensorRt,
        };
        Self::of(code, error.help(), error)
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        Self::of(Code::EngineFile, Some(error.help().to_owned()), error)
    }
}

impl From<archive::Error> for Error {
    fn from(error: archive::Error) -> Self {
        use archive::Error as E;
        let code = match &error {
            E::Version { .. } => Code::ArchiveVersion,
            E::NotFunctional { .. } => Code::NotFunctional,
            E::Inexpressible { .. } => Code::Capture,
            E::Program(_) => Code::BadProgram,
            _ => Code::Archive,
        };
        let place = match &error {
            E::Inexpressible { at, .. } if !at.is_empty() => Some(at.clone()),
            _ => None,
        };
        Self::of(code, error.help(), error).at(place)
    }
}

impl From<build::Error> for Error {
    fn from(error: build::Error) -> Self {
        use build::Error as E;
        let code = match &error {
            E::Refused(_) | E::Layer { .. } | E::Plugin { .. } => Code::BuildRefused,
            E::NotInThisVersion { .. } => Code::NotInThisVersion,
            E::Cancelled => Code::Cancelled,
            E::BadTarget { .. } => Code::BadTarget,
            E::Unbounded { .. } | E::BadProfile { .. } => Code::BadProfile,
            _ => Code::TensorRt,
        };
        let place = error.places().first().and_then(|place| place.origin.as_ref().map(ToString::to_string));
        let nodes = error.nodes();
        Self::of(code, error.help(), error).about(nodes).at(place)
    }
}
