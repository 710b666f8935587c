//! What a kernel has to do: floating-point operations, and bytes that it reads and writes.

use crate::fusion::{Fusion, operand};
use crate::sizes::{Sizes, Unsized};
use network::{DType, Layer, MatrixOperation, Op, TensorId};
use std::collections::{BTreeMap, HashSet};

/// The work of one kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Operations of convolutions and matrix multiplications, by the type of their operands.
    pub contractions: BTreeMap<DType, u64>,
    /// All other operations.
    pub others: u64,
    /// Bytes of weights and activations that are read.
    pub read: u64,
    /// Bytes of activations that are written.
    pub written: u64,
}

/// The work of one kernel of a network.
pub(crate) fn of_kernel(kernel: usize, fusion: &Fusion, sizes: &Sizes<'_>) -> Result<Work, Unsized> {
    let (network, mut work, mut seen) = (sizes.network(), Work::default(), HashSet::new());
    for id in &fusion.kernels[kernel] {
        let layer = network.layer(*id);
        match contraction(layer, sizes)? {
            Some(operations) => {
                let dtype = layer.input(0).map_or(DType::Float32, |x| operand(network, x));
                let sum = work.contractions.entry(dtype).or_default();
                *sum = sum.saturating_add(operations);
            }
            None => work.others = work.others.saturating_add(other(layer, sizes)?),
        }
        for (index, input) in layer.used().enumerate() {
            let is_here = layer.outputs.first().is_some_and(|output| fusion.is_in_place(input, *output));
            if fusion.kernel(input) != Some(kernel) && !is_here && seen.insert(input) {
                work.read = work.read.saturating_add(read(layer, index, input, sizes)?);
            }
        }
        for output in layer.outputs.iter().filter(|output| fusion.is_stored(**output)) {
            work.written =
                work.written.saturating_add(sizes.bytes(*output)?.saturating_sub(in_place(layer, fusion, sizes)?));
        }
    }
    Ok(work)
}

/// Bytes that a layer reads of an input. Layers that look rows up read only those.
fn read(layer: &Layer, index: usize, input: TensorId, sizes: &Sizes<'_>) -> Result<u64, Unsized> {
    let element = operand(sizes.network(), input).size() as u64;
    let looks_up = index == 0 && matches!(layer.op, Op::Gather { .. } | Op::Slice { .. });
    let elements = match layer.outputs.first() {
        Some(output) if looks_up => sizes.elements(*output)?.min(sizes.elements(input)?),
        _ => sizes.elements(input)?,
    };
    Ok(elements.saturating_mul(element))
}

/// Bytes of a concatenation's inputs that were computed in its output.
fn in_place(layer: &Layer, fusion: &Fusion, sizes: &Sizes<'_>) -> Result<u64, Unsized> {
    let Some(output) = layer.outputs.first() else { return Ok(0) };
    layer.used().filter(|input| fusion.is_in_place(*input, *output)).map(|input| sizes.bytes(input)).sum()
}

/// Whether a layer multiplies and adds.
pub(crate) fn is_contraction(layer: &Layer) -> bool {
    matches!(
        layer.op,
        Op::Convolution(_)
            | Op::Deconvolution(_)
            | Op::MatrixMultiply { .. }
            | Op::Einsum { .. }
            | Op::Recurrent { .. }
    )
}

/// Operations of a layer that multiplies and adds, two for each product; `None` for other layers.
fn contraction(layer: &Layer, sizes: &Sizes<'_>) -> Result<Option<u64>, Unsized> {
    let (Some(x), Some(output)) = (layer.input(0), layer.outputs.first().copied()) else { return Ok(None) };
    let products = match &layer.op {
        Op::Convolution(_) => per_filter(layer, sizes)?.saturating_mul(sizes.elements(output)?),
        Op::Deconvolution(_) => per_filter(layer, sizes)?.saturating_mul(sizes.elements(x)?),
        Op::MatrixMultiply { op0, .. } => {
            let rank = sizes.network().tensor(x).rank();
            let back = if *op0 == MatrixOperation::Transpose { 2 } else { 1 };
            sizes.axis(x, rank.saturating_sub(back))?.saturating_mul(sizes.elements(output)?)
        }
        Op::Einsum { equation } => einsum(equation, layer, sizes)?,
        // Each step multiplies the input and the hidden state by their weights.
        Op::Recurrent { .. } => {
            let weights =
                [1, 2].iter().filter_map(|k| layer.input(*k)).map(|w| sizes.elements(w)).sum::<Result<u64, _>>()?;
            weights.saturating_mul(sizes.axis(x, 0)?).saturating_mul(sizes.axis(x, 1)?)
        }
        _ => return Ok(None),
    };
    Ok(Some(products.saturating_mul(2)))
}

/// Elements of one filter of a convolution `[K, C/groups, window…]`, or of one input channel of a deconvolution.
fn per_filter(layer: &Layer, sizes: &Sizes<'_>) -> Result<u64, Unsized> {
    let Some(kernel) = layer.input(1) else { return Ok(0) };
    Ok(sizes.elements(kernel)?.checked_div(sizes.axis(kernel, 0)?).unwrap_or(0))
}

/// The product of the sizes of all letters.
fn einsum(equation: &str, layer: &Layer, sizes: &Sizes<'_>) -> Result<u64, Unsized> {
    let terms = equation.split_once("->").map_or(equation, |(terms, _)| terms).split(',');
    let mut letters: BTreeMap<char, u64> = BTreeMap::new();
    for (term, input) in terms.zip(layer.used()) {
        for (axis, letter) in term.trim().chars().enumerate() {
            let size = sizes.axis(input, axis)?;
            letters.entry(letter).and_modify(|known| *known = size.max(*known)).or_insert(size);
        }
    }
    Ok(letters.values().fold(1, |all, size| u64::saturating_mul(all, *size)))
}

/// Operations of any other layer: one for each element of its largest tensor, and for each element of a pooling's
/// window. A layer that only moves elements has none.
fn other(layer: &Layer, sizes: &Sizes<'_>) -> Result<u64, Unsized> {
    if layer.op.only_moves() && !matches!(layer.op, Op::Activation { .. } | Op::Select | Op::TopK { .. }) {
        return Ok(0);
    }
    let mut largest = layer.used().chain(layer.outputs.iter().copied()).map(|id| sizes.elements(id));
    let largest = largest.try_fold(0, |most, elements| elements.map(|elements| elements.max(most)))?;
    let Op::Pooling(attributes) = &layer.op else { return Ok(largest) };
    let window = attributes.window.iter().fold(1, |all, size| u64::saturating_mul(all, size.unsigned_abs()));
    let output = layer.outputs.first().map_or(Ok(0), |output| sizes.elements(*output))?;
    Ok(output.saturating_mul(window))
}
