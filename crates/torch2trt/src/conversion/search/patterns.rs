//! Names of layers, shortened to names of modules where these mean the same layers.

use network::Network;
use std::collections::{BTreeSet, HashSet};

/// The shortest patterns that name the kept layers: a module for layers of it, where no other layer in it computes in
/// the lower precision, and the layer's own name elsewhere.
pub(super) fn patterns(network: &Network, kept: &HashSet<&str>, lowered: &HashSet<&str>) -> Vec<String> {
    // Modules with a layer in the lower precision, and all around them.
    let is_lowered = network.layers().iter().filter(|layer| lowered.contains(layer.name.as_str()));
    let taken: HashSet<&str> = is_lowered.flat_map(|layer| around(&layer.origin.module)).collect();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for layer in network.layers().iter().filter(|layer| kept.contains(layer.name.as_str())) {
        let module = around(&layer.origin.module).find(|module| !taken.contains(module));
        let pattern = module.unwrap_or(&layer.name);
        if seen.insert(pattern) {
            found.push(pattern.to_owned());
        }
    }
    found
}

/// A module's path and those around it, from the outermost.
fn around(module: &str) -> impl Iterator<Item = &str> {
    let outer = module.match_indices('.').map(|(end, _)| &module[..end]);
    outer.chain([module]).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::{DType, Dim, Op, Origin, UnaryOperation};
    use std::sync::Arc;

    #[test]
    fn a_module_stands_for_its_layers_where_none_is_in_the_lower_precision() {
        let mut network = Network::new();
        let mut x = network.add_input("x", DType::Float32, vec![Dim::Static(4)]);
        for module in ["a.0", "a.0", "a.1", "b.0", "b.1", ""] {
            let origin = Arc::new(Origin { module: module.to_owned(), ..Origin::default() });
            x = network.add_one(Op::Unary { op: UnaryOperation::Abs }, &[x], &origin).unwrap();
        }
        let all: Vec<&str> = network.layers().iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(all, ["a.0.Unary", "a.0.Unary_2", "a.1.Unary", "b.0.Unary", "b.1.Unary", "Unary"]);
        let shortened = |kept: &[usize], half: &[usize]| {
            let named = |indices: &[usize]| indices.iter().map(|k| all[*k]).collect();
            patterns(&network, &named(kept), &named(half))
        };
        assert_eq!(shortened(&[0], &[1, 2, 3, 4, 5]), ["a.0.Unary"]);
        assert_eq!(shortened(&[0, 1], &[2, 3, 4, 5]), ["a.0"]);
        assert_eq!(shortened(&[0, 1, 2, 4], &[3]), ["a", "b.1"]);
        assert_eq!(shortened(&[1, 5], &[2, 3, 4]), ["a.0", "Unary"]);
    }
}
