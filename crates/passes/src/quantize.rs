//! Quantization by calibration: convolutions and products with constant weights read int8 or float8, by Quantize and
//! Dequantize layers before them, which is how every TensorRT expects them (it has no other way since version 11).
//!
//! What they read gets one scale, from the range that was seen on samples; their weights one for each output channel,
//! from their own largest magnitudes. Zero points are 0. Between two such layers TensorRT passes the codes on; what it
//! cannot compute in the type keeps its own. A tensor is quantized once, however many read it.
//!
//! In int8, a residual addition, one branch of which ends in such a convolution, reads the other branch in int8 where
//! its result is read in int8: TensorRT then computes the sum in the convolution, and between residual blocks nothing
//! but int8 is written. Biases, other sums and everything else stay as they are.
//!
//! It comes after [`precision`](crate::precision()): the scales have the types of what they scale. Like that pass, it
//! changes what the network computes, by rounding. It must not know how ranges are found.

use crate::named::Named;
use crate::quantization::Quantization;
use network::{
    DType, Dim, ElementWiseOperation, Error, Layer, MatrixOperation, Network, Op, PoolingType, Rewrite, TensorId,
    Weights, rewrite,
};
use std::collections::{HashMap, HashSet};

/// A quantized network, and what became of what was asked for.
#[derive(Clone, Debug)]
pub struct Quantized {
    /// The network.
    pub network: Network,
    /// Names of the convolutions and products that read codes, in the order of execution.
    pub layers: Vec<String>,
    /// Names of the residual additions that read int8, in the order of execution.
    pub additions: Vec<String>,
    /// Patterns of modules to leave alone that name none.
    pub unmatched: Vec<String>,
}

/// Adds an output for each tensor that [`quantize`] would quantize, as float32: what calibration runs on samples.
/// Returns the network and the names of the tensors, in the order of the outputs that come after the network's own.
///
/// # Errors
/// None for a network that verifies.
pub fn calibrate(
    network: &Network,
    quantization: Quantization,
    keep: &[String],
) -> Result<(Network, Vec<String>), Error> {
    let mut new = network.clone();
    let mut names: Vec<String> = Vec::new();
    let sites = sites(network, quantization, &mut Named::new(keep));
    for (layer, site) in network.layers().iter().filter_map(|layer| Some((layer, at(&sites, layer)?))) {
        let name = name(network, site.x);
        if names.contains(&name) {
            continue;
        }
        let is_float32 = network.tensor(site.x).dtype == DType::Float32;
        let op = if is_float32 { Op::Identity } else { Op::Cast { to: DType::Float32 } };
        let value = new.add_one(op, &[site.x], &layer.origin)?;
        new.add_output(&format!("range of {name}"), value);
        names.push(name);
    }
    Ok((new, names))
}

/// Quantizes what convolutions and products with constant weights read. `ranges` are the largest magnitudes that are to
/// be distinguished, by the names that [`calibrate`] gives; a layer without one, or with one of 0, stays as it is.
/// `keep` names modules to leave alone, as [`PrecisionOptions`](crate::PrecisionOptions) does.
///
/// # Errors
/// None for a network that verifies.
pub fn quantize(
    network: &Network,
    quantization: Quantization,
    ranges: &HashMap<String, f32>,
    keep: &[String],
) -> Result<Quantized, Error> {
    let mut keep = Named::new(keep);
    let sites = sites(network, quantization, &mut keep);
    let mut done: HashMap<TensorId, TensorId> = HashMap::new();
    let (mut layers, mut additions) = (Vec::new(), Vec::new());
    let made = rewrite(network, |state, layer| {
        let Some(Site { x, weights }) = at(&sites, layer) else { return state.keep(layer) };
        let dtype = network.tensor(*x).dtype;
        let range = ranges.get(&name(network, *x)).copied().map(f64::from);
        let Some(scale) = range.filter(|range| range.is_finite()).and_then(|range| quantization.scale(range, dtype))
        else {
            return state.keep(layer);
        };
        let quantized = match done.get(x) {
            Some(quantized) => *quantized,
            None => {
                let plain = state.get(*x)?;
                let scales = Scales { axis: None, values: Weights::scalar(dtype, scale) };
                through(state, layer, plain, quantization, scales)?
            }
        };
        done.insert(*x, quantized);
        let old = state.inputs(layer)?.into_iter().flatten().zip(layer.used());
        let mut inputs: Vec<TensorId> = old.map(|(new, old)| if old == *x { quantized } else { new }).collect();
        if let Some((weights, channel)) = weights {
            inputs[1] = {
                let scales = Scales { axis: Some(*channel), values: quantization.scales(weights, *channel) };
                through(state, layer, inputs[1], quantization, scales)?
            };
            layers.push(layer.name.clone());
        } else {
            additions.push(layer.name.clone());
        }
        let made = state.add(layer.op.clone(), &inputs, &layer.origin)?;
        state.replace(layer, &[made]);
        Ok(())
    })?;
    Ok(Quantized { network: made, layers, additions, unmatched: keep.unmatched() })
}

/// The scale of a tensor, or one for each position along an axis.
struct Scales {
    axis: Option<usize>,
    values: Weights,
}

/// Quantizes and dequantizes a tensor.
fn through(
    state: &mut Rewrite<'_>,
    layer: &Layer,
    x: TensorId,
    quantization: Quantization,
    scales: Scales,
) -> Result<TensorId, Error> {
    let (to, axis) = (state.tensor(x).dtype, scales.axis);
    let scales = state.add(Op::Constant(scales.values), &[], &layer.origin)?;
    let codes = state.add(Op::Quantize { axis, to: quantization.dtype() }, &[x, scales], &layer.origin)?;
    state.add(Op::Dequantize { axis, to }, &[codes, scales], &layer.origin)
}

/// What a layer reads in codes.
struct Site<'n> {
    x: TensorId,
    /// Weights, and the axis of the output channels in them; a sum has none.
    weights: Option<(&'n Weights, usize)>,
}

type Sites<'n> = HashMap<TensorId, Site<'n>>;

/// The site of a layer.
fn at<'s, 'n>(sites: &'s Sites<'n>, layer: &Layer) -> Option<&'s Site<'n>> {
    sites.get(layer.outputs.first()?)
}

/// The layers that can read codes and are not to be left alone, by their outputs.
fn sites<'n>(network: &'n Network, quantization: Quantization, keep: &mut Named) -> Sites<'n> {
    let mut asked = |layer: &Layer| keep.find(layer).is_none();
    let weighted = network.layers().iter().filter_map(|layer| {
        let site = weighted(network, layer).filter(|_| asked(layer))?;
        Some((*layer.outputs.first()?, site))
    });
    let mut sites: Sites<'n> = weighted.collect();
    if quantization != Quantization::Int8 {
        return sites;
    }
    // What is read in int8, or comes so out of a layer that passes int8 on.
    let mut read: HashSet<TensorId> = sites.values().map(|site| site.x).collect();
    for layer in network.layers().iter().rev().filter(|layer| passes_int8_on(layer)) {
        if layer.outputs.iter().any(|y| read.contains(y)) {
            read.extend(layer.input(0));
        }
    }
    let uses = network.use_counts();
    let sums = network.layers().iter().filter(|layer| layer.outputs.iter().any(|y| read.contains(y)));
    let sums = sums.filter_map(|sum| {
        let x = branch(network, sum, &sites, &uses).filter(|_| asked(sum))?;
        Some((*sum.outputs.first()?, Site { x, weights: None }))
    });
    let sums: Vec<_> = sums.collect();
    sites.extend(sums);
    sites
}

/// A convolution, or a product with constant weights.
fn weighted<'n>(network: &'n Network, layer: &Layer) -> Option<Site<'n>> {
    let (x, weights) = (layer.input(0)?, network.constant(layer.input(1)?)?);
    let is_known = matches!(weights.dtype, DType::Float16 | DType::BFloat16 | DType::Float32);
    if network.constant(x).is_some() || !is_known {
        return None;
    }
    let channel = match layer.op {
        Op::Convolution(_) => 0,
        Op::MatrixMultiply { op0: MatrixOperation::None, op1 } if weights.dims.len() >= 2 => {
            let last = weights.dims.len() - 1;
            // One matrix for all of a batch.
            let one = weights.dims[..last - 1].iter().all(|size| *size == 1);
            match op1 {
                MatrixOperation::None if one => last,
                MatrixOperation::Transpose if one => last - 1,
                _ => return None,
            }
        }
        _ => return None,
    };
    let empty = network.tensor(x).dims.contains(&Dim::Static(0)) || weights.dims.contains(&0);
    (!empty).then_some(Site { x, weights: Some((weights, channel)) })
}

/// Whether TensorRT computes a layer together with the sum before it, or passes int8 through.
fn passes_int8_on(layer: &Layer) -> bool {
    match &layer.op {
        Op::Activation { .. } => true,
        Op::Pooling(pooling) => pooling.kind == PoolingType::Max,
        _ => false,
    }
}

/// The other branch of a sum that TensorRT computes in the convolution at the end of one: of two, the later.
fn branch(network: &Network, sum: &Layer, sites: &Sites<'_>, uses: &[u32]) -> Option<TensorId> {
    let Op::ElementWise { op: ElementWiseOperation::Sum } = sum.op else { return None };
    let (a, b) = (sum.input(0)?, sum.input(1)?);
    let convolved = |y: &TensorId| {
        let layer = network.producer(*y).filter(|layer| matches!(layer.op, Op::Convolution(_)));
        layer.is_some_and(|layer| at(sites, layer).is_some()) && uses[y.0 as usize] == 1
    };
    let end = [a, b].into_iter().filter(convolved).max()?;
    let x = if end == a { b } else { a };
    let is_plain = network.constant(x).is_none() && network.tensor(x).dims == network.tensor(end).dims;
    (is_plain && x != end).then_some(x)
}

/// What a tensor is called in ranges: the layer that makes it, or the input.
fn name(network: &Network, id: TensorId) -> String {
    let input = || network.inputs().iter().find(|port| port.tensor == id).map(|port| port.name.clone());
    let made = network.producer(id).map(|layer| match layer.outputs.iter().position(|y| *y == id) {
        Some(index) if index > 0 => format!("{} {index}", layer.name),
        _ => layer.name.clone(),
    });
    made.or_else(input).unwrap_or_default()
}
