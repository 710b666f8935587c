//! Emits a network to TensorRT: layer after layer, each under its own name, each checked as it is added.
//!
//! TensorRT infers a layer's outputs when asked for them. Asking at once is what lets a refusal name the layer, and
//! with it the user's module and source line, instead of the whole network. Which calls make up a layer is in `layers`,
//! not here.

use crate::emitter::{EmitResult, NetworkEmitter};
use crate::enums::ToTensorRt;
use crate::error::{Place, Result};
use crate::layers::{self, Emitted};
use bumpalo::Bump;
use network::{Dim, Layer, Network, Op, TensorId};
use nvinfer as trt;
use std::collections::HashSet;

/// How TensorRT's own names of layers begin.
const UNNAMED: &str = "(Unnamed Layer";

/// Emits all of a network: inputs, layers, outputs. `named`: weights get the names of their constants.
///
/// # Errors
/// [`Error::Refused`] and [`Error::NotInThisVersion`] with the layer that TensorRT does not take, [`Error::Layer`]
/// where it infers another type or other sizes than the network has.
pub(crate) fn emit<'w>(
    network: &'w Network,
    library: trt::Library,
    definition: &trt::Network<'w>,
    store: &'w Bump,
    named: bool,
) -> Result<()> {
    let mut emitter = NetworkEmitter::new(network, library, definition, store, named);
    emitter.inputs()?;
    for layer in network.layers() {
        if !matches!(layer.op, Op::Constant(_)) {
            emitter.layer(layer)?;
        }
    }
    emitter.outputs()
}

impl<'n, 'w> NetworkEmitter<'n, 'w> {
    fn inputs(&mut self) -> Result<()> {
        let network = self.network;
        for port in network.inputs() {
            let tensor = network.tensor(port.tensor);
            let added = self.emit_input(&port.name, tensor);
            let added = added.map_err(|e| self.fault(e, Place::input(&port.name, network, port.tensor)))?;
            self.set_tensor(port.tensor, added);
        }
        Ok(())
    }

    fn emit_input(&self, name: &str, tensor: &network::Tensor) -> EmitResult<trt::Tensor<'n>> {
        let dims: Vec<i64> = tensor.dims.iter().map(|d| d.as_static().unwrap_or(-1)).collect();
        let added = self.definition.add_input(name, tensor.dtype.to_trt(), &dims)?;
        for (axis, dim) in tensor.dims.iter().enumerate() {
            // Axes of one name have one size for TensorRT; only a bare symbol means that.
            if let [symbol] = dim.symbols().as_slice()
                && *dim == Dim::symbol(symbol)
            {
                added.set_dimension_name(axis, symbol)?;
            }
        }
        added.set_allowed_formats(&[trt::TensorFormat::Linear])?;
        Ok(added)
    }

    fn layer(&mut self, layer: &'w Layer) -> Result<()> {
        let added = self.layer_with_helpers(layer);
        let added =
            added.and_then(|()| if takes_weights(&layer.op) { self.name_weights(layer.used()) } else { Ok(()) });
        added.map_err(|e| self.fault(e, Place::layer(self.network, layer)))
    }

    /// Adds a layer. Its helper layers are named after it, so that TensorRT's messages lead to it.
    fn layer_with_helpers(&mut self, layer: &'w Layer) -> EmitResult<()> {
        let first = self.definition.num_layers()?;
        match layers::emit(self, layer)? {
            Emitted::One(one) => self.finish(layer, one)?,
            Emitted::Each(each) => self.finish_each(layer, &each)?,
        }
        for index in first..self.definition.num_layers()? {
            let helper = self.definition.get_layer(index)?;
            if helper.name().starts_with(UNNAMED) && !is_boundary(helper.layer_type()) {
                helper.set_name(&format!("{}/{}", layer.name, index - first))?;
            }
        }
        Ok(())
    }

    fn outputs(&mut self) -> Result<()> {
        let network = self.network;
        let mut taken: HashSet<_> = network.inputs().iter().map(|port| port.tensor).collect();
        for port in network.outputs() {
            // A tensor is an output once and under one name; another output of it, or of an input, is a copy.
            let copy = !taken.insert(port.tensor);
            let added = self.emit_output(&port.name, port.tensor, copy);
            added.map_err(|e| self.fault(e, Place::output(&port.name, network, port.tensor)))?;
        }
        Ok(())
    }

    fn emit_output(&mut self, name: &str, id: TensorId, copy: bool) -> EmitResult<()> {
        let mut tensor = self.tensor(id)?;
        if copy {
            let identity = self.definition.add_identity(tensor)?;
            identity.set_name(&format!("{name}/copy"))?;
            tensor = identity.output(0)?;
        }
        tensor.set_name(name)?;
        self.definition.mark_output(tensor)?;
        if !self.strongly_typed() {
            tensor.set_dtype(self.network.tensor(id).dtype.to_trt())?;
        }
        Ok(tensor.set_allowed_formats(&[trt::TensorFormat::Linear])?)
    }
}

/// Whether a layer is at the boundary of a loop or a conditional, which TensorRT-RTX does not rename.
fn is_boundary(kind: Option<trt::LayerType>) -> bool {
    use trt::LayerType as Kind;
    matches!(
        kind,
        Some(
            Kind::TripLimit
                | Kind::Recurrence
                | Kind::Iterator
                | Kind::LoopOutput
                | Kind::Condition
                | Kind::ConditionalInput
                | Kind::ConditionalOutput
        )
    )
}

/// Whether TensorRT's layer takes constants as weights, not as tensors.
fn takes_weights(op: &Op) -> bool {
    matches!(op, Op::Convolution(_) | Op::Deconvolution(_) | Op::Scale { .. })
}
