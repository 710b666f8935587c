//! Two shuffles as one, by the digits of the axes.
//!
//! An axis of 768 that is reshaped to 12 × 64 has two digits. Transposes and reshapes move digits and never mix them,
//! so that a chain of them is known by where each digit comes from. One `Shuffle` has one reshape: it can take digits
//! apart and then move them, or move axes and then join them.

use super::Shuffle;
use super::permutation::{inverse, invert, permuted};
use super::reshape::express;
use network::Dim;

/// A part of an axis of the input: `position / stride % size`.
#[derive(Clone, Debug, PartialEq)]
struct Digit {
    axis: usize,
    stride: i64,
    size: Dim,
}

/// The digits of each axis, the most significant first; axes of size 1 have none.
type Axes = Vec<Vec<Digit>>;

/// `one`, then `next`, as one shuffle; `None` where that takes two. `from`, `middle` and `to` are the sizes before,
/// between and after.
pub(super) fn joined(one: &Shuffle, next: &Shuffle, from: &[Dim], middle: &[Dim], to: &[Dim]) -> Option<Shuffle> {
    if [from, middle, to].into_iter().flatten().any(|size| size.is(0)) {
        return None;
    }
    let digit = |(axis, size): (usize, &Dim)| Digit { axis, stride: 1, size: size.clone() };
    let start = from.iter().enumerate().map(|pair| if pair.1.is(1) { vec![] } else { vec![digit(pair)] }).collect();
    let between = moved(moved(start, one, middle)?, next, to)?;
    taken_apart(&between, from, to).or_else(|| put_together(&between, from, to))
}

/// What a shuffle makes of the digits; `to` are the sizes after it.
fn moved(axes: Axes, shuffle: &Shuffle, to: &[Dim]) -> Option<Axes> {
    let axes = permuted(&axes, shuffle.first.as_deref());
    if shuffle.reshape.is_none() {
        return Some(permuted(&axes, shuffle.second.as_deref()));
    }
    let sizes = invert(shuffle.second.as_deref(), to);
    // The last digit is on top.
    let mut rest: Vec<Digit> = axes.into_iter().flatten().rev().collect();
    let axes = sizes.iter().map(|size| taken(&mut rest, size)).collect::<Option<Axes>>()?;
    rest.is_empty().then(|| permuted(&axes, shuffle.second.as_deref()))
}

/// Takes the digits of an axis of this size from the front, splitting the last one where that is needed.
fn taken(rest: &mut Vec<Digit>, size: &Dim) -> Option<Vec<Digit>> {
    let (mut axis, mut product) = (Vec::new(), Dim::Static(1));
    while product != *size {
        let digit = rest.pop()?;
        let all = Dim::product([&product, &digit.size]);
        let wanted = size.as_static().zip(product.as_static()).map(|(size, product)| size / product);
        match (wanted, digit.size.as_static()) {
            (Some(wanted), Some(n)) if n > wanted && n % wanted == 0 => {
                let low = Digit { size: Dim::Static(n / wanted), ..digit };
                let high = Digit { stride: digit.stride * (n / wanted), size: Dim::Static(wanted), ..digit };
                rest.push(low);
                axis.push(high);
                product = size.clone();
            }
            (Some(wanted), Some(n)) if wanted % n != 0 => return None,
            _ => {
                axis.push(digit);
                product = all;
            }
        }
    }
    Some(axis)
}

/// A reshape to the axes of `to`, in the order of the input, then a transpose.
fn taken_apart(axes: &Axes, from: &[Dim], to: &[Dim]) -> Option<Shuffle> {
    let place = |digit: &Digit| (digit.axis, -digit.stride);
    let mut order: Vec<usize> = (0..to.len()).filter(|k| !axes[*k].is_empty()).collect();
    order.sort_by_key(|k| axes[*k].first().map(place));
    let digits: Vec<_> = order.iter().flat_map(|k| axes[*k].iter().map(place)).collect();
    if !digits.is_sorted() {
        return None;
    }
    order.extend((0..to.len()).filter(|k| axes[*k].is_empty()));
    let reshape = express(from, &permuted(to, Some(&order)))?;
    Some(Shuffle { first: None, reshape: Some(reshape), second: Some(inverse(&order)) }.normal(from, to))
}

/// A transpose of the input's axes, then a reshape to `to`.
fn put_together(axes: &Axes, from: &[Dim], to: &[Dim]) -> Option<Shuffle> {
    let digits: Vec<&Digit> = axes.iter().flatten().collect();
    let mut first: Vec<usize> = Vec::new();
    for pair in digits.chunk_by(|a, b| a.axis == b.axis) {
        if first.contains(&pair[0].axis) || !pair.is_sorted_by_key(|digit| -digit.stride) {
            return None;
        }
        first.push(pair[0].axis);
    }
    let rest: Vec<usize> = (0..from.len()).filter(|axis| !first.contains(axis)).collect();
    first.extend(rest);
    let reshape = express(&permuted(from, Some(&first)), to)?;
    Some(Shuffle { first: Some(first), reshape: Some(reshape), second: None }.normal(from, to))
}
