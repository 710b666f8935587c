//! Tensors at an engine's boundary: borrowed views over a caller's memory, and outputs that an engine allocated.
//!
//! A view is a pointer with the facts an engine must know (dtype, dims, length, device). The constructors check
//! that the facts agree; from there on engines rely on it. Views are contiguous, row-major. This file must not
//! know any engine.

use crate::{DataType, Error, Result};
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

/// Where memory lies.
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

/// A piece of memory: where it lies, and the addresses of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it lies.
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

// SAFETY: a view is a `&[u8]` or `&mut [u8]` with facts beside it: whoever made it promised (slices: the compiler)
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

        /// Where the memory lies.
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

/// A tensor that an engine allocated. It keeps its memory (and whatever owns it) alive.
pub struct Tensor {
    dtype: DataType,
    dims: Vec<i64>,
    pointer: *mut u8,
    len: usize,
    device: Device,
    _owner: Box<dyn Any + Send + Sync>,
}

// SAFETY: the owner is Send, and with it the memory that `pointer` names belongs to this value alone.
unsafe impl Send for Tensor {}
// SAFETY: a shared tensor is only read.
unsafe impl Sync for Tensor {}

impl Tensor {
    /// A tensor over memory that `owner` keeps alive.
    ///
    /// # Safety
    /// Until `owner` is dropped, the memory at `pointer` must be readable and writable on `device` for as many bytes as
    /// `dtype` and `dims` say, contiguous in row-major order, and used by nobody else.
    ///
    /// # Errors
    /// [`Error::BadDims`] and [`Error::BufferAddress`] for facts that cannot be.
    pub unsafe fn from_raw(
        dtype: DataType,
        dims: Vec<i64>,
        pointer: *mut u8,
        device: Device,
        owner: Box<dyn Any + Send + Sync>,
    ) -> Result<Self> {
        let Some(len) = byte_len(dtype, &dims) else { return Err(Error::BadDims { dims }) };
        Raw::new(dtype, &dims, pointer, len, device)?;
        Ok(Self { dtype, dims, pointer, len, device, _owner: owner })
    }

    /// A tensor in host memory, with a copy of these bytes.
    ///
    /// # Errors
    /// As [`TensorView::new`].
    pub fn from_bytes(dtype: DataType, dims: &[i64], bytes: &[u8]) -> Result<Self> {
        let len = byte_len(dtype, dims).ok_or_else(|| Error::BadDims { dims: dims.to_vec() })?;
        if bytes.len() != len {
            return Err(Error::BufferLength { dtype, dims: dims.to_vec(), needed: len, got: bytes.len() });
        }
        // Words of eight bytes are aligned for every type.
        let mut words = vec![0u64; len.div_ceil(8)].into_boxed_slice();
        let pointer = words.as_mut_ptr().cast::<u8>();
        // SAFETY: there is room for `len` bytes, in memory that is new.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), pointer, len) };
        // SAFETY: the words are owned by the tensor and touched by nobody else.
        unsafe { Self::from_raw(dtype, dims.to_vec(), pointer, Device::Cpu, Box::new(words)) }
    }

    /// A tensor of zeros in the memory of a device.
    ///
    /// # Errors
    /// As [`Tensor::copy_of`].
    pub fn zeros(dtype: DataType, dims: &[i64], device: Device) -> Result<Self> {
        let len = byte_len(dtype, dims).ok_or_else(|| Error::BadDims { dims: dims.to_vec() })?;
        let host = Self::from_bytes(dtype, dims, &vec![0; len])?;
        if device == Device::Cpu { Ok(host) } else { Self::copy_of(&host.view(), device) }
    }

    /// A copy of a tensor in the memory of a device, complete on return. What writes the tensor must be over.
    ///
    /// # Errors
    /// [`Error::NoCuda`] and [`Error::Cuda`] where a GPU is one of the two.
    pub fn copy_of(tensor: &TensorView<'_>, device: Device) -> Result<Self> {
        match (tensor.bytes(), device) {
            (Some(bytes), Device::Cpu) => Self::from_bytes(tensor.dtype(), tensor.dims(), bytes),
            (Some(bytes), Device::Cuda(index)) => {
                crate::tensorrt::upload(tensor.dtype(), tensor.dims().to_vec(), bytes, index)
            }
            (None, _) => {
                let bytes = crate::tensorrt::download(tensor)?;
                let host = Self::from_bytes(tensor.dtype(), tensor.dims(), &bytes)?;
                if device == Device::Cpu { Ok(host) } else { Self::copy_of(&host.view(), device) }
            }
        }
    }

    /// Element type.
    pub fn dtype(&self) -> DataType {
        self.dtype
    }

    /// Sizes, outermost first.
    pub fn dims(&self) -> &[i64] {
        &self.dims
    }

    /// Where the memory lies.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Bytes: product of the sizes times [`DataType::size`].
    pub fn byte_len(&self) -> usize {
        self.len
    }

    /// The address; valid until the tensor is dropped.
    pub fn as_ptr(&self) -> *const u8 {
        self.pointer
    }

    /// The tensor as an input of another call.
    pub fn view(&self) -> TensorView<'_> {
        let raw =
            Raw { dtype: self.dtype, dims: &self.dims, pointer: self.pointer, len: self.len, device: self.device };
        TensorView { raw, memory: PhantomData }
    }

    /// The tensor as an output of another call.
    pub fn view_mut(&mut self) -> TensorViewMut<'_> {
        let raw =
            Raw { dtype: self.dtype, dims: &self.dims, pointer: self.pointer, len: self.len, device: self.device };
        TensorViewMut { raw, memory: PhantomData }
    }

    /// The bytes, where they lie in host memory.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.view().bytes()
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {:?} on {})", self.dtype, self.dims, self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_in_host_memory_are_aligned_and_equal() {
        let room = [1u8, 2, 3, 4, 5, 6, 7, 8, 9];
        let odd = &room[1..];
        for (dtype, dims) in [(DataType::Float64, &[1][..]), (DataType::Int16, &[2, 2]), (DataType::Bool, &[8])] {
            let tensor = Tensor::from_bytes(dtype, dims, odd).unwrap();
            assert_eq!((tensor.bytes(), tensor.dims(), tensor.dtype()), (Some(odd), dims, dtype));
            let copy = Tensor::copy_of(&tensor.view(), Device::Cpu).unwrap();
            assert_eq!(copy.bytes(), Some(odd));
            assert_ne!(copy.as_ptr(), tensor.as_ptr());
        }
        assert_eq!(Tensor::from_bytes(DataType::Int64, &[0, 3], &[]).unwrap().bytes(), Some(&[][..]));
        let error = Tensor::from_bytes(DataType::Int64, &[2], odd).unwrap_err();
        assert!(matches!(error, Error::BufferLength { needed: 16, got: 8, .. }), "{error}");
    }

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
