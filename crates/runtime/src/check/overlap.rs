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
    let read = inputs.iter().map(|view| Access { bytes: view.span().bytes, is_written: false });
    let written = outputs.iter().map(|view| Access { bytes: view.span().bytes, is_written: true });
    collide(read.chain(written).collect())
}

/// Memory that a call reads or writes.
#[derive(Clone, Debug)]
pub(super) struct Access {
    /// The addresses.
    pub(super) bytes: Range<usize>,
    pub(super) is_written: bool,
}

/// Whether any bytes that are written belong to two of these.
pub(super) fn collide(mut accesses: Vec<Access>) -> bool {
    accesses.retain(|access| !access.bytes.is_empty());
    accesses.sort_unstable_by_key(|access| access.bytes.start);
    let (mut read_end, mut written_end) = (0, 0);
    for Access { bytes, is_written } in accesses {
        if bytes.start < written_end || (is_written && bytes.start < read_end) {
            return true;
        }
        let end = if is_written { &mut written_end } else { &mut read_end };
        *end = bytes.end.max(*end);
    }
    false
}
