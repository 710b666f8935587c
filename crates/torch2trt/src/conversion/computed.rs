//! The half-precision types in which a model itself computes its outputs.

use program::{Program, ScalarType, ValueId};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Of each output that is computed, the half-precision types in which the model computes it. Weights, inputs, and casts
/// and views of these do not count: their values are the same in every engine.
pub fn computed_in(program: &Program) -> Vec<Vec<ScalarType>> {
    let mut plain: HashSet<ValueId> = program.inputs().iter().copied().collect();
    let mut found: HashMap<ValueId, BTreeSet<&str>> = HashMap::new();
    for node in program.nodes() {
        let takes: Vec<ValueId> = node.arguments.values().flat_map(program::Argument::values).collect();
        let is_computed = takes.iter().any(|value| found.contains_key(value));
        if !is_computed && !takes.iter().any(|value| plain.contains(value)) {
            continue;
        }
        let outputs = node.outputs.iter().flatten().copied();
        if !is_computed && moves(&node.target) {
            plain.extend(outputs);
            continue;
        }
        let before: BTreeSet<&str> = takes.iter().filter_map(|value| found.get(value)).flatten().copied().collect();
        for value in outputs {
            let own = Some(program.value(value).dtype).filter(|dtype| is_half(*dtype)).map(ScalarType::name);
            found.insert(value, before.iter().copied().chain(own).collect());
        }
    }
    let types = |output: &program::Argument| {
        let names: BTreeSet<&str> = output.values().filter_map(|value| found.get(&value)).flatten().copied().collect();
        names.into_iter().filter_map(|name| name.parse().ok()).collect()
    };
    convert::computed_outputs(program).into_iter().map(|index| types(&program.outputs()[index])).collect()
}

/// Whether an operator is a cast or a view.
fn moves(target: &str) -> bool {
    target == "aten._to_copy.default" || archive::returns_view(target)
}

fn is_half(dtype: ScalarType) -> bool {
    matches!(dtype, ScalarType::Float16 | ScalarType::BFloat16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use program::{Argument, Node, Source, Value};

    fn call(program: &mut Program, target: &str, input: ValueId, dtype: ScalarType) -> ValueId {
        let arguments = [("self".to_owned(), Argument::Value(input))].into_iter().collect();
        let node = Node { target: target.into(), arguments, outputs: Vec::new(), source: Source::default() };
        let value = Value { name: "v".into(), dtype, dims: Vec::new() };
        program.add_node(node, vec![Some(value)]).unwrap()[0].unwrap()
    }

    #[test]
    fn casts_and_views_of_inputs_are_not_computed() {
        let mut program = Program::new();
        let x = program.add_input(Value { name: "x".into(), dtype: ScalarType::Float32, dims: Vec::new() });
        let half = call(&mut program, "aten._to_copy.default", x, ScalarType::Float16);
        let view = call(&mut program, "aten.view.default", half, ScalarType::Float16);
        let product = call(&mut program, "aten.relu.default", view, ScalarType::Float16);
        let back = call(&mut program, "aten._to_copy.default", product, ScalarType::Float32);
        let other = call(&mut program, "aten.relu.default", x, ScalarType::Float32);
        for value in [view, back, other] {
            program.add_output(Argument::Value(value)).unwrap();
        }
        program.add_output(Argument::Bool(true)).unwrap();
        assert_eq!(computed_in(&program), [vec![], vec![ScalarType::Float16], vec![]]);
    }
}
