//! Products of float16 for a target whose kernels also add up in float16.
//!
//! TensorRT 8.6's own kernels for a product of few rows do (measured: a sum of 25088 products is off by 0.7 % of the
//! largest result, of 784 by 0.1 %; rounding the result alone by 0.02 %), and it builds no product of float16 operands
//! with a float32 result. Small weights are then multiplied in float32, which costs nothing that can be measured.
//! Large ones are cut along the sum: each part adds up few products, and the parts are added in float32. Many rows
//! are left alone: there both would cost.

use super::Feature;
use super::decompose::Site;
use crate::Error;
use network::{DType, Dim, MatrixOperation, Op, ReduceOperation, ReshapeDim, Rewrite, TensorId, Weights};

/// Sums of up to this many products are as good as rounding allows.
const EXACT: i64 = 128;
/// The most products that a part of a sum adds up, and the fewest that are worth a part.
const PART: std::ops::RangeInclusive<i64> = 64..=256;
/// Bytes that weights may take in float32: what a GPU reads in a microsecond or two.
const SMALL: i64 = 8 << 20;
/// Rows up to which reading the weights takes longer than multiplying.
const FEW_ROWS: i64 = 8;

/// A product with constant weights on its right: `rows × depth` by `depth × columns`.
struct Product {
    rows: i64,
    depth: i64,
    columns: i64,
    transposed: bool,
}

impl Site<'_> {
    /// The product with sums that are exact enough; `None` where they are, or where the target sees to it.
    pub(super) fn accumulated(&self, state: &mut Rewrite<'_>, x: TensorId) -> Result<Option<TensorId>, Error> {
        let Some((product, weights)) = self.product(state) else { return Ok(None) };
        let depth = product.depth;
        if depth <= EXACT {
            return Ok(None);
        }
        if depth * product.columns * 4 <= SMALL {
            return Ok(Some(self.in_float32(state, x)?));
        }
        let part = PART.rev().find(|part| depth % part == 0);
        match part {
            Some(part) => Ok(Some(self.in_parts(state, x, &product, part, &weights)?)),
            None => Ok(Some(self.in_float32(state, x)?)),
        }
    }

    /// The layer's sizes, where it is a product of float16 of few rows with constant weights.
    fn product(&self, state: &Rewrite<'_>) -> Option<(Product, Weights)> {
        let Op::MatrixMultiply { op0: MatrixOperation::None, op1 } = &self.layer.op else { return None };
        let (x, w) = (self.layer.input(0)?, self.layer.input(1)?);
        let weights = state.old.constant(w).filter(|w| w.dtype == DType::Float16)?;
        if self.target.has(Feature::Float16Sums) || *op1 == MatrixOperation::Vector || state.old.constant(x).is_some() {
            return None;
        }
        let dims: Vec<i64> = state.old.tensor(x).dims.iter().map(Dim::as_static).collect::<Option<_>>()?;
        let (depth, leading) = dims.split_last()?;
        let rows = leading.iter().product();
        let (matrix, batches) = weights.dims.split_last_chunk::<2>().map(|(batches, matrix)| (matrix, batches))?;
        if rows > FEW_ROWS || batches.iter().any(|n| *n != 1) {
            return None;
        }
        let transposed = *op1 == MatrixOperation::Transpose;
        let columns = if transposed { matrix[0] } else { matrix[1] };
        Some((Product { rows, depth: *depth, columns, transposed }, weights.clone()))
    }

    fn in_float32(&self, state: &mut Rewrite<'_>, x: TensorId) -> Result<TensorId, network::Error> {
        let wide = Op::Cast { to: DType::Float32 };
        let weights = self.layer.input(1).map(|w| state.get(w)).transpose()?.unwrap_or(x);
        let (x, weights) = (self.add(state, wide.clone(), &[x])?, self.add(state, wide, &[weights])?);
        let product = self.add(state, self.layer.op.clone(), &[x, weights])?;
        self.add(state, Op::Cast { to: DType::Float16 }, &[product])
    }

    /// `[rows, depth]` becomes `[parts, rows, part]`, the weights `[parts, part, columns]`; the products are added.
    fn in_parts(
        &self,
        state: &mut Rewrite<'_>,
        x: TensorId,
        product: &Product,
        part: i64,
        weights: &Weights,
    ) -> Result<TensorId, network::Error> {
        let Product { rows, depth, columns, transposed } = *product;
        let parts = depth / part;
        let to_front = |reshape: Vec<ReshapeDim>| Op::Shuffle {
            first_transpose: None,
            reshape: Some(reshape),
            second_transpose: Some(vec![1, 0, 2]),
        };
        let sizes = |sizes: [i64; 3]| sizes.map(ReshapeDim::Is).to_vec();
        let x = self.add(state, to_front(sizes([rows, parts, part])), &[x])?;
        let cut = if transposed { [columns, parts, part] } else { [parts, part, columns] };
        let cut = weights.reshaped(&cut).unwrap_or_else(|| weights.clone());
        let mut cut = self.constant(state, cut)?;
        if transposed {
            let order = Some(vec![1, 0, 2]);
            cut =
                self.add(state, Op::Shuffle { first_transpose: order, reshape: None, second_transpose: None }, &[cut])?;
        }
        let products = self.add(state, self.layer.op.clone(), &[x, cut])?;
        let wide = self.add(state, Op::Cast { to: DType::Float32 }, &[products])?;
        let sum = Op::Reduce { op: ReduceOperation::Sum, axes: vec![0], keep_dims: false };
        let sum = self.add(state, sum, &[wide])?;
        let sum = self.add(state, Op::Cast { to: DType::Float16 }, &[sum])?;
        let Some(output) = self.layer.outputs.first() else { return Ok(sum) };
        let dims = state.old.tensor(*output).dims.clone();
        if state.tensor(sum).dims == dims {
            return Ok(sum);
        }
        let reshape = dims.iter().map(|d| ReshapeDim::Is(d.as_static().unwrap_or(1))).collect();
        self.add(state, Op::Shuffle { first_transpose: None, reshape: Some(reshape), second_transpose: None }, &[sum])
    }
}
