//! Why a network has no ONNX form, or why the form could not be written.

use network::{Layer, Origin};
use std::path::PathBuf;
use std::sync::Arc;

/// A failure of lowering or of writing. Layer errors name the layer and where in the model it comes from.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// ONNX has no form for this layer as it is configured.
    #[error("{layer} layer `{name}` ({origin}) has no ONNX form: {reason}")]
    Unsupported {
        /// The layer's kind.
        layer: &'static str,
        /// Its name.
        name: String,
        /// Where in the model it comes from.
        origin: Arc<Origin>,
        /// Which part of it ONNX lacks, with the values at hand.
        reason: String,
        /// What can be done.
        help: &'static str,
    },
    /// A layer does not have the inputs that its kind asks for.
    #[error("{layer} layer `{name}` ({origin}): {problem}")]
    Malformed {
        /// The layer's kind.
        layer: &'static str,
        /// Its name.
        name: String,
        /// Where in the model it comes from.
        origin: Arc<Origin>,
        /// What is missing.
        problem: String,
    },
    /// An output of the network is made by no layer.
    #[error("output `{output}` is made by no layer")]
    NoOutput {
        /// The output's name.
        output: String,
    },
    /// The graph without its weights is larger than protobuf allows.
    #[error("the graph takes {bytes} bytes without its weights; protobuf ends at 2 GiB")]
    TooLarge {
        /// Encoded size.
        bytes: usize,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unsupported { help, .. } => help,
            Self::Malformed { .. } | Self::NoOutput { .. } => "run Network::verify on the network; a pass broke it",
            Self::TooLarge { .. } => "lower the external threshold",
            Self::Io { .. } => "create the folder, or choose a path that can be written to",
        }
    }

    /// Nodes of the program whose layers have no ONNX form.
    pub fn nodes(&self) -> Vec<usize> {
        match self {
            Self::Unsupported { origin, .. } => origin.node.into_iter().collect(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn unsupported(layer: &Layer, reason: impl Into<String>, help: &'static str) -> Self {
        let (name, origin, reason) = (layer.name.clone(), layer.origin.clone(), reason.into());
        Self::Unsupported { layer: layer.op.name(), name, origin, reason, help }
    }

    pub(crate) fn malformed(layer: &Layer, problem: impl Into<String>) -> Self {
        let (name, origin, problem) = (layer.name.clone(), layer.origin.clone(), problem.into());
        Self::Malformed { layer: layer.op.name(), name, origin, problem }
    }
}
