//! How a function of the CUDA driver is declared, and how it returns a value.

use crate::world::{Code, INVALID_VALUE, SUCCESS};

/// Writes an answer where the caller wants it.
///
/// # Safety
/// `to` is null or may be written.
pub(crate) unsafe fn answer<T>(to: *mut T, value: T) -> Code {
    if to.is_null() {
        return INVALID_VALUE;
    }
    // SAFETY: the caller's promise.
    unsafe { to.write(value) };
    SUCCESS
}

macro_rules! driver {
    ($($(#[$about:meta])* fn $name:ident($($argument:ident: $type:ty),*) $body:block)*) => {$(
        $(#[$about])*
        ///
        /// # Safety
        /// As the driver's function of that name: pointers may be written, or read, by their types.
        // SAFETY: no other function of this name is in a process that loads this library.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> Code $body
    )*};
}
pub(crate) use driver;
