//! `precision`: half precision where it is safe, float32 where it is not, casts where they meet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

mod common;

use common::{count, read, write};
use network::{DType, Network, Op, Weights};
use passes::{Half, PrecisionOptions, PrecisionReport, Reason, Target, eval, for_target, observe, precision, run};

const HALVES: [Half; 2] = [Half::Float16, Half::BFloat16];

fn narrowed(text: &str, options: &PrecisionOptions) -> (Network, PrecisionReport) {
    let (network, report) = precision(&read(text), options).unwrap();
    network.verify().unwrap();
    (network, report)
}

fn float16(text: &str) -> (Network, PrecisionReport) {
    narrowed(text, &PrecisionOptions::new(Half::Float16))
}

/// The network that is made of a text, in the text's own form.
#[track_caller]
fn becomes(before: &str, after: &str) {
    let (network, _) = float16(before);
    let wanted: Vec<_> = after.trim().lines().map(str::trim).collect();
    assert_eq!(write(&network), wanted.join("\n"), "\nof\n{before}");
}

/// Numbers of a scale that repeat for nobody.
fn random(dims: &[i64], scale: f64) -> Weights {
    let mut state = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1;
    let count: i64 = dims.iter().product();
    let next = |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 33) as f64 / (1u64 << 30) as f64 - 1.0) * scale
    };
    Weights::from_f64(DType::Float32, dims, (0..count).map(next))
}

/// Largest difference of the narrowed network, relative to the largest result.
fn error(text: &str, options: &PrecisionOptions, x: &Weights) -> f64 {
    let (difference, largest) = difference(text, options, x);
    difference / largest
}

/// Largest difference of the narrowed network, and the largest result.
fn difference(text: &str, options: &PrecisionOptions, x: &Weights) -> (f64, f64) {
    let (network, _) = narrowed(text, options);
    let (wanted, found) = (
        eval::run(&read(text), std::slice::from_ref(x)).unwrap(),
        eval::run(&network, std::slice::from_ref(x)).unwrap(),
    );
    let (wanted, found) = (wanted[0].to_f64(), found[0].to_f64());
    assert!(wanted.iter().all(|w| w.is_finite()) && found.iter().all(|f| f.is_finite()), "{found:?}\n{network}");
    let largest = wanted.iter().fold(0f64, |m, w| m.max(w.abs()));
    (wanted.iter().zip(&found).fold(0f64, |m, (w, f)| m.max((w - f).abs())), largest)
}

fn casts(network: &Network) -> usize {
    count(network, "Cast")
}

#[test]
fn a_tensor_is_cast_once_and_constants_are_rounded_in_place() {
    becomes(
        "input %0 \"x\": float32[2,2]
         %1: float32[2,2] = Constant([0.1, 1.0, 2.0, 3.0])
         %2: float32[2,2] = MatrixMultiply(op0: None, op1: None)(%0, %1)
         %3: float32[2,2] = MatrixMultiply(op0: None, op1: Transpose)(%0, %1)
         %4: float32[2,2] = ElementWise(op: Sum)(%2, %3)
         output \"y\": %4
         output \"z\": %4",
        "input %0 \"x\": float32[2,2]
         %1: float16[2,2] = Cast(to: float16)(%0)
         %2: float16[2,2] = Constant([0.099975586, 1.0, 2.0, 3.0])
         %3: float16[2,2] = MatrixMultiply(op0: None, op1: None)(%1, %2)
         %4: float16[2,2] = MatrixMultiply(op0: None, op1: Transpose)(%1, %2)
         %5: float16[2,2] = ElementWise(op: Sum)(%3, %4)
         %6: float32[2,2] = Cast(to: float32)(%5)
         output \"y\": %6
         output \"z\": %6",
    );
}

#[test]
fn layers_that_move_follow_what_they_move() {
    let (network, report) = float16(
        "input %0 \"x\": float32[2,4]
         %1: float32[2,4] = Unary(op: Exp)(%0)
         %2: float32[4,2] = Shuffle(first_transpose: Some([1, 0]), reshape: None, second_transpose: None)(%1)
         %3: float32[4,2] = Unary(op: Log)(%2)
         %4: float32[2,2] = MatrixMultiply(op0: None, op1: None)(%0, %3)
         output \"y\": %4",
    );
    // x to float16, the logarithm to float16, the result back: nothing between the float32 layers.
    assert_eq!(casts(&network), 3, "{network}");
    let kept: Vec<_> = report.kept.iter().map(|k| &k.reason).collect();
    assert!(matches!(kept.as_slice(), [Reason::Steep("Exp"), Reason::Follows(_), Reason::Steep("Log")]), "{kept:?}");
    assert_eq!(report.half.len(), 1);
}

#[test]
fn integers_and_other_types_are_left_alone() {
    for text in [
        "input %0 \"x\": int64[3]
         %1: int64[3] = ElementWise(op: Sum)(%0, %0)
         output \"y\": %1",
        "input %0 \"x\": float16[3]
         %1: float16[3] = Unary(op: Exp)(%0)
         output \"y\": %1",
    ] {
        becomes(text, text);
    }
}

#[test]
fn positions_stay_float32_until_a_sine_bounds_them() {
    let text = "input %0 \"x\": int64[1,4]
         %1: float32[1,4] = Cast(to: float32)(%0)
         %2: float32[4,1] = Constant([1.0, 0.1, 0.01, 0.001])
         %3: float32[4,4] = MatrixMultiply(op0: None, op1: None)(%2, %1)
         %4: float32[4,4] = Unary(op: Sin)(%3)
         %5: float32[4,4] = MatrixMultiply(op0: None, op1: None)(%4, %4)
         output \"y\": %5";
    let (network, report) = float16(text);
    assert_eq!((report.half.len(), report.kept.len()), (1, 3), "{network}");
    let x = Weights::int64(&[1, 4], &[3001, 4003, 5557, 8191]);
    assert!(error(text, &PrecisionOptions::new(Half::Float16), &x) < 2e-3);
}

#[test]
fn a_mask_of_the_largest_float_masks() {
    let text = "input %0 \"x\": float32[2,4]
         %1: bool[1,4] = Constant([true, false, true, false])
         %2: float32[1,4] = Constant([0.0, 0.0, 0.0, 0.0])
         %3: float32[1,4] = Constant([-3.4028235e38, -3.4028235e38, -3.4028235e38, -3.4028235e38])
         %4: float32[1,4] = Select(%1, %2, %3)
         %5: float32[2,4] = ElementWise(op: Sum)(%0, %4)
         %6: float32[2,4] = SoftMax(axis: 1)(%5)
         %7: float32[2,2] = MatrixMultiply(op0: None, op1: Transpose)(%6, %0)
         output \"y\": %7";
    let (_, report) = float16(text);
    assert!(matches!(report.kept[0].reason, Reason::Overflows(..)), "{report:?}");
    // Where all is masked, float32 gives equal shares. An average of numbers that cancel is as exact as the numbers.
    for text in [text.to_owned(), text.replace("true", "false")] {
        let (difference, _) = difference(&text, &PrecisionOptions::new(Half::Float16), &random(&[2, 4], 3.0));
        assert!(difference < 3.0 * 2e-3, "{difference}");
    }
}

#[test]
fn root_mean_squares_do_not_overflow() {
    let text = "input %0 \"x\": float32[3,512]
         %1: float32[3,512] = ElementWise(op: Prod)(%0, %0)
         %2: float32[3,1] = Reduce(op: Avg, axes: [1], keep_dims: true)(%1)
         %3: float32[1,1] = Constant([1e-6])
         %4: float32[3,1] = ElementWise(op: Sum)(%2, %3)
         %5: float32[3,1] = Unary(op: Sqrt)(%4)
         %6: float32[3,512] = ElementWise(op: Div)(%0, %5)
         %7: float32[3,512] = ElementWise(op: Sum)(%0, %6)
         output \"y\": %7";
    for scale in [900.0, 1.0, 1e-3] {
        let x = random(&[3, 512], scale);
        for (half, limit) in HALVES.into_iter().zip([2e-3, 2e-2]) {
            let found = error(text, &PrecisionOptions::new(half), &x);
            assert!(found < limit, "{half} at {scale}: {found}");
        }
    }
}

#[test]
fn weights_that_vanish_or_overflow_keep_their_layer() {
    for (weight, kept) in [("1e5", true), ("6e4", false), ("1e-7", true), ("1e-3", false)] {
        let (_, report) = float16(&format!(
            "input %0 \"x\": float32[1,1]
             %1: float32[1,1] = Constant([{weight}])
             %2: float32[1,1] = MatrixMultiply(op0: None, op1: None)(%0, %1)
             output \"y\": %2"
        ));
        assert_eq!(report.kept.len(), usize::from(kept), "{weight}: {report:?}");
    }
}

/// How two convolutions are connected.
#[derive(Clone, Copy, PartialEq)]
enum Wiring {
    /// One after the other.
    Row,
    /// Each is added to what it takes.
    Residual,
    /// Each takes all that is there, and is concatenated to it.
    Dense,
}

/// Two convolutions over some channels, three where they are residual, then a linear layer.
fn convolutions(channels: i64, wiring: Wiring) -> Network {
    let mut network = Network::new();
    let origin = std::sync::Arc::new(network::Origin::default());
    let add = |network: &mut Network, op: Op, inputs: &[_]| network.add_one(op, inputs, &origin).unwrap();
    let x = network.add_input("x", DType::Float32, vec![1.into(), channels.into(), 2.into(), 2.into()]);
    let relu = Op::Activation { kind: network::ActivationType::Relu, alpha: 0.0, beta: 0.0 };
    let concatenation = Op::Concatenation { axis: 1 };
    let mut parts = vec![add(&mut network, Op::Unary { op: network::UnaryOperation::Abs }, &[x])];
    let mut last = parts[0];
    for _ in 0..if wiring == Wiring::Residual { 3 } else { 2 } {
        let taken = if wiring == Wiring::Dense { channels * parts.len() as i64 } else { channels };
        let weights = random(&[channels, taken, 3, 3], (9.0 * taken as f64).sqrt().recip());
        let weights = add(&mut network, Op::Constant(weights), &[]);
        let same = network::ConvolutionAttributes {
            stride: vec![1, 1],
            pre_padding: vec![1, 1],
            post_padding: vec![1, 1],
            dilation: vec![1, 1],
            groups: 1,
        };
        let y = add(&mut network, Op::Convolution(same), &[last, weights]);
        let sum = Op::ElementWise { op: network::ElementWiseOperation::Sum };
        last = match wiring {
            Wiring::Row => add(&mut network, relu.clone(), &[y]),
            Wiring::Residual => {
                let sum = add(&mut network, sum, &[y, last]);
                add(&mut network, relu.clone(), &[sum])
            }
            Wiring::Dense => {
                parts.push(y);
                add(&mut network, concatenation.clone(), &parts)
            }
        };
    }
    let flat = Op::Shuffle {
        first_transpose: None,
        reshape: Some(vec![network::ReshapeDim::Is(1), network::ReshapeDim::Infer]),
        second_transpose: None,
    };
    let flat = add(&mut network, flat, &[last]);
    let weights = add(&mut network, Op::Constant(random(&[4 * channels * parts.len() as i64, 3], 0.1)), &[]);
    let none = network::MatrixOperation::None;
    let y = add(&mut network, Op::MatrixMultiply { op0: none, op1: none }, &[flat, weights]);
    network.add_output("y", y);
    network
}

#[test]
fn long_sums_stay_float32_where_they_would_be_float16() {
    let float16 = PrecisionOptions::new(Half::Float16);
    let rounding = PrecisionOptions { rounds_sums: true, ..float16.clone() };
    let sums = |network: &Network, options: &PrecisionOptions| {
        let (network, report) = precision(network, options).unwrap();
        network.verify().unwrap();
        let sums = |kept: &passes::Float32Layer| match kept.reason {
            Reason::Sums(count) => Some(count),
            _ => None,
        };
        (report.kept.iter().filter_map(sums).collect::<Vec<_>>(), casts(&network))
    };
    let (long, short) = (convolutions(128, Wiring::Row), convolutions(65, Wiring::Row));
    // What comes before is cast to float16 and back; all that comes after stays float32.
    assert_eq!(sums(&long, &rounding), (vec![1152, 1152, 512], 2));
    // The product's weights are small, so that it alone is no loss.
    assert_eq!(sums(&short, &rounding), (vec![260], 2));
    // Of branches only what comes before their second sum, and that where most sums are long.
    assert_eq!(sums(&convolutions(128, Wiring::Residual), &rounding), (vec![1152, 1152, 512], 6));
    assert_eq!(sums(&convolutions(65, Wiring::Residual), &rounding), (vec![260], 2));
    let dense = convolutions(128, Wiring::Dense);
    for network in [&dense, &passes::cse(&dense).unwrap()] {
        assert_eq!(sums(network, &rounding), (vec![1536], 2));
    }
    assert_eq!(sums(&long, &float16), (vec![], 2));
    let bfloat16 = PrecisionOptions { half: Half::BFloat16, ..rounding };
    assert_eq!(sums(&long, &bfloat16), (vec![], 2), "nothing rounds sums of bfloat16");
}

#[test]
fn factors_of_long_sums_are_rounded() {
    let rounding = PrecisionOptions { rounds_sums: true, ..PrecisionOptions::new(Half::Float16) };
    let (network, _) = precision(&convolutions(128, Wiring::Row), &rounding).unwrap();
    let weights = network.layers().iter().filter(|layer| matches!(layer.op, Op::Convolution(_))).map(|layer| {
        let weights = network.constant(layer.input(1).unwrap()).unwrap();
        assert_eq!(weights.dtype, DType::Float32);
        weights.to_f64()
    });
    let weights: Vec<f64> = weights.flatten().collect();
    assert!(weights.len() == 2 * 128 * 1152 && weights.iter().any(|w| *w != 0.0));
    assert!(weights.iter().all(|w| f64::from(half::f16::from_f64(*w)) == *w));
    // An input of the network too, where a convolution reads it.
    let text = format!(
        "input %0 \"x\": float32[1,1200,1,1]
         %1: float32[2,1200,1,1] = Constant([{}])
         %2: float32[1,2,1,1] = Convolution(stride: [1, 1], pre_padding: [0, 0], post_padding: [0, 0], \
           dilation: [1, 1], groups: 1)(%0, %1)
         output \"y\": %2",
        vec!["0.1"; 2400].join(", ")
    );
    let (network, report) = narrowed(&text, &rounding);
    assert_eq!(report.kept.len(), 1);
    assert_eq!(casts(&network), 2, "to float16 and back: {network}");
}

#[test]
fn users_keep_modules_with_all_that_is_in_them() {
    let network = Network::parse(
        r#"network
        input %0 "x": float32[2,2]
        %1: float32[2,2] = MatrixMultiply(op0: None, op1: None)(%0, %0) "a" from "op" "body.0.fc" "net.py:1"
        %2: float32[2,2] = MatrixMultiply(op0: None, op1: None)(%1, %1) "b" from "op" "body.10.fc" "net.py:2"
        %3: float32[2,2] = MatrixMultiply(op0: None, op1: None)(%2, %2) "c" from "op" "head" "net.py:3"
        output "y": %3
        "#,
        &|_| None,
    )
    .unwrap();
    let cases: [(&[&str], &[&str]); 6] = [
        (&[], &[]),
        (&["body"], &["body.0.fc", "body.10.fc"]),
        (&["body.1"], &[]),
        (&["body.1*"], &["body.10.fc"]),
        (&["*.fc", "head"], &["body.0.fc", "body.10.fc", "head"]),
        (&["body.?", "tail"], &["body.0.fc"]),
    ];
    for (patterns, wanted) in cases {
        let mut options = PrecisionOptions::new(Half::Float16);
        options.keep_fp32 = patterns.iter().map(|p| (*p).to_owned()).collect();
        let (made, report) = precision(&network, &options).unwrap();
        made.verify().unwrap();
        let kept: Vec<_> = report.kept.iter().map(|k| k.module.as_str()).collect();
        assert_eq!(kept, wanted, "{patterns:?}");
        let unmatched: Vec<_> = patterns.iter().filter(|p| ["body.1", "tail"].contains(p)).collect();
        assert_eq!(report.unmatched.iter().collect::<Vec<_>>(), unmatched);
    }
}

#[test]
fn large_values_that_were_seen_stay_float32_until_they_are_bounded() {
    let text = "input %0 \"x\": float32[2,2]
         %1: float32[2,2] = MatrixMultiply(op0: None, op1: None)(%0, %0)
         %2: float32[2,2] = MatrixMultiply(op0: None, op1: None)(%1, %1)
         %3: float32[2,2] = SoftMax(axis: 1)(%2)
         %4: float32[2,2] = MatrixMultiply(op0: None, op1: None)(%3, %3)
         output \"y\": %4";
    for (seen, kept) in [(1e4, 0), (5e4, 3), (f32::NAN, 3), (f32::INFINITY, 3)] {
        let mut options = PrecisionOptions::new(Half::Float16);
        options.ranges.insert("l1".into(), seen);
        let (_, report) = narrowed(text, &options);
        assert_eq!(report.kept.len(), kept, "{seen}: {report:?}");
    }
    let mut options = PrecisionOptions::new(Half::Float16);
    options.ranges.insert("x".into(), 1e6);
    assert_eq!(narrowed(text, &options).1.kept.len(), 3);
}

#[test]
fn statistics_are_float32_and_what_they_normalize_is_narrowed_after() {
    for (size, kept) in [(49, 0), (768, 2)] {
        let (_, report) = float16(&format!(
            "input %0 \"x\": float32[2,{size}]
             %1: float32[2,{size}] = Activation(kind: Relu, alpha: 0.0, beta: 0.0)(%0)
             %2: float32[2,1] = Reduce(op: Avg, axes: [1], keep_dims: true)(%1)
             %3: float32[2,{size}] = ElementWise(op: Sub)(%1, %2)
             %4: float32[2,2] = MatrixMultiply(op0: None, op1: Transpose)(%3, %3)
             output \"y\": %4"
        ));
        assert_eq!(report.kept.len(), kept, "{size}: {report:?}");
    }
}

#[test]
fn the_models_own_casts_hold() {
    let (network, report) = float16(
        "input %0 \"x\": float16[2,2]
         %1: float32[2,2] = Cast(to: float32)(%0)
         %2: float32[2,2] = Activation(kind: Tanh, alpha: 0.0, beta: 0.0)(%1)
         %3: float16[2,2] = Cast(to: float16)(%2)
         %4: float16[2,2] = MatrixMultiply(op0: None, op1: None)(%3, %3)
         output \"y\": %4",
    );
    assert_eq!((casts(&network), report.kept.len()), (2, 2), "{network}");
}

#[test]
fn a_cast_of_float32_keeps_what_follows_up_to_the_next_product() {
    let (network, report) = float16(
        "input %0 \"x\": float32[2,2]
         %1: float32[2,2] = MatrixMultiply(op0: None, op1: None)(%0, %0)
         %2: float32[2,2] = Cast(to: float32)(%1)
         %3: float32[2,2] = Activation(kind: Tanh, alpha: 0.0, beta: 0.0)(%2)
         %4: float32[2,2] = MatrixMultiply(op0: None, op1: None)(%3, %3)
         output \"y\": %4",
    );
    let types: Vec<_> = network.layers().iter().map(|l| (l.op.name(), network.tensor(l.outputs[0]).dtype)).collect();
    let of = |kind: &str| types.iter().filter(|(k, _)| *k == kind).map(|(_, dtype)| *dtype).collect::<Vec<_>>();
    assert_eq!(of("MatrixMultiply"), [DType::Float16, DType::Float16], "{network}");
    assert_eq!(of("Activation"), [DType::Float32], "{network}");
    assert_eq!(report.kept.len(), 1, "{report:?}");
    // An input that is float32 already needs no layer for it.
    becomes(
        "input %0 \"x\": float32[2]
         %1: float32[2] = Cast(to: float32)(%0)
         %2: float32[2] = Activation(kind: Tanh, alpha: 0.0, beta: 0.0)(%1)
         output \"y\": %2",
        "input %0 \"x\": float32[2]
         %1: float32[2] = Activation(kind: Tanh, alpha: 0.0, beta: 0.0)(%0)
         output \"y\": %1",
    );
}

#[test]
fn comparisons_are_exact() {
    let text = "input %0 \"x\": float32[1]
         %1: float32[1] = Constant([0.1])
         %2: bool[1] = ElementWise(op: Less)(%0, %1)
         output \"y\": %2";
    becomes(text, text);
}

#[test]
fn observed_networks_return_the_largest_finite_magnitudes() {
    let text = "input %0 \"x\": float32[2,3]
         %1: float32[2,1] = Constant([2.0, -inf])
         %2: float32[2,3] = ElementWise(op: Prod)(%0, %1)
         %3: float32[3,2] = Shuffle(first_transpose: Some([1, 0]), reshape: None, second_transpose: None)(%2)
         %4: float32[3,1] = Reduce(op: Sum, axes: [1], keep_dims: true)(%3)
         output \"y\": %4";
    let (network, names) = observe(&read(text)).unwrap();
    network.verify().unwrap();
    assert_eq!(names, ["x", "l2", "l4"], "movement makes no numbers");
    let x = Weights::float32(&[2, 3], &[1.0, -5.5, 3.0, 1.0, 2.0, 7.0]);
    let outputs = eval::run(&network, &[x]).unwrap();
    let seen: Vec<_> = outputs[1..].iter().map(network::Weights::to_f64).collect();
    assert_eq!(seen, [[7.0], [11.0], [0.0]], "{network}");
}

#[test]
fn every_target_gets_the_same_choices() {
    let text = "symbol s0 in 1..8 opt 2
         input %0 \"x\": float32[s0,64]
         input %1 \"ids\": int64[s0,64]
         %2: float32[s0,64] = Activation(kind: GeluErf, alpha: 0.0, beta: 0.0)(%0)
         %3: float32[s0,64] = Cast(to: float32)(%1)
         %4: float32[s0,64] = ElementWise(op: Sum)(%2, %3)
         %5: float32[s0,64] = SoftMax(axis: 1)(%4)
         %6: float32[s0,s0] = MatrixMultiply(op0: None, op1: Transpose)(%5, %0)
         %7: float32[s0,s0] = Unary(op: Exp)(%6)
         output \"y\": %7";
    let (network, _) = float16(text);
    for target in
        [Target::TensorRt(8, 6), Target::TensorRt(10, 0), Target::TensorRt(11, 0), Target::Rtx(1, 7), Target::Cpu]
    {
        let (legal, _) = run(&network, &for_target(target)).unwrap();
        let types = |name: &str| {
            let layer = legal.layers().iter().find(|l| l.op.name() == name).unwrap();
            legal.tensor(layer.outputs[0]).dtype
        };
        assert_eq!(types("SoftMax"), DType::Float32, "of positions, {target}");
        assert_eq!(types("MatrixMultiply"), DType::Float16, "{target}");
        assert_eq!(legal.tensor(legal.outputs()[0].tensor).dtype, DType::Float32);
    }
    let (network, _) = narrowed(text, &PrecisionOptions::new(Half::BFloat16));
    assert!(run(&network, &for_target(Target::TensorRt(8, 6))).is_err(), "8.6 has no bfloat16");
}
