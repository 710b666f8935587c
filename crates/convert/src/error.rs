//! What can go wrong while converting.

use program::{Node, Source};

/// An operator that has no converter, and everywhere it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The overload.
    pub target: String,
    /// Whether it has a converter, but none for the complex numbers of these calls.
    pub complex: bool,
    /// Each call, by its index among the program's nodes.
    pub nodes: Vec<usize>,
    /// Where each call was written.
    pub sources: Vec<Source>,
}

/// A program that does not convert.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// Operators without a converter, all of them.
    #[error("{}", no_converter(missing, *nodes))]
    NoConverter {
        /// Each operator with its calls.
        missing: Vec<Missing>,
        /// Nodes in the program.
        nodes: usize,
    },
    /// A converter that met an argument it does not handle.
    #[error("{problem}")]
    Unsupported {
        /// What it is and what would work.
        problem: String,
    },
    /// A converter that contradicts PyTorch or misread an argument: our mistake, not the user's.
    #[error("{problem}")]
    Converter {
        /// What contradicts what.
        problem: String,
    },
    /// A converter outside this crate that failed; its own error has the problem, the place and the reason.
    #[error("{problem}")]
    Foreign {
        /// Which converter, at which call, and what happened.
        problem: String,
    },
    /// A layer that the network refuses.
    #[error(transparent)]
    Network(#[from] network::Error),
    /// An error with the node it happened at.
    #[error("{target} ({origin}): {error}")]
    At {
        /// Index of the node in the program.
        index: usize,
        /// The overload.
        target: String,
        /// Module path, file and line.
        origin: Source,
        /// What happened.
        error: Box<Error>,
    },
    /// An input of a type that no engine takes.
    #[error("input `{name}` is {dtype}, which no engine takes")]
    InputDtype {
        /// The input's name.
        name: String,
        /// Its dtype.
        dtype: String,
    },
    /// An output of a type that no engine gives.
    #[error("output `{name}` is {dtype}, which no engine gives")]
    OutputDtype {
        /// The output's name.
        name: String,
        /// Its dtype.
        dtype: String,
    },
}

impl Error {
    /// An argument that the converter does not handle.
    pub fn unsupported(problem: impl Into<String>) -> Self {
        Self::Unsupported { problem: problem.into() }
    }

    /// The same error, at this node.
    pub(crate) fn at(self, index: usize, node: &Node) -> Self {
        match self {
            at @ (Self::At { .. } | Self::Foreign { .. }) => at,
            error => {
                Self::At { index, target: node.target.clone(), origin: node.source.clone(), error: Box::new(error) }
            }
        }
    }

    /// The nodes that do not convert, by their index in the program; empty for an error about something else.
    pub fn nodes(&self) -> Vec<usize> {
        match self {
            Self::At { index, .. } => vec![*index],
            Self::NoConverter { missing, .. } => missing.iter().flat_map(|m| m.nodes.iter().copied()).collect(),
            _ => Vec::new(),
        }
    }
}

fn no_converter(missing: &[Missing], nodes: usize) -> String {
    let calls: usize = missing.iter().map(|m| m.sources.len()).sum();
    let noun = if missing.len() == 1 { "operator has" } else { "operators have" };
    let kind = if missing.iter().all(|m| m.complex) { " for complex numbers" } else { "" };
    let mut lines = vec![format!("{} {noun} no converter{kind} ({calls} of {nodes} nodes)", missing.len())];
    let label = |m: &Missing| format!("{}{}", m.target, if m.complex { " of complex numbers" } else { "" });
    let width = missing.iter().map(|m| label(m).len()).max().unwrap_or(0);
    for m in missing {
        let first = m.sources.first().map(ToString::to_string).unwrap_or_default();
        lines.push(format!("  {:width$}  x{:<3} {first}", label(m), m.sources.len()));
        let mut others: Vec<String> = m.sources.iter().skip(1).map(ToString::to_string).collect();
        others.dedup();
        lines.extend(others.iter().take(3).map(|other| format!("  {:width$}       {other}", "")));
        if others.len() > 3 {
            lines.push(format!("  {:width$}       … and {} more places", "", others.len() - 3));
        }
    }
    lines.join("\n")
}
