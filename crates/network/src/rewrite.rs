//! How a pass changes a network: it walks the old one in order and maps it to the new one.
//!
//! A pass never edits in place, so a half-done change cannot be seen, the order stays valid by construction,
//! and every layer of the result has passed inference again.

use crate::{Error, Layer, Network, Op, Origin, Tensor, TensorId};
use std::sync::Arc;

/// The network being made, and what became of the old one's tensors.
pub struct Rewrite<'a> {
    /// The network being read.
    pub old: &'a Network,
    /// The network being made.
    pub new: Network,
    /// Uses of each old tensor.
    pub uses: Vec<u32>,
    map: Vec<Option<TensorId>>,
}

impl Rewrite<'_> {
    /// What became of an old tensor.
    ///
    /// # Errors
    /// [`Error::Malformed`] where nothing did yet.
    pub fn get(&self, old: TensorId) -> Result<TensorId, Error> {
        self.map[old.0 as usize].ok_or_else(|| Error::Malformed(format!("tensor {} is used before it is made", old.0)))
    }

    /// What became of a layer's inputs.
    ///
    /// # Errors
    /// [`Error::Malformed`] where one is not there yet.
    pub fn inputs(&self, layer: &Layer) -> Result<Vec<Option<TensorId>>, Error> {
        layer.inputs.iter().map(|id| id.map(|id| self.get(id)).transpose()).collect()
    }

    /// Copies a layer as it is.
    ///
    /// # Errors
    /// [`Error::Layer`] where its inputs no longer fit it.
    pub fn keep(&mut self, layer: &Layer) -> Result<(), Error> {
        let inputs = self.inputs(layer)?;
        let outputs = self.new.add(layer.op.clone(), &inputs, &layer.origin)?;
        self.replace(layer, &outputs);
        Ok(())
    }

    /// Sets the new tensors that stand for a layer's outputs.
    pub fn replace(&mut self, layer: &Layer, by: &[TensorId]) {
        for (old, new) in layer.outputs.iter().zip(by) {
            self.set(*old, *new);
        }
    }

    /// Sets the new tensor that stands for an old one.
    pub fn set(&mut self, old: TensorId, new: TensorId) {
        self.map[old.0 as usize] = Some(new);
    }

    /// Adds a layer with one output to the new network.
    ///
    /// # Errors
    /// [`Error::Layer`] where the inputs do not fit the layer.
    pub fn add(&mut self, op: Op, inputs: &[TensorId], origin: &Arc<Origin>) -> Result<TensorId, Error> {
        self.new.add_one(op, inputs, origin)
    }

    /// A tensor of the new network.
    pub fn tensor(&self, new: TensorId) -> &Tensor {
        self.new.tensor(new)
    }

    /// Whether an old tensor is used exactly once.
    pub fn used_once(&self, old: TensorId) -> bool {
        self.uses[old.0 as usize] == 1
    }
}

/// Makes a new network: inputs, symbols and outputs stay, `visit` decides for each layer in order what stands
/// for it (through [`Rewrite::keep`] or [`Rewrite::replace`]).
///
/// # Errors
/// What `visit` returns, and [`Error::Malformed`] where it leaves out something that is used later.
pub fn rewrite<E: From<Error>>(
    old: &Network,
    mut visit: impl FnMut(&mut Rewrite<'_>, &Layer) -> Result<(), E>,
) -> Result<Network, E> {
    let mut new = Network::new();
    let mut map = vec![None; old.tensor_count()];
    for (name, symbol) in old.symbols() {
        new.add_symbol(name, *symbol);
    }
    for port in old.inputs() {
        let t = old.tensor(port.tensor);
        map[port.tensor.0 as usize] = Some(new.add_input(&port.name, t.dtype, t.dims.clone()));
    }
    let mut state = Rewrite { old, new, uses: old.use_counts(), map };
    for layer in old.layers() {
        visit(&mut state, layer)?;
    }
    for port in old.outputs() {
        let tensor = state.get(port.tensor)?;
        state.new.add_output(&port.name, tensor);
    }
    let Rewrite { mut new, map, .. } = state;
    new.take_values(old, |id| map[id.0 as usize]);
    Ok(new)
}
