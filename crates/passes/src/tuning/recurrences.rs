//! Unrolled recurrences of one row become recurrences of two, for TensorRT-RTX.
//!
//! RTX fuses a matrix multiplication of one row with the elementwise layers around it. In an unrolled LSTM or GRU of
//! batch 1 every step reads the state of the step before it several times, and the fused kernels compute it each time:
//! the time of a build grows exponentially with the number of steps. RTX 1.7, an LSTM of 5 hidden values: 4 steps 2 s,
//! 8 steps 58 s; with two rows 0.5 and 0.9 s. Multiplications of two rows are not fused in that way. The second row
//! repeats the first, and is dropped from the result.

use network::{Dim, Error, Layer, MatrixOperation, Network, Op, TensorId, rewrite};
use std::collections::HashMap;

/// Multiplications that share their weights, from which on they are taken for the steps of a recurrence.
const STEPS: usize = 2;

/// Gives the steps of unrolled recurrences a second row.
///
/// # Errors
/// None for a network that verifies.
pub fn recurrences(network: &Network) -> Result<Network, Error> {
    let mut steps: HashMap<TensorId, usize> = HashMap::new();
    for weights in network.layers().iter().filter_map(|layer| weights_of_one_row(network, layer)) {
        *steps.entry(weights).or_default() += 1;
    }
    rewrite(network, |state, layer| {
        let is_step =
            weights_of_one_row(network, layer).is_some_and(|weights| steps.get(&weights).is_some_and(|n| *n >= STEPS));
        let (true, Some(output)) = (is_step, layer.outputs.first()) else { return state.keep(layer) };
        let inputs: Vec<TensorId> = state.inputs(layer)?.into_iter().flatten().collect();
        let [x, weights] = inputs[..] else { return state.keep(layer) };
        let axis = state.tensor(x).dims.len() - 2;
        let two = state.add(Op::Concatenation { axis }, &[x, x], &layer.origin)?;
        let product = state.add(layer.op.clone(), &[two, weights], &layer.origin)?;
        let size: Option<Vec<i64>> = network.tensor(*output).dims.iter().map(Dim::as_static).collect();
        let size = size.unwrap_or_default();
        let slice = Op::Slice { start: vec![0; size.len()], stride: vec![1; size.len()], size, mode: STRICT };
        let row = state.add(slice, &[product], &layer.origin)?;
        state.set(*output, row);
        Ok(())
    })
}

const STRICT: network::SampleMode = network::SampleMode::StrictBounds;

/// The constant weights of a matrix multiplication of one row.
fn weights_of_one_row(network: &Network, layer: &Layer) -> Option<TensorId> {
    let Op::MatrixMultiply { op0: MatrixOperation::None, .. } = layer.op else { return None };
    let (x, weights) = (layer.input(0)?, layer.input(1)?);
    network.constant(weights)?;
    let (_, rows) = network.tensor(x).dims.split_last()?;
    let is_row = !rows.is_empty() && rows.iter().all(|size| *size == Dim::Static(1));
    (is_row && network.constant(x).is_none()).then_some(weights)
}
