//! What can be wrong with a `.pt2` archive.

use std::path::PathBuf;

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// What help texts advise where an archive has another form.
pub const SAVE: &str = "torch.export.save(torch.export.export(model, args).run_decompositions({}), \"model.pt2\")";

/// An archive could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system failed.
    #[error("{} cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no zip file, or a zip file of something else.
    #[error("{} is not a `.pt2` archive: {problem}", path.display())]
    NotAnArchive {
        /// The file.
        path: PathBuf,
        /// What was looked for, or the zip reader's error.
        problem: String,
    },
    /// An entry is not there, is cut off, or differs from its checksum.
    #[error("the archive is damaged: {problem}")]
    Damaged {
        /// Which entry, and how.
        problem: String,
    },
    /// An entry contradicts another, or itself.
    #[error("the archive contradicts itself: {problem}")]
    Inconsistent {
        /// What contradicts what.
        problem: String,
    },
    /// A layout that is not read here.
    #[error("{problem}, which is not read here")]
    Version {
        /// The version found, and where it is from.
        problem: String,
        /// What to do.
        help: String,
    },
    /// Operators that write to their arguments: their order decides what a value is.
    #[error(
        "the archive's program is not functional: {} operator{} to {} arguments ({})",
        calls,
        if *calls == 1 { " writes" } else { "s write" },
        if *calls == 1 { "its" } else { "their" },
        operators.join(", ")
    )]
    NotFunctional {
        /// The overloads, each once.
        operators: Vec<String>,
        /// Number of calls.
        calls: usize,
    },
    /// Something that a program cannot express.
    #[error("{problem}{}", place(at))]
    Inexpressible {
        /// What it is.
        problem: String,
        /// Module path, file and line; empty where the archive has none.
        at: String,
        /// What to do.
        help: String,
    },
    /// The program contradicts itself.
    #[error("{0}")]
    Program(#[from] program::Error),
}

fn place(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!("\n  at {at}") }
}

impl Error {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotAnArchive { .. } => format!("save the model with {SAVE}"),
            Self::Version { help, .. } => (*help).clone(),
            Self::NotFunctional { .. } => {
                format!("write it with torch2trt.export(model, inputs, \"model.pt2\"), or save it with {SAVE}")
            }
            Self::Inexpressible { help, .. } => (*help).clone(),
            other => other.fixed_help()?.to_owned(),
        })
    }

    fn fixed_help(&self) -> Option<&'static str> {
        Some(match self {
            Self::Io { .. } => "give the path of a file that `torch.export.save` wrote",
            Self::Damaged { .. } => "copy it again in binary mode, or save the model again",
            Self::Inconsistent { .. } | Self::Program(..) => "save the model again with `torch.export.save`",
            _ => return None,
        })
    }

    pub(crate) fn inconsistent(problem: impl Into<String>) -> Self {
        Self::Inconsistent { problem: problem.into() }
    }

    pub(crate) fn damaged(problem: impl Into<String>) -> Self {
        Self::Damaged { problem: problem.into() }
    }
}
