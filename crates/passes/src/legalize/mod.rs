//! Rewrites layers that the target lacks into layers it has. The only place that knows what a target lacks.
//!
//! Layers that came after the target's version are written with older ones ([`decompose`]), forms of layers that
//! it refuses with forms it takes ([`limits`]); without int64, indices and sizes become int32 ([`demote`]); what
//! cannot be expressed is an error that names the layer. Results stay what they were, but for the rounding of the
//! layers that are decomposed.

mod decompose;
mod demote;
mod limits;
mod target;

pub use target::{Feature, Target};

use crate::Error;
use network::{DType, Layer, Network, Op, PluginApi, TensorId, rewrite};
use std::collections::HashSet;
use std::sync::Arc;

/// Writes the network in the layers and types that the target has.
///
/// Without int64 (TensorRT 8.6), int64 inputs and outputs become int32: whoever binds them casts. A
/// [`network::Op::Shape`] still counts as int64 and is followed by a cast to int32; TensorRT 8.6 makes an int32
/// tensor of it, which that cast leaves as it is.
///
/// # Errors
/// [`Error::Unsupported`] where the target has no way to express a layer or a type, with what to do about it.
pub fn legalize(network: &Network, target: Target) -> Result<Network, Error> {
    check_types(network, target)?;
    let data = depends_on_data(network);
    let mut made = rewrite(network, |state, layer| {
        let site = decompose::Site { layer, target, data: &data };
        if site.apply(state)? { Ok(()) } else { state.keep(layer).map_err(Error::from) }
    })?;
    if !target.has(Feature::Int64) {
        made = demote::demote(&made, target)?;
    }
    Ok(made)
}

/// The tensors whose values depend on those of the inputs, and not on their shapes alone.
fn depends_on_data(network: &Network) -> HashSet<TensorId> {
    let mut found: HashSet<TensorId> = network.inputs().iter().map(|port| port.tensor).collect();
    for layer in network.layers() {
        let reads = layer.inputs.iter().flatten().any(|id| found.contains(id));
        if reads && !matches!(layer.op, Op::Shape) {
            found.extend(&layer.outputs);
        }
    }
    found
}

/// Types and layers that nothing older stands for.
fn check_types(network: &Network, target: Target) -> Result<(), Error> {
    first_of(unsupported_inputs(network, target).chain(unsupported_layers(network, target)))
}

/// Checks that GPUs of a compute capability, such as (8, 9), have the types of the network: bfloat16 came with 8.0,
/// float8 with 8.9.
///
/// # Errors
/// [`Error::Unsupported`] with the first layer of such a type, and with the nodes of all.
pub fn check_gpu(network: &Network, target: Target, capability: (i32, i32)) -> Result<(), Error> {
    let lack = |dtype: DType| {
        let since = match dtype {
            DType::BFloat16 => (8, 0),
            DType::Float8E4M3 => (8, 9),
            _ => return None,
        };
        let (major, minor) = capability;
        let problem = || format!("GPUs of compute capability {major}.{minor} have no {dtype}");
        (capability < since).then(|| Lack::new(problem(), HELP_GPU))
    };
    first_of(network.layers().iter().filter_map(|layer| {
        let found = layer.outputs.iter().find_map(|id| lack(network.tensor(*id).dtype))?;
        Some(unsupported(network, target, layer, found))
    }))
}

/// The first of several errors, with the nodes of all with its problem.
fn first_of(mut found: impl Iterator<Item = Error>) -> Result<(), Error> {
    let Some(mut first) = found.next() else { return Ok(()) };
    if let Error::Unsupported { nodes, problem, .. } = &mut first {
        nodes.extend(found.flat_map(|other| match other {
            Error::Unsupported { nodes, problem: own, .. } if own == *problem => nodes,
            _ => Vec::new(),
        }));
        nodes.sort_unstable();
        nodes.dedup();
    }
    Err(first)
}

fn unsupported_inputs(network: &Network, target: Target) -> impl Iterator<Item = Error> {
    network.inputs().iter().filter_map(move |port| {
        let Lack { problem, help } = lacks_type(target, network.tensor(port.tensor).dtype)?;
        let (name, origin, nodes) = (port.name.clone(), Arc::default(), network.nodes_reading(port.tensor));
        Some(Error::Unsupported { target, layer: "Input", name, origin, nodes, problem, help })
    })
}

fn unsupported_layers(network: &Network, target: Target) -> impl Iterator<Item = Error> {
    network.layers().iter().filter_map(move |layer| {
        let mut dtypes = layer.outputs.iter().map(|id| network.tensor(*id).dtype);
        let lack = dtypes.find_map(|dtype| lacks_type(target, dtype)).or_else(|| lacks_layer(target, &layer.op))?;
        Some(unsupported(network, target, layer, lack))
    })
}

fn unsupported(network: &Network, target: Target, layer: &Layer, Lack { problem, help }: Lack) -> Error {
    let (name, origin, nodes) = (layer.name.clone(), layer.origin.clone(), network.nodes_of(layer));
    Error::Unsupported { target, layer: layer.op.name(), name, origin, nodes, problem, help }
}

/// What a target does not have, and what to do.
struct Lack {
    problem: String,
    help: &'static str,
}

impl Lack {
    fn new(problem: impl Into<String>, help: &'static str) -> Self {
        Self { problem: problem.into(), help }
    }
}

/// Why the target has no tensors of a type, and what to do; `None` where it has.
fn lacks_type(target: Target, dtype: DType) -> Option<Lack> {
    let has = match dtype {
        DType::BFloat16 => target.has(Feature::BFloat16),
        DType::Float8E4M3 => target.has(Feature::Float8),
        _ => true,
    };
    (!has).then(|| Lack { problem: format!("it has no {dtype}"), help: HELP_TYPE })
}

/// The same for a layer.
fn lacks_layer(target: Target, op: &Op) -> Option<Lack> {
    match op {
        Op::DynamicQuantize { .. } if !target.has(Feature::DynamicQuantize) => Some(Lack::new(
            "it has no dynamic quantization",
            "quantize with calibrated scales, or use TensorRT 10.8 or newer",
        )),
        Op::NonZero { .. } | Op::Nms { .. } if !target.has(Feature::DataDependentSizes) => Some(Lack::new(
            "it has no sizes that depend on data",
            "pass fallback=True: PyTorch then runs this call; or leave what follows out of the model \
             (pad_packed_sequence: pass total_length), or use TensorRT itself",
        )),
        Op::Plugin(plugin) if !target.has(plugin_feature(plugin.api)) => Some(plugin_problem(plugin.api, target)),
        Op::TopK { k, .. } if *k > target.largest_k() => Some(Lack::new(
            format!("it finds at most {} largest elements, not {k}", target.largest_k()),
            "take fewer elements, or sort outside of the model",
        )),
        _ => None,
    }
}

fn plugin_feature(api: PluginApi) -> Feature {
    match api {
        PluginApi::V2 => Feature::PluginV2,
        PluginApi::V3 => Feature::PluginV3,
    }
}

fn plugin_problem(api: PluginApi, target: Target) -> Lack {
    if api == PluginApi::V3 && target.has(Feature::PluginV2) {
        let help = "add the layer with add_plugin_v2, and a plugin for that interface, or use TensorRT 10 or newer";
        return Lack::new("it has no plugins of version 3", help);
    }
    Lack::new("it has no layers of plugins", "use TensorRT itself, or run the model with backend=\"cpu\"")
}

const HELP_GPU: &str = "convert with another precision, such as fp16 or int8, or for a newer GPU";

const HELP_TYPE: &str = "convert with precision float16 or float32, or use TensorRT 10 or newer";
