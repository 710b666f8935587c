//! What a layer's lowering sees: its inputs, and the means to emit nodes named after it.
//!
//! It must not know any one layer.

use crate::graph::{Attr, Value};
use crate::proto::DataType;
use crate::state::Lowering;
use crate::{Error, Result};
use network::{DType, Dims, Layer, Op, Tensor, Weights};

/// One layer being lowered.
pub(crate) struct Scope<'s, 'n> {
    pub cx: &'s mut Lowering<'n>,
    pub layer: &'n Layer,
}

/// Attributes of a node.
pub(crate) type Attrs<'a> = &'a [(&'static str, Attr)];

impl<'n> Scope<'_, 'n> {
    /// The value of an input that must be there.
    pub fn input(&self, index: usize) -> Result<Value> {
        self.optional(index)?.ok_or_else(|| Error::malformed(self.layer, format!("input {index} is missing")))
    }

    /// The value of an input that may be absent.
    pub fn optional(&self, index: usize) -> Result<Option<Value>> {
        let Some(id) = self.layer.input(index) else { return Ok(None) };
        match self.cx.get(id) {
            Some(value) => Ok(Some(value)),
            None => Err(Error::malformed(self.layer, format!("input {index} is used before it is made"))),
        }
    }

    /// The tensor of an input that must be there.
    pub fn tensor(&self, index: usize) -> Result<&'n Tensor> {
        let id = self.layer.input(index);
        id.map(|id| self.cx.network.tensor(id))
            .ok_or_else(|| Error::malformed(self.layer, format!("input {index} is missing")))
    }

    /// Sizes of an input that must be there.
    pub fn dims(&self, index: usize) -> Result<&'n Dims> {
        self.tensor(index).map(|t| &t.dims)
    }

    /// The constant behind an input, where it is one.
    pub fn constant(&self, index: usize) -> Option<&'n Weights> {
        self.cx.network.constant(self.layer.input(index)?)
    }

    /// The layer behind an input, where nothing else uses its result and the result is not rounded: what may be
    /// taken into this layer.
    pub fn absorbable(&self, index: usize) -> Option<&'n Layer> {
        let id = self.layer.input(index)?;
        let once = self.cx.uses[id.0 as usize] == 1 && !self.cx.emulates(self.cx.network.tensor(id).dtype);
        if once { self.cx.network.producer(id) } else { None }
    }

    /// The first output.
    pub fn output(&self) -> Result<&'n Tensor> {
        let id = self.layer.outputs.first();
        id.map(|id| self.cx.network.tensor(*id)).ok_or_else(|| Error::malformed(self.layer, "it has no output"))
    }

    /// The node that is the layer: it has the layer's name.
    pub fn main(&mut self, op: &'static str, inputs: &[Value], attributes: Attrs<'_>) -> Value {
        self.emit(op, inputs, 1, attributes, self.layer.name.clone())[0]
    }

    /// A node that helps: it is named after the layer and the operator.
    pub fn op(&mut self, op: &'static str, inputs: &[Value], attributes: Attrs<'_>) -> Value {
        self.emit(op, inputs, 1, attributes, format!("{}/{op}", self.layer.name))[0]
    }

    /// A node under a name of its own: another layer's, which it stands for.
    pub fn named(&mut self, op: &'static str, inputs: &[Value], attributes: Attrs<'_>, name: String) -> Value {
        self.emit(op, inputs, 1, attributes, name)[0]
    }

    /// A node with several outputs, named like the layer.
    pub fn multiple(
        &mut self,
        op: &'static str,
        inputs: &[Value],
        outputs: usize,
        attributes: Attrs<'_>,
    ) -> Vec<Value> {
        self.emit(op, inputs, outputs, attributes, self.layer.name.clone())
    }

    /// A helper that is made once for each value it is applied to. `key` distinguishes helpers by their attributes.
    pub fn once(&mut self, op: &'static str, input: Value, key: i64, attributes: Attrs<'_>) -> Value {
        if let Some(value) = self.cx.memo.get(&(op, input, key)) {
            return *value;
        }
        let value = self.op(op, &[input], attributes);
        self.cx.memo.insert((op, input, key), value);
        value
    }

    /// `condition ? then : otherwise`, of which only one is computed. Neither may use [`Scope::once`]: a value of a
    /// branch does not exist outside of it.
    pub fn choose(
        &mut self,
        condition: Value,
        data_type: DataType,
        then: impl FnOnce(&mut Self) -> Value,
        otherwise: impl FnOnce(&mut Self) -> Value,
    ) -> Value {
        let mark = self.cx.graph.mark();
        let output = then(self);
        let then = self.cx.graph.branch(mark, output, data_type);
        let output = otherwise(self);
        let otherwise = self.cx.graph.branch(mark, output, data_type);
        let branches = [("then_branch", Attr::Branch(then)), ("else_branch", Attr::Branch(otherwise))];
        self.op("If", &[condition], &branches)
    }

    /// Updates a state with each slice of a value along an axis, in order: the last state. The update may not use
    /// [`Scope::once`], for the same reason.
    pub fn scan(
        &mut self,
        state: Value,
        (x, axis): (Value, usize),
        data_type: DataType,
        update: impl FnOnce(&mut Self, Value, Value) -> Value,
    ) -> Value {
        let mark = self.cx.graph.mark();
        let inputs = [self.cx.graph.formal(), self.cx.graph.formal()];
        let output = update(self, inputs[0], inputs[1]);
        let mut body = self.cx.graph.branch(mark, output, data_type);
        body.inputs = inputs.to_vec();
        let attributes = [
            ("body", Attr::Branch(body)),
            ("num_scan_inputs", 1i64.into()),
            ("scan_input_axes", vec![axis as i64].into()),
        ];
        self.op("Scan", &[state, x], &attributes)
    }

    fn emit(
        &mut self,
        op: &'static str,
        inputs: &[Value],
        n: usize,
        attributes: Attrs<'_>,
        name: String,
    ) -> Vec<Value> {
        self.cx.graph.node(op, inputs, n, attributes, name, self.layer.origin.to_string())
    }

    /// A constant.
    pub fn weights(&mut self, weights: &Weights) -> Value {
        let name = match self.layer.op {
            Op::Constant(_) => self.layer.name.clone(),
            _ => format!("{}/constant", self.layer.name),
        };
        self.cx.weights(&name, weights)
    }

    /// A constant under the name of the input it stands for.
    pub fn weights_of(&mut self, index: usize, weights: &Weights) -> Value {
        let producer = self.layer.input(index).and_then(|id| self.cx.network.producer(id));
        match producer {
            Some(layer) => self.cx.weights(&layer.name, weights),
            None => self.weights(weights),
        }
    }

    /// A 1-D int64 constant.
    pub fn ints(&mut self, values: &[i64]) -> Value {
        self.weights(&Weights::int64(&[values.len() as i64], values))
    }

    /// A 0-D int64 constant.
    pub fn int(&mut self, value: i64) -> Value {
        self.weights(&Weights::int64(&[], &[value]))
    }

    /// A 0-D constant of a dtype (its carrier).
    pub fn scalar(&mut self, dtype: DType, value: f64) -> Value {
        // An emulated type's constant may be finer than the type: it is part of the layer's own arithmetic.
        let dtype = if self.cx.emulates(dtype) { DType::Float32 } else { dtype };
        self.weights(&Weights::scalar(dtype, value))
    }

    /// A conversion of element type; none where the carriers are the same.
    pub fn cast(&mut self, value: Value, from: DType, to: DType) -> Value {
        let (from, to) = (self.cx.carrier(from), self.cx.carrier(to));
        if from == to { value } else { self.cast_to(value, to) }
    }

    /// A conversion to an ONNX element type.
    pub fn cast_to(&mut self, value: Value, to: DataType) -> Value {
        self.once("Cast", value, i64::from(to as i32), &[("to", i64::from(to as i32).into())])
    }

    /// An input as int64.
    pub fn int64(&mut self, index: usize) -> Result<Value> {
        let dtype = self.tensor(index)?.dtype;
        let value = self.input(index)?;
        Ok(self.cast(value, dtype, DType::Int64))
    }

    /// An error for what ONNX lacks.
    pub fn unsupported(&self, reason: impl Into<String>, help: &'static str) -> Error {
        Error::unsupported(self.layer, reason, help)
    }
}
