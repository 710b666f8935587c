//! int64 → int32, for a target without int64.
//!
//! Every int64 tensor becomes int32, inputs and outputs too. Constants are checked; values that are only known
//! when the engine runs are trusted to fit: they are indices, sizes and tokens.

use super::Target;
use crate::Error;
use network::{DType, Layer, Network, Op, TensorId, Weights};
use std::collections::HashMap;

pub(super) fn demote(old: &Network, target: Target) -> Result<Network, Error> {
    let mut new = Network::new();
    let mut map: HashMap<TensorId, TensorId> = HashMap::new();
    for (name, symbol) in old.symbols() {
        new.add_symbol(name, *symbol);
    }
    for port in old.inputs() {
        let tensor = old.tensor(port.tensor);
        map.insert(port.tensor, new.add_input(&port.name, demoted(tensor.dtype), tensor.dims.clone()));
    }
    for layer in old.layers() {
        let inputs: Vec<Option<TensorId>> = layer.inputs.iter().map(|id| map.get(&(*id)?).copied()).collect();
        let op = demote_op(old, layer, target)?;
        let made = match (&op, inputs.as_slice()) {
            // What cast to int64 has nothing left to do where x is int32 now.
            (Op::Cast { to }, [Some(x)]) if new.tensor(*x).dtype == *to => vec![*x],
            _ => new.add(op, &inputs, &layer.origin)?,
        };
        for (from, to) in layer.outputs.iter().zip(made) {
            let wide = new.tensor(to).dtype == DType::Int64;
            let to = if wide { new.add_one(Op::Cast { to: DType::Int32 }, &[to], &layer.origin)? } else { to };
            map.insert(*from, to);
        }
    }
    for port in old.outputs() {
        let lost = || network::Error::Malformed(format!("output `{}` is never made", port.name));
        let tensor = map.get(&port.tensor).copied().ok_or_else(lost)?;
        new.add_output(&port.name, tensor);
    }
    Ok(new)
}

fn demoted(dtype: DType) -> DType {
    if dtype == DType::Int64 { DType::Int32 } else { dtype }
}

fn demote_op(old: &Network, layer: &Layer, target: Target) -> Result<Op, Error> {
    Ok(match &layer.op {
        Op::Constant(w) if w.dtype == DType::Int64 => Op::Constant(demote_constant(old, layer, w, target)?),
        Op::Cast { to } => Op::Cast { to: demoted(*to) },
        Op::Fill { op, dims, dtype, alpha, beta } => {
            Op::Fill { op: *op, dims: dims.clone(), dtype: demoted(*dtype), alpha: *alpha, beta: *beta }
        }
        Op::Plugin(plugin) => {
            let mut plugin = plugin.clone();
            plugin.outputs.iter_mut().for_each(|output| output.dtype = demoted(output.dtype));
            Op::Plugin(plugin)
        }
        op => op.clone(),
    })
}

fn demote_constant(old: &Network, layer: &Layer, w: &Weights, target: Target) -> Result<Weights, Error> {
    let values = w.to_i64().unwrap_or_default();
    let demote: Result<Vec<i32>, i64> = values.into_iter().map(|v| i32::try_from(v).map_err(|_| v)).collect();
    demote.map(|values| Weights::int32(&w.dims, &values)).map_err(|value| Error::Unsupported {
        target,
        layer: layer.op.name(),
        name: layer.name.clone(),
        origin: layer.origin.clone(),
        nodes: old.nodes_of(layer),
        problem: format!("it has no int64, and the constant holds {value}, which int32 does not"),
        help: "keep integers within 32 bits, or use TensorRT 10 or newer",
    })
}
