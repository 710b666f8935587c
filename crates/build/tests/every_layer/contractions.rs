//! Layers that contract axes, and quantization.

use super::{FLOATS, NUMBERS, Table, reshape, slice};
use crate::images::convolution;
use DType::{Float32, Int32};
use network::*;

/// Adds the cases of this file.
pub fn add(t: &mut Table) {
    contractions(t);
    recurrent(t);
    quantized(t);
}

fn contractions(t: &mut Table) {
    for dtype in NUMBERS {
        for op in ReduceOperation::ALL.iter().copied() {
            if op == ReduceOperation::Avg && !dtype.is_float() {
                continue;
            }
            for (axes, keep_dims) in [(vec![1], true), (vec![0, 2], false), (vec![0, 1, 2, 3], false)] {
                t.one(format!("reduce {op:?} {axes:?}"), dtype, &[3, 4, 5], Op::Reduce { op, axes, keep_dims });
            }
        }
        for (exclusive, reverse) in [(false, false), (true, false), (false, true), (true, true)] {
            let op = Op::Cumulative { op: CumulativeOperation::Sum, axis: 1, exclusive, reverse };
            t.one(format!("cumulative {exclusive} {reverse}"), dtype, &[3, 4], op);
        }
        for op in TopKOperation::ALL.iter().copied() {
            t.one(format!("topk {op:?}"), dtype, &[30], Op::TopK { op, k: 5, axis: 1 });
            t.one(format!("topk {op:?} of rank 1"), dtype, &[], Op::TopK { op, k: 1, axis: 0 });
            t.one(format!("topk {op:?} middle"), dtype, &[30, 3, 2], Op::TopK { op, k: 1, axis: 1 });
        }
        t.add(format!("topk by a computed k {dtype}"), move |n| {
            let x = n.input(dtype, &[30]);
            let shape = n.op(Op::Shape, &[x]);
            let first = n.op(slice(&[0], &[1], &[1]), &[shape]);
            let k = n.op(Op::Cast { to: Int32 }, &[first]);
            let k = n.op(reshape(&[]), &[k]);
            n.op(Op::TopK { op: TopKOperation::Max, k: 0, axis: 1 }, &[x, k]);
        });
    }
    t.one("topk of many", Float32, &[5000], Op::TopK { op: TopKOperation::Max, k: 4000, axis: 1 });
    for dtype in FLOATS {
        for axis in 0..3 {
            t.one(format!("softmax {axis}"), dtype, &[3, 4], Op::SoftMax { axis });
        }
        t.one("softmax of rank 1", dtype, &[], Op::SoftMax { axis: 0 });
        products(t, dtype);
        for (axes, dims) in [(vec![2], vec![1, 1, 5]), (vec![1, 2], vec![1, 4, 5])] {
            t.add(format!("layer normalization {axes:?} {dtype}"), move |n| {
                let (x, scale, bias) = (n.input(dtype, &[4, 5]), n.random(dtype, &dims), n.random(dtype, &dims));
                n.op(Op::Normalization { axes: axes.clone(), epsilon: 1e-5, groups: 1 }, &[x, scale, bias]);
            });
        }
        for sizes in [&[6, 7][..], &[6, 7, 8], &[6, 7, 8, 9]] {
            t.add(format!("instance normalization {sizes:?} {dtype}"), move |n| {
                let mut dims = vec![1; sizes.len() + 1];
                dims[1] = 6;
                let (x, scale, bias) = (n.input(dtype, sizes), n.random(dtype, &dims), n.random(dtype, &dims));
                let axes = (2..=sizes.len()).collect();
                n.op(Op::Normalization { axes, epsilon: 1e-5, groups: 1 }, &[x, scale, bias]);
            });
        }
        t.add(format!("group normalization {dtype}"), move |n| {
            let (x, scale, bias) =
                (n.input(dtype, &[6, 7, 8]), n.random(dtype, &[1, 6, 1, 1]), n.random(dtype, &[1, 6, 1, 1]));
            n.op(Op::Normalization { axes: vec![2, 3], epsilon: 1e-5, groups: 2 }, &[x, scale, bias]);
        });
    }
    t.add("ragged softmax", |n| {
        let (x, bounds) = (n.input(Float32, &[3, 7]), n.input(Int32, &[3, 1]));
        n.op(Op::RaggedSoftMax, &[x, bounds]);
    });
}

fn recurrent(t: &mut Table) {
    for cell in RecurrentCell::ALL.iter().copied() {
        for (dtype, reverse, lengths) in [
            (Float32, false, false),
            (Float32, true, true),
            (DType::Float16, false, true),
            (DType::BFloat16, true, false),
        ] {
            t.add(format!("recurrent {cell:?} {dtype} reverse {reverse}, lengths {lengths}"), move |n| {
                // `[batch, time, features]` comes in: the batch is what is symbolic.
                let x = n.input(dtype, &[9, 5]);
                let swap = Op::Shuffle { first_transpose: Some(vec![1, 0, 2]), reshape: None, second_transpose: None };
                let x = n.op(swap.clone(), &[x]);
                let rows = 6 * cell.gates();
                let (input, hidden) = (n.random(dtype, &[rows, 5]), n.random(dtype, &[rows, 6]));
                let (bias, other) = (n.random(dtype, &[rows]), n.random(dtype, &[rows]));
                let state = n.input(dtype, &[1, 6]);
                let state = n.op(swap, &[state]);
                let memory = (cell == RecurrentCell::Lstm).then_some(state);
                let lengths = lengths.then(|| n.input(Int32, &[]));
                let other = (cell == RecurrentCell::Gru).then_some(other);
                let inputs = [Some(x), Some(input), Some(hidden), Some(bias), other, Some(state), memory, lengths];
                n.all(Op::Recurrent { cell, reverse }, &inputs);
            });
        }
    }
}

fn products(t: &mut Table, dtype: DType) {
    use MatrixOperation as M;
    for (op0, a, op1, b) in [
        (M::None, &[3, 4][..], M::None, &[1, 4, 5][..]),
        (M::Transpose, &[4, 3], M::None, &[1, 4, 5]),
        (M::None, &[3, 4], M::Transpose, &[1, 5, 4]),
        (M::None, &[3, 4], M::Vector, &[1, 4]),
        (M::Vector, &[4], M::None, &[1, 4, 5]),
        (M::Vector, &[4], M::Vector, &[1, 4]),
    ] {
        t.add(format!("matrix multiply {op0:?} {op1:?} {dtype}"), move |n| {
            let (a, b) = (n.input(dtype, a), n.random(dtype, b));
            n.op(Op::MatrixMultiply { op0, op1 }, &[a, b]);
        });
    }
    t.add(format!("matrix multiply of inputs {dtype}"), move |n| {
        let (a, b) = (n.input(dtype, &[6, 3, 4]), n.input(dtype, &[1, 4, 5]));
        n.op(Op::MatrixMultiply { op0: M::None, op1: M::None }, &[a, b]);
    });
    for (equation, a, b) in [
        ("bij,bjk->bik", &[3, 4][..], Some(&[4, 5][..])),
        ("bijk,bkl->bijl", &[3, 4, 5], Some(&[5, 6])),
        ("bij->bji", &[3, 4], None),
        ("bij->b", &[3, 4], None),
    ] {
        t.add(format!("einsum {equation} {dtype}"), move |n| {
            let mut inputs = vec![n.input(dtype, a)];
            inputs.extend(b.map(|b| n.input(dtype, b)));
            n.op(Op::Einsum { equation: equation.into() }, &inputs);
        });
    }
}

fn quantized(t: &mut Table) {
    for dtype in FLOATS {
        for to in [DType::Int8, DType::Float8E4M3] {
            t.add(format!("quantize {dtype} as {to} and back"), move |n| {
                let (x, scale) = (n.input(dtype, &[3, 4, 5]), n.constant(Weights::scalar(dtype, 0.05)));
                let q = n.op(Op::Quantize { axis: None, to }, &[x, scale]);
                n.op(Op::Dequantize { axis: None, to: dtype }, &[q, scale]);
            });
        }
        t.add(format!("quantized convolution {dtype}"), move |n| {
            let (x, scale) = (n.input(dtype, &[4, 9, 9]), n.constant(Weights::scalar(dtype, 0.05)));
            let q = n.op(Op::Quantize { axis: None, to: DType::Int8 }, &[x, scale]);
            let x = n.op(Op::Dequantize { axis: None, to: dtype }, &[q, scale]);
            let kernel = n.random(dtype, &[8, 4, 3, 3]);
            let scales = n.constant(Weights::from_f64(dtype, &[8], (1..9).map(|k| f64::from(k) * 0.01)));
            let q = n.op(Op::Quantize { axis: Some(0), to: DType::Int8 }, &[kernel, scales]);
            let kernel = n.op(Op::Dequantize { axis: Some(0), to: dtype }, &[q, scales]);
            let bias = n.random(dtype, &[8]);
            n.op(Op::Convolution(convolution(2, 1)), &[x, kernel, bias]);
        });
        t.add(format!("int8 weights {dtype}"), move |n| {
            let x = n.input(dtype, &[4]);
            let weights = n.random(DType::Int8, &[4, 8]);
            let scales = n.constant(Weights::from_f64(dtype, &[8], (1..9).map(|k| f64::from(k) * 0.01)));
            let weights = n.op(Op::Dequantize { axis: Some(1), to: dtype }, &[weights, scales]);
            n.op(Op::MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::None }, &[x, weights]);
        });
    }
    let (to, scale_type) = (DType::Float8E4M3, Float32);
    t.one("dynamic quantize ", Float32, &[32], Op::DynamicQuantize { axis: 1, block_size: 16, to, scale_type });
}
