//! Layers that read and write elements by index.

use super::array::{Shape, sizes, strides};
use super::{Call, EvalError, Result};
use network::{DType, GatherMode, ScatterMode, Weights};

fn indices(call: &Call<'_>, index: usize) -> Result<Vec<i64>> {
    call.integers(index)?.ok_or(EvalError::Unsupported("a layer without indices"))
}

pub(super) fn gather(call: &Call<'_>, mode: GatherMode, axis: usize, elementwise_dims: usize) -> Result<Weights> {
    let (data, indices, shape) = (call.get(0)?, indices(call, 1)?, call.shape()?);
    let index_dims = sizes(call.get(1)?);
    match mode {
        GatherMode::Default => take(data, &indices, &index_dims, axis, elementwise_dims, shape),
        GatherMode::Element => {
            let at = element_offsets(data, &indices, &index_dims, axis)?;
            Ok(copy_blocks(data, at, 1, shape))
        }
        GatherMode::Nd => {
            let (at, block) = nd_offsets(data, &indices, &index_dims, elementwise_dims)?;
            Ok(copy_blocks(data, at, block, shape))
        }
    }
}

pub(super) fn scatter(call: &Call<'_>, mode: ScatterMode, axis: usize) -> Result<Weights> {
    let (data, indices, updates) = (call.get(0)?, indices(call, 1)?, call.get(2)?);
    let index_dims = sizes(call.get(1)?);
    let (at, block) = match mode {
        ScatterMode::Element => (element_offsets(data, &indices, &index_dims, axis)?, 1),
        ScatterMode::Nd => nd_offsets(data, &indices, &index_dims, 0)?,
    };
    let bytes = block * data.dtype.size();
    let mut out = data.data.to_vec();
    for (k, at) in at.into_iter().enumerate() {
        let to = at * data.dtype.size();
        out[to..to + bytes].copy_from_slice(&updates.data[k * bytes..(k + 1) * bytes]);
    }
    Ok(call.shape()?.with(out))
}

pub(super) fn one_hot(call: &Call<'_>, axis: usize) -> Result<Weights> {
    let (indices, values, shape) = (indices(call, 0)?, call.get(1)?, call.shape()?);
    let size = values.dtype.size();
    let depth = shape.dims[axis];
    let inner: usize = shape.dims[axis + 1..].iter().product();
    let mut out = values.data[..size].repeat(shape.count());
    for (k, index) in indices.into_iter().enumerate() {
        if let Ok(index) = position(index, depth) {
            let at = ((k / inner * depth + index) * inner + k % inner) * size;
            out[at..at + size].copy_from_slice(&values.data[size..2 * size]);
        }
    }
    Ok(shape.with(out))
}

/// The positions of the elements that are not zero, in row-major order: a row an axis, a column an element.
pub(super) fn positions(x: &Weights) -> Weights {
    let found = x.to_f64().into_iter().enumerate().filter(|(_, v)| *v != 0.0).map(|(k, _)| k);
    let found: Vec<usize> = found.collect();
    let dims = sizes(x);
    let axes = dims.iter().zip(strides(&dims));
    let rows = axes.flat_map(|(size, stride)| found.iter().map(move |k| (k / stride % size) as i64));
    let rows: Vec<i64> = rows.collect();
    Weights::from_i64(DType::Int32, &[x.dims.len() as i64, found.len() as i64], rows)
}

/// An index, negative ones counted from the end.
fn position(index: i64, size: usize) -> Result<usize> {
    let wrapped = if index < 0 { index + size as i64 } else { index };
    match usize::try_from(wrapped) {
        Ok(at) if at < size => Ok(at),
        _ => Err(EvalError::Undefined("an index outside its axis")),
    }
}

fn copy_blocks(data: &Weights, at: impl IntoIterator<Item = usize>, block: usize, shape: &Shape) -> Weights {
    let size = data.dtype.size();
    let mut out = Vec::with_capacity(shape.count() * size);
    at.into_iter().for_each(|at| out.extend_from_slice(&data.data[at * size..(at + block) * size]));
    shape.with(out)
}

fn take(
    data: &Weights,
    indices: &[i64],
    index_dims: &[usize],
    axis: usize,
    batch: usize,
    shape: &Shape,
) -> Result<Weights> {
    let dims = sizes(data);
    let batches: usize = dims[..batch].iter().product();
    let outer: usize = dims[batch..axis].iter().product();
    let block: usize = dims[axis + 1..].iter().product();
    let each: usize = index_dims[batch..].iter().product();
    let positions: Vec<usize> = indices.iter().map(|i| position(*i, dims[axis])).collect::<Result<_>>()?;
    let mut at = Vec::with_capacity(batches * outer * each);
    for b in 0..batches {
        for o in 0..outer {
            at.extend(positions[b * each..(b + 1) * each].iter().map(|i| ((b * outer + o) * dims[axis] + i) * block));
        }
    }
    Ok(copy_blocks(data, at, block, shape))
}

/// For each index its element: the same place but along the axis.
fn element_offsets(data: &Weights, indices: &[i64], index_dims: &[usize], axis: usize) -> Result<Vec<usize>> {
    let (dims, to, from) = (sizes(data), strides(&sizes(data)), strides(index_dims));
    if index_dims.iter().zip(&dims).enumerate().any(|(k, (i, d))| k != axis && i > d) {
        return Err(EvalError::Undefined("indices larger than the data"));
    }
    let offset = |(k, index): (usize, &i64)| {
        let place = |a: usize| k / from[a] % index_dims[a];
        let others: usize = (0..dims.len()).filter(|a| *a != axis).map(|a| place(a) * to[a]).sum();
        Ok(others + position(*index, dims[axis])? * to[axis])
    };
    indices.iter().enumerate().map(offset).collect()
}

/// For each tuple of indices the block it names, and the size of a block.
fn nd_offsets(data: &Weights, indices: &[i64], index_dims: &[usize], batch: usize) -> Result<(Vec<usize>, usize)> {
    let (dims, to) = (sizes(data), strides(&sizes(data)));
    let depth = index_dims.last().copied().unwrap_or(0);
    let block: usize = dims[batch + depth..].iter().product();
    let batches: usize = dims[..batch].iter().product();
    let tuples = index_dims.iter().rev().skip(1).product::<usize>();
    if depth == 0 {
        return Err(EvalError::Unsupported("an index of no axes"));
    }
    let offset = |(k, tuple): (usize, &[i64])| {
        let start = k / (tuples / batches.max(1)).max(1) * dims[batch..].iter().product::<usize>();
        tuple.iter().enumerate().try_fold(start, |sum, (a, i)| Ok(sum + position(*i, dims[batch + a])? * to[batch + a]))
    };
    let at: Result<Vec<usize>> = indices.chunks_exact(depth).enumerate().map(offset).collect();
    Ok((at?, block))
}
