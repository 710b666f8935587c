//! What one call at a time uses: a block of scratch memory, the context that works in it, and the CUDA graphs that
//! were captured for shapes seen before.
//!
//! A slot goes from call to call and from stream to stream; the event at the end of its last work keeps the order
//! on the GPU. It must not know how slots are shared out.

use super::cuda::{DeviceMemory, Event, OwnedStream, RelaxedCapture, Stream};
use super::graph::{Copy, Graph};
use super::pool::Fit;
use super::runner::{Addresses, Key, Parts, Runner, Shapes};
use crate::tensor::byte_len;
use crate::{CudaGraph, Error, Result};
use smallvec::SmallVec;
use std::ffi::c_void;

/// Graphs that one slot keeps; the one unused longest goes first.
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
    graphs: Vec<Captured>,
    pub(super) plain: Runner,
    scratch: DeviceMemory,
    /// Where contexts run for callers on the default stream, on which TensorRT would wait for the GPU at every call.
    own: OwnedStream,
    /// Orders that stream and the caller's.
    fork: Event,
    /// After the last work.
    done: Event,
    last: Option<Stream>,
    seen: Vec<(Key, u32)>,
    calls: u64,
    /// Whether this engine turned out not to be capturable.
    refused: bool,
}

/// A graph for one set of input shapes, with the context that must not change while it exists, and its own buffers.
#[derive(Debug)]
struct Captured {
    graph: Graph,
    _runner: Runner,
    buffers: Buffers,
    key: Key,
    used: u64,
}

/// Memory of our own for every input and output.
#[derive(Debug)]
struct Buffers {
    memory: DeviceMemory,
    inputs: Spans,
    outputs: Spans,
}

/// Copies of the inputs, or of the outputs.
type Copies = SmallVec<[Copy; 4]>;
/// Address and length of tensors.
type Spans = SmallVec<[(*mut c_void, usize); 4]>;

// SAFETY: the addresses are those of `memory`, which may be used from any thread.
unsafe impl Send for Buffers {}

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
            seen: Vec::new(),
            calls: 0,
            refused: false,
        })
    }

    /// How well it suits a call.
    pub(super) fn fit(&self, shapes: Shapes<'_>, stream: Stream) -> Fit {
        let free = self.last.is_none_or(|last| last == stream) || self.done.is_done();
        let ready = || self.graphs.iter().any(|captured| shapes.are(&captured.key)) || self.plain.is_warm_for(shapes);
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

    /// Enqueues one call, by a captured graph where `mode` says so.
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
        let calls = self.calls;
        if let Some(captured) = self.graphs.iter_mut().find(|captured| shapes.are(&captured.key)) {
            captured.used = calls;
            // SAFETY: the caller's promise; the graph's buffers and context are the slot's.
            return unsafe { captured.replay(addresses, stream) };
        }
        if self.wants_capture(parts, shapes, mode)? {
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

    fn wants_capture(&mut self, parts: &Parts, shapes: Shapes<'_>, mode: CudaGraph) -> Result<bool> {
        match mode {
            CudaGraph::Never => Ok(false),
            CudaGraph::Always => Ok(true),
            CudaGraph::Auto if self.refused => Ok(false),
            CudaGraph::Auto => {
                let count = self.count(shapes);
                Ok(count >= WORTH_CAPTURING && sizes(parts, shapes)?.total() <= MOST_COPIED)
            }
        }
    }

    /// Counts the calls of these shapes.
    fn count(&mut self, shapes: Shapes<'_>) -> u32 {
        if let Some((_, count)) = self.seen.iter_mut().find(|(key, _)| shapes.are(key)) {
            *count = count.saturating_add(1);
            return *count;
        }
        if self.seen.len() == COUNTED {
            self.seen.remove(0);
        }
        self.seen.push((shapes.key(), 1));
        1
    }

    /// Runs the call in buffers of a graph's own, then captures the same for the calls to come.
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
        let _relaxed = RelaxedCapture::begin()?;
        let mut runner = Runner::new(parts, &self.scratch)?;
        let buffers = Buffers::new(parts, &sizes(parts, shapes)?)?;
        let own = &self.own;
        let (inputs, outputs) = buffers.addresses();
        let inner = Addresses { inputs: &inputs, outputs: &outputs };
        // SAFETY: the buffers are as large as the shapes say; the scratch memory is this slot's, whose turn it is on
        // `stream`. What is captured does not run, and is launched only in the slot's turn.
        let graph = unsafe {
            buffers.reading(addresses).try_for_each(|copy| stream.copy(copy))?;
            runner.enqueue(parts, shapes, inner, stream)?;
            buffers.writing(addresses).try_for_each(|copy| stream.copy(copy))?;
            // TensorRT prepares itself for new shapes in the first run, which must not fall into the capture.
            stream.synchronize()?;
            let (before, after) = (buffers.reading(addresses), buffers.writing(addresses));
            let (before, after): (Copies, Copies) = (before.collect(), after.collect());
            own.capture(&before, &after, || runner.enqueue(parts, shapes, inner, own.get()))?
        };
        if self.graphs.len() == GRAPHS {
            self.drop_oldest();
        }
        self.graphs.push(Captured { graph, _runner: runner, buffers, key: shapes.key(), used: self.calls });
        Ok(())
    }

    /// Drops the graph that was not used for longest. The slot's work is over: its caller just synchronized.
    fn drop_oldest(&mut self) {
        let oldest = self.graphs.iter().enumerate().min_by_key(|(_, captured)| captured.used);
        if let Some((index, _)) = oldest {
            self.graphs.swap_remove(index);
        }
    }

    /// Runs once at these shapes, on zeros, so that what follows can be captured by the caller.
    pub(super) fn warm_up(&mut self, parts: &Parts, shapes: Shapes<'_>) -> Result<()> {
        let buffers = Buffers::new(parts, &sizes(parts, shapes)?)?;
        let own = self.own.get();
        buffers.memory.clear(own)?;
        let (inputs, outputs) = buffers.addresses();
        let inner = Addresses { inputs: &inputs, outputs: &outputs };
        self.take_turn(own)?;
        // SAFETY: the buffers are as large as the shapes say and live until the stream passed the run; it is the
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

impl Captured {
    /// # Safety
    /// As for [`Slot::run`].
    unsafe fn replay(&mut self, addresses: Addresses<'_>, stream: Stream) -> Result<()> {
        let copies = self.buffers.reading(addresses).chain(self.buffers.writing(addresses));
        // SAFETY: the caller's promise; buffers and context are alive as long as the graph, in the slot's turn.
        unsafe { self.graph.launch(copies, stream) }
    }
}

/// Bytes of every input and output at some shapes.
struct Bytes {
    inputs: SmallVec<[usize; 4]>,
    outputs: SmallVec<[usize; 4]>,
}

impl Bytes {
    fn total(&self) -> usize {
        self.inputs.iter().chain(&self.outputs).sum()
    }
}

fn sizes(parts: &Parts, shapes: Shapes<'_>) -> Result<Bytes> {
    let checked = parts.spec.check(shapes.inputs, shapes.profile)?;
    let bytes = |dtype, dims: &[i64]| byte_len(dtype, dims).ok_or_else(|| Error::BadDims { dims: dims.to_vec() });
    let inputs = parts.spec.inputs.iter().zip(shapes.inputs).map(|(io, dims)| bytes(io.dtype, dims));
    let outputs = parts.spec.outputs.iter().enumerate().map(|(index, io)| match checked.output_dims(index)? {
        Some(dims) => bytes(io.dtype, &dims),
        None => Err(Error::OutputDependsOnData { output: io.name.clone() }),
    });
    Ok(Bytes { inputs: inputs.collect::<Result<_>>()?, outputs: outputs.collect::<Result<_>>()? })
}

impl Buffers {
    fn new(parts: &Parts, bytes: &Bytes) -> Result<Self> {
        const ALIGNMENT: usize = 256;
        // An empty tensor gets an address of its own too.
        let padded = |bytes: &usize| bytes.next_multiple_of(ALIGNMENT).max(ALIGNMENT);
        let total: usize = bytes.inputs.iter().chain(&bytes.outputs).map(padded).sum();
        let memory = parts.device.allocate(total)?;
        let mut offset = 0usize;
        let mut place = |bytes: &usize| {
            let span = (memory.as_ptr().wrapping_byte_add(offset), *bytes);
            offset += padded(bytes);
            span
        };
        let inputs = bytes.inputs.iter().map(&mut place).collect();
        let outputs = bytes.outputs.iter().map(&mut place).collect();
        Ok(Self { memory, inputs, outputs })
    }

    fn addresses(&self) -> (SmallVec<[*mut c_void; 4]>, SmallVec<[*mut c_void; 4]>) {
        let addresses = |spans: &Spans| spans.iter().map(|(address, _)| *address).collect();
        (addresses(&self.inputs), addresses(&self.outputs))
    }

    /// Copies of a caller's inputs into the buffers.
    fn reading(&self, from: Addresses<'_>) -> impl Iterator<Item = Copy> {
        let pairs = self.inputs.iter().zip(from.inputs);
        pairs.map(|((to, bytes), from)| Copy { to: *to, from: *from, bytes: *bytes })
    }

    /// Copies of the buffers into a caller's outputs.
    fn writing(&self, to: Addresses<'_>) -> impl Iterator<Item = Copy> {
        let pairs = self.outputs.iter().zip(to.outputs);
        pairs.map(|((from, bytes), to)| Copy { to: *to, from: *from, bytes: *bytes })
    }
}
