//! The state of one lowering: the graph so far, and which value carries which tensor.
//!
//! It must not know any layer, nor in which order layers are lowered.

use crate::graph::{Graph, Value};
use crate::proto::DataType;
use crate::{Half, LowerOptions};
use network::{DType, Dim, Layer, Network, TensorId, Weights};
use std::collections::{HashMap, HashSet};

/// One entry of a shape that is computed when the model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Size {
    /// This size.
    Is(i64),
    /// The size of an axis of a value.
    Axis(Value, usize),
}

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
    /// Shapes that are assembled when the model runs.
    pub sizes: HashMap<Vec<Size>, Value>,
    /// The half-precision value that a rounded one came through.
    pub halves: HashMap<Value, Value>,
    pub values: Vec<Option<Value>>,
    /// Values that have a type annotation.
    pub typed: HashSet<Value>,
}

impl<'n> Lowering<'n> {
    /// Before the first layer.
    pub fn new(network: &'n Network, options: &'n LowerOptions) -> Self {
        Self {
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
        }
    }

    /// The value that carries a tensor, once its layer is lowered.
    pub fn get(&self, tensor: TensorId) -> Option<Value> {
        self.values.get(tensor.0 as usize).copied().flatten()
    }

    pub fn set(&mut self, tensor: TensorId, value: Value) {
        self.values[tensor.0 as usize] = Some(value);
    }

    /// The element type that values of a dtype have inside the graph.
    pub fn carrier(&self, dtype: DType) -> DataType {
        match (dtype, self.options.half) {
            (DType::Float16 | DType::BFloat16, Half::Emulated) => DataType::Float,
            _ => element_type(dtype),
        }
    }

    /// Whether tensors of the dtype are stored as floats that are rounded after each layer.
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

    pub fn cast(&mut self, value: Value, to: DataType, name: String) -> Value {
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
