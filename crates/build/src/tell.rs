//! Telling a network to TensorRT: layer after layer, each under its own name, each checked as it is told.
//!
//! TensorRT infers a layer's outputs when asked for them. Asking at once is what lets a refusal name the layer, and
//! with it the user's module and source line, instead of the whole network. Constants become layers only where some
//! layer needs them as a tensor. Which calls make up a layer is told in `layers`, not here.

use crate::enums::ToTensorRt;
use crate::error::{Error, Fault, Place, Result};
use crate::layers::{self, Emitted};
use bumpalo::Bump;
use network::{DType, Dim, Layer, Network, Op, PluginAttributes, TensorId, Weights};
use nvinfer as trt;
use std::collections::HashSet;
use std::ops::Range;

/// How TensorRT's own names of layers begin.
const UNNAMED: &str = "(Unnamed Layer";

/// Result of the calls of one layer.
pub(crate) type Told<T> = Result<T, Fault>;

/// A network that TensorRT has been told in part.
///
/// `'n` is the borrow of TensorRT's network, `'w` how long weights are borrowed.
pub(crate) struct Teller<'n, 'w> {
    /// The network to tell.
    pub(crate) network: &'w Network,
    /// Where plugins are looked up.
    library: trt::Library,
    /// The network being told.
    pub(crate) definition: &'n trt::Network<'w>,
    /// Small constants that the telling itself needs.
    store: &'w Bump,
    /// Whether weights get the names of their constants, by which a refit finds them; those that have theirs.
    names: Option<HashSet<TensorId>>,
    /// TensorRT's tensors, by our ids.
    tensors: Vec<Option<trt::Tensor<'n>>>,
}

/// Tells all of a network: inputs, layers, outputs. `named`: weights get the names of their constants.
///
/// # Errors
/// [`Error::Refused`] and [`Error::NotInThisVersion`] with the layer that TensorRT does not take, [`Error::Layer`]
/// where it infers another type or other sizes than the network has.
pub(crate) fn tell<'w>(
    network: &'w Network,
    library: trt::Library,
    definition: &trt::Network<'w>,
    store: &'w Bump,
    named: bool,
) -> Result<()> {
    let tensors = vec![None; network.tensor_count()];
    let mut teller = Teller { network, library, definition, store, names: named.then(HashSet::new), tensors };
    teller.inputs()?;
    for layer in network.layers() {
        if !matches!(layer.op, Op::Constant(_)) {
            teller.layer(layer)?;
        }
    }
    teller.outputs()
}

impl<'n, 'w> Teller<'n, 'w> {
    fn inputs(&mut self) -> Result<()> {
        let network = self.network;
        for port in network.inputs() {
            let tensor = network.tensor(port.tensor);
            let told = self.told_input(&port.name, tensor);
            let told = told.map_err(|e| self.fault(e, Place::input(&port.name, network, port.tensor)))?;
            self.tensors[port.tensor.0 as usize] = Some(told);
        }
        Ok(())
    }

    fn told_input(&self, name: &str, tensor: &network::Tensor) -> Told<trt::Tensor<'n>> {
        let dims: Vec<i64> = tensor.dims.iter().map(|d| d.as_static().unwrap_or(-1)).collect();
        let told = self.definition.add_input(name, tensor.dtype.to_trt(), &dims)?;
        for (axis, dim) in tensor.dims.iter().enumerate() {
            // The name tells TensorRT that axes have one size; only a bare symbol says that.
            if let [symbol] = dim.symbols().as_slice()
                && *dim == Dim::symbol(symbol)
            {
                told.set_dimension_name(axis, symbol)?;
            }
        }
        told.set_allowed_formats(&[trt::TensorFormat::Linear])?;
        Ok(told)
    }

    fn layer(&mut self, layer: &'w Layer) -> Result<()> {
        let told = self.layer_with_helpers(layer);
        let told = told.and_then(|()| if takes_weights(&layer.op) { self.name_weights(layer.used()) } else { Ok(()) });
        told.map_err(|e| self.fault(e, Place::layer(self.network, layer)))
    }

    /// Adds a layer, and names those that TensorRT needs beside it after it: its messages then lead to the layer.
    fn layer_with_helpers(&mut self, layer: &'w Layer) -> Told<()> {
        let first = self.definition.num_layers()?;
        match layers::tell(self, layer)? {
            Emitted::One(one) => self.finish(layer, one)?,
            Emitted::Each(each) => self.finish_each(layer, &each)?,
        }
        for index in first..self.definition.num_layers()? {
            let helper = self.definition.get_layer(index)?;
            if helper.name().starts_with(UNNAMED) {
                helper.set_name(&format!("{}/{}", layer.name, index - first))?;
            }
        }
        Ok(())
    }

    /// Names a layer and takes its outputs, each checked.
    fn finish(&mut self, layer: &Layer, told: trt::Layer<'n>) -> Told<()> {
        told.set_name(&layer.name)?;
        told.set_metadata(&layer.origin.to_string())?;
        for (index, id) in layer.outputs.iter().enumerate() {
            let ours = self.network.tensor(*id);
            self.set_types(layer, told, (index, ours.dtype))?;
            let tensor = told.output(index)?;
            match &layer.op {
                Op::Plugin(plugin) => self.check_declared(plugin, index, (ours, tensor))?,
                _ => self.check(ours, tensor)?,
            }
            self.tensors[id.0 as usize] = Some(tensor);
        }
        Ok(())
    }

    /// Takes the outputs of a layer that TensorRT has as several, one for each output: the first has its name.
    fn finish_each(&mut self, layer: &Layer, emitted: &[trt::Layer<'n>]) -> Told<()> {
        for (index, (id, emitted)) in layer.outputs.iter().zip(emitted).enumerate() {
            let name = if index == 0 { layer.name.clone() } else { format!("{}:{index}", layer.name) };
            emitted.set_name(&name)?;
            emitted.set_metadata(&layer.origin.to_string())?;
            let ours = self.network.tensor(*id);
            self.set_types(layer, *emitted, (0, ours.dtype))?;
            let tensor = emitted.output(0)?;
            self.check(ours, tensor)?;
            self.tensors[id.0 as usize] = Some(tensor);
        }
        Ok(())
    }

    /// Where types do not flow through the network, says the type of a layer's output: 8.6 would choose it.
    fn set_types(&self, layer: &Layer, told: trt::Layer<'n>, (index, dtype): (usize, DType)) -> Told<()> {
        if self.strongly_typed() || !dtype.is_float() || matches!(layer.op, Op::Constant(_) | Op::Plugin(_)) {
            return Ok(());
        }
        if !matches!(layer.op, Op::Shape | Op::Cast { .. } | Op::Quantize { .. } | Op::Dequantize { .. }) {
            told.set_precision(dtype.to_trt())?;
        }
        Ok(told.set_output_type(index, dtype.to_trt())?)
    }

    /// Whether types flow through the network: always but in 8.6.
    pub(crate) fn strongly_typed(&self) -> bool {
        self.definition.version().family().can_be_strongly_typed()
    }

    /// The registered plugin creators.
    pub(crate) fn plugins(&self) -> Told<trt::PluginRegistry> {
        Ok(self.library.plugin_registry()?)
    }

    /// Compares an output of a plugin, as its library infers it, with the layer's declaration.
    fn check_declared(
        &self,
        plugin: &PluginAttributes,
        index: usize,
        (ours, made): (&network::Tensor, trt::Tensor<'n>),
    ) -> Told<()> {
        let (dims, dtype) = (made.dims()?, made.dtype()?);
        // Plugins choose their output types also where types do not flow through the network.
        if has_sizes(&dims, ours) && dtype == ours.dtype.to_trt() {
            return Ok(());
        }
        Err(Fault::Declaration(format!(
            "plugin `{}` makes {dtype:?}{:?} of output {index}, its layer declares {}",
            plugin.title(),
            &*dims,
            ours.type_text()
        )))
    }

    /// Has TensorRT infer a tensor, and compares with what the network says of it.
    fn check(&self, ours: &network::Tensor, told: trt::Tensor<'n>) -> Told<()> {
        let (dims, dtype) = (told.dims()?, told.dtype()?);
        if has_sizes(&dims, ours) && (!self.strongly_typed() || dtype == ours.dtype.to_trt()) {
            return Ok(());
        }
        let problem = format!("TensorRT makes {dtype:?}{:?} of it, the network says {}", &*dims, ours.type_text());
        Err(Fault::Problem(problem))
    }

    fn outputs(&mut self) -> Result<()> {
        let network = self.network;
        let mut taken: HashSet<_> = network.inputs().iter().map(|port| port.tensor).collect();
        for port in network.outputs() {
            // A tensor is an output once and under one name; another output of it, or of an input, is a copy.
            let copy = !taken.insert(port.tensor);
            let told = self.told_output(&port.name, port.tensor, copy);
            told.map_err(|e| self.fault(e, Place::output(&port.name, network, port.tensor)))?;
        }
        Ok(())
    }

    fn told_output(&mut self, name: &str, id: TensorId, copy: bool) -> Told<()> {
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

    fn fault(&self, fault: Fault, place: Place) -> Error {
        fault.at(self.definition.version(), place)
    }

    /// TensorRT's tensor for one of ours. A constant becomes a layer here, at its first use.
    pub(crate) fn tensor(&mut self, id: TensorId) -> Told<trt::Tensor<'n>> {
        if let Some(tensor) = self.tensors[id.0 as usize] {
            return Ok(tensor);
        }
        let network = self.network;
        let (Some(layer), Some(weights)) = (network.producer(id), network.constant(id)) else {
            return Err(Fault::Problem(format!("tensor {} is used before it is made", id.0)));
        };
        let told = self.weights(weights).and_then(|told| Ok(self.definition.add_constant(&weights.dims, told)?));
        let done = told.and_then(|told| {
            self.finish(layer, told)?;
            self.name_weights([id])?;
            Ok(told.output(0)?)
        });
        Ok(done.map_err(|e| self.fault(e, Place::layer(network, layer)))?)
    }

    /// Gives weights the names of the constants they are.
    fn name_weights(&mut self, ids: impl IntoIterator<Item = TensorId>) -> Told<()> {
        for id in ids {
            let (Some(layer), Some(weights)) = (self.network.producer(id), self.network.constant(id)) else { continue };
            if self.names.as_mut().is_some_and(|names| names.insert(id)) {
                self.definition.set_weights_name(self.weights(weights)?, &layer.name)?;
            }
        }
        Ok(())
    }

    /// TensorRT's view of a constant's bytes: where they are, unless they are not aligned for their type.
    pub(crate) fn weights(&self, weights: &'w Weights) -> Told<trt::Weights<'w>> {
        let (bytes, align) = (&weights.data, weights.dtype.size());
        let aligned = bytes.as_ptr().addr().is_multiple_of(align);
        let bytes = if aligned { &bytes[..] } else { self.aligned_copy(bytes, align) };
        Ok(trt::Weights::new(weights.dtype.to_trt(), bytes)?)
    }

    fn aligned_copy(&self, bytes: &[u8], align: usize) -> &'w [u8] {
        let room = self.store.alloc_slice_fill_copy(bytes.len() + align, 0u8);
        let start = room.as_ptr().addr().next_multiple_of(align) - room.as_ptr().addr();
        let place = &mut room[start..start + bytes.len()];
        place.copy_from_slice(bytes);
        place
    }

    /// A small constant of int64, or int32 where the version has no other, that no layer of the network stands for,
    /// such as the axes of a squeeze.
    pub(crate) fn integers(&self, dims: &[i64], values: &[i64]) -> Told<trt::Tensor<'n>> {
        let weights = if trt::DataType::Int64.is_in(self.definition.version()) {
            trt::Weights::of::<i64>(self.store.alloc_slice_copy(values))
        } else {
            let narrow = |v: &i64| i32::try_from(*v).map_err(|_| too_wide(*v));
            let values = values.iter().map(narrow).collect::<Told<Vec<i32>>>()?;
            trt::Weights::of::<i32>(self.store.alloc_slice_copy(&values))
        };
        Ok(self.definition.add_constant(dims, weights)?.output(0)?)
    }

    /// A small constant of float32 that no layer of the network stands for.
    pub(crate) fn floats(&self, values: &[f32]) -> trt::Weights<'w> {
        trt::Weights::of::<f32>(self.store.alloc_slice_copy(values))
    }

    /// A small constant of int32 that no layer of the network stands for.
    pub(crate) fn int32s(&self, values: &[i32]) -> trt::Weights<'w> {
        trt::Weights::of::<i32>(self.store.alloc_slice_copy(values))
    }

    /// The input of a layer at a position, which must be there.
    pub(crate) fn input(&mut self, layer: &Layer, index: usize) -> Told<trt::Tensor<'n>> {
        match layer.input(index) {
            Some(id) => self.tensor(id),
            None => Err(Fault::Problem(format!("input {index} of the layer is missing"))),
        }
    }

    /// The input of a layer at a position, where it is there.
    pub(crate) fn optional(&mut self, layer: &Layer, index: usize) -> Told<Option<trt::Tensor<'n>>> {
        layer.input(index).map(|id| self.tensor(id)).transpose()
    }

    /// All inputs of a layer that are there.
    pub(crate) fn all(&mut self, layer: &Layer) -> Told<Vec<trt::Tensor<'n>>> {
        layer.used().map(|id| self.tensor(id)).collect()
    }

    /// The constant behind an input, where it is one.
    pub(crate) fn constant_input(&self, layer: &Layer, index: usize) -> Option<&'w Weights> {
        self.network.constant(layer.input(index)?)
    }

    /// Number of axes of an input.
    pub(crate) fn rank(&self, layer: &Layer, index: usize) -> usize {
        layer.input(index).map_or(0, |id| self.network.tensor(id).rank())
    }

    /// Element type of an input; float32 for an absent one.
    pub(crate) fn dtype(&self, layer: &Layer, index: usize) -> DType {
        layer.input(index).map_or(DType::Float32, |id| self.network.tensor(id).dtype)
    }

    /// Gives a layer the inputs that are there, each at the same position in TensorRT's layer.
    pub(crate) fn set_inputs(&mut self, layer: &Layer, told: &trt::Layer<'n>, positions: Range<usize>) -> Told<()> {
        for index in positions {
            if let Some(tensor) = self.optional(layer, index)? {
                told.set_input(index, tensor)?;
            }
        }
        Ok(())
    }
}

/// Whether TensorRT infers the sizes of a tensor as the network has them, as far as both are static.
fn has_sizes(inferred: &[i64], ours: &network::Tensor) -> bool {
    let is = |(inferred, own): (&i64, &Dim)| *inferred == -1 || own.as_static().is_none_or(|own| *inferred == own);
    inferred.len() == ours.dims.len() && inferred.iter().zip(&ours.dims).all(is)
}

/// Whether TensorRT's layer takes constants as weights, not as tensors.
fn takes_weights(op: &Op) -> bool {
    matches!(op, Op::Convolution(_) | Op::Deconvolution(_) | Op::Scale { .. })
}

fn too_wide(value: i64) -> Fault {
    Fault::TensorRt(trt::Error::OutOfRange { what: "a number without int64", value })
}
