//! Recurrent layers, as TensorRT's `ILoop`.
//!
//! The input's share of the gates is one matrix multiplication before the loop; an iterator hands out its rows. The
//! body multiplies the hidden state, and computes the cell in float32, whatever the type of the matrices: the cell
//! state of a long sequence accumulates. Lengths freeze the state past the end of each sequence and clear the outputs
//! there.

use crate::emitter::{EmitResult, NetworkEmitter};
use crate::enums::ToTensorRt;
use crate::error::Fault;
use network::{DType, Layer, RecurrentCell};
use nvinfer as trt;
use nvinfer::{ActivationType as A, ElementWiseOperation as E, LoopOutput, MatrixOperation as M, TripLimit};

/// The loop of one recurrent layer. Returns a TensorRT layer for each output.
pub(super) fn recurrent<'n>(
    t: &mut NetworkEmitter<'n, '_>,
    layer: &Layer,
    cell: RecurrentCell,
    reverse: bool,
) -> EmitResult<Vec<trt::Layer<'n>>> {
    let Some(size) = layer.input(2).and_then(|id| t.network.tensor(id).dims.last()?.as_static()) else {
        return Err(Fault::Problem("the hidden weights have no static size".to_owned()));
    };
    let dtype = t.dtype(layer, 0);
    let mut body = Body { t, layer, cell, size, dtype, sizes_of_state: None, part: 0 };
    let gates = body.input_gates()?;
    let steps = body.steps(gates)?;
    let (weights, bias) = (body.t.input(layer, 2)?, body.hidden_bias()?);
    let mask = body.mask(gates)?;
    let first = [5, 6].into_iter().filter(|k| layer.input(*k).is_some()).collect::<Vec<_>>();
    let first = first.into_iter().map(|k| body.state(k)).collect::<EmitResult<Vec<_>>>()?;
    let sizes = body.t.definition.add_shape(first[0])?;
    body.sizes_of_state = Some(body.done(sizes, None)?);

    let scan = body.t.definition.add_loop()?;
    scan.set_name(&layer.name)?;
    scan.add_trip_limit(steps, TripLimit::Count)?;
    let row = scan.add_iterator(gates, 0, reverse)?.output(0)?;
    let valid = mask.map(|mask| Ok::<_, Fault>(scan.add_iterator(mask, 0, reverse)?.output(0)?)).transpose()?;
    let states = first.iter().map(|first| Ok(scan.add_recurrence(*first)?)).collect::<EmitResult<Vec<_>>>()?;
    let old = states.iter().map(|state| Ok(state.output(0)?)).collect::<EmitResult<Vec<_>>>()?;
    let mut next = body.step(row, &old, weights, bias)?;
    let mut output = next[0];
    if let Some(valid) = valid {
        let zero = body.float(0.0)?;
        for (next, old) in next.iter_mut().zip(&old) {
            *next = body.select(valid, *next, *old)?;
        }
        output = body.select(valid, output, zero)?;
    }
    for (state, next) in states.iter().zip(&next) {
        state.set_input(1, *next)?;
    }
    let all = scan.add_output(output, if reverse { LoopOutput::Reverse } else { LoopOutput::Concatenate }, 0)?;
    all.set_input(1, steps)?;
    let mut outputs = vec![body.given(all)?];
    for old in old {
        let last = scan.add_output(old, LoopOutput::LastValue, 0)?.output(0)?;
        let last = body.reshaped(last, &[1, -1, size])?;
        outputs.push(body.given_of(last)?);
    }
    Ok(outputs)
}

/// What the layers of one loop share.
struct Body<'t, 'n, 'w> {
    t: &'t mut NetworkEmitter<'n, 'w>,
    layer: &'t Layer,
    cell: RecurrentCell,
    /// Features of the hidden state.
    size: i64,
    /// The type of the layer's tensors; the cell is computed in float32.
    dtype: DType,
    /// `[batch, hidden]` as a tensor, the sizes of a gate.
    sizes_of_state: Option<trt::Tensor<'n>>,
    /// Number of layers so far.
    part: usize,
}

impl<'n> Body<'_, 'n, '_> {
    /// Names a layer, sets its type where types do not flow through the network, and takes its output.
    fn done(&mut self, layer: trt::Layer<'n>, dtype: Option<DType>) -> EmitResult<trt::Tensor<'n>> {
        self.part += 1;
        layer.set_name(&format!("{}/{}", self.layer.name, self.part))?;
        layer.set_metadata(&self.layer.origin.to_string())?;
        if let Some(dtype) = dtype.filter(|_| !self.t.strongly_typed()) {
            layer.set_precision(dtype.to_trt())?;
            layer.set_output_type(0, dtype.to_trt())?;
        }
        Ok(layer.output(0)?)
    }

    fn matmul(&mut self, x: trt::Tensor<'n>, weights: trt::Tensor<'n>) -> EmitResult<trt::Tensor<'n>> {
        let made = *self.t.definition.add_matrix_multiply(x, M::None, weights, M::Transpose)?;
        self.done(made, Some(self.dtype))
    }

    fn binary(&mut self, op: E, a: trt::Tensor<'n>, b: trt::Tensor<'n>) -> EmitResult<trt::Tensor<'n>> {
        let made = self.t.definition.add_elementwise(a, b, op)?;
        self.done(made, Some(DType::Float32))
    }

    fn activation(&mut self, kind: A, x: trt::Tensor<'n>) -> EmitResult<trt::Tensor<'n>> {
        let made = *self.t.definition.add_activation(x, kind)?;
        self.done(made, Some(DType::Float32))
    }

    fn select(
        &mut self,
        valid: trt::Tensor<'n>,
        x: trt::Tensor<'n>,
        y: trt::Tensor<'n>,
    ) -> EmitResult<trt::Tensor<'n>> {
        let made = self.t.definition.add_select(valid, x, y)?;
        self.done(made, Some(DType::Float32))
    }

    fn reshaped(&mut self, x: trt::Tensor<'n>, dims: &[i64]) -> EmitResult<trt::Tensor<'n>> {
        let made = self.t.definition.add_shuffle(x)?;
        made.set_reshape_dimensions(dims)?;
        self.done(*made, None)
    }

    fn cast(&mut self, x: trt::Tensor<'n>, from: DType, to: DType) -> EmitResult<trt::Tensor<'n>> {
        if from == to {
            return Ok(x);
        }
        let made = self.t.definition.add_cast(x, to.to_trt())?;
        self.done(made, None)
    }

    /// A float32 tensor of the layer's type.
    fn given(&mut self, emitted: trt::Layer<'n>) -> EmitResult<trt::Layer<'n>> {
        let x = self.done(emitted, Some(DType::Float32))?;
        self.given_of(x)
    }

    fn given_of(&mut self, x: trt::Tensor<'n>) -> EmitResult<trt::Layer<'n>> {
        Ok(match self.dtype {
            DType::Float32 => self.t.definition.add_identity(x)?,
            dtype => self.t.definition.add_cast(x, dtype.to_trt())?,
        })
    }

    fn float(&mut self, value: f32) -> EmitResult<trt::Tensor<'n>> {
        let made = self.t.definition.add_constant(&[1, 1], self.t.floats(&[value]))?;
        self.done(made, None)
    }

    /// `x * Wᵀ + bias` for all steps, as float32.
    fn input_gates(&mut self) -> EmitResult<trt::Tensor<'n>> {
        let (x, weights) = (self.t.input(self.layer, 0)?, self.t.input(self.layer, 1)?);
        let rows = self.size * self.cell.gates();
        let features = self.layer.input(1).and_then(|id| self.t.network.tensor(id).dims.last()?.as_static());
        let weights = self.reshaped(weights, &[1, rows, features.unwrap_or(-1)])?;
        let gates = self.matmul(x, weights)?;
        let gates = self.cast(gates, self.dtype, DType::Float32)?;
        let Some(bias) = self.t.optional(self.layer, 3)? else { return Ok(gates) };
        let bias = self.cast(bias, self.dtype, DType::Float32)?;
        let bias = self.reshaped(bias, &[1, 1, rows])?;
        self.binary(E::Sum, gates, bias)
    }

    fn hidden_bias(&mut self) -> EmitResult<Option<trt::Tensor<'n>>> {
        let Some(bias) = self.t.optional(self.layer, 4)? else { return Ok(None) };
        let bias = self.cast(bias, self.dtype, DType::Float32)?;
        Ok(Some(self.reshaped(bias, &[1, self.size * self.cell.gates()])?))
    }

    /// A first state as `[batch, hidden]`, float32.
    fn state(&mut self, index: usize) -> EmitResult<trt::Tensor<'n>> {
        let state = self.t.input(self.layer, index)?;
        let state = self.cast(state, self.dtype, DType::Float32)?;
        self.reshaped(state, &[-1, self.size])
    }

    /// The number of steps, as int32 without axes.
    fn steps(&mut self, gates: trt::Tensor<'n>) -> EmitResult<trt::Tensor<'n>> {
        let first = self.sizes(gates, 0, 1)?;
        self.reshaped(first, &[])
    }

    /// Sizes of a tensor from an axis on, as int32.
    fn sizes(&mut self, x: trt::Tensor<'n>, axis: i64, count: i64) -> EmitResult<trt::Tensor<'n>> {
        let shape = self.t.definition.add_shape(x)?;
        let mut shape = self.done(shape, None)?;
        if self.t.strongly_typed() {
            shape = self.cast(shape, DType::Int64, DType::Int32)?;
        }
        let slice = self.t.definition.add_slice(shape, &[axis], &[count], &[1])?;
        self.done(*slice, None)
    }

    /// Whether each step is within each sequence: `[time, batch, 1]`; none without lengths.
    fn mask(&mut self, gates: trt::Tensor<'n>) -> EmitResult<Option<trt::Tensor<'n>>> {
        let Some(lengths) = self.t.optional(self.layer, 7)? else { return Ok(None) };
        let lengths = self.cast(lengths, self.t.dtype(self.layer, 7), DType::Int32)?;
        let lengths = self.reshaped(lengths, &[1, -1, 1])?;
        let time = self.sizes(gates, 0, 1)?;
        let ramp = self.t.definition.add_fill(&[1], trt::FillOperation::Linspace, trt::DataType::Int32)?;
        ramp.set_input(0, time)?;
        let zero = self.t.definition.add_constant(&[], self.t.int32s(&[0]))?;
        let zero = self.done(zero, None)?;
        let one = self.t.definition.add_constant(&[1], self.t.int32s(&[1]))?;
        let one = self.done(one, None)?;
        ramp.set_input(1, zero)?;
        ramp.set_input(2, one)?;
        let ramp = self.done(*ramp, None)?;
        let ramp = self.reshaped(ramp, &[-1, 1, 1])?;
        let made = self.t.definition.add_elementwise(ramp, lengths, E::Less)?;
        Ok(Some(self.done(made, None)?))
    }

    /// One gate of several: `[batch, hidden]`.
    fn gate(&mut self, gates: trt::Tensor<'n>, index: i64) -> EmitResult<trt::Tensor<'n>> {
        let slice = self.t.definition.add_slice(gates, &[0, index * self.size], &[0, 0], &[1, 1])?;
        if let Some(sizes) = self.sizes_of_state {
            slice.set_input(2, sizes)?;
        }
        self.done(*slice, Some(DType::Float32))
    }

    /// One step: the next hidden state, and cell state.
    fn step(
        &mut self,
        row: trt::Tensor<'n>,
        old: &[trt::Tensor<'n>],
        weights: trt::Tensor<'n>,
        bias: Option<trt::Tensor<'n>>,
    ) -> EmitResult<Vec<trt::Tensor<'n>>> {
        let hidden = self.cast(old[0], DType::Float32, self.dtype)?;
        let share = self.matmul(hidden, weights)?;
        let mut share = self.cast(share, self.dtype, DType::Float32)?;
        if let Some(bias) = bias {
            share = self.binary(E::Sum, share, bias)?;
        }
        if self.cell == RecurrentCell::Gru {
            return Ok(vec![self.gru(row, share, old[0])?]);
        }
        let gates = self.binary(E::Sum, row, share)?;
        match (self.cell, old) {
            (RecurrentCell::Lstm, [_, cell]) => self.lstm(gates, *cell),
            (RecurrentCell::Relu, _) => Ok(vec![self.activation(A::Relu, gates)?]),
            _ => Ok(vec![self.activation(A::Tanh, gates)?]),
        }
    }

    /// `c' = σ(f)·c + σ(i)·tanh(g)`, `h' = σ(o)·tanh(c')`.
    fn lstm(&mut self, gates: trt::Tensor<'n>, cell: trt::Tensor<'n>) -> EmitResult<Vec<trt::Tensor<'n>>> {
        let mut opened = Vec::with_capacity(4);
        for (index, kind) in [A::Sigmoid, A::Sigmoid, A::Tanh, A::Sigmoid].into_iter().enumerate() {
            let gate = self.gate(gates, index as i64)?;
            opened.push(self.activation(kind, gate)?);
        }
        let (kept, taken) = (self.binary(E::Prod, opened[1], cell)?, self.binary(E::Prod, opened[0], opened[2])?);
        let cell = self.binary(E::Sum, kept, taken)?;
        let shown = self.activation(A::Tanh, cell)?;
        Ok(vec![self.binary(E::Prod, opened[3], shown)?, cell])
    }

    /// `r, z = σ(x + h)`, `n = tanh(x + r·h)`, `h' = n + z·(h - n)`.
    fn gru(&mut self, x: trt::Tensor<'n>, h: trt::Tensor<'n>, old: trt::Tensor<'n>) -> EmitResult<trt::Tensor<'n>> {
        let mut opened = Vec::with_capacity(2);
        for index in 0..2 {
            let (x, h) = (self.gate(x, index)?, self.gate(h, index)?);
            let sum = self.binary(E::Sum, x, h)?;
            opened.push(self.activation(A::Sigmoid, sum)?);
        }
        let (x, h) = (self.gate(x, 2)?, self.gate(h, 2)?);
        let kept = self.binary(E::Prod, opened[0], h)?;
        let new = self.binary(E::Sum, x, kept)?;
        let new = self.activation(A::Tanh, new)?;
        let difference = self.binary(E::Sub, old, new)?;
        let back = self.binary(E::Prod, opened[1], difference)?;
        self.binary(E::Sum, new, back)
    }
}
