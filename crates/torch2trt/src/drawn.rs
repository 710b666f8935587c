//! The layers of a network as reports draw them, and their record in engine files.
//!
//! Constants, and what is computed from constants alone, are not drawn: they are the weights of the layers that read
//! them. This file must not know how a report looks (crate `report`).

use crate::forecast::with_profiles;
use ::report::{Graph, Memory, Scales, Value, Weight};
use bytes::Bytes;
use engine::{EngineFile, Kind};
use forecast::Forecast;
use network::{DType, Layer, Network, Op, TensorId, format_dims};
use runtime::Profile;
use std::collections::{HashMap, HashSet};

/// Bytes that the record of a network may always have in an engine file.
const ALWAYS: u64 = 1 << 16;
/// The share of an engine that it may have beyond that.
const SHARE: u64 = 20;

/// The layers of a network, with its memory at the largest sizes of these profiles.
pub(crate) fn graph_of(network: &Network, profiles: &[Profile]) -> Graph {
    let sized = with_profiles(network, profiles);
    Drawing::new(&sized, Forecast::new(&sized).ok()).graph()
}

/// The network as SVG, coloured by the types that layers compute in: folded by module where it has many layers.
pub fn network_svg(network: &Network, profiles: &[Profile], most: usize) -> String {
    report::Drawing::new(&graph_of(network, profiles), most).to_svg()
}

/// The network, with the reasons for which layers stay float32.
pub(crate) fn with_reasons(graph: &Graph, kept: &[(String, String, String)]) -> Graph {
    let reasons: HashMap<&str, &str> =
        kept.iter().map(|(layer, _, reason)| (layer.as_str(), reason.as_str())).collect();
    let mut graph = graph.clone();
    for layer in &mut graph.layers {
        if let Some(reason) = reasons.get(layer.name.as_str()) {
            layer.kept = Some((*reason).to_owned());
        }
    }
    graph
}

/// The record of a network in the file of an engine of so many bytes; none where it would be large next to it.
pub(crate) fn record(graph: &Graph, engine: u64) -> Option<Bytes> {
    let text = serde_json::to_vec(graph).ok()?;
    (text.len() as u64 <= ALWAYS.max(engine / SHARE)).then(|| text.into())
}

/// The network that is recorded in a file; none where there is no record, or one that is not understood.
pub(crate) fn recorded(file: &EngineFile) -> Option<Graph> {
    file.has(Kind::Network).then(|| file.section(Kind::Network).ok()).flatten().and_then(|text| Graph::from_json(&text))
}

struct Drawing<'n> {
    network: &'n Network,
    forecast: Option<Forecast>,
    /// Tensors that are constants or computed from constants alone.
    constant: HashSet<TensorId>,
    /// The number of each tensor that is drawn.
    numbers: HashMap<TensorId, usize>,
    /// Constants that a layer reads already.
    counted: HashSet<TensorId>,
}

impl<'n> Drawing<'n> {
    fn new(network: &'n Network, forecast: Option<Forecast>) -> Self {
        let mut constant = HashSet::new();
        for layer in network.layers() {
            let mut inputs = layer.used().peekable();
            let has_inputs = inputs.peek().is_some();
            if matches!(layer.op, Op::Constant(_)) || (has_inputs && inputs.all(|input| constant.contains(&input))) {
                constant.extend(layer.outputs.iter().copied());
            }
        }
        let made = network.layers().iter().flat_map(|layer| layer.outputs.iter().copied());
        let drawn = network.inputs().iter().map(|port| port.tensor).chain(made.filter(|id| !constant.contains(id)));
        let numbers = drawn.enumerate().map(|(number, id)| (id, number)).collect();
        Self { network, forecast, constant, numbers, counted: HashSet::new() }
    }

    fn graph(mut self) -> Graph {
        let network = self.network;
        let drawn: Vec<&Layer> = network.layers().iter().filter(|layer| self.is_drawn(layer)).collect();
        let layers: Vec<report::Layer> = drawn.iter().map(|layer| self.layer(layer)).collect();
        let inputs =
            network.inputs().iter().map(|port| Value { name: port.name.clone(), ..self.value(port.tensor) }).collect();
        let outputs = network.outputs().iter();
        let outputs = outputs.map(|port| (port.name.clone(), self.numbers.get(&port.tensor).copied())).collect();
        let memory = self.forecast.as_ref().map(|forecast| memory(forecast, &drawn));
        Graph { inputs, layers, outputs, memory }
    }

    fn is_drawn(&self, layer: &Layer) -> bool {
        !layer.outputs.iter().any(|output| self.constant.contains(output))
    }

    fn layer(&mut self, layer: &Layer) -> report::Layer {
        let read: Vec<TensorId> = layer.used().collect();
        let weights = read.iter().filter(|id| self.constant.contains(*id)).copied().collect::<Vec<_>>();
        report::Layer {
            name: layer.name.clone(),
            kind: layer.op.name().to_owned(),
            precision: self.precision(layer).name().to_owned(),
            module: layer.origin.module.clone(),
            operator: layer.origin.operator.clone(),
            position: layer.origin.position.clone(),
            inputs: read.iter().filter_map(|id| self.numbers.get(id).copied()).collect(),
            outputs: layer.outputs.iter().map(|id| self.value(*id)).collect(),
            weights: weights.into_iter().map(|id| self.weight(id)).collect(),
            scales: self.scales(layer),
            kept: None,
        }
    }

    fn value(&self, id: TensorId) -> Value {
        let tensor = self.network.tensor(id);
        let elements = tensor.dims.iter().try_fold(1u64, |all, dim| {
            let most = |name: &str| self.network.symbols().get(name).map(|s| s.max).filter(|max| *max < i64::MAX);
            let size = dim.eval(&most).ok().and_then(|size| u64::try_from(size).ok())?;
            all.checked_mul(size)
        });
        Value {
            name: String::new(),
            dtype: tensor.dtype.name().to_owned(),
            shape: format_dims(&tensor.dims),
            bytes: elements.unwrap_or(0).saturating_mul(tensor.dtype.size() as u64),
        }
    }

    /// A constant that a layer reads, in the type that it is stored in: its own, or the one it is quantized to.
    fn weight(&mut self, id: TensorId) -> Weight {
        let mut stored = id;
        while let Some(Layer { op: Op::Dequantize { .. } | Op::Cast { .. }, inputs, .. }) =
            self.network.producer(stored)
            && let Some(Some(before)) = inputs.first()
        {
            stored = *before;
        }
        let Value { dtype, shape, bytes, .. } = self.value(stored);
        let bytes = if self.counted.insert(stored) { bytes } else { 0 };
        Weight { dtype, shape, bytes }
    }

    /// The type that a layer computes in: that of quantized operands, or else that of its result.
    fn precision(&self, layer: &Layer) -> DType {
        let own = layer.outputs.first().map_or(DType::Float32, |id| self.network.tensor(*id).dtype);
        let quantized = |id: &TensorId| match self.network.producer(*id) {
            Some(Layer { op: Op::Dequantize { .. }, inputs, .. }) => {
                inputs.first().copied().flatten().map(|codes| self.network.tensor(codes).dtype)
            }
            _ => None,
        };
        let operands: Vec<TensorId> = layer.used().take(2).collect();
        let is_contraction = matches!(layer.op, Op::Convolution(_) | Op::Deconvolution(_) | Op::MatrixMultiply { .. });
        match operands.iter().map(quantized).collect::<Option<Vec<_>>>() {
            Some(types) if is_contraction => types.first().copied().unwrap_or(own),
            _ => own,
        }
    }

    /// The range of a quantization with constant scales.
    fn scales(&self, layer: &Layer) -> Option<Scales> {
        let Op::Quantize { to, .. } = &layer.op else { return None };
        let largest = if *to == DType::Float8E4M3 { 448.0 } else { 127.0 };
        let scales = self.network.constant(layer.input(1)?)?.to_f64();
        let least = scales.iter().copied().reduce(f64::min)?;
        let most = scales.iter().copied().reduce(f64::max)?;
        Some(Scales { count: scales.len(), least: least * largest, most: most * largest })
    }
}

/// The forecast of a network's memory, with kernels by the first of their layers that is drawn.
fn memory(forecast: &Forecast, drawn: &[&Layer]) -> Memory {
    let index: HashMap<&str, usize> =
        drawn.iter().enumerate().map(|(index, layer)| (layer.name.as_str(), index)).collect();
    let first = |layers: &[String]| layers.iter().find_map(|name| index.get(name.as_str()).copied());
    Memory {
        weights: forecast.weights,
        interface: forecast.interface,
        activations: forecast.activations,
        scratch: forecast.scratch,
        stored: forecast.kernels.iter().filter_map(|k| Some((first(&k.layers)?, k.stored))).collect(),
    }
}
