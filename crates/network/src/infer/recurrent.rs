//! Recurrent layers.

use super::{Inferred, Inputs, Result, TensorInfo, fail, same_dtype};
use crate::{Dim, RecurrentCell, format_dims};

/// Sizes of the outputs; every input is checked against the hidden weights and x.
pub(super) fn recurrent(i: Inputs<'_>, cell: RecurrentCell, _reverse: bool) -> Result<Vec<Inferred>> {
    let x = i.float(0, "x")?;
    let (input, hidden) = (i.get(1, "the input weights")?, i.get(2, "the hidden weights")?);
    let [time, batch, features] = x.dims else {
        return fail(format!("x must be [time, batch, features], got {}", x.text()));
    };
    let (gates, size) = match hidden.dims {
        [Dim::Static(rows), Dim::Static(size)] if *rows == cell.gates() * size => (Dim::Static(*rows), *size),
        _ => return fail(format!("the hidden weights do not fit {cell:?}: {}", hidden.text())),
    };
    fits(x, input, "the input weights", &[gates.clone(), features.clone()])?;
    same_dtype(x, hidden, "x and the hidden weights")?;
    let state = [Dim::Static(1), batch.clone(), Dim::Static(size)];
    for (index, what) in [(3, "the input bias"), (4, "the hidden bias")] {
        if let Some(bias) = i.optional(index) {
            fits(x, bias, what, std::slice::from_ref(&gates))?;
        }
    }
    fits(x, i.get(5, "the first hidden state")?, "the first hidden state", &state)?;
    let count = if cell == RecurrentCell::Lstm { 3 } else { 2 };
    if count == 3 {
        fits(x, i.get(6, "the first cell state")?, "the first cell state", &state)?;
    }
    if let Some(lengths) = i.optional(7)
        && !(lengths.dtype.is_index() && same(lengths.dims, std::slice::from_ref(batch)))
    {
        return fail(format!("lengths must be integers, one for each of {batch} sequences, got {}", lengths.text()));
    }
    let all = [time.clone(), batch.clone(), Dim::Static(size)];
    let outputs = [all, state.clone(), state].into_iter().take(count);
    Ok(outputs.map(|dims| Inferred { dtype: x.dtype, dims: dims.to_vec(), value: None }).collect())
}

fn same(a: &[Dim], b: &[Dim]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || !a.is_static() || !b.is_static())
}

fn fits(x: TensorInfo<'_>, other: TensorInfo<'_>, what: &str, dims: &[Dim]) -> Result<()> {
    same_dtype(x, other, &format!("x and {what}"))?;
    if same(other.dims, dims) {
        return Ok(());
    }
    fail(format!("{what} must have the sizes {}, got {}", format_dims(dims), other.text()))
}
