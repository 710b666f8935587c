//! Typed readers of a node's arguments. Each error names the argument, what was expected and what was found.

use crate::{Error, Result, compute_dtype};
use dims::{Dim, Dims};
use network::{DType, TensorId};
use program::{Argument, Node, Program, Source, Value};

/// A number that is not a tensor, with the kind that type promotion asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i64),
    /// `float`.
    Float(f64),
}

impl Scalar {
    /// Whether a float holds it exactly.
    pub fn is_small(self) -> bool {
        !matches!(self, Self::Int(n) if n.unsigned_abs() > 1 << 53)
    }

    /// Its value as a float.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Bool(b) => f64::from(u8::from(b)),
            Self::Int(n) => n as f64,
            Self::Float(x) => x,
        }
    }
}

/// One call of an operator: its node, and the tensors that stand for its arguments.
pub struct Call<'a> {
    node: &'a Node,
    program: &'a Program,
    tensors: &'a [Option<TensorId>],
}

impl<'a> Call<'a> {
    pub(crate) fn new(node: &'a Node, program: &'a Program, tensors: &'a [Option<TensorId>]) -> Self {
        Self { node, program, tensors }
    }

    pub(crate) fn node(&self) -> &'a Node {
        self.node
    }

    /// The same call with another node in its place: the operator that computes what this one does.
    pub(crate) fn of<'b>(&self, node: &'b Node) -> Call<'b>
    where
        'a: 'b,
    {
        Call { node, program: self.program, tensors: self.tensors }
    }

    /// The overload, such as `aten.conv2d.default`.
    pub fn target(&self) -> &'a str {
        &self.node.target
    }

    /// Where in the model the call was written.
    pub fn source(&self) -> &'a Source {
        &self.node.source
    }

    /// The value the sample inputs gave to a size symbol; `None` where no input decides it.
    pub fn hint(&self, symbol: &str) -> Option<i64> {
        self.program.symbols().get(symbol).map(|symbol| symbol.hint).filter(|hint| *hint >= 0)
    }

    /// PyTorch's metadata of an output: dtype and sizes.
    ///
    /// # Errors
    /// [`Error::Converter`] where the call has no such output.
    pub fn output(&self, index: usize) -> Result<&'a Value> {
        match self.node.outputs.get(index).copied().flatten() {
            Some(id) => Ok(self.program.value(id)),
            None => Err(Error::Converter { problem: format!("there is no output {index}") }),
        }
    }

    /// Whether anything reads an output.
    pub fn is_used(&self, index: usize) -> bool {
        let Some(id) = self.node.outputs.get(index).copied().flatten() else { return false };
        let arguments = self.program.nodes().iter().flat_map(|node| node.arguments.values());
        arguments.chain(self.program.outputs()).any(|argument| argument.values().any(|value| value == id))
    }

    /// Whether every reader of an output is such a node: an output of the program is not.
    pub fn is_read_only_by(&self, index: usize, is_such: impl Fn(&Node) -> bool) -> bool {
        let Some(id) = self.node.outputs.get(index).copied().flatten() else { return true };
        let reads = |argument: &Argument| argument.values().any(|value| value == id);
        let mut readers = self.program.nodes().iter().filter(|node| node.arguments.values().any(reads));
        readers.all(is_such) && !self.program.outputs().iter().any(reads)
    }

    /// Number of outputs, used or not.
    pub fn output_count(&self) -> usize {
        self.node.outputs.len()
    }

    /// The type in which an output travels.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where TensorRT has no such type.
    pub fn output_dtype(&self, index: usize) -> Result<DType> {
        let value = self.output(index)?;
        compute_dtype(value.dtype).ok_or_else(|| Error::unsupported(format!("TensorRT has no {} tensors", value.dtype)))
    }

    /// The sizes of an output.
    ///
    /// # Errors
    /// [`Error::Converter`] where the call has no such output.
    pub fn output_dims(&self, index: usize) -> Result<&'a [Dim]> {
        Ok(&self.output(index)?.dims)
    }

    /// An argument as it is; `None` where the schema has no such argument.
    pub fn argument(&self, name: &str) -> Option<&'a Argument> {
        self.node.arguments.get(name)
    }

    fn wrong<T>(&self, name: &str, wanted: &str) -> Result<T> {
        let got = self.argument(name).map_or("missing", Argument::kind);
        Err(Error::Converter { problem: format!("argument `{name}` should be {wanted}, it is {got}") })
    }

    fn lookup(&self, id: program::ValueId) -> Result<TensorId> {
        self.tensors[id.0 as usize].ok_or_else(|| {
            let value = self.program.value(id);
            Error::unsupported(match compute_dtype(value.dtype) {
                None => format!("`{}` is {}, which TensorRT has no tensors of", value.name, value.dtype),
                Some(_) => format!("`{}` is an output that the converter of its operator does not make", value.name),
            })
        })
    }

    /// A tensor.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn tensor(&self, name: &str) -> Result<TensorId> {
        match self.optional_tensor(name)? {
            Some(id) => Ok(id),
            None => self.wrong(name, "a tensor"),
        }
    }

    /// PyTorch's metadata of a tensor argument.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is not a tensor.
    pub fn value(&self, name: &str) -> Result<&'a Value> {
        match self.argument(name) {
            Some(Argument::Value(id)) => Ok(self.program.value(*id)),
            _ => self.wrong(name, "a tensor"),
        }
    }

    /// A tensor or `None`.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn optional_tensor(&self, name: &str) -> Result<Option<TensorId>> {
        match self.argument(name) {
            None | Some(Argument::None) => Ok(None),
            Some(Argument::Value(id)) => self.lookup(*id).map(Some),
            _ => self.wrong(name, "a tensor or None"),
        }
    }

    /// A list of tensors.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn tensors(&self, name: &str) -> Result<Vec<TensorId>> {
        match self.optional_tensors(name)?.into_iter().collect() {
            Some(all) => Ok(all),
            None => self.wrong(name, "a list of tensors"),
        }
    }

    /// A list of tensors and `None`s.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn optional_tensors(&self, name: &str) -> Result<Vec<Option<TensorId>>> {
        match self.argument(name) {
            Some(Argument::Values(ids)) => ids.iter().map(|id| id.map(|id| self.lookup(id)).transpose()).collect(),
            _ => self.wrong(name, "a list of tensors"),
        }
    }

    /// PyTorch's metadata of a list of tensors and `None`s.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn values(&self, name: &str) -> Result<Vec<Option<&'a Value>>> {
        match self.argument(name) {
            Some(Argument::Values(ids)) => Ok(ids.iter().map(|id| id.map(|id| self.program.value(id))).collect()),
            _ => self.wrong(name, "a list of tensors"),
        }
    }

    /// Whether an argument is `None` or not in the schema.
    pub fn is_none(&self, name: &str) -> bool {
        matches!(self.argument(name), None | Some(Argument::None))
    }

    /// A size: an integer that may be an expression.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn size(&self, name: &str) -> Result<Dim> {
        match self.argument(name) {
            Some(Argument::Int(n)) => Ok(n.clone()),
            Some(Argument::Bool(b)) => Ok(Dim::Static(i64::from(*b))),
            _ => self.wrong(name, "an int"),
        }
    }

    /// A size or `None`.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn optional_size(&self, name: &str) -> Result<Option<Dim>> {
        if self.is_none(name) { Ok(None) } else { self.size(name).map(Some) }
    }

    /// An integer that must be known at conversion.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where it depends on the input's sizes.
    pub fn int(&self, name: &str) -> Result<i64> {
        let size = self.size(name)?;
        size.as_static().ok_or_else(|| {
            Error::unsupported(format!("argument `{name}` is {size}: it must not depend on input sizes"))
        })
    }

    /// A list of sizes. A single integer counts as a list of one.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn sizes(&self, name: &str) -> Result<Dims> {
        match self.argument(name) {
            Some(Argument::Ints(sizes)) => Ok(sizes.clone()),
            Some(Argument::Int(n)) => Ok(vec![n.clone()]),
            // An empty list carries no element type.
            Some(Argument::Values(v)) if v.is_empty() => Ok(Vec::new()),
            Some(Argument::Floats(v)) if v.is_empty() => Ok(Vec::new()),
            _ => self.wrong(name, "a list of ints"),
        }
    }

    /// A list of integers that must be known at conversion.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where one depends on the input's sizes.
    pub fn ints(&self, name: &str) -> Result<Vec<i64>> {
        let sizes = self.sizes(name)?;
        sizes.iter().map(Dim::as_static).collect::<Option<_>>().ok_or_else(|| {
            let text = dims::format_dims(&sizes);
            Error::unsupported(format!("argument `{name}` is {text}: it must not depend on input sizes"))
        })
    }

    /// A list of `n` integers where PyTorch also takes one for all, or none for a default.
    ///
    /// # Errors
    /// [`Error::Converter`] where the list has another length.
    pub fn ints_for(&self, name: &str, n: usize) -> Result<Vec<i64>> {
        let ints = self.ints(name)?;
        match ints.len() {
            1 => Ok(vec![ints[0]; n]),
            len if len == n => Ok(ints),
            _ => self.wrong(name, &format!("a list of {n} ints")),
        }
    }

    /// A float; integers count.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn float(&self, name: &str) -> Result<f64> {
        self.scalar(name).map(Scalar::as_f64)
    }

    /// A float or `None`.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn optional_float(&self, name: &str) -> Result<Option<f64>> {
        if self.is_none(name) { Ok(None) } else { self.float(name).map(Some) }
    }

    /// A list of floats.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn floats(&self, name: &str) -> Result<Vec<f64>> {
        match self.argument(name) {
            Some(Argument::Floats(xs)) => Ok(xs.clone()),
            Some(Argument::Ints(_)) => Ok(self.ints(name)?.into_iter().map(|n| n as f64).collect()),
            Some(Argument::Values(v)) if v.is_empty() => Ok(Vec::new()),
            _ => self.wrong(name, "a list of floats"),
        }
    }

    /// A number of any kind that must be known at conversion.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn scalar(&self, name: &str) -> Result<Scalar> {
        match self.argument(name) {
            Some(Argument::Bool(b)) => Ok(Scalar::Bool(*b)),
            Some(Argument::Int(_)) => self.int(name).map(Scalar::Int),
            Some(Argument::Float(x)) => Ok(Scalar::Float(*x)),
            _ => self.wrong(name, "a number"),
        }
    }

    /// A bool.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn bool(&self, name: &str) -> Result<bool> {
        match self.argument(name) {
            Some(Argument::Bool(b)) => Ok(*b),
            Some(Argument::Int(n)) => Ok(!n.is(0)),
            _ => self.wrong(name, "a bool"),
        }
    }

    /// A list of bools.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn bools(&self, name: &str) -> Result<Vec<bool>> {
        match self.argument(name) {
            Some(Argument::Bools(v)) => Ok(v.clone()),
            _ => self.wrong(name, "a list of bools"),
        }
    }

    /// A string.
    ///
    /// # Errors
    /// [`Error::Converter`] where the argument is something else.
    pub fn string(&self, name: &str) -> Result<&'a str> {
        match self.argument(name) {
            Some(Argument::String(s)) => Ok(s),
            _ => self.wrong(name, "a string"),
        }
    }

    /// An axis, counted from the end where negative, for a tensor of this rank (rank 0 has one axis for PyTorch).
    ///
    /// # Errors
    /// [`Error::Converter`] where the tensor has no such axis.
    pub fn axis(&self, name: &str, rank: usize) -> Result<usize> {
        normalize(self.int(name)?, rank)
    }

    /// A list of axes; an empty one or `None` means all.
    ///
    /// # Errors
    /// [`Error::Converter`] where the tensor has no such axis.
    pub fn axes(&self, name: &str, rank: usize) -> Result<Vec<usize>> {
        let given = if self.is_none(name) { Vec::new() } else { self.ints(name)? };
        if given.is_empty() {
            return Ok((0..rank).collect());
        }
        given.into_iter().map(|axis| normalize(axis, rank)).collect()
    }
}

/// Counts a negative axis from the end.
pub(crate) fn normalize(axis: i64, rank: usize) -> Result<usize> {
    let from_start = if axis < 0 { axis + rank.max(1) as i64 } else { axis };
    match usize::try_from(from_start) {
        Ok(axis) if axis < rank.max(1) => Ok(axis),
        _ => Err(Error::Converter { problem: format!("axis {axis} is outside a tensor of rank {rank}") }),
    }
}
