//! Elements of tensors that hold sizes, as far as they are known without running anything.
//!
//! Shape arithmetic is made of ordinary layers; following its elements as expressions is what lets a reshape to
//! a computed shape keep symbolic sizes.

use super::{Inferred, Inputs};
use crate::{Dim, ElementWiseOperation, GatherMode, Op, ReduceOperation, ReshapeDim};

/// Longer tensors are data, not sizes.
const MAX_ELEMENTS: i64 = 64;

pub(super) fn propagate(op: &Op, inputs: Inputs<'_>, output: &Inferred) -> Option<Vec<Dim>> {
    let count = Dim::product(&output.dims).as_static()?;
    if !output.dtype.is_index() || output.dims.len() > 1 || count > MAX_ELEMENTS {
        return None;
    }
    let value = |index: usize| inputs.optional(index).and_then(|i| i.value.map(<[Dim]>::to_vec));
    match op {
        Op::Constant(w) => Some(w.to_i64()?.into_iter().map(Dim::Static).collect()),
        Op::Shape => Some(inputs.optional(0)?.dims.to_vec()),
        Op::Cast { .. } | Op::Identity | Op::Squeeze { .. } | Op::Unsqueeze { .. } => value(0),
        Op::Shuffle { reshape, .. } => reshape.iter().flatten().all(|d| *d != ReshapeDim::Copy).then(|| value(0))?,
        Op::Concatenation { .. } => {
            let parts: Option<Vec<_>> = (0..inputs.0.len()).map(value).collect();
            Some(parts?.concat())
        }
        Op::Gather { mode: GatherMode::Default, axis: 0, elementwise_dims: 0 } => {
            let data = value(0)?;
            let pick = |d: &Dim| {
                let n = d.as_static()?;
                data.get(usize::try_from(if n < 0 { n + data.len() as i64 } else { n }).ok()?).cloned()
            };
            value(1)?.iter().map(pick).collect()
        }
        Op::Slice { start, stride, .. } if inputs.0.len() == 1 => {
            let data = value(0)?;
            let (start, stride) = (*start.first()?, *stride.first()?);
            let at = |k: i64| data.get(usize::try_from(k.checked_mul(stride)?.checked_add(start)?).ok()?).cloned();
            (0..count).map(at).collect()
        }
        Op::Reduce { op, axes, .. } if axes.as_slice() == [0] => {
            let fold: fn(Dim, &Dim) -> Dim = match op {
                ReduceOperation::Prod => |a, b| a * b.clone(),
                ReduceOperation::Sum => |a, b| a + b.clone(),
                ReduceOperation::Max => |a, b| a.larger(b),
                ReduceOperation::Min => |a, b| a.smaller(b),
                ReduceOperation::Avg => return None,
            };
            let data = value(0)?;
            let (first, rest) = data.split_first()?;
            Some(vec![rest.iter().fold(first.clone(), fold)])
        }
        Op::ElementWise { op } => elementwise(*op, &value(0)?, &value(1)?, usize::try_from(count).ok()?),
        _ => None,
    }
}

fn elementwise(op: ElementWiseOperation, a: &[Dim], b: &[Dim], count: usize) -> Option<Vec<Dim>> {
    let at = |v: &[Dim], k: usize| v.get(if v.len() == 1 { 0 } else { k }).cloned();
    (0..count)
        .map(|k| {
            let (a, b) = (at(a, k)?, at(b, k)?);
            Some(match op {
                ElementWiseOperation::Sum => a + b,
                ElementWiseOperation::Sub => a - b,
                ElementWiseOperation::Prod => a * b,
                ElementWiseOperation::FloorDiv if !b.is(0) => a.floor_div(&b),
                ElementWiseOperation::Max => a.larger(&b),
                ElementWiseOperation::Min => a.smaller(&b),
                _ => return None,
            })
        })
        .collect()
}
