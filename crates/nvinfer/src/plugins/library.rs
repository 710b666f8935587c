//! Plugin libraries: TensorRT's own (`libnvinfer_plugin`), and those that a user names.
//!
//! A library registers its creators while it is loaded (`REGISTER_TENSORRT_PLUGIN`), in `initLibNvInferPlugins`, or
//! leaves it to whoever loads it by exporting `getPluginCreators` or `getCreators`. All three work in every version:
//! the registry's own `loadLibrary` has another slot in 8.6.0 than in 8.6.1 and does no more.

use std::ffi::{c_char, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use libloading::os::unix::{Library as Loaded, RTLD_GLOBAL, RTLD_LAZY, RTLD_LOCAL};

use super::registry::PluginRegistry;
use crate::error::{Error, Result};
use crate::library::{Library, reason};
use crate::raw::made;

type Init = unsafe extern "C" fn(*mut c_void, *const c_char) -> bool;
type Creators = unsafe extern "C" fn(*mut i32) -> *const *mut c_void;

/// Functions with which a library hands out its creators: `getPluginCreators` those of version 2.
const EXPORTS: [&[u8]; 2] = [b"getPluginCreators\0", b"getCreators\0"];

/// What has been loaded, by TensorRT's file and the library's own.
static LOADED: Mutex<Vec<(&'static Path, PathBuf)>> = Mutex::new(Vec::new());

impl Library {
    /// Loads a plugin library, for the life of the process, and registers its creators. Does nothing where that is
    /// done.
    ///
    /// # Errors
    /// [`Error::PluginLibrary`] with the reason; [`Error::Refused`] for a creator that the registry does not accept.
    pub fn load_plugins(self, path: impl AsRef<Path>) -> Result<()> {
        // The loader does not look for a bare name in the current folder, a caller does.
        let path = path.as_ref().canonicalize().unwrap_or_else(|_| path.as_ref().to_owned());
        let key = (self.path(), path.clone());
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.contains(&key) {
            return Ok(());
        }
        let registry = self.plugin_registry()?;
        self.load(&path, &registry)?;
        loaded.push(key);
        tracing::debug!(target: "torch2trt::tensorrt", path = %path.display(), "loaded plugins");
        Ok(())
    }

    /// Loads the plugins that TensorRT ships, from its own folder or from the loader's path; returns their library.
    ///
    /// # Errors
    /// As for [`Self::load_plugins`], and where this TensorRT ships none (TensorRT-RTX).
    pub fn load_own_plugins(self) -> Result<PathBuf> {
        let version = self.version();
        let name = format!("libnvinfer_plugin.so.{}", version.major());
        if version.family().is_rtx() {
            return Err(Error::PluginLibrary { path: name.into(), reason: format!("{version} ships no plugins") });
        }
        let neighbor = self.path().with_file_name(&name);
        let path = if neighbor.exists() { neighbor } else { PathBuf::from(name) };
        self.load_plugins(&path)?;
        Ok(path)
    }

    fn load(self, path: &Path, registry: &PluginRegistry) -> Result<()> {
        let failed = |error: &libloading::Error| Error::PluginLibrary { path: path.to_owned(), reason: reason(error) };
        // SAFETY: TensorRT is loaded already: this makes its symbols visible to plugin libraries that are not linked
        // with it. Loading a plugin library runs its initializers, which is what the caller asks for.
        let library = unsafe {
            let tensorrt = Loaded::open(Some(self.path()), RTLD_LAZY | RTLD_GLOBAL);
            std::mem::forget(tensorrt);
            Loaded::open(Some(path), RTLD_LAZY | RTLD_LOCAL)
        };
        let library = library.map_err(|error| failed(&error))?;
        // SAFETY: functions of these names have these types in every plugin library.
        unsafe {
            if let Ok(init) = library.get::<Init>(b"initLibNvInferPlugins\0")
                && !init(self.logger().as_ptr(), c"".as_ptr())
            {
                let reason = "initLibNvInferPlugins returned false".to_owned();
                return Err(Error::PluginLibrary { path: path.to_owned(), reason });
            }
            for name in EXPORTS {
                if let Ok(creators) = library.get::<Creators>(name) {
                    register(registry, *creators)?;
                }
            }
        }
        // Creators are code of the library.
        std::mem::forget(library);
        Ok(())
    }
}

/// Registers what a library hands out.
///
/// # Safety
/// The function returns an array of creators that live as long as the library, and writes their number.
unsafe fn register(registry: &PluginRegistry, creators: Creators) -> Result<()> {
    let mut count = 0;
    // SAFETY: the caller's promise.
    let list = unsafe { creators(&raw mut count) };
    let count = usize::try_from(count).unwrap_or(0);
    if list.is_null() {
        return Ok(());
    }
    // SAFETY: the caller's promise.
    for creator in unsafe { std::slice::from_raw_parts(list, count) } {
        let Some(creator) = made(*creator) else { continue };
        // SAFETY: the library is never unloaded.
        unsafe { registry.register(creator)? };
    }
    Ok(())
}
