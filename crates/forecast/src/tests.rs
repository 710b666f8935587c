//! Small networks whose memory and work can be counted by hand.

use crate::{Device, Forecast};
use network::{
    ActivationType, ConvolutionAttributes, DType, Dim, ElementWiseOperation, MatrixOperation, Network, Op, Origin,
    ReshapeDim, SampleMode, Symbol, TensorId, Weights,
};
use proptest::prelude::*;
use std::sync::Arc;

/// A network under construction, with one input `[1, 4, 8, 8]` of float32: 1024 bytes.
struct Builder {
    network: Network,
    x: TensorId,
}

const RELU: Op = Op::Activation { kind: ActivationType::Relu, alpha: 0.0, beta: 0.0 };
const ADD: Op = Op::ElementWise { op: ElementWiseOperation::Sum };

impl Builder {
    fn new() -> Self {
        let mut network = Network::new();
        let x = network.add_input("x", DType::Float32, [1, 4, 8, 8].map(Dim::Static).to_vec());
        Self { network, x }
    }

    fn add(&mut self, op: Op, inputs: &[TensorId]) -> TensorId {
        self.network.add_one(op, inputs, &Arc::new(Origin::default())).unwrap()
    }

    /// A 1x1 convolution to so many channels.
    fn convolution(&mut self, x: TensorId, channels: i64) -> TensorId {
        let before = self.network.tensor(x).dims[1].as_static().unwrap();
        let kernel = self.add(Op::Constant(Weights::filled(DType::Float32, &[channels, before, 1, 1], 1.0)), &[]);
        let attributes = ConvolutionAttributes {
            stride: vec![1, 1],
            pre_padding: vec![0, 0],
            post_padding: vec![0, 0],
            dilation: vec![1, 1],
            groups: 1,
        };
        self.add(Op::Convolution(attributes), &[x, kernel])
    }

    fn forecast(mut self, output: TensorId) -> Forecast {
        self.network.add_output("y", output);
        Forecast::new(&self.network).unwrap()
    }
}

#[test]
fn pointwise_layers_join_the_kernel_before_them() {
    let mut b = Builder::new();
    let first = b.convolution(b.x, 8);
    let first = b.add(RELU, &[first]);
    let second = b.convolution(first, 8);
    let sum = b.add(ADD, &[second, first]);
    let found = b.forecast(sum);
    assert_eq!(found.kernels.iter().map(|kernel| kernel.layers.len()).collect::<Vec<_>>(), [2, 2]);
    // Only the first kernel's result is stored: the second's is the output, in memory of the caller.
    assert_eq!((found.activations, found.peak), (8 * 64 * 4, Some(0)));
    assert_eq!((found.weights, found.interface), ((4 * 8 + 8 * 8) * 4, 1024 + 2048));
    let [first, second] = found.kernels.as_slice() else { panic!("{found:?}") };
    assert_eq!((first.operations(), first.read, first.written), (2 * 4 * 512 + 512, 1024 + 128, 2048));
    // The result of the first is read once, for the convolution and the addition.
    assert_eq!((second.operations(), second.read, second.written), (2 * 8 * 512 + 512, 2048 + 256, 2048));
}

#[test]
fn a_tensor_is_stored_until_its_last_reader() {
    let mut b = Builder::new();
    let skip = b.convolution(b.x, 8);
    let mut last = skip;
    for _ in 0..3 {
        last = b.convolution(last, 8);
    }
    let sum = b.add(ADD, &[last, skip]);
    let output = b.convolution(sum, 8);
    let stored: Vec<u64> = b.forecast(output).kernels.iter().map(|kernel| kernel.stored / 2048).collect();
    assert_eq!(stored, [1, 2, 3, 3, 1]);
}

#[test]
fn views_share_memory_and_copies_do_not() {
    let reshape = |transpose: Option<Vec<usize>>| Op::Shuffle {
        first_transpose: transpose,
        reshape: Some(vec![ReshapeDim::Copy, ReshapeDim::Infer]),
        second_transpose: None,
    };
    let rows = |axis: usize| {
        let mut size = vec![1, 8, 8, 8];
        size[axis] = 4;
        Op::Slice { start: vec![0; 4], size, stride: vec![1; 4], mode: SampleMode::StrictBounds }
    };
    for (op, kernels) in [
        (reshape(None), 2),
        (reshape(Some(vec![1, 0, 2, 3])), 2),
        (reshape(Some(vec![0, 2, 3, 1])), 3),
        (rows(1), 2),
        (rows(2), 3),
    ] {
        let mut b = Builder::new();
        let stored = b.convolution(b.x, 8);
        let moved = b.add(op.clone(), &[stored]);
        let output = b.add(Op::SoftMax { axis: 1 }, &[moved]);
        assert_eq!(b.forecast(output).kernels.len(), kernels, "{op:?}");
    }
}

#[test]
fn matrix_multiplications_in_float32_take_arithmetic_and_relu_only() {
    let gelu = Op::Activation { kind: ActivationType::GeluErf, alpha: 0.0, beta: 0.0 };
    for (dtype, op, kernels) in
        [(DType::Float32, gelu.clone(), 2), (DType::Float32, RELU, 1), (DType::Float16, gelu, 1)]
    {
        let mut b = Builder::new();
        let x = b.add(Op::Cast { to: dtype }, &[b.x]);
        let weights = b.add(Op::Constant(Weights::filled(dtype, &[1, 1, 8, 16], 1.0)), &[]);
        let none = MatrixOperation::None;
        let product = b.add(Op::MatrixMultiply { op0: none, op1: none }, &[x, weights]);
        let output = b.add(op.clone(), &[product]);
        // A cast of the input to float16 is a kernel of its own.
        let casts = usize::from(dtype == DType::Float16);
        assert_eq!(b.forecast(output).kernels.len(), kernels + casts, "{dtype} {op:?}");
    }
}

#[test]
fn a_concatenation_is_computed_in_place() {
    let mut b = Builder::new();
    let parts = [b.convolution(b.x, 8), b.convolution(b.x, 8)];
    let whole = b.add(Op::Concatenation { axis: 1 }, &parts);
    let output = b.convolution(whole, 4);
    let found = b.forecast(output);
    assert_eq!(found.activations, 2 * 2048);
    assert_eq!((found.kernels[2].read, found.kernels[2].written), (0, 0));
}

#[test]
fn constants_and_sizes_are_no_kernels() {
    let mut b = Builder::new();
    b.add(Op::Shape, &[b.x]);
    let bias = b.add(Op::Constant(Weights::filled(DType::Float32, &[1, 4, 1, 1], 1.0)), &[]);
    let sum = b.add(ADD, &[b.x, bias]);
    let found = b.forecast(sum);
    assert_eq!((found.kernels.len(), found.weights, found.scratch), (1, 16, 0));
}

#[test]
fn operands_decide_the_rate() {
    let mut b = Builder::new();
    let output = b.convolution(b.x, 8);
    let found = b.forecast(output);
    let device = Device::named("T4").unwrap();
    let kernel = &found.kernels[0];
    assert_eq!(kernel.contractions.get(&DType::Float32), Some(&(2 * 4 * 512)));
    assert_eq!(kernel.compute_seconds(device), f64::from(2 * 4 * 512) / 8.1e12);
    assert_eq!(kernel.memory_seconds(device), f64::from(1024 + 128 + 2048) / 320e9);
    assert_eq!(found.seconds(device), kernel.memory_seconds(device));
}

fn chain(max: i64, channels: &[i64]) -> Network {
    let mut network = Network::new();
    network.add_symbol("s0", Symbol { min: 1, opt: 1, max });
    let x = network.add_input("x", DType::Float32, vec![Dim::symbol("s0"), 4.into(), 8.into(), 8.into()]);
    let mut b = Builder { network, x };
    let output = channels.iter().fold(x, |x, channels| b.convolution(x, *channels));
    b.network.add_output("y", output);
    b.network
}

proptest! {
    #[test]
    fn a_chain_stores_two_neighbours_at_most(max in 1i64..64, channels in prop::collection::vec(8i64..32, 2..9)) {
        let found = Forecast::new(&chain(max, &channels)).unwrap();
        let bytes: Vec<u64> = channels.iter().map(|c| c.unsigned_abs() * max.unsigned_abs() * 256).collect();
        let stored = |k: usize| bytes[k].next_multiple_of(512);
        let inner = bytes.len() - 1;
        let most = (0..inner).map(|k| stored(k) + if k + 1 < inner { stored(k + 1) } else { 0 }).max();
        prop_assert_eq!(Some(found.activations), most);
        // Work is that of one sample, whatever the largest batch is.
        let products: i64 = [4].iter().chain(&channels).zip(&channels).map(|(a, b)| a * b * 64).sum();
        prop_assert_eq!(found.kernels.iter().map(crate::Kernel::operations).sum::<u64>(), 2 * products.unsigned_abs());
    }
}

#[test]
fn an_open_size_is_an_error_that_names_it() {
    let error = Forecast::new(&chain(i64::MAX, &[8])).unwrap_err().to_string();
    assert!(error.contains("`s0` has no upper bound"), "{error}");
}
