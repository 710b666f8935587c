//! Bitwise operators on int32: right, and by numbers that are exact in float32 as well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use convert::{Options, convert};
use indexmap::IndexMap;
use network::{ElementWiseOperation as E, Network, Op, Weights};
use program::{Argument, Node, Program, ScalarType, Source, Value};
use proptest::prelude::*;

type Quotient = fn(&[Option<&Weights>]) -> Weights;

/// A call of an overload with two int32 vectors.
fn network(target: &str, count: usize) -> Network {
    let value = |name: &str| Value { name: name.into(), dtype: ScalarType::Int32, dims: vec![(count as i64).into()] };
    let mut program = Program::new();
    let (x, y) = (program.add_input(value("x")), program.add_input(value("y")));
    let arguments = IndexMap::from([("self".to_owned(), Argument::Value(x)), ("other".to_owned(), Argument::Value(y))]);
    let source = Source { module: String::new(), file: "model.py".into(), line: 1, function: "forward".into() };
    let node = Node { target: target.into(), arguments, outputs: Vec::new(), source };
    let output = program.add_node(node, vec![Some(value("z"))]).unwrap()[0].unwrap();
    program.add_output(Argument::Value(output)).unwrap();
    convert(&program, &Options::default(), None).unwrap()
}

/// Quotients of int32 as TensorRT 8.6 computes them in some networks: of operands rounded to float32.
fn rounded_quotients(taken: &[Option<&Weights>]) -> Weights {
    let [x, y] = [0, 1].map(|k| taken[k].unwrap());
    let exact = passes::eval::evaluate(&Op::ElementWise { op: E::FloorDiv }, taken).unwrap().remove(0);
    let shape: Vec<i64> = exact.dims.clone();
    let broadcast =
        |w: &Weights| passes::eval::evaluate(&Op::ElementWise { op: E::Sum }, &[Some(w), Some(&zeros(&shape))]);
    let [x, y] = [x, y].map(|w| broadcast(w).unwrap().remove(0).to_i64().unwrap());
    let quotients: Vec<i32> = x.iter().zip(&y).map(|(x, y)| (*x as f32 / *y as f32).floor() as i32).collect();
    Weights::int32(&shape, &quotients)
}

fn zeros(dims: &[i64]) -> Weights {
    Weights::int32(dims, &vec![0; dims.iter().product::<i64>() as usize])
}

/// Every value of a network, with the layer that makes it. `quotient` computes `FloorDiv`, where it is given.
fn values(network: &Network, inputs: [Weights; 2], quotient: Option<Quotient>) -> Vec<(&network::Layer, Vec<i64>)> {
    let mut values: Vec<Option<Weights>> = vec![None; network.tensor_count()];
    for (port, input) in network.inputs().iter().zip(inputs) {
        values[port.tensor.0 as usize] = Some(input);
    }
    let mut found = Vec::new();
    for layer in network.layers() {
        let taken: Vec<_> = layer.inputs.iter().map(|id| id.and_then(|id| values[id.0 as usize].as_ref())).collect();
        let made = match quotient {
            Some(quotient) if matches!(layer.op, Op::ElementWise { op: E::FloorDiv }) => quotient(&taken),
            _ => passes::eval::evaluate(&layer.op, &taken).unwrap().remove(0),
        };
        found.push((layer, made.to_i64().unwrap()));
        values[layer.outputs[0].0 as usize] = Some(made);
    }
    found
}

fn check(target: &str, operation: fn(i32, i32) -> i32, x: &[i32], y: &[i32]) {
    let network = network(target, x.len());
    let legalized = passes::legalize(&network, passes::Target::TensorRt(8, 6)).unwrap();
    let dims = [x.len() as i64];
    let inputs = || [Weights::int32(&dims, x), Weights::int32(&dims, y)];
    let found = values(&network, inputs(), None);
    let output = network.outputs()[0].tensor;
    let expected: Vec<i64> = x.iter().zip(y).map(|(x, y)| i64::from(operation(*x, *y))).collect();
    let rounded = values(&legalized, inputs(), Some(rounded_quotients));
    let last = rounded.iter().find(|(layer, _)| layer.outputs[0] == legalized.outputs()[0].tensor).unwrap();
    assert_eq!(last.1, expected, "{target} with rounded quotients");
    for (layer, values) in &found {
        if layer.outputs[0] == output {
            assert_eq!(values, &expected, "{target}");
        } else if !is_moved(layer) {
            let exact = |v: &i64| v.abs() < 1 << 24 || v % (1 << 16) == 0;
            assert!(values.iter().all(exact), "{target}: {} makes {values:?}", layer.name);
        }
    }
}

/// Whether a layer leaves the elements as they are.
fn is_moved(layer: &network::Layer) -> bool {
    matches!(layer.op, Op::Unsqueeze { .. } | Op::Shuffle { .. } | Op::Identity)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn numbers_in_between_are_exact_in_float32(
        pairs in prop::collection::vec((any::<i32>(), any::<i32>()), 1..20),
        ends in prop::collection::vec(prop::sample::select(vec![i32::MIN, i32::MAX, -1, 0, 1, 1 << 24, 65535]), 2),
    ) {
        let (mut x, mut y): (Vec<i32>, Vec<i32>) = pairs.into_iter().unzip();
        x.push(ends[0]);
        y.push(ends[1]);
        check("aten.bitwise_xor.Tensor", |x, y| x ^ y, &x, &y);
        check("aten.bitwise_and.Tensor", |x, y| x & y, &x, &y);
        check("aten.bitwise_or.Tensor", |x, y| x | y, &x, &y);
    }
}
