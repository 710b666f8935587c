//! Layers that rearrange elements, whatever their type.

use super::array::{Shape, copy_strided, sizes, strides};
use super::{Call, EvalError, Result};
use network::{DType, FillOperation, ReshapeDim, SampleMode, Weights};

pub(super) fn shape(call: &Call<'_>) -> Result<Weights> {
    Ok(call.shape()?.integers(call.get(0)?.dims.iter().copied()))
}

pub(super) fn squeeze(call: &Call<'_>, _axes: &[usize]) -> Result<Weights> {
    reshaped(call)
}

pub(super) fn unsqueeze(call: &Call<'_>, _axes: &[usize]) -> Result<Weights> {
    reshaped(call)
}

/// Same bytes, shared.
fn reshaped(call: &Call<'_>) -> Result<Weights> {
    Ok(call.shape()?.with(call.get(0)?.data.clone()))
}

pub(super) fn shuffle(
    call: &Call<'_>,
    first_transpose: Option<&[usize]>,
    _reshape: Option<&[ReshapeDim]>,
    second_transpose: Option<&[usize]>,
) -> Result<Weights> {
    let (x, shape) = (call.get(0)?, call.shape()?);
    let first = transpose(x, first_transpose);
    // The sizes between reshape and second transpose: the output's, put back in place.
    let mut between = shape.dims.clone();
    for (k, from) in second_transpose.iter().copied().flatten().enumerate() {
        between[*from] = shape.dims[k];
    }
    let between = Weights { dims: between.iter().map(|d| *d as i64).collect(), ..first };
    Ok(transpose(&between, second_transpose))
}

pub(super) fn padding(call: &Call<'_>, pre: &[i64], _post: &[i64]) -> Result<Weights> {
    let x = call.get(0)?;
    let outer = x.dims.len() - 2;
    let start: Vec<i64> = (0..x.dims.len()).map(|k| k.checked_sub(outer).map_or(0, |k| -pre[k])).collect();
    sliced(x, call.shape()?, (&start, &vec![1; start.len()]), SampleMode::Fill, &[])
}

pub(super) fn slice(
    call: &Call<'_>,
    start: &[i64],
    _size: &[i64],
    stride: &[i64],
    mode: SampleMode,
) -> Result<Weights> {
    let (given_start, given_stride) = (call.integers(1)?, call.integers(3)?);
    let start = given_start.as_deref().unwrap_or(start);
    let stride = given_stride.as_deref().unwrap_or(stride);
    let fill = call.optional(4).map_or(&[] as &[u8], |w| &w.data);
    sliced(call.get(0)?, call.shape()?, (start, stride), mode, fill)
}

fn transpose(x: &Weights, order: Option<&[usize]>) -> Weights {
    let Some(order) = order else { return x.clone() };
    let (dims, from) = (sizes(x), strides(&sizes(x)));
    let to: Vec<usize> = order.iter().map(|k| dims[*k]).collect();
    let moved: Vec<usize> = order.iter().map(|k| from[*k]).collect();
    let data = copy_strided(&x.data, x.dtype.size(), &to, &moved);
    Weights { dtype: x.dtype, dims: to.iter().map(|d| *d as i64).collect(), data: data.into() }
}

pub(super) fn concatenation(call: &Call<'_>, axis: usize) -> Result<Weights> {
    let shape = call.shape()?;
    let parts: Vec<&Weights> = (0..call.inputs.len()).map(|k| call.get(k)).collect::<Result<_>>()?;
    let outer: usize = shape.dims[..axis].iter().product();
    let mut out = Vec::with_capacity(shape.count() * shape.dtype.size());
    for row in 0..outer {
        for part in &parts {
            let block = part.data.len() / outer;
            out.extend_from_slice(&part.data[row * block..(row + 1) * block]);
        }
    }
    Ok(shape.with(out))
}

/// Which input index an output index reads along one axis; `None` for the fill value.
fn sample(index: i64, size: i64, mode: SampleMode) -> Result<Option<usize>> {
    let inside = (0..size).contains(&index);
    let found = match mode {
        _ if inside => index,
        SampleMode::Fill => return Ok(None),
        _ if size == 0 => return Err(EvalError::Undefined("a slice of no elements")),
        SampleMode::StrictBounds => return Err(EvalError::Undefined("a slice outside its input")),
        SampleMode::Wrap => index.rem_euclid(size),
        SampleMode::Clamp => index.clamp(0, size - 1),
        SampleMode::Reflect if size == 1 => 0,
        SampleMode::Reflect => {
            let period = 2 * (size - 1);
            let folded = index.rem_euclid(period);
            folded.min(period - folded)
        }
    };
    Ok(usize::try_from(found).ok())
}

fn sliced(
    x: &Weights,
    shape: &Shape,
    (start, stride): (&[i64], &[i64]),
    mode: SampleMode,
    fill: &[u8],
) -> Result<Weights> {
    let size = shape.dtype.size();
    let tables: Vec<Vec<Option<usize>>> = shape
        .dims
        .iter()
        .enumerate()
        .map(|(k, n)| {
            let at = |i: usize| (i as i64).checked_mul(stride[k]).and_then(|i| i.checked_add(start[k]));
            let outside = EvalError::Undefined("an index that does not fit 64 bits");
            (0..*n).map(|i| sample(at(i).ok_or(outside.clone())?, x.dims[k], mode)).collect()
        })
        .collect::<Result<_>>()?;
    let zero = vec![0; size];
    let pick =
        Pick { data: &x.data, strides: strides(&sizes(x)), tables, fill: if fill.is_empty() { &zero } else { fill } };
    let mut out = Vec::with_capacity(shape.count() * size);
    pick.axis(0, Some(0), &mut out);
    Ok(shape.with(out))
}

/// Reads elements by one table of indices an axis.
struct Pick<'a> {
    data: &'a [u8],
    strides: Vec<usize>,
    tables: Vec<Vec<Option<usize>>>,
    fill: &'a [u8],
}

impl Pick<'_> {
    fn axis(&self, axis: usize, at: Option<usize>, out: &mut Vec<u8>) {
        let size = self.fill.len();
        match (self.tables.get(axis), at) {
            (None, Some(at)) => out.extend_from_slice(&self.data[at * size..(at + 1) * size]),
            (None, None) => out.extend_from_slice(self.fill),
            (Some(table), _) => {
                for index in table {
                    let next = at.zip(*index).map(|(at, index)| at + index * self.strides[axis]);
                    self.axis(axis + 1, next, out);
                }
            }
        }
    }
}

pub(super) fn fill(
    call: &Call<'_>,
    op: FillOperation,
    _dims: &[i64],
    _: DType,
    alpha: f64,
    beta: f64,
) -> Result<Weights> {
    let shape = call.shape()?;
    if op != FillOperation::Linspace {
        return Err(EvalError::Unsupported("a random fill"));
    }
    // Without inputs a ramp has one axis; with them, beta has a step an axis.
    let steps: Vec<f64> = call.optional(2).map_or_else(|| vec![beta], Weights::to_f64);
    let exact = call.optional(1).and_then(Weights::to_i64).zip(call.optional(2).and_then(Weights::to_i64));
    if steps.len() != shape.dims.len() {
        return Err(EvalError::Unsupported("a ramp without a step for each axis"));
    }
    let start = call.optional(1).map_or(alpha, |w| w.to_f64().first().copied().unwrap_or(alpha));
    let mut indices = Vec::with_capacity(shape.count() * shape.dims.len());
    let mut index = vec![0usize; shape.dims.len()];
    for _ in 0..shape.count() {
        indices.extend_from_slice(&index);
        for k in (0..index.len()).rev() {
            index[k] += 1;
            if index[k] < shape.dims[k] {
                break;
            }
            index[k] = 0;
        }
    }
    let rows = indices.chunks_exact(shape.dims.len().max(1));
    if shape.dtype.is_index() {
        let (start, steps) = exact.map_or_else(
            || (start as i64, steps.iter().map(|s| *s as i64).collect()),
            |(start, steps)| (start.first().copied().unwrap_or(0), steps),
        );
        let at = |row: &[usize]| row.iter().zip(&steps).fold(start, |n, (i, s)| n.wrapping_add(*i as i64 * s));
        return Ok(shape.integers(rows.map(at)));
    }
    Ok(shape.floats(rows.map(|row| row.iter().zip(&steps).fold(start, |n, (i, s)| n + *i as f64 * s))))
}
