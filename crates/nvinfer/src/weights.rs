//! Weights and other borrowed arguments: what TensorRT reads from the caller's memory.

use std::ffi::CString;
use std::marker::PhantomData;

use crate::argument::{Argument, Owner};
use crate::error::{Error, Result};
use crate::sys::layout::RawWeights;
use crate::types::DataType;
use crate::version::Version;

/// Elements of one type, borrowed until the network that uses them is gone (`Weights`).
///
/// TensorRT copies them while building, not when a layer is added.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'w> {
    dtype: DataType,
    values: *const u8,
    count: i64,
    borrowed: PhantomData<&'w [u8]>,
}

impl<'w> Weights<'w> {
    /// Weights from raw bytes in the machine's byte order.
    ///
    /// # Errors
    /// [`Error::BadWeights`] when the bytes are not whole elements, or not aligned for them.
    pub fn new(dtype: DataType, bytes: &'w [u8]) -> Result<Self> {
        let bits = dtype.bits();
        let aligned = bytes.as_ptr().addr().is_multiple_of((bits / 8).max(1));
        let count = i64::try_from(bytes.len() * 8 / bits).ok();
        match count {
            Some(count) if aligned && (bytes.len() * 8).is_multiple_of(bits) => Ok(Self {
                dtype,
                values: if bytes.is_empty() { std::ptr::null() } else { bytes.as_ptr() },
                count,
                borrowed: PhantomData,
            }),
            _ => Err(Error::BadWeights { bytes: bytes.len(), address: bytes.as_ptr().addr(), bits }),
        }
    }

    /// Weights from a slice of numbers.
    pub fn of<T: Element>(values: &'w [T]) -> Self {
        Self {
            dtype: T::DATA_TYPE,
            values: if values.is_empty() { std::ptr::null() } else { values.as_ptr().cast() },
            // A slice holds at most isize::MAX bytes.
            count: values.len() as i64,
            borrowed: PhantomData,
        }
    }

    /// No weights, where a layer can do without (no bias, no shift).
    pub fn none(dtype: DataType) -> Self {
        Self { dtype, values: std::ptr::null(), count: 0, borrowed: PhantomData }
    }

    /// Element type.
    pub fn dtype(&self) -> DataType {
        self.dtype
    }

    /// Number of elements.
    pub fn count(&self) -> i64 {
        self.count
    }

    pub(crate) fn raw(&self, version: Version) -> Result<RawWeights> {
        Ok(RawWeights { dtype: self.dtype.number(version)?, values: self.values.cast(), count: self.count })
    }
}

/// A Rust number that TensorRT has too.
pub trait Element: sealed::Sealed + Copy {
    /// Its data type.
    const DATA_TYPE: DataType;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! elements {
    ($($type:ty = $dtype:ident),*) => {$(
        impl sealed::Sealed for $type {}
        impl Element for $type { const DATA_TYPE: DataType = DataType::$dtype; }
    )*};
}
elements!(f32 = Float, i8 = Int8, u8 = UInt8, i32 = Int32, i64 = Int64, bool = Bool);

/// A set of axes, as a bit mask.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Axes(u32);

impl Axes {
    /// The axes with these indices, counted from the first dimension; 31 and more do not exist and are left out.
    pub fn new(axes: &[usize]) -> Self {
        Self(axes.iter().filter(|a| **a < 32).fold(0, |mask, a| mask | 1 << a))
    }

    /// The bit mask.
    pub fn mask(self) -> u32 {
        self.0
    }
}

/// Text for C++.
pub(crate) fn c_text(what: &'static str, text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::NulInText { what, text: text.to_owned() })
}

/// A count or index for C++.
pub(crate) fn c_int(what: &'static str, value: usize) -> Result<i32> {
    i32::try_from(value).map_err(|_| Error::OutOfRange { what, value: i64::try_from(value).unwrap_or(i64::MAX) })
}

impl Argument for usize {
    type Raw = i32;

    fn raw(self, _: Owner) -> Result<i32> {
        c_int("an axis or count", self)
    }
}

impl Argument for Axes {
    type Raw = u32;

    fn raw(self, _: Owner) -> Result<u32> {
        Ok(self.mask())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_elements_not_bytes() {
        let values = [1.0f32, 2.0, 3.0];
        assert_eq!(Weights::of(&values).count(), 3);
        let words = [0u64; 3];
        // SAFETY: any memory can be read as bytes.
        let bytes = unsafe { std::slice::from_raw_parts(words.as_ptr().cast::<u8>(), 24) };
        for (dtype, count) in [(DataType::Float, 6), (DataType::Half, 12), (DataType::Int64, 3), (DataType::Int4, 48)] {
            assert_eq!(Weights::new(dtype, bytes).unwrap().count(), count, "{dtype:?}");
        }
        assert!(Weights::new(DataType::Float, &bytes[..6]).is_err(), "half an element");
        assert!(Weights::new(DataType::Float, &bytes[1..5]).is_err(), "not aligned");
        assert!(Weights::new(DataType::Half, &bytes[2..6]).is_ok());
    }

    #[test]
    fn axes_are_bits() {
        assert_eq!(Axes::new(&[0, 2, 3]).mask(), 0b1101);
        assert_eq!(Axes::new(&[]).mask(), 0);
    }
}
