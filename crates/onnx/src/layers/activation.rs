//! Activation. TensorRT's formulas (`ActivationType`) against ONNX's operators:
//! Softplus and `ScaledTanh` have factors that ONNX lacks; Clip's lower bound wins over the upper, ONNX's the other
//! way around, which matters only where they cross.

use crate::Result;
use crate::graph::Value;
use crate::scope::Scope;
use network::{ActivationType as A, DType};

pub(super) fn activation(s: &mut Scope<'_, '_>, kind: A, alpha: f32, beta: f32) -> Result<Value> {
    let x = s.input(0)?;
    let dtype = s.tensor(0)?.dtype;
    Ok(match kind {
        A::Relu if dtype.is_index() => {
            let zero = s.scalar(dtype, 0.0);
            s.main("Max", &[x, zero], &[])
        }
        A::Relu => s.main("Relu", &[x], &[]),
        A::Sigmoid => s.main("Sigmoid", &[x], &[]),
        A::Tanh => s.main("Tanh", &[x], &[]),
        A::LeakyRelu => s.main("LeakyRelu", &[x], &[("alpha", alpha.into())]),
        A::Elu => s.main("Elu", &[x], &[("alpha", alpha.into())]),
        A::Selu => s.main("Selu", &[x], &[("alpha", alpha.into()), ("gamma", beta.into())]),
        A::Softsign => s.main("Softsign", &[x], &[]),
        A::Softplus => scaled(s, x, "Softplus", dtype, [alpha, beta]),
        A::Clip => clip(s, x, dtype, alpha, beta),
        A::HardSigmoid => s.main("HardSigmoid", &[x], &[("alpha", alpha.into()), ("beta", beta.into())]),
        A::ScaledTanh => scaled(s, x, "Tanh", dtype, [alpha, beta]),
        A::ThresholdedRelu => s.main("ThresholdedRelu", &[x], &[("alpha", alpha.into())]),
        A::GeluErf => s.main("Gelu", &[x], &[]),
        A::GeluTanh => s.main("Gelu", &[x], &[("approximate", "tanh".into())]),
    })
}

/// `alpha * op(beta * x)`.
fn scaled(s: &mut Scope<'_, '_>, x: Value, op: &'static str, dtype: DType, [alpha, beta]: [f32; 2]) -> Value {
    let inner = if beta == 1.0 {
        x
    } else {
        let beta = s.scalar(dtype, f64::from(beta));
        s.op("Mul", &[x, beta], &[])
    };
    let y = s.main(op, &[inner], &[]);
    if alpha == 1.0 {
        return y;
    }
    let alpha = s.scalar(dtype, f64::from(alpha));
    s.op("Mul", &[y, alpha], &[])
}

/// `max(alpha, min(beta, x))`; an infinite bound is none.
fn clip(s: &mut Scope<'_, '_>, x: Value, dtype: DType, alpha: f32, beta: f32) -> Value {
    if alpha > beta {
        let (low, high) = (s.scalar(dtype, f64::from(alpha)), s.scalar(dtype, f64::from(beta)));
        let below = s.op("Min", &[x, high], &[]);
        return s.main("Max", &[below, low], &[]);
    }
    let mut bound = |value: f32| if value.is_finite() { s.scalar(dtype, f64::from(value)) } else { Value::ABSENT };
    let (low, high) = (bound(alpha), bound(beta));
    match (alpha, beta) {
        (0.0, f32::INFINITY) => s.main("Relu", &[x], &[]),
        (_, b) if b.is_infinite() => s.main("Clip", &[x, low], &[]),
        _ => s.main("Clip", &[x, low, high], &[]),
    }
}
