//! The files and models as others see them: names, types, where the weights are, and what is refused.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use bytes::Bytes;
use network::{
    ActivationType, DType, Dim, ElementWiseOperation, MatrixOperation, Network, Op, Origin, SampleMode, Symbol,
    TensorId, Weights,
};
use onnx::proto::{AttributeProto, DimensionValue, EXTERNAL, GraphProto, ModelProto};
use onnx::{Error, LowerOptions, export, lower};
use prost::Message;
use rand::Rng;
use std::sync::Arc;

fn origin(module: &str, operator: &str) -> Arc<Origin> {
    Arc::new(Origin { module: module.into(), operator: operator.into(), position: "model.py:7".into(), node: None })
}

fn random(dims: &[i64]) -> Weights {
    let mut rng = rand::rng();
    let count = dims.iter().product::<i64>();
    Weights::from_f64(DType::Float32, dims, (0..count).map(|_| rng.random_range(-1.0..1.0)))
}

/// A linear layer with its bias, an activation, and a residual sum, over a symbolic batch.
fn perceptron(dtype: DType, width: i64) -> Network {
    let mut network = Network::new();
    network.add_symbol("batch", Symbol { min: 1, opt: 4, max: 64 });
    let x = network.add_input("x", dtype, vec![Dim::symbol("batch"), Dim::Static(width)]);
    let weights = |dims: &[i64]| match dtype {
        DType::Float32 => random(dims),
        other => Weights::from_f64(other, dims, random(dims).to_f64()),
    };
    let linear = origin("fc", "aten.linear.default");
    let mut add = |op, inputs: &[TensorId], origin: &Arc<Origin>| network.add_one(op, inputs, origin).unwrap();
    let w = add(Op::Constant(weights(&[width, width])), &[], &linear);
    let b = add(Op::Constant(weights(&[1, width])), &[], &linear);
    let product = Op::MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::Transpose };
    let y = add(product, &[x, w], &linear);
    let y = add(Op::ElementWise { op: ElementWiseOperation::Sum }, &[y, b], &linear);
    let gelu = Op::Activation { kind: ActivationType::GeluErf, alpha: 0.0, beta: 0.0 };
    let y = add(gelu, &[y], &origin("act", "aten.gelu.default"));
    let y = add(Op::ElementWise { op: ElementWiseOperation::Sum }, &[x, y], &origin("", "aten.add.Tensor"));
    network.add_output("y", y);
    network
}

fn graph(proto: &[u8]) -> GraphProto {
    ModelProto::decode(proto).unwrap().graph.unwrap()
}

/// A line for every input, initializer, node and output.
fn text(graph: &GraphProto) -> String {
    let value = |v: &onnx::proto::ValueInfoProto| {
        let tensor = v.r#type.clone().unwrap().tensor_type.unwrap();
        let dims = tensor.shape.clone().unwrap().dim.into_iter().map(|d| match d.value.unwrap() {
            DimensionValue::DimValue(n) => n.to_string(),
            DimensionValue::DimParam(name) => name,
        });
        format!("{} {:?}[{}]", v.name.clone().unwrap(), tensor.elem_type(), dims.collect::<Vec<_>>().join(", "))
    };
    let attribute = |a: &AttributeProto| {
        let value = a.i.map(|i| i.to_string()).or(a.f.map(|f| f.to_string()));
        format!(" {}={}", a.name(), value.unwrap_or_else(|| format!("{:?}", a.ints)))
    };
    let mut lines: Vec<String> = graph.input.iter().map(|v| format!("input {}", value(v))).collect();
    lines.extend(graph.initializer.iter().map(|t| {
        let place = if t.data_location == Some(EXTERNAL) { "external" } else { "inline" };
        format!("{place} {} {:?}{:?}", t.name(), t.data_type(), t.dims)
    }));
    lines.extend(graph.node.iter().map(|n| {
        let attributes: String = n.attribute.iter().map(attribute).collect();
        format!(
            "{} = {}({}){attributes} # {}: {}",
            n.output.join(", "),
            n.op_type(),
            n.input.join(", "),
            n.name(),
            n.doc_string()
        )
    }));
    lines.extend(graph.value_info.iter().map(|v| format!("between {}", value(v))));
    lines.extend(graph.output.iter().map(|v| format!("output {}", value(v))));
    lines.join("\n")
}

#[test]
fn a_small_network_reads_like_itself() {
    let model = lower(&perceptron(DType::Float32, 20), &LowerOptions::default()).unwrap();
    assert_eq!(
        text(&graph(&model.proto)),
        "\
input x Float[batch, 20]
external fc.Constant Float[20, 20]
inline fc.ElementWise/constant Float[20]
fc.MatrixMultiply = Gemm(x, fc.Constant, fc.ElementWise/constant) transB=1 \
# fc.MatrixMultiply: aten.linear.default fc model.py:7
act.Activation = Gelu(fc.MatrixMultiply) # act.Activation: aten.gelu.default act model.py:7
y = Add(x, act.Activation) # ElementWise: aten.add.Tensor (model) model.py:7
between fc.MatrixMultiply Float[batch, 20]
between act.Activation Float[batch, 20]
output y Float[batch, 20]"
    );
}

#[test]
fn half_precision_is_rounded_after_each_layer_and_real_at_the_border() {
    let model = lower(&perceptron(DType::Float16, 4), &LowerOptions::default()).unwrap();
    let text = text(&graph(&model.proto));
    assert!(text.starts_with("input x Float16[batch, 4]\n") && text.ends_with("output y Float16[batch, 4]"), "{text}");
    // In and out of float16: x comes in; four layers round; the last one's float16 is the output.
    assert_eq!(text.matches("= Cast(").count(), 1 + 2 * 4 - 1, "{text}");
}

#[test]
fn weights_are_the_networks_own_memory() {
    let network = perceptron(DType::Float32, 32);
    let model = lower(&network, &LowerOptions::default()).unwrap();
    let constant =
        network.layers().iter().find_map(|l| if let Op::Constant(w) = &l.op { Some(w) } else { None }).unwrap();
    let [weight] = model.weights.as_slice() else { panic!("{:?}", model.weights) };
    assert_eq!((weight.data.as_ptr(), weight.data.len()), (constant.data.as_ptr(), 32 * 32 * 4));
    assert_eq!(
        (weight.name.as_str(), weight.dtype, weight.dims.as_slice()),
        ("fc.Constant", DType::Float32, &[32, 32][..])
    );
    let initializer = graph(&model.proto).initializer.into_iter().find(|t| t.data_location == Some(EXTERNAL)).unwrap();
    let entries: Vec<_> = initializer.external_data.iter().map(|e| (e.key(), e.value())).collect();
    assert_eq!(entries, [("location", "weights"), ("offset", "0"), ("length", "4096")]);
    assert!(model.proto.len() < 1500, "the model is {} bytes without its weights", model.proto.len());
}

#[test]
fn tied_weights_are_handed_over_once() {
    let (mut network, o) = (Network::new(), origin("", "aten.linear.default"));
    let shared = random(&[40, 40]);
    let mut y = network.add_input("x", DType::Float32, vec![Dim::Static(3), Dim::Static(40)]);
    for _ in 0..3 {
        let w = network.add_one(Op::Constant(shared.clone()), &[], &o).unwrap();
        let op = Op::MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::Transpose };
        y = network.add_one(op, &[y, w], &o).unwrap();
    }
    network.add_output("y", y);
    assert_eq!(lower(&network, &LowerOptions::default()).unwrap().weights.len(), 1);
}

#[test]
fn an_exported_file_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let network = perceptron(DType::Float32, 32);
    let exported = export(&network, &path, &LowerOptions::default()).unwrap();
    assert_eq!((exported.model, exported.data), (path.clone(), None));
    let file = graph(&std::fs::read(&path).unwrap());
    let lowered =
        graph(&lower(&network, &LowerOptions { external_threshold: usize::MAX, ..Default::default() }).unwrap().proto);
    assert_eq!(file, lowered, "the hand-written frame holds what prost would write");
    assert!(file.initializer.iter().all(|t| t.raw_data.is_some() && t.data_location.is_none()));
    check_with_onnx(&path);
}

/// Checks a file with the Python package `onnx`.
fn check_with_onnx(path: &std::path::Path) {
    let python = std::env::var_os("PYO3_PYTHON").unwrap_or_else(|| "python3".into());
    let run = |code: &str| std::process::Command::new(&python).arg("-c").arg(code).arg(path).output();
    if !run("import onnx").is_ok_and(|o| o.status.success()) {
        return needs::unmet("the Python package onnx is not installed");
    }
    let output = run("import onnx, sys; onnx.checker.check_model(sys.argv[1], full_check=True)").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_layer_without_a_form_is_named_with_its_place() {
    let mut network = Network::new();
    let dims = |d: [i64; 4]| d.into_iter().map(Dim::Static).collect();
    let (x, grid) = (
        network.add_input("x", DType::Float32, dims([1, 2, 3, 4])),
        network.add_input("g", DType::Float32, dims([1, 5, 6, 2])),
    );
    let op = Op::GridSample {
        interpolation: network::InterpolationMode::Linear,
        sample: SampleMode::Wrap,
        align_corners: true,
    };
    let y = network.add_one(op, &[x, grid], &origin("warp", "aten.grid_sampler.default")).unwrap();
    network.add_output("y", y);
    let error = lower(&network, &LowerOptions::default()).unwrap_err();
    let expected = "GridSample layer `warp.GridSample` (aten.grid_sampler.default warp model.py:7) has no ONNX form: \
                    it samples with Wrap";
    assert!(matches!(error, Error::Unsupported { layer: "GridSample", .. }));
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.help(), "sample with Fill, Clamp or Reflect");
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("model.onnx");
    let error = export(&perceptron(DType::Float32, 4), &path, &LowerOptions::default()).unwrap_err();
    assert!(matches!(&error, Error::Io { path: named, .. } if *named == path), "{error}");
}

#[test]
fn equal_networks_give_equal_bytes() {
    let weights = Bytes::from(vec![1u8; 4 * 64]);
    let build = || {
        let (mut network, o) = (Network::new(), origin("", "aten.add.Tensor"));
        let x = network.add_input("x", DType::Float32, vec![Dim::Static(1), Dim::Static(64)]);
        let w = Weights::new(DType::Float32, vec![1, 64], weights.clone()).unwrap();
        let w = network.add_one(Op::Constant(w), &[], &o).unwrap();
        let y = network.add_one(Op::ElementWise { op: ElementWiseOperation::Sum }, &[x, w], &o).unwrap();
        network.add_output("y", y);
        lower(&network, &LowerOptions::default()).unwrap().proto
    };
    assert_eq!(build(), build());
}
