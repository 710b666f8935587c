//! Which GPU to build for.

use crate::Error;
use nvinfer::{ComputeCapability, Version};

/// The compute capability that a target names: `sm_89`, `8.9` or `89`; case does not matter.
///
/// # Errors
/// [`Error::BadTarget`] for what is no capability, and for one that this TensorRT does not build for.
pub(crate) fn parse(target: &str, version: Version) -> Result<ComputeCapability, Error> {
    let accepted = accepted(version);
    let digits: String = target.trim().to_ascii_lowercase().trim_start_matches("sm").replace(['_', '.'], "");
    let found = accepted.iter().find(|c| name(**c).trim_start_matches("sm_") == digits);
    found.copied().ok_or_else(|| Error::BadTarget {
        target: target.to_owned(),
        version,
        accepted: accepted.iter().map(|c| name(*c)).collect(),
    })
}

/// Major and minor number of the compute capability that a target names: `sm_89` is (8, 9).
///
/// # Errors
/// [`Error::BadTarget`] for what is no capability, and for one that this TensorRT does not build for.
pub fn capability(target: &str, version: Version) -> Result<(i32, i32), Error> {
    let found = name(parse(target, version)?);
    let number = found.trim_start_matches("sm_").parse().unwrap_or(0);
    Ok((number / 10, number % 10))
}

/// The targets that a version builds for without the GPU at hand: none but in TensorRT-RTX.
pub fn targets(version: Version) -> Vec<String> {
    accepted(version).into_iter().map(name).collect()
}

fn accepted(version: Version) -> Vec<ComputeCapability> {
    if !version.family().is_rtx() {
        return Vec::new();
    }
    let real = |c: &ComputeCapability| !matches!(c, ComputeCapability::None | ComputeCapability::Current);
    ComputeCapability::ALL.iter().copied().filter(|c| real(c) && c.is_in(version)).collect()
}

/// `Sm89` as `sm_89`.
fn name(capability: ComputeCapability) -> String {
    format!("{capability:?}").replace("Sm", "sm_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_read_as_people_write_them() {
        let version = Version::from_reported(10_701).unwrap();
        for text in ["sm_89", "SM89", "8.9", "89", " sm_89 "] {
            assert_eq!(parse(text, version).unwrap(), ComputeCapability::Sm89, "{text}");
        }
        assert_eq!(parse("12.0", version).unwrap(), ComputeCapability::Sm120);
        assert_eq!((capability("sm_89", version).unwrap(), capability("120", version).unwrap()), ((8, 9), (12, 0)));
    }

    #[test]
    fn a_wrong_target_is_answered_with_the_right_ones() {
        let rtx = Version::from_reported(10_701).unwrap();
        for text in ["sm_90", "H200", "", "sm_8"] {
            let error = parse(text, rtx).unwrap_err().to_string();
            assert!(error.contains("sm_89") && error.contains(&format!("`{text}`")), "{error}");
        }
        let ten = Version::from_reported(101_303).unwrap();
        let error = parse("sm_89", ten).unwrap_err().to_string();
        assert!(error.contains("the GPU of this machine only"), "{error}");
    }
}
