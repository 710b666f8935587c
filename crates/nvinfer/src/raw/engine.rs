//! The calls of `IRuntime`, `ICudaEngine`, `IExecutionContext`, `IEngineInspector` and `IRefitter`.

use std::ffi::{c_char, c_void};

use crate::sys::layout::RawWeights;

type Object = *mut c_void;
type Name = *const c_char;
type Stream = *mut c_void;

pub mod runtime {
    use super::{Name, Object};
    use crate::raw::call::{Done, Made};

    crate::raw::calls! { runtime at IMPL {
        fn deserialize_cuda_engine(bytes: *const u8, size: usize) -> Made = DESERIALIZE_CUDA_ENGINE;
        fn deserialize_cuda_engine_with_factory(bytes: *const u8, size: usize, factory: Object)
            -> Made = DESERIALIZE_CUDA_ENGINE_WITH_FACTORY;
        fn set_error_recorder(recorder: Object) -> () = SET_ERROR_RECORDER;
        fn set_max_threads(threads: i32) -> Done = SET_MAX_THREADS;
        fn set_temporary_directory(path: Name) -> () = SET_TEMPORARY_DIRECTORY;
        fn load_runtime(path: Name) -> Made = LOAD_RUNTIME;
        fn set_engine_host_code_allowed(allowed: bool) -> () = SET_ENGINE_HOST_CODE_ALLOWED;
        fn engine_header_size() -> i64 = GET_ENGINE_HEADER_SIZE;
        fn engine_validity(bytes: *const u8, size: i64, diagnostics: *mut u64) -> i32 = GET_ENGINE_VALIDITY;
    } }
}

pub mod cuda_engine {
    use super::{Name, Object};
    use crate::raw::call::{Made, Text};

    crate::raw::calls! { cuda_engine at IMPL {
        fn nb_layers() -> i32 = GET_NB_LAYERS;
        fn serialize() -> Made = SERIALIZE;
        fn serialize_with_config(config: Object) -> Made = SERIALIZE_WITH_CONFIG;
        fn create_serialization_config() -> Made = CREATE_SERIALIZATION_CONFIG;
        fn create_execution_context() -> Made = CREATE_EXECUTION_CONTEXT;
        fn create_execution_context_with_strategy(strategy: i32) -> Made = CREATE_EXECUTION_CONTEXT_WITH_STRATEGY;
        fn create_execution_context_without_device_memory() -> Made = CREATE_EXECUTION_CONTEXT_WITHOUT_DEVICE_MEMORY;
        fn create_execution_context_with_runtime_config(config: Object)
            -> Made = CREATE_EXECUTION_CONTEXT_WITH_RUNTIME_CONFIG;
        fn create_runtime_config() -> Made = CREATE_RUNTIME_CONFIG;
        fn device_memory_size() -> i64 = GET_DEVICE_MEMORY_SIZE;
        fn device_memory_size_v2() -> i64 = GET_DEVICE_MEMORY_SIZE_V2;
        fn is_refittable() -> bool = IS_REFITTABLE;
        fn name() -> Text = GET_NAME;
        fn nb_optimization_profiles() -> i32 = GET_NB_OPTIMIZATION_PROFILES;
        fn set_error_recorder(recorder: Object) -> () = SET_ERROR_RECORDER;
        fn create_engine_inspector() -> Made = CREATE_ENGINE_INSPECTOR;
        shape fn tensor_shape(name: Name) = GET_TENSOR_SHAPE;
        fn tensor_data_type(name: Name) -> i32 = GET_TENSOR_DATA_TYPE;
        fn tensor_location(name: Name) -> i32 = GET_TENSOR_LOCATION;
        fn is_shape_inference_io(name: Name) -> bool = IS_SHAPE_INFERENCE_IO;
        fn tensor_io_mode(name: Name) -> i32 = GET_TENSOR_IO_MODE;
        fn tensor_format(name: Name) -> i32 = GET_TENSOR_FORMAT;
        shape fn profile_shape(name: Name, profile: i32, which: i32) = GET_PROFILE_SHAPE;
        fn nb_io_tensors() -> i32 = GET_NB_IO_TENSORS;
        fn io_tensor_name(index: i32) -> Text = GET_IO_TENSOR_NAME;
        fn hardware_compatibility_level() -> i32 = GET_HARDWARE_COMPATIBILITY_LEVEL;
        fn nb_aux_streams() -> i32 = GET_NB_AUX_STREAMS;
        fn profiling_verbosity() -> i32 = GET_PROFILING_VERBOSITY;
        fn engine_stat(stat: i32) -> i64 = GET_ENGINE_STAT;
    } }
}

pub mod serialization_config {
    use crate::raw::call::Done;

    crate::raw::calls! { serialization_config at IMPL {
        fn set_flag(flag: i32) -> Done = SET_FLAG;
    } }
}

pub mod runtime_config {
    use super::Object;
    use crate::raw::call::{Done, Made};

    crate::raw::calls! { runtime_config at IMPL {
        fn set_execution_context_allocation_strategy(strategy: i32) -> () = SET_EXECUTION_CONTEXT_ALLOCATION_STRATEGY;
        fn create_runtime_cache() -> Made = CREATE_RUNTIME_CACHE;
        fn set_runtime_cache(cache: Object) -> Done = SET_RUNTIME_CACHE;
        fn set_dynamic_shapes_kernel_specialization_strategy(strategy: i32)
            -> () = SET_DYNAMIC_SHAPES_KERNEL_SPECIALIZATION_STRATEGY;
        fn set_cuda_graph_strategy(strategy: i32) -> Done = SET_CUDA_GRAPH_STRATEGY;
    } }
}

pub mod runtime_cache {
    use crate::raw::call::{Done, Made};

    crate::raw::calls! { runtime_cache at IMPL {
        fn serialize() -> Made = SERIALIZE;
        fn deserialize(bytes: *const u8, size: usize) -> Done = DESERIALIZE;
    } }
}

pub mod context {
    use super::{Name, Object, Stream};
    use crate::raw::call::Done;

    crate::raw::calls! { execution_context at IMPL {
        fn set_debug_sync(sync: bool) -> () = SET_DEBUG_SYNC;
        fn set_profiler(profiler: Object) -> () = SET_PROFILER;
        fn set_name(name: Name) -> () = SET_NAME;
        fn set_device_memory(memory: *mut std::ffi::c_void) -> () = SET_DEVICE_MEMORY;
        fn set_device_memory_v2(memory: *mut std::ffi::c_void, size: i64) -> () = SET_DEVICE_MEMORY_V2;
        fn optimization_profile() -> i32 = GET_OPTIMIZATION_PROFILE;
        fn set_error_recorder(recorder: Object) -> () = SET_ERROR_RECORDER;
        fn set_optimization_profile_async(profile: i32, stream: Stream) -> Done = SET_OPTIMIZATION_PROFILE_ASYNC;
        fn all_input_dimensions_specified() -> bool = ALL_INPUT_DIMENSIONS_SPECIFIED;
        fn set_enqueue_emits_profile(emits: bool) -> () = SET_ENQUEUE_EMITS_PROFILE;
        fn report_to_profiler() -> Done = REPORT_TO_PROFILER;
        dims fn set_input_shape(name: Name; dims;) -> Done = SET_INPUT_SHAPE;
        shape fn tensor_shape(name: Name) = GET_TENSOR_SHAPE;
        fn set_tensor_address(name: Name, address: *mut std::ffi::c_void) -> Done = SET_TENSOR_ADDRESS;
        fn set_input_tensor_address(name: Name, address: *const std::ffi::c_void) -> Done = SET_INPUT_TENSOR_ADDRESS;
        fn infer_shapes(count: i32, names: *mut Name) -> i32 = INFER_SHAPES;
        fn set_input_consumed_event(event: *mut std::ffi::c_void) -> Done = SET_INPUT_CONSUMED_EVENT;
        fn set_output_allocator(name: Name, allocator: Object) -> Done = SET_OUTPUT_ALLOCATOR;
        fn max_output_size(name: Name) -> i64 = GET_MAX_OUTPUT_SIZE;
        fn enqueue_v3(stream: Stream) -> Done = ENQUEUE_V3;
        fn set_persistent_cache_limit(bytes: usize) -> () = SET_PERSISTENT_CACHE_LIMIT;
        fn set_nvtx_verbosity(verbosity: i32) -> Done = SET_NVTX_VERBOSITY;
        fn update_device_memory_size_for_shapes() -> i64 = UPDATE_DEVICE_MEMORY_SIZE_FOR_SHAPES;
        fn is_stream_capturable(stream: Stream) -> bool = IS_STREAM_CAPTURABLE;
    } }
}

pub mod inspector {
    use super::Object;
    use crate::raw::call::{Done, Text};

    crate::raw::calls! { engine_inspector at IMPL {
        fn set_execution_context(context: Object) -> Done = SET_EXECUTION_CONTEXT;
        fn layer_information(index: i32, format: i32) -> Text = GET_LAYER_INFORMATION;
        fn engine_information(format: i32) -> Text = GET_ENGINE_INFORMATION;
        fn set_error_recorder(recorder: Object) -> () = SET_ERROR_RECORDER;
    } }
}

pub mod refitter {
    use super::{Name, Object, RawWeights, Stream};
    use crate::raw::call::Done;

    crate::raw::calls! { refitter at IMPL {
        fn refit_cuda_engine() -> Done = REFIT_CUDA_ENGINE;
        fn refit_cuda_engine_async(stream: Stream) -> Done = REFIT_CUDA_ENGINE_ASYNC;
        fn set_error_recorder(recorder: Object) -> () = SET_ERROR_RECORDER;
        fn set_named_weights(name: Name, weights: RawWeights) -> Done = SET_NAMED_WEIGHTS;
        fn missing_weights(count: i32, names: *mut Name) -> i32 = GET_MISSING_WEIGHTS;
        fn all_weights(count: i32, names: *mut Name) -> i32 = GET_ALL_WEIGHTS;
        fn set_weights_validation(validate: bool) -> () = SET_WEIGHTS_VALIDATION;
    } }
}
