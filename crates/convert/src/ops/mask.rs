//! Operators whose output's size depends on data: the positions where a mask holds, and what stands there.
//!
//! | schema | layers |
//! |---|---|
//! | `nonzero(Tensor self)`, `argwhere`, `nonzero_numpy`, `where(Tensor condition)` | NonZero, Shuffle |
//! | `masked_select(Tensor self, Tensor mask)` | NonZero, Gather |
//! | `masked_scatter(Tensor self, Tensor mask, Tensor source)` | Cumulative, Gather, Select |
//!
//! Dtypes: any; positions are int64. The number found is a symbol, the one PyTorch uses for it: later sizes that
//! mention it are read off the tensor of positions when the engine runs. The positions in a constant mask are
//! constants.

use super::position::take;
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{CumulativeOperation, DType, ElementWiseOperation as E, Op, TensorId};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.nonzero.default", nonzero, "NonZero, Shuffle", 0.0),
    operator("aten.argwhere.default", nonzero, "NonZero, Shuffle", 0.0),
    operator("aten.nonzero_numpy.default", where_each, "NonZero, Gather", 0.0),
    operator("aten.where.default", where_each, "NonZero, Gather", 0.0),
    operator("aten.masked_select.default", masked_select, "NonZero, Gather", 0.0),
    operator("aten.masked_scatter.default", masked_scatter, "Cumulative, Gather, Select", 0.0),
];

fn nonzero(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let rank = b.rank(x);
    let count = b.unbound_symbol(call.output_dims(0)?);
    let found = b.positions(x, count.as_deref())?;
    let found = b.cast(found, DType::Int64)?;
    let rows = b.transpose(found, 0, 1)?;
    // A 0-D tensor has no axis to give a position on.
    if rank == 0 {
        return Ok(b.slice_axis(rows, 1, Dim::Static(0), Dim::Static(0), 1)?.into());
    }
    Ok(rows.into())
}

fn where_each(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let name = if call.argument("condition").is_some() { "condition" } else { "self" };
    let count = b.unbound_symbol(call.output_dims(0)?);
    let found = b.positions(call.tensor(name)?, count.as_deref())?;
    let found = b.cast(found, DType::Int64)?;
    let each = (0..call.output_count()).map(|k| take(b, found, 0, &Dim::Static(k as i64)));
    Ok(each.collect::<Result<Vec<_>>>()?.into())
}

/// Data and mask broadcast to each other, as 1-D tensors.
fn flattened(b: &mut Builder, x: TensorId, mask: TensorId) -> Result<(TensorId, TensorId)> {
    let (x, mask) = b.align(x, mask)?;
    let pairs = b.dims(x).into_iter().zip(b.dims(mask));
    let dims: Vec<Dim> = pairs.map(|(a, m)| if a.is(1) { m } else { a }).collect();
    let (x, mask) = (b.expand(x, &dims)?, b.expand(mask, &dims)?);
    let count = [Dim::product(&dims)];
    Ok((b.reshape(x, &count)?, b.reshape(mask, &count)?))
}

fn masked_select(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let given = call.tensor("mask")?;
    let alike = b.dims(given) == b.dims(call.tensor("self")?);
    let (x, mask) = flattened(b, call.tensor("self")?, given)?;
    let count = b.unbound_symbol(call.output_dims(0)?);
    let found = b.positions(mask, count.as_deref())?;
    let found = take(b, found, 0, &Dim::Static(0))?;
    let y = b.gather(x, found, 0)?;
    if alike {
        b.chosen_by(y, x, given, 0);
    }
    Ok(y.into())
}

/// The k-th masked element takes the k-th element of the source: k counts the mask up to there.
fn masked_scatter(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (source, given) = (call.tensor("source")?, call.tensor("mask")?);
    let alike = b.dims(given) == b.dims(call.tensor("self")?);
    let (x, mask) = flattened(b, call.tensor("self")?, call.tensor("mask")?)?;
    let source_count = Dim::product(&b.dims(source));
    if source_count.is(0) {
        return Ok(b.reshape(x, call.output_dims(0)?)?.into());
    }
    if alike
        && b.rank(source) == 1
        && let Some(all) = b.of_all(source, given, 0)?
    {
        let y = b.select(mask, all, x)?;
        return Ok(b.reshape(y, call.output_dims(0)?)?.into());
    }
    let source = b.reshape(source, &[source_count])?;
    let ones = b.cast(mask, DType::Int32)?;
    let sum = Op::Cumulative { op: CumulativeOperation::Sum, axis: 0, exclusive: true, reverse: false };
    let rank = b.add(sum, &[ones])?;
    // Beyond the last masked element the count may leave the source; what is read there is not used.
    let rank = b.elementwise(E::Prod, rank, ones)?;
    let values = b.gather(source, rank, 0)?;
    let y = b.select(mask, values, x)?;
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}
