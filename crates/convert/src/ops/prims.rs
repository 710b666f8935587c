//! PyTorch's primitives, which decompositions of exported programs leave behind.
//!
//! | schema | layers |
//! |---|---|
//! | `abs(Tensor self)`, `exp`, … , `add(Tensor self, Tensor other)`, `mul`, … | those of the ATen operator |
//! | `sum(Tensor inp, int[]? dims)`, `prod`, `amax`, `amin`, `var(…, float? correction)` | Reduce |
//! | `broadcast_in_dim(Tensor a, SymInt[] shape, int[] broadcast_dimensions)` | Shuffle, Slice |
//! | `convert_element_type(Tensor a, ScalarType dtype)`, `where(Tensor pred, Tensor a, Tensor b)` | Cast; Select |
//! | `transpose(Tensor a, int[] permutation)`, `rev`, `cat`, `reshape`, `squeeze`, `collapse`, `split_dim` | Shuffle |
//! | `view_of` | the same |
//! | `iota(SymInt length, *, SymInt start, SymInt step)`, `full`, `full_like`, `scalar_tensor` | Fill |
//!
//! Dtypes: those of the ATen operator. A primitive promotes no types; its division of integers truncates.

use super::{Operator, Outputs, find, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E};
use program::{Argument, Node};

pub(super) const OPERATORS: &[Operator] = &[
    operator("prims.abs.default", as_aten, "Unary", 0.0),
    operator("prims.acos.default", as_aten, "Unary", 1e-5),
    operator("prims.acosh.default", as_aten, "Unary", 1e-5),
    operator("prims.add.default", as_aten, "ElementWise", 1e-6),
    operator("prims.amax.default", as_aten, "Reduce", 0.0),
    operator("prims.amin.default", as_aten, "Reduce", 0.0),
    operator("prims.asin.default", as_aten, "Unary", 1e-5),
    operator("prims.asinh.default", as_aten, "Unary", 1e-5),
    operator("prims.atan.default", as_aten, "Unary", 1e-5),
    operator("prims.atan2.default", as_aten, "ElementWise, Unary, Select", 1e-5),
    operator("prims.atanh.default", as_aten, "Unary", 1e-5),
    operator("prims.bitwise_and.default", as_aten, "ElementWise", 0.0),
    operator("prims.bitwise_not.default", as_aten, "Unary", 0.0),
    operator("prims.bitwise_or.default", as_aten, "ElementWise", 0.0),
    operator("prims.bitwise_xor.default", as_aten, "ElementWise", 0.0),
    operator("prims.broadcast_in_dim.default", broadcast_in_dim, "Shuffle, Slice", 0.0),
    operator("prims.cat.default", as_aten, "Concatenation", 0.0),
    operator("prims.ceil.default", as_aten, "Unary", 0.0),
    operator("prims.clone.default", as_aten, "", 0.0),
    operator("prims.collapse.default", as_aten, "Shuffle", 0.0),
    operator("prims.collapse_view.default", as_aten, "Shuffle", 0.0),
    operator("prims.convert_element_type.default", as_aten, "Cast", 0.0),
    operator("prims.cos.default", as_aten, "Unary", 1e-5),
    operator("prims.cosh.default", as_aten, "Unary", 1e-5),
    operator("prims.device_put.default", as_aten, "", 0.0),
    operator("prims.digamma.default", as_aten, "ElementWise, Unary", 1e-5),
    operator("prims.div.default", as_aten, "ElementWise", 1e-6),
    operator("prims.eq.default", as_aten, "ElementWise", 0.0),
    operator("prims.erf.default", as_aten, "Unary", 1e-5),
    operator("prims.erf_inv.default", as_aten, "ElementWise, Unary", 1e-5),
    operator("prims.erfc.default", as_aten, "Unary, ElementWise", 1e-5),
    operator("prims.exp.default", as_aten, "Unary", 1e-5),
    operator("prims.exp2.default", as_aten, "ElementWise", 1e-5),
    operator("prims.expm1.default", as_aten, "Unary, ElementWise", 1e-5),
    operator("prims.floor.default", as_aten, "Unary", 0.0),
    operator("prims.fmax.default", as_aten, "ElementWise, Select", 0.0),
    operator("prims.fmin.default", as_aten, "ElementWise, Select", 0.0),
    operator("prims.fmod.default", as_aten, "ElementWise, Unary", 1e-5),
    operator("prims.full.default", as_aten, "Fill", 0.0),
    operator("prims.full_like.default", as_aten, "Fill", 0.0),
    operator("prims.gcd.default", as_aten, "ElementWise", 0.0),
    operator("prims.ge.default", as_aten, "ElementWise", 0.0),
    operator("prims.gt.default", as_aten, "ElementWise", 0.0),
    operator("prims.hypot.default", as_aten, "ElementWise, Unary", 1e-5),
    operator("prims.iota.default", iota, "Fill, ElementWise", 0.0),
    operator("prims.isfinite.default", as_aten, "Unary, ElementWise", 0.0),
    operator("prims.le.default", as_aten, "ElementWise", 0.0),
    operator("prims.lgamma.default", as_aten, "ElementWise, Unary", 1e-5),
    operator("prims.log.default", as_aten, "Unary", 1e-5),
    operator("prims.log10.default", as_aten, "Unary, ElementWise", 1e-5),
    operator("prims.log1p.default", as_aten, "Unary, ElementWise", 1e-5),
    operator("prims.log2.default", as_aten, "Unary, ElementWise", 1e-5),
    operator("prims.lt.default", as_aten, "ElementWise", 0.0),
    operator("prims.maximum.default", as_aten, "ElementWise", 0.0),
    operator("prims.minimum.default", as_aten, "ElementWise", 0.0),
    operator("prims.mul.default", as_aten, "ElementWise", 1e-6),
    operator("prims.ne.default", as_aten, "ElementWise", 0.0),
    operator("prims.neg.default", as_aten, "Unary", 0.0),
    operator("prims.pow.default", as_aten, "ElementWise", 1e-5),
    operator("prims.prod.default", as_aten, "Reduce", 1e-5),
    operator("prims.reciprocal.default", as_aten, "Unary", 1e-5),
    operator("prims.remainder.default", as_aten, "ElementWise", 1e-5),
    operator("prims.reshape.default", as_aten, "Shuffle", 0.0),
    operator("prims.rev.default", as_aten, "Slice", 0.0),
    operator("prims.round.default", as_aten, "Unary", 0.0),
    operator("prims.rsqrt.default", as_aten, "Unary", 1e-5),
    operator("prims.scalar_tensor.default", as_aten, "Constant", 0.0),
    operator("prims.shift_left.default", as_aten, "ElementWise", 0.0),
    operator("prims.shift_right_arithmetic.default", as_aten, "ElementWise", 0.0),
    operator("prims.sign.default", as_aten, "Unary", 0.0),
    operator("prims.signbit.default", as_aten, "ElementWise", 0.0),
    operator("prims.sin.default", as_aten, "Unary", 1e-5),
    operator("prims.sinh.default", as_aten, "Unary", 1e-5),
    operator("prims.split_dim.default", as_aten, "Shuffle", 0.0),
    operator("prims.sqrt.default", as_aten, "Unary", 1e-5),
    operator("prims.squeeze.default", as_aten, "Shuffle", 0.0),
    operator("prims.sub.default", as_aten, "ElementWise", 1e-6),
    operator("prims.sum.default", as_aten, "Reduce", 1e-5),
    operator("prims.tan.default", as_aten, "Unary", 1e-5),
    operator("prims.tanh.default", as_aten, "Activation", 1e-5),
    operator("prims.transpose.default", as_aten, "Shuffle", 0.0),
    operator("prims.trunc.default", as_aten, "Unary, Select", 0.0),
    operator("prims.var.default", as_aten, "Reduce, ElementWise", 1e-5),
    operator("prims.view_of.default", as_aten, "", 0.0),
    operator("prims.where.default", as_aten, "Select", 0.0),
];

/// Arguments of a primitive and what ATen calls them.
type Names = &'static [(&'static str, &'static str)];

const REDUCTION: Names = &[("inp", "self"), ("dims", "dim")];
const ONE: Names = &[("a", "self")];

/// The ATen operator that computes the same, and the arguments that it names differently. `None`: it has the
/// primitive's name.
fn counterpart(name: &str) -> Option<(&'static str, Names)> {
    Some(match name {
        "amax" => ("aten.amax.default", REDUCTION),
        "amin" => ("aten.amin.default", REDUCTION),
        "sum" => ("aten.sum.dim_IntList", REDUCTION),
        "prod" => ("aten.prod.default", REDUCTION),
        "var" => ("aten.var.correction", REDUCTION),
        "convert_element_type" => ("aten.to.dtype", ONE),
        "view_of" | "device_put" => ("aten.alias.default", ONE),
        "collapse" | "collapse_view" | "reshape" | "split_dim" | "squeeze" => ("aten.reshape.default", ONE),
        "transpose" => ("aten.permute.default", &[("a", "self"), ("permutation", "dims")]),
        "rev" => ("aten.flip.default", ONE),
        "full" => ("aten.full.default", &[("shape", "size")]),
        "full_like" => ("aten.full_like.default", ONE),
        "where" => ("aten.where.self", &[("pred", "condition"), ("a", "self"), ("b", "other")]),
        "erf_inv" => ("aten.erfinv.default", &[]),
        "pow" => ("aten.pow.Tensor_Tensor", &[]),
        "shift_left" => ("aten.bitwise_left_shift.Tensor", &[]),
        "shift_right_arithmetic" => ("aten.bitwise_right_shift.Tensor", &[]),
        _ => return None,
    })
}

/// Converts a primitive as the ATen operator that computes the same.
fn as_aten(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let name = call.target().trim_start_matches("prims.").trim_end_matches(".default");
    let (target, names) = match counterpart(name) {
        Some((target, names)) => (target.to_owned(), names),
        None => {
            let overloads = ["default", "Tensor"].map(|overload| format!("aten.{name}.{overload}"));
            let found = overloads.into_iter().find(|target| find(target, false).is_some());
            (found.unwrap_or_default(), [].as_slice())
        }
    };
    let mut node = Node { target, ..call.node().clone() };
    node.arguments = std::mem::take(&mut node.arguments)
        .into_iter()
        .map(|(name, value)| match names.iter().find(|(ours, _)| *ours == name) {
            Some((_, theirs)) => ((*theirs).to_owned(), value),
            None => (name, value),
        })
        .collect();
    if name == "div" && !b.dtype(call.tensor("self")?).is_float() {
        "aten.div.Tensor_mode".clone_into(&mut node.target);
        node.arguments.insert("rounding_mode".to_owned(), Argument::String("trunc".to_owned()));
    }
    match find(&node.target, false) {
        Some(convert) => convert(b, &call.of(&node)),
        None => unsupported(format!("{name} has no counterpart in ATen")),
    }
}

/// Axis k of the input becomes axis `broadcast_dimensions[k]` of the output, which has new axes elsewhere.
fn broadcast_in_dim(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, to) = (call.tensor("a")?, call.output_dims(0)?);
    let axes = call.ints("broadcast_dimensions")?;
    let mut dims = vec![Dim::Static(1); to.len()];
    for (axis, size) in axes.into_iter().zip(b.dims(x)) {
        let axis = crate::call::normalize(axis, dims.len())?;
        dims[axis] = size;
    }
    let x = b.reshape(x, &dims)?;
    Ok(b.expand(x, to)?.into())
}

/// `start + k * step` for each position k.
fn iota(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let mut x = b.iota(&call.output_dims(0)?[0], DType::Int64)?;
    for (name, op, neutral) in [("step", E::Prod, 1), ("start", E::Sum, 0)] {
        let size = call.size(name)?;
        if !size.is(neutral) {
            let size = b.size_as(&size, DType::Int64, 1)?;
            x = b.elementwise(op, x, size)?;
        }
    }
    Ok(b.cast(x, call.output_dtype(0)?)?.into())
}
