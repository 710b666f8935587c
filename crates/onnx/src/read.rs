//! What a model of any origin takes, gives, and refers to.
//!
//! Only the outermost graph may have weights in other files: whoever loads the model supplies them by name.

use crate::external::{check_graph, decode, is_external};
use crate::proto::{DataType, DimensionValue, StringStringEntryProto, TensorProto, ValueInfoProto};
use crate::state;
use network::{DType, Dim};
use std::collections::HashSet;

/// The interface of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// What a call passes, in order; initializers are no inputs.
    pub inputs: Vec<Io>,
    /// What a call gets, in order.
    pub outputs: Vec<Io>,
    /// Weights in other files.
    pub external: Vec<ExternalData>,
}

/// An input or output of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Io {
    /// Its name.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Sizes, outermost first. A size without a name has a symbol of its own.
    pub dims: Vec<Dim>,
}

/// Where a weight is outside its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalData {
    /// The initializer's name.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Sizes, outermost first.
    pub dims: Vec<i64>,
    /// The file, relative to the folder of the model, with `/` between folders.
    pub location: String,
    /// Where it starts in the file, in bytes.
    pub offset: u64,
    /// Its length in bytes; `None` for the rest of the file.
    pub length: Option<u64>,
}

/// Reads the interface of a serialized `ModelProto`.
///
/// # Errors
/// What is wrong with the model, as text: damaged bytes, an input or output that is no tensor, an element type without
/// a counterpart in TensorRT, external data in a subgraph.
pub fn interface(model: &[u8]) -> Result<Interface, String> {
    let graph = decode(model)?.graph.ok_or("the ONNX model has no graph")?;
    check_graph(&graph, &|_| true)?;
    let weights: HashSet<&str> = graph.initializer.iter().map(TensorProto::name).collect();
    let inputs = graph.input.iter().filter(|input| !weights.contains(input.name()));
    Ok(Interface {
        inputs: inputs.map(io).collect::<Result<_, _>>()?,
        outputs: graph.output.iter().map(io).collect::<Result<_, _>>()?,
        external: graph
            .initializer
            .iter()
            .filter(|tensor| is_external(tensor))
            .map(external)
            .collect::<Result<_, _>>()?,
    })
}

fn io(value: &ValueInfoProto) -> Result<Io, String> {
    let name = value.name();
    let tensor = value.r#type.as_ref().and_then(|of| of.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(|| format!("`{name}` is no tensor"))?;
    let shape = tensor.shape.as_ref().ok_or_else(|| format!("`{name}` has no number of axes"))?;
    let dims = shape.dim.iter().enumerate().map(|(axis, dim)| match &dim.value {
        Some(DimensionValue::DimValue(size)) => Dim::Static(*size),
        Some(DimensionValue::DimParam(symbol)) if is_identifier(symbol) => Dim::symbol(symbol),
        _ => Dim::symbol(&format!("{}_{axis}", name.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))),
    });
    Ok(Io { name: name.to_owned(), dtype: dtype(name, tensor.elem_type)?, dims: dims.collect() })
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn dtype(name: &str, number: Option<i32>) -> Result<DType, String> {
    let number = number.unwrap_or_default();
    let found = DataType::try_from(number).ok();
    let found = found.and_then(|found| DType::ALL.into_iter().find(|dtype| state::element_type(*dtype) == found));
    found.ok_or_else(|| format!("`{name}` has the ONNX element type {number}, which no engine has"))
}

fn external(tensor: &TensorProto) -> Result<ExternalData, String> {
    let name = tensor.name();
    let entry =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key() == key).map(StringStringEntryProto::value);
    let number = |key: &str| {
        entry(key).map(|text| text.parse().map_err(|_| format!("the {key} of initializer `{name}` is no number")))
    };
    Ok(ExternalData {
        name: name.to_owned(),
        dtype: dtype(name, tensor.data_type)?,
        dims: tensor.dims.clone(),
        location: entry("location").unwrap_or_default().to_owned(),
        offset: number("offset").transpose()?.unwrap_or_default(),
        length: number("length").transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{
        AttributeProto, Dimension, EXTERNAL, GraphProto, ModelProto, NodeProto, StringStringEntryProto,
        TensorShapeProto, TensorTypeProto, TypeProto,
    };
    use prost::Message;

    fn value(name: &str, dtype: DataType, dims: Vec<Option<DimensionValue>>) -> ValueInfoProto {
        let shape = TensorShapeProto { dim: dims.into_iter().map(|value| Dimension { value }).collect() };
        let tensor = TensorTypeProto { elem_type: Some(dtype as i32), shape: Some(shape) };
        ValueInfoProto { name: Some(name.into()), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
    }

    fn weight(name: &str, entries: &[(&str, &str)]) -> TensorProto {
        let entry = |(key, value): &(&str, &str)| StringStringEntryProto {
            key: Some((*key).into()),
            value: Some((*value).into()),
        };
        TensorProto {
            name: Some(name.into()),
            dims: vec![2],
            data_type: Some(DataType::Float as i32),
            external_data: entries.iter().map(entry).collect(),
            data_location: Some(EXTERNAL),
            ..TensorProto::default()
        }
    }

    fn read(graph: GraphProto) -> Result<Interface, String> {
        interface(&ModelProto { graph: Some(graph), ..ModelProto::default() }.encode_to_vec())
    }

    #[test]
    fn initializers_are_no_inputs_and_sizes_have_symbols() {
        let batch = || Some(DimensionValue::DimParam("batch".into()));
        let sum = Some(DimensionValue::DimParam("a + 1".into()));
        let found = read(GraphProto {
            input: vec![
                value("x.1", DataType::Float, vec![batch(), Some(DimensionValue::DimValue(3)), None, sum]),
                value("w", DataType::Float, vec![]),
            ],
            output: vec![value("y", DataType::Int64, vec![batch()])],
            initializer: vec![weight("w", &[("location", "data/w.bin"), ("offset", "64"), ("length", "8")])],
            ..GraphProto::default()
        })
        .unwrap();
        let dims: Vec<String> = found.inputs[0].dims.iter().map(ToString::to_string).collect();
        assert_eq!((found.inputs.len(), dims.join(" ").as_str()), (1, "batch 3 x_1_2 x_1_3"));
        assert_eq!((found.outputs[0].dtype, found.outputs[0].dims.len()), (DType::Int64, 1));
        let [external] = &found.external[..] else { panic!("{found:?}") };
        assert_eq!((external.location.as_str(), external.offset, external.length), ("data/w.bin", 64, Some(8)));
    }

    #[test]
    fn what_no_engine_can_run_is_an_error() {
        let untyped = ValueInfoProto { name: Some("x".into()), r#type: None };
        let with = |input| GraphProto { input: vec![input], ..GraphProto::default() };
        assert_eq!(read(with(untyped)).unwrap_err(), "`x` is no tensor");
        let mut double = value("x", DataType::Float, vec![]);
        double.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().elem_type = Some(11);
        assert!(read(with(double)).unwrap_err().contains("element type 11"));
        let far = weight("w", &[("location", "w"), ("offset", "-1")]);
        assert!(read(GraphProto { initializer: vec![far], ..GraphProto::default() }).unwrap_err().contains("offset"));
        let inner = GraphProto { initializer: vec![weight("w", &[("location", "w")])], ..GraphProto::default() };
        let attribute = AttributeProto { g: Some(inner), ..AttributeProto::default() };
        let node = NodeProto { attribute: vec![attribute], ..NodeProto::default() };
        assert!(read(GraphProto { node: vec![node], ..GraphProto::default() }).is_err());
        assert!(interface(b"\xff").is_err());
    }
}
