//! Who the network is for, and what each knows. The one table of what came when.

use std::fmt;

/// Who will run the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The CPU engine: it is told every layer as it is.
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
    /// Tensors of float8.
    Float8,
    /// Activations `GeluErf` and `GeluTanh`.
    Gelu,
    /// Normalization over groups of channels with a scale and bias for each channel.
    GroupNormalization,
    /// Tensors of int64.
    Int64,
    /// The unary operation `Isnan`.
    IsNan,
    /// Layers that insert and remove axes.
    Squeeze,
}

impl Feature {
    /// The first TensorRT that has it, as far as the interfaces at hand show. TensorRT for RTX began later than
    /// all of them.
    fn since(self) -> (u32, u32) {
        match self {
            Self::BFloat16 => (9, 0),
            Self::Cumulative => (10, 8),
            Self::DynamicQuantize => (10, 8),
            Self::Float8 => (9, 0),
            Self::Gelu => (10, 0),
            Self::GroupNormalization => (10, 15),
            Self::Int64 => (10, 0),
            Self::IsNan => (10, 3),
            Self::Squeeze => (10, 7),
        }
    }
}

impl Target {
    /// Whether the target knows the feature.
    pub fn has(self, feature: Feature) -> bool {
        match self {
            Self::Cpu | Self::Rtx(..) => true,
            Self::TensorRt(major, minor) => (major, minor) >= feature.since(),
        }
    }

    /// Whether its Scale layer takes an input of this rank.
    pub fn scales_rank(self, rank: usize) -> bool {
        self == Self::Cpu || (4..=5).contains(&rank)
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
