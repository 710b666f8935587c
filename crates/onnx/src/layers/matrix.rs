//! Matrix products and Einstein sums.
//!
//! A product with a constant matrix is a Gemm, over the rows of all leading axes: the only operator of ONNX that
//! takes a transposed matrix and a bias as they are. In ONNX Runtime it runs as fast as a `MatMul` with an Add, and
//! spares the second copy of the weights that transposing them on load would make.

use crate::Result;
use crate::graph::Value;
use crate::scope::Scope;
use crate::state::Size;
use network::{Dim, Layer, MatrixOperation as M, Op, Weights};

pub(super) fn matrix_multiply(s: &mut Scope<'_, '_>, op0: M, op1: M) -> Result<Value> {
    if let Some(value) = linear(s, s.layer, None)? {
        return Ok(value);
    }
    let (a, b) = (operand(s, 0, op0, ROWS)?, operand(s, 1, op1, COLUMNS)?);
    let product = s.main("MatMul", &[a, b], &[]);
    let vector = |(op, axis)| (op == M::Vector).then_some(axis);
    let added: Vec<i64> = [(op0, ROWS), (op1, COLUMNS)].into_iter().filter_map(vector).collect();
    if added.is_empty() {
        return Ok(product);
    }
    let axes = s.ints(&added);
    Ok(s.op("Squeeze", &[product, axes], &[]))
}

/// The last two axes, as ONNX counts from the back.
const ROWS: i64 = -2;
const COLUMNS: i64 = -1;

/// An operand as a matrix: a vector is given the axis that it lacks.
fn operand(s: &mut Scope<'_, '_>, index: usize, op: M, lacking: i64) -> Result<Value> {
    let (x, rank) = (s.input(index)?, s.dims(index)?.len());
    Ok(match op {
        M::None => x,
        M::Transpose => swap_last(s, x, rank),
        M::Vector => {
            let axes = s.ints(&[lacking]);
            s.op("Unsqueeze", &[x, axes], &[])
        }
    })
}

fn swap_last(s: &mut Scope<'_, '_>, x: Value, rank: usize) -> Value {
    let mut order: Vec<i64> = (0..rank as i64).collect();
    order.swap(rank - 2, rank - 1);
    s.op("Transpose", &[x], &[("perm", order.into())])
}

/// `Sum(MatrixMultiply(a, constant), constant)` with a bias of one number a column.
pub(super) fn with_bias(s: &mut Scope<'_, '_>) -> Result<Option<Value>> {
    for (product, bias) in [(0, 1), (1, 0)] {
        let (Some(layer), Some(bias)) = (s.absorbable(product), s.constant(bias)) else { continue };
        let columns = s.output()?.dims.last().and_then(Dim::as_static);
        if !matches!(layer.op, Op::MatrixMultiply { .. }) || columns != Some(bias.count() as i64) {
            continue;
        }
        let row = bias.dims.last().copied() == columns;
        if let (true, Some(bias)) = (row, bias.reshaped(&[bias.count() as i64])) {
            return linear(s, layer, Some(&bias));
        }
    }
    Ok(None)
}

/// The product of `layer` as a Gemm, where its second operand is a constant matrix.
fn linear(s: &mut Scope<'_, '_>, layer: &Layer, bias: Option<&Weights>) -> Result<Option<Value>> {
    let Op::MatrixMultiply { op0: M::None, op1: op1 @ (M::None | M::Transpose) } = layer.op else { return Ok(None) };
    let (Some(a), Some(b)) = (layer.input(0), layer.input(1)) else { return Ok(None) };
    let (Some(x), Some(weights)) = (s.cx.get(a), s.cx.network.constant(b)) else { return Ok(None) };
    let [leading @ .., rows, columns] = weights.dims.as_slice() else { return Ok(None) };
    let Some(matrix) = weights.reshaped(&[*rows, *columns]).filter(|_| leading.iter().all(|d| *d == 1)) else {
        return Ok(None);
    };
    let (k, n) = if op1 == M::Transpose { (*columns, *rows) } else { (*rows, *columns) };
    if k == 0 {
        return Ok(None);
    }
    let from = &s.cx.network.tensor(a).dims;
    let name = s.cx.network.producer(b).map_or_else(|| layer.name.clone(), |constant| constant.name.clone());
    let matrix = s.cx.weights(&name, &matrix);
    let lines = Dim::product(&from[..from.len() - 1]);
    let Some(flat) = s.reshape(x, from, &[lines.clone(), Dim::Static(k)]) else { return Ok(None) };
    let mut inputs = vec![flat, matrix];
    if let Some(bias) = bias {
        inputs.push(s.weights(bias));
    }
    let product = s.named("Gemm", &inputs, &[("transB", (op1 == M::Transpose).into())], layer.name.clone());
    let to = &s.output()?.dims;
    if let Some(value) = s.reshape(product, &[lines, Dim::Static(n)], to) {
        return Ok(Some(value));
    }
    let mut sizes = s.entries_of(x, &from[..from.len() - 1]);
    sizes.push(Size::Is(n));
    Ok(Some(s.reshape_to(product, &sizes)))
}

pub(super) fn einsum(s: &mut Scope<'_, '_>, equation: &str) -> Result<Value> {
    let inputs: Vec<Value> = (0..s.layer.inputs.len()).map(|k| s.input(k)).collect::<Result<_>>()?;
    Ok(s.main("Einsum", &inputs, &[("equation", equation.into())]))
}
