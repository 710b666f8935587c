//! The TensorRT engine on a GPU that is not there: streams, threads, graphs and captures, in every order of things.
//!
//! The driver and TensorRT are those of the simulator, which runs enqueued work late and in any order that is allowed.
//! Each test runs its case in processes of their own: some of each layout of TensorRT, each with another order.
#![allow(clippy::unwrap_used, clippy::panic, unsafe_code, reason = "a failed set-up is a failed test")]

#[path = "../../nvinfer/tests/common/cuda.rs"]
mod cuda;

use cuda::Cuda;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use runtime::{
    CallTimer, CallerStream, CudaGraph, DataType, Device, Dim, Engine, EngineSpec, Error, IoSpec, Profile, RunOptions,
};
use runtime::{SizeRange, Tensor, TensorRtEngine, TensorRtOptions, TensorView, TensorViewMut};
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Two inputs, two outputs, batches of 1 to 12.
const PLAN: &str = "input x -1 4\ninput z -1 4\noutput y -1 4\noutput u -1 4\nprofile 1 2 12\n";
/// TensorRT 8.6, 10.16, 11.4 and TensorRT-RTX 1.7.
const VERSIONS: [&str; 4] = ["8601", "101600", "110400", "10701"];

/// Runs a case of this file in new processes.
fn run(case: &str) {
    let library = std::env::current_exe().unwrap().with_file_name("libsimulator.so");
    let folder = tempfile::tempdir().unwrap();
    for name in ["libcuda.so", "libcuda.so.1", "libnvinfer.so"] {
        std::os::unix::fs::symlink(&library, folder.path().join(name)).unwrap();
    }
    for version in VERSIONS {
        for _ in 0..3 {
            let seed: u64 = rand::rng().random();
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", case, "--ignored", "--nocapture", "--test-threads=1"])
                .env("LD_LIBRARY_PATH", folder.path())
                .env("SIMULATOR", folder.path().join("libnvinfer.so"))
                .env("SIMULATOR_TENSORRT", version)
                .env("SIMULATOR_SEED", seed.to_string())
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            let passed = output.status.success() && text.contains("1 passed");
            assert!(passed, "SIMULATOR_TENSORRT={version} SIMULATOR_SEED={seed}: {}\n{text}", output.status);
        }
    }
}

/// The simulated machine, and what its driver counts.
struct Machine {
    gpu: Cuda,
    library: nvinfer::Library,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Counts {
    copies: u64,
    captures: u64,
    launches: u64,
    bytes: u64,
}

type Stream = *mut c_void;

impl Machine {
    fn new() -> Self {
        let library = nvinfer::Library::open(PathBuf::from(std::env::var_os("SIMULATOR").unwrap())).unwrap();
        Self { gpu: Cuda::new().unwrap(), library }
    }

    fn engine(&self, plan: &str, cuda_graph: CudaGraph) -> runtime::Result<TensorRtEngine> {
        let options = TensorRtOptions { cuda_graph, ..TensorRtOptions::default() };
        // A plan alone does not have that all these sizes are one.
        let io = |name: &&str| IoSpec::new(*name, DataType::Float32, [Dim::symbol("batch"), 4.into()]);
        let ranges = plan.lines().filter_map(|line| line.strip_prefix("profile "));
        let profiles = ranges.map(|range| {
            let [min, opt, max] = range.split(' ').map(|size| size.parse().unwrap()).collect::<Vec<_>>()[..] else {
                panic!("{range}");
            };
            Profile { symbols: [("batch".to_owned(), SizeRange { min, opt, max })].into(), axes: BTreeMap::new() }
        });
        let spec = EngineSpec {
            inputs: ["x", "z"].iter().map(io).collect(),
            outputs: ["y", "u"].iter().map(io).collect(),
            profiles: profiles.collect(),
        };
        let spec = plan.contains("output u").then_some(&spec);
        TensorRtEngine::new(self.library, plan.as_bytes(), spec, &options)
    }

    /// A function of the driver, which must succeed.
    unsafe fn call<A>(&self, name: &str, call: impl FnOnce(A) -> c_int)
    where
        A: Copy,
    {
        // SAFETY: the caller names a function of that type.
        let function = unsafe { self.gpu.driver().get::<A>(name.as_bytes()).unwrap() };
        assert_eq!(call(*function), 0, "{name}: {}", self.fault());
    }

    /// The error of the driver.
    fn fault(&self) -> String {
        let mut text = std::ptr::null();
        // SAFETY: the driver's function of this type, and the text stays.
        unsafe {
            let get_error_name =
                self.gpu.driver().get::<unsafe extern "C" fn(c_int, *mut *const i8) -> c_int>(b"cuGetErrorString");
            (get_error_name.unwrap())(700, &raw mut text);
            std::ffi::CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }

    fn stream(&self) -> Stream {
        let mut stream = std::ptr::null_mut();
        // SAFETY: the driver's function of this type.
        unsafe {
            type F = unsafe extern "C" fn(*mut Stream, u32) -> c_int;
            self.call::<F>("cuStreamCreate", |f| f(&raw mut stream, 1));
        }
        stream
    }

    fn wait(&self, stream: Stream) {
        // SAFETY: the driver's function of this type.
        unsafe { self.call::<unsafe extern "C" fn(Stream) -> c_int>("cuStreamSynchronize", |f| f(stream)) };
    }

    /// Enqueues a copy of numbers.
    fn copy(&self, to: *mut c_void, from: *mut c_void, count: usize, stream: Stream) {
        // SAFETY: the driver's function of this type.
        unsafe {
            type F = unsafe extern "C" fn(*mut c_void, *mut c_void, usize, Stream) -> c_int;
            self.call::<F>("cuMemcpyDtoDAsync_v2", |f| f(to, from, 4 * count, stream));
        }
    }

    fn counts(&self) -> Counts {
        let mut now = [0; 4];
        // SAFETY: the simulator's function of this type.
        unsafe { self.call::<unsafe extern "C" fn(*mut [u64; 4]) -> c_int>("simulatorCounts", |f| f(&raw mut now)) };
        let [copies, captures, launches, bytes] = now;
        Counts { copies, captures, launches, bytes }
    }

    /// Captures what is done on the stream, in the mode that PyTorch uses; the graph, ready for launches.
    fn capture(&self, stream: Stream, work: impl FnOnce()) -> *mut c_void {
        let (mut graph, mut executable) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: the driver's functions of these types.
        unsafe {
            type Begin = unsafe extern "C" fn(Stream, u32) -> c_int;
            type End = unsafe extern "C" fn(Stream, *mut *mut c_void) -> c_int;
            type Make = unsafe extern "C" fn(*mut *mut c_void, *mut c_void, u64) -> c_int;
            self.call::<Begin>("cuStreamBeginCapture_v2", |f| f(stream, 0));
            work();
            self.call::<End>("cuStreamEndCapture", |f| f(stream, &raw mut graph));
            self.call::<Make>("cuGraphInstantiateWithFlags", |f| f(&raw mut executable, graph, 0));
        }
        executable
    }

    fn launch(&self, graph: *mut c_void, stream: Stream) {
        // SAFETY: the driver's function of this type.
        unsafe {
            type F = unsafe extern "C" fn(*mut c_void, Stream) -> c_int;
            self.call::<F>("cuGraphLaunch", |f| f(graph, stream));
        }
    }

    /// Does what allocates while some thread captures, which CUDA takes for a mistake otherwise.
    fn relaxed<R>(&self, act: impl FnOnce() -> R) -> R {
        type F = unsafe extern "C" fn(*mut u32) -> c_int;
        let mut mode = 2;
        let mut exchange = || {
            // SAFETY: the driver's function of this type.
            unsafe { self.call::<F>("cuThreadExchangeStreamCaptureMode", |f| f(&raw mut mode)) };
        };
        exchange();
        let done = act();
        exchange();
        done
    }

    fn buffer(&self, batch: usize) -> *mut c_void {
        self.relaxed(|| self.gpu.allocate(16 * batch))
    }

    /// Numbers on the host and in memory that is not written again.
    fn numbers(&self, rng: &mut StdRng, batch: usize) -> (Vec<f32>, *mut c_void) {
        let numbers: Vec<f32> = (0..4 * batch).map(|_| rng.random_range(-64i8..64).into()).collect();
        let memory = self.relaxed(|| self.gpu.upload(&numbers));
        (numbers, memory)
    }
}

/// A call of [`PLAN`]; without a stream it is over when it returns.
fn call(
    engine: &TensorRtEngine,
    batch: usize,
    read: [*mut c_void; 2],
    written: [*mut c_void; 2],
    stream: Option<Stream>,
) -> runtime::Result<()> {
    let (dims, bytes) = ([batch as i64, 4], 16 * batch);
    // SAFETY: memory of that size that is never freed, in streams that are alive; the test keeps the order.
    unsafe {
        let input = |at: *mut c_void| {
            TensorView::from_raw(DataType::Float32, &dims, at.cast_const().cast(), bytes, Device::Cuda(0)).unwrap()
        };
        let output = |at: *mut c_void| {
            TensorViewMut::from_raw(DataType::Float32, &dims, at.cast(), bytes, Device::Cuda(0)).unwrap()
        };
        let stream = stream.map(|stream| CallerStream::from_address(stream.addr()));
        engine.run(&read.map(input), &mut written.map(output), &RunOptions { stream, profile: None })
    }
}

/// What [`PLAN`] makes of its inputs.
fn expected(x: &[f32], z: &[f32]) -> [Vec<f32>; 2] {
    [0.0, 1.0].map(|number| x.iter().zip(z).map(|(x, z)| x + 2.0 * z + number).collect())
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(std::env::var("SIMULATOR_SEED").unwrap().parse().unwrap())
}

/// One caller: calls on a stream, on memory that comes again. What is in it is copied there before the call and away
/// after it, in the order of the stream.
struct Caller<'m> {
    machine: &'m Machine,
    stream: Option<Stream>,
    rng: StdRng,
    results: Vec<([*mut c_void; 2], [Vec<f32>; 2])>,
    /// Memory for a call: x, z, y, u.
    places: [[*mut c_void; 2]; 4],
    numbers: Vec<[(Vec<f32>, *mut c_void); 2]>,
}

const BATCHES: [usize; 10] = [1, 2, 3, 4, 5, 6, 7, 9, 11, 12];

impl<'m> Caller<'m> {
    fn new(machine: &'m Machine, stream: Option<Stream>, mut rng: StdRng) -> Self {
        let places = [(); 4].map(|()| [machine.buffer(12), machine.buffer(12)]);
        let numbers = BATCHES.map(|batch| [machine.numbers(&mut rng, batch), machine.numbers(&mut rng, batch)]);
        Self { machine, stream, rng, results: Vec::new(), places, numbers: numbers.into() }
    }

    /// One call: mostly of two batch sizes, on memory that was used before or, at times, was not.
    fn call(&mut self, engine: &TensorRtEngine) {
        let machine = self.machine;
        let size = if self.rng.random_bool(0.8) { self.rng.random_range(0..2) } else { self.rng.random_range(0..10) };
        let (batch, [(x, at_x), (z, at_z)]) = (BATCHES[size], &self.numbers[size]);
        let [mut read, mut written] =
            [0, 2].map(|first| [first, first + 1].map(|place: usize| self.places[place][self.rng.random_range(0..2)]));
        if self.rng.random_bool(0.2) {
            [read, written] = [(); 2].map(|()| [machine.buffer(batch), machine.buffer(batch)]);
        }
        let stream = self.stream.unwrap_or(machine.gpu.stream());
        for (to, from) in read.iter().zip([at_x, at_z]) {
            machine.copy(*to, *from, 4 * batch, stream);
        }
        if self.stream.is_none() {
            machine.wait(stream);
        }
        call(engine, batch, read, written, self.stream).unwrap_or_else(|e| panic!("{e}: {}", machine.fault()));
        let kept = [machine.buffer(batch), machine.buffer(batch)];
        for (kept, written) in kept.iter().zip(written) {
            machine.copy(*kept, written, 4 * batch, stream);
        }
        self.results.push((kept, expected(x, z)));
    }

    fn check(self) {
        self.machine.wait(self.stream.unwrap_or(self.machine.gpu.stream()));
        for (index, (kept, expected)) in self.results.iter().enumerate() {
            for (kept, expected) in kept.iter().zip(expected) {
                assert_eq!(&self.machine.gpu.download::<f32>(*kept, expected.len()), expected, "call {index}");
            }
        }
    }
}

#[test]
fn every_call_gets_its_own_results_on_any_stream() {
    run("calls_on_streams");
}

#[test]
#[ignore = "run by the test above"]
fn calls_on_streams() {
    let (machine, mut rng) = (Machine::new(), rng());
    let two_profiles = PLAN.replace("profile 1 2 12", "profile 1 1 2\nprofile 2 5 12");
    let plans = [PLAN, PLAN, PLAN, &two_profiles];
    for (mode, plan) in [CudaGraph::Never, CudaGraph::Auto, CudaGraph::Always, CudaGraph::Auto].iter().zip(plans) {
        let engine = machine.engine(plan, *mode).unwrap();
        let streams = [None, Some(std::ptr::null_mut()), Some(machine.stream()), Some(machine.stream())];
        let caller = |stream| Caller::new(&machine, stream, StdRng::seed_from_u64(rng.random()));
        let mut callers: Vec<_> = streams.map(caller).into();
        for _ in 0..300 {
            let index = rng.random_range(0..callers.len());
            callers[index].call(&engine);
        }
        // It waits for its work.
        drop(engine);
        callers.into_iter().for_each(Caller::check);
    }
}

#[test]
fn threads_share_an_engine() {
    run("calls_of_threads");
}

#[test]
#[ignore = "run by the test above"]
fn calls_of_threads() {
    let (machine, mut rng) = (Machine::new(), rng());
    // Fewer contexts than threads, and then fewer than the engine would like.
    for plan in [PLAN.to_owned(), format!("{PLAN}contexts 7")] {
        let engine = machine.engine(&plan, CudaGraph::Auto).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let (rng, machine, engine) = (StdRng::seed_from_u64(rng.random()), &machine, &engine);
                scope.spawn(move || {
                    let stream = machine.stream();
                    let mut caller = Caller::new(machine, Some(stream), rng);
                    (0..60).for_each(|_| caller.call(engine));
                    caller.check();
                });
            }
        });
    }
}

#[test]
fn addresses_that_come_again_are_used_without_copies() {
    run("addresses_again");
}

#[test]
#[ignore = "run by the test above"]
fn addresses_again() {
    let (machine, mut rng) = (Machine::new(), rng());
    let engine = machine.engine(PLAN, CudaGraph::Always).unwrap();
    let stream = machine.gpu.stream();
    let places: Vec<_> = (0..7).map(|_| [0; 4].map(|_| machine.buffer(3))).collect();
    let mut times = |place: usize, count: usize| {
        let before = machine.counts();
        let [x, z, y, u] = places[place];
        for _ in 0..count {
            // The addresses stay; what is there does not.
            let (numbers, fresh): (Vec<_>, Vec<_>) = (0..2).map(|_| machine.numbers(&mut rng, 3)).unzip();
            [x, z].iter().zip(fresh).for_each(|(to, from)| machine.copy(*to, from, 12, stream));
            call(&engine, 3, [x, z], [y, u], Some(stream)).unwrap();
            let found = [y, u].map(|output| machine.gpu.download::<f32>(output, 12));
            assert_eq!(found, expected(&numbers[0], &numbers[1]));
        }
        let after = machine.counts();
        // In addition to those of this loop.
        (after.copies - before.copies - 2 * count as u64, after.captures - before.captures)
    };
    // The first call is captured; then seven are copied in and out, and the eighth of them is worth a graph.
    assert_eq!(times(0, 8), (4 * 8, 1));
    assert_eq!(times(0, 20), (0, 1));
    assert_eq!(times(1, 7), (4 * 7, 0));
    assert_eq!(times(1, 5), (0, 1));
    assert_eq!(times(0, 5), (0, 0));
    // Room for two more, and none for a fifth while the others are in use.
    assert_eq!((times(2, 8).1, times(3, 8).1), (1, 1));
    for _ in 0..3 {
        assert_eq!(times(4, 30), (4 * 30, 0));
        (0..4).for_each(|place| assert_eq!(times(place, 3), (0, 0)));
    }
    // A thousand calls later they are not.
    assert_eq!(times(5, 990), (4 * 990, 0));
    assert_eq!(times(5, 30).1, 1);
    assert_eq!(times(5, 5), (0, 0));
    // Those that are known to come often get a graph at once.
    assert_eq!(times(0, 5), (0, 1));
}

#[test]
fn more_shapes_than_graphs_are_kept_for() {
    run("many_shapes");
}

#[test]
#[ignore = "run by the test above"]
fn many_shapes() {
    let machine = Machine::new();
    let before = machine.counts();
    let engine = machine.engine(PLAN, CudaGraph::Always).unwrap();
    let mut caller = Caller::new(&machine, Some(machine.gpu.stream()), rng());
    (0..200).for_each(|_| caller.call(&engine));
    drop(engine);
    caller.check();
    // What the engine allocated is free; what the test allocated is not.
    let test = machine.counts();
    let engine = machine.engine(PLAN, CudaGraph::Always).unwrap();
    let [x, z, y, u] = [0; 4].map(|_| machine.buffer(12));
    let own = machine.counts().bytes;
    for batch in BATCHES.iter().cycle().take(100) {
        call(&engine, *batch, [x, z], [y, u], Some(machine.gpu.stream())).unwrap();
    }
    assert!(machine.counts().bytes > own && machine.counts().captures >= test.captures + 100 && before.captures == 0);
    drop(engine);
    assert_eq!(machine.counts().bytes, test.bytes + 4 * 256);
}

#[test]
fn a_callers_graph_holds_calls_and_other_calls_go_on() {
    run("captured_by_the_caller");
}

#[test]
#[ignore = "run by the test above"]
fn captured_by_the_caller() {
    let (machine, mut rng) = (Machine::new(), rng());
    for mode in [CudaGraph::Never, CudaGraph::Auto, CudaGraph::Always] {
        let engine = machine.engine(PLAN, mode).unwrap();
        let stream = machine.stream();
        let [x, z, y, u, v, w] = [0; 6].map(|_| machine.buffer(5));
        let mut others = Caller::new(&machine, Some(machine.stream()), StdRng::seed_from_u64(rng.random()));
        (0..20).for_each(|_| others.call(&engine));
        // The second call reads what the first one wrote. Meanwhile another thread calls the same engine.
        let graph = machine.capture(stream, || {
            call(&engine, 5, [x, z], [y, u], Some(stream)).unwrap();
            std::thread::scope(|scope| {
                let rng = StdRng::seed_from_u64(rng.random());
                let (machine, engine) = (&machine, &engine);
                scope.spawn(move || {
                    let mut caller = Caller::new(machine, Some(machine.stream()), rng);
                    (0..20).for_each(|_| caller.call(engine));
                });
            });
            call(&engine, 5, [y, u], [v, w], Some(stream)).unwrap();
        });
        for _ in 0..10 {
            let (numbers, fresh): (Vec<_>, Vec<_>) = (0..2).map(|_| machine.numbers(&mut rng, 5)).unzip();
            [x, z].iter().zip(fresh).for_each(|(to, from)| machine.copy(*to, from, 20, stream));
            machine.launch(graph, stream);
            others.call(&engine);
            machine.wait(stream);
            let [y, u] = expected(&numbers[0], &numbers[1]);
            assert_eq!([v, w].map(|output| machine.gpu.download::<f32>(output, 20)), expected(&y, &u));
        }
        others.check();
    }
}

#[test]
fn an_engine_that_cannot_be_captured_runs_without() {
    run("uncapturable");
}

#[test]
#[ignore = "run by the test above"]
fn uncapturable() {
    let machine = Machine::new();
    let plan = format!("{PLAN}uncapturable");
    let engine = machine.engine(&plan, CudaGraph::Auto).unwrap();
    let mut caller = Caller::new(&machine, Some(machine.gpu.stream()), rng());
    (0..50).for_each(|_| caller.call(&engine));
    caller.check();
    assert_eq!(machine.counts().launches, 0);
    let engine = machine.engine(&plan, CudaGraph::Always).unwrap();
    let [x, z, y, u] = [0; 4].map(|_| machine.buffer(2));
    for _ in 0..3 {
        let refused = call(&engine, 2, [x, z], [y, u], Some(machine.gpu.stream())).unwrap_err();
        assert!(matches!(refused, Error::TensorRt { .. }), "{refused}");
    }
}

#[test]
fn a_gpu_without_memory_is_reported_and_what_fits_goes_on() {
    run("no_memory");
}

#[test]
#[ignore = "run by the test above"]
fn no_memory() {
    let (machine, rng) = (Machine::new(), rng());
    let limit = |left: usize| {
        // SAFETY: the simulator's function of this type.
        unsafe { machine.call::<unsafe extern "C" fn(usize) -> c_int>("simulatorLimit", |f| f(left)) };
    };
    let [x, z, y, u] = [0; 4].map(|_| machine.buffer(2));
    let stream = machine.gpu.stream();
    let is_full = |error: &Error| error.to_string().contains("CUDA_ERROR_OUT_OF_MEMORY");
    let engine = machine.engine(PLAN, CudaGraph::Always).unwrap();
    limit(0);
    assert!(is_full(&machine.engine(PLAN, CudaGraph::Auto).err().unwrap()));
    for _ in 0..3 {
        assert!(is_full(&call(&engine, 2, [x, z], [y, u], Some(stream)).unwrap_err()));
    }
    // A context's memory fits, a graph's does not.
    limit(4 * 4 * 12);
    assert!(is_full(&call(&engine, 2, [x, z], [y, u], Some(stream)).unwrap_err()));
    limit(usize::MAX);
    (0..3).for_each(|_| call(&engine, 2, [x, z], [y, u], Some(stream)).unwrap());
    let engine = machine.engine(PLAN, CudaGraph::Auto).unwrap();
    let mut caller = Caller::new(&machine, Some(stream), rng);
    limit(4 * 4 * 12);
    let read = [caller.numbers[0][0].1, caller.numbers[0][1].1];
    (0..5).for_each(|_| call(&engine, BATCHES[0], read, [y, u], Some(stream)).unwrap());
    limit(usize::MAX);
    (0..20).for_each(|_| caller.call(&engine));
    caller.check();
    let launches = machine.counts().launches;
    call(&engine, BATCHES[0], read, [y, u], Some(stream)).unwrap();
    assert_eq!(machine.counts().launches, launches, "an engine that could not be captured is not tried again");
}

#[test]
fn outputs_whose_size_depends_on_data_are_allocated() {
    run("counted");
}

#[test]
#[ignore = "run by the test above"]
fn counted() {
    let (machine, mut rng) = (Machine::new(), rng());
    let engine = machine.engine("input x -1 4\noutput y -1 4\nprofile 1 2 12\ncounted", CudaGraph::Auto).unwrap();
    let stream = machine.gpu.stream();
    for turn in 0..40 {
        let batch = BATCHES[rng.random_range(0..10)];
        let (x, at) = machine.numbers(&mut rng, batch);
        let dims = [batch as i64, 4];
        // SAFETY: memory of that size, and a stream that is alive.
        let (view, given) = unsafe {
            let (at, bytes) = (at.cast_const().cast(), 16 * batch);
            let view = TensorView::from_raw(DataType::Float32, &dims, at, bytes, Device::Cuda(0)).unwrap();
            (view, CallerStream::from_address(stream.addr()))
        };
        let stream = (turn % 2 == 0).then_some(given);
        let made = engine.run_alloc(&[view], &RunOptions { stream, profile: None }).unwrap();
        let expected: Vec<f32> = x.iter().copied().filter(|x| *x > 0.0).collect();
        assert_eq!(made[0].dims(), [expected.len() as i64]);
        let found = machine.gpu.download::<f32>(made[0].as_ptr().cast_mut().cast(), expected.len());
        assert_eq!(found, expected);
    }
}

#[test]
fn calls_and_layers_are_timed() {
    run("timed");
}

#[test]
#[ignore = "run by the test above"]
fn timed() {
    let (machine, mut rng) = (Machine::new(), rng());
    let engine = machine.engine(PLAN, CudaGraph::Auto).unwrap();
    let numbers = [machine.numbers(&mut rng, 5), machine.numbers(&mut rng, 5)];
    let wanted = expected(&numbers[0].0, &numbers[1].0);
    let dims = [5, 4];
    // SAFETY: memory of that size.
    let inputs = numbers.each_ref().map(|(_, at)| unsafe {
        TensorView::from_raw(DataType::Float32, &dims, at.cast_const().cast(), 80, Device::Cuda(0)).unwrap()
    });
    let timer = CallTimer::new(&engine).unwrap();
    let mut outputs = [(); 2].map(|()| Tensor::zeros(DataType::Float32, &dims, Device::Cuda(0)).unwrap());
    for _ in 0..5 {
        let mut views = outputs.each_mut().map(Tensor::view_mut);
        let time = timer.run(&engine, &inputs, &mut views).unwrap();
        assert_eq!(time.device, Some(Duration::from_micros(250)));
        assert!(time.host <= time.whole);
    }
    let bytes = machine.counts().bytes;
    let found = engine.layer_times(&inputs, 3).unwrap();
    assert_eq!(machine.counts().bytes, bytes, "what the measurement allocated is freed");
    let nanoseconds = |seconds: f64| (seconds * 1e9).round();
    let layers: Vec<_> = found.layers.iter().map(|layer| (layer.name.as_str(), nanoseconds(layer.seconds))).collect();
    assert_eq!(layers, [("sums", 125_000.0), ("y", 62_500.0), ("u", 62_500.0)]);
    let [call, inside] = [found.seconds, found.in_layers()].map(nanoseconds);
    assert_eq!((found.calls, call, inside), (3, 250_000.0, 250_000.0));
    for (output, wanted) in outputs.iter().zip(wanted) {
        assert_eq!(machine.gpu.download::<f32>(output.as_ptr().cast_mut().cast(), 20), wanted);
    }
}
