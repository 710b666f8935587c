//! The tensors that a caller gives for the outputs of a call.
//!
//! The engine writes to those that suit it, and what it made is copied to the others, as PyTorch's `copy_` does: to
//! other types, strides and devices.

use crate::error::{OrRaise, bad_value};
use crate::tensor::TorchTensor;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyList;
use runtime::{DataType, Device, IoSpec};
use std::collections::HashMap;

/// What an engine makes for an output: the element type, and where it is stored.
#[derive(Clone, Copy)]
pub(crate) struct Made {
    pub(crate) dtype: DataType,
    pub(crate) device: Device,
}

pub(crate) struct Out<'s, 'py> {
    tensors: Vec<Bound<'py, PyAny>>,
    outputs: &'s [IoSpec],
}

impl<'s, 'py> Out<'s, 'py> {
    /// For a model of these outputs.
    pub(crate) fn new(py: Python<'py>, tensors: Vec<Bound<'py, PyAny>>, outputs: &'s [IoSpec]) -> PyResult<Self> {
        if tensors.len() != outputs.len() {
            let (given, count) = (tensors.len(), outputs.len());
            let text = format!("`out` has {given} tensors, the engine {count} outputs");
            return Err(bad_value(py, text, "give one tensor for each output"));
        }
        let out = Self { tensors, outputs };
        if out.tensors.len() > 1 {
            out.check_distinct(py)?;
        }
        Ok(out)
    }

    /// Rejects two outputs that start at one address: the second would overwrite the first.
    fn check_distinct(&self, py: Python<'py>) -> PyResult<()> {
        let mut starts = HashMap::with_capacity(self.tensors.len());
        for (tensor, output) in self.tensors.iter().zip(self.outputs) {
            let address: usize = tensor.call_method0(intern!(py, "data_ptr"))?.extract()?;
            let elements: usize = tensor.call_method0(intern!(py, "numel"))?.extract()?;
            if elements == 0 {
                continue;
            }
            if let Some(other) = starts.insert(address, &output.name) {
                let (output, other) = (output.name.clone(), other.clone());
                return Err(runtime::Error::OutputOverlaps { output, other }).or_raise(py);
            }
        }
        Ok(())
    }

    /// The tensor of an output that has this shape, for an engine that makes this type on this device: where it can
    /// write there, and does not use that memory for anything else.
    pub(crate) fn direct<'t>(
        &self,
        index: usize,
        dims: &[i64],
        made: Made,
        mut others: impl Iterator<Item = &'t TorchTensor>,
    ) -> PyResult<Option<TorchTensor>> {
        self.check(index, dims)?;
        let given = &self.tensors[index];
        let tensor = TorchTensor::new(given)?;
        let is_itself = tensor.bind(given.py()).is(given);
        let same = [tensor.dtype, self.outputs[index].dtype] == [made.dtype; 2] && tensor.device == made.device;
        Ok((is_itself && same && !others.any(|other| tensor.overlaps(other))).then_some(tensor))
    }

    /// Copies what the engine made elsewhere, and returns the caller's tensors.
    pub(crate) fn filled(self, made: &[Bound<'py, PyAny>], py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        for (index, (given, made)) in self.tensors.iter().zip(made).enumerate() {
            if given.is(made) {
                // Autograd counts writes to tensors, which are otherwise PyTorch's own.
                let graph = py.import(intern!(py, "torch.autograd.graph"))?;
                graph.call_method1(intern!(py, "increment_version"), (given,))?;
                continue;
            }
            self.check(index, &made.getattr(intern!(py, "shape"))?.extract::<Vec<i64>>()?)?;
            given.call_method1(intern!(py, "copy_"), (made,))?;
        }
        PyList::new(py, self.tensors)
    }

    fn check(&self, index: usize, expected: &[i64]) -> PyResult<()> {
        let given = &self.tensors[index];
        let got: Vec<i64> = given.getattr(intern!(given.py(), "shape"))?.extract()?;
        if got == expected {
            return Ok(());
        }
        let (output, expected) = (self.outputs[index].name.clone(), expected.to_vec());
        Err(runtime::Error::OutputShape { output, expected, got }).or_raise(given.py())
    }
}
