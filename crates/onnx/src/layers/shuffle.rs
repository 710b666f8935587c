//! Layers that rearrange without reading outside: shuffle, concatenation, squeeze, unsqueeze, shape.

use crate::Result;
use crate::graph::Value;
use crate::scope::Scope;
use crate::state::Size;
use network::{DType, Dim, ReshapeDim};

pub(super) fn shuffle(
    s: &mut Scope<'_, '_>,
    first: Option<&[usize]>,
    reshape: Option<&[ReshapeDim]>,
    second: Option<&[usize]>,
) -> Result<Value> {
    let (x, dims, output) = (s.input(0)?, s.dims(0)?, &s.output()?.dims);
    let moved = transpose(s, x, first);
    let from: Vec<Dim> = permuted(dims, first);
    // The sizes between reshape and second transpose.
    let mut to = output.clone();
    for (k, axis) in second.unwrap_or_default().iter().enumerate() {
        to[*axis] = output[k].clone();
    }
    let shaped = match (s.reshape(moved, &from, &to), s.optional(1)?) {
        (Some(value), _) => value,
        (None, Some(_)) => {
            let shape = s.int64(1)?;
            s.op("Reshape", &[moved, shape], &[("allowzero", 1i64.into())])
        }
        (None, None) => by_attribute(s, moved, &from, reshape.unwrap_or_default())?,
    };
    Ok(transpose(s, shaped, second))
}

fn transpose(s: &mut Scope<'_, '_>, x: Value, order: Option<&[usize]>) -> Value {
    match order {
        Some(order) if order.iter().enumerate().any(|(k, axis)| k != *axis) => {
            let order: Vec<i64> = order.iter().map(|k| *k as i64).collect();
            s.main("Transpose", &[x], &[("perm", order.into())])
        }
        _ => x,
    }
}

fn permuted(dims: &[Dim], order: Option<&[usize]>) -> Vec<Dim> {
    order.map_or(dims.to_vec(), |order| order.iter().map(|k| dims[*k].clone()).collect())
}

/// The reshape's own entries, where the sizes do not follow from the input: next to a size of zero, or several that
/// are copied although they may be zero.
fn by_attribute(s: &mut Scope<'_, '_>, x: Value, from: &[Dim], entries: &[ReshapeDim]) -> Result<Value> {
    let copied = s.entries_of(x, from);
    let sizes = entries.iter().enumerate().map(|(k, entry)| match entry {
        ReshapeDim::Is(n) => Some(Size::Is(*n)),
        ReshapeDim::Copy => copied.get(k).copied(),
        ReshapeDim::Infer => None,
    });
    match sizes.collect::<Option<Vec<_>>>() {
        Some(sizes) => Ok(s.reshape_to(x, &sizes)),
        None if entries.contains(&ReshapeDim::Is(0)) => {
            Err(s.unsupported("a size is left open where another is 0", "give the size that is left open"))
        }
        None => Ok(with_open_size(s, x, &copied, entries)),
    }
}

/// A reshape that leaves one size open next to copied ones, any of which may be zero, so that dividing the number of
/// elements does not find it: it is the product of the sizes that are not copied.
fn with_open_size(s: &mut Scope<'_, '_>, x: Value, copied: &[Size], entries: &[ReshapeDim]) -> Value {
    let is_copied = |k: usize| entries.get(k) == Some(&ReshapeDim::Copy);
    let rest: Vec<Size> = copied.iter().enumerate().filter(|(k, _)| !is_copied(*k)).map(|(_, size)| *size).collect();
    let fixed: i64 = entries.iter().map(|entry| if let ReshapeDim::Is(n) = entry { *n } else { 1 }).product();
    let (rest, fixed) = (s.sizes(&rest), s.ints(&[fixed]));
    let rest = s.op("ReduceProd", &[rest], &[]);
    let open = s.op("Div", &[rest, fixed], &[]);
    let mut parts = Vec::with_capacity(entries.len());
    for (k, entry) in entries.iter().enumerate() {
        parts.push(match entry {
            ReshapeDim::Is(n) => s.ints(&[*n]),
            ReshapeDim::Copy => s.sizes(copied.get(k..=k).unwrap_or_default()),
            ReshapeDim::Infer => open,
        });
    }
    let shape = if parts.len() == 1 { open } else { s.op("Concat", &parts, &[("axis", 0i64.into())]) };
    s.op("Reshape", &[x, shape], &[("allowzero", 1i64.into())])
}

pub(super) fn concatenation(s: &mut Scope<'_, '_>, axis: usize) -> Result<Value> {
    let inputs: Vec<Value> = (0..s.layer.inputs.len()).map(|k| s.input(k)).collect::<Result<_>>()?;
    match inputs.as_slice() {
        [only] => Ok(*only),
        all => Ok(s.main("Concat", all, &[("axis", axis.into())])),
    }
}

pub(super) fn shape(s: &mut Scope<'_, '_>) -> Result<Value> {
    let (x, dims) = (s.input(0)?, s.dims(0)?);
    let sizes = s.entries_of(x, dims);
    Ok(s.sizes(&sizes))
}

pub(super) fn squeeze(s: &mut Scope<'_, '_>, axes: &[usize]) -> Result<Value> {
    with_axes(s, "Squeeze", axes)
}

pub(super) fn unsqueeze(s: &mut Scope<'_, '_>, axes: &[usize]) -> Result<Value> {
    with_axes(s, "Unsqueeze", axes)
}

fn with_axes(s: &mut Scope<'_, '_>, op: &'static str, axes: &[usize]) -> Result<Value> {
    let x = s.input(0)?;
    if axes.is_empty() {
        return Ok(x);
    }
    let axes: Vec<i64> = axes.iter().map(|a| *a as i64).collect();
    let axes = s.weights(&network::Weights::from_i64(DType::Int64, &[axes.len() as i64], axes));
    Ok(s.main(op, &[x, axes], &[]))
}
