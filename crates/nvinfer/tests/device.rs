//! Building and running for real, on a machine with a GPU, with the TensorRT in `TORCH2TRT_TEST_TENSORRT` (a library
//! file or its folder; any supported version). Results are compared with the same arithmetic done here in float64.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod common;
#[path = "common/cuda.rs"]
mod cuda;

use std::ffi::c_void;
use std::sync::{Arc, Mutex};

use cuda::Cuda;
use nvinfer::*;

const INPUTS: usize = 64;
const OUTPUTS: usize = 32;

/// The library under test and the GPU, when both are there.
fn bench() -> Option<(Library, Cuda)> {
    let path = common::folder("TORCH2TRT_TEST_TENSORRT")?;
    let discovery = Discovery { path: Some(path), ..Discovery::default() };
    let library = Library::find(&discovery).unwrap_or_else(|e| panic!("{e}"));
    let cuda = Cuda::new();
    if cuda.is_none() {
        needs::skip("no GPU");
    }
    Some((library, cuda?))
}

/// y = relu(x · w + b), with the batch known only at run time.
struct Dense {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Dense {
    fn random() -> Self {
        Self { weights: common::random(INPUTS * OUTPUTS), bias: common::random(OUTPUTS) }
    }

    fn network<'w>(&'w self, builder: &Builder) -> Result<Network<'w>> {
        let typing = if builder.version().family().can_be_strongly_typed() { Typing::Strong } else { Typing::Weak };
        let network = builder.create_network(typing)?;
        let x = network.add_input("x", DataType::Float, &[-1, INPUTS as i64])?;
        let w = Weights::of(&self.weights);
        let constant = network.add_constant(&[INPUTS as i64, OUTPUTS as i64], w)?;
        constant.set_name("dense.weight")?;
        network.set_weights_name(w, "dense.weight")?;
        let b = Weights::of(&self.bias);
        let bias = network.add_constant(&[1, OUTPUTS as i64], b)?;
        network.set_weights_name(b, "dense.bias")?;
        let product =
            network.add_matrix_multiply(x, MatrixOperation::None, constant.output(0)?, MatrixOperation::None)?;
        let sum = network.add_elementwise(product.output(0)?, bias.output(0)?, ElementWiseOperation::Sum)?;
        let relu = network.add_activation(sum.output(0)?, ActivationType::Relu)?;
        let y = relu.output(0)?;
        y.set_name("y")?;
        network.mark_output(y)?;
        assert_eq!(y.dims()?, [-1, OUTPUTS as i64]);
        Ok(network)
    }

    fn expected(&self, x: &[f32]) -> Vec<f64> {
        let row = |x: &[f32], o: usize| {
            let sum: f64 = (0..INPUTS).map(|i| f64::from(x[i]) * f64::from(self.weights[i * OUTPUTS + o])).sum();
            (sum + f64::from(self.bias[o])).max(0.0)
        };
        x.chunks(INPUTS).flat_map(|x| (0..OUTPUTS).map(move |o| row(x, o))).collect()
    }
}

fn config(builder: &Builder) -> Result<BuilderConfig> {
    let mut config = builder.create_config()?;
    let version = builder.version();
    if version.family() == Family::Trt8 {
        // cuDNN and cuBLAS need not be installed.
        config.set_tactic_sources(&[TacticSource::EdgeMaskConvolutions, TacticSource::JitConvolutions])?;
    }
    if version.family().is_rtx() {
        config.set_compute_capabilities(&[ComputeCapability::Current])?;
    }
    config.clear_flag(BuilderFlag::Tf32)?;
    config.set_profiling_verbosity(ProfilingVerbosity::Detailed)?;
    config.set_memory_pool_limit(MemoryPoolType::Workspace, 256 << 20)?;
    let profile = builder.create_profile()?;
    let shape = |batch| [batch, INPUTS as i64];
    profile.set_shape("x", Range { min: &shape(1), opt: &shape(8), max: &shape(32) })?;
    config.add_profile(&profile)?;
    Ok(config)
}

/// Runs at a batch size and compares.
fn check(cuda: &Cuda, context: &mut ExecutionContext, dense: &Dense, batch: usize) -> Result<()> {
    let x = common::random(batch * INPUTS);
    let (input, output) = (cuda.upload(&x), cuda.allocate(batch * OUTPUTS * 4));
    context.set_input_shape("x", &[batch as i64, INPUTS as i64])?;
    assert_eq!(context.tensor_shape("y")?, [batch as i64, OUTPUTS as i64]);
    assert!(context.infer_shapes()?.is_empty());
    // SAFETY: both are device memory of the tensors' sizes, and the stream is waited for in `download`.
    unsafe {
        context.set_tensor_address("x", input)?;
        context.set_tensor_address("y", output)?;
        context.enqueue(cuda.stream())?;
    }
    let y: Vec<f32> = cuda.download(output, batch * OUTPUTS);
    let expected = dense.expected(&x);
    let worst = y.iter().zip(&expected).map(|(y, e)| (f64::from(*y) - e).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-4, "batch {batch}: off by {worst}");
    assert!(expected.iter().any(|e| *e > 0.1), "a comparison with nothing");
    Ok(())
}

#[test]
fn a_dynamic_batch_runs_at_min_opt_and_max() -> Result<()> {
    let Some((library, cuda)) = bench() else { return Ok(()) };
    let dense = Dense::random();
    let builder = Builder::new(library)?;
    let plan = builder.build(&dense.network(&builder)?, &config(&builder)?)?;
    let engine = Runtime::new(library)?.deserialize(&plan)?;
    let tensors = engine.io_tensors()?;
    assert_eq!(tensors.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!((tensors[0].mode, tensors[1].mode), (TensorIoMode::Input, TensorIoMode::Output));
    assert_eq!((tensors[1].dims, tensors[1].dtype), (Dims::new(&[-1, OUTPUTS as i64])?, DataType::Float));
    assert_eq!(tensors[0].location, TensorLocation::Device);
    assert_eq!(engine.num_profiles()?, 1);
    assert_eq!(engine.profile_shape("x", 0, OptProfileSelector::Opt)?, [8, INPUTS as i64]);
    println!("{}: {} bytes, {} of device memory", library.version(), plan.len(), engine.device_memory_size()?);
    let mut context = engine.create_context()?;
    for batch in [1, 8, 32] {
        check(&cuda, &mut context, &dense, batch)?;
    }
    let error = context.set_input_shape("x", &[33, INPUTS as i64]).unwrap_err();
    assert!(error.to_string().contains("setInputShape on `x`"), "{error}");
    println!("{error}");
    let again = Runtime::new(library)?.deserialize(&engine.serialize()?)?;
    check(&cuda, &mut again.create_context()?, &dense, 5)
}

/// The times of layers, in milliseconds.
struct Times(Arc<Mutex<Vec<(String, f32)>>>);

impl Profiler for Times {
    fn layer_time(&mut self, layer: &str, milliseconds: f32) {
        self.0.lock().unwrap().push((layer.to_owned(), milliseconds));
    }
}

#[test]
fn the_inspector_and_the_profiler_name_layers() -> Result<()> {
    let Some((library, cuda)) = bench() else { return Ok(()) };
    let dense = Dense::random();
    let builder = Builder::new(library)?;
    let plan = builder.build(&dense.network(&builder)?, &config(&builder)?)?;
    let engine = Runtime::new(library)?.deserialize(&plan)?;
    let mut inspector = engine.create_inspector()?;
    let text = inspector.engine_information(LayerInformationFormat::Json)?;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    println!("{json:#}");
    assert!(json["Layers"].as_array().is_some_and(|l| !l.is_empty()), "{json}");
    assert!(inspector.num_layers() > 0);
    assert!(!inspector.layer_information(0, LayerInformationFormat::OneLine)?.is_empty());

    let times = Arc::default();
    let mut context = engine.create_context()?;
    context.set_profiler(Box::new(Times(Arc::clone(&times))), true)?;
    check(&cuda, &mut context, &dense, 8)?;
    let times = times.lock().unwrap();
    println!("{times:?}");
    assert!(!times.is_empty() && times.iter().all(|(name, t)| !name.is_empty() && *t >= 0.0));
    let at = inspector.engine_information_at(&context, LayerInformationFormat::Json)?;
    assert!(at.contains(&OUTPUTS.to_string()));
    Ok(())
}

/// Gives device memory and remembers the shape.
struct Growing {
    cuda: Arc<Cuda>,
    seen: Arc<Mutex<(usize, Vec<i64>)>>,
}

// SAFETY: the memory is never freed.
unsafe impl OutputAllocator for Growing {
    fn reallocate(&mut self, request: Request<'_>) -> *mut c_void {
        let address = self.cuda.allocate(request.size);
        self.seen.lock().unwrap().0 = address.addr();
        address
    }

    fn notify_shape(&mut self, tensor: &str, dims: &[i64]) {
        assert_eq!(tensor, "where");
        self.seen.lock().unwrap().1 = dims.to_vec();
    }
}

#[test]
fn an_output_whose_size_depends_on_data_is_allocated_by_us() -> Result<()> {
    let Some((library, cuda)) = bench() else { return Ok(()) };
    if library.version().family().is_rtx() {
        needs::skip(format_args!("{} has no layer whose output depends on data", library.version()));
        return Ok(());
    }
    let builder = Builder::new(library)?;
    let typing = if library.version().family().can_be_strongly_typed() { Typing::Strong } else { Typing::Weak };
    let network = builder.create_network(typing)?;
    let x = network.add_input("mask", DataType::Float, &[3, 5])?;
    let found = network.add_non_zero(x, DataType::Int32)?.output(0)?;
    found.set_name("where")?;
    network.mark_output(found)?;
    let mut config = builder.create_config()?;
    // 8.6 makes no context of an engine with such outputs and without a profile.
    let profile = builder.create_profile()?;
    profile.set_shape("mask", Range { min: &[3, 5], opt: &[3, 5], max: &[3, 5] })?;
    config.add_profile(&profile)?;
    let plan = builder.build(&network, &config)?;
    let engine = Runtime::new(library)?.deserialize(&plan)?;
    let mut context = engine.create_context()?;
    let cuda = Arc::new(cuda);
    let seen = Arc::default();
    context.set_output_allocator("where", Box::new(Growing { cuda: cuda.clone(), seen: Arc::clone(&seen) }))?;
    let mut mask = [0.0f32; 15];
    mask[4] = 1.0;
    mask[11] = -2.0;
    let input = cuda.upload(&mask);
    // SAFETY: device memory of the input's size; the stream is waited for in `download`.
    unsafe {
        context.set_tensor_address("mask", input)?;
        context.enqueue(cuda.stream())?;
    }
    // Waiting comes first: the shape is known when the stream is done.
    let _: Vec<f32> = cuda.download(input, 15);
    let (address, dims) = seen.lock().unwrap().clone();
    assert_eq!(dims, [2, 2]);
    let indices: Vec<i32> = cuda.download(std::ptr::with_exposed_provenance_mut(address), 4);
    assert_eq!(indices, [0, 2, 4, 1]);
    Ok(())
}

#[test]
fn an_engine_is_refitted() -> Result<()> {
    let Some((library, cuda)) = bench() else { return Ok(()) };
    let (before, after) = (Dense::random(), Dense::random());
    let builder = Builder::new(library)?;
    let mut config = config(&builder)?;
    config.set_flag(BuilderFlag::Refit)?;
    let plan = builder.build(&before.network(&builder)?, &config)?;
    let mut engine = Runtime::new(library)?.deserialize(&plan)?;
    assert!(engine.is_refittable());
    check(&cuda, &mut engine.create_context()?, &before, 4)?;
    {
        let mut refitter = Refitter::new(&mut engine)?;
        assert!(refitter.all_weights()?.contains(&"dense.weight".to_owned()));
        refitter.set_named_weights("dense.weight", Weights::of(&after.weights))?;
        // Product and sum may have become one layer, whose other weights are then wanted too.
        println!("still missing: {:?}", refitter.missing_weights()?);
        refitter.set_named_weights("dense.bias", Weights::of(&after.bias))?;
        assert!(refitter.missing_weights()?.is_empty());
        let unknown = refitter.set_named_weights("nothing", Weights::of(&after.bias)).unwrap_err();
        assert!(unknown.to_string().contains("setNamedWeights on `nothing`"), "{unknown}");
        // SAFETY: no context runs.
        unsafe { refitter.refit()? };
    }
    check(&cuda, &mut engine.create_context()?, &after, 4)
}

#[test]
fn a_timing_cache_is_filled_and_taken_back() -> Result<()> {
    let Some((library, _cuda)) = bench() else { return Ok(()) };
    let dense = Dense::random();
    let builder = Builder::new(library)?;
    let mut first = config(&builder)?;
    let empty = first.create_timing_cache(&[])?;
    let size = empty.serialize()?.len();
    first.set_timing_cache(empty, false)?;
    builder.build(&dense.network(&builder)?, &first)?;
    let filled = first.timing_cache().unwrap().serialize()?.to_vec();
    assert!(filled.len() >= size);
    println!("{size} bytes empty, {} filled", filled.len());
    let mut second = config(&builder)?;
    let cache = second.create_timing_cache(&filled)?;
    second.set_timing_cache(cache, false)?;
    builder.build(&dense.network(&builder)?, &second)?;
    Ok(())
}
