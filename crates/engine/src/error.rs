//! What can be wrong with an engine file.

use crate::Kind;
use std::path::PathBuf;

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// An engine file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system failed.
    #[error("{} cannot be {doing}: {source}", path.display())]
    Io {
        /// `read` or `written`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It does not start as engine files do.
    #[error("this is not an engine file: it starts with {found:02x?}")]
    NotAnEngineFile {
        /// Its first bytes.
        found: Vec<u8>,
    },
    /// It is a zip archive, as PyTorch writes its own files.
    #[error("this is a zip archive, as torch.save and torch.export.save write them, and not an engine file")]
    Archive,
    /// It was copied as text, which changed its bytes.
    #[error("the engine file was copied as text, which changed its line ends")]
    CopiedAsText,
    /// A format that is not known here.
    #[error("the engine file has format {found}; this torch2trt reads format {known}")]
    Format {
        /// The file's format.
        found: u32,
        /// The format of this crate.
        known: u32,
    },
    /// It is shorter or longer than its header states.
    #[error("the engine file is {got} bytes long, its header states {expected}")]
    Length {
        /// The version in the header.
        expected: u64,
        /// What there is.
        got: u64,
    },
    /// A checksum differs.
    #[error("the engine file is damaged: the checksum of its {part} differs")]
    Damaged {
        /// What was compared.
        part: &'static str,
    },
    /// The table of sections contradicts itself, though its checksum is right.
    #[error("the engine file's table of sections is wrong: {problem}")]
    Table {
        /// What is wrong.
        problem: String,
    },
    /// The manifest is not of this format.
    #[error("the engine file's manifest cannot be read: {source}")]
    Manifest {
        /// The error of serde.
        source: serde_json::Error,
    },
    /// The file of a model with parts in PyTorch has no description that can be read.
    #[error("the file of a model with parts in PyTorch is damaged: {problem}")]
    Parts {
        /// What is wrong.
        problem: String,
    },
    /// A section is not there.
    #[error("the engine file has no {}", kind.name())]
    Missing {
        /// The section.
        kind: Kind,
    },
    /// An entry of the weights' table points outside of the weights.
    #[error("weight `{name}` of the engine file is outside of its weights")]
    Weight {
        /// The weight's name.
        name: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Io { doing: "read", .. } => "give the path of an engine file that can be read",
            Self::Io { .. } => "choose a path in a folder that exists and can be written to",
            Self::NotAnEngineFile { .. } => {
                "engine files are written by `model_trt.save(path)`; a plain TensorRT plan is loaded with \
                 `torch2trt.load_plan(path)`"
            }
            Self::Archive => {
                "`torch2trt build model.pt2 --output net.trt2` makes an engine file of what torch.export.save \
                 wrote; in Python, torch2trt.torch2trt converts the model, and torch2trt.load reads models with \
                 parts in PyTorch"
            }
            Self::CopiedAsText => "copy it again in binary mode",
            Self::Format { .. } => "update torch2trt, or convert the model again",
            Self::Length { .. } => "it was cut off or added to: copy it again",
            Self::Damaged { .. } => "copy it again, or convert the model again",
            Self::Table { .. } => "it was not written by torch2trt; convert the model again",
            Self::Manifest { .. } => "it was not written by this version of torch2trt; convert the model again",
            Self::Missing { .. } => "it was written for something else; convert the model again",
            Self::Weight { .. } => "convert the model again",
            Self::Parts { .. } => "copy it again, or save the model again",
        }
    }
}

impl From<std::io::Error> for Error {
    /// A failed write, under an empty path.
    fn from(source: std::io::Error) -> Self {
        Self::Io { doing: "written", path: PathBuf::new(), source }
    }
}
