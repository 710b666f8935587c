//! Two networks with layers of the same names, compared layer by layer on the same inputs.
//!
//! The outputs of the layers become outputs of the networks, as many at a time as memory allows. This file must not
//! know what the differences are for.

use super::verify::difference;
use crate::{Options, Result, pipeline};
use network::{Dim, Network, TensorId};
use runtime::{Tensor, TensorView};
use std::collections::{HashMap, HashSet};

/// Bytes of layer outputs of one network that are held at a time.
const HELD: usize = 1 << 30;

/// How far a layer's output is from the reference.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LayerDifference {
    /// Name of the layer.
    pub(super) layer: String,
    /// Relative error of its first output.
    pub(super) error: f64,
    /// How much larger that is than the largest error of what the layer reads.
    pub(super) growth: f64,
}

/// The difference of every layer that both networks have and whose output is of floats, in the order of execution.
///
/// # Errors
/// Those of the CPU engine.
pub(super) fn by_layer(
    reference: &Network,
    other: &Network,
    options: &Options,
    inputs: &[Tensor],
) -> Result<Vec<LayerDifference>> {
    let theirs: HashSet<&str> = other.layers().iter().map(|layer| layer.name.as_str()).collect();
    let mut errors: HashMap<TensorId, f64> = HashMap::new();
    let mut names: HashMap<&str, f64> = HashMap::new();
    for group in groups(reference, &theirs) {
        let group: HashSet<&str> = group.into_iter().collect();
        let (expected, got) = (outputs(reference, &group, options, inputs)?, outputs(other, &group, options, inputs)?);
        for layer in reference.layers().iter().filter(|layer| group.contains(layer.name.as_str())) {
            if let (Some(expected), Some(got)) = (expected.get(&layer.name), got.get(&layer.name)) {
                names.insert(layer.name.as_str(), difference(&expected.view(), &got.view()));
            }
        }
    }
    let mut found = Vec::new();
    for layer in reference.layers() {
        let before = layer.used().filter_map(|id| errors.get(&id)).fold(0.0, |most, error| f64::max(most, *error));
        // A layer that is not compared, such as a cast, hands on what it reads.
        let error = names.get(layer.name.as_str()).copied();
        errors.extend(layer.outputs.iter().map(|id| (*id, error.unwrap_or(before))));
        if let Some(error) = error {
            let growth = if before.is_finite() { error - before } else { 0.0 };
            found.push(LayerDifference { layer: layer.name.clone(), error, growth });
        }
    }
    Ok(found)
}

/// The layers to compare, in groups whose outputs fit into memory together.
fn groups<'n>(network: &'n Network, others: &HashSet<&str>) -> Vec<Vec<&'n str>> {
    let (mut groups, mut held) = (vec![Vec::new()], 0usize);
    for layer in network.layers() {
        let Some(made) = layer.outputs.first().filter(|id| network.tensor(**id).dtype.is_float()) else { continue };
        if network.constant(*made).is_some() || !others.contains(layer.name.as_str()) {
            continue;
        }
        let bytes = bytes_of(network, *made);
        if held > 0 && held.saturating_add(bytes) > HELD {
            groups.push(Vec::new());
            held = 0;
        }
        held = held.saturating_add(bytes);
        if let Some(group) = groups.last_mut() {
            group.push(layer.name.as_str());
        }
    }
    groups
}

/// Bytes of a tensor at the sizes that engines are tuned for.
fn bytes_of(network: &Network, id: TensorId) -> usize {
    let symbols: HashMap<&str, i64> =
        network.symbols().iter().map(|(name, symbol)| (name.as_str(), symbol.opt)).collect();
    let size =
        |dim: &Dim| dim.eval(&|name| symbols.get(name).copied()).ok().and_then(|size| usize::try_from(size).ok());
    let count = network.tensor(id).dims.iter().filter_map(size).fold(1, usize::saturating_mul);
    count.saturating_mul(size_of::<f32>())
}

/// The outputs of layers, by name.
fn outputs(
    network: &Network,
    layers: &HashSet<&str>,
    options: &Options,
    inputs: &[Tensor],
) -> Result<HashMap<String, Tensor>> {
    let (exposed, names) = passes::expose(network, layers);
    let views: Vec<TensorView<'_>> = inputs.iter().map(Tensor::view).collect();
    let mut values = pipeline::cpu_engine(&exposed, options)?.call(&views)?;
    let own = values.len().saturating_sub(names.len());
    Ok(names.into_iter().zip(values.drain(own..)).collect())
}
