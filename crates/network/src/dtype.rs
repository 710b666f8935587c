//! TensorRT's element types.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Element type of a tensor (TensorRT `DataType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// IEEE binary32 (`kFLOAT`).
    Float32,
    /// IEEE binary16 (`kHALF`).
    Float16,
    /// Brain float (`kBF16`).
    BFloat16,
    /// 64-bit signed integer (`kINT64`).
    Int64,
    /// 32-bit signed integer (`kINT32`).
    Int32,
    /// 8-bit signed integer: quantized values only (`kINT8`).
    Int8,
    /// 8-bit unsigned integer: network inputs and outputs, through a cast (`kUINT8`).
    UInt8,
    /// `kBOOL`.
    Bool,
    /// 8-bit float, 4 exponent bits, no infinity: quantized values only (`kFP8`).
    #[serde(rename = "float8_e4m3fn")]
    Float8E4M3,
}

impl DType {
    /// Every type, in declaration order.
    pub const ALL: [Self; 9] = [
        Self::Float32,
        Self::Float16,
        Self::BFloat16,
        Self::Int64,
        Self::Int32,
        Self::Int8,
        Self::UInt8,
        Self::Bool,
        Self::Float8E4M3,
    ];

    /// The name used in text forms and messages; PyTorch's, where it has the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::BFloat16 => "bfloat16",
            Self::Int64 => "int64",
            Self::Int32 => "int32",
            Self::Int8 => "int8",
            Self::UInt8 => "uint8",
            Self::Bool => "bool",
            Self::Float8E4M3 => "float8_e4m3fn",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.name() == name)
    }

    /// Bytes an element.
    pub fn size(self) -> usize {
        match self {
            Self::Int64 => 8,
            Self::Float32 | Self::Int32 => 4,
            Self::Float16 | Self::BFloat16 => 2,
            Self::Int8 | Self::UInt8 | Self::Bool | Self::Float8E4M3 => 1,
        }
    }

    /// Whether layers compute on it as a real number (float32, float16, bfloat16).
    pub fn is_float(self) -> bool {
        matches!(self, Self::Float32 | Self::Float16 | Self::BFloat16)
    }

    /// Whether it counts and indexes (int32, int64).
    pub fn is_index(self) -> bool {
        matches!(self, Self::Int32 | Self::Int64)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
