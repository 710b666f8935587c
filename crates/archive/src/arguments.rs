//! Arguments of a node: from how the archive has them to how the operator's schema types them.
//!
//! This file must not know where values come from: that is left to [`Values`].

use crate::model::{Argument as Given, Device, Node, NumberArgument, OptionalTensor};
use crate::schema::{self, Kind, Schema, Type};
use crate::{Error, Result, weights};
use dims::Dim;
use indexmap::IndexMap;
use program::{Argument, ValueId};

/// What arguments refer to.
pub(crate) trait Values {
    /// The tensor of that name.
    fn tensor(&self, name: &str) -> Result<ValueId>;

    /// The number of that name: an `Int`, a `Float` or a `Bool`.
    fn number(&self, name: &str) -> Result<Argument>;

    /// An error about the node that is read.
    fn error(&self, problem: String, help: &str) -> Error;
}

/// All arguments of a node, in the order of the schema, with its defaults; those that are given where there is none.
pub(crate) fn read(
    node: &Node,
    target: &str,
    schema: Option<&Schema>,
    values: &dyn Values,
) -> Result<IndexMap<String, Argument>> {
    let reader = Reader { target, values };
    let Some(schema) = schema else {
        let named = |(k, input): (usize, &crate::model::NamedArgument)| {
            let name = if input.name.is_empty() { k.to_string() } else { input.name.clone() };
            Ok((name, reader.untyped(&input.arg)?))
        };
        return node.inputs.iter().enumerate().map(named).collect();
    };
    let known = |name: &str| schema.parameters.iter().any(|parameter| parameter.name == name);
    if let Some(unknown) = node.inputs.iter().find(|input| !known(&input.name)) {
        let problem = format!("{target} has an argument `{}`, which is not known here", unknown.name);
        return Err(values.error(problem, "update torch2trt, or save the model with an older PyTorch"));
    }
    let mut arguments = IndexMap::with_capacity(schema.parameters.len());
    for parameter in &schema.parameters {
        let given = node.inputs.iter().find(|input| input.name == parameter.name);
        let argument = match (given, &parameter.default) {
            (Some(input), _) => reader.typed(parameter.kind, &input.arg)?,
            (None, Some(default)) => default.clone(),
            (None, None) => return Err(Error::inconsistent(format!("{target} has no argument `{}`", parameter.name))),
        };
        arguments.insert(parameter.name.clone(), argument);
    }
    Ok(arguments)
}

struct Reader<'a> {
    target: &'a str,
    values: &'a dyn Values,
}

impl Reader<'_> {
    fn unreadable(&self, what: &str, kind: &str) -> Error {
        Error::inconsistent(format!("an argument of {} is {what}, which is no {kind}", self.target))
    }

    fn typed(&self, kind: Type, given: &Given) -> Result<Argument> {
        let nothing = matches!(given, Given::None | Given::OptionalTensor(OptionalTensor::None(_)));
        if nothing && (kind.optional || matches!(kind.kind, Kind::Tensor | Kind::Other)) {
            return Ok(Argument::None);
        }
        let Some(length) = kind.list else { return self.scalar(kind.kind, given) };
        if kind.kind == Kind::Tensor {
            return self.tensors(given);
        }
        let items = match given {
            Given::Ints(items) => items.iter().map(|item| self.scalar(kind.kind, &Given::Int(*item))).collect(),
            Given::Floats(items) => items.iter().map(|item| self.scalar(kind.kind, &Given::Float(item.0))).collect(),
            Given::Bools(items) => items.iter().map(|item| self.scalar(kind.kind, &Given::Bool(*item))).collect(),
            Given::Numbers(items) => {
                items.iter().map(|item| self.scalar(kind.kind, &Given::Number(item.clone()))).collect()
            }
            Given::Tensors(items) if items.is_empty() => Ok(Vec::new()),
            Given::OptionalTensors(items) if items.is_empty() => Ok(Vec::new()),
            // PyTorch accepts one number for a whole int[2].
            one => self.scalar(kind.kind, one).map(|item| vec![item; length]),
        };
        schema::list(items?).ok_or_else(|| self.unreadable("a list of several kinds", "list of one"))
    }

    fn tensors(&self, given: &Given) -> Result<Argument> {
        let found = match given {
            Given::Tensors(items) => items.iter().map(|item| self.values.tensor(&item.name).map(Some)).collect(),
            Given::OptionalTensors(items) => {
                items.iter().map(|item| item.name().map(|name| self.values.tensor(name)).transpose()).collect()
            }
            Given::Ints(items) if items.is_empty() => Ok(Vec::new()),
            other => Err(self.unreadable(describe(other), "list of tensors")),
        };
        Ok(Argument::Values(found?))
    }

    fn scalar(&self, kind: Kind, given: &Given) -> Result<Argument> {
        let is_number = matches!(given, Given::Number(_));
        let value = match given {
            Given::Number(number) => self.number(number)?,
            other => self.untyped(other)?,
        };
        let fits = match (kind, value) {
            (Kind::Tensor, value @ (Argument::Value(_) | Argument::None | Argument::Complex(..))) => Some(value),
            // A number in a tensor's place promotes weakly, as a Scalar does.
            (Kind::Tensor | Kind::Scalar, value @ (Argument::Int(_) | Argument::Float(_) | Argument::Bool(_))) => {
                Some(value)
            }
            (Kind::Scalar | Kind::Complex, value @ Argument::Complex(..)) => Some(value),
            // A number that a 0-D tensor holds.
            (Kind::Scalar, value @ Argument::Value(_)) if is_number => Some(value),
            (Kind::Int, value @ Argument::Int(_)) => Some(value),
            (Kind::Int, Argument::Bool(value)) => Some(Argument::Int(Dim::Static(value.into()))),
            (Kind::Float, value @ Argument::Float(_)) => Some(value),
            (Kind::Float, Argument::Int(Dim::Static(value))) => Some(Argument::Float(value as f64)),
            (Kind::Float, Argument::Bool(value)) => Some(Argument::Float(value.into())),
            (Kind::Complex, Argument::Float(value)) => Some(Argument::Complex(value, 0.0)),
            (Kind::Complex, Argument::Int(Dim::Static(value))) => Some(Argument::Complex(value as f64, 0.0)),
            (Kind::Bool, value @ Argument::Bool(_)) => Some(value),
            (Kind::Bool, Argument::Int(Dim::Static(value))) => Some(Argument::Bool(value != 0)),
            (Kind::Str, value @ Argument::String(_)) => Some(value),
            (Kind::ScalarType, value @ Argument::Dtype(_)) => Some(value),
            (Kind::Layout, value @ Argument::Layout(_)) => Some(value),
            (Kind::Device, value @ Argument::Device(_)) => Some(value),
            (Kind::MemoryFormat, value @ Argument::MemoryFormat(_)) => Some(value),
            _ => None,
        };
        if fits.is_none() && is_number && !matches!(kind, Kind::Tensor | Kind::Scalar) {
            let problem =
                format!("an argument of {} is a number that the engine computes, and has to be known", self.target);
            return Err(self.values.error(problem, "pass the number as a constant, or compute with tensor operations"));
        }
        fits.ok_or_else(|| self.unreadable(describe(given), &format!("{kind:?}")))
    }

    fn number(&self, number: &NumberArgument) -> Result<Argument> {
        match number {
            NumberArgument::Name(name) => self.values.number(name),
            NumberArgument::Int(value) => Ok(Argument::Int(Dim::Static(*value))),
            NumberArgument::Float(value) => Ok(Argument::Float(value.0)),
            NumberArgument::Bool(value) => Ok(Argument::Bool(*value)),
        }
    }

    /// An argument as it is given.
    fn untyped(&self, given: &Given) -> Result<Argument> {
        let list = |items: Result<Vec<Argument>>| {
            schema::list(items?).ok_or_else(|| self.unreadable("a list of several kinds", "list of one"))
        };
        Ok(match given {
            Given::None | Given::OptionalTensor(OptionalTensor::None(_)) => Argument::None,
            Given::Tensor(name) => Argument::Value(self.values.tensor(name)?),
            Given::OptionalTensor(OptionalTensor::Tensor(tensor)) => Argument::Value(self.values.tensor(&tensor.name)?),
            Given::Tensors(_) | Given::OptionalTensors(_) => self.tensors(given)?,
            Given::Int(value) => Argument::Int(Dim::Static(*value)),
            Given::Ints(values) => Argument::Ints(values.iter().map(|value| Dim::Static(*value)).collect()),
            Given::Float(value) => Argument::Float(*value),
            Given::Floats(values) => Argument::Floats(values.iter().map(|value| value.0).collect()),
            Given::Bool(value) => Argument::Bool(*value),
            Given::Bools(values) => Argument::Bools(values.clone()),
            Given::Text(text) => Argument::String(text.clone()),
            Given::Number(number) => self.number(number)?,
            Given::Numbers(numbers) => list(numbers.iter().map(|number| self.number(number)).collect())?,
            Given::ScalarType(value) => {
                let dtype = weights::dtype(*value);
                Argument::Dtype(
                    dtype.ok_or_else(|| self.unreadable(&format!("dtype number {value}"), "dtype that is known"))?,
                )
            }
            Given::MemoryFormat(value) => {
                Argument::MemoryFormat(self.name(&MEMORY_FORMATS, *value, "memory format")?)
            }
            Given::Layout(value) => Argument::Layout(self.name(&LAYOUTS, *value, "layout")?),
            Given::Device(Device { kind, index }) => {
                Argument::Device(index.map_or_else(|| kind.clone(), |index| format!("{kind}:{index}")))
            }
            Given::Complex(value) => Argument::Complex(value.real.0, value.imag.0),
            Given::Graph(_) | Given::Other(_) => {
                let problem = format!("an argument of {} is {}", self.target, describe(given));
                return Err(self.values.error(problem, "write that part of the model with tensor operations"));
            }
        })
    }

    fn name(&self, names: &[&str], value: u32, kind: &str) -> Result<String> {
        let found = usize::try_from(value).ok().and_then(|at| names.get(at)).filter(|name| !name.is_empty());
        found.map(|name| (*name).to_owned()).ok_or_else(|| self.unreadable(&format!("number {value}"), kind))
    }
}

/// `MemoryFormat` of the export schema.
const MEMORY_FORMATS: [&str; 5] = ["", "contiguous_format", "channels_last", "channels_last_3d", "preserve_format"];

/// `Layout` of the export schema.
const LAYOUTS: [&str; 8] =
    ["", "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc", "_mkldnn", "strided"];

/// What kind of argument it is, for messages.
fn describe(given: &Given) -> &str {
    match given {
        Given::None => "None",
        Given::Tensor(_) | Given::OptionalTensor(_) => "a tensor",
        Given::Tensors(_) | Given::OptionalTensors(_) => "a list of tensors",
        Given::Int(_) => "an int",
        Given::Ints(_) => "a list of ints",
        Given::Float(_) => "a float",
        Given::Floats(_) => "a list of floats",
        Given::Bool(_) => "a bool",
        Given::Bools(_) => "a list of bools",
        Given::Text(_) => "a string",
        Given::Number(_) => "a number that the graph computes",
        Given::Numbers(_) => "a list of numbers that the graph computes",
        Given::ScalarType(_) => "a dtype",
        Given::MemoryFormat(_) => "a memory format",
        Given::Layout(_) => "a layout",
        Given::Device(_) => "a device",
        Given::Complex(_) => "a complex number",
        Given::Graph(_) => "a graph",
        Given::Other(kind) => kind,
    }
}
