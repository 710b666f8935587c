//! An engine file, called from Rust with tensors in host memory.
//!
//! ```text
//! cargo run -p torch2trt --example call -- model.trt2
//! ```

use std::path::Path;
use torch2trt::{DataType, EngineFile, Options, Tensor};

fn main() -> torch2trt::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "model.trt2".into());
    // TensorRT for a plan, ONNX Runtime for the CPU engine: whichever the file is for, and installed.
    let (engine, manifest) = torch2trt::load(EngineFile::open(Path::new(&path))?, &Options::default())?;
    for input in &manifest.interface.inputs {
        println(&format!("takes {} {} {:?}", input.name, input.dtype, input.dims));
    }
    let pixels = vec![0.5f32; 3 * 224 * 224];
    let bytes: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_ne_bytes()).collect();
    let image = Tensor::from_bytes(DataType::Float32, &[1, 3, 224, 224], &bytes)?;
    for (output, tensor) in manifest.interface.outputs.iter().zip(engine.call(&[image.view()])?) {
        println(&format!("gives {} {} {:?}", output.name, tensor.dtype(), tensor.dims()));
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "it is a program")]
fn println(text: &str) {
    println!("{text}");
}
