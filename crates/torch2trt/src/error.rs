//! The one error of the facade: a stable code, what happened and where, and what to do.
//!
//! Every crate has errors of its own; here each kind gets its code. [`CODES`] lists them all, the documentation
//! and the tests are generated from it.

mod stages;

use std::fmt;
use std::sync::Arc;

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

/// What went wrong, in fields. They become one text where they are shown: [`Display`](fmt::Display).
#[derive(Clone)]
pub struct Error {
    code: Code,
    message: String,
    place: Option<String>,
    help: Option<String>,
    nodes: Vec<usize>,
    cause: Option<Cause>,
}

/// The error of the stage that failed.
type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// The facade's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with its message, whose first line stands alone.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), place: None, help: None, nodes: Vec::new(), cause: None }
    }

    /// Adds what to do, unless the error has a help text already.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help.get_or_insert_with(|| help.into());
        self
    }

    /// Adds where in the model it happened.
    #[must_use]
    pub fn at(mut self, place: Option<String>) -> Self {
        self.place = place;
        self
    }

    /// Names the nodes of the program that the error is about, by index.
    fn about(mut self, nodes: Vec<usize>) -> Self {
        self.nodes = nodes;
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

    /// Where in the model it happened: operator, module path, file and line. The message names it, too.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// What to do.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The nodes of the program that do not convert, or that the target cannot run; empty for an error about something
    /// else.
    pub fn nodes(&self) -> &[usize] {
        &self.nodes
    }

    /// The error of the stage that failed, such as a [`runtime::Error`], for a closer look.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        let fields = |e: &Self| (e.code, e.message.clone(), e.place.clone(), e.help.clone(), e.nodes.clone());
        fields(self) == fields(other)
    }
}

impl Eq for Error {}

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

impl std::error::Error for Error {
    /// What the stage's error has as its reason; the message contains the stage's error itself.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().and_then(|cause| cause.source())
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
    fn the_first_help_is_printed_once_at_the_end() {
        let error = Error::new(Code::BadOption, "no such option\n  where").with_help("drop it").with_help("other");
        assert_eq!((error.message(), error.help()), ("no such option\n  where", Some("drop it")));
        assert_eq!(error.to_string(), "error[E0701]: no such option\n  where\nhelp: drop it");
    }

    /// A message that happens to contain the word is not cut.
    #[test]
    fn a_message_is_not_read_for_its_help() {
        let error = Error::new(Code::TensorFile, "cannot read `a\nhelp: b`");
        assert_eq!((error.message(), error.help()), ("cannot read `a\nhelp: b`", None));
    }
}
