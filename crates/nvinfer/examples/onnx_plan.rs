//! Builds a plan from an ONNX file as NVIDIA's trtexec does: TensorRT's own parser, FP16 allowed everywhere.
//!
//!     cargo run --release -p torch2trt-nvinfer --example onnx_plan -- \
//!         TENSORRT PARSER MODEL.onnx MODEL.plan [fp16] [timings=FILE]
//!
//! `TENSORRT` is a file such as `libnvinfer.so.8`, `PARSER` one such as `libnvonnxparser.so.8`. Inputs have fixed
//! shapes. Prints the seconds of the build and the number of layers. Benchmarks measure torch2trt against such plans.
#![allow(clippy::print_stdout, reason = "a program")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use nvinfer::{Builder, BuilderConfig, BuilderFlag, Library, OnnxParser, TacticSource, Typing};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tensorrt, parser, model, plan, options @ ..] = arguments.as_slice() else {
        return Err("arguments: TENSORRT PARSER MODEL.onnx MODEL.plan [fp16] [timings=FILE]".into());
    };
    let library = Library::open(tensorrt)?;
    let parser = OnnxParser::open(library, Path::new(parser))?;
    let builder = Builder::new(library)?;
    let is_strong = library.version().family().is_always_strongly_typed();
    let network = builder.create_network(if is_strong { Typing::Strong } else { Typing::Weak })?;
    parser.parse(&network, &std::fs::read(model)?)?;

    let start = Instant::now();
    let mut config = builder.create_config()?;
    configure(&mut config, options.iter().any(|option| option == "fp16"))?;
    let timings = options.iter().find_map(|option| option.strip_prefix("timings="));
    if let Some(file) = timings {
        let cache = config.create_timing_cache(&std::fs::read(file).unwrap_or_default())?;
        config.set_timing_cache(cache, false)?;
    }
    let made = builder.build(&network, &config)?;
    println!("built {} layers in {:.1} s", network.num_layers()?, start.elapsed().as_secs_f64());
    std::fs::write(plan, &*made)?;
    if let (Some(file), Some(cache)) = (timings, config.timing_cache()) {
        std::fs::write(file, &*cache.serialize()?)?;
    }
    Ok(())
}

/// The settings that torch2trt builds with, but for precision: here the builder chooses.
fn configure(config: &mut BuilderConfig, fp16: bool) -> nvinfer::Result<()> {
    let family = config.version().family();
    if !family.is_rtx() {
        config.set_avg_timing_iterations(8)?;
        config.set_tactic_sources(&[TacticSource::EdgeMaskConvolutions, TacticSource::JitConvolutions])?;
    }
    if fp16 && !family.is_always_strongly_typed() {
        config.set_flag(BuilderFlag::Fp16)?;
    }
    Ok(())
}
