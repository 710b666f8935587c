//! An engine against a reference, output by output: the measure, the tolerances, and the comparison.
//!
//! The measure is max |expected - got| / max |expected|, so that it does not depend on the scale of an output. Integers
//! and truth values must be equal. Where the expected outputs come from is the caller's: PyTorch's model, the CPU
//! engine in float32, a file. This file must not know how engines are made.

use crate::{Code, Error, Executable, Options, Result, pipeline};
use network::Network;
use passes::Half;
use program::ScalarType;
use runtime::{DataType, Tensor, TensorView};

/// What an engine is compared with.
pub trait Reference {
    /// Its name in messages, such as `PyTorch`.
    fn name(&self) -> &str;

    /// The expected outputs for these inputs: tensors in host memory, in the order of the engine's outputs.
    ///
    /// # Errors
    /// Those of the source.
    fn outputs(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>>;
}

/// The CPU engine of a network in the types that the model has, as a reference for one of lower precision.
pub struct Float32(Executable);

impl Float32 {
    /// The reference of a network.
    ///
    /// # Errors
    /// Those of [`cpu_engine`](crate::cpu_engine).
    pub fn new(network: &Network, options: &Options) -> Result<Self> {
        pipeline::cpu_engine(network, options).map(Self)
    }
}

impl Reference for Float32 {
    fn name(&self) -> &'static str {
        "the CPU engine in float32"
    }

    fn outputs(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let views: Vec<TensorView<'_>> = inputs.iter().map(Tensor::view).collect();
        self.0.call(&views)
    }
}

/// The precision of an engine, which decides what counts as rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tolerance {
    /// The half-precision type of mixed precision, where layers compute in it.
    pub half: Option<Half>,
    /// Whether layers read int8 or float8, because of the options or as the model does.
    pub quantized: bool,
    /// Whether it runs on a GPU, where float32 matrix multiplications and convolutions may use TF32.
    pub on_gpu: bool,
}

/// The largest difference that counts as rounding, in float32 and float64.
const FLOAT32: f64 = 1e-3;
/// The same where matrix multiplications and convolutions may use TF32, which has ten bits.
const TF32: f64 = 1e-2;
/// The same in float16.
const FLOAT16: f64 = 5e-2;
/// The same in bfloat16.
const BFLOAT16: f64 = 1e-1;
/// The same in int8 and float8, whose rounding depends on the model and on the calibration samples.
const QUANTIZED: f64 = 2e-1;

impl Tolerance {
    /// The largest difference that counts as rounding for an output of type `dtype`, which the model itself computes in
    /// the types `computed_in`.
    pub fn of(self, dtype: DataType, computed_in: &[ScalarType]) -> f64 {
        let own = match dtype {
            DataType::Float32 | DataType::Float64 if self.on_gpu => TF32,
            DataType::Float32 | DataType::Float64 => FLOAT32,
            DataType::Float16 => FLOAT16,
            DataType::BFloat16 => BFLOAT16,
            _ => return 0.0,
        };
        let mixed = match self.half {
            Some(Half::BFloat16) => BFLOAT16,
            Some(Half::Float16) => FLOAT16,
            None => 0.0,
        };
        let model = computed_in.iter().map(|dtype| match dtype {
            ScalarType::BFloat16 => BFLOAT16,
            ScalarType::Float16 => FLOAT16,
            _ => 0.0,
        });
        let quantized = if self.quantized { QUANTIZED } else { 0.0 };
        model.fold(own.max(mixed).max(quantized), f64::max)
    }

    /// Compares one output.
    pub fn compare(self, expected: &TensorView<'_>, got: &TensorView<'_>, computed_in: &[ScalarType]) -> Comparison {
        let allowed = self.of(expected.dtype(), computed_in);
        Comparison { difference: difference(expected, got), allowed, tolerance: self }
    }
}

/// An output compared with the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// max |expected - got| / max |expected|; infinite where sizes, NaNs or infinities differ.
    pub difference: f64,
    /// The largest difference that counts as rounding.
    pub allowed: f64,
    tolerance: Tolerance,
}

impl Comparison {
    /// Whether the precision explains the difference.
    pub fn is_rounding(&self) -> bool {
        self.difference <= self.allowed
    }

    /// The error for a difference that the precision does not explain. `place` is where it was found, such as
    /// ` at min shapes`.
    pub fn error(&self, output: &str, reference: &str, place: &str) -> Error {
        let (difference, allowed) = (self.difference, self.allowed);
        let message = format!(
            "output `{output}` differs from {reference}: relative error {difference:.1e}{place}, {allowed:.0e} is \
             allowed"
        );
        Error::new(Code::Accuracy, message).with_help(match self.tolerance {
            Tolerance { quantized: true, .. } => {
                "give `calibration` more and more typical samples, keep the modules that need it in float32 \
                 (keep_fp32), or pass verify=False and measure the accuracy of the task"
            }
            Tolerance { half: Some(_), .. } => {
                "keep the modules that need it in float32 (keep_fp32), leave out half precision, or pass verify=False \
                 and measure the accuracy of the task"
            }
            _ => "this is a bug in torch2trt: please report it, or pass verify=False to skip the comparison",
        })
    }
}

/// Runs an engine on inputs and compares its outputs with the reference: name and difference of each. `computed_in` has
/// the half-precision types in which the model itself computes each output.
///
/// # Errors
/// E0702 for a difference that the precision does not explain; those of the engine and of the reference.
pub fn verify(
    engine: &Executable,
    inputs: &[Tensor],
    reference: &mut dyn Reference,
    tolerance: Tolerance,
    computed_in: &[Vec<ScalarType>],
) -> Result<Vec<(String, f64)>> {
    let views: Vec<TensorView<'_>> = inputs.iter().map(Tensor::view).collect();
    let got = engine.call(&views)?;
    let expected = reference.outputs(inputs)?;
    let outputs = engine.artifact.declared.outputs.iter().zip(expected.iter().zip(&got)).enumerate();
    outputs
        .map(|(index, (output, (expected, got)))| {
            let types = computed_in.get(index).map_or(&[][..], Vec::as_slice);
            let found = tolerance.compare(&expected.view(), &got.view(), types);
            if found.is_rounding() {
                Ok((output.name.clone(), found.difference))
            } else {
                Err(found.error(&output.name, reference.name(), ""))
            }
        })
        .collect()
}

/// Elements that are decoded at a time.
const BLOCK: usize = 1 << 14;

/// max |expected - got| / max |expected|; infinite where sizes, NaNs or infinities differ, or where a tensor is not in
/// host memory.
pub fn difference(expected: &TensorView<'_>, got: &TensorView<'_>) -> f64 {
    if expected.dims() != got.dims() {
        return f64::INFINITY;
    }
    // As float64, two int64 can be equal that are not.
    let is_exact = expected.dtype() == got.dtype() && !expected.dtype().is_float();
    if is_exact && expected.bytes() == got.bytes() {
        return 0.0;
    }
    let count = expected.byte_len() / expected.dtype().size();
    let (mut largest, mut scale) = (0.0, 0.0);
    for start in (0..count).step_by(BLOCK) {
        let range = start..count.min(start + BLOCK);
        let (Some(wanted), Some(found)) = (expected.numbers(range.clone()), got.numbers(range)) else {
            return f64::INFINITY;
        };
        for (a, b) in wanted.into_iter().zip(found) {
            if a.is_finite() && b.is_finite() {
                largest = f64::max(largest, (a - b).abs());
                scale = f64::max(scale, a.abs());
            } else if a != b && !(a.is_nan() && b.is_nan()) {
                return f64::INFINITY;
            }
        }
    }
    let found = if scale == 0.0 { largest } else { largest / scale };
    if is_exact { found.max(f64::MIN_POSITIVE) } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: &[f32]) -> Tensor {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        Tensor::from_bytes(DataType::Float32, &[values.len() as i64], &bytes).unwrap()
    }

    fn integers(values: &[i64]) -> Tensor {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        Tensor::from_bytes(DataType::Int64, &[values.len() as i64], &bytes).unwrap()
    }

    #[test]
    fn differences_are_relative_to_the_largest_value() {
        let off = |a: &[f32], b: &[f32]| difference(&tensor(a).view(), &tensor(b).view());
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
        let mut many = vec![0.5; 3 * BLOCK + 1];
        many[BLOCK + 7] = 2.0;
        let mut other = many.clone();
        other[3 * BLOCK] = 0.0;
        assert_eq!(off(&many, &other), 0.25);
    }

    #[test]
    fn integers_are_equal_or_differ() {
        let off = |a: &[i64], b: &[i64]| difference(&integers(a).view(), &integers(b).view());
        assert_eq!(off(&[1 << 60, 3], &[1 << 60, 3]), 0.0);
        assert!(off(&[1 << 60], &[(1 << 60) + 1]) > 0.0, "equal as float64");
        assert_eq!(off(&[4], &[3]), 0.25);
    }

    #[test]
    fn tolerances_depend_on_the_types() {
        let plain = Tolerance::default();
        let float32 = |tolerance: Tolerance, computed_in: &[ScalarType]| tolerance.of(DataType::Float32, computed_in);
        assert_eq!(float32(plain, &[]), 1e-3);
        assert_eq!(float32(plain, &[ScalarType::Float16]), 5e-2);
        assert_eq!(float32(plain, &[ScalarType::Float16, ScalarType::BFloat16]), 1e-1);
        assert_eq!(float32(Tolerance { on_gpu: true, ..plain }, &[]), 1e-2);
        assert_eq!(float32(Tolerance { half: Some(Half::Float16), ..plain }, &[]), 5e-2);
        assert_eq!(float32(Tolerance { half: Some(Half::BFloat16), ..plain }, &[ScalarType::Float16]), 1e-1);
        assert_eq!(float32(Tolerance { quantized: true, ..plain }, &[]), 2e-1);
        assert_eq!(plain.of(DataType::BFloat16, &[]), 1e-1);
        let all = Tolerance { half: Some(Half::BFloat16), quantized: true, on_gpu: true };
        for dtype in [DataType::Int64, DataType::Int32, DataType::UInt8, DataType::Bool] {
            assert_eq!(all.of(dtype, &[ScalarType::BFloat16]), 0.0);
        }
    }

    #[test]
    fn a_difference_beyond_rounding_names_output_reference_and_place() {
        let compared = Tolerance::default().compare(&tensor(&[1.0]).view(), &tensor(&[1.1]).view(), &[]);
        assert!(!compared.is_rounding());
        let error = compared.error("y", "PyTorch", " at min shapes");
        assert_eq!(error.code(), Code::Accuracy);
        let expected = "output `y` differs from PyTorch: relative error 1.0e-1 at min shapes, 1e-3 is allowed";
        assert_eq!(error.message(), expected);
        let half = Tolerance { half: Some(Half::Float16), ..Tolerance::default() };
        let help = half.compare(&tensor(&[1.0]).view(), &tensor(&[9.0]).view(), &[]).error("y", "", "");
        assert!(help.help().unwrap().contains("keep_fp32"));
        assert!(half.compare(&tensor(&[1.0]).view(), &tensor(&[1.01]).view(), &[]).is_rounding());
    }
}
