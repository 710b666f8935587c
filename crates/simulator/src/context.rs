//! Execution contexts: their settings, and what they enqueue.

use crate::object::{This, by_width, ignore, is_narrow, make, name, narrow, state, unknown, version, wide};
use crate::plan::Plan;
use crate::world::{Kernel, Op, SUCCESS, call};
use nvinfer::sys::Method;
use nvinfer::sys::layout::{Dims32, Dims64};
use nvinfer::sys::tables::{execution_context, output_allocator, profiler};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub(crate) fn allocate(bytes: usize) -> Option<usize> {
    let mut memory = None;
    call(|world| {
        memory = Some(world.allocate(bytes));
        SUCCESS
    });
    memory
}

struct Context {
    plan: Arc<Plan>,
    /// Scratch memory of its own.
    own: Option<usize>,
    alive: Arc<AtomicBool>,
    settings: Mutex<Settings>,
}

/// The settings of a context.
struct Settings {
    /// The profiler, or 0.
    profiler: usize,
    profile: Option<usize>,
    /// Of each input that was set.
    dims: Vec<Option<Vec<i64>>>,
    addresses: BTreeMap<CString, usize>,
    allocators: BTreeMap<CString, usize>,
    scratch: usize,
    /// Whether it ran at these shapes: the first run prepares, in ways that no capture allows.
    prepared: bool,
    /// Of each capture, whether the context is as it was then.
    captures: Vec<Arc<AtomicBool>>,
}

impl Settings {
    /// Any further setting invalidates what was captured from it.
    fn changes(&mut self) {
        self.captures.drain(..).for_each(|holds| holds.store(false, Ordering::SeqCst));
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.alive.store(false, Ordering::SeqCst);
        if let Some(memory) = self.own {
            call(|world| world.free(memory));
        }
    }
}

impl Context {
    /// Acts on the settings. Two threads at a time are a fault.
    fn settings<R: Default>(&self, act: impl FnOnce(&mut Settings) -> R) -> R {
        match self.settings.try_lock() {
            Ok(mut settings) => act(&mut settings),
            Err(_) => {
                unknown();
                R::default()
            }
        }
    }

    fn set_input_shape(&self, input: &CStr, dims: Vec<i64>) -> bool {
        let Some(index) = self.plan.inputs.iter().position(|known| known.as_c_str() == input) else { return false };
        self.settings(|settings| {
            let accepted = settings.profile.is_some_and(|profile| self.plan.accepts(profile, &dims));
            settings.changes();
            settings.prepared &= settings.dims[index].as_ref() == Some(&dims);
            settings.dims[index] = accepted.then_some(dims);
            accepted
        })
    }

    fn enqueue(&self, stream: usize) -> bool {
        let is_captured = || {
            let mut captured = false;
            call(|world| {
                captured = world.streams.get(&stream).is_some_and(|stream| stream.capture.is_some());
                SUCCESS
            });
            captured
        };
        self.settings(|settings| {
            let Some(dims) = settings.dims.first().cloned().flatten() else { return false };
            if settings.dims.iter().any(|other| other.as_ref() != Some(&dims)) || settings.scratch == 0 {
                return false;
            }
            let mut holds = vec![self.alive.clone()];
            if is_captured() {
                if self.plan.uncapturable || self.plan.counted || !settings.prepared {
                    return false;
                }
                let unchanged = Arc::new(AtomicBool::new(true));
                settings.captures.push(unchanged.clone());
                holds.push(unchanged);
            }
            settings.prepared = true;
            let count: usize = dims.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).product();
            let address = |tensor: &CString| settings.addresses.get(tensor).copied().filter(|address| *address != 0);
            let Some(inputs) = self.plan.inputs.iter().map(address).collect::<Option<Vec<_>>>() else { return false };
            let sums = (settings.scratch, count * size_of::<f32>());
            let mut uses: Vec<_> = inputs.iter().map(|input| (*input, sums.1)).collect();
            uses.push(sums);
            let mut ops = vec![kernel(&holds, uses, move || add_up(&inputs, sums.0, count))];
            for (number, output) in self.plan.outputs.iter().enumerate() {
                if let Some(allocator) = settings.allocators.get(output).filter(|_| self.plan.counted) {
                    let before = std::mem::take(&mut ops);
                    let numbers = (sums.0, count, number as f32);
                    let Some(op) = counted(&holds, output, *allocator, numbers, (before, stream)) else {
                        return false;
                    };
                    ops.push(op);
                    continue;
                }
                // SAFETY: the engine keeps its allocators as long as the context.
                let ask = |allocator: &usize| unsafe { ask(*allocator, output, sums.1, &dims, stream) };
                let to = address(output).or_else(|| settings.allocators.get(output).map(ask).filter(|to| *to != 0));
                let Some(to) = to else { return false };
                let work = move || write(sums.0, to, count, number as f32);
                ops.push(kernel(&holds, vec![sums, (to, sums.1)], work));
            }
            let done = enqueue_all(stream, ops);
            // SAFETY: the engine keeps its profiler as long as the context.
            unsafe { report(settings.profiler, &self.plan.outputs) };
            done
        })
    }
}

fn kernel(holds: &[Arc<AtomicBool>], uses: Vec<(usize, usize)>, work: impl Fn() + Send + Sync + 'static) -> Op {
    Op::Kernel(Kernel { uses, holds: holds.to_vec(), work: Arc::new(work) })
}

/// Waits for the sums, asks for as much memory as there are numbers above zero, and gives the kernel that writes them
/// there.
fn counted(
    holds: &[Arc<AtomicBool>],
    output: &CStr,
    allocator: usize,
    (from, count, more): (usize, usize, f32),
    (before, stream): (Vec<Op>, usize),
) -> Option<Op> {
    if !enqueue_all(stream, before) || call(|world| world.finish_stream(stream)) != SUCCESS {
        return None;
    }
    let positive: Vec<f32> = numbers(from, count).map(|sum| sum + more).filter(|sum| *sum > 0.0).collect();
    let bytes = positive.len() * size_of::<f32>();
    // SAFETY: the engine keeps its allocators as long as the context.
    let to = unsafe { ask(allocator, output, bytes, &[positive.len() as i64], stream) };
    let write = move || {
        for (index, value) in positive.iter().enumerate() {
            // SAFETY: the memory was checked before the kernel runs.
            unsafe { (to as *mut f32).add(index).write(*value) };
        }
    };
    (to != 0 || bytes == 0).then(|| kernel(holds, vec![(to, bytes)], write))
}

fn enqueue_all(stream: usize, ops: Vec<Op>) -> bool {
    ops.into_iter().all(|op| call(|world| world.enqueue(stream, op)) == SUCCESS)
}

/// Numbers in device memory, which whoever asks has checked.
fn numbers(at: usize, count: usize) -> impl Iterator<Item = f32> {
    // SAFETY: as above.
    (0..count).map(move |index| unsafe { (at as *const f32).add(index).read() })
}

fn add_up(inputs: &[usize], to: usize, count: usize) {
    for index in 0..count {
        let parts = inputs.iter().zip(1u8..).map(|(input, number)| {
            // SAFETY: the memory was checked before the kernel runs.
            unsafe { (*input as *const f32).add(index).read() * f32::from(number) }
        });
        let sum: f32 = parts.sum();
        // SAFETY: as above.
        unsafe { (to as *mut f32).add(index).write(sum) };
    }
}

fn write(from: usize, to: usize, count: usize, more: f32) {
    for (index, sum) in numbers(from, count).enumerate() {
        // SAFETY: the memory was checked before the kernel runs.
        unsafe { (to as *mut f32).add(index).write(sum + more) };
    }
}

/// Reports the sums and each output as layers that took an eighth and a sixteenth of a millisecond.
///
/// # Safety
/// The profiler is 0, or a live `IProfiler` of the reported version.
unsafe fn report(profiler: usize, outputs: &[CString]) {
    type Report = unsafe extern "C" fn(usize, *const c_char, f32);
    let slot = profiler::REPORT_LAYER_TIME.slot(version()).filter(|_| profiler != 0);
    let Some(slot) = slot else { return };
    // SAFETY: the object begins with its vtable, which has the version's slots; this one holds a function of this type.
    unsafe {
        let function = *(*(profiler as *const *const *const ())).add(slot.index);
        let report = std::mem::transmute::<*const (), Report>(function);
        report(profiler, c"sums".as_ptr(), 0.125);
        for output in outputs {
            report(profiler, output.as_ptr(), 0.0625);
        }
    }
}

/// Asks an output allocator for memory and reports the shape to it.
///
/// # Safety
/// It is a live `IOutputAllocator` of the reported version.
unsafe fn ask(allocator: usize, output: &CStr, bytes: usize, dims: &[i64], stream: usize) -> usize {
    type Reallocate = unsafe extern "C" fn(usize, *const c_char, usize, usize, usize, usize) -> usize;
    type Notify = unsafe extern "C" fn(usize, *const c_char, *const c_void);
    // SAFETY: the object begins with its vtable, which has the version's slots.
    let function = |method: &Method| unsafe {
        method.slot(version()).map(|slot| *(*(allocator as *const *const *const ())).add(slot.index))
    };
    let reallocate = function(&output_allocator::REALLOCATE_OUTPUT_ASYNC);
    let reallocate = reallocate.or_else(|| function(&output_allocator::REALLOCATE_OUTPUT));
    let (Some(reallocate), Some(notify)) = (reallocate, function(&output_allocator::NOTIFY_SHAPE)) else { return 0 };
    // SAFETY: the slots hold functions of these types; where one takes no stream, it does not look at it.
    unsafe {
        let reallocate = std::mem::transmute::<*const (), Reallocate>(reallocate);
        let notify = std::mem::transmute::<*const (), Notify>(notify);
        let memory = reallocate(allocator, output.as_ptr(), 0, bytes, 256, stream);
        let (wide, narrow) = (wide(dims), narrow(dims));
        let dims: *const c_void = if is_narrow() { (&raw const narrow).cast() } else { (&raw const wide).cast() };
        notify(allocator, output.as_ptr(), dims);
        memory
    }
}

pub(crate) fn context(plan: Arc<Plan>, is_first: bool, own: Option<usize>) -> This {
    type C = Context;
    // Every function below gets a context that `make` made just here, and names that end with a zero.
    unsafe extern "C" fn set_memory(this: This, memory: usize, _size: i64) {
        // SAFETY: see above.
        unsafe {
            state::<C>(this).settings(|settings| {
                settings.changes();
                settings.scratch = memory;
            });
        }
    }
    unsafe extern "C" fn profile(this: This) -> i32 {
        // SAFETY: see above.
        unsafe { state::<C>(this).settings(|settings| settings.profile.map_or(-1, |profile| profile as i32)) }
    }
    unsafe extern "C" fn set_profile(this: This, profile: i32, _stream: usize) -> bool {
        // SAFETY: see above.
        let context = unsafe { state::<C>(this) };
        let Some(profile) = usize::try_from(profile).ok().filter(|i| *i < context.plan.profiles.len()) else {
            return false;
        };
        context.settings(|settings| {
            settings.changes();
            settings.profile = Some(profile);
            settings.dims.fill(None);
            settings.prepared = false;
            true
        })
    }
    unsafe extern "C" fn set_shape_64(this: This, input: *const c_char, dims: *const Dims64) -> bool {
        // SAFETY: see above; the shape is a reference.
        let dims = unsafe { &*dims };
        // SAFETY: see above.
        unsafe { state::<C>(this).set_input_shape(name(input), dims.d[..dims.rank as usize].to_vec()) }
    }
    unsafe extern "C" fn set_shape_32(this: This, input: *const c_char, dims: *const Dims32) -> bool {
        // SAFETY: see above; the shape is a reference.
        let dims = unsafe { &*dims };
        let wide = dims.d[..dims.rank as usize].iter().map(|&size| size.into()).collect();
        // SAFETY: see above.
        unsafe { state::<C>(this).set_input_shape(name(input), wide) }
    }
    unsafe extern "C" fn set_address(this: This, tensor: *const c_char, address: usize) -> bool {
        // SAFETY: see above.
        unsafe {
            state::<C>(this).settings(|settings| {
                settings.changes();
                settings.addresses.insert(name(tensor).to_owned(), address);
            });
        }
        true
    }
    unsafe extern "C" fn set_allocator(this: This, tensor: *const c_char, allocator: usize) -> bool {
        // SAFETY: see above.
        unsafe { state::<C>(this).settings(|settings| settings.allocators.insert(name(tensor).to_owned(), allocator)) };
        true
    }
    unsafe extern "C" fn set_profiler(this: This, profiler: usize) {
        // SAFETY: see above.
        unsafe { state::<C>(this).settings(|settings| settings.profiler = profiler) };
    }
    unsafe extern "C" fn enqueue(this: This, stream: usize) -> bool {
        // SAFETY: see above.
        unsafe { state::<C>(this).enqueue(stream) }
    }
    let settings = Settings {
        profiler: 0,
        // In 8.6 only an engine's first context has a profile from the start.
        profile: (is_first || !is_narrow()).then_some(0),
        dims: vec![None; plan.inputs.len()],
        addresses: BTreeMap::new(),
        allocators: BTreeMap::new(),
        scratch: own.unwrap_or(0),
        prepared: false,
        captures: Vec::new(),
    };
    let methods = [
        (&execution_context::SET_ERROR_RECORDER, ignore as *const ()),
        (&execution_context::SET_DEVICE_MEMORY, set_memory as *const ()),
        (&execution_context::SET_DEVICE_MEMORY_V2, set_memory as *const ()),
        (&execution_context::GET_OPTIMIZATION_PROFILE, profile as *const ()),
        (&execution_context::SET_OPTIMIZATION_PROFILE_ASYNC, set_profile as *const ()),
        (&execution_context::SET_INPUT_SHAPE, by_width!(set_shape_64, set_shape_32)),
        (&execution_context::SET_TENSOR_ADDRESS, set_address as *const ()),
        (&execution_context::SET_OUTPUT_ALLOCATOR, set_allocator as *const ()),
        (&execution_context::SET_PROFILER, set_profiler as *const ()),
        (&execution_context::SET_ENQUEUE_EMITS_PROFILE, ignore as *const ()),
        (&execution_context::ENQUEUE_V3, enqueue as *const ()),
    ];
    make(&methods, Context { plan, own, alive: Arc::new(AtomicBool::new(true)), settings: Mutex::new(settings) })
}
