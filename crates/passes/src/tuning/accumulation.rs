//! Which sums of products stay float32 where a target adds up float16 in float16: TensorRT 8.6.
//!
//! Its convolutions of float16 all do. Measured on an H100: a chain of them with sums of up to 4608 products is off by
//! 4 to 6 times as much as PyTorch's float16; with those above [`LONG`] in float32 (TF32 on the tensor cores), by 1.0
//! to 1.7 times, at the price of up to a quarter of the time. In residual networks the sums matter less, since the
//! branches are added to a stream whose own rounding has grown by then (ResNet-50: 1.2 times as it is), and float32
//! costs more, since each branch needs casts of its own. They are left alone, and so are those of dense blocks. Where
//! most convolutions have long sums, as in ResNet-18 and 34, that is not enough (1.8 to 2.3 and 1.7 to 2.8 times). What
//! matters there are the first sums, whose errors all blocks pass on and add to: with the layers up to the first sum of
//! branches in float32 it is still 1.6 and 1.5 to 2.8 times on an H200, up to the second 1.8 and 1.7 in the root mean
//! square. The kernels for TF32 seem to have a part in that (`assign.rs`): with their factors rounded before, it is 1.3
//! to 1.5. That is not measured but worked out on a CPU, by rounding as the tensor cores do: after 16 products in
//! kernels for compute capability 9.0, after 8 in those for 8.0, which gives about what was measured for the others.
//!
//! For products of few rows, 8.6 has kernels of both kinds, and a build makes it take the exact ones; that costs
//! timing them all. Where the weights are small, float32 costs less.

use super::FEW;
use network::{Dim, ElementWiseOperation, Layer, MatrixOperation, Network, Op, TensorId};
use std::collections::{HashMap, HashSet};

/// Products that a convolution may add up in float16.
const LONG: i64 = 1024;
/// Products that lose nothing in float16: those of one step of the tensor cores.
const FEW_PRODUCTS: i64 = 16;
/// Sums of residual branches up to which all is float32, where most convolutions have long sums.
const EXACT_SUMS: usize = 2;
/// Bytes that a product's weights may take in float32: what a GPU reads in a microsecond or two.
const SMALL: i64 = 8 << 20;
/// Rows up to which reading the weights of a product takes longer than multiplying.
const FEW_ROWS: i64 = 8;

/// The layers whose sums are too long for float16, and how many products each adds up, by their first output.
pub(crate) fn long(network: &Network) -> HashMap<TensorId, i64> {
    let Branches { inside, sums } = branches(network);
    let convolutions: HashMap<TensorId, i64> = per_layer(network, convolved).collect();
    let mut long: HashMap<TensorId, i64> =
        convolutions.iter().map(|(y, count)| (*y, *count)).filter(|(_, count)| *count > LONG).collect();
    let mostly_long = 2 * long.len() > convolutions.len();
    long.retain(|y, _| !inside.contains(y));
    if let Some(sum) = sums.iter().take(EXACT_SUMS).next_back().filter(|_| mostly_long) {
        let before = ancestors(network, *sum).into_iter();
        long.extend(before.filter_map(|y| Some((y, *convolutions.get(&y).filter(|count| **count > FEW_PRODUCTS)?))));
    }
    long.extend(per_layer(network, multiplied).filter(|(y, _)| !inside.contains(y)));
    long
}

fn per_layer<'a>(
    network: &'a Network,
    read: impl Fn(&Network, &Layer) -> Option<i64> + 'a,
) -> impl Iterator<Item = (TensorId, i64)> + 'a {
    network.layers().iter().filter_map(move |layer| Some((*layer.outputs.first()?, read(network, layer)?)))
}

/// Number of products in each sum of a convolution.
fn convolved(network: &Network, layer: &Layer) -> Option<i64> {
    let Op::Convolution(_) = layer.op else { return None };
    Some(sizes(&network.tensor(layer.input(1)?).dims)?[1..].iter().product())
}

/// Number of products in each sum of a linear layer, where they are too many for float16 and float32 costs little.
fn multiplied(network: &Network, layer: &Layer) -> Option<i64> {
    let weights = sizes(&network.tensor(layer.input(1)?).dims)?;
    match layer.op {
        Op::MatrixMultiply { op0: MatrixOperation::None, .. } if network.constant(layer.input(1)?).is_some() => {
            let (depth, rows) = network.tensor(layer.input(0)?).dims.split_last()?;
            let many = sizes(rows).is_some_and(|rows| rows.iter().product::<i64>() > FEW_ROWS);
            let small = weights.iter().product::<i64>() * 4 <= SMALL;
            depth.as_static().filter(|depth| *depth > FEW && small && !many)
        }
        _ => None,
    }
}

fn sizes(dims: &[Dim]) -> Option<Vec<i64>> {
    dims.iter().map(Dim::as_static).collect()
}

/// All that a tensor is computed from, itself included.
fn ancestors(network: &Network, id: TensorId) -> HashSet<TensorId> {
    let (mut found, mut open) = (HashSet::new(), vec![id]);
    while let Some(id) = open.pop() {
        if found.insert(id) {
            open.extend(network.producer(id).iter().flat_map(|layer| layer.used()));
        }
    }
    found
}

/// The branches of a network.
#[derive(Default)]
struct Branches {
    /// What is made in them.
    inside: HashSet<TensorId>,
    /// The sums of a residual branch and what it started from, in order.
    sums: Vec<TensorId>,
}

/// What is made between a tensor and where it meets the tensor again: in a sum of both, as residual branches do, or in
/// a concatenation with all that the tensor was made of, as in dense blocks.
fn branches(network: &Network) -> Branches {
    let uses = network.use_counts();
    let computed = |id: &TensorId| network.constant(*id).is_none();
    // Back along layers of one operand until a tensor that joins several, or that has other uses; the first may have
    // them where it is `shared`.
    let walk = |mut id: TensorId, shared: bool| {
        let mut way = Vec::new();
        while (uses[id.0 as usize] == 1 || (shared && way.is_empty()))
            && let Some(layer) = network.producer(id)
            && let [x] = layer.used().filter(computed).collect::<Vec<_>>()[..]
        {
            way.push(id);
            id = x;
        }
        (id, way)
    };
    let mut found = Branches::default();
    for layer in network.layers() {
        match layer.op {
            Op::ElementWise { op: ElementWiseOperation::Sum } => {
                if let (Some(a), Some(b)) = (layer.input(0), layer.input(1)) {
                    let ((from, one), (also_from, other)) = (walk(a, false), walk(b, false));
                    if from == also_from {
                        found.inside.extend(one.into_iter().chain(other));
                        found.sums.extend(&layer.outputs);
                    }
                }
            }
            Op::Concatenation { .. } => {
                let joined: HashSet<TensorId> = layer.used().collect();
                // What a dense block makes is used by all that comes after it.
                for (from, way) in layer.used().map(|part| walk(part, true)) {
                    let joins = network.producer(from).filter(|made| matches!(made.op, Op::Concatenation { .. }));
                    let parts_too = joins.is_some_and(|made| made.used().all(|part| joined.contains(&part)));
                    if joined.contains(&from) || parts_too {
                        found.inside.extend(way);
                    }
                }
            }
            _ => {}
        }
    }
    found
}
