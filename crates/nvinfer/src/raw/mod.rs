//! One unsafe function per TensorRT call: a slot, a signature, and an answer turned into a `Result`.
//!
//! The middle layer. [`call`] makes a call through a table slot and reads its answer: null or false becomes
//! [`Error::Refused`](crate::Error::Refused) with TensorRT's messages of the call, a slot that the loaded version lacks
//! becomes [`Error::NotInThisVersion`](crate::Error::NotInThisVersion). The other modules declare the calls, class by
//! class. Lifetimes and ownership are the safe layer's business.

mod declare;

pub mod build;
pub mod call;
pub mod engine;
mod handle;
mod host;
pub mod network;
pub mod plugins;

pub use call::made;
pub(crate) use declare::{calls, each};
pub use handle::{Keep, Owned, Ref};
pub use host::{Entry, Host};

/// What declarations of calls next to the safe functions name.
pub mod arguments {
    pub use super::call::Made;
    pub(crate) use super::calls;
    pub use crate::sys::layout::{Permutation, RawWeights};
    use std::ffi::{c_char, c_void};

    pub type Tensor = *mut c_void;
    pub type Name = *const c_char;
}

#[cfg(test)]
mod tests;
