//! Captures and graphs, and which calls CUDA forbids meanwhile.
#![allow(non_snake_case, reason = "the driver's own names")]

use crate::declare::{answer, driver};
use crate::world::{
    CAPTURE_INVALIDATED, CAPTURE_UNSUPPORTED, Capture, Code, INVALID_HANDLE, INVALID_VALUE, Node, Op, SUCCESS, World,
    call,
};
use cudarc::driver::sys::CUDA_MEMCPY3D;
use std::cell::Cell;
use std::ffi::c_uint;

const GLOBAL: c_uint = 0;
const RELAXED: c_uint = 2;

thread_local! {
    static MODE: Cell<c_uint> = const { Cell::new(GLOBAL) };
}

/// Sets the capture mode of this thread, and returns the former one.
pub(crate) fn swap_mode(mode: c_uint) -> c_uint {
    MODE.replace(mode)
}

/// Refuses a call that must not be made during a capture, and spoils the capture, as the driver does.
pub(crate) fn prohibit(world: &mut World) -> Code {
    let (mode, here) = (MODE.get(), std::thread::current().id());
    if mode == RELAXED {
        return SUCCESS;
    }
    let forbids = |capture: &Capture| match capture.mode {
        RELAXED => false,
        GLOBAL => mode == GLOBAL || capture.thread == here,
        _ => capture.thread == here,
    };
    let captures = world.streams.values_mut().filter_map(|stream| stream.capture.as_mut());
    let mut code = SUCCESS;
    for capture in captures.filter(|capture| forbids(capture)) {
        capture.invalid = true;
        code = CAPTURE_UNSUPPORTED;
    }
    code
}

fn copy(parameters: &CUDA_MEMCPY3D) -> Op {
    let CUDA_MEMCPY3D { dstDevice, srcDevice, WidthInBytes, .. } = *parameters;
    Op::Copy { to: dstDevice as usize, from: srcDevice as usize, bytes: WidthInBytes }
}

driver! {
    /// Begins a capture.
    fn cuStreamBeginCapture_v2(stream: usize, mode: c_uint) {
        call(|world| {
            let Some(stream) = world.streams.get_mut(&stream) else { return INVALID_HANDLE };
            if stream.capture.is_some() { return CAPTURE_UNSUPPORTED }
            let thread = std::thread::current().id();
            stream.capture = Some(Capture { ops: Vec::new(), mode, thread, invalid: false });
            SUCCESS
        })
    }

    /// Ends a capture: a graph of one node.
    fn cuStreamEndCapture(stream: usize, graph: *mut usize) {
        call(|world| {
            let Some(capture) = world.streams.get_mut(&stream).and_then(|stream| stream.capture.take()) else {
                return INVALID_VALUE;
            };
            if capture.invalid { return CAPTURE_INVALIDATED }
            world.counts.captures += 1;
            let (handle, node) = (world.handle(), world.handle());
            world.graphs.insert(handle, vec![Node { handle: node, ops: capture.ops }]);
            // SAFETY: the caller's promise.
            unsafe { answer(graph, handle) }
        })
    }

    /// Whether the stream is captured: 0 no, 1 yes, 2 no longer, after a mistake.
    fn cuStreamIsCapturing(stream: usize, status: *mut c_uint) {
        call(|world| {
            let Some(stream) = world.streams.get(&stream) else { return INVALID_HANDLE };
            let now = stream.capture.as_ref().map_or(0, |capture| if capture.invalid { 2 } else { 1 });
            // SAFETY: the caller's promise.
            unsafe { answer(status, now) }
        })
    }

    /// An empty graph.
    fn cuGraphCreate(graph: *mut usize, _flags: c_uint) {
        call(|world| {
            let handle = world.handle();
            world.graphs.insert(handle, Vec::new());
            // SAFETY: the caller's promise.
            unsafe { answer(graph, handle) }
        })
    }

    /// Ends a graph.
    fn cuGraphDestroy(graph: usize) {
        call(|world| if world.graphs.remove(&graph).is_some() { SUCCESS } else { INVALID_HANDLE })
    }

    /// Adds a copy.
    fn cuGraphAddMemcpyNode(
        node: *mut usize, graph: usize, depends: *const usize, count: usize, parameters: *const CUDA_MEMCPY3D,
        _context: usize
    ) {
        // SAFETY: the caller's promise.
        let op = unsafe { copy(&*parameters) };
        // SAFETY: as above.
        call(|world| unsafe { add(world, graph, (depends, count), vec![op], node) })
    }

    /// Adds what another graph does.
    fn cuGraphAddChildGraphNode(node: *mut usize, graph: usize, depends: *const usize, count: usize, child: usize) {
        call(|world| {
            let Some(child) = world.graphs.get(&child) else { return INVALID_HANDLE };
            let ops = child.iter().flat_map(|node| node.ops.clone()).collect();
            // SAFETY: the caller's promise.
            unsafe { add(world, graph, (depends, count), ops, node) }
        })
    }

    /// An executable: a graph of its own from here on.
    fn cuGraphInstantiateWithFlags(executable: *mut usize, graph: usize, _flags: u64) {
        call(|world| {
            let Some(nodes) = world.graphs.get(&graph).cloned() else { return INVALID_HANDLE };
            let handle = world.handle();
            world.graphs.insert(handle, nodes);
            // SAFETY: the caller's promise.
            unsafe { answer(executable, handle) }
        })
    }

    /// Other addresses for a copy; launches before are not touched.
    fn cuGraphExecMemcpyNodeSetParams(
        executable: usize, node: usize, parameters: *const CUDA_MEMCPY3D, _context: usize
    ) {
        // SAFETY: the caller's promise.
        let op = unsafe { copy(&*parameters) };
        call(|world| {
            let nodes = world.graphs.get_mut(&executable);
            let Some(known) = nodes.and_then(|nodes| nodes.iter_mut().find(|known| known.handle == node)) else {
                return INVALID_HANDLE;
            };
            known.ops = vec![op];
            SUCCESS
        })
    }

    /// Enqueues what the executable does.
    fn cuGraphLaunch(executable: usize, stream: usize) {
        call(|world| {
            let Some(nodes) = world.graphs.get(&executable).cloned() else { return INVALID_HANDLE };
            world.counts.launches += 1;
            let ops = nodes.into_iter().flat_map(|node| node.ops);
            ops.map(|op| world.enqueue(stream, op)).find(|code| *code != SUCCESS).unwrap_or(SUCCESS)
        })
    }

    /// Ends an executable; launches under way go on.
    fn cuGraphExecDestroy(executable: usize) {
        call(|world| if world.graphs.remove(&executable).is_some() { SUCCESS } else { INVALID_HANDLE })
    }
}

/// Adds a node behind those that it depends on, which is all the order there is here.
///
/// # Safety
/// `depends` holds that many nodes, or there are none; `node` may be written.
unsafe fn add(
    world: &mut World,
    graph: usize,
    (depends, count): (*const usize, usize),
    ops: Vec<Op>,
    node: *mut usize,
) -> Code {
    let handle = world.handle();
    let Some(nodes) = world.graphs.get_mut(&graph) else { return INVALID_HANDLE };
    // SAFETY: the caller's promise.
    let known = (0..count).all(|index| nodes.iter().any(|node| node.handle == unsafe { *depends.add(index) }));
    if !known {
        return INVALID_VALUE;
    }
    nodes.push(Node { handle, ops });
    // SAFETY: the caller's promise.
    unsafe { answer(node, handle) }
}
