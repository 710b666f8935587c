//! A network that also gives the largest magnitudes of what flows in it: run on samples, it shows which layers come
//! near the end of float16's range.

use super::rules;
use network::{DType, Dim, Error, Network, Op, Origin, ReduceOperation, TensorId, UnaryOperation, Weights};
use std::sync::Arc;

/// Adds an output for each float32 input, and for each layer that makes new float32 numbers: their largest finite
/// magnitude (rank 0). Returns the network and the names of what it observes, in the order of the outputs that come
/// after the network's own; [`super::PrecisionOptions::ranges`] takes the values under these names.
///
/// Magnitudes are taken inside the network, so that no tensor outlives its last use. An infinity counts as nothing:
/// half precision has it too.
///
/// # Errors
/// None for a network that verifies.
pub fn observe(network: &Network) -> Result<(Network, Vec<String>), Error> {
    let mut new = network.clone();
    let mut names = Vec::new();
    for port in network.inputs() {
        if is_observable(network, port.tensor) {
            largest(&mut new, port.tensor, &port.name, &Arc::new(Origin::default()))?;
            names.push(port.name.clone());
        }
    }
    for layer in network.layers() {
        if let Some(made) =
            layer.outputs.first().filter(|id| rules::enlarges(&layer.op) && is_observable(network, **id))
        {
            largest(&mut new, *made, &layer.name, &layer.origin)?;
            names.push(layer.name.clone());
        }
    }
    Ok((new, names))
}

/// Whether a tensor is of float32 and has elements to look at.
fn is_observable(network: &Network, id: TensorId) -> bool {
    let tensor = network.tensor(id);
    tensor.dtype == DType::Float32 && tensor.rank() > 0 && !tensor.dims.contains(&Dim::Static(0))
}

fn largest(new: &mut Network, x: TensorId, name: &str, origin: &Arc<Origin>) -> Result<(), Error> {
    let rank = new.tensor(x).rank();
    let infinite = new.add_one(Op::Unary { op: UnaryOperation::Isinf }, &[x], origin)?;
    let zero = Weights::filled(DType::Float32, &vec![1; rank], 0.0);
    let zero = new.add_one(Op::Constant(zero), &[], origin)?;
    let finite = new.add_one(Op::Select, &[infinite, zero, x], origin)?;
    let magnitude = new.add_one(Op::Unary { op: UnaryOperation::Abs }, &[finite], origin)?;
    let all = Op::Reduce { op: ReduceOperation::Max, axes: (0..rank).collect(), keep_dims: false };
    let most = new.add_one(all, &[magnitude], origin)?;
    new.add_output(&format!("largest of {name}"), most);
    Ok(())
}
