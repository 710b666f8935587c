//! ONNX Runtime's errors as ours, with the node that its message names.

use crate::error::{Error, Node, Stage};

/// ONNX Runtime's error at a stage, with the node that it names.
pub(super) fn failure(stage: Stage, error: &ort::Error) -> Error {
    Error::OnnxRuntime { stage, node: node_in(error.message()), message: error.message().to_owned() }
}

/// The node in one of ONNX Runtime's messages. They have no common form; these are the ones it uses.
fn node_in(message: &str) -> Option<Node> {
    let between = |start: &str, end: &str| {
        let rest = &message[message.find(start)? + start.len()..];
        Some(rest[..rest.find(end)?].trim().to_owned())
    };
    if let Some(op) = between("while running ", " node.") {
        return Some(Node { name: between("Name:'", "'")?, op: Some(op) });
    }
    if let Some(name) = between("with name '", "'") {
        let op = between("implementation for ", " node").map(|op| op.split('(').next().unwrap_or_default().to_owned());
        return Some(Node { name, op });
    }
    if let Some(name) = between("in node (", ")") {
        return Some(Node { name, op: between("operator (", ")") });
    }
    if let Some(name) = between("Node (", ")") {
        return Some(Node { name, op: between("Op (", ")") });
    }
    between("Node:", " ").map(|name| Node { name, op: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_read_from_messages_of_every_form() {
        for (message, name, op) in [
            ("Non-zero status code returned while running Gemm node. Name:'fc.1' Status Message: bad", "fc.1", "Gemm"),
            ("Could not find an implementation for Abs(13) node with name 'a b'", "a b", "Abs"),
            ("Type 'tensor(int8)' of input parameter (x) of operator (Sin) in node (n) is invalid.", "n", "Sin"),
            ("Node (conv/1) Op (Conv) [ShapeInferenceError] mismatch", "conv/1", "Conv"),
        ] {
            let node = node_in(message).unwrap();
            assert_eq!((node.name.as_str(), node.op.as_deref()), (name, Some(op)), "{message}");
        }
        assert_eq!(node_in("Failed to parse the protobuf"), None);
    }
}
