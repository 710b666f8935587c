//! Counting elements by their number, and repeating elements by counts.
//!
//! | schema | layers |
//! |---|---|
//! | `bincount(Tensor self, Tensor? weights, SymInt minlength)` | ElementWise(Equal), Reduce; Select for weights |
//! | `histc(Tensor self, int bins, Scalar min, Scalar max)` | ElementWise, Select, Reduce |
//! | `repeat_interleave.{Tensor,self_Tensor}(Tensor self, Tensor repeats, int? dim, …)` | Cumulative, Gather; NonZero |
//!
//! How many bins `bincount` makes is known where its input is a constant, or is seen to stay below `minlength`: the
//! positions that a topk or argmax gives, or what a clamp limits; otherwise it is refused. How many elements
//! `repeat_interleave` makes is known where `output_size` gives it or the repeats are constants; otherwise it is a size
//! that data decides.
//!
//! Dtypes: counts are int64, sums of weights float; `histc` takes and gives float32; what is repeated has any
//! type. Sizes may be symbolic.

use super::accumulate::check_size;
use super::sort::count_before;
use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{
    CumulativeOperation, DType, ElementWiseOperation as E, Op, ReduceOperation as R, TensorId, UnaryOperation as U,
};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.bincount.default", bincount, "ElementWise, Select, Reduce", 1e-5),
    operator("aten.histc.default", histc, "ElementWise, Select, Reduce", 0.0),
    operator("aten.repeat_interleave.Tensor", repeated, "Cumulative, ElementWise, Reduce", 0.0),
    operator("aten.repeat_interleave.self_Tensor", repeat, "Cumulative, ElementWise, Reduce, Gather", 0.0),
];

/// How often each of `0 … bins - 1` is among `numbers`, or the sum of the weights that stand there: `[bins]`.
fn counted(b: &mut Builder, numbers: TensorId, weights: Option<TensorId>, bins: i64) -> Result<TensorId> {
    let bins = Dim::Static(bins);
    check_size(&[bins.clone(), b.dims(numbers)[0].clone()])?;
    let each = b.iota_along(&bins, b.dtype(numbers), 0, 2)?;
    let hit = b.elementwise(E::Equal, each, numbers)?;
    let counts = match weights {
        Some(weights) => {
            let nothing = b.scalar(b.dtype(weights), 0.0, 2)?;
            b.select(hit, weights, nothing)?
        }
        None => b.cast(hit, DType::Int32)?,
    };
    b.reduce(R::Sum, counts, &[1], false)
}

/// How many bins a `bincount` makes.
fn bins(b: &mut Builder, call: &Call<'_>, x: TensorId) -> Result<i64> {
    let (made, least) = (&call.output_dims(0)?[0], call.int("minlength")?);
    let known = b.weights(x).and_then(network::Weights::to_i64);
    let known = known.map(|numbers| numbers.into_iter().map(|n| n + 1).fold(least, i64::max));
    let Some(bins) = known.or(b.stays_below(x, least).then_some(least)) else {
        return unsupported(
            "bincount makes as many bins as the largest number needs, which data decides. Limit the input below \
             minlength: torch.bincount(x.clamp(max=k - 1), minlength=k)",
        );
    };
    if let Some(symbol) = b.unbound_symbol(std::slice::from_ref(made)) {
        b.fix_symbol(&symbol, &Dim::Static(bins))?;
    }
    Ok(bins)
}

fn bincount(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, dtype) = (call.tensor("self")?, call.output_dtype(0)?);
    let bins = bins(b, call, x)?;
    if bins == 0 || b.dims(x)[0].is(0) {
        return Ok(b.full(dtype, &[Dim::Static(bins)], 0.0)?.into());
    }
    let weights = call.optional_tensor("weights")?.map(|weights| b.cast(weights, dtype)).transpose()?;
    let counts = counted(b, x, weights, bins)?;
    Ok(b.cast(counts, dtype)?.into())
}

/// The ends of a histogram: as given, or where these are equal the least and the largest element; if those are equal
/// too, one to each side of them.
fn ends(b: &mut Builder, call: &Call<'_>, x: TensorId) -> Result<(TensorId, TensorId)> {
    let (low, high) = (call.float("min")?, call.float("max")?);
    if low != high {
        return Ok((b.scalar(b.dtype(x), low, 1)?, b.scalar(b.dtype(x), high, 1)?));
    }
    let (low, high) = (b.reduce(R::Min, x, &[0], true)?, b.reduce(R::Max, x, &[0], true)?);
    let same = b.elementwise(E::Equal, low, high)?;
    let (lower, higher) = (b.with_scalar(E::Sub, low, 1.0)?, b.with_scalar(E::Sum, high, 1.0)?);
    Ok((b.select(same, lower, low)?, b.select(same, higher, high)?))
}

/// Whether a comparison or equality holds, which neither does for NaN.
fn or_equal(b: &mut Builder, op: E, x: TensorId, y: TensorId) -> Result<TensorId> {
    let (strict, equal) = (b.elementwise(op, x, y)?, b.elementwise(E::Equal, x, y)?);
    b.elementwise(E::Or, strict, equal)
}

/// Counts in bins of equal width; what is outside is in none, the upper end in the last.
fn histc(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, bins) = (call.tensor("self")?, call.int("bins")?);
    let x = b.in_float32(x)?;
    let x = b.reshape(x, &[Dim::product(&b.dims(x))])?;
    let (low, high) = ends(b, call, x)?;
    let (above, below) = (or_equal(b, E::Greater, x, low)?, or_equal(b, E::Less, x, high)?);
    let inside = b.elementwise(E::And, above, below)?;
    let (from_low, width) = (b.sub(x, low)?, b.sub(high, low)?);
    let position = b.with_scalar(E::Prod, from_low, bins as f64)?;
    let position = b.div(position, width)?;
    let position = b.unary(U::Floor, position)?;
    let position = b.with_scalar(E::Min, position, (bins - 1) as f64)?;
    let outside = b.scalar(b.dtype(x), -1.0, 1)?;
    let position = b.select(inside, position, outside)?;
    let position = b.cast(position, DType::Int32)?;
    let counts = counted(b, position, None, bins)?;
    Ok(b.cast(counts, call.output_dtype(0)?)?.into())
}

/// How many elements a `repeat_interleave` of `count` makes: as many as the call has, or the sum of repeats that are
/// constants. What a trace saw holds for its inputs only.
fn total(b: &mut Builder, call: &Call<'_>, count: &Dim, made: &Dim) -> Result<Dim> {
    if !call.is_none("output_size") {
        return Ok(made.clone());
    }
    let Some(repeats) = b.weights(call.tensor("repeats")?).and_then(network::Weights::to_i64) else {
        return counted_total(b, call, count, made);
    };
    let total = match repeats.as_slice() {
        // One number serves all elements.
        [each] => count.clone() * Dim::Static(*each),
        repeats => Dim::Static(repeats.iter().sum()),
    };
    if let Some(symbol) = b.unbound_symbol(std::slice::from_ref(made)) {
        b.fix_symbol(&symbol, &total)?;
    }
    Ok(total)
}

/// The sum of repeats that data decides, as a size.
fn counted_total(b: &mut Builder, call: &Call<'_>, count: &Dim, made: &Dim) -> Result<Dim> {
    let Some(symbol) = b.unbound_symbol(std::slice::from_ref(made)) else {
        return unsupported(
            "repeat_interleave makes as many elements as the repeats add up to, which data decides: give output_size",
        );
    };
    let repeats = call.tensor("repeats")?;
    let repeats = b.cast(repeats, DType::Int64)?;
    let repeats = b.expand(repeats, std::slice::from_ref(count))?;
    let number = b.reduce(R::Sum, repeats, &[0], true)?;
    b.make_size(&symbol, number)?;
    Ok(made.clone())
}

/// For each element that is made, the position of the one it repeats: the first that ends behind it.
fn sources(b: &mut Builder, call: &Call<'_>, count: &Dim, made: &Dim) -> Result<TensorId> {
    let total = total(b, call, count, made)?;
    check_size(&[total.clone(), count.clone()])?;
    let repeats = call.tensor("repeats")?;
    let repeats = b.expand(repeats, std::slice::from_ref(count))?;
    let repeats = b.cast(repeats, DType::Int64)?;
    let sum = Op::Cumulative { op: CumulativeOperation::Sum, axis: 0, exclusive: false, reverse: false };
    let ends = b.add(sum, &[repeats])?;
    let positions = b.iota(&total, DType::Int64)?;
    let before = count_before(b, ends, positions, true)?;
    b.cast(before, DType::Int64)
}

fn repeated(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let count = b.dims(call.tensor("repeats")?)[0].clone();
    let sources = sources(b, call, &count, &call.output_dims(0)?[0])?;
    Ok(b.cast(sources, call.output_dtype(0)?)?.into())
}

fn repeat(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let flat = call.is_none("dim") || b.rank(x) == 0;
    let x = if flat { b.reshape(x, &[Dim::product(&b.dims(x))])? } else { x };
    let axis = if flat { 0 } else { call.axis("dim", b.rank(x))? };
    let sources = sources(b, call, &b.dims(x)[axis].clone(), &call.output_dims(0)?[axis])?;
    Ok(b.gather(x, sources, axis)?.into())
}
