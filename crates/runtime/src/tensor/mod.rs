//! Tensors at an engine's boundary: borrowed views over a caller's memory here, tensors that own theirs in `owned.rs`,
//! elements as numbers in `numbers.rs`.
//!
//! A view is a pointer with the facts an engine must know (dtype, dims, length, device). The constructors check
//! that the facts agree; from there on engines rely on it. Views are contiguous, row-major. This file must not
//! know any engine.

mod numbers;
mod owned;

pub use owned::Tensor;

use crate::{DataType, Error, Result};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

/// Where memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// Host memory.
    Cpu,
    /// Memory of the CUDA device of this index.
    Cuda(u32),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// A piece of memory: where it is, and the addresses of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it is.
    pub device: Device,
    /// The addresses of its bytes.
    pub bytes: Range<usize>,
}

impl Span {
    /// Whether the two share a byte.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (&self.bytes, &other.bytes);
        self.device == other.device && a.start.max(b.start) < a.end.min(b.end)
    }
}

/// A tensor that is read.
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a> {
    raw: Raw<'a>,
    memory: PhantomData<&'a [u8]>,
}

/// A tensor that is written. Its former content is not read.
#[derive(Debug)]
pub struct TensorViewMut<'a> {
    raw: Raw<'a>,
    memory: PhantomData<&'a mut [u8]>,
}

#[derive(Clone, Copy, Debug)]
struct Raw<'a> {
    dtype: DataType,
    dims: &'a [i64],
    pointer: *mut u8,
    len: usize,
    device: Device,
}

// SAFETY: a view is a `&[u8]` or `&mut [u8]` with its dtype and sizes: whoever made it promised (slices: the compiler)
// that the memory is not written elsewhere for `'a`, so reading it from another thread is sound.
unsafe impl Send for TensorView<'_> {}
// SAFETY: as above; a shared view only reads.
unsafe impl Sync for TensorView<'_> {}
// SAFETY: as above; it is the only access to that memory for `'a`, and may move between threads like `&mut [u8]`.
unsafe impl Send for TensorViewMut<'_> {}
// SAFETY: a shared reference to it gives no access to the memory but its address.
unsafe impl Sync for TensorViewMut<'_> {}

impl<'a> Raw<'a> {
    fn new(dtype: DataType, dims: &'a [i64], pointer: *mut u8, len: usize, device: Device) -> Result<Self> {
        let needed = byte_len(dtype, dims).ok_or_else(|| Error::BadDims { dims: dims.to_vec() })?;
        if needed != len {
            return Err(Error::BufferLength { dtype, dims: dims.to_vec(), needed, got: len });
        }
        if needed > 0 && (pointer.is_null() || !pointer.addr().is_multiple_of(dtype.size())) {
            return Err(Error::BufferAddress { dtype, address: pointer.addr() });
        }
        Ok(Self { dtype, dims, pointer, len, device })
    }
}

/// Bytes of a contiguous tensor; `None` for a negative size or a product beyond the address space.
pub(crate) fn byte_len(dtype: DataType, dims: &[i64]) -> Option<usize> {
    // An empty axis makes an empty tensor, whatever the others are: their product alone must not overflow.
    let mut elements = 1usize;
    for &size in dims {
        let size = usize::try_from(size).ok()?;
        elements = if size == 0 || elements == 0 { 0 } else { elements.checked_mul(size)? };
    }
    elements.checked_mul(dtype.size()).filter(|&len| isize::try_from(len).is_ok())
}

macro_rules! facts {
    () => {
        /// Element type.
        pub fn dtype(&self) -> DataType {
            self.raw.dtype
        }

        /// Sizes, outermost first.
        pub fn dims(&self) -> &'a [i64] {
            self.raw.dims
        }

        /// Bytes: product of the sizes times [`DataType::size`].
        pub fn byte_len(&self) -> usize {
            self.raw.len
        }

        /// Where the memory is.
        pub fn device(&self) -> Device {
            self.raw.device
        }

        /// Its memory.
        pub(crate) fn span(&self) -> Span {
            let start = self.raw.pointer.addr();
            Span { device: self.raw.device, bytes: start..start + self.raw.len }
        }
    };
}

impl<'a> TensorView<'a> {
    /// A view of host memory.
    ///
    /// # Errors
    /// Sizes that are negative or too large, a slice whose length is not exactly theirs, or an address that is not
    /// a multiple of the element size.
    pub fn new(dtype: DataType, dims: &'a [i64], data: &'a [u8]) -> Result<Self> {
        let raw = Raw::new(dtype, dims, data.as_ptr().cast_mut(), data.len(), Device::Cpu)?;
        Ok(Self { raw, memory: PhantomData })
    }

    /// A view of memory known by its address, on any device.
    ///
    /// # Safety
    /// For `'a` the `len` bytes at `pointer` must be readable on `device`, laid out contiguously in row-major
    /// order, and written by nobody.
    ///
    /// # Errors
    /// As [`TensorView::new`].
    pub unsafe fn from_raw(
        dtype: DataType,
        dims: &'a [i64],
        pointer: *const u8,
        len: usize,
        device: Device,
    ) -> Result<Self> {
        Ok(Self { raw: Raw::new(dtype, dims, pointer.cast_mut(), len, device)?, memory: PhantomData })
    }

    facts!();

    /// The address.
    pub fn as_ptr(&self) -> *const u8 {
        self.raw.pointer
    }

    /// The bytes, where they lie in host memory.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self.raw.device {
            Device::Cpu if self.raw.len == 0 => Some(&[]),
            // SAFETY: whoever made the view vouched for `len` readable, unwritten bytes at `pointer` during `'a`
            // (`new`: a slice; `from_raw`: its caller), and `Raw::new` refused null for a non-empty view.
            Device::Cpu => Some(unsafe { std::slice::from_raw_parts(self.raw.pointer, self.raw.len) }),
            Device::Cuda(_) => None,
        }
    }
}

impl<'a> TensorViewMut<'a> {
    /// A view of host memory to write.
    ///
    /// # Errors
    /// As [`TensorView::new`].
    pub fn new(dtype: DataType, dims: &'a [i64], data: &'a mut [u8]) -> Result<Self> {
        let raw = Raw::new(dtype, dims, data.as_mut_ptr(), data.len(), Device::Cpu)?;
        Ok(Self { raw, memory: PhantomData })
    }

    /// A view, to write, of memory known by its address, on any device.
    ///
    /// # Safety
    /// For `'a` the `len` bytes at `pointer` must be writable on `device`, laid out contiguously in row-major
    /// order, and read or written by nobody else.
    ///
    /// # Errors
    /// As [`TensorView::new`].
    pub unsafe fn from_raw(
        dtype: DataType,
        dims: &'a [i64],
        pointer: *mut u8,
        len: usize,
        device: Device,
    ) -> Result<Self> {
        Ok(Self { raw: Raw::new(dtype, dims, pointer, len, device)?, memory: PhantomData })
    }

    facts!();

    /// The address.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.raw.pointer
    }

    /// Copies the elements of a tensor of the same length, both in host memory.
    ///
    /// # Errors
    /// [`Error::BufferLength`] for another length, [`Error::NotHostMemory`] for memory of a GPU.
    pub fn copy_from(&mut self, other: &TensorView<'_>) -> Result<()> {
        let Raw { dtype, dims, pointer, len, device } = self.raw;
        let Some(source) = other.bytes().filter(|_| device == Device::Cpu) else {
            return Err(Error::NotHostMemory { device: if device == Device::Cpu { other.device() } else { device } });
        };
        if source.len() != len {
            return Err(Error::BufferLength { dtype, dims: dims.to_vec(), needed: len, got: source.len() });
        }
        if len > 0 {
            // SAFETY: whoever made this view vouched for `len` writable bytes that nobody else reads or writes, so
            // `source`, which has as many, is elsewhere.
            unsafe { std::ptr::copy_nonoverlapping(source.as_ptr(), pointer, len) };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_must_have_exactly_the_bytes_of_its_shape() {
        let data = [0f32; 6];
        let bytes = bytes_of(&data);
        assert_eq!(TensorView::new(DataType::Float32, &[2, 3], bytes).unwrap().bytes(), Some(bytes));
        for wrong in [&[2, 4][..], &[2], &[5]] {
            let error = TensorView::new(DataType::Float32, wrong, bytes).unwrap_err();
            assert!(matches!(error, Error::BufferLength { got: 24, .. }), "{error}");
        }
        assert!(matches!(TensorView::new(DataType::Float32, &[-1, 3], bytes), Err(Error::BadDims { .. })));
        assert!(matches!(TensorView::new(DataType::Int8, &[i64::MAX, 3], bytes), Err(Error::BadDims { .. })));
    }

    #[test]
    fn a_view_must_be_aligned_to_its_element() {
        let data = [0f64; 2];
        let odd = &bytes_of(&data)[1..9];
        assert!(matches!(TensorView::new(DataType::Float64, &[1], odd), Err(Error::BufferAddress { .. })));
        assert!(TensorView::new(DataType::UInt8, &[8], odd).is_ok());
    }

    #[test]
    fn an_empty_view_needs_no_memory() {
        // SAFETY: zero bytes are read.
        let view = unsafe {
            TensorView::from_raw(DataType::Float32, &[0, i64::MAX], std::ptr::null(), 0, Device::Cpu).unwrap()
        };
        assert_eq!(view.bytes(), Some(&[][..]));
    }

    fn bytes_of<T>(data: &[T]) -> &[u8] {
        // SAFETY: the elements are plain numbers; the slice covers exactly them.
        unsafe { std::slice::from_raw_parts(data.as_ptr().cast(), size_of_val(data)) }
    }
}
