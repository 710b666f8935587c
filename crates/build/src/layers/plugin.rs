//! Layers that a plugin implements: the creator is looked up among those that the loaded libraries registered.

use crate::emitter::{EmitResult, NetworkEmitter};
use crate::enums::ToTensorRt;
use network::{Layer, PluginApi, PluginAttributes, PluginField};
use nvinfer as trt;

pub(super) fn plugin<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    plugin: &PluginAttributes,
) -> EmitResult<trt::Layer<'n>> {
    let creator = t.plugins()?.creator(&plugin.name, &plugin.version, &plugin.namespace)?;
    let made = match &plugin.serialized {
        Some(data) => creator.deserialize(&layer.name, &data.0)?,
        None => creator.create(&layer.name, &plugin.fields.iter().map(field).collect::<Vec<_>>())?,
    };
    let inputs = t.all(layer)?;
    Ok(match plugin.api {
        PluginApi::V2 => t.definition.add_plugin_v2(&inputs, &made)?,
        PluginApi::V3 => {
            let (inputs, shapes) = inputs.split_at(inputs.len().saturating_sub(plugin.shape_inputs));
            t.definition.add_plugin_v3(inputs, shapes, &made)?
        }
    })
}

fn field(field: &PluginField) -> trt::PluginField {
    let PluginField { name, kind, length, data } = field;
    trt::PluginField { name: name.clone(), kind: kind.to_trt(), data: data.0.clone(), length: *length }
}
