//! TensorRT's enums in Rust. A value becomes the loaded version's number only when a call is made.
//!
//! Names and meaning are those of `NvInfer.h`. A value that the loaded version lacks is
//! [`Error::NotInThisVersion`](crate::Error::NotInThisVersion), as a missing call is.

mod build;
mod layers;
mod run;
mod tensor;

use std::fmt;

pub use build::*;
pub use layers::*;
pub use run::*;
pub use tensor::*;

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

            fn entry(self) -> &'static $crate::sys::Number {
                match self {
                    $(Self::$variant => &$crate::sys::enums::$table::$constant,)*
                }
            }

            /// TensorRT's values that are not declared here.
            #[cfg(test)]
            #[allow(dead_code, reason = "only the enumerations of layers have to be complete")]
            pub(crate) fn undeclared() -> Vec<String> {
                let declared = |number: &$crate::sys::Number| Self::ALL.iter().any(|v| v.entry().name == number.name);
                let all = $crate::sys::enums::$table::ALL.iter();
                all.filter(|number| !declared(number)).map($crate::sys::Number::full_name).collect()
            }

            /// Whether `version` has this value.
            pub fn is_in(self, version: $crate::Version) -> bool {
                self.entry().of(version).is_some()
            }

            /// The value of TensorRT's name, such as `kFLOAT`; case does not matter, and the `k` may be left out.
            pub fn from_name(name: &str) -> Option<Self> {
                let is = |own: &str| own.eq_ignore_ascii_case(name) || own[1..].eq_ignore_ascii_case(name);
                Self::ALL.iter().copied().find(|value| is(value.entry().name))
            }

            /// TensorRT's name without the `k`, as its Python package has it: `FLOAT`.
            pub fn name(self) -> &'static str {
                &self.entry().name[1..]
            }

            /// The number of this value in `version`.
            #[allow(dead_code, reason = "some enums are only read")]
            pub(crate) fn number(self, version: $crate::Version) -> $crate::Result<i32> {
                let entry = self.entry();
                entry.of(version).ok_or_else(|| $crate::Error::NotInThisVersion {
                    call: entry.full_name(),
                    version,
                    since: entry.availability(),
                })
            }

            /// The value behind a number of `version`; `None` for one that this crate does not know.
            #[allow(dead_code, reason = "some enums are only written")]
            pub(crate) fn from_number(version: $crate::Version, number: i32) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.entry().of(version) == Some(number))
            }
        }

        impl $crate::argument::Argument for $name {
            type Raw = i32;

            fn raw(self, owner: $crate::argument::Owner) -> $crate::Result<i32> {
                self.number(owner.version)
            }
        }
    };
}

use numbered;

#[cfg(test)]
mod tests {
    use super::*;

    /// A layer kind that a known version has needs no new value here.
    #[test]
    fn enumerations_of_layers_have_every_value_of_every_version() {
        macro_rules! undeclared {
            ($($name:ident),* $(,)?) => { [$($name::undeclared()),*].concat() };
        }
        let missing = undeclared!(
            ActivationType,
            AttentionIoForm,
            AttentionNormalizationOp,
            BoundingBoxFormat,
            CausalMaskKind,
            CollectiveOperation,
            CumulativeOperation,
            DataType,
            ElementWiseOperation,
            FillOperation,
            GatherMode,
            InterpolationMode,
            KvCacheMode,
            LayerType,
            LoopOutput,
            MatrixOperation,
            MoeActType,
            PaddingMode,
            PoolingType,
            ReduceOperation,
            ResizeCoordinateTransformation,
            ResizeRoundMode,
            ResizeSelector,
            SampleMode,
            ScaleMode,
            ScatterMode,
            TopKOperation,
            TripLimit,
            UnaryOperation,
        );
        // Older names, and what no layer that the binding adds is or takes.
        let dropped = [
            "kDEFAULT",
            "kFULLY_CONNECTED",
            "kPLUGIN",
            "kPLUGIN_V2",
            "kPLUGIN_V3",
            "kRNN_V2",
            "kCAFFE_ROUND_DOWN",
            "kCAFFE_ROUND_UP",
        ];
        let missing: Vec<_> = missing.iter().filter(|name| !dropped.iter().any(|old| name.ends_with(old))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
