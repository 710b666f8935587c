//! Arrays of the reference: float64 elements under the dtype that the network gives them.

use network::{DType, Weights};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::cell::RefCell;

#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub dtype: DType,
    pub dims: Vec<i64>,
    pub data: Vec<f64>,
    /// Whether the network has it as a constant, not as an input.
    pub constant: bool,
}

thread_local! {
    static RNG: RefCell<StdRng> = {
        let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random::<u64>);
        println!("SEED={seed}");
        RefCell::new(StdRng::seed_from_u64(seed))
    };
}

/// A fresh number from a range.
pub fn uniform(low: f64, high: f64) -> f64 {
    RNG.with_borrow_mut(|rng| rng.random_range(low..high))
}

/// A fresh integer from a range, the end excluded.
pub fn integer(low: i64, high: i64) -> i64 {
    RNG.with_borrow_mut(|rng| rng.random_range(low..high))
}

/// float32 numbers from a range.
pub fn floats_in(dims: &[i64], low: f64, high: f64) -> Array {
    Array::from_fn(DType::Float32, dims, |_| f64::from(uniform(low, high) as f32))
}

/// float32 numbers between -2 and 2.
pub fn floats(dims: &[i64]) -> Array {
    floats_in(dims, -2.0, 2.0)
}

/// Integers of a dtype from a range, the end excluded.
pub fn integers(dtype: DType, dims: &[i64], low: i64, high: i64) -> Array {
    Array::from_fn(dtype, dims, |_| integer(low, high) as f64)
}

/// A 1-D int64 constant.
pub fn sizes(values: &[i64]) -> Array {
    let data = values.iter().map(|v| *v as f64).collect();
    Array { dtype: DType::Int64, dims: vec![values.len() as i64], data, constant: true }
}

impl Array {
    pub fn new(dtype: DType, dims: &[i64], data: Vec<f64>) -> Self {
        assert_eq!(data.len() as i64, dims.iter().product::<i64>());
        Self { dtype, dims: dims.to_vec(), data, constant: false }
    }

    pub fn scalar(dtype: DType, value: f64) -> Self {
        Self::new(dtype, &[], vec![value])
    }

    pub fn from_fn(dtype: DType, dims: &[i64], mut f: impl FnMut(&[i64]) -> f64) -> Self {
        let mut index = vec![0; dims.len()];
        let mut data = Vec::new();
        for _ in 0..dims.iter().product::<i64>() {
            data.push(f(&index));
            for k in (0..dims.len()).rev() {
                index[k] += 1;
                if index[k] < dims[k] {
                    break;
                }
                index[k] = 0;
            }
        }
        Self::new(dtype, dims, data)
    }

    pub fn constant(mut self) -> Self {
        self.constant = true;
        self
    }

    pub fn at(&self, index: &[i64]) -> f64 {
        assert_eq!(index.len(), self.dims.len());
        let flat = index.iter().zip(&self.dims).fold(0, |flat, (i, n)| {
            assert!((0..*n).contains(i), "{index:?} in {:?}", self.dims);
            flat * n + i
        });
        self.data[flat as usize]
    }

    /// The element that a broadcast to a larger shape reads at an index.
    pub fn broadcast_at(&self, index: &[i64]) -> f64 {
        let index = &index[index.len() - self.dims.len()..];
        let own: Vec<i64> = index.iter().zip(&self.dims).map(|(i, n)| if *n == 1 { 0 } else { *i }).collect();
        self.at(&own)
    }

    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { data: self.data.iter().map(|v| f(*v)).collect(), constant: false, ..self.clone() }
    }

    pub fn cast(&self, dtype: DType) -> Self {
        Self { dtype, ..self.clone() }
    }

    pub fn reshape(&self, dims: &[i64]) -> Self {
        Self { dims: dims.to_vec(), ..self.clone() }
    }

    /// `f` of the two, broadcast.
    pub fn zip(&self, other: &Self, dtype: DType, f: impl Fn(f64, f64) -> f64) -> Self {
        let dims: Vec<i64> = self.dims.iter().zip(&other.dims).map(|(a, b)| if *a == 1 { *b } else { *a }).collect();
        Self::from_fn(dtype, &dims, |i| f(self.broadcast_at(i), other.broadcast_at(i)))
    }

    pub fn transpose(&self, order: &[usize]) -> Self {
        let dims: Vec<i64> = order.iter().map(|k| self.dims[*k]).collect();
        Self::from_fn(self.dtype, &dims, |to| {
            let mut from = vec![0; to.len()];
            order.iter().zip(to).for_each(|(k, i)| from[*k] = *i);
            self.at(&from)
        })
    }

    pub fn weights(&self) -> Weights {
        if self.dtype.is_index() {
            Weights::from_i64(self.dtype, &self.dims, self.data.iter().map(|v| *v as i64))
        } else {
            Weights::from_f64(self.dtype, &self.dims, self.data.iter().copied())
        }
    }
}
