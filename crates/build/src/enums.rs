//! The network's enumerations as the binding's.
//!
//! Both have TensorRT's names; the numbers behind the names differ by version and belong to the binding. An enumeration
//! or a value that the binding lacks does not compile.

use nvinfer as trt;

/// The binding's value for one of the network's.
pub(crate) trait ToTensorRt {
    /// The binding's type.
    type Value;

    /// The value of the same name.
    fn to_trt(self) -> Self::Value;
}

macro_rules! same {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident),* $(,)? })*) => {$(
        impl ToTensorRt for network::$name {
            type Value = trt::$name;

            fn to_trt(self) -> trt::$name {
                match self { $(Self::$variant => trt::$name::$variant),* }
            }
        }
    )*};
}

network::each_enumeration!([same]);

same! {
    PluginFieldType {
        Float16, Float32, Float64, Int8, Int16, Int32, Char, Dims, Unknown, Bf16, Int64, Fp8, Int4, Fp4,
    }
}

impl ToTensorRt for network::DType {
    type Value = trt::DataType;

    fn to_trt(self) -> trt::DataType {
        match self {
            Self::Float32 => trt::DataType::Float,
            Self::Float16 => trt::DataType::Half,
            Self::BFloat16 => trt::DataType::BFloat16,
            Self::Int64 => trt::DataType::Int64,
            Self::Int32 => trt::DataType::Int32,
            Self::Int8 => trt::DataType::Int8,
            Self::UInt8 => trt::DataType::UInt8,
            Self::Bool => trt::DataType::Bool,
            Self::Float8E4M3 => trt::DataType::Fp8,
        }
    }
}
