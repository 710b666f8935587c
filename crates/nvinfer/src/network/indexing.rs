//! Layers that move, count or find elements by index.

use super::*;

adds! {
    /// Adds elements by index (`addGatherV2`); the axis is set on the layer.
    fn add_gather(data: Tensor<'_>, indices: Tensor<'_>, mode: GatherMode) -> GatherLayer = ADD_GATHER_V2;

    /// Adds elements replaced by index (`addScatter`); the axis is set on the layer.
    fn add_scatter(
        data: Tensor<'_>,
        indices: Tensor<'_>,
        updates: Tensor<'_>,
        mode: ScatterMode
    ) -> ScatterLayer = ADD_SCATTER;

    /// Adds a one-hot encoding; `values` holds off and on (`addOneHot`).
    fn add_one_hot(indices: Tensor<'_>, values: Tensor<'_>, depth: Tensor<'_>, axis: i32) -> Layer = ADD_ONE_HOT;

    /// Adds reversed subsequences (`addReverseSequence`).
    fn add_reverse_sequence(input: Tensor<'_>, lengths: Tensor<'_>) -> ReverseSequenceLayer = ADD_REVERSE_SEQUENCE;
}

layers! {
    /// Elements by index (`IGatherLayer`).
    GatherLayer = gather_layer {
        /// Sets the axis to index.
        fn set_axis(axis: usize) = SET_GATHER_AXIS;
        /// Sets how many leading dimensions are batch dimensions.
        fn set_num_elementwise_dims(count: usize) = SET_NB_ELEMENT_WISE_DIMS;
        /// Sets how indices are read.
        fn set_mode(mode: GatherMode) = SET_MODE;
    }

    /// Elements replaced by index (`IScatterLayer`).
    ScatterLayer = scatter_layer {
        /// Sets the axis to index.
        fn set_axis(axis: usize) = SET_AXIS;
    }

    /// Non-maximum suppression (`INMSLayer`). Inputs 3 and 4 are the IoU and score thresholds.
    NmsLayer = nms_layer {
        /// Sets the form of the boxes.
        fn set_bounding_box_format(format: BoundingBoxFormat) = SET_BOUNDING_BOX_FORMAT;
        /// Sets how many boxes of each class are looked at.
        fn set_topk_box_limit(limit: usize) = SET_TOPK_BOX_LIMIT;
    }

    /// Reversed subsequences (`IReverseSequenceLayer`).
    ReverseSequenceLayer = reverse_sequence_layer {
        /// Sets the batch axis; the default is 1.
        fn set_batch_axis(axis: usize) = SET_BATCH_AXIS;
        /// Sets the sequence axis; the default is 0.
        fn set_sequence_axis(axis: usize) = SET_SEQUENCE_AXIS;
    }
}

impl Network<'_> {
    /// Adds the indices of non-zero elements (`addNonZero`, or `addNonZeroV2` for int64 indices).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for other than int32 `indices` where only `addNonZero` is; [`Error::Refused`].
    pub fn add_non_zero(&self, input: Tensor<'_>, indices: DataType) -> Result<Layer<'_>> {
        let input = self.own(input)?;
        // SAFETY: the tensor is of this network.
        let made = unsafe {
            if indices == DataType::Int32 {
                raw::add_non_zero(self.raw(), input)
            } else {
                raw::add_non_zero_v2(self.raw(), input, indices.number(self.version())?)
            }
        };
        Ok(self.layer(made?))
    }

    /// Adds non-maximum suppression (`addNMS`, or `addNMSV2` for int64 indices).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for other than int32 `indices` where only `addNMS` is; [`Error::Refused`].
    pub fn add_nms(
        &self,
        boxes: Tensor<'_>,
        scores: Tensor<'_>,
        most: Tensor<'_>,
        indices: DataType,
    ) -> Result<NmsLayer<'_>> {
        let (boxes, scores, most) = (self.own(boxes)?, self.own(scores)?, self.own(most)?);
        // SAFETY: the tensors are of this network.
        let made = unsafe {
            if indices == DataType::Int32 {
                raw::add_nms(self.raw(), boxes, scores, most)
            } else {
                raw::add_nms_v2(self.raw(), boxes, scores, most, indices.number(self.version())?)
            }
        };
        Ok(NmsLayer(self.layer(made?)))
    }
}

/// The calls that `adds!` and `layers!` cannot declare.
pub(crate) mod raw {
    use crate::raw::arguments::*;

    calls! { network_definition at IMPL {
        fn add_non_zero(input: Tensor) -> Made = ADD_NON_ZERO;
        fn add_non_zero_v2(input: Tensor, indices: i32) -> Made = ADD_NON_ZERO_V2;
        fn add_nms(boxes: Tensor, scores: Tensor, most: Tensor) -> Made = ADD_NMS;
        fn add_nms_v2(boxes: Tensor, scores: Tensor, most: Tensor, indices: i32) -> Made = ADD_NMS_V2;
    } }
}
