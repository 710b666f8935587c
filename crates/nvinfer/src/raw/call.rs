//! Making one call: find the slot, cast it to the declared signature, call it, read the answer.

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::handle::Ref;
use super::host::Mark;
use crate::dims::Dims;
use crate::error::{Error, Result};
use crate::sys::layout::{Dims32, Dims64, InterfaceInfo};
use crate::sys::{Method, Slot};
use crate::version::Family;

/// A call under way.
pub struct Call<'a> {
    object: Ref<'a>,
    method: &'static Method,
    mark: Mark,
    /// The implementation object, `this` of the call.
    pub this: *mut c_void,
    /// The virtual function.
    pub function: *const (),
    slot: Slot,
}

/// How `Dims` arguments of a call travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passing {
    Value32,
    Reference32,
    Reference64,
}

impl<'a> Call<'a> {
    /// Looks up the function behind `method`.
    ///
    /// # Safety
    /// `object` is of the class of `method`, and its implementation pointer is at byte `offset`; without an offset,
    /// the object is the implementation.
    pub unsafe fn new(object: Ref<'a>, method: &'static Method, offset: Option<usize>) -> Result<Self> {
        let slot = object.host().slot(method)?;
        let mark = object.host().mark();
        // SAFETY: a live public object holds its implementation pointer at `offset` (the caller's promise), and the
        // implementation begins with its vtable pointer. The slot comes from the loaded version's own table.
        let (this, function) = unsafe {
            let this = match offset {
                Some(offset) => *object.as_ptr().byte_add(offset).cast::<*mut c_void>(),
                None => object.as_ptr(),
            };
            let vtable = *this.cast::<*const *const ()>();
            (this, *vtable.add(slot.index))
        };
        Ok(Self { object, method, mark, this, function, slot })
    }

    /// How this call takes its `Dims`.
    pub fn passing(&self) -> Passing {
        match (self.object.host().version().family(), self.slot.by_value) {
            (Family::Trt8, true) => Passing::Value32,
            (Family::Trt8, false) => Passing::Reference32,
            _ => Passing::Reference64,
        }
    }

    /// `dims` with 32 bits each.
    pub fn dims32(&self, dims: &Dims) -> Result<Dims32> {
        dims.to_32().ok_or_else(|| Error::DimsTooLarge { dims: dims.to_vec(), version: self.object.host().version() })
    }

    fn refused(&self) -> Error {
        self.object.host().refused(self.method, self.mark)
    }
}

/// A pointer to an object that TensorRT made, or `None` when it made none.
///
/// Not only null is none: when the runtime's constructor fails, such as for want of a driver, `createInferRuntime` of
/// TensorRT 10, 11 and RTX still adds the offset of the base class to null (0x228 in 10.16) and returns that. Nothing
/// is ever mapped in the first page.
pub fn made(pointer: *mut c_void) -> Option<NonNull<c_void>> {
    const FIRST_PAGE: usize = 4096;
    NonNull::new(pointer).filter(|p| p.addr().get() >= FIRST_PAGE)
}

/// How an answer is read.
pub trait Answer {
    /// What the C++ function returns.
    type C;
    /// What the caller gets.
    type Rust;
    /// Signature letter of `C`, as in the tables.
    #[cfg(test)]
    const LETTER: char;
    /// Reads the answer of `call`.
    fn read(answer: Self::C, call: &Call<'_>) -> Result<Self::Rust>;
}

/// A pointer to a new or existing object; null is a refusal.
pub struct Made;
/// A bool whose false is a refusal.
pub struct Done;
/// A C string; null reads as empty.
pub struct Text;
/// A pointer that may be null.
pub struct Maybe<T>(PhantomData<T>);

impl Answer for Made {
    type C = *mut c_void;
    type Rust = NonNull<c_void>;
    #[cfg(test)]
    const LETTER: char = 'p';
    fn read(answer: Self::C, call: &Call<'_>) -> Result<Self::Rust> {
        made(answer).ok_or_else(|| call.refused())
    }
}

impl Answer for Done {
    type C = bool;
    type Rust = ();
    #[cfg(test)]
    const LETTER: char = 'b';
    fn read(answer: Self::C, call: &Call<'_>) -> Result<()> {
        if answer { Ok(()) } else { Err(call.refused()) }
    }
}

/// A call that returns nothing failed when it made TensorRT record an error.
impl Answer for () {
    type C = ();
    type Rust = ();
    #[cfg(test)]
    const LETTER: char = 'v';
    fn read((): (), call: &Call<'_>) -> Result<()> {
        if call.object.host().erred_since(call.mark) { Err(call.refused()) } else { Ok(()) }
    }
}

impl Answer for Text {
    type C = *const c_char;
    type Rust = String;
    #[cfg(test)]
    const LETTER: char = 'p';
    fn read(answer: Self::C, _: &Call<'_>) -> Result<String> {
        if answer.is_null() {
            return Ok(String::new());
        }
        // SAFETY: TensorRT returns NUL-terminated text that lives until the object is called again; it is copied here.
        Ok(unsafe { CStr::from_ptr(answer) }.to_string_lossy().into_owned())
    }
}

impl<T> Answer for Maybe<T> {
    type C = *mut T;
    type Rust = *mut T;
    #[cfg(test)]
    const LETTER: char = 'p';
    fn read(answer: Self::C, _: &Call<'_>) -> Result<Self::Rust> {
        Ok(answer)
    }
}

macro_rules! plain_answers {
    ($($type:ty = $letter:literal),*) => {$(
        impl Answer for $type {
            type C = $type;
            type Rust = $type;
            #[cfg(test)]
            const LETTER: char = $letter;
            fn read(answer: $type, _: &Call<'_>) -> Result<$type> {
                Ok(answer)
            }
        }
    )*};
}
plain_answers!(bool = 'b', i32 = 'i', u32 = 'i', i64 = 'l', f32 = 'f', f64 = 'd', InterfaceInfo = 'I');

/// Signature letter of an argument type, as in the tables; for the check of declarations against them.
#[cfg(test)]
pub trait Letter {
    /// The letter.
    const LETTER: char;
}

#[cfg(test)]
macro_rules! letters {
    ($($type:ty = $letter:literal),*) => {$(impl Letter for $type { const LETTER: char = $letter; })*};
}
#[cfg(test)]
letters!(bool = 'b', i32 = 'i', u32 = 'i', i64 = 'l', usize = 'l', f32 = 'f', f64 = 'd');
#[cfg(test)]
letters!(crate::sys::layout::RawWeights = 'W');

#[cfg(test)]
impl<T> Letter for *const T {
    const LETTER: char = 'p';
}
#[cfg(test)]
impl<T> Letter for *mut T {
    const LETTER: char = 'p';
}

/// Both widths of a returned `Dims`, read as one.
impl Call<'_> {
    /// Calls a function that returns `Dims` and takes `arguments` after `this`.
    pub fn shape(&self, returned: Returned) -> Result<Dims> {
        let dims = match returned {
            Returned::Narrow(dims) => Dims::from_32(&dims),
            Returned::Wide(dims) => Dims::from_64(&dims),
        };
        dims.ok_or_else(|| self.refused())
    }

    /// Whether the loaded version returns 64-bit `Dims`.
    pub fn is_wide(&self) -> bool {
        self.passing() == Passing::Reference64
    }
}

/// A returned `Dims` of either width.
pub enum Returned {
    Narrow(Dims32),
    Wide(Dims64),
}
