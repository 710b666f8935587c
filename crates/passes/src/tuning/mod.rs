//! What makes one version of TensorRT faster or more exact: rewrites and numbers that follow from measurements of it.
//!
//! Most are about TensorRT 8.6, which accumulates FP16 convolutions in FP16 and whose kernels for compute
//! capability 9.0 lack fusions that older ones have. Each file has its measurements.
//!
//! | file | fact |
//! |---|---|
//! | `accumulation.rs` | how long a reduction may be before FP16 accumulation loses accuracy |
//! | `differences.rs` | residual additions that keep a long convolution from the kernels of its GPU |
//! | `recurrences.rs` | unrolled recurrences of batch 1, whose build in TensorRT-RTX takes exponential time |
//!
//! The kernels that a build rejects are chosen in `build` (`kernels.rs`), by the same limits.
//!
//! This module must not know what a user asked for: the passes that use it decide when it applies.

pub(crate) mod accumulation;
mod differences;
mod recurrences;

pub use differences::differences;
pub use recurrences::recurrences;

/// Elements up to which a reduction is exact enough in half precision, whatever the kernel accumulates in. It includes
/// the averages at the end of image classifiers (7 x 7), and excludes the statistics of a normalization.
pub(crate) const FEW: i64 = 256;
