//! Tensors of a call: read from and written to safetensors files, made up, and described.

use crate::Failure;
use clap::Args;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use runtime::{DataType, Dim, EngineSpec, IoSpec, Tensor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use torch2trt::{Code, Error};

/// What a call is made with.
#[derive(Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// A safetensors file with a tensor for each input, by its name [default: random ones]
    #[arg(long, value_name = "FILE")]
    pub(crate) inputs: Option<PathBuf>,
    /// Sizes of a random input, such as x=1x3x224x224 [default: from other inputs, or those the engine is best at]
    #[arg(long = "shape", value_name = "NAME=SIZES", value_parser = shape)]
    shapes: Vec<(String, Vec<i64>)>,
    /// Seed of random inputs
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(crate) fn shape(text: &str) -> Result<(String, Vec<i64>), String> {
    let (name, sizes) = text.rsplit_once('=').ok_or("write it as NAME=SIZES, such as x=1x3x224x224")?;
    let size = |size: &str| size.parse::<i64>().ok().filter(|size| *size >= 0);
    let sizes = if sizes.is_empty() { Some(Vec::new()) } else { sizes.split('x').map(size).collect() };
    Ok((name.to_owned(), sizes.ok_or_else(|| format!("`{text}`: sizes are whole numbers with an x between them"))?))
}

impl Arguments {
    /// The arguments as a request to PyTorch.
    pub(crate) fn request(&self) -> serde_json::Value {
        let shapes: BTreeMap<_, _> = self.shapes.iter().cloned().collect();
        serde_json::json!({ "inputs": self.inputs, "shapes": shapes, "seed": self.seed })
    }

    /// The tensors of a call, in the order of the inputs.
    ///
    /// # Errors
    /// E0602 for an input that is nowhere, E0607 for a file that cannot be read.
    pub(crate) fn read(&self, spec: &EngineSpec) -> Result<Vec<Tensor>, Failure> {
        let known = |name: &String| spec.inputs.iter().any(|input| input.name == *name);
        if let Some((name, _)) = self.shapes.iter().find(|(name, _)| !known(name)) {
            return Err(no_input(spec, name).into());
        }
        let file = self.inputs.as_deref().map(|path| from_file(path, spec)).transpose()?;
        if let Some(tensors) = file {
            return Ok(tensors);
        }
        let sizes_of_symbols = sizes_of_symbols(spec, &self.shapes);
        let dims = spec
            .inputs
            .iter()
            .map(|input| self.sizes(spec, input, &sizes_of_symbols))
            .collect::<Result<Vec<_>, _>>()?;
        // Numbers are made for sizes that the engine takes only: others may be of any length.
        spec.output_dims(&dims.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
        let made = spec.inputs.iter().zip(dims).enumerate();
        made.map(|(k, (input, dims))| self.random(k, input, &dims)).collect()
    }

    /// Sizes of a random input.
    fn sizes(
        &self,
        spec: &EngineSpec,
        input: &IoSpec,
        sizes_of_symbols: &BTreeMap<String, i64>,
    ) -> Result<Vec<i64>, Failure> {
        let asked = self.shapes.iter().rev().find(|(name, _)| *name == input.name).map(|(_, sizes)| sizes.clone());
        asked.or_else(|| best(spec, input, sizes_of_symbols)).ok_or_else(|| {
            let message = format!("no sizes are known for input {}", crate::facts::port(input));
            Error::new(Code::BadInputs, message).with_help(format!("give them: --shape {}=1x2x3", input.name)).into()
        })
    }

    /// Numbers between -1 and 1, integers and truth values that are 0 or 1.
    fn random(&self, index: usize, input: &IoSpec, dims: &[i64]) -> Result<Tensor, Failure> {
        // One stream of numbers an input: the sizes of one do not change another.
        let mut random = StdRng::seed_from_u64(self.seed.wrapping_add(index as u64));
        let bytes = dims.iter().try_fold(input.dtype.size(), |all, size| all.checked_mul(usize::try_from(*size).ok()?));
        let mut made = Vec::new();
        let room = bytes.filter(|bytes| made.try_reserve_exact(*bytes).is_ok());
        let Some(bytes) = room else {
            let message = format!("input {} of sizes {dims:?} has no room in memory", input.name);
            return Err(Error::new(Code::BadInputs, message).with_help("give smaller sizes with --shape").into());
        };
        for _ in 0..bytes / input.dtype.size() {
            made.extend(element(&mut random, input.dtype));
        }
        Ok(Tensor::from_bytes(input.dtype, dims, &made)?)
    }
}

fn no_input(spec: &EngineSpec, name: &str) -> Error {
    let names: Vec<&str> = spec.inputs.iter().map(|input| input.name.as_str()).collect();
    let message = format!("the engine has no input `{name}`");
    Error::new(Code::BadInputs, message).with_help(format!("its inputs are {}", names.join(", ")))
}

/// The values of symbols in the sizes that were asked for.
fn sizes_of_symbols(spec: &EngineSpec, asked: &[(String, Vec<i64>)]) -> BTreeMap<String, i64> {
    let dims = asked.iter().filter_map(|(name, sizes)| {
        let input = spec.inputs.iter().find(|input| input.name == *name)?;
        Some(input.dims.iter().zip(sizes))
    });
    let plain = |(dim, size): (&Dim, &i64)| {
        let symbol = dim.symbols().first()?.to_string();
        (*dim == Dim::symbol(&symbol)).then_some((symbol, *size))
    };
    dims.flatten().filter_map(plain).collect()
}

/// The sizes of an input: from the others, otherwise those that the engine was tuned for.
fn best(spec: &EngineSpec, input: &IoSpec, sizes_of_symbols: &BTreeMap<String, i64>) -> Option<Vec<i64>> {
    let profile = spec.profiles.first();
    let axes = profile.and_then(|profile| profile.axes.get(&input.name));
    let tuned = |name: &str| profile?.symbols.get(name).map(|range| range.opt);
    let size = |(axis, dim): (usize, &Dim)| {
        let best = || axes.and_then(|axes| axes.get(axis)).map(|range| range.opt);
        let known = dim.eval(&|name| sizes_of_symbols.get(name).copied()).ok();
        known
            .or_else(best)
            .or_else(|| dim.eval(&|name| sizes_of_symbols.get(name).copied().or_else(|| tuned(name))).ok())
    };
    input.dims.iter().enumerate().map(size).collect()
}

fn element(random: &mut StdRng, dtype: DataType) -> Vec<u8> {
    let value: f64 = random.random_range(-1.0..1.0);
    let one = value > 0.0;
    match dtype {
        DataType::Float32 => (value as f32).to_le_bytes().to_vec(),
        DataType::Float64 => value.to_le_bytes().to_vec(),
        DataType::Float16 => half::f16::from_f64(value).to_le_bytes().to_vec(),
        DataType::BFloat16 => half::bf16::from_f64(value).to_le_bytes().to_vec(),
        DataType::Int64 => i64::from(one).to_le_bytes().to_vec(),
        DataType::Int32 => i32::from(one).to_le_bytes().to_vec(),
        DataType::Int16 => i16::from(one).to_le_bytes().to_vec(),
        DataType::Int8 | DataType::UInt8 | DataType::Bool => vec![u8::from(one)],
        // 1 and 0.
        DataType::Float8E4M3 => vec![if one { 0x38 } else { 0 }],
        DataType::Float8E5M2 => vec![if one { 0x3c } else { 0 }],
    }
}

/// The tensors of a file for the inputs of an engine, in their order.
///
/// # Errors
/// E0607 for a file that cannot be read, E0602 for an input that is not in it.
pub(crate) fn from_file(path: &Path, spec: &EngineSpec) -> torch2trt::Result<Vec<Tensor>> {
    torch2trt::read_tensors(path, &spec.inputs, "input")
}

/// `float32[1, 3]`.
pub(crate) fn kind(tensor: &Tensor) -> String {
    format!("{}{:?}", tensor.dtype(), tensor.dims())
}

/// A tensor in a row: name, type and sizes, and how large its values are.
pub(crate) fn describe(name: &str, tensor: &Tensor) -> Vec<String> {
    let kind = kind(tensor);
    let Some(values) = values(tensor) else { return vec![name.to_owned(), kind] };
    let known: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let nans = match values.len() - known.len() {
        0 => String::new(),
        count => format!("{count} are not a number"),
    };
    let least = known.iter().copied().fold(f64::INFINITY, f64::min);
    let most = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    let about = if known.is_empty() {
        [String::new(), String::new(), String::new()]
    } else {
        [format!("least {least:.6}"), format!("largest {most:.6}"), format!("mean {mean:.6}")]
    };
    [name.to_owned(), kind].into_iter().chain(about).chain([nans]).collect()
}

/// The numbers in a tensor; `None` where it is not in host memory.
pub(crate) fn values(tensor: &Tensor) -> Option<Vec<f64>> {
    tensor.view().numbers(0..tensor.byte_len() / tensor.dtype().size())
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::{Profile, SizeRange};

    /// The types that files have.
    const TYPES: [DataType; 12] = [
        DataType::Float32,
        DataType::Float16,
        DataType::BFloat16,
        DataType::Float64,
        DataType::Int64,
        DataType::Int32,
        DataType::Int16,
        DataType::Int8,
        DataType::UInt8,
        DataType::Bool,
        DataType::Float8E4M3,
        DataType::Float8E5M2,
    ];

    fn spec() -> EngineSpec {
        let range = SizeRange { min: 1, opt: 3, max: 8 };
        let profile = Profile { symbols: [("batch".to_owned(), range)].into(), axes: BTreeMap::new() };
        let inputs = vec![
            IoSpec::new("x", DataType::Float32, [Dim::symbol("batch"), 4.into()]),
            IoSpec::new("ids", DataType::Int64, [Dim::symbol("batch")]),
        ];
        EngineSpec { inputs, outputs: Vec::new(), profiles: vec![profile] }
    }

    fn arguments(inputs: Option<PathBuf>, shapes: &[&str]) -> Arguments {
        Arguments { inputs, shapes: shapes.iter().map(|text| shape(text).unwrap()).collect(), seed: 5 }
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        assert_eq!(shape("x=1x3x224").unwrap(), ("x".into(), vec![1, 3, 224]));
        assert_eq!(shape("a=b=0").unwrap(), ("a=b".into(), vec![0]));
        assert_eq!(shape("scalar=").unwrap(), ("scalar".into(), vec![]));
        for wrong in ["x", "x=1,3", "x=-1x3", "x=1xx2", "x=axb"] {
            assert!(shape(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn random_inputs_have_the_best_sizes_and_depend_on_the_seed_only() {
        let spec = spec();
        let [first, again] = [(); 2].map(|()| arguments(None, &[]).read(&spec).unwrap());
        assert_eq!((first[0].dims(), first[1].dims()), (&[3, 4][..], &[3][..]));
        assert_eq!(first[0].bytes(), again[0].bytes());
        let asked = arguments(None, &["x=7x4"]).read(&spec).unwrap();
        assert_eq!((asked[0].dims(), asked[1].dims()), (&[7, 4][..], &[7][..]), "they share a symbol");
        let start = first[0].bytes().unwrap();
        assert_eq!(&asked[0].bytes().unwrap()[..start.len()], start);
        assert!(values(&first[0]).unwrap().iter().all(|value| value.abs() <= 1.0));
        assert!(values(&first[1]).unwrap().iter().all(|value| [0.0, 1.0].contains(value)));
        for wrong in [&["y=1"][..], &["x=9x4"], &["x=9223372036854775807x4"], &["x=2x4", "ids=3"]] {
            assert!(arguments(None, wrong).read(&spec).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_type_survives_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let inputs: Vec<IoSpec> =
            TYPES.iter().map(|dtype| IoSpec::new(dtype.to_string(), *dtype, [2.into(), 3.into()])).collect();
        let spec = EngineSpec { inputs, ..EngineSpec::default() };
        let made = arguments(None, &[]).read(&spec).unwrap();
        let names: Vec<String> = TYPES.iter().map(ToString::to_string).collect();
        torch2trt::write_tensors(&path, names.iter().map(String::as_str).zip(&made)).unwrap();
        let read = arguments(Some(path.clone()), &[]).read(&spec).unwrap();
        for (made, read) in made.iter().zip(&read) {
            assert_eq!((made.dtype(), made.dims(), made.bytes()), (read.dtype(), read.dims(), read.bytes()));
        }
        let Err(Failure::Error(error)) = arguments(Some(path.clone()), &[]).read(&self::spec()) else { unreachable!() };
        assert!(error.code() == Code::BadInputs && error.message().contains("no tensor `x`"), "{error}");
        std::fs::write(&path, b"not that").unwrap();
        let Err(Failure::Error(error)) = arguments(Some(path), &[]).read(&spec) else { unreachable!() };
        assert_eq!(error.code(), Code::TensorFile);
    }

    #[test]
    fn what_is_no_number_is_counted_apart() {
        let bytes: Vec<u8> = [1f32, f32::NAN, -3.0].iter().flat_map(|v| v.to_ne_bytes()).collect();
        let row = describe("y", &Tensor::from_bytes(DataType::Float32, &[3], &bytes).unwrap());
        assert_eq!(
            row,
            ["y", "float32[3]", "least -3.000000", "largest 1.000000", "mean -1.000000", "1 are not a number"]
        );
        let none = describe("y", &Tensor::from_bytes(DataType::Float32, &[0], &[]).unwrap());
        assert_eq!(none, ["y", "float32[0]", "", "", "", ""]);
    }
}
