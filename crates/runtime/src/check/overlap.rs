//! Whether tensors of a call share memory, for calls with many outputs.
//!
//! It must not know names: where it finds that some overlap, the caller looks for the pair.

use crate::{TensorView, TensorViewMut};
use std::ops::Range;

/// So many outputs are compared pair by pair without allocating.
const FEW_OUTPUTS: usize = 8;

/// Whether an output may share bytes with another tensor of the call. Many outputs are sorted by address first: pairs
/// of 5,000 take longer than most models.
pub(super) fn may_overlap(inputs: &[TensorView<'_>], outputs: &[TensorViewMut<'_>]) -> bool {
    if outputs.len() <= FEW_OUTPUTS {
        return true;
    }
    let read = inputs.iter().map(|view| (view.span().bytes, false));
    let written = outputs.iter().map(|view| (view.span().bytes, true));
    collide(read.chain(written).collect())
}

/// Whether any bytes that are written belong to two of these, which are addresses and whether they are written.
pub(super) fn collide(mut spans: Vec<(Range<usize>, bool)>) -> bool {
    spans.retain(|(bytes, _)| !bytes.is_empty());
    spans.sort_unstable_by_key(|(bytes, _)| bytes.start);
    let (mut read_end, mut written_end) = (0, 0);
    for (bytes, is_written) in spans {
        if bytes.start < written_end || (is_written && bytes.start < read_end) {
            return true;
        }
        let end = if is_written { &mut written_end } else { &mut read_end };
        *end = bytes.end.max(*end);
    }
    false
}
