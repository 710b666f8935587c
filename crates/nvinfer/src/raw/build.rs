//! The calls of `IBuilder`, `IBuilderConfig`, `IOptimizationProfile`, `ITimingCache` and `IHostMemory`.

use std::ffi::{c_char, c_void};

type Object = *mut c_void;
type Name = *const c_char;
type Stream = *mut c_void;

pub mod builder {
    use super::Object;
    use crate::raw::call::{Done, Made};

    crate::raw::calls! { builder at IMPL {
        fn create_builder_config() -> Made = CREATE_BUILDER_CONFIG;
        fn create_network_v2(flags: u32) -> Made = CREATE_NETWORK_V2;
        fn create_optimization_profile() -> Made = CREATE_OPTIMIZATION_PROFILE;
        fn set_error_recorder(recorder: Object) -> () = SET_ERROR_RECORDER;
        fn build_serialized_network(network: Object, config: Object) -> Made = BUILD_SERIALIZED_NETWORK;
        fn is_network_supported(network: Object, config: Object) -> bool = IS_NETWORK_SUPPORTED;
        fn set_max_threads(threads: i32) -> Done = SET_MAX_THREADS;
        fn platform_has_fast_fp16() -> bool = PLATFORM_HAS_FAST_FP16;
    } }
}

pub mod config {
    use super::{Name, Object, Stream};
    use crate::raw::call::{Done, Made, Text};

    crate::raw::calls! { builder_config at IMPL {
        fn set_avg_timing_iterations(count: i32) -> () = SET_AVG_TIMING_ITERATIONS;
        fn set_engine_capability(capability: i32) -> () = SET_ENGINE_CAPABILITY;
        fn set_algorithm_selector(selector: Object) -> () = SET_ALGORITHM_SELECTOR;
        fn clear_flag(flag: i32) -> () = CLEAR_FLAG;
        fn set_flag(flag: i32) -> () = SET_FLAG;
        fn flag(flag: i32) -> bool = GET_FLAG;
        fn set_profile_stream(stream: Stream) -> () = SET_PROFILE_STREAM;
        fn add_optimization_profile(profile: Object) -> i32 = ADD_OPTIMIZATION_PROFILE;
        fn set_profiling_verbosity(verbosity: i32) -> () = SET_PROFILING_VERBOSITY;
        fn set_tactic_sources(sources: u32) -> Done = SET_TACTIC_SOURCES;
        fn create_timing_cache(bytes: *const u8, size: usize) -> Made = CREATE_TIMING_CACHE;
        fn set_timing_cache(cache: Object, ignore_mismatch: bool) -> Done = SET_TIMING_CACHE;
        fn set_memory_pool_limit(pool: i32, bytes: usize) -> () = SET_MEMORY_POOL_LIMIT;
        fn memory_pool_limit(pool: i32) -> i64 = GET_MEMORY_POOL_LIMIT;
        fn set_preview_feature(feature: i32, enable: bool) -> () = SET_PREVIEW_FEATURE;
        fn set_builder_optimization_level(level: i32) -> () = SET_BUILDER_OPTIMIZATION_LEVEL;
        fn builder_optimization_level() -> i32 = GET_BUILDER_OPTIMIZATION_LEVEL;
        fn set_hardware_compatibility_level(level: i32) -> () = SET_HARDWARE_COMPATIBILITY_LEVEL;
        fn set_max_aux_streams(count: i32) -> Done = SET_MAX_AUX_STREAMS;
        fn set_max_aux_streams_unchecked(count: i32) -> () = SET_MAX_AUX_STREAMS_UNCHECKED;
        fn set_progress_monitor(monitor: Object) -> () = SET_PROGRESS_MONITOR;
        fn set_runtime_platform(platform: i32) -> () = SET_RUNTIME_PLATFORM;
        fn set_max_nb_tactics(count: i32) -> () = SET_MAX_NB_TACTICS;
        fn set_tiling_optimization_level(level: i32) -> Done = SET_TILING_OPTIMIZATION_LEVEL;
        fn set_nb_compute_capabilities(count: i32) -> Done = SET_NB_COMPUTE_CAPABILITIES;
        fn set_compute_capability(capability: i32, index: i32) -> Done = SET_COMPUTE_CAPABILITY;
        fn set_build_route(route: Name) -> Done = SET_BUILD_ROUTE;
        fn all_build_routes() -> Text = GET_ALL_BUILD_ROUTES;
    } }
}

pub mod profile {
    use super::Name;
    use crate::raw::call::Done;

    crate::raw::calls! { optimization_profile at IMPL {
        dims fn set_dimensions(name: Name, which: i32; dims;) -> Done = SET_DIMENSIONS;
        shape fn dimensions(name: Name, which: i32) = GET_DIMENSIONS;
        fn set_shape_values(name: Name, which: i32, values: *const i32, count: i32) -> Done = SET_SHAPE_VALUES;
        fn set_shape_values_v2(name: Name, which: i32, values: *const i64, count: i32) -> Done = SET_SHAPE_VALUES_V2;
        fn set_extra_memory_target(target: f32) -> Done = SET_EXTRA_MEMORY_TARGET;
        fn is_valid() -> bool = IS_VALID;
    } }
}

pub mod timing_cache {
    use super::Object;
    use crate::raw::call::{Done, Made};

    crate::raw::calls! { timing_cache at IMPL {
        fn serialize() -> Made = SERIALIZE;
        fn combine(other: Object, ignore_mismatch: bool) -> Done = COMBINE;
        fn reset() -> Done = RESET;
    } }
}

pub mod algorithm_context {
    use crate::raw::call::Text;

    crate::raw::calls! { algorithm_context at IMPL {
        fn name() -> Text = GET_NAME;
    } }
}

pub mod algorithm {
    use crate::raw::call::Made;

    crate::raw::calls! { algorithm at IMPL {
        fn variant() -> Made = GET_ALGORITHM_VARIANT;
    } }
}

pub mod algorithm_variant {
    crate::raw::calls! { algorithm_variant at IMPL {
        fn implementation() -> i64 = GET_IMPLEMENTATION;
        fn tactic() -> i64 = GET_TACTIC;
    } }
}

pub mod host_memory {
    use crate::raw::call::Maybe;

    crate::raw::calls! { host_memory at IMPL {
        fn data() -> Maybe<u8> = DATA;
        fn size() -> i64 = SIZE;
    } }
}
