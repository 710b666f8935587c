//! Layers that contract axes, or normalize along them.

use super::array::{Elements, Shape, broadcast_strides, sizes, strides, walk};
use super::{Call, EvalError, Result};
use network::{CumulativeOperation, MatrixOperation, ReduceOperation as R, TopKOperation, Weights};

pub(super) fn softmax(call: &Call<'_>, axis: usize) -> Result<Weights> {
    along(call.get(0)?, axis, call.shape()?, |line| {
        let top = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = line.iter().map(|v| (v - top).exp()).sum();
        for v in line.iter_mut() {
            *v = (*v - top).exp() / sum;
        }
    })
}

fn floats(x: &Weights) -> Result<Vec<f64>> {
    match Elements::of(x) {
        Elements::Float(x) => Ok(x.into_iter().map(f64::from).collect()),
        Elements::Integer(_) => Err(EvalError::Unsupported("this layer of integers")),
    }
}

/// The sizes with reduced axes as 1, and strides over them that stand still along those axes.
fn reduced(dims: &[usize], axes: &[usize]) -> (usize, Vec<usize>) {
    let kept: Vec<usize> = dims.iter().enumerate().map(|(k, d)| if axes.contains(&k) { 1 } else { *d }).collect();
    let strides = strides(&kept).into_iter().enumerate().map(|(k, s)| if axes.contains(&k) { 0 } else { s }).collect();
    (kept.iter().product(), strides)
}

pub(super) fn reduce(call: &Call<'_>, op: R, axes: &[usize], _keep_dims: bool) -> Result<Weights> {
    let (x, shape) = (call.get(0)?, call.shape()?);
    let dims = sizes(x);
    let (count, to) = reduced(&dims, axes);
    let from = strides(&dims);
    match Elements::of(x) {
        Elements::Integer(x) => {
            let (start, f): (i64, fn(i64, i64) -> i64) = match op {
                R::Sum => (0, i64::wrapping_add),
                R::Prod => (1, i64::wrapping_mul),
                R::Max => (i64::MIN, i64::max),
                R::Min => (i64::MAX, i64::min),
                R::Avg => return Err(EvalError::Unsupported("an average of integers")),
            };
            let mut out = vec![start; count];
            walk(&dims, [&from, &to], |[i, o]| out[o] = f(out[o], x[i]));
            Ok(shape.integers(out))
        }
        Elements::Float(x) => {
            let (start, f): (f64, fn(f64, f64) -> f64) = match op {
                R::Sum | R::Avg => (0.0, |a, b| a + b),
                R::Prod => (1.0, |a, b| a * b),
                R::Max => (f64::NEG_INFINITY, |a, b| if a > b || a.is_nan() { a } else { b }),
                R::Min => (f64::INFINITY, |a, b| if a < b || a.is_nan() { a } else { b }),
            };
            let mut out = vec![start; count];
            walk(&dims, [&from, &to], |[i, o]| out[o] = f(out[o], f64::from(x[i])));
            let each = if op == R::Avg { (x.len() / count.max(1)) as f64 } else { 1.0 };
            Ok(shape.floats(out.into_iter().map(|v| v / each)))
        }
    }
}

/// Rewrites every line along an axis.
fn along(x: &Weights, axis: usize, shape: &Shape, mut f: impl FnMut(&mut [f64])) -> Result<Weights> {
    let mut values = floats(x)?;
    let dims = sizes(x);
    let step: usize = dims[axis + 1..].iter().product();
    for at in line_starts(&dims, axis) {
        let mut line: Vec<f64> = (0..dims[axis]).map(|k| values[at + k * step]).collect();
        f(&mut line);
        line.into_iter().enumerate().for_each(|(k, v)| values[at + k * step] = v);
    }
    Ok(shape.floats(values))
}

/// The offset of the first element of each line along an axis.
fn line_starts(dims: &[usize], axis: usize) -> Vec<usize> {
    let step: usize = dims[axis + 1..].iter().product();
    let outer: usize = dims[..axis].iter().product();
    (0..outer).flat_map(|o| (0..step).map(move |i| (o, i))).map(|(o, i)| o * dims[axis] * step + i).collect()
}

pub(super) fn cumulative(
    call: &Call<'_>,
    CumulativeOperation::Sum: CumulativeOperation,
    axis: usize,
    exclusive: bool,
    reverse: bool,
) -> Result<Weights> {
    fn run<T: Copy>(line: &mut [T], zero: T, add: impl Fn(T, T) -> T, exclusive: bool, reverse: bool) {
        let mut sum = zero;
        for k in 0..line.len() {
            let at = if reverse { line.len() - 1 - k } else { k };
            let next = add(sum, line[at]);
            line[at] = if exclusive { sum } else { next };
            sum = next;
        }
    }
    let (x, shape) = (call.get(0)?, call.shape()?);
    let Elements::Integer(mut values) = Elements::of(x) else {
        return along(x, axis, shape, |line| run(line, 0.0, |a, b| a + b, exclusive, reverse));
    };
    let dims = sizes(x);
    let step: usize = dims[axis + 1..].iter().product();
    for at in line_starts(&dims, axis) {
        let mut line: Vec<i64> = (0..dims[axis]).map(|k| values[at + k * step]).collect();
        run(&mut line, 0, i64::wrapping_add, exclusive, reverse);
        line.into_iter().enumerate().for_each(|(k, v)| values[at + k * step] = v);
    }
    Ok(shape.integers(values))
}

pub(super) fn matrix_multiply(call: &Call<'_>, op0: MatrixOperation, op1: MatrixOperation) -> Result<Weights> {
    let (a, b, shape) = (call.get(0)?, call.get(1)?, call.shape()?);
    let (x, y) = (floats(a)?, floats(b)?);
    // Distances over batch axes, rows or columns, and what is contracted.
    let layout = |(op, w): (MatrixOperation, &Weights), left: bool| {
        let dims = sizes(w);
        let steps = strides(&dims);
        let tail = if op == MatrixOperation::Vector { 1 } else { 2 };
        let batch = dims.len() - tail;
        let batch_steps: Vec<usize> = (0..batch).map(|k| if dims[k] == 1 { 0 } else { steps[k] }).collect();
        let (free, contracted) = match (tail, (op == MatrixOperation::Transpose) == left) {
            (1, _) => (None, batch),
            (_, true) => (Some(batch + 1), batch),
            (_, false) => (Some(batch), batch + 1),
        };
        let free = free.map_or((1, 0), |f| (dims[f], steps[f]));
        (batch_steps, free, (dims[contracted], steps[contracted]))
    };
    let (a_batch, (rows, a_row), (depth, a_depth)) = layout((op0, a), true);
    let (b_batch, (columns, b_column), (_, b_depth)) = layout((op1, b), false);
    let mut out = Vec::with_capacity(shape.count());
    walk(&shape.dims[..a_batch.len()], [&a_batch, &b_batch], |[i, j]| {
        for row in 0..rows {
            for column in 0..columns {
                let term = |k: usize| x[i + row * a_row + k * a_depth] * y[j + column * b_column + k * b_depth];
                out.push((0..depth).map(term).sum::<f64>());
            }
        }
    });
    Ok(shape.floats(out))
}

pub(super) fn normalization(call: &Call<'_>, axes: &[usize], epsilon: f32, groups: i64) -> Result<Weights> {
    if groups != 1 {
        return Err(EvalError::Unsupported("Normalization"));
    }
    let (shape, epsilon) = (call.shape()?, f64::from(epsilon));
    let (x, scale, bias) = (floats(call.get(0)?)?, call.get(1)?, call.get(2)?);
    let (dims, from) = (&shape.dims, strides(&shape.dims));
    let (count, to) = reduced(dims, axes);
    let each = (x.len() / count.max(1)) as f64;
    let (mut mean, mut variance) = (vec![0.0; count], vec![0.0; count]);
    walk(dims, [&from, &to], |[i, o]| mean[o] += x[i] / each);
    walk(dims, [&from, &to], |[i, o]| variance[o] += (x[i] - mean[o]).powi(2) / each);
    let steps = [broadcast_strides(&sizes(scale)), broadcast_strides(&sizes(bias))];
    let (scale, bias) = (floats(scale)?, floats(bias)?);
    let mut out = Vec::with_capacity(x.len());
    walk(dims, [&from, &to, &steps[0], &steps[1]], |[i, o, s, b]| {
        out.push((x[i] - mean[o]) / (variance[o] + epsilon).sqrt() * scale[s] + bias[b]);
    });
    Ok(shape.floats(out))
}

pub(super) fn topk(call: &Call<'_>, op: TopKOperation, _k: i64, axis: usize) -> Result<Vec<Weights>> {
    let [values, indices] = call.outputs.as_slice() else { return Err(EvalError::Unsupported("TopK")) };
    let x = call.get(0)?;
    let (dims, keys) = (sizes(x), x.to_f64());
    let step: usize = dims[axis + 1..].iter().product();
    let taken = values.dims[axis];
    if taken > dims[axis] {
        return Err(EvalError::Undefined("more elements than there are"));
    }
    let size = x.dtype.size();
    let mut data = vec![0; values.count() * size];
    let mut places = vec![0; indices.count()];
    for (line, at) in line_starts(&dims, axis).into_iter().enumerate() {
        let mut order: Vec<usize> = (0..dims[axis]).collect();
        // NaN counts as the largest, whatever its sign.
        let number = |k: &usize| if keys[at + k * step].is_nan() { f64::NAN.abs() } else { keys[at + k * step] };
        let key = |k: &usize| if op == TopKOperation::Max { -number(k) } else { number(k) };
        order.sort_by(|a, b| key(a).total_cmp(&key(b)));
        for (rank, k) in order.into_iter().take(taken).enumerate() {
            let to = (line / step * taken + rank) * step + line % step;
            let from = (at + k * step) * size;
            data[to * size..(to + 1) * size].copy_from_slice(&x.data[from..from + size]);
            places[to] = k as i64;
        }
    }
    Ok(vec![values.with(data), indices.integers(places)])
}
