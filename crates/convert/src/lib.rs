//! Program to Network: one converter an operator overload, one file an operator family.
//!
//! A converter is a free function `fn(&mut Builder, &Call) -> Result<Outputs>`: it reads typed arguments from
//! the [`Call`] and adds layers through the [`Builder`]. [`ops::table`] lists them all, one line each. The crate
//! does no I/O, holds no state between conversions and does not know which TensorRT will be used: given the
//! same program it makes the same network.
#![forbid(unsafe_code)]

mod builder;
mod call;
mod error;
mod foreign;
pub mod ops;
mod wrap;

pub use builder::{Builder, Matrix, Ranked};
pub use call::{Call, Scalar};
pub use error::{Error, Missing};
pub use foreign::Foreign;
pub use ops::{Converter, Operator, Outputs};

use dims::{Dim, Dims};
use network::{DType, Network, Origin, ProgramValue, TensorId, Weights};
use program::{Argument, Program, ScalarType, Value, ValueId};
use std::collections::HashSet;
use std::sync::Arc;

/// Result of a converter.
pub type Result<T> = std::result::Result<T, Error>;

/// What the caller decides about a conversion.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of the inputs, in order; the program's own where shorter.
    pub input_names: Vec<String>,
    /// Names of the outputs, in order; `output_0` … where shorter.
    pub output_names: Vec<String>,
}

/// The type in which values of a PyTorch dtype travel through the network.
///
/// float64 is computed in float32, and so is float8 (E4M3), rounded after each operator; the small integer types are
/// computed in int32, wrapped around after each operator that may leave their range. A complex number is two float32.
/// `None`: TensorRT has nothing for it.
pub fn compute_dtype(dtype: ScalarType) -> Option<DType> {
    Some(match dtype {
        ScalarType::Float32 | ScalarType::Float64 | ScalarType::Float8E4M3 => DType::Float32,
        ScalarType::Float16 => DType::Float16,
        ScalarType::BFloat16 => DType::BFloat16,
        ScalarType::Int64 => DType::Int64,
        ScalarType::Int32 | ScalarType::Int16 | ScalarType::Int8 | ScalarType::UInt8 => DType::Int32,
        ScalarType::Bool => DType::Bool,
        ScalarType::Complex64 | ScalarType::Complex128 => DType::Float32,
        _ => return None,
    })
}

/// The sizes in which a value travels: a complex number is a pair of floats, on an axis of its own at the end.
fn compute_dims(value: &Value) -> Dims {
    let mut dims = value.dims.clone();
    if value.dtype.is_complex() {
        dims.push(Dim::Static(2));
    }
    dims
}

/// The type that an engine takes or gives for a PyTorch dtype; `None` where no engine input has it. Whoever calls the
/// engine casts what has another type in the model (float64, int16, int8) and views complex numbers as pairs.
fn interface(dtype: ScalarType) -> Option<DType> {
    if dtype == ScalarType::UInt8 { Some(DType::UInt8) } else { compute_dtype(dtype) }
}

/// Converts a program; `foreign` converts the calls that it claims, before any converter of this crate.
///
/// # Errors
/// [`Error::NoConverter`] lists every operator that has none; everything else names the node it is about.
pub fn convert(program: &Program, options: &Options, foreign: Option<&dyn Foreign>) -> Result<Network> {
    let converters = resolve(program, foreign)?;
    let mut driver = Driver { program, builder: Builder::new(), tensors: vec![None; program.values().len()] };
    driver.inputs(options)?;
    driver.weights()?;
    for (index, (node, converter)) in program.nodes().iter().zip(converters).enumerate() {
        driver.node(index, node, converter).map_err(|e| e.at(index, node))?;
    }
    driver.outputs(options)?;
    Ok(driver.builder.finish())
}

/// Who converts a node.
#[derive(Clone, Copy)]
enum By<'f> {
    /// A converter of this crate.
    Us(Converter),
    /// Somebody else.
    Foreign(&'f dyn Foreign),
}

/// Whether a call takes or makes complex numbers.
fn is_complex(program: &Program, node: &program::Node) -> bool {
    let inputs = node.arguments.values().flat_map(Argument::values);
    let outputs = node.outputs.iter().flatten().copied();
    inputs.chain(outputs).any(|id| program.value(id).dtype.is_complex())
}

/// This crate's converter of a node.
fn converter(program: &Program, node: &program::Node) -> Option<Converter> {
    ops::find(&node.target, is_complex(program, node))
}

/// The converter of every node, or all operators that lack one.
fn resolve<'f>(program: &Program, foreign: Option<&'f dyn Foreign>) -> Result<Vec<By<'f>>> {
    let mut missing: Vec<Missing> = Vec::new();
    let mut found = Vec::with_capacity(program.nodes().len());
    for (index, node) in program.nodes().iter().enumerate() {
        if let Some(foreign) = foreign.filter(|foreign| foreign.converts(&node.target)) {
            found.push(By::Foreign(foreign));
            continue;
        }
        let Some(converter) = converter(program, node) else {
            // One for real numbers is there: the name alone would mislead.
            let (target, complex) = (node.target.clone(), ops::find(&node.target, false).is_some());
            match missing.iter_mut().find(|m| m.target == target) {
                Some(m) => {
                    m.nodes.push(index);
                    m.sources.push(node.source.clone());
                }
                None => {
                    missing.push(Missing { target, complex, nodes: vec![index], sources: vec![node.source.clone()] });
                }
            }
            continue;
        };
        found.push(By::Us(converter));
    }
    if missing.is_empty() {
        return Ok(found);
    }
    Err(Error::NoConverter { missing, nodes: program.nodes().len() })
}

struct Driver<'p> {
    program: &'p Program,
    builder: Builder,
    /// The network's tensor for each of the program's values.
    tensors: Vec<Option<TensorId>>,
}

impl Driver<'_> {
    fn set(&mut self, id: ValueId, tensor: TensorId) {
        self.tensors[id.0 as usize] = Some(tensor);
    }

    fn inputs(&mut self, options: &Options) -> Result<()> {
        for (name, symbol) in self.program.symbols() {
            self.builder.add_symbol(name, symbol);
        }
        for (k, id) in self.program.inputs().iter().enumerate() {
            let value = self.program.value(*id);
            let name = options.input_names.get(k).unwrap_or(&value.name);
            self.builder.set_origin(Origin { operator: format!("input {name}"), ..Origin::default() });
            let dtype = interface(value.dtype)
                .ok_or_else(|| Error::InputDtype { name: name.clone(), dtype: value.dtype.to_string() })?;
            let input = self.builder.add_input(name, dtype, compute_dims(value));
            let compute_dtype = compute_dtype(value.dtype).unwrap_or(dtype);
            let tensor = self.builder.cast(input, compute_dtype)?;
            self.set(*id, tensor);
        }
        Ok(())
    }

    fn weights(&mut self) -> Result<()> {
        for weight in self.program.weights() {
            let value = self.program.value(weight.value);
            let module = weight.name.rsplit_once('.').map_or("", |(module, _)| module);
            self.builder.set_origin(Origin {
                module: module.to_owned(),
                operator: format!("weight {}", weight.name),
                ..Origin::default()
            });
            // A weight of a type that no engine knows is an error only where it is used.
            if let Some(weights) = load(value, weight) {
                let tensor = self.builder.constant(weights)?;
                self.set(weight.value, tensor);
            }
        }
        Ok(())
    }

    fn node(&mut self, index: usize, node: &program::Node, converter: By<'_>) -> Result<()> {
        let call = Call::new(node, self.program, &self.tensors);
        let operator = match converter {
            By::Us(_) => node.target.clone(),
            By::Foreign(foreign) => foreign.operator(&call),
        };
        self.builder.set_origin(Origin {
            module: node.source.module.clone(),
            operator,
            position: node.source.position(),
            node: Some(index),
        });
        for id in node.outputs.iter().flatten() {
            self.builder.make_sizes(&self.program.value(*id).dims)?;
        }
        let outputs = match converter {
            By::Us(converter) => converter(&mut self.builder, &call)?,
            By::Foreign(foreign) => foreign.convert(&mut self.builder, &call)?,
        };
        for (output, (value, tensor)) in node.outputs.iter().zip(outputs.into_vec()).enumerate() {
            if let (Some(id), Some(tensor)) = (value, tensor) {
                self.check(*id, tensor)?;
                let dtype = self.program.value(*id).dtype;
                let tensor = wrap::wrapped(&mut self.builder, node, dtype, tensor)?;
                self.builder.set_value(ProgramValue { node: index, output }, tensor);
                self.set(*id, tensor);
            }
        }
        Ok(())
    }

    /// A converter that gets dtype or sizes wrong is found here, at its own node, not three layers later.
    fn check(&self, id: ValueId, tensor: TensorId) -> Result<()> {
        let (value, made) = (self.program.value(id), self.builder.tensor(tensor));
        let wanted = compute_dims(value);
        let sizes = made.dims.len() == wanted.len()
            && made.dims.iter().zip(&wanted).all(|(a, b)| !(a.is_static() && b.is_static()) || a == b);
        if sizes && compute_dtype(value.dtype) == Some(made.dtype) {
            return Ok(());
        }
        let problem = format!(
            "PyTorch has {}{}, the converter made {}",
            value.dtype,
            dims::format_dims(&value.dims),
            made.type_text()
        );
        Err(Error::Converter { problem })
    }

    fn outputs(&mut self, options: &Options) -> Result<()> {
        let mut names = options.output_names.iter().cloned();
        for k in computed_outputs(self.program) {
            let name = names.next().unwrap_or_else(|| format!("output_{k}"));
            match &self.program.outputs()[k] {
                Argument::Value(id) => self.output(*id, &name)?,
                Argument::Int(size) => {
                    self.builder.set_origin(Origin { operator: format!("output {name}"), ..Origin::default() });
                    let tensor = self.builder.size_scalar(size)?;
                    let tensor = self.builder.distinct_output(tensor)?;
                    self.builder.add_output(&name, tensor);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn output(&mut self, id: ValueId, name: &str) -> Result<()> {
        let value = self.program.value(id);
        self.builder.set_origin(Origin { operator: format!("output {name}"), ..Origin::default() });
        let tensor = self.tensors[id.0 as usize]
            .ok_or_else(|| Error::OutputDtype { name: name.to_owned(), dtype: value.dtype.to_string() })?;
        let dtype = interface(value.dtype).unwrap_or(self.builder.tensor(tensor).dtype);
        let tensor = self.builder.cast(tensor, dtype)?;
        let tensor = self.builder.distinct_output(tensor)?;
        self.builder.add_output(name, tensor);
        Ok(())
    }
}

/// The outputs of a program that an engine computes, by index: tensors, and sizes that depend on those of the inputs.
/// An engine has an output: where all are constants, the first size stands for them. Constants that a model returns
/// stay with whoever has the structure of its outputs.
pub fn computed_outputs(program: &Program) -> Vec<usize> {
    let is_computed = |output: &Argument| match output {
        Argument::Value(_) => true,
        Argument::Int(size) => !size.is_static(),
        _ => false,
    };
    let outputs = program.outputs();
    let computed: Vec<usize> = (0..outputs.len()).filter(|k| is_computed(&outputs[*k])).collect();
    let alone = || outputs.iter().position(|output| matches!(output, Argument::Int(_))).into_iter().collect();
    if computed.is_empty() { alone() } else { computed }
}

/// The constant for a weight: the same bytes, or converted ones where its type travels as another.
fn load(value: &Value, weight: &program::Weight) -> Option<Weights> {
    let sizes: Vec<i64> = compute_dims(value).iter().map(Dim::as_static).collect::<Option<_>>()?;
    let dtype = compute_dtype(value.dtype)?;
    if dtype.size() == value.dtype.size() || value.dtype == ScalarType::Complex64 {
        return Weights::new(dtype, sizes, weight.data.clone());
    }
    let bytes = weight.data.as_ref();
    Some(match value.dtype {
        ScalarType::Float64 | ScalarType::Complex128 => {
            let chunks = bytes.as_chunks::<8>().0.iter();
            Weights::from_f64(dtype, &sizes, chunks.map(|b| f64::from_le_bytes(*b)))
        }
        ScalarType::Int16 => {
            let chunks = bytes.as_chunks::<2>().0.iter();
            Weights::from_i64(dtype, &sizes, chunks.map(|b| i64::from(i16::from_le_bytes(*b))))
        }
        ScalarType::Float8E4M3 => {
            let codes = Weights::new(DType::Float8E4M3, sizes.clone(), weight.data.clone())?;
            Weights::from_f64(dtype, &sizes, codes.to_f64())
        }
        ScalarType::Int8 => Weights::from_i64(dtype, &sizes, bytes.iter().map(|b| i64::from(b.cast_signed()))),
        _ => Weights::from_i64(dtype, &sizes, bytes.iter().map(|b| i64::from(*b))),
    })
}

/// An operator that occurs in a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The overload.
    pub target: String,
    /// How often it is called.
    pub calls: usize,
    /// Whether every call converts.
    pub converts: bool,
}

/// Every operator that occurs in the program, most frequent first.
pub fn coverage(program: &Program, foreign: Option<&dyn Foreign>) -> Vec<Coverage> {
    let lacking = program.nodes().iter().filter(|node| converter(program, node).is_none());
    let lacking: HashSet<&str> = lacking.map(|node| node.target.as_str()).collect();
    let converts = |target: &str| !lacking.contains(target) || foreign.is_some_and(|f| f.converts(target));
    let entry =
        |(target, calls): (&str, usize)| Coverage { target: target.to_owned(), calls, converts: converts(target) };
    program.operator_counts().into_iter().map(entry).collect()
}

/// Shared handle for origins.
pub(crate) type SharedOrigin = Arc<Origin>;
