//! Whole models in small: a residual convolutional network and a transformer, in each precision, with static and
//! symbolic sizes, built by the real TensorRT-RTX.
#![allow(clippy::panic, clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking")]

mod common;

use DType::{BFloat16, Float16, Float32, Int64};
use common::{Net, build, library};
use network::*;

fn relu(n: &mut Net, x: TensorId) -> TensorId {
    n.op(Op::Activation { kind: ActivationType::Relu, alpha: 0.0, beta: 0.0 }, &[x])
}

fn convolve(n: &mut Net, x: TensorId, [from, to, window, stride]: [i64; 4]) -> TensorId {
    let dtype = n.network.tensor(x).dtype;
    let (kernel, bias) = (n.random(dtype, &[to, from, window, window]), n.random(dtype, &[to]));
    let padding = vec![window / 2; 2];
    let a = ConvolutionAttributes {
        stride: vec![stride; 2],
        pre_padding: padding.clone(),
        post_padding: padding,
        dilation: vec![1; 2],
        groups: 1,
    };
    let y = n.op(Op::Convolution(a), &[x, kernel, bias]);
    let (shift, scale) = (n.random(dtype, &[to]), n.random(dtype, &[to]));
    n.op(Op::Scale { mode: ScaleMode::Channel, channel_axis: 1 }, &[y, shift, scale])
}

fn linear(n: &mut Net, x: TensorId, from: i64, to: i64) -> TensorId {
    let (dtype, rank) = (n.network.tensor(x).dtype, n.network.tensor(x).rank());
    let ones = vec![1; rank - 2];
    let weight = n.random(dtype, &[&ones[..], &[to, from]].concat());
    let bias = n.random(dtype, &[&ones[..], &[1, to]].concat());
    let y = n.op(Op::MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::Transpose }, &[x, weight]);
    n.op(Op::ElementWise { op: ElementWiseOperation::Sum }, &[y, bias])
}

/// Stem, two residual blocks of which one halves the image, mean over the image, classifier.
fn residual_network(n: &mut Net, dtype: DType) {
    let x = n.input(dtype, &[3, 32, 32]);
    let x = convolve(n, x, [3, 16, 7, 2]);
    let x = relu(n, x);
    let pool = PoolingAttributes {
        kind: PoolingType::Max,
        window: vec![3; 2],
        stride: vec![2; 2],
        pre_padding: vec![1; 2],
        post_padding: vec![1; 2],
        padding_mode: PaddingMode::ExplicitRoundDown,
        average_count_excludes_padding: true,
        blend_factor: 0.0,
    };
    let mut x = n.op(Op::Pooling(pool), &[x]);
    for [from, to, stride] in [[16, 16, 1], [16, 32, 2]] {
        let y = convolve(n, x, [from, to, 3, stride]);
        let y = relu(n, y);
        let y = convolve(n, y, [to, to, 3, 1]);
        let identity = if stride == 1 { x } else { convolve(n, x, [from, to, 1, stride]) };
        let sum = n.op(Op::ElementWise { op: ElementWiseOperation::Sum }, &[y, identity]);
        x = relu(n, sum);
    }
    let x = n.op(Op::Reduce { op: ReduceOperation::Avg, axes: vec![2, 3], keep_dims: false }, &[x]);
    let y = linear(n, x, 32, 10);
    n.output(y);
}

const WIDTH: i64 = 32;
const HEADS: i64 = 4;

fn normalize(n: &mut Net, x: TensorId) -> TensorId {
    let dtype = n.network.tensor(x).dtype;
    let (scale, bias) = (n.random(dtype, &[1, 1, WIDTH]), n.random(dtype, &[1, 1, WIDTH]));
    n.op(Op::Normalization { axes: vec![2], epsilon: 1e-5, groups: 1 }, &[x, scale, bias])
}

/// Heads to the front: `[batch, tokens, width]` to `[batch, heads, tokens, width / heads]`.
fn split(n: &mut Net, x: TensorId) -> TensorId {
    use ReshapeDim::{Copy, Is};
    let op = Op::Shuffle {
        first_transpose: None,
        reshape: Some(vec![Copy, Copy, Is(HEADS), Is(WIDTH / HEADS)]),
        second_transpose: Some(vec![0, 2, 1, 3]),
    };
    n.op(op, &[x])
}

fn attention(n: &mut Net, x: TensorId) -> TensorId {
    use MatrixOperation::{None, Transpose};
    use ReshapeDim::{Copy, Is};
    let dtype = n.network.tensor(x).dtype;
    let [q, k, v] = [(); 3].map(|()| {
        let y = linear(n, x, WIDTH, WIDTH);
        split(n, y)
    });
    let scale = n.scalar(dtype, 4, 1.0 / ((WIDTH / HEADS) as f64).sqrt());
    let q = n.op(Op::ElementWise { op: ElementWiseOperation::Prod }, &[q, scale]);
    let scores = n.op(Op::MatrixMultiply { op0: None, op1: Transpose }, &[q, k]);
    let weights = n.op(Op::SoftMax { axis: 3 }, &[scores]);
    let y = n.op(Op::MatrixMultiply { op0: None, op1: None }, &[weights, v]);
    let join = Op::Shuffle {
        first_transpose: Some(vec![0, 2, 1, 3]),
        reshape: Some(vec![Copy, Copy, Is(WIDTH)]),
        second_transpose: Option::None,
    };
    let y = n.op(join, &[y]);
    linear(n, y, WIDTH, WIDTH)
}

/// Token and position embeddings (positions by shape arithmetic), two encoder layers, the best token of each place.
fn transformer(n: &mut Net, dtype: DType) {
    let tokens = if n.batch.is_static() { Dim::Static(7) } else { Dim::symbol("t") };
    n.network.add_symbol("t", Symbol { min: 1, opt: 7, max: 16 });
    let dims = vec![n.batch.clone(), tokens];
    let ids = n.input_of(Int64, dims);
    let gather = |axis| Op::Gather { mode: GatherMode::Default, axis, elementwise_dims: 0 };
    let (words, places) = (n.random(dtype, &[50, WIDTH]), n.random(dtype, &[1, 16, WIDTH]));
    let embedded = n.op(gather(0), &[words, ids]);
    let shape = n.op(Op::Shape, &[ids]);
    let at = n.ints(&[1]);
    let length = n.op(gather(0), &[shape, at]);
    let (one, width) = (n.ints(&[1]), n.ints(&[WIDTH]));
    let size = n.op(Op::Concatenation { axis: 0 }, &[one, length, width]);
    let (start, stride, mode) = (vec![0; 3], vec![1; 3], SampleMode::StrictBounds);
    let slice = Op::Slice { start, size: Vec::new(), stride, mode };
    let position = n.all(slice, &[Some(places), None, Some(size)])[0];
    let mut x = n.op(Op::ElementWise { op: ElementWiseOperation::Sum }, &[embedded, position]);
    for _ in 0..2 {
        let y = normalize(n, x);
        let y = attention(n, y);
        x = n.op(Op::ElementWise { op: ElementWiseOperation::Sum }, &[x, y]);
        let y = normalize(n, x);
        let y = linear(n, y, WIDTH, 4 * WIDTH);
        let y = n.op(Op::Activation { kind: ActivationType::GeluErf, alpha: 0.0, beta: 0.0 }, &[y]);
        let y = linear(n, y, 4 * WIDTH, WIDTH);
        x = n.op(Op::ElementWise { op: ElementWiseOperation::Sum }, &[x, y]);
    }
    let logits = linear(n, x, WIDTH, 50);
    let best = n.all(Op::TopK { op: TopKOperation::Max, k: 1, axis: 2 }, &[Some(logits)]);
    for id in best {
        n.output(id);
    }
}

type Model = fn(&mut Net, DType);

fn builds(variable: &str) {
    let Some(library) = library(variable) else { return };
    let models: [(&str, Model); 2] = [("residual network", residual_network), ("transformer", transformer)];
    for (name, model) in models {
        for dtype in [Float32, Float16, BFloat16] {
            for symbolic in [false, true] {
                let mut n = Net::new(symbolic);
                model(&mut n, dtype);
                let plan = build(&n.network, library).unwrap_or_else(|e| panic!("{name} {dtype} {symbolic}: {e}"));
                assert!(plan.bytes().len() > n.network.weight_bytes() / 2, "{name} {dtype}: the plan holds no weights");
                assert_eq!(plan.report.profiles.len(), usize::from(symbolic), "{name}");
            }
        }
    }
}

#[test]
fn rtx_1_7() {
    builds("TORCH2TRT_TEST_RTX_1_7");
}

#[test]
fn rtx_1_4() {
    builds("TORCH2TRT_TEST_RTX_1_4");
}
