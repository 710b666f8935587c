//! Matrix products, linear layers, Einstein sums.

use crate::array::{Array, floats};
use crate::{Sizes, check, check_network, origin};
use network::{DType, ElementWiseOperation, MatrixOperation as M, Op};

/// Rows times columns of the last two axes, leading axes broadcast.
fn product(a: &Array, b: &Array) -> Array {
    let r = a.dims.len();
    let k = a.dims[r - 1];
    let mut dims: Vec<i64> = a.dims[..r - 2].iter().zip(&b.dims).map(|(x, y)| *x.max(y)).collect();
    dims.extend([a.dims[r - 2], b.dims[r - 1]]);
    Array::from_fn(DType::Float32, &dims, |i| {
        let (lead, row, column) = (&i[..r - 2], i[r - 2], i[r - 1]);
        let pick = |x: &Array, p: i64, q: i64| x.broadcast_at(&[lead, &[p, q]].concat());
        (0..k).map(|n| pick(a, row, n) * pick(b, n, column)).sum()
    })
}

fn swapped(x: &Array) -> Array {
    let mut order: Vec<usize> = (0..x.dims.len()).collect();
    order.swap(x.dims.len() - 2, x.dims.len() - 1);
    Array { constant: x.constant, ..x.transpose(&order) }
}

#[test]
fn operands_may_be_transposed_batched_and_constant() {
    for lead in [vec![], vec![3], vec![2, 3]] {
        let broadcast: Vec<i64> = lead.iter().map(|_| 1).collect();
        for other in [lead.clone(), broadcast] {
            let (a, b) = (floats(&[&lead[..], &[4, 5]].concat()), floats(&[&other[..], &[5, 6]].concat()));
            let y = product(&a, &b);
            for (op0, op1) in
                [(M::None, M::None), (M::Transpose, M::None), (M::None, M::Transpose), (M::Transpose, M::Transpose)]
            {
                let a = if op0 == M::Transpose { swapped(&a) } else { a.clone() };
                let b = if op1 == M::Transpose { swapped(&b) } else { b.clone() };
                let op = Op::MatrixMultiply { op0, op1 };
                check(op.clone(), &[a.clone(), b.clone()], &[y.clone()]);
                check(op.clone(), &[a.clone(), b.clone().constant()], &[y.clone()]);
                check(op, &[a.constant(), b], &[y.clone()]);
            }
        }
    }
}

#[test]
fn vectors_lose_their_axis() {
    let (a, b) = (floats(&[3, 4, 5]), floats(&[3, 5]));
    let y = product(&a, &b.reshape(&[3, 5, 1])).reshape(&[3, 4]);
    check(Op::MatrixMultiply { op0: M::None, op1: M::Vector }, &[a, b.clone()], &[y]);
    let c = floats(&[3, 5, 4]);
    let y = product(&b.reshape(&[3, 1, 5]), &c).reshape(&[3, 4]);
    check(Op::MatrixMultiply { op0: M::Vector, op1: M::None }, &[b.clone(), c], &[y]);
    let d = floats(&[3, 5]);
    let y = product(&b.reshape(&[3, 1, 5]), &d.reshape(&[3, 5, 1])).reshape(&[3]);
    check(Op::MatrixMultiply { op0: M::Vector, op1: M::Vector }, &[b, d], &[y]);
}

#[test]
fn a_linear_layer_is_one_product_with_its_bias() {
    for lead in [vec![7], vec![2, 7], vec![2, 3, 7]] {
        let ones: Vec<i64> = lead[1..].iter().map(|_| 1).collect();
        let x = floats(&[&lead[..], &[5]].concat());
        let (weight, bias) = (floats(&[&ones[..], &[6, 5]].concat()), floats(&[&ones[..], &[1, 6]].concat()));
        let y = product(&x, &swapped(&weight)).zip(&bias, DType::Float32, |a, b| a + b);
        let build = |network: &mut network::Network, i: &[network::TensorId]| {
            let op = Op::MatrixMultiply { op0: M::None, op1: M::Transpose };
            let product = network.add_one(op, &[i[0], i[1]], &origin()).unwrap();
            vec![
                network
                    .add_one(Op::ElementWise { op: ElementWiseOperation::Sum }, &[product, i[2]], &origin())
                    .unwrap(),
            ]
        };
        let inputs = [x, weight.constant(), bias.constant()];
        check_network(1e-5, Sizes::Any, &build, &inputs, &[y]);
        let model = onnx::lower(&crate::network_of(&build, &inputs, false), &onnx::LowerOptions::default()).unwrap();
        let ops = crate::operators(&model);
        assert_eq!(ops.iter().filter(|op| *op != "Reshape").collect::<Vec<_>>(), ["Gemm"], "{ops:?}");
    }
}

#[test]
fn the_shape_of_linear_layers_over_free_axes_is_put_together_once() {
    let build = |network: &mut network::Network, i: &[network::TensorId]| {
        let mut x = i[0];
        for weight in &i[1..] {
            let op = Op::MatrixMultiply { op0: M::None, op1: M::Transpose };
            x = network.add_one(op, &[x, *weight], &origin()).unwrap();
        }
        vec![x]
    };
    let (x, [a, b]) = (floats(&[2, 3, 5]), [floats(&[1, 7, 5]).constant(), floats(&[1, 7, 7]).constant()]);
    let y = product(&product(&x, &swapped(&a)), &swapped(&b));
    check_network(1e-5, Sizes::Any, &build, &[x.clone(), a.clone(), b.clone()], &[y]);
    let model = onnx::lower(&crate::network_of(&build, &[x, a, b], true), &onnx::LowerOptions::default()).unwrap();
    let expected = ["Reshape", "Gemm", "Shape", "Concat", "Reshape", "Reshape", "Gemm", "Reshape"];
    assert_eq!(crate::operators(&model), expected);
}

#[test]
fn einstein_sums() {
    let (a, b) = (floats(&[2, 3, 4]), floats(&[2, 5, 4]));
    let y = product(&a, &swapped(&b));
    check(Op::Einsum { equation: "bik,bjk->bij".into() }, &[a.clone(), b], &[y]);
    let y = Array::from_fn(DType::Float32, &[4, 2], |i| (0..3).map(|n| a.at(&[i[1], n, i[0]])).sum());
    check(Op::Einsum { equation: "abc->ca".into() }, &[a], &[y]);
}
