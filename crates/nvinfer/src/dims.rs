//! Dimensions as TensorRT has them: at most eight, -1 for one known only at run time.

use std::fmt;
use std::ops::Deref;

use crate::error::{Error, Result};
use crate::sys::layout::{Dims32, Dims64, MAX_DIMS};

/// Up to eight extents (`Dims`); reads as a slice of `i64`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Dims {
    rank: usize,
    extents: [i64; MAX_DIMS],
}

impl Dims {
    /// Dimensions from a slice.
    ///
    /// # Errors
    /// [`Error::TooManyDims`] for more than eight.
    pub fn new(dims: &[i64]) -> Result<Self> {
        let mut extents = [0; MAX_DIMS];
        let Some(head) = extents.get_mut(..dims.len()) else {
            return Err(Error::TooManyDims { dims: dims.to_vec() });
        };
        head.copy_from_slice(dims);
        Ok(Self { rank: dims.len(), extents })
    }

    pub(crate) fn to_64(self) -> Dims64 {
        // A rank of at most eight always fits.
        Dims64 { rank: self.rank as i32, d: self.extents }
    }

    pub(crate) fn to_32(self) -> Option<Dims32> {
        let mut d = [0; MAX_DIMS];
        for (narrow, wide) in d.iter_mut().zip(self.extents) {
            *narrow = i32::try_from(wide).ok()?;
        }
        Some(Dims32 { rank: self.rank as i32, d })
    }

    /// `None` for the rank of -1 by which TensorRT reports that it has no dimensions.
    pub(crate) fn from_64(raw: &Dims64) -> Option<Self> {
        let rank = usize::try_from(raw.rank).ok().filter(|r| *r <= MAX_DIMS)?;
        Self::new(&raw.d[..rank]).ok()
    }

    pub(crate) fn from_32(raw: &Dims32) -> Option<Self> {
        let rank = usize::try_from(raw.rank).ok().filter(|r| *r <= MAX_DIMS)?;
        Self::new(&raw.d[..rank].iter().map(|d| i64::from(*d)).collect::<Vec<_>>()).ok()
    }
}

impl Deref for Dims {
    type Target = [i64];

    fn deref(&self) -> &[i64] {
        &self.extents[..self.rank]
    }
}

impl fmt::Debug for Dims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl PartialEq<[i64]> for Dims {
    fn eq(&self, other: &[i64]) -> bool {
        **self == *other
    }
}

impl<const N: usize> PartialEq<[i64; N]> for Dims {
    fn eq(&self, other: &[i64; N]) -> bool {
        **self == *other
    }
}
