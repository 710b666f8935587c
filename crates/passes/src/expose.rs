//! Layers of a network as outputs of it, to compare two networks layer by layer.

use network::Network;
use std::collections::HashSet;

/// Adds the first output of each named layer as an output of the network. Returns the network and the names of the
/// layers that it has, in the order of the outputs that come after the network's own.
pub fn expose(network: &Network, layers: &HashSet<&str>) -> (Network, Vec<String>) {
    let mut new = network.clone();
    let mut names = Vec::new();
    for layer in network.layers().iter().filter(|layer| layers.contains(layer.name.as_str())) {
        if let Some(made) = layer.outputs.first() {
            new.add_output(&format!("output of {}", layer.name), *made);
            names.push(layer.name.clone());
        }
    }
    (new, names)
}
