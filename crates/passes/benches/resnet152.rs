//! The standard passes over a network of ResNet-152's shape: 155 convolutions, each with its batch norm, 60 M
//! weights. Most of the time goes into rescaling 240 MB of them.
#![allow(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

use network::{
    ActivationType, ConvolutionAttributes, DType, Dim, ElementWiseOperation, Network, Op, Origin, ScaleMode, TensorId,
    Weights,
};
use passes::{Pass, STANDARD, Target, for_target, run};
use std::sync::Arc;

fn main() {
    divan::main();
}

struct Net {
    network: Network,
    count: usize,
}

impl Net {
    fn add(&mut self, op: Op, inputs: &[TensorId]) -> TensorId {
        let origin = Origin { module: format!("layer.{}", self.count), ..Origin::default() };
        self.count += 1;
        self.network.add_one(op, inputs, &Arc::new(origin)).unwrap()
    }

    fn constant(&mut self, dims: &[i64]) -> TensorId {
        let count = dims.iter().product::<i64>();
        let values: Vec<f32> = (0..count).map(|k| (k % 977) as f32 / 977.0 - 0.4).collect();
        self.add(Op::Constant(Weights::float32(dims, &values)), &[])
    }

    fn unit(&mut self, x: TensorId, from: i64, to: i64, window: i64, stride: i64, relu: bool) -> TensorId {
        let kernel = self.constant(&[to, from, window, window]);
        let both = |n: i64| vec![n, n];
        let attributes = ConvolutionAttributes {
            stride: both(stride),
            pre_padding: both(window / 2),
            post_padding: both(window / 2),
            dilation: both(1),
            groups: 1,
        };
        let y = self.add(Op::Convolution(attributes), &[x, kernel]);
        let (shift, scale) = (self.constant(&[to]), self.constant(&[to]));
        let y = self.add(Op::Scale { mode: ScaleMode::Channel, channel_axis: 1 }, &[y, shift, scale]);
        if relu { self.relu(y) } else { y }
    }

    fn relu(&mut self, x: TensorId) -> TensorId {
        self.add(Op::Activation { kind: ActivationType::Relu, alpha: 0.0, beta: 0.0 }, &[x])
    }
}

fn resnet152() -> Network {
    let mut net = Net { network: Network::new(), count: 0 };
    let dims = [1, 3, 224, 224].map(Dim::Static).to_vec();
    let x = net.network.add_input("x", DType::Float32, dims);
    let mut x = net.unit(x, 3, 64, 7, 4, true);
    let mut from = 64;
    for (stage, blocks) in [3, 8, 36, 3].into_iter().enumerate() {
        let width = 64 << stage;
        for block in 0..blocks {
            let stride = if block == 0 && stage > 0 { 2 } else { 1 };
            let y = net.unit(x, from, width, 1, 1, true);
            let y = net.unit(y, width, width, 3, stride, true);
            let y = net.unit(y, width, 4 * width, 1, 1, false);
            let shortcut = if block == 0 { net.unit(x, from, 4 * width, 1, stride, false) } else { x };
            let sum = net.add(Op::ElementWise { op: ElementWiseOperation::Sum }, &[y, shortcut]);
            x = net.relu(sum);
            from = 4 * width;
        }
    }
    net.network.add_output("y", x);
    net.network
}

/// Everything a network goes through on its way to TensorRT 10.
#[divan::bench(sample_count = 20)]
fn all(bencher: divan::Bencher<'_, '_>) {
    let network = resnet152();
    let passes: Vec<Pass> = STANDARD.into_iter().chain(for_target(Target::TensorRt(10, 13))).collect();
    bencher.bench(|| run(&network, &passes).unwrap().0);
}

/// One pass, on what it finds in the pipeline.
#[divan::bench(args = [0, 1, 2, 4, 7, 8], sample_count = 20)]
fn one(bencher: divan::Bencher<'_, '_>, pass: usize) {
    let (before, pass): (Network, &[Pass]) = (run(&resnet152(), &STANDARD[..pass]).unwrap().0, &STANDARD[pass..=pass]);
    bencher.bench(|| run(&before, pass).unwrap().0);
}
