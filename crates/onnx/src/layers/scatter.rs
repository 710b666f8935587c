//! Scatter, as ONNX's `ScatterElements` and `ScatterND`; the latter's indices are int64.

use crate::Result;
use crate::graph::Value;
use crate::scope::Scope;
use network::ScatterMode;

pub(super) fn scatter(s: &mut Scope<'_, '_>, mode: ScatterMode, axis: usize) -> Result<Value> {
    let (data, updates) = (s.input(0)?, s.input(2)?);
    Ok(match mode {
        ScatterMode::Element => {
            let indices = s.input(1)?;
            s.main("ScatterElements", &[data, indices, updates], &[("axis", axis.into())])
        }
        ScatterMode::Nd => {
            let indices = s.int64(1)?;
            s.main("ScatterND", &[data, indices, updates], &[])
        }
    })
}
