//! `recurrences`: which multiplications get a second row, for which targets, and that results stay the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

mod common;

use common::{count, values};
use network::{ActivationType, DType, Dim, ElementWiseOperation, MatrixOperation, Network, Op, Origin, TensorId};
use passes::{Target, eval, for_target, run};
use std::sync::Arc;

const RTX: Target = Target::Rtx(1, 7);
const DEPTH: i64 = 3;

/// `h = relu(x + h @ w)`, some steps of a batch; each step with weights of its own, or all with the same.
fn recurrence(steps: usize, batch: Dim, shared: bool) -> Network {
    let mut network = Network::new();
    let origin = Arc::new(Origin::default());
    if let Some(symbol) = batch.symbols().first() {
        network.add_symbol(symbol, network::Symbol { min: 1, max: 8, opt: 2 });
    }
    let x = network.add_input("x", DType::Float32, vec![1.into(), batch, DEPTH.into()]);
    let weights = |network: &mut Network, seed: usize| {
        let values = values(DType::Float32, &[1, DEPTH, DEPTH], seed as u64 + 1);
        network.add_one(Op::Constant(values), &[], &origin).unwrap()
    };
    let first = weights(&mut network, 0);
    let mut state = x;
    for step in 0..steps {
        let own = if shared { first } else { weights(&mut network, step + 1) };
        let multiply = Op::MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::Transpose };
        let mut add = |op: Op, inputs: &[TensorId]| network.add_one(op, inputs, &origin).unwrap();
        let product = add(multiply, &[state, own]);
        let sum = add(Op::ElementWise { op: ElementWiseOperation::Sum }, &[x, product]);
        state = add(Op::Activation { kind: ActivationType::Relu, alpha: 0.0, beta: 0.0 }, &[sum]);
    }
    network.add_output("y", state);
    network
}

/// The multiplications with a second row that a target gets; results are compared bit for bit.
fn doubled(network: &Network, target: Target) -> usize {
    let (made, _) = run(network, &for_target(target)).unwrap();
    if network.symbols().is_empty() {
        let x = values(
            DType::Float32,
            &[1, network.tensor(network.inputs()[0].tensor).dims[1].as_static().unwrap(), DEPTH],
            9,
        );
        let result = |network: &Network| eval::run(network, std::slice::from_ref(&x)).unwrap()[0].to_f64();
        assert_eq!(result(network), result(&made), "{made}");
    }
    assert_eq!(count(&made, "Concatenation"), count(&made, "Slice"));
    count(&made, "Concatenation")
}

#[test]
fn steps_of_one_row_get_a_second() {
    for steps in 2..6 {
        assert_eq!(doubled(&recurrence(steps, 1.into(), true), RTX), steps);
    }
}

#[test]
fn other_multiplications_stay() {
    assert_eq!(doubled(&recurrence(1, 1.into(), true), RTX), 0, "a single step");
    assert_eq!(doubled(&recurrence(4, 1.into(), false), RTX), 0, "layers with weights of their own");
    assert_eq!(doubled(&recurrence(4, 2.into(), true), RTX), 0, "two rows");
    assert_eq!(doubled(&recurrence(4, Dim::symbol("batch"), true), RTX), 0, "any number of rows");
    for target in [Target::Cpu, Target::TensorRt(8, 6), Target::TensorRt(10, 0), Target::TensorRt(11, 0)] {
        assert_eq!(doubled(&recurrence(4, 1.into(), true), target), 0, "{target}");
    }
}
