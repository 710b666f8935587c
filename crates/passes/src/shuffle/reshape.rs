//! Reshapes: the entries that describe one, with sizes that are symbols.

use network::{Dim, ReshapeDim};

/// The entries that reshape `from` to `to`. A size that is not a number must be that of the same axis, or be the
/// only one left to infer.
pub(crate) fn express(from: &[Dim], to: &[Dim]) -> Option<Vec<ReshapeDim>> {
    let mut open = 0;
    let entries: Vec<ReshapeDim> = to
        .iter()
        .enumerate()
        .map(|(k, dim)| match dim {
            Dim::Static(n) => ReshapeDim::Is(*n),
            dim if from.get(k) == Some(dim) => ReshapeDim::Copy,
            Dim::Symbolic(_) => {
                open += 1;
                ReshapeDim::Infer
            }
        })
        .collect();
    // With an empty axis next to it, nothing can be inferred.
    let empty = entries.contains(&ReshapeDim::Is(0));
    (open == 0 || (open == 1 && !empty && infers(from, to, &entries))).then_some(entries)
}

/// Whether inference would find for the open entry what is wanted.
fn infers(from: &[Dim], to: &[Dim], entries: &[ReshapeDim]) -> bool {
    let Some(open) = entries.iter().position(|e| *e == ReshapeDim::Infer) else { return true };
    let rest: Vec<&Dim> = to.iter().enumerate().filter(|(k, _)| *k != open).map(|(_, d)| d).collect();
    Dim::product(from).floor_div(&Dim::product(rest)) == to[open]
}

/// The first of the axes at the end that have `count` elements together; `None` where no such axes are there.
pub(crate) fn last_axes<'a>(
    dims: impl DoubleEndedIterator<Item = &'a Dim> + ExactSizeIterator,
    count: i64,
) -> Option<usize> {
    let (mut product, mut first) = (1, dims.len());
    let mut dims = dims.rev();
    while product != count {
        product *= dims.next()?.as_static()?;
        first -= 1;
    }
    Some(first)
}
