//! Rows that are multiplied by a number before they are moved are multiplied after it.
//!
//! Attention with a mask multiplies the results of queries that attend to nothing by zero. TensorRT 8.6 computes it in
//! one kernel where the heads are joined first, and does so where nothing stands in between.

use super::{Linear, Uses, shuffle};
use crate::shuffle::{Shuffle, express, permuted};
use network::{Dim, ElementWiseOperation, Error, Layer, Network, Op, TensorId, rewrite};
use std::collections::HashMap;

/// Rows that are multiplied, and then moved to be those of a linear layer.
struct Scaled<'a> {
    /// What multiplies them.
    product: &'a Layer,
    /// The rows before.
    rows: TensorId,
    /// One number a row.
    scale: TensorId,
    /// What moves the numbers as the rows are moved.
    moves: Shuffle,
    /// The rows as the linear layer reads them.
    moved: TensorId,
}

/// Multiplies rows behind what moves them; `None` where there is nothing to do.
///
/// # Errors
/// None for a network that verifies.
pub(super) fn behind(network: &Network) -> Result<Option<Network>, Error> {
    let (uses, next) = (Uses::of(network), network.sole_uses());
    let linear = network.layers().iter().filter_map(|layer| Linear::find(network, layer, &next));
    let found: Vec<Scaled<'_>> = linear.filter_map(|linear| find(network, &uses, linear)).collect();
    if found.is_empty() {
        return Ok(None);
    }
    let found: HashMap<TensorId, Scaled<'_>> = found.into_iter().map(|scaled| (scaled.moved, scaled)).collect();
    let made = rewrite(network, |state, layer| {
        let scaled = layer.outputs.first().and_then(|output| found.get(output));
        let Some(Scaled { product, rows, scale, moves, moved }) = scaled else { return state.keep(layer) };
        let rows = state.get(*rows)?;
        let rows = state.add(layer.op.clone(), &[rows], &layer.origin)?;
        let scale = state.get(*scale)?;
        let scale = state.add(moves.clone().op(), &[scale], &product.origin)?;
        let scaled = state.add(product.op.clone(), &[rows, scale], &product.origin)?;
        state.set(*moved, scaled);
        Ok(())
    });
    made.map(Some)
}

fn find<'a>(network: &'a Network, uses: &Uses<'_>, linear: Linear<'_>) -> Option<Scaled<'a>> {
    uses.only(linear.x).filter(|layers| layers.len() == 1)?;
    let (moves, product) = shuffle(network.producer(linear.x)?)?;
    uses.only(product).filter(|layers| layers.len() == 1)?;
    let (of, to) = (&network.tensor(product).dims, &network.tensor(linear.x).dims);
    let product = network.producer(product)?;
    let (Op::ElementWise { op: ElementWiseOperation::Prod }, [Some(a), Some(b)], None) =
        (&product.op, product.inputs.as_slice(), &moves.second)
    else {
        return None;
    };
    let is_whole = |id: &TensorId| network.tensor(*id).dims == *of;
    let (rows, scale) = if is_whole(a) { (*a, *b) } else { (*b, *a) };
    let numbers = &network.tensor(scale).dims;
    // A constant is the scale of a projection, which other passes fold.
    if !is_whole(&rows) || is_whole(&scale) || network.constant(scale).is_some() {
        return None;
    }
    // The axes that make up the features have one number, the others stay as they are, but for axes of size 1.
    let order = moves.first.clone().unwrap_or_else(|| (0..of.len()).collect());
    let (features, to_rows) = to.split_last()?;
    let mut axes = order.iter().copied().filter(|axis| !of[*axis].is(1));
    let mut of_rows = Vec::with_capacity(to.len());
    for size in to_rows {
        let axis = if size.is(1) { None } else { Some(axes.next().filter(|axis| of[*axis] == *size)?) };
        of_rows.push(axis.map_or(Dim::Static(1), |axis| numbers[axis].clone()));
    }
    of_rows.push(Dim::Static(1));
    let columns: Vec<usize> = axes.collect();
    let is_one = columns.iter().all(|axis| numbers[*axis].is(1));
    if !is_one || Dim::product(columns.iter().map(|axis| &of[*axis])) != *features {
        return None;
    }
    let reshape = express(&permuted(numbers, Some(&order)), &of_rows)?;
    let moves = Shuffle { first: Some(order), reshape: Some(reshape), second: None }.normal(numbers, &of_rows);
    Some(Scaled { product, rows, scale, moves, moved: linear.x })
}
