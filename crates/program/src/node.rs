//! One call of an operator overload, and where in the model it was written.

use crate::{Argument, ValueId};
use indexmap::IndexMap;
use std::fmt;

/// Where a node comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Source {
    /// Path of the module whose `forward` made the call, such as `layer1.0.conv1`; empty for the model itself.
    pub module: String,
    /// Python file; empty where PyTorch recorded none.
    pub file: String,
    /// Line in that file, from 1; 0 where PyTorch recorded none.
    pub line: u32,
    /// The Python function that contains the line.
    pub function: String,
}

impl Source {
    /// `resnet.py:104`: the last part of the file's path and the line; empty where PyTorch recorded none.
    pub fn position(&self) -> String {
        if self.file.is_empty() {
            return String::new();
        }
        let name = self.file.rsplit(['/', '\\']).next().unwrap_or(&self.file);
        format!("{name}:{}", self.line)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let module = if self.module.is_empty() { "(model)" } else { &self.module };
        write!(f, "{module}")?;
        if !self.file.is_empty() {
            write!(f, " {}", self.position())?;
        }
        Ok(())
    }
}

/// One call of an operator overload.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The overload, such as `aten.conv2d.default`.
    pub target: String,
    /// Every schema argument by name, in schema order.
    pub arguments: IndexMap<String, Argument>,
    /// One entry per output; `None` where this call produces none.
    pub outputs: Vec<Option<ValueId>>,
    /// Where it was written.
    pub source: Source,
}
