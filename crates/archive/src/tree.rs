//! The structure around the tensors: the arguments of a call, and what it returns.
//!
//! A program has flat lists of inputs and outputs; an archive also has the containers that they came from, as pytree
//! writes them. Names of tensors follow from them, as `python/torch2trt/capture/tree.py` gives them. The file must not
//! know of graphs.

use crate::model::{CallSignature, NamedTuple};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// A container, or a leaf.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// A tensor, or a constant.
    Leaf,
    /// `tuple`.
    Tuple(Vec<Spec>),
    /// `list`.
    List(Vec<Spec>),
    /// `dict` with these keys, which are strings or numbers.
    Dict(Vec<(Value, Spec)>),
    /// A named tuple: the name that its class was registered under, and its fields.
    NamedTuple(String, Vec<(String, Spec)>),
    /// A container of another class, and what its parts are called.
    Other(String, Vec<(String, Spec)>),
}

/// How the model is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// Positional arguments by name, in order.
    pub positional: Vec<(String, Spec)>,
    /// Keyword arguments, in order.
    pub keyword: Vec<(String, Spec)>,
    /// What a call returns.
    pub returns: Spec,
}

/// A container as pytree writes it.
#[derive(Deserialize)]
struct Written {
    #[serde(rename = "type")]
    kind: Option<String>,
    context: Value,
    children_spec: Vec<Written>,
}

impl Signature {
    /// The structure of calls in an archive; `None` where it has an unknown form.
    pub(crate) fn read(call: &CallSignature, named: &HashMap<String, NamedTuple>) -> Option<Self> {
        let read = |text: &str| {
            let (_, written): (Value, Written) = serde_json::from_str(text).ok()?;
            Some(Spec::read(written, named))
        };
        let Spec::Tuple(parts) = read(&call.in_spec)? else { return None };
        let [Spec::Tuple(positional), Spec::Dict(keyword)] = <[Spec; 2]>::try_from(parts).ok()? else { return None };
        let names = call.forward_arg_names.clone().unwrap_or_default();
        let name = |k: usize| names.get(k).cloned().unwrap_or_else(|| format!("input_{k}"));
        Some(Self {
            positional: positional.into_iter().enumerate().map(|(k, spec)| (name(k), spec)).collect(),
            keyword: keyword.into_iter().map(|(key, spec)| (text(&key), spec)).collect(),
            returns: read(&call.out_spec)?,
        })
    }

    /// Names of the leaves of all arguments, in order: `x`, or `batch.image` and `xs.0` where nested.
    pub(crate) fn input_names(&self) -> Vec<String> {
        let arguments = self.positional.iter().chain(&self.keyword);
        let paths = arguments.flat_map(|(name, spec)| spec.paths().into_iter().map(move |path| (name, path)));
        paths.map(|(name, path)| joined(name, &path)).collect()
    }

    /// Names of the leaves of the return value, which differ from those that are taken.
    pub(crate) fn output_names(&self, taken: &[String]) -> Vec<String> {
        let mut taken = taken.to_vec();
        for path in self.returns.paths() {
            let numbered = path.first().is_none_or(|part| part.starts_with(|c: char| c.is_ascii_digit()));
            let mut name = if numbered { joined("output", &path) } else { path.join(".") };
            while taken.contains(&name) {
                name = format!("output.{name}");
            }
            taken.push(name);
        }
        let given = taken.len() - self.returns.paths().len();
        taken.split_off(given)
    }
}

impl Spec {
    fn read(written: Written, named: &HashMap<String, NamedTuple>) -> Self {
        let Some(kind) = written.kind else { return Self::Leaf };
        let context = match &written.context {
            // The context is JSON in JSON.
            Value::String(inner) => serde_json::from_str(inner).unwrap_or_else(|_| written.context.clone()),
            other => other.clone(),
        };
        let children: Vec<Self> = written.children_spec.into_iter().map(|child| Self::read(child, named)).collect();
        match (kind.as_str(), &context) {
            ("builtins.tuple", _) => Self::Tuple(children),
            ("builtins.list", _) => Self::List(children),
            ("builtins.dict", Value::Array(keys)) if keys.len() == children.len() => {
                Self::Dict(keys.iter().cloned().zip(children).collect())
            }
            ("collections.namedtuple", _) => {
                let class = text(&context);
                let fields = named.get(&class).map(|tuple| tuple.field_names.clone());
                let fields = fields.filter(|fields| fields.len() == children.len());
                match fields {
                    Some(fields) => Self::NamedTuple(class, fields.into_iter().zip(children).collect()),
                    None => Self::Other(kind, numbered(children)),
                }
            }
            _ => match field_names(&context, children.len()) {
                Some(names) => Self::Other(kind, names.into_iter().zip(children).collect()),
                None => Self::Other(kind, numbered(children)),
            },
        }
    }

    /// The parts by name.
    fn parts(&self) -> Vec<(String, &Self)> {
        match self {
            Self::Leaf => Vec::new(),
            Self::Tuple(parts) | Self::List(parts) => {
                parts.iter().enumerate().map(|(k, part)| (k.to_string(), part)).collect()
            }
            Self::Dict(parts) => parts.iter().map(|(key, part)| (text(key), part)).collect(),
            Self::NamedTuple(_, parts) | Self::Other(_, parts) => {
                parts.iter().map(|(name, part)| (name.clone(), part)).collect()
            }
        }
    }

    /// The way to each leaf.
    fn paths(&self) -> Vec<Vec<String>> {
        if *self == Self::Leaf {
            return vec![Vec::new()];
        }
        let mut paths = Vec::new();
        for (name, part) in self.parts() {
            paths.extend(part.paths().into_iter().map(|path| [vec![name.clone()], path].concat()));
        }
        paths
    }

    /// Number of leaves.
    pub fn leaves(&self) -> usize {
        if *self == Self::Leaf { 1 } else { self.parts().into_iter().map(|(_, part)| part.leaves()).sum() }
    }
}

fn numbered(children: Vec<Spec>) -> Vec<(String, Spec)> {
    children.into_iter().enumerate().map(|(k, child)| (k.to_string(), child)).collect()
}

fn joined(first: &str, path: &[String]) -> String {
    std::iter::once(first).chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join(".")
}

/// The names that a registered class gives its parts: a list of names, or one within a list.
fn field_names(context: &Value, count: usize) -> Option<Vec<String>> {
    let Value::Array(items) = context else { return None };
    let names = |items: &[Value]| -> Option<Vec<String>> {
        items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .filter(|n| n.len() == count)
    };
    names(items).or_else(|| items.iter().find_map(|item| names(item.as_array()?)))
}

fn text(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAF: &str = r#"{"type": null, "context": null, "children_spec": []}"#;

    fn node(kind: &str, context: &str, children: &[&str]) -> String {
        let context = serde_json::to_string(context).unwrap();
        format!(r#"{{"type": "{kind}", "context": {context}, "children_spec": [{}]}}"#, children.join(","))
    }

    fn signature(inputs: &str, outputs: &str, names: &[&str]) -> Option<Signature> {
        let call = CallSignature {
            in_spec: format!("[1, {inputs}]"),
            out_spec: format!("[1, {outputs}]"),
            forward_arg_names: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        };
        let fields = NamedTuple { field_names: vec!["logits".into(), "rest".into()] };
        Signature::read(&call, &[("lib.Out".to_owned(), fields)].into())
    }

    #[test]
    fn names_follow_from_the_structure() {
        let dict = node("builtins.dict", r#"["u", 1]"#, &[LEAF, LEAF]);
        let args = node("builtins.tuple", "null", &[LEAF, &dict]);
        let kwargs = node("builtins.dict", r#"["mask"]"#, &[LEAF]);
        let inputs = node("builtins.tuple", "null", &[&args, &kwargs]);
        let pair = node("builtins.list", "null", &[LEAF, LEAF]);
        let outputs = node("collections.namedtuple", "lib.Out", &[LEAF, &pair]);
        let found = signature(&inputs, &outputs, &["x", "more", "mask"]).unwrap();
        assert_eq!(found.input_names(), ["x", "more.u", "more.1", "mask"]);
        assert_eq!(found.output_names(&["logits".into()]), ["output.logits", "rest.0", "rest.1"]);
        assert!(matches!(&found.returns, Spec::NamedTuple(class, _) if class == "lib.Out"));
        assert_eq!(found.returns.leaves(), 3);
        let single = signature(&inputs, LEAF, &[]).unwrap();
        assert_eq!(single.output_names(&[]), ["output"]);
        assert_eq!(single.input_names()[0], "input_0");
        let registered = node("lib.Data", r#"[["a", "b"], []]"#, &[LEAF, LEAF]);
        let tuple = node("builtins.tuple", "null", &[LEAF, &registered]);
        assert_eq!(
            signature(&inputs, &tuple, &[]).unwrap().output_names(&[]),
            ["output.0", "output.1.a", "output.1.b"]
        );
    }

    #[test]
    fn what_is_no_structure_is_none() {
        let deep = format!(
            "{}{LEAF}{}",
            r#"{"type":"builtins.list","context":null,"children_spec":["#.repeat(9999),
            "]}".repeat(9999)
        );
        for inputs in ["", "3", LEAF, &node("builtins.tuple", "null", &[LEAF]), &deep] {
            assert!(signature(inputs, LEAF, &[]).is_none(), "{}", &inputs[..inputs.len().min(80)]);
        }
    }
}
