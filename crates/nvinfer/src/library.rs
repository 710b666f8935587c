//! Finding and loading TensorRT: explicit path, environment, Python packages, the loader's own path.
//!
//! A library stays loaded for the life of the process, since TensorRT keeps the first logger it gets. What was looked
//! at and what was there is data ([`Search`]), so the error can list it. Python is not asked here: the caller passes
//! its site-packages folders.

use std::ffi::c_void;
use std::fmt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::logger::Logger;
use crate::raw::{Entry, made};
use crate::version::{Family, Version, supported};

/// The environment variable that names a library file or its folder.
pub const ENVIRONMENT: &str = "TORCH2TRT_TENSORRT";

/// Folders of the Python packages that carry these libraries.
const PACKAGES: [&str; 6] =
    ["tensorrt_libs", "tensorrt", "tensorrt_rtx_libs", "tensorrt_rtx", "tensorrt_lean_libs", "tensorrt_lean"];

/// What the library is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Purpose {
    /// Building engines: lean runtimes are passed over.
    #[default]
    Build,
    /// Running engines: lean runtimes will do when nothing else is there.
    Run,
}

/// Where to look for TensorRT, in this order: `path`, the environment, `site_packages`, the loader's path.
///
/// When `path` or the variable is set, nothing else is looked at: whoever names a TensorRT means that one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Discovery {
    /// A library file or a folder.
    pub path: Option<PathBuf>,
    /// site-packages folders of the Python in use.
    pub site_packages: Vec<PathBuf>,
    /// What for.
    pub purpose: Purpose,
    /// Do not read the environment variable; for tests.
    pub ignore_environment: bool,
    /// Do not ask the system's loader; for tests.
    pub ignore_loader: bool,
}

/// Every place that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Search {
    /// The places, in order.
    pub places: Vec<Place>,
}

/// One place that was looked at, and what was there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// What sent us there, such as `TORCH2TRT_TENSORRT` or `Python tensorrt_libs`.
    pub source: String,
    /// The file or folder, when there is one to name.
    pub path: Option<PathBuf>,
    /// What was found.
    pub found: Found,
}

/// What was found in a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// The option or variable is not set.
    NotSet,
    /// No such file, or a folder without a TensorRT library.
    Nothing,
    /// The system's loader refused the file; its words, which name a missing dependency.
    NotLoadable(String),
    /// Loaded, but not a TensorRT library.
    MissingSymbol(String),
    /// A TensorRT whose interface is not known here.
    Unsupported(String),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSet => f.write_str("not set"),
            Self::Nothing => f.write_str("not found"),
            Self::NotLoadable(reason) => write!(f, "cannot be loaded: {reason}"),
            Self::MissingSymbol(symbol) => write!(f, "is not a TensorRT library: no symbol {symbol}"),
            Self::Unsupported(version) => write!(f, "is {version}; supported are {}", supported()),
        }
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = names(Purpose::Build).collect();
        write!(f, "TensorRT not found (looked for {})", names.join(", "))?;
        for place in &self.places {
            write!(f, "\n  {}: ", place.source)?;
            if let Some(path) = &place.path {
                write!(f, "{} ", path.display())?;
            }
            write!(f, "{}", place.found)?;
        }
        Ok(())
    }
}

impl Search {
    /// What to do about it.
    pub fn help(&self) -> String {
        format!(
            "pip install tensorrt (tensorrt-rtx-cu13-libs to build without a GPU), or set \
             {ENVIRONMENT}=/path/to/libnvinfer.so.11"
        )
    }
}

type Create = unsafe extern "C" fn(*mut c_void, i32) -> *mut c_void;
type GetPluginRegistry = unsafe extern "C" fn() -> *mut c_void;
type CreateRefitter = unsafe extern "C" fn(*mut c_void, *mut c_void, i32) -> *mut c_void;

/// A loaded TensorRT. Copies refer to the same one, which stays loaded for the life of the process.
#[derive(Clone, Copy, Debug)]
pub struct Library(&'static Loaded);

#[derive(Debug)]
struct Loaded {
    path: PathBuf,
    entry: Entry,
    create_builder: Option<Create>,
    create_runtime: Option<Create>,
    create_refitter: Option<CreateRefitter>,
    plugin_registry: Option<GetPluginRegistry>,
}

/// What has been loaded, by resolved path: TensorRT takes one logger per process.
static LOADED: Mutex<Vec<(PathBuf, &'static Loaded)>> = Mutex::new(Vec::new());

impl Library {
    /// Looks for TensorRT and loads the first usable one.
    ///
    /// # Errors
    /// [`Error::NotFound`] with every place looked at.
    pub fn find(discovery: &Discovery) -> Result<Self> {
        let mut search = Search::default();
        match search.run(discovery) {
            Some(library) => Ok(library),
            None => Err(Error::NotFound(Box::new(search))),
        }
    }

    /// Loads the library in this file.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the reason.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        load(path.as_ref()).map_err(|found| {
            let path = Some(path.as_ref().to_owned());
            let place = Place { source: "library".into(), path, found };
            Error::NotFound(Box::new(Search { places: vec![place] }))
        })
    }

    /// Its version.
    pub fn version(self) -> Version {
        self.0.entry.version
    }

    /// The file it was loaded from, or its name when the loader found it.
    pub fn path(self) -> &'static Path {
        &self.0.path
    }

    /// Whether it can build engines; lean runtimes only run them.
    pub fn can_build(self) -> bool {
        self.0.create_builder.is_some()
    }

    /// Its logger, to choose how much goes to `tracing`.
    pub fn logger(self) -> &'static Logger {
        &self.0.entry.logger
    }

    pub(crate) fn entry(self) -> &'static Entry {
        &self.0.entry
    }

    /// `createInferBuilder`, which may refuse; null too when the library has no builder.
    pub(crate) fn create_builder(self) -> Option<NonNull<c_void>> {
        self.create(self.0.create_builder?)
    }

    /// `createInferRuntime`, which may refuse.
    pub(crate) fn create_runtime(self) -> Option<NonNull<c_void>> {
        self.create(self.0.create_runtime?)
    }

    fn create(self, create: Create) -> Option<NonNull<c_void>> {
        let entry = &self.0.entry;
        // SAFETY: the entry points take a logger that outlives the process's use of TensorRT, and the version that the
        // library itself reports, whose layout of ILogger this logger has.
        made(unsafe { create(entry.logger.as_ptr(), entry.reported) })
    }

    /// `createInferRefitter`, which may refuse.
    ///
    /// # Safety
    /// `engine` is a live `ICudaEngine` of this library.
    pub(crate) unsafe fn create_refitter(self, engine: *mut c_void) -> Option<NonNull<c_void>> {
        let create = self.0.create_refitter?;
        let entry = &self.0.entry;
        // SAFETY: as in `create`; the engine is the caller's promise.
        made(unsafe { create(engine, entry.logger.as_ptr(), entry.reported) })
    }
}

impl Library {
    /// `getPluginRegistry`: the registry that all objects of this library share; none where the library has no plugins.
    pub(crate) fn registry(self) -> Option<NonNull<c_void>> {
        let get = self.0.plugin_registry?;
        // SAFETY: the entry point takes nothing and returns an object that lives as long as the library.
        made(unsafe { get() })
    }
}

impl Search {
    fn run(&mut self, discovery: &Discovery) -> Option<Library> {
        if let Some(path) = &discovery.path {
            return self.file_or_folder("the given path", path, discovery.purpose);
        }
        if !discovery.ignore_environment {
            if let Some(value) = std::env::var_os(ENVIRONMENT).filter(|value| !value.is_empty()) {
                return self.file_or_folder(ENVIRONMENT, Path::new(&value), discovery.purpose);
            }
            self.note(ENVIRONMENT, None, Found::NotSet);
        }
        self.python(discovery).or_else(|| self.loader(discovery))
    }

    fn python(&mut self, discovery: &Discovery) -> Option<Library> {
        for site in &discovery.site_packages {
            for package in PACKAGES {
                let folder = site.join(package);
                if !folder.is_dir() {
                    continue;
                }
                let source = format!("Python {package}");
                if let Some(library) = self.folder(&source, &folder, discovery.purpose) {
                    return Some(library);
                }
            }
        }
        if discovery.site_packages.is_empty() {
            self.note("Python packages", None, Found::NotSet);
        } else if !self.places.iter().any(|p| p.source.starts_with("Python")) {
            let packages = format!("Python {}", PACKAGES.join(", "));
            self.note(&packages, None, Found::Nothing);
        }
        None
    }

    fn loader(&mut self, discovery: &Discovery) -> Option<Library> {
        if discovery.ignore_loader {
            return None;
        }
        for name in names(discovery.purpose) {
            if let Some(library) = self.attempt("loader path", Path::new(&name)) {
                return Some(library);
            }
        }
        None
    }

    fn file_or_folder(&mut self, source: &str, path: &Path, purpose: Purpose) -> Option<Library> {
        if path.is_dir() {
            return self.folder(source, path, purpose);
        }
        if !path.exists() {
            self.note(source, Some(path), Found::Nothing);
            return None;
        }
        self.attempt(source, path)
    }

    fn folder(&mut self, source: &str, folder: &Path, purpose: Purpose) -> Option<Library> {
        let mut empty = true;
        for name in names(purpose) {
            let path = folder.join(name);
            if path.exists() {
                empty = false;
                if let Some(library) = self.attempt(source, &path) {
                    return Some(library);
                }
            }
        }
        if empty {
            self.note(source, Some(folder), Found::Nothing);
        }
        None
    }

    fn attempt(&mut self, source: &str, path: &Path) -> Option<Library> {
        match load(path) {
            Ok(library) => Some(library),
            Err(found) => {
                self.note(source, Some(path), found);
                None
            }
        }
    }

    fn note(&mut self, source: &str, path: Option<&Path>, found: Found) {
        let path = path.map(Path::to_owned);
        self.places.push(Place { source: source.to_owned(), path, found });
    }
}

/// The file names of TensorRT, then of TensorRT-RTX, newest first; lean runtimes last.
fn names(purpose: Purpose) -> impl Iterator<Item = String> {
    let lean: &[bool] = match purpose {
        Purpose::Build => &[false],
        Purpose::Run => &[false, true],
    };
    let mut names = Vec::new();
    for (is_lean, is_rtx) in lean.iter().flat_map(|is_lean| [(*is_lean, false), (*is_lean, true)]) {
        for family in Family::ALL.iter().rev().filter(|family| family.is_rtx() == is_rtx) {
            names.extend(family.library(is_lean).filter(|name| !names.contains(name)));
        }
    }
    names.into_iter()
}

fn load(path: &Path) -> std::result::Result<Library, Found> {
    let resolved = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, known)) = loaded.iter().find(|(p, _)| *p == resolved) {
        return Ok(Library(known));
    }
    // SAFETY: loading runs the library's initializers. It is a TensorRT library by name or by the user's word, whose
    // initializers are meant to run in any process.
    let library = unsafe { libloading::Library::new(path) };
    let library = library.map_err(|e| Found::NotLoadable(reason(&e)))?;
    let fresh: &'static Loaded = Box::leak(Box::new(read(&library, path)?));
    std::mem::forget(library);
    loaded.push((resolved, fresh));
    tracing::debug!(target: "torch2trt::tensorrt", version = %fresh.entry.version, path = %path.display(), "loaded");
    Ok(Library(fresh))
}

/// dlerror's words; libloading keeps them in the source.
pub(crate) fn reason(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn read(library: &libloading::Library, path: &Path) -> std::result::Result<Loaded, Found> {
    // SAFETY: these symbols are TensorRT's C entry points, with these types in every version.
    let (version, create_builder, create_runtime, create_refitter) = unsafe {
        (
            library.get::<extern "C" fn() -> i32>(b"getInferLibVersion\0"),
            library.get::<Create>(b"createInferBuilder_INTERNAL\0"),
            library.get::<Create>(b"createInferRuntime_INTERNAL\0"),
            library.get::<CreateRefitter>(b"createInferRefitter_INTERNAL\0"),
        )
    };
    // SAFETY: as above.
    let plugin_registry = unsafe { library.get::<GetPluginRegistry>(b"getPluginRegistry\0") };
    let version = version.map_err(|_| Found::MissingSymbol("getInferLibVersion".into()))?;
    let create_builder = create_builder.ok().map(|s| *s);
    let create_runtime = create_runtime.ok().map(|s| *s);
    if create_builder.is_none() && create_runtime.is_none() {
        return Err(Found::MissingSymbol("createInferRuntime_INTERNAL".into()));
    }
    let reported = version();
    let version = Version::from_reported(reported).map_err(|e| Found::Unsupported(e.found))?;
    Ok(Loaded {
        path: path.to_owned(),
        entry: Entry { version, reported, logger: Logger::new(version) },
        create_builder,
        create_runtime,
        create_refitter: create_refitter.ok().map(|s| *s),
        plugin_registry: plugin_registry.ok().map(|s| *s),
    })
}

#[cfg(test)]
mod tests;
