//! What half precision does to each kind of layer.

use super::Reason;
use crate::tuning::FEW;
use network::{
    ActivationType as A, ElementWiseOperation as E, FillOperation, InterpolationMode, Layer, Network, Op, PoolingType,
    ReduceOperation as R, TensorId, UnaryOperation as U,
};

/// Where a layer computes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rule {
    /// In half precision: TensorRT accumulates its products in float32.
    Half,
    /// In the type of its operands.
    Follow,
    /// In float32.
    Keep(Reason),
    /// In float32, though its results are not floats: nothing to report.
    Compare,
    /// The elements' type does not matter.
    Any,
}

/// The rule for a layer.
pub(super) fn rule(network: &Network, layer: &Layer) -> Rule {
    match &layer.op {
        Op::Convolution(_) | Op::Deconvolution(_) | Op::MatrixMultiply { .. } | Op::Einsum { .. } => Rule::Half,
        // The state stays float32 inside the loop.
        Op::Recurrent { .. } => Rule::Half,
        Op::Shape | Op::NonZero { .. } | Op::Assertion { .. } => Rule::Any,
        Op::ElementWise { op } => elementwise(*op, layer),
        Op::Unary { op } => unary(*op),
        Op::Reduce { op, axes, .. } => match op {
            R::Max | R::Min => Rule::Follow,
            R::Sum | R::Prod | R::Avg => accumulates(layer.input(0).and_then(|x| elements(network, x, axes))),
        },
        Op::Pooling(p) if p.kind == PoolingType::Max => Rule::Follow,
        Op::Pooling(p) => accumulates(Some(p.window.iter().product())),
        Op::Cumulative { axis, .. } => accumulates(layer.input(0).and_then(|x| elements(network, x, &[*axis]))),
        Op::Lrn { .. } => Rule::Keep(Reason::Squares),
        Op::Resize(r) if r.mode == InterpolationMode::Cubic => Rule::Keep(Reason::Coordinates),
        Op::GridSample { .. } | Op::Nms { .. } => Rule::Keep(Reason::Coordinates),
        Op::Fill { .. } => Rule::Keep(Reason::Generates),
        Op::Plugin(_) => Rule::Keep(Reason::Plugin),
        Op::Quantize { .. } | Op::Dequantize { .. } | Op::DynamicQuantize { .. } => Rule::Keep(Reason::Quantized),
        Op::Activation { .. }
        | Op::Cast { .. }
        | Op::Concatenation { .. }
        | Op::Constant(_)
        | Op::Gather { .. }
        | Op::Identity
        | Op::Normalization { .. }
        | Op::OneHot { .. }
        | Op::Padding { .. }
        | Op::ParametricRelu
        | Op::RaggedSoftMax
        | Op::Resize(_)
        | Op::ReverseSequence { .. }
        | Op::Scale { .. }
        | Op::Scatter { .. }
        | Op::Select
        | Op::Shuffle { .. }
        | Op::Slice { .. }
        | Op::SoftMax { .. }
        | Op::Squeeze { .. }
        | Op::TopK { .. }
        | Op::Unsqueeze { .. } => Rule::Follow,
    }
}

fn elementwise(op: E, layer: &Layer) -> Rule {
    match op {
        E::Pow => Rule::Keep(Reason::Steep("Pow")),
        E::FloorDiv => Rule::Keep(Reason::Steep("FloorDiv")),
        E::Equal | E::Greater | E::Less => Rule::Compare,
        E::Prod if layer.input(0) == layer.input(1) => Rule::Keep(Reason::Squares),
        E::Sum | E::Prod | E::Max | E::Min | E::Sub | E::Div | E::And | E::Or | E::Xor => Rule::Follow,
    }
}

fn unary(op: U) -> Rule {
    let steep = |name| Rule::Keep(Reason::Steep(name));
    match op {
        U::Exp => steep("Exp"),
        U::Log => steep("Log"),
        U::Recip => steep("Recip"),
        U::Tan => steep("Tan"),
        U::Sinh => steep("Sinh"),
        U::Cosh => steep("Cosh"),
        U::Asin => steep("Asin"),
        U::Acos => steep("Acos"),
        U::Asinh => steep("Asinh"),
        U::Acosh => steep("Acosh"),
        U::Atanh => steep("Atanh"),
        U::Isinf | U::Isnan => Rule::Compare,
        U::Abs
        | U::Atan
        | U::Ceil
        | U::Cos
        | U::Erf
        | U::Floor
        | U::Neg
        | U::Not
        | U::Round
        | U::Sign
        | U::Sin
        | U::Sqrt => Rule::Follow,
    }
}

fn accumulates(count: Option<i64>) -> Rule {
    match count {
        Some(..=FEW) => Rule::Follow,
        _ => Rule::Keep(Reason::Accumulates(count)),
    }
}

/// Number of elements along some axes, where it is known.
fn elements(network: &Network, x: TensorId, axes: &[usize]) -> Option<i64> {
    let dims = &network.tensor(x).dims;
    axes.iter().try_fold(1i64, |n, axis| n.checked_mul(dims.get(*axis)?.as_static()?))
}

/// Whether the results stay small however large the operands are.
pub(super) fn is_bounded(op: &Op) -> bool {
    match op {
        Op::SoftMax { .. } | Op::RaggedSoftMax | Op::Normalization { .. } => true,
        Op::Activation { kind, .. } => matches!(kind, A::Sigmoid | A::Tanh | A::HardSigmoid | A::Softsign),
        Op::Unary { op } => matches!(op, U::Sin | U::Cos | U::Erf | U::Sign | U::Atan),
        _ => false,
    }
}

/// Whether the results can be larger than the operands and what was observed of them.
pub(super) fn enlarges(op: &Op) -> bool {
    match op {
        Op::Normalization { .. } => true,
        Op::Activation { .. }
        | Op::Convolution(_)
        | Op::Cumulative { .. }
        | Op::Deconvolution(_)
        | Op::Einsum { .. }
        | Op::ElementWise { .. }
        | Op::Fill { .. }
        | Op::MatrixMultiply { .. }
        | Op::ParametricRelu
        | Op::Reduce { .. }
        | Op::Scale { .. }
        | Op::Unary { .. } => !is_bounded(op),
        Op::Assertion { .. }
        | Op::Cast { .. }
        | Op::Concatenation { .. }
        | Op::Constant(_)
        | Op::Dequantize { .. }
        | Op::DynamicQuantize { .. }
        | Op::Gather { .. }
        | Op::GridSample { .. }
        | Op::Identity
        | Op::Lrn { .. }
        | Op::Nms { .. }
        | Op::NonZero { .. }
        | Op::OneHot { .. }
        | Op::Padding { .. }
        | Op::Plugin(_)
        | Op::Pooling(_)
        | Op::Quantize { .. }
        | Op::RaggedSoftMax
        | Op::Recurrent { .. }
        | Op::Resize(_)
        | Op::ReverseSequence { .. }
        | Op::Scatter { .. }
        | Op::Select
        | Op::Shape
        | Op::Shuffle { .. }
        | Op::Slice { .. }
        | Op::SoftMax { .. }
        | Op::Squeeze { .. }
        | Op::TopK { .. }
        | Op::Unsqueeze { .. } => false,
    }
}

/// Whether the results are lost in half precision: ramps count beyond its exact integers, and what was quantized is
/// for layers that compute with it as it is.
pub(super) fn is_delicate(op: &Op) -> bool {
    matches!(op, Op::Dequantize { .. } | Op::Fill { op: FillOperation::Linspace, .. })
}

/// Whether a constant is added to sums of products, as the bias of a linear layer or convolution is. What rounding
/// takes from its small numbers is less than what it takes from the sums: at most half of the smallest number of the
/// type. A single number is none: it may be an epsilon that keeps a division from zero.
pub(super) fn is_bias(network: &Network, layer: &Layer, constant: TensorId) -> bool {
    match layer.op {
        Op::Convolution(_) | Op::Deconvolution(_) => layer.input(2) == Some(constant),
        Op::ElementWise { op: E::Sum } if network.constant(constant).is_some_and(|weights| weights.count() > 1) => {
            let made = layer.used().filter(|id| *id != constant).find_map(|id| network.producer(id));
            made.is_some_and(|made| is_contraction(&made.op))
        }
        _ => false,
    }
}

/// Whether the constants among the operands are weights: many, and multiplied.
pub(super) fn is_contraction(op: &Op) -> bool {
    matches!(
        op,
        Op::Convolution(_)
            | Op::Deconvolution(_)
            | Op::MatrixMultiply { .. }
            | Op::Einsum { .. }
            | Op::Recurrent { .. }
    )
}
