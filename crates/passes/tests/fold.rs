//! Constant folding, common subexpressions and batch norms, on networks small enough to read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

mod common;

use common::{becomes, count, read};
use network::{DType, Network, Op, Origin, Weights};
use passes::{Pass, STANDARD, eval, fold, run};
use std::sync::Arc;

fn all(passes: &'static [Pass]) -> impl Fn(&Network) -> Network {
    move |network| run(network, passes).unwrap().0
}

#[test]
fn layers_of_constants_become_constants() {
    becomes(
        all(&[Pass::Fold, Pass::Dce]),
        "input %0 \"x\": float32[2]
         %1: float32[2] = Constant([1.5, -2.5])
         %2: int32[2] = Cast(to: int32)(%1)
         %3: int32[2] = Constant([-2, 2])
         %4: int32[2] = ElementWise(op: FloorDiv)(%2, %3)
         %5: float32[2] = Cast(to: float32)(%4)
         %6: float32[2] = ElementWise(op: Sum)(%0, %5)
         output \"y\": %6",
        "input %0 \"x\": float32[2]
         %1: float32[2] = Constant([-1.0, -1.0])
         %2: float32[2] = ElementWise(op: Sum)(%0, %1)
         output \"y\": %2",
    );
}

#[test]
fn a_constant_mask_gives_its_size_to_what_follows() {
    becomes(
        all(&[Pass::Fold, Pass::Simplify, Pass::Dce]),
        "symbol u0 in 0..6 opt 0
         input %0 \"x\": float32[2,3,4]
         %1: bool[2,3] = Constant([false, true, true, true, false, false])
         %2: int32[2,u0] = NonZero(count: \"u0\")(%1)
         %3: int32[u0,2] = Shuffle(first_transpose: [1, 0], reshape: None, second_transpose: None)(%2)
         %4: float32[u0,4] = Gather(mode: Nd, axis: 0, elementwise_dims: 0)(%0, %3)
         output \"y\": %4",
        "symbol u0 in 0..6 opt 0
         input %0 \"x\": float32[2,3,4]
         %1: int32[3,2] = Constant([0, 1, 0, 2, 1, 0])
         %2: float32[3,4] = Gather(mode: Nd, axis: 0, elementwise_dims: 0)(%0, %1)
         output \"y\": %2",
    );
}

#[test]
fn shape_arithmetic_with_known_results_vanishes() {
    becomes(
        all(&[Pass::Fold, Pass::Simplify, Pass::Dce]),
        "symbol s0 in 1..8 opt 4
         input %0 \"x\": float32[s0,6,4]
         %1: int64[3] = Shape(%0)
         %2: int64[1] = Constant([1])
         %3: int64[1] = Gather(mode: Default, axis: 0, elementwise_dims: 0)(%1, %2)
         %4: int64[1] = Constant([3])
         %5: int64[1] = ElementWise(op: FloorDiv)(%3, %4)
         %6: int64[2] = Concatenation(axis: 0)(%5, %4)
         output \"y\": %6",
        "symbol s0 in 1..8 opt 4
         input %0 \"x\": float32[s0,6,4]
         %1: int64[2] = Constant([2, 3])
         output \"y\": %1",
    );
}

#[test]
fn what_has_no_defined_value_or_is_random_or_quantized_stays() {
    for (constants, layer) in [
        (
            ["%0: int32[1] = Constant([1])", "%1: int32[1] = Constant([0])"],
            "%2: int32[1] = ElementWise(op: Div)(%0, %1)",
        ),
        (["%0: float32[1] = Constant([1e10])", "%1: int32[1] = Constant([0])"], "%2: int32[1] = Cast(to: int32)(%0)"),
        (
            ["%0: float32[2] = Constant([1.0, 2.0])", "%1: int32[1] = Constant([2])"],
            "%2: float32[1] = Gather(mode: Default, axis: 0, elementwise_dims: 0)(%0, %1)",
        ),
        (
            ["%0: float32[2] = Constant([1.0, 2.0])", "%1: float32[] = Constant([0.5])"],
            "%2: int8[2] = Quantize(axis: None, to: int8)(%0, %1)",
        ),
        (
            ["%0: float32[] = Constant([0.0])", "%1: float32[] = Constant([1.0])"],
            "%2: float32[9] = Fill(op: RandomNormal, dims: [9], dtype: float32, alpha: 0.0, beta: 1.0)()",
        ),
    ] {
        let network = read(&format!("{}\n{}\n{layer}\noutput \"y\": %2", constants[0], constants[1]));
        assert_eq!(common::write(&fold(&network).unwrap()), common::write(&network));
    }
}

#[test]
fn a_result_much_larger_than_its_inputs_is_not_stored() {
    let text = |n: i64| {
        read(&format!(
            "%0: float32[1,1] = Constant([2.0])
             %1: float32[{n},1024] = Slice(start: [0, 0], size: [{n}, 1024], stride: [0, 0], mode: StrictBounds)(%0)
             output \"y\": %1"
        ))
    };
    assert_eq!(count(&fold(&text(4096)).unwrap(), "Slice"), 0, "16 MiB");
    assert_eq!(count(&fold(&text(4097)).unwrap(), "Slice"), 1, "more");
}

#[test]
fn the_same_of_the_same_is_computed_once() {
    becomes(
        all(&[Pass::Cse, Pass::Dce]),
        "input %0 \"x\": float32[2]
         %1: float32[2] = Constant([1.0, 2.0])
         %2: float32[2] = Constant([1.0, 2.0])
         %3: float32[2] = ElementWise(op: Sum)(%0, %1)
         %4: float32[2] = ElementWise(op: Sum)(%0, %2)
         %5: float32[2] = ElementWise(op: Sub)(%0, %2)
         %6: float32[2] = ElementWise(op: Prod)(%3, %4)
         %7: float32[2] = ElementWise(op: Prod)(%6, %5)
         output \"y\": %7",
        "input %0 \"x\": float32[2]
         %1: float32[2] = Constant([1.0, 2.0])
         %2: float32[2] = ElementWise(op: Sum)(%0, %1)
         %3: float32[2] = ElementWise(op: Sub)(%0, %1)
         %4: float32[2] = ElementWise(op: Prod)(%2, %2)
         %5: float32[2] = ElementWise(op: Prod)(%4, %3)
         output \"y\": %5",
    );
    let random = "%0: float32[9] = Fill(op: RandomUniform, dims: [9], dtype: float32, alpha: 0.0, beta: 1.0)()";
    let network = read(&format!("{random}\n{}\noutput \"a\": %0\noutput \"b\": %1", random.replace("%0", "%1")));
    assert_eq!(count(&run(&network, &[Pass::Cse]).unwrap().0, "Fill"), 2, "two draws");
}

#[test]
fn inputs_and_assertions_stay() {
    becomes(
        all(&[Pass::Dce]),
        "input %0 \"unused\": float32[2]
         input %1 \"c\": bool[]
         input %2 \"x\": float32[2]
         %3: bool[] = Unary(op: Not)(%1)
         %4: float32[2] = Activation(kind: Relu, alpha: 0.0, beta: 0.0)(%2)
         %5: float32[2] = Activation(kind: Tanh, alpha: 0.0, beta: 0.0)(%2)
         output \"y\": %5",
        "input %0 \"unused\": float32[2]
         input %1 \"c\": bool[]
         input %2 \"x\": float32[2]
         %3: float32[2] = Activation(kind: Tanh, alpha: 0.0, beta: 0.0)(%2)
         output \"y\": %3",
    );
    let mut network = read("input %0 \"c\": bool[]\n%1: bool[] = Unary(op: Not)(%0)\noutput \"y\": %0");
    let not = network.layers()[0].outputs[0];
    network.add(Op::Assertion { message: "no".into() }, &[Some(not)], &Arc::default()).unwrap();
    assert_eq!(run(&network, &[Pass::Dce]).unwrap().0.layers().len(), 2);
}

const BLOCK: &str = "symbol s0 in 1..8 opt 4
    input %0 \"x\": float32[s0,2,3,3]
    %1: float32[2,2,1,1] = Constant([1.0, 2.0, 3.0, 4.0])
    %2: float32[s0,2,3,3] = Convolution(stride: [1, 1], pre_padding: [0, 0], post_padding: [0, 0], \
      dilation: [1, 1], groups: 1)(%0, %1)
    %3: float32[2] = Constant([0.5, -0.5])
    %4: float32[2] = Constant([2.0, 10.0])
    %5: float32[s0,2,3,3] = Scale(mode: Channel, channel_axis: 1)(%2, %3, %4)\n";

#[test]
fn a_batch_norm_goes_into_the_convolution_before_it() {
    becomes(
        all(&[Pass::FoldBatchNorm, Pass::Dce]),
        &format!("{BLOCK} output \"y\": %5"),
        "symbol s0 in 1..8 opt 4
         input %0 \"x\": float32[s0,2,3,3]
         %1: float32[2,2,1,1] = Constant([2.0, 4.0, 30.0, 40.0])
         %2: float32[2] = Constant([0.5, -0.5])
         %3: float32[s0,2,3,3] = Convolution(stride: [1, 1], pre_padding: [0, 0], post_padding: [0, 0], \
           dilation: [1, 1], groups: 1)(%0, %1, %2)
         output \"y\": %3",
    );
}

#[test]
fn a_batch_norm_stays_where_the_convolution_is_used_otherwise_or_comes_after() {
    let twice = read(&format!("{BLOCK} output \"y\": %5\n output \"z\": %2"));
    assert_eq!(count(&run(&twice, &STANDARD).unwrap().0, "Scale"), 1, "the convolution's result is an output");
    let first = read(
        "input %0 \"x\": float32[1,2,3,3]
         %1: float32[2] = Constant([0.5, -0.5])
         %2: float32[1,2,3,3] = Scale(mode: Channel, channel_axis: 1)(%0, %1)
         %3: float32[2,2,1,1] = Constant([1.0, 2.0, 3.0, 4.0])
         %4: float32[1,2,3,3] = Convolution(stride: [1, 1], pre_padding: [0, 0], post_padding: [0, 0], \
           dilation: [1, 1], groups: 1)(%2, %3)
         output \"y\": %4",
    );
    assert_eq!(count(&run(&first, &STANDARD).unwrap().0, "Scale"), 1, "padding would not be scaled");
    let infinite = read(&format!("{BLOCK} output \"y\": %5").replace("[2.0, 10.0]", "[2.0, inf]"));
    assert_eq!(count(&run(&infinite, &STANDARD).unwrap().0, "Scale"), 1, "no finite weights express it");
}

#[test]
fn a_bias_of_a_matrix_product_stays_an_addition() {
    let text = "input %0 \"x\": float32[4,2]
         %1: float32[2,2] = Constant([1.0, 2.0, 3.0, 4.0])
         %2: float32[4,2] = MatrixMultiply(op0: None, op1: Transpose)(%0, %1)
         %3: float32[1,2] = Constant([0.5, -0.5])
         %4: float32[4,2] = ElementWise(op: Sum)(%2, %3)";
    let bare = format!("{text}\n output \"y\": %4");
    becomes(all(&[Pass::FoldBatchNorm, Pass::Dce]), &bare, &bare);
    becomes(
        all(&[Pass::FoldBatchNorm, Pass::Dce]),
        &format!(
            "{text}
             %5: float32[1,2] = Constant([2.0, 10.0])
             %6: float32[4,2] = ElementWise(op: Prod)(%4, %5)
             output \"y\": %6"
        ),
        "input %0 \"x\": float32[4,2]
         %1: float32[2,2] = Constant([2.0, 4.0, 30.0, 40.0])
         %2: float32[1,2] = Constant([1.0, -5.0])
         %3: float32[4,2] = MatrixMultiply(op0: None, op1: Transpose)(%0, %1)
         %4: float32[4,2] = ElementWise(op: Sum)(%3, %2)
         output \"y\": %4",
    );
}

#[test]
fn a_scale_after_a_transpose_goes_into_the_weights_before_it() {
    becomes(
        all(&[Pass::FoldBatchNorm, Pass::Dce]),
        "symbol s0 in 1..8 opt 4
         input %0 \"x\": float32[s0,5,2]
         %1: float32[1,2,2] = Constant([1.0, 2.0, 3.0, 4.0])
         %2: float32[s0,5,2] = MatrixMultiply(op0: None, op1: None)(%0, %1)
         %3: float32[s0,2,5] = Shuffle(first_transpose: [0, 2, 1], reshape: None, second_transpose: None)(%2)
         %4: float32[1,2,1] = Constant([2.0, 10.0])
         %5: float32[s0,2,5] = ElementWise(op: Prod)(%4, %3)
         %6: float32[5,s0,2] = Shuffle(first_transpose: [2, 0, 1], reshape: None, second_transpose: None)(%5)
         output \"y\": %6",
        "symbol s0 in 1..8 opt 4
         input %0 \"x\": float32[s0,5,2]
         %1: float32[1,2,2] = Constant([2.0, 20.0, 6.0, 40.0])
         %2: float32[s0,5,2] = MatrixMultiply(op0: None, op1: None)(%0, %1)
         %3: float32[s0,2,5] = Shuffle(first_transpose: [0, 2, 1], reshape: None, second_transpose: None)(%2)
         %4: float32[5,s0,2] = Shuffle(first_transpose: [2, 0, 1], reshape: None, second_transpose: None)(%3)
         output \"y\": %4",
    );
}

#[test]
fn each_weight_is_rounded_once() {
    // Factors whose product rounds differently in float32: 1/3 then 3 is exactly 1 only in one go.
    let mut network = Network::new();
    let origin: Arc<Origin> = Arc::default();
    let x = network.add_input("x", DType::Float32, [1, 1, 4, 4].map(network::Dim::Static).to_vec());
    let values: Vec<f32> = (0..1000).map(|k| (k as f32).sin()).collect();
    let kernel = network.add_one(Op::Constant(Weights::float32(&[1000, 1, 1, 1], &values)), &[], &origin).unwrap();
    let ones = || vec![1, 1];
    let convolution = network::ConvolutionAttributes {
        stride: ones(),
        pre_padding: vec![0, 0],
        post_padding: vec![0, 0],
        dilation: ones(),
        groups: 1,
    };
    let mut y = network.add_one(Op::Convolution(convolution), &[x, kernel], &origin).unwrap();
    let factors = [1.0f32 / 3.0, 0.7, 1.1];
    for factor in factors {
        let w = Weights::float32(&[1, 1, 1, 1], &[factor]);
        let c = network.add_one(Op::Constant(w), &[], &origin).unwrap();
        let prod = Op::ElementWise { op: network::ElementWiseOperation::Prod };
        y = network.add_one(prod, &[y, c], &origin).unwrap();
    }
    network.add_output("y", y);
    let made = run(&network, &[Pass::FoldBatchNorm, Pass::Dce]).unwrap().0;
    let Op::Constant(folded) = &made.layers()[0].op else { panic!("{made}") };
    let factor: f64 = factors.iter().map(|f| f64::from(*f)).product();
    let wanted: Vec<f64> = values.iter().map(|v| f64::from((f64::from(*v) * factor) as f32)).collect();
    assert_eq!(folded.to_f64(), wanted);
}

#[test]
fn evaluation_reports_why_it_cannot() {
    let missing = eval::run(&read("input %0 \"x\": float32[2]\noutput \"y\": %0"), &[]).unwrap_err();
    assert_eq!(missing.to_string(), "the network input `x` has no value");
    let two = Weights::int32(&[1], &[2]);
    let out = eval::evaluate(
        &Op::ElementWise { op: network::ElementWiseOperation::Div },
        &[Some(&two), Some(&Weights::int32(&[1], &[0]))],
    );
    assert_eq!(out.unwrap_err().to_string(), "the result is undefined: an integer division by zero");
}
