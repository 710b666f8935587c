//! Layers that compute element by element, and those that make elements.

use super::{Inferred, Inputs, Result, TensorInfo, broadcast, check_axis, fail, one, same_dtype};
use crate::{
    ActivationType, CumulativeOperation, DType, Dim, Dims, ElementWiseOperation as E, FillOperation, ScaleMode,
    UnaryOperation as U,
};

pub(super) fn activation(i: Inputs<'_>, kind: ActivationType, _alpha: f32, _beta: f32) -> Result<Vec<Inferred>> {
    let x = i.get(0, "x")?;
    let integer = x.dtype.is_index() && kind == ActivationType::Relu;
    if !x.dtype.is_float() && !integer {
        return fail(format!("{kind:?} needs a float tensor, got {}", x.text()));
    }
    one(x.dtype, x.dims.to_vec())
}

pub(super) fn cast(i: Inputs<'_>, to: DType) -> Result<Vec<Inferred>> {
    one(to, i.get(0, "x")?.dims.to_vec())
}

pub(super) fn identity(i: Inputs<'_>) -> Result<Vec<Inferred>> {
    i.get(0, "x").and_then(|x| one(x.dtype, x.dims.to_vec()))
}

pub(super) fn cumulative(
    i: Inputs<'_>,
    _: CumulativeOperation,
    axis: usize,
    _exclusive: bool,
    _reverse: bool,
) -> Result<Vec<Inferred>> {
    let x = i.get(0, "x")?;
    check_axis(axis, x)?;
    if !x.dtype.is_float() && !x.dtype.is_index() {
        return fail(format!("x must be a float, int32 or int64 tensor, got {}", x.text()));
    }
    one(x.dtype, x.dims.to_vec())
}

pub(super) fn select(i: Inputs<'_>) -> Result<Vec<Inferred>> {
    let (c, a, b) = (i.get(0, "condition")?, i.get(1, "then")?, i.get(2, "else")?);
    if c.dtype != DType::Bool {
        return fail(format!("the condition must be bool, got {}", c.text()));
    }
    same_dtype(a, b, "then and else")?;
    one(a.dtype, broadcast(&[c, a, b])?)
}

pub(super) fn parametric_relu(i: Inputs<'_>) -> Result<Vec<Inferred>> {
    let (x, slope) = (i.float(0, "x")?, i.float(1, "slope")?);
    same_dtype(x, slope, "x and slope")?;
    broadcast(&[x, slope])?;
    one(x.dtype, x.dims.to_vec())
}

pub(super) fn scale(i: Inputs<'_>, _: ScaleMode, _channel_axis: usize) -> Result<Vec<Inferred>> {
    i.float(0, "x").and_then(|x| one(x.dtype, x.dims.to_vec()))
}

pub(super) fn quantize(i: Inputs<'_>, _axis: Option<usize>, to: DType) -> Result<Vec<Inferred>> {
    let x = i.float(0, "x")?;
    i.float(1, "scale")?;
    one(to, x.dims.to_vec())
}

pub(super) fn dequantize(i: Inputs<'_>, _axis: Option<usize>, to: DType) -> Result<Vec<Inferred>> {
    let x = i.get(0, "x")?;
    i.float(1, "scale")?;
    one(to, x.dims.to_vec())
}

pub(super) fn dynamic_quantize(
    i: Inputs<'_>,
    axis: usize,
    block_size: i64,
    to: DType,
    scale_type: DType,
) -> Result<Vec<Inferred>> {
    let x = i.float(0, "x")?;
    check_axis(axis, x)?;
    if !matches!(scale_type, DType::Float32 | DType::Float8E4M3) {
        return fail(format!("the scales must be float32 or float8, not {scale_type}"));
    }
    let mut scales = x.dims.to_vec();
    scales[axis] = scales[axis].ceil_div(&Dim::Static(block_size));
    Ok(vec![
        Inferred { dtype: to, dims: x.dims.to_vec(), value: None },
        Inferred { dtype: scale_type, dims: scales, value: None },
    ])
}

pub(super) fn fill(
    i: Inputs<'_>,
    op: FillOperation,
    dims: &[i64],
    dtype: DType,
    _alpha: f64,
    _beta: f64,
) -> Result<Vec<Inferred>> {
    let ok = match op {
        FillOperation::Linspace => dtype.is_index() || dtype == DType::Float32,
        FillOperation::RandomUniform | FillOperation::RandomNormal => {
            matches!(dtype, DType::Float32 | DType::Float16)
        }
    };
    if !ok {
        return fail(format!("{op:?} does not fill {dtype}"));
    }
    match i.optional(0) {
        None => one(dtype, dims.iter().map(|d| Dim::Static(*d)).collect()),
        Some(shape) => one(dtype, known(shape, "the shape")?),
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

pub(super) fn elementwise(i: Inputs<'_>, op: E) -> Result<Vec<Inferred>> {
    let (a, b) = (i.get(0, "a")?, i.get(1, "b")?);
    same_dtype(a, b, "both operands")?;
    let dims = broadcast(&[a, b])?;
    let number = a.dtype.is_float() || a.dtype.is_index();
    let ok = match op {
        E::And | E::Or | E::Xor => a.dtype == DType::Bool,
        E::Equal => number || a.dtype == DType::Bool,
        E::Pow => a.dtype.is_float(),
        E::Sum | E::Prod | E::Max | E::Min | E::Sub | E::Div | E::FloorDiv | E::Greater | E::Less => number,
    };
    if !ok {
        return fail(format!("{op:?} is not defined for {}", a.dtype));
    }
    one(if matches!(op, E::Equal | E::Greater | E::Less) { DType::Bool } else { a.dtype }, dims)
}

pub(super) fn unary(i: Inputs<'_>, op: U) -> Result<Vec<Inferred>> {
    let x = i.get(0, "x")?;
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
