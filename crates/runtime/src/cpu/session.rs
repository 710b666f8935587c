//! One loaded model: the session, the memory it borrows, and the names it is called with.
//!
//! It trusts the shapes it is given (the engine has checked them) and must not know the spec beyond construction.

use super::failure::failure;
use super::sys::{self, Output};
use super::{CpuOptions, OnnxRuntime, Weight};
use crate::error::{Error, Result, Side, Stage};
use crate::{Dim, EngineSpec, IoSpec, Tensor, TensorView, TensorViewMut};
use ort::logging::LogLevel;
use ort::session::Session as OrtSession;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{Outlet, ValueType};
use smallvec::SmallVec;
use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) struct Session {
    /// The process whose threads it runs on; none where it has no threads of its own.
    process: Option<u32>,
    // Before the weights: dropped first, for it reads them until then.
    #[expect(clippy::struct_field_names, reason = "it is ONNX Runtime's session")]
    session: OrtSession,
    memory: sys::CpuMemory,
    inputs: Vec<CString>,
    outputs: Vec<CString>,
    /// Outputs that are inputs handed through, as (output, input): ONNX Runtime would leave their buffers alone.
    passed: Vec<(usize, usize)>,
    _weights: Vec<Weight>,
}

impl Session {
    pub(super) fn new(
        runtime: &OnnxRuntime,
        model: &[u8],
        weights: Vec<Weight>,
        spec: &EngineSpec,
        options: &CpuOptions,
        profile: Option<&Path>,
    ) -> Result<Self> {
        let load = |error: ort::Error| failure(Stage::Load, &error);
        let memory = sys::CpuMemory::new().map_err(load)?;
        let mut builder = configure(runtime, options).map_err(load)?;
        if let Some(path) = profile {
            builder = builder.with_profiling(path).map_err(|error| load(error.into()))?;
        }
        sys::add_weights(&mut builder, &memory, &weights)?;
        let session = builder.commit_from_memory(model).map_err(load)?;
        sys::release_free_memory();
        check_interface(Side::Input, &spec.inputs, session.inputs())?;
        check_interface(Side::Output, &spec.outputs, session.outputs())?;
        let names = |specs: &[IoSpec]| -> Result<Vec<_>> {
            specs.iter().map(|io| sys::c_string("tensor name", &io.name)).collect()
        };
        let (inputs, outputs) = (names(&spec.inputs)?, names(&spec.outputs)?);
        let input: HashMap<&CString, usize> = inputs.iter().enumerate().map(|(at, name)| (name, at)).collect();
        let passed = outputs.iter().enumerate().filter_map(|(at, name)| Some((at, *input.get(name)?))).collect();
        let process = (options.thread_count() > 1).then(std::process::id);
        Ok(Self { process, session, memory, inputs, outputs, passed, _weights: weights })
    }

    /// Whether this is a child of the process it was made in. Its threads did not come along: a call, and even
    /// its release, would wait for them for ever.
    fn is_forked(&self) -> bool {
        self.process.is_some_and(|process| process != std::process::id())
    }

    /// Executes into the given buffers.
    pub(super) fn run(&self, inputs: &[TensorView<'_>], outputs: &mut [TensorViewMut<'_>]) -> Result<()> {
        let failed = |error: ort::Error| failure(Stage::Run, &error);
        let mut bound: SmallVec<[Output<'_>; 8]> = SmallVec::with_capacity(outputs.len());
        for &(output, input) in &self.passed {
            outputs[output].copy_from(&inputs[input])?;
        }
        for view in outputs {
            bound.push(Output::Bound(sys::Value::of_mut(&self.memory, view).map_err(failed)?));
        }
        self.execute(inputs, &mut bound)
    }

    /// Executes into buffers of ONNX Runtime's own.
    pub(super) fn run_alloc(self: &Arc<Self>, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>> {
        let mut outputs: SmallVec<[Output<'_>; 8]> = self.outputs.iter().map(|_| Output::Open).collect();
        self.execute(inputs, &mut outputs)?;
        let named = self.outputs.iter().zip(outputs);
        named.map(|(name, output)| sys::into_tensor(output, &name.to_string_lossy(), inputs, self.clone())).collect()
    }

    /// Ends the profile of this session's calls; returns its file.
    pub(super) fn end_profiling(mut self) -> Result<PathBuf> {
        self.session.end_profiling().map(PathBuf::from).map_err(|error| failure(Stage::Run, &error))
    }

    fn execute(&self, inputs: &[TensorView<'_>], outputs: &mut [Output<'_>]) -> Result<()> {
        if self.is_forked() {
            return Err(Error::Forked);
        }
        let failed = |error: ort::Error| failure(Stage::Run, &error);
        let mut values: SmallVec<[sys::Value<'_>; 8]> = SmallVec::with_capacity(inputs.len());
        for view in inputs {
            values.push(sys::Value::of(&self.memory, view).map_err(failed)?);
        }
        sys::run(&self.session, &self.inputs, &values, &self.outputs, outputs).map_err(failed)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.is_forked() {
            // One reference that is never given back keeps ONNX Runtime from joining threads that are not there.
            std::mem::forget(self.session.inner());
        }
    }
}

/// Session options: everything that does not depend on the model.
fn configure(runtime: &OnnxRuntime, options: &CpuOptions) -> ort::Result<SessionBuilder> {
    // The last level is the blocked layout; the one before it has every fusion.
    let level = if options.blocked_layout { GraphOptimizationLevel::All } else { GraphOptimizationLevel::Level2 };
    let mut builder = SessionBuilder::new(runtime.environment())?
        .with_log_level(LogLevel::Warning)?
        .with_optimization_level(level)?
        .with_intra_threads(options.thread_count())?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        .with_intra_op_spinning(!options.spin.is_zero())?
        .with_config_entry("session.intra_op.spin_duration_us", options.spin.as_micros().to_string())?
        .with_prepacking(options.prepack)?
        .with_memory_pattern(options.memory_pattern)?
        // Weights are read where they lie. Versions before 1.32 copy them.
        .with_config_entry("session.use_external_initializer_file_buffers_directly", "1")?
        // Its products of int8 are wrong for some shapes (1.32: MatMulIntegerToFloat with a scale for each column and
        // no bias), and refuse others. Quantized values are computed in float instead, as exactly as they can be.
        .with_config_entry("session.disable_quant_qdq", "1")?
        // Weights that ONNX Runtime makes (repacked, folded) live as long as the session: a pool that grows in
        // powers of two would only round them up.
        .with_device_allocated_initializers()?;
    if !options.arena {
        sys::disable_arena(&mut builder)?;
    }
    Ok(builder)
}

/// Compares the model's own inputs or outputs with the spec's.
fn check_interface(side: Side, specs: &[IoSpec], model: &[Outlet]) -> Result<()> {
    let differs = |name: &str, problem: String| Err(Error::Interface { side, name: name.to_owned(), problem });
    let outlets: HashMap<&str, &Outlet> = model.iter().map(|outlet| (outlet.name(), outlet)).collect();
    for io in specs {
        let Some(outlet) = outlets.get(io.name.as_str()) else {
            return differs(&io.name, "is not in the model".to_owned());
        };
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
            return differs(&io.name, format!("is no tensor in the model but {}", outlet.dtype()));
        };
        if sys::data_type(ort::sys::ONNXTensorElementDataType::from(*ty) as i32) != Some(io.dtype) {
            return differs(&io.name, format!("is {ty} in the model and {} in the spec", io.dtype));
        }
        // The model writes -1 for a size that it does not know.
        let fits = |(size, dim): (&i64, &Dim)| *size < 0 || dim.as_static().is_none_or(|n| n == *size);
        if shape.len() != io.dims.len() || !shape.iter().zip(&io.dims).all(fits) {
            let spec = dims::format_dims(&io.dims);
            return differs(&io.name, format!("has shape {:?} in the model and {spec} in the spec", &shape[..]));
        }
    }
    let known: HashSet<&str> = specs.iter().map(|io| io.name.as_str()).collect();
    match model.iter().find(|outlet| !known.contains(outlet.name())) {
        Some(outlet) if side == Side::Input => differs(outlet.name(), "is not in the spec".to_owned()),
        _ => Ok(()),
    }
}
