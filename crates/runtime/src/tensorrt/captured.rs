//! The CUDA graphs of one set of input shapes.
//!
//! One works in memory of its own, between copies of a call's tensors in and out: it serves any addresses. The
//! addresses of calls tend to come again, since callers keep buffers and PyTorch's allocator gives freed memory out
//! anew: those that keep coming get a graph that reads and writes right there. It must not know whose turn it is.

use super::runner::{Addresses, Key, Parts, Runner, Shapes};
use super::tally::Tally;
use crate::cuda::{Copy, DeviceMemory, Graph, OwnedStream, RelaxedCapture, Stream};
use crate::tensor::byte_len;
use crate::{Error, Result};
use smallvec::SmallVec;
use std::ffi::c_void;

/// The call with the same addresses that captures a graph for them.
const WORTH_BINDING: u32 = 8;
/// Graphs that are bound to addresses.
const BOUND: usize = 4;
/// Calls after which a bound graph that served none of them makes room for another. Callers whose addresses change
/// all the time must not pay for contexts and captures, which take as long as thousands of copies.
const PATIENCE: u64 = 1000;
/// Sets of addresses that calls are counted of.
const COUNTED: usize = 16;

/// Graphs for one set of input shapes, each with a context that must not change while it exists.
#[derive(Debug)]
pub(super) struct Captured {
    // In the order of dropping: graphs before the context and the memory that they use.
    copying: Graph,
    _runner: Runner,
    bound: Vec<Bound>,
    buffers: Buffers,
    key: Key,
    calls: u64,
    seen: Tally<Place, COUNTED>,
    /// Whether a graph of fixed addresses could not be captured.
    refused: bool,
}

/// A graph that reads and writes at fixed addresses.
#[derive(Debug)]
struct Bound {
    graph: Graph,
    _runner: Runner,
    place: Place,
    /// The call that used it last.
    used: u64,
}

/// Where the inputs and the outputs of a call lay.
#[derive(Debug)]
struct Place {
    inputs: SmallVec<[usize; 4]>,
    outputs: SmallVec<[usize; 4]>,
}

/// Memory of our own for every input and output.
#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) memory: DeviceMemory,
    inputs: Spans,
    outputs: Spans,
}

/// Copies of the inputs, or of the outputs.
type Copies = SmallVec<[Copy; 4]>;
/// Address and length of tensors.
type Spans = SmallVec<[(*mut c_void, usize); 4]>;

// SAFETY: the addresses are those of `memory`, which may be used from any thread.
unsafe impl Send for Buffers {}

/// What a call runs with: the engine's contexts and their scratch memory.
#[derive(Clone, Copy)]
pub(super) struct Resources<'a> {
    pub(super) parts: &'a Parts,
    pub(super) scratch: &'a DeviceMemory,
}

/// The stream of the caller, and the one on which graphs are captured.
#[derive(Clone, Copy)]
pub(super) struct Streams<'a> {
    pub(super) caller: Stream,
    pub(super) own: &'a OwnedStream,
}

impl Captured {
    /// Runs the call in buffers of a graph's own, then captures the same for the calls to come.
    ///
    /// # Safety
    /// As for [`Runner::enqueue`], with this scratch memory; the streams are not being captured.
    pub(super) unsafe fn new(
        Resources { parts, scratch }: Resources<'_>,
        shapes: Shapes<'_>,
        addresses: Addresses<'_>,
        Streams { caller: stream, own }: Streams<'_>,
    ) -> Result<Self> {
        let _relaxed = RelaxedCapture::begin()?;
        let mut runner = Runner::new(parts, scratch)?;
        let buffers = Buffers::new(parts, shapes)?;
        let (inputs, outputs) = buffers.addresses();
        let inner = Addresses { inputs: &inputs, outputs: &outputs };
        // SAFETY: the buffers are as large as the shapes require; the rest is the caller's promise. What is captured
        // does not run.
        let copying = unsafe {
            buffers.reading(addresses).try_for_each(|copy| stream.copy(copy))?;
            runner.enqueue(parts, shapes, inner, stream)?;
            buffers.writing(addresses).try_for_each(|copy| stream.copy(copy))?;
            // TensorRT prepares itself for new shapes in the first run, which must not fall into the capture.
            stream.synchronize()?;
            let (before, after) = (buffers.reading(addresses), buffers.writing(addresses));
            let (before, after): (Copies, Copies) = (before.collect(), after.collect());
            Graph::capture(own, &before, &after, || runner.enqueue(parts, shapes, inner, own.get()))?
        };
        let (key, bound, seen) = (shapes.key(), Vec::new(), Tally::default());
        Ok(Self { copying, _runner: runner, bound, buffers, key, calls: 0, seen, refused: false })
    }

    pub(super) fn is_for(&self, shapes: Shapes<'_>) -> bool {
        shapes.are(&self.key)
    }

    /// Launches the graph of these addresses, or the one that copies.
    ///
    /// # Safety
    /// As for [`Self::new`].
    pub(super) unsafe fn replay(
        &mut self,
        resources: Resources<'_>,
        shapes: Shapes<'_>,
        addresses: Addresses<'_>,
        streams: Streams<'_>,
    ) -> Result<()> {
        self.calls += 1;
        // SAFETY: the caller's promise; buffers and contexts live as long as the graphs.
        unsafe {
            if let Some(bound) = self.bound.iter_mut().find(|bound| bound.place.is(addresses)) {
                bound.used = self.calls;
                return bound.graph.launch(std::iter::empty(), streams.caller);
            }
            if self.is_worth_binding(addresses) {
                match self.bind(resources, shapes, addresses, streams) {
                    Ok(()) => return Ok(()),
                    Err(error) => {
                        tracing::debug!(target: "torch2trt::runtime", %error, "no CUDA graph is bound to addresses");
                        self.refused = true;
                    }
                }
            }
            let copies = self.buffers.reading(addresses).chain(self.buffers.writing(addresses));
            self.copying.launch(copies, streams.caller)
        }
    }

    /// Counts the call, and returns whether its addresses deserve a graph and there is room for one.
    fn is_worth_binding(&mut self, addresses: Addresses<'_>) -> bool {
        if self.refused {
            return false;
        }
        let often = self.seen.count(|place| place.is(addresses), || Place::of(addresses)) >= WORTH_BINDING;
        often && self.bound.iter().filter(|bound| bound.is_in_use(self.calls)).count() < BOUND
    }

    /// Runs the call, and captures it for those with the same addresses.
    ///
    /// # Safety
    /// As for [`Self::new`].
    unsafe fn bind(
        &mut self,
        Resources { parts, scratch }: Resources<'_>,
        shapes: Shapes<'_>,
        addresses: Addresses<'_>,
        Streams { caller: stream, own }: Streams<'_>,
    ) -> Result<()> {
        let _relaxed = RelaxedCapture::begin()?;
        let mut runner = Runner::new(parts, scratch)?;
        // SAFETY: the caller's promise. What is captured does not run.
        let graph = unsafe {
            runner.enqueue(parts, shapes, addresses, stream)?;
            // As in `new`; and graphs that go have run.
            stream.synchronize()?;
            Graph::capture(own, &[], &[], || runner.enqueue(parts, shapes, addresses, own.get()))?
        };
        self.bound.retain(|bound| bound.is_in_use(self.calls));
        self.bound.push(Bound { graph, _runner: runner, place: Place::of(addresses), used: self.calls });
        Ok(())
    }
}

impl Bound {
    fn is_in_use(&self, calls: u64) -> bool {
        calls - self.used <= PATIENCE
    }
}

impl Place {
    fn of(addresses: Addresses<'_>) -> Self {
        let numbers = |pointers: &[*mut c_void]| pointers.iter().map(|pointer| pointer.addr()).collect();
        Self { inputs: numbers(addresses.inputs), outputs: numbers(addresses.outputs) }
    }

    fn is(&self, addresses: Addresses<'_>) -> bool {
        let same = |known: &[usize], pointers: &[*mut c_void]| {
            known.iter().zip(pointers).all(|(known, pointer)| *known == pointer.addr())
        };
        same(&self.inputs, addresses.inputs) && same(&self.outputs, addresses.outputs)
    }
}

/// Bytes of every input and output at some shapes.
struct Bytes {
    inputs: SmallVec<[usize; 4]>,
    outputs: SmallVec<[usize; 4]>,
}

impl Bytes {
    fn of(parts: &Parts, shapes: Shapes<'_>) -> Result<Self> {
        let checked = parts.spec.check(shapes.inputs, shapes.profile)?;
        let bytes = |dtype, dims: &[i64]| byte_len(dtype, dims).ok_or_else(|| Error::BadDims { dims: dims.to_vec() });
        let inputs = parts.spec.inputs.iter().zip(shapes.inputs).map(|(io, dims)| bytes(io.dtype, dims));
        let outputs = parts.spec.outputs.iter().enumerate().map(|(index, io)| match checked.output_dims(index)? {
            Some(dims) => bytes(io.dtype, &dims),
            None => Err(Error::OutputDependsOnData { output: io.name.clone() }),
        });
        Ok(Self { inputs: inputs.collect::<Result<_>>()?, outputs: outputs.collect::<Result<_>>()? })
    }
}

/// Bytes of all inputs and outputs together.
pub(super) fn total_bytes(parts: &Parts, shapes: Shapes<'_>) -> Result<usize> {
    let bytes = Bytes::of(parts, shapes)?;
    Ok(bytes.inputs.iter().chain(&bytes.outputs).sum())
}

impl Buffers {
    pub(super) fn new(parts: &Parts, shapes: Shapes<'_>) -> Result<Self> {
        const ALIGNMENT: usize = 256;
        let bytes = Bytes::of(parts, shapes)?;
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

    pub(super) fn addresses(&self) -> (SmallVec<[*mut c_void; 4]>, SmallVec<[*mut c_void; 4]>) {
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
