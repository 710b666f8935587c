//! Sums with a convolution of many products become differences, `a + conv(x)` to `a - conv'(x)` with weights and bias
//! of the other sign: for TensorRT 8.6 on GPUs of compute capability 9.0.
//!
//! That version computes a sum in the convolution before it, which no kernel of its for 9.0 can do, so that the layer
//! gets one for 8.0. A difference stays apart, beside the activation that follows, and costs less than the older
//! kernel loses where sums are long. The second convolution of a residual block, in float16 on an H200:
//!
//! | products | on | with the sum | without | saved |
//! |---:|---:|---:|---:|---:|
//! | 576 | 56 × 56 | 5.3 µs | 5.1 µs | -1.5 µs |
//! | 1152 | 28 × 28 | 6.5 µs | 5.6 µs | -0.5 µs |
//! | 2304 | 14 × 14 | 10.2 µs | 7.1 µs | 1.5 µs |
//! | 4608 | 7 × 7 | 17.5 µs | 10.3 µs | 6 µs |
//!
//! ResNet-18 takes 0.152 ms instead of 0.164, ResNet-34 0.292 instead of 0.320. Results are the same, bit for bit: a
//! change of sign is exact.

use network::{DType, Dim, ElementWiseOperation as E, Error, Layer, Network, Op, TensorId, UnaryOperation, rewrite};
use std::collections::HashSet;

/// Products from which a convolution is faster without the sum.
const LONG: i64 = 2048;

/// Makes differences of the sums that keep long convolutions from the kernels of their GPU.
///
/// # Errors
/// None for a network that verifies.
pub fn differences(network: &Network) -> Result<Network, Error> {
    let uses = network.use_counts();
    let sums: Vec<(&Layer, TensorId)> = network.layers().iter().filter_map(|sum| found(network, sum, &uses)).collect();
    let subtracted: HashSet<TensorId> = sums.iter().map(|(_, y)| *y).collect();
    let changed = |layer: &Layer| sums.iter().find(|(sum, _)| sum.outputs == layer.outputs).map(|(_, y)| *y);
    rewrite(network, |state, layer| {
        if layer.outputs.first().is_some_and(|y| subtracted.contains(y)) {
            let mut inputs = state.inputs(layer)?;
            for constant in inputs[1..].iter_mut().flatten() {
                *constant = state.add(Op::Unary { op: UnaryOperation::Neg }, &[*constant], &layer.origin)?;
            }
            let inputs: Vec<TensorId> = inputs.into_iter().flatten().collect();
            let made = state.add(layer.op.clone(), &inputs, &layer.origin)?;
            state.replace(layer, &[made]);
            return Ok(());
        }
        let (Some(y), Some(a), Some(b)) = (changed(layer), layer.input(0), layer.input(1)) else {
            return state.keep(layer);
        };
        let (other, y) = (state.get(if a == y { b } else { a })?, state.get(y)?);
        let made = state.add(Op::ElementWise { op: E::Sub }, &[other, y], &layer.origin)?;
        state.replace(layer, &[made]);
        Ok(())
    })
}

/// A sum that TensorRT would compute in a long convolution, and that convolution's output.
fn found<'n>(network: &'n Network, sum: &'n Layer, uses: &[u32]) -> Option<(&'n Layer, TensorId)> {
    let (Op::ElementWise { op: E::Sum }, Some(a), Some(b)) = (&sum.op, sum.input(0), sum.input(1)) else { return None };
    // Broadcast sums are told apart from the convolution anyway.
    if a == b
        || network.tensor(a).dims != network.tensor(b).dims
        || network.constant(a).or(network.constant(b)).is_some()
    {
        return None;
    }
    let long = |y: TensorId| {
        let products = products(network, network.producer(y)?)?;
        (uses[y.0 as usize] == 1 && products >= LONG).then_some((products, y))
    };
    let (_, y) = [a, b].into_iter().filter_map(long).max_by_key(|(products, _)| *products)?;
    Some((sum, y))
}

/// How many products of float16 each sum of a convolution with constant weights has.
fn products(network: &Network, layer: &Layer) -> Option<i64> {
    let Op::Convolution(_) = layer.op else { return None };
    let weights = network.tensor(layer.input(1)?);
    let constant = layer.inputs[1..].iter().flatten().all(|id| network.constant(*id).is_some());
    if !constant || weights.dtype != DType::Float16 {
        return None;
    }
    weights.dims[1..].iter().map(Dim::as_static).product()
}
