//! Which TensorRT is loaded: version numbers, and the families that share one binary interface.

use std::fmt;

/// Versions that share one set of virtual tables; within a family the tables only grow at their end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Family {
    /// TensorRT 8.6: 32-bit dimensions, implicit calibration, `Dims` by value.
    Trt8,
    /// TensorRT 10: 64-bit dimensions, weak or strong typing.
    Trt10,
    /// TensorRT 11: strongly typed only.
    Trt11,
    /// TensorRT-RTX 1.3 and 1.4: as TensorRT 10, less plugins and calibration.
    Rtx1_3,
    /// TensorRT-RTX 1.5 to 1.7: as TensorRT 11.
    Rtx1_5,
}

impl Family {
    /// Every family, in the column order of the tables.
    pub const ALL: [Self; 5] = [Self::Trt8, Self::Trt10, Self::Trt11, Self::Rtx1_3, Self::Rtx1_5];

    /// TensorRT-RTX rather than TensorRT.
    pub fn is_rtx(self) -> bool {
        matches!(self, Self::Rtx1_3 | Self::Rtx1_5)
    }

    /// Every network is strongly typed, whatever its creation flags say.
    pub fn is_always_strongly_typed(self) -> bool {
        matches!(self, Self::Trt11 | Self::Rtx1_5)
    }

    /// The family can build strongly typed networks (all but TensorRT 8).
    pub fn can_be_strongly_typed(self) -> bool {
        self != Self::Trt8
    }
}

/// For saying in words which versions have a call.
impl Family {
    /// The product's name.
    pub(crate) fn product(self) -> &'static str {
        if self.is_rtx() { "TensorRT-RTX" } else { "TensorRT" }
    }

    /// The family after this one in the same product.
    pub(crate) fn next(self) -> Option<Self> {
        match self {
            Self::Trt8 => Some(Self::Trt10),
            Self::Trt10 => Some(Self::Trt11),
            Self::Rtx1_3 => Some(Self::Rtx1_5),
            Self::Trt11 | Self::Rtx1_5 => None,
        }
    }

    /// The first version that has something: the family's own first for 0, else the encoded one.
    pub(crate) fn first(self, since: u32) -> String {
        if since > 0 {
            return format!("{}.{}", since / 10_000, since / 100 % 100);
        }
        let first = match self {
            Self::Trt8 => "8.6",
            Self::Trt10 => "10",
            Self::Trt11 => "11",
            Self::Rtx1_3 => "1.3",
            Self::Rtx1_5 => "1.5",
        };
        first.to_owned()
    }

    /// The last version of the family; `None` when its product has no later family.
    pub(crate) fn last(self) -> Option<&'static str> {
        match self {
            Self::Trt8 => Some("8.6"),
            Self::Trt10 => Some("10"),
            Self::Rtx1_3 => Some("1.4"),
            Self::Trt11 | Self::Rtx1_5 => None,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trt8 => "TensorRT 8.6",
            Self::Trt10 => "TensorRT 10",
            Self::Trt11 => "TensorRT 11",
            Self::Rtx1_3 => "TensorRT-RTX 1.3 to 1.4",
            Self::Rtx1_5 => "TensorRT-RTX 1.5 to 1.7",
        })
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

/// The versions that this crate can talk to, in words.
pub const SUPPORTED: &str = "TensorRT 8.6, 10, 11 and TensorRT-RTX 1.3 to 1.7";

impl Version {
    /// Reads what `getInferLibVersion()` reports: 8600 for 8.6.0, 101301 for 10.13.1, 10701 for TensorRT-RTX 1.7.1.
    ///
    /// A later minor version of TensorRT 10 or 11 is taken for its family: TensorRT keeps its binary interface within
    /// a major version. TensorRT-RTX changed it from 1.4 to 1.5, so a later one is not guessed at.
    ///
    /// # Errors
    /// [`Unsupported`] for every version outside [`SUPPORTED`].
    pub fn from_reported(number: i32) -> Result<Self, Unsupported> {
        let number = u32::try_from(number).unwrap_or(0);
        let (major, minor, patch) = if number < 10_000 {
            (number / 1_000, number / 100 % 10, number % 100)
        } else {
            (number / 10_000, number / 100 % 100, number % 100)
        };
        // TensorRT itself was at 8 when its numbers had four digits, so five digits are TensorRT-RTX.
        let rtx = (10_000..80_000).contains(&number);
        let family = match (rtx, major, minor) {
            (false, 8, 6) => Family::Trt8,
            (false, 10, _) => Family::Trt10,
            (false, 11, _) => Family::Trt11,
            (true, 1, 3..=4) => Family::Rtx1_3,
            (true, 1, 5..=7) => Family::Rtx1_5,
            _ => {
                let product = if rtx { "TensorRT-RTX" } else { "TensorRT" };
                let found = format!("{product} {major}.{minor}.{patch}");
                return Err(Unsupported { found });
            }
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
