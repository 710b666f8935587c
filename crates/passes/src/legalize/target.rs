//! Who the network is for, and what each knows. The one table of what came when.

use network::ScaleMode;
use std::fmt;

/// Who will run the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The CPU engine: every layer is lowered as it is.
    Cpu,
    /// TensorRT of this major and minor version, 8.6 or newer.
    TensorRt(u32, u32),
    /// TensorRT for RTX of this major and minor version.
    Rtx(u32, u32),
}

/// What not every target has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Tensors of bfloat16.
    BFloat16,
    /// Layers that make a cumulative sum.
    Cumulative,
    /// Layers that find quantization scales at run time.
    DynamicQuantize,
    /// Quotients of integers that are exact, whatever is fused with them. TensorRT 8.6 computes some in float32, which
    /// has 24 bits; later versions were not tested.
    ExactIntegerDivision,
    /// Tensors of float8.
    Float8,
    /// Activations `GeluErf` and `GeluTanh`.
    Gelu,
    /// Sizes that depend on data: `NonZero` and `Nms`.
    DataDependentSizes,
    /// Deconvolutions of bfloat16.
    DeconvolutionBFloat16,
    /// Deconvolutions with a stride and a dilation, along one axis or along different ones.
    DeconvolutionStridedDilated,
    /// Random fills of float16.
    FillRandomFloat16,
    /// Products of float16 that add up in float32.
    Float16Accumulation,
    /// Normalization over groups of channels with a scale and bias for each channel.
    GroupNormalization,
    /// Layers of float16 around those that read int8.
    HalfWithInt8,
    /// Tensors of int64.
    Int64,
    /// The unary operation `Isnan`.
    IsNan,
    /// Layers of plugins with the second interface.
    PluginV2,
    /// Layers of plugins with the third interface.
    PluginV3,
    /// Layers that insert and remove axes.
    Squeeze,
    /// Convolutions that add a tensor, by kernels for compute capability 9.0. Only 8.6 was looked at.
    ResidualConvolutionsOn90,
}

/// Major and minor.
type Version = (u32, u32);

/// The first versions that have a feature.
struct Since {
    tensorrt: Version,
    rtx: Version,
}

impl Feature {
    /// The first TensorRT and the first TensorRT for RTX that have it, as far as the interfaces at hand show and
    /// as building with them has shown.
    fn since(self) -> Since {
        const EVER: Version = (0, 0);
        const NEVER: Version = (u32::MAX, 0);
        let since = |tensorrt, rtx| Since { tensorrt, rtx };
        match self {
            Self::BFloat16 => since((9, 0), EVER),
            Self::Cumulative => since((10, 8), EVER),
            Self::PluginV2 => since(EVER, NEVER),
            Self::PluginV3 => since((10, 0), NEVER),
            Self::DataDependentSizes => since(EVER, NEVER),
            Self::DeconvolutionBFloat16 => since(EVER, NEVER),
            Self::DeconvolutionStridedDilated => since(EVER, NEVER),
            Self::DynamicQuantize => since((10, 8), EVER),
            Self::ExactIntegerDivision => since(NEVER, EVER),
            Self::FillRandomFloat16 => since(EVER, (1, 5)),
            Self::Float8 => since((9, 0), EVER),
            Self::Float16Accumulation => since((10, 0), EVER),
            Self::Gelu => since((10, 0), EVER),
            Self::GroupNormalization => since((10, 15), EVER),
            Self::HalfWithInt8 => since((10, 0), EVER),
            Self::Int64 => since((10, 0), EVER),
            Self::IsNan => since((10, 3), EVER),
            Self::Squeeze => since((10, 7), EVER),
            Self::ResidualConvolutionsOn90 => since((10, 0), EVER),
        }
    }
}

impl Target {
    /// Whether the target knows the feature.
    pub fn has(self, feature: Feature) -> bool {
        match self {
            Self::Cpu => true,
            Self::TensorRt(major, minor) => (major, minor) >= feature.since().tensorrt,
            Self::Rtx(major, minor) => (major, minor) >= feature.since().rtx,
        }
    }

    /// Whether its Scale layer does this to an input of this rank. Scales for each element are given without the
    /// batch; element-wise layers express the same plainly.
    pub fn scales(self, mode: ScaleMode, rank: usize) -> bool {
        match self {
            Self::Cpu => true,
            _ if mode == ScaleMode::Elementwise => false,
            // Documented for four axes and more.
            Self::TensorRt(..) => (4..=5).contains(&rank),
            Self::Rtx(..) => (2..=5).contains(&rank),
        }
    }

    /// The smallest rank that its SoftMax and TopK layers take.
    pub fn smallest_rank(self) -> usize {
        if self == Self::Cpu { 1 } else { 2 }
    }

    /// The largest rank whose axes are moved where the first are of size 1. RTX fails to build some matrix products of
    /// larger ranks whose results are moved so before the next product: `[1, 1, 64, 4, 16]` in Hiera.
    pub fn largest_rank_with_ones(self) -> usize {
        if matches!(self, Self::Rtx(..)) { 4 } else { usize::MAX }
    }

    /// The largest k of its TopK layer.
    pub fn largest_k(self) -> i64 {
        if self == Self::Cpu { i64::MAX } else { 3840 }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("the CPU engine"),
            Self::TensorRt(major, minor) => write!(f, "TensorRT {major}.{minor}"),
            Self::Rtx(major, minor) => write!(f, "TensorRT for RTX {major}.{minor}"),
        }
    }
}
