//! Operator schemas: what arguments an overload has, of which types, and their defaults.
//!
//! An archive leaves out arguments at their default, and an argument's form follows from its type in the schema: `1` is
//! an int for `dim`, a float for `eps`, and `[1, 1]` for an `int[2]`. `schemas.txt` has the schemas of the overloads
//! that convert, as PyTorch prints them; tests compare it with the installed PyTorch. An argument that is not in it is
//! refused: a newer PyTorch has it. The file must not know what archives hold.

use dims::Dim;
use program::{Argument, ScalarType};
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::OnceLock;

const TEXT: &str = include_str!("schemas.txt");

/// The type of an argument. What is inside of `list` may be `None` where that is a list of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Type {
    pub(crate) kind: Kind,
    /// The 2 of `int[2]`, and 1 of `int[]`: how often a single number is repeated where a list is asked for.
    pub(crate) list: Option<usize>,
    pub(crate) optional: bool,
}

/// The base types of schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tensor,
    Int,
    Float,
    Bool,
    Str,
    Scalar,
    Complex,
    ScalarType,
    Layout,
    Device,
    MemoryFormat,
    /// A generator, a stream, an object: only ever left out.
    Other,
}

/// One argument.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) kind: Type,
    pub(crate) default: Option<Argument>,
}

/// The arguments of an overload, in order.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) parameters: Vec<Parameter>,
    /// Whether a result may share the memory of an argument.
    returns_view: bool,
}

/// Whether a result of an overload may share the memory of an argument; false of one that does not convert.
pub fn returns_view(target: &str) -> bool {
    of(target).is_some_and(|schema| schema.returns_view)
}

/// The schema of an overload such as `aten.conv2d.default`; `None` of one that does not convert.
pub(crate) fn of(target: &str) -> Option<&'static Schema> {
    static TABLE: OnceLock<HashMap<String, Schema>> = OnceLock::new();
    TABLE.get_or_init(|| TEXT.lines().filter_map(parse).collect()).get(target)
}

/// `aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`; `None` for what is no schema.
fn parse(line: &str) -> Option<(String, Schema)> {
    let (name, rest) = line.split_once('(')?;
    let (space, name) = name.split_once("::")?;
    let target = if name.contains('.') { format!("{space}.{name}") } else { format!("{space}.{name}.default") };
    let mut parameters = Vec::new();
    for text in split(rest)? {
        if text != "*" && !text.is_empty() {
            parameters.push(parameter(text)?);
        }
    }
    let returns_view = rest.rsplit_once("->").is_some_and(|(_, returns)| returns.contains("Tensor("));
    Some((target, Schema { parameters, returns_view }))
}

/// The parts of a list with commas, up to the bracket that closes it.
fn split(text: &str) -> Option<Vec<&str>> {
    let (mut depth, mut quoted, mut start, mut parts) = (0usize, None, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match (quoted, c) {
            (Some(quote), _) if c == quote => quoted = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quoted = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') if depth == 0 => {
                parts.push(text[start..at].trim());
                return Some(parts);
            }
            (None, ')' | ']') => depth -= 1,
            (None, ',') if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    None
}

/// `SymInt[2] stride=[1, 1]`.
fn parameter(text: &str) -> Option<Parameter> {
    let (declared, default) = match text.split_once('=') {
        Some((declared, default)) => (declared, Some(default)),
        None => (text, None),
    };
    let (kind, name) = declared.rsplit_once(' ')?;
    let kind = kind_of(kind)?;
    let default = match default {
        Some(text) => Some(value(kind, text)?),
        None => None,
    };
    Some(Parameter { name: name.to_owned(), kind, default })
}

/// `Tensor(a!)?[]` and the like. What a tensor aliases is of no interest here.
fn kind_of(text: &str) -> Option<Type> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let kind = match &text[..end] {
        "Tensor" => Kind::Tensor,
        "int" | "SymInt" => Kind::Int,
        "float" => Kind::Float,
        "bool" => Kind::Bool,
        "str" => Kind::Str,
        "Scalar" => Kind::Scalar,
        "complex" => Kind::Complex,
        "ScalarType" => Kind::ScalarType,
        "Layout" => Kind::Layout,
        "Device" => Kind::Device,
        "MemoryFormat" => Kind::MemoryFormat,
        _ => Kind::Other,
    };
    let mut found = Type { kind, list: None, optional: false };
    let mut rest = &text[end..];
    while let Some(c) = rest.chars().next() {
        let close = match c {
            '?' => 0,
            '(' => rest.find(')')?,
            '[' => rest.find(']')?,
            _ => return None,
        };
        match c {
            '?' => found.optional = true,
            '[' => {
                let length = &rest[1..close];
                // The optional ones were those in the list.
                found.optional = false;
                found.list = Some(if length.is_empty() { 1 } else { length.parse().ok().filter(|n| *n <= 16)? });
            }
            _ => {}
        }
        rest = &rest[close + 1..];
    }
    Some(found)
}

/// A default as an argument of this type.
fn value(kind: Type, text: &str) -> Option<Argument> {
    if text == "None" {
        return Some(Argument::None);
    }
    let Some(length) = kind.list else { return scalar(kind.kind, text) };
    let items: Vec<&str> = match text.strip_prefix('[') {
        Some(inner) => split(inner)?.into_iter().filter(|item| !item.is_empty()).collect(),
        None => vec![text; length],
    };
    list(items.into_iter().map(|item| scalar(kind.kind, item)).collect::<Option<_>>()?)
}

fn scalar(kind: Kind, text: &str) -> Option<Argument> {
    let integer = || text.parse::<i64>().ok();
    Some(match kind {
        Kind::Int => Argument::Int(Dim::Static(integer()?)),
        Kind::Float => Argument::Float(text.parse().ok()?),
        Kind::Bool => Argument::Bool(boolean(text)?),
        Kind::Str => Argument::String(text.trim_matches(['"', '\'']).to_owned()),
        Kind::Scalar => match (boolean(text), integer()) {
            (Some(truth), _) => Argument::Bool(truth),
            (None, Some(n)) => Argument::Int(Dim::Static(n)),
            (None, None) => Argument::Float(text.parse().ok()?),
        },
        Kind::ScalarType => Argument::Dtype(c10_scalar_type(integer()?)?),
        Kind::MemoryFormat => Argument::MemoryFormat(c10_memory_format(integer()?)?.to_owned()),
        Kind::Layout if text == "0" => Argument::Layout("strided".to_owned()),
        Kind::Device => Argument::Device(text.trim_matches(['"', '\'']).to_owned()),
        Kind::Tensor | Kind::Complex | Kind::Layout | Kind::Other => return None,
    })
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

/// Scalars of one kind as a list; `None` where they are of several. One without items is a list of ints, whatever its
/// type, as the walk of the Python half has it.
pub(crate) fn list(items: Vec<Argument>) -> Option<Argument> {
    match items.first() {
        Some(Argument::Bool(_)) => {
            let item = |item| if let Argument::Bool(item) = item { Some(item) } else { None };
            Some(Argument::Bools(items.into_iter().map(item).collect::<Option<_>>()?))
        }
        Some(Argument::Float(_)) => {
            let item = |item| if let Argument::Float(item) = item { Some(item) } else { None };
            Some(Argument::Floats(items.into_iter().map(item).collect::<Option<_>>()?))
        }
        _ => {
            let item = |item| if let Argument::Int(item) = item { Some(item) } else { None };
            Some(Argument::Ints(items.into_iter().map(item).collect::<Option<_>>()?))
        }
    }
}

/// `c10::ScalarType`: schema defaults spell dtypes as its values.
fn c10_scalar_type(value: i64) -> Option<ScalarType> {
    let name = match value {
        0 => "uint8",
        1 => "int8",
        2 => "int16",
        3 => "int32",
        4 => "int64",
        5 => "float16",
        6 => "float32",
        7 => "float64",
        9 => "complex64",
        10 => "complex128",
        11 => "bool",
        15 => "bfloat16",
        23 => "float8_e5m2",
        24 => "float8_e4m3fn",
        _ => return None,
    };
    ScalarType::from_str(name).ok()
}

/// `c10::MemoryFormat`.
fn c10_memory_format(value: i64) -> Option<&'static str> {
    ["contiguous_format", "preserve_format", "channels_last", "channels_last_3d"]
        .get(usize::try_from(value).ok()?)
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default(line: &str, name: &str) -> Argument {
        let (_, schema) = parse(line).unwrap();
        schema.parameters.into_iter().find(|parameter| parameter.name == name).unwrap().default.unwrap()
    }

    #[test]
    fn every_line_of_the_table_is_a_schema() {
        for line in TEXT.lines() {
            let (target, schema) = parse(line).unwrap_or_else(|| panic!("{line}"));
            assert!(!schema.parameters.is_empty() && of(&target).is_some(), "{line}");
        }
        assert!(TEXT.lines().count() > 500);
        assert!(TEXT.lines().is_sorted());
    }

    #[test]
    fn types_and_defaults_are_those_of_pytorch() {
        let line = "aten::f.x(Tensor(a -> *) self, Tensor?[] is, int[2] pad=0, SymInt[]? size=None, *, \
                    float eps=1e-05, Scalar alpha=1, Scalar beta=0.5, str how=\"a, (b\", bool flag=False, \
                    float[] none=[], bool[2] m=True, MemoryFormat f=0, ScalarType t=6, \
                    Generator? generator=None) -> (Tensor(a), int)";
        let (target, schema) = parse(line).unwrap();
        assert_eq!(target, "aten.f.x");
        let kinds: Vec<Type> = schema.parameters.iter().map(|parameter| parameter.kind).collect();
        let plain = |kind, list, optional| Type { kind, list, optional };
        assert_eq!(
            kinds[..4],
            [
                plain(Kind::Tensor, None, false),
                plain(Kind::Tensor, Some(1), false),
                plain(Kind::Int, Some(2), false),
                plain(Kind::Int, Some(1), true),
            ]
        );
        assert_eq!(schema.parameters[0].default, None);
        assert_eq!(default(line, "pad"), Argument::Ints(vec![0.into(), 0.into()]));
        assert_eq!(default(line, "size"), Argument::None);
        assert_eq!(default(line, "eps"), Argument::Float(1e-5));
        assert_eq!(default(line, "alpha"), Argument::Int(1.into()));
        assert_eq!(default(line, "beta"), Argument::Float(0.5));
        assert_eq!(default(line, "how"), Argument::String("a, (b".into()));
        assert_eq!(default(line, "flag"), Argument::Bool(false));
        assert_eq!(default(line, "none"), Argument::Ints(vec![]));
        assert_eq!(default(line, "m"), Argument::Bools(vec![true, true]));
        assert_eq!(default(line, "f"), Argument::MemoryFormat("contiguous_format".into()));
        assert_eq!(default(line, "t"), Argument::Dtype(ScalarType::Float32));
        assert_eq!(default(line, "generator"), Argument::None);
    }

    #[test]
    fn what_is_no_schema_is_none() {
        for text in [
            "",
            "aten::f",
            "f(Tensor x)",
            "aten::f(Tensor x",
            "aten::f(Tensor)",
            "aten::f(int x=y)",
            "aten::f(int[99] x)",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
