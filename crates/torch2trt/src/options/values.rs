//! Values of options: on the command line, and as JSON under Python's names.

use super::{CalibrationAlgorithm, Precision};
use crate::Cache;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use nvinfer::TacticSource;
use runtime::CudaGraph;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ffi::OsString;
use std::path::PathBuf;

/// What runs the converted model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Not decided: see [`choose_backend`](crate::choose_backend).
    #[default]
    Auto,
    /// The CPU engine (ONNX Runtime).
    Cpu,
    /// TensorRT.
    TensorRt,
}

pub(super) fn backend() -> impl TypedValueParser<Value = Backend> {
    PossibleValuesParser::new(["auto", "cpu", "tensorrt"]).map(|name| match name.as_str() {
        "cpu" => Backend::Cpu,
        "tensorrt" => Backend::TensorRt,
        _ => Backend::Auto,
    })
}

pub(super) fn algorithm() -> impl TypedValueParser<Value = CalibrationAlgorithm> {
    let names = CalibrationAlgorithm::ALL.map(|(_, name)| name);
    PossibleValuesParser::new(names).map(|name| CalibrationAlgorithm::from_name(&name).unwrap_or_default())
}

/// A precision of the command line, where a refusal is one text.
pub(super) fn precision(name: &str) -> Result<Precision, String> {
    Precision::from_name(name).map_err(|problem| format!("{problem}\nhelp: {}", help("precision").unwrap_or_default()))
}

pub(super) fn cuda_graph() -> impl TypedValueParser<Value = CudaGraph> {
    PossibleValuesParser::new(["auto", "always", "never"]).map(|name| CudaGraph::from_name(&name).unwrap_or_default())
}

pub(super) fn tactic_source(name: &str) -> Result<TacticSource, String> {
    TacticSource::from_name(name).ok_or_else(|| format!("there is no tactic source `{name}`"))
}

/// A tactic source of the command line, where a refusal is one text.
pub(super) fn tactic_source_argument(name: &str) -> Result<TacticSource, String> {
    let with_help = |problem| format!("{problem}\nhelp: {}", help("tactic_sources").unwrap_or_default());
    tactic_source(name).map_err(with_help)
}

/// What to give for an option with a rejected value.
pub(super) fn help(option: &str) -> Option<String> {
    match option {
        "tactic_sources" => {
            let known: Vec<&str> = TacticSource::ALL.iter().map(|source| source.name()).collect();
            Some(format!("give a list of {}", known.join(", ")))
        }
        "int8_calib_algorithm" => {
            let known = CalibrationAlgorithm::ALL.map(|(_, name)| name).join(", ");
            Some(format!("give one of {known}"))
        }
        "precision" => Some(format!("give one of {}", Precision::names())),
        "tolerance" => Some("give a positive number, such as 1e-2".to_owned()),
        "use_cuda_graph" => Some("leave it out for \"auto\"".to_owned()),
        _ => None,
    }
}

/// A path; `off` for none, and nothing for the one in the user's cache folder.
#[allow(clippy::unnecessary_wraps, reason = "the form of a value parser")]
pub(super) fn cache(path: &str) -> Result<Cache, String> {
    Ok(match path {
        "" => Cache::User,
        "off" => Cache::Off,
        path => Cache::At(path.into()),
    })
}

pub(super) fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "give a number of 1 or more".to_owned())
}

/// Bytes, or a number of KiB, MiB or GiB.
pub(super) fn memory(text: &str) -> Result<usize, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1usize),
    };
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
    bytes.ok_or_else(|| "write a number of bytes, or one with K, M or G after it".to_owned())
}

/// A path as JSON: a string; the bytes of one that is no UTF-8.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum AnyPath {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<AnyPath> for PathBuf {
    fn from(path: AnyPath) -> Self {
        match path {
            AnyPath::Text(text) => text.into(),
            AnyPath::Bytes(bytes) => os_string(bytes).into(),
        }
    }
}

impl From<&PathBuf> for AnyPath {
    fn from(path: &PathBuf) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes(path.as_os_str().as_encoded_bytes().to_vec()),
        }
    }
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

impl Serialize for Cache {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::User => serializer.serialize_bool(true),
            Self::Off => serializer.serialize_bool(false),
            Self::At(path) => AnyPath::from(path).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Cache {
    /// A path, `true` for the one in the user's cache folder, or `false` for none.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "it is neither a path nor a truth value")]
        enum Given {
            Switch(bool),
            Path(AnyPath),
        }
        Ok(match Given::deserialize(deserializer)? {
            Given::Switch(true) => Self::User,
            Given::Switch(false) => Self::Off,
            Given::Path(path) => Self::At(path.into()),
        })
    }
}

pub(super) mod path {
    use super::*;

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(in super::super) fn serialize<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
        path.as_ref().map(AnyPath::from).serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<AnyPath>::deserialize(from)?.map(PathBuf::from))
    }
}

pub(super) mod paths {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(paths: &[PathBuf], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(paths.iter().map(AnyPath::from))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<PathBuf>, D::Error> {
        Ok(Vec::<AnyPath>::deserialize(from)?.into_iter().map(PathBuf::from).collect())
    }
}

pub(super) mod named_algorithm {
    use super::*;

    type Algorithm = Option<CalibrationAlgorithm>;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(in super::super) fn serialize<S: Serializer>(algorithm: &Algorithm, to: S) -> Result<S::Ok, S::Error> {
        algorithm.map(CalibrationAlgorithm::name).serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Algorithm, D::Error> {
        let Some(name) = Option::<String>::deserialize(from)? else { return Ok(None) };
        let unknown = || D::Error::custom(format!("there is no algorithm `{name}`"));
        CalibrationAlgorithm::from_name(&name).ok_or_else(unknown).map(Some)
    }
}

pub(super) mod named_sources {
    use super::*;

    type Sources = Option<Vec<TacticSource>>;

    pub(in super::super) fn serialize<S: Serializer>(sources: &Sources, to: S) -> Result<S::Ok, S::Error> {
        let names = |sources: &Vec<TacticSource>| sources.iter().map(|source| source.name()).collect::<Vec<_>>();
        sources.as_ref().map(names).serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Sources, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "it is no list of names")]
        enum Given {
            Names(Vec<String>),
            Name(String),
        }
        match Option::<Given>::deserialize(from)? {
            None => Ok(None),
            Some(Given::Name(name)) => {
                Err(D::Error::custom(format!("option `tactic_sources` is {name}, no list of names")))
            }
            Some(Given::Names(names)) => {
                let sources: Result<_, _> = names.iter().map(|name| tactic_source(name)).collect();
                sources.map(Some).map_err(D::Error::custom)
            }
        }
    }
}

/// `true`, `false` or `"auto"`.
pub(super) mod graph {
    use super::*;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(in super::super) fn serialize<S: Serializer>(graph: &CudaGraph, to: S) -> Result<S::Ok, S::Error> {
        match graph {
            CudaGraph::Auto => to.serialize_str("auto"),
            CudaGraph::Always => to.serialize_bool(true),
            CudaGraph::Never => to.serialize_bool(false),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<CudaGraph, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "it is neither True, False nor \"auto\"")]
        enum Given {
            Switch(bool),
            Name(Auto),
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Auto {
            Auto,
        }
        Ok(match Given::deserialize(from)? {
            Given::Switch(true) => CudaGraph::Always,
            Given::Switch(false) => CudaGraph::Never,
            Given::Name(Auto::Auto) => CudaGraph::Auto,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bytes_or_has_a_unit() {
        assert_eq!(memory("1000"), Ok(1000));
        assert_eq!(memory("512M"), Ok(512 << 20));
        assert_eq!(memory("2g"), Ok(2 << 30));
        for wrong in ["", "M", "1.5G", "-1", "99999999999999999999G", "1T"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn caches_are_paths_or_off() {
        for (text, wanted) in [("", Cache::User), ("off", Cache::Off), ("/a/b", Cache::At("/a/b".into()))] {
            assert_eq!(cache(text), Ok(wanted.clone()));
            let json = serde_json::to_value(&wanted).unwrap();
            assert_eq!(serde_json::from_value::<Cache>(json).unwrap(), wanted);
        }
        assert!(serde_json::from_str::<Cache>("3").is_err());
    }
}
