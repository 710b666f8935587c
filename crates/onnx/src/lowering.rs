//! The walk over a network: ports, layers in order, and the rounding of half-precision results.
//!
//! What a layer computes is known in `layers` only.

use crate::graph::Finished;
use crate::proto::DataType;
use crate::scope::Scope;
use crate::state::{Lowering, Size, element_type};
use crate::{Error, LowerOptions, Result, layers};
use network::{Dim, Layer, Network, Tensor, Weights};

/// Lowers a network to a finished graph.
pub(crate) fn run(network: &Network, options: &LowerOptions) -> Result<Finished> {
    let mut lowering = Lowering::new(network, options);
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
            // One that only moves elements makes no value that its type cannot hold.
            let value = if layer.op.only_moves() { value } else { self.round(layer, value, *dtype) };
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
}
