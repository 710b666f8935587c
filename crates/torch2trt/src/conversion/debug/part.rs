//! Parts of a network: from some of its tensors, whose values are given, to others.
//!
//! This file must not know what the parts are for.

use crate::{Code, Error, Result};
use network::{DType, Dim, Network, Op, Origin, TensorId};
use runtime::{DataType, Tensor};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A part of a network, with the values of its inputs.
#[derive(Clone, Debug)]
pub(super) struct Part<'t> {
    /// The layers between the tensors.
    pub(super) network: Network,
    /// The values of its inputs, in order.
    pub(super) inputs: Vec<&'t Tensor>,
}

/// Values of tensors of a network.
pub(super) type Given<'t> = HashMap<TensorId, &'t Tensor>;

/// The sizes that a part has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sizes {
    /// Those of the network, symbols included.
    Symbolic,
    /// Those of the values.
    Static,
}

/// Cuts parts out of a network.
#[derive(Clone, Copy)]
pub(super) struct Cutter<'n> {
    pub(super) network: &'n Network,
    /// The values of the network's inputs, in order.
    pub(super) inputs: &'n [Tensor],
}

impl<'n> Cutter<'n> {
    /// The layers that compute the tensors `wanted`, which become the outputs in this order. Layers read the values
    /// that are given in place of computed ones. A tensor that is both given and wanted is computed.
    ///
    /// # Errors
    /// E0201 for a layer that does not fit the values, and for a value of a type that networks do not have.
    pub(super) fn part<'t>(&self, given: &Given<'t>, wanted: &[TensorId], sizes: Sizes) -> Result<Part<'t>>
    where
        'n: 't,
    {
        let (layers, read) = self.needed(&|id| given.contains_key(&id), wanted);
        let part = Part { network: Network::new(), inputs: Vec::new() };
        let mut making = Making { cutter: *self, sizes, part, map: HashMap::new() };
        making.inputs(given, &read)?;
        let mut computed = HashMap::new();
        for (_, layer) in self.network.layers().iter().enumerate().filter(|(place, _)| layers.contains(place)) {
            let inputs = layer.inputs.iter().map(|id| id.and_then(|id| making.map.get(&id).copied()));
            let outputs = making.part.network.add_copy(layer, &inputs.collect::<Vec<_>>())?;
            for (old, new) in layer.outputs.iter().zip(outputs) {
                computed.insert(*old, new);
                making.map.entry(*old).or_insert(new);
            }
        }
        for id in wanted {
            let tensor = computed.get(id).or_else(|| making.map.get(id)).copied();
            making.output(*id, tensor.ok_or_else(|| bad(format!("tensor {} is not computed", id.0)))?)?;
        }
        Ok(making.part)
    }

    /// The tensors out of `cut` that the layers of a part read, and the network's inputs among what they read.
    pub(super) fn boundary(&self, cut: &HashSet<TensorId>, wanted: &[TensorId]) -> Vec<TensorId> {
        let mut read: Vec<TensorId> = self.needed(&|id| cut.contains(&id), wanted).1.into_iter().collect();
        read.sort_unstable();
        read
    }

    /// The layers that a part needs, by place, and the tensors that come from outside.
    pub(super) fn needed(
        &self,
        is_given: &dyn Fn(TensorId) -> bool,
        wanted: &[TensorId],
    ) -> (HashSet<usize>, HashSet<TensorId>) {
        let (mut layers, mut read) = (HashSet::new(), HashSet::new());
        let mut open: Vec<(TensorId, bool)> = wanted.iter().map(|id| (*id, true)).collect();
        while let Some((id, is_wanted)) = open.pop() {
            match self.network.tensor(id).producer {
                Some((layer, _)) if is_wanted || !is_given(id) => {
                    if layers.insert(layer.0 as usize) {
                        open.extend(self.network.layer(layer).used().map(|id| (id, false)));
                    }
                }
                _ => _ = read.insert(id),
            }
        }
        (layers, read)
    }
}

/// The name of a tensor: that of the input, or of the layer that computes it.
pub(super) fn name_of(network: &Network, id: TensorId) -> String {
    match network.tensor(id).producer {
        Some((layer, 0)) => network.layer(layer).name.clone(),
        Some((layer, output)) => format!("{} output {output}", network.layer(layer).name),
        None => {
            let port = network.inputs().iter().find(|port| port.tensor == id);
            port.map_or_else(String::new, |port| port.name.clone())
        }
    }
}

/// A part under construction.
struct Making<'n, 't> {
    cutter: Cutter<'n>,
    sizes: Sizes,
    part: Part<'t>,
    /// What layers of the part read in the place of the network's tensors.
    map: HashMap<TensorId, TensorId>,
}

impl<'n: 't, 't> Making<'n, 't> {
    /// Adds the symbols, the network's inputs, and one input for each given value that is read.
    fn inputs(&mut self, given: &Given<'t>, read: &HashSet<TensorId>) -> Result<()> {
        let Cutter { network, inputs } = self.cutter;
        if self.sizes == Sizes::Symbolic {
            network.symbols().iter().for_each(|(name, symbol)| self.part.network.add_symbol(name, *symbol));
        }
        for (port, value) in network.inputs().iter().zip(inputs).filter(|(port, _)| read.contains(&port.tensor)) {
            let dtype = network.tensor(port.tensor).dtype;
            let tensor = self.input(&port.name, port.tensor, dtype, value);
            self.map.insert(port.tensor, tensor);
        }
        let mut others: Vec<TensorId> = read.iter().copied().filter(|id| given.contains_key(id)).collect();
        others.sort_unstable();
        for id in others {
            let value = given[&id];
            let name = name_of(self.cutter.network, id);
            let unknown = || bad(format!("the value of `{name}` is {}, which no network has", value.dtype()));
            let dtype = network_type(value.dtype()).ok_or_else(unknown)?;
            let input = self.input(&name, id, dtype, value);
            let wanted = network.tensor(id).dtype;
            let origin = Origin { module: format!("value of {name}"), ..Origin::default() };
            let cast = |network: &mut Network| network.add_one(Op::Cast { to: wanted }, &[input], &Arc::new(origin));
            let tensor = if dtype == wanted { input } else { cast(&mut self.part.network)? };
            self.map.insert(id, tensor);
        }
        Ok(())
    }

    fn input(&mut self, name: &str, id: TensorId, dtype: DType, value: &'t Tensor) -> TensorId {
        let dims = match self.sizes {
            Sizes::Symbolic => self.cutter.network.tensor(id).dims.clone(),
            Sizes::Static => value.dims().iter().map(|size| Dim::Static(*size)).collect(),
        };
        self.part.inputs.push(value);
        self.part.network.add_input(name, dtype, dims)
    }

    /// Adds an output. Engines compute each of theirs, and have one name for it.
    fn output(&mut self, id: TensorId, tensor: TensorId) -> Result<()> {
        let network = &mut self.part.network;
        let is_computed = network.producer(tensor).is_some_and(|layer| !matches!(layer.op, Op::Constant(_)));
        let is_taken = network.outputs().iter().any(|port| port.tensor == tensor);
        let name = format!("output of {}", name_of(self.cutter.network, id));
        let origin = Arc::new(Origin { module: name.clone(), ..Origin::default() });
        let own = is_computed && !is_taken;
        let tensor = if own { tensor } else { network.add_one(Op::Identity, &[tensor], &origin)? };
        let place = network.outputs().len();
        let name = if is_taken { format!("{name} ({place})") } else { name };
        network.add_output(&name, tensor);
        Ok(())
    }
}

fn bad(problem: String) -> Error {
    Error::new(Code::BadNetwork, problem)
}

/// The type of a network's tensor that has these values; `None` where networks have none.
fn network_type(dtype: DataType) -> Option<DType> {
    Some(match dtype {
        DataType::Float32 => DType::Float32,
        DataType::Float16 => DType::Float16,
        DataType::BFloat16 => DType::BFloat16,
        DataType::Int64 => DType::Int64,
        DataType::Int32 => DType::Int32,
        DataType::UInt8 => DType::UInt8,
        DataType::Bool => DType::Bool,
        _ => return None,
    })
}
