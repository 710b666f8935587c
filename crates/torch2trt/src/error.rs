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
    UnsupportedArgument "E0102" "An argument value that a converter does not support."
    ConverterContradiction "E0103" "A converter's output differs from PyTorch's in shape or dtype: a bug in torch2trt."
    InputDtype "E0104" "An input dtype that engines do not accept."
    OutputDtype "E0105" "An output dtype that engines do not return."
    BadProgram "E0106" "An inconsistent program."
    LayerRefused "E0107" "A layer whose inputs do not match it."
    UserConverter "E0108" "A custom converter failed."
    BadNetwork "E0201" "A malformed network, or malformed network text."
    Pass "E0202" "A pass failed."
    OnnxUnsupported "E0203" "A layer without an ONNX equivalent."
    OnnxWrite "E0204" "An ONNX file that cannot be written."
    TensorRtNotFound "E0301" "TensorRT not found."
    NotInThisVersion "E0302" "A feature that this TensorRT does not have."
    BuildRefused "E0303" "TensorRT failed to build the network."
    Cancelled "E0304" "The build was cancelled."
    BadTarget "E0305" "A target that is not a compute capability, or that this TensorRT does not support."
    TensorRt "E0306" "Another error of TensorRT."
    BadProfile "E0307" "Missing or inconsistent ranges of dynamic dimensions."
    InputCount "E0401" "Too few or too many inputs."
    InputShape "E0402" "An input shape outside the range of the engine."
    TensorDtype "E0403" "A tensor of the wrong dtype."
    TensorDevice "E0404" "A tensor on the wrong device."
    BadBuffer "E0405" "A buffer that is too small, or an output that shares its memory with another tensor."
    OutputShape "E0406" "An output buffer of the wrong shape, or an output whose shape depends on data."
    RunFailed "E0407" "The engine failed while running."
    OnnxRuntimeNotFound "E0501" "ONNX Runtime not found."
    OnnxRuntimeLoaded "E0502" "Another ONNX Runtime is already loaded in this process."
    OnnxRuntimeRefused "E0503" "ONNX Runtime rejected the model."
    Capture "E0601" "The model cannot be captured."
    BadInputs "E0602" "The arguments of a call differ from those of the conversion."
    WeightsChanged "E0603" "Weights that changed after the conversion."
    NotRunnable "E0604" "A plan that cannot run on this machine."
    EngineFile "E0605" "A corrupt or truncated engine file, or a file in another format."
    Refit "E0606" "Weights that do not match the engine."
    TensorFile "E0607" "A tensor file that cannot be read or written."
    Archive "E0608" "A corrupt or inconsistent `.pt2` archive, or a file that is not a `.pt2` archive."
    ArchiveVersion "E0609" "An unsupported version or layout of a `.pt2` archive."
    NotFunctional "E0610" "A `.pt2` archive whose program has in-place operators."
    BadOption "E0701" "An unknown option, or an invalid value."
    Accuracy "E0702" "Outputs that differ from the reference by more than the tolerance."
    Requirement "E0801" "A package that torch2trt needs is missing, too old or cannot be imported."
}

/// What went wrong: a stable code, a message whose first line stands alone, and what to do about it.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    code: Code,
    message: String,
    help: Option<String>,
    nodes: Vec<usize>,
}

/// The facade's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with its help; a `help:` line at the end of the message is taken apart.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        match message.rsplit_once("\nhelp: ") {
            Some((text, help)) => {
                Self { code, message: text.to_owned(), help: Some(help.to_owned()), nodes: Vec::new() }
            }
            None => Self { code, message, help: None, nodes: Vec::new() },
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

    /// Names the nodes of the program that the error is about, by index.
    fn about(mut self, nodes: Vec<usize>) -> Self {
        self.nodes = nodes;
        self
    }

    /// The nodes of the program that do not convert, or that the target cannot run; empty for an error about something else.
    pub fn nodes(&self) -> &[usize] {
        &self.nodes
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
        let made = Self::new(code, error.to_string()).about(error.nodes());
        if help.is_empty() { made } else { made.with_help(help) }
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
        Self::new(code, error.to_string()).about(error.nodes())
    }
}

impl From<passes::Error> for Error {
    fn from(error: passes::Error) -> Self {
        let text = error.to_string();
        match error {
            passes::Error::Unsupported { nodes, .. } => Self::new(Code::NotInThisVersion, text).about(nodes),
            _ => Self::new(Code::Pass, text),
        }
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
        let help = match &error {
            engine::Error::Io { doing: "read", .. } => "give the path of an engine file that can be read",
            engine::Error::Io { .. } => "choose a path in a folder that exists and can be written to",
            _ => "convert the model again",
        };
        Self::new(Code::EngineFile, error.to_string()).with_help(help)
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
            E::Refused(_) | E::Layer { .. } | E::Plugin { .. } => Code::BuildRefused,
            E::NotInThisVersion { .. } => Code::NotInThisVersion,
            E::Cancelled => Code::Cancelled,
            E::BadTarget { .. } => Code::BadTarget,
            E::Unbounded { .. } | E::BadProfile { .. } => Code::BadProfile,
            _ => Code::TensorRt,
        };
        Self::new(code, error.to_string()).about(error.nodes())
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
