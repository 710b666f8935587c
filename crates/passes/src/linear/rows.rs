//! Transposes of rows come after the linear layer.

use super::{Linear, Uses, shuffle};
use crate::shuffle::{Shuffle, express, last_axes, permuted};
use network::{Dim, Error, Network, Op, TensorId, Weights, rewrite};
use std::collections::HashMap;

/// A linear layer whose rows are moved before it.
struct Moved<'a> {
    linear: Linear<'a>,
    /// What the rows are moved of.
    from: TensorId,
    /// What makes rows of it in the order in which they are.
    before: Option<Shuffle>,
    /// What moves the rows of the results.
    after: Shuffle,
}

/// Moves the rows of the results instead of the rows of the input, where what follows moves elements too; `None` where
/// there is nothing to move.
///
/// # Errors
/// None for a network that verifies.
pub(super) fn moved(network: &Network) -> Result<Option<Network>, Error> {
    let (uses, next) = (Uses::of(network), network.sole_uses());
    let linear = network.layers().iter().filter_map(|layer| Linear::find(network, layer, &next));
    let found: HashMap<TensorId, Moved<'_>> =
        linear.filter_map(|linear| Some((linear.end, find(network, &uses, linear)?))).collect();
    if found.is_empty() {
        return Ok(None);
    }
    let made = rewrite(network, |state, layer| {
        let Some(moved) = layer.outputs.first().and_then(|end| found.get(end)) else { return state.keep(layer) };
        let Linear { product, weights, bias, end, .. } = moved.linear;
        let mut x = state.get(moved.from)?;
        if let Some(shuffle) = &moved.before {
            x = state.add(shuffle.clone().op(), &[x], &product.origin)?;
        }
        let rank = state.tensor(x).dims.len();
        let factor = state.add(Op::Constant(of_rank(weights, rank)), &[], &product.origin)?;
        let mut y = state.add(product.op.clone(), &[x, factor], &product.origin)?;
        if let Some((sum, bias)) = bias {
            let bias = state.add(Op::Constant(of_rank(bias, rank)), &[], &sum.origin)?;
            y = state.add(sum.op.clone(), &[y, bias], &sum.origin)?;
        }
        let y = state.add(moved.after.clone().op(), &[y], &layer.origin)?;
        state.set(end, y);
        Ok(())
    });
    made.map(Some)
}

/// The same elements with another number of leading axes of size 1.
fn of_rank(weights: &Weights, rank: usize) -> Weights {
    let wide: Vec<i64> = weights.dims.iter().copied().skip_while(|n| *n == 1).collect();
    let mut dims = vec![1; rank.saturating_sub(wide.len())];
    dims.extend(wide);
    Weights { dims, ..weights.clone() }
}

fn find<'a>(network: &'a Network, uses: &Uses<'_>, linear: Linear<'a>) -> Option<Moved<'a>> {
    if !uses.only(linear.end)?.iter().all(|layer| shuffle(layer).is_some()) {
        return None;
    }
    let (moves, from) = shuffle(network.producer(linear.x)?)?;
    let (of, x) = (&network.tensor(from).dims, &network.tensor(linear.x).dims);
    if moves.second.is_some() {
        return None;
    }
    let order = moves.first.clone()?;
    let features = x.last()?.as_static()?;
    // The others make up the features.
    let (rows, columns) = order.split_at(last_axes(order.iter().map(|axis| &of[*axis]), features)?);
    let mut sorted = rows.to_vec();
    sorted.sort_unstable();
    if sorted == rows {
        return None;
    }
    // Where each of the rows' axes is among those in order.
    let after = rows.iter().filter_map(|axis| sorted.binary_search(axis).ok()).chain([rows.len()]).collect::<Vec<_>>();
    let results = Dim::Static(linear.results());
    let mut to = x.clone();
    *to.last_mut()? = results.clone();
    let of_rows = |last: Dim| sorted.iter().map(|axis| of[*axis].clone()).chain([last]).collect::<Vec<Dim>>();
    let (before, made) = (of_rows(Dim::Static(features)), of_rows(results));
    let mut first = sorted.clone();
    first.extend(columns);
    let reshape = Some(express(&permuted(of, Some(&first)), &before)?);
    let is_there = first.is_sorted() && *of == before;
    let shuffle = Shuffle { first: Some(first), reshape, second: None };
    let reshape = express(&permuted(&made, Some(&after)), &to)?;
    Some(Moved {
        linear,
        from,
        before: (!is_there).then_some(shuffle.normal(of, &before)),
        after: Shuffle { first: Some(after), reshape: Some(reshape), second: None }.normal(&made, &to),
    })
}
