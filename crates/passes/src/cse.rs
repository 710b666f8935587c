//! Merges layers that compute the same thing of the same inputs: the later ones' uses go to the first.
//!
//! Constants are the same where type, sizes and storage are, or, up to [`COMPARED_BYTES`], where the bytes are:
//! tied weights share storage, and comparing what is large would cost more than it finds. Random fills are
//! never merged. The layers merged away take their names and origins with them.

use bytes::Bytes;
use network::{DType, Error, FillOperation, Layer, Network, Op, Rewrite, TensorId, Weights, rewrite};
use std::collections::HashMap;

/// Constants of more bytes are compared by address only.
const COMPARED_BYTES: usize = 4096;

/// What makes two layers the same.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    /// Attributes, printed: they hold floats, which do not hash. Then the inputs.
    Layer(String, Vec<Option<TensorId>>),
    Bytes(DType, Vec<i64>, Bytes),
    Address(DType, Vec<i64>, usize),
}

/// Merges layers that compute the same thing of the same inputs; random fills and assertions stay apart.
///
/// # Errors
/// None for a network that verifies.
pub fn cse(network: &Network) -> Result<Network, Error> {
    let mut seen: HashMap<Key, Vec<TensorId>> = HashMap::new();
    rewrite(network, |state, layer| {
        let Some(key) = key(state, layer)? else { return state.keep(layer) };
        if let Some(first) = seen.get(&key) {
            state.replace(layer, first);
            return Ok(());
        }
        state.keep(layer)?;
        let made: Result<Vec<_>, Error> = layer.outputs.iter().map(|o| state.get(*o)).collect();
        seen.insert(key, made?);
        Ok(())
    })
}

fn key(state: &Rewrite<'_>, layer: &Layer) -> Result<Option<Key>, Error> {
    Ok(match &layer.op {
        Op::Constant(w) => Some(constant_key(w)),
        Op::Assertion { .. } => None,
        Op::Fill { op: FillOperation::RandomNormal | FillOperation::RandomUniform, .. } => None,
        op => Some(Key::Layer(format!("{op:?}"), state.inputs(layer)?)),
    })
}

fn constant_key(w: &Weights) -> Key {
    if w.data.len() <= COMPARED_BYTES {
        Key::Bytes(w.dtype, w.dims.clone(), w.data.clone())
    } else {
        Key::Address(w.dtype, w.dims.clone(), w.data.as_ptr() as usize)
    }
}
