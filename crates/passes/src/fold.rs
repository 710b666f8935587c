//! Evaluates at conversion what does not depend on the inputs: layers of constants, and shape arithmetic whose
//! elements inference already knows.
//!
//! A result takes the layer's place if it is no larger than the layer's inputs together, or than
//! [`SMALL_RESULT`]; what would cost more than [`MAX_OPERATIONS`] multiplications stays. Convolutions, poolings
//! and (de)quantization of constants stay as well: the first two are the builder's to fold, the others state how
//! weights are stored. What the evaluator does not define stays for the builder to judge. The constants that
//! lose their last use are left for `dce`.

use crate::eval;
use network::{Dim, Error, Layer, Network, Op, Rewrite, TensorId, Weights, rewrite};

/// Bytes a result may always have.
const SMALL_RESULT: usize = 16 << 20;
/// Bytes a layer without inputs may be turned into: a ramp is cheaper to make than to store.
const SMALL_FILL: usize = 64 << 10;
/// Multiplications a product of constants may take.
const MAX_OPERATIONS: usize = 1 << 24;

/// Turns layers of constants, and sizes that are known, into constants. Large results and quantization stay.
///
/// # Errors
/// None for a network that verifies.
pub fn fold(network: &Network) -> Result<Network, Error> {
    rewrite(network, |state, layer| match folded(state, layer)? {
        Some(values) => {
            for (output, value) in layer.outputs.iter().zip(values) {
                let made = state.add(Op::Constant(value), &[], &layer.origin)?;
                state.set(*output, made);
            }
            Ok(())
        }
        None => state.keep(layer),
    })
}

fn folded(state: &Rewrite<'_>, layer: &Layer) -> Result<Option<Vec<Weights>>, Error> {
    if matches!(layer.op, Op::Constant(_)) || layer.outputs.is_empty() {
        return Ok(None);
    }
    if let [output] = layer.outputs.as_slice()
        && let Some(value) = known_value(state.old, *output)
    {
        return Ok(Some(vec![value]));
    }
    if !foldable(&layer.op) {
        return Ok(None);
    }
    let inputs = state.inputs(layer)?;
    let constants: Vec<Option<&Weights>> = inputs.iter().map(|id| state.new.constant((*id)?)).collect();
    let all = inputs.iter().zip(&constants).all(|(id, constant)| id.is_none() || constant.is_some());
    if !all || !affordable(&layer.op, &constants) {
        return Ok(None);
    }
    Ok(eval::evaluate(&layer.op, &constants).ok())
}

/// The elements of a tensor of sizes, where each is a number.
fn known_value(network: &Network, id: TensorId) -> Option<Weights> {
    let tensor = network.tensor(id);
    let value: Option<Vec<i64>> = tensor.value.as_ref()?.iter().map(Dim::as_static).collect();
    let dims: Option<Vec<i64>> = tensor.dims.iter().map(Dim::as_static).collect();
    Some(Weights::from_i64(tensor.dtype, &dims?, value?))
}

fn foldable(op: &Op) -> bool {
    !matches!(
        op,
        Op::Assertion { .. }
            | Op::Convolution(_)
            | Op::Deconvolution(_)
            | Op::Dequantize { .. }
            | Op::DynamicQuantize { .. }
            | Op::Pooling(_)
            | Op::Quantize { .. }
    )
}

fn affordable(op: &Op, inputs: &[Option<&Weights>]) -> bool {
    let taken: usize = inputs.iter().flatten().map(|w| w.data.len()).sum();
    let counts: Vec<(usize, usize)> = match (op, inputs) {
        // What a mask finds has sizes once it is found: at most an int32 for each element and axis.
        (Op::NonZero { .. }, [Some(x)]) => vec![(x.count() * x.dims.len(), 4)],
        _ => match eval::shapes(op, inputs) {
            Ok(shapes) => shapes.iter().map(|shape| (count(&shape.dims), shape.dtype.size())).collect(),
            Err(_) => return false,
        },
    };
    let most = if matches!(op, Op::Fill { .. }) { SMALL_FILL } else { SMALL_RESULT.max(taken) };
    if let Op::MatrixMultiply { .. } = op {
        let shared = inputs.first().copied().flatten().and_then(|w| w.dims.iter().copied().max()).unwrap_or(0);
        if counts.iter().any(|(n, _)| n.saturating_mul(shared as usize) > MAX_OPERATIONS) {
            return false;
        }
    }
    counts.iter().map(|(n, size)| n.saturating_mul(*size)).fold(0, usize::saturating_add) <= most
}

fn count(dims: &[usize]) -> usize {
    dims.iter().fold(1, |n, size| n.saturating_mul(*size))
}
