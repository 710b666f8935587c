//! From a path to an archive: which layout it has, and whether that is read here.

use crate::captured::Captured;
use crate::model::{ExportedProgram, Versioned};
use crate::weights::Weights;
use crate::zip::Entries;
use crate::{Archive, Error, Result, error, read};
use std::path::Path;

/// The major version of PyTorch's export schema that is read here.
const SCHEMA: u64 = 8;

/// Reads an archive.
///
/// # Errors
/// What is wrong with the file, which version it has that is not read here, or what of its program has no form here.
pub fn open(path: &Path) -> Result<Archive> {
    let entries = Entries::open(path)?;
    let Some(Place { root, model }) = Place::find(&entries) else { return Err(no_model(path, &entries)) };
    if let Ok(order) = entries.get(&format!("{root}byteorder"))
        && order.as_ref() != b"little"
    {
        let order = String::from_utf8_lossy(&order).chars().take(20).collect::<String>();
        let problem = format!("the archive's byte order is `{order}`");
        return Err(Error::Version { problem, help: "save it on a little-endian machine".to_owned() });
    }
    let name = format!("{root}models/{model}.json");
    let text = entries.get(&name)?;
    let wrong = |problem: serde_json::Error| Error::inconsistent(format!("`{name}`: {problem}"));
    let version: Versioned = serde_json::from_slice(&text).map_err(wrong)?;
    let schema = format!("{}.{}", version.schema_version.major, version.schema_version.minor);
    if version.schema_version.major != SCHEMA {
        let problem = format!("the archive has export schema {schema}, written by PyTorch {}", version.torch_version);
        return Err(Error::Version { problem, help: format!("versions {SCHEMA}.x are read: update torch2trt") });
    }
    let pickled = ["weights", "constants"].map(|kind| format!("{root}data/{kind}/{model}.pt"));
    if let Some(pickle) = pickled.iter().find(|name| entries.has(name)) {
        let by = &version.torch_version;
        let problem =
            format!("the archive (export schema {schema}, PyTorch {by}) has its weights as a pickle (`{pickle}`)");
        return Err(Error::Version { problem, help: newer() });
    }
    let exported: ExportedProgram = serde_json::from_slice(&text).map_err(wrong)?;
    drop(text);
    let mut weights = Weights::new(&entries, &root, &model)?;
    let captured = Captured::read(&entries, &root)?;
    read::read(exported, captured, &mut weights, version.torch_version)
}

fn newer() -> String {
    format!("save it again with a newer PyTorch (later than 2.8): {}", error::SAVE)
}

/// Where an archive has its model.
struct Place {
    /// The folder of the archive, with a slash at its end.
    root: String,
    model: String,
}

impl Place {
    /// The model that `torch.export.save` writes, or the only one.
    fn find(entries: &Entries) -> Option<Self> {
        let place = |name: &str| {
            let (root, model) = name.strip_suffix(".json")?.rsplit_once("models/")?;
            let whole = (root.is_empty() || root.ends_with('/')) && !model.contains('/');
            whole.then(|| Self { root: root.to_owned(), model: model.to_owned() })
        };
        let mut places: Vec<Self> = entries.names().filter_map(place).collect();
        match places.iter().position(|place| place.model == "model") {
            Some(at) => Some(places.swap_remove(at)),
            None if places.len() == 1 => places.pop(),
            None => None,
        }
    }
}

/// Why there is no model in a zip file.
fn no_model(path: &Path, entries: &Entries) -> Error {
    let flat = entries.names().find(|name| name.ends_with("serialized_exported_program.json"));
    let Some(flat) = flat else {
        return Error::NotAnArchive { path: path.to_owned(), problem: "it has no `models/model.json`".to_owned() };
    };
    let version = entries.get(flat).ok().and_then(|text| serde_json::from_slice::<Versioned>(&text).ok());
    let schema = version.map_or_else(String::new, |version| {
        format!(" (export schema {}.{})", version.schema_version.major, version.schema_version.minor)
    });
    let problem = format!("the archive has the layout of PyTorch 2.7 and older{schema}");
    Error::Version { problem, help: newer() }
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
