//! No pass changes what a network computes: random networks, evaluated before and after each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

use network::{
    ActivationType, ConvolutionAttributes, CumulativeOperation, DType, Dim, ElementWiseOperation, GatherMode,
    MatrixOperation, Network, Op, Origin, ReduceOperation, ReshapeDim, SampleMode, ScaleMode, Symbol, TensorId,
    UnaryOperation, Weights,
};
use passes::{Feature, Pass, STANDARD, Target, eval, legalize};
use proptest::prelude::*;
use std::sync::Arc;

/// One attempt to add a layer.
#[derive(Clone, Debug)]
struct Step {
    kind: u8,
    tensors: [u16; 3],
    numbers: [u16; 4],
}

/// Numbers drawn from a seed: values are made on the fly, so they shrink to none.
struct Values(u64);

impl Values {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let v = ((self.0 >> 33) as f64 / (1u64 << 31) as f64) * 4.0 - 2.0;
        // Away from zero: a division by almost nothing makes any error large.
        v + 0.25f64.copysign(v)
    }

    fn weights(&mut self, dtype: DType, dims: &[i64]) -> Weights {
        let count = dims.iter().product::<i64>();
        Weights::from_f64(
            dtype,
            dims,
            (0..count).map(|_| if dtype.is_float() { self.next() } else { (self.next() * 3.0).round() }),
        )
    }
}

fn origin() -> Arc<Origin> {
    Arc::new(Origin { module: "m".into(), ..Origin::default() })
}

struct Builder {
    network: Network,
    values: Values,
}

impl Builder {
    fn constant(&mut self, dtype: DType, dims: &[i64]) -> TensorId {
        let w = self.values.weights(dtype, dims);
        self.network.add_one(Op::Constant(w), &[], &origin()).unwrap()
    }

    fn fixed(&mut self, w: Weights) -> TensorId {
        self.network.add_one(Op::Constant(w), &[], &origin()).unwrap()
    }

    /// Adds the layer if it fits.
    fn try_add(&mut self, op: Op, inputs: &[TensorId]) {
        let inputs: Vec<_> = inputs.iter().copied().map(Some).collect();
        let _ = self.network.add(op, &inputs, &origin());
    }

    /// A constant that an element-wise layer takes with `x`: neutral, scalar, per channel or whole.
    fn partner(&mut self, x: TensorId, step: &Step) -> TensorId {
        let t = self.network.tensor(x).clone();
        let rank = t.rank();
        let mut dims = vec![1; rank];
        match step.numbers[1] % 4 {
            0 if rank > 1 => dims[1] = t.dims[1].as_static().unwrap_or(1),
            1 if rank > 0 => dims[rank - 1] = t.dims[rank - 1].as_static().unwrap_or(1),
            _ => {}
        }
        match step.numbers[2] % 4 {
            0 => self.fixed(Weights::filled(t.dtype, &dims, [0.0, -0.0, 1.0][usize::from(step.numbers[3] % 3)])),
            _ => self.constant(t.dtype, &dims),
        }
    }

    fn apply(&mut self, step: &Step) {
        let count = self.network.tensor_count();
        let [a, b, c] = step.tensors.map(|t| TensorId((usize::from(t) % count) as u32));
        let t = self.network.tensor(a).clone();
        let rank = t.rank();
        let [n, m, ..] = step.numbers.map(usize::from);
        let axis = n % rank.max(1);
        let mut order: Vec<usize> = (0..rank).collect();
        if rank > 0 {
            order.rotate_left(n % rank);
            order.swap(0, m % rank);
        }
        match step.kind {
            0 => self.try_add(Op::Activation { kind: ActivationType::ALL[n % 14], alpha: 0.5, beta: 1.5 }, &[a]),
            1 => self.try_add(Op::Unary { op: UnaryOperation::ALL[n % 25] }, &[a]),
            2 => self.try_add(
                Op::Cast { to: [DType::Float32, DType::Float16, DType::Int32, DType::Int64, DType::Bool][n % 5] },
                &[a],
            ),
            3 => self.try_add(Op::ElementWise { op: ElementWiseOperation::ALL[n % 14] }, &[a, b]),
            4..=7 => {
                let p = self.partner(a, step);
                let op = Op::ElementWise { op: ElementWiseOperation::ALL[n % 14] };
                self.try_add(op, &if m % 5 == 4 { [p, a] } else { [a, p] });
            }
            8 => {
                self.try_add(Op::Shuffle { first_transpose: Some(order), reshape: None, second_transpose: None }, &[a]);
            }
            9 => {
                let reshape = vec![ReshapeDim::Infer, ReshapeDim::Is([1, 2, 3][m % 3])];
                let first_transpose = (m % 2 == 0).then_some(order);
                self.try_add(
                    Op::Shuffle {
                        first_transpose,
                        reshape: Some(reshape),
                        second_transpose: (n % 3 == 0).then(|| vec![1, 0]),
                    },
                    &[a],
                );
            }
            10 => self.try_add(
                Op::Shuffle {
                    first_transpose: None,
                    reshape: Some([vec![ReshapeDim::Copy; axis], vec![ReshapeDim::Is(1), ReshapeDim::Infer]].concat()),
                    second_transpose: None,
                },
                &[a],
            ),
            11 => self.try_add(Op::Unsqueeze { axes: vec![axis] }, &[a]),
            12 => self.try_add(Op::Squeeze { axes: vec![axis] }, &[a]),
            13 => self.try_add(Op::Concatenation { axis }, &if m % 3 == 0 { vec![a] } else { vec![a, b] }),
            14 => {
                let size: Option<Vec<i64>> = t.dims.iter().map(Dim::as_static).collect();
                let Some(size) = size else { return };
                let whole = m % 2 == 0;
                let stride = if whole { 1 } else { -1 };
                let start = size.iter().map(|d| if whole { 0 } else { d - 1 }).collect();
                self.try_add(
                    Op::Slice { start, size, stride: vec![stride; rank], mode: SampleMode::StrictBounds },
                    &[a],
                );
            }
            15 => self.try_add(
                Op::Reduce {
                    op: ReduceOperation::ALL[m % 5],
                    axes: if n % 7 == 0 { vec![] } else { vec![axis] },
                    keep_dims: m % 2 == 0,
                },
                &[a],
            ),
            16 => self.try_add(Op::Select, &[a, b, c]),
            17 => {
                let condition = self.fixed(Weights::filled(DType::Bool, &vec![1; rank], (m % 2) as f64));
                self.try_add(Op::Select, &[condition, a, b]);
            }
            18 => self.try_add(Op::Shape, &[a]),
            19 => {
                let index = self.fixed(Weights::int64(&[1], &[axis as i64]));
                self.try_add(Op::Gather { mode: GatherMode::Default, axis: 0, elementwise_dims: 0 }, &[a, index]);
            }
            20 => self.try_add(Op::SoftMax { axis }, &[a]),
            21 => self.try_add(
                Op::Cumulative { op: CumulativeOperation::Sum, axis, exclusive: m % 2 == 0, reverse: n % 2 == 0 },
                &[a],
            ),
            22 => self
                .try_add(Op::MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::ALL[m % 2] }, &[a, b]),
            23 => self.product(a, &t, step),
            24..=26 => self.convolution(a, &t, step),
            27 => self.scale(a, &t, step),
            28 => self.reshape_by_shape(a, &t),
            29 => self.try_add(Op::Identity, &[a]),
            30 => self.try_add(Op::Padding { pre: vec![(m % 2) as i64, 0], post: vec![0, (n % 2) as i64] }, &[a]),
            31 => self.try_add(Op::TopK { op: network::TopKOperation::ALL[m % 2], k: 1, axis }, &[a]),
            _ => _ = self.constant([DType::Float32, DType::Int64][m % 2], &[[1, 2, 3][n % 3], 2]),
        }
    }

    fn product(&mut self, a: TensorId, t: &network::Tensor, step: &Step) {
        let Some(depth) = t.dims.last().and_then(Dim::as_static).filter(|_| t.rank() > 1) else { return };
        let transposed = step.numbers[0].is_multiple_of(2);
        let mut dims = vec![1; t.rank() - 2];
        dims.extend(if transposed { [3, depth] } else { [depth, 3] });
        let w = self.constant(t.dtype, &dims);
        let op1 = if transposed { MatrixOperation::Transpose } else { MatrixOperation::None };
        self.try_add(Op::MatrixMultiply { op0: MatrixOperation::None, op1 }, &[a, w]);
    }

    fn convolution(&mut self, a: TensorId, t: &network::Tensor, step: &Step) {
        let Some(channels) = t.dims.get(1).and_then(Dim::as_static).filter(|_| t.rank() == 4) else { return };
        let [groups, with_bias, transposed, padding] = step.numbers;
        let groups = if channels % 2 == 0 && groups % 2 == 0 { 2 } else { 1 };
        let attributes = ConvolutionAttributes {
            stride: vec![1, 1 + i64::from(groups == 2)],
            pre_padding: vec![i64::from(padding % 2), 0],
            post_padding: vec![0, i64::from(padding % 2)],
            dilation: vec![1, 1],
            groups,
        };
        let transposed = transposed % 3 == 0;
        let kernel = if transposed { [channels, 2, 2, 1] } else { [2 * groups, channels / groups, 2, 1] };
        let kernel = self.constant(t.dtype, &kernel);
        let mut inputs = vec![a, kernel];
        if with_bias % 2 == 0 {
            inputs.push(self.constant(t.dtype, &[2 * groups]));
        }
        self.try_add(if transposed { Op::Deconvolution(attributes) } else { Op::Convolution(attributes) }, &inputs);
    }

    fn scale(&mut self, a: TensorId, t: &network::Tensor, step: &Step) {
        let Some(channels) = t.dims.get(1).and_then(Dim::as_static) else { return };
        let mode = [ScaleMode::Channel, ScaleMode::Uniform][usize::from(step.numbers[0] % 2)];
        let dims = if mode == ScaleMode::Channel { vec![channels] } else { vec![1] };
        let (shift, scale) = (self.constant(t.dtype, &dims), self.constant(t.dtype, &dims));
        let inputs = if step.numbers[1].is_multiple_of(3) { vec![a, shift] } else { vec![a, shift, scale] };
        self.try_add(Op::Scale { mode, channel_axis: 1 }, &inputs);
    }

    /// `x.reshape(x.shape[0], -1)`, as in a program that traces sizes.
    fn reshape_by_shape(&mut self, a: TensorId, t: &network::Tensor) {
        if t.rank() < 2 {
            return;
        }
        let add = |b: &mut Self, op: Op, inputs: &[TensorId]| b.network.add_one(op, inputs, &origin()).unwrap();
        let shape = add(self, Op::Shape, &[a]);
        let (zero, rest) = (
            self.fixed(Weights::int64(&[1], &[0])),
            self.fixed(Weights::int64(&[t.rank() as i64 - 1], &(1..t.rank() as i64).collect::<Vec<_>>())),
        );
        let gather = Op::Gather { mode: GatherMode::Default, axis: 0, elementwise_dims: 0 };
        let first = add(self, gather.clone(), &[shape, zero]);
        let rest = add(self, gather, &[shape, rest]);
        let rest = add(self, Op::Reduce { op: ReduceOperation::Prod, axes: vec![0], keep_dims: true }, &[rest]);
        let to = add(self, Op::Concatenation { axis: 0 }, &[first, rest]);
        self.try_add(Op::Shuffle { first_transpose: None, reshape: None, second_transpose: None }, &[a, to]);
    }
}

fn build(steps: &[Step], seed: u64) -> Network {
    let mut network = Network::new();
    network.add_symbol("s0", Symbol { min: 1, opt: 2, max: 4 });
    network.add_input("x", DType::Float32, vec![Dim::symbol("s0"), Dim::Static(2), Dim::Static(3), Dim::Static(3)]);
    network.add_input("m", DType::Float32, vec![Dim::Static(2), Dim::symbol("s0")]);
    network.add_input("i", DType::Int64, vec![Dim::Static(1), Dim::Static(3)]);
    let mut builder = Builder { network, values: Values(seed) };
    for step in steps {
        builder.apply(step);
    }
    let mut network = builder.network;
    // All that nothing uses is an output, so that every layer counts.
    for (id, uses) in network.use_counts().into_iter().enumerate() {
        if uses == 0 {
            network.add_output(&format!("y{id}"), TensorId(id as u32));
        }
    }
    network
}

fn inputs(size: i64, seed: u64) -> Vec<Weights> {
    let mut values = Values(seed);
    [(DType::Float32, vec![size, 2, 3, 3]), (DType::Float32, vec![2, size]), (DType::Int64, vec![1, 3])]
        .into_iter()
        .map(|(dtype, dims)| values.weights(dtype, &dims))
        .collect()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0u8..33, any::<[u16; 3]>(), any::<[u16; 4]>());
    proptest::collection::vec(step.prop_map(|(kind, tensors, numbers)| Step { kind, tensors, numbers }), 1..24)
}

/// Evaluates both; `None` where the first has no defined value.
fn compare(before: &Network, after: &Network, size: i64, seed: u64, tolerance: f64) -> Result<(), TestCaseError> {
    let inputs = inputs(size, seed);
    let Ok(wanted) = eval::run(before, &inputs) else { return Ok(()) };
    // Inference accepts sizes that it cannot compare; where they differ, the network has no such size.
    let fits = before.outputs().iter().zip(&wanted).all(|(port, w)| {
        let dims = before.tensor(port.tensor).dims.iter().map(|d| d.eval(&|_| Some(size)));
        dims.zip(&w.dims).all(|(declared, is)| declared == Ok(*is))
    });
    if !fits {
        return Ok(());
    }
    let found = match eval::run(after, &inputs) {
        Ok(found) => found,
        Err(e) => return Err(TestCaseError::fail(format!("{e}\n{before}\n{after}"))),
    };
    // What cancels on the way bounds the error, not the result.
    let all = if tolerance > 0.0 { eval::run(&exposed(before), &inputs).unwrap_or_default() } else { Vec::new() };
    let largest = all.iter().flat_map(Weights::to_f64).fold(1.0f64, |m, v| m.max(v.abs()));
    for ((w, f), port) in wanted.iter().zip(&found).zip(before.outputs()) {
        prop_assert_eq!((w.dtype, &w.dims), (f.dtype, &f.dims), "{}\n{}\n{}", port.name, before, after);
        for (w, f) in w.to_f64().into_iter().zip(f.to_f64()) {
            let close =
                w.to_bits() == f.to_bits() || (w.is_nan() && f.is_nan()) || (w - f).abs() <= tolerance * largest;
            prop_assert!(close, "{}: {} became {}\n{}\n{}", port.name, w, f, before, after);
        }
    }
    Ok(())
}

/// Passes that must not change one bit.
fn exact(passes: &[Pass], steps: &[Step], size: i64, seed: u64) -> Result<(), TestCaseError> {
    let before = build(steps, seed);
    let (after, _) = passes::run(&before, passes).map_err(|e| TestCaseError::fail(format!("{e}\n{before}")))?;
    compare(&before, &after, size, seed ^ 0xabcdef, 0.0)
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(256);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 4000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn fold_is_exact(steps in steps(), size in 1i64..4, seed: u64) {
        exact(&[Pass::Fold], &steps, size, seed)?;
    }

    #[test]
    fn simplify_is_exact(steps in steps(), size in 1i64..4, seed: u64) {
        exact(&[Pass::Simplify], &steps, size, seed)?;
    }

    #[test]
    fn cse_and_dce_are_exact(steps in steps(), size in 1i64..4, seed: u64) {
        exact(&[Pass::Cse, Pass::Dce], &steps, size, seed)?;
    }

    #[test]
    fn all_exact_passes_together_are_exact(steps in steps(), size in 1i64..4, seed: u64) {
        let passes: Vec<_> = STANDARD.into_iter().filter(|p| *p != Pass::FoldBatchNorm).collect();
        exact(&passes, &steps, size, seed)?;
    }

    #[test]
    fn a_second_run_finds_nothing_left(steps in steps(), seed: u64) {
        let passes: Vec<_> = STANDARD.into_iter().filter(|p| *p != Pass::FoldBatchNorm).collect();
        let network = build(&steps, seed);
        let (once, _) = passes::run(&network, &passes).unwrap();
        let (twice, _) = passes::run(&once, &passes).unwrap();
        prop_assert_eq!(once.layers().len(), twice.layers().len(), "{}\n{}", once, twice);
    }
}

/// A weighted layer and what may be folded into it.
fn folding_steps() -> impl Strategy<Value = Vec<Step>> {
    let root = (23u8..27, Just([0u16, 0, 0]), any::<[u16; 4]>());
    // The step after works on the tensor made last; `numbers[0]` picks Sum, Prod, Sub, Div more often than not.
    let affine = (
        prop_oneof![4u8..8, Just(27u8), Just(8u8)],
        any::<[u16; 4]>(),
        prop_oneof![Just(0u16), Just(1), Just(4), Just(5)],
    );
    (root, proptest::collection::vec(affine, 1..5)).prop_map(|(root, rest)| {
        let mut steps = vec![Step { kind: root.0, tensors: root.1, numbers: root.2 }];
        steps.extend(rest.into_iter().map(|(kind, mut numbers, op)| {
            numbers[0] = if (4..8).contains(&kind) { op } else { numbers[0] };
            // A constant over x has no bound on its error, whatever was folded.
            numbers[1] = if op == 5 { 5 } else { numbers[1] };
            Step { kind, tensors: [u16::MAX; 3], numbers }
        }));
        steps
    })
}

fn build_chain(steps: &[Step], seed: u64) -> Network {
    let mut network = Network::new();
    network.add_symbol("s0", Symbol { min: 1, opt: 2, max: 4 });
    let mut last =
        network.add_input("x", DType::Float32, vec![Dim::symbol("s0"), Dim::Static(2), Dim::Static(3), Dim::Static(3)]);
    network.add_input("m", DType::Float32, vec![Dim::Static(2), Dim::symbol("s0")]);
    network.add_input("i", DType::Int64, vec![Dim::Static(1), Dim::Static(3)]);
    let mut builder = Builder { network, values: Values(seed) };
    for step in steps {
        let step = Step { tensors: [last.0 as u16; 3], ..step.clone() };
        builder.apply(&step);
        let made = TensorId(builder.network.tensor_count() as u32 - 1);
        if builder.network.constant(made).is_none() {
            last = made;
        }
    }
    builder.network.add_output("y", last);
    builder.network
}

/// Reshapes, transposes, squeezes and unsqueezes in a row.
fn shuffling_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (8u8..13, any::<[u16; 4]>()).prop_map(|(kind, numbers)| Step { kind, tensors: [0; 3], numbers });
    proptest::collection::vec(step, 1..8)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn shuffles_in_a_row_become_few(steps in shuffling_steps(), size in 1i64..4, seed: u64) {
        let before = build_chain(&steps, seed);
        let (after, _) = passes::run(&before, &[Pass::Simplify, Pass::Dce]).unwrap();
        compare(&before, &after, size, seed ^ 0x4321, 0.0)?;
        prop_assert!(after.layers().len() <= before.layers().len(), "{}\n{}", before, after);
    }

    #[test]
    fn folding_scales_into_weights_keeps_the_result(steps in folding_steps(), size in 1i64..4, seed: u64) {
        let before = build_chain(&steps, seed);
        let (after, _) = passes::run(&before, &[Pass::FoldBatchNorm, Pass::Dce]).unwrap();
        compare(&before, &after, size, seed ^ 0x1234, 2e-5)?;
        prop_assert!(after.layers().len() <= before.layers().len() + 1, "{}\n{}", before, after);
    }

    #[test]
    fn the_standard_passes_keep_the_result(steps in folding_steps(), size in 1i64..4, seed: u64) {
        let before = build_chain(&steps, seed);
        let (after, _) = passes::run(&before, &STANDARD).unwrap();
        compare(&before, &after, size, seed ^ 0x1234, 2e-5)?;
    }
}

/// The network with every tensor as an output.
fn exposed(network: &Network) -> Network {
    let mut all = network.clone();
    (0..network.tensor_count()).for_each(|id| all.add_output(&format!("t{id}"), TensorId(id as u32)));
    all
}

/// Whether the target can express the network, and every value of it can be held: no int64 beyond int32, nothing near a
/// rounding step that a reordered sum may cross.
fn legal(steps: &[Step], size: i64, seed: u64, target: Target) -> Result<(), TestCaseError> {
    let steps: Vec<Step> = steps.iter().filter(|s| !matches!(s.kind, 0..=7)).cloned().collect();
    let before = build(&steps, seed);
    let narrow = |w: &Weights| match w.dtype {
        DType::Int64 if !target.has(Feature::Int64) => Weights::from_i64(DType::Int32, &w.dims, w.to_i64().unwrap()),
        _ => w.clone(),
    };
    let given = inputs(size, seed);
    let Ok(all) = eval::run(&exposed(&before), &given) else { return Ok(()) };
    if all.iter().filter_map(Weights::to_i64).flatten().any(|v| i32::try_from(v).is_err()) {
        return Ok(());
    }
    let after = match legalize(&before, target) {
        Ok(after) => after,
        Err(e) => return Err(TestCaseError::fail(format!("{e}\n{before}"))),
    };
    after.verify().map_err(|e| TestCaseError::fail(e.to_string()))?;
    let given: Vec<_> = given.iter().map(narrow).collect();
    let found = eval::run(&after, &given).map_err(|e| TestCaseError::fail(format!("{e}\n{before}\n{after}")))?;
    for ((w, f), port) in all.iter().zip(&found).zip(before.outputs()) {
        let w = narrow(w);
        prop_assert_eq!((w.dtype, &w.dims), (f.dtype, &f.dims), "{}\n{}\n{}", port.name, before, after);
        for (w, f) in w.to_f64().into_iter().zip(f.to_f64()) {
            let close = w == f || (w.is_nan() && f.is_nan()) || (w - f).abs() <= 1e-4 * w.abs().max(1.0);
            prop_assert!(close, "{}: {} became {}\n{}\n{}", port.name, w, f, before, after);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn legalizing_keeps_the_result(steps in steps(), size in 1i64..4, seed: u64) {
        for target in [Target::TensorRt(8, 6), Target::TensorRt(10, 0), Target::TensorRt(11, 4), Target::Rtx(1, 7)] {
            legal(&steps, size, seed, target)?;
        }
    }
}
