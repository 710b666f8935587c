//! The functions of the CUDA driver, as far as the engine and its tests call them. One device, one context.
#![allow(non_snake_case, reason = "the driver's own names")]

use crate::declare::{answer, driver};
use crate::graphs::{prohibit, swap_mode};
use crate::world::{Code, INVALID_HANDLE, INVALID_VALUE, OUT_OF_MEMORY, Op, SUCCESS, Stream, call};
use std::cell::Cell;
use std::ffi::{c_char, c_int, c_uint, c_void};

/// The only context.
const CONTEXT: usize = 0x100;

thread_local! {
    /// How often this thread entered the context.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

driver! {
    /// Starts the driver.
    fn cuInit(_flags: c_uint) { SUCCESS }

    /// CUDA 13.
    fn cuDriverGetVersion(version: *mut c_int) {
        // SAFETY: the caller's promise.
        unsafe { answer(version, 13_000) }
    }

    /// One.
    fn cuDeviceGetCount(count: *mut c_int) {
        // SAFETY: the caller's promise.
        unsafe { answer(count, 1) }
    }

    /// The device is its index.
    fn cuDeviceGet(device: *mut c_int, index: c_int) {
        // SAFETY: the caller's promise.
        if index == 0 { unsafe { answer(device, 0) } } else { INVALID_VALUE }
    }

    /// Its name.
    fn cuDeviceGetName(name: *mut c_char, length: c_int, _device: c_int) {
        let text = c"Simulated GPU".to_bytes_with_nul();
        if usize::try_from(length).unwrap_or(0) < text.len() { return INVALID_VALUE }
        // SAFETY: the caller's promise: there is room for `length` characters.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), name.cast(), text.len()) };
        SUCCESS
    }

    /// Compute capability 9.0; no other attribute is asked for.
    fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_int, _device: c_int) {
        const MAJOR: c_int = 75;
        const MINOR: c_int = 76;
        match attribute {
            // SAFETY: the caller's promise.
            MAJOR => unsafe { answer(value, 9) },
            // SAFETY: as above.
            MINOR => unsafe { answer(value, 0) },
            _ => INVALID_VALUE,
        }
    }

    /// The context.
    fn cuDevicePrimaryCtxRetain(context: *mut usize, _device: c_int) {
        // SAFETY: the caller's promise.
        unsafe { answer(context, CONTEXT) }
    }

    /// The context, where the thread entered it.
    fn cuCtxGetCurrent(context: *mut usize) {
        // SAFETY: the caller's promise.
        unsafe { answer(context, if DEPTH.get() > 0 { CONTEXT } else { 0 }) }
    }

    /// Enters it for good.
    fn cuCtxSetCurrent(context: usize) {
        DEPTH.set(usize::from(context != 0));
        SUCCESS
    }

    /// Enters it.
    fn cuCtxPushCurrent_v2(context: usize) {
        if context != CONTEXT { return INVALID_HANDLE }
        DEPTH.set(DEPTH.get() + 1);
        SUCCESS
    }

    /// Leaves it.
    fn cuCtxPopCurrent_v2(context: *mut usize) {
        let Some(depth) = DEPTH.get().checked_sub(1) else { return INVALID_VALUE };
        DEPTH.set(depth);
        // SAFETY: the caller's promise.
        unsafe { answer(context, CONTEXT) }
    }

    /// New memory.
    fn cuMemAlloc_v2(address: *mut usize, bytes: usize) {
        call(|world| {
            let code = prohibit(world);
            if code != SUCCESS { return code }
            if bytes == 0 { return INVALID_VALUE }
            let memory = world.allocate(bytes);
            // SAFETY: the caller's promise.
            unsafe { answer(address, memory) };
            if memory == 0 { OUT_OF_MEMORY } else { SUCCESS }
        })
    }

    /// Frees memory, once everything has run.
    fn cuMemFree_v2(address: usize) {
        call(|world| match prohibit(world) {
            SUCCESS => world.free(address),
            code => code,
        })
    }

    /// Fills memory.
    fn cuMemsetD8Async(at: usize, value: u8, bytes: usize, stream: usize) {
        call(|world| world.enqueue(stream, Op::Fill { at, bytes, value }))
    }

    /// Copies within the device.
    fn cuMemcpyDtoDAsync_v2(to: usize, from: usize, bytes: usize, stream: usize) {
        call(|world| world.enqueue(stream, Op::Copy { to, from, bytes }))
    }

    /// Copies from the host, on the default stream.
    fn cuMemcpyHtoD_v2(to: usize, from: *const c_void, bytes: usize) {
        call(|world| {
            let code = world.finish_stream(0);
            // SAFETY: the caller's promise: both are as long.
            unsafe { std::ptr::copy_nonoverlapping(from.cast::<u8>(), to as *mut u8, bytes) };
            code
        })
    }

    /// Copies to the host, on the default stream.
    fn cuMemcpyDtoH_v2(to: *mut c_void, from: usize, bytes: usize) {
        call(|world| {
            let code = world.finish_stream(0);
            // SAFETY: the caller's promise: both are as long.
            unsafe { std::ptr::copy_nonoverlapping(from as *const u8, to.cast::<u8>(), bytes) };
            code
        })
    }

    /// A stream.
    fn cuStreamCreate(stream: *mut usize, _flags: c_uint) {
        call(|world| {
            let handle = world.handle();
            world.streams.insert(handle, Stream::default());
            // SAFETY: the caller's promise.
            unsafe { answer(stream, handle) }
        })
    }

    /// Ends a stream; what is enqueued still runs.
    fn cuStreamDestroy_v2(stream: usize) {
        call(|world| {
            world.finish_stream(stream);
            if world.streams.remove(&stream).is_some() { SUCCESS } else { INVALID_HANDLE }
        })
    }

    /// Waits for a stream.
    fn cuStreamSynchronize(stream: usize) {
        call(|world| match prohibit(world) {
            SUCCESS => world.finish_stream(stream),
            code => code,
        })
    }

    /// Makes a stream wait for an event.
    fn cuStreamWaitEvent(stream: usize, event: usize, _flags: c_uint) {
        call(|world| world.wait(stream, event))
    }

    /// An event.
    fn cuEventCreate(event: *mut usize, _flags: c_uint) {
        // SAFETY: the caller's promise.
        call(|world| unsafe { answer(event, world.make_event()) })
    }

    /// Ends an event.
    fn cuEventDestroy_v2(event: usize) {
        call(|world| world.destroy_event(event))
    }

    /// Records an event.
    fn cuEventRecord(event: usize, stream: usize) {
        call(|world| world.record(event, stream))
    }

    /// A quarter of a millisecond, between any two events.
    fn cuEventElapsedTime(milliseconds: *mut f32, _start: usize, _end: usize) {
        // SAFETY: the caller's promise.
        unsafe { answer(milliseconds, 0.25) }
    }

    /// Whether the event was reached.
    fn cuEventQuery(event: usize) {
        call(|world| match prohibit(world) {
            SUCCESS => world.is_done(event),
            code => code,
        })
    }

    /// Waits for an event.
    fn cuEventSynchronize(event: usize) {
        call(|world| match prohibit(world) {
            SUCCESS => world.finish_event(event),
            code => code,
        })
    }

    /// Exchanges the thread's capture mode.
    fn cuThreadExchangeStreamCaptureMode(mode: *mut c_uint) {
        if mode.is_null() { return INVALID_VALUE }
        // SAFETY: the caller's promise.
        unsafe { answer(mode, swap_mode(mode.read())) }
    }

    /// The name of a result.
    fn cuGetErrorName(code: Code, text: *mut *const c_char) {
        let name = match code {
            crate::world::ILLEGAL_ADDRESS => c"CUDA_ERROR_ILLEGAL_ADDRESS",
            OUT_OF_MEMORY => c"CUDA_ERROR_OUT_OF_MEMORY",
            crate::world::CAPTURE_UNSUPPORTED => c"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
            crate::world::CAPTURE_INVALIDATED => c"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
            _ => c"CUDA_ERROR",
        };
        // SAFETY: the caller's promise.
        unsafe { answer(text, name.as_ptr()) }
    }

    /// What a result means; of a fault, what it was.
    fn cuGetErrorString(_code: Code, text: *mut *const c_char) {
        call(|world| {
            let words = world.fault.as_ref().map_or(c"simulated".as_ptr(), |fault| fault.as_ptr());
            // SAFETY: the caller's promise; a fault stays for the life of the process.
            unsafe { answer(text, words) }
        });
        SUCCESS
    }

    /// For tests: leaves so many bytes to allocate.
    fn simulatorLimit(left: usize) {
        call(|world| {
            world.most_bytes = world.live_bytes.saturating_add(left);
            SUCCESS
        })
    }

    /// For tests: copies within the device, captures and launches of graphs so far, and bytes of memory not freed.
    fn simulatorCounts(counts: *mut [u64; 4]) {
        call(|world| {
            let now = [world.counts.copies, world.counts.captures, world.counts.launches, world.live_bytes as u64];
            // SAFETY: the caller's promise.
            unsafe { answer(counts, now) }
        })
    }
}
