//! A functional ATen program, as PyTorch captures it.
//!
//! Nodes are operator overloads with every schema argument spelled out, values carry the dtype and sizes that
//! PyTorch's own shape functions found, weights are borrowed bytes, and each node remembers the module and the
//! source line it came from. The crate knows nothing of TensorRT, ONNX or Python: whoever captures a program
//! (the in-process walk, an archive reader) builds it through [`Program`]'s methods.
#![forbid(unsafe_code)]

mod argument;
mod dtype;
mod error;
mod node;
mod text;

pub use argument::{Argument, Size};
pub use dtype::ScalarType;
pub use error::Error;
pub use node::{Node, Source};
pub use text::WeightSource;

use bytes::Bytes;
use dims::Dims;
use indexmap::IndexMap;
use std::collections::HashMap;

/// A value of the program: an input, a weight, or an output of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub u32);

/// What is known of a value: its name in the captured graph, dtype and sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The name PyTorch gave it, such as `conv2d_3`.
    pub name: String,
    /// Its element type.
    pub dtype: ScalarType,
    /// Its sizes, as PyTorch's shape functions found them.
    pub dims: Dims,
}

impl Value {
    /// Bytes of its elements; `None` where a size is symbolic or negative, or the product overflows.
    fn byte_count(&self) -> Option<usize> {
        let sizes = self.dims.iter().map(|dim| usize::try_from(dim.as_static()?).ok());
        sizes.into_iter().try_fold(self.dtype.size(), |bytes, size| bytes.checked_mul(size?))
    }
}

/// Which kind of tensor a module holds as a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightKind {
    /// `torch.nn.Parameter`.
    Parameter,
    /// A registered buffer.
    Buffer,
    /// A tensor the model's code made or closed over.
    Constant,
}

/// A tensor the module holds. The bytes are borrowed from whoever owns them; cloning copies no data.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// The value it defines.
    pub value: ValueId,
    /// Its qualified name, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// Parameter, buffer or constant.
    pub kind: WeightKind,
    /// Row-major little-endian elements.
    pub data: Bytes,
}

impl Weight {
    /// XXH3 of the data: identifies the weight in the text form.
    pub fn digest(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&self.data)
    }
}

/// The values a size symbol can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Smallest value.
    pub min: i64,
    /// Largest value, where there is one.
    pub max: Option<i64>,
    /// The value seen on the example input.
    pub hint: i64,
}

/// A functional ATen program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    values: Vec<Value>,
    inputs: Vec<ValueId>,
    weights: IndexMap<ValueId, Weight>,
    nodes: Vec<Node>,
    outputs: Vec<Argument>,
    symbols: IndexMap<String, Symbol>,
}

impl Program {
    /// An empty program.
    pub fn new() -> Self {
        Self::default()
    }

    fn value_with(&mut self, value: Value) -> ValueId {
        let id = ValueId(u32::try_from(self.values.len()).unwrap_or(u32::MAX));
        self.values.push(value);
        id
    }

    /// Adds the next input of the model.
    pub fn add_input(&mut self, value: Value) -> ValueId {
        let id = self.value_with(value);
        self.inputs.push(id);
        id
    }

    /// Adds a weight. `data` holds `dims` elements of the dtype, row-major.
    ///
    /// # Errors
    /// [`Error::WeightSize`] where the number of bytes does not match dtype and sizes.
    pub fn add_weight(&mut self, value: Value, kind: WeightKind, data: Bytes) -> Result<ValueId, Error> {
        if value.byte_count() != Some(data.len()) {
            return Err(Error::WeightSize {
                name: value.name,
                dtype: value.dtype,
                dims: dims::format_dims(&value.dims),
                bytes: data.len(),
            });
        }
        let name = value.name.clone();
        let id = self.value_with(value);
        self.weights.insert(id, Weight { value: id, name, kind, data });
        Ok(id)
    }

    /// Adds a node and its outputs; `None` stands for an output that the overload does not produce here.
    /// Returns the ids of the outputs, in order.
    ///
    /// # Errors
    /// [`Error::UnknownValue`] where an argument names a value that is not defined yet.
    pub fn add_node(&mut self, mut node: Node, outputs: Vec<Option<Value>>) -> Result<Vec<Option<ValueId>>, Error> {
        for id in node.arguments.values().flat_map(Argument::values) {
            self.check(id, &node.target)?;
        }
        node.outputs = outputs.into_iter().map(|o| o.map(|v| self.value_with(v))).collect();
        let ids = node.outputs.clone();
        self.nodes.push(node);
        Ok(ids)
    }

    /// Adds the next output of the model: a value, or a constant that the model returns as it is.
    ///
    /// # Errors
    /// [`Error::UnknownValue`] where it names a value that is not defined.
    pub fn add_output(&mut self, output: Argument) -> Result<(), Error> {
        for id in output.values() {
            self.check(id, "output")?;
        }
        self.outputs.push(output);
        Ok(())
    }

    /// Declares a size symbol.
    pub fn add_symbol(&mut self, name: &str, symbol: Symbol) {
        self.symbols.insert(name.to_owned(), symbol);
    }

    fn check(&self, id: ValueId, user: &str) -> Result<(), Error> {
        if (id.0 as usize) < self.values.len() {
            return Ok(());
        }
        Err(Error::UnknownValue { id: id.0, user: user.to_owned() })
    }

    /// The value with this id. Ids come from this program's own methods.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0 as usize]
    }

    /// All values, by id.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The model's inputs, in call order.
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// The nodes, in execution order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The model's outputs, in order.
    pub fn outputs(&self) -> &[Argument] {
        &self.outputs
    }

    /// The weight behind a value, where it is one.
    pub fn weight(&self, id: ValueId) -> Option<&Weight> {
        self.weights.get(&id)
    }

    /// All weights, in the order they were added.
    pub fn weights(&self) -> impl ExactSizeIterator<Item = &Weight> {
        self.weights.values()
    }

    /// The size symbols, in the order they were declared.
    pub fn symbols(&self) -> &IndexMap<String, Symbol> {
        &self.symbols
    }

    /// How often each operator overload occurs, most frequent first.
    pub fn operator_counts(&self) -> Vec<(&str, usize)> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for node in &self.nodes {
            *counts.entry(node.target.as_str()).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        counts
    }
}
