//! The network's interface in the words of the runtime, which knows no network.

use crate::Options;
use network::{DType, Dim, Network, Port, Symbol};
use runtime::{DataType, EngineSpec, IoSpec, Profile, Weight};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;

/// The same element type for the runtime.
pub(crate) fn data_type(dtype: DType) -> DataType {
    match dtype {
        DType::Float32 => DataType::Float32,
        DType::Float16 => DataType::Float16,
        DType::BFloat16 => DataType::BFloat16,
        DType::Int64 => DataType::Int64,
        DType::Int32 => DataType::Int32,
        DType::Int8 => DataType::Int8,
        DType::UInt8 => DataType::UInt8,
        DType::Bool => DataType::Bool,
        DType::Float8E4M3 => DataType::Float8E4M3,
    }
}

/// Names, dtypes, sizes and accepted ranges of a network's inputs and outputs.
pub fn spec(network: &Network, profiles: &[Profile]) -> EngineSpec {
    let port = |port: &Port| {
        let tensor = network.tensor(port.tensor);
        IoSpec::new(port.name.clone(), data_type(tensor.dtype), tensor.dims.iter().cloned())
    };
    EngineSpec {
        inputs: network.inputs().iter().map(port).collect(),
        outputs: network.outputs().iter().map(port).collect(),
        profiles: profiles.to_vec(),
    }
}

/// The network's text with the sizes that an engine is built for, from the smallest to the largest of all profiles.
/// A network alone has the sizes that capture assumed: for a batch of 1 to 8 they are 2 and more.
pub fn network_text(network: &Network, profiles: &[Profile]) -> String {
    let mut ranges: BTreeMap<String, Symbol> = BTreeMap::new();
    let axes = profiles.iter().flat_map(|profile| &profile.axes);
    for (input, sizes) in axes {
        let port = network.inputs().iter().find(|port| port.name == *input);
        let dims = port.map_or(&[][..], |port| &network.tensor(port.tensor).dims);
        for (dim, size) in dims.iter().zip(sizes) {
            // A size of several symbols, or of a multiple, leaves open what each may be.
            if let [symbol] = dim.symbols().as_slice()
                && *dim == Dim::symbol(symbol)
            {
                let range = Symbol { min: size.min, opt: size.opt, max: size.max };
                let all = ranges.entry(symbol.to_string()).or_insert(range);
                (all.min, all.max) = (all.min.min(size.min), all.max.max(size.max));
            }
        }
    }
    let mut shown = network.clone();
    for (symbol, range) in ranges {
        shown.add_symbol(&symbol, range);
    }
    shown.to_string()
}

/// The sizes that a plan was built for.
pub(crate) fn profiles(report: &build::Report) -> Vec<Profile> {
    let axes = |input: &build::InputRanges| (input.input.clone(), input.axes.clone());
    let profile =
        |inputs: &Vec<build::InputRanges>| Profile { axes: inputs.iter().map(axes).collect(), ..Profile::default() };
    report.profiles.iter().map(profile).collect()
}

/// A constant of the ONNX model, for the runtime: the same memory.
pub(crate) fn weight(weight: onnx::ExternalWeight) -> Weight {
    Weight { name: weight.name, dtype: data_type(weight.dtype), dims: weight.dims, data: weight.data }
}

/// Every constant under its layer's name, for a refit: the same memory.
pub(crate) fn weights(network: &Network) -> Vec<Weight> {
    let constant = |layer: &network::Layer| {
        let weights = network.constant(*layer.outputs.first()?)?;
        let (dtype, dims, data) = (data_type(weights.dtype), weights.dims.clone(), weights.data.clone());
        Some(Weight { name: layer.name.clone(), dtype, dims, data })
    };
    network.layers().iter().filter_map(constant).collect()
}

/// The digest of a network, which identifies in an engine file what it was made from.
pub(crate) fn source(network: &Network) -> String {
    format!("{:016x}", network.digest())
}

/// The digest of a network but for the values of its weights: what a refit has to keep to.
pub(crate) fn structure(network: &Network) -> String {
    format!("{:016x}", network.structure_digest())
}

/// The options of a build.
pub(crate) fn build_options(options: &Options) -> build::BuildOptions {
    build::BuildOptions {
        target: options.build.target.clone(),
        max_workspace_size: options.build.max_workspace_size,
        optimization_level: options.build.optimization_level,
        avg_timing_iterations: options.build.avg_timing_iterations,
        threads: options.build.build_threads.map(NonZeroUsize::get),
        tactic_sources: options.build.tactic_sources.clone(),
        profiles: options.profiles.clone(),
        version_compatible: options.build.version_compatible,
        hardware_compatible: options.build.hardware_compatible,
        refittable: options.build.refittable,
        ..build::BuildOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::network_text;
    use network::Network;
    use runtime::{Profile, SizeRange};

    #[test]
    fn the_text_has_the_sizes_of_all_profiles() {
        let text = "network\n  symbol b in 2.. opt 3\n  symbol w in 2..9 opt 4\n  \
                    input %0 \"x\": float32[b,2*w]\n  output \"y\": %0\n";
        let network = Network::parse(text, &|_| None).unwrap();
        let profile = |min, max| Profile {
            axes: [("x".to_owned(), vec![SizeRange { min, opt: max, max }, SizeRange::exactly(8)])].into(),
            ..Profile::default()
        };
        assert_eq!(network_text(&network, &[]), text);
        let shown = network_text(&network, &[profile(1, 4), profile(3, 8)]);
        assert_eq!(shown, text.replace("b in 2.. opt 3", "b in 1..8 opt 4"));
    }
}
