//! The search for a library, as data: every place that was looked at, and what was there.

use std::fmt;
use std::path::PathBuf;

/// Where an ONNX Runtime was looked for, in order, and what was there.
#[derive(Debug)]
pub struct LibrarySearch {
    /// The places looked at.
    pub places: Vec<Place>,
}

/// One place looked at.
#[derive(Debug)]
pub struct Place {
    /// Who named it.
    pub source: Source,
    /// The file or folder; none where the source names nothing.
    pub path: Option<PathBuf>,
    /// Why nothing usable was there; none where nothing was found at all.
    pub problem: Option<ProbeError>,
}

/// Who named a place to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The caller's option.
    Explicit,
    /// The environment variable `TORCH2TRT_ONNXRUNTIME`.
    Environment,
    /// A Python packages' folder.
    SitePackages,
    /// The loader's own search path.
    Loader,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Explicit => "option",
            Self::Environment => "TORCH2TRT_ONNXRUNTIME",
            Self::SitePackages => "Python onnxruntime",
            Self::Loader => "loader path",
        })
    }
}

/// Why a file is not an ONNX Runtime that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// There is no such file or folder.
    #[error("no such file")]
    Missing,
    /// The folder holds no ONNX Runtime.
    #[error("no libonnxruntime in this folder")]
    NotInFolder,
    /// The loader refused it, in its words.
    #[error("cannot be loaded: {0}")]
    Refused(String),
    /// It is some other library.
    #[error("not an ONNX Runtime (no OrtGetApiBase)")]
    NotOnnxRuntime,
    /// It is older than what this crate calls.
    #[error("version {found} is too old, 1.{needed} or newer is needed")]
    TooOld {
        /// Its version.
        found: String,
        /// The first minor version of ONNX Runtime 1 that will do.
        needed: u32,
    },
}

impl LibrarySearch {
    /// What to do about it.
    pub const HELP: &str = "pip install onnxruntime, or set TORCH2TRT_ONNXRUNTIME=/path/to/libonnxruntime.so";
}

impl fmt::Display for LibrarySearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.places.iter().any(|place| !matches!(place.problem, None | Some(ProbeError::Missing)));
        f.write_str(if found { "no usable ONNX Runtime was found" } else { "ONNX Runtime was not found" })?;
        for place in &self.places {
            write!(f, "\n  {}: ", place.source)?;
            match (&place.path, &place.problem) {
                (Some(path), Some(problem)) => write!(f, "{}: {problem}", path.display())?,
                (Some(path), None) => write!(f, "{}: not there", path.display())?,
                (None, Some(problem)) => write!(f, "{problem}")?,
                (None, None) => f.write_str("not set")?,
            }
        }
        Ok(())
    }
}
