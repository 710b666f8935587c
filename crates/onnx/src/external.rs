//! Checks an ONNX model that comes from a file before a runtime loads it.
//!
//! ONNX Runtime opens the `location` of every external tensor that the caller did not supply, relative to the working
//! directory. A model of an engine file may therefore only refer to the weights that are stored with it.

use crate::proto::{EXTERNAL, GraphProto, ModelProto, TensorProto};
use prost::Message;

/// Whether bytes start as a serialized `ModelProto` does: with the version of the format and another of its fields.
pub fn is_model(bytes: &[u8]) -> bool {
    // Field 1 as a varint; then one of the fields 2 to 8. No TensorRT plan and no engine file starts with 8.
    matches!(bytes, [0x08, 1..=32, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42, ..])
}

/// The nodes of a model in order, each with its name and operator.
///
/// # Errors
/// What is wrong with the model, as text.
pub fn nodes(model: &[u8]) -> Result<Vec<(String, String)>, String> {
    let graph = decode(model)?.graph.unwrap_or_default();
    Ok(graph.node.iter().map(|node| (node.name().to_owned(), node.op_type().to_owned())).collect())
}

pub(crate) fn decode(model: &[u8]) -> Result<ModelProto, String> {
    ModelProto::decode(model).map_err(|error| format!("the ONNX model cannot be decoded: {error}"))
}

/// Checks that a model refers to no external data other than the initializers in `weights`.
///
/// The caller supplies weights of the outermost graph only, so a subgraph may not refer to external data at all. A
/// model with a field that this crate does not write (sparse initializers, functions) is rejected too: such a field may
/// hold external tensors of its own.
///
/// # Errors
/// What is wrong with the model, as text.
pub fn check_external(model: &[u8], weights: impl Fn(&str) -> bool) -> Result<(), String> {
    let proto = decode(model)?;
    // Decoding drops unknown fields.
    if proto.encode_to_vec() != model {
        return Err("the ONNX model has fields that torch2trt does not write".to_owned());
    }
    check_graph(&proto.graph.unwrap_or_default(), &weights)
}

pub(crate) fn check_graph(graph: &GraphProto, weights: &dyn Fn(&str) -> bool) -> Result<(), String> {
    for tensor in &graph.initializer {
        if is_external(tensor) && !weights(tensor.name()) {
            return Err(format!("initializer `{}` {}", tensor.name(), refers(tensor)));
        }
    }
    for node in &graph.node {
        let mut tensors = node.attribute.iter().filter_map(|attribute| attribute.t.as_ref());
        if let Some(tensor) = tensors.find(|tensor| is_external(tensor)) {
            return Err(format!("an attribute of node `{}` {}", node.name(), refers(tensor)));
        }
        for subgraph in node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()) {
            check_graph(subgraph, &|_| false)?;
        }
    }
    Ok(())
}

pub(crate) fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location.is_some_and(|location| location == EXTERNAL) || !tensor.external_data.is_empty()
}

fn refers(tensor: &TensorProto) -> String {
    let location = tensor.external_data.iter().find(|entry| entry.key() == "location");
    let location = location.map_or_else(String::new, |entry| format!(" `{}`", entry.value().escape_debug()));
    format!("refers to external data{location}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{AttributeProto, NodeProto, StringStringEntryProto};
    use proptest::prelude::*;

    fn tensor(name: &str, location: &str) -> TensorProto {
        let entry = StringStringEntryProto { key: Some("location".into()), value: Some(location.into()) };
        let external_data = vec![entry];
        TensorProto { name: Some(name.into()), external_data, data_location: Some(EXTERNAL), ..TensorProto::default() }
    }

    fn model(graph: GraphProto) -> Vec<u8> {
        ModelProto { graph: Some(graph), ..ModelProto::default() }.encode_to_vec()
    }

    fn check(graph: GraphProto) -> Result<(), String> {
        check_external(&model(graph), |name| name == "ours")
    }

    #[test]
    fn only_the_weights_of_the_file_are_external() {
        let with = |initializer| GraphProto { initializer: vec![initializer], ..GraphProto::default() };
        assert_eq!(check(with(tensor("ours", "weights"))), Ok(()));
        for location in ["weights", "/etc/passwd", "../secret", "*/_ORT_MEM_ADDR_/*"] {
            let problem = check(with(tensor("other", location))).unwrap_err();
            assert_eq!(problem, format!("initializer `other` refers to external data `{location}`"));
        }
        let unmarked = TensorProto { data_location: None, ..tensor("other", "secret") };
        assert!(check(with(unmarked)).is_err());
        let unnamed = TensorProto { external_data: Vec::new(), ..tensor("other", "") };
        assert!(check(with(unnamed)).is_err());
    }

    #[test]
    fn a_constant_in_an_attribute_is_stored_in_the_model() {
        let attribute = |t| AttributeProto { name: Some("value".into()), t: Some(t), ..AttributeProto::default() };
        let node = |t| NodeProto { attribute: vec![attribute(t)], ..NodeProto::default() };
        let graph = |t| GraphProto { node: vec![node(t)], ..GraphProto::default() };
        assert_eq!(check(graph(TensorProto::default())), Ok(()));
        let problem = check(graph(tensor("ours", "secret"))).unwrap_err();
        assert_eq!(problem, "an attribute of node `` refers to external data `secret`");
    }

    #[test]
    fn subgraphs_refer_to_no_external_data() {
        let nested = |inner: GraphProto| {
            let attribute = AttributeProto { g: Some(inner), ..AttributeProto::default() };
            let node = NodeProto { attribute: vec![attribute], ..NodeProto::default() };
            GraphProto { node: vec![node], ..GraphProto::default() }
        };
        let with = |initializer| GraphProto { initializer: vec![initializer], ..GraphProto::default() };
        assert_eq!(check(nested(nested(with(TensorProto::default())))), Ok(()));
        for name in ["ours", "other"] {
            let problem = check(nested(nested(with(tensor(name, "secret"))))).unwrap_err();
            assert_eq!(problem, format!("initializer `{name}` refers to external data `secret`"));
        }
        let attribute = AttributeProto { t: Some(tensor("ours", "secret")), ..AttributeProto::default() };
        let node = NodeProto { attribute: vec![attribute], ..NodeProto::default() };
        assert!(check(nested(GraphProto { node: vec![node], ..GraphProto::default() })).is_err());
    }

    proptest! {
        /// Field numbers of ONNX where tensors, graphs and functions are stored that this crate never writes, and
        /// others.
        #[test]
        fn unknown_fields_are_rejected(
            field in 1u32..200,
            deep in 0usize..6,
            content in prop::collection::vec(any::<u8>(), 1..20),
        ) {
            let frame = |tag: u32, content: &[u8]| {
                let mut bytes = Vec::new();
                prost::encoding::encode_key(tag, prost::encoding::WireType::LengthDelimited, &mut bytes);
                prost::encoding::encode_varint(content.len() as u64, &mut bytes);
                bytes.extend_from_slice(content);
                bytes
            };
            // Within the model, the graph, a node, an attribute, a subgraph, or a node of one.
            let path = [7, 1, 5, 6, 1].into_iter().take(deep).rev();
            let bytes = path.fold(frame(field, &content), |bytes, tag| frame(tag, &bytes));
            let (graph, node) = (&[1u32, 2, 5, 11, 12, 13][..], &[1, 2, 3, 4, 5, 6][..]);
            let known = [&[1, 2, 3, 7, 8], graph, node, &[1, 2, 3, 4, 5, 6, 8, 9, 20], graph, node][deep];
            prop_assume!(!known.contains(&field));
            prop_assert!(check_external(&bytes, |_| true).is_err());
        }

        #[test]
        fn any_bytes_are_checked(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = check_external(&bytes, |_| false);
        }
    }
}
