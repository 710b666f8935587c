//! Layers that pick and place by index.

use crate::array::{Array, floats, integers};
use crate::{Sizes, check, check_within};
use network::{DType, GatherMode, Op, ScatterMode};

#[test]
fn gather_takes_along_an_axis() {
    for dtype in [DType::Int32, DType::Int64] {
        let (x, indices) = (floats(&[3, 4, 5]), integers(dtype, &[2, 6], 0, 4));
        let y =
            Array::from_fn(DType::Float32, &[3, 2, 6, 5], |i| x.at(&[i[0], indices.at(&[i[1], i[2]]) as i64, i[3]]));
        check(Op::Gather { mode: GatherMode::Default, axis: 1, elementwise_dims: 0 }, &[x.clone(), indices], &[y]);
        let one = integers(dtype, &[], 0, 5);
        let y = Array::from_fn(DType::Float32, &[3, 4], |i| x.at(&[i[0], i[1], one.at(&[]) as i64]));
        check(Op::Gather { mode: GatherMode::Default, axis: 2, elementwise_dims: 0 }, &[x, one], &[y]);
    }
}

#[test]
fn gather_with_elementwise_axes() {
    let x = floats(&[2, 3, 4, 5]);
    for axis in 1..4usize {
        let indices = integers(DType::Int32, &[2, 6, 7], 0, x.dims[axis]);
        let dims = [&x.dims[..axis], &[6, 7], &x.dims[axis + 1..]].concat();
        let y = Array::from_fn(DType::Float32, &dims, |i| {
            let picked = indices.at(&[i[0], i[axis], i[axis + 1]]) as i64;
            x.at(&[&i[..axis], &[picked], &i[axis + 2..]].concat())
        });
        check(Op::Gather { mode: GatherMode::Default, axis, elementwise_dims: 1 }, &[x.clone(), indices], &[y]);
    }
}

#[test]
fn gather_by_element_and_by_tuple() {
    let (x, indices) = (floats(&[3, 4, 5]), integers(DType::Int32, &[3, 2, 5], 0, 4));
    let y = Array::from_fn(DType::Float32, &[3, 2, 5], |i| x.at(&[i[0], indices.at(i) as i64, i[2]]));
    check(Op::Gather { mode: GatherMode::Element, axis: 1, elementwise_dims: 0 }, &[x.clone(), indices], &[y]);

    let pairs = Array::from_fn(DType::Int32, &[7, 2], |i| crate::array::integer(0, [3, 4][i[1] as usize]) as f64);
    let y = Array::from_fn(DType::Float32, &[7, 5], |i| {
        x.at(&[pairs.at(&[i[0], 0]) as i64, pairs.at(&[i[0], 1]) as i64, i[1]])
    });
    let op = Op::Gather { mode: GatherMode::Nd, axis: 0, elementwise_dims: 0 };
    check_within(0.0, Sizes::Static, op, &[x.clone(), pairs], &[y]);

    let batched = Array::from_fn(DType::Int64, &[3, 1], |_| crate::array::integer(0, 4) as f64);
    let y = Array::from_fn(DType::Float32, &[3, 5], |i| x.at(&[i[0], batched.at(&[i[0], 0]) as i64, i[1]]));
    let op = Op::Gather { mode: GatherMode::Nd, axis: 0, elementwise_dims: 1 };
    check_within(0.0, Sizes::Static, op, &[x, batched], &[y]);
}

#[test]
fn scatter_by_element_and_by_tuple() {
    let (x, updates) = (floats(&[4, 5]), floats(&[2, 5]));
    // Distinct rows: which of two writes to one place wins is nobody's promise.
    let indices = Array::from_fn(DType::Int32, &[2, 5], |i| ((i[0] * 2 + i[1]) % 4) as f64);
    let mut y = x.clone();
    for r in 0..2 {
        for c in 0..5 {
            y.data[indices.at(&[r, c]) as usize * 5 + c as usize] = updates.at(&[r, c]);
        }
    }
    check(Op::Scatter { mode: ScatterMode::Element, axis: 0 }, &[x.clone(), indices, updates.clone()], &[y]);

    let rows = Array::new(DType::Int32, &[2, 1], vec![3.0, 1.0]);
    let y = Array::from_fn(DType::Float32, &[4, 5], |i| match i[0] {
        3 => updates.at(&[0, i[1]]),
        1 => updates.at(&[1, i[1]]),
        _ => x.at(i),
    });
    check(Op::Scatter { mode: ScatterMode::Nd, axis: 0 }, &[x, rows, updates], &[y]);
}

#[test]
fn one_hot_of_every_type() {
    for dtype in [DType::Float32, DType::Int32, DType::Int64] {
        let indices = integers(DType::Int32, &[3, 4], 0, 6);
        let (values, depth) = (Array::new(dtype, &[2], vec![-1.0, 5.0]), Array::scalar(DType::Int32, 6.0).constant());
        for axis in 0..3usize {
            let mut dims = vec![3, 4];
            dims.insert(axis, 6);
            let y = Array::from_fn(dtype, &dims, |i| {
                let mut at = i.to_vec();
                let level = at.remove(axis);
                if indices.at(&at) as i64 == level { 5.0 } else { -1.0 }
            });
            check(Op::OneHot { axis }, &[indices.clone(), values.clone(), depth.clone()], &[y]);
        }
    }
}

#[test]
fn non_zero_lists_indices() {
    for dtype in [DType::Float32, DType::Bool, DType::Int32] {
        let x = integers(dtype, &[4, 5], 0, 2);
        let found: Vec<[f64; 2]> =
            (0..20).filter(|k| x.data[*k] != 0.0).map(|k| [(k / 5) as f64, (k % 5) as f64]).collect();
        let data = (0..2).flat_map(|axis| found.iter().map(move |f| f[axis])).collect();
        let y = Array::new(DType::Int32, &[2, found.len() as i64], data);
        let op = Op::NonZero { count: "count".into() };
        let build = |network: &mut network::Network, i: &[network::TensorId]| {
            vec![network.add_one(op.clone(), &[i[0]], &crate::origin()).unwrap()]
        };
        crate::check_network(0.0, Sizes::Static, &build, &[x], &[y]);
    }
}
