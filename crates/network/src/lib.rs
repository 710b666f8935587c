//! The TensorRT-level network: a strongly typed network of TensorRT's layers.
//!
//! Tensors carry a dtype and sizes (static, or expressions over symbols) from the moment they are made:
//! [`Network::add`] infers them, so a network that exists is a network that type-checks. Layers are kept in an
//! order in which every tensor is produced before it is used. Passes make a new network from an old one with
//! [`Rewrite`]. The text form prints and parses back. The crate knows nothing of PyTorch, of any TensorRT
//! version, or of who will run the network.
#![forbid(unsafe_code)]

mod attribute;
mod dtype;
mod error;
mod infer;
mod op;
mod plugin;
mod rewrite;
mod text;
mod verify;
mod weights;

pub use attribute::Attribute;
pub use dims::{Dim, Dims, Range, format_dims};
pub use dtype::DType;
pub use error::{Error, InferError};
pub use infer::{Inferred, TensorInfo, infer};
pub use op::*;
pub use plugin::{Hex, PluginApi, PluginAttributes, PluginField, PluginFieldType, PluginOutput};
pub use rewrite::{Rewrite, rewrite};
pub use text::{INLINE_ELEMENTS, WeightSource};
pub use weights::Weights;

use indexmap::IndexMap;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Names a tensor of one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub u32);

/// Names a layer of one network: its place in execution order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerId(pub u32);

/// Where in the model a layer comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Path of the module, such as `layer1.0.conv1`; empty for the model itself.
    pub module: String,
    /// The operator that was converted, such as `aten.conv2d.default`.
    pub operator: String,
    /// `file.py:line`; empty where unknown.
    pub position: String,
    /// Index of the program's node that was converted. `None` for inputs, weights and networks read from text, which
    /// has no node indices.
    pub node: Option<usize>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let module = if self.module.is_empty() { "(model)" } else { &self.module };
        let parts = [self.operator.as_str(), module, &self.position];
        let parts: Vec<_> = parts.into_iter().filter(|p| !p.is_empty()).collect();
        f.write_str(&parts.join(" "))
    }
}

/// A tensor: what flows between layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Element type.
    pub dtype: DType,
    /// Sizes.
    pub dims: Dims,
    /// For integer tensors of rank 0 or 1 that hold sizes: their elements, as far as they are known without data.
    pub value: Option<Vec<Dim>>,
    /// The layer that makes it and which of its outputs it is; `None` for a network input.
    pub producer: Option<(LayerId, usize)>,
}

impl Tensor {
    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    /// `float32[1,3,224,224]`.
    pub fn type_text(&self) -> String {
        format!("{}{}", self.dtype, format_dims(&self.dims))
    }
}

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// What it computes.
    pub op: Op,
    /// Its inputs, in the order that [`Op`] lists; trailing absent ones are left out.
    pub inputs: Vec<Option<TensorId>>,
    /// Its outputs.
    pub outputs: Vec<TensorId>,
    /// Unique in the network; TensorRT shows it in messages and profiles.
    pub name: String,
    /// Where in the model it comes from.
    pub origin: Arc<Origin>,
}

impl Layer {
    /// The inputs that are there.
    pub fn used(&self) -> impl Iterator<Item = TensorId> + '_ {
        self.inputs.iter().flatten().copied()
    }

    /// The input at a position, where it is there.
    pub fn input(&self, index: usize) -> Option<TensorId> {
        self.inputs.get(index).copied().flatten()
    }
}

/// A named input or output of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name in the engine.
    pub name: String,
    /// The tensor.
    pub tensor: TensorId,
}

/// A value of the program that a network was converted from: an output of one of its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProgramValue {
    /// Index of the node.
    pub node: usize,
    /// Which of its outputs.
    pub output: usize,
}

/// The values a size symbol can take, and the one to optimize for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Smallest value.
    pub min: i64,
    /// The value engines are tuned for.
    pub opt: i64,
    /// Largest value; `i64::MAX` where there is no bound.
    pub max: i64,
}

/// A network of layers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    tensors: Vec<Tensor>,
    layers: Vec<Layer>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    symbols: IndexMap<String, Symbol>,
    names: HashMap<String, u32>,
    values: Vec<(ProgramValue, TensorId)>,
}

impl Network {
    /// An empty network.
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares a size symbol; input sizes may then use it.
    pub fn add_symbol(&mut self, name: &str, symbol: Symbol) {
        self.symbols.insert(name.to_owned(), symbol);
    }

    /// Adds the next input.
    pub fn add_input(&mut self, name: &str, dtype: DType, dims: Dims) -> TensorId {
        let tensor = self.push_tensor(Tensor { dtype, dims, value: None, producer: None });
        self.inputs.push(Port { name: name.to_owned(), tensor });
        tensor
    }

    /// Adds a layer; its outputs' dtypes and sizes are inferred. Returns the outputs.
    ///
    /// # Errors
    /// [`Error::Layer`] where the inputs do not fit the layer.
    pub fn add(&mut self, op: Op, inputs: &[Option<TensorId>], origin: &Arc<Origin>) -> Result<Vec<TensorId>, Error> {
        let name = self.unique_name(&op, origin);
        self.add_named(op, inputs, origin, name)
    }

    /// Adds a layer of another network, under its name, which no layer of this one may have; see [`Network::add`].
    ///
    /// # Errors
    /// [`Error::Layer`] where the inputs do not fit the layer.
    pub fn add_copy(&mut self, layer: &Layer, inputs: &[Option<TensorId>]) -> Result<Vec<TensorId>, Error> {
        self.add_named(layer.op.clone(), inputs, &layer.origin, layer.name.clone())
    }

    /// Adds a layer under a name that no other layer has; see [`Network::add`].
    fn add_named(
        &mut self,
        op: Op,
        inputs: &[Option<TensorId>],
        origin: &Arc<Origin>,
        name: String,
    ) -> Result<Vec<TensorId>, Error> {
        let present = inputs.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let inputs = &inputs[..present];
        let infos: Vec<_> = inputs.iter().map(|id| id.map(|id| self.info(id))).collect();
        let inferred = infer(&op, &infos).map_err(|e| Error::Layer {
            layer: op.name(),
            name: name.clone(),
            origin: origin.clone(),
            problem: e.0,
        })?;
        let id = LayerId(self.layers.len() as u32);
        let outputs: Vec<_> = inferred
            .into_iter()
            .enumerate()
            .map(|(i, o)| {
                self.push_tensor(Tensor { dtype: o.dtype, dims: o.dims, value: o.value, producer: Some((id, i)) })
            })
            .collect();
        self.names.entry(name.clone()).or_insert(1);
        self.layers.push(Layer { op, inputs: inputs.to_vec(), outputs: outputs.clone(), name, origin: origin.clone() });
        Ok(outputs)
    }

    /// Adds a layer with one output; see [`Network::add`].
    ///
    /// # Errors
    /// [`Error::Layer`] where the inputs do not fit the layer.
    pub fn add_one(&mut self, op: Op, inputs: &[TensorId], origin: &Arc<Origin>) -> Result<TensorId, Error> {
        let inputs: Vec<_> = inputs.iter().copied().map(Some).collect();
        let outputs = self.add(op, &inputs, origin)?;
        outputs.first().copied().ok_or_else(|| Error::Malformed("the layer has no output".into()))
    }

    /// Marks a tensor as the next output.
    pub fn add_output(&mut self, name: &str, tensor: TensorId) {
        self.outputs.push(Port { name: name.to_owned(), tensor });
    }

    /// Notes that a tensor stands for a value of the program. It keeps no layer alive.
    pub fn set_value(&mut self, value: ProgramValue, tensor: TensorId) {
        self.values.push((value, tensor));
    }

    /// Takes over the values of the network that this one was made from, as far as `made` has their tensors.
    pub fn take_values(&mut self, old: &Self, made: impl Fn(TensorId) -> Option<TensorId>) {
        self.values = old.values.iter().filter_map(|(value, id)| Some((*value, made(*id)?))).collect();
    }

    fn push_tensor(&mut self, tensor: Tensor) -> TensorId {
        self.tensors.push(tensor);
        TensorId((self.tensors.len() - 1) as u32)
    }

    /// `layer1.0.conv1.Convolution`, with `_2`, `_3` … for the next of the same name.
    fn unique_name(&mut self, op: &Op, origin: &Origin) -> String {
        let base = match origin.module.as_str() {
            "" => op.name().to_owned(),
            module => format!("{module}.{}", op.name()),
        };
        let mut count = self.names.get(&base).copied().unwrap_or(0);
        let mut name = base.clone();
        while self.names.contains_key(&name) {
            count += 1;
            name = format!("{base}_{count}");
        }
        self.names.insert(base, count.max(1));
        name
    }

    fn info(&self, id: TensorId) -> TensorInfo<'_> {
        let t = self.tensor(id);
        TensorInfo { dtype: t.dtype, dims: &t.dims, value: t.value.as_deref(), weights: self.constant(id) }
    }

    /// The tensor of this id.
    pub fn tensor(&self, id: TensorId) -> &Tensor {
        &self.tensors[id.0 as usize]
    }

    /// Number of tensors made so far; ids are below it.
    pub fn tensor_count(&self) -> usize {
        self.tensors.len()
    }

    /// The layer of this id.
    pub fn layer(&self, id: LayerId) -> &Layer {
        &self.layers[id.0 as usize]
    }

    /// The layers, in execution order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The inputs, in call order.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The outputs, in order. A tensor may stand behind several, and may be an input.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// The values of the program that a tensor stands for, in the order of the program. Passes drop values that are no
    /// longer computed. A network read from text has none.
    pub fn values(&self) -> &[(ProgramValue, TensorId)] {
        &self.values
    }

    /// The size symbols, in the order they were declared.
    pub fn symbols(&self) -> &IndexMap<String, Symbol> {
        &self.symbols
    }

    /// The layer that makes a tensor; `None` for an input.
    pub fn producer(&self, id: TensorId) -> Option<&Layer> {
        self.tensor(id).producer.map(|(layer, _)| self.layer(layer))
    }

    /// Nodes of the program that a layer stands for: its own, or, for a constant, those of the layers that read it.
    pub fn nodes_of(&self, layer: &Layer) -> Vec<usize> {
        match layer.origin.node {
            Some(node) => vec![node],
            None => layer.outputs.iter().flat_map(|output| self.nodes_reading(*output)).collect(),
        }
    }

    /// Nodes of the program whose layers read a tensor.
    pub fn nodes_reading(&self, id: TensorId) -> Vec<usize> {
        let readers = self.layers.iter().filter(|layer| layer.used().any(|read| read == id));
        readers.filter_map(|layer| layer.origin.node).collect()
    }

    /// The constant behind a tensor, where a constant layer makes it.
    pub fn constant(&self, id: TensorId) -> Option<&Weights> {
        match &self.producer(id)?.op {
            Op::Constant(weights) => Some(weights),
            _ => None,
        }
    }

    /// How often each tensor is used by layers and outputs, by id.
    pub fn use_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.tensors.len()];
        for id in self.layers.iter().flat_map(Layer::used).chain(self.outputs.iter().map(|o| o.tensor)) {
            counts[id.0 as usize] += 1;
        }
        counts
    }

    /// The layer that uses each tensor that is used once, and not as an output.
    pub fn sole_uses(&self) -> HashMap<TensorId, &Layer> {
        let counts = self.use_counts();
        let uses = self.layers.iter().flat_map(|layer| layer.used().map(move |id| (id, layer)));
        uses.filter(|(id, _)| counts[id.0 as usize] == 1).collect()
    }

    /// Bytes of all constants.
    pub fn weight_bytes(&self) -> usize {
        let bytes = |l: &Layer| if let Op::Constant(w) = &l.op { w.data.len() } else { 0 };
        self.layers.iter().map(bytes).sum()
    }
}
