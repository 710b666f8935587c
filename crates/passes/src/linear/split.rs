//! A linear layer whose results are split becomes one for each part.

use super::{Linear, Uses, shuffle};
use crate::shuffle::{Shuffle, express, invert, last_axes};
use network::{Dim, Error, Layer, Network, Op, TensorId, Weights, rewrite};
use std::collections::HashMap;

/// Which of a linear layer's results a part has: the numbers whose digit is in a range.
#[derive(Clone, Copy, PartialEq)]
struct Digits {
    /// Number of digits above.
    outer: usize,
    size: usize,
    /// Number of digits below.
    inner: usize,
    start: usize,
    count: usize,
}

impl Digits {
    fn is_like(&self, other: &Self) -> bool {
        (self.outer, self.size, self.inner) == (other.outer, other.size, other.inner)
    }

    /// Elements of a constant along an axis; bytes that lie together are shared.
    fn of(&self, weights: &Weights, axis: usize) -> Weights {
        let below: usize = weights.dims[axis + 1..].iter().map(|n| *n as usize).product();
        let digit = self.inner * below * weights.dtype.size();
        let all: usize = weights.dims[..axis].iter().map(|n| *n as usize).product::<usize>() * self.outer;
        let part = |k: usize| (k * self.size + self.start) * digit..(k * self.size + self.start + self.count) * digit;
        let mut dims = weights.dims.clone();
        dims[axis] = (self.outer * self.count * self.inner) as i64;
        let data = if all == 1 {
            weights.data.slice(part(0))
        } else {
            (0..all).flat_map(|k| &weights.data[part(k)]).copied().collect::<Vec<u8>>().into()
        };
        Weights { dtype: weights.dtype, dims, data }
    }
}

/// A part of a linear layer's results.
struct Part<'a> {
    linear: Linear<'a>,
    digits: Digits,
    shuffle: Option<Shuffle>,
}

/// Splits linear layers whose results are split and moved; `None` where there is none.
///
/// # Errors
/// None for a network that verifies.
pub(super) fn apart(network: &Network) -> Result<Option<Network>, Error> {
    let (uses, next) = (Uses::of(network), network.sole_uses());
    let mut parts: HashMap<TensorId, Part<'_>> = HashMap::new();
    for linear in network.layers().iter().filter_map(|layer| Linear::find(network, layer, &next)) {
        parts.extend(find(network, &uses, linear).unwrap_or_default());
    }
    if parts.is_empty() {
        return Ok(None);
    }
    let made = rewrite(network, |state, layer| {
        let Some(part) = layer.outputs.first().and_then(|y| parts.get(y)) else { return state.keep(layer) };
        let Linear { product, x, weights, transposed, bias, .. } = part.linear;
        let rank = weights.dims.len();
        let axis = if transposed { rank - 2 } else { rank - 1 };
        let x = state.get(x)?;
        let weights = state.add(Op::Constant(part.digits.of(weights, axis)), &[], &product.origin)?;
        let mut y = state.add(product.op.clone(), &[x, weights], &product.origin)?;
        if let Some((sum, bias)) = bias {
            let bias = part.digits.of(bias, bias.dims.len() - 1);
            let bias = state.add(Op::Constant(bias), &[], &sum.origin)?;
            y = state.add(sum.op.clone(), &[y, bias], &sum.origin)?;
        }
        if let Some(shuffle) = &part.shuffle {
            y = state.add(shuffle.clone().op(), &[y], &layer.origin)?;
        }
        state.replace(layer, &[y]);
        Ok(())
    });
    made.map(Some)
}

/// The parts of a linear layer, by what they are in the network; `None` where something needs the results whole, or
/// where nothing is moved.
fn find<'a>(network: &'a Network, uses: &Uses<'a>, linear: Linear<'a>) -> Option<Vec<(TensorId, Part<'a>)>> {
    let mut takers = uses.only(linear.end)?;
    let moved = match takers {
        [one] => shuffle(one).map(|(moved, _)| (*one, moved)),
        _ => None,
    };
    if let Some((layer, _)) = &moved {
        takers = uses.only(*layer.outputs.first()?)?;
    }
    let mut parts = Vec::new();
    for taker in takers {
        let (digits, shuffle) = match &moved {
            None => (direct(network, linear, taker)?, None),
            Some((layer, moved)) => through(network, linear, (layer, moved), taker)?,
        };
        let is_moved = shuffle.as_ref().is_some_and(moves) || is_moved_next(network, uses, taker);
        if !is_moved {
            return None;
        }
        parts.push((*taker.outputs.first()?, Part { linear, digits, shuffle }));
    }
    parts.sort_by_key(|(_, part)| part.digits.start);
    let apart = parts.windows(2).all(|pair| {
        let (a, b) = (&pair[0].1.digits, &pair[1].1.digits);
        a.is_like(b) && a.start + a.count <= b.start
    });
    (parts.len() > 1 && apart).then_some(parts)
}

fn moves(shuffle: &Shuffle) -> bool {
    shuffle.first.is_some() || shuffle.second.is_some()
}

fn is_moved_next(network: &Network, uses: &Uses<'_>, layer: &Layer) -> bool {
    let next = layer.outputs.first().and_then(|y| uses.layers.get(y));
    let moved = |layer: &&Layer| shuffle(layer).is_some_and(|(s, x)| moves(&s) && network.constant(x).is_none());
    next.is_some_and(|layers| layers.iter().any(moved))
}

/// A slice of the results themselves.
fn direct(network: &Network, linear: Linear<'_>, taker: &Layer) -> Option<Digits> {
    let Taken { axis, start, count } = taken(network, taker)?;
    let size = usize::try_from(linear.results()).ok()?;
    let rank = network.tensor(linear.end).dims.len();
    (axis + 1 == rank).then_some(Digits { outer: 1, size, inner: 1, start, count })
}

/// A part of the shuffled results, and the shuffle of that part.
fn through(
    network: &Network,
    linear: Linear<'_>,
    (layer, moved): (&Layer, &Shuffle),
    taker: &Layer,
) -> Option<(Digits, Option<Shuffle>)> {
    let (from, to) = (&network.tensor(linear.end).dims, &network.tensor(*layer.outputs.first()?).dims);
    if moved.first.as_ref().is_some_and(|order| order.last() != Some(&(from.len() - 1))) {
        return None;
    }
    let between = invert(moved.second.as_deref(), to);
    // The last axis was reshaped to these and the following ones.
    let columns = last_axes(between.iter(), linear.results())?;
    let Taken { axis, start, count } = taken(network, taker)?;
    let axis = moved.second.as_ref().map_or(axis, |order| order[axis]);
    let sizes = |dims: &[Dim]| dims.iter().map(|n| usize::try_from(n.as_static()?).ok()).product::<Option<usize>>();
    let digits = Digits {
        outer: sizes(between.get(columns..axis)?)?,
        size: sizes(&between[axis..=axis])?,
        inner: sizes(&between[axis + 1..])?,
        start,
        count,
    };
    let mut part = from.clone();
    *part.last_mut()? = Dim::Static((digits.outer * count * digits.inner) as i64);
    let (mut between, mut second) = (between, moved.second.clone());
    if matches!(taker.op, Op::Gather { .. }) {
        between.remove(axis);
        second = second.map(|order| order.iter().filter(|k| **k != axis).map(|k| k - usize::from(*k > axis)).collect());
    } else {
        between[axis] = Dim::Static(count as i64);
    }
    let reshape = express(&moved.after_first(&part), &between)?;
    let to = &network.tensor(*taker.outputs.first()?).dims;
    let shuffle = Shuffle { first: moved.first.clone(), reshape: Some(reshape), second }.normal(&part, to);
    Some((digits, (!shuffle.is_identity()).then_some(shuffle)))
}

/// Positions along an axis.
struct Taken {
    axis: usize,
    start: usize,
    count: usize,
}

/// What a layer takes of its first input: a range of positions along one axis. One position of a Gather removes the
/// axis.
fn taken(network: &Network, layer: &Layer) -> Option<Taken> {
    let (x, y) = (&network.tensor(layer.input(0)?).dims, &network.tensor(*layer.outputs.first()?).dims);
    let (axis, start, count) = match &layer.op {
        Op::Gather { mode: network::GatherMode::Default, axis, .. } => {
            let index = network.constant(layer.input(1)?)?;
            (*axis, index.to_f64().first().copied().filter(|_| index.dims.is_empty())? as i64, 1)
        }
        Op::Slice { start, stride, .. } if layer.input(1).is_none() && layer.input(3).is_none() => {
            let mut cut = (0..x.len()).filter(|k| x[*k] != y[*k]);
            let (axis, None) = (cut.next()?, cut.next()) else { return None };
            let whole = |k: usize| k == axis || start[k] == 0;
            if !(stride.iter().all(|n| *n == 1) && (0..x.len()).all(whole)) {
                return None;
            }
            (axis, start[axis], y[axis].as_static()?)
        }
        _ => return None,
    };
    let size = x[axis].as_static()?;
    (0 <= start && start + count <= size).then_some(Taken { axis, start: start as usize, count: count as usize })
}
