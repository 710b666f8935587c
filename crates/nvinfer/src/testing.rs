//! What unit tests share: one version of each family.

use crate::version::Version;

/// The newest known version of every family, in the tables' column order.
pub fn versions() -> [Version; 5] {
    [8601, 101_600, 110_400, 10_400, 10_701].map(|n| Version::from_reported(n).unwrap())
}
