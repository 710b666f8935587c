//! The constants that a text form names by digest, as tensors of bytes.

use crate::Result;
use bytes::Bytes;
use network::{INLINE_ELEMENTS, Network, Op};
use program::Program;
use runtime::{DataType, Tensor};
use std::collections::BTreeMap;

/// The bytes of the constants that the text of a network names by digest, by the digest.
pub(super) fn weights_of(network: &Network) -> Result<BTreeMap<String, Tensor>> {
    let constants = network.layers().iter().filter_map(|layer| match &layer.op {
        Op::Constant(weights) if weights.count() > INLINE_ELEMENTS => Some((weights.digest(), &weights.data)),
        _ => None,
    });
    by_digest(constants)
}

/// The same for the weights of a program.
pub(super) fn program_weights(program: &Program) -> Result<BTreeMap<String, Tensor>> {
    by_digest(program.weights().map(|weight| (weight.digest(), &weight.data)))
}

fn by_digest<'b>(weights: impl Iterator<Item = (u64, &'b Bytes)>) -> Result<BTreeMap<String, Tensor>> {
    let entry = |(digest, bytes): (u64, &Bytes)| {
        Ok((digest_name(digest), Tensor::from_bytes(DataType::UInt8, &[bytes.len() as i64], bytes)?))
    };
    weights.map(entry).collect()
}

/// The name of a constant in a file.
pub(super) fn digest_name(digest: u64) -> String {
    format!("{digest:016x}")
}
