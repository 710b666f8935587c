//! Quantization: with given scales, and with scales from the data.

use crate::array::{Array, floats_in};
use crate::{Sizes, check_within};
use network::{DType, Op};

#[test]
fn quantization_rounds_to_even_and_saturates() {
    let x = floats_in(&[3, 40], -9.0, 9.0);
    for (axis, dims) in [(None, vec![]), (Some(0), vec![3])] {
        let scale = floats_in(&dims, 0.04, 0.09);
        let q = Array::from_fn(DType::Int8, &x.dims, |i| {
            let s = scale.data[if dims.is_empty() { 0 } else { i[0] as usize }];
            f64::from((x.at(i) as f32 / s as f32).round_ties_even()).clamp(-128.0, 127.0)
        });
        let op = Op::Quantize { axis, to: DType::Int8 };
        // int8 is no type of an engine's output: it is read as int32.
        let build = |network: &mut network::Network, i: &[network::TensorId]| {
            let q = network.add_one(op.clone(), &[i[0], i[1]], &crate::origin()).unwrap();
            let back = Op::Dequantize { axis, to: DType::Float32 };
            let back = network.add_one(back, &[q, i[1]], &crate::origin()).unwrap();
            vec![network.add_one(Op::Cast { to: DType::Int32 }, &[q], &crate::origin()).unwrap(), back]
        };
        let back = Array::from_fn(DType::Float32, &x.dims, |i| {
            q.at(i) * scale.data[if dims.is_empty() { 0 } else { i[0] as usize }]
        });
        crate::check_network(
            1e-6,
            Sizes::Static,
            &build,
            &[x.clone(), scale.constant()],
            &[q.cast(DType::Int32), back],
        );
    }
}

/// The number of E4M3 that is nearest, and even of two; 448 for larger ones.
fn float8(v: f64) -> f64 {
    let step = 2f64.powi((v.abs().max(2f64.powi(-6)).log2().floor() as i32) - 3);
    ((v / step).round_ties_even() * step).clamp(-448.0, 448.0)
}

#[test]
fn float8_rounds_to_even_and_saturates_behind_a_relu_too() {
    let x = floats_in(&[3, 40], -40.0, 40.0);
    for (axis, dims) in [(None, vec![]), (Some(0), vec![3])] {
        let scale = floats_in(&dims, 0.04, 0.09);
        let scale_of = |i: &[i64]| scale.data[if dims.is_empty() { 0 } else { i[0] as usize }];
        for is_relu in [false, true] {
            let build = |network: &mut network::Network, i: &[network::TensorId]| {
                let mut add = |op, inputs: &[network::TensorId]| network.add_one(op, inputs, &crate::origin()).unwrap();
                let relu = Op::Activation { kind: network::ActivationType::Relu, alpha: 0.0, beta: 0.0 };
                let read = if is_relu { add(relu, &[i[0]]) } else { i[0] };
                let q = add(Op::Quantize { axis, to: DType::Float8E4M3 }, &[read, i[1]]);
                vec![add(Op::Dequantize { axis, to: DType::Float32 }, &[q, i[1]])]
            };
            let back = Array::from_fn(DType::Float32, &x.dims, |i| {
                let v = if is_relu { x.at(i).max(0.0) } else { x.at(i) };
                float8(f64::from(v as f32 / scale_of(i) as f32)) * scale_of(i)
            });
            crate::check_network(1e-6, Sizes::Static, &build, &[x.clone(), scale.clone().constant()], &[back]);
        }
    }
}

#[test]
fn dynamic_quantization_scales_each_block() {
    let x = floats_in(&[2, 12, 3], -30.0, 30.0);
    let top = |i: &[i64]| (0..4).map(|k| x.at(&[i[0], i[1] * 4 + k, i[2]]).abs()).fold(0.0, f64::max);
    let scales = Array::from_fn(DType::Float32, &[2, 3, 3], |i| f64::from(top(i) as f32 / 127.0));
    let codes = Array::from_fn(DType::Int8, &x.dims, |i| {
        f64::from((x.at(i) as f32 / scales.at(&[i[0], i[1] / 4, i[2]]) as f32).round_ties_even())
    });
    let op = Op::DynamicQuantize { axis: 1, block_size: 4, to: DType::Int8, scale_type: DType::Float32 };
    check_within(1e-6, Sizes::Static, op, &[x], &[codes, scales]);
}
