//! Elementwise layers, reductions and products.

use super::{Builder, Matrix};
use crate::Result;
use dims::Dim;
use network::{ActivationType, DType, ElementWiseOperation, Op, ReduceOperation, TensorId, UnaryOperation};

impl Builder {
    /// `op(a, b)` with numpy broadcasting. Both must have one dtype.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where dtypes or sizes do not fit.
    pub fn elementwise(&mut self, op: ElementWiseOperation, a: TensorId, b: TensorId) -> Result<TensorId> {
        let (a, b) = self.align(a, b)?;
        self.add(Op::ElementWise { op }, &[a, b])
    }

    /// `op(x, value)` with a number of x's dtype.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where the operation is not defined for the dtype.
    pub fn with_scalar(&mut self, op: ElementWiseOperation, x: TensorId, value: f64) -> Result<TensorId> {
        let scalar = self.scalar(self.dtype(x), value, self.rank(x))?;
        self.add(Op::ElementWise { op }, &[x, scalar])
    }

    /// a + b.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where dtypes or sizes do not fit.
    pub fn sum(&mut self, a: TensorId, b: TensorId) -> Result<TensorId> {
        self.elementwise(ElementWiseOperation::Sum, a, b)
    }

    /// a - b.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where dtypes or sizes do not fit.
    pub fn sub(&mut self, a: TensorId, b: TensorId) -> Result<TensorId> {
        self.elementwise(ElementWiseOperation::Sub, a, b)
    }

    /// a * b.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where dtypes or sizes do not fit.
    pub fn prod(&mut self, a: TensorId, b: TensorId) -> Result<TensorId> {
        self.elementwise(ElementWiseOperation::Prod, a, b)
    }

    /// a / b (integers truncate toward zero).
    ///
    /// # Errors
    /// [`crate::Error::Network`] where dtypes or sizes do not fit.
    pub fn div(&mut self, a: TensorId, b: TensorId) -> Result<TensorId> {
        self.elementwise(ElementWiseOperation::Div, a, b)
    }

    /// Applies a function to each element.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where it is not defined for the dtype.
    pub fn unary(&mut self, op: UnaryOperation, x: TensorId) -> Result<TensorId> {
        self.add(Op::Unary { op }, &[x])
    }

    /// Logical not of a bool tensor.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where x is not bool.
    pub fn not(&mut self, x: TensorId) -> Result<TensorId> {
        self.unary(UnaryOperation::Not, x)
    }

    /// An activation with its parameters (0 where it has none).
    ///
    /// # Errors
    /// [`crate::Error::Network`] where x is not a float tensor.
    pub fn activation(&mut self, kind: ActivationType, alpha: f64, beta: f64, x: TensorId) -> Result<TensorId> {
        self.add(Op::Activation { kind, alpha: alpha as f32, beta: beta as f32 }, &[x])
    }

    /// Reduces axes.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where it is not defined for the dtype.
    pub fn reduce(&mut self, op: ReduceOperation, x: TensorId, axes: &[usize], keep_dims: bool) -> Result<TensorId> {
        if axes.is_empty() || self.rank(x) == 0 {
            return Ok(x);
        }
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        self.add(Op::Reduce { op, axes, keep_dims }, &[x])
    }

    /// `condition ? a : b` with numpy broadcasting.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where dtypes or sizes do not fit.
    pub fn select(&mut self, condition: TensorId, a: TensorId, b: TensorId) -> Result<TensorId> {
        let rank = self.rank(condition).max(self.rank(a)).max(self.rank(b));
        let inputs = [self.lift(condition, rank)?, self.lift(a, rank)?, self.lift(b, rank)?];
        self.add(Op::Select, &inputs)
    }

    /// Matrix product of the last two axes, leading axes broadcast as in `torch.matmul`; either side transposed.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where dtypes or sizes do not fit.
    pub fn matmul(&mut self, a: impl Into<Matrix>, b: impl Into<Matrix>) -> Result<TensorId> {
        let (a, b) = (a.into(), b.into());
        let rank = self.rank(a.tensor).max(self.rank(b.tensor));
        let (x, y) = (self.lift(a.tensor, rank)?, self.lift(b.tensor, rank)?);
        self.add(Op::MatrixMultiply { op0: a.operation, op1: b.operation }, &[x, y])
    }

    /// Multiplies one axis with a matrix `[out, in]`: the axis gets `out` elements.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where dtypes or sizes do not fit.
    pub fn contract_axis(&mut self, x: TensorId, axis: usize, matrix: TensorId) -> Result<TensorId> {
        let rank = self.rank(x);
        if axis + 1 == rank && rank > 1 {
            return self.matmul(x, Matrix::transposed(matrix));
        }
        if axis + 2 == rank {
            return self.matmul(matrix, x);
        }
        // The axes behind this one are joined, so that it is the last but one.
        let mut dims = self.dims(x);
        let behind = Dim::product(&dims[axis + 1..]);
        let joined = self.reshape(x, &[&dims[..=axis], &[behind]].concat())?;
        let product = self.matmul(matrix, joined)?;
        dims[axis] = self.dims(matrix)[0].clone();
        self.reshape(product, &dims)
    }

    /// Softmax over one axis.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where x is not a float tensor.
    pub fn softmax(&mut self, x: TensorId, axis: usize) -> Result<TensorId> {
        self.add(Op::SoftMax { axis }, &[x])
    }

    /// Whether a bool, as a number of this dtype: 1 or 0.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where TensorRT refuses the cast.
    pub fn number(&mut self, x: TensorId, dtype: DType) -> Result<TensorId> {
        self.cast(x, dtype)
    }

    /// Gives both tensors the larger rank, with axes of size 1 in front.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where the rank is more than TensorRT takes.
    pub fn align(&mut self, a: TensorId, b: TensorId) -> Result<(TensorId, TensorId)> {
        let rank = self.rank(a).max(self.rank(b));
        Ok((self.lift(a, rank)?, self.lift(b, rank)?))
    }

    /// Adds axes of size 1 in front until the tensor has this rank.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where the rank is more than TensorRT takes.
    pub fn lift(&mut self, x: TensorId, rank: usize) -> Result<TensorId> {
        let missing = rank.saturating_sub(self.rank(x));
        if missing == 0 {
            return Ok(x);
        }
        // A constant is lifted where it stands: backends fuse scalars and biases they can see.
        if let Some(weights) = self.weights(x) {
            let dims = [vec![1; missing], weights.dims.clone()].concat();
            if let Some(weights) = weights.reshaped(&dims) {
                return self.constant(weights);
            }
        }
        let ones = vec![Dim::Static(1); missing];
        let dims = [ones, self.dims(x)].concat();
        self.reshape(x, &dims)
    }

    /// x times a number, unless that is 1.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where x has no product.
    pub(crate) fn times(&mut self, x: TensorId, factor: f64) -> Result<TensorId> {
        if factor == 1.0 { Ok(x) } else { self.with_scalar(ElementWiseOperation::Prod, x, factor) }
    }

    /// Rounds toward zero: the size rounded down, with the sign. Integers are whole already.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where x cannot be rounded.
    pub(crate) fn truncate(&mut self, x: TensorId) -> Result<TensorId> {
        if !self.dtype(x).is_float() {
            return Ok(x);
        }
        let size = self.unary(UnaryOperation::Abs, x)?;
        let whole = self.unary(UnaryOperation::Floor, size)?;
        let sign = self.unary(UnaryOperation::Sign, x)?;
        self.prod(whole, sign)
    }
}
