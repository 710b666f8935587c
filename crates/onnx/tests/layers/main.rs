//! Every layer kind, run by ONNX Runtime on fresh random inputs, against a reference written from TensorRT's
//! definition of the layer.
//!
//! Each case runs twice where its sizes may be symbolic: with sizes as numbers, and with a symbol for every size
//! above 1. A failure prints the seed; `SEED=… cargo test` runs the same numbers again.

#![allow(missing_docs, reason = "a test binary has no public interface")]
#![allow(clippy::cloned_ref_to_slice_refs, reason = "a case reads as a list of inputs and a list of outputs")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::print_stdout, reason = "a failing test shows its seed")]

mod array;
mod elementwise;
mod gather;
mod half;
mod image;
mod matrix;
mod quantize;
mod reduce;
mod shape;

use array::Array;
use network::{DType, Dim, Network, Op, Origin, Symbol, TensorId};
use runtime::{
    CpuEngine, CpuOptions, DataType, Engine, EngineSpec, IoSpec, OnnxRuntime, RunOptions, TensorView, Weight,
};
use std::path::PathBuf;
use std::sync::Arc;

/// Whether a case's sizes may be symbols.
#[derive(Clone, Copy, PartialEq)]
pub enum Sizes {
    Static,
    Any,
}

/// Runs one layer and compares every output.
#[track_caller]
pub fn check(op: Op, inputs: &[Array], expected: &[Array]) {
    check_within(1e-5, Sizes::Any, op, inputs, expected);
}

/// The same with a tolerance (relative to the magnitude, at least 1).
#[track_caller]
pub fn check_within(tolerance: f64, sizes: Sizes, op: Op, inputs: &[Array], expected: &[Array]) {
    let build = |network: &mut Network, inputs: &[TensorId]| {
        let inputs: Vec<_> = inputs.iter().copied().map(Some).collect();
        network.add(op.clone(), &inputs, &origin()).unwrap()
    };
    check_network(tolerance, sizes, &build, inputs, expected);
}

/// Runs a network of several layers and compares every output.
#[track_caller]
pub fn check_network(
    tolerance: f64,
    sizes: Sizes,
    build: &dyn Fn(&mut Network, &[TensorId]) -> Vec<TensorId>,
    inputs: &[Array],
    expected: &[Array],
) {
    for symbolic in [false, true] {
        if symbolic && sizes == Sizes::Static {
            continue;
        }
        let network = network_of(build, inputs, symbolic);
        let got = run(&network, inputs);
        assert_eq!(got.len(), expected.len(), "number of outputs");
        for (k, (got, expected)) in got.iter().zip(expected).enumerate() {
            compare(got, expected, tolerance, &format!("output {k}, symbolic sizes: {symbolic}"));
        }
    }
}

#[track_caller]
pub fn compare(got: &Array, expected: &Array, tolerance: f64, what: &str) {
    assert_eq!((got.dtype, &got.dims), (expected.dtype, &expected.dims), "{what}");
    for (k, (g, e)) in got.data.iter().zip(&expected.data).enumerate() {
        let same = g == e || (g.is_nan() && e.is_nan()) || (g - e).abs() <= tolerance * e.abs().max(1.0);
        assert!(same, "{what}: element {k} of {:?} is {g}, not {e}", got.dims);
    }
}

pub fn origin() -> Arc<Origin> {
    Arc::new(Origin { module: "m".into(), operator: "aten.test".into(), position: "test.py:1".into(), node: None })
}

/// A network over the inputs; constants among them are constants of it.
pub fn network_of(
    build: &dyn Fn(&mut Network, &[TensorId]) -> Vec<TensorId>,
    inputs: &[Array],
    symbolic: bool,
) -> Network {
    let mut network = Network::new();
    let mut ids = Vec::new();
    for (k, array) in inputs.iter().enumerate() {
        if array.constant {
            ids.push(network.add_one(Op::Constant(array.weights()), &[], &origin()).unwrap());
            continue;
        }
        let dim = |network: &mut Network, n: i64| {
            if !symbolic || n <= 1 {
                return Dim::Static(n);
            }
            // Equal sizes are the same symbol, as they are in a model whose sizes fit.
            let name = format!("n{n}");
            network.add_symbol(&name, Symbol { min: 1, opt: n, max: 64 });
            Dim::symbol(&name)
        };
        let dims = array.dims.iter().map(|n| dim(&mut network, *n)).collect();
        ids.push(network.add_input(&format!("x{k}"), array.dtype, dims));
    }
    let outputs = build(&mut network, &ids);
    for (k, output) in outputs.into_iter().enumerate() {
        network.add_output(&format!("y{k}"), output);
    }
    network.verify().unwrap();
    network
}

pub fn run(network: &Network, inputs: &[Array]) -> Vec<Array> {
    run_with(network, inputs, &onnx::LowerOptions { external_threshold: 32, ..Default::default() })
}

pub fn run_with(network: &Network, inputs: &[Array], options: &onnx::LowerOptions) -> Vec<Array> {
    let model = onnx::lower(network, options).unwrap();
    let weights = model.weights.into_iter().map(|w| Weight {
        name: w.name,
        dtype: data_type(w.dtype),
        dims: w.dims,
        data: w.data,
    });
    let port = |p: &network::Port| {
        let t = network.tensor(p.tensor);
        IoSpec::new(&p.name, data_type(t.dtype), t.dims.iter().cloned())
    };
    let spec = EngineSpec {
        inputs: network.inputs().iter().map(port).collect(),
        outputs: network.outputs().iter().map(port).collect(),
        profiles: Vec::new(),
    };
    let options = CpuOptions { threads: std::num::NonZero::new(1), ..CpuOptions::default() };
    let engine = CpuEngine::new(&library(), model.proto.clone().into(), weights.collect(), spec, &options).unwrap();
    let buffers: Vec<_> = inputs.iter().filter(|a| !a.constant).map(|a| (a, a.weights().data)).collect();
    let views: Vec<_> =
        buffers.iter().map(|(a, data)| TensorView::new(data_type(a.dtype), &a.dims, data).unwrap()).collect();
    let outputs = engine.run_alloc(&views, &RunOptions::default()).unwrap();
    outputs
        .iter()
        .map(|t| {
            let dtype = DType::from_name(t.dtype().name()).unwrap();
            let bytes = bytes::Bytes::copy_from_slice(t.bytes().unwrap());
            let weights = network::Weights::new(dtype, t.dims().to_vec(), bytes).unwrap();
            let data = match weights.to_i64() {
                Some(v) => v.into_iter().map(|v| v as f64).collect(),
                None => weights.to_f64(),
            };
            Array::new(dtype, t.dims(), data)
        })
        .collect()
}

fn data_type(dtype: DType) -> DataType {
    DataType::ALL.into_iter().find(|d| d.name() == dtype.name()).unwrap()
}

fn library() -> OnnxRuntime {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.venv/lib");
    let folders = std::fs::read_dir(root).into_iter().flatten().flatten();
    let folders: Vec<_> = folders.map(|entry| entry.path().join("site-packages")).collect();
    OnnxRuntime::load(None, &folders).unwrap()
}

/// The operators of a model, in order.
pub fn operators(model: &onnx::Model) -> Vec<String> {
    let model = <onnx::proto::ModelProto as prost::Message>::decode(model.proto.as_slice()).unwrap();
    model.graph.unwrap().node.into_iter().filter_map(|n| n.op_type).collect()
}
