//! Layers that move elements, and the arithmetic of sizes.

use super::{ANY, FLOATS, Net, Table, reshape, slice};
use DType::{Float32, Int32, Int64};
use network::*;

/// Adds the cases of this file.
pub fn add(t: &mut Table) {
    layouts(t);
    indexing(t);
    shapes(t);
}

fn layouts(t: &mut Table) {
    use ReshapeDim::{Copy, Infer, Is};
    for dtype in ANY {
        for axis in 0..3 {
            t.add(format!("concatenation {axis} {dtype}"), move |n| {
                let (a, b) = (n.input(dtype, &[3, 4]), n.input(dtype, &[3, 4]));
                let c = n.op(Op::Concatenation { axis }, &[a, b, a]);
                n.output(c);
            });
        }
        t.one("shuffle copy, infer", dtype, &[3, 4], reshape(&[Copy, Infer]));
        t.one("shuffle infer", dtype, &[3, 4], reshape(&[Infer, Is(4), Is(1)]));
        let both = Op::Shuffle {
            first_transpose: Some(vec![0, 2, 1]),
            reshape: Some(vec![Copy, Is(2), Is(6)]),
            second_transpose: Some(vec![2, 0, 1]),
        };
        t.one("shuffle transposed twice", dtype, &[3, 4], both);
        t.add(format!("shuffle to a computed shape {dtype}"), move |n| {
            let x = n.input(dtype, &[3, 4]);
            let shape = n.op(Op::Shape, &[x]);
            let batch = n.op(slice(&[0], &[1], &[1]), &[shape]);
            let rest = n.ints(&[12]);
            let to = n.op(Op::Concatenation { axis: 0 }, &[batch, rest]);
            let op = Op::Shuffle { first_transpose: None, reshape: None, second_transpose: None };
            n.op(op, &[x, to]);
        });
        slices(t, dtype);
        t.one("squeeze", dtype, &[1, 4, 1], Op::Squeeze { axes: vec![1, 3] });
        t.one("unsqueeze", dtype, &[3, 4], Op::Unsqueeze { axes: vec![1, 4] });
        t.one("shape", dtype, &[3, 4], Op::Shape);
        t.add(format!("reverse sequence {dtype}"), move |n| {
            let (x, lengths) = (n.input(dtype, &[3, 4]), n.input(Int32, &[]));
            n.op(Op::ReverseSequence { batch_axis: 0, sequence_axis: 1 }, &[x, lengths]);
        });
        t.add(format!("an output that is a constant {dtype}"), move |n| {
            n.input(dtype, &[2]);
            let c = n.random(dtype, &[2, 3]);
            n.output(c);
        });
        t.add(format!("constants without elements {dtype}"), move |n| {
            let (x, empty) = (n.input(dtype, &[3]), n.random(dtype, &[0, 3]));
            n.op(Op::Concatenation { axis: 0 }, &[x, empty]);
        });
    }
    t.add("shuffle to no elements", |n| {
        let x = n.input_of(Float32, [0, 4].map(Dim::Static).to_vec());
        n.op(reshape(&[Is(0), Is(2), Is(2)]), &[x]);
    });
    t.add("one tensor twice an output, and an input", |n| {
        let x = n.input(Float32, &[3]);
        let y = n.op(Op::Unary { op: UnaryOperation::Exp }, &[x]);
        for id in [x, y, y] {
            n.output(id);
        }
    });
}

fn slices(t: &mut Table, dtype: DType) {
    t.add(format!("slice {dtype}"), move |n| {
        let x = n.input_of(dtype, [4, 5, 6].map(Dim::Static).to_vec());
        n.op(slice(&[1, 0, 5], &[2, 3, 3], &[2, 2, -2]), &[x]);
    });
    for mode in [SampleMode::Wrap, SampleMode::Clamp, SampleMode::Fill, SampleMode::Reflect] {
        t.add(format!("slice {mode:?} {dtype}"), move |n| {
            let x = n.input_of(dtype, [4, 5, 6].map(Dim::Static).to_vec());
            let (start, size, stride) = (vec![-1, 0, -2], vec![6, 5, 10], vec![1; 3]);
            n.op(Op::Slice { start, size, stride, mode }, &[x]);
        });
    }
    t.add(format!("slice with a fill value {dtype}"), move |n| {
        let x = n.input_of(dtype, [4, 5, 6].map(Dim::Static).to_vec());
        let value = n.constant(Weights::scalar(dtype, 1.0));
        let (start, size, stride) = (vec![-1, 0, -2], vec![6, 5, 10], vec![1; 3]);
        n.all(Op::Slice { start, size, stride, mode: SampleMode::Fill }, &[Some(x), None, None, None, Some(value)]);
    });
    t.add(format!("slice by computed sizes {dtype}"), move |n| {
        let x = n.input(dtype, &[5, 6]);
        let shape = n.op(Op::Shape, &[x]);
        let (start, less, stride) = (n.ints(&[0, 1, 1]), n.ints(&[0, 1, 1]), n.ints(&[1, 1, 1]));
        let size = n.op(Op::ElementWise { op: ElementWiseOperation::Sub }, &[shape, less]);
        let op = |mode| Op::Slice { start: Vec::new(), size: Vec::new(), stride: Vec::new(), mode };
        n.op(op(SampleMode::StrictBounds), &[x, start, size, stride]);
    });
}

fn indexing(t: &mut Table) {
    for dtype in ANY {
        for index in [Int32, Int64] {
            t.add(format!("gather {dtype} by {index}"), move |n| {
                let (x, indices) = (n.input(dtype, &[3, 4]), n.random(index, &[2, 2]));
                n.op(Op::Gather { mode: GatherMode::Default, axis: 1, elementwise_dims: 0 }, &[x, indices]);
            });
            t.add(format!("gather one {dtype} by {index}"), move |n| {
                let (x, at) = (n.input(dtype, &[3, 4]), n.constant(Weights::scalar(index, 1.0)));
                n.op(Op::Gather { mode: GatherMode::Default, axis: 2, elementwise_dims: 0 }, &[x, at]);
            });
            t.add(format!("gather rows of a table {dtype} by {index}"), move |n| {
                let (table, indices) = (n.random(dtype, &[11, 4]), n.input(index, &[5]));
                n.op(Op::Gather { mode: GatherMode::Default, axis: 0, elementwise_dims: 0 }, &[table, indices]);
            });
            t.add(format!("gather with batch {dtype} by {index}"), move |n| {
                let (x, indices) = (n.input(dtype, &[3, 4]), n.input(index, &[2]));
                n.op(Op::Gather { mode: GatherMode::Default, axis: 1, elementwise_dims: 1 }, &[x, indices]);
            });
            t.add(format!("gather elements {dtype} by {index}"), move |n| {
                let (x, indices) = (n.input(dtype, &[3, 4]), n.input(index, &[2, 4]));
                n.op(Op::Gather { mode: GatherMode::Element, axis: 1, elementwise_dims: 0 }, &[x, indices]);
            });
            t.add(format!("gather nd {dtype} by {index}"), move |n| {
                let (x, indices) = (n.input(dtype, &[3, 4]), n.input(index, &[6, 2]));
                n.op(Op::Gather { mode: GatherMode::Nd, axis: 0, elementwise_dims: 0 }, &[x, indices]);
            });
            t.add(format!("scatter elements {dtype} by {index}"), move |n| {
                let (x, at, updates) = (n.input(dtype, &[3, 4]), n.input(index, &[2, 4]), n.input(dtype, &[2, 4]));
                n.op(Op::Scatter { mode: ScatterMode::Element, axis: 1 }, &[x, at, updates]);
            });
            t.add(format!("scatter nd {dtype} by {index}"), move |n| {
                let (x, at, updates) = (n.input(dtype, &[3, 4]), n.input(index, &[2, 2]), n.input(dtype, &[2, 4]));
                n.op(Op::Scatter { mode: ScatterMode::Nd, axis: 0 }, &[x, at, updates]);
            });
            t.add(format!("one hot {dtype} of {index}"), move |n| {
                let x = n.input(index, &[3]);
                let (values, depth) =
                    (n.constant(Weights::from_f64(dtype, &[2], [0.0, 1.0])), n.constant(Weights::scalar(Int32, 7.0)));
                n.op(Op::OneHot { axis: 2 }, &[x, values, depth]);
            });
        }
        t.one("non-zero", dtype, &[3, 4], Op::NonZero { count: "found".into() });
    }
    for format in BoundingBoxFormat::ALL.iter().copied() {
        for dtype in FLOATS {
            for thresholds in [false, true] {
                t.add(format!("nms {format:?} {dtype} thresholds {thresholds}"), move |n| {
                    let (boxes, scores) = (n.input(dtype, &[20, 4]), n.input(dtype, &[20, 3]));
                    let most = n.constant(Weights::scalar(Int32, 5.0));
                    let limit = |n: &mut Net| thresholds.then(|| n.constant(Weights::scalar(Float32, 0.5)));
                    let (iou, score) = (limit(n), limit(n));
                    let op = Op::Nms { format, topk_box_limit: 100, count: "found".into() };
                    n.all(op, &[Some(boxes), Some(scores), Some(most), iou, score]);
                });
            }
        }
    }
}

fn shapes(t: &mut Table) {
    use ElementWiseOperation as E;
    for op in [E::Sum, E::Sub, E::Prod, E::Div, E::FloorDiv, E::Max, E::Min] {
        for dtype in [Int32, Int64] {
            t.add(format!("shape arithmetic {op:?} {dtype}"), move |n| {
                let x = n.input(Float32, &[6, 8]);
                let shape = n.op(Op::Shape, &[x]);
                let shape = n.op(Op::Cast { to: dtype }, &[shape]);
                let by = n.constant(Weights::from_i64(dtype, &[3], [1, 1, 1]));
                let shape = n.op(Op::ElementWise { op }, &[shape, by]);
                let (indices, all) = (n.constant(Weights::from_i64(Int64, &[1], [0])), [0]);
                let first =
                    n.op(Op::Gather { mode: GatherMode::Default, axis: 0, elementwise_dims: 0 }, &[shape, indices]);
                let product =
                    n.op(Op::Reduce { op: ReduceOperation::Prod, axes: all.to_vec(), keep_dims: true }, &[shape]);
                let both = n.op(Op::Concatenation { axis: 0 }, &[first, product]);
                let y = n.op(Op::Cast { to: Int64 }, &[both]);
                n.output(y);
            });
        }
    }
    t.add("assertion", |n| {
        let (a, b) = (n.input(Float32, &[6]), n.input(Float32, &[6]));
        let (sa, sb) = (n.op(Op::Shape, &[a]), n.op(Op::Shape, &[b]));
        let same = n.op(Op::ElementWise { op: E::Equal }, &[sa, sb]);
        n.all(Op::Assertion { message: "sizes differ".into() }, &[Some(same)]);
        let y = n.op(Op::ElementWise { op: E::Sum }, &[a, b]);
        n.output(y);
    });
}
