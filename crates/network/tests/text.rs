//! The text form: goldens, round trips over generated networks, and texts that are no network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

use network::{
    ActivationType, ConvolutionAttributes, ElementWiseOperation, FillOperation, MatrixOperation, ReduceOperation,
    ReshapeDim, SampleMode, TopKOperation,
};
use network::{DType, Dim, Error, Network, Op, Origin, Symbol, TensorId, Weights};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

/// Reads `text` with the weights of `source`.
fn parse(text: &str, source: &Network) -> Result<Network, Error> {
    let weights: HashMap<u64, bytes::Bytes> = source
        .layers()
        .iter()
        .filter_map(|l| if let Op::Constant(w) = &l.op { Some((w.digest(), w.data.clone())) } else { None })
        .collect();
    Network::parse(text, &|digest| weights.get(&digest).cloned())
}

/// Same network up to how tensors are numbered, bits of constants included.
fn assert_same(a: &Network, b: &Network) {
    assert_eq!(a.to_string(), b.to_string());
    assert_eq!(a.symbols(), b.symbols());
    assert_eq!(a.layers().len(), b.layers().len());
    for (x, y) in a.layers().iter().zip(b.layers()) {
        assert_eq!((&x.name, &x.origin), (&y.name, &y.origin));
        let data =
            |op: &Op| if let Op::Constant(w) = op { Some((w.dtype, w.dims.clone(), w.data.clone())) } else { None };
        assert_eq!(data(&x.op), data(&y.op));
        for (o, p) in x.outputs.iter().zip(&y.outputs) {
            assert_eq!(a.tensor(*o).value, b.tensor(*p).value);
        }
    }
}

fn origin(module: &str, operator: &str, position: &str) -> Arc<Origin> {
    Arc::new(Origin { module: module.into(), operator: operator.into(), position: position.into(), node: None })
}

#[test]
fn a_small_model_prints_as_people_would_write_it() {
    let mut n = Network::new();
    n.add_symbol("s0", Symbol { min: 1, opt: 4, max: 8 });
    n.add_symbol("s1", Symbol { min: 2, opt: 64, max: i64::MAX });
    let dims = vec![Dim::symbol("s0"), Dim::Static(3), Dim::symbol("s1"), Dim::Static(9)];
    let x = n.add_input("x", DType::Float32, dims);
    let at = origin("conv1", "aten.conv2d.default", "resnet.py:268");
    let kernel = n.add_one(Op::Constant(Weights::filled(DType::Float32, &[4, 3, 3, 3], 0.5)), &[], &at).unwrap();
    let bias = Op::Constant(Weights::float32(&[4], &[0.1, -0.0, f32::INFINITY, 1e-45]));
    let bias = n.add_one(bias, &[], &at).unwrap();
    let attributes = ConvolutionAttributes {
        stride: vec![2, 2],
        pre_padding: vec![1, 1],
        post_padding: vec![1, 1],
        dilation: vec![1, 1],
        groups: 1,
    };
    let y = n.add_one(Op::Convolution(attributes), &[x, kernel, bias], &at).unwrap();
    let relu = Op::Activation { kind: ActivationType::Relu, alpha: 0.0, beta: 0.0 };
    let y = n.add_one(relu, &[y], &origin("", "aten.relu.default", "")).unwrap();
    let top = n.add(Op::TopK { op: TopKOperation::Max, k: 1, axis: 1 }, &[Some(y)], &Arc::default()).unwrap();
    let sure = n.add_one(Op::Constant(Weights::bool(&[2], &[true, false])), &[], &Arc::default()).unwrap();
    n.add(Op::Assertion { message: "\"q\"\n\u{7}é".into() }, &[Some(sure)], &Arc::default()).unwrap();
    let slice = Op::Slice { start: vec![0; 4], size: vec![], stride: vec![1; 4], mode: SampleMode::Fill };
    let size = n.add_one(Op::Constant(Weights::int64(&[4], &[1, 1, 2, 2])), &[], &Arc::default()).unwrap();
    let fill = n.add_one(Op::Constant(Weights::scalar(DType::Float32, f64::NAN)), &[], &Arc::default()).unwrap();
    let y = n.add(slice, &[Some(top[0]), None, Some(size), None, Some(fill)], &Arc::default()).unwrap()[0];
    n.add_output("out\"put", y);
    n.add_output("index", top[1]);
    insta::assert_snapshot!("a_small_model", n);
    assert_same(&n, &parse(&n.to_string(), &n).unwrap());
}

#[test]
fn sizes_that_would_multiply_without_end_are_refused() {
    let sum = |n: usize| {
        (1..=n).map(|k| if k == 1 { "s0".into() } else { format!("floordiv(s0, {k})") }).collect::<Vec<_>>().join(" + ")
    };
    let read = |dims: &str| {
        let text = format!("network\nsymbol s0 in 1.. opt 1\ninput %0 \"x\": float32[{dims}]\noutput \"y\": %0");
        Network::parse(&text, &|_| None).map_err(|e| e.to_string())
    };
    assert!(read(&["s0 + 1"; 8].join(",")).is_ok(), "eight sizes of two terms");
    let error = read(&format!("{0},{0}", sum(19))).unwrap_err();
    assert!(error.contains("the sizes multiply to 361 terms; 256 are allowed"), "{error}");
    let error = read(&vec![format!("floordiv({}, 1)", sum(9)); 9].join("*")).unwrap_err();
    assert!(error.contains("too many terms"), "{error}");
}

#[test]
fn a_read_network_gives_new_layers_new_names() {
    let mut n = Network::parse(
        "network\ninput %0 \"x\": float32[2]\n%1: float32[2] = Identity(%0) \"Identity\"\n\
         %2: float32[2] = Identity(%1) \"Identity_2\"\noutput \"y\": %2",
        &|_| None,
    )
    .unwrap();
    let x = n.inputs()[0].tensor;
    n.add_one(Op::Identity, &[x], &Arc::default()).unwrap();
    assert_eq!(n.layers().last().unwrap().name, "Identity_3");
    n.verify().unwrap();
}

#[test]
fn an_invalid_text_is_an_error_with_line_and_reason() {
    let head = "network\n  symbol s0 in 1..8 opt 4\n  input %0 \"x\": float32[s0,3]\n";
    for (line, expected) in [
        ("%1: float32[s0,3] = Identity(%0)", "a string in double quotes is missing at the end of the line"),
        ("%1: float32[s0,4] = Identity(%0) \"a\"", "%1 is written as float32[s0,4], but inference finds float32[s0,3]"),
        ("%1: float32[s0,3] = Identity(%7) \"a\"", "%7 is used before it is made"),
        ("%0: float32[s0,3] = Identity(%0) \"a\"", "%0 is made twice"),
        ("%1: float33[s0,3] = Identity(%0) \"a\"", "`float33` is not an element type"),
        ("%1: float32[s0,3] = Identify(%0) \"a\"", "a layer does not parse"),
        ("%1: float32[s0,3] = SoftMax(axis: 7)(%0) \"a\"", "axis 7 is outside float32[s0,3]"),
        ("%1: float32[s0,3] = Identity(%0) \"a\" junk", "the end of the line is expected at `junk`"),
        ("%1: float32[3] = Constant([1.0, x, 2.0]) \"a\"", "`x` is not a float32"),
        ("%1: float32[3] = Constant([1.0]) \"a\"", "the constant has 4 bytes, which is not float32[3]"),
        ("%1: float32[99] = Constant(#00000000000000ff) \"a\"", "the weights #00000000000000ff are not there"),
        ("%1: float32[s0] = Constant([1.0]) \"a\"", "a constant's sizes are numbers"),
        ("input %1 \"y\": float32[s9]", "the symbol `s9` is not declared"),
        ("input %1 \"y\": float32[(s0+1)*(s0+1)]", "is not a size"),
        ("input %1 \"y\": float32[1,1,1,1,1,1,1,1,1]", "rank 9 is above TensorRT's limit of 8"),
        ("output \"y\": 7", "`%` is expected at `7`"),
        ("symbol s0 in 1.. opt 1", "the symbol `s0` is declared twice"),
        ("Identity(%0) \"a\"", "the layer makes 1 tensors, 0 are written"),
    ] {
        match Network::parse(&format!("{head}  {line}\n"), &|_| None) {
            Err(Error::Text { line: 4, problem, text }) => {
                assert!(problem.contains(expected), "{line}\n  got: {problem}\n  not: {expected}");
                assert_eq!(text, line);
            }
            other => panic!("{line}: {other:?}"),
        }
    }
    let empty = Network::parse("", &|_| None).unwrap_err().to_string();
    assert!(empty.contains("starts with the line `network`"), "{empty}");
}

// ---- generated networks ----------------------------------------------------------------------------------------

/// One attempt to add a layer: which, on which tensors, and numbers for its attributes.
#[derive(Clone, Debug)]
struct Step {
    kind: u8,
    tensors: [u16; 2],
    number: i64,
    float: f32,
    text: String,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let float = prop_oneof![any::<f32>(), Just(f32::INFINITY), Just(f32::NEG_INFINITY), Just(f32::NAN), Just(-0.0)];
    let number = prop_oneof![0i64..4, -3i64..20, -(1i64 << 40)..1i64 << 40];
    let step = (0u8..25, any::<[u16; 2]>(), number, float, "\\PC{0,6}|[a-z\"\\\\\n\t]{0,4}");
    let step = step.prop_map(|(kind, tensors, number, float, text)| Step { kind, tensors, number, float, text });
    proptest::collection::vec(step, 0..40)
}

fn random_dims() -> impl Strategy<Value = Vec<Dim>> {
    let dim = prop_oneof![
        (0i64..6).prop_map(Dim::Static),
        Just(Dim::symbol("s0")),
        Just(Dim::parse("2*s0 + 1").unwrap()),
        Just(Dim::parse("min(s0, floordiv(s1, 3))*s1").unwrap()),
    ];
    proptest::collection::vec(dim, 0..5)
}

fn op(step: &Step, rank: usize, elements: &Dim) -> Op {
    let (n, f) = (step.number, step.float);
    let axis = n.rem_euclid(rank.max(1) as i64) as usize;
    let reversed: Vec<usize> = (0..rank).rev().collect();
    match step.kind {
        0 => Op::Activation { kind: ActivationType::ALL[n.rem_euclid(14) as usize], alpha: f, beta: -f },
        1 => Op::Cast { to: DType::ALL[n.rem_euclid(8) as usize] },
        2 => Op::Concatenation { axis },
        3 => Op::Constant(Weights::from_f64(DType::Float32, &[2], [f64::from(f), n as f64])),
        4 => Op::Constant(Weights::filled(DType::ALL[n.rem_euclid(9) as usize], &[axis as i64 + 1, 13], f.into())),
        5 => Op::Constant(Weights::int64(&[2], &[n, -1])),
        6 => Op::ElementWise { op: ElementWiseOperation::ALL[n.rem_euclid(14) as usize] },
        7 => {
            Op::Fill { op: FillOperation::Linspace, dims: vec![n], dtype: DType::Float32, alpha: f.into(), beta: 1e300 }
        }
        8 => Op::Identity,
        9 => Op::Reduce { op: ReduceOperation::Max, axes: vec![axis], keep_dims: n > 2 },
        10 => Op::Shape,
        11 => Op::Shuffle { first_transpose: Some(reversed), reshape: None, second_transpose: None },
        12 => {
            let to = if elements.is_static() { ReshapeDim::Infer } else { ReshapeDim::Is(n) };
            Op::Shuffle { first_transpose: None, reshape: Some(vec![ReshapeDim::Copy, to]), second_transpose: None }
        }
        13 => Op::Slice {
            start: vec![0; rank],
            size: vec![n; rank],
            stride: vec![n; rank],
            mode: SampleMode::StrictBounds,
        },
        14 => Op::Unsqueeze { axes: vec![axis] },
        15 => Op::Padding { pre: vec![n, 0], post: vec![n, n] },
        16 => Op::Einsum { equation: step.text.clone() },
        17 => Op::Assertion { message: step.text.clone() },
        18 => Op::NonZero { count: format!("u{axis}") },
        19 => Op::TopK { op: TopKOperation::Min, k: n, axis },
        20 => Op::Lrn { window: n, alpha: f, beta: 1.0 / 3.0, k: f },
        21 => Op::Quantize { axis: (n > 1).then_some(axis), to: DType::Float8E4M3 },
        22 => Op::Select,
        23 => Op::MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::ALL[n.rem_euclid(3) as usize] },
        _ => Op::Normalization { axes: vec![axis, 0], epsilon: f, groups: n },
    }
}

fn build(inputs: &[Vec<Dim>], steps: &[Step]) -> Network {
    let mut n = Network::new();
    n.add_symbol("s0", Symbol { min: 1, opt: 4, max: 8 });
    n.add_symbol("s1", Symbol { min: 0, opt: 1, max: i64::MAX });
    for (k, dims) in inputs.iter().enumerate() {
        n.add_input(&format!("x{k}"), if k == 1 { DType::Int64 } else { DType::Float32 }, dims.clone());
    }
    for step in steps {
        let count = n.tensor_count();
        let ids = step.tensors.map(|t| TensorId((usize::from(t) % count) as u32));
        let (rank, elements) = (n.tensor(ids[0]).rank(), Dim::product(&n.tensor(ids[0]).dims));
        let op = op(step, rank, &elements);
        let inputs = match op {
            Op::Constant(_) | Op::Fill { .. } => vec![],
            Op::ElementWise { .. } | Op::MatrixMultiply { .. } | Op::Concatenation { .. } | Op::Quantize { .. } => {
                vec![Some(ids[0]), Some(ids[1])]
            }
            Op::Normalization { .. } | Op::Select => vec![Some(ids[0]), Some(ids[1]), Some(ids[1])],
            _ => vec![Some(ids[0])],
        };
        let origin = origin(&step.text, "aten.x.default", if step.number > 1 { "a b.py:3" } else { "" });
        // Most attempts do not fit; those that do make the network.
        let _ = n.add(op, &inputs, &origin);
    }
    let last = TensorId(n.tensor_count() as u32 - 1);
    n.add_output("y", last);
    n
}

#[test]
fn the_content_digest_knows_weights_and_layers_but_no_lines() {
    let of = |position: &str, value: f64, kind: ActivationType| {
        let (mut network, here) = (Network::new(), origin("a", "aten.add", position));
        let x = network.add_input("x", DType::Float32, vec![2.into()]);
        let w = network.add_one(Op::Constant(Weights::filled(DType::Float32, &[2], value)), &[], &here).unwrap();
        let y = network.add_one(Op::ElementWise { op: ElementWiseOperation::Sum }, &[x, w], &here).unwrap();
        let y = network.add_one(Op::Activation { kind, alpha: 0.0, beta: 0.0 }, &[y], &here).unwrap();
        network.add_output("y", y);
        network
    };
    let one = of("net.py:1", 1.0, ActivationType::Relu);
    let moved = of("net.py:2", 1.0, ActivationType::Relu);
    assert_ne!(one.digest(), moved.digest());
    assert_eq!(one.content_digest(), moved.content_digest());
    let trained = of("net.py:1", 2.0, ActivationType::Relu);
    assert_eq!(one.structure_digest(), trained.structure_digest());
    assert_ne!(one.content_digest(), trained.content_digest());
    assert_ne!(one.content_digest(), of("net.py:1", 1.0, ActivationType::Tanh).content_digest());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn printing_and_reading_agree(inputs in proptest::collection::vec(random_dims(), 1..4), steps in steps()) {
        let network = build(&inputs, &steps);
        network.verify().unwrap();
        let read = parse(&network.to_string(), &network).unwrap();
        read.verify().unwrap();
        assert_same(&network, &read);
    }

    #[test]
    fn no_text_makes_the_reader_panic(
        inputs in proptest::collection::vec(random_dims(), 1..4),
        steps in steps(),
        edits in proptest::collection::vec(
            (any::<prop::sample::Index>(), "[-0-9a-z%\"(),:\\[\\]*s_ ]{0,3}|9223372036854775807|\\PC"),
            1..4,
        ),
    ) {
        let network = build(&inputs, &steps);
        let mut text: Vec<char> = network.to_string().chars().collect();
        for (at, by) in edits {
            let at = at.index(text.len());
            text.splice(at..(at + 1).min(text.len()), by.chars());
        }
        let text: String = text.into_iter().collect();
        if let Ok(read) = parse(&text, &network)
            && let Ok(again) = parse(&read.to_string(), &network)
        {
            prop_assert_eq!(again.to_string(), read.to_string());
        }
    }
}
