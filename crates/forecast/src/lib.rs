//! What a network will need, without a GPU: memory of its weights and activations, floating-point operations and bytes
//! of each kernel, and the time below which no implementation gets on a GPU of known speed (its roofline).
//!
//! `sizes.rs` gives every tensor its size, `fusion.rs` assumes which layers TensorRT runs as one kernel, `memory.rs`
//! and `work.rs` follow from that, and `device.rs` is the table of GPUs. The crate knows nothing of PyTorch, of any
//! TensorRT version, or of this machine.
//!
//! ```
//! use forecast::{Device, Forecast};
//! let network = network::Network::new();
//! let forecast = Forecast::new(&network)?;
//! let device = Device::named("L4").unwrap();
//! assert!(forecast.memory() < device.memory && forecast.seconds(device) == 0.0);
//! # Ok::<(), forecast::Unsized>(())
//! ```
#![forbid(unsafe_code)]

mod device;
mod fusion;
mod memory;
mod sizes;
#[cfg(test)]
mod tests;
mod work;

pub use device::{DEVICES, Device};
pub use sizes::Unsized;

use fusion::Fusion;
use network::{DType, Layer, Network, Op};
use sizes::Sizes;
use std::collections::BTreeMap;
use work::Work;

/// What a network will need.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecast {
    /// Bytes of the weights.
    pub weights: u64,
    /// Bytes of the inputs and outputs, at the largest sizes.
    pub interface: u64,
    /// Bytes of the activations that are stored at a time, at the largest sizes.
    pub activations: u64,
    /// Bytes of scratch space that kernels share.
    pub scratch: u64,
    /// The kernel during which most activations are stored, by its index.
    pub peak: Option<usize>,
    /// The kernels in execution order, at the sizes to optimize for.
    pub kernels: Vec<Kernel>,
}

/// One or more layers that run as one kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    /// Names of its layers.
    pub layers: Vec<String>,
    /// Where in the model its first layer comes from.
    pub origin: String,
    /// Operations of convolutions and matrix multiplications, by the type of their operands; two for each product.
    pub contractions: BTreeMap<DType, u64>,
    /// All other operations: one for each element.
    pub others: u64,
    /// Bytes of weights and activations that are read.
    pub read: u64,
    /// Bytes of activations that are written.
    pub written: u64,
    /// Bytes of all activations that are stored while it runs, at the largest sizes.
    pub stored: u64,
}

impl Kernel {
    /// All operations.
    pub fn operations(&self) -> u64 {
        self.contractions.values().fold(self.others, |sum, more| sum.saturating_add(*more))
    }

    /// Seconds of its operations on a device.
    pub fn compute_seconds(&self, device: &Device) -> f64 {
        let contractions = self.contractions.iter().map(|(dtype, count)| *count as f64 / device.contractions(*dtype));
        contractions.sum::<f64>() + self.others as f64 / device.float32
    }

    /// Seconds of its reads and writes on a device.
    pub fn memory_seconds(&self, device: &Device) -> f64 {
        self.read.saturating_add(self.written) as f64 / device.bandwidth
    }

    /// The least seconds on a device: operations and memory traffic overlap.
    pub fn seconds(&self, device: &Device) -> f64 {
        self.compute_seconds(device).max(self.memory_seconds(device))
    }
}

impl Forecast {
    /// Analyses a network: memory at the largest value of every symbol, work at the one to optimize for.
    ///
    /// # Errors
    /// [`Unsized`] for a tensor without a largest size.
    pub fn new(network: &Network) -> Result<Self, Unsized> {
        let (most, best) = (Sizes::new(network, |s| s.max)?, Sizes::new(network, |s| s.opt)?);
        let fusion = Fusion::new(&most)?;
        let stored = memory::activations(&fusion, &most)?;
        let kernels = stored.iter().enumerate().map(|(index, stored)| kernel(index, *stored, &fusion, &best));
        let ports = network.inputs().iter().chain(network.outputs());
        let peak = stored.iter().enumerate().max_by_key(|(index, bytes)| (**bytes, usize::MAX - index));
        Ok(Self {
            weights: weights(network),
            interface: ports.map(|port| most.bytes(port.tensor)).sum::<Result<u64, _>>()?,
            activations: stored.iter().copied().max().unwrap_or(0),
            scratch: scratch(&fusion, network),
            peak: peak.map(|(index, _)| index),
            kernels: kernels.collect::<Result<_, _>>()?,
        })
    }

    /// Bytes that an execution context allocates: activations and scratch space (TensorRT's `getDeviceMemorySize`).
    pub fn context(&self) -> u64 {
        self.activations.saturating_add(self.scratch)
    }

    /// Bytes of device memory for weights and one execution context with its inputs and outputs, without the CUDA
    /// context and the libraries.
    pub fn memory(&self) -> u64 {
        self.weights.saturating_add(self.interface).saturating_add(self.context())
    }

    /// The least seconds of a call on a device.
    pub fn seconds(&self, device: &Device) -> f64 {
        self.kernels.iter().map(|kernel| kernel.seconds(device)).sum()
    }
}

/// Scratch space of the kernels of convolutions and matrix multiplications, of whatever size: TensorRT-RTX 1.7 adds it
/// to every context with such a kernel.
const SCRATCH: u64 = 8_192_000;

fn scratch(fusion: &Fusion, network: &Network) -> u64 {
    let mut layers = fusion.kernels.iter().flatten().map(|id| network.layer(*id));
    if layers.any(work::is_contraction) { SCRATCH } else { 0 }
}

fn kernel(index: usize, stored: u64, fusion: &Fusion, sizes: &Sizes<'_>) -> Result<Kernel, Unsized> {
    let layers = || fusion.kernels[index].iter().map(|id| sizes.network().layer(*id));
    let Work { contractions, others, read, written } = work::of_kernel(index, fusion, sizes)?;
    Ok(Kernel {
        layers: layers().map(|layer| layer.name.clone()).collect(),
        origin: layers().next().map(|layer| layer.origin.to_string()).unwrap_or_default(),
        contractions,
        others,
        read,
        written,
        stored,
    })
}

/// Bytes of the constants as an engine stores them: in the type that they are quantized or cast to.
fn weights(network: &Network) -> u64 {
    let uses = network.sole_uses();
    let bytes = |layer: &Layer| {
        let (Op::Constant(weights), [output]) = (&layer.op, layer.outputs.as_slice()) else { return 0 };
        let cast = uses.get(output).and_then(|user| match &user.op {
            Op::Quantize { to, .. } | Op::Cast { to } => Some(*to),
            _ => None,
        });
        (weights.count() as u64).saturating_mul(cast.unwrap_or(weights.dtype).size() as u64)
    };
    network.layers().iter().map(bytes).sum()
}
