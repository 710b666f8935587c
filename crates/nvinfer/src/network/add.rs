//! Adding layers that every version has. Where 10 and 11 ask for a type that 8.6 does not, the caller says it always
//! and the call is chosen here; a type that the older call cannot give is "not in this version".

use std::ffi::c_void;

use super::*;
use crate::dims::Dims;
use crate::sys::tables::network_definition as table;
use crate::types::{
    ActivationType, ElementWiseOperation, MatrixOperation, PoolingType, ReduceOperation, ScaleMode, UnaryOperation,
};
use crate::weights::Axes;

/// The weights of a scale layer; any of them may be none.
#[derive(Clone, Copy, Debug)]
pub struct ScaleWeights<'w> {
    /// Added after scaling.
    pub shift: Weights<'w>,
    /// Multiplied first.
    pub scale: Weights<'w>,
    /// Exponent, last.
    pub power: Weights<'w>,
}

/// The parameters of local response normalization.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LrnParameters {
    /// Size of the window over channels, odd.
    pub window: i64,
    /// Factor.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// Addend.
    pub k: f32,
}

impl<'w> Network<'w> {
    /// Adds a pointwise function (`addActivation`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for GELU in 8.6; [`Error::Refused`].
    pub fn add_activation(&self, input: Tensor<'_>, kind: ActivationType) -> Result<ActivationLayer<'_>> {
        let (input, kind) = (self.own(input)?, kind.number(self.version())?);
        // SAFETY: the tensor is of this network.
        Ok(ActivationLayer(self.layer(unsafe { raw::add_activation(self.raw(), input, kind) }?)))
    }

    /// Adds local response normalization (`addLRN`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_lrn(&self, input: Tensor<'_>, lrn: LrnParameters) -> Result<Layer<'_>> {
        let input = self.own(input)?;
        // SAFETY: the tensor is of this network.
        let made = unsafe { raw::add_lrn(self.raw(), input, lrn.window, lrn.alpha, lrn.beta, lrn.k) };
        Ok(self.layer(made?))
    }

    /// Adds (x * scale + shift) to a power (`addScaleNd`), with the channels at `channel_axis`.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_scale(
        &self,
        input: Tensor<'_>,
        mode: ScaleMode,
        weights: ScaleWeights<'w>,
        channel_axis: usize,
    ) -> Result<ScaleLayer<'_>> {
        let (input, version) = (self.own(input)?, self.version());
        let (shift, scale) = (weights.shift.raw(version)?, weights.scale.raw(version)?);
        let power = weights.power.raw(version)?;
        let (mode, axis) = (mode.number(version)?, c_int("the channel axis", channel_axis)?);
        // SAFETY: the tensor is of this network, and the weights live as long as it.
        let made = unsafe { raw::add_scale_nd(self.raw(), input, mode, shift, scale, power, axis) };
        Ok(ScaleLayer(self.layer(made?)))
    }

    /// Adds softmax (`addSoftMax`); the axis is set on the layer.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_softmax(&self, input: Tensor<'_>) -> Result<SoftMaxLayer<'_>> {
        let input = self.own(input)?;
        // SAFETY: the tensor is of this network.
        Ok(SoftMaxLayer(self.layer(unsafe { raw::add_soft_max(self.raw(), input) }?)))
    }

    /// Adds softmax over sequences of run-time length (`addRaggedSoftMax`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_ragged_softmax(&self, input: Tensor<'_>, bounds: Tensor<'_>) -> Result<Layer<'_>> {
        let (input, bounds) = (self.own(input)?, self.own(bounds)?);
        // SAFETY: the tensors are of this network.
        Ok(self.layer(unsafe { raw::add_ragged_soft_max(self.raw(), input, bounds) }?))
    }

    pub(super) fn own_all(&self, tensors: &[Tensor<'_>]) -> Result<(Vec<*mut c_void>, i32)> {
        let all = tensors.iter().map(|t| self.own(*t)).collect::<Result<Vec<_>>>()?;
        let count = c_int("the number of inputs", all.len())?;
        Ok((all, count))
    }

    /// Adds a function of two tensors, with broadcasting over extents of 1 (`addElementWise`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_elementwise(&self, a: Tensor<'_>, b: Tensor<'_>, operation: ElementWiseOperation) -> Result<Layer<'_>> {
        let (a, b, operation) = (self.own(a)?, self.own(b)?, operation.number(self.version())?);
        // SAFETY: the tensors are of this network.
        Ok(self.layer(unsafe { raw::add_element_wise(self.raw(), a, b, operation) }?))
    }

    /// Adds a function of one tensor (`addUnary`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for `Isnan` before 10.3; [`Error::Refused`].
    pub fn add_unary(&self, input: Tensor<'_>, operation: UnaryOperation) -> Result<Layer<'_>> {
        let (input, operation) = (self.own(input)?, operation.number(self.version())?);
        // SAFETY: the tensor is of this network.
        Ok(self.layer(unsafe { raw::add_unary(self.raw(), input, operation) }?))
    }

    /// Adds a reduction over axes (`addReduce`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_reduce(
        &self,
        input: Tensor<'_>,
        operation: ReduceOperation,
        axes: Axes,
        keep: bool,
    ) -> Result<ReduceLayer<'_>> {
        let (input, operation) = (self.own(input)?, operation.number(self.version())?);
        // SAFETY: the tensor is of this network.
        let made = unsafe { raw::add_reduce(self.raw(), input, operation, axes.mask(), keep) };
        Ok(ReduceLayer(self.layer(made?)))
    }

    /// Adds a product of matrices (`addMatrixMultiply`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_matrix_multiply(
        &self,
        a: Tensor<'_>,
        a_operation: MatrixOperation,
        b: Tensor<'_>,
        b_operation: MatrixOperation,
    ) -> Result<MatrixMultiplyLayer<'_>> {
        let (a, b, version) = (self.own(a)?, self.own(b)?, self.version());
        let (a_operation, b_operation) = (a_operation.number(version)?, b_operation.number(version)?);
        // SAFETY: the tensors are of this network.
        let made = unsafe { raw::add_matrix_multiply(self.raw(), a, a_operation, b, b_operation) };
        Ok(MatrixMultiplyLayer(self.layer(made?)))
    }

    /// Adds x, or slope * x below 0 (`addParametricReLU`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_parametric_relu(&self, input: Tensor<'_>, slope: Tensor<'_>) -> Result<Layer<'_>> {
        let (input, slope) = (self.own(input)?, self.own(slope)?);
        // SAFETY: the tensors are of this network.
        Ok(self.layer(unsafe { raw::add_parametric_relu(self.raw(), input, slope) }?))
    }

    /// Adds a convolution (`addConvolutionNd`). The kernel's weights are `maps` × input channels / groups × kernel.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_convolution(
        &self,
        input: Tensor<'_>,
        maps: i64,
        kernel: &[i64],
        weights: Weights<'w>,
        bias: Weights<'w>,
    ) -> Result<ConvolutionLayer<'_>> {
        let (input, kernel) = (self.own(input)?, Dims::new(kernel)?);
        let (weights, bias) = (weights.raw(self.version())?, bias.raw(self.version())?);
        // SAFETY: the tensor is of this network, and the weights live as long as it.
        let made = unsafe { raw::add_convolution_nd(self.raw(), input, maps, &kernel, weights, bias) };
        Ok(ConvolutionLayer(self.layer(made?)))
    }

    /// Adds a transposed convolution (`addDeconvolutionNd`). The kernel's weights are input channels × `maps` / groups
    /// × kernel.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_deconvolution(
        &self,
        input: Tensor<'_>,
        maps: i64,
        kernel: &[i64],
        weights: Weights<'w>,
        bias: Weights<'w>,
    ) -> Result<DeconvolutionLayer<'_>> {
        let (input, kernel) = (self.own(input)?, Dims::new(kernel)?);
        let (weights, bias) = (weights.raw(self.version())?, bias.raw(self.version())?);
        // SAFETY: the tensor is of this network, and the weights live as long as it.
        let made = unsafe { raw::add_deconvolution_nd(self.raw(), input, maps, &kernel, weights, bias) };
        Ok(DeconvolutionLayer(self.layer(made?)))
    }

    /// Adds a reduction over a sliding window (`addPoolingNd`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_pooling(&self, input: Tensor<'_>, kind: PoolingType, window: &[i64]) -> Result<PoolingLayer<'_>> {
        let (input, kind, window) = (self.own(input)?, kind.number(self.version())?, Dims::new(window)?);
        // SAFETY: the tensor is of this network.
        Ok(PoolingLayer(self.layer(unsafe { raw::add_pooling_nd(self.raw(), input, kind, &window) }?)))
    }

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

    /// Adds an Einstein sum, such as `"bij,bjk->bik"` (`addEinsum`).
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_einsum(&self, inputs: &[Tensor<'_>], equation: &str) -> Result<Layer<'_>> {
        let (inputs, count) = self.own_all(inputs)?;
        let equation = c_text("an equation", equation)?;
        // SAFETY: the tensors are of this network; TensorRT copies the list and the text.
        Ok(self.layer(unsafe { raw::add_einsum(self.raw(), inputs.as_ptr(), count, equation.as_ptr()) }?))
    }

    /// Adds a normalization over `axes` (`addNormalization`). Scale and bias have the input's rank.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn add_normalization(
        &self,
        input: Tensor<'_>,
        scale: Tensor<'_>,
        bias: Tensor<'_>,
        axes: Axes,
    ) -> Result<NormalizationLayer<'_>> {
        let (input, scale, bias) = (self.own(input)?, self.own(scale)?, self.own(bias)?);
        // SAFETY: the tensors are of this network.
        let made = unsafe { raw::add_normalization(self.raw(), input, scale, bias, axes.mask()) };
        Ok(NormalizationLayer(self.layer(made?)))
    }
}
