//! What can be wrong with a network.

use crate::Origin;
use std::sync::Arc;

/// A layer's inputs do not fit it. Text for people; the place is added by [`Error::Layer`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InferError(pub String);

/// A network that TensorRT would refuse, or a text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A layer's inputs do not fit it.
    #[error("{layer} layer `{name}` ({origin}): {problem}")]
    Layer {
        /// The layer's kind.
        layer: &'static str,
        /// Its name.
        name: String,
        /// Where in the model it comes from.
        origin: Arc<Origin>,
        /// What does not fit.
        problem: String,
    },
    /// A layer's declared outputs are not what inference finds.
    #[error(
        "{layer} layer `{name}` ({origin}): output {output} is {declared} in the network, but inference finds \
         {inferred}"
    )]
    Inconsistent {
        /// The layer's kind.
        layer: &'static str,
        /// Its name.
        name: String,
        /// Where in the model it comes from.
        origin: Arc<Origin>,
        /// Which output.
        output: usize,
        /// Dtype and sizes the network has.
        declared: String,
        /// Dtype and sizes inferred.
        inferred: String,
    },
    /// The structure is broken: a layer uses a tensor before it is produced, a symbol is not declared, …
    #[error("the network is not well-formed: {0}")]
    Malformed(String),
    /// A text form that does not parse.
    #[error("line {line}: {problem}\n  {text}")]
    Text {
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
        /// The line's text.
        text: String,
    },
}
