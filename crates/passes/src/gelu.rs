//! GELU written out becomes one `Activation`: `x/2 * (1 + erf(x / √2))`, and its approximation
//! `x/2 * (1 + tanh(√(2/π) * (x + 0.044715 * x³)))`.
//!
//! Transformers write them in many ways: other factors first, `x³` as a power or as products, the inner sum with x
//! taken out. All are polynomials in x inside, and in x and the erf or tanh outside, so that is what is compared. One
//! layer is one kernel on every engine, and has no `x³` that float16 could not hold.

use network::{
    ActivationType, DType, ElementWiseOperation as E, Error, Layer, Network, Op, TensorId, UnaryOperation, Weights,
    rewrite,
};
use std::collections::HashMap;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

/// Layers on the way from x to the function, and from there to the end.
const MAX_DEPTH: usize = 8;

/// Writes GELUs as the one layer that they are.
///
/// # Errors
/// None for a network that verifies.
pub fn gelu(network: &Network) -> Result<Network, Error> {
    let next = network.sole_uses();
    let ends: HashMap<TensorId, (ActivationType, TensorId)> =
        network.layers().iter().filter_map(|layer| find(network, layer, &next)).collect();
    rewrite(network, |state, layer| match layer.outputs.as_slice() {
        [end] if ends.contains_key(end) => {
            let (kind, x) = ends[end];
            let x = state.get(x)?;
            let made = state.add(Op::Activation { kind, alpha: 0.0, beta: 0.0 }, &[x], &layer.origin)?;
            state.set(*end, made);
            Ok(())
        }
        _ => state.keep(layer),
    })
}

/// The GELU around an erf or tanh: its last output, and which it is of what.
fn find(
    network: &Network,
    function: &Layer,
    next: &HashMap<TensorId, &Layer>,
) -> Option<(TensorId, (ActivationType, TensorId))> {
    let (kind, inner) = match function.op {
        Op::Unary { op: UnaryOperation::Erf } => (ActivationType::GeluErf, [0.0, FRAC_1_SQRT_2, 0.0, 0.0]),
        Op::Activation { kind: ActivationType::Tanh, .. } => {
            let scale = FRAC_2_PI.sqrt();
            (ActivationType::GeluTanh, [0.0, scale, 0.0, 0.044715 * scale])
        }
        _ => return None,
    };
    let (argument, value) = (function.input(0)?, *function.outputs.first()?);
    let dtype = network.tensor(argument).dtype;
    let mut candidates = Vec::new();
    collect(network, argument, MAX_DEPTH, &mut candidates);
    let x = candidates.into_iter().find(|x| {
        let read = Reader { network, x: *x, value: None };
        read.expression(argument, MAX_DEPTH).is_some_and(|found| found.is(&inner, &[0.0; 4], dtype))
    })?;
    let read = Reader { network, x, value: Some(value) };
    let half = [0.0, 0.5, 0.0, 0.0];
    let mut end = value;
    for _ in 0..MAX_DEPTH {
        end = *next.get(&end)?.outputs.first()?;
        let expression = read.expression(end, MAX_DEPTH)?;
        if expression.is(&half, &half, dtype) {
            return (network.tensor(end).dims == network.tensor(x).dims).then_some((end, (kind, x)));
        }
    }
    None
}

/// The tensors that `id` is computed from element by element, itself included.
fn collect(network: &Network, id: TensorId, depth: usize, found: &mut Vec<TensorId>) {
    if found.contains(&id) || network.constant(id).is_some() {
        return;
    }
    found.push(id);
    let Some(Layer { op: Op::ElementWise { .. }, inputs, .. }) = network.producer(id) else { return };
    if depth > 0 {
        inputs.iter().flatten().for_each(|input| collect(network, *input, depth - 1, found));
    }
}

/// `plain(x) + factor(x) * value`: two polynomials in x, lowest power first.
#[derive(Clone, Copy, Debug)]
struct Expression {
    plain: [f64; 4],
    factor: [f64; 4],
}

impl Expression {
    fn constant(c: f64) -> Self {
        Self { plain: [c, 0.0, 0.0, 0.0], factor: [0.0; 4] }
    }

    /// The same polynomials, as exactly as constants of a type can express it.
    fn is(&self, plain: &[f64; 4], factor: &[f64; 4], dtype: DType) -> bool {
        let epsilon = match dtype {
            DType::Float32 => f64::from(f32::EPSILON),
            DType::Float16 => half::f16::EPSILON.to_f64(),
            _ => half::bf16::EPSILON.to_f64(),
        };
        // Up to four constants were rounded.
        let close = |a: &f64, b: &f64| (a - b).abs() <= 2.0 * epsilon * b.abs();
        self.plain.iter().zip(plain).chain(self.factor.iter().zip(factor)).all(|(a, b)| close(a, b))
    }

    fn plus(self, other: Self, sign: f64) -> Self {
        let sum = |a: [f64; 4], b: [f64; 4]| std::array::from_fn(|k| a[k] + sign * b[k]);
        Self { plain: sum(self.plain, other.plain), factor: sum(self.factor, other.factor) }
    }

    /// `None` for a square of the function, or a power of x above the third.
    fn times(self, other: Self) -> Option<Self> {
        let square = multiplied(&self.factor, &other.factor)?;
        if square != [0.0; 4] {
            return None;
        }
        let (a, b) = (multiplied(&self.plain, &other.factor)?, multiplied(&self.factor, &other.plain)?);
        let factor = std::array::from_fn(|k| a[k] + b[k]);
        Some(Self { plain: multiplied(&self.plain, &other.plain)?, factor })
    }

    /// The number that this is, if it is one.
    fn number(&self) -> Option<f64> {
        (self.factor == [0.0; 4] && self.plain[1..] == [0.0; 3]).then_some(self.plain[0])
    }
}

/// The product of two polynomials; `None` above the third power.
fn multiplied(a: &[f64; 4], b: &[f64; 4]) -> Option<[f64; 4]> {
    let mut product = [0.0; 7];
    for (i, a) in a.iter().enumerate() {
        for (k, b) in b.iter().enumerate() {
            product[i + k] += a * b;
        }
    }
    let (low, high) = product.split_at(4);
    if high == [0.0; 3] { low.try_into().ok() } else { None }
}

/// Reads tensors as expressions of `x` and of the function's value.
struct Reader<'a> {
    network: &'a Network,
    x: TensorId,
    value: Option<TensorId>,
}

impl Reader<'_> {
    fn expression(&self, id: TensorId, depth: usize) -> Option<Expression> {
        let linear = [0.0, 1.0, 0.0, 0.0];
        if id == self.x {
            return Some(Expression { plain: linear, factor: [0.0; 4] });
        }
        if Some(id) == self.value {
            return Some(Expression { plain: [0.0; 4], factor: [1.0, 0.0, 0.0, 0.0] });
        }
        let layer = self.network.producer(id)?;
        if let Op::Constant(weights) = &layer.op {
            return scalar(weights).map(Expression::constant);
        }
        let Op::ElementWise { op } = layer.op else { return None };
        let depth = depth.checked_sub(1)?;
        let (a, b) = (self.expression(layer.input(0)?, depth)?, self.expression(layer.input(1)?, depth)?);
        match op {
            E::Sum => Some(a.plus(b, 1.0)),
            E::Sub => Some(a.plus(b, -1.0)),
            E::Prod => a.times(b),
            E::Div => a.times(Expression::constant(1.0 / b.number().filter(|n| *n != 0.0)?)),
            E::Pow => match b.number()? {
                2.0 => a.times(a),
                3.0 => a.times(a)?.times(a),
                _ => None,
            },
            _ => None,
        }
    }
}

fn scalar(weights: &Weights) -> Option<f64> {
    if weights.count() != 1 || !weights.dtype.is_float() {
        return None;
    }
    weights.to_f64().first().copied()
}
