//! The description in the file of a model with parts in PyTorch: a zip archive that the Python package writes.
//!
//! It is read here without PyTorch, for those who want to know what is in a file. The parts themselves are read by the
//! Python package alone. docs/engine-file.md describes the members.

use crate::{EngineFile, Error, Result};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use zip::ZipArchive;

/// The member with the description.
const DESCRIPTION: &str = "torch2trt.json";
/// The most bytes that a description has.
const LARGEST: u64 = 64 << 20;

/// The description of a model with parts in PyTorch. Fields may be added in later versions: unknown ones are ignored.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub struct PartsManifest {
    /// Where the model runs: `cpu` or `cuda`.
    pub device: String,
    /// Name, dtype and sizes of each input.
    pub inputs: Vec<(String, String, Vec<serde_json::Value>)>,
    /// Name, dtype and sizes of each output; no sizes where the file holds none.
    pub outputs: Vec<(String, String, Vec<serde_json::Value>)>,
    /// The smallest and the largest size of each axis of each input.
    pub ranges: Vec<Vec<(i64, i64)>>,
    /// The parts, in the order in which they run.
    pub partitions: Vec<PartEntry>,
    /// What is recorded of the model as a whole.
    #[serde(default)]
    pub description: PartsDescription,
}

/// One part.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub struct PartEntry {
    /// `engine` or `pytorch`.
    pub kind: String,
    /// Operator calls in it.
    pub calls: u64,
    /// Layers of its network.
    #[serde(default)]
    pub layers: u64,
    /// Bytes of the tensors that it reads, at the sizes of the samples; none where a size depends on data.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Of a part in PyTorch: each reason, with the calls that it applies to and their source lines.
    #[serde(default)]
    pub reasons: BTreeMap<String, Vec<String>>,
    /// Of an engine: max abs error / max abs reference.
    #[serde(default)]
    pub difference: Option<f64>,
    /// The sub-module that it is, where Python code runs around it.
    #[serde(default)]
    pub module: String,
}

/// What is recorded of a model as a whole.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub struct PartsDescription {
    /// The options of the conversion.
    #[serde(default)]
    pub options: BTreeMap<String, serde_json::Value>,
    /// Max abs error / max abs reference, by output name.
    #[serde(default)]
    pub accuracy: BTreeMap<String, f64>,
    /// What the conversion did, as (name, value) pairs.
    #[serde(default)]
    pub conversion: Vec<(String, String)>,
}

impl PartsManifest {
    /// The description in a file, as it is there.
    ///
    /// # Errors
    /// [`Error::Parts`] for a file that is damaged or has no description, [`Error::Io`] where it cannot be read.
    pub fn open_json(path: &Path) -> Result<serde_json::Value> {
        let wrong = |problem: String| Error::Parts { problem };
        let file = File::open(path).map_err(|source| Error::Io { doing: "read", path: path.to_owned(), source })?;
        let mut archive = ZipArchive::new(file).map_err(|error| wrong(error.to_string()))?;
        let member = archive.by_name(DESCRIPTION).map_err(|error| wrong(format!("`{DESCRIPTION}`: {error}")))?;
        let mut bytes = Vec::new();
        // The checksum is compared at the end of the member.
        let read = member.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
        if read as u64 > LARGEST {
            return Err(wrong(format!("`{DESCRIPTION}` is larger than {LARGEST} bytes")));
        }
        serde_json::from_slice(&bytes).map_err(|error| wrong(format!("`{DESCRIPTION}`: {error}")))
    }

    /// The engine files in a file, by the names of their members.
    ///
    /// # Errors
    /// As [`Self::open_json`], and those of [`EngineFile::parse`].
    pub fn open_engines(path: &Path) -> Result<Vec<(String, EngineFile)>> {
        let wrong = |problem: String| Error::Parts { problem };
        let file = File::open(path).map_err(|source| Error::Io { doing: "read", path: path.to_owned(), source })?;
        let mut archive = ZipArchive::new(file).map_err(|error| wrong(error.to_string()))?;
        let named = archive.file_names().filter_map(|name| name.ok().map(Cow::into_owned));
        let is_engine = |name: &String| Path::new(name).extension().is_some_and(|extension| extension == "trt2");
        let mut names: Vec<String> = named.filter(is_engine).collect();
        names.sort_by_key(|name| (name.len(), name.clone()));
        let open = |name: String| {
            let mut member = archive.by_name(&name).map_err(|error| wrong(format!("`{name}`: {error}")))?;
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).map_err(|error| wrong(format!("`{name}`: {error}")))?;
            Ok((name, EngineFile::parse(bytes.into())?))
        };
        names.into_iter().map(open).collect()
    }

    /// The description that [`Self::open_json`] returned.
    ///
    /// # Errors
    /// [`Error::Parts`] where a field is missing or has another type.
    pub fn from_json(value: &serde_json::Value) -> Result<Self> {
        let wrong = |error: serde_json::Error| Error::Parts { problem: format!("`{DESCRIPTION}`: {error}") };
        serde::Deserialize::deserialize(value).map_err(wrong)
    }
}
