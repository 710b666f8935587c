//! The walk over a network: ports, layers in order, and the rounding of half-precision results.
//!
//! It knows which value carries which tensor. What a layer computes is known in `layers` only.

use crate::graph::{Finished, Graph, Value};
use crate::proto::DataType;
use crate::scope::Scope;
use crate::shape::Size;
use crate::{Error, Half, LowerOptions, Result, layers};
use network::{DType, Dim, Layer, Network, Op, Tensor, TensorId, Weights};
use std::collections::{HashMap, HashSet};

/// The state of one lowering.
pub(crate) struct Lowering<'n> {
    pub network: &'n Network,
    pub options: &'n LowerOptions,
    pub graph: Graph,
    pub uses: Vec<u32>,
    /// Results of helper nodes by what they compute, so that equal ones are made once.
    pub memo: HashMap<(&'static str, Value, i64), Value>,
    /// Where a symbolic size is read from: an input wherever possible, for reading the shape of a value in between
    /// keeps ONNX Runtime from fusing what is around it.
    pub axes: HashMap<Dim, Size>,
    /// Shapes that are put together when the model runs.
    pub sizes: HashMap<Vec<Size>, Value>,
    /// The half-precision value that a rounded one came through.
    halves: HashMap<Value, Value>,
    values: Vec<Option<Value>>,
    /// Values whose type is written down.
    typed: HashSet<Value>,
}

/// Lowers a network to a finished graph.
pub(crate) fn run(network: &Network, options: &LowerOptions) -> Result<Finished> {
    let mut lowering = Lowering {
        network,
        options,
        graph: Graph::default(),
        uses: network.use_counts(),
        memo: HashMap::new(),
        axes: HashMap::new(),
        sizes: HashMap::new(),
        halves: HashMap::new(),
        values: vec![None; network.tensor_count()],
        typed: HashSet::new(),
    };
    lowering.inputs();
    for layer in network.layers() {
        lowering.layer(layer)?;
    }
    lowering.outputs()?;
    Ok(lowering.graph.finish())
}

impl<'n> Lowering<'n> {
    fn inputs(&mut self) {
        for port in self.network.inputs() {
            let tensor = self.network.tensor(port.tensor);
            let mut value = self.graph.input(&port.name, element_type(tensor.dtype), &tensor.dims);
            for (axis, dim) in tensor.dims.iter().enumerate().filter(|(_, dim)| !dim.is_static()) {
                self.axes.entry(dim.clone()).or_insert(Size::Axis(value, axis));
            }
            if self.carrier(tensor.dtype) != element_type(tensor.dtype) {
                let half = value;
                value = self.cast(half, DataType::Float, format!("{}/Cast", port.name));
                self.halves.insert(value, half);
            }
            self.values[port.tensor.0 as usize] = Some(value);
        }
    }

    fn layer(&mut self, layer: &'n Layer) -> Result<()> {
        if let Some(weights) = self.known_size(layer) {
            let value = self.weights(&layer.name, &weights);
            self.set(layer.outputs[0], value);
            return Ok(());
        }
        let values = layers::lower(&mut Scope { cx: self, layer }, &layer.op)?;
        for (tensor, value) in layer.outputs.iter().zip(values) {
            let Tensor { dtype, dims, .. } = self.network.tensor(*tensor);
            let value = if computes(&layer.op) { self.round(layer, value, *dtype) } else { value };
            self.set(*tensor, value);
            // ONNX Runtime loses track of symbols where a shape is computed, and then fuses less.
            if dims.iter().any(|dim| !dim.is_static()) && self.typed.insert(value) {
                self.graph.annotate(value, self.carrier(*dtype), dims);
            }
        }
        Ok(())
    }

    /// Size arithmetic whose result does not depend on the call is a constant.
    fn known_size(&self, layer: &Layer) -> Option<Weights> {
        let [output] = layer.outputs.as_slice() else { return None };
        let tensor = self.network.tensor(*output);
        let elements: Option<Vec<i64>> = tensor.value.as_ref()?.iter().map(Dim::as_static).collect();
        let dims: Option<Vec<i64>> = tensor.dims.iter().map(Dim::as_static).collect();
        Some(Weights::from_i64(tensor.dtype, &dims?, elements?))
    }

    fn outputs(&mut self) -> Result<()> {
        for port in self.network.outputs() {
            let tensor = self.network.tensor(port.tensor);
            let mut value = self.get(port.tensor).ok_or_else(|| Error::NoOutput { output: port.name.clone() })?;
            let own = element_type(tensor.dtype);
            if self.carrier(tensor.dtype) != own {
                value = match self.halves.get(&value) {
                    Some(half) => *half,
                    None => self.cast(value, own, format!("{}/Cast", port.name)),
                };
            }
            self.graph.output(&port.name, value, own, &tensor.dims);
        }
        Ok(())
    }

    /// The value that carries a tensor, once its layer is lowered.
    pub fn get(&self, tensor: TensorId) -> Option<Value> {
        self.values.get(tensor.0 as usize).copied().flatten()
    }

    fn set(&mut self, tensor: TensorId, value: Value) {
        self.values[tensor.0 as usize] = Some(value);
    }

    /// The element type that values of a dtype have inside the graph.
    pub fn carrier(&self, dtype: DType) -> DataType {
        match (dtype, self.options.half) {
            (DType::Float16 | DType::BFloat16, Half::Emulated) => DataType::Float,
            _ => element_type(dtype),
        }
    }

    /// Whether tensors of the dtype are carried as floats that are rounded after each layer.
    pub fn emulates(&self, dtype: DType) -> bool {
        self.carrier(dtype) != element_type(dtype)
    }

    /// Rounds an emulated tensor to its type; leaves others alone.
    pub fn round(&mut self, layer: &Layer, value: Value, dtype: DType) -> Value {
        if !self.emulates(dtype) {
            return value;
        }
        let half = self.cast(value, element_type(dtype), format!("{}/Round", layer.name));
        let value = self.cast(half, DataType::Float, format!("{}/Widen", layer.name));
        self.halves.insert(value, half);
        value
    }

    fn cast(&mut self, value: Value, to: DataType, name: String) -> Value {
        self.graph.node("Cast", &[value], 1, &[("to", i64::from(to as i32).into())], name, String::new())[0]
    }

    /// A constant. Emulated types: small ones are widened here, large ones when the model is loaded.
    pub fn weights(&mut self, name: &str, weights: &Weights) -> Value {
        if !self.emulates(weights.dtype) {
            let (data_type, data) = (element_type(weights.dtype), weights.data.clone());
            return self.graph.initializer(name.to_owned(), data_type, &weights.dims, data);
        }
        if weights.data.len() <= self.options.external_threshold {
            let wide = Weights::from_f64(DType::Float32, &weights.dims, weights.to_f64());
            return self.graph.initializer(name.to_owned(), DataType::Float, &weights.dims, wide.data);
        }
        let data_type = element_type(weights.dtype);
        let half = self.graph.initializer(name.to_owned(), data_type, &weights.dims, weights.data.clone());
        if let Some(value) = self.memo.get(&("Widen", half, 0)) {
            return *value;
        }
        let value = self.cast(half, DataType::Float, format!("{name}/Widen"));
        self.memo.insert(("Widen", half, 0), value);
        value
    }
}

/// The ONNX number of an element type.
pub(crate) fn element_type(dtype: DType) -> DataType {
    match dtype {
        DType::Float32 => DataType::Float,
        DType::Float16 => DataType::Float16,
        DType::BFloat16 => DataType::Bfloat16,
        DType::Int64 => DataType::Int64,
        DType::Int32 => DataType::Int32,
        DType::Int8 => DataType::Int8,
        DType::UInt8 => DataType::Uint8,
        DType::Bool => DataType::Bool,
        DType::Float8E4M3 => DataType::Float8e4m3fn,
    }
}

/// Whether a layer makes new numbers. One that only moves or selects elements makes no value that its type cannot
/// hold.
fn computes(op: &Op) -> bool {
    !matches!(
        op,
        Op::Constant(_)
            | Op::Concatenation { .. }
            | Op::Gather { .. }
            | Op::Identity
            | Op::OneHot { .. }
            | Op::Padding { .. }
            | Op::ReverseSequence { .. }
            | Op::Scatter { .. }
            | Op::Select
            | Op::Shuffle { .. }
            | Op::Slice { .. }
            | Op::Squeeze { .. }
            | Op::TopK { .. }
            | Op::Unsqueeze { .. }
            | Op::Activation { kind: network::ActivationType::Relu, .. }
    )
}
