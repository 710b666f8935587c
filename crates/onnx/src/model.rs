//! The model for the CPU engine: protobuf bytes, and the weights separately.

use crate::graph::{Finished, Initializer};
use crate::proto::{
    DataType, EXTERNAL, GraphProto, IR_VERSION, ModelProto, OPSET, OperatorSetIdProto, StringStringEntryProto,
    TensorProto,
};
use crate::{Error, LowerOptions, Result, lowering, state};
use bytes::Bytes;
use network::{DType, Network};
use prost::Message;

/// An ONNX model whose large constants are outside it.
#[derive(Clone, Debug)]
pub struct Model {
    /// `ModelProto`. Constants above the threshold are declared with `data_location` EXTERNAL and the location
    /// `weights`; whoever loads the model provides them by name.
    pub proto: Vec<u8>,
    /// Those constants.
    pub weights: Vec<ExternalWeight>,
}

/// A constant outside its model.
#[derive(Clone, Debug)]
pub struct ExternalWeight {
    /// The initializer's name in the model.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Sizes.
    pub dims: Vec<i64>,
    /// Row-major little-endian elements: the network's own memory, not a copy.
    pub data: Bytes,
}

/// Lowers a network to a model for ONNX Runtime. Constants above [`LowerOptions::external_threshold`] are shared
/// with the network, not copied.
///
/// # Errors
/// [`Error::Unsupported`] with the layer and its origin, where ONNX has no form for it.
pub fn lower(network: &Network, options: &LowerOptions) -> Result<Model> {
    let mut finished = lowering::run(network, options)?;
    let initializers = std::mem::take(&mut finished.initializers);
    let (mut weights, mut protos, mut offset) = (Vec::new(), Vec::with_capacity(initializers.len()), 0);
    for initializer in initializers {
        if stays_inline(&initializer, options) {
            protos.push(inline(&initializer));
            continue;
        }
        protos.push(external(&initializer, "weights", offset));
        offset += initializer.data.len() as u64;
        let Initializer { name, data_type, dims, data, .. } = initializer;
        weights.push(ExternalWeight { name, dtype: dtype(data_type), dims, data });
    }
    let proto = model(finished, protos);
    let bytes = proto.encoded_len();
    if bytes > i32::MAX as usize {
        return Err(Error::TooLarge { bytes });
    }
    Ok(Model { proto: proto.encode_to_vec(), weights })
}

pub(crate) fn model(finished: Finished, initializer: Vec<TensorProto>) -> ModelProto {
    let Finished { nodes: node, inputs: input, outputs: output, typed: value_info, .. } = finished;
    let graph = GraphProto { node, name: Some("network".to_owned()), initializer, input, output, value_info };
    ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("torch2trt".to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
    }
}

/// Whether a constant is part of the model. Short vectors always are: readers infer shapes from them (axes, pads,
/// scales), before anyone gives them the rest.
pub(crate) fn stays_inline(initializer: &Initializer, options: &LowerOptions) -> bool {
    const SHORT: i64 = 64;
    let vector = initializer.dims.len() <= 1 && initializer.dims.first().is_none_or(|n| *n <= SHORT);
    vector || initializer.data.len() <= options.external_threshold
}

/// The declaration of a constant, without its elements.
pub(crate) fn header(initializer: &Initializer) -> TensorProto {
    TensorProto {
        dims: initializer.dims.clone(),
        data_type: Some(initializer.data_type as i32),
        name: Some(initializer.name.clone()),
        ..TensorProto::default()
    }
}

pub(crate) fn inline(initializer: &Initializer) -> TensorProto {
    TensorProto { raw_data: Some(initializer.data.clone()), ..header(initializer) }
}

pub(crate) fn external(initializer: &Initializer, location: &str, offset: u64) -> TensorProto {
    let entry = |key: &str, value: String| StringStringEntryProto { key: Some(key.to_owned()), value: Some(value) };
    let external_data = vec![
        entry("location", location.to_owned()),
        entry("offset", offset.to_string()),
        entry("length", initializer.data.len().to_string()),
    ];
    TensorProto { external_data, data_location: Some(EXTERNAL), ..header(initializer) }
}

fn dtype(data_type: DataType) -> DType {
    let of = |d: &DType| state::element_type(*d) == data_type;
    DType::ALL.into_iter().find(of).unwrap_or(DType::Float32)
}
