//! PyTorch's values of the calls of a program, for the search of a fault.

use crate::precision::{Raised, in_host, in_torch};
use pyo3::prelude::*;
use runtime::Tensor;
use std::collections::HashSet;
use torch2trt::{ProgramValue, ProgramValues};

/// A `torch2trt.program_values.ProgramValues`: the model's calls, run in PyTorch.
pub(crate) struct TorchValues {
    values: Py<PyAny>,
    known: HashSet<ProgramValue>,
    raised: Raised,
}

/// A value of a program: index of the node, and which of its outputs.
type Place = (usize, usize);

impl TorchValues {
    pub(crate) fn new(values: &Bound<'_, PyAny>) -> PyResult<Self> {
        let known: Vec<Place> = values.getattr("known")?.extract()?;
        let known = known.into_iter().map(|(node, output)| ProgramValue { node, output }).collect();
        Ok(Self { values: values.clone().unbind(), known, raised: Raised::default() })
    }

    /// Raises the exception of PyTorch.
    pub(crate) fn check(self) -> PyResult<()> {
        self.raised.check()
    }
}

fn tensors(row: &Bound<'_, PyAny>) -> PyResult<Vec<Tensor>> {
    row.try_iter()?.map(|tensor| in_host(&tensor?)).collect()
}

fn places(values: &[ProgramValue]) -> Vec<Place> {
    values.iter().map(|value| (value.node, value.output)).collect()
}

impl ProgramValues for TorchValues {
    fn name(&self) -> &'static str {
        "PyTorch"
    }

    fn outputs(&mut self) -> torch2trt::Result<Vec<Tensor>> {
        let values = &self.values;
        self.raised.or_remember(|py| tensors(&values.bind(py).call_method0("outputs")?))
    }

    fn has(&self, value: ProgramValue) -> bool {
        self.known.contains(&value)
    }

    fn values(&mut self, wanted: &[ProgramValue]) -> torch2trt::Result<Vec<Tensor>> {
        let values = &self.values;
        self.raised.or_remember(|py| {
            py.check_signals()?;
            tensors(&values.bind(py).call_method1("values", (places(wanted),))?)
        })
    }

    fn outputs_with(&mut self, replaced: &[ProgramValue], by: &Tensor) -> torch2trt::Result<Vec<Tensor>> {
        let values = &self.values;
        self.raised.or_remember(|py| {
            let by = in_torch(py, [by])?.get_item(0)?;
            tensors(&values.bind(py).call_method1("outputs_with", (places(replaced), by))?)
        })
    }
}
