//! The most memory that activations take at a time: a lifetime analysis over the kernels in execution order.
//!
//! A tensor is stored from the kernel that computes it to the last that reads it. Inputs and outputs of the network are
//! in memory of the caller, as in TensorRT, and are not counted.

use crate::fusion::Fusion;
use crate::sizes::{Sizes, Unsized};
use network::TensorId;
use std::collections::{HashMap, HashSet};

/// TensorRT aligns tensors in its memory.
const ALIGNMENT: u64 = 512;

/// A tensor that is stored, from one kernel to another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lifetime {
    bytes: u64,
    first: usize,
    last: usize,
}

/// Bytes of the tensors that are stored during each kernel.
pub(crate) fn activations(fusion: &Fusion, sizes: &Sizes<'_>) -> Result<Vec<u64>, Unsized> {
    let mut stored = vec![0u64; fusion.kernels.len()];
    for life in lifetimes(fusion, sizes)? {
        for bytes in &mut stored[life.first..=life.last] {
            *bytes = bytes.saturating_add(life.bytes);
        }
    }
    Ok(stored)
}

fn lifetimes(fusion: &Fusion, sizes: &Sizes<'_>) -> Result<Vec<Lifetime>, Unsized> {
    let network = sizes.network();
    let callers: HashSet<TensorId> =
        network.inputs().iter().chain(network.outputs()).map(|port| fusion.home(port.tensor)).collect();
    let mut last: HashMap<TensorId, usize> = HashMap::new();
    let mut first: HashMap<TensorId, usize> = HashMap::new();
    for (kernel, layers) in fusion.kernels.iter().enumerate() {
        for id in layers {
            let layer = network.layer(*id);
            for output in &layer.outputs {
                first.entry(fusion.home(*output)).and_modify(|from| *from = kernel.min(*from)).or_insert(kernel);
            }
            for input in layer.used().filter(|input| fusion.kernel(*input).is_some_and(|by| by != kernel)) {
                last.insert(fusion.home(input), kernel);
            }
        }
    }
    let stored = last.into_iter().filter(|(id, _)| !callers.contains(id));
    let life = |(id, last): (TensorId, usize)| {
        let bytes = sizes.bytes(id)?.next_multiple_of(ALIGNMENT);
        Ok(Lifetime { bytes, first: first.get(&id).copied().unwrap_or(last), last })
    };
    stored.map(life).collect()
}
