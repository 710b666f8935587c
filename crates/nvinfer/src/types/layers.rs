//! What layers compute and how: the enums of layer attributes.

use super::numbered;

numbered! {
    /// What an activation layer computes (`ActivationType`).
    ActivationType = activation_type {
        /// max(x, 0).
        Relu = RELU,
        /// 1 / (1 + exp(-x)).
        Sigmoid = SIGMOID,
        /// tanh(x).
        Tanh = TANH,
        /// x, or alpha * x below 0.
        LeakyRelu = LEAKY_RELU,
        /// x, or alpha * (exp(x) - 1) below 0.
        Elu = ELU,
        /// beta * x, or beta * (alpha * exp(x) - alpha) below 0.
        Selu = SELU,
        /// x / (1 + |x|).
        Softsign = SOFTSIGN,
        /// alpha * log(exp(beta * x) + 1).
        Softplus = SOFTPLUS,
        /// min(max(x, alpha), beta).
        Clip = CLIP,
        /// min(max(alpha * x + beta, 0), 1).
        HardSigmoid = HARD_SIGMOID,
        /// alpha * tanh(beta * x).
        ScaledTanh = SCALED_TANH,
        /// x above alpha, else 0.
        ThresholdedRelu = THRESHOLDED_RELU,
        /// GELU by the error function.
        GeluErf = GELU_ERF,
        /// GELU by tanh.
        GeluTanh = GELU_TANH,
    }
}

numbered! {
    /// What an elementwise layer computes from two inputs (`ElementWiseOperation`).
    ElementWiseOperation = element_wise_operation {
        /// a + b.
        Sum = SUM,
        /// a * b.
        Prod = PROD,
        /// The greater.
        Max = MAX,
        /// The lesser.
        Min = MIN,
        /// a - b.
        Sub = SUB,
        /// a / b.
        Div = DIV,
        /// a to the power b.
        Pow = POW,
        /// a / b, rounded down.
        FloorDiv = FLOOR_DIV,
        /// Logical and.
        And = AND,
        /// Logical or.
        Or = OR,
        /// Logical exclusive or.
        Xor = XOR,
        /// a == b, as bool.
        Equal = EQUAL,
        /// a > b, as bool.
        Greater = GREATER,
        /// a < b, as bool.
        Less = LESS,
    }
}

numbered! {
    /// What a unary layer computes (`UnaryOperation`).
    UnaryOperation = unary_operation {
        /// exp(x).
        Exp = EXP,
        /// Natural logarithm.
        Log = LOG,
        /// Square root.
        Sqrt = SQRT,
        /// 1 / x.
        Recip = RECIP,
        /// |x|.
        Abs = ABS,
        /// -x.
        Neg = NEG,
        /// Sine.
        Sin = SIN,
        /// Cosine.
        Cos = COS,
        /// Tangent.
        Tan = TAN,
        /// Hyperbolic sine.
        Sinh = SINH,
        /// Hyperbolic cosine.
        Cosh = COSH,
        /// Inverse sine.
        Asin = ASIN,
        /// Inverse cosine.
        Acos = ACOS,
        /// Inverse tangent.
        Atan = ATAN,
        /// Inverse hyperbolic sine.
        Asinh = ASINH,
        /// Inverse hyperbolic cosine.
        Acosh = ACOSH,
        /// Inverse hyperbolic tangent.
        Atanh = ATANH,
        /// Rounded up.
        Ceil = CEIL,
        /// Rounded down.
        Floor = FLOOR,
        /// Gauss error function.
        Erf = ERF,
        /// Logical not.
        Not = NOT,
        /// -1, 0 or 1.
        Sign = SIGN,
        /// To the nearest integer, ties to even.
        Round = ROUND,
        /// Whether x is infinite, as bool.
        Isinf = ISINF,
        /// Whether x is not a number, as bool.
        Isnan = ISNAN,
    }
}

numbered! {
    /// What a reduce layer computes (`ReduceOperation`).
    ReduceOperation = reduce_operation {
        /// Sum.
        Sum = SUM,
        /// Product.
        Prod = PROD,
        /// Greatest.
        Max = MAX,
        /// Least.
        Min = MIN,
        /// Mean.
        Avg = AVG,
        /// None, for collectives that do not reduce.
        None = NONE,
    }
}

numbered! {
    /// What a pooling layer computes (`PoolingType`).
    PoolingType = pooling_type {
        /// Greatest in the window.
        Max = MAX,
        /// Mean of the window.
        Average = AVERAGE,
        /// (1 - blend) * max + blend * average.
        MaxAverageBlend = MAX_AVERAGE_BLEND,
    }
}

numbered! {
    /// How convolution, deconvolution and pooling pad and round (`PaddingMode`).
    PaddingMode = padding_mode {
        /// As set, output size rounded down.
        ExplicitRoundDown = EXPLICIT_ROUND_DOWN,
        /// As set, output size rounded up.
        ExplicitRoundUp = EXPLICIT_ROUND_UP,
        /// Same output size, the odd element after.
        SameUpper = SAME_UPPER,
        /// Same output size, the odd element before.
        SameLower = SAME_LOWER,
    }
}

numbered! {
    /// How a matrix operand is read (`MatrixOperation`).
    MatrixOperation = matrix_operation {
        /// As it is.
        None = NONE,
        /// Its last two dimensions swapped.
        Transpose = TRANSPOSE,
        /// As a vector in its last dimension.
        Vector = VECTOR,
    }
}

numbered! {
    /// How a scale layer's weights apply (`ScaleMode`).
    ScaleMode = scale_mode {
        /// One for the whole tensor.
        Uniform = UNIFORM,
        /// One for each channel.
        Channel = CHANNEL,
        /// One for each element.
        Elementwise = ELEMENTWISE,
    }
}

numbered! {
    /// How gather reads its indices (`GatherMode`).
    GatherMode = gather_mode {
        /// Along one axis, as numpy's take.
        Default = DEFAULT,
        /// One index for each element, as ONNX `GatherElements`.
        Element = ELEMENT,
        /// Index tuples, as ONNX `GatherND`.
        Nd = ND,
    }
}

numbered! {
    /// How scatter reads its indices (`ScatterMode`).
    ScatterMode = scatter_mode {
        /// One index for each element, as ONNX `ScatterElements`.
        Element = ELEMENT,
        /// Index tuples, as ONNX `ScatterND`.
        Nd = ND,
    }
}

numbered! {
    /// What top-k looks for (`TopKOperation`).
    TopKOperation = topk_operation {
        /// The greatest.
        Max = MAX,
        /// The least.
        Min = MIN,
    }
}

numbered! {
    /// What a fill layer generates (`FillOperation`).
    FillOperation = fill_operation {
        /// alpha + i * beta.
        Linspace = LINSPACE,
        /// Uniform between alpha and beta.
        RandomUniform = RANDOM_UNIFORM,
        /// Normal with mean alpha and standard deviation beta.
        RandomNormal = RANDOM_NORMAL,
    }
}

numbered! {
    /// How resize and grid sample interpolate (`InterpolationMode`, once `ResizeMode`).
    InterpolationMode = interpolation_mode {
        /// The nearest.
        Nearest = NEAREST,
        /// Linear in each dimension.
        Linear = LINEAR,
        /// Bicubic.
        Cubic = CUBIC,
    }
}

numbered! {
    /// Which input coordinate an output coordinate of resize means (`ResizeCoordinateTransformation`).
    ResizeCoordinateTransformation = resize_coordinate_transformation {
        /// Corners stay corners.
        AlignCorners = ALIGN_CORNERS,
        /// x / scale.
        Asymmetric = ASYMMETRIC,
        /// (x + 0.5) / scale - 0.5.
        HalfPixel = HALF_PIXEL,
    }
}

numbered! {
    /// What resize does when the output has a single pixel (`ResizeSelector`).
    ResizeSelector = resize_selector {
        /// The coordinate formula.
        Formula = FORMULA,
        /// The upper left pixel.
        Upper = UPPER,
    }
}

numbered! {
    /// How nearest resize rounds (`ResizeRoundMode`).
    ResizeRoundMode = resize_round_mode {
        /// Half up.
        HalfUp = HALF_UP,
        /// Half down.
        HalfDown = HALF_DOWN,
        /// Down.
        Floor = FLOOR,
        /// Up.
        Ceil = CEIL,
    }
}

numbered! {
    /// What slice and grid sample read outside the input (`SampleMode`, once `SliceMode`).
    SampleMode = sample_mode {
        /// Nothing: out of bounds is an error.
        StrictBounds = STRICT_BOUNDS,
        /// Indices wrap around.
        Wrap = WRAP,
        /// The nearest element inside.
        Clamp = CLAMP,
        /// A fill value.
        Fill = FILL,
        /// Mirrored at the border.
        Reflect = REFLECT,
    }
}

numbered! {
    /// Form of the boxes of non-maximum suppression (`BoundingBoxFormat`).
    BoundingBoxFormat = bounding_box_format {
        /// Two opposite corners.
        CornerPairs = CORNER_PAIRS,
        /// Center and size.
        CenterSizes = CENTER_SIZES,
    }
}

numbered! {
    /// What ends a loop (`TripLimit`).
    TripLimit = trip_limit {
        /// A number of iterations.
        Count = COUNT,
        /// A condition that turns false.
        While = WHILE,
    }
}

numbered! {
    /// What a loop hands out (`LoopOutput`).
    LoopOutput = loop_output {
        /// The value of the last iteration.
        LastValue = LAST_VALUE,
        /// The values of all iterations, in order.
        Concatenate = CONCATENATE,
        /// The values of all iterations, last first.
        Reverse = REVERSE,
    }
}

numbered! {
    /// What a cumulative layer computes (`CumulativeOperation`).
    CumulativeOperation = cumulative_operation {
        /// Running sum.
        Sum = SUM,
    }
}

numbered! {
    /// How attention scores are normalized (`AttentionNormalizationOp`).
    AttentionNormalizationOp = attention_normalization_op {
        /// Not at all.
        None = NONE,
        /// Softmax.
        Softmax = SOFTMAX,
    }
}

numbered! {
    /// How attention masks the future (`CausalMaskKind`).
    CausalMaskKind = causal_mask_kind {
        /// Not at all.
        None = NONE,
        /// Aligned to the upper left corner of the score matrix.
        UpperLeft = UPPER_LEFT,
        /// Aligned to the lower right corner.
        LowerRight = LOWER_RIGHT,
    }
}

numbered! {
    /// Layout of attention's query, key and value (`AttentionIOForm`).
    AttentionIoForm = attention_io_form {
        /// Batch, heads, sequence, head size; padded.
        PaddedBhnd = PADDED_BHND,
        /// Sequences one after another, heads, head size.
        PackedNhd = PACKED_NHD,
    }
}

numbered! {
    /// How a key-value cache is written (`KVCacheMode`).
    KvCacheMode = kv_cache_mode {
        /// One position after another.
        Linear = LINEAR,
    }
}

numbered! {
    /// Activation of a mixture of experts (`MoEActType`).
    MoeActType = moe_act_type {
        /// None.
        None = NONE,
        /// x * sigmoid(x).
        Silu = SILU,
    }
}

numbered! {
    /// What a layer exchanges between devices (`CollectiveOperation`).
    CollectiveOperation = collective_operation {
        /// Reduce, to every rank.
        AllReduce = ALL_REDUCE,
        /// Gather, to every rank.
        AllGather = ALL_GATHER,
        /// From the root to every rank.
        Broadcast = BROADCAST,
        /// Reduce, to the root.
        Reduce = REDUCE,
        /// Reduce, one part to each rank.
        ReduceScatter = REDUCE_SCATTER,
        /// Every rank to every rank.
        AllToAll = ALL_TO_ALL,
        /// Gather, to the root.
        Gather = GATHER,
        /// From the root, one part to each rank.
        Scatter = SCATTER,
    }
}

numbered! {
    /// Type of the elements of a plugin's attribute (`PluginFieldType`).
    PluginFieldType = plugin_field_type {
        /// 16-bit floating point.
        Float16 = FLOAT16,
        /// 32-bit floating point.
        Float32 = FLOAT32,
        /// 64-bit floating point.
        Float64 = FLOAT64,
        /// 8-bit integers.
        Int8 = INT8,
        /// 16-bit integers.
        Int16 = INT16,
        /// 32-bit integers.
        Int32 = INT32,
        /// Characters.
        Char = CHAR,
        /// `Dims` structs.
        Dims = DIMS,
        /// Bytes that only the plugin understands.
        Unknown = UNKNOWN,
        /// 16-bit floating point with the exponent of float32.
        Bf16 = BF16,
        /// 64-bit integers.
        Int64 = INT64,
        /// 8-bit floating point.
        Fp8 = FP8,
        /// 4-bit integers, two in a byte.
        Int4 = INT4,
        /// 4-bit floating point, two in a byte.
        Fp4 = FP4,
    }
}
