//! Building for real with TensorRT-RTX, which needs no GPU to build for one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod common;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use nvinfer::*;

/// Weights of the network below.
struct Model {
    kernel: Vec<f32>,
    bias: Vec<f32>,
    dense: Vec<f32>,
}

impl Model {
    fn random() -> Self {
        let random = common::random;
        Self { kernel: random(8 * 3 * 3 * 3), bias: random(8), dense: random(8 * 10) }
    }

    /// conv → relu → mean over the image → reshape → matrix product → softmax, plus a filled constant, cast back and
    /// forth; the batch is known only at run time.
    fn network<'w>(&'w self, builder: &Builder) -> Result<Network<'w>> {
        let network = builder.create_network(Typing::Strong)?;
        let x = network.add_input("x", DataType::Float, &[-1, 3, 16, 16])?;
        let conv = network.add_convolution(x, 8, &[3, 3], Weights::of(&self.kernel), Weights::of(&self.bias))?;
        conv.set_name("features.0.conv")?;
        conv.set_stride(&[2, 2])?;
        let relu = network.add_activation(conv.output(0)?, ActivationType::Relu)?;
        let mean = network.add_reduce(relu.output(0)?, ReduceOperation::Avg, Axes::new(&[2, 3]), true)?;
        let flat = network.add_shuffle(mean.output(0)?)?;
        flat.set_reshape_dimensions(&[-1, 8])?;
        let dense = network.add_constant(&[8, 10], Weights::of(&self.dense))?.output(0)?;
        let product =
            network.add_matrix_multiply(flat.output(0)?, MatrixOperation::None, dense, MatrixOperation::None)?;
        let fill = network.add_fill(&[1, 10], FillOperation::Linspace, DataType::Int64)?;
        fill.set_alpha_i64(0)?;
        fill.set_beta_i64(0)?;
        let cast = network.add_cast(fill.output(0)?, DataType::Float)?.output(0)?;
        let sum = network.add_elementwise(product.output(0)?, cast, ElementWiseOperation::Sum)?;
        let softmax = network.add_softmax(sum.output(0)?)?;
        softmax.set_axes(Axes::new(&[1]))?;
        let y = softmax.output(0)?;
        y.set_name("y")?;
        network.mark_output(y)?;
        Ok(network)
    }
}

fn config(builder: &Builder) -> Result<BuilderConfig> {
    let mut config = builder.create_config()?;
    config.set_compute_capabilities(&[ComputeCapability::Sm89])?;
    let profile = builder.create_profile()?;
    let (min, opt, max): (&[i64], &[i64], &[i64]) = (&[1, 3, 16, 16], &[4, 3, 16, 16], &[32, 3, 16, 16]);
    profile.set_shape("x", Range { min, opt, max })?;
    assert_eq!(profile.shape("x", OptProfileSelector::Max)?, *max);
    assert_eq!(config.add_profile(&profile)?, 0);
    Ok(config)
}

#[test]
fn a_network_with_a_dynamic_batch_becomes_a_plan() -> Result<()> {
    for library in common::each() {
        let model = Model::random();
        let builder = Builder::new(library)?;
        let network = model.network(&builder)?;
        assert_eq!(network.outputs()?[0].dims()?, [-1, 10]);
        assert_eq!(network.inputs()?[0].name(), "x");
        assert_eq!(network.num_layers()?, 10);
        assert_eq!(network.get_layer(0)?.name(), "features.0.conv");
        let config = config(&builder)?;
        assert!(builder.is_network_supported(&network, &config)?);
        let plan = builder.build(&network, &config)?;
        assert!(plan.len() > 10_000, "{} bytes", plan.len());

        // The plan's header is that of a plan, whatever this machine can do with it.
        let runtime = Runtime::new(library)?;
        let header = runtime.engine_header_size()?;
        assert!((1..plan.len()).contains(&header));
        let validity = runtime.engine_validity(&plan[..header])?;
        assert!(!validity.reasons.contains(&InvalidityReason::Malformed), "{validity:?}");
        let validity = runtime.engine_validity(&vec![0x5a; header])?;
        assert_eq!(validity.verdict, EngineValidity::Invalid);
        assert!(validity.reasons.contains(&InvalidityReason::Malformed), "{validity:?}");
    }
    Ok(())
}

#[test]
fn a_plan_runs_only_where_there_is_a_gpu() -> Result<()> {
    for library in common::each() {
        let model = Model::random();
        let builder = Builder::new(library)?;
        let plan = builder.build(&model.network(&builder)?, &config(&builder)?)?;
        match Runtime::new(library)?.deserialize(&plan) {
            Ok(engine) => {
                let tensors = engine.io_tensors()?;
                assert_eq!(tensors[0].dims, [-1, 3, 16, 16]);
                assert_eq!(tensors[1].mode, TensorIoMode::Output);
                assert_eq!(engine.profile_shape("x", 0, OptProfileSelector::Max)?, [32, 3, 16, 16]);
            }
            Err(error) => {
                let diagnostics = error.diagnostics().expect("a refusal");
                assert!(
                    diagnostics.contains("Cuda") || diagnostics.contains("cuda") || diagnostics.contains("CUDA"),
                    "{error}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn a_refusal_has_the_messages_of_tensorrt() -> Result<()> {
    for library in common::each() {
        let builder = Builder::new(library)?;
        let network = builder.create_network(Typing::Strong)?;
        let x = network.add_input("x", DataType::Float, &[2, 3])?;
        let i = network.add_input("i", DataType::Int32, &[2, 3])?;
        let sum = network.add_elementwise(x, i, ElementWiseOperation::Sum)?;
        sum.set_name("blocks.0.residual")?;
        // Adding it is not refused; asking for its shape is.
        let error = sum.output(0)?.dims().unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("TensorRT refused ITensor::getDimensions on `blocks.0.residual_output`"), "{text}");
        assert!(text.contains("must have same input types"), "{text}");
        assert!(!text.contains("catchCudaError"), "{text}");
        network.mark_output(sum.output(0)?)?;
        let error = builder.build(&network, &config_without_profile(&builder)?).unwrap_err();
        assert!(error.diagnostics().unwrap().contains("must have same input types"), "{error}");

        let error = network.add_input("x", DataType::Float, &[1]).unwrap_err();
        assert!(error.to_string().contains("addInput on `x`"), "{error}");
        // A setter returns nothing in C++, and is refused all the same.
        let y = network.add_activation(x, ActivationType::Relu)?;
        y.set_name("relu")?;
        assert!(y.set_name("blocks.0.residual").unwrap_err().to_string().contains("already in use"));
        let pool = network.add_pooling(
            network.add_input("image", DataType::Float, &[1, 1, 8, 8])?,
            PoolingType::Max,
            &[2, 2],
        )?;
        assert!(pool.set_stride(&[-1, 1]).unwrap_err().to_string().contains("IPoolingLayer::setStrideNd"));
    }
    Ok(())
}

fn config_without_profile(builder: &Builder) -> Result<BuilderConfig> {
    let mut config = builder.create_config()?;
    config.set_compute_capabilities(&[ComputeCapability::Sm89])?;
    Ok(config)
}

#[test]
fn a_dynamic_network_without_a_profile_is_refused() -> Result<()> {
    for library in common::each() {
        let model = Model::random();
        let builder = Builder::new(library)?;
        let error = builder.build(&model.network(&builder)?, &config_without_profile(&builder)?);
        if let Err(error) = error {
            assert!(error.to_string().contains("profile"), "{error}");
        }
        let profile = builder.create_profile()?;
        let four: &[i64] = &[4, 3, 16, 16];
        profile.set_shape("x", Range { min: four, opt: &[2, 3, 16, 16], max: four })?;
        assert!(!profile.is_valid());
        let error = config_without_profile(&builder)?.add_profile(&profile).unwrap_err();
        assert!(error.diagnostics().unwrap().contains("MIN<=OPT<=MAX"), "{error}");
    }
    Ok(())
}

/// Follows the phases of a build, and stops it at a step.
#[derive(Default)]
struct Watch {
    stop_after: Option<usize>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    open: Vec<(String, usize)>,
    steps: usize,
    finished: usize,
    wrong: Vec<String>,
}

impl Progress for Watch {
    fn phase_start(&self, phase: &str, parent: Option<&str>, steps: usize) {
        let mut seen = self.seen.lock().unwrap();
        if let Some(parent) = parent
            && !seen.open.iter().any(|(name, _)| name == parent)
        {
            seen.wrong.push(format!("{phase} in {parent}, which is not open"));
        }
        seen.open.push((phase.to_owned(), steps));
    }

    fn step_complete(&self, phase: &str, step: usize) -> ControlFlow<()> {
        let mut seen = self.seen.lock().unwrap();
        seen.steps += 1;
        if !seen.open.iter().any(|(name, steps)| name == phase && step < *steps) {
            seen.wrong.push(format!("step {step} of {phase}"));
        }
        match self.stop_after {
            Some(most) if seen.steps > most => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    fn phase_finish(&self, phase: &str) {
        let mut seen = self.seen.lock().unwrap();
        seen.finished += 1;
        match seen.open.iter().rposition(|(name, _)| name == phase) {
            Some(at) => drop(seen.open.remove(at)),
            None => seen.wrong.push(format!("{phase} ended without a beginning")),
        }
    }
}

#[test]
fn progress_is_reported_by_phase_and_can_cancel() -> Result<()> {
    for library in common::each() {
        let model = Model::random();
        let builder = Builder::new(library)?;
        let (network, mut config) = (model.network(&builder)?, config(&builder)?);
        let whole = Arc::new(Watch::default());
        config.set_progress(whole.clone())?;
        builder.build(&network, &config)?;
        let seen = whole.seen.lock().unwrap();
        assert!(seen.wrong.is_empty() && seen.open.is_empty(), "{:?} {:?}", seen.wrong, seen.open);
        assert!(seen.finished >= 3 && seen.steps >= 10);

        let some = seen.steps / 2;
        config.set_progress(Arc::new(Watch { stop_after: Some(some), ..Watch::default() }))?;
        let error = builder.build(&network, &config).unwrap_err();
        assert!(error.is_cancelled(), "{error}");

        config.set_progress(Arc::new(Watch::default()))?;
        builder.build(&network, &config)?;
    }
    Ok(())
}

#[test]
fn what_a_version_lacks_is_reported_and_not_called() -> Result<()> {
    for library in common::each() {
        let builder = Builder::new(library)?;
        let mut config = builder.create_config()?;
        assert!(builder.platform_has_fast_fp16().is_ok() == (library.version().family() == Family::Rtx1_3));
        let sources = config.set_tactic_sources(&[TacticSource::Cudnn]);
        assert!(config.set_optimization_level(9).is_err());
        if library.version().family() == Family::Rtx1_5 {
            assert!(sources.unwrap_err().is_not_in_this_version());
            let error = config.set_flag(BuilderFlag::Fp16).unwrap_err();
            let text = "BuilderFlag::kFP16 is not in TensorRT-RTX 1.7.1; it is in TensorRT 8.6 to 10, TensorRT-RTX 1.3 \
                        to 1.4";
            assert_eq!(error.to_string(), text);
            assert!(builder.create_network(Typing::Weak).unwrap_err().is_not_in_this_version());
        } else {
            assert!(builder.create_network(Typing::Weak).is_ok());
            assert!(config.build_routes().unwrap_err().is_not_in_this_version());
        }
    }
    Ok(())
}

#[test]
fn objects_may_be_dropped_in_any_order() -> Result<()> {
    for library in common::each() {
        let model = Model::random();
        let builder = Builder::new(library)?;
        let network = model.network(&builder)?;
        let config = config(&builder)?;
        let plan = builder.build(&network, &config)?;
        let before = plan.to_vec();
        drop(builder);
        drop(config);
        drop(network);
        assert_eq!(*plan, before);
    }
    Ok(())
}

#[test]
fn a_tensor_of_another_network_is_refused() -> Result<()> {
    for library in common::each() {
        let builder = Builder::new(library)?;
        let (a, b) = (builder.create_network(Typing::Strong)?, builder.create_network(Typing::Strong)?);
        let x = a.add_input("x", DataType::Float, &[1])?;
        assert!(matches!(b.add_identity(x), Err(Error::ForeignTensor { name }) if name == "x"));
        assert!(matches!(b.mark_output(x), Err(Error::ForeignTensor { .. })));
    }
    Ok(())
}

#[test]
fn concurrent_builds_keep_their_own_reasons() {
    for library in common::each() {
        let refuse = move |name: String| {
            let builder = Builder::new(library).unwrap();
            let network = builder.create_network(Typing::Strong).unwrap();
            for _ in 0..50 {
                let x = network.add_input(&name, DataType::Float, &[2]);
                if let Err(error) = x {
                    assert!(error.to_string().contains(&format!("on `{name}`")), "{error}");
                    assert_eq!(error.diagnostics().unwrap().messages.len(), 1, "{error}");
                }
            }
        };
        let threads: Vec<_> = (0..4).map(|i| std::thread::spawn(move || refuse(format!("x{i}")))).collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_timing_cache_survives_its_bytes() -> Result<()> {
    for library in common::each() {
        let builder = Builder::new(library)?;
        let mut config = builder.create_config()?;
        let cache = config.create_timing_cache(&[])?;
        let bytes = cache.serialize()?;
        assert!(!bytes.is_empty());
        let again = config.create_timing_cache(&bytes)?;
        assert_eq!(again.serialize()?.len(), bytes.len());
        config.set_timing_cache(again, false)?;
        assert!(config.timing_cache().is_some());
    }
    Ok(())
}

#[test]
fn memory_pools_and_flags_are_read_back() -> Result<()> {
    for library in common::each() {
        let builder = Builder::new(library)?;
        let mut config = builder.create_config()?;
        let bytes = 3 << 20;
        config.set_memory_pool_limit(MemoryPoolType::Workspace, bytes)?;
        assert_eq!(config.memory_pool_limit(MemoryPoolType::Workspace)?, bytes);
        for flag in [BuilderFlag::Refit, BuilderFlag::StripPlan, BuilderFlag::StrictNans] {
            assert!(!config.has_flag(flag), "{flag:?}");
            config.set_flag(flag)?;
            assert!(config.has_flag(flag), "{flag:?}");
            config.clear_flag(flag)?;
            assert!(!config.has_flag(flag), "{flag:?}");
        }
        config.set_optimization_level(2)?;
        assert_eq!(config.optimization_level()?, 2);
        config.set_max_aux_streams(2)?;
        config.set_profiling_verbosity(ProfilingVerbosity::Detailed)?;
    }
    Ok(())
}

#[test]
fn discovery_finds_the_python_package() -> Result<()> {
    let Some(folder) = common::folder(common::RTX_1_7) else { return Ok(()) };
    let (Some(site), Some(name)) = (folder.parent(), folder.file_name()) else { return Ok(()) };
    if name != "tensorrt_rtx_libs" {
        needs::skip(format_args!("{} is not a Python package's folder", folder.display()));
        return Ok(());
    }
    let discovery = Discovery {
        site_packages: vec!["/nowhere".into(), site.to_owned()],
        ignore_environment: true,
        ignore_loader: true,
        ..Discovery::default()
    };
    let library = Library::find(&discovery)?;
    assert_eq!(library.version().to_string(), "TensorRT-RTX 1.7.1");
    assert!(library.can_build());
    let same = Library::open(folder.join("libtensorrt_rtx.so.1"))?;
    assert_eq!(same.path(), library.path());
    Ok(())
}
