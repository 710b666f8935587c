//! Creators of plugins, and the plugins that they make.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use super::field::{Collection, KnownField, PluginField, known};
use crate::error::{Error, Result};
use crate::raw::plugins::{creator_v2, creator_v3, plugin_v2, plugin_v3};
use crate::raw::{Host, Ref};
use crate::sys::enums::tensor_rt_phase;
use crate::weights::c_text;

/// The interface that a plugin implements.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PluginApi {
    /// `IPluginV2` and what derives from it: `addPluginV2`.
    V2,
    /// `IPluginV3`: `addPluginV3`.
    V3,
}

/// A call of a creator that returns a text.
type ReadText = unsafe fn(Ref<'_>) -> Result<String>;

/// Makes plugins of one name and version (`IPluginCreator`, `IPluginCreatorV3One`). It lives as long as the process.
#[derive(Clone, Debug)]
pub struct PluginCreator {
    ptr: NonNull<c_void>,
    host: Arc<Host>,
    api: PluginApi,
}

// SAFETY: creators are registered for the life of the process, and TensorRT itself calls them from any thread.
unsafe impl Send for PluginCreator {}
// SAFETY: as above.
unsafe impl Sync for PluginCreator {}

impl PluginCreator {
    /// A registered creator.
    ///
    /// # Errors
    /// The name of its interface, for one that this crate does not call.
    ///
    /// # Safety
    /// `ptr` is a creator that is registered with the host's library, or that the registry accepts.
    pub(super) unsafe fn new(ptr: NonNull<c_void>, host: Arc<Host>) -> std::result::Result<Self, String> {
        // SAFETY: the caller's promise. Every creator that has the call has it in the same slot.
        let info = unsafe { creator_v2::interface_info(Ref::new(ptr, &host)) };
        let api = match info {
            // 8.6 has one kind of creators, which has no such call.
            Err(_) => PluginApi::V2,
            Ok(info) => {
                // SAFETY: the kind is static text.
                let kind = unsafe { crate::object::text(info.kind) };
                match kind.as_str() {
                    "PLUGIN CREATOR_V1" => PluginApi::V2,
                    "PLUGIN CREATOR_V3ONE" => PluginApi::V3,
                    _ => return Err(kind),
                }
            }
        };
        Ok(Self { ptr, host, api })
    }

    fn raw(&self) -> Ref<'_> {
        // SAFETY: creators live as long as the process.
        unsafe { Ref::new(self.ptr, &self.host) }
    }

    pub(super) fn as_ptr(&self) -> *mut c_void {
        self.ptr.as_ptr()
    }

    /// What the call of its interface returns.
    fn text(&self, v2: ReadText, v3: ReadText) -> String {
        let read = match self.api {
            PluginApi::V2 => v2,
            PluginApi::V3 => v3,
        };
        // SAFETY: the creator is alive and of this class.
        unsafe { read(self.raw()) }.unwrap_or_default()
    }

    /// The interface of its plugins.
    pub fn api(&self) -> PluginApi {
        self.api
    }

    /// The plugins' name.
    pub fn name(&self) -> String {
        self.text(creator_v2::name, creator_v3::name)
    }

    /// The plugins' version.
    pub fn version(&self) -> String {
        self.text(creator_v2::version, creator_v3::version)
    }

    /// The namespace that it is registered in.
    pub fn namespace(&self) -> String {
        self.text(creator_v2::namespace, creator_v3::namespace)
    }

    /// The attributes that it knows.
    pub fn fields(&self) -> Vec<KnownField> {
        // SAFETY: as in `text`; the collection belongs to the creator.
        unsafe {
            let collection = match self.api {
                PluginApi::V2 => creator_v2::field_names(self.raw()),
                PluginApi::V3 => creator_v3::field_names(self.raw()),
            };
            known(collection.unwrap_or(std::ptr::null_mut()), self.host.version())
        }
    }

    /// Makes a plugin (`createPlugin`). `name` is that of its layer.
    ///
    /// # Errors
    /// [`Error::Refused`] for attributes that the creator does not accept, [`Error::NotInThisVersion`] for a type that
    /// the loaded version lacks.
    pub fn create(&self, name: &str, fields: &[PluginField]) -> Result<Plugin> {
        let text = c_text("a layer name", name)?;
        let version = self.host.version();
        let fields = Collection::new(fields, version)?;
        // SAFETY: as in `text`; a plugin copies the attributes that it is created with.
        let made = unsafe {
            match self.api {
                PluginApi::V2 => creator_v2::create_plugin(self.raw(), text.as_ptr(), fields.as_ptr()),
                PluginApi::V3 => {
                    let phase = tensor_rt_phase::BUILD.of(version).unwrap_or(0);
                    creator_v3::create_plugin(self.raw(), text.as_ptr(), fields.as_ptr(), phase)
                }
            }
        };
        let ptr = made.map_err(|e| e.on(self.name()))?;
        Ok(Plugin { ptr, host: self.host.clone(), api: self.api })
    }

    /// Makes a plugin of what one of its kind serialized (`deserializePlugin`, version 2 only).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a creator of version 3, [`Error::Refused`] for data that the creator does not accept.
    pub fn deserialize(&self, name: &str, data: &[u8]) -> Result<Plugin> {
        if self.api != PluginApi::V2 {
            return Err(Error::OutOfRange { what: "the version of a serialized plugin's interface", value: 3 });
        }
        let text = c_text("a layer name", name)?;
        // SAFETY: as in `text`; a plugin copies what it is made of.
        let made =
            unsafe { creator_v2::deserialize_plugin(self.raw(), text.as_ptr(), data.as_ptr().cast(), data.len()) };
        let ptr = made.map_err(|e| e.on(self.name()))?;
        Ok(Plugin { ptr, host: self.host.clone(), api: self.api })
    }
}

/// A plugin that no layer has yet. Adding it copies it.
#[derive(Debug)]
pub struct Plugin {
    ptr: NonNull<c_void>,
    host: Arc<Host>,
    api: PluginApi,
}

impl Plugin {
    /// Its interface, which decides how it is added.
    pub fn api(&self) -> PluginApi {
        self.api
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.ptr.as_ptr()
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        // SAFETY: the plugin is alive and ours: layers have copies.
        let deleted = unsafe {
            let raw = Ref::new(self.ptr, &self.host);
            match self.api {
                PluginApi::V2 => plugin_v2::destroy(raw),
                PluginApi::V3 => plugin_v3::delete(raw),
            }
        };
        if let Err(error) = deleted {
            tracing::warn!(target: "torch2trt::tensorrt", %error, "a plugin was not deleted");
        }
    }
}
