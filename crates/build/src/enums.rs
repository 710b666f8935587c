//! The network's enumerations under the names the binding gives them.
//!
//! Both speak TensorRT's language; the numbers behind the names differ by version and are the binding's business. A
//! variant added on one side alone does not compile.

use nvinfer as trt;

/// The binding's value for one of the network's.
pub(crate) trait ToTensorRt {
    /// The binding's type.
    type Value;

    /// The value of the same name.
    fn to_trt(self) -> Self::Value;
}

macro_rules! same {
    ($($ours:ident => $theirs:ident { $($variant:ident $(= $other:ident)?),* $(,)? })*) => {$(
        impl ToTensorRt for network::$ours {
            type Value = trt::$theirs;

            fn to_trt(self) -> trt::$theirs {
                match self { $(Self::$variant => same!(@ $theirs $variant $($other)?)),* }
            }
        }
    )*};
    (@ $theirs:ident $variant:ident) => { trt::$theirs::$variant };
    (@ $theirs:ident $variant:ident $other:ident) => { trt::$theirs::$other };
}

same! {
    DType => DataType {
        Float32 = Float, Float16 = Half, BFloat16, Int64, Int32, Int8, UInt8, Bool, Float8E4M3 = Fp8,
    }
    ActivationType => ActivationType {
        Relu, Sigmoid, Tanh, LeakyRelu, Elu, Selu, Softsign, Softplus, Clip, HardSigmoid, ScaledTanh,
        ThresholdedRelu, GeluErf, GeluTanh,
    }
    UnaryOperation => UnaryOperation {
        Exp, Log, Sqrt, Recip, Abs, Neg, Sin, Cos, Tan, Sinh, Cosh, Asin, Acos, Atan, Asinh, Acosh, Atanh, Ceil,
        Floor, Erf, Not, Sign, Round, Isinf = IsInf, Isnan = IsNan,
    }
    ElementWiseOperation => ElementWiseOperation {
        Sum, Prod, Max, Min, Sub, Div, Pow, FloorDiv, And, Or, Xor, Equal, Greater, Less,
    }
    ReduceOperation => ReduceOperation { Sum, Prod, Max, Min, Avg }
    TopKOperation => TopKOperation { Max, Min }
    PluginFieldType => PluginFieldType {
        Float16, Float32, Float64, Int8, Int16, Int32, Char, Dims, Unknown, Bf16, Int64, Fp8, Int4, Fp4,
    }
    PoolingType => PoolingType { Max, Average, MaxAverageBlend }
    PaddingMode => PaddingMode { ExplicitRoundDown, ExplicitRoundUp, SameUpper, SameLower }
    MatrixOperation => MatrixOperation { None, Transpose, Vector }
    GatherMode => GatherMode { Default, Element, Nd }
    ScatterMode => ScatterMode { Element, Nd }
    SampleMode => SampleMode { StrictBounds, Wrap, Clamp, Fill, Reflect }
    InterpolationMode => InterpolationMode { Nearest, Linear, Cubic }
    ResizeCoordinateTransformation => ResizeCoordinateTransformation { AlignCorners, Asymmetric, HalfPixel }
    ResizeSelector => ResizeSelector { Formula, Upper }
    ResizeRoundMode => ResizeRoundMode { HalfUp, HalfDown, Floor, Ceil }
    FillOperation => FillOperation { Linspace, RandomUniform, RandomNormal }
    CumulativeOperation => CumulativeOperation { Sum }
    ScaleMode => ScaleMode { Uniform, Channel, Elementwise = ElementWise }
    BoundingBoxFormat => BoundingBoxFormat { CornerPairs, CenterSizes }
}
