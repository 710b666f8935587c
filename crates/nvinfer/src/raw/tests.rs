//! Every declared call has the signature that the tables give for its slot.

use std::collections::BTreeSet;

use super::{builder, engine, layers, network};
use crate::sys::Method;

fn declared() -> Vec<(&'static Method, String)> {
    [
        builder::builder::declared(),
        builder::config::declared(),
        builder::profile::declared(),
        builder::timing_cache::declared(),
        builder::host_memory::declared(),
        engine::runtime::declared(),
        engine::runtime_config::declared(),
        engine::runtime_cache::declared(),
        engine::serialization_config::declared(),
        engine::cuda_engine::declared(),
        engine::context::declared(),
        engine::inspector::declared(),
        engine::refitter::declared(),
        layers::declared(),
        network::network_definition::declared(),
        network::tensor::declared(),
        network::layer::declared(),
        network::loops::declared(),
        network::conditional::declared(),
        network::attention::declared(),
    ]
    .concat()
}

#[test]
fn declarations_have_the_tables_signatures() {
    let wrong: Vec<String> = declared()
        .iter()
        .filter(|(method, signature)| method.signature != signature)
        .map(|(method, signature)| format!("{}: {signature}, not {}", method.full_name(), method.signature))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every layer that TensorRT 11 can add is declared, but for plugins and calls that a newer one replaces.
#[test]
fn every_way_to_add_a_layer_is_declared() {
    let replaced = BTreeSet::from([
        "addScale",
        "addGather",
        "addConvolution",
        "addPooling",
        "addDeconvolution",
        "addPadding",
        "addFullyConnected",
        "addRNNv2",
        "addPluginV2",
        "addPluginV3",
        "addSqueezeV2",
    ]);
    let declared: BTreeSet<&str> = network::network_definition::declared().iter().map(|(m, _)| m.name).collect();
    let missing: Vec<&str> = crate::sys::tables::network_definition::ALL
        .iter()
        .map(|m| m.name)
        .filter(|name| name.starts_with("add") && !declared.contains(name) && !replaced.contains(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
