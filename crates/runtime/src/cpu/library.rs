//! Finding ONNX Runtime and loading it, once in a process.
//!
//! `ort` panics when its library is missing or too old, so every candidate is opened and questioned here before
//! `ort` gets its path. What was looked at and what was there is the error. It must not know models.

use super::sys;
use crate::error::{Error, LibrarySearch, Place, ProbeError, Result, Source, Stage};
use ort::environment::Environment;
use ort::logging::LogLevel;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The first minor version of ONNX Runtime 1 that this crate can drive (it calls nothing newer).
pub const MIN_VERSION: u32 = ort::MINOR_VERSION;

/// The environment variable that names a library file, or a folder with one in it.
const VARIABLE: &str = "TORCH2TRT_ONNXRUNTIME";

/// A handle to the ONNX Runtime of this process. Cheap to clone.
///
/// The library and its environment stay until the process ends, on purpose: ONNX Runtime's own thread pools and
/// statics make unloading unsafe, and a process can only ever start it once. Nothing of it runs at exit.
#[derive(Clone, Debug)]
pub struct OnnxRuntime {
    environment: Environment,
    library: Arc<Library>,
}

/// Which library file is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// The file.
    pub path: PathBuf,
    /// Its version, such as `1.32.0`.
    pub version: String,
    /// Who named it.
    pub source: Source,
}

/// The one runtime of the process. Never dropped.
static LOADED: Mutex<Option<OnnxRuntime>> = Mutex::new(None);

impl OnnxRuntime {
    /// Finds and starts ONNX Runtime, or returns the one this process already has.
    ///
    /// Looks at `explicit` (a file or a folder); else at the environment variable `TORCH2TRT_ONNXRUNTIME`; else in
    /// `onnxruntime/capi` under each of the `site_packages` folders; else where the system's loader looks. The
    /// first two are orders: what they name is used or refused, never replaced by something found elsewhere.
    ///
    /// # Errors
    /// [`Error::LibraryNotFound`] with every place looked at (a later call tries again), [`Error::LibraryLoaded`]
    /// when `explicit` is not the library in use, [`Error::OnnxRuntime`] when the library does not start.
    pub fn load(explicit: Option<&Path>, site_packages: &[PathBuf]) -> Result<Self> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = loaded.as_ref() {
            return match explicit {
                Some(asked) if !runtime.library.is(asked) => {
                    Err(Error::LibraryLoaded { loaded: runtime.library.path.clone(), asked: asked.to_path_buf() })
                }
                _ => Ok(runtime.clone()),
            };
        }
        let variable = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        let (probe, library) = search(explicit, variable.as_deref(), site_packages).map_err(Error::LibraryNotFound)?;
        let runtime = start(&library)?;
        // `ort` holds its own handle by now; ours has kept the file from being unloaded in between.
        drop(probe);
        let (path, version) = (library.path.display(), &library.version);
        tracing::debug!(target: "torch2trt::runtime", %path, version, "ONNX Runtime loaded");
        Ok(loaded.insert(runtime).clone())
    }

    /// The library in use.
    pub fn library(&self) -> &Library {
        &self.library
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }
}

impl Library {
    /// Whether a path (a file, or a folder with the library in it) names this library.
    fn is(&self, asked: &Path) -> bool {
        let same = |path: &Path| match (path.canonicalize(), self.path.canonicalize()) {
            (Ok(a), Ok(b)) => a == b,
            _ => path == self.path,
        };
        same(asked) || in_folder(asked).iter().any(|path| same(path))
    }
}

/// Hands a library that passed the probe to `ort`, and makes the process's environment.
fn start(library: &Library) -> Result<OnnxRuntime> {
    let failed = |message: String| Error::OnnxRuntime { stage: Stage::Start, node: None, message };
    let environment = ort::init_from(&library.path)
        .map_err(|error| failed(error.to_string()))?
        .with_name("torch2trt")
        .with_telemetry(false)
        .with_logger(Arc::new(log))
        .build()
        .map_err(|error| failed(error.to_string()))?;
    environment.set_log_level(LogLevel::Warning);
    Ok(OnnxRuntime { environment, library: Arc::new(library.clone()) })
}

/// ONNX Runtime's messages, as tracing events. Errors come back as `Err` too, and warnings speak of the graph's
/// inner life (a weight that was folded away): neither is for users to act on.
fn log(level: LogLevel, _category: &str, _id: &str, location: &str, message: &str) {
    match level {
        LogLevel::Verbose | LogLevel::Info => tracing::trace!(target: "torch2trt::onnxruntime", location, "{message}"),
        LogLevel::Warning => tracing::info!(target: "torch2trt::onnxruntime", location, "{message}"),
        LogLevel::Error | LogLevel::Fatal => tracing::debug!(target: "torch2trt::onnxruntime", location, "{message}"),
    }
}

/// The first usable library, open, or all that was looked at.
fn search(
    explicit: Option<&Path>,
    variable: Option<&Path>,
    site_packages: &[PathBuf],
) -> Result<(sys::Probe, Library), LibrarySearch> {
    let mut places = Vec::new();
    for (source, path) in [(Source::Explicit, explicit), (Source::Environment, variable)] {
        match path {
            Some(path) => {
                return try_path(source, path, &mut places).ok_or(LibrarySearch { places });
            }
            None => places.push(Place { source, path: None, problem: None }),
        }
    }
    for folder in site_packages {
        let capi = folder.join("onnxruntime").join("capi");
        if let Some(found) = try_path(Source::SitePackages, &capi, &mut places) {
            return Ok(found);
        }
    }
    for name in loader_names() {
        if let Some(found) = try_file(Source::Loader, Path::new(name), &mut places) {
            return Ok(found);
        }
    }
    Err(LibrarySearch { places })
}

/// A file, or every library of a folder, newest first.
fn try_path(source: Source, path: &Path, places: &mut Vec<Place>) -> Option<(sys::Probe, Library)> {
    let mut refuse = |problem| {
        places.push(Place { source, path: Some(path.to_path_buf()), problem: Some(problem) });
        None
    };
    if !path.exists() {
        return refuse(ProbeError::Missing);
    }
    if !path.is_dir() {
        return try_file(source, path, places);
    }
    let files = in_folder(path);
    if files.is_empty() {
        return refuse(ProbeError::NotInFolder);
    }
    files.iter().find_map(|file| try_file(source, file, places))
}

fn try_file(source: Source, path: &Path, places: &mut Vec<Place>) -> Option<(sys::Probe, Library)> {
    // `ort` looks for a relative path next to the executable first; a bare name is left to the loader.
    let absolute = if source == Source::Loader { path.to_path_buf() } else { std::path::absolute(path).ok()? };
    match sys::Probe::open(&absolute, MIN_VERSION) {
        Ok(probe) => {
            let version = probe.version.clone();
            Some((probe, Library { path: absolute, version, source }))
        }
        Err(problem) => {
            places.push(Place { source, path: Some(path.to_path_buf()), problem: Some(problem) });
            None
        }
    }
}

/// The ONNX Runtime libraries in a folder, newest name first.
fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_library(path)).collect();
    files.sort_by_cached_key(|path| std::cmp::Reverse(version_in_name(path)));
    files
}

/// `libonnxruntime.so`, `libonnxruntime.so.1.32.0`, `libonnxruntime.1.32.0.dylib`, `onnxruntime.dll`.
fn is_library(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(rest) = name.strip_prefix("libonnxruntime.").or_else(|| name.strip_prefix("onnxruntime.")) else {
        return false;
    };
    rest.split('.').all(|part| matches!(part, "so" | "dylib" | "dll") || part.parse::<u32>().is_ok())
        && rest.split('.').any(|part| part.parse::<u32>().is_err())
}

/// The numbers in a file name, so that 1.9 sorts before 1.10.
fn version_in_name(path: &Path) -> Vec<u32> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split('.').filter_map(|part| part.parse().ok()).collect()
}

/// What to ask the system's loader for.
fn loader_names() -> &'static [&'static str] {
    if cfg!(target_os = "windows") {
        &["onnxruntime.dll"]
    } else if cfg!(target_os = "macos") {
        &["libonnxruntime.dylib"]
    } else {
        &["libonnxruntime.so", "libonnxruntime.so.1"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_files_are_recognized_among_others() {
        for name in ["libonnxruntime.so", "libonnxruntime.so.1.32.0", "libonnxruntime.1.32.0.dylib", "onnxruntime.dll"]
        {
            assert!(is_library(Path::new(name)), "{name}");
        }
        for name in ["libonnxruntime_providers_shared.so", "onnxruntime.1", "libonnxruntime.so.txt", "libonnx.so"] {
            assert!(!is_library(Path::new(name)), "{name}");
        }
        assert!(version_in_name(Path::new("a.so.1.9.0")) < version_in_name(Path::new("a.so.1.10.0")));
    }

    #[test]
    fn a_failed_search_lists_each_place_and_what_was_there() {
        let folder = std::env::temp_dir().join(format!("torch2trt-search-{}", std::process::id()));
        let site = folder.join("site-packages");
        let capi = site.join("onnxruntime/capi");
        std::fs::create_dir_all(&capi).unwrap();
        std::fs::write(capi.join("libonnxruntime.so.1.2.3"), "not a library").unwrap();

        let error = search(None, None, &[folder.join("none"), site.clone()]).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("no usable ONNX Runtime was found\n"), "{text}");
        assert!(text.contains("  TORCH2TRT_ONNXRUNTIME: not set\n"), "{text}");
        assert!(text.contains("none/onnxruntime/capi: no such file"), "{text}");
        assert!(text.contains("libonnxruntime.so.1.2.3: cannot be loaded: "), "{text}");
        assert!(text.contains("  loader path: libonnxruntime"), "{text}");
        let help = crate::Error::LibraryNotFound(error).help().unwrap();
        assert!(help.starts_with("pip install onnxruntime"), "{help}");

        // What is named explicitly is not replaced by what is found elsewhere.
        let empty = folder.join("empty");
        std::fs::create_dir_all(&empty).unwrap();
        let error = search(None, Some(&empty), &[site]).unwrap_err();
        assert_eq!(error.places.len(), 2);
        assert!(matches!(error.places[1].problem, Some(ProbeError::NotInFolder)));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
