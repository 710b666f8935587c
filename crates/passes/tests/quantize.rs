//! `quantize`: what is quantized, and with which scales. What comes of it is compared in `tests/python/test_int8.py`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

mod common;

use common::{count, read};
use network::{DType, Network, Op, Weights};
use passes::{Half, PrecisionOptions, Quantization, calibrate, eval, precision, quantize};
use std::collections::HashMap;

/// Two convolutions, the first of which reads what a sum reads too, and a product.
const TEXT: &str = "input %0 \"x\": float32[2,2,1,1]
    %1: float32[2,2,1,1] = Activation(kind: Relu, alpha: 0.0, beta: 0.0)(%0)
    %2: float32[3,2,1,1] = Constant([1.0, -4.0, 0.5, 0.25, 0.0, 0.0])
    %3: float32[2,3,1,1] = Convolution(stride: [1, 1], pre_padding: [0, 0], post_padding: [0, 0], \
      dilation: [1, 1], groups: 1)(%1, %2)
    %4: float32[2,2,1,1] = Constant([2.0, 2.0, 2.0, 2.0])
    %5: float32[2,2,1,1] = Convolution(stride: [1, 1], pre_padding: [0, 0], post_padding: [0, 0], \
      dilation: [1, 1], groups: 1)(%1, %4)
    %6: float32[2,2,1,1] = ElementWise(op: Sum)(%1, %5)
    %7: float32[2,3] = Shuffle(first_transpose: None, reshape: Some([Is(2), Is(3)]), second_transpose: None)(%3)
    %8: float32[3,2] = Constant([1.0, 10.0, 2.0, 20.0, -3.0, 30.0])
    %9: float32[2,2] = MatrixMultiply(op0: None, op1: None)(%7, %8)
    output \"y\": %9
    output \"z\": %6";

fn ranges(network: &Network, keep: &[String], x: &Weights) -> HashMap<String, f32> {
    let (observed, names) = calibrate(network, Quantization::Int8, keep).unwrap();
    observed.verify().unwrap();
    let values = eval::run(&observed, std::slice::from_ref(x)).unwrap();
    let seen = values[values.len() - names.len()..].iter();
    let largest = |w: &Weights| w.to_f64().into_iter().fold(0.0, |most: f64, v| most.max(v.abs())) as f32;
    names.into_iter().zip(seen.map(largest)).collect()
}

fn scales_of(network: &Network) -> Vec<Vec<f64>> {
    let quantizes = |layer: &&network::Layer| matches!(layer.op, Op::Quantize { .. });
    let scales = |layer: &network::Layer| network.constant(layer.input(1).unwrap()).unwrap().to_f64();
    network.layers().iter().filter(quantizes).map(scales).collect()
}

#[test]
fn what_is_read_gets_one_scale_and_weights_one_a_channel() {
    let network = read(TEXT);
    let x = Weights::from_f64(DType::Float32, &[2, 2, 1, 1], [1.27, 0.5, -9.0, 0.25]);
    let ranges = ranges(&network, &[], &x);
    assert_eq!(ranges.len(), 2, "what two layers read is seen once: {ranges:?}");
    let made = quantize(&network, Quantization::Int8, &ranges, &[]).unwrap();
    made.network.verify().unwrap();
    assert_eq!((made.layers.len(), made.unmatched.len()), (3, 0));
    assert_eq!(count(&made.network, "Quantize"), 5, "{}", made.network);
    let scales = scales_of(&made.network);
    let close = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6 * b);
    assert!(close(&scales[0], &[0.01]), "of x after the Relu: {scales:?}");
    assert!(close(&scales[1], &[4.0 / 127.0, 0.5 / 127.0, 1.0]), "a channel of zeros has any scale: {scales:?}");
    assert!(close(&scales[2], &[2.0 / 127.0, 2.0 / 127.0]), "{scales:?}");
    assert!(close(&scales[4], &[3.0 / 127.0, 30.0 / 127.0]), "columns of the matrix: {scales:?}");
}

#[test]
fn modules_that_are_named_and_layers_without_a_range_stay() {
    let network = read(TEXT);
    let x = Weights::from_f64(DType::Float32, &[2, 2, 1, 1], [1.0; 4]);
    let keep = ["m3".to_owned(), "nothing".to_owned()];
    let seen = ranges(&network, &keep, &x);
    let made = quantize(&network, Quantization::Int8, &seen, &keep).unwrap();
    assert_eq!((made.layers.len(), made.unmatched), (2, vec!["nothing".to_owned()]));
    let none = quantize(&network, Quantization::Int8, &HashMap::new(), &[]).unwrap();
    assert_eq!((none.layers.len(), count(&none.network, "Quantize")), (0, 0));
    let useless: HashMap<String, f32> = seen.keys().map(|name| (name.clone(), 0.0)).collect();
    assert_eq!(quantize(&network, Quantization::Int8, &useless, &[]).unwrap().layers.len(), 0);
    let infinite: HashMap<String, f32> = seen.keys().map(|name| (name.clone(), f32::INFINITY)).collect();
    assert_eq!(quantize(&network, Quantization::Int8, &infinite, &[]).unwrap().layers.len(), 0);
}

#[test]
fn half_precision_has_scales_of_its_own_type() {
    for half in [Half::Float16, Half::BFloat16] {
        let (network, _) = precision(&read(TEXT), &PrecisionOptions::new(half)).unwrap();
        let x = Weights::from_f64(DType::Float32, &[2, 2, 1, 1], [1.0, 0.5, 0.25, 0.125]);
        let seen = ranges(&network, &[], &x);
        let made = quantize(&network, Quantization::Int8, &seen, &[]).unwrap();
        made.network.verify().unwrap();
        assert_eq!(made.layers.len(), 3);
        for layer in made.network.layers() {
            if let Op::Quantize { .. } | Op::Dequantize { .. } = layer.op {
                assert_eq!(made.network.tensor(layer.input(1).unwrap()).dtype, half.dtype(), "{}", made.network);
            }
        }
        // A range that float16 has no digits for is none; bfloat16 has those of float32.
        let tiny: HashMap<String, f32> = seen.keys().map(|name| (name.clone(), 1e-4)).collect();
        let layers = quantize(&network, Quantization::Int8, &tiny, &[]).unwrap().layers.len();
        assert_eq!(layers, if half == Half::Float16 { 0 } else { 3 });
    }
}

/// Two residual blocks, the second with a convolution on either branch, and a convolution that reads the pooled sum.
const RESIDUAL: &str = "input %0 \"x\": float32[1,1,4,4]
    %1: float32[1,1,4,4] = Activation(kind: Relu, alpha: 0.0, beta: 0.0)(%0)
    %2: float32[1,1,1,1] = Constant([2.0])
    %3: float32[1,1,4,4] = CONV(%1, %2)
    %4: float32[1,1,4,4] = ElementWise(op: Sum)(%3, %1)
    %5: float32[1,1,4,4] = Activation(kind: Relu, alpha: 0.0, beta: 0.0)(%4)
    %6: float32[1,1,4,4] = CONV(%5, %2)
    %7: float32[1,1,4,4] = CONV(%5, %2)
    %8: float32[1,1,4,4] = ElementWise(op: Sum)(%6, %7)
    %9: float32[1,1,2,2] = Pooling(kind: Max, window: [2, 2], stride: [2, 2], pre_padding: [0, 0], \
      post_padding: [0, 0], padding_mode: ExplicitRoundDown, average_count_excludes_padding: true, \
      blend_factor: 0.0)(%8)
    %10: float32[1,1,2,2] = CONV(%9, %2)
    %11: float32[1,1,2,2] = ElementWise(op: Sum)(%10, %9)
    output \"y\": %11";

#[test]
fn the_other_branch_of_a_sum_is_read_in_int8_where_the_sum_is() {
    let text = RESIDUAL.replace(
        "CONV",
        "Convolution(stride: [1, 1], pre_padding: [0, 0], post_padding: [0, 0], dilation: [1, 1], groups: 1)",
    );
    let network = read(&text);
    let in_int8 = |keep: &[String]| {
        let (_, names) = calibrate(&network, Quantization::Int8, keep).unwrap();
        let seen: HashMap<String, f32> = names.into_iter().map(|name| (name, 8.0)).collect();
        (seen.len(), quantize(&network, Quantization::Int8, &seen, keep).unwrap())
    };
    let (seen, made) = in_int8(&[]);
    made.network.verify().unwrap();
    assert_eq!((made.layers.len(), made.additions.len()), (4, 2));
    let quantized = |id: network::TensorId| {
        made.network.producer(id).is_some_and(|layer| matches!(layer.op, Op::Dequantize { .. }))
    };
    let sums = made.network.layers().iter().filter(|layer| matches!(layer.op, Op::ElementWise { .. }));
    let read: Vec<[bool; 2]> = sums.map(|sum| [0, 1].map(|k| quantized(sum.input(k).unwrap()))).collect();
    // The later of two convolutions is where the sum is computed. The last sum is read by none.
    assert_eq!(read, [[false, true], [true, false], [false, false]], "{}", made.network);
    // Of four convolutions their weights, and what is read: x, both sums, and the branch that ends in a convolution.
    assert_eq!((seen, count(&made.network, "Quantize")), (4, 4 + 4));
    // A module that is to stay keeps its sum, too.
    let sum = network.layers().iter().find(|layer| matches!(layer.op, Op::ElementWise { .. })).unwrap();
    let keep = [sum.origin.module.clone()];
    let (_, kept) = in_int8(&keep);
    assert_eq!(count(&kept.network, "Quantize"), 8, "what the sum read is read by a convolution, too");
    let first = kept.network.layers().iter().find(|layer| matches!(layer.op, Op::ElementWise { .. })).unwrap();
    let inputs = [first.input(0).unwrap(), first.input(1).unwrap()];
    let plain = |id| kept.network.producer(id).is_some_and(|layer| !matches!(layer.op, Op::Dequantize { .. }));
    assert!(inputs.into_iter().all(plain), "{}", kept.network);
}
