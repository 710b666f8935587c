//! Networks and programs that fail, reduced.

use super::reduce::{call_alone, network};
use crate::Code;
use network::{ActivationType, DType, ElementWiseOperation, Network, Op, Origin, TensorId, UnaryOperation};
use program::Program;
use std::sync::Arc;

fn unary(network: &mut Network, op: UnaryOperation, x: TensorId) -> TensorId {
    network.add_one(Op::Unary { op }, &[x], &Arc::new(Origin::default())).unwrap()
}

/// Many layers, with an Exp, a Tanh of it, and a sum of that with a Log of the input, in the middle.
fn model() -> Network {
    let mut made = Network::new();
    let origin = Arc::new(Origin::default());
    let mut x = made.add_input("x", DType::Float32, vec![2.into(), 3.into()]);
    for _ in 0..30 {
        x = unary(&mut made, UnaryOperation::Sin, x);
    }
    let log = unary(&mut made, UnaryOperation::Log, x);
    let exp = unary(&mut made, UnaryOperation::Exp, x);
    let between = unary(&mut made, UnaryOperation::Cos, exp);
    let tanh = Op::Activation { kind: ActivationType::Tanh, alpha: 0.0, beta: 0.0 };
    let tanh = made.add_one(tanh, &[exp], &origin).unwrap();
    let sum = made.add_one(Op::ElementWise { op: ElementWiseOperation::Sum }, &[tanh, log], &origin).unwrap();
    x = made.add_one(Op::ElementWise { op: ElementWiseOperation::Sum }, &[sum, between], &origin).unwrap();
    for _ in 0..30 {
        x = unary(&mut made, UnaryOperation::Sin, x);
    }
    made.add_output("y", x);
    made
}

/// Whether a network has an Exp and a Tanh of the same tensor's value.
fn has_tanh_of_exp(network: &Network) -> bool {
    let is_exp = |id: TensorId| {
        network.producer(id).is_some_and(|layer| matches!(layer.op, Op::Unary { op: UnaryOperation::Exp }))
    };
    network
        .layers()
        .iter()
        .any(|layer| matches!(layer.op, Op::Activation { kind: ActivationType::Tanh, .. }) && layer.used().any(is_exp))
}

#[test]
fn a_network_is_reduced_to_the_layers_that_fail_together() {
    let mut tried = 0;
    let small = network(&model(), &mut |part| {
        part.verify().unwrap();
        tried += 1;
        Ok(has_tanh_of_exp(part))
    });
    let small = small.unwrap();
    assert!(has_tanh_of_exp(&small));
    let names: Vec<&str> = small.layers().iter().map(|layer| layer.op.name()).collect();
    assert_eq!(names, ["Unary", "Activation"], "{small}");
    assert_eq!((small.inputs().len(), small.outputs().len()), (1, 1));
    assert!(tried < 30, "{tried} networks");
}

#[test]
fn one_layer_that_fails_is_left_alone() {
    for place in [0, 5, 33, 65] {
        let whole = model();
        let name = whole.layers()[place].name.clone();
        let has = |network: &Network| network.layers().iter().any(|layer| layer.name == name);
        let small = network(&whole, &mut |part| Ok(has(part))).unwrap();
        assert_eq!(small.layers().len(), 1);
        assert!(has(&small));
    }
}

const PROGRAM: &str = r#"program
  symbol s0 in 1..8 hint 4
  input %x: float32[s0,3]
  weight %fc.weight: float32[2,3] parameter = [0.5, 1.0, -1.0, 2.0, 0.0, inf]
  weight %fc.bias: float32[2] parameter = [1.0, 2.0]
  %linear: float32[s0,2] = aten.linear.default(input=%x, weight=%fc.weight, bias=%fc.bias) from "fc" "net.py:7"
  %relu: float32[s0,2] = aten.relu.default(self=%linear) from "" "net.py:8"
  %cat: float32[s0,5] = aten.cat.default(tensors=[%relu, %x], dim=1) from "" "net.py:9"
  return %cat
"#;

#[test]
fn a_call_alone_has_its_inputs_and_weights() {
    let program = Program::parse(PROGRAM, &|_| None).unwrap();
    let linear = call_alone(&program, 0).unwrap().to_string();
    for line in
        ["symbol s0", "input %x", "weight %fc.weight", "weight %fc.bias", "aten.linear.default", "return %linear"]
    {
        assert!(linear.contains(line), "{linear}");
    }
    let cat = call_alone(&program, 2).unwrap().to_string();
    assert!(cat.contains("input %relu: float32[s0,2]") && cat.contains("tensors=[%relu, %x]"), "{cat}");
    assert!(!cat.contains("weight") && !cat.contains("aten.relu"), "{cat}");
    assert_eq!(call_alone(&program, 3).unwrap_err().code(), Code::BadProgram);
}
