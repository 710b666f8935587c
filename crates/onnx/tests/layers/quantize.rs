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
