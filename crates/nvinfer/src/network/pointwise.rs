//! Layers that compute element by element.

use super::*;

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

adds! {
    /// Adds a pointwise function (`addActivation`).
    fn add_activation(input: Tensor<'_>, kind: ActivationType) -> ActivationLayer = ADD_ACTIVATION;

    /// Adds a function of one tensor (`addUnary`).
    fn add_unary(input: Tensor<'_>, operation: UnaryOperation) -> Layer = ADD_UNARY;

    /// Adds a function of two tensors, with broadcasting over extents of 1 (`addElementWise`).
    fn add_elementwise(a: Tensor<'_>, b: Tensor<'_>, operation: ElementWiseOperation) -> Layer = ADD_ELEMENT_WISE;

    /// Adds a choice between two tensors, element by element (`addSelect`).
    fn add_select(condition: Tensor<'_>, then: Tensor<'_>, otherwise: Tensor<'_>) -> Layer = ADD_SELECT;

    /// Adds x, or slope * x below 0 (`addParametricReLU`).
    fn add_parametric_relu(input: Tensor<'_>, slope: Tensor<'_>) -> Layer = ADD_PARAMETRIC_RELU;

    /// Adds a conversion to another type (`addCast`).
    fn add_cast(input: Tensor<'_>, dtype: DataType) -> Layer = ADD_CAST;

    /// Adds a copy (`addIdentity`).
    fn add_identity(input: Tensor<'_>) -> Layer = ADD_IDENTITY;
}

layers! {
    /// A pointwise function (`IActivationLayer`).
    ActivationLayer = activation_layer {
        /// Sets the function's alpha.
        fn set_alpha(alpha: f32) = SET_ALPHA;
        /// Sets the function's beta.
        fn set_beta(beta: f32) = SET_BETA;
    }

    /// (x * scale + shift) to a power (`IScaleLayer`).
    ScaleLayer = scale_layer {
        /// Sets the axis of the channels; the default is 1.
        fn set_channel_axis(axis: usize) = SET_CHANNEL_AXIS;
    }
}

impl<'w> Network<'w> {
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
}

/// The calls that `adds!` and `layers!` cannot declare.
pub(crate) mod raw {
    use crate::raw::arguments::*;

    calls! { network_definition at IMPL {
        fn add_scale_nd(input: Tensor, mode: i32, shift: RawWeights, scale: RawWeights, power: RawWeights, axis: i32)
            -> Made = ADD_SCALE_ND;
    } }
}
