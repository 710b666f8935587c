//! Element by element: binary and unary arithmetic, select, cast, parametric ReLU.
//!
//! Integer `Div` truncates in both. `FloorDiv` has no operator: integers take one off the truncated quotient where its
//! remainder is not the one of ONNX's `Mod`, which has the divisor's sign (subtracting that remainder first would
//! overflow near the ends of the range); floats round the quotient down. `Sign` of NaN is 0, as in PyTorch.

use super::{matrix, scale};
use crate::Result;
use crate::graph::Value;
use crate::proto::DataType;
use crate::scope::Scope;
use network::{ActivationType, DType, ElementWiseOperation as E, Op, UnaryOperation as U};

pub(super) fn elementwise(s: &mut Scope<'_, '_>, op: E) -> Result<Value> {
    let fused = match op {
        E::Sum => match matrix::with_bias(s)? {
            None => scale::affine(s)?,
            some => some,
        },
        E::Prod => hard_swish(s)?,
        _ => None,
    };
    if let Some(value) = fused {
        return Ok(value);
    }
    let (a, b, dtype) = (s.input(0)?, s.input(1)?, s.tensor(0)?.dtype);
    let name = match op {
        E::Sum => "Add",
        E::Prod => "Mul",
        E::Max => "Max",
        E::Min => "Min",
        E::Sub => "Sub",
        E::Div => "Div",
        E::Pow => "Pow",
        E::FloorDiv => return Ok(floor_div(s, a, b, dtype)),
        E::And => "And",
        E::Or => "Or",
        E::Xor => "Xor",
        E::Equal => "Equal",
        E::Greater => "Greater",
        E::Less => "Less",
    };
    Ok(s.main(name, &[a, b], &[]))
}

fn floor_div(s: &mut Scope<'_, '_>, a: Value, b: Value, dtype: DType) -> Value {
    if dtype.is_index() {
        let whole = s.op("Div", &[a, b], &[]);
        let multiple = s.op("Mul", &[whole, b], &[]);
        let rest = s.op("Sub", &[a, multiple], &[]);
        let remainder = s.op("Mod", &[a, b], &[]);
        let exact = s.op("Equal", &[rest, remainder], &[]);
        let (zero, one) = (s.scalar(dtype, 0.0), s.scalar(dtype, 1.0));
        let excess = s.op("Where", &[exact, zero, one], &[]);
        return s.main("Sub", &[whole, excess], &[]);
    }
    let quotient = s.op("Div", &[a, b], &[]);
    s.main("Floor", &[quotient], &[])
}

/// `x * HardSigmoid(x)` with the usual slope is one operator, and one pass over the data.
fn hard_swish(s: &mut Scope<'_, '_>) -> Result<Option<Value>> {
    for (gate, other) in [(0, 1), (1, 0)] {
        let Some(layer) = s.absorbable(gate) else { continue };
        let Op::Activation { kind: ActivationType::HardSigmoid, alpha, beta } = layer.op else { continue };
        let usual = (alpha - 1.0 / 6.0).abs() < 1e-6 && beta == 0.5;
        if usual && layer.input(0).is_some() && layer.input(0) == s.layer.input(other) {
            let x = s.input(other)?;
            return Ok(Some(s.main("HardSwish", &[x], &[])));
        }
    }
    Ok(None)
}

pub(super) fn unary(s: &mut Scope<'_, '_>, op: U) -> Result<Value> {
    let x = s.input(0)?;
    if op == U::Sign && s.tensor(0)?.dtype.is_float() {
        let sign = s.op("Sign", &[x], &[]);
        let nan = s.op("IsNaN", &[x], &[]);
        let zero = s.scalar(s.tensor(0)?.dtype, 0.0);
        return Ok(s.main("Where", &[nan, zero, sign], &[]));
    }
    let name = match op {
        U::Exp => "Exp",
        U::Log => "Log",
        U::Sqrt => "Sqrt",
        U::Recip => "Reciprocal",
        U::Abs => "Abs",
        U::Neg => "Neg",
        U::Sin => "Sin",
        U::Cos => "Cos",
        U::Tan => "Tan",
        U::Sinh => "Sinh",
        U::Cosh => "Cosh",
        U::Asin => "Asin",
        U::Acos => "Acos",
        U::Atan => "Atan",
        U::Asinh => "Asinh",
        U::Acosh => "Acosh",
        U::Atanh => "Atanh",
        U::Ceil => "Ceil",
        U::Floor => "Floor",
        U::Erf => "Erf",
        U::Not => "Not",
        U::Sign => "Sign",
        // Both round halves to even.
        U::Round => "Round",
        U::Isinf => "IsInf",
        U::Isnan => "IsNaN",
    };
    Ok(s.main(name, &[x], &[]))
}

pub(super) fn cast(s: &mut Scope<'_, '_>, to: DType) -> Result<Value> {
    let (x, from) = (s.input(0)?, s.tensor(0)?.dtype);
    if s.cx.carrier(from) == s.cx.carrier(to) {
        return Ok(x);
    }
    Ok(s.main("Cast", &[x], &[("to", i64::from(s.cx.carrier(to) as i32).into())]))
}

/// ONNX Runtime selects no bools: they pass as bytes.
pub(super) fn select(s: &mut Scope<'_, '_>) -> Result<Value> {
    let (condition, mut a, mut b) = (s.input(0)?, s.input(1)?, s.input(2)?);
    if s.tensor(1)?.dtype != DType::Bool {
        return Ok(s.main("Where", &[condition, a, b], &[]));
    }
    (a, b) = (s.cast_to(a, DataType::Uint8), s.cast_to(b, DataType::Uint8));
    let selected = s.main("Where", &[condition, a, b], &[]);
    Ok(s.cast_to(selected, DataType::Bool))
}

pub(super) fn parametric_relu(s: &mut Scope<'_, '_>) -> Result<Value> {
    let (x, slope) = (s.input(0)?, s.input(1)?);
    Ok(s.main("PRelu", &[x, slope], &[]))
}
