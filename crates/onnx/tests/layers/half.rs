//! Half precision: results are rounded after every layer, to the bit.

use crate::array::{Array, floats, floats_in};
use crate::{Sizes, check_network, check_within, origin};
use half::{bf16, f16};
use network::{DType, ElementWiseOperation as E, MatrixOperation as M, Op};

fn rounded(x: &Array, dtype: DType) -> Array {
    let round = |v: f64| match dtype {
        DType::Float16 => f16::from_f64(v).to_f64(),
        _ => bf16::from_f64(v).to_f64(),
    };
    Array { constant: x.constant, ..x.map(round).cast(dtype) }
}

#[test]
fn every_layer_rounds() {
    for dtype in [DType::Float16, DType::BFloat16] {
        let [a, b, c] = [0, 1, 2].map(|_| rounded(&floats(&[5, 7]), dtype));
        // Two sums: rounding once at the end would differ in some of 35 elements.
        let sum = rounded(&a.zip(&b, dtype, |x, y| x + y), dtype);
        let y = rounded(&sum.zip(&c, dtype, |x, y| x * y), dtype);
        let build = |network: &mut network::Network, i: &[network::TensorId]| {
            let sum = network.add_one(Op::ElementWise { op: E::Sum }, &[i[0], i[1]], &origin()).unwrap();
            vec![network.add_one(Op::ElementWise { op: E::Prod }, &[sum, i[2]], &origin()).unwrap(), sum]
        };
        check_network(0.0, Sizes::Any, &build, &[a, b, c], &[y, sum]);
    }
}

#[test]
fn overflow_is_infinite() {
    let x = Array::new(DType::Float16, &[2], vec![60000.0, -60000.0]);
    let y = Array::new(DType::Float16, &[2], vec![f64::INFINITY, f64::NEG_INFINITY]);
    check_within(0.0, Sizes::Static, Op::ElementWise { op: E::Sum }, &[x.clone(), x], &[y]);
}

#[test]
fn constants_of_any_size_keep_their_values() {
    for n in [4, 600] {
        let (a, b) = (rounded(&floats(&[2, n]), DType::Float16), rounded(&floats(&[1, n]), DType::Float16).constant());
        let y = rounded(&a.zip(&b, DType::Float16, |x, y| x + y), DType::Float16);
        check_within(0.0, Sizes::Any, Op::ElementWise { op: E::Sum }, &[a, b], &[y]);
    }
}

#[test]
fn casts_between_precisions_round() {
    let x = floats_in(&[64], -300.0, 300.0);
    for dtype in [DType::Float16, DType::BFloat16] {
        let y = rounded(&x, dtype);
        check_within(0.0, Sizes::Any, Op::Cast { to: dtype }, &[x.clone()], &[y.clone()]);
        check_within(0.0, Sizes::Any, Op::Cast { to: DType::Float32 }, &[y.clone()], &[y.cast(DType::Float32)]);
    }
}

#[test]
fn products_accumulate_in_float32() {
    let (a, b) = (rounded(&floats(&[3, 40]), DType::Float16), rounded(&floats(&[6, 40]), DType::Float16).constant());
    let y = Array::from_fn(DType::Float16, &[3, 6], |i| (0..40).map(|k| a.at(&[i[0], k]) * b.at(&[i[1], k])).sum());
    let op = Op::MatrixMultiply { op0: M::None, op1: M::Transpose };
    // One unit in the last place of float16.
    check_within(1e-3, Sizes::Any, op, &[a, b], &[rounded(&y, DType::Float16)]);
}

#[test]
fn native_half_precision_is_well_typed_in_every_family() {
    let half = |dims: &[i64]| rounded(&floats(dims), DType::Float16);
    let (image, rows) = ([1, 4, 6, 6], [3, 5]);
    let resize = network::ResizeAttributes {
        mode: network::InterpolationMode::Linear,
        size: vec![1, 4, 9, 9],
        scales: vec![],
        coordinate_transformation: network::ResizeCoordinateTransformation::HalfPixel,
        selector: network::ResizeSelector::Formula,
        nearest_rounding: network::ResizeRoundMode::Floor,
        cubic_coeff: -0.75,
        exclude_outside: false,
    };
    let blend = network::PoolingAttributes {
        kind: network::PoolingType::MaxAverageBlend,
        window: vec![2, 2],
        stride: vec![2, 2],
        pre_padding: vec![0, 0],
        post_padding: vec![0, 0],
        padding_mode: network::PaddingMode::ExplicitRoundDown,
        average_count_excludes_padding: true,
        blend_factor: 0.25,
    };
    let normalize = |axes: Vec<usize>, groups| Op::Normalization { axes, epsilon: 1e-3, groups };
    let activate = |kind| Op::Activation { kind, alpha: 0.3, beta: 0.7 };
    let channel = || half(&[1, 4, 1, 1]);
    let positive = rounded(&floats_in(&rows, 1.0, 3.0), DType::Float16);
    let cases = [
        (activate(network::ActivationType::Clip), vec![half(&rows)]),
        (activate(network::ActivationType::Softplus), vec![half(&rows)]),
        (Op::ElementWise { op: E::Pow }, vec![positive.clone(), half(&rows)]),
        (Op::MatrixMultiply { op0: M::None, op1: M::Transpose }, vec![half(&rows), half(&[6, 5]).constant()]),
        (Op::Pooling(blend), vec![half(&image)]),
        (Op::Resize(resize), vec![half(&image)]),
        (normalize(vec![3], 1), vec![half(&image), half(&[1, 1, 1, 6]), half(&[1, 1, 1, 6])]),
        (normalize(vec![1, 2, 3], 1), vec![half(&image), channel(), channel()]),
        (normalize(vec![2, 3], 1), vec![half(&image), channel().constant(), channel().constant()]),
        (normalize(vec![2, 3], 2), vec![half(&image), channel().constant(), channel().constant()]),
        (normalize(vec![1], 1), vec![half(&image), channel(), channel()]),
        (Op::SoftMax { axis: 1 }, vec![half(&rows)]),
        (Op::RaggedSoftMax, vec![half(&rows), crate::array::integers(DType::Int32, &[3, 1], 1, 6)]),
        (Op::Padding { pre: vec![1, 1], post: vec![0, 2] }, vec![half(&image)]),
    ];
    for (op, inputs) in cases {
        let build = |network: &mut network::Network, i: &[network::TensorId]| {
            vec![network.add_one(op.clone(), i, &origin()).unwrap()]
        };
        let network = crate::network_of(&build, &inputs, false);
        let native = onnx::LowerOptions { half: onnx::Half::Native, ..Default::default() };
        let (a, b) = (crate::run_with(&network, &inputs, &native), crate::run(&network, &inputs));
        // Both are float16 results; their intermediate roundings differ.
        crate::compare(&a[0], &b[0], 2e-2, op.name());
    }
}

#[test]
fn native_half_precision_writes_the_types_as_they_are() {
    let x = rounded(&floats(&[3, 4]), DType::Float16);
    let build = |network: &mut network::Network, i: &[network::TensorId]| {
        vec![network.add_one(Op::ElementWise { op: E::Sum }, &[i[0], i[0]], &origin()).unwrap()]
    };
    let network = crate::network_of(&build, &[x.clone()], false);
    let options = onnx::LowerOptions { half: onnx::Half::Native, ..Default::default() };
    assert_eq!(crate::operators(&onnx::lower(&network, &options).unwrap()), ["Add"]);
    let y = crate::run_with(&network, &[x.clone()], &options);
    crate::compare(&y[0], &x.map(|v| v + v), 0.0, "native");
}
