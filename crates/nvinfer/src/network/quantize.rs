//! Layers between floats and quantized numbers.

use super::*;

adds! {
    /// Adds quantization with scales computed while running, one for each block of `block` elements along `axis`
    /// (`addDynamicQuantize`, from 10.8). Output 0 has the type `dtype`, output 1 the scales of type `scale`.
    fn add_dynamic_quantize(
        input: Tensor<'_>,
        axis: usize,
        block: usize,
        dtype: DataType,
        scale: DataType
    ) -> Layer = ADD_DYNAMIC_QUANTIZE;
}

layers! {
    /// A quantized tensor from a float one (`IQuantizeLayer`).
    QuantizeLayer = quantize_layer {
        /// Sets the axis of the scales, when there is one for each channel.
        fn set_axis(axis: usize) = SET_AXIS;
    }, dims {
        /// Sets the block that shares a scale (from 10.16).
        set_block_shape -> Done = SET_BLOCK_SHAPE;
    }

    /// A float tensor from a quantized one (`IDequantizeLayer`).
    DequantizeLayer = dequantize_layer {
        /// Sets the axis of the scales, when there is one for each channel.
        fn set_axis(axis: usize) = SET_AXIS;
    }, dims {
        /// Sets the block that shares a scale (from 10.16).
        set_block_shape -> Done = SET_BLOCK_SHAPE;
    }
}

impl Network<'_> {
    /// Adds quantization to a type (`addQuantizeV2`, or `addQuantize` for int8 in 8.6).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for other than int8 in 8.6; [`Error::Refused`].
    pub fn add_quantize(&self, input: Tensor<'_>, scale: Tensor<'_>, dtype: DataType) -> Result<QuantizeLayer<'_>> {
        let (input, scale) = (self.own(input)?, self.own(scale)?);
        let old = dtype == DataType::Int8 && !self.object.host().has(&table::ADD_QUANTIZE_V2);
        // SAFETY: the tensors are of this network.
        let made = unsafe {
            if old {
                raw::add_quantize(self.raw(), input, scale)
            } else {
                raw::add_quantize_v2(self.raw(), input, scale, dtype.number(self.version())?)
            }
        };
        Ok(QuantizeLayer(self.layer(made?)))
    }

    /// Adds dequantization to a float type (`addDequantizeV2`, or `addDequantize` for float32 in 8.6).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for other than float32 in 8.6; [`Error::Refused`].
    pub fn add_dequantize(&self, input: Tensor<'_>, scale: Tensor<'_>, dtype: DataType) -> Result<DequantizeLayer<'_>> {
        let (input, scale) = (self.own(input)?, self.own(scale)?);
        let old = dtype == DataType::Float && !self.object.host().has(&table::ADD_DEQUANTIZE_V2);
        // SAFETY: the tensors are of this network.
        let made = unsafe {
            if old {
                raw::add_dequantize(self.raw(), input, scale)
            } else {
                raw::add_dequantize_v2(self.raw(), input, scale, dtype.number(self.version())?)
            }
        };
        Ok(DequantizeLayer(self.layer(made?)))
    }

    /// Adds quantization with scales computed while running, for blocks of any shape (`addDynamicQuantizeV2`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`], [`Error::Refused`].
    pub fn add_dynamic_quantize_v2(
        &self,
        input: Tensor<'_>,
        block: &[i64],
        dtype: DataType,
        scale: DataType,
    ) -> Result<Layer<'_>> {
        let (input, block, version) = (self.own(input)?, Dims::new(block)?, self.version());
        let (dtype, scale) = (dtype.number(version)?, scale.number(version)?);
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { raw::add_dynamic_quantize_v2(self.raw(), input, &block, dtype, scale) }?))
    }
}

/// The calls that `adds!` and `layers!` cannot declare.
pub(crate) mod raw {
    use crate::raw::arguments::*;

    calls! { network_definition at IMPL {
        fn add_quantize(input: Tensor, scale: Tensor) -> Made = ADD_QUANTIZE;
        fn add_quantize_v2(input: Tensor, scale: Tensor, dtype: i32) -> Made = ADD_QUANTIZE_V2;
        fn add_dequantize(input: Tensor, scale: Tensor) -> Made = ADD_DEQUANTIZE;
        fn add_dequantize_v2(input: Tensor, scale: Tensor, dtype: i32) -> Made = ADD_DEQUANTIZE_V2;
        dims fn add_dynamic_quantize_v2(input: Tensor; block; dtype: i32, scale: i32) -> Made = ADD_DYNAMIC_QUANTIZE_V2;
    } }
}
