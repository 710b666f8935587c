//! Folds per-channel scales and shifts (batch norms, mostly) into the constant weights of the convolution,
//! deconvolution or matrix product before them.
//!
//! `(x * W + b) * s + t = x * (W * s) + (b * s + t)`, for any number of scales and shifts in a row whose
//! intermediate results nothing else uses. Factors are assembled in float64 and each weight is rounded once.
//! A matrix product has no bias of its own: its shift becomes one addition after it. Transposes on the way follow
//! after. A batch norm that no such layer precedes stays. Only the kernels that change are copied, each once; the old
//! ones are left for `dce`.

use crate::affine::{self, Affine};
use half::{bf16, f16};
use network::{
    DType, ElementWiseOperation, Error, Layer, MatrixOperation, Network, Op, Rewrite, TensorId, Weights, rewrite,
};
use rayon::prelude::*;
use std::collections::HashMap;

/// A layer with constant weights, and the scales and shifts after it.
struct Chain<'a> {
    /// The layer with the weights.
    root: &'a Layer,
    kernel: &'a Weights,
    affine: Affine,
    /// Transposes among the layers that follow.
    transposes: Vec<&'a Layer>,
    /// The outputs that nothing asks for any more.
    dropped: Vec<TensorId>,
    /// The last layer's output.
    end: TensorId,
}

/// The weights that stand in a chain's place.
struct Folded {
    /// `None`: as it was.
    kernel: Option<Weights>,
    /// A convolution's bias, or what is added to a matrix product.
    shift: Option<Weights>,
}

/// Folds per-channel scales and shifts into the constant weights before them, each weight rounded once.
///
/// # Errors
/// None for a network that verifies.
pub fn fold_batch_norm(network: &Network) -> Result<Network, Error> {
    let chains = find(network);
    let folded: Vec<Option<Folded>> = chains.par_iter().map(|chain| fold(network, chain)).collect();
    let mut at_end: HashMap<TensorId, (&Chain<'_>, Folded)> = HashMap::new();
    let mut dropped: Vec<TensorId> = Vec::new();
    for (chain, folded) in chains.iter().zip(folded) {
        if let Some(folded) = folded {
            dropped.extend(&chain.dropped);
            at_end.insert(chain.end, (chain, folded));
        }
    }
    dropped.sort_unstable();
    rewrite(network, |state, layer| match layer.outputs.as_slice() {
        [output] => match at_end.remove(output) {
            Some((chain, folded)) => emit(state, chain, folded),
            None if dropped.binary_search(output).is_ok() => Ok(()),
            None => state.keep(layer),
        },
        _ => state.keep(layer),
    })
}

/// A layer with constant weights: the axis and number of its output channels, and the weights.
struct Weighted<'a> {
    axis: usize,
    channels: usize,
    kernel: &'a Weights,
}

/// The layer, if its weights are constant.
fn weighted<'a>(network: &'a Network, layer: &Layer) -> Option<Weighted<'a>> {
    let kernel = network.constant(layer.input(1)?)?;
    if !kernel.dtype.is_float() {
        return None;
    }
    let output = network.tensor(*layer.outputs.first()?);
    let axis = match layer.op {
        Op::Convolution(_) | Op::Deconvolution(_) => {
            layer.input(2).map_or(Some(()), |bias| network.constant(bias).map(|_| ()))?;
            1
        }
        // Weights that differ along batch axes have no one column a channel.
        Op::MatrixMultiply { op1: MatrixOperation::None | MatrixOperation::Transpose, .. } => {
            let (batch, _) = kernel.dims.split_at(kernel.dims.len().checked_sub(2)?);
            batch.iter().all(|d| *d == 1).then(|| output.rank().checked_sub(1))??
        }
        _ => return None,
    };
    let channels = usize::try_from(output.dims.get(axis)?.as_static()?).ok()?;
    Some(Weighted { axis, channels, kernel })
}

fn find(network: &Network) -> Vec<Chain<'_>> {
    let next = network.sole_uses();
    network.layers().iter().filter_map(|root| follow(network, root, &next)).collect()
}

/// Follows the results of a layer with constant weights as long as they are only scaled, shifted and transposed.
fn follow<'a>(network: &'a Network, root: &'a Layer, next: &HashMap<TensorId, &'a Layer>) -> Option<Chain<'a>> {
    let Weighted { mut axis, channels, kernel } = weighted(network, root)?;
    let mut at = *root.outputs.first()?;
    let mut chain =
        Chain { root, kernel, affine: Affine::identity(channels), transposes: vec![], dropped: vec![], end: at };
    let (mut transposes, mut passed) = (Vec::new(), Vec::new());
    while let Some(&layer) = next.get(&at) {
        passed.push(at);
        if let Some(step) = affine::read(network, layer, at, axis, channels) {
            chain.affine = chain.affine.then(&step);
            chain.end = *layer.outputs.first()?;
            chain.transposes.append(&mut transposes);
            chain.dropped.append(&mut passed);
        } else if let Some(moved) = transposed(layer, axis) {
            axis = moved;
            transposes.push(layer);
        } else {
            break;
        }
        at = *layer.outputs.first()?;
    }
    let product = matches!(root.op, Op::MatrixMultiply { .. });
    // A bare product and its bias are already in their simplest form.
    let worthwhile = if product { chain.affine.scales() } else { !chain.dropped.is_empty() };
    worthwhile.then_some(chain)
}

/// Where a layer that only transposes puts an axis.
fn transposed(layer: &Layer, axis: usize) -> Option<usize> {
    match &layer.op {
        Op::Shuffle { first_transpose: Some(order), reshape: None, second_transpose: None }
            if layer.input(1).is_none() =>
        {
            order.iter().position(|k| *k == axis)
        }
        _ => None,
    }
}

fn fold(network: &Network, chain: &Chain<'_>) -> Option<Folded> {
    let (root, affine) = (chain.root, &chain.affine);
    let kernel = if affine.scales() { Some(scaled(root, chain.kernel, &affine.scale)?) } else { None };
    let channels = affine.scale.len() as i64;
    let dtype = chain.kernel.dtype;
    let shift = if let Op::MatrixMultiply { .. } = root.op {
        let mut dims = vec![1; network.tensor(*root.outputs.first()?).rank()];
        *dims.last_mut()? = channels;
        affine.shifts().then(|| Weights::from_f64(dtype, &dims, affine.shift.iter().copied()))
    } else {
        let bias = root.input(2).and_then(|id| network.constant(id)).map(Weights::to_f64);
        let bias = bias.unwrap_or_else(|| vec![0.0; affine.scale.len()]);
        let terms = bias.iter().zip(&affine.scale).zip(&affine.shift);
        Some(Weights::from_f64(dtype, &[channels], terms.map(|((b, s), t)| b * s + t)))
    };
    let finite = |w: &Weights| w.to_f64().iter().all(|v| v.is_finite());
    shift.as_ref().is_none_or(finite).then_some(Folded { kernel, shift })
}

/// The kernel with each output channel's weights times its factor.
fn scaled(root: &Layer, kernel: &Weights, factors: &[f64]) -> Option<Weights> {
    let sizes: Vec<usize> = kernel.dims.iter().map(|d| usize::try_from(*d).ok()).collect::<Option<_>>()?;
    let layout = match &root.op {
        // [K, C/groups, window…]: one block a channel.
        Op::Convolution(_) => Factors::Blocks(factors.to_vec()),
        // [C, K/groups, window…]: a block for each pair of channels.
        Op::Deconvolution(a) => {
            let (made, taken) = (sizes[1], sizes[0] / usize::try_from(a.groups).ok().filter(|g| *g > 0)?);
            let channel = |block: usize| block / made / taken * made + block % made;
            Factors::Blocks((0..sizes[0] * made).map(|block| factors[channel(block)]).collect())
        }
        // Transposed, a row is a channel; otherwise a column.
        Op::MatrixMultiply { op1: MatrixOperation::Transpose, .. } => Factors::Blocks(factors.to_vec()),
        _ => Factors::Columns(factors),
    };
    let data = match kernel.dtype {
        DType::Float32 => {
            multiply(&kernel.data, &layout, |b, f| ((f64::from(f32::from_le_bytes(b)) * f) as f32).to_le_bytes())
        }
        DType::Float16 => {
            multiply(&kernel.data, &layout, |b, f| f16::from_f64(f16::from_le_bytes(b).to_f64() * f).to_le_bytes())
        }
        _ => multiply(&kernel.data, &layout, |b, f| bf16::from_f64(bf16::from_le_bytes(b).to_f64() * f).to_le_bytes()),
    };
    let scaled = Weights::new(kernel.dtype, kernel.dims.clone(), data.into())?;
    // float16 ends at 65504, which a small variance reaches.
    let finite = kernel.dtype != DType::Float16 || scaled.to_f64().iter().all(|v| v.is_finite());
    finite.then_some(scaled)
}

/// Which factor a weight takes.
enum Factors<'a> {
    /// Blocks of equal size, a factor each.
    Blocks(Vec<f64>),
    /// Rows, a factor for each place in them.
    Columns(&'a [f64]),
}

fn multiply<const B: usize>(data: &[u8], factors: &Factors<'_>, times: impl Fn([u8; B], f64) -> [u8; B]) -> Vec<u8> {
    let elements = data.as_chunks::<B>().0;
    let mut out: Vec<[u8; B]> = Vec::with_capacity(elements.len());
    match factors {
        Factors::Blocks(factors) => {
            let block = (elements.len() / factors.len().max(1)).max(1);
            for (block, factor) in elements.chunks_exact(block).zip(factors) {
                out.extend(block.iter().map(|b| times(*b, *factor)));
            }
        }
        Factors::Columns(factors) => {
            for row in elements.chunks_exact(factors.len().max(1)) {
                out.extend(row.iter().zip(*factors).map(|(b, f)| times(*b, *f)));
            }
        }
    }
    out.into_flattened()
}

fn emit(state: &mut Rewrite<'_>, chain: &Chain<'_>, folded: Folded) -> Result<(), Error> {
    let root = chain.root;
    let mut inputs = state.inputs(root)?;
    if let Some(kernel) = folded.kernel {
        inputs[1] = Some(state.add(Op::Constant(kernel), &[], &root.origin)?);
    }
    let shift = match folded.shift {
        Some(shift) => Some(state.add(Op::Constant(shift), &[], &root.origin)?),
        None => None,
    };
    let made = if let Op::MatrixMultiply { .. } = root.op {
        let product = state.new.add(root.op.clone(), &inputs, &root.origin)?;
        match (product.first(), shift) {
            (Some(product), Some(shift)) => {
                let sum = Op::ElementWise { op: ElementWiseOperation::Sum };
                vec![state.add(sum, &[*product, shift], &root.origin)?]
            }
            _ => product,
        }
    } else {
        inputs.truncate(2);
        inputs.push(shift);
        state.new.add(root.op.clone(), &inputs, &root.origin)?
    };
    let mut y = made.first().copied().ok_or_else(|| Error::Malformed("a layer with weights has no output".into()))?;
    for transpose in &chain.transposes {
        y = state.add(transpose.op.clone(), &[y], &transpose.origin)?;
    }
    state.set(chain.end, y);
    Ok(())
}
