//! Network → ONNX: what the CPU engine executes, and the `--onnx` export.
//!
//! [`lower`] makes a model for ONNX Runtime, with the weights as separate borrowed bytes; [`export`] writes a
//! file that stands alone. Both run the same lowering: one function a layer, in one file a layer family, listed in
//! the table in `layers/mod.rs`. The semantics are TensorRT's (see [`network::Op`]).
//!
//! **Types.** int64, int32, int8, uint8, bool and float8 tensors keep their type. float16 and bfloat16 tensors
//! are stored as FLOAT values that their type can hold: after each layer that computes, a pair of casts (to the
//! type and back) rounds them ([`Half::Emulated`]). ONNX Runtime has no float16 arithmetic on CPUs and would
//! silently keep float32 between nodes. The network's inputs and outputs have their own types. [`Half::Native`]
//! writes the types as they are, for other readers of the file.
//!
//! **Sizes.** Symbols become `dim_param`s. Shapes that follow from a layer's inputs become constants with `0` and
//! `-1` entries, so most shape arithmetic of a dynamic network is gone from the graph. Values of symbolic sizes have
//! their types written down, for ONNX Runtime fuses only what it knows to be of equal size.
//!
//! **Left out.** An assertion has no ONNX form and is dropped: callers check the sizes that it guards.
//!
//! The crate knows nothing of PyTorch, and of ONNX Runtime only what its kernels lack.
#![forbid(unsafe_code)]

mod error;
mod export;
mod external;
mod graph;
mod layers;
mod lowering;
mod model;
pub mod proto;
mod read;
mod scope;
mod shape;
mod state;

pub use error::{Error, Result};
pub use export::{Exported, export};
pub use external::{check_external, is_model, nodes};
pub use model::{ExternalWeight, Model, lower};
pub use read::{ExternalData, Interface, Io, interface};

/// How float16 and bfloat16 tensors are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Half {
    /// In float32, rounded after each layer: what a GPU computes, to the last bits of accumulation order.
    #[default]
    Emulated,
    /// In their own types, as far as the reader of the file has kernels for them.
    Native,
}

/// Options of [`lower`] and [`export`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowerOptions {
    /// Constants of more bytes than this are handed over outside the model.
    pub external_threshold: usize,
    /// How float16 and bfloat16 tensors are computed.
    pub half: Half,
}

impl Default for LowerOptions {
    fn default() -> Self {
        Self { external_threshold: 1024, half: Half::default() }
    }
}
