//! Int8 by calibration: convolutions and products with constant weights read int8, by Quantize and Dequantize layers
//! before them, which is how every TensorRT is told (it has no other way since version 11).
//!
//! What they read gets one scale, from the range that was seen on samples; their weights one for each output channel,
//! from their own largest magnitudes. Zero points are 0. Between two such layers TensorRT passes int8 on; what it
//! cannot compute in int8 keeps its type. A tensor is quantized once, however many read it. Biases, sums of branches and
//! everything else stay as they are.
//!
//! It comes after [`precision`](crate::precision()): the scales have the types of what they scale. Like that pass, it
//! changes what the network computes, by rounding. It must not know how ranges are found.

use crate::named::Named;
use network::{DType, Dim, Error, Layer, MatrixOperation, Network, Op, Rewrite, TensorId, Weights, rewrite};
use std::collections::HashMap;

/// The code of the range's end.
const LARGEST: f64 = 127.0;

/// A network in int8, and what became of what was asked for.
#[derive(Clone, Debug)]
pub struct Quantized {
    /// The network.
    pub network: Network,
    /// Number of layers that read int8.
    pub layers: usize,
    /// Patterns of modules to leave alone that name none.
    pub unmatched: Vec<String>,
}

/// Adds an output for each tensor that [`quantize`] would quantize, as float32: what calibration runs on samples.
/// Returns the network and the names of the tensors, in the order of the outputs that come after the network's own.
///
/// # Errors
/// None for a network that verifies.
pub fn calibrate(network: &Network, keep: &[String]) -> Result<(Network, Vec<String>), Error> {
    let mut new = network.clone();
    let mut names: Vec<String> = Vec::new();
    let mut keep = Named::new(keep);
    for layer in network.layers() {
        let Some(Site { x, .. }) = site(network, layer, &mut keep) else { continue };
        let name = name(network, x);
        if names.contains(&name) {
            continue;
        }
        let is_float32 = network.tensor(x).dtype == DType::Float32;
        let op = if is_float32 { Op::Identity } else { Op::Cast { to: DType::Float32 } };
        let value = new.add_one(op, &[x], &layer.origin)?;
        new.add_output(&format!("range of {name}"), value);
        names.push(name);
    }
    Ok((new, names))
}

/// Quantizes what convolutions and products with constant weights read. `ranges` are the largest magnitudes that are to
/// be told apart, by the names that [`calibrate`] gives; a layer without one, or with one of 0, stays as it is. `keep`
/// names modules to leave alone, as [`PrecisionOptions`](crate::PrecisionOptions) does.
///
/// # Errors
/// None for a network that verifies.
pub fn quantize(network: &Network, ranges: &HashMap<String, f32>, keep: &[String]) -> Result<Quantized, Error> {
    let mut keep = Named::new(keep);
    let mut done: HashMap<TensorId, TensorId> = HashMap::new();
    let mut layers = 0;
    let made = rewrite(network, |state, layer| {
        let Some(Site { x, weights, channel }) = site(network, layer, &mut keep) else { return state.keep(layer) };
        let dtype = network.tensor(x).dtype;
        let range = ranges.get(&name(network, x)).copied().map(f64::from);
        let Some(scale) = range.filter(|range| range.is_finite()).and_then(|range| scale(range, dtype)) else {
            return state.keep(layer);
        };
        let mut inputs: Vec<TensorId> = state.inputs(layer)?.into_iter().flatten().collect();
        if let Some(done) = done.get(&x) {
            inputs[0] = *done;
        } else {
            inputs[0] = through_int8(state, layer, (inputs[0], None), Weights::scalar(dtype, scale))?;
            done.insert(x, inputs[0]);
        }
        inputs[1] = through_int8(state, layer, (inputs[1], Some(channel)), scales(weights, channel))?;
        let made = state.add(layer.op.clone(), &inputs, &layer.origin)?;
        state.replace(layer, &[made]);
        layers += 1;
        Ok(())
    })?;
    Ok(Quantized { network: made, layers, unmatched: keep.unmatched() })
}

/// Quantizes and dequantizes a tensor.
fn through_int8(
    state: &mut Rewrite<'_>,
    layer: &Layer,
    (x, axis): (TensorId, Option<usize>),
    scales: Weights,
) -> Result<TensorId, Error> {
    let to = state.tensor(x).dtype;
    let scales = state.add(Op::Constant(scales), &[], &layer.origin)?;
    let codes = state.add(Op::Quantize { axis, to: DType::Int8 }, &[x, scales], &layer.origin)?;
    state.add(Op::Dequantize { axis, to }, &[codes, scales], &layer.origin)
}

/// The scale of a range; none where there is nothing to tell apart, or a type has no digits for it.
fn scale(range: f64, dtype: DType) -> Option<f64> {
    let smallest = match dtype {
        DType::Float16 => half::f16::MIN_POSITIVE.to_f64(),
        _ => f64::from(f32::MIN_POSITIVE),
    };
    Some(range / LARGEST).filter(|scale| *scale >= smallest)
}

/// A scale for each output channel of constant weights; 1 for a channel of zeros or next to it, of which any scale makes
/// zeros.
fn scales(weights: &Weights, channel: usize) -> Weights {
    let (count, behind) = (weights.dims[channel], weights.dims[channel + 1..].iter().product::<i64>());
    let (count, behind) = (usize::try_from(count).unwrap_or(0), usize::try_from(behind).unwrap_or(0));
    let mut largest = vec![0f32; count];
    let mut see = |(k, value): (usize, f32)| {
        let most = &mut largest[k / behind % count];
        *most = most.max(value.abs());
    };
    let (twos, fours) = (weights.data.as_chunks::<2>().0.iter(), weights.data.as_chunks::<4>().0.iter());
    match weights.dtype {
        DType::Float16 => twos.map(|b| half::f16::from_le_bytes(*b).to_f32()).enumerate().for_each(&mut see),
        DType::BFloat16 => twos.map(|b| half::bf16::from_le_bytes(*b).to_f32()).enumerate().for_each(&mut see),
        _ => fours.map(|b| f32::from_le_bytes(*b)).enumerate().for_each(&mut see),
    }
    let scales = largest.into_iter().map(|range| scale(f64::from(range), weights.dtype).unwrap_or(1.0));
    Weights::from_f64(weights.dtype, &weights.dims[channel..=channel], scales)
}

/// What a layer that can read int8 reads.
struct Site<'n> {
    x: TensorId,
    weights: &'n Weights,
    /// The axis of the output channels in the weights.
    channel: usize,
}

/// What a layer reads that can read int8 and is not to be left alone.
fn site<'n>(network: &'n Network, layer: &Layer, keep: &mut Named) -> Option<Site<'n>> {
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
    (!empty && keep.find(&layer.origin.module).is_none()).then_some(Site { x, weights, channel })
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
