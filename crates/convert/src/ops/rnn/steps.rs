//! One step of a recurrent network, written as separate layers.

use super::super::linear;
use super::{Cell, Direction, State};
use crate::builder::unsupported;
use crate::{Builder, Error, Result};
use dims::Dim;
use network::{ActivationType as A, TensorId, Weights};

/// The input's share of the gates, with every bias that is simply added.
pub(super) fn input_gates(b: &mut Builder, cell: Cell, x: TensorId, direction: &Direction) -> Result<TensorId> {
    let bias = match (direction.input_bias, direction.hidden_bias) {
        // A GRU multiplies the hidden share of the new gate before it adds it.
        (bias, _) if cell == Cell::Gru => bias,
        (Some(a), Some(c)) => Some(added(b, a, c)?),
        (a, c) => a.or(c),
    };
    linear::affine(b, x, direction.input, bias)
}

/// The sum of two biases; of constants, a constant.
pub(super) fn added(b: &mut Builder, x: TensorId, y: TensorId) -> Result<TensorId> {
    if let (Some(left), Some(right)) = (b.weights(x), b.weights(y)) {
        let sum = left.to_f64().into_iter().zip(right.to_f64()).map(|(l, r)| l + r);
        let weights = Weights::from_f64(left.dtype, &left.dims, sum);
        return b.constant(weights);
    }
    b.sum(x, y)
}

/// One step; `gates` is the input's share.
pub(super) fn step(b: &mut Builder, cell: Cell, gates: TensorId, state: State, direction: &Direction) -> Result<State> {
    let bias = if cell == Cell::Gru { direction.hidden_bias } else { None };
    let share = linear::affine(b, state.hidden, direction.hidden, bias)?;
    let rows = b.dims(direction.hidden)[0].as_static();
    let Some(features) = rows.map(|rows| rows / cell.gates()) else {
        return unsupported("recurrent weights whose sizes depend on the input");
    };
    let gate = |b: &mut Builder, x: TensorId, first: i64, count: i64| {
        let axis = b.rank(x) - 1;
        b.slice_axis(x, axis, Dim::Static(first * features), Dim::Static(count * features), 1)
    };
    match cell {
        Cell::Plain(kind) => {
            let sum = b.sum(gates, share)?;
            Ok(State { hidden: b.activation(kind, 0.0, 0.0, sum)?, cell: None })
        }
        Cell::Gru => gru_step(b, [gates, share], state, gate),
        Cell::Lstm => {
            let sum = b.sum(gates, share)?;
            lstm_step(b, sum, state, direction.projection, gate)
        }
    }
}

/// `r, z = σ(x + h)`, `n = tanh(x + r·h)`, `h' = n + z·(h - n)`.
fn gru_step(
    b: &mut Builder,
    [x, h]: [TensorId; 2],
    state: State,
    gate: impl Fn(&mut Builder, TensorId, i64, i64) -> Result<TensorId>,
) -> Result<State> {
    let (x_open, h_open) = (gate(b, x, 0, 2)?, gate(b, h, 0, 2)?);
    let open = b.sum(x_open, h_open)?;
    let open = b.activation(A::Sigmoid, 0.0, 0.0, open)?;
    let (reset, update) = (gate(b, open, 0, 1)?, gate(b, open, 1, 1)?);
    let (x_new, h_new) = (gate(b, x, 2, 1)?, gate(b, h, 2, 1)?);
    let kept = b.prod(reset, h_new)?;
    let new = b.sum(x_new, kept)?;
    let new = b.activation(A::Tanh, 0.0, 0.0, new)?;
    let difference = b.sub(state.hidden, new)?;
    let back = b.prod(update, difference)?;
    Ok(State { hidden: b.sum(new, back)?, cell: None })
}

/// `c' = σ(f)·c + σ(i)·tanh(g)`, `h' = σ(o)·tanh(c')`, then the projection where there is one.
fn lstm_step(
    b: &mut Builder,
    gates: TensorId,
    state: State,
    projection: Option<TensorId>,
    gate: impl Fn(&mut Builder, TensorId, i64, i64) -> Result<TensorId>,
) -> Result<State> {
    let Some(cell) = state.cell else {
        return Err(Error::Converter { problem: "an LSTM without a cell state".into() });
    };
    let open = gate(b, gates, 0, 2)?;
    let open = b.activation(A::Sigmoid, 0.0, 0.0, open)?;
    let (take, forget) = (gate(b, open, 0, 1)?, gate(b, open, 1, 1)?);
    let new = gate(b, gates, 2, 1)?;
    let new = b.activation(A::Tanh, 0.0, 0.0, new)?;
    let show = gate(b, gates, 3, 1)?;
    let show = b.activation(A::Sigmoid, 0.0, 0.0, show)?;
    let (kept, taken) = (b.prod(forget, cell)?, b.prod(take, new)?);
    let cell = b.sum(kept, taken)?;
    let shown = b.activation(A::Tanh, 0.0, 0.0, cell)?;
    let mut hidden = b.prod(show, shown)?;
    if let Some(projection) = projection {
        hidden = linear::affine(b, hidden, projection, None)?;
    }
    Ok(State { hidden, cell: Some(cell) })
}
