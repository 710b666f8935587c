//! One unsafe function per TensorRT call: a slot, a signature, and an answer turned into a `Result`.
//!
//! The middle layer. [`call`] makes a call through a table slot and reads its answer: null or false becomes
//! [`Error::Refused`](crate::Error::Refused) with what TensorRT said meanwhile, a slot that the loaded version lacks
//! becomes [`Error::NotInThisVersion`](crate::Error::NotInThisVersion). The other modules declare the calls, class by
//! class. [`object`] is the way back: C++ objects whose methods are Rust functions. Lifetimes and ownership are the
//! safe layer's business.

#[macro_use]
mod declare;

pub mod build;
mod call;
pub mod engine;
mod host;
pub mod layers;
pub mod network;
pub mod object;
pub mod plugins;

pub use call::{Ref, made};
pub use host::{Entry, Host, Keep, Owned};

#[cfg(test)]
mod tests;
