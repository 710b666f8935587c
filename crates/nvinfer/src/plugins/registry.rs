//! The registry of plugin creators (`IPluginRegistry`): one a process and TensorRT library.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use super::creator::{PluginApi, PluginCreator};
use crate::error::{Error, Result};
use crate::library::Library;
use crate::raw::plugins::registry as raw;
use crate::raw::{Host, Ref, made};
use crate::sys::tables::plugin_registry as table;
use crate::weights::c_text;

/// The registered plugin creators.
#[derive(Clone, Debug)]
pub struct PluginRegistry {
    ptr: NonNull<c_void>,
    host: Arc<Host>,
}

// SAFETY: the registry lives as long as the process, and TensorRT documents it as safe for use by several threads.
unsafe impl Send for PluginRegistry {}
// SAFETY: as above.
unsafe impl Sync for PluginRegistry {}

impl Library {
    /// The registry of plugin creators (`getPluginRegistry`).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for a library without plugins.
    pub fn plugin_registry(self) -> Result<PluginRegistry> {
        let missing = || Error::NotInThisVersion {
            call: "getPluginRegistry".into(),
            version: self.version(),
            since: "the full TensorRT libraries".into(),
        };
        let ptr = self.registry().ok_or_else(missing)?;
        // SAFETY: the entry point returns the registry, which lives as long as the library.
        Ok(unsafe { PluginRegistry::new(ptr, Host::new(self.entry())) })
    }
}

impl PluginRegistry {
    /// # Safety
    /// `ptr` is an `IPluginRegistry` of the host's library that lives as long as the process.
    pub(super) unsafe fn new(ptr: NonNull<c_void>, host: Arc<Host>) -> Self {
        Self { ptr, host }
    }

    fn raw(&self) -> Ref<'_> {
        // SAFETY: the registry lives as long as the process.
        unsafe { Ref::new(self.ptr, &self.host) }
    }

    /// A creator of this library, where there is one; the name of its interface where that is not called here.
    fn creator_of(&self, ptr: *mut c_void) -> Option<std::result::Result<PluginCreator, String>> {
        // SAFETY: the registry returns creators that are registered.
        made(ptr).map(|ptr| unsafe { PluginCreator::new(ptr, self.host.clone()) })
    }

    /// The registered creators, by name.
    ///
    /// # Errors
    /// None in practice; every version has one of the calls.
    pub fn creators(&self) -> Result<Vec<PluginCreator>> {
        let mut count = 0;
        // SAFETY: the call writes the count.
        let list = unsafe {
            if self.host.has(&table::GET_ALL_CREATORS) {
                raw::all_creators(self.raw(), &raw mut count)?
            } else {
                raw::plugin_creator_list(self.raw(), &raw mut count)?
            }
        };
        if list.is_null() {
            return Ok(Vec::new());
        }
        // SAFETY: the registry returns an array of that many creators.
        let list = unsafe { std::slice::from_raw_parts(list, usize::try_from(count).unwrap_or(0)) };
        let mut creators: Vec<_> = list.iter().filter_map(|ptr| self.creator_of(*ptr)?.ok()).collect();
        creators.sort_by_cached_key(|creator| (creator.name(), creator.version()));
        Ok(creators)
    }

    /// The creator of plugins of this name, version and namespace (`getPluginCreator`, `getCreator`).
    ///
    /// # Errors
    /// [`Error::NoPluginCreator`] with those that there are, [`Error::PluginCreatorKind`] for one of another interface.
    pub fn creator(&self, name: &str, version: &str, namespace: &str) -> Result<PluginCreator> {
        let [c_name, c_version, c_namespace] = [
            c_text("a plugin's name", name)?,
            c_text("a plugin's version", version)?,
            c_text("a namespace", namespace)?,
        ];
        let names = (c_name.as_ptr(), c_version.as_ptr(), c_namespace.as_ptr());
        // SAFETY: the names are NUL-terminated, and TensorRT only compares them.
        let found = unsafe {
            if self.host.has(&table::GET_CREATOR) {
                raw::creator(self.raw(), names.0, names.1, names.2)?
            } else {
                raw::plugin_creator(self.raw(), names.0, names.1, names.2)?
            }
        };
        match self.creator_of(found) {
            Some(Ok(creator)) => return Ok(creator),
            Some(Err(kind)) => {
                return Err(Error::PluginCreatorKind { plugin: described(name, version, namespace), kind });
            }
            None => {}
        }
        let creators = self.creators()?.iter().map(|c| described(&c.name(), &c.version(), &c.namespace())).collect();
        Err(Error::NoPluginCreator { plugin: described(name, version, namespace), creators })
    }

    /// Registers a creator that a library exports, in the namespace that it has. Does nothing for one that is
    /// registered.
    ///
    /// # Safety
    /// `creator` is an `IPluginCreator` or, from 10 on, an `IPluginCreatorInterface`, for this version of TensorRT,
    /// that lives as long as the process.
    pub(super) unsafe fn register(&self, creator: NonNull<c_void>) -> Result<()> {
        // SAFETY: the caller's promise.
        let Ok(own) = (unsafe { PluginCreator::new(creator, self.host.clone()) }) else { return Ok(()) };
        let (name, version, namespace) = (own.name(), own.version(), own.namespace());
        let text = c_text("a namespace", &namespace)?;
        let is_interface = own.api() == PluginApi::V3 || !self.host.has(&table::REGISTER_CREATOR);
        let mark = self.host.mark();
        // SAFETY: the creator lives as long as the process, and the overload is the one for its class.
        let is_new = unsafe {
            if is_interface {
                raw::register_creator_interface(self.raw(), own.as_ptr(), text.as_ptr())?
            } else {
                raw::register_creator(self.raw(), own.as_ptr(), text.as_ptr())?
            }
        };
        if is_new || self.creator(&name, &version, &namespace).is_ok() {
            return Ok(());
        }
        Err(self.host.refused(&table::REGISTER_CREATOR, mark).on(name))
    }
}

/// `Name 1`, or `namespace::Name 1`.
fn described(name: &str, version: &str, namespace: &str) -> String {
    let separator = if namespace.is_empty() { "" } else { "::" };
    format!("{namespace}{separator}{name} {version}")
}
