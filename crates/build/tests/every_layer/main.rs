//! A build of every kind of layer with each of its variants, by the real TensorRT-RTX, with static and symbolic sizes.
//!
//! The table is the statement: what is in it, TensorRT takes. Where a version refuses, the case has that version and
//! the words, so that a version that learns it is noticed too.
#![allow(clippy::panic, clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod contractions;
mod images;
mod layouts;
mod pointwise;

use DType::{BFloat16, Bool, Float16, Float32, Int32, Int64};
use common::{Net, build, library};
use network::*;

const FLOATS: [DType; 3] = [Float32, Float16, BFloat16];
const NUMBERS: [DType; 5] = [Float32, Float16, BFloat16, Int32, Int64];
const ANY: [DType; 6] = [Float32, Float16, BFloat16, Int32, Int64, Bool];

/// What TensorRT refuses of the table.
struct Refusal {
    /// What the names of the cases contain.
    cases: &'static [&'static str],
    /// TensorRT's messages.
    words: &'static str,
    /// When it does.
    when: When,
}

#[derive(Clone, Copy, PartialEq)]
enum When {
    Always,
    /// In TensorRT-RTX 1.4, no longer in 1.7.
    Before1_5,
    /// In TensorRT-RTX 1.4 on a machine without a GPU.
    Before1_5WithoutGpu,
}

const REFUSALS: &[Refusal] = &[
    Refusal { cases: &["softmax of rank 1"], words: "at least 2 dimensions", when: When::Always },
    Refusal { cases: &["topk", "of rank 1"], words: "at least 2 dimensions", when: When::Always },
    Refusal { cases: &["topk of many"], words: "Valid range of TopK", when: When::Always },
    Refusal { cases: &["deconvolution", "bfloat16"], words: "Could not infer output types", when: When::Always },
    Refusal { cases: &["deconvolution strided, dilated"], words: "Strided & Dilated Deconv", when: When::Always },
    Refusal { cases: &["non-zero"], words: "has no runners that implement it", when: When::Always },
    Refusal { cases: &["nms"], words: "has no runners that implement it", when: When::Always },
    Refusal { cases: &["scale elementwise, batch of 2"], words: "60 was expected", when: When::Always },
    Refusal { cases: &["Random", "float16"], words: "the first output must have type", when: When::Before1_5 },
    Refusal { cases: &["quantized convolution"], words: "CHECK(dtype == myelinTypeFloat", when: When::Before1_5 },
    Refusal { cases: &["quantize "], words: "Cuda Runtime", when: When::Before1_5WithoutGpu },
    Refusal { cases: &["int8 weights"], words: "Cuda Runtime", when: When::Before1_5WithoutGpu },
];

type Case = (String, Box<dyn Fn(&mut Net)>);

/// Cases under construction.
#[derive(Default)]
struct Table(Vec<Case>);

impl Table {
    /// A case: makes the inputs and layers. Where it names no outputs, those of the last layer are.
    fn add(&mut self, name: impl Into<String>, make: impl Fn(&mut Net) + 'static) {
        self.0.push((name.into(), Box::new(make)));
    }

    /// A layer of one input of these sizes, without the batch.
    fn one(&mut self, name: impl Into<String>, dtype: DType, sizes: &'static [i64], op: Op) {
        let name = format!("{} {dtype} {sizes:?}", name.into());
        self.add(name, move |n| {
            let x = n.input(dtype, sizes);
            n.op(op.clone(), &[x]);
        });
    }
}

fn table() -> Vec<Case> {
    let mut t = Table::default();
    pointwise::add(&mut t);
    images::add(&mut t);
    contractions::add(&mut t);
    layouts::add(&mut t);
    t.0
}

fn slice(start: &[i64], size: &[i64], stride: &[i64]) -> Op {
    let mode = SampleMode::StrictBounds;
    Op::Slice { start: start.to_vec(), size: size.to_vec(), stride: stride.to_vec(), mode }
}

fn reshape(to: &[ReshapeDim]) -> Op {
    Op::Shuffle { first_transpose: None, reshape: Some(to.to_vec()), second_transpose: None }
}

/// What is wrong with how a case went: not built, or built though TensorRT was known to refuse it.
fn wrong(name: &str, library: nvinfer::Library, symbolic: bool, make: &dyn Fn(&mut Net)) -> Option<String> {
    let mut n = Net::new(symbolic);
    make(&mut n);
    if n.network.outputs().is_empty() {
        let last = n.network.layers().last().unwrap().outputs.clone();
        for id in last {
            n.output(id);
        }
    }
    let old = library.version().family() == nvinfer::Family::Rtx1_3;
    let known = |r: &&Refusal| r.cases.iter().all(|part| name.contains(part)) && (old || r.when == When::Always);
    match (build(&n.network, library), REFUSALS.iter().find(known)) {
        (Ok(_), None | Some(Refusal { when: When::Before1_5WithoutGpu, .. })) => None,
        (Ok(_), Some(known)) => Some(format!("{name}: built, though known to be refused with `{}`", known.words)),
        (Err(error), Some(known)) if error.to_string().contains(known.words) => None,
        (Err(error), _) => Some(format!("{name}: {error}")),
    }
}

/// Goes through the table with the sizes that `symbolic` has for the case of that number, if any;
/// `TORCH2TRT_TEST_ONLY` keeps the cases whose names contain it.
fn check(variable: &str, symbolic: fn(usize) -> Option<bool>) {
    let Some(library) = library(variable) else { return };
    library.logger().set_level(nvinfer::Severity::InternalError);
    let only = std::env::var("TORCH2TRT_TEST_ONLY").unwrap_or_default();
    let cases = table().into_iter().enumerate().filter(|(_, (name, _))| name.contains(&only));
    let failed: Vec<_> = cases.filter_map(|(k, (name, make))| wrong(&name, library, symbolic(k)?, &make)).collect();
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn rtx_1_7_static() {
    check("TORCH2TRT_TEST_RTX_1_7", |_| Some(false));
}

#[test]
fn rtx_1_7_symbolic() {
    check("TORCH2TRT_TEST_RTX_1_7", |_| Some(true));
}

// 1.4 takes five times as long for a build: each case goes once, with static and symbolic sizes in turn.

#[test]
fn rtx_1_4_static() {
    check("TORCH2TRT_TEST_RTX_1_4", |k| k.is_multiple_of(2).then_some(false));
}

#[test]
fn rtx_1_4_symbolic() {
    check("TORCH2TRT_TEST_RTX_1_4", |k| (!k.is_multiple_of(2)).then_some(true));
}

#[test]
fn no_kind_of_layer_is_left_out() {
    let kinds: std::collections::BTreeSet<_> = table()
        .iter()
        .flat_map(|(_, make)| {
            let mut n = Net::new(false);
            make(&mut n);
            n.network.layers().iter().map(|layer| layer.op.name()).collect::<Vec<_>>()
        })
        .collect();
    let missing: Vec<_> = network::KINDS.iter().map(|(kind, _)| *kind).filter(|kind| !kinds.contains(kind)).collect();
    // TensorRT-RTX has no plugins.
    assert_eq!(missing, ["Plugin"]);
}
