//! What can go wrong in a pass.

use crate::Target;
use network::Origin;
use std::sync::Arc;

/// A pass could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The target lacks a layer or a type.
    #[error("{target} does not support the {layer} layer `{name}` ({origin}): {problem}")]
    Unsupported {
        /// Who the network was for.
        target: Target,
        /// The layer's kind; `Input` for an input of the network.
        layer: &'static str,
        /// Its name.
        name: String,
        /// Where in the model it comes from.
        origin: Arc<Origin>,
        /// Nodes of the program that the target cannot run; several where more than one layer is not supported.
        nodes: Vec<usize>,
        /// What the target lacks.
        problem: String,
        /// What to do.
        help: &'static str,
    },
    /// A layer does not fit its inputs while a pass works on it.
    #[error(transparent)]
    Network(#[from] network::Error),
    /// The pass made a network that does not hold together. The model is not at fault.
    #[error("the pass `{pass}` made an invalid network: {source}")]
    Pass {
        /// Its name.
        pass: &'static str,
        /// What does not hold.
        source: network::Error,
    },
}

impl Error {
    /// What to do about it.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Unsupported { help, .. } => Some(help),
            Self::Pass { .. } => Some(
                "this is a fault of torch2trt; report it with the network's text, and leave the pass out meanwhile",
            ),
            Self::Network(_) => None,
        }
    }

    /// Adds the pass that an error of the network comes from.
    pub(crate) fn in_pass(self, pass: &'static str) -> Self {
        match self {
            Self::Network(source) => Self::Pass { pass, source },
            other => other,
        }
    }
}
