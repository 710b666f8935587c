//! Arguments of a node, as the operator schema types them.

use crate::{ScalarType, ValueId};
use dims::Dim;

/// An integer argument: a number, or a size expression.
pub type Size = Dim;

/// One argument, with its schema default filled in where the call left it out.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// `None`.
    None,
    /// A tensor.
    Value(ValueId),
    /// A list of tensors; `None` entries occur in `aten.index`.
    Values(Vec<Option<ValueId>>),
    /// `bool`.
    Bool(bool),
    /// `int` or `SymInt`.
    Int(Size),
    /// `float`, or a `Scalar` that is one.
    Float(f64),
    /// `str`.
    String(String),
    /// `int[]` or `SymInt[]`.
    Ints(Vec<Size>),
    /// `float[]`.
    Floats(Vec<f64>),
    /// `bool[]`.
    Bools(Vec<bool>),
    /// `ScalarType`.
    Dtype(ScalarType),
    /// `Device`, by its name.
    Device(String),
    /// `Layout`, by its name.
    Layout(String),
    /// `MemoryFormat`, by its name.
    MemoryFormat(String),
    /// A complex scalar.
    Complex(f64, f64),
}

impl Argument {
    /// The tensors it refers to.
    pub fn values(&self) -> impl Iterator<Item = ValueId> + '_ {
        let (one, many) = match self {
            Self::Value(id) => (Some(*id), [].as_slice()),
            Self::Values(ids) => (None, ids.as_slice()),
            _ => (None, [].as_slice()),
        };
        one.into_iter().chain(many.iter().flatten().copied())
    }

    /// What kind of argument it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Value(_) => "Tensor",
            Self::Values(_) => "Tensor[]",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::String(_) => "str",
            Self::Ints(_) => "int[]",
            Self::Floats(_) => "float[]",
            Self::Bools(_) => "bool[]",
            Self::Dtype(_) => "ScalarType",
            Self::Device(_) => "Device",
            Self::Layout(_) => "Layout",
            Self::MemoryFormat(_) => "MemoryFormat",
            Self::Complex(..) => "complex",
        }
    }
}
