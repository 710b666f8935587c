//! From the sizes of a network, which may be expressions, to bytes at one value of every symbol.

use dims::Dim;
use network::{Layer, Network, Op, Symbol, TensorId};
use std::collections::HashMap;

/// A size that has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tensor `{tensor}` has the shape {shape}: {problem}")]
pub struct Unsized {
    /// Name of the layer, input or output of the tensor.
    pub tensor: String,
    /// Its shape.
    pub shape: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The sizes of all tensors at one value of every symbol.
pub(crate) struct Sizes<'n> {
    network: &'n Network,
    symbols: HashMap<String, i64>,
}

impl<'n> Sizes<'n> {
    /// Sizes where each symbol has the value that `pick` takes from its range. A count that depends on data is as large
    /// as it can be.
    ///
    /// # Errors
    /// [`Unsized`] for a symbol without an upper bound, where `pick` takes that.
    pub fn new(network: &'n Network, pick: impl Fn(&Symbol) -> i64) -> Result<Self, Unsized> {
        let symbols = network.symbols().iter().map(|(name, symbol)| (name.clone(), pick(symbol))).collect();
        let mut sizes = Self { network, symbols };
        for layer in network.layers() {
            sizes.bind_count(layer)?;
        }
        Ok(sizes)
    }

    /// The largest count of a layer whose output size depends on data.
    fn bind_count(&mut self, layer: &Layer) -> Result<(), Unsized> {
        let (count, most) = match &layer.op {
            Op::NonZero { count } => (count, layer.input(0).map_or(Ok(0), |x| self.elements(x))?),
            Op::Nms { count, .. } => (count, layer.input(1).map_or(Ok(0), |scores| self.elements(scores))?),
            _ => return Ok(()),
        };
        self.symbols.insert(count.clone(), most.cast_signed());
        Ok(())
    }

    pub fn network(&self) -> &'n Network {
        self.network
    }

    /// Number of elements of a tensor.
    pub fn elements(&self, id: TensorId) -> Result<u64, Unsized> {
        let dims = &self.network.tensor(id).dims;
        dims.iter().try_fold(1u64, |all, dim| {
            let size = self.size(id, dim)?;
            all.checked_mul(size).ok_or_else(|| self.fault(id, "it has more elements than 64 bits count"))
        })
    }

    /// Bytes of a tensor.
    pub fn bytes(&self, id: TensorId) -> Result<u64, Unsized> {
        let size = self.network.tensor(id).dtype.size() as u64;
        self.elements(id)?.checked_mul(size).ok_or_else(|| self.fault(id, "it has more bytes than 64 bits count"))
    }

    /// Size of one axis of a tensor.
    pub fn axis(&self, id: TensorId, axis: usize) -> Result<u64, Unsized> {
        self.network.tensor(id).dims.get(axis).map_or(Ok(1), |dim| self.size(id, dim))
    }

    fn size(&self, id: TensorId, dim: &Dim) -> Result<u64, Unsized> {
        let value = |name: &str| self.symbols.get(name).copied();
        if let Some(open) = dim.symbols().iter().find(|name| value(name) == Some(i64::MAX)) {
            return Err(self.fault(id, &format!("the size `{open}` has no upper bound")));
        }
        let size = dim.eval(&value).map_err(|error| self.fault(id, &error.to_string()))?;
        u64::try_from(size).map_err(|_| self.fault(id, &format!("the size `{dim}` is {size}")))
    }

    fn fault(&self, id: TensorId, problem: &str) -> Unsized {
        let input = || self.network.inputs().iter().find(|port| port.tensor == id).map(|port| port.name.clone());
        let layer = self.network.producer(id).map(|layer| layer.name.clone());
        let shape = network::format_dims(&self.network.tensor(id).dims);
        Unsized { tensor: layer.or_else(input).unwrap_or_default(), shape, problem: problem.to_owned() }
    }
}
