//! What a call costs beyond ONNX Runtime's or TensorRT's own work, and what the engine burns between calls. Timings
//! depend on the machine, so these are reports, run by hand: `cargo nextest run --run-ignored only --no-capture`.

#![allow(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod common;
#[path = "../../nvinfer/tests/common/cuda.rs"]
mod cuda;

use common::*;
use runtime::{
    CallerStream, CpuOptions, CudaGraph, DataType, Device, Engine, RunOptions, TensorRtEngine, TensorRtOptions,
};
use runtime::{TensorView, TensorViewMut};
use std::time::{Duration, Instant};

const F32: DataType = DataType::Float32;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
#[ignore = "a measurement"]
fn overhead_of_a_call() {
    for (inputs, dims) in [(1usize, "4"), (1, "n"), (8, "4")] {
        let mut model = Model::default();
        for i in 0..inputs {
            model = model.input(&format!("x{i}"), F32, dims);
        }
        for i in 0..inputs {
            model = model.node("Neg", &[&format!("x{i}")], &format!("y{i}")).output(&format!("y{i}"), F32, dims);
        }
        let engine = model.engine();
        let x = [1f32, 2.0, 3.0, 4.0];
        let mut y = vec![[0f32; 4]; inputs];
        let mut times = Vec::new();
        for _ in 0..20_000 {
            let started = Instant::now();
            let views: Vec<_> = (0..inputs).map(|_| TensorView::new(F32, &[4], as_bytes(&x)).unwrap()).collect();
            let mut outputs: Vec<_> =
                y.iter_mut().map(|y| TensorViewMut::new(F32, &[4], as_bytes_mut(y)).unwrap()).collect();
            engine.run(&views, &mut outputs, &RunOptions::default()).unwrap();
            times.push(started.elapsed());
        }
        let views: Vec<_> = (0..inputs).map(|_| TensorView::new(F32, &[4], as_bytes(&x)).unwrap()).collect();
        let checks = (0..20_000).map(|_| {
            let started = Instant::now();
            let dims: Vec<&[i64]> = views.iter().map(TensorView::dims).collect();
            std::hint::black_box(engine.spec().check(&dims, None).unwrap().output_dims(0).unwrap());
            started.elapsed()
        });
        println!(
            "{inputs} inputs and outputs [{dims}]: {:?} a call; check {:?}",
            median(times),
            median(checks.collect())
        );
    }
}

#[test]
#[ignore = "a measurement"]
fn processor_time_between_calls() {
    fn processor_time() -> Duration {
        let text = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        Duration::from_millis(10 * (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()))
    }
    for spin in [0, 1000, 1_000_000].map(Duration::from_micros) {
        let mut rng = rng();
        let w: Vec<f32> = random(&mut rng, 256 * 256);
        let mut model = Model::default().input("x", F32, "64, 256").weight("w", F32, &[256, 256], owned_bytes(w));
        for i in 0..8 {
            let from = if i == 0 { "x".to_owned() } else { format!("v{}", i - 1) };
            model = model.node("MatMul", &[&from, "w"], &format!("v{i}"));
        }
        let options = CpuOptions { spin, ..CpuOptions::default() };
        let engine = model.output("v7", F32, "64, 256").try_engine(&options).unwrap();
        let x: Vec<f32> = random(&mut rng, 64 * 256);
        let mut y = vec![0f32; 64 * 256];
        let mut times = Vec::new();
        let (wall, cpu) = (Instant::now(), processor_time());
        for _ in 0..400 {
            let started = Instant::now();
            let input = TensorView::new(F32, &[64, 256], as_bytes(&x)).unwrap();
            let output = TensorViewMut::new(F32, &[64, 256], as_bytes_mut(&mut y)).unwrap();
            engine.run(&[input], &mut [output], &RunOptions::default()).unwrap();
            times.push(started.elapsed());
            std::thread::sleep(Duration::from_millis(5));
        }
        let share = processor_time().checked_sub(cpu).unwrap().as_secs_f64() / wall.elapsed().as_secs_f64();
        println!("spinning for {spin:?}: {:?} a call, {share:.2} processors busy", median(times));
    }
}

/// A plan of some kernels in a row: activations of random products, which no fusion takes together.
fn plan(library: nvinfer::Library) -> nvinfer::Result<nvinfer::HostMemory> {
    use nvinfer::{ActivationType, Builder, MatrixOperation, TacticSource, Typing, Weights};
    let builder = Builder::new(library)?;
    let mut config = builder.create_config()?;
    let is_8 = library.version().family() == nvinfer::Family::Trt8;
    if is_8 {
        // cuDNN and cuBLAS need not be installed.
        config.set_tactic_sources(&[TacticSource::EdgeMaskConvolutions, TacticSource::JitConvolutions])?;
    }
    let weights: Vec<f32> = random(&mut rng(), 64 * 64);
    let network = builder.create_network(if is_8 { Typing::Weak } else { Typing::Strong })?;
    let mut x = network.add_input("x", nvinfer::DataType::Float, &[64, 64])?;
    for _ in 0..10 {
        let constant = network.add_constant(&[64, 64], Weights::of(&weights))?.output(0)?;
        let product = network.add_matrix_multiply(x, MatrixOperation::None, constant, MatrixOperation::None)?;
        x = network.add_activation(product.output(0)?, ActivationType::Tanh)?.output(0)?;
    }
    x.set_name("y")?;
    network.mark_output(x)?;
    builder.build(&network, &config)
}

/// The least time of a call on the host over some rounds, each short enough not to fill the GPU's queue.
fn host_time(mut wait: impl FnMut(), mut call: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..40 {
        wait();
        let started = Instant::now();
        (0..20).for_each(|_| call());
        best = best.min(started.elapsed() / 20);
    }
    wait();
    best
}

/// With the TensorRT in `TORCH2TRT_TEST_TENSORRT`, a library file or its folder.
#[test]
#[ignore = "a measurement"]
#[allow(unsafe_code, reason = "device memory")]
fn overhead_of_an_enqueue() {
    let path = std::env::var_os("TORCH2TRT_TEST_TENSORRT").expect("TORCH2TRT_TEST_TENSORRT names TensorRT");
    let discovery = nvinfer::Discovery { path: Some(path.into()), ..nvinfer::Discovery::default() };
    let library = nvinfer::Library::find(&discovery).unwrap();
    let gpu = cuda::Cuda::new().expect("a GPU");
    let plan = plan(library).unwrap();
    let x = gpu.upload::<f32>(&random(&mut rng(), 64 * 64));
    let y = gpu.allocate(4 * 64 * 64);
    let wait = || drop(gpu.download::<f32>(y, 1));

    let engine = nvinfer::Runtime::new(library).unwrap().deserialize(&plan).unwrap();
    let mut context = engine.create_context().unwrap();
    // SAFETY: device memory of the tensors' sizes that is never freed; `wait` waits for the stream.
    let bare = host_time(wait, || unsafe {
        context.set_tensor_address("x", x).unwrap();
        context.set_tensor_address("y", y).unwrap();
        context.enqueue(gpu.stream()).unwrap();
    });
    println!("a bare enqueue: {bare:?}");
    for (cuda_graph, stream) in [CudaGraph::Never, CudaGraph::Always]
        .iter()
        .flat_map(|mode| [(*mode, gpu.stream()), (*mode, std::ptr::null_mut())])
    {
        let options = TensorRtOptions { cuda_graph, ..TensorRtOptions::default() };
        let engine = TensorRtEngine::new(library, &plan, None, &options).unwrap();
        let call = || {
            // SAFETY: as above; the stream is alive.
            let (x, mut y, stream) = unsafe {
                (
                    TensorView::from_raw(F32, &[64, 64], x.cast_const().cast(), 4 * 64 * 64, Device::Cuda(0)).unwrap(),
                    TensorViewMut::from_raw(F32, &[64, 64], y.cast(), 4 * 64 * 64, Device::Cuda(0)).unwrap(),
                    CallerStream::from_address(stream.addr()),
                )
            };
            engine
                .run(&[x], std::slice::from_mut(&mut y), &RunOptions { stream: Some(stream), profile: None })
                .unwrap();
        };
        let name = if stream.is_null() { "the default stream" } else { "a stream" };
        println!("{cuda_graph:?} on {name}: {:?}", host_time(wait, call));
    }
}
