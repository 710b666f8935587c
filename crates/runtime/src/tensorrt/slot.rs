//! What one call at a time uses: a block of scratch memory, the context that works in it, and the CUDA graphs that
//! were captured for shapes seen before.
//!
//! A slot goes from call to call and from stream to stream; the event at the end of its last work keeps the order
//! on the GPU. It must not know how slots are shared out.

use super::captured::{Buffers, Captured, Resources, Streams, total_bytes};
use super::pool::Fit;
use super::runner::{Addresses, Key, Parts, Runner, Shapes};
use super::tally::Tally;
use crate::cuda::{DeviceMemory, Event, OwnedStream, RelaxedCapture, Stream};
use crate::{CudaGraph, Result};

/// Sets of shapes that one slot keeps graphs of; the one unused longest goes first.
const GRAPHS: usize = 8;
/// Shapes that one slot counts calls of.
const COUNTED: usize = 32;
/// The call of a shape that `Auto` captures: shapes that come once are not worth a capture.
const WORTH_CAPTURING: u32 = 3;
/// Bytes in and out beyond which `Auto` does not capture: copying them costs more than the launches that it saves.
const MOST_COPIED: usize = 16 << 20;

/// Scratch memory and what works in it, one execution at a time.
#[derive(Debug)]
pub(super) struct Slot {
    // In the order of dropping: contexts before the memory they work in.
    graphs: Vec<CachedGraphs>,
    pub(super) plain: Runner,
    scratch: DeviceMemory,
    /// Where contexts run for callers on the default stream, on which TensorRT would wait for the GPU at every call.
    own: OwnedStream,
    /// Orders that stream and the caller's.
    fork: Event,
    /// After the last work.
    done: Event,
    last: Option<Stream>,
    seen: Tally<Key, COUNTED>,
    calls: u64,
    /// Whether this engine turned out not to be capturable.
    refused: bool,
}

/// The graphs of one set of input shapes.
#[derive(Debug)]
struct CachedGraphs {
    graphs: Captured,
    /// The call that used them last.
    used: u64,
}

impl Slot {
    pub(super) fn new(parts: &Parts) -> Result<Self> {
        let _relaxed = RelaxedCapture::begin()?;
        let scratch = parts.device.allocate(parts.scratch)?;
        Ok(Self {
            graphs: Vec::new(),
            plain: Runner::new(parts, &scratch)?,
            scratch,
            own: parts.device.stream()?,
            fork: parts.device.event()?,
            done: parts.device.event()?,
            last: None,
            seen: Tally::default(),
            calls: 0,
            refused: false,
        })
    }

    /// How well it suits a call.
    pub(super) fn fit(&self, shapes: Shapes<'_>, stream: Stream) -> Fit {
        let free = self.last.is_none_or(|last| last == stream) || self.done.is_done();
        let ready = || self.graphs.iter().any(|kept| kept.graphs.is_for(shapes)) || self.plain.is_warm_for(shapes);
        match free {
            true if ready() => Fit::Ready,
            true => Fit::Free,
            false => Fit::Busy,
        }
    }

    /// Whether nothing of it runs any more.
    pub(super) fn is_done(&self) -> bool {
        self.last.is_none() || self.done.is_done()
    }

    /// Enqueues one call, by a captured graph where `mode` allows it.
    ///
    /// # Safety
    /// As for [`Runner::enqueue`]; the stream is not being captured.
    pub(super) unsafe fn run(
        &mut self,
        parts: &Parts,
        shapes: Shapes<'_>,
        addresses: Addresses<'_>,
        stream: Stream,
        mode: CudaGraph,
    ) -> Result<()> {
        self.take_turn(stream)?;
        self.calls += 1;
        // SAFETY: the caller's promise; the slot's former work is over or before this on the stream.
        let done = unsafe { self.run_in_turn(parts, shapes, addresses, stream, mode) };
        // Also after a failure: part of the work may have been enqueued.
        self.done.record(stream)?;
        done
    }

    /// Makes the stream wait for the slot's work on another one.
    pub(super) fn take_turn(&mut self, stream: Stream) -> Result<()> {
        if self.last.is_some_and(|last| last != stream) {
            self.done.hold(stream)?;
        }
        self.last = Some(stream);
        Ok(())
    }

    /// Marks the end of its work on a stream.
    pub(super) fn end_turn(&self, stream: Stream) -> Result<()> {
        self.done.record(stream)
    }

    /// # Safety
    /// As for [`Slot::run`].
    unsafe fn run_in_turn(
        &mut self,
        parts: &Parts,
        shapes: Shapes<'_>,
        addresses: Addresses<'_>,
        stream: Stream,
        mode: CudaGraph,
    ) -> Result<()> {
        if let Some(kept) = self.graphs.iter_mut().find(|kept| kept.graphs.is_for(shapes)) {
            kept.used = self.calls;
            let resources = Resources { parts, scratch: &self.scratch };
            let streams = Streams { caller: stream, own: &self.own };
            // SAFETY: the caller's promise.
            return unsafe { kept.graphs.replay(resources, shapes, addresses, streams) };
        }
        if self.is_to_capture(parts, shapes, mode)? {
            // SAFETY: the caller's promise.
            match unsafe { self.capture(parts, shapes, addresses, stream) } {
                Ok(()) => return Ok(()),
                Err(error) if mode == CudaGraph::Auto => {
                    tracing::debug!(target: "torch2trt::runtime", %error, "the engine is not run by CUDA graphs");
                    self.refused = true;
                }
                Err(error) => return Err(error),
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.enqueue(parts, shapes, addresses, stream) }
    }

    /// Enqueues by the plain context.
    ///
    /// # Safety
    /// As for [`Slot::run`], and it is the slot's turn.
    pub(super) unsafe fn enqueue(
        &mut self,
        parts: &Parts,
        shapes: Shapes<'_>,
        addresses: Addresses<'_>,
        stream: Stream,
    ) -> Result<()> {
        if !stream.is_default() {
            // SAFETY: the caller's promise.
            return unsafe { self.plain.enqueue(parts, shapes, addresses, stream) };
        }
        let own = self.own.get();
        self.fork.record(stream)?;
        self.fork.hold(own)?;
        // SAFETY: the caller's promise; the default stream waits for the work below.
        let done = unsafe { self.plain.enqueue(parts, shapes, addresses, own) };
        self.fork.record(own)?;
        self.fork.hold(stream)?;
        done
    }

    fn is_to_capture(&mut self, parts: &Parts, shapes: Shapes<'_>, mode: CudaGraph) -> Result<bool> {
        match mode {
            CudaGraph::Never => Ok(false),
            CudaGraph::Always => Ok(true),
            CudaGraph::Auto if self.refused => Ok(false),
            CudaGraph::Auto => {
                let count = self.seen.count(|key| shapes.are(key), || shapes.key());
                Ok(count >= WORTH_CAPTURING && total_bytes(parts, shapes)? <= MOST_COPIED)
            }
        }
    }

    /// Runs the call and captures it for those to come.
    ///
    /// # Safety
    /// As for [`Slot::run`].
    unsafe fn capture(
        &mut self,
        parts: &Parts,
        shapes: Shapes<'_>,
        addresses: Addresses<'_>,
        stream: Stream,
    ) -> Result<()> {
        let resources = Resources { parts, scratch: &self.scratch };
        let streams = Streams { caller: stream, own: &self.own };
        // SAFETY: the caller's promise; the scratch memory is this slot's, whose turn it is on the stream.
        let graphs = unsafe { Captured::new(resources, shapes, addresses, streams) }?;
        if self.graphs.len() == GRAPHS {
            self.drop_oldest();
        }
        self.graphs.push(CachedGraphs { graphs, used: self.calls });
        Ok(())
    }

    /// Drops the graphs that were not used for longest. The slot's work is over: its caller just synchronized.
    fn drop_oldest(&mut self) {
        let oldest = self.graphs.iter().enumerate().min_by_key(|(_, kept)| kept.used);
        if let Some((index, _)) = oldest {
            self.graphs.swap_remove(index);
        }
    }

    /// Runs once at these shapes, on zeros, so that what follows can be captured by the caller.
    pub(super) fn warm_up(&mut self, parts: &Parts, shapes: Shapes<'_>) -> Result<()> {
        let buffers = Buffers::new(parts, shapes)?;
        let own = self.own.get();
        buffers.memory.clear(own)?;
        let (inputs, outputs) = buffers.addresses();
        let inner = Addresses { inputs: &inputs, outputs: &outputs };
        self.take_turn(own)?;
        // SAFETY: the buffers are as large as the shapes require and live until the stream passed the run; it is the
        // slot's turn.
        unsafe { self.plain.enqueue(parts, shapes, inner, own) }?;
        own.synchronize()?;
        self.last = None;
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Contexts and memory must outlast the work on them. An error means that CUDA is gone, and the work with it.
        if self.last.is_some() {
            let _ = self.done.synchronize();
        }
    }
}
