//! Reshape, transpose, expand, slice and join, with sizes that may be expressions.

use super::Builder;
use crate::Result;
use dims::{Dim, Dims};
use network::{GatherMode, Op, ReshapeDim, SampleMode, TensorId};

impl Builder {
    /// A 0-D tensor as one of a single element; others as they are.
    ///
    /// # Errors
    /// None that a well-formed tensor raises.
    pub(crate) fn with_axis(&mut self, x: TensorId) -> Result<TensorId> {
        if self.rank(x) == 0 { self.reshape(x, &[Dim::Static(1)]) } else { Ok(x) }
    }

    /// The same elements under other sizes.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where the element counts differ.
    pub fn reshape(&mut self, x: TensorId, to: &[Dim]) -> Result<TensorId> {
        if self.tensor(x).dims == to {
            return Ok(x);
        }
        let shuffle = |reshape| Op::Shuffle { first_transpose: None, reshape, second_transpose: None };
        if let Some(plan) = reshape_plan(&self.tensor(x).dims, to) {
            return self.add(shuffle(Some(plan)), &[x]);
        }
        if let Some((gone, new)) = unit_axes(&self.tensor(x).dims, to) {
            let x = if gone.is_empty() { x } else { self.add(Op::Squeeze { axes: gone }, &[x])? };
            return if new.is_empty() { Ok(x) } else { self.add(Op::Unsqueeze { axes: new }, &[x]) };
        }
        let shape = self.size_tensor(to)?;
        self.add(shuffle(None), &[x, shape])
    }

    /// Reorders axes: axis k of the result is axis `order[k]` of x.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where `order` is no permutation.
    pub fn permute(&mut self, x: TensorId, order: &[usize]) -> Result<TensorId> {
        if order.iter().enumerate().all(|(k, o)| k == *o) {
            return Ok(x);
        }
        self.add(Op::Shuffle { first_transpose: Some(order.to_vec()), reshape: None, second_transpose: None }, &[x])
    }

    /// Swaps two axes.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where there is no such axis.
    pub fn transpose(&mut self, x: TensorId, a: usize, b: usize) -> Result<TensorId> {
        let mut order: Vec<usize> = (0..self.rank(x)).collect();
        if a < order.len() && b < order.len() {
            order.swap(a, b);
        }
        self.permute(x, &order)
    }

    /// Inserts axes of size 1 at these positions of the result.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where the rank is more than TensorRT takes.
    pub fn unsqueeze(&mut self, x: TensorId, axes: &[usize]) -> Result<TensorId> {
        let mut sorted = axes.to_vec();
        sorted.sort_unstable();
        let mut dims = self.dims(x);
        for axis in sorted {
            dims.insert(axis.min(dims.len()), Dim::Static(1));
        }
        self.reshape(x, &dims)
    }

    /// Removes these axes, which have size 1.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where one has another size.
    pub fn squeeze(&mut self, x: TensorId, axes: &[usize]) -> Result<TensorId> {
        let dims: Dims =
            self.dims(x).into_iter().enumerate().filter(|(k, _)| !axes.contains(k)).map(|(_, d)| d).collect();
        self.reshape(x, &dims)
    }

    /// Joins axes `first..=last` into one.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where there is no such axis.
    pub fn flatten(&mut self, x: TensorId, first: usize, last: usize) -> Result<TensorId> {
        let dims = self.dims(x);
        let joined = Dim::product(&dims[first..=last]);
        self.reshape(x, &[&dims[..first], &[joined], &dims[last + 1..]].concat())
    }

    /// Repeats axes of size 1 until x has these sizes (`torch.Tensor.expand`; the rank may grow in front).
    ///
    /// # Errors
    /// [`crate::Error::Network`] where the sizes do not fit.
    pub fn expand(&mut self, x: TensorId, to: &[Dim]) -> Result<TensorId> {
        let x = self.lift(x, to.len())?;
        let from = self.dims(x);
        if from == to {
            return Ok(x);
        }
        // A stride of 0 repeats; only axes of size 1 repeat.
        let stride: Vec<i64> = from.iter().map(|d| i64::from(!d.is(1))).collect();
        let start = vec![Dim::Static(0); to.len()];
        self.slice(x, &start, to, &stride)
    }

    /// `size` elements from `start` in steps of `stride`, an entry an axis.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where elements lie outside x.
    pub fn slice(&mut self, x: TensorId, start: &[Dim], size: &[Dim], stride: &[i64]) -> Result<TensorId> {
        self.sample(x, [start, size], stride, SampleMode::StrictBounds, None)
    }

    /// A slice that may read outside x: what it finds there is decided by `mode` (and `fill`).
    ///
    /// # Errors
    /// [`crate::Error::Network`] where the lists do not fit x.
    pub fn sample(
        &mut self,
        x: TensorId,
        [start, size]: [&[Dim]; 2],
        stride: &[i64],
        mode: SampleMode,
        fill: Option<TensorId>,
    ) -> Result<TensorId> {
        let known = |dims: &[Dim]| dims.iter().map(Dim::as_static).collect::<Option<Vec<i64>>>();
        let (fixed_start, fixed_size) = (known(start), known(size));
        let op = |start: Option<Vec<i64>>, size: Option<Vec<i64>>| Op::Slice {
            start: start.unwrap_or_default(),
            size: size.unwrap_or_default(),
            stride: stride.to_vec(),
            mode,
        };
        let start_tensor = if fixed_start.is_none() { Some(self.size_tensor(start)?) } else { None };
        let size_tensor = if fixed_size.is_none() { Some(self.size_tensor(size)?) } else { None };
        let outputs = self.add_all(op(fixed_start, fixed_size), &[Some(x), start_tensor, size_tensor, None, fill])?;
        Ok(outputs[0])
    }

    /// A slice of one axis.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where elements lie outside x.
    pub fn slice_axis(&mut self, x: TensorId, axis: usize, start: Dim, size: Dim, stride: i64) -> Result<TensorId> {
        let mut sizes = self.dims(x);
        let mut starts = vec![Dim::Static(0); sizes.len()];
        let mut strides = vec![1; sizes.len()];
        (starts[axis], sizes[axis], strides[axis]) = (start, size, stride);
        self.slice(x, &starts, &sizes, &strides)
    }

    /// Joins tensors of one dtype along an axis.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where other sizes differ.
    pub fn concat(&mut self, tensors: &[TensorId], axis: usize) -> Result<TensorId> {
        match tensors {
            [one] => Ok(*one),
            _ => self.add(Op::Concatenation { axis }, tensors),
        }
    }

    /// `numpy.take`: replaces an axis by the indices' axes.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where the indices are not integers.
    pub fn gather(&mut self, data: TensorId, indices: TensorId, axis: usize) -> Result<TensorId> {
        self.add(Op::Gather { mode: GatherMode::Default, axis, elementwise_dims: 0 }, &[data, indices])
    }
}

/// The axes of size 1 that a reshape removes, and where it inserts some, where it does nothing else.
fn unit_axes(from: &[Dim], to: &[Dim]) -> Option<(Vec<usize>, Vec<usize>)> {
    let (mut gone, mut new, mut i, mut j) = (Vec::new(), Vec::new(), 0, 0);
    while i < from.len() || j < to.len() {
        match (from.get(i), to.get(j)) {
            (Some(a), Some(b)) if a == b => (i, j) = (i + 1, j + 1),
            (_, Some(b)) if b.is(1) => {
                new.push(j);
                j += 1;
            }
            (Some(a), _) if a.is(1) => {
                gone.push(i);
                i += 1;
            }
            _ => return None,
        }
    }
    Some((gone, new))
}

/// Expresses a reshape without a shape tensor, where at most one size has to be left open.
fn reshape_plan(from: &[Dim], to: &[Dim]) -> Option<Vec<ReshapeDim>> {
    let mut open = false;
    let entry = |(k, dim): (usize, &Dim)| {
        Some(match dim {
            Dim::Static(n) => ReshapeDim::Is(*n),
            Dim::Symbolic(_) if from.get(k) == Some(dim) => ReshapeDim::Copy,
            Dim::Symbolic(_) if !std::mem::replace(&mut open, true) => ReshapeDim::Infer,
            Dim::Symbolic(_) => return None,
        })
    };
    let plan: Vec<ReshapeDim> = to.iter().enumerate().map(entry).collect::<Option<_>>()?;
    // The open size is found by division, which a size of 0 would spoil, and must come out as PyTorch's.
    let others = || Dim::product(to.iter().zip(&plan).filter(|(_, p)| **p != ReshapeDim::Infer).map(|(d, _)| d));
    if let Some((dim, _)) = to.iter().zip(&plan).find(|(_, p)| **p == ReshapeDim::Infer)
        && (others().is(0) || Dim::product(from).floor_div(&others()) != *dim)
    {
        return None;
    }
    Some(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dims(text: &str) -> Dims {
        text.split_whitespace().map(|d| Dim::parse(d).unwrap()).collect()
    }

    #[test]
    fn a_reshape_that_only_moves_unit_axes_is_seen() {
        let seen = |from: &str, to: &str| unit_axes(&dims(from), &dims(to));
        assert_eq!(seen("s0 s1", "1 s0 s1"), Some((vec![], vec![0])));
        assert_eq!(seen("s0 1 s1", "s0 s1"), Some((vec![1], vec![])));
        assert_eq!(seen("1 s0 s1", "s0 1 s1 1"), Some((vec![0], vec![1, 3])));
        assert_eq!(seen("s0 s1", "s1 s0"), None);
        assert_eq!(seen("s0 s1", "s0*s1 1"), None);
    }

    #[test]
    fn one_open_size_needs_no_shape_tensor() {
        use ReshapeDim::{Copy, Infer, Is};
        let plan = |from: &str, to: &str| reshape_plan(&dims(from), &dims(to));
        assert_eq!(plan("s0 3 s1", "s0 s1*3"), Some(vec![Copy, Infer]));
        assert_eq!(plan("s0 12", "s0 3 4"), Some(vec![Copy, Is(3), Is(4)]));
        assert_eq!(plan("s0 s1", "s1 s0"), None);
        // Nothing can be divided out where there are no elements.
        assert_eq!(plan("s0 0", "0 s0"), None);
    }
}
