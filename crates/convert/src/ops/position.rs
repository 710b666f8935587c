//! Positions on an axis: numbers known at conversion, expressions over sizes, and numbers read out of tensors.
//!
//! | schema | layers |
//! |---|---|
//! | `item(Tensor self)`, `_local_scalar_dense` | none: the number is a 0-D tensor, and the value of a symbol |
//!
//! Dtypes: any. An integer that is read out of a tensor is a symbol of the program. Unlike the symbols of sizes, it may
//! be negative, and TensorRT cannot use it as the start or the size of a slice: such slices are read by index.

use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use dims::{Dim, Range};
use network::{DType, ElementWiseOperation as E, TensorId, Weights};
use program::Argument;

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.item.default", item, "Shuffle", 0.0),
    operator("aten._local_scalar_dense.default", item, "Shuffle", 0.0),
];

fn item(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    if let Some(Argument::String(symbol)) = call.argument("symbol") {
        let number = b.cast(x, DType::Int64)?;
        let number = b.reshape(number, &[Dim::Static(1)])?;
        b.read_symbol(symbol, number);
    }
    let x = b.reshape(x, &[])?;
    Ok(b.cast(x, call.output_dtype(0)?)?.into())
}

/// Where an index or a bound of a slice is on an axis of this size: a negative position counts from the end. With
/// `inside`, it is moved to the nearest end where it is outside, as slices do.
pub(super) fn bound(b: &Builder, position: &Dim, size: &Dim, inside: bool) -> Dim {
    let zero = Dim::Static(0);
    let range = b.range(position);
    let from_start = if range.max < 0 {
        size.clone() + position.clone()
    } else if range.min >= 0 {
        position.clone()
    } else {
        // One where the position is negative, otherwise zero.
        let negative = (zero.clone() - position.clone()).larger(&zero).smaller(&Dim::Static(1));
        position.clone() + size.clone() * negative
    };
    if !inside {
        return from_start;
    }
    let above = if b.range(&from_start).min >= 0 { from_start } else { from_start.larger(&zero) };
    if b.range(&(size.clone() - above.clone())).min >= 0 { above } else { above.smaller(size) }
}

/// The elements at one position of an axis, without that axis.
pub(super) fn take(b: &mut Builder, x: TensorId, axis: usize, position: &Dim) -> Result<TensorId> {
    let size = b.dims(x)[axis].clone();
    if b.is_read(position) {
        let at = b.size_scalar(position)?;
        let at = b.wrap_indices(at, &size)?;
        return b.gather(x, at, axis);
    }
    let at = bound(b, position, &size, true);
    let at = match at.as_static() {
        Some(n) => b.constant(Weights::int64(&[], &[n]))?,
        None => b.size_scalar(&at)?,
    };
    b.gather(x, at, axis)
}

/// The bounds of a slice, from the start of its axis.
pub(super) struct Bounds {
    pub start: Dim,
    pub end: Dim,
    pub step: i64,
}

impl Bounds {
    /// The bounds that the arguments `start`, `end` and `step` give for an axis of this size.
    pub(super) fn read(b: &Builder, call: &Call<'_>, size: &Dim) -> Result<Self> {
        let start = match call.optional_size("start")? {
            Some(start) => bound(b, &start, size, true),
            None => Dim::Static(0),
        };
        let end = match call.optional_size("end")? {
            Some(end) => bound(b, &end, size, true),
            None => size.clone(),
        };
        Ok(Self { start, end, step: call.int("step")? })
    }

    /// Number of elements between the bounds.
    pub(super) fn count(&self) -> Dim {
        let room = (self.end.clone() - self.start.clone()).larger(&Dim::Static(0));
        room.ceil_div(&Dim::Static(self.step))
    }

    /// Whether a number read out of a tensor decides a bound.
    pub(super) fn are_read(&self, b: &Builder) -> bool {
        b.is_read(&self.start) || b.is_read(&self.end)
    }

    /// Of each position on an axis of this size, laid along `axis` of `rank`: its distance from the start, and whether
    /// the slice holds it.
    pub(super) fn hits(&self, b: &mut Builder, size: &Dim, axis: usize, rank: usize) -> Result<(TensorId, TensorId)> {
        let each = b.iota_along(size, DType::Int64, axis, rank)?;
        let (start, end) = (b.size_as(&self.start, DType::Int64, rank)?, b.size_as(&self.end, DType::Int64, rank)?);
        let distance = b.sub(each, start)?;
        let before = b.elementwise(E::Less, each, start)?;
        let from = b.not(before)?;
        let until = b.elementwise(E::Less, each, end)?;
        let mut hit = b.elementwise(E::And, from, until)?;
        if self.step != 1 {
            let whole = b.with_scalar(E::FloorDiv, distance, self.step as f64)?;
            let whole = b.with_scalar(E::Prod, whole, self.step as f64)?;
            let on_step = b.elementwise(E::Equal, whole, distance)?;
            hit = b.elementwise(E::And, hit, on_step)?;
        }
        Ok((distance, hit))
    }
}

/// The elements between bounds that numbers read out of a tensor decide; `symbol` is that of their number, where only
/// data decides it.
pub(super) fn take_between(
    b: &mut Builder,
    x: TensorId,
    axis: usize,
    bounds: &Bounds,
    size: &Dim,
    symbol: Option<&str>,
) -> Result<TensorId> {
    if let Some(symbol) = symbol {
        let whole = b.dims(x)[axis].clone();
        let (_, hit) = bounds.hits(b, &whole, 0, 1)?;
        let found = b.positions(hit, Some(symbol))?;
        let found = take(b, found, 0, &Dim::Static(0))?;
        return b.gather(x, found, axis);
    }
    let steps = b.iota(size, DType::Int64)?;
    let steps = b.with_scalar(E::Prod, steps, bounds.step as f64)?;
    let start = b.size_as(&bounds.start, DType::Int64, 1)?;
    let at = b.sum(steps, start)?;
    b.gather(x, at, axis)
}

impl Builder {
    /// The values an expression over symbols can take. What is read out of a tensor can be any number.
    pub(super) fn range(&self, size: &Dim) -> Range {
        size.range(&|symbol| {
            if self.is_only_read(&Dim::symbol(symbol)) {
                return Range { min: i64::MIN, max: i64::MAX };
            }
            // Data-dependent sizes may be 0.
            self.symbol_range(symbol).unwrap_or(Range { min: 0, max: i64::MAX })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_the_end_where_negative_and_stay_inside() {
        let b = Builder::new();
        let at = |position: &str, size: &str| {
            bound(&b, &Dim::parse(position).unwrap(), &Dim::parse(size).unwrap(), true).to_string()
        };
        assert_eq!(at("-2", "7"), "5");
        assert_eq!(at("-9", "7"), "0");
        assert_eq!(at("9", "7"), "7");
        assert_eq!(at("s0", "2*s0"), "s0");
        assert_eq!(at("0 - s0 - 1", "2*s0 + 2"), Dim::parse("s0 + 1").unwrap().to_string());
        assert_eq!(at("3", "s0"), "min(3, s0)");
    }

    #[test]
    fn positions_of_unknown_sign_follow_every_size() {
        let b = Builder::new();
        let (position, size) = (Dim::parse("s0 - 3").unwrap(), Dim::parse("2*s0").unwrap());
        let at = bound(&b, &position, &size, true);
        for n in 1..9 {
            let wanted = if n - 3 < 0 { (n - 3 + 2 * n).max(0) } else { (n - 3).min(2 * n) };
            assert_eq!(at.eval(&|_| Some(n)).unwrap(), wanted, "{n}");
        }
    }
}
