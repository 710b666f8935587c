//! The search for a wrong call: by halves as with all values at once, and its reproducer.
#![allow(missing_docs, reason = "a test binary has no public interface")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use network::{DType, ElementWiseOperation, Network, Op, Origin, ProgramValue, Weights};
use runtime::{DataType, Tensor};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use torch2trt::{
    DebugOptions, Debugged, Diagnosis, FaultKind, Options, ProgramValues, Result, Tolerance, debug, replay,
};

/// Number of additions.
const COUNT: usize = 37;

/// x + 1 many times, each one call of the program, with another addend in some of them.
fn additions(addend: &dyn Fn(usize) -> f64) -> Network {
    let mut network = Network::new();
    let mut x = network.add_input("x", DType::Float32, vec![4.into()]);
    for node in 0..COUNT {
        let (operator, position) = ("aten.add.Tensor".to_owned(), format!("model.py:{}", node + 1));
        let origin = Arc::new(Origin { module: String::new(), operator, position, node: Some(node) });
        let one = Op::Constant(Weights::from_f64(DType::Float32, &[1], [addend(node)]));
        let one = network.add_one(one, &[], &origin).unwrap();
        x = network.add_one(Op::ElementWise { op: ElementWiseOperation::Sum }, &[x, one], &origin).unwrap();
        network.set_value(ProgramValue { node, output: 0 }, x);
    }
    network.add_output("y", x);
    network
}

/// What additions of 1 give, and last of another number, computed here.
struct Sums {
    last: f64,
    /// The most values that were asked for at once.
    most: usize,
}

fn four(value: f64) -> Tensor {
    let bytes: Vec<u8> = [value as f32; 4].iter().flat_map(|value| value.to_ne_bytes()).collect();
    Tensor::from_bytes(DataType::Float32, &[4], &bytes).unwrap()
}

impl Sums {
    /// The output, from the number that an addition starts with.
    fn from(&self, start: f64, node: usize) -> f64 {
        let rest = COUNT - node;
        if rest == 0 { start } else { start + (rest - 1) as f64 + self.last }
    }
}

impl ProgramValues for Sums {
    fn name(&self) -> &'static str {
        "arithmetic"
    }

    fn outputs(&mut self) -> Result<Vec<Tensor>> {
        Ok(vec![four(self.from(0.0, 0))])
    }

    fn has(&self, value: ProgramValue) -> bool {
        value.node < COUNT
    }

    fn values(&mut self, wanted: &[ProgramValue]) -> Result<Vec<Tensor>> {
        self.most = self.most.max(wanted.len());
        let value = |value: &ProgramValue| {
            let count = value.node as f64;
            four(if value.node == COUNT - 1 { count + self.last } else { count + 1.0 })
        };
        Ok(wanted.iter().map(value).collect())
    }

    fn outputs_with(&mut self, replaced: &[ProgramValue], by: &Tensor) -> Result<Vec<Tensor>> {
        let start = by.view().numbers(0..1).unwrap()[0];
        Ok(vec![four(self.from(start, replaced[0].node + 1))])
    }
}

/// The ONNX Runtime of the development environment.
fn options() -> Options {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.venv/lib");
    let folders = std::fs::read_dir(root).into_iter().flatten().flatten();
    let site_packages = folders.map(|entry| entry.path().join("site-packages")).collect();
    Options { site_packages, ..Options::default() }
}

/// What is found with so many values at a time, and the most values that were asked for.
fn found(addend: &dyn Fn(usize) -> f64, values: u64, output: Option<&Path>) -> (Diagnosis, usize) {
    found_in(addend, 1.0, values, output)
}

fn found_in(addend: &dyn Fn(usize) -> f64, last: f64, values: u64, output: Option<&Path>) -> (Diagnosis, usize) {
    let (network, options, inputs) = (additions(addend), options(), [four(0.0)]);
    let tolerance = Tolerance::default();
    let (plain, inputs) = (&network, &inputs);
    let subject = Debugged { network: &network, plain, options: &options, inputs, tolerance, computed_in: &[] };
    let mut reference = Sums { last, most: 0 };
    // Each value has 16 bytes, and there are two of each.
    let asked = DebugOptions { max_error: Some(1e-3), memory: values * 32, output: output.map(Path::to_owned) };
    (debug(subject, &mut reference, &asked).unwrap(), reference.most)
}

#[test]
fn halves_find_what_all_values_at_once_find() {
    for wrong in [0, 1, 17, 18, 19, COUNT - 2, COUNT - 1] {
        let addend = |node| if node == wrong { 1.5 } else { 1.0 };
        let (whole, most) = found(&addend, 1000, None);
        assert!(most >= COUNT);
        let named = |found: &Diagnosis| {
            let culprit = found.culprit.as_ref().unwrap();
            assert_eq!((culprit.kind, found.suspects.len()), (FaultKind::Own, 1));
            (culprit.layer.clone(), culprit.source.clone(), culprit.error.to_string())
        };
        assert_eq!(named(&whole).1, format!("model.py:{}", wrong + 1));
        for values in [0, 1, 5, 20] {
            let (halved, most) = found(&addend, values, None);
            assert_eq!(named(&halved), named(&whole), "{wrong} {values}");
            assert!(most <= 2 * (values as usize).max(2), "{most} values at once");
        }
    }
}

#[test]
fn the_first_of_several_faults_is_named() {
    let addend = |node| if [9, 10, 30].contains(&node) { 1.5 } else { 1.0 };
    for values in [0, 1000] {
        let (found, _) = found(&addend, values, None);
        assert_eq!(found.culprit.as_ref().unwrap().source, "model.py:10");
        assert_eq!(found.suspects.len(), 3);
    }
}

#[test]
fn nothing_is_named_where_nothing_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("fault");
    for values in [0, 1000] {
        let (found, _) = found(&|_| 1.0, values, Some(&output));
        assert!(found.culprit.is_none() && !found.diverges() && found.text().contains("nothing diverges"));
        assert!(!output.exists());
    }
}

/// The first is off by 2e-3 of itself, and by little of the sum. All of them together are off by 2e-3 of that.
#[test]
fn small_errors_that_add_up_are_no_fault_of_one_call() {
    for values in [0, 1000] {
        let folder = tempfile::tempdir().unwrap();
        let (found, _) = found(&|_| 1.002, values, Some(folder.path()));
        let culprit = found.culprit.as_ref().unwrap();
        assert_eq!((culprit.kind, culprit.source.as_str()), (FaultKind::Accumulated, "model.py:1"));
        assert!(culprit.error > culprit.allowed);
        assert!(replay(folder.path(), &options()).unwrap().diverges);
    }
}

/// 4e-4 of the values there, which a difference of two large numbers makes a twentieth.
#[test]
fn a_small_error_that_the_rest_amplifies_is_named() {
    let last = 0.1 - (COUNT - 1) as f64;
    let folder = tempfile::tempdir().unwrap();
    let addend = |node| match node {
        10 => 1.005,
        node if node == COUNT - 1 => last,
        _ => 1.0,
    };
    let (found, _) = found_in(&addend, last, 1000, Some(folder.path()));
    let culprit = found.culprit.as_ref().unwrap();
    assert_eq!((culprit.kind, culprit.source.as_str()), (FaultKind::Amplified, "model.py:11"));
    assert!(culprit.error < culprit.allowed && found.outputs[0].error > 1e-2, "{}", found.text());
    assert!(replay(folder.path(), &options()).unwrap().diverges);
}

#[test]
fn a_reproducer_has_one_layer_and_shows_the_fault() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("new/fault");
    let (found, _) = found(&|node| if node == 20 { 1.5 } else { 1.0 }, 1000, Some(&output));
    let text = std::fs::read_to_string(output.join("network.txt")).unwrap();
    assert_eq!(text.matches("ElementWise(op: Sum)").count(), 1, "{text}");
    let again = replay(&output, &options()).unwrap();
    assert!(again.diverges && again.text.starts_with("model.py:21 "), "{}", again.text);
    let (error, first) = (again.json["error"].as_f64().unwrap(), found.culprit.unwrap().error);
    assert!((error - first).abs() < 1e-6, "{error} {first}");
    let repaired = text.replace("[1.5]", "[1.0]");
    assert_ne!(repaired, text);
    std::fs::write(output.join("network.txt"), repaired).unwrap();
    assert!(!replay(&output, &options()).unwrap().diverges);
    std::fs::remove_file(output.join("fault.json")).unwrap();
    assert_eq!(replay(&output, &options()).unwrap_err().code().number(), "E0605");
}

/// A convolution that crops, which ONNX cannot express, among other layers.
const CROPS: &str = r#"network
  input %0 "x": float32[1,1,8,8]
  %1: float32[1,1,8,8] = Unary(op: Sin)(%0) "a" from "aten.sin.default" "" "model.py:1"
  %2: float32[1,1,8,8] = Unary(op: Exp)(%1) "b" from "aten.exp.default" "" "model.py:2"
  %3: float32[1,1,3,3] = Constant([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]) "weights"
  %4: float32[1,1,4,4] = Convolution(ATTRIBUTES)(%2, %3) "crops" from "aten.conv2d.default" "" "model.py:3"
  %5: float32[1,1,4,4] = Unary(op: Sin)(%4) "c" from "aten.sin.default" "" "model.py:4"
  output "y": %5
"#;

const ATTRIBUTES: &str = "stride: [1, 1], pre_padding: [-1, -1], post_padding: [-1, -1], dilation: [1, 1], groups: 1";

#[test]
fn a_network_that_cannot_be_built_is_reduced() {
    let folder = tempfile::tempdir().unwrap();
    let text = CROPS.replace("ATTRIBUTES", ATTRIBUTES);
    let (network, options) = (Network::parse(&text, &|_| None).unwrap(), options());
    let x = Tensor::zeros(DataType::Float32, &[1, 1, 8, 8], torch2trt::Device::Cpu).unwrap();
    let (plain, inputs, tolerance) = (&network, &[x], Tolerance::default());
    let subject = Debugged { network: &network, plain, options: &options, inputs, tolerance, computed_in: &[] };
    let asked = DebugOptions { output: Some(folder.path().to_owned()), ..DebugOptions::within(None) };
    let found = debug(subject, &mut Sums { last: 1.0, most: 0 }, &asked).unwrap();
    let failed = found.failed.as_ref().unwrap();
    assert_eq!(
        (failed.error.code().number(), failed.of, found.diverges(), found.is_wrong()),
        ("E0203", 4, false, true)
    );
    assert_eq!(failed.calls.iter().map(|call| call.source.as_str()).collect::<Vec<_>>(), ["model.py:3"]);
    assert!(found.text().contains("1 of 4 layers fail alone"), "{}", found.text());
    let text = std::fs::read_to_string(folder.path().join("network.txt")).unwrap();
    assert!(text.contains("input %0 \"b\"") && !text.contains("Unary"), "{text}");
    assert!(replay(folder.path(), &options).unwrap().text.contains("E0203"));
    let repaired = text.replace("-1", "0").replace("float32[1,1,4,4]", "float32[1,1,6,6]");
    std::fs::write(folder.path().join("network.txt"), repaired).unwrap();
    let again = replay(folder.path(), &options).unwrap();
    assert!(!again.diverges, "{}", again.text);
}
