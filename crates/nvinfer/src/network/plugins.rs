//! Adding layers that a plugin implements.

use super::*;
use crate::plugins::{Plugin, PluginApi};

impl Network<'_> {
    /// Adds a copy of a plugin as a layer (`addPluginV2`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] in TensorRT-RTX, [`Error::Refused`].
    pub fn add_plugin_v2(&self, inputs: &[Tensor<'_>], plugin: &Plugin) -> Result<Layer<'_>> {
        let inputs = self.plugin_inputs(inputs)?;
        let count = c_int("the number of inputs", inputs.len())?;
        let plugin = expect(plugin, PluginApi::V2)?;
        // SAFETY: the tensors are of this network; the plugin is of the class that the call takes, and is copied.
        Ok(self.layer(unsafe { raw::add_plugin_v2(self.raw(), inputs.as_ptr(), count, plugin) }?))
    }

    /// Adds a copy of a plugin as a layer, with shape tensors as further inputs (`addPluginV3`, from 10).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] in 8.6 and TensorRT-RTX, [`Error::Refused`].
    pub fn add_plugin_v3(&self, inputs: &[Tensor<'_>], shapes: &[Tensor<'_>], plugin: &Plugin) -> Result<Layer<'_>> {
        let (inputs, shapes) = (self.plugin_inputs(inputs)?, self.plugin_inputs(shapes)?);
        let counts = [&inputs, &shapes].map(|list| c_int("the number of inputs", list.len()));
        let [count, shape_count] = counts;
        let plugin = expect(plugin, PluginApi::V3)?;
        // SAFETY: as for `add_plugin_v2`.
        let made =
            unsafe { raw::add_plugin_v3(self.raw(), inputs.as_ptr(), count?, shapes.as_ptr(), shape_count?, plugin) };
        Ok(self.layer(made?))
    }

    fn plugin_inputs(&self, tensors: &[Tensor<'_>]) -> Result<Vec<*mut std::ffi::c_void>> {
        tensors.iter().map(|tensor| self.own(*tensor)).collect()
    }
}

/// The plugin's object, once it is known to be of the class that a call takes.
fn expect(plugin: &Plugin, api: PluginApi) -> Result<*mut std::ffi::c_void> {
    if plugin.api() == api {
        return Ok(plugin.as_ptr());
    }
    let value = match plugin.api() {
        PluginApi::V2 => 2,
        PluginApi::V3 => 3,
    };
    Err(Error::OutOfRange { what: "the version of a plugin's interface", value })
}
