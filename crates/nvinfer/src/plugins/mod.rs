//! Plugins: layers that a library outside TensorRT implements.
//!
//! A plugin library registers *creators* with the process's one [`PluginRegistry`]; a creator makes a [`Plugin`] from
//! named attributes ([`PluginField`]); [`Network::add_plugin_v2`](crate::Network::add_plugin_v2) and
//! [`add_plugin_v3`](crate::Network::add_plugin_v3) add it as a layer, which copies it. A plan names the creators of
//! its plugins, so that whoever deserializes it loads the same libraries first.
//!
//! | File | What it holds |
//! |---|---|
//! | `library.rs` | plugin libraries: loading, and registering the creators that they export |
//! | `registry.rs` | the registry |
//! | `creator.rs` | creators and plugins |
//! | `field.rs` | attributes |

mod creator;
mod field;
mod library;
mod registry;

pub use creator::{Plugin, PluginApi, PluginCreator};
pub use field::{KnownField, PluginField};
pub use registry::PluginRegistry;

#[cfg(test)]
mod tests;
