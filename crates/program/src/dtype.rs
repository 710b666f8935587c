//! PyTorch's element types.

use std::fmt;
use std::str::FromStr;

macro_rules! scalar_types {
    ($($variant:ident $name:literal $size:literal)*) => {
        /// `torch.dtype`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ScalarType { $(#[doc = concat!("`torch.", $name, "`.")] $variant,)* }

        impl ScalarType {
            /// The name after `torch.`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Bytes an element.
            pub fn size(self) -> usize {
                match self { $(Self::$variant => $size,)* }
            }
        }

        impl FromStr for ScalarType {
            type Err = crate::Error;
            fn from_str(name: &str) -> Result<Self, Self::Err> {
                match name {
                    $($name => Ok(Self::$variant),)*
                    _ => Err(crate::Error::UnknownDtype { name: name.to_owned() }),
                }
            }
        }
    };
}

scalar_types! {
    Float32 "float32" 4
    Float16 "float16" 2
    BFloat16 "bfloat16" 2
    Float64 "float64" 8
    Int64 "int64" 8
    Int32 "int32" 4
    Int16 "int16" 2
    Int8 "int8" 1
    UInt8 "uint8" 1
    UInt16 "uint16" 2
    UInt32 "uint32" 4
    UInt64 "uint64" 8
    Bool "bool" 1
    Complex64 "complex64" 8
    Complex128 "complex128" 16
    Float8E4M3 "float8_e4m3fn" 1
    Float8E5M2 "float8_e5m2" 1
}

impl ScalarType {
    /// Whether it is a real floating-point type.
    pub fn is_float(self) -> bool {
        matches!(
            self,
            Self::Float32 | Self::Float16 | Self::BFloat16 | Self::Float64 | Self::Float8E4M3 | Self::Float8E5M2
        )
    }

    /// Whether it is an integer type (`bool` is not).
    pub fn is_integer(self) -> bool {
        !self.is_float() && !self.is_complex() && self != Self::Bool
    }

    /// Whether it is a complex type.
    pub fn is_complex(self) -> bool {
        matches!(self, Self::Complex64 | Self::Complex128)
    }
}

impl fmt::Display for ScalarType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
