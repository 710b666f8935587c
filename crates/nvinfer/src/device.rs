//! Whether there is a GPU at all: asked before the one call that takes the process down when there is none.
//!
//! `createInferRuntime` of TensorRT 8.6 reads through a null pointer when CUDA does not start (later versions return
//! null, or nearly). Nothing else here knows CUDA, and this knows only how to ask its driver.

use std::ffi::{c_int, c_uint};

use libloading::{Library, Symbol};

/// The oldest driver interface that TensorRT 8.6 runs on.
const OLDEST: c_int = 11_000;

/// Why TensorRT could not start CUDA, as far as the driver reports.
pub fn missing() -> Option<String> {
    // SAFETY: the CUDA driver is made to be loaded at run time.
    let driver = match unsafe { Library::new("libcuda.so.1") } {
        Ok(driver) => driver,
        Err(error) => return Some(format!("no CUDA driver: {error}")),
    };
    let found = ask(&driver).unwrap_or_else(|_| Some("the CUDA driver lacks its entry points".into()));
    // It stays loaded, as it would for any program that uses it.
    std::mem::forget(driver);
    found
}

/// What is missing for a GPU to run; an error where the entry points are missing.
fn ask(driver: &Library) -> Result<Option<String>, libloading::Error> {
    let (mut version, mut count): (c_int, c_int) = (0, 0);
    // SAFETY: the driver's C functions have these types in every version.
    let (started, counted) = unsafe {
        let init: Symbol<'_, unsafe extern "C" fn(c_uint) -> c_int> = driver.get(b"cuInit\0")?;
        let versioned: Symbol<'_, unsafe extern "C" fn(*mut c_int) -> c_int> = driver.get(b"cuDriverGetVersion\0")?;
        let counting: Symbol<'_, unsafe extern "C" fn(*mut c_int) -> c_int> = driver.get(b"cuDeviceGetCount\0")?;
        versioned(&raw mut version);
        (init(0), counting(&raw mut count))
    };
    Ok(match (started, counted, count) {
        (0, 0, 1..) if version >= OLDEST => None,
        (0, 0, 1..) => Some(format!("the CUDA driver is of version {version}, older than {OLDEST}")),
        (0, 0, _) => Some("the CUDA driver sees no GPU".into()),
        _ => Some(format!("the CUDA driver does not start: cuInit returns {started}")),
    })
}
