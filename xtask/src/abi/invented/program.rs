//! Loads the simulator as a TensorRT of a family that the test invented, and prints what it calls.
//!
//! The test compiles this file as an example of a copy of the crate nvinfer.

use nvinfer::sys::tables::CLASSES;
use nvinfer::{Library, OptProfileSelector, Runtime};

const PLAN: &[u8] = b"input x -1 4\noutput y -1 4\nprofile 1 3 8\n";

#[allow(clippy::print_stdout, reason = "the test reads it")]
fn main() -> nvinfer::Result<()> {
    let library = Library::open(std::env::args().nth(1).unwrap_or_default())?;
    let version = library.version();
    println!("version {version}, {}", version.family());
    for method in CLASSES.iter().copied().flatten() {
        if let Some(slot) = method.slot(version) {
            println!("slot {} {} {}", method.interface, method.name, slot.index);
        }
    }
    let mut runtime = Runtime::new(library)?;
    let engine = runtime.deserialize(PLAN)?;
    for tensor in engine.io_tensors()? {
        println!("tensor {} {:?}", tensor.name, tensor.dims.to_vec());
    }
    println!("at most {:?}", engine.profile_shape("x", 0, OptProfileSelector::Max)?.to_vec());
    let mut context = engine.create_context()?;
    context.set_input_shape("x", &[5, 4])?;
    println!("refused {}", context.set_input_shape("x", &[9, 4]).is_err());
    if let Err(error) = runtime.set_engine_host_code_allowed(true) {
        println!("missing {error}");
    }
    Ok(())
}
