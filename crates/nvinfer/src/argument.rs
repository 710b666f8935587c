//! Arguments of calls: what a caller gives, and what TensorRT takes for it. The types implement it where they are
//! declared; this file knows of none but plain numbers.

use std::ffi::c_void;

use crate::error::Result;
use crate::version::Version;

/// What a call is made on: the network that tensors must be of, and the version that numbers are for.
#[derive(Clone, Copy)]
pub(crate) struct Owner {
    pub network: *mut c_void,
    pub version: Version,
}

/// An argument of a call.
pub(crate) trait Argument {
    /// What TensorRT takes.
    type Raw;

    /// What TensorRT takes for this value.
    fn raw(self, owner: Owner) -> Result<Self::Raw>;
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Argument for $type {
            type Raw = $type;

            fn raw(self, _: Owner) -> Result<$type> {
                Ok(self)
            }
        }
    )*};
}

plain!(bool, i32, i64, f32, f64);
