//! How a model from an archive is called, as the manifest of an engine file has it for the Python half.
//!
//! The form is that of `python/torch2trt/tree_file.py`. What it cannot express becomes plain: tensors in order in, and
//! a tuple of them out.

use archive::{Archive, Leaf, Signature, Spec};
use program::{Argument, ValueId};
use serde_json::{Value, json};

/// The structure of the arguments and of the return value.
pub fn call_structure(archive: &Archive) -> Value {
    if let Some(captured) = &archive.captured {
        return captured.model.clone();
    }
    let signature = archive.signature.as_ref();
    let inputs = signature.and_then(|signature| inputs(signature, &archive.inputs));
    let outputs = signature.and_then(|signature| outputs(&signature.returns, &archive.outputs));
    let mut described = json!({
        "inputs": inputs.unwrap_or_else(|| plain_inputs(&archive.inputs)),
        "outputs": outputs.unwrap_or_else(|| plain_outputs(&archive.outputs)),
    });
    let dtype = |id: &ValueId| Some(archive.program.value(*id).dtype.name());
    described["inputs"]["dtypes"] = json!(archive.program.inputs().iter().map(dtype).collect::<Vec<_>>());
    let dtypes = archive.program.outputs().iter().filter_map(|output| match output {
        Argument::Value(id) => Some(dtype(id)),
        Argument::Int(size) if !size.is_static() => Some(None),
        _ => None,
    });
    described["outputs"]["dtypes"] = json!(dtypes.collect::<Vec<_>>());
    described
}

fn inputs(signature: &Signature, leaves: &[Leaf]) -> Option<Value> {
    let arguments: Vec<&(String, Spec)> = signature.positional.iter().chain(&signature.keyword).collect();
    let names: Vec<&str> = arguments.iter().map(|(name, _)| name.as_str()).collect();
    let distinct = names.iter().enumerate().all(|(k, name)| is_identifier(name) && !names[..k].contains(name));
    if !distinct || arguments.iter().map(|(_, spec)| spec.leaves()).sum::<usize>() != leaves.len() {
        return None;
    }
    // Constants may be left out of a call: those that no argument without a default follows.
    let mut rest = leaves;
    let mut defaults: Vec<Option<Value>> = Vec::with_capacity(arguments.len());
    for (_, spec) in &arguments {
        let (own, after) = rest.split_at_checked(spec.leaves())?;
        rest = after;
        let constant = match (spec, own) {
            (Spec::Leaf, [leaf]) => leaf.constant.as_ref().map(value),
            _ => None,
        };
        defaults.push(constant);
    }
    let last = defaults.iter().take(signature.positional.len()).rposition(Option::is_none).map_or(0, |at| at + 1);
    let parameter = |k: usize| {
        let keyword = k >= signature.positional.len();
        let mut described =
            json!({"name": names[k], "kind": if keyword { "KEYWORD_ONLY" } else { "POSITIONAL_OR_KEYWORD" }});
        if (keyword || k >= last)
            && let (Some(default), Value::Object(described)) = (&defaults[k], &mut described)
        {
            described.insert("default".to_owned(), default.clone());
        }
        described
    };
    let specs: Option<Vec<Value>> =
        arguments.iter().map(|(name, spec)| Some(json!([name, container(spec)?]))).collect();
    let tensors = leaves.iter().all(|leaf| leaf.constant.is_none())
        && signature.keyword.is_empty()
        && signature.positional.iter().all(|(_, spec)| *spec == Spec::Leaf);
    Some(json!({
        "parameters": (0..names.len()).map(parameter).collect::<Vec<Value>>(),
        "specs": specs?,
        "leaves": leaves.iter().map(leaf).collect::<Vec<Value>>(),
        "plain": if tensors { leaves.len() as i64 } else { -1 },
    }))
}

/// The return value; without its containers, where those have no written form, it is a dictionary of its leaves.
fn outputs(returns: &Spec, leaves: &[Leaf]) -> Option<Value> {
    if returns.leaves() != leaves.len() {
        return None;
    }
    let mut described = json!({"leaves": leaves.iter().map(leaf).collect::<Vec<Value>>()});
    if let (Some(spec), Value::Object(described)) = (container(returns), &mut described) {
        described.insert("spec".to_owned(), spec);
    }
    Some(described)
}

fn plain_inputs(leaves: &[Leaf]) -> Value {
    let tensors: Vec<&Leaf> = leaves.iter().filter(|leaf| leaf.constant.is_none()).collect();
    let names: Vec<String> = (0..tensors.len()).map(|k| format!("input_{k}")).collect();
    json!({
        "parameters": names.iter().map(|name| json!({"name": name, "kind": "POSITIONAL_ONLY"})).collect::<Vec<Value>>(),
        "specs": names.iter().map(|name| json!([name, null])).collect::<Vec<Value>>(),
        "leaves": tensors.iter().map(|tensor| leaf(tensor)).collect::<Vec<Value>>(),
        "plain": tensors.len(),
    })
}

fn plain_outputs(leaves: &[Leaf]) -> Value {
    let tensors: Vec<Value> = leaves.iter().filter(|leaf| leaf.constant.is_none()).map(leaf).collect();
    let spec = if tensors.len() == 1 { Value::Null } else { json!({"tuple": vec![Value::Null; tensors.len()]}) };
    json!({"leaves": tensors, "spec": spec})
}

fn leaf(leaf: &Leaf) -> Value {
    match &leaf.constant {
        None if leaf.is_number => json!({"name": leaf.name, "read": true}),
        None => json!({"name": leaf.name}),
        Some(constant) => json!({"name": leaf.name, "constant": value(constant)}),
    }
}

/// A container; `None` of one whose class only Python knows.
fn container(spec: &Spec) -> Option<Value> {
    let all = |parts: &[Spec]| parts.iter().map(container).collect::<Option<Vec<Value>>>();
    Some(match spec {
        Spec::Leaf => Value::Null,
        Spec::Tuple(parts) => json!({"tuple": all(parts)?}),
        Spec::List(parts) => json!({"list": all(parts)?}),
        Spec::Dict(parts) => {
            let pairs: Option<Vec<Value>> =
                parts.iter().map(|(key, part)| Some(json!([key, container(part)?]))).collect();
            json!({"dict": pairs?})
        }
        Spec::NamedTuple(class, parts) => {
            let (module, name) = class.rsplit_once('.').unwrap_or(("", class));
            let (fields, parts): (Vec<&String>, Vec<&Spec>) = parts.iter().map(|(field, part)| (field, part)).unzip();
            let parts: Option<Vec<Value>> = parts.into_iter().map(container).collect();
            json!({"namedtuple": [module, name, fields, parts?]})
        }
        Spec::Other(..) => return None,
    })
}

/// A constant; what JSON lacks as an object with one key, its type.
fn value(constant: &Argument) -> Value {
    const EXACT: u64 = 1 << 53;
    match constant {
        Argument::Bool(value) => json!(value),
        Argument::String(text) => json!(text),
        Argument::Int(size) => match size.as_static() {
            Some(n) if n.unsigned_abs() < EXACT => json!(n),
            Some(n) => json!({"int": n.to_string()}),
            None => Value::Null,
        },
        Argument::Float(value) if value.is_finite() => json!(value),
        Argument::Float(value) => json!({"float": value.to_string()}),
        Argument::Complex(re, im) => json!({"complex": format!("{re}{im:+}j")}),
        _ => Value::Null,
    }
}

/// Whether Python takes it for the name of a parameter.
fn is_identifier(name: &str) -> bool {
    const WORDS: [&str; 35] = [
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
        "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
        "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
    ];
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(word) && name.chars().next().is_some_and(|c| !c.is_ascii_digit()) && !WORDS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(names: &[&str], constants: &[(usize, Argument)]) -> Vec<Leaf> {
        let constant = |k: usize| constants.iter().find(|(at, _)| *at == k).map(|(_, value)| value.clone());
        names
            .iter()
            .enumerate()
            .map(|(k, name)| Leaf { name: (*name).to_owned(), constant: constant(k), is_number: false })
            .collect()
    }

    fn archive(signature: Option<Signature>, inputs: Vec<Leaf>, outputs: Vec<Leaf>) -> Value {
        let (program, written, torch_version) = (program::Program::new(), Vec::new(), String::new());
        call_structure(&Archive { program, inputs, outputs, signature, written, captured: None, torch_version })
    }

    #[test]
    fn containers_and_constants_are_those_of_the_call() {
        let pair = Spec::Dict(vec![(json!("a"), Spec::Leaf), (json!(1), Spec::List(vec![Spec::Leaf]))]);
        let signature = Signature {
            positional: vec![("x".into(), Spec::Leaf), ("xs".into(), pair), ("scale".into(), Spec::Leaf)],
            keyword: vec![("mask".into(), Spec::Leaf)],
            returns: Spec::NamedTuple("lib.Out".into(), vec![("y".into(), Spec::Leaf), ("n".into(), Spec::Leaf)]),
        };
        let inputs = leaves(&["x", "xs.a", "xs.1.0", "scale", "mask"], &[(3, Argument::Float(f64::INFINITY))]);
        let described = archive(Some(signature), inputs, leaves(&["y", "n"], &[(1, Argument::Int((1 << 60).into()))]));
        assert_eq!(described["inputs"]["parameters"][2]["default"], json!({"float": "inf"}));
        assert_eq!(described["inputs"]["parameters"][3], json!({"name": "mask", "kind": "KEYWORD_ONLY"}));
        assert_eq!(described["inputs"]["specs"][1], json!(["xs", {"dict": [["a", null], [1, {"list": [null]}]]}]));
        assert_eq!(described["inputs"]["plain"], json!(-1));
        assert_eq!(described["outputs"]["spec"], json!({"namedtuple": ["lib", "Out", ["y", "n"], [null, null]]}));
        assert_eq!(described["outputs"]["leaves"][1]["constant"], json!({"int": (1i64 << 60).to_string()}));
    }

    #[test]
    fn what_cannot_be_described_is_plain() {
        let outputs = || leaves(&["a", "b"], &[(1, Argument::None)]);
        let described = archive(None, leaves(&["x", "flag", "z"], &[(1, Argument::Bool(true))]), outputs());
        assert_eq!(described["inputs"]["specs"], json!([["input_0", null], ["input_1", null]]));
        assert_eq!((&described["inputs"]["plain"], &described["outputs"]["spec"]), (&json!(2), &Value::Null));
        let other = Spec::Other("lib.Data".into(), vec![("a".into(), Spec::Leaf), ("b".into(), Spec::Leaf)]);
        for name in ["class", "a b", "1"] {
            let positional = vec![(name.to_owned(), Spec::Leaf)];
            let signature = Signature { positional, keyword: vec![], returns: other.clone() };
            let described = archive(Some(signature), leaves(&["x"], &[]), outputs());
            assert_eq!(described["inputs"]["parameters"][0]["kind"], "POSITIONAL_ONLY", "{name}");
            assert!(
                described["outputs"].get("spec").is_none()
                    && described["outputs"]["leaves"][1].get("constant").is_some()
            );
        }
    }
}
