//! The CUDA edge: the few driver calls that running an engine needs, loaded at run time.
//!
//! Devices, streams, events, memory, and graphs in `graph.rs`, each a type that frees what it holds. Nothing here links
//! libcuda: `cudarc` loads the driver when the first device is asked for, and a machine without one gets an error. It
//! must not know TensorRT.

mod graph;

pub(crate) use graph::Graph;

use crate::{Error, Result};
use cudarc::driver::{DriverError, result, sys};
use std::ffi::c_void;
use std::marker::PhantomData;
use std::time::Duration;

/// A GPU, through its primary context (the one that PyTorch and the CUDA runtime use).
#[derive(Clone, Debug)]
pub struct CudaDevice {
    index: u32,
    name: String,
    capability: (i32, i32),
    context: Context,
}

/// A primary context. It is retained and never released: PyTorch holds it for the life of the process anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Context(sys::CUcontext);

// SAFETY: the driver's contexts may be used from any thread.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

/// Makes a device current on this thread until it is dropped.
#[derive(Debug)]
pub struct Entered {
    /// Whether it was pushed, as opposed to current already.
    pushed: bool,
    /// Belongs to the thread that entered.
    _thread: PhantomData<*const ()>,
}

impl CudaDevice {
    /// The device of this index, as CUDA counts them.
    ///
    /// # Errors
    /// [`Error::NoCuda`] without a driver, a GPU, or a GPU of that index.
    pub fn new(index: u32) -> Result<Self> {
        let missing = |reason: String| Error::NoCuda { index, reason };
        // SAFETY: the CUDA driver is made to be loaded at run time.
        if !unsafe { sys::is_culib_present() } {
            return Err(missing("the CUDA driver (libcuda.so.1) is not installed".into()));
        }
        let failure = |e: DriverError| missing(format!("the CUDA driver reports {}", words(e)));
        result::init().map_err(failure)?;
        let count = result::device::get_count().map_err(failure)?;
        let ordinal = i32::try_from(index).ok().filter(|i| *i < count);
        let Some(ordinal) = ordinal else { return Err(missing(format!("the CUDA driver sees {count} GPUs"))) };
        let device = result::device::get(ordinal).map_err(failure)?;
        let name = result::device::get_name(device).map_err(failure)?;
        // SAFETY: the device is one that the driver just gave.
        let (context, major, minor) = unsafe {
            use sys::CUdevice_attribute as A;
            (
                result::primary_ctx::retain(device).map_err(failure)?,
                result::device::get_attribute(device, A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
                    .map_err(failure)?,
                result::device::get_attribute(device, A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
                    .map_err(failure)?,
            )
        };
        Ok(Self { index, name, capability: (major, minor), context: Context(context) })
    }

    /// Its index.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Its name, such as `NVIDIA H200`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its compute capability, major and minor.
    pub fn capability(&self) -> (i32, i32) {
        self.capability
    }

    /// Makes it current on this thread while the returned value lives.
    ///
    /// # Errors
    /// [`Error::Cuda`] where the driver fails.
    pub fn enter(&self) -> Result<Entered> {
        self.context.enter()
    }

    /// Allocates device memory; at least one byte.
    pub(crate) fn allocate(&self, bytes: usize) -> Result<DeviceMemory> {
        let _here = self.enter()?;
        let _relaxed = RelaxedCapture::begin()?;
        // SAFETY: the context is current; the memory is freed by `DeviceMemory` alone.
        let address = unsafe { result::malloc_sync(bytes.max(1)) };
        let address = address.map_err(|e| failed("allocate device memory", e))?;
        Ok(DeviceMemory { address, bytes, context: self.context })
    }

    /// New memory with a copy of these bytes, complete on return.
    pub(crate) fn upload(&self, bytes: &[u8]) -> Result<DeviceMemory> {
        let memory = self.allocate(bytes.len())?;
        let _here = self.enter()?;
        let _relaxed = RelaxedCapture::begin()?;
        // SAFETY: the memory is ours and as long as the bytes.
        let copied = unsafe { result::memcpy_htod_sync(memory.address, bytes) };
        copied.map_err(|e| failed("copy to the device", e))?;
        Ok(memory)
    }

    /// Copies device memory into `to`, complete on return.
    ///
    /// # Safety
    /// `address` is readable on this device for as many bytes as `to` has.
    pub(crate) unsafe fn download(&self, address: *const u8, to: &mut [u8]) -> Result<()> {
        let _here = self.enter()?;
        let _relaxed = RelaxedCapture::begin()?;
        // SAFETY: the caller's promise.
        let copied = unsafe { result::memcpy_dtoh_sync(to, address as sys::CUdeviceptr) };
        copied.map_err(|e| failed("copy from the device", e))
    }

    /// Makes an event.
    pub(crate) fn event(&self) -> Result<Event> {
        self.event_of(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING)
    }

    /// Makes an event that records when it was passed.
    pub(crate) fn timed_event(&self) -> Result<Event> {
        self.event_of(sys::CUevent_flags::CU_EVENT_DEFAULT)
    }

    fn event_of(&self, flags: sys::CUevent_flags) -> Result<Event> {
        let _here = self.enter()?;
        let event = result::event::create(flags);
        Ok(Event { event: event.map_err(|e| failed("make an event", e))?, context: self.context })
    }

    /// Makes a stream that does not wait for the default one.
    pub(crate) fn stream(&self) -> Result<OwnedStream> {
        let _here = self.enter()?;
        let stream = result::stream::create(result::stream::StreamKind::NonBlocking);
        Ok(OwnedStream { stream: Stream(stream.map_err(|e| failed("make a stream", e))?), context: self.context })
    }
}

impl Context {
    fn enter(self) -> Result<Entered> {
        let current = result::ctx::get_current().map_err(|e| failed("read the current context", e))?;
        let pushed = current != Some(self.0);
        if pushed {
            // SAFETY: the primary context stays retained for the life of the process.
            unsafe { sys::cuCtxPushCurrent_v2(self.0) }.result().map_err(|e| failed("enter the device", e))?;
        }
        Ok(Entered { pushed, _thread: PhantomData })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.pushed {
            let mut popped = std::ptr::null_mut();
            // SAFETY: pops what `enter` pushed on this thread: `Entered` cannot leave it.
            unsafe { sys::cuCtxPopCurrent_v2(&raw mut popped) };
        }
    }
}

/// A copy within device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) to: *mut c_void,
    pub(crate) from: *const c_void,
    pub(crate) bytes: usize,
}

/// A stream's address; null is the legacy default stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream(sys::CUstream);

// SAFETY: streams may be used from any thread.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    /// The stream at an address.
    ///
    /// # Safety
    /// It is null or a live stream of the device that is current when the stream is used, and stays so.
    pub(crate) unsafe fn from_address(address: usize) -> Self {
        Self(address as sys::CUstream)
    }

    pub(crate) fn as_ptr(self) -> *mut c_void {
        self.0.cast()
    }

    /// Whether work enqueued on it is being captured into a graph instead of run.
    pub(crate) fn is_capturing(self) -> Result<bool> {
        use sys::{CUresult, CUstreamCaptureStatus as S};
        // SAFETY: whoever made the value promised a live stream.
        match unsafe { result::stream::is_capturing(self.0) } {
            Ok(S::CU_STREAM_CAPTURE_STATUS_NONE) => Ok(false),
            Ok(S::CU_STREAM_CAPTURE_STATUS_ACTIVE) => Ok(true),
            // The default stream while another one is captured: the call that enqueues reports the error.
            Err(DriverError(CUresult::CUDA_ERROR_STREAM_CAPTURE_IMPLICIT)) => Ok(false),
            Ok(_) => Err(failed("use a capture", DriverError(CUresult::CUDA_ERROR_STREAM_CAPTURE_INVALIDATED))),
            Err(e) => Err(failed("ask whether the stream is captured", e)),
        }
    }

    pub(crate) fn synchronize(self) -> Result<()> {
        let _relaxed = RelaxedCapture::begin()?;
        // SAFETY: whoever made the value promised a live stream.
        unsafe { result::stream::synchronize(self.0) }.map_err(|e| failed("finish the work on the stream", e))
    }

    /// Enqueues a copy within device memory.
    ///
    /// # Safety
    /// The bytes at both addresses are device memory that stays, and is not otherwise used, until the stream passed it.
    pub(crate) unsafe fn copy(self, copy: Copy) -> Result<()> {
        if copy.bytes == 0 {
            return Ok(());
        }
        // SAFETY: the caller's promise.
        unsafe { result::memcpy_dtod_async(copy.to as u64, copy.from as u64, copy.bytes, self.0) }
            .map_err(|e| failed("copy device memory", e))
    }

    /// Whether it is the legacy default stream.
    pub(crate) fn is_default(self) -> bool {
        self.0.is_null()
    }
}

/// A stream of our own.
#[derive(Debug)]
pub(crate) struct OwnedStream {
    stream: Stream,
    context: Context,
}

impl OwnedStream {
    pub(crate) fn get(&self) -> Stream {
        self.stream
    }
}

impl Drop for OwnedStream {
    fn drop(&mut self) {
        let _here = self.context.enter();
        // SAFETY: ours alone; the driver lets enqueued work finish. Errors at exit have nobody to go to.
        let _ = unsafe { result::stream::destroy(self.stream.0) };
    }
}

/// A point in a stream.
#[derive(Debug)]
pub(crate) struct Event {
    event: sys::CUevent,
    context: Context,
}

// SAFETY: events may be used from any thread.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    pub(crate) fn record(&self, stream: Stream) -> Result<()> {
        // SAFETY: the event is ours, the stream live.
        unsafe { result::event::record(self.event, stream.0) }.map_err(|e| failed("record an event", e))
    }

    /// Whether the stream passed it. An event that was never recorded counts as passed.
    pub(crate) fn is_done(&self) -> bool {
        let _relaxed = RelaxedCapture::begin();
        // SAFETY: the event is ours.
        unsafe { result::event::query(self.event) }.is_ok()
    }

    /// Makes a stream wait for it.
    pub(crate) fn hold(&self, stream: Stream) -> Result<()> {
        let flags = sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
        // SAFETY: the event is ours, the stream live.
        unsafe { result::stream::wait_event(stream.0, self.event, flags) }.map_err(|e| failed("wait for an event", e))
    }

    /// The time between another event and this one, both of which are timed and were passed.
    pub(super) fn since(&self, earlier: &Self) -> Result<Duration> {
        let _here = self.context.enter()?;
        // SAFETY: the events are ours.
        let milliseconds = unsafe { result::event::elapsed(earlier.event, self.event) };
        let milliseconds = milliseconds.map_err(|e| failed("read the time between events", e))?;
        Ok(Duration::from_secs_f64(f64::from(milliseconds.max(0.0)) * 1e-3))
    }

    /// Waits for it on this thread.
    pub(crate) fn synchronize(&self) -> Result<()> {
        let _relaxed = RelaxedCapture::begin()?;
        // SAFETY: the event is ours.
        unsafe { result::event::synchronize(self.event) }.map_err(|e| failed("wait for an event", e))
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let _here = self.context.enter();
        // SAFETY: ours alone.
        let _ = unsafe { result::event::destroy(self.event) };
    }
}

/// Device memory, aligned to 256 bytes.
#[derive(Debug)]
pub(crate) struct DeviceMemory {
    address: sys::CUdeviceptr,
    bytes: usize,
    context: Context,
}

impl DeviceMemory {
    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.address as *mut c_void
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    /// Enqueues filling it with zeros.
    pub(crate) fn clear(&self, stream: Stream) -> Result<()> {
        // SAFETY: the memory is ours and as long as that; the stream is live.
        unsafe { result::memset_d8_async(self.address, 0, self.bytes, stream.0) }
            .map_err(|e| failed("clear device memory", e))
    }
}

impl Drop for DeviceMemory {
    fn drop(&mut self) {
        let _here = self.context.enter();
        let _relaxed = RelaxedCapture::begin();
        // SAFETY: ours alone; the driver waits for what still uses it.
        let _ = unsafe { result::free_sync(self.address) };
    }
}

/// Lets this thread allocate memory, wait, and ask for events while some thread captures a stream: CUDA otherwise takes
/// each for a mistake, which ends that capture.
#[derive(Debug)]
pub(crate) struct RelaxedCapture(sys::CUstreamCaptureMode);

impl RelaxedCapture {
    pub(crate) fn begin() -> Result<Self> {
        let mut mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
        // SAFETY: exchanges a thread's own setting.
        let done = unsafe { sys::cuThreadExchangeStreamCaptureMode(&raw mut mode) }.result();
        done.map_err(|e| failed("relax the capture mode", e))?;
        Ok(Self(mode))
    }
}

impl Drop for RelaxedCapture {
    fn drop(&mut self) {
        // SAFETY: puts back what `begin` took.
        unsafe { sys::cuThreadExchangeStreamCaptureMode(&raw mut self.0) };
    }
}

fn failed(doing: &'static str, error: DriverError) -> Error {
    Error::Cuda { doing, words: words(error) }
}

/// The driver's name and words for an error.
fn words(error: DriverError) -> String {
    let text = |t: std::result::Result<&std::ffi::CStr, DriverError>| t.ok().map(|t| t.to_string_lossy().into_owned());
    match (text(error.error_name()), text(error.error_string())) {
        (Some(name), Some(words)) => format!("{name}: {words}"),
        _ => format!("{:?}", error.0),
    }
}
