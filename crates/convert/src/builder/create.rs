//! Constants, ramps and counts whose sizes may be expressions, and the index arithmetic that PyTorch adds to
//! TensorRT's indexing.

use super::{Builder, Ranked};
use crate::Result;
use dims::Dim;
use network::{
    DType, ElementWiseOperation as E, FillOperation, GatherMode, Layer, Op, SampleMode, TensorId, TopKOperation,
    Weights,
};

/// Up to this many elements, a constant stands in the network as it is; beyond, as one number that is repeated.
const INLINE: i64 = 4096;

impl Builder {
    /// A tensor of these sizes with one number everywhere.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] where a symbol is the size of no input.
    pub fn full(&mut self, dtype: DType, dims: &[Dim], value: f64) -> Result<TensorId> {
        let known: Option<Vec<i64>> = dims.iter().map(Dim::as_static).collect();
        if let Some(sizes) = known.filter(|sizes| sizes.iter().product::<i64>() <= INLINE) {
            return self.constant(Weights::filled(dtype, &sizes, value));
        }
        let one = self.scalar(dtype, value, dims.len())?;
        self.expand(one, dims)
    }

    /// 0, 1, … n-1 as a 1-D tensor of a dtype; see [`Builder::ramp`].
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] where a symbol is the size of no input.
    pub fn iota(&mut self, n: &Dim, dtype: DType) -> Result<TensorId> {
        if let Some(n) = n.as_static() {
            return self.constant(Weights::from_i64(dtype, &[n], 0..n));
        }
        let indices = self.ramp(n)?;
        self.cast(indices, dtype)
    }

    /// 0, 1, … along one axis of a tensor of this rank, the other axes being of size 1.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] where a symbol is the size of no input.
    pub fn iota_along(&mut self, n: &Dim, dtype: DType, axis: usize, rank: usize) -> Result<TensorId> {
        let indices = self.iota(n, dtype)?;
        self.along(indices, axis, rank)
    }

    /// A 1-D tensor laid along one axis of a tensor of this rank, the other axes being of size 1.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where the rank is more than TensorRT takes.
    pub fn along(&mut self, x: TensorId, axis: usize, rank: usize) -> Result<TensorId> {
        let mut dims = vec![Dim::Static(1); rank];
        if let (Some(dim), Some(size)) = (dims.get_mut(axis), self.dims(x).first()) {
            *dim = size.clone();
        }
        if let Some(weights) = self.weights(x)
            && let Some(sizes) = dims.iter().map(Dim::as_static).collect::<Option<Vec<i64>>>()
            && let Some(weights) = weights.reshaped(&sizes)
        {
            return self.constant(weights);
        }
        self.reshape(x, &dims)
    }

    /// A size as a number of this dtype, with `rank` axes of size 1.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] where a symbol is the size of no input.
    pub fn size_as(&mut self, size: &Dim, dtype: DType, rank: usize) -> Result<TensorId> {
        if let Some(n) = size.as_static() {
            return self.constant(Weights::from_i64(dtype, &vec![1; rank], [n]));
        }
        let scalar = self.size_scalar(size)?;
        let scalar = self.cast(scalar, dtype)?;
        self.lift(scalar, rank)
    }

    /// Moves an axis to another position, the others keeping their order.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where there is no such axis.
    pub fn move_axis(&mut self, x: TensorId, from: usize, to: usize) -> Result<TensorId> {
        let mut order: Vec<usize> = (0..self.rank(x)).filter(|k| *k != from).collect();
        order.insert(to.min(order.len()), from);
        self.permute(x, &order)
    }

    /// `torch.gather` without negative indices: element `[i, j, …]` comes from index `[i, j, …]` along the axis.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where the ranks differ.
    pub fn gather_elements(&mut self, data: TensorId, indices: TensorId, axis: usize) -> Result<TensorId> {
        self.add(Op::Gather { mode: GatherMode::Element, axis, elementwise_dims: 0 }, &[data, indices])
    }

    /// The k largest or smallest along an axis, best first: values and int32 indices.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] where k is a symbol that is the size of no input.
    pub fn top_k(&mut self, x: TensorId, op: TopKOperation, k: &Dim, axis: usize) -> Result<Ranked> {
        let outputs = match k.as_static() {
            Some(k) => self.add_all(Op::TopK { op, k, axis }, &[Some(x)])?,
            None => {
                let size = self.size_scalar(k)?;
                let size = self.cast(size, DType::Int32)?;
                self.add_all(Op::TopK { op, k: 0, axis }, &[Some(x), Some(size)])?
            }
        };
        Ok(Ranked { values: outputs[0], positions: outputs[1] })
    }

    /// Indices into an axis of this size, negative ones counted from its end.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] where the size is a symbol that is the size of no input.
    pub fn wrap_indices(&mut self, indices: TensorId, size: &Dim) -> Result<TensorId> {
        if self.counts_from_start(indices) {
            return Ok(indices);
        }
        if let (Some(weights), Some(n)) = (self.weights(indices), size.as_static())
            && let Some(values) = weights.to_i64()
        {
            let wrapped = values.into_iter().map(|k| if k < 0 { k + n } else { k });
            let weights = Weights::from_i64(weights.dtype, &weights.dims.clone(), wrapped);
            return self.constant(weights);
        }
        let (dtype, rank) = (self.dtype(indices), self.rank(indices));
        let size = self.size_as(size, dtype, rank)?;
        let zero = self.scalar(dtype, 0.0, rank)?;
        let negative = self.elementwise(E::Less, indices, zero)?;
        let from_end = self.sum(indices, size)?;
        self.select(negative, from_end, indices)
    }

    /// Whether indices are seen to be never negative: ramps, counts, found positions, and what only moves them.
    fn counts_from_start(&self, indices: TensorId) -> bool {
        self.maker(indices).is_some_and(|(made, layer)| match &layer.op {
            Op::Constant(w) => w.to_i64().is_some_and(|values| values.iter().all(|k| *k >= 0)),
            Op::Fill { op: FillOperation::Linspace, alpha, beta, .. } => {
                *alpha >= 0.0 && *beta >= 0.0 && layer.inputs.iter().skip(1).all(Option::is_none)
            }
            Op::TopK { .. } => layer.outputs.get(1) == Some(&made),
            Op::NonZero { .. } | Op::Shape => true,
            Op::Cast { .. } => layer.input(0).is_some_and(|x| self.dtype(x) == DType::Bool),
            _ => false,
        })
    }

    /// Whether integers are seen to be less than a limit: constants, bools, positions on an axis, what a minimum
    /// limits, and what only moves them.
    pub fn stays_below(&self, integers: TensorId, limit: i64) -> bool {
        self.maker(integers).is_some_and(|(made, layer)| match &layer.op {
            Op::Constant(w) => w.to_i64().is_some_and(|values| values.iter().all(|k| *k < limit)),
            Op::TopK { axis, .. } => {
                let axis = layer.input(0).and_then(|x| self.dims(x).get(*axis)?.as_static());
                layer.outputs.get(1) == Some(&made) && axis.is_some_and(|size| size <= limit)
            }
            Op::Cast { .. } => limit >= 2 && layer.input(0).is_some_and(|x| self.dtype(x) == DType::Bool),
            Op::ElementWise { op: E::Min } => layer.used().any(|x| self.stays_below(x, limit)),
            Op::ElementWise { op: E::Max } => layer.used().all(|x| self.stays_below(x, limit)),
            _ => false,
        })
    }

    /// The layer that makes integers, and which of its outputs they are: what only moves them is passed over.
    fn maker(&self, integers: TensorId) -> Option<(TensorId, &Layer)> {
        let mut tensor = integers;
        for _ in 0..8 {
            let layer = self.network.producer(tensor)?;
            match &layer.op {
                Op::Slice { mode, .. } if *mode == SampleMode::Fill => return None,
                Op::Shuffle { .. } | Op::Slice { .. } | Op::Squeeze { .. } | Op::Unsqueeze { .. } => {}
                Op::Cast { .. } | Op::Gather { .. } => {}
                _ => return Some((tensor, layer)),
            }
            tensor = match layer.input(0) {
                Some(input) if self.dtype(input).is_index() => input,
                _ => return Some((tensor, layer)),
            };
        }
        None
    }
}
