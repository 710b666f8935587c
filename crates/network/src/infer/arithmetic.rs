//! Layers that compute element by element, and those that contract axes.

use super::{Inferred, Inputs, Result, TensorInfo, broadcast, broadcast_dim, check_axis, fail, one, same_dtype};
use crate::{
    ActivationType, DType, Dim, Dims, ElementWiseOperation as E, FillOperation, MatrixOperation, Op, ReduceOperation,
    UnaryOperation as U,
};
use std::collections::BTreeMap;

pub(super) fn infer(op: &Op, i: Inputs<'_>) -> Result<Vec<Inferred>> {
    match op {
        Op::Activation { kind, .. } => {
            let x = i.get(0, "x")?;
            let integer = x.dtype.is_index() && *kind == ActivationType::Relu;
            if !x.dtype.is_float() && !integer {
                return fail(format!("{kind:?} needs a float tensor, got {}", x.text()));
            }
            one(x.dtype, x.dims.to_vec())
        }
        Op::Cast { to } => one(*to, i.get(0, "x")?.dims.to_vec()),
        Op::Identity => i.get(0, "x").and_then(|x| one(x.dtype, x.dims.to_vec())),
        Op::Cumulative { axis, .. } => {
            let x = i.get(0, "x")?;
            check_axis(*axis, x)?;
            if !x.dtype.is_float() && !x.dtype.is_index() {
                return fail(format!("x must be a float, int32 or int64 tensor, got {}", x.text()));
            }
            one(x.dtype, x.dims.to_vec())
        }
        Op::ElementWise { op } => elementwise(*op, i.get(0, "a")?, i.get(1, "b")?),
        Op::Select => {
            let (c, a, b) = (i.get(0, "condition")?, i.get(1, "then")?, i.get(2, "else")?);
            if c.dtype != DType::Bool {
                return fail(format!("the condition must be bool, got {}", c.text()));
            }
            same_dtype(a, b, "then and else")?;
            one(a.dtype, broadcast(&[c, a, b])?)
        }
        Op::Unary { op } => unary(*op, i.get(0, "x")?),
        Op::ParametricRelu => {
            let (x, slope) = (i.float(0, "x")?, i.float(1, "slope")?);
            same_dtype(x, slope, "x and slope")?;
            broadcast(&[x, slope])?;
            one(x.dtype, x.dims.to_vec())
        }
        Op::Scale { .. } => i.float(0, "x").and_then(|x| one(x.dtype, x.dims.to_vec())),
        Op::Quantize { to, .. } => {
            let x = i.float(0, "x")?;
            i.float(1, "scale")?;
            one(*to, x.dims.to_vec())
        }
        Op::Dequantize { to, .. } => {
            let x = i.get(0, "x")?;
            i.float(1, "scale")?;
            one(*to, x.dims.to_vec())
        }
        Op::DynamicQuantize { axis, block_size, to, scale_type } => {
            let x = i.float(0, "x")?;
            check_axis(*axis, x)?;
            if !matches!(scale_type, DType::Float32 | DType::Float8E4M3) {
                return fail(format!("the scales must be float32 or float8, not {scale_type}"));
            }
            let mut scales = x.dims.to_vec();
            scales[*axis] = scales[*axis].ceil_div(&Dim::Static(*block_size));
            Ok(vec![
                Inferred { dtype: *to, dims: x.dims.to_vec(), value: None },
                Inferred { dtype: *scale_type, dims: scales, value: None },
            ])
        }
        Op::Fill { op, dims, dtype, .. } => {
            let ok = match op {
                FillOperation::Linspace => dtype.is_index() || *dtype == DType::Float32,
                FillOperation::RandomUniform | FillOperation::RandomNormal => {
                    matches!(dtype, DType::Float32 | DType::Float16)
                }
            };
            if !ok {
                return fail(format!("{op:?} does not fill {dtype}"));
            }
            match i.optional(0) {
                None => one(*dtype, dims.iter().map(|d| Dim::Static(*d)).collect()),
                Some(shape) => one(*dtype, known(shape, "the shape")?),
            }
        }
        _ => fail("not an elementwise layer"),
    }
}

/// The elements of a tensor that holds sizes.
pub(super) fn known(info: TensorInfo<'_>, what: &str) -> Result<Dims> {
    if !info.dtype.is_index() || info.rank() > 1 {
        return fail(format!("{what} must be a 1-D int32 or int64 tensor, got {}", info.text()));
    }
    match info.value {
        Some(value) => Ok(value.to_vec()),
        None => fail(format!("{what} depends on data: its elements are not expressions over input sizes")),
    }
}

fn elementwise(op: E, a: TensorInfo<'_>, b: TensorInfo<'_>) -> Result<Vec<Inferred>> {
    same_dtype(a, b, "both operands")?;
    let dims = broadcast(&[a, b])?;
    let number = a.dtype.is_float() || a.dtype.is_index();
    let ok = match op {
        E::And | E::Or | E::Xor => a.dtype == DType::Bool,
        E::Equal => number || a.dtype == DType::Bool,
        E::Pow => a.dtype.is_float(),
        _ => number,
    };
    if !ok {
        return fail(format!("{op:?} is not defined for {}", a.dtype));
    }
    one(if matches!(op, E::Equal | E::Greater | E::Less) { DType::Bool } else { a.dtype }, dims)
}

fn unary(op: U, x: TensorInfo<'_>) -> Result<Vec<Inferred>> {
    let ok = match op {
        U::Not => x.dtype == DType::Bool,
        U::Abs | U::Neg | U::Sign => x.dtype.is_float() || x.dtype.is_index(),
        _ => x.dtype.is_float(),
    };
    if !ok {
        return fail(format!("{op:?} is not defined for {}", x.dtype));
    }
    one(if matches!(op, U::Isinf | U::Isnan) { DType::Bool } else { x.dtype }, x.dims.to_vec())
}

pub(super) fn infer_contraction(op: &Op, i: Inputs<'_>) -> Result<Vec<Inferred>> {
    match op {
        Op::Einsum { equation } => einsum(equation, i),
        Op::MatrixMultiply { op0, op1 } => matrix_multiply((*op0, i.float(0, "a")?), (*op1, i.float(1, "b")?)),
        Op::Normalization { axes, groups, .. } => {
            let (x, scale, bias) = (i.float(0, "x")?, i.float(1, "scale")?, i.float(2, "bias")?);
            axes.iter().try_for_each(|a| check_axis(*a, x))?;
            same_dtype(x, scale, "x and scale")?;
            same_dtype(x, bias, "x and bias")?;
            if *groups == 1 {
                broadcast(&[x, scale])?;
            }
            one(x.dtype, x.dims.to_vec())
        }
        Op::Reduce { op, axes, keep_dims } => {
            let x = i.get(0, "x")?;
            axes.iter().try_for_each(|a| check_axis(*a, x))?;
            if !x.dtype.is_float() && (!x.dtype.is_index() || *op == ReduceOperation::Avg) {
                return fail(format!("{op:?} is not defined for {}", x.dtype));
            }
            let keep = |(k, d): (usize, &Dim)| match (axes.contains(&k), keep_dims) {
                (false, _) => Some(d.clone()),
                (true, true) => Some(Dim::Static(1)),
                (true, false) => None,
            };
            one(x.dtype, x.dims.iter().enumerate().filter_map(keep).collect())
        }
        Op::SoftMax { axis } => {
            let x = i.float(0, "x")?;
            check_axis(*axis, x)?;
            one(x.dtype, x.dims.to_vec())
        }
        Op::RaggedSoftMax => i.float(0, "x").and_then(|x| one(x.dtype, x.dims.to_vec())),
        Op::TopK { k, axis, .. } => {
            let x = i.get(0, "x")?;
            check_axis(*axis, x)?;
            if !x.dtype.is_float() && !x.dtype.is_index() {
                return fail(format!("x must be a float, int32 or int64 tensor, got {}", x.text()));
            }
            let mut dims = x.dims.to_vec();
            dims[*axis] = match i.optional(1) {
                None => Dim::Static(*k),
                Some(k) => known(k, "k")?.first().cloned().unwrap_or(Dim::Static(1)),
            };
            Ok(vec![
                Inferred { dtype: x.dtype, dims: dims.clone(), value: None },
                Inferred { dtype: DType::Int32, dims, value: None },
            ])
        }
        _ => fail("not a contraction"),
    }
}

fn matrix_multiply(
    a: (MatrixOperation, TensorInfo<'_>),
    b: (MatrixOperation, TensorInfo<'_>),
) -> Result<Vec<Inferred>> {
    same_dtype(a.1, b.1, "both operands")?;
    let text = || format!("{:?} {} and {:?} {}", a.0, a.1.text(), b.0, b.1.text());
    // Batch axes, then the matrix: rows and columns, of which a vector has only what is contracted.
    let split = |(op, x): (MatrixOperation, TensorInfo<'_>), left: bool| -> Result<(Dims, Option<Dim>, Dim)> {
        let tail = if op == MatrixOperation::Vector { 1 } else { 2 };
        if x.rank() < tail {
            return fail(format!("the rank is too small: {}", text()));
        }
        let (batch, matrix) = x.dims.split_at(x.rank() - tail);
        Ok(match (matrix, (op == MatrixOperation::Transpose) == left) {
            ([k], _) => (batch.to_vec(), None, k.clone()),
            ([k, free], true) | ([free, k], false) => (batch.to_vec(), Some(free.clone()), k.clone()),
            _ => return fail("the rank is too small"),
        })
    };
    let ((batch_a, rows, ka), (batch_b, columns, kb)) = (split(a, true)?, split(b, false)?);
    if ka.is_static() && kb.is_static() && ka != kb {
        return fail(format!("the contracted sizes differ ({ka} and {kb}): {}", text()));
    }
    if batch_a.len() != batch_b.len() {
        return fail(format!("the numbers of batch axes differ: {}", text()));
    }
    let batch: Option<Dims> = batch_a.iter().zip(&batch_b).map(|(x, y)| broadcast_dim(x, y)).collect();
    match batch {
        None => fail(format!("the batch axes do not broadcast: {}", text())),
        Some(batch) => one(a.1.dtype, batch.into_iter().chain(rows).chain(columns).collect()),
    }
}

fn einsum(equation: &str, i: Inputs<'_>) -> Result<Vec<Inferred>> {
    let Some((terms, output)) = equation.split_once("->") else {
        return fail(format!("the equation `{equation}` names no output (`->` is missing)"));
    };
    let terms: Vec<&str> = terms.split(',').map(str::trim).collect();
    if terms.len() != i.0.len() {
        return fail(format!("the equation `{equation}` is for {} tensors, got {}", terms.len(), i.0.len()));
    }
    let (first, mut sizes) = (i.float(0, "a")?, BTreeMap::new());
    for (k, term) in terms.iter().enumerate() {
        let x = i.float(k, "operand")?;
        same_dtype(first, x, "the operands")?;
        if term.chars().count() != x.rank() {
            return fail(format!("`{term}` in `{equation}` does not fit {}", x.text()));
        }
        for (letter, dim) in term.chars().zip(x.dims) {
            let known = sizes.entry(letter).or_insert_with(|| dim.clone());
            match broadcast_dim(known, dim) {
                Some(both) => *known = both,
                None => return fail(format!("`{letter}` in `{equation}` is both {known} and {dim}")),
            }
        }
    }
    let dims: Option<Dims> = output.trim().chars().map(|letter| sizes.get(&letter).cloned()).collect();
    match dims {
        Some(dims) => one(first.dtype, dims),
        None => fail(format!("the output of `{equation}` has a letter that no operand has")),
    }
}
