//! A network that is emitted in part: TensorRT's network, its tensors by our ids, and what adding a layer needs.
//!
//! Constants become layers only where some layer needs them as a tensor. This file must not know which calls make up a
//! layer, or in which order layers come.

use crate::enums::ToTensorRt;
use crate::error::{Error, Fault, Place, Result};
use bumpalo::Bump;
use network::{DType, Dim, Layer, Network, Op, PluginAttributes, TensorId, Weights};
use nvinfer as trt;
use std::collections::HashSet;
use std::ops::Range;

/// Result of the calls of one layer.
pub(crate) type EmitResult<T> = Result<T, Fault>;

/// A network that is emitted in part.
///
/// `'n` is the borrow of TensorRT's network, `'w` how long weights are borrowed.
pub(crate) struct NetworkEmitter<'n, 'w> {
    /// The network to emit.
    pub(crate) network: &'w Network,
    /// Where plugins are looked up.
    library: trt::Library,
    /// TensorRT's network, to which layers are added.
    pub(crate) definition: &'n trt::Network<'w>,
    /// Small constants that the emission itself needs.
    store: &'w Bump,
    /// Whether weights get the names of their constants, by which a refit finds them; those that have theirs.
    names: Option<HashSet<TensorId>>,
    /// TensorRT's tensors, by our ids.
    tensors: Vec<Option<trt::Tensor<'n>>>,
}

impl<'n, 'w> NetworkEmitter<'n, 'w> {
    /// Nothing is emitted yet. `named`: weights get the names of their constants.
    pub(crate) fn new(
        network: &'w Network,
        library: trt::Library,
        definition: &'n trt::Network<'w>,
        store: &'w Bump,
        named: bool,
    ) -> Self {
        let tensors = vec![None; network.tensor_count()];
        Self { network, library, definition, store, names: named.then(HashSet::new), tensors }
    }

    /// Sets TensorRT's tensor for one of ours.
    pub(crate) fn set_tensor(&mut self, id: TensorId, tensor: trt::Tensor<'n>) {
        self.tensors[id.0 as usize] = Some(tensor);
    }

    /// Names a layer and takes its outputs, each checked.
    pub(crate) fn finish(&mut self, layer: &Layer, added: trt::Layer<'n>) -> EmitResult<()> {
        added.set_name(&layer.name)?;
        added.set_metadata(&layer.origin.to_string())?;
        for (index, id) in layer.outputs.iter().enumerate() {
            let ours = self.network.tensor(*id);
            self.set_types(layer, added, (index, ours.dtype))?;
            let tensor = added.output(index)?;
            match &layer.op {
                Op::Plugin(plugin) => check_declared(plugin, index, (ours, tensor))?,
                _ => self.check(ours, tensor)?,
            }
            self.set_tensor(*id, tensor);
        }
        Ok(())
    }

    /// Takes the outputs of a layer that TensorRT has as several, one for each output: the first has its name.
    pub(crate) fn finish_each(&mut self, layer: &Layer, emitted: &[trt::Layer<'n>]) -> EmitResult<()> {
        for (index, (id, emitted)) in layer.outputs.iter().zip(emitted).enumerate() {
            let name = if index == 0 { layer.name.clone() } else { format!("{}:{index}", layer.name) };
            emitted.set_name(&name)?;
            emitted.set_metadata(&layer.origin.to_string())?;
            let ours = self.network.tensor(*id);
            self.set_types(layer, *emitted, (0, ours.dtype))?;
            let tensor = emitted.output(0)?;
            self.check(ours, tensor)?;
            self.set_tensor(*id, tensor);
        }
        Ok(())
    }

    /// Where types do not flow through the network, sets the type of a layer's output, which 8.6 would choose.
    fn set_types(&self, layer: &Layer, added: trt::Layer<'n>, (index, dtype): (usize, DType)) -> EmitResult<()> {
        if self.strongly_typed() || !dtype.is_float() || matches!(layer.op, Op::Constant(_) | Op::Plugin(_)) {
            return Ok(());
        }
        if !matches!(layer.op, Op::Shape | Op::Cast { .. } | Op::Quantize { .. } | Op::Dequantize { .. }) {
            added.set_precision(dtype.to_trt())?;
        }
        Ok(added.set_output_type(index, dtype.to_trt())?)
    }

    /// Whether types flow through the network: always but in 8.6.
    pub(crate) fn strongly_typed(&self) -> bool {
        self.definition.version().family().can_be_strongly_typed()
    }

    /// The registered plugin creators.
    pub(crate) fn plugins(&self) -> EmitResult<trt::PluginRegistry> {
        Ok(self.library.plugin_registry()?)
    }

    /// Has TensorRT infer a tensor, and compares with the network's own type.
    fn check(&self, ours: &network::Tensor, added: trt::Tensor<'n>) -> EmitResult<()> {
        let (dims, dtype) = (added.dims()?, added.dtype()?);
        if has_sizes(&dims, ours) && (!self.strongly_typed() || dtype == ours.dtype.to_trt()) {
            return Ok(());
        }
        let problem = format!("TensorRT makes {dtype:?}{:?} of it, the network has {}", &*dims, ours.type_text());
        Err(Fault::Problem(problem))
    }

    /// The error of a layer, input or output.
    pub(crate) fn fault(&self, fault: Fault, place: Place) -> Error {
        fault.at(self.definition.version(), place)
    }

    /// TensorRT's tensor for one of ours. A constant becomes a layer here, at its first use.
    pub(crate) fn tensor(&mut self, id: TensorId) -> EmitResult<trt::Tensor<'n>> {
        if let Some(tensor) = self.tensors[id.0 as usize] {
            return Ok(tensor);
        }
        let network = self.network;
        let (Some(layer), Some(weights)) = (network.producer(id), network.constant(id)) else {
            return Err(Fault::Problem(format!("tensor {} is used before it is made", id.0)));
        };
        let added = self.weights(weights).and_then(|added| Ok(self.definition.add_constant(&weights.dims, added)?));
        let done = added.and_then(|added| {
            self.finish(layer, added)?;
            self.name_weights([id])?;
            Ok(added.output(0)?)
        });
        Ok(done.map_err(|e| self.fault(e, Place::layer(network, layer)))?)
    }

    /// Gives weights the names of the constants they are.
    pub(crate) fn name_weights(&mut self, ids: impl IntoIterator<Item = TensorId>) -> EmitResult<()> {
        for id in ids {
            let (Some(layer), Some(weights)) = (self.network.producer(id), self.network.constant(id)) else { continue };
            if self.names.as_mut().is_some_and(|names| names.insert(id)) {
                self.definition.set_weights_name(self.weights(weights)?, &layer.name)?;
            }
        }
        Ok(())
    }

    /// TensorRT's view of a constant's bytes: where they are, unless they are not aligned for their type.
    pub(crate) fn weights(&self, weights: &'w Weights) -> EmitResult<trt::Weights<'w>> {
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
    pub(crate) fn integers(&self, dims: &[i64], values: &[i64]) -> EmitResult<trt::Tensor<'n>> {
        let weights = if trt::DataType::Int64.is_in(self.definition.version()) {
            trt::Weights::of::<i64>(self.store.alloc_slice_copy(values))
        } else {
            let narrow = |v: &i64| i32::try_from(*v).map_err(|_| too_wide(*v));
            let values = values.iter().map(narrow).collect::<EmitResult<Vec<i32>>>()?;
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
    pub(crate) fn input(&mut self, layer: &Layer, index: usize) -> EmitResult<trt::Tensor<'n>> {
        match layer.input(index) {
            Some(id) => self.tensor(id),
            None => Err(Fault::Problem(format!("input {index} of the layer is missing"))),
        }
    }

    /// The input of a layer at a position, where it is there.
    pub(crate) fn optional(&mut self, layer: &Layer, index: usize) -> EmitResult<Option<trt::Tensor<'n>>> {
        layer.input(index).map(|id| self.tensor(id)).transpose()
    }

    /// All inputs of a layer that are there.
    pub(crate) fn all(&mut self, layer: &Layer) -> EmitResult<Vec<trt::Tensor<'n>>> {
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
    pub(crate) fn set_inputs(
        &mut self,
        layer: &Layer,
        added: &trt::Layer<'n>,
        positions: Range<usize>,
    ) -> EmitResult<()> {
        for index in positions {
            if let Some(tensor) = self.optional(layer, index)? {
                added.set_input(index, tensor)?;
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

fn too_wide(value: i64) -> Fault {
    Fault::TensorRt(trt::Error::OutOfRange { what: "a number without int64", value })
}

/// Compares an output of a plugin, as its library infers it, with the layer's declaration.
fn check_declared(
    plugin: &PluginAttributes,
    index: usize,
    (ours, made): (&network::Tensor, trt::Tensor<'_>),
) -> EmitResult<()> {
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
