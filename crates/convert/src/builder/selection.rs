//! Elements that a mask chose, and what was computed of them alone: the same for all elements, so that writing them
//! back where the mask holds needs no positions.

use super::Builder;
use crate::Result;
use dims::Dim;
use network::{ElementWiseOperation as E, Op, TensorId};

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
}
