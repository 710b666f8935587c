//! What tensors and layers are: element types, memory layouts, kinds of layers.

use super::numbered;

numbered! {
    /// Element type of a tensor or of weights (`DataType`).
    DataType = data_type {
        /// 32-bit IEEE float.
        Float = FLOAT,
        /// 16-bit IEEE float.
        Half = HALF,
        /// Signed 8-bit quantized or plain integer.
        Int8 = INT8,
        /// Signed 32-bit integer.
        Int32 = INT32,
        /// One byte, 0 or 1.
        Bool = BOOL,
        /// Unsigned 8-bit integer, for network inputs and outputs.
        UInt8 = UINT8,
        /// 8-bit float, 4 exponent and 3 mantissa bits.
        Fp8 = FP8,
        /// bfloat16.
        BFloat16 = BF16,
        /// Signed 64-bit integer.
        Int64 = INT64,
        /// Signed 4-bit integer, two to a byte.
        Int4 = INT4,
        /// 4-bit float, 2 exponent and 1 mantissa bit, two to a byte.
        Fp4 = FP4,
        /// 8-bit exponent, for block scales.
        E8M0 = E8M0,
    }
}

impl DataType {
    /// Size of an element in bits.
    pub fn bits(self) -> usize {
        match self {
            Self::Float | Self::Int32 => 32,
            Self::Half | Self::BFloat16 => 16,
            Self::Int8 | Self::Bool | Self::UInt8 | Self::Fp8 | Self::E8M0 => 8,
            Self::Int64 => 64,
            Self::Int4 | Self::Fp4 => 4,
        }
    }
}

numbered! {
    /// Kind of a layer (`LayerType`).
    LayerType = layer_type {
        /// Convolution.
        Convolution = CONVOLUTION,
        /// Cast.
        Cast = CAST,
        /// Activation.
        Activation = ACTIVATION,
        /// Pooling.
        Pooling = POOLING,
        /// Local response normalization.
        Lrn = LRN,
        /// Scale.
        Scale = SCALE,
        /// Softmax.
        SoftMax = SOFTMAX,
        /// Deconvolution.
        Deconvolution = DECONVOLUTION,
        /// Concatenation.
        Concatenation = CONCATENATION,
        /// Elementwise.
        ElementWise = ELEMENTWISE,
        /// Unary.
        Unary = UNARY,
        /// Padding.
        Padding = PADDING,
        /// Shuffle.
        Shuffle = SHUFFLE,
        /// Reduce.
        Reduce = REDUCE,
        /// Top-k.
        TopK = TOPK,
        /// Gather.
        Gather = GATHER,
        /// Matrix multiply.
        MatrixMultiply = MATRIX_MULTIPLY,
        /// Ragged softmax.
        RaggedSoftMax = RAGGED_SOFTMAX,
        /// Constant.
        Constant = CONSTANT,
        /// Identity.
        Identity = IDENTITY,
        /// Slice.
        Slice = SLICE,
        /// Shape.
        Shape = SHAPE,
        /// Parametric ReLU.
        ParametricRelu = PARAMETRIC_RELU,
        /// Resize.
        Resize = RESIZE,
        /// Trip limit of a loop.
        TripLimit = TRIP_LIMIT,
        /// Recurrence of a loop.
        Recurrence = RECURRENCE,
        /// Iterator of a loop.
        Iterator = ITERATOR,
        /// Output of a loop.
        LoopOutput = LOOP_OUTPUT,
        /// Select.
        Select = SELECT,
        /// Fill.
        Fill = FILL,
        /// Quantize.
        Quantize = QUANTIZE,
        /// Dequantize.
        Dequantize = DEQUANTIZE,
        /// Condition of a conditional.
        Condition = CONDITION,
        /// Input of a conditional.
        ConditionalInput = CONDITIONAL_INPUT,
        /// Output of a conditional.
        ConditionalOutput = CONDITIONAL_OUTPUT,
        /// Scatter.
        Scatter = SCATTER,
        /// Einsum.
        Einsum = EINSUM,
        /// Assertion.
        Assertion = ASSERTION,
        /// One-hot.
        OneHot = ONE_HOT,
        /// Non-zero.
        NonZero = NON_ZERO,
        /// Grid sample.
        GridSample = GRID_SAMPLE,
        /// Non-maximum suppression.
        Nms = NMS,
        /// Reverse sequence.
        ReverseSequence = REVERSE_SEQUENCE,
        /// Normalization.
        Normalization = NORMALIZATION,
        /// Squeeze.
        Squeeze = SQUEEZE,
        /// Unsqueeze.
        Unsqueeze = UNSQUEEZE,
        /// Cumulative.
        Cumulative = CUMULATIVE,
        /// Dynamic quantize.
        DynamicQuantize = DYNAMIC_QUANTIZE,
        /// Input of an attention.
        AttentionInput = ATTENTION_INPUT,
        /// Output of an attention.
        AttentionOutput = ATTENTION_OUTPUT,
        /// Rotary embedding.
        RotaryEmbedding = ROTARY_EMBEDDING,
        /// Key-value cache update.
        KvCacheUpdate = KVCACHE_UPDATE,
        /// Mixture of experts.
        Moe = MOE,
        /// Exchange between devices.
        DistCollective = DIST_COLLECTIVE,
    }
}

numbered! {
    /// Memory layout of a network input or output (`TensorFormat`).
    TensorFormat = tensor_format {
        /// Row-major.
        Linear = LINEAR,
        /// Two channels together.
        Chw2 = CHW2,
        /// Channels last, padded to 8.
        Hwc8 = HWC8,
        /// Four channels together.
        Chw4 = CHW4,
        /// Sixteen channels together.
        Chw16 = CHW16,
        /// Thirty-two channels together.
        Chw32 = CHW32,
        /// As `Hwc8`, with depth.
        Dhwc8 = DHWC8,
        /// As `Chw32`, with depth.
        Cdhw32 = CDHW32,
        /// Channels last.
        Hwc = HWC,
        /// DLA's planar format.
        DlaLinear = DLA_LINEAR,
        /// DLA's image format.
        DlaHwc4 = DLA_HWC4,
        /// Channels last, padded to 16.
        Hwc16 = HWC16,
        /// Channels last, with depth.
        Dhwc = DHWC,
    }
}

numbered! {
    /// Where a tensor's data is (`TensorLocation`).
    TensorLocation = tensor_location {
        /// On the GPU.
        Device = DEVICE,
        /// In host memory.
        Host = HOST,
    }
}
