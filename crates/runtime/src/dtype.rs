//! Element types of the tensors that cross an engine's interface.
//!
//! Named as PyTorch names them. It knows neither ONNX's nor TensorRT's numbers for them: each engine maps its own.

use std::fmt;

/// The type of one tensor element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataType {
    /// IEEE single precision.
    Float32,
    /// IEEE half precision.
    Float16,
    /// The upper half of a single-precision number.
    BFloat16,
    /// IEEE double precision.
    Float64,
    /// Signed, 64 bits.
    Int64,
    /// Signed, 32 bits.
    Int32,
    /// Signed, 16 bits.
    Int16,
    /// Signed, 8 bits.
    Int8,
    /// Unsigned, 8 bits.
    UInt8,
    /// One byte, 0 or 1. Any other byte is the caller's mistake and gives unspecified (never unsafe) results.
    Bool,
    /// Eight bits: four of exponent, three of mantissa, no infinity (OCP `E4M3`, PyTorch `float8_e4m3fn`).
    #[serde(rename = "float8_e4m3fn")]
    Float8E4M3,
    /// Eight bits: five of exponent, two of mantissa (OCP `E5M2`).
    #[serde(rename = "float8_e5m2")]
    Float8E5M2,
}

impl DataType {
    /// Every type.
    pub const ALL: [Self; 12] = [
        Self::Float32,
        Self::Float16,
        Self::BFloat16,
        Self::Float64,
        Self::Int64,
        Self::Int32,
        Self::Int16,
        Self::Int8,
        Self::UInt8,
        Self::Bool,
        Self::Float8E4M3,
        Self::Float8E5M2,
    ];

    /// Bytes of one element; also the alignment that its address must have.
    pub const fn size(self) -> usize {
        match self {
            Self::Float64 | Self::Int64 => 8,
            Self::Float32 | Self::Int32 => 4,
            Self::Float16 | Self::BFloat16 | Self::Int16 => 2,
            Self::Int8 | Self::UInt8 | Self::Bool | Self::Float8E4M3 | Self::Float8E5M2 => 1,
        }
    }

    /// Whether it is a floating-point type.
    pub const fn is_float(self) -> bool {
        match self {
            Self::Float32 | Self::Float16 | Self::BFloat16 | Self::Float64 | Self::Float8E4M3 | Self::Float8E5M2 => {
                true
            }
            Self::Int64 | Self::Int32 | Self::Int16 | Self::Int8 | Self::UInt8 | Self::Bool => false,
        }
    }

    /// PyTorch's name, such as `float32`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::BFloat16 => "bfloat16",
            Self::Float64 => "float64",
            Self::Int64 => "int64",
            Self::Int32 => "int32",
            Self::Int16 => "int16",
            Self::Int8 => "int8",
            Self::UInt8 => "uint8",
            Self::Bool => "bool",
            Self::Float8E4M3 => "float8_e4m3fn",
            Self::Float8E5M2 => "float8_e5m2",
        }
    }

    /// The type of that PyTorch name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.name() == name)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_text_and_in_files() {
        for dtype in DataType::ALL {
            assert_eq!(DataType::from_name(dtype.name()), Some(dtype));
            assert_eq!(serde_json::to_string(&dtype).unwrap(), format!("\"{dtype}\""));
        }
        assert_eq!(DataType::from_name("complex64"), None);
    }
}
