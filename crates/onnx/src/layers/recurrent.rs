//! Recurrent layers, as ONNX's LSTM, GRU and RNN.
//!
//! ONNX orders the gates of an LSTM input, output, forget, cell and those of a GRU update, reset, new; the network has
//! PyTorch's order. Constant weights are reordered here, others by nodes. ONNX's outputs have an axis of directions.

use crate::Result;
use crate::graph::{Attr, Value};
use crate::scope::Scope;
use network::{DType, RecurrentCell, Weights};

pub(super) fn recurrent(s: &mut Scope<'_, '_>, cell: RecurrentCell, reverse: bool) -> Result<Vec<Value>> {
    let hidden = s.output()?.dims.last().and_then(network::Dim::as_static).unwrap_or(0);
    let (input, recurrent) = (weights(s, 1, cell)?, weights(s, 2, cell)?);
    let bias = biases(s, cell)?;
    let lengths = match s.layer.input(7) {
        Some(_) => {
            let (value, dtype) = (s.input(7)?, s.tensor(7)?.dtype);
            s.cast(value, dtype, DType::Int32)
        }
        None => Value::ABSENT,
    };
    let mut inputs = vec![s.input(0)?, input, recurrent, bias, lengths, s.input(5)?];
    if cell == RecurrentCell::Lstm {
        inputs.push(s.input(6)?);
    }
    let direction = if reverse { "reverse" } else { "forward" };
    let mut attributes: Vec<(&'static str, Attr)> =
        vec![("hidden_size", hidden.into()), ("direction", direction.into())];
    let (op, outputs) = match cell {
        RecurrentCell::Lstm => ("LSTM", 3),
        RecurrentCell::Gru => ("GRU", 2),
        RecurrentCell::Tanh | RecurrentCell::Relu => ("RNN", 2),
    };
    match cell {
        // PyTorch multiplies the hidden share of the new gate after its bias is added.
        RecurrentCell::Gru => attributes.push(("linear_before_reset", 1i64.into())),
        RecurrentCell::Relu => attributes.push(("activations", (&["Relu"] as &[&str]).into())),
        RecurrentCell::Lstm | RecurrentCell::Tanh => {}
    }
    let mut values = s.multiple(op, &inputs, outputs, &attributes);
    let axes = s.ints(&[1]);
    values[0] = s.op("Squeeze", &[values[0], axes], &[]);
    Ok(values)
}

/// Which of PyTorch's gates stands at each of ONNX's places.
fn order(cell: RecurrentCell) -> &'static [usize] {
    match cell {
        RecurrentCell::Lstm => &[0, 3, 1, 2],
        RecurrentCell::Gru => &[1, 0, 2],
        RecurrentCell::Tanh | RecurrentCell::Relu => &[0],
    }
}

/// A matrix with the rows in ONNX's order and an axis of directions.
fn weights(s: &mut Scope<'_, '_>, index: usize, cell: RecurrentCell) -> Result<Value> {
    if let Some(reordered) = s.constant(index).and_then(|weights| reordered(weights, cell)) {
        return Ok(s.weights_of(index, &reordered));
    }
    let value = s.input(index)?;
    let value = computed(s, value, index, cell)?;
    let axes = s.ints(&[0]);
    Ok(s.op("Unsqueeze", &[value, axes], &[]))
}

/// Both biases as `[1, 2 * gates * hidden]`.
fn biases(s: &mut Scope<'_, '_>, cell: RecurrentCell) -> Result<Value> {
    if s.layer.input(3).or(s.layer.input(4)).is_none() {
        return Ok(Value::ABSENT);
    }
    let rows = s.tensor(2)?.dims[0].as_static().unwrap_or(0);
    let dtype = s.tensor(0)?.dtype;
    let mut parts = Vec::with_capacity(2);
    for index in [3, 4] {
        parts.push(match (s.layer.input(index), s.constant(index)) {
            (None, _) => s.weights(&Weights::filled(dtype, &[1, rows], 0.0)),
            (Some(_), Some(_)) => weights(s, index, cell)?,
            (Some(_), None) => {
                let value = s.input(index)?;
                let value = computed(s, value, index, cell)?;
                let axes = s.ints(&[0]);
                s.op("Unsqueeze", &[value, axes], &[])
            }
        });
    }
    Ok(s.op("Concat", &parts, &[("axis", 1i64.into())]))
}

/// A constant with its gates in ONNX's order, under an axis of directions.
fn reordered(weights: &Weights, cell: RecurrentCell) -> Option<Weights> {
    let dims = [&[1], weights.dims.as_slice()].concat();
    if order(cell).len() == 1 {
        return weights.reshaped(&dims);
    }
    let size = weights.data.len() / order(cell).len();
    let mut data = Vec::with_capacity(weights.data.len());
    for gate in order(cell) {
        data.extend_from_slice(&weights.data[gate * size..(gate + 1) * size]);
    }
    Weights::new(weights.dtype, dims, data.into())
}

/// A tensor with its gates in ONNX's order.
fn computed(s: &mut Scope<'_, '_>, value: Value, index: usize, cell: RecurrentCell) -> Result<Value> {
    if order(cell).len() == 1 {
        return Ok(value);
    }
    let rows = s.dims(index)?[0].as_static().unwrap_or(0) / cell.gates();
    let axes = s.ints(&[0]);
    let gates: Vec<Value> = order(cell)
        .iter()
        .map(|gate| {
            let first = *gate as i64 * rows;
            let (start, end) = (s.ints(&[first]), s.ints(&[first + rows]));
            s.op("Slice", &[value, start, end, axes], &[])
        })
        .collect();
    Ok(s.op("Concat", &gates, &[("axis", 0i64.into())]))
}
