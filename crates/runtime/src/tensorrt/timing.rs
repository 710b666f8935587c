//! Times on the GPU: of whole calls, between two events on a stream of our own, and of layers, by TensorRT's profiler.

use super::TensorRtEngine;
use super::cuda::{CudaDevice, Event, OwnedStream};
use super::runner::{Addresses, Shapes};
use super::slot::Slot;
use crate::error::Task;
use crate::{
    CallTime, CallerStream, Device, Engine, Error, LayerTimes, Result, RunOptions, Tensor, TensorView, TensorViewMut,
};
use nvinfer::Profiler;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What of a profiled call is in no layer.
const REST: &str = "launches and synchronization: TensorRT waits for the GPU between layers while it is profiled";

/// Times calls of an engine, one after the other: on a GPU on a stream of its own.
pub struct CallTimer(Option<OnGpu>);

struct OnGpu {
    stream: OwnedStream,
    begin: Event,
    end: Event,
}

impl CallTimer {
    /// A timer for calls of this engine.
    ///
    /// # Errors
    /// [`Error::Cuda`] where the driver fails.
    pub fn new(engine: &dyn Engine) -> Result<Self> {
        let Device::Cuda(index) = engine.device() else { return Ok(Self(None)) };
        let device = CudaDevice::new(index)?;
        let (begin, end) = (device.timed_event()?, device.timed_event()?);
        Ok(Self(Some(OnGpu { stream: device.stream()?, begin, end })))
    }

    /// Makes a call that is over on return.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn run(
        &self,
        engine: &dyn Engine,
        inputs: &[TensorView<'_>],
        outputs: &mut [TensorViewMut<'_>],
    ) -> Result<CallTime> {
        self.time(|options| engine.run(inputs, outputs, options))
    }

    /// As [`CallTimer::run`], into memory that the engine allocates.
    ///
    /// # Errors
    /// As [`Engine::run_alloc`].
    pub fn run_alloc(&self, engine: &dyn Engine, inputs: &[TensorView<'_>]) -> Result<(CallTime, Vec<Tensor>)> {
        let mut made = Vec::new();
        let time = self.time(|options| {
            made = engine.run_alloc(inputs, options)?;
            Ok(())
        })?;
        Ok((time, made))
    }

    /// Times a call whose tensors outlive this function.
    fn time(&self, call: impl FnOnce(&RunOptions) -> Result<()>) -> Result<CallTime> {
        let started = Instant::now();
        let Some(gpu) = &self.0 else {
            call(&RunOptions::default())?;
            let whole = started.elapsed();
            return Ok(CallTime { whole, host: whole, device: None });
        };
        let stream = gpu.stream.get();
        // SAFETY: the stream is ours and outlives the call, which is over before this function returns.
        let caller = unsafe { CallerStream::from_address(stream.as_ptr().addr()) };
        gpu.begin.record(stream)?;
        let done = call(&RunOptions { stream: Some(caller), profile: None });
        let recorded = gpu.end.record(stream);
        let host = started.elapsed();
        let ended = stream.synchronize();
        done.and(recorded).and(ended)?;
        let whole = started.elapsed();
        Ok(CallTime { whole, host, device: Some(gpu.end.since(&gpu.begin)?) })
    }
}

/// Layers and their seconds, in the order in which TensorRT reports them.
type Collected = Arc<Mutex<Vec<(String, f64)>>>;

/// Keeps what TensorRT reports.
struct Collector(Collected);

impl Profiler for Collector {
    fn layer_time(&mut self, layer: &str, milliseconds: f32) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.push((layer.to_owned(), f64::from(milliseconds) * 1e-3));
    }
}

/// See [`Engine::layer_times`].
pub(super) fn layer_times(engine: &TensorRtEngine, inputs: &[TensorView<'_>], calls: usize) -> Result<LayerTimes> {
    let dims: Vec<&[i64]> = inputs.iter().map(TensorView::dims).collect();
    let checked = engine.check_inputs(inputs, &dims, &RunOptions::default())?;
    let shapes = Shapes { inputs: &dims, profile: checked.profile() };
    let device = &engine.parts.device;
    let _here = device.enter()?;
    let mut slot = Slot::new(&engine.parts)?;
    let outputs = outputs(engine, &dims, &mut slot)?;
    let address = |tensor: &Option<Tensor>| tensor.as_ref().map_or(std::ptr::null(), |tensor| tensor.view().as_ptr());
    let written: Vec<_> = outputs.iter().map(|tensor| address(tensor).cast_mut().cast()).collect();
    let read: Vec<_> = inputs.iter().map(|view| view.as_ptr().cast_mut().cast()).collect();
    let (stream, begin, end) = (device.stream()?, device.timed_event()?, device.timed_event()?);
    let run = |slot: &mut Slot| -> Result<Duration> {
        let (stream, addresses) = (stream.get(), Addresses { inputs: &read, outputs: &written });
        slot.take_turn(stream)?;
        begin.record(stream)?;
        // SAFETY: the views and tensors vouch for the memory and outlive the run, which ends below; the slot is ours.
        let done = unsafe { slot.enqueue(&engine.parts, shapes, addresses, stream) };
        end.record(stream).and(slot.end_turn(stream)).and(stream.synchronize()).and(done)?;
        end.since(&begin)
    };
    run(&mut slot)?;
    let collected = Collected::default();
    slot.plain.profile(Box::new(Collector(collected.clone())))?;
    let mut seconds = 0.0;
    for _ in 0..calls {
        seconds += run(&mut slot)?.as_secs_f64();
    }
    drop(slot);
    let times = collected.lock().unwrap_or_else(PoisonError::into_inner);
    let times = times.iter().map(|(name, seconds)| (name.as_str(), "", *seconds));
    Ok(LayerTimes::of(calls, seconds, times, REST))
}

/// Memory for the outputs; `None` where TensorRT asks for it, because their size depends on data.
fn outputs(engine: &TensorRtEngine, dims: &[&[i64]], slot: &mut Slot) -> Result<Vec<Option<Tensor>>> {
    let known = engine.output_dims(dims)?;
    let outputs = engine.parts.spec.outputs.iter().zip(known).enumerate();
    let mut make = |(index, (io, dims)): (usize, (&crate::IoSpec, Option<Vec<i64>>))| match dims {
        Some(dims) => Tensor::zeros(io.dtype, &dims, engine.device()).map(Some),
        None => slot.plain.grow(&engine.parts, index).map(|_| None),
    };
    outputs.map(&mut make).collect()
}

impl super::runner::Runner {
    /// Has TensorRT report the times of layers after each execution, which it then waits for.
    fn profile(&mut self, profiler: Box<dyn Profiler>) -> Result<()> {
        self.context_mut().set_profiler(profiler, true).map_err(|e| Error::tensorrt(Task::Profile, e))
    }
}
