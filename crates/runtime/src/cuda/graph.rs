//! CUDA graphs: captured work between copies that carry a call's tensors to and from it.
//!
//! A call's addresses change, the captured ones cannot: so the work runs in memory of its own, and the graph begins and
//! ends with copies whose far ends are set before a launch, where they differ from the launch before. It must not know
//! what was captured.

use super::{Context, Copy, OwnedStream, Stream, failed};
use crate::Result;
use cudarc::driver::{result, sys};
use smallvec::SmallVec;

impl Copy {
    /// In the driver's words: one row of bytes.
    fn parameters(&self) -> sys::CUDA_MEMCPY3D {
        sys::CUDA_MEMCPY3D {
            srcXInBytes: 0,
            srcY: 0,
            srcZ: 0,
            srcLOD: 0,
            srcMemoryType: sys::CUmemorytype::CU_MEMORYTYPE_DEVICE,
            srcHost: std::ptr::null(),
            srcDevice: self.from as sys::CUdeviceptr,
            srcArray: std::ptr::null_mut(),
            reserved0: std::ptr::null_mut(),
            srcPitch: 0,
            srcHeight: 0,
            dstXInBytes: 0,
            dstY: 0,
            dstZ: 0,
            dstLOD: 0,
            dstMemoryType: sys::CUmemorytype::CU_MEMORYTYPE_DEVICE,
            dstHost: std::ptr::null_mut(),
            dstDevice: self.to as sys::CUdeviceptr,
            dstArray: std::ptr::null_mut(),
            reserved1: std::ptr::null_mut(),
            dstPitch: 0,
            dstHeight: 0,
            WidthInBytes: self.bytes,
            Height: 1,
            Depth: 1,
        }
    }
}

/// A graph as it was captured or assembled: executables are made from it.
#[derive(Debug)]
struct Template(sys::CUgraph);

impl Drop for Template {
    fn drop(&mut self) {
        // SAFETY: ours alone; executables made from it do not need it to run.
        let _ = unsafe { result::graph::destroy(self.0) };
    }
}

/// Captured work that can be launched, between copies whose addresses may change from launch to launch.
#[derive(Debug)]
pub(crate) struct Graph {
    executable: sys::CUgraphExec,
    /// What it was made from, by which the driver knows the copies.
    _template: Template,
    /// The copies before and after the work, in order; no node where there is nothing to copy.
    copies: SmallVec<[(Option<sys::CUgraphNode>, Copy); 4]>,
    context: Context,
}

// SAFETY: a graph may be launched from any one thread at a time; launching and changing it take `&mut self`. The
// addresses of its copies are only handed to the driver.
unsafe impl Send for Graph {}

impl Graph {
    /// Captures what `work` enqueues on a stream, between copies to and from the memory that it uses. Nothing of it
    /// runs.
    pub(crate) fn capture(
        on: &OwnedStream,
        before: &[Copy],
        after: &[Copy],
        work: impl FnOnce() -> Result<()>,
    ) -> Result<Self> {
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream is ours; every begun capture is ended here, and ends in a graph that is ours.
        let (done, captured) = unsafe {
            result::stream::begin_capture(on.stream.0, mode).map_err(|e| failed("begin a capture", e))?;
            (work(), result::stream::end_capture(on.stream.0).map_err(|e| failed("end the capture", e)))
        };
        let captured = captured.map(Template);
        // The reason of a failed capture is the work's own.
        done?;
        Self::new(on.context, before, &captured?, after)
    }

    fn new(context: Context, before: &[Copy], work: &Template, after: &[Copy]) -> Result<Self> {
        let failure = |e| failed("make a CUDA graph", e);
        let mut whole = std::ptr::null_mut();
        // SAFETY: makes a graph that `Template` frees.
        unsafe { sys::cuGraphCreate(&raw mut whole, 0) }.result().map_err(failure)?;
        let template = Template(whole);
        let mut copies = SmallVec::new();
        let mut add = |depends: &[sys::CUgraphNode], copy: &Copy| -> Result<Option<sys::CUgraphNode>> {
            let mut node = None;
            if copy.bytes > 0 {
                let (parameters, made) = (copy.parameters(), node.insert(std::ptr::null_mut()));
                // SAFETY: the nodes are of this graph; nothing is copied before a launch, whose caller vouches for
                // the addresses.
                unsafe {
                    let (depends, count) = (depends.as_ptr(), depends.len());
                    sys::cuGraphAddMemcpyNode(made, whole, depends, count, &raw const parameters, context.0)
                }
                .result()
                .map_err(failure)?;
            }
            copies.push((node, *copy));
            Ok(node)
        };
        let first = before.iter().map(|copy| add(&[], copy)).collect::<Result<SmallVec<[_; 4]>>>()?;
        let first: SmallVec<[_; 4]> = first.into_iter().flatten().collect();
        let mut body = std::ptr::null_mut();
        // SAFETY: the nodes are of this graph, which takes a copy of the other one.
        unsafe { sys::cuGraphAddChildGraphNode(&raw mut body, whole, first.as_ptr(), first.len(), work.0) }
            .result()
            .map_err(failure)?;
        after.iter().try_for_each(|copy| add(&[body], copy).map(drop))?;
        // SAFETY: the graph is whole.
        let executable = unsafe { result::graph::instantiate(whole, sys::CUgraphInstantiate_flags(0)) };
        Ok(Self { executable: executable.map_err(failure)?, _template: template, copies, context })
    }

    /// Enqueues the copies, at these addresses, and the work between them.
    ///
    /// # Safety
    /// The copies are those that the graph was made with but for their addresses. Everything that they and the
    /// captured work use is alive, and not otherwise used until the stream passed it.
    pub(crate) unsafe fn launch(&mut self, copies: impl Iterator<Item = Copy>, stream: Stream) -> Result<()> {
        for ((node, known), copy) in self.copies.iter_mut().zip(copies) {
            if let Some(node) = node.filter(|_| *known != copy) {
                let parameters = copy.parameters();
                // SAFETY: the node is of the graph that the executable was made from. Launches that are under way
                // keep the addresses they were launched with.
                unsafe {
                    let (graph, context) = (self.executable, self.context.0);
                    sys::cuGraphExecMemcpyNodeSetParams(graph, node, &raw const parameters, context)
                }
                .result()
                .map_err(|e| failed("change the addresses of a CUDA graph", e))?;
                *known = copy;
            }
        }
        // SAFETY: the graph is ours; the rest is the caller's promise.
        unsafe { result::graph::launch(self.executable, stream.0) }.map_err(|e| failed("launch a CUDA graph", e))
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        let _here = self.context.enter();
        // SAFETY: ours alone; the driver lets a launched graph finish.
        let _ = unsafe { result::graph::exec_destroy(self.executable) };
    }
}
