//! Layers that rearrange: shuffle, slice, concatenation, squeeze.

use super::arithmetic::known;
use super::{Inferred, Inputs, Result, TensorInfo, broadcast_dim, check_axis, fail, one, same_dtype};
use crate::{DType, Dim, Dims, ReshapeDim, SampleMode, format_dims};

pub(super) fn assertion(i: Inputs<'_>, _message: &str) -> Result<Vec<Inferred>> {
    match i.get(0, "condition")? {
        x if x.dtype == DType::Bool && x.rank() <= 1 => Ok(Vec::new()),
        x => fail(format!("the condition must be bool of rank 0 or 1, got {}", x.text())),
    }
}

pub(super) fn shape(i: Inputs<'_>) -> Result<Vec<Inferred>> {
    let x = i.get(0, "x")?;
    one(DType::Int64, vec![Dim::Static(x.rank() as i64)])
}

pub(super) fn shuffle(
    i: Inputs<'_>,
    first_transpose: Option<&[usize]>,
    reshape: Option<&[ReshapeDim]>,
    second_transpose: Option<&[usize]>,
) -> Result<Vec<Inferred>> {
    let x = i.get(0, "x")?;
    let dims = transpose(first_transpose, x.dims.to_vec())?;
    let dims = match (i.optional(1), reshape) {
        (Some(shape), _) => known(shape, "the shape").and_then(|to| same_count(&dims, to))?,
        (None, Some(to)) => resolve(to, &dims).and_then(|to| same_count(&dims, to))?,
        (None, None) => dims,
    };
    one(x.dtype, transpose(second_transpose, dims)?)
}

pub(super) fn squeeze(i: Inputs<'_>, axes: &[usize]) -> Result<Vec<Inferred>> {
    let x = i.get(0, "x")?;
    axes.iter().try_for_each(|a| check_axis(*a, x))?;
    if let Some(axis) = axes.iter().find(|a| x.dims[**a].as_static().is_some_and(|n| n != 1)) {
        return fail(format!("axis {axis} of {} is not of size 1", x.text()));
    }
    let kept = x.dims.iter().enumerate().filter(|(k, _)| !axes.contains(k));
    one(x.dtype, kept.map(|(_, d)| d.clone()).collect())
}

pub(super) fn unsqueeze(i: Inputs<'_>, axes: &[usize]) -> Result<Vec<Inferred>> {
    let x = i.get(0, "x")?;
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    let mut dims = x.dims.to_vec();
    for axis in sorted {
        if axis > dims.len() {
            return fail(format!("axis {axis} is outside the output of {}", x.text()));
        }
        dims.insert(axis, Dim::Static(1));
    }
    one(x.dtype, dims)
}

pub(super) fn reverse_sequence(i: Inputs<'_>, batch_axis: usize, sequence_axis: usize) -> Result<Vec<Inferred>> {
    let x = i.get(0, "x")?;
    check_axis(batch_axis, x)?;
    check_axis(sequence_axis, x)?;
    one(x.dtype, x.dims.to_vec())
}

pub(super) fn concatenation(i: Inputs<'_>, axis: usize) -> Result<Vec<Inferred>> {
    let first = i.get(0, "the first tensor")?;
    check_axis(axis, first)?;
    let mut dims = first.dims.to_vec();
    for k in 1..i.0.len() {
        let other = i.get(k, "a tensor")?;
        same_dtype(first, other, "concatenated tensors")?;
        let fits = other.rank() == dims.len()
            && dims.iter().zip(other.dims).enumerate().all(|(k, (a, b))| {
                k == axis || a == b || (broadcast_dim(a, b).is_some() && !(a.is_static() && b.is_static()))
            });
        if !fits {
            return fail(format!("sizes other than axis {axis} differ: {} and {}", first.text(), other.text()));
        }
        dims[axis] = dims[axis].clone() + other.dims[axis].clone();
    }
    one(first.dtype, dims)
}

fn transpose(order: Option<&[usize]>, dims: Dims) -> Result<Dims> {
    let Some(order) = order else { return Ok(dims) };
    let mut seen = vec![false; dims.len()];
    for axis in order {
        if let Some(seen) = seen.get_mut(*axis) {
            *seen = true;
        }
    }
    if order.len() != dims.len() || seen.contains(&false) {
        return fail(format!("{order:?} is not a permutation of the axes of {}", format_dims(&dims)));
    }
    Ok(order.iter().map(|k| dims[*k].clone()).collect())
}

fn resolve(to: &[ReshapeDim], from: &[Dim]) -> Result<Dims> {
    let mut out = Vec::with_capacity(to.len());
    let mut open = None;
    for (k, dim) in to.iter().enumerate() {
        out.push(match dim {
            ReshapeDim::Is(n) => Dim::Static(*n),
            ReshapeDim::Copy => match from.get(k) {
                Some(dim) => dim.clone(),
                None => return fail(format!("entry {k} copies an axis that {} does not have", format_dims(from))),
            },
            ReshapeDim::Infer if open.is_some() => return fail("more than one size is left open"),
            ReshapeDim::Infer => {
                open = Some(k);
                Dim::Static(1)
            }
        });
    }
    if let Some(k) = open {
        let (all, rest) = (Dim::product(from), Dim::product(&out));
        if rest.is(0) {
            return fail("a size is left open where others are 0");
        }
        out[k] = all.floor_div(&rest);
    }
    Ok(out)
}

fn same_count(from: &[Dim], to: Dims) -> Result<Dims> {
    let (a, b) = (Dim::product(from), Dim::product(&to));
    if a.is_static() && b.is_static() && a != b {
        return fail(format!("{} has {a} elements, {} has {b}", format_dims(from), format_dims(&to)));
    }
    Ok(to)
}

pub(super) fn slice(
    i: Inputs<'_>,
    start: &[i64],
    size: &[i64],
    stride: &[i64],
    mode: SampleMode,
) -> Result<Vec<Inferred>> {
    let attributes = [start, size, stride];
    let x = i.get(0, "x")?;
    let mut lists: Vec<Dims> = Vec::with_capacity(3);
    for (k, name) in ["start", "size", "stride"].into_iter().enumerate() {
        lists.push(match i.optional(k + 1) {
            // Only the size decides the output; start and stride may depend on data.
            Some(info) if k == 1 || info.value.is_some() => known(info, name)?,
            Some(_) => continue,
            None => attributes[k].iter().map(|n| Dim::Static(*n)).collect(),
        });
        if lists.last().is_some_and(|l| l.len() != x.rank()) {
            return fail(format!("{name} does not have an entry for each axis of {}", x.text()));
        }
    }
    if let [start, size, stride] = lists.as_slice()
        && mode == SampleMode::StrictBounds
    {
        for (k, dim) in x.dims.iter().enumerate() {
            check_bounds(dim, &AxisSlice { start: &start[k], size: &size[k], stride: &stride[k] }, k, x)?;
        }
    }
    if let Some(fill) = i.optional(4) {
        same_dtype(x, fill, "data and fill")?;
        if Dim::product(fill.dims).as_static().is_some_and(|count| count != 1) {
            return fail(format!("the fill must be one element, got {}", fill.text()));
        }
    }
    let size = if i.optional(2).is_some() {
        known(i.get(2, "size")?, "size")?
    } else {
        attributes[1].iter().map(|n| Dim::Static(*n)).collect()
    };
    one(x.dtype, size)
}

/// The part of one axis that a slice takes.
struct AxisSlice<'d> {
    start: &'d Dim,
    size: &'d Dim,
    stride: &'d Dim,
}

fn check_bounds(dim: &Dim, slice: &AxisSlice<'_>, axis: usize, x: TensorInfo<'_>) -> Result<()> {
    let AxisSlice { start, size, stride } = slice;
    let all = (dim.as_static(), start.as_static(), size.as_static(), stride.as_static());
    let (Some(dim), Some(start), Some(size), Some(stride)) = all else { return Ok(()) };
    let last = size.saturating_sub(1).saturating_mul(stride).saturating_add(start);
    if size < 0 || (size > 0 && (!(0..dim).contains(&start) || !(0..dim).contains(&last))) {
        return fail(format!("axis {axis} of {} has no elements {start}..={last}", x.text()));
    }
    Ok(())
}
