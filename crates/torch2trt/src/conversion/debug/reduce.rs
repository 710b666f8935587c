//! The smallest part of a network, or of a program, that still fails.
//!
//! This file must not know how it fails.

use super::part::name_of;
use crate::{Code, Error, Result};
use network::{Layer, Network, Op, TensorId};
use program::{Argument, Node, Program, Value, ValueId};
use std::collections::{HashMap, HashSet};

/// Layers of a part that are left out one by one. Longer parts are cut at both ends only.
const TRIED: usize = 64;

/// The smallest set of layers that still fails, found by cutting off the end, then the beginning, each by halves, and
/// then leaving out single layers. What the others compute becomes inputs.
///
/// # Errors
/// Those of `fails`; E0201 where a part is no network.
pub(super) fn network(network: &Network, fails: &mut dyn FnMut(&Network) -> Result<bool>) -> Result<Network> {
    let is_constant = |layer: &Layer| matches!(layer.op, Op::Constant(_));
    let mut kept: Vec<usize> =
        network.layers().iter().enumerate().filter(|(_, layer)| !is_constant(layer)).map(|(place, _)| place).collect();
    // The least number of layers from the start that fails, then the most that can be left out there.
    let end = least(kept.len(), &mut |count| fails(&subset(network, &kept[..count])?))?;
    kept.truncate(end);
    let count = kept.len();
    let rest = least(count, &mut |rest| fails(&subset(network, &kept[count - rest..])?))?;
    kept.drain(..count - rest);
    if kept.len() <= TRIED {
        for place in kept.clone() {
            let without: Vec<usize> = kept.iter().copied().filter(|other| *other != place).collect();
            if !without.is_empty() && fails(&subset(network, &without)?)? {
                kept = without;
            }
        }
    }
    subset(network, &kept)
}

/// A number of layers up to `all` that fails, of which one less does not; all fail.
fn least(all: usize, fails: &mut dyn FnMut(usize) -> Result<bool>) -> Result<usize> {
    let (mut passes, mut failing) = (0, all);
    while failing - passes > 1 {
        let middle = passes + (failing - passes) / 2;
        if fails(middle)? {
            failing = middle;
        } else {
            passes = middle;
        }
    }
    Ok(failing)
}

/// The network of some layers, and the constants that they read.
fn subset(network: &Network, places: &[usize]) -> Result<Network> {
    let kept: HashSet<usize> = places.iter().copied().collect();
    let mut new = Network::new();
    network.symbols().iter().for_each(|(name, symbol)| new.add_symbol(name, *symbol));
    let mut map: HashMap<TensorId, TensorId> = HashMap::new();
    let layers =
        || network.layers().iter().enumerate().filter(|(place, _)| kept.contains(place)).map(|(_, layer)| layer);
    let made: HashSet<TensorId> = layers().flat_map(|layer| layer.outputs.iter().copied()).collect();
    let mut read = HashSet::new();
    for layer in layers() {
        for id in layer.used().filter(|id| !made.contains(id)) {
            if read.insert(id) && network.constant(id).is_none() {
                let tensor = network.tensor(id);
                map.insert(id, new.add_input(&name_of(network, id), tensor.dtype, tensor.dims.clone()));
            }
        }
    }
    for (place, layer) in network.layers().iter().enumerate() {
        let is_read = layer.outputs.iter().any(|id| read.contains(id) && !map.contains_key(id));
        if kept.contains(&place) || is_read {
            let inputs: Vec<Option<TensorId>> =
                layer.inputs.iter().map(|id| id.and_then(|id| map.get(&id).copied())).collect();
            let outputs = new.add_copy(layer, &inputs)?;
            map.extend(layer.outputs.iter().copied().zip(outputs));
        }
    }
    let used: HashSet<TensorId> = layers().flat_map(Layer::used).collect();
    let own: HashSet<TensorId> = network.outputs().iter().map(|port| port.tensor).collect();
    for id in layers().flat_map(|layer| layer.outputs.iter().copied()) {
        if (!used.contains(&id) || own.contains(&id))
            && let Some(tensor) = map.get(&id)
        {
            new.add_output(&format!("output of {}", name_of(network, id)), *tensor);
        }
    }
    Ok(new)
}

/// The program of one call alone: what it reads are inputs, and what it returns are outputs.
///
/// # Errors
/// E0106 for a call that the program does not have.
pub fn call_alone(program: &Program, node: usize) -> Result<Program> {
    let no_call = || Error::new(Code::BadProgram, format!("the program has no call {node}"));
    let call = program.nodes().get(node).ok_or_else(no_call)?;
    let mut alone = Program::new();
    program.symbols().iter().for_each(|(name, symbol)| alone.add_symbol(name, *symbol));
    let mut map: HashMap<ValueId, ValueId> = HashMap::new();
    let weights: HashMap<ValueId, &program::Weight> = program.weights().map(|weight| (weight.value, weight)).collect();
    for id in call.arguments.values().flat_map(Argument::values) {
        if map.contains_key(&id) {
            continue;
        }
        let value = program.value(id).clone();
        let new = match weights.get(&id) {
            Some(weight) => alone.add_weight(value, weight.kind, weight.data.clone())?,
            None => alone.add_input(value),
        };
        map.insert(id, new);
    }
    let arguments = call.arguments.iter().map(|(name, argument)| (name.clone(), mapped(argument, &map))).collect();
    let node = Node { target: call.target.clone(), arguments, outputs: Vec::new(), source: call.source.clone() };
    let outputs: Vec<Option<Value>> = call.outputs.iter().map(|id| id.map(|id| program.value(id).clone())).collect();
    for id in alone.add_node(node, outputs)?.into_iter().flatten() {
        alone.add_output(Argument::Value(id))?;
    }
    Ok(alone)
}

/// An argument with the values of another program.
fn mapped(argument: &Argument, map: &HashMap<ValueId, ValueId>) -> Argument {
    let new = |id: &ValueId| map.get(id).copied().unwrap_or(*id);
    match argument {
        Argument::Value(id) => Argument::Value(new(id)),
        Argument::Values(ids) => Argument::Values(ids.iter().map(|id| id.as_ref().map(new)).collect()),
        other => other.clone(),
    }
}
