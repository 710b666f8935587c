//! Non-maximum suppression. ONNX wants the scores by class, then box; has one set of boxes for all classes; and
//! has no limit on the boxes it looks at.

use crate::Result;
use crate::graph::Value;
use crate::proto::DataType;
use crate::scope::Scope;
use network::{BoundingBoxFormat, DType, Dim};

pub(super) fn nms(s: &mut Scope<'_, '_>, format: BoundingBoxFormat, limit: i64, _: &str) -> Result<Vec<Value>> {
    let (boxes, dtype) = (boxes(s)?, s.tensor(0)?.dtype);
    let scores = s.input(1)?;
    let scores = s.op("Transpose", &[scores], &[("perm", vec![0, 2, 1].into())]);
    let boxes = s.cast(boxes, dtype, DType::Float32);
    let mut scores = s.cast(scores, dtype, DType::Float32);
    let most = s.int64(2)?;
    let overlap = threshold(s, 3, 0.0)?;
    let mut least = threshold(s, 4, f64::from(f32::MIN))?;
    let count = s.dims(1)?[1].as_static();
    if limit > 0 && count.is_none_or(|n| n > limit) {
        (scores, least) = limited(s, scores, least, limit, count)?;
    }
    let center = i64::from(format == BoundingBoxFormat::CenterSizes);
    let one = s.ints(&[1]);
    let most = s.op("Reshape", &[most, one], &[]);
    let inputs = [boxes, scores, most, overlap, least];
    let found = s.main("NonMaxSuppression", &inputs, &[("center_point_box", center.into())]);
    let indices = s.cast_to(found, DataType::Int32);
    let rows = s.axes_of(found, 0, 1);
    let axis = s.ints(&[0]);
    let rows = s.op("Squeeze", &[rows, axis], &[]);
    Ok(vec![indices, s.cast_to(rows, DataType::Int32)])
}

/// Boxes `[batch, boxes, 4]`; with an axis of classes, it must be 1.
fn boxes(s: &mut Scope<'_, '_>) -> Result<Value> {
    let (boxes, dims) = (s.input(0)?, s.dims(0)?);
    match dims.as_slice() {
        [_, _, _] => Ok(boxes),
        [_, _, Dim::Static(1), _] => {
            let axis = s.ints(&[2]);
            Ok(s.op("Squeeze", &[boxes, axis], &[]))
        }
        _ => Err(s.unsupported(
            format!("its boxes are {}", network::format_dims(dims)),
            "use one set of boxes [batch, boxes, 4] for all classes, or one class a layer",
        )),
    }
}

fn threshold(s: &mut Scope<'_, '_>, index: usize, default: f64) -> Result<Value> {
    let Some(value) = s.optional(index)? else {
        return Ok(s.weights(&network::Weights::filled(DType::Float32, &[1], default)));
    };
    let (dtype, one) = (s.tensor(index)?.dtype, s.ints(&[1]));
    let value = s.cast(value, dtype, DType::Float32);
    Ok(s.op("Reshape", &[value, one], &[]))
}

/// Scores below the `limit`-th best of their class become too small for the threshold.
fn limited(
    s: &mut Scope<'_, '_>,
    scores: Value,
    least: Value,
    limit: i64,
    count: Option<i64>,
) -> Result<(Value, Value)> {
    let mut k = s.ints(&[limit]);
    if count.is_none() {
        let boxes = s.axes_of(scores, 2, 1);
        k = s.op("Min", &[k, boxes], &[]);
    }
    let best = s.multiple("TopK", &[scores, k], 2, &[("axis", 2i64.into())])[0];
    let axes = s.ints(&[2]);
    let last = s.op("ReduceMin", &[best, axes], &[]);
    let (lowest, floor) =
        (s.scalar(DType::Float32, f64::from(f32::NEG_INFINITY)), s.scalar(DType::Float32, f64::from(f32::MIN)));
    let out = s.op("Less", &[scores, last], &[]);
    let kept = s.op("Where", &[out, lowest, scores], &[]);
    Ok((kept, s.op("Max", &[least, floor], &[])))
}
