//! Casts and copies: operators that change an element's type, or nothing at all.
//!
//! | schema | layers |
//! |---|---|
//! | `_to_copy(Tensor self, *, ScalarType? dtype, …)`, `to.{dtype,dtype_layout,device,other}` | Cast, or none |
//! | `type_as` | the same |
//! | `clone`, `alias`, `contiguous`, `detach`, `lift`, `lift_fresh`, `lift_fresh_copy` `(Tensor self, …)` | none |
//! | `dropout(Tensor input, float p, bool train)`, `{alpha,feature,feature_alpha}_dropout` | none |
//! | `native_dropout(Tensor input, float p, bool? train)` | none; the mask is a constant |
//! | `copy(Tensor self, Tensor src, bool non_blocking)` | Cast, Slice |
//! | `fill.{Scalar,Tensor}(Tensor self, value)`, `zero(Tensor self)` | Constant, Slice |
//!
//! Dtypes: float to integer truncates toward zero, anything to bool asks "not zero". Values beyond the range of
//! int8, uint8 and int16 do not wrap around: these types travel as int32. Sizes pass through.

use super::elementwise::operand;
use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use network::DType;

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten._to_copy.default", to, "Cast", 0.0),
    operator("aten.to.dtype", to, "Cast", 0.0),
    operator("aten.to.dtype_layout", to, "Cast", 0.0),
    operator("aten.to.device", to, "Cast", 0.0),
    operator("aten.to.other", to, "Cast", 0.0),
    operator("aten.type_as.default", to, "Cast", 0.0),
    operator("aten.clone.default", to, "", 0.0),
    operator("aten.alias.default", to, "", 0.0),
    operator("aten.alias_copy.default", to, "", 0.0),
    operator("aten.contiguous.default", to, "", 0.0),
    operator("aten.detach.default", to, "", 0.0),
    operator("aten.detach_copy.default", to, "", 0.0),
    operator("aten.lift.default", to, "", 0.0),
    operator("aten.lift_fresh.default", to, "", 0.0),
    operator("aten.lift_fresh_copy.default", to, "", 0.0),
    operator("aten.positive.default", to, "", 0.0),
    operator("aten.conj.default", to, "", 0.0),
    operator("aten._conj.default", to, "", 0.0),
    operator("aten.resolve_conj.default", to, "", 0.0),
    operator("aten.resolve_neg.default", to, "", 0.0),
    operator("aten.real.default", to, "", 0.0),
    operator("aten.dropout.default", dropout, "", 0.0),
    operator("aten.alpha_dropout.default", dropout, "", 0.0),
    operator("aten.feature_dropout.default", dropout, "", 0.0),
    operator("aten.feature_alpha_dropout.default", dropout, "", 0.0),
    operator("aten.native_dropout.default", dropout, "", 0.0),
    operator("aten.copy.default", copy, "Cast, Slice", 0.0),
    operator("aten.fill.Scalar", fill, "Constant, Slice", 0.0),
    operator("aten.fill.Tensor", fill, "Cast, Slice", 0.0),
    operator("aten.zero.default", zero, "Constant, Slice", 0.0),
];

/// The same elements in the output's type.
fn to(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    // A number where PyTorch wraps one: `vmap` leaves it in the program.
    Ok(operand(b, call, "self", call.output_dtype(0)?)?.into())
}

/// In inference, dropout does nothing, and its mask keeps everything.
fn dropout(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("input")?;
    if !call.is_none("train") && call.bool("train")? && call.float("p")? != 0.0 {
        return unsupported(
            "dropout in training mode: F.dropout(x, p) has training=True by default, so write \
             F.dropout(x, p, self.training), and call .eval() on nn.Dropout modules",
        );
    }
    if call.output_count() == 1 {
        return Ok(x.into());
    }
    let mask = b.full(DType::Bool, &b.dims(x), 1.0)?;
    Ok(vec![x, mask].into())
}

/// What is copied takes the type and the sizes of what it is copied over.
fn copy(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let source = call.tensor("src")?;
    let source = b.cast(source, call.output_dtype(0)?)?;
    Ok(b.expand(source, call.output_dims(0)?)?.into())
}

fn fill(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let value = operand(b, call, "value", call.output_dtype(0)?)?;
    Ok(b.expand(value, call.output_dims(0)?)?.into())
}

fn zero(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    Ok(b.full(call.output_dtype(0)?, call.output_dims(0)?, 0.0)?.into())
}
