//! Builds a program from what the capture stage walks.

use crate::converter::{Known, UserConverters, key_of};
use crate::error::{OrRaise, bad_option, bad_value};
use crate::network::Network;
use crate::options::read_options;
use crate::tensor::weight_bytes;
use dims::{Dim, Dims};
use indexmap::IndexMap;
use program::{Argument, Node, Source, Symbol, Value, ValueId, WeightKind};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;
use torch2trt::Foreign;

/// Takes a captured program, value by value. Used by `torch2trt.capture`.
#[pyclass(module = "torch2trt._core")]
#[derive(Default)]
pub(crate) struct ProgramBuilder {
    program: program::Program,
}

type OutputArg<'py> = Option<(String, String, Option<Bound<'py, PyAny>>)>;

#[pymethods]
impl ProgramBuilder {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Declares a size symbol and its range.
    #[pyo3(signature = (name, min, max, hint))]
    fn symbol(&mut self, name: &str, min: i64, max: Option<i64>, hint: i64) {
        self.program.add_symbol(name, Symbol { min, max, hint });
    }

    /// Adds the next input; returns its value id.
    fn input(&mut self, py: Python<'_>, name: String, dtype: &str, dims: &Bound<'_, PyAny>) -> PyResult<u32> {
        let value = value(py, name, dtype, dims)?;
        Ok(self.program.add_input(value).0)
    }

    /// Adds a weight by reference; returns its value id. `dtype` is complex where the last axis has the two parts.
    #[pyo3(signature = (name, tensor, kind, dtype = None))]
    fn weight(
        &mut self,
        py: Python<'_>,
        name: String,
        tensor: &Bound<'_, PyAny>,
        kind: &str,
        dtype: Option<String>,
    ) -> PyResult<u32> {
        let kind = match kind {
            "parameter" => WeightKind::Parameter,
            "buffer" => WeightKind::Buffer,
            _ => WeightKind::Constant,
        };
        let is_pair = dtype.is_some();
        let dtype = dtype.map_or_else(|| crate::tensor::dtype_name(tensor), Ok)?;
        let mut value = value(py, name, &dtype, &tensor.getattr("shape")?)?;
        if is_pair {
            value.dims.pop();
        }
        let id = self.program.add_weight(value, kind, weight_bytes(tensor)?).or_raise(py)?;
        Ok(id.0)
    }

    /// Adds a node; returns the value ids of its outputs, None where an output is None.
    #[pyo3(signature = (target, args, outputs, module, file, line, function))]
    #[allow(clippy::too_many_arguments, reason = "the record that capture/program.py replays, field by field")]
    fn node(
        &mut self,
        py: Python<'_>,
        target: String,
        args: Vec<(String, Bound<'_, PyAny>)>,
        outputs: Vec<OutputArg<'_>>,
        module: String,
        file: String,
        line: u32,
        function: String,
    ) -> PyResult<Vec<Option<u32>>> {
        let arguments: IndexMap<String, Argument> =
            args.into_iter().map(|(name, arg)| Ok((name, argument(&arg)?))).collect::<PyResult<_>>()?;
        let source = Source { module, file, line, function };
        let outputs = outputs.into_iter().map(|o| o.map(|o| output(py, &source, o)).transpose());
        let outputs = outputs.collect::<PyResult<_>>()?;
        let node = Node { target, arguments, outputs: Vec::new(), source };
        let ids = self.program.add_node(node, outputs).or_raise(py)?;
        Ok(ids.into_iter().map(|id| id.map(|id| id.0)).collect())
    }

    /// Adds the next output of the model.
    fn output(&mut self, py: Python<'_>, arg: &Bound<'_, PyAny>) -> PyResult<()> {
        self.program.add_output(argument(arg)?).or_raise(py)
    }

    /// The finished program.
    fn finish(&mut self) -> Program {
        Program { program: std::mem::take(&mut self.program) }
    }
}

fn value(py: Python<'_>, name: String, dtype: &str, dims: &Bound<'_, PyAny>) -> PyResult<Value> {
    let dtype = program::ScalarType::from_str(dtype).or_raise(py)?;
    Ok(Value { name, dtype, dims: sizes(dims)? })
}

fn output(
    py: Python<'_>,
    source: &Source,
    (name, dtype, dims): (String, String, Option<Bound<'_, PyAny>>),
) -> PyResult<Value> {
    match dims {
        Some(dims) => value(py, name, &dtype, &dims),
        None => Err(bad_value(
            py,
            format!("the shape of `{name}` ({source}) depends on the input sizes in a way that has no exact form"),
            "make the axis it depends on static",
        )),
    }
}

fn size(item: &Bound<'_, PyAny>) -> PyResult<Dim> {
    if let Ok(n) = item.extract::<i64>() {
        return Ok(Dim::Static(n));
    }
    let text: String = match item.cast::<PyTuple>() {
        Ok(tagged) => tagged.get_item(1)?.extract()?,
        Err(_) => item.extract()?,
    };
    Dim::parse(&text).map_err(|e| bad_option(item.py(), e.to_string()))
}

fn sizes(items: &Bound<'_, PyAny>) -> PyResult<Dims> {
    items.try_iter()?.map(|item| size(&item?)).collect()
}

fn argument(arg: &Bound<'_, PyAny>) -> PyResult<Argument> {
    if arg.is_none() {
        return Ok(Argument::None);
    }
    if arg.is_instance_of::<PyBool>() {
        return Ok(Argument::Bool(arg.extract()?));
    }
    if arg.is_instance_of::<PyInt>() {
        return Ok(Argument::Int(Dim::Static(arg.extract()?)));
    }
    if arg.is_instance_of::<PyFloat>() {
        return Ok(Argument::Float(arg.extract()?));
    }
    if let Ok(text) = arg.cast::<PyString>() {
        return Ok(Argument::String(text.to_string()));
    }
    if let Ok(list) = arg.cast::<PyList>() {
        return list_argument(list);
    }
    match arg.cast::<PyTuple>() {
        Ok(tagged) => tagged_argument(tagged),
        Err(_) => Err(bad_option(arg.py(), format!("an argument of type {} cannot be passed", arg.get_type()))),
    }
}

fn list_argument(list: &Bound<'_, PyList>) -> PyResult<Argument> {
    let first = list.iter().next();
    Ok(match first {
        Some(item) if item.is_instance_of::<PyBool>() => Argument::Bools(list.extract()?),
        Some(item) if item.is_instance_of::<PyFloat>() => Argument::Floats(list.extract()?),
        _ => Argument::Ints(sizes(list.as_any())?),
    })
}

fn tagged_argument(tagged: &Bound<'_, PyTuple>) -> PyResult<Argument> {
    let (tag, body): (String, _) = (tagged.get_item(0)?.extract()?, tagged.get_item(1)?);
    Ok(match tag.as_str() {
        "value" => Argument::Value(ValueId(body.extract()?)),
        "values" => {
            let ids: Vec<Option<u32>> = body.extract()?;
            Argument::Values(ids.into_iter().map(|id| id.map(ValueId)).collect())
        }
        "sym" => Argument::Int(size(&body)?),
        "scalar" => argument(&body)?,
        "complex" => Argument::Complex(body.extract()?, tagged.get_item(2)?.extract()?),
        "dtype" => {
            let name: String = body.extract()?;
            Argument::Dtype(program::ScalarType::from_str(&name).or_raise(tagged.py())?)
        }
        "device" => Argument::Device(body.extract()?),
        "layout" => Argument::Layout(body.extract()?),
        "memory_format" => Argument::MemoryFormat(body.extract()?),
        other => return Err(bad_option(tagged.py(), format!("an argument tagged `{other}` is not known"))),
    })
}

/// A captured program.
#[pyclass(module = "torch2trt._core", frozen)]
pub(crate) struct Program {
    program: program::Program,
}

#[pymethods]
impl Program {
    /// Parses the text form. `weights_of` is the program that has the weights which the text names by digest.
    #[staticmethod]
    #[pyo3(signature = (text, weights_of = None))]
    fn parse(py: Python<'_>, text: &str, weights_of: Option<&Self>) -> PyResult<Self> {
        let weights: HashMap<u64, bytes::Bytes> = weights_of
            .iter()
            .flat_map(|source| source.program.weights())
            .map(|weight| (weight.digest(), weight.data.clone()))
            .collect();
        let program = program::Program::parse(text, &|digest| weights.get(&digest).cloned()).or_raise(py)?;
        Ok(Self { program })
    }

    /// The text form.
    fn __str__(&self) -> String {
        self.program.to_string()
    }

    /// Number of nodes.
    #[getter]
    fn node_count(&self) -> usize {
        self.program.nodes().len()
    }

    /// Every operator of the program: (overload, number of calls, whether it converts). A call that a user's converter
    /// takes is listed as `torch2trt.call.default`.
    fn coverage(&self) -> Vec<(String, usize, bool)> {
        let found = torch2trt::coverage(&self.program, Some(&Known));
        found.into_iter().map(|operator| (operator.target, operator.calls, operator.converts)).collect()
    }

    /// The calls that a user's converters take: the index of each node, and the key of capture's record.
    fn opaque_calls(&self) -> Vec<(usize, i64)> {
        let nodes = self.program.nodes().iter().enumerate();
        nodes.filter_map(|(index, node)| Some((index, key_of(node)?))).collect()
    }

    /// Of each output that an engine computes, the half-precision types in which the model itself computes it.
    fn computed_in(&self) -> Vec<Vec<&'static str>> {
        let names = |types: Vec<program::ScalarType>| types.into_iter().map(program::ScalarType::name).collect();
        torch2trt::computed_in(&self.program).into_iter().map(names).collect()
    }

    /// Converts the program into a network. Options are those of `torch2trt.torch2trt`; `calls` is the
    /// `torch2trt.converters.calls.Calls` that converts the calls a user's converters took. With `plainly`, the network
    /// is as the converters make it, before passes.
    #[pyo3(signature = (options, calls = None, plainly = false))]
    fn convert(
        &self,
        py: Python<'_>,
        options: &Bound<'_, PyDict>,
        calls: Option<Py<PyAny>>,
        plainly: bool,
    ) -> PyResult<Network> {
        let options = read_options(options)?;
        let users = calls.map(UserConverters::new);
        let foreign = users.as_ref().map(|users| users as &dyn Foreign);
        let convert = if plainly { torch2trt::convert_plainly } else { torch2trt::convert };
        let network = py.detach(|| convert(&self.program, &options, foreign));
        // The exception itself has more than the error made of it: it has the user's traceback.
        if let Some(raised) = users.and_then(UserConverters::raised) {
            return Err(raised);
        }
        Ok(Network::new(network.or_raise(py)?, options))
    }

    /// The call that does not convert, alone: a report, and the same as JSON; None where all convert. Arguments are as
    /// in `convert`, and a folder for a reproducer.
    #[pyo3(signature = (options, calls = None, output = None))]
    fn debug(
        &self,
        py: Python<'_>,
        options: &Bound<'_, PyDict>,
        calls: Option<Py<PyAny>>,
        output: Option<PathBuf>,
    ) -> PyResult<Option<(String, String)>> {
        let options = read_options(options)?;
        let users = calls.map(UserConverters::new);
        let foreign = users.as_ref().map(|users| users as &dyn Foreign);
        let found = py.detach(|| {
            let Err(error) = torch2trt::convert(&self.program, &options, foreign) else { return Ok(None) };
            torch2trt::debug_conversion(&self.program, &options, foreign, error, output.as_deref()).map(Some)
        });
        if let Some(raised) = users.and_then(UserConverters::raised) {
            return Err(raised);
        }
        Ok(found.or_raise(py)?.map(|found| (found.text(), found.to_json().to_string())))
    }
}

/// The program in an archive that `torch.export.save` wrote.
#[pyfunction]
pub(crate) fn read_archive(py: Python<'_>, path: PathBuf) -> PyResult<Program> {
    let archive = py.detach(|| torch2trt::read_archive(&path)).or_raise(py)?;
    Ok(Program { program: archive.program })
}

/// Every operator that converts: (family, overload, TensorRT layers, tolerance).
#[pyfunction]
pub(crate) fn operators() -> Vec<(&'static str, &'static str, &'static str, f64)> {
    torch2trt::operators().into_iter().map(|op| (op.family, op.overload, op.layers, op.tolerance)).collect()
}
