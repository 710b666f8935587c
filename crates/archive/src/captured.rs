//! The extra file of an archive that `torch2trt.export` wrote: what an exported program has no place for.
//!
//! `python/torch2trt/archive.py` writes it. Archives of `torch.export.save` alone have none. The file must not know of
//! graphs.

use crate::zip::Entries;
use crate::{Error, Leaf, Result};
use dims::SizeRange;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// Where it is stored, in the folder of the archive.
const NAME: &str = "extra/torch2trt_export.json";

/// The only version that there is.
const VERSION: u64 = 1;

/// The range of each axis, by the model's own names of its inputs; the file has it as `[min, opt, max]`.
pub type Ranges = BTreeMap<String, Vec<SizeRange>>;

/// What `torch2trt.export` recorded of the model.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Captured {
    /// How the model is called and what it returns, as an engine file has it.
    pub model: Value,
    /// The names of symbols in the graph, and in the program.
    pub(crate) symbols: HashMap<String, String>,
    /// Truth values that the graph computes and an exported program cannot return, by their place among the outputs.
    pub(crate) unreturned: HashMap<usize, String>,
    /// The names of the engine's inputs.
    pub input_names: Vec<String>,
    /// The names of the engine's outputs.
    pub output_names: Vec<String>,
    /// The ranges of the inputs, for each profile.
    pub profiles: Vec<Ranges>,
    /// The warnings of the capture.
    pub notes: Vec<String>,
    /// The leaves of the arguments and of the return value, out of `model`.
    #[serde(skip)]
    pub(crate) leaves: [Vec<Described>; 2],
}

/// A leaf of the arguments or of the return value.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Described {
    pub(crate) name: String,
    /// A number that follows from the shapes of the inputs.
    #[serde(default)]
    size: Option<String>,
    /// Present in constants, even in `None`.
    #[serde(default, deserialize_with = "present")]
    constant: bool,
}

impl Described {
    /// Whether it is a number that follows from the shapes of the inputs.
    pub(crate) fn is_size(&self) -> bool {
        self.size.is_some()
    }

    /// Whether the program computes it.
    pub(crate) fn is_computed(&self) -> bool {
        !self.is_size() && !self.constant
    }
}

fn present<'de, D: serde::Deserializer<'de>>(value: D) -> std::result::Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(value).map(|_| true)
}

#[derive(Deserialize)]
struct Versioned {
    version: u64,
    #[serde(default)]
    writer: String,
}

impl Captured {
    /// The extra file of an archive; `None` where there is none. `root` is the folder of the archive, with a slash at
    /// its end.
    pub(crate) fn read(entries: &Entries, root: &str) -> Result<Option<Self>> {
        let name = format!("{root}{NAME}");
        if !entries.has(&name) {
            return Ok(None);
        }
        let text = entries.get(&name)?;
        let wrong = |problem: serde_json::Error| Error::damaged(format!("entry `{name}`: {problem}"));
        let Versioned { version, writer } = serde_json::from_slice(&text).map_err(wrong)?;
        if version != VERSION {
            let writer = writer.chars().filter(|c| !c.is_control()).take(40).collect::<String>();
            let problem = format!("the archive has version {version} of `{NAME}`, written by {writer}");
            return Err(Error::Version { problem, help: format!("version {VERSION} is read: update torch2trt") });
        }
        let mut read: Self = serde_json::from_slice(&text).map_err(wrong)?;
        for (leaves, side) in read.leaves.iter_mut().zip(["inputs", "outputs"]) {
            *leaves = Vec::<Described>::deserialize(&read.model[side]["leaves"]).map_err(wrong)?;
        }
        Ok(Some(read))
    }

    /// Names of the leaves of all arguments.
    pub(crate) fn inputs(&self) -> &[Described] {
        &self.leaves[0]
    }

    /// The leaves of the return value.
    pub(crate) fn outputs(&self) -> &[Described] {
        &self.leaves[1]
    }

    /// Compares the recorded leaves with those that the graph has.
    pub(crate) fn check(&self, inputs: &[Leaf], outputs: &[Leaf]) -> Result<()> {
        for (side, recorded, found) in [("inputs", self.inputs(), inputs), ("outputs", self.outputs(), outputs)] {
            let same =
                recorded.len() == found.len() && recorded.iter().zip(found).all(|(one, other)| one.name == other.name);
            if !same {
                let (recorded, found) = (recorded.len(), found.len());
                return Err(Error::inconsistent(format!("`{NAME}` has {recorded} {side}, and the graph has {found}")));
            }
        }
        Ok(())
    }
}
