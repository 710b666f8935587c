//! Merges layers that compute the same thing of the same inputs: the later ones' uses go to the first.
//!
//! Constants are the same where type, sizes and storage are, or, up to [`COMPARED_BYTES`], where the bytes are:
//! tied weights share storage, and comparing what is large would cost more than it finds. Random fills are
//! never merged. The layers merged away take their names and origins with them.
//!
//! A concatenation that begins with all the parts of another takes that one as its first part: in a dense block, where
//! each layer joins what all layers before it made, two tensors are joined at each step instead of all.

use bytes::Bytes;
use network::{DType, Error, FillOperation, Layer, Network, Op, Rewrite, TensorId, Weights, rewrite};
use std::collections::{BTreeSet, HashMap};

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
/// Concatenations that begin alike share their beginning.
///
/// # Errors
/// None for a network that verifies.
pub fn cse(network: &Network) -> Result<Network, Error> {
    let mut seen: HashMap<Key, Vec<TensorId>> = HashMap::new();
    let mut joined = Joined::default();
    rewrite(network, |state, layer| {
        let Some(key) = key(state, layer)? else { return state.keep(layer) };
        if let Some(first) = seen.get(&key) {
            state.replace(layer, first);
            return Ok(());
        }
        match (&layer.op, &key) {
            (Op::Concatenation { axis }, Key::Layer(_, parts)) => joined.keep(state, layer, *axis, parts)?,
            _ => state.keep(layer)?,
        }
        let made: Result<Vec<_>, Error> = layer.outputs.iter().map(|o| state.get(*o)).collect();
        seen.insert(key, made?);
        Ok(())
    })
}

/// The concatenations so far, by axis and by all the parts that they join, those of their first parts included.
#[derive(Default)]
struct Joined {
    outputs: HashMap<(usize, Vec<Option<TensorId>>), TensorId>,
    /// How many parts there are.
    counts: BTreeSet<usize>,
}

impl Joined {
    /// Keeps a concatenation; with the longest other one that it begins with as its first part.
    fn keep(
        &mut self,
        state: &mut Rewrite<'_>,
        layer: &Layer,
        axis: usize,
        parts: &[Option<TensorId>],
    ) -> Result<(), Error> {
        let beginning = self.counts.range(2..parts.len().max(2)).rev().find_map(|count| {
            let (beginning, rest) = parts.split_at(*count);
            Some((*self.outputs.get(&(axis, beginning.to_vec()))?, rest))
        });
        match (beginning, layer.outputs.as_slice()) {
            (Some((beginning, rest)), [output]) => {
                let inputs: Vec<TensorId> = std::iter::once(beginning).chain(rest.iter().flatten().copied()).collect();
                let made = state.add(layer.op.clone(), &inputs, &layer.origin)?;
                state.set(*output, made);
            }
            _ => state.keep(layer)?,
        }
        if let [output] = layer.outputs[..] {
            self.outputs.insert((axis, parts.to_vec()), state.get(output)?);
            self.counts.insert(parts.len());
        }
        Ok(())
    }
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
