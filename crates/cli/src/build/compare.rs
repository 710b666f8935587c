//! An engine against the CPU engine in float32, output by output.
//!
//! The measure is the largest difference relative to the largest magnitude, so that it does not depend on the scale of
//! an output. Integers and truth values must be equal. It is what `python/torch2trt/verify.py` does against PyTorch.

use crate::{Failure, Screen, tensors};
use runtime::{DataType, EngineSpec, Tensor};
use std::collections::BTreeMap;
use torch2trt::{Code, Error, Half};

/// What decides which difference is rounding.
#[derive(Clone, Copy)]
pub(super) struct Allowed {
    /// The type that was asked for.
    pub(super) half: Option<Half>,
    /// Whether layers read int8.
    pub(super) int8: bool,
    /// Whether the model itself computes in half precision.
    pub(super) rounds: bool,
    /// Whether products may drop to TF32's ten bits.
    pub(super) on_gpu: bool,
}

impl Allowed {
    fn of(self, dtype: DataType) -> f64 {
        let half = match (self.half, dtype) {
            (Some(Half::BFloat16), _) | (_, DataType::BFloat16) => 1e-1,
            (Some(Half::Float16), _) | (_, DataType::Float16) => 5e-2,
            _ if self.rounds => 1e-1,
            _ => 0.0,
        };
        match dtype {
            DataType::Float32 | DataType::Float64 | DataType::Float16 | DataType::BFloat16 => {
                let int8 = if self.int8 { 2e-1 } else { 0.0 };
                f64::max(half, if self.on_gpu { 1e-2 } else { 1e-3 }).max(int8)
            }
            _ => 0.0,
        }
    }
}

/// The difference of each output, by name, which is also shown.
///
/// # Errors
/// E0702 for one that is more than rounding.
pub(super) fn differences(
    spec: &EngineSpec,
    expected: &[Tensor],
    got: &[Tensor],
    allowed: Allowed,
    screen: &mut Screen<'_>,
) -> Result<BTreeMap<String, f64>, Failure> {
    let mut found = BTreeMap::new();
    for (io, (expected, got)) in spec.outputs.iter().zip(expected.iter().zip(got)) {
        let off = difference(expected, got);
        screen.line(format!("{}: off by {off:.1e} of its largest value in float32 on the CPU engine", io.name))?;
        let most = allowed.of(io.dtype);
        if off > most {
            let message = format!(
                "output `{}` differs from the CPU engine's in float32 by {off:.1e} of its largest value, {most:.0e} is allowed",
                io.name
            );
            let help = match allowed.half {
                _ if allowed.int8 => {
                    "give --calibration more and more typical samples, or keep the modules that need it in float32 with \
                     --keep-fp32"
                }
                Some(_) => "keep the modules that need it in float32 with --keep-fp32, or leave half precision out",
                None => "this is a bug in torch2trt unless the model is random or ill-conditioned: please report it",
            };
            return Err(Error::new(Code::Accuracy, message).with_help(help).into());
        }
        found.insert(format!("{} (float32 on the CPU)", io.name), off);
    }
    Ok(found)
}

/// max |expected - got| / max |expected|; infinite where shapes, or numbers that are not finite, differ.
fn difference(expected: &Tensor, got: &Tensor) -> f64 {
    let (Some(wanted), Some(found)) = (tensors::values(expected), tensors::values(got)) else { return f64::INFINITY };
    if expected.dims() != got.dims() || wanted.len() != found.len() {
        return f64::INFINITY;
    }
    let (mut most, mut scale) = (0.0, 0.0);
    for (a, b) in wanted.iter().zip(&found) {
        if a.is_finite() && b.is_finite() {
            most = f64::max(most, (a - b).abs());
            scale = f64::max(scale, a.abs());
        } else if a != b && !(a.is_nan() && b.is_nan()) {
            return f64::INFINITY;
        }
    }
    if scale == 0.0 { most } else { most / scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: &[f32]) -> Tensor {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        Tensor::from_bytes(DataType::Float32, &[values.len() as i64], &bytes).unwrap()
    }

    #[test]
    fn differences_are_relative_to_the_largest_value() {
        let off = |a: &[f32], b: &[f32]| difference(&tensor(a), &tensor(b));
        assert_eq!(off(&[4.0, -2.0], &[4.0, -1.0]), 0.25);
        assert_eq!(off(&[0.0], &[0.5]), 0.5);
        assert_eq!(off(&[], &[]), 0.0);
        let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0];
        assert_eq!(off(&special, &special), 0.0);
        for (a, b) in
            [(&[1.0f32][..], &[f32::NAN][..]), (&[f32::INFINITY], &[f32::NEG_INFINITY]), (&[1.0], &[1.0, 1.0])]
        {
            assert_eq!(off(a, b), f64::INFINITY);
        }
    }

    #[test]
    fn what_is_rounding_depends_on_the_types() {
        let plain = Allowed { half: None, int8: false, rounds: false, on_gpu: false };
        assert_eq!(plain.of(DataType::Float32), 1e-3);
        assert_eq!(Allowed { on_gpu: true, ..plain }.of(DataType::Float32), 1e-2);
        assert_eq!(Allowed { half: Some(Half::Float16), ..plain }.of(DataType::Float32), 5e-2);
        assert_eq!(Allowed { half: Some(Half::BFloat16), ..plain }.of(DataType::Float32), 1e-1);
        assert_eq!(Allowed { rounds: true, ..plain }.of(DataType::Float32), 1e-1);
        assert_eq!(Allowed { half: Some(Half::BFloat16), ..plain }.of(DataType::Int64), 0.0);
        assert_eq!(Allowed { int8: true, ..plain }.of(DataType::Float32), 2e-1);
        let spec = EngineSpec {
            outputs: vec![runtime::IoSpec::new("y", DataType::Float32, [1.into()])],
            ..EngineSpec::default()
        };
        let mut out = Vec::new();
        let wrong = differences(&spec, &[tensor(&[1.0])], &[tensor(&[1.1])], plain, &mut Screen(&mut out));
        assert!(matches!(wrong, Err(Failure::Error(error)) if error.code() == Code::Accuracy));
        let right = differences(&spec, &[tensor(&[1.0])], &[tensor(&[1.0])], plain, &mut Screen(&mut out)).unwrap();
        assert_eq!(right.into_iter().collect::<Vec<_>>(), [("y (float32 on the CPU)".to_owned(), 0.0)]);
    }
}
