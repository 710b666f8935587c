//! The facts about one TensorRT version: a JSON file in `crates/nvinfer/facts`.
//!
//! `classes` lists each class's virtual table in slot order. `~` stands for the two slots of a destructor; every other
//! entry is a method's name and its signature in letters, as [`Method::signature`] explains. `enums` has the number of
//! each value. `headers.rs` creates such a file from TensorRT's headers; nothing else is taken from them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Result;

/// One version's virtual tables and enums.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    pub version: String,
    pub classes: BTreeMap<String, Vec<String>>,
    pub enums: BTreeMap<String, BTreeMap<String, i64>>,
}

/// One virtual method as one version declares it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Method {
    pub name: String,
    /// `p` pointer or reference, `i` 32-bit integer or enum, `l` 64-bit integer, `b` bool, `f` float, `d` double,
    /// `D` Dims, `W` Weights by value, `I` `InterfaceInfo`, `S` another struct, `v` nothing; return type first, then
    /// arguments. In a file of facts, `V` is a `Dims` argument that is passed by value (8.x) and not by reference.
    pub signature: String,
    /// `Dims` arguments are passed by value.
    pub dims_by_value: bool,
}

/// The entry for a destructor, which has two slots.
pub(super) const DESTRUCTOR: &str = "~";

impl Facts {
    /// Where the facts are stored.
    pub fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/nvinfer/facts")
    }

    /// Reads the facts of one version.
    pub fn read(folder: &Path, version: &str) -> Result<Self> {
        let path = folder.join(format!("{version}.json"));
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let facts: Self = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        if facts.version == version { Ok(facts) } else { Err(format!("{}: is of {}", path.display(), facts.version)) }
    }

    /// Writes the facts, and returns the file's path.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join(format!("{}.json", self.version));
        let text = serde_json::to_string_pretty(self).map_err(|e| e.to_string())? + "\n";
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path)
    }

    /// The slots of a class; `None` where the version does not have it.
    pub fn slots(&self, class: &str) -> Option<Result<Vec<Method>>> {
        let entries = self.classes.get(class)?;
        let methods = entries.iter().map(|entry| match entry.as_str() {
            DESTRUCTOR => Ok(destructor()),
            entry => Method::parse(entry).map(|method| vec![method]),
        });
        Some(methods.collect::<Result<Vec<_>>>().map(|slots| slots.concat()))
    }
}

fn destructor() -> Vec<Method> {
    ["completeDestructor", "deletingDestructor"]
        .map(|name| Method { name: name.into(), signature: "v()".into(), dims_by_value: false })
        .to_vec()
}

impl Method {
    /// Reads an entry such as `setAlpha v(f)`.
    fn parse(entry: &str) -> Result<Self> {
        let bad = || format!("expected a method and its signature, such as `setAlpha v(f)`, not `{entry}`");
        let (name, signature) = entry.split_once(' ').ok_or_else(bad)?;
        let (returned, arguments) = signature.strip_suffix(')').and_then(|s| s.split_once('(')).ok_or_else(bad)?;
        let known = |letters: &str| letters.chars().all(|letter| "pilbfdDVWISv".contains(letter));
        if name.is_empty() || returned.len() != 1 || !known(returned) || !known(arguments) {
            return Err(bad());
        }
        let dims_by_value = arguments.contains('V');
        Ok(Self { name: name.to_owned(), signature: signature.replace('V', "D"), dims_by_value })
    }
}

#[cfg(test)]
mod tests {
    use super::{Facts, Method};
    use std::collections::BTreeMap;

    #[test]
    fn an_entry_is_a_name_and_a_signature() {
        let method = Method::parse("addSlice p(pVVV)").unwrap();
        assert_eq!((method.name.as_str(), method.signature.as_str()), ("addSlice", "p(pDDD)"));
        assert!(method.dims_by_value);
        for wrong in ["", "addSlice", " p(p)", "addSlice p", "addSlice (p)", "addSlice p(p", "addSlice p(x)"] {
            assert!(Method::parse(wrong).unwrap_err().contains(&format!("not `{wrong}`")), "{wrong}");
        }
    }

    #[test]
    fn a_destructor_has_two_slots() {
        let table = ["log v(ip)", "~"].map(str::to_owned).to_vec();
        let facts = Facts { classes: BTreeMap::from([("ILogger".to_owned(), table)]), ..Facts::default() };
        let names: Vec<String> = facts.slots("ILogger").unwrap().unwrap().into_iter().map(|m| m.name).collect();
        assert_eq!(names, ["log", "completeDestructor", "deletingDestructor"]);
        assert!(facts.slots("IBuilder").is_none());
    }
}
