//! Which TensorRT is loaded: version numbers, and the families that share one binary interface.

use std::fmt;
use std::ops::RangeInclusive;

/// Declares the families: one row each.
macro_rules! families {
    ($($(#[$doc:meta])* $variant:ident = $row:expr;)*) => {
        /// Versions that share one set of virtual tables; within a family the tables only grow at their end.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum Family {
            $($(#[$doc])* $variant,)*
        }

        impl Family {
            /// Every family, in the column order of the tables.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            fn row(self) -> &'static Row {
                match self {
                    $(Self::$variant => const { &$row },)*
                }
            }
        }
    };
}

// Within a product, oldest first. A new row needs its facts in `crates/nvinfer/facts` and `cargo run -p xtask -- abi`.
families! {
    /// TensorRT 8.6: 32-bit dimensions, implicit calibration, `Dims` by value.
    Trt8 = Row { product: Product::TensorRt, major: 8, minors: 6..=6, typing: Types::Weak, facts: &["8.6.0", "8.6.1"] };
    /// TensorRT 10: 64-bit dimensions, weak or strong typing.
    Trt10 = Row {
        product: Product::TensorRt, major: 10, minors: ANY, typing: Types::Both,
        facts: &["10.0.1", "10.3.0", "10.7.0", "10.10.0", "10.13.3", "10.16"],
    };
    /// TensorRT 11: strongly typed only.
    Trt11 = Row {
        product: Product::TensorRt, major: 11, minors: ANY, typing: Types::Strong, facts: &["11.0", "11.1", "11.4"],
    };
    /// TensorRT-RTX 1.3 and 1.4: as TensorRT 10, less plugins and calibration.
    Rtx1_3 = Row { product: Product::Rtx, major: 1, minors: 3..=4, typing: Types::Both, facts: &["rtx1.3", "rtx1.4"] };
    /// TensorRT-RTX 1.5 to 1.7: as TensorRT 11.
    Rtx1_5 = Row {
        product: Product::Rtx, major: 1, minors: 5..=7, typing: Types::Strong, facts: &["rtx1.5", "rtx1.6", "rtx1.7"],
    };
}

/// What distinguishes a family.
#[derive(Debug)]
struct Row {
    product: Product,
    /// Major version.
    major: u32,
    /// Minor versions. TensorRT keeps its binary interface within a major version; TensorRT-RTX does not.
    minors: RangeInclusive<u32>,
    typing: Types,
    /// The versions whose facts are known, oldest first.
    #[cfg_attr(not(any(test, feature = "tables")), allow(dead_code, reason = "for the generator and for tests"))]
    facts: &'static [&'static str],
}

const ANY: RangeInclusive<u32> = 0..=u32::MAX;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Product {
    TensorRt,
    Rtx,
}

impl Product {
    fn name(self) -> &'static str {
        match self {
            Self::TensorRt => "TensorRT",
            Self::Rtx => "TensorRT-RTX",
        }
    }
}

/// How networks of a family are typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Types {
    Weak,
    Both,
    Strong,
}

impl Family {
    /// TensorRT-RTX rather than TensorRT.
    pub fn is_rtx(self) -> bool {
        self.row().product == Product::Rtx
    }

    /// Every network is strongly typed, whatever its creation flags are.
    pub fn is_always_strongly_typed(self) -> bool {
        self.row().typing == Types::Strong
    }

    /// The family can build strongly typed networks (all but TensorRT 8).
    pub fn can_be_strongly_typed(self) -> bool {
        self.row().typing != Types::Weak
    }

    /// The versions whose facts make the family's column of the tables, oldest first.
    #[cfg(any(test, feature = "tables"))]
    pub fn facts(self) -> &'static [&'static str] {
        self.row().facts
    }

    /// The family's first version, such as `8.6`, `10` or `1.3`.
    pub fn first_version(self) -> String {
        self.version_with(*self.row().minors.start())
    }

    fn last_version(self) -> String {
        self.version_with(*self.row().minors.end())
    }

    fn version_with(self, minor: u32) -> String {
        let Row { major, minors, .. } = self.row();
        if *minors == ANY { major.to_string() } else { format!("{major}.{minor}") }
    }

    /// The libraries that hold a family's interface: those that build and run, and those that only run.
    pub(crate) fn library(self, is_lean: bool) -> Option<String> {
        let Row { product, major, .. } = self.row();
        match (product, is_lean) {
            (Product::TensorRt, false) => Some(format!("libnvinfer.so.{major}")),
            (Product::TensorRt, true) => Some(format!("libnvinfer_lean.so.{major}")),
            (Product::Rtx, false) => Some(format!("libtensorrt_rtx.so.{major}")),
            (Product::Rtx, true) => None,
        }
    }
}

/// For describing which versions have a call.
impl Family {
    /// The product's name.
    pub(crate) fn product(self) -> &'static str {
        self.row().product.name()
    }

    /// The family after this one in the same product.
    pub(crate) fn next(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied().filter(|next| next.is_rtx() == self.is_rtx())
    }

    /// The first version that has something: the family's own first for 0, else the encoded one.
    pub(crate) fn first(self, since: u32) -> String {
        if since > 0 { format!("{}.{}", since / 10_000, since / 100 % 100) } else { self.first_version() }
    }

    /// The last version of the family; `None` when its product has no later family.
    pub(crate) fn last(self) -> Option<String> {
        self.next().map(|_| self.last_version())
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first_version(), self.last_version());
        write!(f, "{} {first}", self.product())?;
        if first == last { Ok(()) } else { write!(f, " to {last}") }
    }
}

/// The versions that this crate supports: `TensorRT 8.6, 10, 11 and TensorRT-RTX 1.3 to 1.7`.
pub fn supported() -> String {
    let of = |rtx| Family::ALL.iter().filter(move |family| family.is_rtx() == rtx);
    let tensorrt: Vec<String> = of(false).map(|family| family.first_version()).collect();
    let tensorrt = format!("{} {}", Product::TensorRt.name(), tensorrt.join(", "));
    match (of(true).next(), of(true).next_back()) {
        (Some(first), Some(last)) => {
            format!("{tensorrt} and {} {} to {}", Product::Rtx.name(), first.first_version(), last.last_version())
        }
        _ => tensorrt,
    }
}

/// The version of a loaded TensorRT or TensorRT-RTX.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Version {
    family: Family,
    major: u32,
    minor: u32,
    patch: u32,
}

/// What [`Version::from_reported`] makes of a number whose interface is not known to this crate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsupported {
    /// The version in words, such as `TensorRT 9.2.0`.
    pub found: String,
}

impl Version {
    /// Reads what `getInferLibVersion()` reports: 8600 for 8.6.0, 101301 for 10.13.1, 10701 for TensorRT-RTX 1.7.1.
    ///
    /// A later minor version of TensorRT 10 or 11 is taken for its family: TensorRT keeps its binary interface within
    /// a major version. TensorRT-RTX changed it from 1.4 to 1.5, so a later one is not guessed at.
    ///
    /// # Errors
    /// [`Unsupported`] for every version outside [`supported`].
    pub fn from_reported(number: i32) -> Result<Self, Unsupported> {
        let number = u32::try_from(number).unwrap_or(0);
        let (major, minor, patch) = if number < 10_000 {
            (number / 1_000, number / 100 % 10, number % 100)
        } else {
            (number / 10_000, number / 100 % 100, number % 100)
        };
        // TensorRT itself was at 8 when its numbers had four digits, so five digits are TensorRT-RTX.
        let rtx = (10_000..80_000).contains(&number);
        let product = if rtx { Product::Rtx } else { Product::TensorRt };
        let is_of = |row: &Row| row.product == product && row.major == major && row.minors.contains(&minor);
        let Some(family) = Family::ALL.iter().copied().find(|family| is_of(family.row())) else {
            return Err(Unsupported { found: format!("{} {major}.{minor}.{patch}", product.name()) });
        };
        Ok(Self { family, major, minor, patch })
    }

    /// The family, which decides every layout.
    pub fn family(self) -> Family {
        self.family
    }

    /// Major version, such as 10.
    pub fn major(self) -> u32 {
        self.major
    }

    /// Minor version, such as 13.
    pub fn minor(self) -> u32 {
        self.minor
    }

    /// Patch version.
    pub fn patch(self) -> u32 {
        self.patch
    }

    /// major·10000 + minor·100 + patch, which orders versions within a family.
    pub(crate) fn encoded(self) -> u32 {
        self.major * 10_000 + self.minor * 100 + self.patch
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let product = self.family.product();
        let Self { major, minor, patch, .. } = self;
        write!(f, "{product} {major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reported_numbers_become_versions() {
        let read = |n| Version::from_reported(n).map(|v| (v.family(), v.to_string()));
        assert_eq!(read(8600), Ok((Family::Trt8, "TensorRT 8.6.0".into())));
        assert_eq!(read(8601), Ok((Family::Trt8, "TensorRT 8.6.1".into())));
        assert_eq!(read(101_303), Ok((Family::Trt10, "TensorRT 10.13.3".into())));
        assert_eq!(read(110_400), Ok((Family::Trt11, "TensorRT 11.4.0".into())));
        assert_eq!(read(10_400), Ok((Family::Rtx1_3, "TensorRT-RTX 1.4.0".into())));
        assert_eq!(read(10_701), Ok((Family::Rtx1_5, "TensorRT-RTX 1.7.1".into())));
    }

    #[test]
    fn families_are_described_by_their_versions() {
        assert_eq!(supported(), "TensorRT 8.6, 10, 11 and TensorRT-RTX 1.3 to 1.7");
        let names: Vec<String> = Family::ALL.iter().map(ToString::to_string).collect();
        let expected =
            ["TensorRT 8.6", "TensorRT 10", "TensorRT 11", "TensorRT-RTX 1.3 to 1.4", "TensorRT-RTX 1.5 to 1.7"];
        assert_eq!(names, expected);
        assert!(Family::Trt11.last().is_none() && Family::Rtx1_5.last().is_none());
    }

    #[test]
    fn unknown_interfaces_are_refused() {
        for (number, found) in [
            (8501, "TensorRT 8.5.1"),
            (90_200, "TensorRT 9.2.0"),
            (120_000, "TensorRT 12.0.0"),
            (10_800, "TensorRT-RTX 1.8.0"),
            (-1, "TensorRT 0.0.0"),
        ] {
            assert_eq!(Version::from_reported(number), Err(Unsupported { found: found.into() }));
        }
    }
}
