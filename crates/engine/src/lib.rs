//! The engine file: one file with everything that a converted model needs to run, and its description.
//!
//! It holds a manifest (JSON) and sections: a TensorRT plan, or an ONNX model with its weights. It is read without a
//! GPU and without TensorRT, and nothing in it is believed before its checksum is compared: truncated, altered and
//! hostile files are errors with the reason. docs/engine-file.md describes the bytes.
//!
//! The crate must not know how engines are built or run.
//!
//! ```
//! # fn main() -> engine::Result<()> {
//! let manifest = engine::Manifest { made_by: "an example".into(), ..Default::default() };
//! let mut file = engine::EngineFile::new(manifest);
//! file.insert(engine::Kind::Plan, vec![bytes::Bytes::from_static(b"what TensorRT serialized")]);
//! let bytes = file.to_bytes()?;
//! assert_eq!(engine::EngineFile::parse(bytes)?.section(engine::Kind::Plan)?.len(), 24);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod error;
mod frame;
mod manifest;
mod parts;
mod weights;

pub use error::{Error, Result};
pub use frame::{EngineFile, Kind, VERSION, is_engine_file};
pub use manifest::{Built, Manifest, PluginName, WeightEntry};
pub use parts::{PartEntry, PartsDescription, PartsManifest};
