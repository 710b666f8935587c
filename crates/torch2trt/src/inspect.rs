//! The layers of an engine: those that TensorRT fused, or the nodes of an ONNX model.

use crate::{Code, Error, Executable, Payload, Result};
use serde_json::Value;

/// A layer of an engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct EngineLayer {
    /// Its name.
    pub name: String,
    /// Its ONNX operator or TensorRT layer type; empty where a plan has names only.
    pub kind: String,
}

/// The layers of an ONNX model, which nothing has to run for.
///
/// # Errors
/// E0605 for a damaged model.
pub fn model_layers(model: &[u8]) -> Result<Vec<EngineLayer>> {
    let nodes = onnx::nodes(model).map_err(|problem| {
        Error::new(Code::EngineFile, problem).with_help("the file is damaged: convert the model again")
    })?;
    Ok(nodes.into_iter().map(|(name, kind)| EngineLayer { name, kind }).collect())
}

impl Executable {
    /// Its layers in the order of execution.
    ///
    /// # Errors
    /// E0605 for a damaged ONNX model, E0306 where TensorRT reports no layers.
    pub fn layers(&self) -> Result<Vec<EngineLayer>> {
        match &self.artifact.payload {
            Payload::Onnx { model, .. } => model_layers(model),
            Payload::Plan(_) => Ok(self.engine.inspect()?.map(|text| inspected(&text)).unwrap_or_default()),
        }
    }
}

/// The layers in TensorRT's JSON: names, or objects in plans that were built with details.
fn inspected(text: &str) -> Vec<EngineLayer> {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let layer = |layer: &Value| match layer {
        Value::String(name) => EngineLayer { name: name.clone(), kind: String::new() },
        detailed => EngineLayer { name: text(&detailed["Name"]), kind: text(&detailed["LayerType"]) },
    };
    value["Layers"].as_array().into_iter().flatten().map(layer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_details_are_read() {
        let found = inspected(
            r#"{"Layers": ["conv + relu", {"Name": "pool", "LayerType": "CaskPooling", "x": 1}], "Bindings": []}"#,
        );
        let layers: Vec<(&str, &str)> = found.iter().map(|layer| (layer.name.as_str(), layer.kind.as_str())).collect();
        assert_eq!(layers, [("conv + relu", ""), ("pool", "CaskPooling")]);
        assert!(inspected("nothing").is_empty());
    }

    #[test]
    fn a_damaged_model_is_an_error() {
        assert_eq!(model_layers(b"\xff").unwrap_err().code(), Code::EngineFile);
    }
}
