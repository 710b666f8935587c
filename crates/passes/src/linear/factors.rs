//! A product that transposes a factor has it transposed where the factor is moved anyway.
//!
//! `q · kᵀ` of heads then is `MatrixMultiply` of a key that one `Shuffle` made `[batch, heads, features, tokens]`, as
//! ONNX writes it. TensorRT 8.6 computes attention in that form from query, key and value as they are; where the
//! product transposes, it copies all three first (8 µs a block at batch 32, H200). ONNX has no product that
//! transposes, so that the CPU engine moves the key once instead of twice.

use super::{Uses, shuffle};
use crate::shuffle::Shuffle;
use network::{Error, Layer, MatrixOperation, Network, Op, TensorId, rewrite};
use std::collections::HashMap;

/// A factor as the product reads it: moved once, from what it is made of.
struct Factor {
    index: usize,
    from: TensorId,
    shuffle: Shuffle,
}

/// Moves transposes from products into what moves their factors; `None` where there is none.
///
/// # Errors
/// None for a network that verifies.
pub(super) fn transposed(network: &Network) -> Result<Option<Network>, Error> {
    let uses = Uses::of(network);
    let factors = |layer: &Layer| (0..2).filter_map(|index| find(network, &uses, layer, index)).collect::<Vec<_>>();
    let found = network.layers().iter().filter_map(|layer| Some((*layer.outputs.first()?, factors(layer))));
    let found: HashMap<TensorId, Vec<Factor>> = found.filter(|(_, factors)| !factors.is_empty()).collect();
    if found.is_empty() {
        return Ok(None);
    }
    let made = rewrite(network, |state, layer| {
        let factors = layer.outputs.first().and_then(|y| found.get(y));
        let (Some(factors), Op::MatrixMultiply { op0, op1 }) = (factors, &layer.op) else { return state.keep(layer) };
        let (mut operations, mut inputs) = ([*op0, *op1], state.inputs(layer)?);
        for Factor { index, from, shuffle } in factors {
            let from = state.get(*from)?;
            inputs[*index] = Some(state.add(shuffle.clone().op(), &[from], &layer.origin)?);
            operations[*index] = MatrixOperation::None;
        }
        let [op0, op1] = operations;
        let made = state.new.add(Op::MatrixMultiply { op0, op1 }, &inputs, &layer.origin)?;
        state.replace(layer, &made);
        Ok(())
    });
    made.map(Some)
}

fn find(network: &Network, uses: &Uses<'_>, product: &Layer, index: usize) -> Option<Factor> {
    let Op::MatrixMultiply { op0, op1 } = product.op else { return None };
    if [op0, op1][index] != MatrixOperation::Transpose {
        return None;
    }
    let factor = product.input(index)?;
    uses.only(factor).filter(|layers| layers.len() == 1)?;
    let (moves, from) = shuffle(network.producer(factor)?)?;
    if moves.first.is_none() && moves.second.is_none() {
        return None;
    }
    let (of, dims) = (&network.tensor(from).dims, &network.tensor(factor).dims);
    let rank = dims.len();
    let (mut order, mut to) = ((0..rank).collect::<Vec<_>>(), dims.clone());
    order.swap(rank.checked_sub(2)?, rank - 1);
    to.swap(rank - 2, rank - 1);
    let swap = Shuffle { first: Some(order), ..Shuffle::default() };
    Some(Factor { index, from, shuffle: moves.then(&swap, of, dims, &to)? })
}
