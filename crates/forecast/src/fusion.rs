//! Which layers TensorRT is assumed to run as one kernel, and which tensors it is assumed to store.
//!
//! - A constant is a weight. A layer whose result follows from sizes alone runs on the host.
//! - A view shares the memory of its input: reshapes, squeezes, identities, dequantization, transposes that move only
//!   axes of size 1, and slices of whole rows.
//! - A pointwise layer joins the kernel that computes the last of its inputs. A tensor that is read in its own kernel
//!   only is not stored. Kernels of FP32 matrix multiplications take arithmetic and ReLU only.
//! - The inputs of a concatenation are computed in place, in the memory of its output, where nothing else decides their
//!   place.
//! - Every other layer is a kernel of its own.

use crate::sizes::{Sizes, Unsized};
use network::{ActivationType, DType, Layer, LayerId, Network, Op, SampleMode, TensorId};
use std::collections::HashSet;

/// The kernels of a network in execution order, and the memory of each of its tensors.
pub(crate) struct Fusion {
    /// Layers of each kernel, in execution order.
    pub kernels: Vec<Vec<LayerId>>,
    /// For each tensor, by id: the tensor that it is a view of, or itself.
    source: Vec<TensorId>,
    /// For each source, by id: the tensor in whose memory it is stored, or itself.
    home: Vec<TensorId>,
    /// For each tensor, by id: the kernel that computes it. `None` for inputs, constants and what the host computes.
    kernel: Vec<Option<usize>>,
    /// Sources that another kernel or the caller reads.
    stored: HashSet<TensorId>,
}

impl Fusion {
    pub fn new(sizes: &Sizes<'_>) -> Result<Self, Unsized> {
        let network = sizes.network();
        let own: Vec<TensorId> = (0..network.tensor_count()).map(|k| TensorId(k as u32)).collect();
        let kernel = vec![None; own.len()];
        let mut fusion = Self { kernels: Vec::new(), source: own.clone(), home: own, kernel, stored: HashSet::new() };
        for (index, layer) in network.layers().iter().enumerate() {
            fusion.place(LayerId(index as u32), layer, sizes)?;
        }
        fusion.stored = fusion.read_elsewhere(network);
        for layer in network.layers() {
            fusion.join_inputs(network, layer);
        }
        Ok(fusion)
    }

    /// The tensor in whose memory a tensor is stored.
    pub fn home(&self, id: TensorId) -> TensorId {
        self.home[self.source(id).0 as usize]
    }

    /// The kernel that computes a tensor; `None` where none does.
    pub fn kernel(&self, id: TensorId) -> Option<usize> {
        self.kernel[id.0 as usize]
    }

    /// Whether the output of a layer is written to memory.
    pub fn is_stored(&self, output: TensorId) -> bool {
        self.stored.contains(&output)
    }

    /// Whether a concatenation finds an input in place.
    pub fn is_in_place(&self, input: TensorId, output: TensorId) -> bool {
        self.home(input) == output
    }

    fn source(&self, id: TensorId) -> TensorId {
        self.source[id.0 as usize]
    }

    fn place(&mut self, id: LayerId, layer: &Layer, sizes: &Sizes<'_>) -> Result<(), Unsized> {
        if matches!(layer.op, Op::Constant(_)) || is_on_host(sizes.network(), layer) {
            return Ok(());
        }
        if let (Some(input), [output]) = (layer.input(0), layer.outputs.as_slice())
            && is_view(layer, input, *output, sizes)?
        {
            self.source[output.0 as usize] = self.source(input);
            self.kernel[output.0 as usize] = self.kernel(input);
            return Ok(());
        }
        let last = layer.used().filter_map(|input| self.kernel(input)).max();
        let joined = last.filter(|kernel| is_pointwise(&layer.op) && self.takes(*kernel, layer, sizes.network()));
        let kernel = joined.unwrap_or(self.kernels.len());
        if kernel == self.kernels.len() {
            self.kernels.push(Vec::new());
        }
        self.kernels[kernel].push(id);
        for output in &layer.outputs {
            self.kernel[output.0 as usize] = Some(kernel);
        }
        Ok(())
    }

    /// Whether a pointwise layer can run at the end of a kernel.
    fn takes(&self, kernel: usize, layer: &Layer, network: &Network) -> bool {
        let first = self.kernels[kernel].first().map(|id| network.layer(*id));
        let is_plain = matches!(first.map(|layer| &layer.op), Some(Op::MatrixMultiply { .. } | Op::Einsum { .. }));
        let operand = first.and_then(|layer| layer.input(0)).map(|x| operand(network, x));
        !(is_plain && operand == Some(DType::Float32)) || is_arithmetic(&layer.op)
    }

    fn read_elsewhere(&self, network: &Network) -> HashSet<TensorId> {
        let reads = |(kernel, layers): (usize, &Vec<LayerId>)| {
            let inputs: Vec<TensorId> = layers.iter().flat_map(|id| network.layer(*id).used()).collect();
            inputs.into_iter().filter(move |input| self.kernel(*input) != Some(kernel))
        };
        let read = self.kernels.iter().enumerate().flat_map(reads);
        read.chain(network.outputs().iter().map(|port| port.tensor)).map(|id| self.source(id)).collect()
    }

    /// Lets the inputs of a concatenation be computed in the memory of its output.
    fn join_inputs(&mut self, network: &Network, layer: &Layer) {
        let (Op::Concatenation { .. }, [output]) = (&layer.op, layer.outputs.as_slice()) else { return };
        if self.kernel(*output).is_none() {
            return;
        }
        for input in layer.used() {
            let is_own = self.home(input) == input && self.kernel(input).is_some();
            if is_own && !network.outputs().iter().any(|port| self.source(port.tensor) == input) {
                self.adopt(input, *output);
            }
        }
    }

    /// Moves a tensor, and what is stored in it, into the memory of another.
    fn adopt(&mut self, tensor: TensorId, into: TensorId) {
        for home in self.home.iter_mut().filter(|home| **home == tensor) {
            *home = into;
        }
    }
}

/// Whether a layer computes sizes, which TensorRT does on the host.
fn is_on_host(network: &Network, layer: &Layer) -> bool {
    let is_known = |id: &TensorId| network.tensor(*id).value.is_some();
    matches!(layer.op, Op::Shape | Op::Assertion { .. }) || layer.outputs.iter().all(is_known)
}

/// Layers that compute each element of their output from one element of each input.
fn is_pointwise(op: &Op) -> bool {
    matches!(
        op,
        Op::Activation { .. }
            | Op::Cast { .. }
            | Op::ElementWise { .. }
            | Op::Quantize { .. }
            | Op::Scale { .. }
            | Op::Select
            | Op::Unary { .. }
    )
}

/// Pointwise layers that every kernel can end with.
fn is_arithmetic(op: &Op) -> bool {
    match op {
        Op::Activation { kind, .. } => *kind == ActivationType::Relu,
        Op::Unary { .. } => false,
        _ => true,
    }
}

/// The type in which an operand is stored: that before its dequantization.
pub(crate) fn operand(network: &Network, id: TensorId) -> DType {
    match network.producer(id) {
        Some(Layer { op: Op::Dequantize { .. }, inputs, .. }) => {
            inputs.first().copied().flatten().map_or(network.tensor(id).dtype, |x| network.tensor(x).dtype)
        }
        _ => network.tensor(id).dtype,
    }
}

/// Whether the output of a layer is its input, or a contiguous part of it, in the same memory.
fn is_view(layer: &Layer, input: TensorId, output: TensorId, sizes: &Sizes<'_>) -> Result<bool, Unsized> {
    Ok(match &layer.op {
        Op::Identity | Op::Squeeze { .. } | Op::Unsqueeze { .. } | Op::Dequantize { .. } => true,
        Op::Cast { to } => sizes.network().tensor(input).dtype == *to,
        Op::Shuffle { first_transpose, second_transpose, .. } => {
            moves_nothing(first_transpose.as_deref(), input, sizes)?
                && moves_nothing_after(second_transpose.as_deref(), output, sizes)?
        }
        Op::Slice { mode: SampleMode::StrictBounds, stride, .. } => {
            stride.iter().all(|step| *step == 1) && is_contiguous(input, output, sizes)?
        }
        _ => false,
    })
}

/// Whether a transpose of a tensor keeps the order of all axes that have more than one element.
fn moves_nothing(order: Option<&[usize]>, input: TensorId, sizes: &Sizes<'_>) -> Result<bool, Unsized> {
    let mut seen = None;
    for axis in order.unwrap_or_default() {
        if sizes.axis(input, *axis)? != 1 {
            if seen.is_some_and(|before| before > *axis) {
                return Ok(false);
            }
            seen = Some(*axis);
        }
    }
    Ok(true)
}

/// As [`moves_nothing`], by the sizes that come out of the transpose.
fn moves_nothing_after(order: Option<&[usize]>, output: TensorId, sizes: &Sizes<'_>) -> Result<bool, Unsized> {
    let mut seen = None;
    for (axis, from) in order.unwrap_or_default().iter().enumerate() {
        if sizes.axis(output, axis)? != 1 {
            if seen.is_some_and(|before| before > *from) {
                return Ok(false);
            }
            seen = Some(*from);
        }
    }
    Ok(true)
}

/// Whether a slice takes whole rows: from the first axis that it cuts on, everything, and before that one index.
fn is_contiguous(input: TensorId, output: TensorId, sizes: &Sizes<'_>) -> Result<bool, Unsized> {
    let rank = sizes.network().tensor(output).rank();
    let mut is_whole = true;
    for axis in (0..rank).rev() {
        let (before, after) = (sizes.axis(input, axis)?, sizes.axis(output, axis)?);
        if !is_whole && after != 1 {
            return Ok(false);
        }
        is_whole &= before == after;
    }
    Ok(true)
}
