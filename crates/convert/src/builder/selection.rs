//! Elements that a mask chose, and what was computed of them alone: the same for all elements, so that writing them
//! back where the mask holds needs no positions.

use super::Builder;
use crate::Result;
use dims::Dim;
use network::{DType, ElementWiseOperation as E, Op, TensorId, Weights};

/// Where chosen elements come from.
#[derive(Clone, Copy)]
pub(super) struct Selection {
    all: TensorId,
    mask: TensorId,
    axis: usize,
}

/// Layers between the choice and the writing back that are followed.
const STEPS: usize = 24;

impl Builder {
    /// Records that `chosen` are the elements of `all` where a mask over `axis` holds.
    pub(crate) fn chosen_by(&mut self, chosen: TensorId, all: TensorId, mask: TensorId, axis: usize) {
        self.selections.insert(chosen, Selection { all, mask, axis });
    }

    /// What `values`, computed element by element of what a mask chose, are for all elements; `None` where they are
    /// computed in another way.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where sizes do not fit.
    pub(crate) fn of_all(&mut self, values: TensorId, mask: TensorId, axis: usize) -> Result<Option<TensorId>> {
        self.followed(values, mask, axis, STEPS)
    }

    fn followed(&mut self, x: TensorId, mask: TensorId, axis: usize, steps: usize) -> Result<Option<TensorId>> {
        if let Some(found) = self.selections.get(&x).filter(|found| found.mask == mask && found.axis == axis) {
            return Ok(Some(found.all));
        }
        if self.dims(x).get(axis).is_some_and(|dim| dim.is(1)) {
            return Ok(Some(x));
        }
        if let Some((input, at)) = self.under_other_ones(x, axis).filter(|_| steps > 0) {
            let Some(all) = self.followed(input, mask, at, steps - 1)? else { return Ok(None) };
            let mut to = self.dims(x);
            to[axis] = self.dims(all)[at].clone();
            return Ok(Some(self.reshape(all, &to)?));
        }
        let Some(layer) = self.producer(x).filter(|layer| steps > 0 && self.is_by_element(&layer.op, x)) else {
            return Ok(None);
        };
        let (op, inputs) = (layer.op.clone(), layer.inputs.clone());
        let mut all = Vec::with_capacity(inputs.len());
        for input in inputs {
            all.push(match input {
                None => None,
                Some(input) => match self.followed(input, mask, axis, steps - 1)? {
                    None => return Ok(None),
                    found => found,
                },
            });
        }
        Ok(self.add_all(op, &all)?.first().copied())
    }

    /// The tensor that differs by axes of size 1 only, where a layer adds or removes some, and where an axis is in it.
    fn under_other_ones(&self, x: TensorId, axis: usize) -> Option<(TensorId, usize)> {
        let layer = self.producer(x)?;
        match &layer.op {
            Op::Squeeze { .. } | Op::Unsqueeze { .. } => {}
            Op::Shuffle { first_transpose: None, second_transpose: None, .. } => {}
            _ => return None,
        }
        let input = layer.input(0)?;
        let (from, to) = (self.dims(input), self.dims(x));
        let longer = |dims: &[Dim]| (0..dims.len()).filter(|k| !dims[*k].is(1)).collect::<Vec<_>>();
        let (before, after) = (longer(&from), longer(&to));
        // The number of chosen elements has a name for each time they were chosen.
        let same = |(a, b): (&usize, &usize)| *b == axis || from[*a] == to[*b];
        let alike = before.len() == after.len() && before.iter().zip(&after).all(same);
        let place = after.iter().position(|k| *k == axis).filter(|_| alike)?;
        Some((input, before[place]))
    }

    /// Whether a layer computes each element of its own, whatever the element is: integers divided by zero are not.
    fn is_by_element(&self, op: &Op, x: TensorId) -> bool {
        match op {
            Op::ElementWise { op: E::Div | E::FloorDiv } => self.dtype(x).is_float(),
            Op::ElementWise { .. } | Op::Unary { .. } | Op::Activation { .. } => true,
            Op::Cast { .. } | Op::Identity | Op::Select => true,
            _ => false,
        }
    }

    /// A tensor whose masked axes are one axis, and the mask over it with axes of size 1 behind.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where the mask has more axes than the tensor.
    pub(crate) fn flat_mask(&mut self, x: TensorId, mask: TensorId, axis: usize) -> Result<(TensorId, TensorId)> {
        let data = self.flatten(x, axis, axis + self.rank(mask) - 1)?;
        let mut dims = vec![Dim::Static(1); self.rank(data)];
        dims[axis] = self.dims(data)[axis].clone();
        Ok((data, self.reshape(mask, &dims)?))
    }

    /// Where x is not zero: `[rank, count]` int32, a row for each axis. `count` names the symbol of the number found.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where x has no counterpart of bool.
    pub(crate) fn positions(&mut self, x: TensorId, count: Option<&str>) -> Result<TensorId> {
        let mask = self.cast(x, DType::Bool)?;
        let mask = self.with_axis(mask)?;
        if let Some(weights) = self.weights(mask) {
            let found = known_positions(weights);
            if let (Some(symbol), Some(n)) = (count, found.dims.last()) {
                self.fix_symbol(symbol, &Dim::Static(*n))?;
            }
            return self.constant(found);
        }
        let count = match count {
            Some(symbol) => symbol.to_owned(),
            None => self.fresh_symbol(),
        };
        let found = self.add(Op::NonZero { count: count.clone() }, &[mask])?;
        self.bind_symbol(&count, found, 1);
        Ok(found)
    }
}

/// The positions in a constant mask.
fn known_positions(mask: &Weights) -> Weights {
    let holds = mask.to_f64();
    let hits: Vec<usize> = (0..holds.len()).filter(|k| holds[*k] != 0.0).collect();
    let mut rows = vec![Vec::new(); mask.dims.len()];
    for hit in &hits {
        let mut left = *hit as i64;
        for (row, size) in rows.iter_mut().zip(&mask.dims).rev() {
            row.push(left % size);
            left /= size;
        }
    }
    let dims = [mask.dims.len() as i64, hits.len() as i64];
    Weights::from_i64(DType::Int32, &dims, rows.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_a_known_mask_come_row_by_row() {
        let mask = Weights::bool(&[2, 3], &[false, true, false, true, false, true]);
        let found = known_positions(&mask);
        assert_eq!(found.dims, [2, 3]);
        assert_eq!(found.to_i64(), Some(vec![0, 1, 1, 1, 0, 2]));
        assert_eq!(known_positions(&Weights::bool(&[4], &[false; 4])).dims, [1, 0]);
    }
}
