//! TensorRT's own ONNX parser (`libnvonnxparser`), loaded at run time: the reference that a conversion is measured
//! against.

use std::ffi::{c_char, c_void};
use std::path::Path;
use std::ptr::NonNull;

use crate::error::{Error, Result};
use crate::library::{Library, reason};
use crate::network::Network;

/// `createNvOnnxParser_INTERNAL(network, logger, version)`.
type Create = unsafe extern "C" fn(*mut c_void, *mut c_void, i32) -> *mut c_void;
/// `IParser::parse(model, bytes, path)`: slot 0 of its table in every version.
type Parse = unsafe extern "C" fn(*mut c_void, *const c_void, usize, *const c_char) -> bool;

/// `NV_ONNX_PARSER_VERSION`, which has not changed since 8.0.
const VERSION: i32 = 100;

/// A loaded parser library.
#[derive(Clone, Copy, Debug)]
pub struct OnnxParser {
    library: Library,
    create: Create,
}

impl OnnxParser {
    /// Loads the parser of a TensorRT, such as `libnvonnxparser.so.8`. It stays loaded for the life of the process.
    ///
    /// # Errors
    /// [`Error::NotLoadable`] for a file that cannot be loaded or is no parser.
    pub fn open(library: Library, path: &Path) -> Result<Self> {
        let bad = |error: libloading::Error| Error::NotLoadable { path: path.to_owned(), reason: reason(&error) };
        // SAFETY: loading runs the library's initializers, which are meant to run in any process.
        let file = unsafe { libloading::Library::new(path) }.map_err(bad)?;
        // SAFETY: the symbol is the parser's C entry point, of this type in every version.
        let create = unsafe { file.get::<Create>(b"createNvOnnxParser_INTERNAL\0").map(|symbol| *symbol) };
        let create = create.map_err(bad)?;
        std::mem::forget(file);
        Ok(Self { library, create })
    }

    /// Adds the layers of an ONNX model to an empty network. The parser keeps the weights, and lives as long as the
    /// process: it is made for programs that build one engine.
    ///
    /// # Errors
    /// [`Error::Refused`] with the parser's words.
    pub fn parse(&self, network: &Network<'_>, model: &[u8]) -> Result<()> {
        let host = network.object().host();
        let mark = host.mark();
        let refused =
            |call: &str| Error::Refused { call: call.into(), object: None, diagnostics: host.diagnostics_since(mark) };
        let logger = self.library.logger().as_ptr();
        // SAFETY: the network is alive, and the logger lives as long as the process.
        let parser = unsafe { (self.create)(network.object().as_ptr(), logger, VERSION) };
        let parser = NonNull::new(parser).ok_or_else(|| refused("createNvOnnxParser"))?;
        // SAFETY: an IParser begins with its table, whose first slot is `parse`. It reads the model during the call
        // only.
        let parsed = unsafe {
            let parse = **parser.cast::<*const Parse>().as_ptr();
            parse(parser.as_ptr(), model.as_ptr().cast(), model.len(), std::ptr::null())
        };
        if parsed { Ok(()) } else { Err(refused("IParser::parse")) }
    }
}
