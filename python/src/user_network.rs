//! The network under construction, as Python sees it while a user's converter runs.
//!
//! `torch2trt.trt` dresses this up as TensorRT's own Python API. Its layers are drafts: they change until the converter
//! returns, so their outputs are found by [`infer`] alone, and [`UserNetwork`] receives only what is final. Layers
//! cross as the JSON form of `network::Op`, sizes as [`Size`]. Nothing here knows a layer or a converter.

use crate::error::{OrRaise, raise};
use crate::tensor::weight_bytes;
use convert::Builder;
use dims::Dim;
use network::{DType, Dims, Op, TensorId, Weights};
use pyo3::exceptions::PyZeroDivisionError;
use pyo3::prelude::*;
use pyo3::types::PyInt;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use torch2trt::{Code, Error};

/// The size of an axis: a number, or an expression over the sizes of the model's inputs.
#[pyclass(module = "torch2trt._core", frozen, from_py_object, eq, hash)]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Size(pub(crate) Dim);

/// A size or a number in its place.
struct Operand(Dim);

impl<'py> FromPyObject<'_, 'py> for Operand {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match given.cast::<PyInt>() {
            Ok(number) => Ok(Self(Dim::Static(number.extract()?))),
            Err(_) => Ok(Self(given.extract::<Size>()?.0)),
        }
    }
}

#[pymethods]
impl Size {
    #[new]
    fn new(value: i64) -> Self {
        Self(Dim::Static(value))
    }

    /// The size in a text, such as `s0*4 + 1`.
    #[staticmethod]
    fn parse(py: Python<'_>, text: &str) -> PyResult<Self> {
        Dim::parse(text).map(Self).map_err(|e| raise(py, &Error::new(Code::BadProgram, e.to_string())))
    }

    fn __add__(&self, other: Operand) -> Self {
        Self(self.0.clone() + other.0)
    }

    fn __radd__(&self, other: Operand) -> Self {
        Self(other.0 + self.0.clone())
    }

    fn __sub__(&self, other: Operand) -> Self {
        Self(self.0.clone() - other.0)
    }

    fn __rsub__(&self, other: Operand) -> Self {
        Self(other.0 - self.0.clone())
    }

    fn __mul__(&self, other: Operand) -> Self {
        Self(self.0.clone() * other.0)
    }

    fn __rmul__(&self, other: Operand) -> Self {
        Self(other.0 * self.0.clone())
    }

    fn __floordiv__(&self, other: Operand) -> PyResult<Self> {
        floor_div(&self.0, &other.0).map(Self)
    }

    fn __rfloordiv__(&self, other: Operand) -> PyResult<Self> {
        floor_div(&other.0, &self.0).map(Self)
    }

    fn __mod__(&self, other: Operand) -> PyResult<Self> {
        let quotient = floor_div(&self.0, &other.0)?;
        Ok(Self(self.0.clone() - quotient * other.0))
    }

    fn __rmod__(&self, other: Operand) -> PyResult<Self> {
        let quotient = floor_div(&other.0, &self.0)?;
        Ok(Self(other.0 - quotient * self.0.clone()))
    }

    /// The number, or None where it depends on the inputs.
    #[getter]
    fn static_value(&self) -> Option<i64> {
        self.0.as_static()
    }

    /// The value, given those of the symbols; None where a symbol has none.
    fn value(&self, symbols: BTreeMap<String, i64>) -> Option<i64> {
        self.0.eval(&|name| symbols.get(name).copied()).ok()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("Size({})", self.0)
    }
}

/// The divisor of a size is a positive number or a size.
fn floor_div(a: &Dim, b: &Dim) -> PyResult<Dim> {
    match (a.as_static(), b.as_static()) {
        (_, Some(0)) => Err(PyZeroDivisionError::new_err("a size divided by zero")),
        // Python rounds down, whatever the signs.
        (Some(a), Some(b)) if b < 0 => Ok(Dim::Static((-a).div_euclid(-b))),
        _ => Ok(a.floor_div(b)),
    }
}

/// What is known of a tensor before the network runs.
#[pyclass(module = "torch2trt._core", frozen)]
#[derive(Clone)]
pub(crate) struct TensorInfo {
    dtype: DType,
    dims: Dims,
    value: Option<Dims>,
    weights: Option<Weights>,
}

#[pymethods]
impl TensorInfo {
    /// A tensor of this dtype and these sizes.
    #[new]
    fn new(py: Python<'_>, dtype: &str, sizes: Vec<Size>) -> PyResult<Self> {
        Ok(Self { dtype: dtype_named(py, dtype)?, dims: dims_of(sizes), value: None, weights: None })
    }

    /// A constant with the elements of a torch tensor.
    #[staticmethod]
    fn constant(tensor: &Bound<'_, PyAny>) -> PyResult<Self> {
        let weights = weights_of(tensor)?;
        inferred(tensor.py(), &Op::Constant(weights), &[]).and_then(|outputs| first(tensor.py(), outputs))
    }

    /// A 1-D int64 tensor that holds these sizes.
    #[staticmethod]
    fn sizes(sizes: Vec<Size>) -> Self {
        let value = dims_of(sizes);
        Self { dtype: DType::Int64, dims: vec![Dim::Static(value.len() as i64)], value: Some(value), weights: None }
    }

    /// The dtype's name: PyTorch's, where it has the type.
    #[getter]
    fn dtype(&self) -> &'static str {
        self.dtype.name()
    }

    /// The sizes.
    #[getter]
    fn dims(&self) -> Vec<Size> {
        self.dims.iter().cloned().map(Size).collect()
    }

    /// The elements of a tensor that holds sizes, as far as they are known without data.
    #[getter]
    fn value(&self) -> Option<Vec<Size>> {
        Some(self.value.as_ref()?.iter().cloned().map(Size).collect())
    }

    /// Whether it is a constant.
    #[getter]
    fn is_constant(&self) -> bool {
        self.weights.is_some()
    }

    fn __str__(&self) -> String {
        format!("{}{}", self.dtype, network::format_dims(&self.dims))
    }
}

impl TensorInfo {
    fn borrowed(&self) -> network::TensorInfo<'_> {
        network::TensorInfo {
            dtype: self.dtype,
            dims: &self.dims,
            value: self.value.as_deref(),
            weights: self.weights.as_ref(),
        }
    }
}

/// The outputs of a layer: its op in JSON, and what is known of its inputs.
///
/// Raises `torch2trt.Error` E0107 where TensorRT would refuse the layer.
#[pyfunction]
pub(crate) fn infer(py: Python<'_>, op: &str, inputs: Vec<Option<Bound<'_, TensorInfo>>>) -> PyResult<Vec<TensorInfo>> {
    let inputs: Vec<_> = inputs.iter().map(|i| i.as_ref().map(|i| i.get().borrowed())).collect();
    inferred(py, &parse(py, op)?, &inputs)
}

fn inferred(py: Python<'_>, op: &Op, inputs: &[Option<network::TensorInfo<'_>>]) -> PyResult<Vec<TensorInfo>> {
    let outputs = network::infer(op, inputs)
        .map_err(|e| raise(py, &Error::new(Code::LayerRefused, format!("{} layer: {e}", op.name()))))?;
    let weights = if let Op::Constant(weights) = op { Some(weights.clone()) } else { None };
    let info =
        |o: network::Inferred| TensorInfo { dtype: o.dtype, dims: o.dims, value: o.value, weights: weights.clone() };
    Ok(outputs.into_iter().map(info).collect())
}

fn first(py: Python<'_>, outputs: Vec<TensorInfo>) -> PyResult<TensorInfo> {
    outputs.into_iter().next().ok_or_else(|| raise(py, &Error::new(Code::LayerRefused, "the layer has no output")))
}

fn parse(py: Python<'_>, op: &str) -> PyResult<Op> {
    serde_json::from_str(op).map_err(|e| {
        raise(
            py,
            &Error::new(
                Code::LayerRefused,
                format!("an attribute has a value that the layer does not take: {e}\n  {op}"),
            ),
        )
    })
}

fn dtype_named(py: Python<'_>, name: &str) -> PyResult<DType> {
    DType::from_name(name).ok_or_else(|| {
        raise(py, &Error::new(Code::LayerRefused, format!("TensorRT networks here have no {name} tensors")))
    })
}

fn dims_of(sizes: Vec<Size>) -> Dims {
    sizes.into_iter().map(|size| size.0).collect()
}

/// The elements of a torch tensor of a dtype that networks have, borrowed.
fn weights_of(tensor: &Bound<'_, PyAny>) -> PyResult<Weights> {
    let py = tensor.py();
    let dtype = dtype_named(py, &crate::tensor::dtype_name(tensor)?)?;
    let dims: Vec<i64> = tensor.getattr("shape")?.extract()?;
    let data = weight_bytes(tensor)?;
    Weights::new(dtype, dims, data).ok_or_else(|| {
        raise(py, &Error::new(Code::LayerRefused, "the weights are fewer bytes than their sizes require"))
    })
}

/// The network, lent to one user's converter.
#[pyclass(module = "torch2trt._core", frozen)]
pub(crate) struct UserNetwork {
    /// `None` once the converter has returned.
    builder: Mutex<Option<Builder>>,
}

impl UserNetwork {
    /// Lends a builder to Python.
    pub(crate) fn lend(py: Python<'_>, builder: Builder) -> PyResult<Bound<'_, Self>> {
        Bound::new(py, Self { builder: Mutex::new(Some(builder)) })
    }

    /// Takes the builder back; Python may keep the object, but can no longer change the network.
    pub(crate) fn take_back(&self) -> Builder {
        self.builder.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    fn with<T, E: Into<Error>>(&self, py: Python<'_>, f: impl FnOnce(&mut Builder) -> Result<T, E>) -> PyResult<T> {
        let mut builder = self.builder.lock().unwrap_or_else(PoisonError::into_inner);
        match builder.as_mut() {
            Some(builder) => f(builder).or_raise(py),
            None => Err(raise(
                py,
                &Error::new(
                    Code::UserConverter,
                    "the network of a conversion was used after the converter it was lent to had returned",
                )
                .with_help("do not keep ctx.network or its tensors between calls of a converter"),
            )),
        }
    }
}

#[pymethods]
impl UserNetwork {
    /// What is known of a tensor.
    fn tensor(&self, py: Python<'_>, id: u32) -> PyResult<TensorInfo> {
        self.with(py, |builder| {
            let tensor = builder.tensor(TensorId(id));
            Ok::<_, Error>(TensorInfo {
                dtype: tensor.dtype,
                dims: tensor.dims.clone(),
                value: tensor.value.clone(),
                weights: builder.weights(TensorId(id)).cloned(),
            })
        })
    }

    /// Adds a layer, its op in JSON; returns its outputs. `operator` is the origin of the layer.
    fn add(&self, py: Python<'_>, op: &str, inputs: Vec<Option<u32>>, operator: &str) -> PyResult<Vec<u32>> {
        let op = parse(py, op)?;
        let inputs: Vec<_> = inputs.into_iter().map(|id| id.map(TensorId)).collect();
        self.with(py, |builder| {
            builder.set_operator(operator);
            let (op, found) = named_count(op, builder);
            let outputs = builder.add_all(op, &inputs)?;
            if let (Some((name, axis)), Some(output)) = (found, outputs.first()) {
                builder.bind_symbol(&name, *output, axis);
            }
            Ok::<_, convert::Error>(outputs.into_iter().map(|id| id.0).collect())
        })
    }

    /// Adds a constant with the elements of a torch tensor, which are borrowed.
    fn constant(&self, py: Python<'_>, tensor: &Bound<'_, PyAny>, operator: &str) -> PyResult<u32> {
        let weights = weights_of(tensor)?;
        self.with(py, |builder| {
            builder.set_operator(operator);
            builder.constant(weights).map(|id| id.0)
        })
    }

    /// Adds a 1-D int64 tensor that holds these sizes when the engine runs.
    fn sizes(&self, py: Python<'_>, sizes: Vec<Size>, operator: &str) -> PyResult<u32> {
        let sizes = dims_of(sizes);
        self.with(py, |builder| {
            builder.set_operator(operator);
            builder.size_tensor(&sizes).map(|id| id.0)
        })
    }

    /// Adds whatever gives a tensor these sizes.
    fn reshape(&self, py: Python<'_>, id: u32, sizes: Vec<Size>, operator: &str) -> PyResult<u32> {
        let sizes = dims_of(sizes);
        self.with(py, |builder| {
            builder.set_operator(operator);
            builder.reshape(TensorId(id), &sizes).map(|id| id.0)
        })
    }
}

/// A number found in data gets a symbol of its own: its name, and the axis of the first output that has it.
fn named_count(op: Op, builder: &Builder) -> (Op, Option<(String, usize)>) {
    let name = builder.fresh_symbol();
    match op {
        Op::NonZero { .. } => (Op::NonZero { count: name.clone() }, Some((name, 1))),
        Op::Nms { format, topk_box_limit, .. } => {
            (Op::Nms { format, topk_box_limit, count: name.clone() }, Some((name, 0)))
        }
        op => (op, None),
    }
}
