//! `differences`: which sums become differences, and that results stay what they were bit for bit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

mod common;

use common::{count, values};
use network::{ConvolutionAttributes, DType, ElementWiseOperation as E, Network, Op, Origin, TensorId, UnaryOperation};
use passes::{Pass, Target, eval, for_gpu, run};
use std::sync::Arc;

const TENSORRT: Target = Target::TensorRt(8, 6);

/// A network to be, on an input of some channels.
struct Sketch {
    network: Network,
    x: TensorId,
    seed: u64,
}

impl Sketch {
    fn new(dtype: DType, channels: i64) -> Self {
        let mut network = Network::new();
        let x = network.add_input("x", dtype, vec![1.into(), channels.into(), 2.into(), 2.into()]);
        let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        Self { network, x, seed }
    }

    fn add(&mut self, op: Op, inputs: &[TensorId]) -> TensorId {
        self.network.add_one(op, inputs, &Arc::new(Origin::default())).unwrap()
    }

    fn constant(&mut self, dims: &[i64]) -> TensorId {
        self.seed += 1;
        let dtype = self.network.tensor(self.x).dtype;
        self.add(Op::Constant(values(dtype, dims, self.seed)), &[])
    }

    /// A convolution of kernel 3 that keeps the size, with a bias.
    fn convolution(&mut self, x: TensorId, maps: i64) -> TensorId {
        let channels = self.network.tensor(x).dims[1].as_static().unwrap();
        let (weights, bias) = (self.constant(&[maps, channels, 3, 3]), self.constant(&[maps]));
        let attributes = ConvolutionAttributes {
            stride: vec![1, 1],
            pre_padding: vec![1, 1],
            post_padding: vec![1, 1],
            dilation: vec![1, 1],
            groups: 1,
        };
        self.add(Op::Convolution(attributes), &[x, weights, bias])
    }

    fn sum(&mut self, a: TensorId, b: TensorId) -> TensorId {
        self.add(Op::ElementWise { op: E::Sum }, &[a, b])
    }

    /// Ends in `y`; applies the passes of a GPU of 9.0, and compares results bit for bit. The number of differences.
    fn differences(mut self, y: TensorId) -> usize {
        self.network.add_output("y", y);
        let (made, _) = run(&self.network, &for_gpu(TENSORRT, (9, 0))).unwrap();
        let x = self.network.tensor(self.x);
        let x = values(x.dtype, &x.dims.iter().map(|d| d.as_static().unwrap()).collect::<Vec<_>>(), self.seed + 1);
        let result = |network: &Network| eval::run(network, std::slice::from_ref(&x)).unwrap()[0].to_f64();
        assert_eq!(result(&self.network), result(&made), "{made}");
        assert_eq!(count(&made, "Unary"), count(&self.network, "Unary"), "negated weights are constants: {made}");
        let is =
            |op: E| move |layer: &&network::Layer| matches!(layer.op, Op::ElementWise { op: other } if other == op);
        let of = |network: &Network, op| network.layers().iter().filter(is(op)).count();
        assert_eq!(of(&self.network, E::Sum) - of(&made, E::Sum), of(&made, E::Sub));
        of(&made, E::Sub)
    }
}

/// `x + conv(x)`, or the other way round.
fn residual(dtype: DType, channels: i64, turned: bool) -> (Sketch, TensorId) {
    let mut sketch = Sketch::new(dtype, channels);
    let y = sketch.convolution(sketch.x, channels);
    let (a, b) = if turned { (y, sketch.x) } else { (sketch.x, y) };
    let sum = sketch.sum(a, b);
    (sketch, sum)
}

#[test]
fn sums_with_long_convolutions_become_differences() {
    for turned in [false, true] {
        let (sketch, sum) = residual(DType::Float16, 228, turned);
        assert_eq!(sketch.differences(sum), 1);
    }
}

#[test]
fn short_sums_and_other_types_stay() {
    for (dtype, channels) in [(DType::Float16, 227), (DType::Float32, 228)] {
        let (sketch, sum) = residual(dtype, channels, false);
        assert_eq!(sketch.differences(sum), 0);
    }
}

#[test]
fn the_longest_convolution_of_a_sum_is_subtracted() {
    let mut sketch = Sketch::new(DType::Float16, 228);
    let wide = sketch.convolution(sketch.x, 230);
    let (long, short) = (sketch.convolution(wide, 2), sketch.convolution(sketch.x, 2));
    let sum = sketch.sum(short, long);
    assert_eq!(sketch.differences(sum), 1);
    // Both are sums of one convolution, which can be of one sign only.
    let mut sketch = Sketch::new(DType::Float16, 228);
    let y = sketch.convolution(sketch.x, 228);
    let (one, other) = (sketch.sum(sketch.x, y), sketch.sum(y, y));
    let sum = sketch.sum(one, other);
    assert_eq!(sketch.differences(sum), 0);
}

#[test]
fn sums_that_are_not_of_a_convolution_stay() {
    // A bias that was written as a sum, a broadcast sum, and something between the convolution and the sum.
    let mut sketch = Sketch::new(DType::Float16, 228);
    let y = sketch.convolution(sketch.x, 228);
    let constant = sketch.constant(&[1, 228, 2, 2]);
    let biased = sketch.sum(y, constant);
    let other = sketch.convolution(sketch.x, 1);
    let broadcast = sketch.sum(biased, other);
    let between = sketch.add(Op::Unary { op: UnaryOperation::Abs }, &[broadcast]);
    let sum = sketch.sum(between, sketch.x);
    assert_eq!(sketch.differences(sum), 0);
}

#[test]
fn only_8_6_on_9_0_needs_them() {
    let has = |target: Target, capability| for_gpu(target, capability).contains(&Pass::Differences);
    assert!(has(TENSORRT, (9, 0)));
    assert!(!has(TENSORRT, (8, 0)) && !has(TENSORRT, (8, 9)));
    assert!(!has(Target::TensorRt(10, 0), (9, 0)) && !has(Target::Rtx(1, 0), (9, 0)) && !has(Target::Cpu, (9, 0)));
}
