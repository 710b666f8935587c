//! Layers that compute element by element.

use super::array::{Elements, Shape, broadcast_strides, sizes, walk};
use super::{Call, EvalError, Result};
use half::{bf16, f16};
use network::{ActivationType, DType, ElementWiseOperation as E, ScaleMode, UnaryOperation as U, Weights};
use rayon::prelude::*;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

pub(super) fn identity(call: &Call<'_>) -> Result<Weights> {
    Ok(call.get(0)?.clone())
}

pub(super) fn activation(call: &Call<'_>, kind: ActivationType, alpha: f32, beta: f32) -> Result<Weights> {
    let shape = call.shape()?;
    match Elements::of(call.get(0)?) {
        Elements::Float(x) => {
            let (a, b) = (f64::from(alpha), f64::from(beta));
            Ok(shape.floats(x.into_iter().map(|x| activate(kind, f64::from(x), a, b))))
        }
        Elements::Integer(x) => {
            // Of integers there is only Relu.
            Ok(shape.integers(x.into_iter().map(|x| x.max(0))))
        }
    }
}

pub(super) fn parametric_relu(call: &Call<'_>) -> Result<Weights> {
    let f = |x: f64, slope: f64| if x < 0.0 { x * slope } else { x };
    zip_floats(call.get(0)?, call.get(1)?, call.shape()?, f)
}

pub(super) fn cast(call: &Call<'_>, to: DType) -> Result<Weights> {
    let (x, shape) = (call.get(0)?, call.shape()?);
    if x.dtype == to {
        return Ok(x.clone());
    }
    if x.dtype == DType::Float32 && matches!(to, DType::Float16 | DType::BFloat16) {
        return Ok(shape.with(halve(&x.data, to)));
    }
    match Elements::of(x) {
        Elements::Integer(x) if to.is_float() || to == DType::Float8E4M3 => {
            // int64 to float32 in one rounding; through float64 it would be two.
            Ok(match to {
                DType::Float32 => {
                    shape.with(x.into_iter().map(|v| (v as f32).to_le_bytes()).collect::<Vec<_>>().into_flattened())
                }
                _ => shape.floats(x.into_iter().map(|v| v as f64)),
            })
        }
        Elements::Integer(x) => Ok(shape.integers(x)),
        Elements::Float(x) if to == DType::Bool => Ok(shape.integers(x.into_iter().map(|v| i64::from(v != 0.0)))),
        Elements::Float(x) if to.is_float() || to == DType::Float8E4M3 => {
            Ok(shape.floats(x.into_iter().map(f64::from)))
        }
        Elements::Float(x) => {
            let (low, high) = match to {
                DType::Int64 => (-9.2e18, 9.2e18),
                DType::Int32 => (-2_147_483_648.0, 2_147_483_647.0),
                DType::Int8 => (-128.0, 127.0),
                _ => (0.0, 255.0),
            };
            if x.iter().any(|v| !(low..=high).contains(&f64::from(v.trunc()))) {
                return Err(EvalError::Undefined("a float outside the integer type it is cast to"));
            }
            Ok(shape.integers(x.into_iter().map(|v| v as i64)))
        }
    }
}

/// float32 to a type of half its size. The one cast that goes over all weights of a model, so it is made quick.
fn halve(data: &[u8], to: DType) -> Vec<u8> {
    let elements = data.as_chunks::<4>().0.par_iter().map(|b| f32::from_le_bytes(*b));
    let halves: Vec<[u8; 2]> = match to {
        DType::Float16 => elements.map(|v| f16::from_f32(v).to_le_bytes()).collect(),
        _ => elements.map(|v| bf16::from_f32(v).to_le_bytes()).collect(),
    };
    halves.into_flattened()
}

fn activate(kind: ActivationType, x: f64, alpha: f64, beta: f64) -> f64 {
    // NaN is not below zero, and so stays NaN.
    let by_sign = |below: f64, above: f64| if x < 0.0 { below } else { above };
    match kind {
        ActivationType::Relu => by_sign(0.0, x),
        ActivationType::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        ActivationType::Tanh => x.tanh(),
        ActivationType::LeakyRelu => by_sign(alpha * x, x),
        ActivationType::Elu => by_sign(alpha * x.exp_m1(), x),
        ActivationType::Selu => beta * by_sign(alpha * x.exp_m1(), x),
        ActivationType::Softsign => x / (1.0 + x.abs()),
        ActivationType::Softplus => {
            let scaled = beta * x;
            alpha * (scaled.max(0.0) + (-scaled.abs()).exp().ln_1p())
        }
        ActivationType::Clip => x.min(beta).max(alpha),
        ActivationType::HardSigmoid => (alpha * x + beta).clamp(0.0, 1.0),
        ActivationType::ScaledTanh => alpha * (beta * x).tanh(),
        ActivationType::ThresholdedRelu if x > alpha => x,
        ActivationType::ThresholdedRelu => 0.0,
        ActivationType::GeluErf => 0.5 * x * (1.0 + libm::erf(x * FRAC_1_SQRT_2)),
        ActivationType::GeluTanh => 0.5 * x * (1.0 + (FRAC_2_PI.sqrt() * (0.044715 * x * x * x + x)).tanh()),
    }
}

pub(super) fn unary(call: &Call<'_>, op: U) -> Result<Weights> {
    let shape = call.shape()?;
    let x = match Elements::of(call.get(0)?) {
        Elements::Float(x) => x,
        Elements::Integer(x) => {
            let f: fn(i64) -> i64 = match op {
                U::Not => |v| i64::from(v == 0),
                U::Abs => i64::wrapping_abs,
                U::Neg => i64::wrapping_neg,
                U::Sign => i64::signum,
                _ => return Err(EvalError::Unsupported("this operation of integers")),
            };
            return Ok(shape.integers(x.into_iter().map(f)));
        }
    };
    match op {
        U::Isinf => return Ok(shape.integers(x.into_iter().map(|v| i64::from(v.is_infinite())))),
        U::Isnan => return Ok(shape.integers(x.into_iter().map(|v| i64::from(v.is_nan())))),
        _ => {}
    }
    let f: fn(f64) -> f64 = match op {
        U::Exp => f64::exp,
        U::Log => f64::ln,
        U::Sqrt => f64::sqrt,
        U::Recip => f64::recip,
        U::Abs => f64::abs,
        U::Neg => |v| -v,
        U::Sin => f64::sin,
        U::Cos => f64::cos,
        U::Tan => f64::tan,
        U::Sinh => f64::sinh,
        U::Cosh => f64::cosh,
        U::Asin => f64::asin,
        U::Acos => f64::acos,
        U::Atan => f64::atan,
        U::Asinh => f64::asinh,
        U::Acosh => f64::acosh,
        U::Atanh => f64::atanh,
        U::Ceil => f64::ceil,
        U::Floor => f64::floor,
        U::Erf => libm::erf,
        U::Sign => |v| if v == 0.0 || v.is_nan() { 0.0 } else { v.signum() },
        U::Round => f64::round_ties_even,
        U::Not | U::Isinf | U::Isnan => return Err(EvalError::Unsupported("this operation of floats")),
    };
    Ok(shape.floats(x.into_iter().map(|v| f(f64::from(v)))))
}

/// Pairs of elements under broadcasting.
fn zip<A: Copy, B: Copy, T>(
    a: (&[A], &Weights),
    b: (&[B], &Weights),
    shape: &Shape,
    mut f: impl FnMut(A, B) -> T,
) -> Vec<T> {
    let mut out = Vec::with_capacity(shape.count());
    let strides = [broadcast_strides(&sizes(a.1)), broadcast_strides(&sizes(b.1))];
    walk(&shape.dims, [&strides[0], &strides[1]], |[i, j]| out.push(f(a.0[i], b.0[j])));
    out
}

fn zip_floats(a: &Weights, b: &Weights, shape: &Shape, f: impl Fn(f64, f64) -> f64) -> Result<Weights> {
    match (Elements::of(a), Elements::of(b)) {
        (Elements::Float(x), Elements::Float(y)) => {
            Ok(shape.floats(zip((&x, a), (&y, b), shape, |x, y| f(x.into(), y.into()))))
        }
        _ => Err(EvalError::Unsupported("this operation of integers")),
    }
}

pub(super) fn elementwise(call: &Call<'_>, op: E) -> Result<Weights> {
    let (a, b, shape) = (call.get(0)?, call.get(1)?, call.shape()?);
    match (Elements::of(a), Elements::of(b)) {
        (Elements::Integer(x), Elements::Integer(y)) => {
            if matches!(op, E::Div | E::FloorDiv) && y.contains(&0) {
                return Err(EvalError::Undefined("an integer division by zero"));
            }
            Ok(shape.integers(zip((&x, a), (&y, b), shape, |x, y| integers(op, x, y))))
        }
        (Elements::Float(x), Elements::Float(y)) if shape.dtype == DType::Bool => {
            let f: fn(f32, f32) -> bool = match op {
                E::Equal => |x, y| x == y,
                E::Greater => |x, y| x > y,
                _ => |x, y| x < y,
            };
            Ok(shape.integers(zip((&x, a), (&y, b), shape, |x, y| i64::from(f(x, y)))))
        }
        _ => zip_floats(a, b, shape, float_operation(op)?),
    }
}

fn integers(op: E, x: i64, y: i64) -> i64 {
    match op {
        E::Sum => x.wrapping_add(y),
        E::Sub => x.wrapping_sub(y),
        E::Prod => x.wrapping_mul(y),
        E::Max => x.max(y),
        E::Min => x.min(y),
        E::Div => x.wrapping_div(y),
        E::FloorDiv => {
            let (quotient, rest) = (x.wrapping_div(y), x.wrapping_rem(y));
            quotient - i64::from(rest != 0 && (rest < 0) != (y < 0))
        }
        E::Pow => x.wrapping_pow(u32::try_from(y).unwrap_or(0)),
        E::And => x & y,
        E::Or => x | y,
        E::Xor => x ^ y,
        E::Equal => i64::from(x == y),
        E::Greater => i64::from(x > y),
        E::Less => i64::from(x < y),
    }
}

fn float_operation(op: E) -> Result<fn(f64, f64) -> f64> {
    Ok(match op {
        E::Sum => |x, y| x + y,
        E::Sub => |x, y| x - y,
        E::Prod => |x, y| x * y,
        E::Div => |x, y| x / y,
        E::Max => |x, y| if x > y || x.is_nan() { x } else { y },
        E::Min => |x, y| if x < y || x.is_nan() { x } else { y },
        E::Pow => f64::powf,
        E::FloorDiv => |x, y| (x / y).floor(),
        _ => return Err(EvalError::Unsupported("this operation of floats")),
    })
}

pub(super) fn select(call: &Call<'_>) -> Result<Weights> {
    let (condition, a, b, shape) = (call.get(0)?, call.get(1)?, call.get(2)?, call.shape()?);
    let strides = [condition, a, b].map(|w| broadcast_strides(&sizes(w)));
    let size = shape.dtype.size();
    let mut out = Vec::with_capacity(shape.count() * size);
    walk(&shape.dims, [&strides[0], &strides[1], &strides[2]], |[c, i, j]| {
        let (from, at) = if condition.data[c] != 0 { (a, i) } else { (b, j) };
        out.extend_from_slice(&from.data[at * size..(at + 1) * size]);
    });
    Ok(shape.with(out))
}

pub(super) fn scale(call: &Call<'_>, mode: ScaleMode, axis: usize) -> Result<Weights> {
    let (x, shape) = (call.get(0)?, call.shape()?);
    let mut strides = vec![0; shape.dims.len()];
    match mode {
        ScaleMode::Uniform => {}
        ScaleMode::Channel => {
            if let Some(stride) = strides.get_mut(axis) {
                *stride = 1;
            }
        }
        ScaleMode::Elementwise => strides = super::array::strides(&shape.dims),
    }
    let constants: Vec<Option<Vec<f64>>> = (1..4).map(|k| call.optional(k).map(Weights::to_f64)).collect();
    let at = |k: usize, at: usize| constants[k].as_ref().map(|c: &Vec<f64>| c[at]);
    let Elements::Float(x) = Elements::of(x) else { return Err(EvalError::Unsupported("a scale of integers")) };
    let mut out = Vec::with_capacity(x.len());
    walk(&shape.dims, [&super::array::strides(&shape.dims), &strides], |[i, c]| {
        let linear = f64::from(x[i]) * at(1, c).unwrap_or(1.0) + at(0, c).unwrap_or(0.0);
        out.push(at(2, c).filter(|p| *p != 1.0).map_or(linear, |p| linear.powf(p)));
    });
    Ok(shape.floats(out))
}
