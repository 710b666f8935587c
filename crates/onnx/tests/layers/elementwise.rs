//! Activation, unary, elementwise, select, cast, scale, parametric ReLU.

use crate::array::{Array, floats, floats_in, integer, integers, uniform};
use crate::{Sizes, check, check_network, check_within, origin};
use network::{ActivationType as A, DType, ElementWiseOperation as E, Op, ScaleMode, UnaryOperation as U};

/// Abramowitz and Stegun 7.1.26 is too coarse: the series converges everywhere in our range.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..80 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

fn activate(kind: A, x: f64, a: f64, b: f64) -> f64 {
    match kind {
        A::Relu => x.max(0.0),
        A::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        A::Tanh => x.tanh(),
        A::LeakyRelu => {
            if x >= 0.0 {
                x
            } else {
                a * x
            }
        }
        A::Elu => {
            if x >= 0.0 {
                x
            } else {
                a * x.exp_m1()
            }
        }
        A::Selu => {
            if x > 0.0 {
                b * x
            } else {
                b * a * x.exp_m1()
            }
        }
        A::Softsign => x / (1.0 + x.abs()),
        A::Softplus => a * (b * x).exp().ln_1p(),
        A::Clip => a.max(b.min(x)),
        A::HardSigmoid => (a * x + b).clamp(0.0, 1.0),
        A::ScaledTanh => a * (b * x).tanh(),
        A::ThresholdedRelu => {
            if x > a {
                x
            } else {
                0.0
            }
        }
        A::GeluErf => 0.5 * x * (1.0 + erf(x * 0.5f64.sqrt())),
        A::GeluTanh => 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh()),
    }
}

#[test]
fn activations_follow_tensorrts_formulas() {
    for kind in A::ALL {
        let x = floats(&[3, 4, 5]);
        let (alpha, beta) = (uniform(0.1, 0.9) as f32, uniform(0.9, 1.7) as f32);
        let y = x.map(|v| activate(*kind, v, f64::from(alpha), f64::from(beta)));
        check(Op::Activation { kind: *kind, alpha, beta }, &[x], &[y]);
    }
}

#[test]
fn clip_bounds_may_cross_or_be_open() {
    for (alpha, beta) in [(0.5, -0.5), (0.0, f32::INFINITY), (f32::NEG_INFINITY, 0.25), (-1.0, 1.0)] {
        let x = floats(&[7, 3]);
        let y = x.map(|v| f64::from(alpha).max(f64::from(beta).min(v)));
        check(Op::Activation { kind: A::Clip, alpha, beta }, &[x], &[y]);
    }
}

#[test]
fn integers_are_rectified_exactly() {
    for dtype in [DType::Int32, DType::Int64] {
        let x = integers(dtype, &[5, 6], -1_000_000, 1_000_000);
        check(Op::Activation { kind: A::Relu, alpha: 0.0, beta: 0.0 }, &[x.clone()], &[x.map(|v| v.max(0.0))]);
    }
}

#[test]
fn unary_operations() {
    type Row = (U, f64, f64, fn(f64) -> f64);
    let table: &[Row] = &[
        (U::Exp, -2.0, 2.0, f64::exp),
        (U::Log, 0.1, 5.0, f64::ln),
        (U::Sqrt, 0.0, 9.0, f64::sqrt),
        (U::Recip, 0.5, 3.0, f64::recip),
        (U::Abs, -2.0, 2.0, f64::abs),
        (U::Neg, -2.0, 2.0, |x| -x),
        (U::Sin, -6.0, 6.0, f64::sin),
        (U::Cos, -6.0, 6.0, f64::cos),
        (U::Tan, -1.0, 1.0, f64::tan),
        (U::Sinh, -2.0, 2.0, f64::sinh),
        (U::Cosh, -2.0, 2.0, f64::cosh),
        (U::Asin, -1.0, 1.0, f64::asin),
        (U::Acos, -1.0, 1.0, f64::acos),
        (U::Atan, -5.0, 5.0, f64::atan),
        (U::Asinh, -5.0, 5.0, f64::asinh),
        (U::Acosh, 1.1, 5.0, f64::acosh),
        (U::Atanh, -0.9, 0.9, f64::atanh),
        (U::Ceil, -5.0, 5.0, f64::ceil),
        (U::Floor, -5.0, 5.0, f64::floor),
        (U::Erf, -2.0, 2.0, erf),
        (U::Sign, -1.0, 1.0, f64::signum),
        (U::Round, -5.0, 5.0, f64::round_ties_even),
    ];
    for (op, low, high, f) in table {
        let x = floats_in(&[2, 3, 4], *low, *high);
        let y = x.map(f);
        check(Op::Unary { op: *op }, &[x], &[y]);
    }
    let halves = Array::new(DType::Float32, &[6], vec![-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]);
    check(Op::Unary { op: U::Round }, &[halves.clone()], &[halves.map(f64::round_ties_even)]);
}

#[test]
fn unary_operations_on_other_types() {
    let odd = Array::new(DType::Float32, &[5], vec![0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1.0]);
    let is = |f: fn(f64) -> bool| odd.map(|v| f64::from(u8::from(f(v)))).cast(DType::Bool);
    check(Op::Unary { op: U::Isinf }, &[odd.clone()], &[is(f64::is_infinite)]);
    check(Op::Unary { op: U::Isnan }, &[odd.clone()], &[is(f64::is_nan)]);
    let flags = integers(DType::Bool, &[9], 0, 2);
    check(Op::Unary { op: U::Not }, &[flags.clone()], &[flags.map(|v| 1.0 - v)]);
    for dtype in [DType::Int32, DType::Int64] {
        let x = integers(dtype, &[9], -5, 5);
        check(Op::Unary { op: U::Abs }, &[x.clone()], &[x.map(f64::abs)]);
        check(Op::Unary { op: U::Neg }, &[x.clone()], &[x.map(|v| -v + 0.0)]);
        check(Op::Unary { op: U::Sign }, &[x.clone()], &[x.map(|v| if v == 0.0 { 0.0 } else { v.signum() })]);
    }
}

fn combine(op: E, integer: bool, a: f64, b: f64) -> f64 {
    let flag = |v: bool| f64::from(u8::from(v));
    match op {
        E::Sum => a + b,
        E::Prod => a * b,
        E::Max => a.max(b),
        E::Min => a.min(b),
        E::Sub => a - b,
        E::Div if integer => (a / b).trunc(),
        E::Div => a / b,
        E::Pow => a.powf(b),
        E::FloorDiv => (a / b).floor(),
        E::And => flag(a != 0.0 && b != 0.0),
        E::Or => flag(a != 0.0 || b != 0.0),
        E::Xor => flag((a != 0.0) != (b != 0.0)),
        E::Equal => flag(a == b),
        E::Greater => flag(a > b),
        E::Less => flag(a < b),
    }
}

#[test]
fn elementwise_operations_broadcast() {
    for op in E::ALL {
        let types: &[DType] = match op {
            E::And | E::Or | E::Xor => &[DType::Bool],
            E::Pow => &[DType::Float32],
            E::Equal => &[DType::Float32, DType::Int32, DType::Int64, DType::Bool],
            _ => &[DType::Float32, DType::Int32, DType::Int64],
        };
        for dtype in types {
            let (a, b) = match dtype {
                DType::Bool => (integers(*dtype, &[4, 1, 5], 0, 2), integers(*dtype, &[1, 3, 5], 0, 2)),
                DType::Float32 => (floats_in(&[4, 1, 5], 0.5, 3.0), floats_in(&[1, 3, 5], 0.5, 3.0)),
                _ => {
                    let nonzero = |v: f64| if v == 0.0 { 3.0 } else { v };
                    (integers(*dtype, &[4, 1, 5], -9, 9), integers(*dtype, &[1, 3, 5], -9, 9).map(nonzero))
                }
            };
            let to = if matches!(op, E::Equal | E::Greater | E::Less) { DType::Bool } else { *dtype };
            let y = a.zip(&b, to, |a, b| combine(*op, dtype.is_index(), a, b));
            check(Op::ElementWise { op: *op }, &[a.clone(), b.clone()], &[y.clone()]);
            check(Op::ElementWise { op: *op }, &[a, b.constant()], &[y]);
        }
    }
}

#[test]
fn floor_division_of_negative_floats_rounds_down() {
    let (a, b) = (floats_in(&[40], -9.0, 9.0), floats_in(&[40], -3.0, -0.5));
    let y = a.zip(&b, DType::Float32, |a, b| f64::from((a as f32 / b as f32).floor()));
    check(Op::ElementWise { op: E::FloorDiv }, &[a, b], &[y]);
}

#[test]
fn select_takes_every_type() {
    for dtype in [DType::Float32, DType::Int32, DType::Int64, DType::Bool] {
        let c = integers(DType::Bool, &[3, 1, 4], 0, 2);
        let (a, b) = (integers(dtype, &[3, 5, 1], 0, 2), integers(dtype, &[1, 5, 4], 0, 2));
        let y = Array::from_fn(dtype, &[3, 5, 4], |i| {
            if c.broadcast_at(i) == 0.0 { b.broadcast_at(i) } else { a.broadcast_at(i) }
        });
        check(Op::Select, &[c, a, b], &[y]);
    }
}

#[test]
fn casts_truncate_and_test() {
    let x = floats_in(&[50], -9.0, 9.0);
    for to in [DType::Int32, DType::Int64] {
        check(Op::Cast { to }, &[x.clone()], &[x.map(|v| v.trunc() + 0.0).cast(to)]);
    }
    let n = integers(DType::Int32, &[50], -2, 3);
    check(Op::Cast { to: DType::Bool }, &[n.clone()], &[n.map(|v| f64::from(u8::from(v != 0.0))).cast(DType::Bool)]);
    check(Op::Cast { to: DType::Float32 }, &[n.clone()], &[n.cast(DType::Float32)]);
    check(Op::Cast { to: DType::Int64 }, &[n.clone()], &[n.cast(DType::Int64)]);
    let pixels = integers(DType::UInt8, &[50], 0, 256);
    check(Op::Cast { to: DType::Float32 }, &[pixels.clone()], &[pixels.cast(DType::Float32)]);
}

#[test]
fn parametric_relu_broadcasts_its_slope() {
    let (x, slope) = (floats(&[2, 3, 4, 5]), floats(&[1, 3, 1, 1]));
    let y = x.zip(&slope, DType::Float32, |x, s| if x < 0.0 { s * x } else { x });
    check(Op::ParametricRelu, &[x, slope], &[y]);
}

#[test]
fn scale_in_its_modes() {
    let x = floats_in(&[2, 3, 4, 5], 0.5, 2.0);
    for (mode, dims, rank) in [
        (ScaleMode::Uniform, vec![1], 4),
        (ScaleMode::Channel, vec![3], 4),
        (ScaleMode::Elementwise, vec![1, 3, 4, 5], 4),
    ] {
        let [shift, scale, power] = [0.1, 0.5, 1.0].map(|low| floats_in(&dims, low, low + 1.0).constant());
        let shaped = |w: &Array| match mode {
            ScaleMode::Channel => w.reshape(&[1, 3, 1, 1]),
            _ => w.reshape(&if dims.len() == rank { dims.clone() } else { vec![1; rank] }),
        };
        let y = x.zip(&shaped(&scale), DType::Float32, |a, b| a * b);
        let y = y.zip(&shaped(&shift), DType::Float32, |a, b| a + b);
        let op = Op::Scale { mode, channel_axis: 1 };
        check_within(1e-5, Sizes::Static, op.clone(), &[x.clone(), shift.clone(), scale.clone()], &[y.clone()]);
        let y = y.zip(&shaped(&power), DType::Float32, f64::powf);
        check_within(1e-4, Sizes::Static, op, &[x.clone(), shift, scale, power], &[y]);
    }
}

#[test]
fn a_product_and_a_sum_a_channel_become_one_operator() {
    let (x, scale, shift) = (floats(&[2, 3, 4, 5]), floats(&[1, 3, 1, 1]).constant(), floats(&[1, 3, 1, 1]).constant());
    let y = x.zip(&scale, DType::Float32, |a, b| a * b).zip(&shift, DType::Float32, |a, b| a + b);
    let build = |network: &mut network::Network, i: &[network::TensorId]| {
        let product = network.add_one(Op::ElementWise { op: E::Prod }, &[i[0], i[1]], &origin()).unwrap();
        vec![network.add_one(Op::ElementWise { op: E::Sum }, &[i[2], product], &origin()).unwrap()]
    };
    check_network(1e-5, Sizes::Static, &build, &[x, scale, shift], &[y]);
}

#[test]
fn hard_swish_is_recognized_and_right() {
    let x = floats_in(&[4, 50], -5.0, 5.0);
    let y = x.map(|v| v * (v / 6.0 + 0.5).clamp(0.0, 1.0));
    let build = |network: &mut network::Network, i: &[network::TensorId]| {
        let gate = Op::Activation { kind: A::HardSigmoid, alpha: 1.0 / 6.0, beta: 0.5 };
        let gate = network.add_one(gate, &[i[0]], &origin()).unwrap();
        vec![network.add_one(Op::ElementWise { op: E::Prod }, &[gate, i[0]], &origin()).unwrap()]
    };
    check_network(1e-6, Sizes::Any, &build, &[x], &[y]);
}

#[test]
fn an_input_may_be_an_output_and_a_tensor_several() {
    let x = floats(&[integer(1, 5), 3]);
    let build = |network: &mut network::Network, i: &[network::TensorId]| {
        let y = network.add_one(Op::Unary { op: U::Neg }, &[i[0]], &origin()).unwrap();
        vec![i[0], y, y]
    };
    let y = x.map(|v| -v);
    check_network(0.0, Sizes::Any, &build, &[x.clone()], &[x, y.clone(), y]);
}
