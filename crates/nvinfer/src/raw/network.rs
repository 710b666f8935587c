//! The calls of `INetworkDefinition`, `ITensor`, `ILayer`, `ILoop`, `IIfConditional` and `IAttention`.

use std::ffi::{c_char, c_void};

use crate::sys::layout::RawWeights;

type Tensor = *mut c_void;
type Name = *const c_char;

pub mod network_definition {
    use super::{Name, RawWeights, Tensor};
    use crate::raw::call::{Done, Made, Text};

    crate::raw::calls! { network_definition at IMPL {
        dims fn add_input(name: Name, dtype: i32; dims;) -> Made = ADD_INPUT;
        fn mark_output(tensor: Tensor) -> () = MARK_OUTPUT;
        fn nb_layers() -> i32 = GET_NB_LAYERS;
        fn layer(index: i32) -> Made = GET_LAYER;
        fn nb_inputs() -> i32 = GET_NB_INPUTS;
        fn input(index: i32) -> Made = GET_INPUT;
        fn nb_outputs() -> i32 = GET_NB_OUTPUTS;
        fn output(index: i32) -> Made = GET_OUTPUT;
        fn unmark_output(tensor: Tensor) -> () = UNMARK_OUTPUT;
        fn set_name(name: Name) -> () = SET_NAME;
        fn name() -> Text = GET_NAME;
        fn mark_output_for_shapes(tensor: Tensor) -> Done = MARK_OUTPUT_FOR_SHAPES;
        fn add_loop() -> Made = ADD_LOOP;
        fn set_weights_name(weights: RawWeights, name: Name) -> Done = SET_WEIGHTS_NAME;
        fn set_error_recorder(recorder: *mut std::ffi::c_void) -> () = SET_ERROR_RECORDER;
        fn add_if_conditional() -> Made = ADD_IF_CONDITIONAL;
        fn add_plugin_v2(inputs: *const Tensor, count: i32, plugin: *mut std::ffi::c_void) -> Made = ADD_PLUGIN_V2;
        fn add_plugin_v3(inputs: *const Tensor, count: i32, shapes: *const Tensor, shape_count: i32,
            plugin: *mut std::ffi::c_void) -> Made = ADD_PLUGIN_V3;
        fn mark_debug(tensor: Tensor) -> Done = MARK_DEBUG;
        fn mark_weights_refittable(name: Name) -> Done = MARK_WEIGHTS_REFITTABLE;
    } }
}

pub mod tensor {
    use super::Name;
    use crate::raw::call::{Done, Text};

    crate::raw::calls! { tensor at IMPL {
        fn set_name(name: Name) -> () = SET_NAME;
        fn name() -> Text = GET_NAME;
        shape fn dimensions() = GET_DIMENSIONS;
        fn set_type(dtype: i32) -> () = SET_TYPE;
        fn dtype() -> i32 = GET_TYPE;
        fn set_dynamic_range(least: f32, greatest: f32) -> Done = SET_DYNAMIC_RANGE;
        fn is_network_input() -> bool = IS_NETWORK_INPUT;
        fn is_network_output() -> bool = IS_NETWORK_OUTPUT;
        fn set_allowed_formats(formats: u32) -> () = SET_ALLOWED_FORMATS;
        fn is_shape_tensor() -> bool = IS_SHAPE_TENSOR;
        fn set_dimension_name(index: i32, name: Name) -> () = SET_DIMENSION_NAME;
    } }
}

pub mod layer {
    use super::{Name, Tensor};
    use crate::raw::call::{Made, Text};

    crate::raw::calls! { layer at IMPL {
        fn layer_type() -> i32 = GET_TYPE;
        fn set_name(name: Name) -> () = SET_NAME;
        fn name() -> Text = GET_NAME;
        fn nb_inputs() -> i32 = GET_NB_INPUTS;
        fn input(index: i32) -> Made = GET_INPUT;
        fn nb_outputs() -> i32 = GET_NB_OUTPUTS;
        fn output(index: i32) -> Made = GET_OUTPUT;
        fn set_input(index: i32, tensor: Tensor) -> () = SET_INPUT;
        fn set_precision(dtype: i32) -> () = SET_PRECISION;
        fn set_output_type(index: i32, dtype: i32) -> () = SET_OUTPUT_TYPE;
        fn set_metadata(text: Name) -> () = SET_METADATA;
    } }
}

pub mod loops {
    use super::{Name, Tensor};
    use crate::raw::call::Made;

    crate::raw::calls! { loop_ at IMPL {
        fn add_recurrence(initial: Tensor) -> Made = ADD_RECURRENCE;
        fn add_trip_limit(tensor: Tensor, limit: i32) -> Made = ADD_TRIP_LIMIT;
        fn add_iterator(tensor: Tensor, axis: i32, reverse: bool) -> Made = ADD_ITERATOR;
        fn add_loop_output(tensor: Tensor, kind: i32, axis: i32) -> Made = ADD_LOOP_OUTPUT;
        fn set_name(name: Name) -> () = SET_NAME;
    } }
}

pub mod conditional {
    use super::{Name, Tensor};
    use crate::raw::call::Made;

    crate::raw::calls! { if_conditional at IMPL {
        fn set_condition(tensor: Tensor) -> Made = SET_CONDITION;
        fn add_input(tensor: Tensor) -> Made = ADD_INPUT;
        fn add_output(then: Tensor, otherwise: Tensor) -> Made = ADD_OUTPUT;
        fn set_name(name: Name) -> () = SET_NAME;
    } }
}

pub mod attention {
    use super::{Name, Tensor};
    use crate::raw::call::{Done, Made};

    crate::raw::calls! { attention at IMPL {
        fn output(index: i32) -> Made = GET_OUTPUT;
        fn set_name(name: Name) -> Done = SET_NAME;
        fn set_normalization_operation(operation: i32) -> Done = SET_NORMALIZATION_OPERATION;
        fn set_mask(mask: Tensor) -> Done = SET_MASK;
        fn set_decomposable(decomposable: bool) -> Done = SET_DECOMPOSABLE;
        fn set_normalization_quantize_scale(scale: Tensor) -> Done = SET_NORMALIZATION_QUANTIZE_SCALE;
        fn set_normalization_quantize_to_type(dtype: i32) -> Done = SET_NORMALIZATION_QUANTIZE_TO_TYPE;
        fn set_metadata(text: Name) -> Done = SET_METADATA;
        fn set_causal_kind(kind: i32) -> Done = SET_CAUSAL_KIND;
        fn set_query_form(form: i32) -> Done = SET_QUERY_FORM;
        fn set_key_value_form(form: i32) -> Done = SET_KEY_VALUE_FORM;
        fn set_query_lengths(lengths: Tensor) -> Done = SET_QUERY_LENGTHS;
        fn set_key_value_lengths(lengths: Tensor) -> Done = SET_KEY_VALUE_LENGTHS;
    } }
}
