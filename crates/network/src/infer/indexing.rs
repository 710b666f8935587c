//! Layers that move elements by index.

use super::{Inferred, Inputs, Result, TensorInfo, check_axis, fail, one, same_dtype};
use crate::{BoundingBoxFormat, DType, Dim, GatherMode, ScatterMode};

pub(super) fn scatter(i: Inputs<'_>, mode: ScatterMode, axis: usize) -> Result<Vec<Inferred>> {
    let (data, indices, updates) = (i.get(0, "data")?, indices(i, 1)?, i.get(2, "updates")?);
    same_dtype(data, updates, "data and updates")?;
    match mode {
        ScatterMode::Element => {
            check_axis(axis, data)?;
            if indices.rank() != data.rank() || updates.rank() != data.rank() {
                return fail(format!("ranks differ: {}, {} and {}", data.text(), indices.text(), updates.text()));
            }
            fits(updates, indices.dims)?;
        }
        ScatterMode::Nd => {
            let (leading, depth) = tuples(indices)?;
            let Some(rest) = data.dims.get(depth..) else {
                return fail(format!("{} index more axes than {} has", indices.text(), data.text()));
            };
            fits(updates, &[leading, rest].concat())?;
        }
    }
    one(data.dtype, data.dims.to_vec())
}

pub(super) fn one_hot(i: Inputs<'_>, axis: usize) -> Result<Vec<Inferred>> {
    let (indices, values, depth) = (indices(i, 0)?, i.get(1, "values")?, i.get(2, "depth")?);
    if values.dims.len() != 1 || !same_sizes(values.dims, &[Dim::Static(2)]) {
        return fail(format!("values must be two, off and on, got {}", values.text()));
    }
    let depth = super::arithmetic::known(depth, "depth")?.first().cloned().unwrap_or(Dim::Static(1));
    let mut dims = indices.dims.to_vec();
    if axis > dims.len() {
        return fail(format!("axis {axis} is outside the output of {}", indices.text()));
    }
    dims.insert(axis, depth);
    one(values.dtype, dims)
}

pub(super) fn non_zero(i: Inputs<'_>, count: &str) -> Result<Vec<Inferred>> {
    let x = i.get(0, "x")?;
    one(DType::Int32, vec![Dim::Static(x.rank() as i64), Dim::symbol(count)])
}

pub(super) fn nms(i: Inputs<'_>, _: BoundingBoxFormat, _topk_box_limit: i64, count: &str) -> Result<Vec<Inferred>> {
    i.float(0, "boxes")?;
    i.float(1, "scores")?;
    i.get(2, "max output boxes a class")?;
    Ok(vec![
        Inferred { dtype: DType::Int32, dims: vec![Dim::symbol(count), Dim::Static(3)], value: None },
        Inferred { dtype: DType::Int32, dims: Vec::new(), value: Some(vec![Dim::symbol(count)]) },
    ])
}

/// Whether sizes can be the same: none of them is known to differ.
fn same_sizes(a: &[Dim], b: &[Dim]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| !a.is_static() || !b.is_static() || a == b)
}

fn fits(updates: TensorInfo<'_>, wanted: &[Dim]) -> Result<()> {
    if same_sizes(updates.dims, wanted) {
        return Ok(());
    }
    fail(format!("updates must have the sizes {}, got {}", dims::format_dims(wanted), updates.text()))
}

/// Indices of several axes each: how they are arranged, and the number of axes.
fn tuples(indices: TensorInfo<'_>) -> Result<(&[Dim], usize)> {
    match indices.dims.split_last() {
        Some((Dim::Static(depth), leading)) if *depth >= 0 => {
            Ok((leading, usize::try_from(*depth).unwrap_or(usize::MAX)))
        }
        _ => fail(format!("the last size of the indices must be static: {}", indices.text())),
    }
}

fn indices(i: Inputs<'_>, index: usize) -> Result<TensorInfo<'_>> {
    let info = i.get(index, "indices")?;
    if info.dtype.is_index() { Ok(info) } else { fail(format!("indices must be int32 or int64, got {}", info.text())) }
}

pub(super) fn gather(i: Inputs<'_>, mode: GatherMode, axis: usize, batch: usize) -> Result<Vec<Inferred>> {
    let (data, indices) = (i.get(0, "data")?, indices(i, 1)?);
    let dims = match mode {
        GatherMode::Default => {
            check_axis(axis, data)?;
            if batch > axis || batch > indices.rank() || !same_sizes(&data.dims[..batch], &indices.dims[..batch]) {
                return fail(format!(
                    "{batch} elementwise axes of {} do not fit axis {axis} of {}",
                    indices.text(),
                    data.text()
                ));
            }
            [&data.dims[..axis], &indices.dims[batch..], &data.dims[axis + 1..]].concat()
        }
        GatherMode::Element => {
            check_axis(axis, data)?;
            if indices.rank() != data.rank() {
                return fail(format!("ranks differ: {} and {}", data.text(), indices.text()));
            }
            indices.dims.to_vec()
        }
        GatherMode::Nd => {
            let (leading, depth) = tuples(indices)?;
            let used = depth.saturating_add(batch);
            if used > data.rank() {
                return fail(format!("{} index more axes than {} has", indices.text(), data.text()));
            }
            if batch > leading.len() || !same_sizes(&data.dims[..batch], &leading[..batch]) {
                return fail(format!(
                    "{batch} elementwise axes of {} are not those of {}",
                    indices.text(),
                    data.text()
                ));
            }
            [leading, &data.dims[used..]].concat()
        }
    };
    one(data.dtype, dims)
}
