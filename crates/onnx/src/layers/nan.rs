//! Guards for values that ONNX Runtime's maxima lose: NaN, and minus infinity in padded windows.
//!
//! A guard reads its input once and computes the exact result under an `If`, only where the sum of all elements is NaN
//! or infinite. It must not know the layers it guards.

use crate::graph::Value;
use crate::proto::DataType;
use crate::scope::Scope;

/// Whether an element may be NaN, from one sum: infinities of both signs give NaN, too.
pub(super) fn suspected(s: &mut Scope<'_, '_>, x: Value) -> Value {
    let sum = s.once("ReduceSum", x, -1, &[("keepdims", false.into())]);
    s.once("IsNaN", sum, -1, &[])
}

/// Whether an element of an image may be NaN or infinite. Means over the image stay in ONNX Runtime's blocked layout.
pub(super) fn suspected_in_image(s: &mut Scope<'_, '_>, x: Value) -> Value {
    if let Some(value) = s.cx.memo.get(&(POOLED, x, 0)) {
        return *value;
    }
    let means = s.once("GlobalAveragePool", x, -1, &[]);
    let sum = s.once("ReduceSum", means, -1, &[("keepdims", false.into())]);
    // Infinity minus itself is NaN.
    let difference = s.op("Sub", &[sum, sum], &[]);
    let value = s.op("IsNaN", &[difference], &[]);
    s.cx.memo.insert((POOLED, x, 0), value);
    value
}

/// Notes that the elements of `y` are elements of an image `x`: what holds for the one holds for the other.
pub(super) fn same_elements(s: &mut Scope<'_, '_>, x: Value, y: Value) {
    let value = suspected_in_image(s, x);
    s.cx.memo.insert((POOLED, y, 0), value);
}

const POOLED: &str = "NaN or infinite";

/// 1 where an element is NaN, 0 elsewhere.
pub(super) fn marks(s: &mut Scope<'_, '_>, x: Value) -> Value {
    let nan = s.op("IsNaN", &[x], &[]);
    cast(s, nan, DataType::Float)
}

/// A cast of its own, for branches.
pub(super) fn cast(s: &mut Scope<'_, '_>, x: Value, to: DataType) -> Value {
    s.op("Cast", &[x], &[("to", i64::from(to as i32).into())])
}
