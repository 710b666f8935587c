//! The entry points, the runtime and the engine of the simulated TensorRT.

use crate::context::{allocate, context};
use crate::object::{This, by_width, ignore, make, name, narrow, reported, state, wide};
use crate::plan::Plan;
use crate::plugins::is_registered;
use nvinfer::sys::layout::{Dims32, Dims64};
use nvinfer::sys::tables::{cuda_engine, engine_inspector, runtime};
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// TensorRT's entry point: the version.
// SAFETY: no other function of this name is in a process that loads this library.
#[unsafe(no_mangle)]
extern "C" fn getInferLibVersion() -> i32 {
    reported()
}

/// TensorRT's entry point: a runtime.
// SAFETY: as above.
#[unsafe(no_mangle)]
extern "C" fn createInferRuntime_INTERNAL(_logger: *mut c_void, _version: i32) -> This {
    unsafe extern "C" fn deserialize(_: This, bytes: *const u8, size: usize) -> This {
        // SAFETY: the caller passes that many bytes.
        match Plan::parse(unsafe { std::slice::from_raw_parts(bytes, size) }) {
            Some(plan) if plan.plugins.iter().all(is_registered) => engine(plan),
            _ => std::ptr::null_mut(),
        }
    }
    let methods = [
        (&runtime::SET_ERROR_RECORDER, ignore as *const ()),
        (&runtime::SET_ENGINE_HOST_CODE_ALLOWED, ignore as *const ()),
        (&runtime::DESERIALIZE_CUDA_ENGINE, deserialize as *const ()),
        // Takes a plugin factory behind the others, which it does not look at.
        (&runtime::DESERIALIZE_CUDA_ENGINE_WITH_FACTORY, deserialize as *const ()),
    ];
    make(&methods, ())
}

/// `ExecutionContextAllocationStrategy`: the context has memory of its own, or is given some.
const STATIC: i32 = 0;
const USER_MANAGED: i32 = 2;

struct Engine {
    plan: Arc<Plan>,
    contexts: Arc<AtomicUsize>,
}

impl Engine {
    fn dims(&self, tensor: &CStr) -> Vec<i64> {
        let is_counted = self.plan.counted && self.plan.outputs.iter().any(|output| output.as_c_str() == tensor);
        if is_counted { vec![-1] } else { self.plan.dims.clone() }
    }

    fn profile(&self, profile: i32, which: i32) -> Vec<i64> {
        let sizes = usize::try_from(profile).ok().and_then(|index| self.plan.profiles.get(index));
        let size = sizes.and_then(|sizes| sizes.get(usize::try_from(which).ok()?));
        size.map(|size| self.plan.dims_of(*size)).unwrap_or_default()
    }
}

fn engine(plan: Plan) -> This {
    type E = Engine;
    // Every function below gets an engine that `make` made just here, and names that end with a zero.
    unsafe extern "C" fn shape_64(this: This, tensor: *const c_char) -> Dims64 {
        // SAFETY: see above.
        unsafe { wide(&state::<E>(this).dims(name(tensor))) }
    }
    unsafe extern "C" fn shape_32(this: This, tensor: *const c_char) -> Dims32 {
        // SAFETY: see above.
        unsafe { narrow(&state::<E>(this).dims(name(tensor))) }
    }
    unsafe extern "C" fn profile_64(this: This, _: *const c_char, profile: i32, which: i32) -> Dims64 {
        // SAFETY: see above.
        unsafe { wide(&state::<E>(this).profile(profile, which)) }
    }
    unsafe extern "C" fn profile_32(this: This, _: *const c_char, profile: i32, which: i32) -> Dims32 {
        // SAFETY: see above.
        unsafe { narrow(&state::<E>(this).profile(profile, which)) }
    }
    unsafe extern "C" fn count(this: This) -> i32 {
        // SAFETY: see above.
        let plan = unsafe { &state::<E>(this).plan };
        (plan.inputs.len() + plan.outputs.len()) as i32
    }
    unsafe extern "C" fn tensor(this: This, index: i32) -> *const c_char {
        // SAFETY: see above.
        let plan = unsafe { &state::<E>(this).plan };
        let found = usize::try_from(index).ok().and_then(|i| plan.inputs.iter().chain(&plan.outputs).nth(i));
        found.map_or(std::ptr::null(), |name| name.as_ptr())
    }
    unsafe extern "C" fn mode(this: This, tensor: *const c_char) -> i32 {
        // SAFETY: see above.
        let (plan, name) = unsafe { (&state::<E>(this).plan, name(tensor)) };
        let among = |list: &[CString]| list.iter().any(|known| known.as_c_str() == name);
        if among(&plan.inputs) { 1 } else { 2 * i32::from(among(&plan.outputs)) }
    }
    unsafe extern "C" fn profiles(this: This) -> i32 {
        // SAFETY: see above.
        unsafe { state::<E>(this).plan.profiles.len() as i32 }
    }
    unsafe extern "C" fn scratch(this: This) -> i64 {
        // SAFETY: see above.
        unsafe { (state::<E>(this).plan.most_numbers() * size_of::<f32>()) as i64 }
    }
    unsafe extern "C" fn new_context(this: This, strategy: i32) -> This {
        // SAFETY: see above.
        let Engine { plan, contexts } = unsafe { state::<E>(this) };
        let made = contexts.fetch_add(1, Ordering::SeqCst);
        if plan.contexts.is_some_and(|most| made >= most) {
            return std::ptr::null_mut();
        }
        let own = if strategy == STATIC { allocate(plan.most_numbers() * size_of::<f32>()) } else { None };
        context(plan.clone(), made == 0, own)
    }
    unsafe extern "C" fn new_context_with_memory(this: This) -> This {
        // SAFETY: see above.
        unsafe { new_context(this, STATIC) }
    }
    unsafe extern "C" fn new_context_without_memory(this: This) -> This {
        // SAFETY: see above.
        unsafe { new_context(this, USER_MANAGED) }
    }
    unsafe extern "C" fn layers(this: This) -> i32 {
        // SAFETY: see above.
        unsafe { state::<E>(this).plan.outputs.len() as i32 + 1 }
    }
    unsafe extern "C" fn new_inspector(this: This) -> This {
        // SAFETY: see above.
        inspector(unsafe { &state::<E>(this).plan })
    }
    /// float32, in device memory, linear, no shape tensor: 0 each.
    extern "C" fn zero() -> i32 {
        0
    }
    let methods = [
        (&cuda_engine::SET_ERROR_RECORDER, ignore as *const ()),
        (&cuda_engine::GET_NB_IO_TENSORS, count as *const ()),
        (&cuda_engine::GET_IO_TENSOR_NAME, tensor as *const ()),
        (&cuda_engine::GET_TENSOR_IO_MODE, mode as *const ()),
        (&cuda_engine::GET_TENSOR_DATA_TYPE, zero as *const ()),
        (&cuda_engine::GET_TENSOR_LOCATION, zero as *const ()),
        (&cuda_engine::GET_TENSOR_FORMAT, zero as *const ()),
        (&cuda_engine::IS_SHAPE_INFERENCE_IO, zero as *const ()),
        (&cuda_engine::GET_TENSOR_SHAPE, by_width!(shape_64, shape_32)),
        (&cuda_engine::GET_PROFILE_SHAPE, by_width!(profile_64, profile_32)),
        (&cuda_engine::GET_NB_OPTIMIZATION_PROFILES, profiles as *const ()),
        (&cuda_engine::GET_DEVICE_MEMORY_SIZE, scratch as *const ()),
        (&cuda_engine::GET_DEVICE_MEMORY_SIZE_V2, scratch as *const ()),
        (&cuda_engine::GET_NB_LAYERS, layers as *const ()),
        (&cuda_engine::CREATE_ENGINE_INSPECTOR, new_inspector as *const ()),
        (&cuda_engine::CREATE_EXECUTION_CONTEXT, new_context_with_memory as *const ()),
        (&cuda_engine::CREATE_EXECUTION_CONTEXT_WITHOUT_DEVICE_MEMORY, new_context_without_memory as *const ()),
        (&cuda_engine::CREATE_EXECUTION_CONTEXT_WITH_STRATEGY, new_context as *const ()),
    ];
    make(&methods, Engine { plan: Arc::new(plan), contexts: Arc::default() })
}

/// The layers by name, as TensorRT lists those of a plan without details: the sums, and one for each output.
fn inspector(plan: &Plan) -> This {
    unsafe extern "C" fn information(this: This, _format: i32) -> *const c_char {
        // SAFETY: the inspector was made just here.
        unsafe { state::<CString>(this).as_ptr() }
    }
    let outputs = plan.outputs.iter().map(|output| format!(", {:?}", output.to_string_lossy()));
    let text = format!("{{\"Layers\": [\"sums\"{}], \"Bindings\": []}}", outputs.collect::<String>());
    let methods = [
        (&engine_inspector::SET_ERROR_RECORDER, ignore as *const ()),
        (&engine_inspector::GET_ENGINE_INFORMATION, information as *const ()),
    ];
    // A name has no zero byte, and the text none besides.
    make(&methods, CString::new(text).unwrap_or_default())
}
