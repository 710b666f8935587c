//! Codes of errors that Python programs without a fault do not raise, and the fields of the stages' errors.
//!
//! `tests/python/test_error_codes.py` lists these tests together with those of the other codes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use build::{BuildOptions, Progress, Silent};
use network::{DType, Dim, Network, Op, Origin, TopKOperation};
use passes::{Pass, Target};
use std::sync::Arc;
use torch2trt::Error;

/// An error of a stage as the facade's, whose text is its code, message and help, each once.
fn raised<T, E: Into<Error>>(result: Result<T, E>, code: &str) -> Error {
    let error = match result {
        Ok(_) => panic!("expected {code}"),
        Err(error) => error.into(),
    };
    assert_eq!(error.code().number(), code, "{error}");
    assert!(!error.message().contains("help: ") && !error.message().contains("error["), "{error}");
    let help = error.help().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    assert_eq!(error.to_string(), format!("error[{code}]: {}{help}", error.message()));
    assert!(error.cause().is_some_and(|cause| cause.to_string() == error.message()), "{error}");
    error
}

/// More of the largest elements than any TensorRT finds.
fn too_many_largest() -> Network {
    largest(4000)
}

fn largest(k: i64) -> Network {
    let mut network = Network::new();
    let x = network.add_input("x", DType::Float32, vec![Dim::Static(2), Dim::Static(5000)]);
    let (module, operator, position) = ("block".into(), "aten.topk.default".into(), "model.py:42".into());
    let origin = Arc::new(Origin { module, operator, position, node: Some(3) });
    let made = network.add(Op::TopK { op: TopKOperation::Max, k, axis: 1 }, &[Some(x)], &origin).unwrap();
    network.add_output("y", made[0]);
    network
}

const PLACE: &str = "aten.topk.default block model.py:42";

#[test]
fn a_malformed_network() {
    let error = raised(Network::parse("network\n%0: float32[2] = NoSuchLayer()", &|_| None), "E0201");
    assert!(error.message().starts_with("line 2: "), "{error}");
}

/// What a target lacks is E0302, in whichever pass it is found; E0202 is a fault of a pass.
#[test]
fn a_pass_that_fails() {
    let mut network = Network::new();
    let x = network.add_input("x", DType::Float32, vec![Dim::symbol("undeclared")]);
    network.add_output("y", x);
    let error = raised(passes::run(&network, &[Pass::Dce]), "E0202");
    assert!(error.message().contains("`undeclared`") && error.help().unwrap().contains("report it"), "{error}");

    for target in [Target::TensorRt(8, 6), Target::TensorRt(10, 0), Target::TensorRt(11, 0), Target::Rtx(1, 7)] {
        let error = raised(passes::run(&too_many_largest(), &passes::for_target(target)), "E0302");
        assert_eq!((error.place(), error.nodes()), (Some(PLACE), &[3][..]), "{error}");
        assert!(error.help().is_some());
    }
}

#[test]
fn a_layer_without_an_onnx_form_keeps_its_place() {
    let mut network = Network::new();
    let (x, grid) = (
        network.add_input("x", DType::Float32, [1, 2, 3, 4].map(Dim::Static).to_vec()),
        network.add_input("grid", DType::Float32, [1, 5, 6, 2].map(Dim::Static).to_vec()),
    );
    let (interpolation, sample) = (network::InterpolationMode::Linear, network::SampleMode::Wrap);
    let origin = Arc::new(Origin { module: "warp".into(), node: Some(0), ..Origin::default() });
    let op = Op::GridSample { interpolation, sample, align_corners: true };
    let y = network.add_one(op, &[x, grid], &origin).unwrap();
    network.add_output("y", y);
    let error = raised(onnx::lower(&network, &onnx::LowerOptions::default()), "E0203");
    assert_eq!(
        (error.place(), error.nodes(), error.help()),
        (Some("warp"), &[0][..], Some("sample with Fill, Clamp or Reflect"),)
    );
}

/// The error of TensorRT's stage is within reach of a closer look.
#[test]
fn the_cause_of_an_error_is_the_stages_own() {
    let error = raised::<(), _>(Err(runtime::Error::Forked), "E0407");
    let cause: &(dyn std::error::Error + 'static) = error.cause().unwrap();
    assert!(matches!(cause.downcast_ref(), Some(runtime::Error::Forked)));
    let path = std::path::PathBuf::from("/nowhere/model.pt2");
    let source = std::io::Error::other("no disk");
    let error = raised::<(), _>(Err(archive::Error::Io { path, source }), "E0608");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "no disk");
}

const RTX: &str = "TORCH2TRT_TEST_RTX_1_7";

fn built(network: &Network, progress: &dyn Progress) -> Option<Result<build::Plan, build::Error>> {
    let discovery = nvinfer::Discovery { path: Some(needs::variable(RTX)?), ..Default::default() };
    let options = BuildOptions { target: Some("sm_89".into()), ..Default::default() };
    Some(build::build(network, nvinfer::Library::find(&discovery).unwrap(), &options, progress))
}

#[test]
fn a_network_that_tensorrt_refuses() {
    let Some(result) = built(&too_many_largest(), &Silent) else { return };
    let error = raised(result, "E0303");
    assert_eq!((error.place(), error.nodes()), (Some(PLACE), &[3][..]), "{error}");
    assert!(error.help().is_some_and(|help| help.starts_with("run the model with backend=\"cpu\"")), "{error}");
}

struct Stopped;

impl Progress for Stopped {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn step(&self, _: &str, _: u64) {}
    fn end(&self, _: &str) {}
    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn a_cancelled_build() {
    let Some(result) = built(&largest(40), &Stopped) else { return };
    raised(result, "E0304");
}
