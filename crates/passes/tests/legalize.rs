//! `legalize`: what it leaves is known to the target, and computes the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

mod common;

use common::{becomes, count, read, values};
use network::{DType, ElementWiseOperation as E, Network, Op, Weights};
use passes::{Feature, Pass, STANDARD, Target, eval, for_target, legalize, run};
use proptest::prelude::*;

const OLD: Target = Target::TensorRt(8, 6);

/// Legalizes for `target`, checks that no layer of `gone` is left, and compares on `dims` for the one input.
fn same(text: &str, target: Target, dims: &[i64], gone: &[&str], tolerance: f64) {
    let before = read(text);
    let after = legalize(&before, target).unwrap();
    after.verify().unwrap();
    for name in gone {
        assert_eq!(count(&after, name), 0, "{after}");
    }
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let dtype = |n: &Network| n.tensor(n.inputs()[0].tensor).dtype;
    let x = values(dtype(&before), dims, seed);
    let narrow = Weights::from_f64(dtype(&after), dims, x.to_f64());
    let (wanted, found) = (eval::run(&before, &[x]).unwrap(), eval::run(&after, &[narrow]).unwrap());
    for (w, f) in wanted.iter().zip(&found) {
        assert_eq!(w.dims, f.dims, "seed {seed}\n{after}");
        for (w, f) in w.to_f64().into_iter().zip(f.to_f64()) {
            assert!((w - f).abs() <= tolerance * w.abs().max(1.0), "{w} became {f}, seed {seed}\n{after}");
        }
    }
}

/// The error of a network that the target cannot run, with its help.
fn refused(network: &Network, target: Target) -> String {
    let error = legalize(network, target).unwrap_err();
    format!("{error}\nhelp: {}", error.help().unwrap_or_default())
}

#[test]
fn gelus_are_written_out() {
    for kind in ["GeluErf", "GeluTanh"] {
        for (dtype, tolerance) in [("float32", 1e-6), ("float16", 4e-3)] {
            let text = format!(
                "symbol s0 in 1.. opt 1
                 input %0 \"x\": {dtype}[s0,3,5]
                 %1: {dtype}[s0,3,5] = Activation(kind: {kind}, alpha: 0.0, beta: 0.0)(%0)
                 output \"y\": %1"
            );
            same(&text, OLD, &[2, 3, 5], &[], tolerance);
            let kept = legalize(&read(&text), Target::TensorRt(10, 0)).unwrap();
            assert_eq!(kept.layers().len(), 1, "10.0 has it");
        }
    }
}

#[test]
fn cumulative_sums_are_steps_of_doubling_length() {
    for (dtype, size, tolerance) in [("float32", 7, 0.0), ("int32", 16, 0.0), ("int64", 1, 0.0), ("int64", 9, 0.0)] {
        for attributes in [
            "exclusive: false, reverse: false",
            "exclusive: true, reverse: false",
            "exclusive: false, reverse: true",
            "exclusive: true, reverse: true",
        ] {
            for dims in [format!("2,{size},3"), "2,s0,3".to_owned()] {
                let text = format!(
                    "symbol s0 in 1..16 opt 4
                     input %0 \"x\": {dtype}[{dims}]
                     %1: {dtype}[{dims}] = Cumulative(op: Sum, axis: 1, {attributes})(%0)
                     output \"y\": %1"
                );
                same(&text, OLD, &[2, size, 3], &["Cumulative"], tolerance);
                same(&text, Target::TensorRt(10, 7), &[2, size, 3], &["Cumulative"], tolerance);
            }
        }
    }
}

#[test]
fn a_cumulative_sum_without_a_largest_size_is_refused() {
    let network = read(
        "symbol s0 in 1.. opt 4
         input %0 \"x\": float32[s0]
         %1: float32[s0] = Cumulative(op: Sum, axis: 0, exclusive: false, reverse: false)(%0)
         output \"y\": %1",
    );
    assert_eq!(
        refused(&network, OLD),
        "TensorRT 8.6 does not support the Cumulative layer `l2` (op m2 net.py:2): it has no cumulative sum, and one \
         over an axis of s0 elements has no largest size\nhelp: give the axis a largest size (max_shapes), or use \
         TensorRT 10.8 or newer"
    );
    // Nor has one that is computed from it.
    let network = read(
        "symbol s0 in 1.. opt 4
         input %0 \"x\": float32[s0 - 1]
         %1: float32[s0 - 1] = Cumulative(op: Sum, axis: 0, exclusive: false, reverse: false)(%0)
         output \"y\": %1",
    );
    assert!(legalize(&network, OLD).unwrap_err().to_string().contains("s0 - 1 elements has no largest size"));
}

#[test]
fn squeezes_are_reshapes_with_sizes_picked_at_run_time_where_they_must_be() {
    same(
        "input %0 \"x\": float32[2,1,3]
         %1: float32[2,3] = Squeeze(axes: [1])(%0)
         %2: float32[1,2,3] = Unsqueeze(axes: [0])(%1)
         output \"y\": %2",
        Target::TensorRt(10, 6),
        &[2, 1, 3],
        &["Squeeze", "Unsqueeze", "Shape"],
        0.0,
    );
    let dynamic = "symbol s0 in 1.. opt 1
         symbol s1 in 1.. opt 1
         input %0 \"x\": float32[1,s0,1,s1]
         %1: float32[s0,s1] = Squeeze(axes: [0, 2])(%0)
         %2: float32[s0,1,s1,1] = Unsqueeze(axes: [1, 3])(%1)
         output \"y\": %2";
    same(dynamic, Target::TensorRt(10, 6), &[1, 3, 1, 2], &["Squeeze", "Unsqueeze"], 0.0);
    same(dynamic, OLD, &[1, 2, 1, 5], &["Squeeze", "Unsqueeze"], 0.0);
    assert_eq!(count(&legalize(&read(dynamic), Target::TensorRt(10, 7)).unwrap(), "Unsqueeze"), 1);
}

#[test]
fn scales_of_other_ranks_than_4_and_5_are_element_wise() {
    for (dims, sizes, rtx) in
        [("s0,3", vec![2, 3], 1), ("s0,3,5", vec![2, 3, 5], 1), ("s0,3,2,1,2,1", vec![2, 3, 2, 1, 2, 1], 0)]
    {
        let text = format!(
            "symbol s0 in 1.. opt 1
             input %0 \"x\": float32[{dims}]
             %1: float32[3] = Constant([1.0, 2.0, 3.0])
             %2: float32[3] = Constant([0.5, -2.0, 4.0])
             %3: float32[{dims}] = Scale(mode: Channel, channel_axis: 1)(%0, %1, %2)
             output \"y\": %3"
        );
        for target in [OLD, Target::TensorRt(11, 4)] {
            same(&text, target, &sizes, &["Scale"], 0.0);
        }
        assert_eq!(count(&legalize(&read(&text), Target::Rtx(1, 7)).unwrap(), "Scale"), rtx, "RTX takes 2 to 5");
        assert_eq!(count(&legalize(&read(&text), Target::Cpu).unwrap(), "Scale"), 1);
    }
}

#[test]
fn groups_are_normalized_as_an_axis() {
    for dims in ["2,4,3,3", "s0,4,3,3", "s0,4,s1,3", "s0,4,s1,s2"] {
        let text = format!(
            "symbol s0 in 1.. opt 1
             symbol s1 in 1.. opt 1
             symbol s2 in 1.. opt 1
             input %0 \"x\": float32[{dims}]
             %1: float32[1,4,1,1] = Constant([1.0, 2.0, 3.0, 4.0])
             %2: float32[1,4,1,1] = Constant([0.5, -2.0, 4.0, 0.0])
             %3: float32[{dims}] = Normalization(axes: [2, 3], epsilon: 1e-5, groups: 2)(%0, %1, %2)
             output \"y\": %3"
        );
        let made = legalize(&read(&text), Target::TensorRt(10, 14)).unwrap();
        let x = values(DType::Float32, &[2, 4, 3, 3], 7);
        let (x_values, y) = (x.to_f64(), eval::run(&made, &[x]).unwrap()[0].to_f64());
        for (n, group) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let at = (n * 4 + group * 2) * 9;
            let part = &x_values[at..at + 18];
            let mean = part.iter().sum::<f64>() / 18.0;
            let deviation = (part.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 18.0 + 1e-5).sqrt();
            for (k, v) in part.iter().enumerate() {
                let c = group * 2 + k / 9;
                let wanted = (v - mean) / deviation * [1.0, 2.0, 3.0, 4.0][c] + [0.5, -2.0, 4.0, 0.0][c];
                assert!((y[at + k] - wanted).abs() < 1e-5, "{} is not {wanted}\n{made}", y[at + k]);
            }
        }
    }
}

#[test]
fn nan_is_what_differs_from_itself() {
    let network = read("input %0 \"x\": float32[3]\n%1: bool[3] = Unary(op: Isnan)(%0)\noutput \"y\": %1");
    let made = legalize(&network, Target::TensorRt(10, 0)).unwrap();
    let y = eval::run(&made, &[Weights::float32(&[3], &[1.0, f32::NAN, f32::INFINITY])]).unwrap();
    assert_eq!(y[0].to_f64(), [0.0, 1.0, 0.0]);
    assert!(!made.to_string().contains("Isnan"));
}

#[test]
fn int64_becomes_int32_where_there_is_none() {
    becomes(
        |n| legalize(n, OLD).unwrap(),
        "symbol s0 in 1.. opt 1
         input %0 \"ids\": int64[s0,4]
         %1: int64[2] = Shape(%0)
         %2: int64[2] = Constant([1, -1])
         %3: int64[2] = ElementWise(op: Sum)(%1, %2)
         %4: int32[2] = Cast(to: int32)(%3)
         %5: int64[s0,4] = Cast(to: int64)(%0)
         output \"a\": %4
         output \"b\": %5",
        "symbol s0 in 1.. opt 1
         input %0 \"ids\": int32[s0,4]
         %1: int64[2] = Shape(%0)
         %2: int32[2] = Cast(to: int32)(%1)
         %3: int32[2] = Constant([1, -1])
         %4: int32[2] = ElementWise(op: Sum)(%2, %3)
         output \"a\": %4
         output \"b\": %0",
    );
    let network = read("%0: int64[2] = Constant([1, 9223372036854775807])\noutput \"y\": %0");
    assert_eq!(
        refused(&network, OLD),
        "TensorRT 8.6 does not support the Constant layer `m0.Constant` (op m0 net.py:0): it has no int64, and the \
         constant holds 9223372036854775807, which int32 does not\nhelp: keep integers within 32 bits, or use TensorRT \
         10 or newer"
    );
}

#[test]
fn types_that_are_not_there_are_refused_by_name() {
    let input = read("input %0 \"x\": bfloat16[2]\noutput \"y\": %0");
    let error = legalize(&input, OLD).unwrap_err().to_string();
    assert!(
        error.starts_with("TensorRT 8.6 does not support the Input layer `x` ((model)): it has no bfloat16"),
        "{error}"
    );
    let cast = read("input %0 \"x\": float32[2]\n%1: bfloat16[2] = Cast(to: bfloat16)(%0)\noutput \"y\": %1");
    let error = refused(&cast, OLD);
    assert!(
        error.contains("the Cast layer `l1` (op m1 net.py:1): it has no bfloat16") && error.contains("help: "),
        "{error}"
    );
    assert!(legalize(&cast, Target::TensorRt(10, 0)).is_ok());
}

#[test]
fn every_feature_is_there_in_the_newest_and_some_are_not_in_the_oldest() {
    let features = [
        Feature::BFloat16,
        Feature::Cumulative,
        Feature::DynamicQuantize,
        Feature::Float8,
        Feature::Gelu,
        Feature::GroupNormalization,
        Feature::Int64,
        Feature::IsNan,
        Feature::Squeeze,
    ];
    for feature in features {
        assert!(Target::TensorRt(11, 0).has(feature) && Target::Rtx(1, 3).has(feature) && Target::Cpu.has(feature));
        assert!(!OLD.has(feature), "{feature:?}");
    }
    assert!(Target::TensorRt(10, 10).has(Feature::Cumulative), "10.10 is after 10.8");
}

#[test]
fn the_pipeline_ends_with_what_the_target_knows() {
    let network = read(
        "symbol s0 in 1..4 opt 1
         input %0 \"ids\": int64[s0,6]
         %1: int64[s0,6] = Cumulative(op: Sum, axis: 1, exclusive: false, reverse: false)(%0)
         %2: int64[2] = Shape(%1)
         %3: int64[1] = Constant([1])
         %4: int64[1] = Gather(mode: Default, axis: 0, elementwise_dims: 0)(%2, %3)
         %5: int64[1,1] = Unsqueeze(axes: [0])(%4)
         %6: int64[s0,6] = ElementWise(op: Prod)(%1, %5)
         output \"y\": %6",
    );
    let passes: Vec<Pass> = STANDARD.into_iter().chain(for_target(OLD)).collect();
    let (made, report) = run(&network, &passes).unwrap();
    assert_eq!(report.iter().map(|r| r.name).collect::<Vec<_>>(), passes.iter().map(Pass::name).collect::<Vec<_>>());
    for layer in made.layers() {
        for id in &layer.outputs {
            let t = made.tensor(*id);
            assert!(t.dtype != DType::Int64 || layer.op.name() == "Shape", "{made}");
        }
    }
    let x = Weights::int32(&[1, 6], &[1, 2, 3, 4, 5, 6]);
    assert_eq!(eval::run(&made, &[x]).unwrap()[0].to_f64(), [6.0, 18.0, 36.0, 60.0, 90.0, 126.0]);
}

#[test]
fn rank_one_is_made_rank_two_where_it_must_be() {
    for (layer, outputs) in [
        ("%1: float32[DIMS] = SoftMax(axis: 0)(%0)", &["%1"][..]),
        ("%1: float32[3], %2: int32[3] = TopK(op: Max, k: 3, axis: 0)(%0)", &["%1", "%2"]),
    ] {
        for dims in ["5", "s0"] {
            let outputs: Vec<_> = outputs.iter().map(|o| format!("output \"y{o}\": {o}")).collect();
            let layer = layer.replace("DIMS", dims);
            let text =
                format!("symbol s0 in 1.. opt 1\ninput %0 \"x\": float32[{dims}]\n{layer}\n{}", outputs.join("\n"));
            for target in [OLD, Target::Rtx(1, 7)] {
                same(&text, target, &[5], &[], 0.0);
                let made = legalize(&read(&text), target).unwrap();
                assert_eq!(count(&made, "Shuffle"), 1 + outputs.len());
            }
            assert_eq!(count(&legalize(&read(&text), Target::Cpu).unwrap(), "Shuffle"), 0);
        }
    }
}

#[test]
fn rtx_moves_axes_without_those_of_size_1_that_come_first() {
    let text = |dims: &str, y: &str, shuffle: &str| {
        format!(
            "symbol s0 in 1.. opt 1
             symbol s1 in 1.. opt 1
             input %0 \"x\": float32[{dims}]
             %1: float32[{y}] = Shuffle({shuffle})(%0)
             output \"y\": %1"
        )
    };
    let rtx = Target::Rtx(1, 7);
    let moved = "first_transpose: [0, 3, 2, 1, 4]";
    for (dims, sizes, y, shuffle, left) in [
        (
            "1,1,4,3,2",
            [1, 1, 4, 3, 2],
            "1,3,4,1,2",
            format!("{moved}, reshape: None, second_transpose: None"),
            "[1, 0, 2]",
        ),
        (
            "1,1,4,3,2",
            [1, 1, 4, 3, 2],
            "2,1,12",
            format!("{moved}, reshape: [Is(1), Is(12), Is(2)], second_transpose: [2, 0, 1]"),
            "[1, 0, 2]",
        ),
        (
            "1,1,s0,s1,2",
            [1, 1, 4, 3, 2],
            "1,s1,2*s0",
            format!("{moved}, reshape: [Copy, Copy, Infer], second_transpose: None"),
            "[1, 0, 2]",
        ),
        (
            "1,s0,4,3,2",
            [1, 5, 4, 3, 2],
            "3,1,4*s0,2",
            "first_transpose: [3, 0, 2, 1, 4], reshape: [Is(3), Is(1), Infer, Is(2)], second_transpose: None"
                .to_owned(),
            "[2, 1, 0, 3]",
        ),
    ] {
        let text = text(dims, y, &shuffle);
        same(&text, rtx, &sizes, &[], 0.0);
        let made = legalize(&read(&text), rtx).unwrap();
        assert!(made.to_string().contains(&format!("Shuffle(first_transpose: {left}, reshape: None")), "{made}");
        for target in [Target::Cpu, Target::TensorRt(11, 0)] {
            assert_eq!(legalize(&read(&text), target).unwrap().layers().len(), 1);
        }
    }
    // These it moves as they are.
    let as_is = "reshape: None, second_transpose: None";
    for (dims, y, order) in [
        ("1,4,3,2", "1,3,4,2", "[0, 2, 1, 3]"),
        ("4,1,1,3,2", "4,3,1,1,2", "[0, 3, 2, 1, 4]"),
        ("s0,1,4,3,2", "s0,3,4,1,2", "[0, 3, 2, 1, 4]"),
    ] {
        let network = read(&text(dims, y, &format!("first_transpose: {order}, {as_is}")));
        assert_eq!(legalize(&network, rtx).unwrap().layers().len(), 1);
    }
}

#[test]
fn rtx_deconvolves_with_a_spread_kernel_and_in_float32() {
    let text = |dtype: &str, kernel: &str| {
        format!(
            "symbol s0 in 1.. opt 1
             input %0 \"x\": {dtype}[s0,2,4,3]
             %1: {dtype}[2,2,2,2] = {kernel}
             %2: {dtype}[s0,2,9,5] = Deconvolution(stride: [2, 1], pre_padding: [0, 0], post_padding: [1, 0], \
               dilation: [3, 2], groups: 1)(%0, %1)
             output \"y\": %2"
        )
    };
    let constant = "Constant([1.0, -2.0, 3.0, 4.0, 0.5, 6.0, -7.0, 8.0, 9.0, 1.5, 1.0, 2.0, -3.0, 4.0, 5.0, 2.5])";
    same(&text("float32", constant), Target::Rtx(1, 7), &[2, 2, 4, 3], &[], 1e-6);
    let made = legalize(&read(&text("float32", constant)), Target::Rtx(1, 7)).unwrap().to_string();
    assert!(made.contains("dilation: [1, 1]") && made.contains("float32[2,2,4,3] = Constant"), "{made}");
    let wide = legalize(&read(&text("bfloat16", constant)), Target::Rtx(1, 7)).unwrap().to_string();
    assert!(
        wide.contains(": float32[s0,2,9,5] = Deconvolution") && wide.contains(": bfloat16[s0,2,9,5] = Cast"),
        "{wide}"
    );
    let kept = legalize(&read(&text("bfloat16", constant)), Target::TensorRt(10, 13)).unwrap();
    assert_eq!(common::write(&kept), common::write(&read(&text("bfloat16", constant))));
    // The zeros between the elements of a computed kernel are layers.
    let computed = text("float32", "Identity(%0)").replace("s0,2,4,3", "2,2,2,2").replace("s0,2,9,5", "2,2,5,4");
    same(&computed, Target::Rtx(1, 7), &[2, 2, 2, 2], &[], 1e-6);
    let made = legalize(&read(&computed), Target::Rtx(1, 7)).unwrap().to_string();
    assert!(made.contains("dilation: [1, 1]") && made.contains("float32[2,2,4,3] = Shuffle"), "{made}");
}

#[test]
fn what_no_form_expresses_is_refused() {
    for (target, layer, message) in [
        (Target::Rtx(1, 7), "%1: int32[1,u0] = NonZero(count: \"u0\")(%0)", "it has no sizes that depend on data"),
        (
            Target::TensorRt(11, 0),
            "%1: float32[4000], %2: int32[4000] = TopK(op: Max, k: 4000, axis: 0)(%0)",
            "it finds at most 3840 largest elements, not 4000",
        ),
    ] {
        let network = read(&format!("input %0 \"x\": float32[5000]\n{layer}\noutput \"y\": %1"));
        let error = refused(&network, target);
        assert!(error.contains(message) && error.contains("(op m1 net.py:1)") && error.contains("\nhelp: "), "{error}");
        assert!(legalize(&network, Target::Cpu).is_ok());
    }
}

#[test]
fn random_float16_is_drawn_in_float32_where_it_must_be() {
    let network = read(
        "%0: float16[9] = Fill(op: RandomNormal, dims: [9], dtype: float16, alpha: 0.0, beta: 1.0)()\noutput \"y\": %0",
    );
    let old = legalize(&network, Target::Rtx(1, 4)).unwrap();
    assert_eq!((old.layers().len(), count(&old, "Cast")), (2, 1), "{old}");
    assert_eq!(legalize(&network, Target::Rtx(1, 5)).unwrap().layers().len(), 1);
}

/// Quotients as TensorRT 8.6 computes some: of int32 operands rounded to float32.
fn run_with_rounded_quotients(network: &Network, inputs: &[Weights]) -> Vec<i64> {
    let mut values: Vec<Option<Weights>> = vec![None; network.tensor_count()];
    for (port, input) in network.inputs().iter().zip(inputs) {
        values[port.tensor.0 as usize] = Some(input.clone());
    }
    for layer in network.layers() {
        let taken: Vec<_> = layer.inputs.iter().map(|id| id.and_then(|id| values[id.0 as usize].as_ref())).collect();
        let mut made = eval::evaluate(&layer.op, &taken).unwrap().remove(0);
        if matches!(layer.op, Op::ElementWise { op: E::FloorDiv }) {
            let [x, y] = [0, 1].map(|k| taken[k].unwrap().to_i64().unwrap());
            let y = |k: usize| y[k % y.len()] as f32;
            let quotients = x.iter().enumerate().map(|(k, x)| (*x as f32 / y(k)).floor() as i64);
            made = Weights::from_i64(made.dtype, &made.dims, quotients);
        }
        values[layer.outputs[0].0 as usize] = Some(made);
    }
    values[network.outputs()[0].tensor.0 as usize].take().unwrap().to_i64().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn quotients_of_large_integers_are_exact(
        x in prop_oneof![any::<i32>(), (i32::MAX - 300..=i32::MAX), (i32::MIN + 1..i32::MIN + 300), (-300..300)],
        multiple in -32768_i32..32768,
        divisor in prop_oneof![1_i32..1 << 24, 1_i32..300, -(1 << 24)..-1_i32],
    ) {
        let near = multiple.saturating_mul(65536).saturating_sub(1);
        let text = "input %0 \"x\": int32[2]
                    input %1 \"y\": int32[2]
                    %2: int32[2] = ElementWise(op: FloorDiv)(%0, %1)
                    output \"z\": %2";
        let made = legalize(&read(text), OLD).unwrap();
        let inputs = [Weights::int32(&[2], &[x, near]), Weights::int32(&[2], &[divisor, 65536])];
        let exact = |x: i32, y: i32| i64::from(x).div_euclid(i64::from(y)) - i64::from(y < 0 && x.rem_euclid(y) != 0);
        prop_assert_eq!(run_with_rounded_quotients(&made, &inputs), vec![exact(x, divisor), exact(near, 65536)]);
    }
}

#[test]
fn quotients_of_sizes_and_of_floats_stay() {
    let sizes = "symbol s0 in 1.. opt 4
                 input %0 \"x\": float32[s0]
                 %1: int64[1] = Shape(%0)
                 %2: int64[1] = Constant([2])
                 %3: int64[1] = ElementWise(op: FloorDiv)(%1, %2)
                 output \"z\": %3";
    assert_eq!(count(&legalize(&read(sizes), OLD).unwrap(), "ElementWise"), 1);
    let floats = "input %0 \"x\": float32[4]
                  %1: float32[4] = ElementWise(op: FloorDiv)(%0, %0)
                  output \"z\": %1";
    assert_eq!(count(&legalize(&read(floats), OLD).unwrap(), "ElementWise"), 1);
    for target in [Target::Cpu, Target::Rtx(1, 7)] {
        let data = "input %0 \"x\": int32[4]
                    %1: int32[4] = ElementWise(op: FloorDiv)(%0, %0)
                    output \"z\": %1";
        assert_eq!(count(&legalize(&read(data), target).unwrap(), "ElementWise"), 1);
    }
}

#[test]
fn plugins_that_the_target_lacks_are_refused() {
    let plugin = |api: &str| {
        format!(
            "input %0 \"x\": float32[2]
             %1: int64[2] = Plugin(name: \"Mine\", version: \"1\", namespace: \"\", api: {api}, fields: [], \
             shape_inputs: 0, outputs: [(dtype: int64, dims: [2])])(%0)
             output \"y\": %1"
        )
    };
    for (api, target, words) in [
        ("V2", Target::Rtx(1, 7), "it has no layers of plugins"),
        ("V3", Target::Rtx(1, 3), "it has no layers of plugins"),
        ("V3", OLD, "it has no plugins of version 3"),
    ] {
        let error = legalize(&read(&plugin(api)), target).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    for (api, target) in [("V2", Target::TensorRt(11, 4)), ("V3", Target::TensorRt(10, 0))] {
        assert_eq!(legalize(&read(&plugin(api)), target).unwrap().layers().len(), 1);
    }
    let narrow = legalize(&read(&plugin("V2")), OLD).unwrap();
    assert_eq!(narrow.tensor(narrow.outputs()[0].tensor).dtype, DType::Int32);
    assert_eq!(narrow.layers().len(), 1, "{narrow}");
}
