//! Recurrent networks: a loop over time; few steps are unrolled.
//!
//! | schema | layers |
//! |---|---|
//! | `lstm.input(Tensor input, Tensor[] hx, …)` | Recurrent; MatrixMultiply, ElementWise, Activation, Slice |
//! | `gru.input(Tensor input, Tensor hx, Tensor[] params, …) -> (Tensor, Tensor)`, `rnn_tanh.input` | the same |
//! | `rnn_relu.input` | the same |
//! | `lstm_cell(Tensor input, Tensor[] hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih, …)` | the same, one step |
//! | `gru_cell`, `rnn_tanh_cell`, `rnn_relu_cell` | the same |
//! | `torch2trt::{lstm,gru,rnn_tanh,rnn_relu}(Tensor input, Tensor lengths, …)`: padded packed sequences | Recurrent |
//! | `{lstm,gru,rnn_tanh,rnn_relu}.data(…)`: packed sequences | refused |
//!
//! Dtypes: one float type. The number of steps and the batch may be symbolic. Up to [`UNROLLED`] static steps are
//! unrolled: the input's share of all steps is one matrix multiplication, each step costs one more with the state, and
//! states are `[1, batch, features]`, so that no step needs a reshape. More steps are one Recurrent layer for each
//! layer and direction, which the CPU engine runs as one kernel: as fast for 8 steps, 2 to 7 times as fast for 64 and
//! more.

use super::{Operator, Outputs, linear, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Error, Result};
use dims::Dim;
use network::{ActivationType as A, DType, ElementWiseOperation, Op, RecurrentCell, TensorId};
use steps::{added, input_gates, step};

mod steps;

/// The largest number of steps that is written out, step by step; more are a loop.
const UNROLLED: i64 = 16;

const LAYERS: &str = "Recurrent, or unrolled: MatrixMultiply, ElementWise, Activation, Slice, Concatenation";
const LOOP: &str = "Recurrent";
const CELL: &str = "MatrixMultiply, ElementWise, Activation, Slice";
const REFUSED: &str = "none: refused";

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.lstm.input", lstm, LAYERS, 1e-5),
    operator("aten.gru.input", gru, LAYERS, 1e-5),
    operator("aten.rnn_tanh.input", rnn_tanh, LAYERS, 1e-5),
    operator("aten.rnn_relu.input", rnn_relu, LAYERS, 1e-5),
    operator("aten.lstm_cell.default", lstm_cell, CELL, 1e-5),
    operator("aten.gru_cell.default", gru_cell, CELL, 1e-5),
    operator("aten.rnn_tanh_cell.default", rnn_tanh_cell, CELL, 1e-5),
    operator("aten.rnn_relu_cell.default", rnn_relu_cell, CELL, 1e-5),
    operator("torch2trt.lstm.default", lstm_of_lengths, LOOP, 1e-5),
    operator("torch2trt.gru.default", gru_of_lengths, LOOP, 1e-5),
    operator("torch2trt.rnn_tanh.default", rnn_tanh_of_lengths, LOOP, 1e-5),
    operator("torch2trt.rnn_relu.default", rnn_relu_of_lengths, LOOP, 1e-5),
    operator("aten.lstm.data", packed, REFUSED, 1e-5),
    operator("aten.gru.data", packed, REFUSED, 1e-5),
    operator("aten.rnn_tanh.data", packed, REFUSED, 1e-5),
    operator("aten.rnn_relu.data", packed, REFUSED, 1e-5),
];

/// What one step computes.
#[derive(Clone, Copy, PartialEq)]
enum Cell {
    /// Gates in, forget, cell, out.
    Lstm,
    /// Gates reset, update, new.
    Gru,
    /// One activation.
    Plain(A),
}

impl Cell {
    fn gates(self) -> i64 {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
            Self::Plain(_) => 1,
        }
    }

    fn of_network(self) -> Result<RecurrentCell> {
        match self {
            Self::Lstm => Ok(RecurrentCell::Lstm),
            Self::Gru => Ok(RecurrentCell::Gru),
            Self::Plain(A::Tanh) => Ok(RecurrentCell::Tanh),
            Self::Plain(A::Relu) => Ok(RecurrentCell::Relu),
            Self::Plain(kind) => unsupported(format!("a recurrent network of {kind:?}")),
        }
    }
}

/// The weights of one layer in one direction.
#[derive(Clone, Copy)]
struct Direction {
    input: TensorId,
    hidden: TensorId,
    input_bias: Option<TensorId>,
    hidden_bias: Option<TensorId>,
    /// `[projected, features]`: what an LSTM's output is multiplied with.
    projection: Option<TensorId>,
}

/// What a step hands to the next: the output, and an LSTM's cell.
#[derive(Clone, Copy)]
struct State {
    hidden: TensorId,
    cell: Option<TensorId>,
}

fn lstm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    recurrent(b, call, Cell::Lstm, None)
}

fn lstm_of_lengths(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    recurrent(b, call, Cell::Lstm, Some(call.tensor("lengths")?))
}

fn gru(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    recurrent(b, call, Cell::Gru, None)
}

fn gru_of_lengths(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    recurrent(b, call, Cell::Gru, Some(call.tensor("lengths")?))
}

fn rnn_tanh(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    recurrent(b, call, Cell::Plain(A::Tanh), None)
}

fn rnn_tanh_of_lengths(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    recurrent(b, call, Cell::Plain(A::Tanh), Some(call.tensor("lengths")?))
}

fn rnn_relu(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    recurrent(b, call, Cell::Plain(A::Relu), None)
}

fn rnn_relu_of_lengths(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    recurrent(b, call, Cell::Plain(A::Relu), Some(call.tensor("lengths")?))
}

fn packed(_: &mut Builder, _: &Call<'_>) -> Result<Outputs> {
    unsupported("a packed sequence: its steps depend on data; pass a padded tensor and mask the output instead")
}

/// The first state of all layers and directions: output, and an LSTM's cell.
fn first_states(call: &Call<'_>, cell: Cell) -> Result<(TensorId, Option<TensorId>)> {
    if cell != Cell::Lstm {
        return Ok((call.tensor("hx")?, None));
    }
    match call.tensors("hx")?.as_slice() {
        [hidden, cell] => Ok((*hidden, Some(*cell))),
        other => Err(Error::Converter { problem: format!("an LSTM has two states, not {}", other.len()) }),
    }
}

/// The weights of every layer and direction, in PyTorch's order.
fn directions(call: &Call<'_>, count: usize) -> Result<Vec<Direction>> {
    let (parameters, biases) = (call.tensors("params")?, call.bool("has_biases")?);
    let each = parameters.len() / count.max(1);
    let split = |p: &[TensorId]| match (p, biases) {
        ([input, hidden, rest @ ..], false) if rest.len() <= 1 => {
            Some(([*input, *hidden], [None, None], rest.first().copied()))
        }
        ([input, hidden, ib, hb, rest @ ..], true) if rest.len() <= 1 => {
            Some(([*input, *hidden], [Some(*ib), Some(*hb)], rest.first().copied()))
        }
        _ => None,
    };
    let direction = |p: &[TensorId]| {
        let ([input, hidden], [input_bias, hidden_bias], projection) = split(p)?;
        Some(Direction { input, hidden, input_bias, hidden_bias, projection })
    };
    let wrong = || Error::Converter { problem: format!("{} parameters for {count} layers", parameters.len()) };
    if each * count != parameters.len() || each == 0 {
        return Err(wrong());
    }
    parameters.chunks(each).map(|p| direction(p).ok_or_else(wrong)).collect()
}

/// All layers of a network; `lengths` are those of the sequences, where they are not all of one length.
fn recurrent(b: &mut Builder, call: &Call<'_>, cell: Cell, lengths: Option<TensorId>) -> Result<Outputs> {
    if call.bool("train")? && call.float("dropout")? != 0.0 {
        return unsupported("dropout between recurrent layers in training mode; call model.eval() before converting");
    }
    let (bidirectional, batch_first) = (call.bool("bidirectional")?, call.bool("batch_first")?);
    let ways = if bidirectional { 2 } else { 1 };
    let layers = usize::try_from(call.int("num_layers")?).unwrap_or(0);
    let (hidden, cells) = first_states(call, cell)?;
    let mut x = call.tensor("input")?;
    if batch_first {
        x = b.transpose(x, 0, 1)?;
    }
    let mut last: Vec<State> = Vec::new();
    for (layer, weights) in directions(call, layers * ways)?.chunks(ways).enumerate() {
        let mut outputs = Vec::with_capacity(ways);
        for (way, direction) in weights.iter().enumerate() {
            let at = Dim::Static((layer * ways + way) as i64);
            let mut pick = |states: TensorId| b.slice_axis(states, 0, at.clone(), Dim::Static(1), 1);
            let state = State { hidden: pick(hidden)?, cell: cells.map(&mut pick).transpose()? };
            let (output, state) = unroll(b, cell, x, state, direction, Walk { backward: way == 1, lengths })?;
            outputs.push(output);
            last.push(state);
        }
        x = b.concat(&outputs, 2)?;
    }
    if batch_first {
        x = b.transpose(x, 0, 1)?;
    }
    let finals: Vec<TensorId> = last.iter().map(|s| s.hidden).collect();
    let mut results = vec![x, b.concat(&finals, 0)?];
    let cells: Vec<TensorId> = last.iter().filter_map(|s| s.cell).collect();
    if !cells.is_empty() {
        results.push(b.concat(&cells, 0)?);
    }
    Ok(results.into())
}

/// All steps of one layer in one direction: the outputs `[time, batch, features]` and the last state.
fn unroll(
    b: &mut Builder,
    cell: Cell,
    x: TensorId,
    mut state: State,
    direction: &Direction,
    walk: Walk,
) -> Result<(TensorId, State)> {
    let few = |steps: &i64| walk.lengths.is_none() && (1..=UNROLLED).contains(steps);
    let Some(steps) = b.dims(x)[0].as_static().filter(few) else {
        return scan(b, cell, x, state, direction, walk);
    };
    let gates = input_gates(b, cell, x, direction)?;
    let mut outputs = Vec::new();
    for k in 0..steps {
        let at = if walk.backward { steps - 1 - k } else { k };
        let gates = b.slice_axis(gates, 0, Dim::Static(at), Dim::Static(1), 1)?;
        state = step(b, cell, gates, state, direction)?;
        outputs.push(state.hidden);
    }
    if walk.backward {
        outputs.reverse();
    }
    Ok((b.concat(&outputs, 0)?, state))
}

/// Which steps a scan takes.
#[derive(Clone, Copy)]
struct Walk {
    backward: bool,
    /// `[batch]`: the state of a sequence does not change past its length.
    lengths: Option<TensorId>,
}

/// The same as one layer: a loop, for any number of steps.
fn scan(
    b: &mut Builder,
    cell: Cell,
    x: TensorId,
    state: State,
    direction: &Direction,
    walk: Walk,
) -> Result<(TensorId, State)> {
    if let Some(projection) = direction.projection {
        return projected(b, x, state, direction, projection, walk);
    }
    let (input_bias, hidden_bias) = match (direction.input_bias, direction.hidden_bias) {
        (Some(a), Some(c)) if cell != Cell::Gru => (Some(added(b, a, c)?), None),
        biases => biases,
    };
    let op = Op::Recurrent { cell: cell.of_network()?, reverse: walk.backward };
    let (input, hidden) = (Some(direction.input), Some(direction.hidden));
    let inputs = [Some(x), input, hidden, input_bias, hidden_bias, Some(state.hidden), state.cell, walk.lengths];
    match b.add_all(op, &inputs)?.as_slice() {
        [outputs, hidden, rest @ ..] => Ok((*outputs, State { hidden: *hidden, cell: rest.first().copied() })),
        _ => Err(Error::Converter { problem: "a recurrent layer has two or three outputs".into() }),
    }
}

/// An LSTM with a projection, as one without: what the hidden weights multiply is projected first, and one matrix does
/// both. Only the first hidden state is of the projected size; its share enters with the input of the first step.
fn projected(
    b: &mut Builder,
    x: TensorId,
    state: State,
    direction: &Direction,
    projection: TensorId,
    walk: Walk,
) -> Result<(TensorId, State)> {
    let (dims, dtype) = (b.dims(x), b.dtype(x));
    let step = b.iota_along(&dims[0], DType::Int64, 0, 3)?;
    let first = match (walk.backward, walk.lengths) {
        (false, _) => b.scalar(DType::Int64, 0.0, 3)?,
        (true, None) => b.size_as(&(dims[0].clone() - Dim::Static(1)), DType::Int64, 3)?,
        (true, Some(lengths)) => {
            let lengths = b.cast(lengths, DType::Int64)?;
            let lengths = b.along(lengths, 1, 3)?;
            b.with_scalar(ElementWiseOperation::Sub, lengths, 1.0)?
        }
    };
    let is_first = b.elementwise(ElementWiseOperation::Equal, step, first)?;
    let zero = b.scalar(dtype, 0.0, 3)?;
    let share = b.select(is_first, state.hidden, zero)?;
    let x = b.concat(&[x, share], 2)?;
    let input = b.concat(&[direction.input, direction.hidden], 1)?;
    let hidden = b.matmul(direction.hidden, projection)?;
    let size = b.dims(projection)[1].clone();
    let zeros = b.full(dtype, &[Dim::Static(1), dims[1].clone(), size], 0.0)?;
    let plain = Direction { input, hidden, projection: None, ..*direction };
    let (outputs, state) = scan(b, Cell::Lstm, x, State { hidden: zeros, ..state }, &plain, walk)?;
    let outputs = linear::affine(b, outputs, projection, None)?;
    Ok((outputs, State { hidden: linear::affine(b, state.hidden, projection, None)?, ..state }))
}

/// One step of a cell called by itself: input `[batch, features]`.
fn single(b: &mut Builder, call: &Call<'_>, cell: Cell) -> Result<Outputs> {
    let (hidden, cells) = first_states(call, cell)?;
    let direction = Direction {
        input: call.tensor("w_ih")?,
        hidden: call.tensor("w_hh")?,
        input_bias: call.optional_tensor("b_ih")?,
        hidden_bias: call.optional_tensor("b_hh")?,
        projection: None,
    };
    let x = call.tensor("input")?;
    let gates = input_gates(b, cell, x, &direction)?;
    let state = step(b, cell, gates, State { hidden, cell: cells }, &direction)?;
    Ok([Some(state.hidden), state.cell].into_iter().flatten().collect::<Vec<_>>().into())
}

fn lstm_cell(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    single(b, call, Cell::Lstm)
}

fn gru_cell(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    single(b, call, Cell::Gru)
}

fn rnn_tanh_cell(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    single(b, call, Cell::Plain(A::Tanh))
}

fn rnn_relu_cell(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    single(b, call, Cell::Plain(A::Relu))
}
