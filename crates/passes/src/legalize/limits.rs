//! Forms of layers that TensorRT, or TensorRT for RTX, refuses, written in forms that it takes. Found by building
//! every layer in every form.

use super::Feature;
use super::decompose::{Made, Site};
use crate::Error;
use network::{
    ConvolutionAttributes, DType, Dim, ElementWiseOperation as E, FillOperation, Op, ReshapeDim, Rewrite, SampleMode,
    ScaleMode, TensorId, Weights,
};

impl Site<'_> {
    /// The layer's outputs, made by a form that the target takes; `None` where it takes the layer as it is.
    pub(super) fn in_accepted_form(&self, state: &mut Rewrite<'_>) -> Result<Option<Vec<TensorId>>, Error> {
        let x = self.layer.input(0).map(|x| state.get(x)).transpose()?;
        let rank = x.map_or(0, |x| state.tensor(x).rank());
        let random =
            |op: &FillOperation| *op != FillOperation::Linspace && !self.target.has(Feature::FillRandomFloat16);
        Ok(match (&self.layer.op, x) {
            (Op::Deconvolution(a), Some(x)) => self.deconvolution(state, x, a)?.map(|y| vec![y]),
            (Op::Fill { op, dtype: DType::Float16, .. }, _) if random(op) => Some(vec![self.random_float16(state)?]),
            (Op::Shuffle { first_transpose: Some(order), .. }, Some(x))
                if rank > self.target.largest_rank_with_ones() =>
            {
                self.moved_without_ones(state, x, order)?
            }
            (Op::SoftMax { .. } | Op::TopK { .. }, Some(x)) if rank < self.target.smallest_rank() => {
                Some(self.in_a_row(state, x)?)
            }
            (Op::Scale { mode, channel_axis }, Some(x)) if !self.target.scales(*mode, rank) => {
                Some(vec![self.scale(state, x, *mode, *channel_axis)?])
            }
            _ => None,
        })
    }

    /// A shuffle whose transpose leaves out the axes of size 1 that the input begins with; `None` where it begins with
    /// none, or has no others.
    fn moved_without_ones(
        &self,
        state: &mut Rewrite<'_>,
        x: TensorId,
        order: &[usize],
    ) -> Result<Option<Vec<TensorId>>, network::Error> {
        let ones = state.tensor(x).dims.iter().take_while(|d| d.is(1)).count();
        if ones == 0 || ones == order.len() {
            return Ok(None);
        }
        let moved: Vec<usize> = order.iter().filter_map(|k| k.checked_sub(ones)).collect();
        let back: Vec<usize> = (0..order.len()).filter(|k| order[*k] < ones).collect();
        let transpose = Op::Shuffle { first_transpose: Some(moved), reshape: None, second_transpose: None };
        let y = self.add(state, Op::Squeeze { axes: (0..ones).collect() }, &[x])?;
        let y = self.add(state, transpose, &[y])?;
        let y = self.add(state, Op::Unsqueeze { axes: back }, &[y])?;
        let mut inputs = state.inputs(self.layer)?;
        inputs[0] = Some(y);
        let mut op = self.layer.op.clone();
        if let Op::Shuffle { first_transpose, reshape, second_transpose } = &mut op {
            *first_transpose = None;
            if reshape.is_none() && second_transpose.is_none() && inputs.get(1).copied().flatten().is_none() {
                return Ok(Some(vec![y]));
            }
        }
        state.new.add(op, &inputs, &self.layer.origin).map(Some)
    }

    /// A layer of one axis as one of two: `[1, n]` in, `[1, …]` out.
    fn in_a_row(&self, state: &mut Rewrite<'_>, x: TensorId) -> Result<Vec<TensorId>, network::Error> {
        let op = match self.layer.op.clone() {
            Op::SoftMax { axis } => Op::SoftMax { axis: axis + 1 },
            Op::TopK { op, k, axis } => Op::TopK { op, k, axis: axis + 1 },
            other => other,
        };
        let shuffle = |reshape| Op::Shuffle { first_transpose: None, reshape: Some(reshape), second_transpose: None };
        let row = self.add(state, shuffle(vec![ReshapeDim::Is(1), ReshapeDim::Infer]), &[x])?;
        let mut inputs = state.inputs(self.layer)?;
        inputs[0] = Some(row);
        let made = state.new.add(op, &inputs, &self.layer.origin)?;
        made.into_iter().map(|y| self.add(state, shuffle(vec![ReshapeDim::Infer]), &[y])).collect()
    }

    /// `(x * scale + shift) ^ power` by element-wise layers.
    fn scale(&self, state: &mut Rewrite<'_>, x: TensorId, mode: ScaleMode, axis: usize) -> Result<TensorId, Error> {
        let dims = state.tensor(x).dims.clone();
        let mut y = x;
        for (input, op) in [(2, E::Prod), (1, E::Sum), (3, E::Pow)] {
            let Some(id) = self.layer.input(input) else { continue };
            let Some(weights) = state.old.constant(id) else {
                return Err(self.refused("its scales are no constants", "multiply and add instead"));
            };
            let mut sizes = vec![1; dims.len()];
            match mode {
                ScaleMode::Uniform => {}
                ScaleMode::Channel => sizes[axis] = weights.count() as i64,
                ScaleMode::Elementwise => sizes = dims.iter().map(|d| d.as_static().unwrap_or(1)).collect(),
            }
            let Some(weights) = weights.reshaped(&sizes) else {
                return Err(
                    self.refused("its scales do not have the sizes of the input", "give a scale for each element")
                );
            };
            let weights = self.constant(state, weights)?;
            y = self.add(state, Op::ElementWise { op }, &[y, weights])?;
        }
        Ok(y)
    }

    /// A random fill of float32, rounded.
    fn random_float16(&self, state: &mut Rewrite<'_>) -> Made {
        let mut op = self.layer.op.clone();
        if let Op::Fill { dtype, .. } = &mut op {
            *dtype = DType::Float32;
        }
        let mut inputs = state.inputs(self.layer)?;
        // Bounds are of the fill's type.
        for bound in inputs.iter_mut().skip(1).flatten() {
            *bound = self.cast(state, *bound, DType::Float32)?;
        }
        let made = state.new.add(op, &inputs, &self.layer.origin)?;
        let wide = made.first().copied().ok_or_else(|| network::Error::Malformed("a fill has no output".into()))?;
        self.cast(state, wide, DType::Float16)
    }

    fn cast(&self, state: &mut Rewrite<'_>, x: TensorId, to: DType) -> Made {
        if state.tensor(x).dtype == to { Ok(x) } else { self.add(state, Op::Cast { to }, &[x]) }
    }

    /// A deconvolution in a type and with a kernel that the target takes; `None` where it takes it as it is.
    fn deconvolution(
        &self,
        state: &mut Rewrite<'_>,
        x: TensorId,
        a: &ConvolutionAttributes,
    ) -> Result<Option<TensorId>, Error> {
        let dtype = state.tensor(x).dtype;
        let widen = dtype == DType::BFloat16 && !self.target.has(Feature::DeconvolutionBFloat16);
        let large = |steps: &[i64]| steps.iter().any(|step| *step > 1);
        let spread = large(&a.stride) && large(&a.dilation) && !self.target.has(Feature::DeconvolutionStridedDilated);
        if !widen && !spread {
            return Ok(None);
        }
        let mut inputs = state.inputs(self.layer)?;
        let mut attributes = a.clone();
        if spread {
            let kernel = inputs.get(1).copied().flatten();
            let constant = kernel.and_then(|id| state.new.constant(id));
            inputs[1] = match (constant.and_then(|kernel| spread_kernel(kernel, &a.dilation)), kernel) {
                (Some(spread), _) => Some(self.constant(state, spread)?),
                (None, Some(kernel)) => Some(self.spread_computed(state, kernel, &a.dilation)?),
                (None, None) => None,
            };
            attributes.dilation = vec![1; a.dilation.len()];
        }
        if widen {
            for input in inputs.iter_mut().flatten() {
                *input = self.cast(state, *input, DType::Float32)?;
            }
        }
        let made = state.new.add(Op::Deconvolution(attributes), &inputs, &self.layer.origin)?;
        made.first().map(|y| self.cast(state, *y, dtype)).transpose().map_err(Error::from)
    }

    /// A computed kernel with zeros between its elements: along each dilated axis, every element is padded to
    /// `dilation` elements, and the zeros after the last one are cut off.
    fn spread_computed(
        &self,
        state: &mut Rewrite<'_>,
        mut kernel: TensorId,
        dilation: &[i64],
    ) -> Result<TensorId, Error> {
        let dims = state.tensor(kernel).dims.iter().map(Dim::as_static).collect::<Option<Vec<i64>>>();
        let Some(mut dims) = dims else {
            let problem = "its deconvolution has no stride together with a dilation for a kernel of dynamic size";
            return Err(self.refused(problem, "use a dilation of 1, or a kernel of static size"));
        };
        for (axis, step) in dilation.iter().enumerate().map(|(k, step)| (k + 2, *step)) {
            let length = dims[axis];
            if step == 1 || length < 2 {
                continue;
            }
            let (before, after) = (dims[..axis].iter().product::<i64>(), dims[axis + 1..].iter().product::<i64>());
            dims[axis] = (length - 1) * step + 1;
            let elements = self.in_shape(state, kernel, &[before, length, 1, after])?;
            let padded = self.resized(state, elements, &[before, length, step, after])?;
            let row = self.in_shape(state, padded, &[before, length * step, after])?;
            let cut = self.resized(state, row, &[before, dims[axis], after])?;
            kernel = self.in_shape(state, cut, &dims)?;
        }
        Ok(kernel)
    }

    /// A reshape to static sizes.
    fn in_shape(&self, state: &mut Rewrite<'_>, x: TensorId, dims: &[i64]) -> Made {
        let reshape = Some(dims.iter().map(|n| ReshapeDim::Is(*n)).collect());
        self.add(state, Op::Shuffle { first_transpose: None, reshape, second_transpose: None }, &[x])
    }

    /// The beginning of a tensor with these sizes; zeros where it has no elements.
    fn resized(&self, state: &mut Rewrite<'_>, x: TensorId, size: &[i64]) -> Made {
        let (start, stride) = (vec![0; size.len()], vec![1; size.len()]);
        self.add(state, Op::Slice { start, size: size.to_vec(), stride, mode: SampleMode::Fill }, &[x])
    }
}

/// The kernel with zeros between its elements, as a dilation of it reads.
fn spread_kernel(kernel: &Weights, dilation: &[i64]) -> Option<Weights> {
    let dims: Vec<usize> = kernel.dims.iter().map(|d| usize::try_from(*d).ok()).collect::<Option<_>>()?;
    let (channels, window) = dims.split_at(2);
    let steps: Vec<usize> = dilation.iter().map(|d| usize::try_from(*d).ok()).collect::<Option<_>>()?;
    let wide: Vec<usize> = window.iter().zip(&steps).map(|(n, step)| (n.max(&1) - 1) * step + 1).collect();
    let (size, plane) = (kernel.dtype.size(), wide.iter().product::<usize>());
    let mut out = vec![0; channels.iter().product::<usize>() * plane * size];
    for (k, element) in kernel.data.chunks_exact(size).enumerate() {
        let (block, mut place) = (k / window.iter().product::<usize>(), k % window.iter().product::<usize>());
        let (mut at, mut stride) = (0, 1);
        for axis in (0..window.len()).rev() {
            at += place % window[axis] * steps[axis] * stride;
            place /= window[axis];
            stride *= wide[axis];
        }
        let to = (block * plane + at) * size;
        out[to..to + size].copy_from_slice(element);
    }
    let dims = channels.iter().chain(&wide).map(|d| *d as i64).collect();
    Weights::new(kernel.dtype, dims, out.into())
}
