//! What a caller of `build` can rely on: errors that name the layer, cancellation, profiles, targets, borrowed weights.
#![allow(clippy::panic, clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking")]

mod common;

use build::{BuildOptions, Error, Profile, Progress, Silent, SizeRange};
use common::{Net, library, options};
use network::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

const RTX_1_7: &str = "TORCH2TRT_TEST_RTX_1_7";

fn two_layers(n: &mut Net) {
    let (x, w) = (n.input(DType::Float32, &[8]), n.random(DType::Float32, &[8, 8]));
    let y = n.op(Op::MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::None }, &[x, w]);
    let y = n.op(Op::Activation { kind: ActivationType::Sigmoid, alpha: 0.0, beta: 0.0 }, &[y]);
    n.output(y);
}

fn failing(options: &BuildOptions, make: impl FnOnce(&mut Net)) -> Option<Error> {
    let library = library(RTX_1_7)?;
    let mut n = Net::new(true);
    make(&mut n);
    Some(build::build(&n.network, library, options, &Silent).unwrap_err())
}

#[test]
fn a_refused_layer_is_named_with_its_place_in_the_model_and_tensorrts_words() {
    let make = |n: &mut Net| {
        let x = n.input(DType::Float32, &[5000]);
        let values = n.op(Op::TopK { op: TopKOperation::Max, k: 4000, axis: 1 }, &[x]);
        n.output(values);
    };
    let Some(error) = failing(&options(), make) else { return };
    let text = format!("{error}\nhelp: {}", error.help().unwrap_or_default());
    assert!(text.starts_with("TensorRT-RTX 1.7"), "{text}");
    for part in
        ["TopK `block.part.TopK` of float32[n,5000]", "aten.topk.default block.part model.py:42", "3841", "\nhelp: "]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_plugin_that_no_library_has_is_named_with_its_layer() {
    let make = |n: &mut Net| {
        let x = n.input(DType::Float32, &[8]);
        let outputs = vec![PluginOutput { dtype: DType::Float32, dims: vec![Dim::symbol("n"), Dim::Static(8)] }];
        let plugin = PluginAttributes {
            name: "Absent".into(),
            version: "3".into(),
            namespace: "mine".into(),
            api: PluginApi::V2,
            fields: Vec::new(),
            serialized: None,
            shape_inputs: 0,
            outputs,
        };
        let y = n.op(Op::Plugin(plugin), &[x]);
        n.output(y);
    };
    let Some(error) = failing(&options(), make) else { return };
    let text = format!("{error}\nhelp: {}", error.help().unwrap_or_default());
    for part in
        ["no plugin creator is registered for `mine::Absent 3`", "Plugin `block.part.Plugin`", "\nhelp: name the"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_layer_refused_while_building_is_found_by_its_name() {
    let make = |n: &mut Net| {
        let x = n.input(DType::Float32, &[3]);
        let y = n.op(Op::Unary { op: UnaryOperation::Exp }, &[x]);
        let found = n.op(Op::NonZero { count: "found".into() }, &[y]);
        n.output(found);
    };
    let Some(error) = failing(&options(), make) else { return };
    let names: Vec<_> = error.places().iter().map(|place| place.name.as_str()).collect();
    assert_eq!(names, ["block.part.NonZero"], "{error}");
}

#[test]
fn a_computed_scale_is_reported_as_one() {
    let make = |n: &mut Net| {
        let (x, shift) = (n.input(DType::Float32, &[3, 4, 5]), n.input_of(DType::Float32, vec![Dim::Static(3)]));
        let y = n.op(Op::Scale { mode: ScaleMode::Channel, channel_axis: 1 }, &[x, shift]);
        n.output(y);
    };
    let Some(error) = failing(&options(), make) else { return };
    assert!(error.to_string().contains("the shift must be known when the engine is built"), "{error}");
}

/// The size does not follow from the scales: TensorRT would make a smaller image, silently.
#[test]
fn a_tensor_of_other_sizes_than_inferred_is_an_error() {
    let make = |n: &mut Net| {
        let x = n.input_of(DType::Float32, [1, 3, 6, 8].map(Dim::Static).to_vec());
        let a = ResizeAttributes {
            mode: InterpolationMode::Linear,
            size: vec![1, 3, 12, 17],
            scales: vec![1.0, 1.0, 2.0, 2.1],
            coordinate_transformation: ResizeCoordinateTransformation::HalfPixel,
            selector: ResizeSelector::Formula,
            nearest_rounding: ResizeRoundMode::Floor,
            cubic_coeff: -0.75,
            exclude_outside: false,
        };
        let y = n.op(Op::Resize(a), &[x]);
        n.output(y);
    };
    let Some(error) = failing(&options(), make) else { return };
    let text = error.to_string();
    assert!(text.contains("[1, 3, 12, 16]") && text.contains("float32[1,3,12,17]"), "{text}");
    assert_eq!(error.places()[0].kind, "Resize");
}

#[test]
fn a_wrong_target_lists_the_right_ones() {
    let wrong = BuildOptions { target: Some("sm_90".into()), ..BuildOptions::default() };
    let Some(error) = failing(&wrong, two_layers) else { return };
    assert!(matches!(&error, Error::BadTarget { accepted, .. } if accepted.contains(&"sm_89".to_owned())), "{error}");
}

#[test]
fn an_option_that_the_version_lacks_is_named() {
    let wanted = BuildOptions { version_compatible: true, ..options() };
    let Some(error) = failing(&wanted, two_layers) else { return };
    let text = error.to_string();
    assert!(text.starts_with("a version-compatible plan is not in TensorRT-RTX 1.7"), "{text}");
    assert!(error.help().is_some_and(|help| help.contains("leave the option out")), "{:?}", error.help());
}

#[test]
fn every_target_builds() {
    let Some(library) = library(RTX_1_7) else { return };
    let mut n = Net::new(false);
    // Turing has no float32 product of matrices.
    let x = n.input(DType::Float16, &[8]);
    let y = n.op(Op::Activation { kind: ActivationType::Sigmoid, alpha: 0.0, beta: 0.0 }, &[x]);
    n.output(y);
    for target in build::targets(library.version()) {
        let options = BuildOptions { target: Some(target.clone()), ..BuildOptions::default() };
        let plan = build::build(&n.network, library, &options, &Silent).unwrap_or_else(|e| panic!("{target}: {e}"));
        assert!(!plan.bytes().is_empty(), "{target}");
        assert_eq!(plan.report.target, Some(target));
    }
}

#[test]
fn a_size_without_bound_is_named() {
    let make = |n: &mut Net| {
        two_layers(n);
        n.network.add_symbol("n", Symbol { min: 1, opt: 2, max: i64::MAX });
    };
    let Some(error) = failing(&options(), make) else { return };
    assert!(matches!(&error, Error::Unbounded { input, axis: 0, .. } if input == "x0"), "{error}");
}

#[test]
fn several_profiles_and_every_option_build() {
    let Some(library) = library(RTX_1_7) else { return };
    let profile = |min, opt, max| Profile {
        symbols: [("n".to_owned(), SizeRange { min, opt, max })].into(),
        ..Profile::default()
    };
    let options = BuildOptions {
        max_workspace_size: Some(64 << 20),
        optimization_level: Some(2),
        avg_timing_iterations: Some(2),
        threads: Some(2),
        tactic_sources: Some(vec![nvinfer::TacticSource::JitConvolutions]),
        profiles: vec![profile(1, 1, 1), profile(2, 8, 64)],
        hardware_compatible: true,
        max_aux_streams: Some(0),
        strict_float32: true,
        detailed: true,
        ..options()
    };
    let mut n = Net::new(true);
    two_layers(&mut n);
    let plan = build::build(&n.network, library, &options, &Silent).unwrap_or_else(|e| panic!("{e}"));
    let maxima: Vec<_> = plan.report.profiles.iter().map(|inputs| inputs[0].axes[0].max).collect();
    assert_eq!(maxima, [1, 64]);
}

#[test]
fn weights_are_read_where_they_are_even_when_not_aligned() {
    let Some(library) = library(RTX_1_7) else { return };
    let mut room = vec![0u8; 4 * 64 * 64 + 8];
    let odd = (4 - room.as_ptr().addr() % 4) % 4 + 1;
    room[odd..].fill(0x3d);
    let data = bytes::Bytes::from(room).slice(odd..odd + 4 * 64 * 64);
    assert_ne!(data.as_ptr().addr() % 4, 0);
    let mut n = Net::new(false);
    let x = n.input(DType::Float32, &[64]);
    let w = n.constant(Weights::new(DType::Float32, vec![64, 64], data).unwrap());
    let y = n.op(Op::MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::None }, &[x, w]);
    n.output(y);
    let plan = common::build(&n.network, library).unwrap_or_else(|e| panic!("{e}"));
    let marked = plan.bytes().windows(64).any(|w| w.iter().all(|b| *b == 0x3d));
    assert!(marked, "the weights are not in the plan");
}

/// TensorRT-RTX itself cannot do it: it keeps the target in a global.
#[test]
fn builds_for_different_targets_do_not_disturb_each_other() {
    let Some(library) = library(RTX_1_7) else { return };
    let mut n = Net::new(false);
    let x = n.input(DType::Float16, &[8]);
    let y = n.op(Op::SoftMax { axis: 1 }, &[x]);
    n.output(y);
    std::thread::scope(|scope| {
        for target in ["sm_80", "sm_89", "sm_120", "sm_86"] {
            let network = &n.network;
            scope.spawn(move || {
                let options = BuildOptions { target: Some(target.into()), ..BuildOptions::default() };
                for _ in 0..3 {
                    build::build(network, library, &options, &Silent).unwrap_or_else(|e| panic!("{target}: {e}"));
                }
            });
        }
    });
}

#[test]
fn what_tensorrt_warns_of_is_reported_once_and_only_for_its_build() {
    let Some(library) = library(RTX_1_7) else { return };
    let mut n = Net::new(false);
    two_layers(&mut n);
    let clean = common::build(&n.network, library).unwrap_or_else(|e| panic!("{e}"));
    n.input(DType::Float32, &[3]);
    let unused = common::build(&n.network, library).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(clean.report.warnings, Vec::<String>::new());
    let warnings = unused.report.warnings;
    assert!(warnings.iter().any(|w| w.contains("Unused Input: x1")), "{warnings:?}");
    assert_eq!(warnings.iter().collect::<std::collections::BTreeSet<_>>().len(), warnings.len(), "{warnings:?}");
}

/// On a machine with a suitable GPU the engine answers; elsewhere the reason is TensorRT's.
#[test]
fn a_plan_is_inspected_or_the_reason_is_reported() {
    let Some(library) = library(RTX_1_7) else { return };
    let mut n = Net::new(false);
    two_layers(&mut n);
    let plan = common::build(&n.network, library).unwrap_or_else(|e| panic!("{e}"));
    match build::inspect(library, plan.bytes()) {
        Ok(found) => assert!(found.layers > 0 && found.information.contains("Layers"), "{found:?}"),
        Err(error) => {
            assert!(error.diagnostics().is_some_and(|diagnostics| !diagnostics.messages.is_empty()), "{error}");
        }
    }
}

#[derive(Default)]
struct Diary {
    lines: Mutex<Vec<String>>,
    cancel_at_first_step: bool,
    cancelled: AtomicBool,
}

impl Progress for Diary {
    fn begin(&self, stage: &str, steps: Option<u64>) {
        self.lines.lock().unwrap().push(format!("begin {stage} {}", steps.is_some()));
    }
    fn step(&self, _: &str, _: u64) {
        self.cancelled.fetch_or(self.cancel_at_first_step, Ordering::Relaxed);
    }
    fn end(&self, stage: &str) {
        self.lines.lock().unwrap().push(format!("end {stage}"));
    }
    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

#[test]
fn progress_is_reported_in_pairs() {
    let Some(library) = library(RTX_1_7) else { return };
    let (mut n, diary) = (Net::new(false), Diary::default());
    two_layers(&mut n);
    build::build(&n.network, library, &options(), &diary).unwrap();
    let lines = diary.lines.into_inner().unwrap();
    let count = |word: &str| lines.iter().filter(|line| line.starts_with(word)).count();
    assert!(count("begin ") > 0 && count("begin ") == count("end "), "{lines:?}");
}

#[test]
fn a_build_can_be_cancelled_before_and_while_it_runs() {
    let Some(library) = library(RTX_1_7) else { return };
    let mut n = Net::new(false);
    let mut x = n.input(DType::Float32, &[16, 64, 64]);
    for _ in 0..40 {
        let kernel = n.random(DType::Float32, &[16, 16, 3, 3]);
        let (ones, groups) = (vec![1; 2], 1);
        let [stride, pre_padding, post_padding, dilation] = [(); 4].map(|()| ones.clone());
        let a = ConvolutionAttributes { stride, pre_padding, post_padding, dilation, groups };
        x = n.op(Op::Convolution(a), &[x, kernel]);
        x = n.op(Op::Activation { kind: ActivationType::Relu, alpha: 0.0, beta: 0.0 }, &[x]);
    }
    n.output(x);
    let before = Diary { cancelled: AtomicBool::new(true), ..Diary::default() };
    let error = build::build(&n.network, library, &options(), &before).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    let during = Diary { cancel_at_first_step: true, ..Diary::default() };
    let error = build::build(&n.network, library, &options(), &during).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
}
