//! Permutations of axes.

use network::Dim;

/// One permutation after another.
pub(super) fn chain(first: Option<Vec<usize>>, second: Option<Vec<usize>>) -> Option<Vec<usize>> {
    match (first, second) {
        (Some(a), Some(b)) => Some(b.iter().map(|k| a[*k]).collect()),
        (a, b) => a.or(b),
    }
}

/// The sizes, or what else each axis has, after a permutation.
pub(crate) fn permuted<T: Clone>(dims: &[T], order: Option<&[usize]>) -> Vec<T> {
    order.map_or_else(|| dims.to_vec(), |order| order.iter().map(|k| dims[*k].clone()).collect())
}

/// The permutation that undoes one.
pub(super) fn inverse(order: &[usize]) -> Vec<usize> {
    let mut back = vec![0; order.len()];
    for (k, from) in order.iter().enumerate() {
        back[*from] = k;
    }
    back
}

/// A permutation that moves the wider axes of `from` as `order` does. Axes of size 1 stay first or last, or before
/// the wider axis that they were before.
pub(super) fn ones_stay(order: &[usize], from: &[Dim]) -> Vec<usize> {
    let mut stay = Vec::with_capacity(order.len());
    let first = from.iter().take_while(|d| d.is(1)).count();
    stay.extend(0..first);
    for wide in order.iter().copied().filter(|k| !from[*k].is(1)) {
        let ones = from[first..wide].iter().rev().take_while(|d| d.is(1)).count();
        stay.extend(wide - ones..=wide);
    }
    let last = from[first..].iter().rev().take_while(|d| d.is(1)).count();
    stay.extend(from.len() - last..from.len());
    stay
}

/// The sizes before a permutation, given those after it.
pub(crate) fn invert(order: Option<&[usize]>, after: &[Dim]) -> Vec<Dim> {
    permuted(after, order.map(inverse).as_deref())
}

/// Whether the elements keep their order: the axes of more than one element do.
pub(super) fn moves_only_ones(order: Option<&[usize]>, from: &[Dim]) -> bool {
    let Some(order) = order else { return true };
    order.iter().filter(|k| !from[**k].is(1)).is_sorted()
}
