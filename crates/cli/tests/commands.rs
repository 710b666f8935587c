//! The program itself, on a GPU that is not there: the driver and TensorRT are those of the simulator.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed set-up is a failed test")]

use engine::{Built, EngineFile, Kind, Manifest, PluginName};
use runtime::{DataType, Dim, EngineSpec, IoSpec, Profile, SizeRange};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Two inputs, two outputs, batches of 1 to 12. Output number j is j plus x plus two z.
const PLAN: &str = "input x -1 4\ninput z -1 4\noutput y -1 4\noutput u -1 4\nprofile 1 2 12\n";

/// A folder with the simulated libraries, and files of tests.
struct Machine {
    folder: tempfile::TempDir,
    tensorrt: &'static str,
}

impl Machine {
    fn new(tensorrt: &'static str) -> Self {
        let library = std::env::current_exe().unwrap().with_file_name("libsimulator.so");
        let folder = tempfile::tempdir().unwrap();
        let machine = Self { folder, tensorrt };
        for name in machine.libraries() {
            std::os::unix::fs::symlink(&library, machine.path(name)).unwrap();
        }
        machine
    }

    fn libraries(&self) -> [&'static str; 3] {
        let tensorrt = if self.tensorrt == "8601" { "libnvinfer.so.8" } else { "libnvinfer.so.10" };
        ["libcuda.so", "libcuda.so.1", tensorrt]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// An engine file with the plan, built by this TensorRT or another.
    fn engine_file(&self, name: &str, tensorrt: &str) -> PathBuf {
        self.engine_file_of(name, tensorrt, "Simulated GPU", PLAN)
    }

    fn engine_file_of(&self, name: &str, tensorrt: &str, gpu: &str, plan: &str) -> PathBuf {
        let built = Built { tensorrt: tensorrt.into(), gpu: gpu.into(), ..Built::default() };
        self.engine_file_built(name, built, plan)
    }

    fn engine_file_built(&self, name: &str, built: Built, plan: &str) -> PathBuf {
        let io = |name: &str| IoSpec::new(name, DataType::Float32, [Dim::symbol("batch"), 4.into()]);
        let range = SizeRange { min: 1, opt: 2, max: 12 };
        let interface = EngineSpec {
            inputs: vec![io("x"), io("z")],
            outputs: vec![io("y"), io("u")],
            profiles: vec![Profile { symbols: [("batch".into(), range)].into(), ..Profile::default() }],
        };
        let accuracy = [("y".to_owned(), 1.5e-6)].into();
        let made_by = "a test".to_owned();
        let mut file =
            EngineFile::new(Manifest { built: Some(built), interface, accuracy, made_by, ..Manifest::default() });
        file.insert(Kind::Plan, vec![plan.to_owned().into()]);
        file.save(&self.path(name)).unwrap();
        self.path(name)
    }

    fn run(&self, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_torch2trt"));
        command.env("LD_LIBRARY_PATH", self.folder.path()).env("SIMULATOR_TENSORRT", self.tensorrt);
        command.env_remove("TORCH2TRT_TENSORRT").env_remove("TORCH2TRT_ONNXRUNTIME");
        command.args(arguments.iter().map(AsRef::as_ref)).output().unwrap()
    }

    /// What a command that succeeds prints.
    fn stdout_of(&self, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> String {
        let output = self.run(arguments);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && complaint.is_empty(), "{}: {complaint}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command that fails complains of.
    fn complains(&self, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }
}

fn machines() -> [Machine; 2] {
    ["8601", "101600"].map(Machine::new)
}

fn numbers(path: &Path, name: &str) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor(name).unwrap();
    assert_eq!(tensor.dtype(), Dtype::F32);
    tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn save(path: &Path, tensors: &[(&str, &[usize], Vec<f32>)]) {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(.., v)| v.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&bytes);
    let views =
        views.map(|((name, dims, _), bytes)| (*name, TensorView::new(Dtype::F32, dims.to_vec(), bytes).unwrap()));
    safetensors::serialize_to_file(views.collect::<Vec<_>>(), None, path).unwrap();
}

#[test]
fn a_plan_and_an_engine_file_run_on_the_gpu() {
    for machine in machines() {
        let plan = machine.file("net.plan", PLAN.as_bytes());
        let version = if machine.tensorrt == "8601" { "TensorRT 8.6.1" } else { "TensorRT 10.16.0" };
        let file = machine.engine_file("net.trt2", version);
        let (inputs, output) = (machine.path("in.safetensors"), machine.path("out.safetensors"));
        let x: Vec<f32> = (0..12u8).map(f32::from).collect();
        save(&inputs, &[("z", &[3, 4], vec![0.5; 12]), ("x", &[3, 4], x.clone()), ("other", &[1], vec![0.0])]);
        for engine in [plan, file] {
            let stdout = machine.stdout_of(&[&"run", &engine, &"--inputs", &inputs, &"--output", &output]);
            assert!(stdout.contains("u  float32[3, 4]  least 2.0") && stdout.contains(version), "{stdout}");
            let expected: Vec<f32> = x.iter().map(|x| x + 1.0).collect();
            assert_eq!(numbers(&output, "y"), expected);
            assert_eq!(numbers(&output, "u"), expected.iter().map(|y| y + 1.0).collect::<Vec<f32>>());
        }
    }
}

#[test]
fn calls_are_timed() {
    for machine in machines() {
        let plan = machine.file("net.plan", PLAN.as_bytes());
        let stdout = machine.stdout_of(&[&"bench", &plan, &"--calls", &"7", &"--warm-up", &"3", &"--shape", &"z=2x4"]);
        assert!(
            stdout.contains("7 calls in") && stdout.contains("p99") && stdout.contains("x: float32[2, 4]"),
            "{stdout}"
        );
        assert!(stdout.contains("0.250 ms of the GPU"), "{stdout}");
        let stdout =
            machine.stdout_of(&[&"bench", &plan, &"--calls", &"4", &"--streams", &"3", &"--layers", &"--json"]);
        let found: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((found["calls"].as_u64(), found["samples_per_call"].as_u64()), (Some(12), Some(2)));
        assert_eq!(found["device_ms"].as_f64(), Some(0.25));
        // The simulator reports an eighth of a millisecond for its sums, and a sixteenth for each output.
        let layers: Vec<(&str, f64)> = found["layers"]["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|layer| (layer["name"].as_str().unwrap(), (layer["seconds"].as_f64().unwrap() * 1e9).round()))
            .collect();
        assert_eq!(layers, [("sums", 125_000.0), ("y", 62_500.0), ("u", 62_500.0)]);
        let counted = machine.file("counted.plan", b"input x 8\noutput y 8\ncounted\n");
        if machine.tensorrt != "8601" {
            let stdout = machine.stdout_of(&[&"bench", &counted, &"--calls", &"2", &"--cuda-graph", &"never"]);
            assert!(stdout.contains("2 calls in"), "{stdout}");
        }
    }
}

#[test]
fn engines_are_compared() {
    for machine in machines() {
        let version = if machine.tensorrt == "8601" { "TensorRT 8.6.1" } else { "TensorRT 10.16.0" };
        let (plan, file) = (machine.file("net.plan", PLAN.as_bytes()), machine.engine_file("net.trt2", version));
        let other = machine.path(machine.libraries()[2]);
        let calls: [&dyn AsRef<std::ffi::OsStr>; 4] = [&"--calls", &"6", &"--warmup", &"1"];
        let stdout = machine.stdout_of(&[&[&"compare" as &dyn AsRef<_>, &plan, &file], &calls[..]].concat());
        assert!(stdout.contains("(the reference)") && stdout.contains("0.0e0"), "{stdout}");
        let under =
            [&[&"compare" as &dyn AsRef<_>, &plan, &"--other-tensorrt", &other, &"--json"], &calls[..]].concat();
        let found: serde_json::Value = serde_json::from_str(&machine.stdout_of(&under)).unwrap();
        let [first, second] = &found["engines"].as_array().unwrap()[..] else { panic!("{found}") };
        assert!(second["name"].as_str().unwrap().ends_with(&format!("({})", other.display())), "{found}");
        assert_eq!((first["bench"]["calls"].as_u64(), second["layers"]["count"].as_u64()), (Some(10), Some(3)));
        assert!(first["activation_bytes"].as_u64().is_some() && second["outputs"][1]["difference"] == 0.0, "{found}");
        let larger = machine.file("larger.plan", b"input x -1 4\ninput z -1 4\noutput y -1 4\nprofile 1 2 12\n");
        let complaint = machine.complains(&[&"compare", &plan, &larger]);
        assert!(complaint.contains("E0701") && complaint.contains("has 2 outputs"), "{complaint}");
        assert!(machine.complains(&[&"compare", &plan]).contains("nothing to compare it with"));
    }
}

#[test]
fn describes_an_engine_file_without_tensorrt() {
    let machine = Machine::new("8601");
    let file = machine.engine_file("net.trt2", "TensorRT 8.6.1");
    for library in machine.libraries() {
        std::fs::remove_file(machine.path(library)).unwrap();
    }
    let stdout = machine.stdout_of(&[&"info", &file]);
    for part in [
        "engine    TensorRT 8.6.1 plan for Simulated GPU",
        "input     x: float32[batch, 4]",
        "output    u: float32[batch, 4]",
        "sizes     batch 1 to 12, best at 2",
        "accuracy  y: max relative error 1.5e-6",
    ] {
        assert!(stdout.contains(part), "{part}\n{stdout}");
    }
    let manifest: serde_json::Value = serde_json::from_str(&machine.stdout_of(&[&"info", &file, &"--json"])).unwrap();
    assert_eq!(manifest["interface"]["profiles"][0]["symbols"]["batch"]["max"], 12);
    let plan = machine.path("taken.plan");
    let stdout = machine.stdout_of(&[&"plan", &file, &"--output", &plan]);
    assert!(stdout.contains("TensorRT 8.6.1 on Simulated GPU"), "{stdout}");
    assert_eq!(std::fs::read_to_string(plan).unwrap(), PLAN);
}

#[test]
fn a_plan_shows_its_interface() {
    let machine = Machine::new("101600");
    let plan = machine.file("net.plan", PLAN.as_bytes());
    let stdout = machine.stdout_of(&[&"info", &plan]);
    for part in [
        "plan, loaded by TensorRT 10.16.0 on Simulated GPU",
        "input   x: float32[x_0, 4]",
        "x axis 0: 1 to 12, best at 2",
    ] {
        assert!(stdout.contains(part), "{part}\n{stdout}");
    }
    let found: serde_json::Value = serde_json::from_str(&machine.stdout_of(&[&"info", &plan, &"--json"])).unwrap();
    assert_eq!(found["interface"]["outputs"][1]["name"], "u");
}

#[test]
fn reports_an_engine_file_without_tensorrt_and_times_layers_with_it() {
    let machine = Machine::new("101600");
    let file = machine.engine_file("net.trt2", "TensorRT 10.16.0");
    let page = machine.path("report.html");
    let stdout = machine.stdout_of(&[&"report", &file, &"--output", &page, &"--bench"]);
    assert!(stdout.contains("report.html: report of"), "{stdout}");
    assert!(std::fs::read_to_string(&page).unwrap().contains("layers take"));
    for library in machine.libraries() {
        std::fs::remove_file(machine.path(library)).unwrap();
    }
    machine.stdout_of(&[&"report", &file, &"--output", &page]);
    let html = std::fs::read_to_string(&page).unwrap();
    for part in [
        "<title>net.trt2",
        "TensorRT 10.16.0 plan for Simulated GPU",
        "[batch, 4]",
        "batch 1 to 12, best at 2",
        "1.5e-6",
        "No times were measured",
        "The network is not recorded",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn errors_have_a_code_and_help() {
    let machine = Machine::new("101600");
    let plan = machine.file("net.plan", PLAN.as_bytes());
    let other = machine.engine_file("other.trt2", "TensorRT 9.9.9");
    let whole = std::fs::read(machine.engine_file("cut.trt2", "TensorRT 10.16.0")).unwrap();
    let cut = machine.file("cut.trt2", &whole[..whole.len() - 3]);
    let (empty, text) = (machine.file("empty.plan", b""), machine.file("text.plan", b"no plan"));
    let inputs = machine.path("in.safetensors");
    save(&inputs, &[("x", &[3, 4], vec![0.0; 12])]);
    let nowhere = machine.path("nowhere/file");
    let cases: [(&str, &[&dyn AsRef<std::ffi::OsStr>]); 21] = [
        ("E0605", &[&"report", &nowhere, &"--output", &"report.html"]),
        ("E0605", &[&"report", &cut, &"--output", &"report.html"]),
        ("E0605", &[&"report", &other, &"--output", &nowhere]),
        ("E0605", &[&"run", &nowhere]),
        ("E0605", &[&"run", &cut]),
        ("E0605", &[&"run", &empty]),
        ("E0604", &[&"run", &text]),
        ("E0604", &[&"run", &other]),
        ("E0402", &[&"run", &plan, &"--shape", &"x=13x4", &"--shape", &"z=13x4"]),
        ("E0402", &[&"run", &plan, &"--shape", &"x=99999999999x4"]),
        ("E0602", &[&"run", &plan, &"--shape", &"y=1x4"]),
        ("E0602", &[&"run", &plan, &"--inputs", &inputs]),
        ("E0607", &[&"run", &plan, &"--inputs", &text]),
        ("E0607", &[&"run", &plan, &"--output", &nowhere]),
        ("E0604", &[&"info", &text]),
        ("E0604", &[&"run", &plan, &"--device", &"5"]),
        ("E0608", &[&"build", &nowhere, &"--output", &"net.trt2"]),
        ("E0608", &[&"build", &plan, &"--output", &"net.trt2"]),
        ("E0608", &[&"coverage", &cut]),
        ("E0608", &[&"debug", &cut]),
        ("E0605", &[&"debug", &machine.folder.path()]),
    ];
    for (code, arguments) in cases {
        let complaint = machine.complains(arguments);
        assert!(
            complaint.starts_with(&format!("error[{code}]: ")) && complaint.contains("\nhelp: "),
            "{code}: {complaint}"
        );
    }
    assert!(machine.complains(&[&"info", &text]).contains("text.plan is not an engine file; as a plan, "));
}

#[test]
fn a_plan_that_is_refused_names_both_gpus() {
    for machine in machines() {
        let version = if machine.tensorrt == "8601" { "TensorRT 8.6.1" } else { "TensorRT 10.16.0" };
        let file = machine.engine_file_of("other.trt2", version, "NVIDIA L4", "no plan");
        let complaint = machine.complains(&[&"run", &file]);
        let first = "error[E0604]: the plan was built for NVIDIA L4; this is Simulated GPU\n";
        assert!(complaint.starts_with(first) && complaint.contains("\nhelp: "), "{complaint}");
    }
}

#[test]
fn a_plan_with_plugins_needs_their_library() {
    for machine in machines() {
        let version = if machine.tensorrt == "8601" { "TensorRT 8.6.1" } else { "TensorRT 10.16.0" };
        let plugins = vec![PluginName { name: "Simulated".into(), version: "1".into(), namespace: String::new() }];
        let built = Built { tensorrt: version.into(), gpu: "Simulated GPU".into(), plugins, ..Built::default() };
        let file = machine.engine_file_built("plugged.trt2", built, &format!("plugin Simulated 1\n{PLAN}"));
        assert!(machine.stdout_of(&[&"info", &file]).contains("Simulated 1"));
        let complaint = machine.complains(&[&"run", &file]);
        let first = "error[E0604]: the plan has plugins that no loaded library has: Simulated 1\n";
        assert!(complaint.starts_with(first), "{complaint}");
        assert!(complaint.contains("--plugin /path/to/libmyplugin.so"), "{complaint}");
        let library = machine.path("libplugins.so");
        let simulator = std::env::current_exe().unwrap().with_file_name("libsimulator.so");
        std::os::unix::fs::symlink(simulator, &library).unwrap();
        let stdout = machine.stdout_of(&[&"run", &file, &"--plugin", &library]);
        assert!(stdout.contains("float32"), "{stdout}");
        let missing = machine.path("libmissing.so");
        let complaint = machine.complains(&[&"run", &file, &"--plugin", &missing]);
        assert!(complaint.starts_with("error[E0306]: the plugin library"), "{complaint}");
    }
}

#[test]
fn wrong_arguments_are_2_and_help_is_0() {
    let machine = Machine::new("101600");
    for (status, arguments) in [
        (2, &[&"run" as &dyn AsRef<std::ffi::OsStr>][..]),
        (2, &[&"fly"]),
        (2, &[&"bench", &"a", &"--calls", &"0"]),
        (2, &[&"run", &"a", &"--shape", &"x=a"]),
        (2, &[&"build", &"a"]),
        (2, &[&"build", &"a", &"-o", &"b", &"--fp16", &"--bf16"]),
        (2, &[&"build", &"a", &"-o", &"b", &"--backend", &"gpu"]),
        (2, &[&"build", &"a", &"-o", &"b", &"--max-shape", &"x=1,2"]),
        (2, &[&"build", &"a", &"-o", &"b", &"--optimization-level", &"6"]),
        (0, &[&"--help"]),
        (0, &[&"--version"]),
    ] {
        assert_eq!(machine.run(arguments).status.code(), Some(status));
    }
}

#[test]
fn the_doctor_reports_what_is_available_and_what_is_missing() {
    let machine = Machine::new("101600");
    let stdout = machine.stdout_of(&[&"doctor", &"--onnxruntime", &"/nowhere/libonnxruntime.so"]);
    assert!(stdout.contains("GPU 0: Simulated GPU, compute capability 9.0\n"), "{stdout}");
    assert!(
        stdout.contains("TensorRT: TensorRT 10.16.0, ") && stdout.contains("CPU engine: none\n  error[E0501]"),
        "{stdout}"
    );
    let found = machine.stdout_of(&[&"doctor", &"--json", &"--onnxruntime", &"/nowhere/libonnxruntime.so"]);
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["gpus"][0]["compute_capability"], "9.0");
    assert_eq!(
        (found["tensorrt"]["version"].as_str(), found["onnxruntime"]["code"].as_str()),
        (Some("TensorRT 10.16.0"), Some("E0501"))
    );
    for library in machine.libraries() {
        std::fs::remove_file(machine.path(library)).unwrap();
    }
    let output = machine.run(&[&"doctor", &"--onnxruntime", &"/nowhere/libonnxruntime.so"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    assert!(
        stdout.contains("GPU: none\n  the CUDA driver (libcuda.so.1) is not installed\n")
            && stdout.contains("TensorRT: none\n  error[E0301]"),
        "{stdout}"
    );
}
