//! The canonical text form of a network: what goldens and bug reports hold.
//!
//! One line a symbol, input, layer and output. Tensors are numbered in the order in which they are made, inputs
//! first, so two networks that differ only in how they were assembled print alike. Constants of up to
//! [`INLINE_ELEMENTS`] elements are written out, larger ones by digest; every number reads back bit for bit.
//!
//! ```text
//! network
//!   symbol s0 in 1..8 opt 4
//!   input %0 "x": float32[s0,3]
//!   %1: float32[1,3] = Constant([0.5, 1.0, inf])
//!   %2: float32[s0,3] = ElementWise(op: Sum)(%0, %1) "fc.ElementWise" from "aten.add.Tensor" "fc" "model.py:7"
//!   output "y": %2
//! ```
//!
//! A layer's line is its outputs with their types, ` = `, the [`crate::Op`] in RON, its inputs (`_` where an
//! optional one is absent), its name and its origin (operator, module, position). The text comes from outside:
//! reading it runs inference on every layer and trusts nothing. It knows nothing of files or of who reads it.

mod number;
mod parse;
mod print;

/// Gives the bytes of a constant by its digest, [`crate::Weights::digest`].
pub type WeightSource<'a> = &'a dyn Fn(u64) -> Option<bytes::Bytes>;

/// Constants of more elements are written by digest.
pub const INLINE_ELEMENTS: usize = 16;

/// How attributes are written: `Convolution(stride: [2, 2])` rather than `Convolution((stride: [2, 2]))`, and a
/// present option as its value.
fn ron_options() -> ron::Options {
    use ron::extensions::Extensions;
    ron::Options::default().with_default_extension(Extensions::UNWRAP_VARIANT_NEWTYPES | Extensions::IMPLICIT_SOME)
}

/// Whether a symbol can stand in an expression, and so without quotes.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}
