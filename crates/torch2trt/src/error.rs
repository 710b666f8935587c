//! The one error of the facade: a stable code, what happened and where, and what to do.
//!
//! Every crate has errors of its own; here each kind gets its code. [`CODES`] lists them all, the documentation
//! and the tests are generated from it.

use std::fmt;

macro_rules! codes {
    ($($variant:ident $code:literal $summary:literal)*) => {
        /// A stable error code: its number never changes meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $summary] $variant),* }

        /// Every code with its number and a one-line summary.
        pub const CODES: &[(Code, &str, &str)] = &[$((Code::$variant, $code, $summary)),*];

        impl Code {
            /// The number, such as `E0101`.
            pub fn number(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }
        }
    };
}

codes! {
    NoConverter "E0101" "Operators without a converter."
    UnsupportedArgument "E0102" "An argument that a converter does not handle."
    ConverterContradiction "E0103" "A converter that contradicts PyTorch's own shape or dtype: a bug of ours."
    InputDtype "E0104" "An input of a dtype that no engine takes."
    OutputDtype "E0105" "An output of a dtype that no engine gives."
    BadProgram "E0106" "A captured program that contradicts itself."
    LayerRefused "E0107" "A layer whose inputs do not fit it."
    UserConverter "E0108" "A user's converter that failed."
    BadNetwork "E0201" "A network, or its text form, that is not well-formed."
    Pass "E0202" "A pass that could not do its work."
    OnnxUnsupported "E0203" "A layer that has no ONNX form."
    OnnxWrite "E0204" "An ONNX file that could not be written."
    TensorRtNotFound "E0301" "No TensorRT library that can be used."
    NotInThisVersion "E0302" "Something that the loaded TensorRT does not have."
    BuildRefused "E0303" "TensorRT refused to build the network."
    Cancelled "E0304" "The build was cancelled."
    BadTarget "E0305" "A target that is not a compute capability, or that this TensorRT cannot build for."
    TensorRt "E0306" "TensorRT failed in another way."
    BadProfile "E0307" "Ranges of sizes that are missing, or contradict the model or themselves."
    InputCount "E0401" "A call with too few or too many tensors."
    InputShape "E0402" "A call with a shape that the engine does not accept."
    TensorDtype "E0403" "A call with a tensor of another dtype."
    TensorDevice "E0404" "A call with a tensor on another device."
    BadBuffer "E0405" "Memory that does not hold the tensor it is said to hold, or that an output shares with another tensor."
    OutputShape "E0406" "An output buffer of another shape, or a shape that depends on data."
    RunFailed "E0407" "The engine failed while running."
    OnnxRuntimeNotFound "E0501" "No ONNX Runtime that can be used."
    OnnxRuntimeLoaded "E0502" "Another ONNX Runtime is already loaded in this process."
    OnnxRuntimeRefused "E0503" "ONNX Runtime refused the model."
    Capture "E0601" "The model cannot be captured."
    BadInputs "E0602" "The arguments of a call differ from those of the conversion."
    WeightsChanged "E0603" "The model's weights changed after the conversion that borrowed them."
    NotRunnable "E0604" "A plan that was built for another machine and cannot run here."
    EngineFile "E0605" "An engine file that is damaged, cut off, of another format, or not an engine file."
    Refit "E0606" "New weights that a plan does not take."
    TensorFile "E0607" "A file of tensors that cannot be read or written."
    Archive "E0608" "A `.pt2` archive that is damaged, contradicts itself, or is none."
    ArchiveVersion "E0609" "A `.pt2` archive of a version or layout that is not read."
    NotFunctional "E0610" "A `.pt2` archive of a program whose operators write to their arguments."
    BadOption "E0701" "An option that does not exist, or a value it does not take."
    Accuracy "E0702" "The converted model's outputs differ from PyTorch's, or from the CPU engine's in float32, by more than allowed."
}

/// What went wrong: a stable code, a message whose first line stands alone, and what to do about it.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    code: Code,
    message: String,
    help: Option<String>,
}

/// The facade's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with its help; a `help:` line at the end of the message is taken apart.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        match message.rsplit_once("\nhelp: ") {
            Some((text, help)) => Self { code, message: text.to_owned(), help: Some(help.to_owned()) },
            None => Self { code, message, help: None },
        }
    }

    /// Adds what to do, where nothing is said yet.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help.get_or_insert_with(|| help.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What happened and where, without code and help.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code.number(), self.message)?;
        match &self.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl From<program::Error> for Error {
    fn from(error: program::Error) -> Self {
        Self::new(Code::BadProgram, error.to_string())
    }
}

impl From<network::Error> for Error {
    fn from(error: network::Error) -> Self {
        let code = if matches!(error, network::Error::Layer { .. }) { Code::LayerRefused } else { Code::BadNetwork };
        Self::new(code, error.to_string())
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
            E::NoConverter { missing, .. } => (Code::NoConverter, missing_help(missing)),
            E::Unsupported { .. } => (Code::UnsupportedArgument, ARGUMENT_HELP.into()),
            E::Converter { .. } => (
                Code::ConverterContradiction,
                "this is a bug in torch2trt: please report it with the operator and its arguments".into(),
            ),
            E::Network(_) => (Code::LayerRefused, String::new()),
            E::Foreign { .. } => (Code::UserConverter, String::new()),
            E::InputDtype { dtype, .. } => (Code::InputDtype, dtype_help(dtype)),
            E::OutputDtype { .. } => (Code::OutputDtype, "return it as float32, or leave it out of the outputs".into()),
            E::At { .. } => (Code::ConverterContradiction, String::new()),
        };
        let error = Self::new(code, error.to_string());
        if help.is_empty() { error } else { error.with_help(help) }
    }
}

const ARGUMENT_HELP: &str = "write it with other arguments or operations, or convert the module around it yourself \
                             (@tensorrt_converter, docs/custom-converters.md)";

fn missing_help(missing: &[convert::Missing]) -> String {
    if missing.iter().all(|m| m.complex) {
        return "use real numbers: torch.view_as_real(x) has the real and the imaginary part on its last axis".into();
    }
    // Which names can be registered depends on the Python packages: the Python half names them.
    "write that part of the model with other operators, or convert it in Python with a converter of your own \
     (@tensorrt_converter, docs/custom-converters.md)"
        .into()
}

fn dtype_help(dtype: &str) -> String {
    match dtype {
        "float64" => "convert the model and its inputs to float32 first: model.float(), x.float()".into(),
        "int16" | "int8" => "pass int32, or uint8 for images".into(),
        _ => "pass float32, float16, bfloat16, int64, int32, uint8 or bool".into(),
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
        Self::new(code, error.to_string())
    }
}

impl From<onnx::Error> for Error {
    fn from(error: onnx::Error) -> Self {
        let code = match error {
            onnx::Error::Unsupported { .. } => Code::OnnxUnsupported,
            _ => Code::OnnxWrite,
        };
        Self::new(code, error.to_string())
    }
}

impl From<passes::Error> for Error {
    fn from(error: passes::Error) -> Self {
        Self::new(Code::Pass, error.to_string())
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
        Self::new(code, error.to_string())
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        Self::new(Code::EngineFile, error.to_string())
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
        Self::new(code, error.to_string())
    }
}

impl From<build::Error> for Error {
    fn from(error: build::Error) -> Self {
        use build::Error as E;
        let code = match &error {
            E::Refused(_) | E::Layer { .. } => Code::BuildRefused,
            E::NotInThisVersion { .. } => Code::NotInThisVersion,
            E::Cancelled => Code::Cancelled,
            E::BadTarget { .. } => Code::BadTarget,
            E::Unbounded { .. } | E::BadProfile { .. } => Code::BadProfile,
            _ => Code::TensorRt,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique() {
        let numbers: HashSet<_> = CODES.iter().map(|(_, number, _)| number).collect();
        assert_eq!(numbers.len(), CODES.len());
    }

    #[test]
    fn help_is_taken_from_the_message_once() {
        let error = Error::new(Code::BadOption, "no such option\n  where\nhelp: drop it").with_help("other");
        assert_eq!(error.message(), "no such option\n  where");
        assert_eq!(error.to_string(), "error[E0701]: no such option\n  where\nhelp: drop it");
    }
}
