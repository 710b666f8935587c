//! Evaluates layers on constants: the arithmetic behind constant folding, and the referee of the passes' tests.
//!
//! Floats are computed in float64 and rounded once to the layer's type (for `+ - * /` and `sqrt` that is exactly
//! IEEE arithmetic of the type); integers are exact and wrap as two's complement. Where TensorRT leaves a result
//! undefined (an index outside its axis, an integer division by zero, a float outside the integers it is cast
//! to), there is no value and a typed error instead. It is written to be right, not fast; it knows nothing of
//! passes.

mod array;
mod contraction;
mod indexing;
mod layout;
mod pointwise;
mod refused;
mod spatial;

use array::Shape;
use contraction::*;
use indexing::*;
use layout::*;
use network::{Dim, InferError, Network, Op, TensorInfo, Weights, infer};
use pointwise::*;
use refused::*;
use spatial::*;

/// Why a layer has no value here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// The inputs do not fit the layer.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// The evaluator does not know the layer, or this use of it.
    #[error("{0} is not evaluated on constants")]
    Unsupported(&'static str),
    /// TensorRT does not define the result.
    #[error("the result is undefined: {0}")]
    Undefined(&'static str),
    /// A network input was not given.
    #[error("the network input `{0}` has no value")]
    MissingInput(String),
}

type Result<T> = std::result::Result<T, EvalError>;

/// The inputs of a layer being evaluated, and the shapes that inference found for its outputs.
struct Call<'a> {
    inputs: &'a [Option<&'a Weights>],
    outputs: Vec<Shape>,
}

impl<'a> Call<'a> {
    fn get(&self, index: usize) -> Result<&'a Weights> {
        self.optional(index).ok_or(EvalError::Unsupported("a layer without its input"))
    }

    fn optional(&self, index: usize) -> Option<&'a Weights> {
        self.inputs.get(index).copied().flatten()
    }

    /// The elements of an input that holds integers.
    fn integers(&self, index: usize) -> Result<Option<Vec<i64>>> {
        let Some(weights) = self.optional(index) else { return Ok(None) };
        weights.to_i64().map(Some).ok_or(EvalError::Unsupported("a shape that is not of integers"))
    }

    fn shape(&self) -> Result<&Shape> {
        self.outputs.first().ok_or(EvalError::Unsupported("a layer without outputs"))
    }
}

/// The outputs of a layer for constant inputs, in the order that [`Op`] lists.
///
/// # Errors
/// [`EvalError`] where the layer does not take these inputs, is not known here, or has no defined result.
pub fn evaluate(op: &Op, inputs: &[Option<&Weights>]) -> Result<Vec<Weights>> {
    // The one layer whose sizes are a result.
    if let (Op::NonZero { .. }, [Some(x)]) = (op, inputs) {
        return Ok(vec![positions(x)]);
    }
    let outputs = shapes(op, inputs)?;
    let call = Call { inputs, outputs };
    network::dispatch!(op, (&call), all)
}

/// The outputs of a layer, as its function returns them.
trait Outputs {
    fn all(self) -> Vec<Weights>;
}

impl Outputs for Weights {
    fn all(self) -> Vec<Weights> {
        vec![self]
    }
}

impl Outputs for Vec<Weights> {
    fn all(self) -> Vec<Weights> {
        self
    }
}

fn all(made: Result<impl Outputs>) -> Result<Vec<Weights>> {
    made.map(Outputs::all)
}

fn constant(_: &Call<'_>, weights: &Weights) -> Result<Weights> {
    Ok(weights.clone())
}

fn assertion(_: &Call<'_>, _message: &str) -> Result<Vec<Weights>> {
    Ok(Vec::new())
}

/// What inference finds for the outputs; all static, because the inputs are.
pub(crate) fn shapes(op: &Op, inputs: &[Option<&Weights>]) -> Result<Vec<Shape>> {
    let dims: Vec<Vec<Dim>> =
        inputs.iter().map(|w| w.map_or_else(Vec::new, |w| w.dims.iter().map(|d| Dim::Static(*d)).collect())).collect();
    let values: Vec<Option<Vec<Dim>>> = inputs
        .iter()
        .map(|w| {
            let small = w.filter(|w| w.dims.len() <= 1 && w.count() <= 64 && w.dtype.is_index())?;
            Some(small.to_i64()?.into_iter().map(Dim::Static).collect())
        })
        .collect();
    let infos: Vec<Option<TensorInfo<'_>>> = inputs
        .iter()
        .zip(dims.iter().zip(&values))
        .map(|(w, (dims, value))| {
            w.map(|w| TensorInfo { dtype: w.dtype, dims, value: value.as_deref(), weights: Some(w) })
        })
        .collect();
    infer(op, &infos)?
        .into_iter()
        .map(|o| {
            let dims: Option<Vec<usize>> =
                o.dims.iter().map(|d| d.as_static().and_then(|n| usize::try_from(n).ok())).collect();
            Ok(Shape { dtype: o.dtype, dims: dims.ok_or(EvalError::Unsupported("a size that depends on data"))? })
        })
        .collect()
}

/// Runs a whole network on values for its inputs, given in the order of [`Network::inputs`]. Returns its outputs.
///
/// # Errors
/// [`EvalError`] of the first layer that has no value here.
pub fn run(network: &Network, inputs: &[Weights]) -> Result<Vec<Weights>> {
    let mut values: Vec<Option<Weights>> = vec![None; network.tensor_count()];
    for (k, port) in network.inputs().iter().enumerate() {
        let value = inputs.get(k).ok_or_else(|| EvalError::MissingInput(port.name.clone()))?;
        values[port.tensor.0 as usize] = Some(value.clone());
    }
    for layer in network.layers() {
        let taken: Vec<Option<&Weights>> =
            layer.inputs.iter().map(|id| id.and_then(|id| values[id.0 as usize].as_ref())).collect();
        let made = evaluate(&layer.op, &taken)?;
        for (id, value) in layer.outputs.iter().zip(made) {
            values[id.0 as usize] = Some(value);
        }
    }
    let output = |port: &network::Port| {
        values[port.tensor.0 as usize].clone().ok_or_else(|| EvalError::MissingInput(port.name.clone()))
    };
    network.outputs().iter().map(output).collect()
}
