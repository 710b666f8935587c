//! Every way in which talking to TensorRT fails, each with what is needed to act on it.
//!
//! TensorRT itself answers null or false; its reasons go to the logger and the error recorder. [`Diagnostics`] carries
//! them, so an error reads as TensorRT put it. This file knows nothing of where a network came from.

use std::fmt;
use std::path::PathBuf;

use crate::library::Search;
use crate::types::Severity;
use crate::version::Version;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of the binding or a refusal by TensorRT.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No usable TensorRT library; every place looked at, and what was there.
    #[error("{0}")]
    NotFound(Box<Search>),

    /// The loaded version does not have the call or the enum value.
    #[error("{call} is not in {version}; it is in {since}")]
    NotInThisVersion {
        /// The call or the enum value, such as `INetworkDefinition::addCumulative`.
        call: String,
        /// The loaded version.
        version: Version,
        /// The versions that have it, in words.
        since: String,
    },

    /// TensorRT refused a call.
    #[error("TensorRT refused {call}{}{diagnostics}", on(.object.as_deref()))]
    Refused {
        /// The call, such as `INetworkDefinition::addConvolutionNd`.
        call: String,
        /// The layer or tensor concerned, when it has a name.
        object: Option<String>,
        /// TensorRT's messages about it.
        diagnostics: Diagnostics,
    },

    /// The progress monitor asked the builder to stop.
    #[error("the build was cancelled")]
    Cancelled,

    /// The library has no builder: it is a lean or dispatch runtime, which only runs engines.
    #[error("{} ({version}) cannot build engines: it is a runtime only; install the full TensorRT", path.display())]
    NoBuilder {
        /// The loaded library.
        path: PathBuf,
        /// Its version.
        version: Version,
    },

    /// A further library of TensorRT, such as its ONNX parser, cannot be loaded or is another one.
    #[error("{}: {reason}", path.display())]
    NotLoadable {
        /// The file as given.
        path: PathBuf,
        /// The loader's words.
        reason: String,
    },

    /// The call needs a GPU, and there is none that works.
    #[error("{call} of {version} needs a GPU: {reason}")]
    NoGpu {
        /// The call.
        call: String,
        /// The loaded version.
        version: Version,
        /// What is missing.
        reason: String,
    },

    /// More dimensions than TensorRT's `Dims` holds.
    #[error("TensorRT tensors have at most 8 dimensions; got {dims:?}")]
    TooManyDims {
        /// The dimensions as given.
        dims: Vec<i64>,
    },

    /// A dimension that TensorRT 8's 32-bit `Dims` cannot hold.
    #[error("dimensions {dims:?} do not fit the 32 bits that {version} has for each")]
    DimsTooLarge {
        /// The dimensions as given.
        dims: Vec<i64>,
        /// The loaded version.
        version: Version,
    },

    /// A name with a NUL byte in it.
    #[error("{what} contains a NUL byte: {text:?}")]
    NulInText {
        /// What the text is for.
        what: &'static str,
        /// The text.
        text: String,
    },

    /// Weight bytes that are not a whole number of elements, or not aligned for them.
    #[error(
        "{bytes} bytes at {address:#x} are not whole, aligned elements of {bits} bits; copy them to aligned memory"
    )]
    BadWeights {
        /// Length in bytes.
        bytes: usize,
        /// Address of the first byte.
        address: usize,
        /// Size of an element in bits.
        bits: usize,
    },

    /// A tensor of another network.
    #[error("tensor `{name}` belongs to another network")]
    ForeignTensor {
        /// Its name.
        name: String,
    },

    /// A plugin library that cannot be loaded, or whose creators are not accepted.
    #[error("the plugin library {} cannot be used: {reason}", path.display())]
    PluginLibrary {
        /// The file, or the name that the system's loader was given.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },

    /// No registered creator makes such plugins.
    #[error("no plugin creator is registered for `{plugin}`{}", registered(.creators))]
    NoPluginCreator {
        /// Name, version and namespace.
        plugin: String,
        /// The creators that are registered.
        creators: Vec<String>,
    },

    /// The registered creator of such plugins has an interface that is not called here.
    #[error(
        "the creator of `{plugin}` is a `{kind}`, and only `IPluginCreator` and `IPluginCreatorV3One` are supported"
    )]
    PluginCreatorKind {
        /// Name, version and namespace.
        plugin: String,
        /// The interface, as the creator names it.
        kind: String,
    },

    /// A value outside what the C++ side takes (an axis, a count, an index).
    #[error("{what} is {value}, which TensorRT cannot take")]
    OutOfRange {
        /// What the value is for.
        what: &'static str,
        /// The value.
        value: i64,
    },
}

fn on(object: Option<&str>) -> String {
    object.map_or_else(String::new, |name| format!(" on `{name}`"))
}

fn registered(creators: &[String]) -> String {
    match creators {
        [] => "; none is".to_owned(),
        _ => format!("; registered are {}", creators.join(", ")),
    }
}

impl Error {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotFound(search) => Some(search.help()),
            _ => None,
        }
    }

    /// The loaded TensorRT lacks the call; another version, or another way to express it, may do.
    pub fn is_not_in_this_version(&self) -> bool {
        matches!(self, Self::NotInThisVersion { .. })
    }

    /// The user's progress monitor stopped the build.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// No TensorRT was found.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// TensorRT's messages, when it refused.
    pub fn diagnostics(&self) -> Option<&Diagnostics> {
        match self {
            Self::Refused { diagnostics, .. } => Some(diagnostics),
            _ => None,
        }
    }

    /// Names the layer or tensor that a refusal is about.
    #[must_use]
    pub fn on(mut self, name: impl Into<String>) -> Self {
        if let Self::Refused { object, .. } = &mut self {
            *object = Some(name.into());
        }
        self
    }
}

/// One message of TensorRT's logger or error recorder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// How grave TensorRT holds it.
    pub severity: Severity,
    /// Its words.
    pub text: String,
}

/// TensorRT's messages during one call: errors first, then warnings.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Diagnostics {
    /// The messages, without repetitions.
    pub messages: Vec<Message>,
}

impl Diagnostics {
    /// Whether any message contains `text`.
    pub fn contains(&self, text: &str) -> bool {
        self.messages.iter().any(|m| m.text.contains(text))
    }

    /// Adds a message unless the same one is present (the logger repeats the recorder with a prefix).
    pub(crate) fn add(&mut self, message: Message) {
        let same = |m: &Message| m.text.contains(&message.text) || message.text.contains(&m.text);
        match self.messages.iter_mut().find(|m| same(m)) {
            Some(old) if old.text.len() < message.text.len() => old.text = message.text,
            Some(_) => {}
            None => self.messages.push(message),
        }
    }
}

impl Diagnostics {
    /// Without a GPU driver TensorRT ends every error with a second one, from cleaning up after the first; it adds
    /// nothing of the cause, so it is kept only when it is all there is.
    pub(crate) fn drop_aftermath(&mut self) {
        let aftermath = |m: &Message| m.text.starts_with("[checkMacros.cpp::catchCudaError");
        if !self.messages.iter().all(aftermath) {
            self.messages.retain(|m| !aftermath(m));
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.messages.is_empty() {
            return write!(f, " and gave no reason");
        }
        for message in &self.messages {
            write!(f, "\n  {}: {}", message.severity, message.text.trim_end())?;
        }
        Ok(())
    }
}
