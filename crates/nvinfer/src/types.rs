//! TensorRT's enums in Rust. A value becomes the loaded version's number only when a call is made.
//!
//! Names and meaning are those of `NvInfer.h`. A value that the loaded version lacks is
//! [`Error::NotInThisVersion`](crate::Error::NotInThisVersion), as a missing call is.

use std::fmt;

use crate::error::{Error, Result};
use crate::sys::{Number, enums};
use crate::version::Version;

/// How grave a message is (`ILogger::Severity`); the same numbers in every version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// TensorRT is broken; the process should not go on with it.
    InternalError = 0,
    /// A call failed.
    Error = 1,
    /// TensorRT went on, but not as asked.
    Warning = 2,
    /// Progress and notable facts.
    Info = 3,
    /// Everything; thousands of lines for one build.
    Verbose = 4,
}

impl Severity {
    pub(crate) fn from_raw(number: i32) -> Self {
        match number {
            0 => Self::InternalError,
            1 => Self::Error,
            2 => Self::Warning,
            3 => Self::Info,
            _ => Self::Verbose,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InternalError => "internal error",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Verbose => "verbose",
        })
    }
}

/// Declares an enum whose values are numbers of the table `$table`.
macro_rules! numbered {
    ($(#[$meta:meta])* $name:ident = $table:ident { $($(#[$doc:meta])* $variant:ident = $constant:ident,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            fn entry(self) -> &'static Number {
                match self {
                    $(Self::$variant => &enums::$table::$constant,)*
                }
            }

            /// Whether `version` has this value.
            pub fn is_in(self, version: Version) -> bool {
                self.entry().of(version).is_some()
            }

            /// The number of this value in `version`.
            #[allow(dead_code, reason = "some enums are only read")]
            pub(crate) fn number(self, version: Version) -> Result<i32> {
                let entry = self.entry();
                entry.of(version).ok_or_else(|| Error::NotInThisVersion {
                    call: entry.full_name(),
                    version,
                    since: entry.availability(),
                })
            }

            /// The value behind a number of `version`; `None` for one that this crate does not know.
            #[allow(dead_code, reason = "some enums are only written")]
            pub(crate) fn from_number(version: Version, number: i32) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.entry().of(version) == Some(number))
            }
        }
    };
}

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
        IsInf = ISINF,
        /// Whether x is not a number, as bool.
        IsNan = ISNAN,
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
        ElementWise = ELEMENTWISE,
    }
}

numbered! {
    /// How gather reads its indices (`GatherMode`).
    GatherMode = gather_mode {
        /// Along one axis, as numpy's take.
        Default = DEFAULT,
        /// One index for each element, as ONNX GatherElements.
        Element = ELEMENT,
        /// Index tuples, as ONNX GatherND.
        Nd = ND,
    }
}

numbered! {
    /// How scatter reads its indices (`ScatterMode`).
    ScatterMode = scatter_mode {
        /// One index for each element, as ONNX ScatterElements.
        Element = ELEMENT,
        /// Index tuples, as ONNX ScatterND.
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
    /// What the builder may or must do (`BuilderFlag`).
    BuilderFlag = builder_flag {
        /// Use float16 layers where they are faster (8.6, 10).
        Fp16 = FP16,
        /// Use int8 layers where they are faster (8.6, 10).
        Int8 = INT8,
        /// Synchronize after every layer, for debugging.
        Debug = DEBUG,
        /// Let layers that DLA cannot run go to the GPU.
        GpuFallback = GPU_FALLBACK,
        /// Make the engine refittable.
        Refit = REFIT,
        /// Time tactics anew.
        DisableTimingCache = DISABLE_TIMING_CACHE,
        /// Let float32 use TF32 (set unless cleared).
        Tf32 = TF32,
        /// Look for structured sparsity in weights.
        SparseWeights = SPARSE_WEIGHTS,
        /// Only what the safety runtime has.
        SafetyScope = SAFETY_SCOPE,
        /// Fail rather than leave a layer's set precision (8.6, 10).
        ObeyPrecisionConstraints = OBEY_PRECISION_CONSTRAINTS,
        /// Keep to layers' set precisions where possible (8.6, 10).
        PreferPrecisionConstraints = PREFER_PRECISION_CONSTRAINTS,
        /// No reformatting at inputs and outputs.
        DirectIo = DIRECT_IO,
        /// Fail when an algorithm selector leaves nothing (8.6, 10).
        RejectEmptyAlgorithms = REJECT_EMPTY_ALGORITHMS,
        /// Make the engine run on later versions of TensorRT.
        VersionCompatible = VERSION_COMPATIBLE,
        /// Leave the lean runtime out of a version-compatible engine.
        ExcludeLeanRuntime = EXCLUDE_LEAN_RUNTIME,
        /// Use float8 layers where they are faster (8.6, 10).
        Fp8 = FP8,
        /// Fail when a tactic's time is not in the cache.
        ErrorOnTimingCacheMiss = ERROR_ON_TIMING_CACHE_MISS,
        /// Use bfloat16 layers where they are faster (10).
        Bf16 = BF16,
        /// Do not keep compiled kernels in the timing cache.
        DisableCompilationCache = DISABLE_COMPILATION_CACHE,
        /// Leave weights out of the plan.
        StripPlan = STRIP_PLAN,
        /// Optimize as if refitted weights were the same.
        RefitIdentical = REFIT_IDENTICAL,
        /// Keep weights in host memory, streamed while running.
        WeightStreaming = WEIGHT_STREAMING,
        /// Use int4 layers where they are faster (10).
        Int4 = INT4,
        /// Make only marked weights refittable.
        RefitIndividual = REFIT_INDIVIDUAL,
        /// Keep NaN as IEEE says.
        StrictNans = STRICT_NANS,
        /// Report the builder's memory use.
        MonitorMemory = MONITOR_MEMORY,
        /// Use float4 layers where they are faster (10).
        Fp4 = FP4,
        /// Let the timing cache be edited.
        EditableTimingCache = EDITABLE_TIMING_CACHE,
        /// The same result for the same element, wherever it is in a batch.
        DistributiveIndependence = DISTRIBUTIVE_INDEPENDENCE,
        /// No allocation at run time (TensorRT-RTX).
        RequireUserAllocation = REQUIRE_USER_ALLOCATION,
    }
}

numbered! {
    /// How a network is made (`NetworkDefinitionCreationFlag`).
    NetworkDefinitionCreationFlag = network_definition_creation_flag {
        /// The batch is a dimension like any other; needed in 8.6, always so from 10 on.
        ExplicitBatch = EXPLICIT_BATCH,
        /// Types flow from inputs and constants; always so from 11 on.
        StronglyTyped = STRONGLY_TYPED,
        /// Prefer plugins that are compiled at run time.
        PreferJitPythonPlugins = PREFER_JIT_PYTHON_PLUGINS,
        /// Prefer plugins that are compiled ahead of time.
        PreferAotPythonPlugins = PREFER_AOT_PYTHON_PLUGINS,
    }
}

numbered! {
    /// A feature that is off until it is the default (`PreviewFeature`).
    PreviewFeature = preview_feature {
        /// Faster dynamic shapes (8.6).
        FasterDynamicShapes0805 = FASTER_DYNAMIC_SHAPES_0805,
        /// No cuDNN or cuBLAS in core layers (8.6).
        DisableExternalTacticSourcesForCore0805 = DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805,
        /// One profile for several contexts.
        ProfileSharing0806 = PROFILE_SHARING_0806,
        /// Plugin inputs that alias outputs.
        AliasedPluginIo1003 = ALIASED_PLUGIN_IO_10_03,
        /// Activation memory sized at run time.
        RuntimeActivationResize1010 = RUNTIME_ACTIVATION_RESIZE_10_10,
        /// Several devices.
        MultideviceRuntime1016 = MULTIDEVICE_RUNTIME_10_16,
    }
}

numbered! {
    /// Where kernels come from (`TacticSource`).
    TacticSource = tactic_source {
        /// cuBLAS (8.6, 10).
        Cublas = CUBLAS,
        /// cuBLASLt (8.6, 10).
        CublasLt = CUBLAS_LT,
        /// cuDNN (8.6, 10).
        Cudnn = CUDNN,
        /// Convolutions with edge masks.
        EdgeMaskConvolutions = EDGE_MASK_CONVOLUTIONS,
        /// Convolutions compiled while building.
        JitConvolutions = JIT_CONVOLUTIONS,
    }
}

numbered! {
    /// A pool of memory that the builder takes from (`MemoryPoolType`).
    MemoryPoolType = memory_pool_type {
        /// Scratch memory of layers while running.
        Workspace = WORKSPACE,
        /// DLA's SRAM.
        DlaManagedSram = DLA_MANAGED_SRAM,
        /// DLA's DRAM for activations.
        DlaLocalDram = DLA_LOCAL_DRAM,
        /// DLA's DRAM for weights.
        DlaGlobalDram = DLA_GLOBAL_DRAM,
        /// Device memory while building.
        TacticDram = TACTIC_DRAM,
        /// Shared memory of a kernel.
        TacticSharedMemory = TACTIC_SHARED_MEMORY,
    }
}

numbered! {
    /// How much of the network an engine remembers (`ProfilingVerbosity`).
    ProfilingVerbosity = profiling_verbosity {
        /// Layer names.
        LayerNamesOnly = LAYER_NAMES_ONLY,
        /// Nothing.
        None = NONE,
        /// Layers with all their attributes.
        Detailed = DETAILED,
    }
}

numbered! {
    /// On which other GPUs an engine runs (`HardwareCompatibilityLevel`).
    HardwareCompatibilityLevel = hardware_compatibility_level {
        /// None.
        None = NONE,
        /// Ampere and later.
        AmperePlus = AMPERE_PLUS,
        /// Those of the same compute capability.
        SameComputeCapability = SAME_COMPUTE_CAPABILITY,
    }
}

numbered! {
    /// Which set of layers an engine is for (`EngineCapability`).
    EngineCapability = engine_capability {
        /// All of them.
        Standard = STANDARD,
        /// Those of the safety runtime.
        Safety = SAFETY,
        /// Those that DLA runs by itself.
        DlaStandalone = DLA_STANDALONE,
    }
}

numbered! {
    /// A GPU generation to build for without having it (`ComputeCapability`, TensorRT-RTX).
    ComputeCapability = compute_capability {
        /// Not set.
        None = NONE,
        /// The GPU at hand.
        Current = CURRENT,
        /// 7.5, Turing.
        Sm75 = SM75,
        /// 8.0, Ampere.
        Sm80 = SM80,
        /// 8.6, Ampere.
        Sm86 = SM86,
        /// 8.9, Ada.
        Sm89 = SM89,
        /// 12.0, Blackwell.
        Sm120 = SM120,
        /// 12.1, Blackwell.
        Sm121 = SM121,
    }
}

numbered! {
    /// Whether an engine runs here (`EngineValidity`, TensorRT-RTX).
    EngineValidity = engine_validity {
        /// It does.
        Valid = VALID,
        /// It does, but would be faster built anew.
        Suboptimal = SUBOPTIMAL,
        /// It does not.
        Invalid = INVALID,
    }
}

numbered! {
    /// The platform an engine is for (`RuntimePlatform`).
    RuntimePlatform = runtime_platform {
        /// The one it is built on.
        SameAsBuild = SAME_AS_BUILD,
        /// Windows on x86-64.
        WindowsAmd64 = WINDOWS_AMD64,
    }
}

numbered! {
    /// How hard the builder looks for tilings (`TilingOptimizationLevel`).
    TilingOptimizationLevel = tiling_optimization_level {
        /// Not at all.
        None = NONE,
        /// Fast.
        Fast = FAST,
        /// Moderately.
        Moderate = MODERATE,
        /// Fully.
        Full = FULL,
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
    /// Whether an engine's tensor goes in or out (`TensorIOMode`).
    TensorIoMode = tensor_io_mode {
        /// Neither: no such tensor.
        None = NONE,
        /// An input.
        Input = INPUT,
        /// An output.
        Output = OUTPUT,
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

numbered! {
    /// Which of a profile's three shapes (`OptProfileSelector`).
    OptProfileSelector = opt_profile_selector {
        /// The smallest allowed.
        Min = MIN,
        /// The one to be fast at.
        Opt = OPT,
        /// The largest allowed.
        Max = MAX,
    }
}

numbered! {
    /// Form of an engine inspector's text (`LayerInformationFormat`).
    LayerInformationFormat = layer_information_format {
        /// One line for each layer.
        OneLine = ONELINE,
        /// JSON.
        Json = JSON,
    }
}

numbered! {
    /// When an execution context takes its device memory (`ExecutionContextAllocationStrategy`).
    ExecutionContextAllocationStrategy = execution_context_allocation_strategy {
        /// At once, for the largest profile.
        Static = STATIC,
        /// When the profile changes, for that profile.
        OnProfileChange = ON_PROFILE_CHANGE,
        /// Never: the user gives it.
        UserManaged = USER_MANAGED,
    }
}

numbered! {
    /// What a serialized engine holds (`SerializationFlag`).
    SerializationFlag = serialization_flag {
        /// No weights.
        ExcludeWeights = EXCLUDE_WEIGHTS,
        /// No lean runtime.
        ExcludeLeanRuntime = EXCLUDE_LEAN_RUNTIME,
        /// What refitting needs.
        IncludeRefit = INCLUDE_REFIT,
    }
}

numbered! {
    /// How TensorRT-RTX captures CUDA graphs (`CudaGraphStrategy`).
    CudaGraphStrategy = cuda_graph_strategy {
        /// It does not.
        Disabled = DISABLED,
        /// The whole engine as one graph.
        WholeGraphCapture = WHOLE_GRAPH_CAPTURE,
    }
}

numbered! {
    /// When TensorRT-RTX compiles kernels for a shape (`DynamicShapesKernelSpecializationStrategy`).
    DynamicShapesKernelSpecializationStrategy = dynamic_shapes_kernel_specialization_strategy {
        /// In the background, using a general kernel meanwhile.
        Lazy = LAZY,
        /// Before the first run at that shape.
        Eager = EAGER,
        /// Never.
        None = NONE,
    }
}

numbered! {
    /// What layer weights are (`WeightsRole`), for refitting by layer.
    WeightsRole = weights_role {
        /// Kernel.
        Kernel = KERNEL,
        /// Bias.
        Bias = BIAS,
        /// Shift of a scale layer.
        Shift = SHIFT,
        /// Scale of a scale layer.
        Scale = SCALE,
        /// Values of a constant layer.
        Constant = CONSTANT,
        /// Any other.
        Any = ANY,
    }
}

numbered! {
    /// What an engine can tell about its size (`EngineStat`).
    EngineStat = engine_stat {
        /// Bytes of all weights.
        TotalWeightsSize = TOTAL_WEIGHTS_SIZE,
        /// Bytes of the weights that were left out of the plan.
        StrippedWeightsSize = STRIPPED_WEIGHTS_SIZE,
    }
}
