//! What the builder's methods take and return where a tensor alone does not name the parts.

use network::{MatrixOperation, TensorId};

/// An operand of a matrix product: a tensor, as it is or with its last two axes swapped.
#[derive(Clone, Copy, Debug)]
pub struct Matrix {
    /// The tensor.
    pub tensor: TensorId,
    /// How the product reads it.
    pub operation: MatrixOperation,
}

impl Matrix {
    /// The tensor with its last two axes swapped.
    pub fn transposed(tensor: TensorId) -> Self {
        Self { tensor, operation: MatrixOperation::Transpose }
    }

    /// Whether the last two axes are swapped.
    pub fn is_transposed(self) -> bool {
        self.operation == MatrixOperation::Transpose
    }
}

impl From<TensorId> for Matrix {
    fn from(tensor: TensorId) -> Self {
        Self { tensor, operation: MatrixOperation::None }
    }
}

/// Elements in order along an axis, and where each was found.
#[derive(Clone, Copy, Debug)]
pub struct Ranked {
    /// The elements.
    pub values: TensorId,
    /// Their positions along the axis.
    pub positions: TensorId,
}
