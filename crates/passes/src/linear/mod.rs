//! Linear layers between layers that move elements.
//!
//! Attention as PyTorch writes it transposes its input, computes query, key and value in one linear layer, and takes
//! the result apart. TensorRT then copies each of them once more, or computes the product in a slow kernel (ViT-B/16
//! with batch 32, TensorRT 8.6, H200: 142 and 32 µs instead of 33 µs for each block). Steps that undo that:
//!
//! - `rows`: a transpose of the rows of a linear layer comes after it, where it meets the next one;
//! - `split`: a linear layer whose results are split and moved becomes one for each part. Where the target
//!   prefers one product, it joins them again;
//! - `factors`: a product that transposes a factor which is moved has it transposed by what moves it;
//! - `scaled`: rows that are multiplied by a number before they are moved are multiplied after it.
//!
//! The results are the same: each element is the same sum of the same products.

mod factors;
mod rows;
mod scaled;
mod split;

use crate::shuffle::Shuffle;
use crate::{dce, simplify};
use network::{ElementWiseOperation, Error, Layer, MatrixOperation, Network, Op, TensorId, Weights};
use std::collections::HashMap;

/// Moves transposes past linear layers, and splits those whose results are split and moved.
///
/// Layers that nothing uses keep a linear layer whole: [`dce`] comes first.
///
/// # Errors
/// None for a network that verifies.
pub fn linear(network: &Network) -> Result<Network, Error> {
    let tidied = |changed: &Network| dce(&simplify(&dce(changed)?)?);
    let mut made = network.clone();
    if let Some(moved) = rows::moved(&made)? {
        made = tidied(&moved)?;
    }
    if let Some(apart) = split::apart(&made)? {
        made = tidied(&apart)?;
    }
    if let Some(transposed) = factors::transposed(&made)? {
        made = tidied(&transposed)?;
    }
    if let Some(behind) = scaled::behind(&made)? {
        made = tidied(&behind)?;
    }
    Ok(made)
}

/// A linear layer: a product with constant weights, and the sum with a constant bias where one follows.
#[derive(Clone, Copy)]
struct Linear<'a> {
    product: &'a Layer,
    /// What is multiplied: rows of features.
    x: TensorId,
    weights: &'a Weights,
    /// Whether the weights are `[…, results, features]`.
    transposed: bool,
    bias: Option<(&'a Layer, &'a Weights)>,
    /// The result.
    end: TensorId,
}

impl<'a> Linear<'a> {
    fn find(network: &'a Network, product: &'a Layer, next: &HashMap<TensorId, &'a Layer>) -> Option<Self> {
        let Op::MatrixMultiply { op0: MatrixOperation::None, op1 } = product.op else { return None };
        let transposed = match op1 {
            MatrixOperation::None => false,
            MatrixOperation::Transpose => true,
            MatrixOperation::Vector => return None,
        };
        let (x, weights) = (product.input(0)?, network.constant(product.input(1)?)?);
        let rows = weights.dims.len().checked_sub(2)?;
        if network.constant(x).is_some() || weights.dims[..rows].iter().any(|n| *n != 1) {
            return None;
        }
        let end = *product.outputs.first()?;
        let mut found = Self { product, x, weights, transposed, bias: None, end };
        if let Some((layer, bias)) = next.get(&end).and_then(|sum| found.bias(network, sum)) {
            found.bias = Some((layer, bias));
            found.end = *layer.outputs.first()?;
        }
        Some(found)
    }

    fn bias(&self, network: &'a Network, sum: &'a Layer) -> Option<(&'a Layer, &'a Weights)> {
        let Op::ElementWise { op: ElementWiseOperation::Sum } = sum.op else { return None };
        let other = sum.used().find(|id| *id != self.end)?;
        let bias = network.constant(other)?;
        let (last, rows) = bias.dims.split_last()?;
        (*last == self.results() && rows.iter().all(|n| *n == 1)).then_some((sum, bias))
    }

    /// Number of results for each row.
    fn results(&self) -> i64 {
        let rank = self.weights.dims.len();
        self.weights.dims[if self.transposed { rank - 2 } else { rank - 1 }]
    }
}

/// The layers that use each tensor, and whether it is an output of the network too.
struct Uses<'a> {
    layers: HashMap<TensorId, Vec<&'a Layer>>,
    outputs: Vec<TensorId>,
}

impl<'a> Uses<'a> {
    fn of(network: &'a Network) -> Self {
        let mut layers: HashMap<TensorId, Vec<&Layer>> = HashMap::new();
        for layer in network.layers() {
            for id in layer.used() {
                layers.entry(id).or_default().push(layer);
            }
        }
        Self { layers, outputs: network.outputs().iter().map(|port| port.tensor).collect() }
    }

    /// The layers, where there is nothing else that uses the tensor.
    fn only(&self, id: TensorId) -> Option<&[&'a Layer]> {
        let layers = self.layers.get(&id)?;
        (!self.outputs.contains(&id)).then_some(layers)
    }
}

/// A shuffle whose sizes are all attributes, and what it moves.
fn shuffle(layer: &Layer) -> Option<(Shuffle, TensorId)> {
    let Op::Shuffle { first_transpose, reshape, second_transpose } = &layer.op else { return None };
    let shuffle =
        Shuffle { first: first_transpose.clone(), reshape: reshape.clone(), second: second_transpose.clone() };
    layer.input(1).is_none().then_some((shuffle, layer.input(0)?))
}
