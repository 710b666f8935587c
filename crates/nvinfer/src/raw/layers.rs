//! The calls of the concrete layer classes: their setters, one module per class.

use std::ffi::c_void;

type Tensor = *mut c_void;

/// Declares the setters of layer classes: `layers! { module: table { declarations } }`.
macro_rules! layers {
    ($($(#[$meta:meta])* $module:ident: $table:ident at $offset:ident { $($body:tt)* })*) => {
        $(
            $(#[$meta])*
            pub mod $module {
                #[allow(unused_imports, reason = "not every class takes every type")]
                use super::Tensor;
                #[allow(unused_imports, reason = "not every class takes every type")]
                use crate::sys::layout::Permutation;
                #[allow(unused_imports, reason = "not every class gives every answer")]
                use crate::raw::call::Done;

                calls! { $table at $offset { $($body)* } }
            }
        )*

        /// The declarations of every class here.
        #[cfg(test)]
        pub fn declared() -> Vec<(&'static crate::sys::Method, String)> {
            let mut all = Vec::new();
            $(all.extend($module::declared());)*
            all
        }
    };
}

layers! {
    activation: activation_layer at LAYER_IMPL {
        fn set_alpha(alpha: f32) -> () = SET_ALPHA;
        fn set_beta(beta: f32) -> () = SET_BETA;
    }

    concatenation: concatenation_layer at LAYER_IMPL {
        fn set_axis(axis: i32) -> () = SET_AXIS;
    }

    convolution: convolution_layer at LAYER_IMPL {
        fn set_nb_groups(groups: i64) -> () = SET_NB_GROUPS;
        dims fn set_pre_padding(; dims;) -> () = SET_PRE_PADDING;
        dims fn set_post_padding(; dims;) -> () = SET_POST_PADDING;
        fn set_padding_mode(mode: i32) -> () = SET_PADDING_MODE;
        dims fn set_stride_nd(; dims;) -> () = SET_STRIDE_ND;
        dims fn set_padding_nd(; dims;) -> () = SET_PADDING_ND;
        dims fn set_dilation_nd(; dims;) -> () = SET_DILATION_ND;
        shape fn stride_nd() = GET_STRIDE_ND;
    }

    deconvolution: deconvolution_layer at LAYER_IMPL {
        fn set_nb_groups(groups: i64) -> () = SET_NB_GROUPS;
        dims fn set_pre_padding(; dims;) -> () = SET_PRE_PADDING;
        dims fn set_post_padding(; dims;) -> () = SET_POST_PADDING;
        fn set_padding_mode(mode: i32) -> () = SET_PADDING_MODE;
        dims fn set_stride_nd(; dims;) -> () = SET_STRIDE_ND;
        dims fn set_padding_nd(; dims;) -> () = SET_PADDING_ND;
        dims fn set_dilation_nd(; dims;) -> () = SET_DILATION_ND;
    }

    pooling: pooling_layer at LAYER_IMPL {
        fn set_blend_factor(factor: f32) -> () = SET_BLEND_FACTOR;
        fn set_average_count_excludes_padding(exclusive: bool) -> () = SET_AVERAGE_COUNT_EXCLUDES_PADDING;
        dims fn set_pre_padding(; dims;) -> () = SET_PRE_PADDING;
        dims fn set_post_padding(; dims;) -> () = SET_POST_PADDING;
        fn set_padding_mode(mode: i32) -> () = SET_PADDING_MODE;
        dims fn set_stride_nd(; dims;) -> () = SET_STRIDE_ND;
        dims fn set_padding_nd(; dims;) -> () = SET_PADDING_ND;
    }

    cumulative: cumulative_layer at LAYER_IMPL {
        fn set_exclusive(exclusive: bool) -> () = SET_EXCLUSIVE;
        fn set_reverse(reverse: bool) -> () = SET_REVERSE;
    }

    dequantize: dequantize_layer at LAYER_IMPL {
        fn set_axis(axis: i32) -> () = SET_AXIS;
        dims fn set_block_shape(; dims;) -> Done = SET_BLOCK_SHAPE;
    }

    quantize: quantize_layer at LAYER_IMPL {
        fn set_axis(axis: i32) -> () = SET_AXIS;
        dims fn set_block_shape(; dims;) -> Done = SET_BLOCK_SHAPE;
    }

    fill: fill_layer at LAYER_IMPL {
        dims fn set_dimensions(; dims;) -> () = SET_DIMENSIONS;
        fn set_alpha(alpha: f64) -> () = SET_ALPHA;
        fn set_beta(beta: f64) -> () = SET_BETA;
        fn set_alpha_int64(alpha: i64) -> () = SET_ALPHA_INT64;
        fn set_beta_int64(beta: i64) -> () = SET_BETA_INT64;
    }

    gather: gather_layer at LAYER_IMPL {
        fn set_gather_axis(axis: i32) -> () = SET_GATHER_AXIS;
        fn set_nb_element_wise_dims(count: i32) -> () = SET_NB_ELEMENT_WISE_DIMS;
        fn set_mode(mode: i32) -> () = SET_MODE;
    }

    grid_sample: grid_sample_layer at LAYER_IMPL {
        fn set_interpolation_mode(mode: i32) -> () = SET_INTERPOLATION_MODE;
        fn set_align_corners(align: bool) -> () = SET_ALIGN_CORNERS;
        fn set_sample_mode(mode: i32) -> Done = SET_SAMPLE_MODE;
    }

    kv_cache_update: kv_cache_update_layer at LAYER_IMPL {
        fn set_update_form(form: i32) -> Done = SET_UPDATE_FORM;
        fn set_update_lengths(lengths: Tensor) -> Done = SET_UPDATE_LENGTHS;
    }

    matrix_multiply: matrix_multiply_layer at LAYER_IMPL {
        fn set_operation(index: i32, operation: i32) -> () = SET_OPERATION;
    }

    moe: moe_layer at LAYER_IMPL {
        fn set_gated_weights(gate: Tensor, up: Tensor, down: Tensor, activation: i32) -> () = SET_GATED_WEIGHTS;
        fn set_gated_biases(gate: Tensor, up: Tensor, down: Tensor) -> () = SET_GATED_BIASES;
        fn set_swiglu_params(limit: f32, alpha: f32, beta: f32) -> () = SET_SWIGLU_PARAMS;
    }

    nms: nms_layer at LAYER_IMPL {
        fn set_bounding_box_format(format: i32) -> () = SET_BOUNDING_BOX_FORMAT;
        fn set_topk_box_limit(limit: i32) -> () = SET_TOPK_BOX_LIMIT;
    }

    normalization: normalization_layer at LAYER_IMPL {
        fn set_epsilon(epsilon: f32) -> () = SET_EPSILON;
        fn set_nb_groups(groups: i64) -> () = SET_NB_GROUPS;
        fn set_compute_precision(dtype: i32) -> () = SET_COMPUTE_PRECISION;
    }

    reduce: reduce_layer at LAYER_IMPL {
        fn set_keep_dimensions(keep: bool) -> () = SET_KEEP_DIMENSIONS;
    }

    resize: resize_layer at LAYER_IMPL {
        dims fn set_output_dimensions(; dims;) -> () = SET_OUTPUT_DIMENSIONS;
        fn set_scales(scales: *const f32, count: i32) -> () = SET_SCALES;
        fn set_resize_mode(mode: i32) -> () = SET_RESIZE_MODE;
        fn set_coordinate_transformation(transformation: i32) -> () = SET_COORDINATE_TRANSFORMATION;
        fn set_selector_for_single_pixel(selector: i32) -> () = SET_SELECTOR_FOR_SINGLE_PIXEL;
        fn set_nearest_rounding(mode: i32) -> () = SET_NEAREST_ROUNDING;
        fn set_cubic_coeff(coefficient: f32) -> () = SET_CUBIC_COEFF;
        fn set_exclude_outside(exclude: bool) -> () = SET_EXCLUDE_OUTSIDE;
    }

    reverse_sequence: reverse_sequence_layer at LAYER_IMPL {
        fn set_batch_axis(axis: i32) -> () = SET_BATCH_AXIS;
        fn set_sequence_axis(axis: i32) -> () = SET_SEQUENCE_AXIS;
    }

    rotary_embedding: rotary_embedding_layer at LAYER_IMPL {
        fn set_input(index: i32, tensor: Tensor) -> () = SET_INPUT;
    }

    scale: scale_layer at LAYER_IMPL {
        fn set_channel_axis(axis: i32) -> () = SET_CHANNEL_AXIS;
    }

    scatter: scatter_layer at LAYER_IMPL {
        fn set_axis(axis: i32) -> () = SET_AXIS;
    }

    shuffle: shuffle_layer at LAYER_IMPL {
        fn set_first_transpose(permutation: *const Permutation) -> () = SET_FIRST_TRANSPOSE;
        dims fn set_reshape_dimensions(; dims;) -> () = SET_RESHAPE_DIMENSIONS;
        shape fn reshape_dimensions() = GET_RESHAPE_DIMENSIONS;
        fn set_second_transpose(permutation: *const Permutation) -> () = SET_SECOND_TRANSPOSE;
        fn set_zero_is_placeholder(placeholder: bool) -> () = SET_ZERO_IS_PLACEHOLDER;
    }

    slice: slice_layer at LAYER_IMPL {
        dims fn set_start(; dims;) -> () = SET_START;
        dims fn set_size(; dims;) -> () = SET_SIZE;
        dims fn set_stride(; dims;) -> () = SET_STRIDE;
        fn set_mode(mode: i32) -> () = SET_MODE;
        dims fn set_axes(; dims;) -> () = SET_AXES;
    }

    soft_max: soft_max_layer at LAYER_IMPL {
        fn set_axes(axes: u32) -> () = SET_AXES;
    }
}
