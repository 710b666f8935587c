//! Adds layers to the network, with PyTorch's conventions on top of TensorRT's: ranks are aligned for
//! broadcasting, sizes may be expressions, scalars become constants of the right type.
//!
//! Nothing here knows an operator; converters in `ops` are written with these words.

mod arithmetic;
mod create;
mod layout;
mod operands;
mod selection;
mod sizes;

pub use operands::{Matrix, Ranked};

use crate::{Error, Result, SharedOrigin};
use dims::{Dim, Dims};
use network::{DType, Network, Op, Origin, ProgramValue, Symbol, Tensor, TensorId, Weights};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Adds layers to the network that is being made.
#[derive(Default)]
pub struct Builder {
    network: Network,
    origin: SharedOrigin,
    /// Where a symbol can be read.
    symbols: HashMap<String, sizes::Carrier>,
    /// Sizes that already have a tensor (int64, one element).
    sizes: HashMap<Dim, TensorId>,
    /// Symbols whose values are numbers read out of tensors.
    read: HashSet<String>,
    /// Elements that a mask chose.
    selections: HashMap<TensorId, selection::Selection>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn set_origin(&mut self, origin: Origin) {
        self.origin = Arc::new(origin);
    }

    pub(crate) fn set_value(&mut self, value: ProgramValue, tensor: TensorId) {
        self.network.set_value(value, tensor);
    }

    pub(crate) fn finish(self) -> Network {
        self.network
    }

    pub(crate) fn add_symbol(&mut self, name: &str, symbol: &program::Symbol) {
        let max = symbol.max.unwrap_or(i64::MAX);
        self.network.add_symbol(name, Symbol { min: symbol.min, opt: symbol.hint.clamp(symbol.min, max), max });
    }

    pub(crate) fn add_input(&mut self, name: &str, dtype: DType, dims: Dims) -> TensorId {
        let id = self.network.add_input(name, dtype, dims.clone());
        for (axis, dim) in dims.iter().enumerate() {
            if let Some((symbol, carrier)) = sizes::carrier_of(dim, id, axis) {
                self.bind(symbol, carrier);
            }
        }
        id
    }

    pub(crate) fn add_output(&mut self, name: &str, tensor: TensorId) {
        self.network.add_output(name, tensor);
    }

    /// An engine's output is made by a layer and stands behind one name: inputs and repeated outputs pass through
    /// an identity layer.
    pub(crate) fn distinct_output(&mut self, tensor: TensorId) -> Result<TensorId> {
        let taken = self.network.outputs().iter().any(|o| o.tensor == tensor);
        let made = self.network.producer(tensor).is_some_and(|l| !matches!(l.op, Op::Constant(_)));
        if made && !taken { Ok(tensor) } else { self.add(Op::Identity, &[tensor]) }
    }

    /// Adds a layer with one output.
    ///
    /// # Errors
    /// [`Error::Network`] where the inputs do not fit the layer.
    pub fn add(&mut self, op: Op, inputs: &[TensorId]) -> Result<TensorId> {
        Ok(self.network.add_one(op, inputs, &self.origin)?)
    }

    /// Adds a layer with several outputs or absent inputs.
    ///
    /// # Errors
    /// [`Error::Network`] where the inputs do not fit the layer.
    pub fn add_all(&mut self, op: Op, inputs: &[Option<TensorId>]) -> Result<Vec<TensorId>> {
        Ok(self.network.add(op, inputs, &self.origin)?)
    }

    /// What the layers added from here on get as their origin: the current call, by another operator's name.
    pub fn set_operator(&mut self, operator: impl Into<String>) {
        self.origin = Arc::new(Origin { operator: operator.into(), ..Origin::clone(&self.origin) });
    }

    /// A tensor of the network.
    pub fn tensor(&self, id: TensorId) -> &Tensor {
        self.network.tensor(id)
    }

    /// A tensor's dtype.
    pub fn dtype(&self, id: TensorId) -> DType {
        self.tensor(id).dtype
    }

    /// A tensor's sizes.
    pub fn dims(&self, id: TensorId) -> Dims {
        self.tensor(id).dims.clone()
    }

    /// A tensor's number of axes.
    pub fn rank(&self, id: TensorId) -> usize {
        self.tensor(id).dims.len()
    }

    /// A tensor's sizes where all are numbers.
    pub fn static_dims(&self, id: TensorId) -> Option<Vec<i64>> {
        self.tensor(id).dims.iter().map(Dim::as_static).collect()
    }

    /// The elements behind a tensor, where a constant layer makes it.
    pub fn weights(&self, id: TensorId) -> Option<&Weights> {
        self.network.constant(id)
    }

    /// The layer that makes a tensor; `None` of an input.
    pub(crate) fn producer(&self, id: TensorId) -> Option<&network::Layer> {
        self.network.producer(id)
    }

    /// A constant tensor.
    ///
    /// # Errors
    /// [`Error::Network`] where the constant has more axes than TensorRT takes.
    pub fn constant(&mut self, weights: Weights) -> Result<TensorId> {
        self.add(Op::Constant(weights), &[])
    }

    /// A constant of one element with `rank` axes of size 1, ready to broadcast.
    ///
    /// # Errors
    /// [`Error::Network`] where the rank is more than TensorRT takes.
    pub fn scalar(&mut self, dtype: DType, value: f64, rank: usize) -> Result<TensorId> {
        self.constant(Weights::filled(dtype, &vec![1; rank], value))
    }

    /// The tensor in another type. Float to integer truncates toward zero, to bool is "not zero".
    ///
    /// # Errors
    /// [`Error::Network`] where TensorRT refuses it.
    pub fn cast(&mut self, x: TensorId, to: DType) -> Result<TensorId> {
        if self.dtype(x) == to {
            return Ok(x);
        }
        self.add(Op::Cast { to }, &[x])
    }

    /// Floats rounded to the codes of a type: quantized and dequantized with a scale, or with one for each index of an
    /// axis.
    ///
    /// # Errors
    /// [`Error::Network`] where TensorRT refuses these layers.
    pub(crate) fn through(
        &mut self,
        x: TensorId,
        codes: DType,
        scale: TensorId,
        axis: Option<usize>,
    ) -> Result<TensorId> {
        let to = self.dtype(x);
        let quantized = self.add(Op::Quantize { axis, to: codes }, &[x, scale])?;
        self.add(Op::Dequantize { axis, to }, &[quantized, scale])
    }

    /// The tensor in float32, where it stays whatever half precision the caller asks for: so does what is computed from
    /// it alone, up to the next product of matrices.
    ///
    /// # Errors
    /// [`Error::Network`] where TensorRT refuses the cast.
    pub fn in_float32(&mut self, x: TensorId) -> Result<TensorId> {
        self.add(Op::Cast { to: DType::Float32 }, &[x])
    }
}

/// An argument combination that a converter does not handle.
pub(crate) fn unsupported<T>(problem: impl Into<String>) -> Result<T> {
    Err(Error::unsupported(problem))
}
