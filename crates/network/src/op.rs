//! What a layer computes: TensorRT's layer set with its attributes.
//!
//! The variants are `INetworkDefinition`'s layers, their fields the layers' attributes under TensorRT's names.
//! Everything that may differ from call to call is an input tensor, not an attribute. The doc comment of each
//! variant lists its inputs in order; `?` marks one that may be absent.
//!
//! `each_kind!` is the declaration of the kinds, `each_enumeration!` that of the attributes' enumerations. What a kind
//! means is written in the stages, one function each: shapes and types in `infer`, and what `dispatch!` calls in other
//! crates.

use crate::{DType, PluginAttributes, Weights};
use serde::{Deserialize, Serialize};

macro_rules! enums {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident),* $(,)? })*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the variants are TensorRT's enumerators of the same names")]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
        }

        impl crate::Attribute for $name {
            type Given<'a> = Self;

            fn given(&self) -> Self {
                *self
            }
        }
    )* };
}

/// The one list of TensorRT's enumerations that attributes are of, handed to a macro as [`each_kind!`] is.
#[macro_export]
macro_rules! each_enumeration {
    ([$($declare:tt)+]) => {
        $($declare)+! {
            /// TensorRT `ActivationType`. `alpha` and `beta` mean what they mean there.
            ActivationType {
                Relu, Sigmoid, Tanh, LeakyRelu, Elu, Selu, Softsign, Softplus, Clip, HardSigmoid, ScaledTanh,
                ThresholdedRelu, GeluErf, GeluTanh,
            }
            /// TensorRT `UnaryOperation`.
            UnaryOperation {
                Exp, Log, Sqrt, Recip, Abs, Neg, Sin, Cos, Tan, Sinh, Cosh, Asin, Acos, Atan, Asinh, Acosh, Atanh, Ceil,
                Floor, Erf, Not, Sign, Round, Isinf, Isnan,
            }
            /// TensorRT `ElementWiseOperation`. `Div` of integers truncates toward zero, `FloorDiv` rounds down.
            ElementWiseOperation { Sum, Prod, Max, Min, Sub, Div, Pow, FloorDiv, And, Or, Xor, Equal, Greater, Less }
            /// TensorRT `ReduceOperation`.
            ReduceOperation { Sum, Prod, Max, Min, Avg }
            /// TensorRT `TopKOperation`.
            TopKOperation { Max, Min }
            /// TensorRT `PoolingType`.
            PoolingType { Max, Average, MaxAverageBlend }
            /// How a size that the stride does not divide is rounded (TensorRT `PaddingMode`).
            PaddingMode { ExplicitRoundDown, ExplicitRoundUp, SameUpper, SameLower }
            /// TensorRT `MatrixOperation`.
            MatrixOperation { None, Transpose, Vector }
            /// TensorRT `GatherMode`: numpy.take, ONNX `GatherElements`, ONNX `GatherND`.
            GatherMode { Default, Element, Nd }
            /// TensorRT `ScatterMode`: ONNX `ScatterElements`, ONNX `ScatterND`.
            ScatterMode { Element, Nd }
            /// What a slice reads outside its input (TensorRT `SampleMode`).
            SampleMode { StrictBounds, Wrap, Clamp, Fill, Reflect }
            /// TensorRT `InterpolationMode`.
            InterpolationMode { Nearest, Linear, Cubic }
            /// TensorRT `ResizeCoordinateTransformation`.
            ResizeCoordinateTransformation { AlignCorners, Asymmetric, HalfPixel }
            /// TensorRT `ResizeSelector`.
            ResizeSelector { Formula, Upper }
            /// TensorRT `ResizeRoundMode`.
            ResizeRoundMode { HalfUp, HalfDown, Floor, Ceil }
            /// TensorRT `FillOperation`.
            FillOperation { Linspace, RandomUniform, RandomNormal }
            /// TensorRT `CumulativeOperation`.
            CumulativeOperation { Sum }
            /// TensorRT `ScaleMode`.
            ScaleMode { Uniform, Channel, Elementwise }
            /// TensorRT `BoundingBoxFormat`.
            BoundingBoxFormat { CornerPairs, CenterSizes }
        }
    };
}

each_enumeration!([enums]);

enums! {
    /// What one step of a recurrent layer computes. The rows of its weights hold the gates in PyTorch's order:
    /// input, forget, cell, output for `Lstm`; reset, update, new for `Gru`.
    RecurrentCell { Lstm, Gru, Tanh, Relu }
}

/// One entry of a shuffle's reshape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReshapeDim {
    /// This size.
    Is(i64),
    /// The size of the input's axis at the same position (TensorRT writes 0).
    Copy,
    /// What is left of the elements; at most once (TensorRT writes -1).
    Infer,
}

/// Attributes of a convolution or deconvolution, one entry a spatial axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConvolutionAttributes {
    /// Step of the window.
    pub stride: Vec<i64>,
    /// Zeros before the first element.
    pub pre_padding: Vec<i64>,
    /// Zeros after the last element.
    pub post_padding: Vec<i64>,
    /// Distance between the elements of the kernel.
    pub dilation: Vec<i64>,
    /// Number of groups the channels are split into.
    pub groups: i64,
}

/// Attributes of a pooling, one entry a spatial axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolingAttributes {
    /// Maximum or average.
    pub kind: PoolingType,
    /// Size of the window.
    pub window: Vec<i64>,
    /// Step of the window.
    pub stride: Vec<i64>,
    /// Padding before the first element.
    pub pre_padding: Vec<i64>,
    /// Padding after the last element.
    pub post_padding: Vec<i64>,
    /// Rounding of the output size.
    pub padding_mode: PaddingMode,
    /// Whether an average leaves padding out of its divisor.
    pub average_count_excludes_padding: bool,
    /// Share of the average in `MaxAverageBlend`.
    pub blend_factor: f32,
}

/// Attributes of a resize.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResizeAttributes {
    /// Nearest, (multi)linear or cubic.
    pub mode: InterpolationMode,
    /// Output size; empty where `scales` or the second input decide.
    pub size: Vec<i64>,
    /// Output size over input size, an entry an axis; empty where `size` or the second input decide.
    /// Where both are given, `size` is the output's size and `scales` the ratio that coordinates use.
    pub scales: Vec<f32>,
    /// How an output coordinate maps to an input coordinate.
    pub coordinate_transformation: ResizeCoordinateTransformation,
    /// What happens where the output has one element.
    pub selector: ResizeSelector,
    /// Rounding of coordinates for `Nearest`.
    pub nearest_rounding: ResizeRoundMode,
    /// The `a` of cubic interpolation.
    pub cubic_coeff: f32,
    /// Whether weights outside the input count as zero.
    pub exclude_outside: bool,
}

crate::attribute::borrowed!(ConvolutionAttributes, PoolingAttributes, ResizeAttributes);

/// The one list of the kinds of layers, handed to a macro: `each_kind!([declare])` becomes `declare! { … }` with it.
///
/// A row is a kind's name, the name of its function in every stage, which is also TensorRT's (`add_reverse_sequence`),
/// and its attributes. [`dispatch!`](crate::dispatch) is how a stage uses it.
#[macro_export]
macro_rules! each_kind {
    ([$($declare:tt)+] $($given:tt)*) => {
        $($declare)+! { $($given)*
            /// No inputs.
            Constant = constant(#[serde(skip, default = "no_weights")] weights: Weights),
            /// Inputs: x (float; `Relu` also int32/int64).
            Activation = activation { kind: ActivationType, alpha: f32, beta: f32 },
            /// Inputs: a (bool, rank 0 or 1). Stops execution where an element is false.
            Assertion = assertion { message: String },
            /// Inputs: x.
            Cast = cast { to: DType },
            /// Inputs: one or more tensors of one dtype.
            Concatenation = concatenation { axis: usize },
            /// Inputs: x `[N, C, spatial…]`, kernel `[K, C/groups, window…]`, bias? `[K]`.
            Convolution = convolution(attributes: ConvolutionAttributes),
            /// Inputs: x.
            Cumulative = cumulative { op: CumulativeOperation, axis: usize, exclusive: bool, reverse: bool },
            /// Inputs: x `[N, C, spatial…]`, kernel `[C, K/groups, window…]`, bias? `[K]`. Padding is cut from the
            /// output.
            Deconvolution = deconvolution(attributes: ConvolutionAttributes),
            /// Inputs: x (quantized), scale, zero point?.
            Dequantize = dequantize { axis: Option<usize>, to: DType },
            /// Inputs: x.  Outputs: quantized x, scales.
            DynamicQuantize = dynamic_quantize { axis: usize, block_size: i64, to: DType, scale_type: DType },
            /// Inputs: one or two tensors (Einstein summation, lower-case letters).
            Einsum = einsum { equation: String },
            /// Inputs: a, b of equal rank, broadcast where a size is 1.
            ElementWise = elementwise { op: ElementWiseOperation },
            /// Inputs: shape? (1-D), alpha?, beta? (scalars; for a ramp, beta has an element an axis). A ramp is int32,
            /// int64 or float32, random numbers are float32 or float16.
            Fill = fill { op: FillOperation, dims: Vec<i64>, dtype: DType, alpha: f64, beta: f64 },
            /// Inputs: data, indices (int32 or int64).
            Gather = gather { mode: GatherMode, axis: usize, elementwise_dims: usize },
            /// Inputs: x `[N, C, H, W]`, grid `[N, Ho, Wo, 2]`.
            GridSample = grid_sample { interpolation: InterpolationMode, sample: SampleMode, align_corners: bool },
            /// Inputs: x.
            Identity = identity,
            /// Inputs: x `[N, C, H, W]`. Local response normalization over `window` channels.
            Lrn = lrn { window: i64, alpha: f32, beta: f32, k: f32 },
            /// Inputs: a, b of equal rank (but for `Vector`), leading axes broadcast.
            MatrixMultiply = matrix_multiply { op0: MatrixOperation, op1: MatrixOperation },
            /// Inputs: boxes, scores, max output boxes a class (0-D int32), IoU threshold?, score threshold?.
            /// Outputs: indices `[count, 3]` int32, count (0-D int32). `count` names the symbol of the number found.
            Nms = nms { format: BoundingBoxFormat, topk_box_limit: i64, count: String },
            /// Inputs: x. Output: `[rank, count]` int32 indices of the non-zero elements. `count` names the symbol of
            /// their number.
            NonZero = non_zero { count: String },
            /// Inputs: x, scale, bias. Normalizes over `axes` (with `groups` > 1: over channel groups).
            Normalization = normalization { axes: Vec<usize>, epsilon: f32, groups: i64 },
            /// Inputs: indices, values `[off, on]`, depth (0-D).
            OneHot = one_hot { axis: usize },
            /// Inputs: x (float). Zeros around the last two axes (negative crops).
            Padding = padding { pre: Vec<i64>, post: Vec<i64> },
            /// Inputs: x, slope (broadcast to x).
            ParametricRelu = parametric_relu,
            /// Inputs and outputs: those of the plugin.
            Plugin = plugin(attributes: PluginAttributes),
            /// Inputs: x `[N, C, spatial…]`.
            Pooling = pooling(attributes: PoolingAttributes),
            /// Inputs: x (float), scale, zero point?.
            Quantize = quantize { axis: Option<usize>, to: DType },
            /// Inputs: x `[rows, columns]`, bounds `[rows, 1]`.
            RaggedSoftMax = ragged_softmax,
            /// A recurrent network over the first axis: TensorRT's `ILoop`, ONNX's LSTM, GRU or RNN.
            /// Inputs: x `[time, batch, features]`, input weights `[gates * hidden, features]`, hidden weights
            /// `[gates * hidden, hidden]`, input bias? `[gates * hidden]`, hidden bias? (the same), first hidden state
            /// `[1, batch, hidden]`, first cell state? (`Lstm` only, the same), lengths? `[batch]` (int32 or int64).
            /// Outputs: `[time, batch, hidden]`, last hidden state, last cell state (`Lstm` only).
            /// The state of a sequence does not change past its length, and its outputs there are zeros.
            Recurrent = recurrent { cell: RecurrentCell, reverse: bool },
            /// Inputs: x (float, int32 or int64).
            Reduce = reduce { op: ReduceOperation, axes: Vec<usize>, keep_dims: bool },
            /// Inputs: x (float), size? (1-D integers, the whole output shape).
            Resize = resize(attributes: ResizeAttributes),
            /// Inputs: x, sequence lengths (1-D).
            ReverseSequence = reverse_sequence { batch_axis: usize, sequence_axis: usize },
            /// Inputs: x, shift?, scale?, power?: constants. `(x * scale + shift) ^ power`.
            Scale = scale { mode: ScaleMode, channel_axis: usize },
            /// Inputs: data, indices, updates.
            Scatter = scatter { mode: ScatterMode, axis: usize },
            /// Inputs: condition (bool), then, else; broadcast.
            Select = select,
            /// Inputs: x. Output: its sizes, 1-D int64.
            Shape = shape,
            /// Inputs: x, shape? (1-D; replaces `reshape`). Transpose, then reshape, then transpose.
            Shuffle = shuffle {
                first_transpose: Option<Vec<usize>>,
                reshape: Option<Vec<ReshapeDim>>,
                second_transpose: Option<Vec<usize>>,
            },
            /// Inputs: x, start?, size?, stride? (1-D; each replaces the attribute), fill value?.
            Slice = slice { start: Vec<i64>, size: Vec<i64>, stride: Vec<i64>, mode: SampleMode },
            /// Inputs: x.
            SoftMax = softmax { axis: usize },
            /// Inputs: x. Removes axes of size 1.
            Squeeze = squeeze { axes: Vec<usize> },
            /// Inputs: x, k? (0-D int32; replaces the attribute). Outputs: values, indices (int32).
            TopK = topk { op: TopKOperation, k: i64, axis: usize },
            /// Inputs: x.
            Unary = unary { op: UnaryOperation },
            /// Inputs: x. Inserts axes of size 1, so that `axes` are their positions in the output.
            Unsqueeze = unsqueeze { axes: Vec<usize> },
        }
    };
}

macro_rules! declare {
    ($(
        $(#[$doc:meta])*
        $kind:ident = $function:ident
            $(($(#[$whole_mark:meta])* $whole:ident: $whole_type:ty))?
            $({ $($field:ident: $type:ty),* $(,)? })?,
    )*) => {
        /// What a layer computes.
        #[allow(missing_docs, reason = "the fields are the attributes of TensorRT's layers, under TensorRT's names")]
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Op {
            $($(#[$doc])* $kind $(($(#[$whole_mark])* $whole_type))? $({ $($field: $type),* })?,)*
        }

        impl Op {
            /// The layer's name, as in TensorRT's documentation.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind { .. } => stringify!($kind),)*
                }
            }
        }

        /// Every kind of layer: its name, and the name of its function in every stage.
        pub const KINDS: &[(&str, &str)] = &[$((stringify!($kind), stringify!($function))),*];
    };
}

each_kind!([declare]);

/// Calls the function of a layer's kind with its attributes, each as [`Attribute::given`](crate::Attribute::given)
/// gives it.
///
/// `network::dispatch!(op, (t, layer))` is a match without a catch-all; for a reverse sequence it calls
/// `reverse_sequence(t, layer, batch_axis, sequence_axis)`, whatever function of this name is in scope. A new kind does
/// not compile in a stage before it has its function, and the compiler names the function. With `, made` behind it,
/// each result goes through the function `made`.
#[macro_export]
macro_rules! dispatch {
    ($op:expr, $arguments:tt $(, $made:ident)?) => {
        $crate::each_kind!([$crate::dispatch] @match ($op) [$arguments $($made)?])
    };
    (@match ($op:expr) $call:tt $(
        $(#[$doc:meta])*
        $kind:ident = $function:ident
            $(($(#[$whole_mark:meta])* $whole:ident: $whole_type:ty))?
            $({ $($field:ident: $type:ty),* $(,)? })?,
    )*) => {
        match $op {
            $($crate::Op::$kind { $(0: $whole)? $($($field),*)? } =>
                $crate::dispatch!(@call $call $function $($whole)? $($($field)*)?),)*
        }
    };
    (@call [$arguments:tt $made:ident] $($call:tt)*) => {
        $made($crate::dispatch!(@call [$arguments] $($call)*))
    };
    (@call [($($argument:expr),*)] $function:ident $($attribute:ident)*) => {
        $function($($argument,)* $($crate::Attribute::given($attribute)),*)
    };
}

fn no_weights() -> Weights {
    Weights::filled(DType::Float32, &[0], 0.0)
}

impl RecurrentCell {
    /// Number of gates: the weights have so many rows for each hidden feature.
    pub fn gates(self) -> i64 {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
            Self::Tanh | Self::Relu => 1,
        }
    }
}

impl Op {
    /// Whether every element of the outputs is one of the inputs', or zero: the layer computes no new numbers.
    pub fn only_moves(&self) -> bool {
        match self {
            Self::Activation { kind, .. } => *kind == ActivationType::Relu,
            Self::Concatenation { .. }
            | Self::Constant(_)
            | Self::Gather { .. }
            | Self::Identity
            | Self::OneHot { .. }
            | Self::Padding { .. }
            | Self::ReverseSequence { .. }
            | Self::Scatter { .. }
            | Self::Select
            | Self::Shuffle { .. }
            | Self::Slice { .. }
            | Self::Squeeze { .. }
            | Self::TopK { .. }
            | Self::Unsqueeze { .. } => true,
            Self::Assertion { .. }
            | Self::Cast { .. }
            | Self::Convolution(_)
            | Self::Cumulative { .. }
            | Self::Deconvolution(_)
            | Self::Dequantize { .. }
            | Self::DynamicQuantize { .. }
            | Self::Einsum { .. }
            | Self::ElementWise { .. }
            | Self::Fill { .. }
            | Self::GridSample { .. }
            | Self::Lrn { .. }
            | Self::MatrixMultiply { .. }
            | Self::Nms { .. }
            | Self::NonZero { .. }
            | Self::Normalization { .. }
            | Self::ParametricRelu
            | Self::Plugin(_)
            | Self::Pooling(_)
            | Self::Quantize { .. }
            | Self::RaggedSoftMax
            | Self::Recurrent { .. }
            | Self::Reduce { .. }
            | Self::Resize(_)
            | Self::Scale { .. }
            | Self::Shape
            | Self::SoftMax { .. }
            | Self::Unary { .. } => false,
        }
    }
}
