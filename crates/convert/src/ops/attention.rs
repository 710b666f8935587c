//! Scaled dot-product attention.
//!
//! | schema | layers |
//! |---|---|
//! | `scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, …)` | MatrixMultiply, ElementWise, SoftMax |
//! | `_scaled_dot_product_attention_math(…, Tensor? dropout_mask, …)` | the same |
//! | `_scaled_dot_product_{flash,efficient,cudnn}_attention(…)` | the same; first output only |
//! | `_scaled_dot_product_flash_attention_for_cpu(…)` | the same; first output only |
//!
//! Dtypes: one float type for query `[…, L, E]`, key `[…, S, E]` and value `[…, S, V]`; the mask is bool (true
//! attends) or that float type (added). Every size may be symbolic. The layers stay in the order in which TensorRT
//! and ONNX Runtime recognize attention: query times key, times scale, plus mask, softmax, times value. The causal mask
//! comes from two ramps, so all layers of a model share one.
//!
//! A query that may attend to nothing gives zeros, as in PyTorch; without that, its NaN would spread to every
//! query of the next layer. It attends to everything, and the result is multiplied by zero: TensorRT 8.6 finds no
//! kernel for attention in float16 with a `Select` behind it, where the mask is the same for all queries (E0303).

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Matrix, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, ReduceOperation, TensorId, UnaryOperation};

const LAYERS: &str = "MatrixMultiply, ElementWise, SoftMax";

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.scaled_dot_product_attention.default", attention, LAYERS, 1e-5),
    operator("aten._scaled_dot_product_attention_math.default", attention, LAYERS, 1e-5),
    operator("aten._scaled_dot_product_flash_attention.default", attention, LAYERS, 1e-5),
    operator("aten._scaled_dot_product_flash_attention_for_cpu.default", attention, LAYERS, 1e-5),
    operator("aten._scaled_dot_product_efficient_attention.default", attention, LAYERS, 1e-5),
    operator("aten._scaled_dot_product_cudnn_attention.default", attention, LAYERS, 1e-5),
];

fn attention(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let dropout = call.float("dropout_p")?;
    if dropout != 0.0 {
        return unsupported(format!(
            "dropout_p is {dropout}: attention would drop elements at random; pass 0 where the module is in eval mode"
        ));
    }
    let [query, mut key, mut value] = [call.tensor("query")?, call.tensor("key")?, call.tensor("value")?];
    if call.argument("enable_gqa").is_some() && call.bool("enable_gqa")? {
        key = repeat_heads(b, key, query)?;
        value = repeat_heads(b, value, query)?;
    }
    let mut scores = scores(b, call, query, key)?;
    let mask = mask(b, call, scores)?;
    if call.bool("is_causal")? {
        let causal = causal(b, scores)?;
        scores = b.sum(scores, causal)?;
    }
    if let Some(mask) = &mask {
        scores = b.sum(scores, mask.bias)?;
    }
    let weights = b.softmax(scores, b.rank(scores) - 1)?;
    let mut result = b.matmul(weights, value)?;
    if let Some(idle) = mask.and_then(|m| m.idle) {
        let attends = b.unary(UnaryOperation::Not, idle)?;
        let attends = b.cast(attends, b.dtype(result))?;
        result = b.elementwise(E::Prod, result, attends)?;
    }
    let mut outputs = vec![None; call.output_count().max(1)];
    outputs[0] = Some(result);
    Ok(outputs.into())
}

/// The query times the key, times `scale`.
///
/// TensorRT 8.6 computes attention with a mask in one kernel only where the scale comes after the product. In float16
/// the product of a large query and key may not fit, so that the query is scaled first.
fn scores(b: &mut Builder, call: &Call<'_>, query: TensorId, key: TensorId) -> Result<TensorId> {
    let features = b.dims(query).last().cloned();
    if b.dtype(query) == DType::Float16 {
        let query = scaled(b, call, query, features)?;
        return b.matmul(query, Matrix::transposed(key));
    }
    let scores = b.matmul(query, Matrix::transposed(key))?;
    scaled(b, call, scores, features)
}

/// A tensor times `scale`, by default one over the root of the number of features.
fn scaled(b: &mut Builder, call: &Call<'_>, x: TensorId, features: Option<Dim>) -> Result<TensorId> {
    if let Some(scale) = call.optional_float("scale")? {
        return b.with_scalar(E::Prod, x, scale);
    }
    match features {
        Some(Dim::Static(features)) => b.with_scalar(E::Prod, x, 1.0 / (features as f64).sqrt()),
        Some(features) => {
            let features = b.size_scalar(&features)?;
            let features = b.cast(features, DType::Float32)?;
            let root = b.unary(UnaryOperation::Sqrt, features)?;
            let root = b.cast(root, b.dtype(x))?;
            b.div(x, root)
        }
        None => unsupported("attention over a tensor without axes"),
    }
}

/// Grouped queries: each head of key and value serves as many neighbouring heads of the query.
fn repeat_heads(b: &mut Builder, x: TensorId, query: TensorId) -> Result<TensorId> {
    let (from, to) = (b.dims(x), b.dims(query));
    if from.len() < 3 || to.len() < 3 {
        return unsupported("grouped-query attention needs an axis of heads");
    }
    let axis = from.len() - 3;
    let (heads, wanted) = (from[axis].clone(), to[to.len() - 3].clone());
    if heads == wanted {
        return Ok(x);
    }
    let mut repeated = from.clone();
    repeated.insert(axis + 1, wanted.floor_div(&heads));
    let mut joined = from;
    joined[axis] = wanted;
    let x = b.unsqueeze(x, &[axis + 1])?;
    let x = b.expand(x, &repeated)?;
    b.reshape(x, &joined)
}

/// What is added to the scores, and which queries attend to nothing where some may not.
struct Mask {
    bias: TensorId,
    idle: Option<TensorId>,
}

fn mask(b: &mut Builder, call: &Call<'_>, scores: TensorId) -> Result<Option<Mask>> {
    let name = if call.argument("attn_bias").is_some() { "attn_bias" } else { "attn_mask" };
    let Some(mask) = call.optional_tensor(name)? else { return Ok(None) };
    let dtype = b.dtype(scores);
    let is_bool = b.dtype(mask) == DType::Bool;
    let idle = idle(b, mask)?;
    // What these queries get is multiplied by zero, and must be finite for that.
    let mask = match idle {
        Some(idle) if is_bool => b.elementwise(E::Or, mask, idle)?,
        Some(idle) => {
            let none = b.scalar(b.dtype(mask), 0.0, 0)?;
            b.select(idle, none, mask)?
        }
        None => mask,
    };
    let bias = if is_bool { penalty(b, mask, dtype)? } else { b.cast(mask, dtype)? };
    Ok(Some(Mask { bias, idle }))
}

/// 0 where true, minus infinity where false.
fn penalty(b: &mut Builder, allowed: TensorId, dtype: DType) -> Result<TensorId> {
    let (none, all) = (b.scalar(dtype, 0.0, 0)?, b.scalar(dtype, f64::NEG_INFINITY, 0)?);
    b.select(allowed, none, all)
}

/// Whether each query may attend to no key: `[…, L, 1]`; `None` where the mask is a constant in which all attend.
fn idle(b: &mut Builder, mask: TensorId) -> Result<Option<TensorId>> {
    let (rank, is_bool) = (b.rank(mask), b.dtype(mask) == DType::Bool);
    if rank == 0 {
        return Ok(None);
    }
    if let Some(weights) = b.weights(mask) {
        let keys = weights.dims.last().copied().and_then(|n| usize::try_from(n).ok()).unwrap_or(0).max(1);
        let attends = |v: &f64| if is_bool { *v != 0.0 } else { *v != f64::NEG_INFINITY };
        if weights.to_f64().chunks(keys).all(|row| row.iter().any(attends)) {
            return Ok(None);
        }
    }
    let allowed = if is_bool { mask } else { is_allowed(b, mask)? };
    let allowed = b.number(allowed, DType::Float32)?;
    let best = b.reduce(ReduceOperation::Max, allowed, &[rank - 1], true)?;
    let limit = b.scalar(DType::Float32, 0.5, 0)?;
    b.elementwise(E::Less, best, limit).map(Some)
}

/// Whether an element is not minus infinity.
fn is_allowed(b: &mut Builder, mask: TensorId) -> Result<TensorId> {
    let lowest = b.scalar(b.dtype(mask), lowest_finite(b.dtype(mask)), 0)?;
    let is_infinite = b.elementwise(E::Less, mask, lowest)?;
    b.unary(UnaryOperation::Not, is_infinite)
}

/// The lowest number above minus infinity.
fn lowest_finite(dtype: DType) -> f64 {
    match dtype {
        DType::Float16 => half::f16::MIN.to_f64(),
        DType::BFloat16 => half::bf16::MIN.to_f64(),
        _ => f64::from(f32::MIN),
    }
}

/// Query i attends to keys 0..=i: `[L, S]`.
fn causal(b: &mut Builder, scores: TensorId) -> Result<TensorId> {
    let dims = b.dims(scores);
    let [.., queries, keys] = dims.as_slice() else {
        return unsupported("attention over a tensor without axes");
    };
    let (queries, keys) = (b.ramp(queries)?, b.ramp(keys)?);
    let (queries, keys) = (b.unsqueeze(queries, &[1])?, b.unsqueeze(keys, &[0])?);
    let later = b.elementwise(E::Greater, keys, queries)?;
    let dtype = b.dtype(scores);
    let (none, all) = (b.scalar(dtype, 0.0, 0)?, b.scalar(dtype, f64::NEG_INFINITY, 0)?);
    b.select(later, all, none)
}
