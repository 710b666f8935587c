//! The calls of `INetworkDefinition`, `ITensor`, `ILayer`, `ILoop`, `IIfConditional` and `IAttention`.

use std::ffi::{c_char, c_void};

use crate::sys::layout::RawWeights;

type Tensor = *mut c_void;
type Name = *const c_char;

pub mod network_definition {
    use super::{Name, RawWeights, Tensor};
    use crate::raw::call::{Done, Made, Text};

    calls! { network_definition at IMPL {
        dims fn add_input(name: Name, dtype: i32; dims;) -> Made = ADD_INPUT;
        fn mark_output(tensor: Tensor) -> () = MARK_OUTPUT;
        fn add_activation(input: Tensor, kind: i32) -> Made = ADD_ACTIVATION;
        fn add_lrn(input: Tensor, window: i64, alpha: f32, beta: f32, k: f32) -> Made = ADD_LRN;
        fn add_scale_nd(input: Tensor, mode: i32, shift: RawWeights, scale: RawWeights, power: RawWeights, axis: i32)
            -> Made = ADD_SCALE_ND;
        fn add_soft_max(input: Tensor) -> Made = ADD_SOFT_MAX;
        fn add_concatenation(inputs: *const Tensor, count: i32) -> Made = ADD_CONCATENATION;
        fn add_element_wise(a: Tensor, b: Tensor, operation: i32) -> Made = ADD_ELEMENT_WISE;
        fn add_unary(input: Tensor, operation: i32) -> Made = ADD_UNARY;
        fn add_shuffle(input: Tensor) -> Made = ADD_SHUFFLE;
        fn nb_layers() -> i32 = GET_NB_LAYERS;
        fn layer(index: i32) -> Made = GET_LAYER;
        fn nb_inputs() -> i32 = GET_NB_INPUTS;
        fn input(index: i32) -> Made = GET_INPUT;
        fn nb_outputs() -> i32 = GET_NB_OUTPUTS;
        fn output(index: i32) -> Made = GET_OUTPUT;
        fn add_reduce(input: Tensor, operation: i32, axes: u32, keep: bool) -> Made = ADD_REDUCE;
        fn add_topk(input: Tensor, operation: i32, k: i32, axes: u32) -> Made = ADD_TOPK;
        fn add_topk_v2(input: Tensor, operation: i32, k: i32, axes: u32, indices: i32) -> Made = ADD_TOPK_V2;
        fn add_gather_v2(data: Tensor, indices: Tensor, mode: i32) -> Made = ADD_GATHER_V2;
        fn add_ragged_soft_max(input: Tensor, bounds: Tensor) -> Made = ADD_RAGGED_SOFT_MAX;
        fn add_matrix_multiply(a: Tensor, a_operation: i32, b: Tensor, b_operation: i32) -> Made = ADD_MATRIX_MULTIPLY;
        dims fn add_constant(; dims; weights: RawWeights) -> Made = ADD_CONSTANT;
        fn add_identity(input: Tensor) -> Made = ADD_IDENTITY;
        fn unmark_output(tensor: Tensor) -> () = UNMARK_OUTPUT;
        dims fn add_slice(input: Tensor; start, size, stride;) -> Made = ADD_SLICE;
        fn set_name(name: Name) -> () = SET_NAME;
        fn name() -> Text = GET_NAME;
        fn add_shape(input: Tensor) -> Made = ADD_SHAPE;
        fn mark_output_for_shapes(tensor: Tensor) -> Done = MARK_OUTPUT_FOR_SHAPES;
        fn add_parametric_relu(input: Tensor, slope: Tensor) -> Made = ADD_PARAMETRIC_RELU;
        dims fn add_convolution_nd(input: Tensor, maps: i64; kernel; weights: RawWeights, bias: RawWeights)
            -> Made = ADD_CONVOLUTION_ND;
        dims fn add_pooling_nd(input: Tensor, kind: i32; window;) -> Made = ADD_POOLING_ND;
        dims fn add_deconvolution_nd(input: Tensor, maps: i64; kernel; weights: RawWeights, bias: RawWeights)
            -> Made = ADD_DECONVOLUTION_ND;
        fn add_resize(input: Tensor) -> Made = ADD_RESIZE;
        fn add_loop() -> Made = ADD_LOOP;
        fn add_select(condition: Tensor, then: Tensor, otherwise: Tensor) -> Made = ADD_SELECT;
        dims fn add_fill(; dims; operation: i32) -> Made = ADD_FILL;
        dims fn add_fill_v2(; dims; operation: i32, dtype: i32) -> Made = ADD_FILL_V2;
        dims fn add_padding_nd(input: Tensor; before, after;) -> Made = ADD_PADDING_ND;
        fn set_weights_name(weights: RawWeights, name: Name) -> Done = SET_WEIGHTS_NAME;
        fn set_error_recorder(recorder: *mut std::ffi::c_void) -> () = SET_ERROR_RECORDER;
        fn add_quantize(input: Tensor, scale: Tensor) -> Made = ADD_QUANTIZE;
        fn add_quantize_v2(input: Tensor, scale: Tensor, dtype: i32) -> Made = ADD_QUANTIZE_V2;
        fn add_dequantize(input: Tensor, scale: Tensor) -> Made = ADD_DEQUANTIZE;
        fn add_dequantize_v2(input: Tensor, scale: Tensor, dtype: i32) -> Made = ADD_DEQUANTIZE_V2;
        fn add_if_conditional() -> Made = ADD_IF_CONDITIONAL;
        fn add_scatter(data: Tensor, indices: Tensor, updates: Tensor, mode: i32) -> Made = ADD_SCATTER;
        fn add_einsum(inputs: *const Tensor, count: i32, equation: Name) -> Made = ADD_EINSUM;
        fn add_assertion(condition: Tensor, message: Name) -> Made = ADD_ASSERTION;
        fn add_one_hot(indices: Tensor, values: Tensor, depth: Tensor, axis: i32) -> Made = ADD_ONE_HOT;
        fn add_non_zero(input: Tensor) -> Made = ADD_NON_ZERO;
        fn add_non_zero_v2(input: Tensor, indices: i32) -> Made = ADD_NON_ZERO_V2;
        fn add_grid_sample(input: Tensor, grid: Tensor) -> Made = ADD_GRID_SAMPLE;
        fn add_nms(boxes: Tensor, scores: Tensor, most: Tensor) -> Made = ADD_NMS;
        fn add_nms_v2(boxes: Tensor, scores: Tensor, most: Tensor, indices: i32) -> Made = ADD_NMS_V2;
        fn add_reverse_sequence(input: Tensor, lengths: Tensor) -> Made = ADD_REVERSE_SEQUENCE;
        fn add_normalization(input: Tensor, scale: Tensor, bias: Tensor, axes: u32) -> Made = ADD_NORMALIZATION;
        fn add_normalization_v2(input: Tensor, scale: Tensor, bias: Tensor, axes: u32) -> Made = ADD_NORMALIZATION_V2;
        fn add_plugin_v2(inputs: *const Tensor, count: i32, plugin: *mut std::ffi::c_void) -> Made = ADD_PLUGIN_V2;
        fn add_plugin_v3(inputs: *const Tensor, count: i32, shapes: *const Tensor, shape_count: i32,
            plugin: *mut std::ffi::c_void) -> Made = ADD_PLUGIN_V3;
        fn add_cast(input: Tensor, dtype: i32) -> Made = ADD_CAST;
        fn mark_debug(tensor: Tensor) -> Done = MARK_DEBUG;
        fn mark_weights_refittable(name: Name) -> Done = MARK_WEIGHTS_REFITTABLE;
        fn add_squeeze(input: Tensor, axes: Tensor) -> Made = ADD_SQUEEZE;
        fn add_unsqueeze(input: Tensor, axes: Tensor) -> Made = ADD_UNSQUEEZE;
        fn add_dynamic_quantize(input: Tensor, axis: i32, block: i32, dtype: i32, scale: i32) -> Made = ADD_DYNAMIC_QUANTIZE;
        dims fn add_dynamic_quantize_v2(input: Tensor; block; dtype: i32, scale: i32) -> Made = ADD_DYNAMIC_QUANTIZE_V2;
        fn add_cumulative(input: Tensor, axis: Tensor, operation: i32, exclusive: bool, reverse: bool)
            -> Made = ADD_CUMULATIVE;
        fn add_attention(query: Tensor, key: Tensor, value: Tensor, normalization: i32, causal: bool) -> Made = ADD_ATTENTION;
        fn add_attention_v2(query: Tensor, key: Tensor, value: Tensor, normalization: i32, causal: i32)
            -> Made = ADD_ATTENTION_V2;
        fn add_rotary_embedding(input: Tensor, cos: Tensor, sin: Tensor, interleaved: bool, dim: i32)
            -> Made = ADD_ROTARY_EMBEDDING;
        fn add_kv_cache_update(cache: Tensor, update: Tensor, indices: Tensor, mode: i32) -> Made = ADD_KV_CACHE_UPDATE;
        fn add_moe(hidden: Tensor, experts: Tensor, scores: Tensor) -> Made = ADD_MOE;
        fn add_dist_collective(input: Tensor, operation: i32, reduce: i32, root: i64, groups: *mut i64, count: i64)
            -> Made = ADD_DIST_COLLECTIVE;
    } }
}

pub mod tensor {
    use super::Name;
    use crate::raw::call::{Done, Text};

    calls! { tensor at IMPL {
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

    calls! { layer at IMPL {
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

    calls! { loop_ at IMPL {
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

    calls! { if_conditional at IMPL {
        fn set_condition(tensor: Tensor) -> Made = SET_CONDITION;
        fn add_input(tensor: Tensor) -> Made = ADD_INPUT;
        fn add_output(then: Tensor, otherwise: Tensor) -> Made = ADD_OUTPUT;
        fn set_name(name: Name) -> () = SET_NAME;
    } }
}

pub mod attention {
    use super::{Name, Tensor};
    use crate::raw::call::{Done, Made};

    calls! { attention at IMPL {
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
