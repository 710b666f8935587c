//! Arrays of the evaluator: shapes, strides, and the way between bytes and numbers.

use bytes::Bytes;
use half::{bf16, f16};
use network::{DType, Weights};

/// Type and sizes of an output.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub dtype: DType,
    pub dims: Vec<usize>,
}

impl Shape {
    pub fn count(&self) -> usize {
        self.dims.iter().product()
    }

    pub fn with(&self, data: impl Into<Bytes>) -> Weights {
        Weights { dtype: self.dtype, dims: self.dims.iter().map(|d| *d as i64).collect(), data: data.into() }
    }

    /// Rounds floats to the type.
    pub fn floats(&self, values: impl IntoIterator<Item = f64>) -> Weights {
        let values = values.into_iter();
        let data: Vec<u8> = match self.dtype {
            DType::Float32 => values.map(|v| (v as f32).to_le_bytes()).collect::<Vec<_>>().into_flattened(),
            DType::Float16 => values.map(|v| f16::from_f64(v).to_le_bytes()).collect::<Vec<_>>().into_flattened(),
            DType::BFloat16 => values.map(|v| bf16::from_f64(v).to_le_bytes()).collect::<Vec<_>>().into_flattened(),
            _ => values.flat_map(|v| Weights::scalar(self.dtype, v).data).collect(),
        };
        self.with(data)
    }

    /// Wraps integers to the type; for bool, what is not zero is true.
    pub fn integers(&self, values: impl IntoIterator<Item = i64>) -> Weights {
        let values = values.into_iter();
        let data: Vec<u8> = match self.dtype {
            DType::Int64 => values.map(i64::to_le_bytes).collect::<Vec<_>>().into_flattened(),
            DType::Int32 => values.map(|v| (v as i32).to_le_bytes()).collect::<Vec<_>>().into_flattened(),
            DType::Bool => values.map(|v| u8::from(v != 0)).collect(),
            _ => values.map(|v| v as u8).collect(),
        };
        self.with(data)
    }
}

/// The elements of an array as numbers.
pub(super) enum Elements {
    /// Float types: float32 holds each of their values.
    Float(Vec<f32>),
    /// Integers, and bool as 0 and 1.
    Integer(Vec<i64>),
}

impl Elements {
    pub fn of(weights: &Weights) -> Self {
        if let Some(integers) = weights.to_i64() {
            return Self::Integer(integers);
        }
        Self::Float(match weights.dtype {
            DType::Float32 => weights.data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            _ => weights.to_f64().into_iter().map(|v| v as f32).collect(),
        })
    }
}

/// Sizes of a constant.
pub(super) fn sizes(weights: &Weights) -> Vec<usize> {
    weights.dims.iter().map(|d| *d as usize).collect()
}

/// Row-major distances, in elements.
pub(super) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for k in (0..dims.len().saturating_sub(1)).rev() {
        strides[k] = strides[k + 1] * dims[k + 1];
    }
    strides
}

/// Row-major distances that stay in place along axes of size 1, which broadcast.
pub(super) fn broadcast_strides(dims: &[usize]) -> Vec<usize> {
    strides(dims).into_iter().zip(dims).map(|(s, d)| if *d == 1 { 0 } else { s }).collect()
}

/// Calls `f` with `N` offsets for each index of `dims` in row-major order.
pub(super) fn walk<const N: usize>(dims: &[usize], strides: [&[usize]; N], mut f: impl FnMut([usize; N])) {
    if dims.contains(&0) {
        return;
    }
    let Some((last, outer)) = dims.split_last() else { return f([0; N]) };
    let step: [usize; N] = std::array::from_fn(|n| strides[n][outer.len()]);
    let mut index = vec![0; outer.len()];
    let mut start = [0; N];
    loop {
        let mut at = start;
        for _ in 0..*last {
            f(at);
            for n in 0..N {
                at[n] += step[n];
            }
        }
        let mut axis = outer.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            for n in 0..N {
                start[n] += strides[n][axis];
            }
            if index[axis] < outer[axis] {
                break;
            }
            for n in 0..N {
                start[n] -= strides[n][axis] * outer[axis];
            }
            index[axis] = 0;
        }
    }
}

/// Copies the elements at `walk`'s offsets, whatever their type.
pub(super) fn copy_strided(data: &[u8], size: usize, dims: &[usize], strides: &[usize]) -> Vec<u8> {
    fn copy<const B: usize>(data: &[u8], dims: &[usize], strides: &[usize]) -> Vec<u8> {
        let elements = data.as_chunks::<B>().0;
        let mut out = Vec::with_capacity(dims.iter().product());
        walk(dims, [strides], |[at]| out.push(elements[at]));
        out.into_flattened()
    }
    match size {
        1 => copy::<1>(data, dims, strides),
        2 => copy::<2>(data, dims, strides),
        4 => copy::<4>(data, dims, strides),
        _ => copy::<8>(data, dims, strides),
    }
}
