//! Shape and type inference: what a layer's outputs are, given its inputs.
//!
//! The rules are TensorRT's for a strongly typed network. Messages state what TensorRT would refuse and what the
//! layer got; the caller adds which layer and where in the model it comes from.

mod arithmetic;
mod contraction;
mod indexing;
mod layout;
mod recurrent;
mod spatial;
mod value;

use crate::{DType, Dim, Dims, InferError, Op, PluginAttributes, Weights, format_dims};
use arithmetic::*;
use contraction::*;
use indexing::*;
use layout::*;
use recurrent::*;
use spatial::*;

/// What inference knows of an input.
#[derive(Clone, Copy, Debug)]
pub struct TensorInfo<'a> {
    /// Element type.
    pub dtype: DType,
    /// Sizes.
    pub dims: &'a [Dim],
    /// Elements of a tensor that holds sizes, see [`crate::Tensor::value`].
    pub value: Option<&'a [Dim]>,
    /// The constant, where it is one.
    pub weights: Option<&'a Weights>,
}

impl TensorInfo<'_> {
    fn rank(&self) -> usize {
        self.dims.len()
    }

    fn text(&self) -> String {
        format!("{}{}", self.dtype, format_dims(self.dims))
    }
}

/// What inference finds for an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Inferred {
    /// Element type.
    pub dtype: DType,
    /// Sizes.
    pub dims: Dims,
    /// Elements of a tensor that holds sizes, see [`crate::Tensor::value`].
    pub value: Option<Vec<Dim>>,
}

type Result<T> = std::result::Result<T, InferError>;

/// TensorRT's largest rank.
pub(crate) const MAX_RANK: usize = 8;

fn fail<T>(problem: impl Into<String>) -> Result<T> {
    Err(InferError(problem.into()))
}

fn one(dtype: DType, dims: Dims) -> Result<Vec<Inferred>> {
    Ok(vec![Inferred { dtype, dims, value: None }])
}

/// The inputs of a layer, with errors that name them.
#[derive(Clone, Copy)]
struct Inputs<'a>(&'a [Option<TensorInfo<'a>>]);

impl<'a> Inputs<'a> {
    fn get(self, index: usize, name: &str) -> Result<TensorInfo<'a>> {
        match self.optional(index) {
            Some(info) => Ok(info),
            None => fail(format!("input {index} ({name}) is missing")),
        }
    }

    fn optional(self, index: usize) -> Option<TensorInfo<'a>> {
        self.0.get(index).copied().flatten()
    }

    fn float(self, index: usize, name: &str) -> Result<TensorInfo<'a>> {
        let info = self.get(index, name)?;
        if info.dtype.is_float() {
            Ok(info)
        } else {
            fail(format!("{name} must be a float tensor, got {}", info.text()))
        }
    }
}

fn check_axis(axis: usize, info: TensorInfo<'_>) -> Result<()> {
    if axis < info.rank() { Ok(()) } else { fail(format!("axis {axis} is outside {}", info.text())) }
}

fn same_dtype(a: TensorInfo<'_>, b: TensorInfo<'_>, what: &str) -> Result<()> {
    if a.dtype == b.dtype {
        Ok(())
    } else {
        fail(format!("{what} must have one dtype, got {} and {}", a.text(), b.text()))
    }
}

/// Numpy's rule for two sizes of equal position. An unknown size is taken to fit a known one other than 1.
fn broadcast_dim(a: &Dim, b: &Dim) -> Option<Dim> {
    match (a, b) {
        _ if a == b => Some(a.clone()),
        (Dim::Static(1), _) => Some(b.clone()),
        (_, Dim::Static(1)) => Some(a.clone()),
        (Dim::Static(_), Dim::Static(_)) => None,
        (Dim::Static(_), Dim::Symbolic(_)) => Some(a.clone()),
        (Dim::Symbolic(_), _) => Some(if b.is_static() { b.clone() } else { a.clone() }),
    }
}

/// Broadcast of tensors of equal rank, as TensorRT has it.
fn broadcast(all: &[TensorInfo<'_>]) -> Result<Dims> {
    let Some((first, rest)) = all.split_first() else { return Ok(Vec::new()) };
    let mut dims = first.dims.to_vec();
    let text = || all.iter().map(TensorInfo::text).collect::<Vec<_>>().join(" and ");
    for other in rest {
        if other.rank() != dims.len() {
            return fail(format!("ranks differ: {}", text()));
        }
        for (d, o) in dims.iter_mut().zip(other.dims) {
            *d = match broadcast_dim(d, o) {
                Some(dim) => dim,
                None => return fail(format!("sizes do not broadcast: {}", text())),
            };
        }
    }
    Ok(dims)
}

fn constant(_: Inputs<'_>, weights: &Weights) -> Result<Vec<Inferred>> {
    one(weights.dtype, weights.dims.iter().map(|d| Dim::Static(*d)).collect())
}

/// The outputs that a plugin layer declares.
fn plugin(inputs: Inputs<'_>, attributes: &PluginAttributes) -> Result<Vec<Inferred>> {
    let count = inputs.0.len();
    if let Some(problem) = attributes.problem(count) {
        return fail(problem);
    }
    for index in 0..count {
        let shape = inputs.get(index, "of the plugin")?;
        if index >= count - attributes.shape_inputs && !(shape.dtype.is_index() && shape.rank() <= 1) {
            return fail(format!(
                "input {index} must be a shape tensor: integers of rank 0 or 1, got {}",
                shape.text()
            ));
        }
    }
    let outputs = attributes.outputs.iter();
    Ok(outputs.map(|output| Inferred { dtype: output.dtype, dims: output.dims.clone(), value: None }).collect())
}

/// Finds a layer's outputs.
///
/// # Errors
/// [`InferError`] where TensorRT would refuse the layer.
pub fn infer(op: &Op, inputs: &[Option<TensorInfo<'_>>]) -> Result<Vec<Inferred>> {
    let i = Inputs(inputs);
    let mut outputs = crate::dispatch!(op, (i))?;
    if let Some(wide) = outputs.iter().find(|o| o.dims.len() > MAX_RANK) {
        return fail(format!("rank {} is above TensorRT's limit of {MAX_RANK}", wide.dims.len()));
    }
    if let Some(n) = outputs.iter().flat_map(|o| &o.dims).filter_map(Dim::as_static).find(|n| *n < 0) {
        return fail(format!("an output size would be {n}"));
    }
    if let [output] = outputs.as_mut_slice() {
        output.value = value::propagate(op, i, output);
    }
    Ok(outputs)
}
