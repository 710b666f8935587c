//! Reductions, softmax, top-k, running sums, normalizations.

use crate::array::{Array, floats, floats_in, integers};
use crate::{Sizes, check, check_within};
use network::{CumulativeOperation, DType, Op, ReduceOperation as R, TopKOperation};

/// `f` over the elements of some axes, for every position of the others (axes kept with size 1).
fn fold(x: &Array, axes: &[usize], f: impl Fn(&[f64]) -> f64) -> Array {
    let dims: Vec<i64> = x.dims.iter().enumerate().map(|(k, n)| if axes.contains(&k) { 1 } else { *n }).collect();
    let inner: Vec<i64> = x.dims.iter().enumerate().map(|(k, n)| if axes.contains(&k) { *n } else { 1 }).collect();
    Array::from_fn(x.dtype, &dims, |i| {
        let mut values = Vec::new();
        let _ = Array::from_fn(x.dtype, &inner, |j| {
            let at: Vec<i64> = i.iter().zip(j).map(|(a, b)| a + b).collect();
            values.push(x.at(&at));
            0.0
        });
        f(&values)
    })
}

#[test]
fn reductions_over_any_axes() {
    for op in R::ALL {
        for dtype in [DType::Float32, DType::Int32, DType::Int64] {
            if *op == R::Avg && dtype != DType::Float32 {
                continue;
            }
            let x = match dtype {
                DType::Float32 => floats(&[2, 3, 4, 5]),
                _ => integers(dtype, &[2, 3, 4, 5], -2, 3),
            };
            for axes in [vec![1], vec![2, 3], vec![0, 3], vec![3, 0, 1, 2]] {
                let f = |v: &[f64]| match op {
                    R::Sum => v.iter().sum(),
                    R::Prod => v.iter().product::<f64>() + 0.0,
                    R::Max => v.iter().copied().fold(f64::MIN, f64::max),
                    R::Min => v.iter().copied().fold(f64::MAX, f64::min),
                    R::Avg => v.iter().sum::<f64>() / v.len() as f64,
                };
                if *op == R::Prod && axes.len() > 1 && dtype != DType::Float32 {
                    continue;
                }
                let kept = fold(&x, &axes, f);
                let dims: Vec<i64> = (0..4).filter(|k| !axes.contains(k)).map(|k| x.dims[k]).collect();
                check(Op::Reduce { op: *op, axes: axes.clone(), keep_dims: true }, &[x.clone()], &[kept.clone()]);
                check(Op::Reduce { op: *op, axes, keep_dims: false }, &[x.clone()], &[kept.reshape(&dims)]);
            }
        }
    }
}

fn softmax(v: &[f64]) -> Vec<f64> {
    let top = v.iter().copied().fold(f64::MIN, f64::max);
    let e: Vec<f64> = v.iter().map(|x| (x - top).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.into_iter().map(|x| x / sum).collect()
}

#[test]
fn softmax_along_any_axis() {
    let x = floats_in(&[3, 4, 5], -20.0, 20.0);
    for axis in 0..3 {
        let y = Array::from_fn(DType::Float32, &x.dims, |i| {
            let line: Vec<f64> = (0..x.dims[axis])
                .map(|n| {
                    let mut at = i.to_vec();
                    at[axis] = n;
                    x.at(&at)
                })
                .collect();
            softmax(&line)[i[axis] as usize]
        });
        check(Op::SoftMax { axis }, &[x.clone()], &[y]);
    }
}

#[test]
fn ragged_softmax_stops_at_the_bound() {
    let (x, bounds) = (floats(&[4, 6]), integers(DType::Int32, &[4, 1], 1, 7));
    let y = Array::from_fn(DType::Float32, &[4, 6], |i| {
        let n = bounds.at(&[i[0], 0]) as i64;
        let line: Vec<f64> = (0..n).map(|k| x.at(&[i[0], k])).collect();
        softmax(&line).get(i[1] as usize).copied().unwrap_or(0.0)
    });
    check(Op::RaggedSoftMax, &[x, bounds], &[y]);
}

#[test]
fn top_k_in_both_directions() {
    for (op, dtype) in [
        (TopKOperation::Max, DType::Float32),
        (TopKOperation::Min, DType::Float32),
        (TopKOperation::Max, DType::Int32),
        (TopKOperation::Min, DType::Int64),
    ] {
        // Distinct elements: which of equals comes first is nobody's promise.
        let mut order: Vec<f64> = (0..60).map(f64::from).collect();
        for k in (1..60).rev() {
            order.swap(k, crate::array::integer(0, k as i64 + 1) as usize);
        }
        let x = Array::new(dtype, &[3, 5, 4], order);
        let line = |i: &[i64]| {
            let mut line: Vec<(f64, i64)> = (0..5).map(|n| (x.at(&[i[0], n, i[2]]), n)).collect();
            line.sort_by(|a, b| if op == TopKOperation::Max { b.0.total_cmp(&a.0) } else { a.0.total_cmp(&b.0) });
            line[i[1] as usize]
        };
        let values = Array::from_fn(dtype, &[3, 2, 4], |i| line(i).0);
        let indices = Array::from_fn(DType::Int32, &[3, 2, 4], |i| line(i).1 as f64);
        check(Op::TopK { op, k: 2, axis: 1 }, &[x.clone()], &[values.clone(), indices.clone()]);
        let first = |a: &Array| Array::from_fn(a.dtype, &[3, 1, 4], |i| a.at(i));
        check(Op::TopK { op, k: 1, axis: 1 }, &[x.clone()], &[first(&values), first(&indices)]);
        let k = Array::scalar(DType::Int32, 2.0).constant();
        check(Op::TopK { op, k: 0, axis: 1 }, &[x, k], &[values, indices]);
    }
}

#[test]
fn running_sums() {
    for dtype in [DType::Float32, DType::Int32, DType::Int64] {
        for (exclusive, reverse) in [(false, false), (true, false), (false, true), (true, true)] {
            let x = integers(dtype, &[3, 6], -5, 5);
            let y = Array::from_fn(dtype, &x.dims, |i| {
                let within = |n: i64| match (exclusive, reverse) {
                    (false, false) => n <= i[1],
                    (true, false) => n < i[1],
                    (false, true) => n >= i[1],
                    (true, true) => n > i[1],
                };
                (0..6).filter(|n| within(*n)).map(|n| x.at(&[i[0], n])).sum()
            });
            let op = Op::Cumulative { op: CumulativeOperation::Sum, axis: 1, exclusive, reverse };
            check(op, &[x], &[y]);
        }
    }
}

/// Normalizes over some axes, then scales and shifts.
fn normalize(x: &Array, axes: &[usize], epsilon: f64, scale: &Array, bias: &Array) -> Array {
    let mean = fold(x, axes, |v| v.iter().sum::<f64>() / v.len() as f64);
    let centered = x.zip(&mean, x.dtype, |a, b| a - b);
    let variance = fold(&centered, axes, |v| v.iter().map(|a| a * a).sum::<f64>() / v.len() as f64);
    let y = centered.zip(&variance, x.dtype, |a, v| a / (v + epsilon).sqrt());
    y.zip(scale, x.dtype, |a, b| a * b).zip(bias, x.dtype, |a, b| a + b)
}

#[test]
fn normalizations_of_every_kind() {
    for constant in [false, true] {
        let parameter = |dims: &[i64]| if constant { floats(dims).constant() } else { floats(dims) };
        for (dims, axes, shape) in [
            (vec![2, 5, 6], vec![2], vec![1, 1, 6]),             // layer
            (vec![2, 5, 6], vec![1, 2], vec![1, 5, 6]),          // layer over two axes
            (vec![2, 3, 4, 5], vec![2, 3], vec![1, 3, 1, 1]),    // instance
            (vec![2, 3, 4, 5], vec![1, 2, 3], vec![1, 3, 1, 1]), // layer with a scale a channel
            (vec![2, 3, 4, 5], vec![1], vec![1, 3, 1, 1]),       // channels first
        ] {
            let (x, scale, bias) = (floats(&dims), parameter(&shape), parameter(&shape));
            let y = normalize(&x, &axes, 1e-3, &scale, &bias);
            check(Op::Normalization { axes, epsilon: 1e-3, groups: 1 }, &[x, scale, bias], &[y]);
        }
    }
}

#[test]
fn group_normalization_with_a_scale_a_channel_or_a_group() {
    let x = floats(&[2, 6, 4, 5]);
    let grouped = x.reshape(&[2, 3, 2, 4, 5]);
    for width in [6, 3] {
        let (scale, bias) = (floats(&[1, width, 1, 1]).constant(), floats(&[1, width, 1, 1]).constant());
        let shape: &[i64] = if width == 6 { &[1, 3, 2, 1, 1] } else { &[1, 3, 1, 1, 1] };
        let y = normalize(&grouped, &[2, 3, 4], 1e-5, &scale.reshape(shape), &bias.reshape(shape)).reshape(&x.dims);
        let op = Op::Normalization { axes: vec![2, 3], epsilon: 1e-5, groups: 3 };
        check_within(1e-5, Sizes::Static, op.clone(), &[x.clone(), scale.clone(), bias.clone()], &[y.clone()]);
        let [scale, bias] = [scale, bias].map(|a| Array { constant: false, ..a });
        check_within(1e-5, Sizes::Static, op, &[x.clone(), scale, bias], &[y]);
    }
}

#[test]
fn local_response_normalization() {
    let x = floats(&[2, 7, 3, 4]);
    let (window, alpha, beta, k) = (5, 0.3f32, 0.75f32, 1.5f32);
    let y = Array::from_fn(DType::Float32, &x.dims, |i| {
        let near = (i[1] - window / 2).max(0)..(i[1] + window / 2 + 1).min(7);
        let sum: f64 = near.map(|c| x.at(&[i[0], c, i[2], i[3]]).powi(2)).sum();
        x.at(i) / (f64::from(k) + f64::from(alpha) / window as f64 * sum).powf(f64::from(beta))
    });
    check(Op::Lrn { window, alpha, beta, k }, &[x], &[y]);
}
