//! Norms of vectors and matrices, and what is divided by them.
//!
//! | schema | layers |
//! |---|---|
//! | `linalg_vector_norm(Tensor self, Scalar ord, int[]? dim, bool keepdim, …)` | ElementWise, Unary, Reduce |
//! | `norm.*` | the same |
//! | `linalg_norm(Tensor self, Scalar? ord, int[]? dim, bool keepdim, …)` | the same; no singular values |
//! | `linalg_matrix_norm` | the same |
//! | `renorm(Tensor self, Scalar p, int dim, Scalar maxnorm)` | the same, Select |
//! | `embedding_renorm(Tensor self, Tensor indices, float max_norm, float norm_type)` | the same; Scatter |
//! | `_weight_norm(Tensor v, Tensor g, int dim)`, `_weight_norm_interface` | the same |
//!
//! Dtypes: float in, the output's type out; sums are taken in float32 at least. Every size may be symbolic.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::call::normalize;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, Op, ReduceOperation as R, ScatterMode, TensorId, UnaryOperation as U};
use program::{Argument, Node};

const LAYERS: &str = "ElementWise, Unary, Reduce";

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.linalg_vector_norm.default", vector_norm, LAYERS, 1e-5),
    operator("aten.norm.Scalar", vector_norm, LAYERS, 1e-5),
    operator("aten.norm.ScalarOpt_dim", vector_norm, LAYERS, 1e-5),
    operator("aten.norm.ScalarOpt_dtype", vector_norm, LAYERS, 1e-5),
    operator("aten.norm.ScalarOpt_dim_dtype", vector_norm, LAYERS, 1e-5),
    operator("aten.linalg_norm.default", linalg_norm, LAYERS, 1e-5),
    operator("aten.linalg_norm.ord_str", matrix_norm, LAYERS, 1e-5),
    operator("aten.linalg_matrix_norm.default", matrix_norm, LAYERS, 1e-5),
    operator("aten.linalg_matrix_norm.str_ord", matrix_norm, LAYERS, 1e-5),
    operator("aten.renorm.default", renorm, "ElementWise, Unary, Reduce, Select", 1e-5),
    operator("aten.embedding_renorm.default", embedding_renorm, "ElementWise, Unary, Reduce, Select", 1e-5),
    operator("aten._weight_norm.default", weight_norm, LAYERS, 1e-5),
    operator("aten._weight_norm_interface.default", weight_norm, LAYERS, 1e-5),
];

/// `(Σ |x|^p)^(1/p)` over axes, in x's float type. Orders 0 and ±infinity are the limits that PyTorch defines.
pub(super) fn p_norm(b: &mut Builder, x: TensorId, p: f64, axes: &[usize], keep: bool) -> Result<TensorId> {
    if p == 2.0 {
        let squares = b.prod(x, x)?;
        let sum = b.reduce(R::Sum, squares, axes, keep)?;
        return b.unary(U::Sqrt, sum);
    }
    if p == 0.0 {
        let zero = b.scalar(b.dtype(x), 0.0, 0)?;
        let equal = b.elementwise(E::Equal, x, zero)?;
        let other = b.not(equal)?;
        let ones = b.number(other, b.dtype(x))?;
        return b.reduce(R::Sum, ones, axes, keep);
    }
    let size = b.unary(U::Abs, x)?;
    if p.is_infinite() {
        return b.reduce(if p > 0.0 { R::Max } else { R::Min }, size, axes, keep);
    }
    if p == 1.0 {
        return b.reduce(R::Sum, size, axes, keep);
    }
    let powers = b.with_scalar(E::Pow, size, p)?;
    let sum = b.reduce(R::Sum, powers, axes, keep)?;
    b.with_scalar(E::Pow, sum, 1.0 / p)
}

/// The input in the type in which the norm is computed: the `dtype` argument's if given, at least float32.
fn wide(b: &mut Builder, call: &Call<'_>, name: &str) -> Result<TensorId> {
    let x = call.tensor(name)?;
    let x = match call.argument("dtype") {
        Some(Argument::Dtype(_)) => b.cast(x, call.output_dtype(0)?)?,
        _ => x,
    };
    b.cast(x, DType::Float32)
}

/// The order, where `None` means 2.
fn order(call: &Call<'_>) -> Result<f64> {
    let name = if call.argument("ord").is_some() { "ord" } else { "p" };
    Ok(call.optional_float(name)?.unwrap_or(2.0))
}

fn keep_dims(call: &Call<'_>) -> Result<bool> {
    Ok(call.argument("keepdim").is_some() && call.bool("keepdim")?)
}

fn vector_norm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = wide(b, call, "self")?;
    let axes = call.axes("dim", b.rank(x))?;
    let y = p_norm(b, x, order(call)?, &axes, keep_dims(call)?)?;
    Ok(b.cast(y, call.output_dtype(0)?)?.into())
}

/// A vector norm, unless an order is given for a matrix.
fn linalg_norm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let rank = b.rank(call.tensor("self")?);
    let matrix = if call.is_none("dim") { rank == 2 } else { call.ints("dim")?.len() == 2 };
    if matrix && !call.is_none("ord") { matrix_norm(b, call) } else { vector_norm(b, call) }
}

/// Sums of rows or columns and the largest or smallest of them, or the norm of all elements.
fn matrix_norm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = wide(b, call, "self")?;
    let rank = b.rank(x);
    let axes = if call.is_none("dim") { vec![-2, -1] } else { call.ints("dim")? };
    let [rows, columns] = axes.as_slice() else { return unsupported("a matrix norm over other than two axes") };
    let (rows, columns, keep) = (normalize(*rows, rank)?, normalize(*columns, rank)?, keep_dims(call)?);
    let order = match call.argument("ord") {
        Some(Argument::String(name)) if name == "fro" => None,
        Some(Argument::String(name)) => return unsupported(format!("the `{name}` norm needs singular values")),
        _ => Some(call.float("ord")?),
    };
    let (summed, picked) = match order {
        None => {
            let y = p_norm(b, x, 2.0, &[rows, columns], keep)?;
            return Ok(b.cast(y, call.output_dtype(0)?)?.into());
        }
        Some(p) if p.abs() == 1.0 => (rows, columns),
        Some(p) if p.is_infinite() => (columns, rows),
        Some(p) => return unsupported(format!("a matrix norm of order {p} needs singular values")),
    };
    let size = b.unary(U::Abs, x)?;
    let sums = b.reduce(R::Sum, size, &[summed], true)?;
    let pick = if order.is_some_and(|p| p > 0.0) { R::Max } else { R::Min };
    let y = b.reduce(pick, sums, &[picked], true)?;
    let y = if keep { y } else { b.squeeze(y, &[rows, columns])? };
    Ok(b.cast(y, call.output_dtype(0)?)?.into())
}

/// What scales norms above a limit down to it: 1 for the others.
fn shrinking(b: &mut Builder, norm: TensorId, limit: f64) -> Result<TensorId> {
    let (maximum, one) = (b.scalar(DType::Float32, limit, 0)?, b.scalar(DType::Float32, 1.0, 0)?);
    let above = b.elementwise(E::Greater, norm, maximum)?;
    // PyTorch's own guard against division by zero.
    let guarded = b.with_scalar(E::Sum, norm, 1e-7)?;
    let shrink = b.elementwise(E::Div, maximum, guarded)?;
    b.select(above, shrink, one)
}

/// Rows of an embedding that `indices` name are scaled down where their norm is above `max_norm`.
fn embedding_renorm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (p, limit) = (call.float("norm_type")?, call.float("max_norm")?);
    let x = wide(b, call, "self")?;
    let norm = p_norm(b, x, p, &[1], true)?;
    let mut factor = shrinking(b, norm, limit)?;
    let gathers =
        ["aten.embedding.default", "aten.embedding_bag.padding_idx", "aten._embedding_bag_forward_only.default"];
    let indices = call.argument("indices");
    let same_rows = |node: &Node| gathers.contains(&&*node.target) && node.arguments.get("indices") == indices;
    // Where nothing reads other rows, all are scaled: of a constant, at conversion.
    if !call.is_read_only_by(0, same_rows) {
        let indices = call.tensor("indices")?;
        let count = Dim::product(&b.dims(indices));
        let indices = b.reshape(indices, std::slice::from_ref(&count))?;
        let (none, ones) = (b.full(DType::Float32, &b.dims(x)[..1], 0.0)?, b.full(DType::Float32, &[count], 1.0)?);
        let positions = b.unsqueeze(indices, &[1])?;
        let named = b.add(Op::Scatter { mode: ScatterMode::Nd, axis: 0 }, &[none, positions, ones])?;
        let named = b.cast(named, DType::Bool)?;
        let (named, one) = (b.unsqueeze(named, &[1])?, b.scalar(DType::Float32, 1.0, 2)?);
        factor = b.select(named, factor, one)?;
    }
    let y = b.prod(x, factor)?;
    Ok(b.cast(y, call.output_dtype(0)?)?.into())
}

/// Slices along `dim` whose norm is above `maxnorm` are scaled down to it.
fn renorm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (p, limit) = (call.float("p")?, call.float("maxnorm")?);
    let x = wide(b, call, "self")?;
    let axis = call.axis("dim", b.rank(x))?;
    let others: Vec<usize> = (0..b.rank(x)).filter(|k| *k != axis).collect();
    let norm = p_norm(b, x, p, &others, true)?;
    let factor = shrinking(b, norm, limit)?;
    let y = b.prod(x, factor)?;
    Ok(b.cast(y, call.output_dtype(0)?)?.into())
}

/// `v · g / |v|`, the norm over every axis but `dim` (over all where it is -1).
fn weight_norm(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (v, dim) = (wide(b, call, "v")?, call.int("dim")?);
    let rank = b.rank(v);
    let kept = if dim == -1 && call.output_count() == 1 { None } else { Some(normalize(dim, rank)?) };
    let axes: Vec<usize> = (0..rank).filter(|k| Some(*k) != kept).collect();
    let norm = p_norm(b, v, 2.0, &axes, true)?;
    let g = call.tensor("g")?;
    let g = b.cast(g, DType::Float32)?;
    let factor = b.div(g, norm)?;
    let w = b.prod(v, factor)?;
    let mut outputs = vec![Some(b.cast(w, call.output_dtype(0)?)?)];
    if call.output_count() > 1 {
        let norm = b.reshape(norm, call.output_dims(1)?)?;
        outputs.push(Some(b.cast(norm, call.output_dtype(1)?)?));
    }
    Ok(outputs.into())
}
