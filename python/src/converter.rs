//! A user's converters: Python functions that add the layers of calls which capture kept whole.
//!
//! Capture writes such a call as one node `torch2trt.call(tensors, sizes, key)`. Here the node's arguments become
//! Python values and the network under construction becomes a `UserNetwork`; what the call was, which function
//! converts it and what that function may rely on is known to `torch2trt.converters.calls.Calls` in Python.

use crate::user_network::{Size, UserNetwork};
use convert::{Builder, Call, Error, Foreign, Outputs, Result};
use network::TensorId;
use program::Value;
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The node that stands for a call which a user converts.
const TARGET: &str = "torch2trt.call.default";

/// What Python gets of a tensor: dtype and sizes as PyTorch has them.
type Described = (String, Vec<Size>);

/// One opaque call, as Python needs it.
#[pyclass(module = "torch2trt._core", frozen, get_all)]
pub(crate) struct CallSite {
    /// The key of capture's record of the call.
    key: i64,
    /// The network's tensors for the tensor arguments.
    ids: Vec<u32>,
    /// The tensor arguments in PyTorch's words.
    tensors: Vec<Described>,
    /// The symbolic sizes among the arguments.
    sizes: Vec<Size>,
    /// The outputs in PyTorch's words; `None` for one that nothing uses.
    outputs: Vec<Option<Described>>,
    /// The sample's value of every symbol in any of them.
    hints: BTreeMap<String, i64>,
    /// Module path, file, line and function of the call.
    place: (String, String, u32, String),
}

impl CallSite {
    fn of(call: &Call<'_>) -> Result<Self> {
        let ids = call.tensors("tensors")?.into_iter().map(|id| id.0).collect();
        let tensors: Vec<Described> = call.values("tensors")?.into_iter().flatten().map(described).collect();
        let outputs: Vec<Option<Described>> =
            (0..call.output_count()).map(|k| call.output(k).ok().map(described)).collect();
        let sizes: Vec<Size> = call.sizes("sizes")?.into_iter().map(Size).collect();
        let hints = hints(call, tensors.iter().chain(outputs.iter().flatten()), &sizes);
        let source = call.source();
        let place = (source.module.clone(), source.file.clone(), source.line, source.function.clone());
        Ok(Self { key: call.int("key")?, ids, tensors, sizes, outputs, hints, place })
    }
}

/// Converts calls by asking a `Calls` object.
pub(crate) struct UserConverters {
    calls: Py<PyAny>,
    /// The exception that ended the conversion.
    raised: Mutex<Option<PyErr>>,
}

impl UserConverters {
    pub(crate) fn new(calls: Py<PyAny>) -> Self {
        Self { calls, raised: Mutex::new(None) }
    }

    /// The exception that a user's converter raised, if one did.
    pub(crate) fn raised(self) -> Option<PyErr> {
        self.raised.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, py: Python<'_>, network: &Bound<'_, UserNetwork>, call: &Call<'_>) -> Result<Vec<Option<u32>>> {
        let site = CallSite::of(call)?;
        self.calls
            .bind(py)
            .call_method1("convert", (site, network))
            .and_then(|outputs| outputs.extract())
            .map_err(|exception| self.keep(py, exception))
    }

    fn keep(&self, py: Python<'_>, exception: PyErr) -> Error {
        let problem = exception.value(py).to_string();
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(exception);
        Error::Foreign { problem }
    }
}

impl Foreign for UserConverters {
    fn converts(&self, target: &str) -> bool {
        target == TARGET
    }

    fn operator(&self, call: &Call<'_>) -> String {
        let name = |py: Python<'_>| -> Option<String> {
            let key = call.int("key").ok()?;
            self.calls.bind(py).call_method1("name", (key,)).ok()?.extract().ok()
        };
        Python::attach(name).unwrap_or_else(|| call.target().to_owned())
    }

    fn convert(&self, builder: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
        Python::attach(|py| {
            let network = match UserNetwork::lend(py, std::mem::take(builder)) {
                Ok(network) => network,
                Err(exception) => return Err(self.keep(py, exception)),
            };
            let outputs = self.ask(py, &network, call);
            *builder = network.get().take_back();
            let outputs: Vec<Option<TensorId>> = outputs?.into_iter().map(|id| id.map(TensorId)).collect();
            bind_symbols(builder, call, &outputs);
            Ok(outputs.into())
        })
    }
}

/// The key of capture's record of a call that a user's converters take; none for another node.
pub(crate) fn key_of(node: &program::Node) -> Option<i64> {
    let key = node.arguments.get("key").filter(|_| node.target == TARGET)?;
    if let program::Argument::Int(key) = key { key.as_static() } else { None }
}

/// Lists the calls that a user's converters take, where nothing is converted.
pub(crate) struct Known;

impl Foreign for Known {
    fn converts(&self, target: &str) -> bool {
        target == TARGET
    }

    fn operator(&self, call: &Call<'_>) -> String {
        call.target().to_owned()
    }

    fn convert(&self, _: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
        Err(Error::unsupported(format!("{} was captured without its converter", call.target())))
    }
}

fn described(value: &Value) -> Described {
    (value.dtype.name().to_owned(), value.dims.iter().cloned().map(Size).collect())
}

/// The sample's value of every symbol that Python will see.
fn hints<'a>(
    call: &Call<'_>,
    tensors: impl Iterator<Item = &'a Described>,
    sizes: &'a [Size],
) -> BTreeMap<String, i64> {
    let all = tensors.flat_map(|(_, dims)| dims).chain(sizes);
    let symbols = all.flat_map(|size| size.0.symbols());
    symbols.filter_map(|symbol| Some((symbol.to_string(), call.hint(&symbol)?))).collect()
}

/// Sizes that only data decides can be read from the outputs that have them.
fn bind_symbols(builder: &mut Builder, call: &Call<'_>, outputs: &[Option<TensorId>]) {
    for (index, tensor) in outputs.iter().enumerate() {
        let (Some(tensor), Ok(dims)) = (tensor, call.output_dims(index)) else { continue };
        for (axis, dim) in dims.iter().enumerate() {
            if let Some(symbol) = builder.unbound_symbol(std::slice::from_ref(dim)) {
                builder.bind_symbol(&symbol, *tensor, axis);
            }
        }
    }
}
