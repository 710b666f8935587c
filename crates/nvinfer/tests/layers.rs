//! Every layer that TensorRT-RTX can add, checked by TensorRT's own account of what was added: its kind, its output's
//! shape and its output's type. A wrong slot, a wrong argument order or a wrong width would show in at least one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod common;

use nvinfer::network::{Attention, LrnParameters, ScaleWeights};
use nvinfer::*;

/// A network with inputs to build layers on.
struct Bench<'n> {
    network: &'n Network<'static>,
    count: usize,
}

/// What a layer should turn out to be.
struct Expected<'a> {
    kind: LayerType,
    dims: &'a [i64],
    dtype: DataType,
}

fn expect(kind: LayerType, dims: &[i64], dtype: DataType) -> Expected<'_> {
    Expected { kind, dims, dtype }
}

impl<'n> Bench<'n> {
    fn input(&mut self, dtype: DataType, dims: &[i64]) -> Tensor<'n> {
        self.count += 1;
        self.network.add_input(&format!("in{}", self.count), dtype, dims).unwrap()
    }

    fn floats(&mut self, dims: &[i64]) -> Tensor<'n> {
        self.input(DataType::Float, dims)
    }

    fn constant(&self, values: &'static [i32]) -> Tensor<'n> {
        let dims: &[i64] = if values.len() == 1 { &[] } else { &[values.len() as i64] };
        self.network.add_constant(dims, Weights::of(values)).unwrap().output(0).unwrap()
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "weights are borrowed until the build")]
    fn scalar(&self, value: &'static f32) -> Tensor<'n> {
        self.network.add_constant(&[], Weights::of(std::slice::from_ref(value))).unwrap().output(0).unwrap()
    }
}

fn for_each_library(test: impl Fn(&mut Bench<'_>, Version)) {
    for library in common::each() {
        let builder = Builder::new(library).unwrap();
        let network = builder.create_network(Typing::Strong).unwrap();
        test(&mut Bench { network: &network, count: 0 }, library.version());
    }
}

const F: DataType = DataType::Float;

fn check(layer: Layer<'_>, expected: &Expected<'_>) {
    assert_eq!(layer.layer_type(), Some(expected.kind));
    let output = layer.output(0).unwrap();
    let kind = expected.kind;
    assert_eq!(output.dims().unwrap_or_else(|e| panic!("{kind:?}: {e}")), *expected.dims, "{kind:?}");
    assert_eq!(output.dtype().unwrap(), expected.dtype, "{kind:?}");
    let name = format!("{:?} at {}", expected.kind, layer.name());
    layer.set_name(&name).unwrap();
    assert_eq!(layer.name(), name);
}

#[test]
fn windows() {
    static KERNEL: [f32; 8 * 3 * 5 * 3] = [0.5; 8 * 3 * 5 * 3];
    static BIAS: [f32; 8] = [0.1; 8];
    for_each_library(|bench, _| {
        let network = bench.network;
        let x = bench.floats(&[2, 3, 20, 30]);
        let conv = network.add_convolution(x, 8, &[5, 3], Weights::of(&KERNEL), Weights::of(&BIAS)).unwrap();
        conv.set_stride(&[1, 2]).unwrap();
        conv.set_dilation(&[2, 1]).unwrap();
        conv.set_pre_padding(&[1, 0]).unwrap();
        conv.set_post_padding(&[2, 3]).unwrap();
        // (20 + 3 - 2·4 - 1) / 1 + 1 and (30 + 3 - 2 - 1) / 2 + 1
        check(*conv, &expect(LayerType::Convolution, &[2, 8, 15, 16], F));
        conv.set_padding_mode(PaddingMode::SameUpper).unwrap();
        check(*conv, &expect(LayerType::Convolution, &[2, 8, 20, 15], F));

        let grouped = network.add_convolution(x, 6, &[1, 1], Weights::of(&KERNEL[..6]), Weights::none(F)).unwrap();
        grouped.set_groups(3).unwrap();
        check(*grouped, &expect(LayerType::Convolution, &[2, 6, 20, 30], F));

        let up = network.add_deconvolution(x, 8, &[5, 3], Weights::of(&KERNEL), Weights::none(F)).unwrap();
        up.set_stride(&[2, 3]).unwrap();
        up.set_padding(&[1, 0]).unwrap();
        // 2·19 + 5 - 2 and 3·29 + 3
        check(*up, &expect(LayerType::Deconvolution, &[2, 8, 41, 90], F));

        let pool = network.add_pooling(x, PoolingType::Average, &[4, 7]).unwrap();
        pool.set_stride(&[4, 7]).unwrap();
        pool.set_average_count_excludes_padding(true).unwrap();
        check(*pool, &expect(LayerType::Pooling, &[2, 3, 5, 4], F));
        pool.set_padding_mode(PaddingMode::ExplicitRoundUp).unwrap();
        check(*pool, &expect(LayerType::Pooling, &[2, 3, 5, 5], F));

        let lrn = network.add_lrn(x, LrnParameters { window: 3, alpha: 1e-4, beta: 0.75, k: 1.0 }).unwrap();
        check(lrn, &expect(LayerType::Lrn, &[2, 3, 20, 30], F));
        let padding = network.add_padding(x, &[1, 2], &[3, 4]).unwrap();
        check(padding, &expect(LayerType::Padding, &[2, 3, 24, 36], F));
    });
}

#[test]
fn pointwise() {
    static SCALE: [f32; 3] = [1.0, 2.0, 3.0];
    for_each_library(|bench, version| {
        let network = bench.network;
        let x = bench.floats(&[2, 3, 4]);
        let column = bench.floats(&[2, 1, 4]);
        for kind in ActivationType::ALL {
            let layer = network.add_activation(x, *kind).unwrap();
            layer.set_alpha(0.2).unwrap();
            layer.set_beta(0.7).unwrap();
            check(*layer, &expect(LayerType::Activation, &[2, 3, 4], F));
        }
        for operation in UnaryOperation::ALL.iter().filter(|o| **o != UnaryOperation::Not) {
            let boolean = matches!(operation, UnaryOperation::Isinf | UnaryOperation::Isnan);
            let dtype = if boolean { DataType::Bool } else { F };
            check(network.add_unary(x, *operation).unwrap(), &expect(LayerType::Unary, &[2, 3, 4], dtype));
        }
        let boolean = bench.input(DataType::Bool, &[2, 3, 4]);
        let not = network.add_unary(boolean, UnaryOperation::Not).unwrap();
        check(not, &expect(LayerType::Unary, &[2, 3, 4], DataType::Bool));
        for operation in ElementWiseOperation::ALL {
            use ElementWiseOperation::{And, Equal, Greater, Less, Or, Xor};
            let logical = matches!(operation, And | Or | Xor);
            let (a, b) = if logical { (boolean, boolean) } else { (x, column) };
            let compares = logical || matches!(operation, Equal | Greater | Less);
            let dtype = if compares { DataType::Bool } else { F };
            let layer = network.add_elementwise(a, b, *operation).unwrap();
            check(layer, &expect(LayerType::ElementWise, &[2, 3, 4], dtype));
        }
        let weights = ScaleWeights { shift: Weights::none(F), scale: Weights::of(&SCALE), power: Weights::none(F) };
        let image = bench.floats(&[2, 3, 4, 5]);
        let scale = network.add_scale(image, ScaleMode::Channel, weights, 1).unwrap();
        check(*scale, &expect(LayerType::Scale, &[2, 3, 4, 5], F));
        let prelu = network.add_parametric_relu(x, column).unwrap();
        check(prelu, &expect(LayerType::ParametricRelu, &[2, 3, 4], F));
        let select = network.add_select(boolean, x, column).unwrap();
        check(select, &expect(LayerType::Select, &[2, 3, 4], F));
        check(network.add_identity(x).unwrap(), &expect(LayerType::Identity, &[2, 3, 4], F));
        for dtype in [DataType::Half, DataType::BFloat16, DataType::Int32, DataType::Int64, DataType::Bool] {
            assert!(dtype.is_in(version));
            check(network.add_cast(x, dtype).unwrap(), &expect(LayerType::Cast, &[2, 3, 4], dtype));
        }
    });
}

#[test]
fn shapes() {
    for_each_library(|bench, _| {
        let network = bench.network;
        let x = bench.floats(&[2, 3, 4, 5]);
        let shuffle = network.add_shuffle(x).unwrap();
        shuffle.set_first_transpose(&[0, 2, 3, 1]).unwrap();
        shuffle.set_reshape_dimensions(&[0, -1, 3]).unwrap();
        shuffle.set_second_transpose(&[2, 0, 1]).unwrap();
        assert_eq!(shuffle.reshape_dimensions().unwrap(), [0, -1, 3]);
        check(*shuffle, &expect(LayerType::Shuffle, &[3, 2, 20], F));

        let slice = network.add_slice(x, &[0, 1, 0, 1], &[2, 2, 4, 2], &[1, 1, 1, 2]).unwrap();
        check(*slice, &expect(LayerType::Slice, &[2, 2, 4, 2], F));
        slice.set_size(&[2, 5, 4, 2]).unwrap();
        slice.set_mode(SampleMode::Clamp).unwrap();
        check(*slice, &expect(LayerType::Slice, &[2, 5, 4, 2], F));

        let y = bench.floats(&[2, 7, 4, 5]);
        let concatenation = network.add_concatenation(&[x, y, x]).unwrap();
        concatenation.set_axis(1).unwrap();
        check(*concatenation, &expect(LayerType::Concatenation, &[2, 13, 4, 5], F));
        assert_eq!(concatenation.num_inputs(), 3);
        assert_eq!(concatenation.input(1).unwrap().name(), y.name());

        check(network.add_shape(x).unwrap(), &expect(LayerType::Shape, &[4], DataType::Int64));
        let ones = bench.floats(&[1, 3, 1]);
        let axes = bench.constant(&[0, 2]);
        check(network.add_squeeze(ones, axes).unwrap(), &expect(LayerType::Squeeze, &[3], F));
        check(network.add_unsqueeze(ones, axes).unwrap(), &expect(LayerType::Unsqueeze, &[1, 1, 1, 3, 1], F));

        let resize = network.add_resize(x).unwrap();
        resize.set_output_dimensions(&[2, 3, 8, 15]).unwrap();
        resize.set_mode(InterpolationMode::Linear).unwrap();
        resize.set_coordinate_transformation(ResizeCoordinateTransformation::HalfPixel).unwrap();
        check(*resize, &expect(LayerType::Resize, &[2, 3, 8, 15], F));
        let resize = network.add_resize(x).unwrap();
        resize.set_scales(&[1.0, 1.0, 1.5, 3.0]).unwrap();
        resize.set_nearest_rounding(ResizeRoundMode::Floor).unwrap();
        check(*resize, &expect(LayerType::Resize, &[2, 3, 6, 15], F));

        let grid = bench.floats(&[2, 6, 7, 2]);
        let sample = network.add_grid_sample(x, grid).unwrap();
        sample.set_interpolation_mode(InterpolationMode::Nearest).unwrap();
        sample.set_align_corners(true).unwrap();
        sample.set_sample_mode(SampleMode::Reflect).unwrap();
        check(*sample, &expect(LayerType::GridSample, &[2, 3, 6, 7], F));
    });
}

#[test]
fn reductions_and_products() {
    for_each_library(|bench, _| {
        let network = bench.network;
        let x = bench.floats(&[2, 3, 4]);
        for operation in ReduceOperation::ALL.iter().filter(|o| **o != ReduceOperation::None) {
            let kept = network.add_reduce(x, *operation, Axes::new(&[0, 2]), true).unwrap();
            check(*kept, &expect(LayerType::Reduce, &[1, 3, 1], F));
            kept.set_keep_dimensions(false).unwrap();
            check(*kept, &expect(LayerType::Reduce, &[3], F));
        }
        let softmax = network.add_softmax(x).unwrap();
        softmax.set_axes(Axes::new(&[1])).unwrap();
        check(*softmax, &expect(LayerType::SoftMax, &[2, 3, 4], F));
        for indices in [DataType::Int32, DataType::Int64] {
            let topk = network.add_topk(x, TopKOperation::Min, 2, Axes::new(&[2]), indices).unwrap();
            check(*topk, &expect(LayerType::TopK, &[2, 3, 2], F));
            assert_eq!(topk.output(1).unwrap().dtype().unwrap(), indices);
        }
        let y = bench.floats(&[2, 5, 4]);
        let product = network.add_matrix_multiply(x, MatrixOperation::None, y, MatrixOperation::Transpose).unwrap();
        check(*product, &expect(LayerType::MatrixMultiply, &[2, 3, 5], F));
        product.set_operation(0, MatrixOperation::None).unwrap();
        let einsum = network.add_einsum(&[x, y], "bij,bkj->kib").unwrap();
        check(einsum, &expect(LayerType::Einsum, &[5, 3, 2], F));
        let axis = bench.constant(&[1]);
        let sum = network.add_cumulative(x, axis, CumulativeOperation::Sum, true, true).unwrap();
        check(*sum, &expect(LayerType::Cumulative, &[2, 3, 4], F));
        let (image, one) = (bench.floats(&[2, 6, 4, 4]), bench.floats(&[1, 6, 1, 1]));
        let norm = network.add_normalization(image, one, one, Axes::new(&[2, 3])).unwrap();
        norm.set_epsilon(1e-3).unwrap();
        check(*norm, &expect(LayerType::Normalization, &[2, 6, 4, 4], F));
        let (scale, bias) = (bench.floats(&[2, 1, 4]), bench.floats(&[2, 1, 4]));
        let norm = network.add_normalization(x, scale, bias, Axes::new(&[1])).unwrap();
        check(*norm, &expect(LayerType::Normalization, &[2, 3, 4], F));
    });
}

#[test]
fn indices() {
    for_each_library(|bench, _| {
        let network = bench.network;
        let x = bench.floats(&[5, 3, 4]);
        let i = bench.input(DataType::Int32, &[7, 2]);
        let gather = network.add_gather(x, i, GatherMode::Default).unwrap();
        gather.set_axis(1).unwrap();
        check(*gather, &expect(LayerType::Gather, &[5, 7, 2, 4], F));
        let nd = network.add_gather(x, i, GatherMode::Nd).unwrap();
        check(*nd, &expect(LayerType::Gather, &[7, 4], F));
        let updates = bench.floats(&[7, 4]);
        let scatter = network.add_scatter(x, i, updates, ScatterMode::Nd).unwrap();
        check(*scatter, &expect(LayerType::Scatter, &[5, 3, 4], F));
        let (row, elements) = (bench.input(DataType::Int32, &[5, 3, 2]), bench.floats(&[5, 3, 2]));
        let scatter = network.add_scatter(x, row, elements, ScatterMode::Element).unwrap();
        scatter.set_axis(2).unwrap();
        check(*scatter, &expect(LayerType::Scatter, &[5, 3, 4], F));
        for indices in [DataType::Int32, DataType::Int64] {
            let found = network.add_non_zero(x, indices).unwrap();
            check(found, &expect(LayerType::NonZero, &[3, -1], indices));
        }
        let (values, depth) = (bench.floats(&[2]), bench.constant(&[6]));
        let one_hot = network.add_one_hot(i, values, depth, -1).unwrap();
        check(one_hot, &expect(LayerType::OneHot, &[7, 2, 6], F));
        let (boxes, scores) = (bench.floats(&[2, 10, 4]), bench.floats(&[2, 10, 3]));
        let nms = network.add_nms(boxes, scores, bench.constant(&[5]), DataType::Int32).unwrap();
        nms.set_bounding_box_format(BoundingBoxFormat::CenterSizes).unwrap();
        nms.set_topk_box_limit(8).unwrap();
        nms.set_input(3, bench.scalar(&0.5)).unwrap();
        assert_eq!(nms.layer_type(), Some(LayerType::Nms));
        assert_eq!(nms.output(0).unwrap().dims().unwrap()[1], 3);
        let lengths = bench.input(DataType::Int32, &[3]);
        let reverse = network.add_reverse_sequence(x, lengths).unwrap();
        check(*reverse, &expect(LayerType::ReverseSequence, &[5, 3, 4], F));
    });
}

#[test]
fn generated_and_quantized() {
    static SCALES: [f32; 3] = [0.1, 0.2, 0.3];
    for_each_library(|bench, _| {
        let network = bench.network;
        for (operation, dtype) in [
            (FillOperation::Linspace, DataType::Int64),
            (FillOperation::Linspace, F),
            (FillOperation::RandomUniform, DataType::Half),
        ] {
            let fill = network.add_fill(&[6], operation, dtype).unwrap();
            if dtype == DataType::Int64 {
                fill.set_alpha_i64(2).unwrap();
                fill.set_beta_i64(3).unwrap();
            } else {
                fill.set_alpha(0.5).unwrap();
                fill.set_beta(2.0).unwrap();
            }
            check(*fill, &expect(LayerType::Fill, &[6], dtype));
        }
        let x = bench.floats(&[2, 3, 4]);
        let scale = network.add_constant(&[3], Weights::of(&SCALES)).unwrap().output(0).unwrap();
        for dtype in [DataType::Int8, DataType::Fp8] {
            let quantize = network.add_quantize(x, scale, dtype).unwrap();
            quantize.set_axis(1).unwrap();
            check(*quantize, &expect(LayerType::Quantize, &[2, 3, 4], dtype));
            let dequantize = network.add_dequantize(quantize.output(0).unwrap(), scale, F).unwrap();
            dequantize.set_axis(1).unwrap();
            check(*dequantize, &expect(LayerType::Dequantize, &[2, 3, 4], F));
        }
        let wide = bench.floats(&[2, 64]);
        let dynamic = network.add_dynamic_quantize(wide, 1, 16, DataType::Fp4, DataType::Fp8);
        let dynamic = dynamic.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(dynamic.layer_type(), Some(LayerType::DynamicQuantize));
        assert_eq!(dynamic.num_outputs(), 2);
    });
}

#[test]
fn attention() {
    for_each_library(|bench, version| {
        let network = bench.network;
        let [q, k, v] = [[2, 4, 6, 32], [2, 4, 9, 32], [2, 4, 9, 32]].map(|dims| bench.input(DataType::Half, &dims));
        let softmax = AttentionNormalizationOp::Softmax;
        let attention: Attention<'_> = network.add_attention(q, k, v, softmax, CausalMaskKind::None).unwrap();
        attention.set_name("attention").unwrap();
        attention.set_decomposable(true).unwrap();
        let mask = bench.input(DataType::Bool, &[2, 1, 6, 9]);
        attention.set_mask(mask).unwrap();
        let output = attention.output(0).unwrap();
        assert_eq!(output.dims().unwrap(), [2, 4, 6, 32]);
        assert_eq!(output.dtype().unwrap(), DataType::Half);
        let causal = network.add_attention(q, q, q, softmax, CausalMaskKind::UpperLeft).unwrap();
        assert_eq!(causal.output(0).unwrap().dims().unwrap(), [2, 4, 6, 32]);
        let lower = network.add_attention(q, k, v, softmax, CausalMaskKind::LowerRight);
        if version.family() == Family::Rtx1_3 {
            assert!(lower.unwrap_err().is_not_in_this_version());
        } else {
            assert_eq!(lower.unwrap().output(0).unwrap().dims().unwrap(), [2, 4, 6, 32]);
        }
        let [cos, sin] = [(); 2].map(|()| bench.input(DataType::Half, &[2, 6, 16]));
        let rotary = network.add_rotary_embedding(q, cos, sin, false, 0).unwrap();
        check(*rotary, &expect(LayerType::RotaryEmbedding, &[2, 4, 6, 32], DataType::Half));
        let (cache, update) = (bench.input(DataType::Half, &[2, 4, 128, 32]), q);
        let at = bench.input(DataType::Int32, &[2]);
        let written = network.add_kv_cache_update(cache, update, at, KvCacheMode::Linear).unwrap();
        check(*written, &expect(LayerType::KvCacheUpdate, &[2, 4, 128, 32], DataType::Half));
    });
}

#[test]
fn loops_and_conditionals() {
    for_each_library(|bench, _| {
        let network = bench.network;
        let x = bench.floats(&[5, 3]);
        let zero = bench.floats(&[3]);
        let body = network.add_loop().unwrap();
        body.set_name("scan").unwrap();
        let trips = bench.constant(&[5]);
        assert_eq!(body.add_trip_limit(trips, TripLimit::Count).unwrap().layer_type(), Some(LayerType::TripLimit));
        let row = body.add_iterator(x, 0, false).unwrap();
        check(row, &expect(LayerType::Iterator, &[3], F));
        let state = body.add_recurrence(zero).unwrap();
        let next = network.add_elementwise(state.output(0).unwrap(), row.output(0).unwrap(), ElementWiseOperation::Sum);
        let next = next.unwrap().output(0).unwrap();
        state.set_input(1, next).unwrap();
        check(state, &expect(LayerType::Recurrence, &[3], F));
        let last = body.add_output(state.output(0).unwrap(), LoopOutput::LastValue, 0).unwrap();
        check(last, &expect(LayerType::LoopOutput, &[3], F));
        let all = body.add_output(next, LoopOutput::Concatenate, 0).unwrap();
        all.set_input(1, trips).unwrap();
        check(all, &expect(LayerType::LoopOutput, &[5, 3], F));

        let either = network.add_if_conditional().unwrap();
        either.set_name("either").unwrap();
        let condition = bench.input(DataType::Bool, &[]);
        assert_eq!(either.set_condition(condition).unwrap().layer_type(), Some(LayerType::Condition));
        let inside = either.add_input(x).unwrap();
        check(inside, &expect(LayerType::ConditionalInput, &[5, 3], F));
        let inside = inside.output(0).unwrap();
        let then = network.add_unary(inside, UnaryOperation::Abs).unwrap().output(0).unwrap();
        let otherwise = network.add_unary(inside, UnaryOperation::Neg).unwrap().output(0).unwrap();
        let output = either.add_output(then, otherwise).unwrap();
        check(output, &expect(LayerType::ConditionalOutput, &[5, 3], F));
    });
}

#[test]
fn the_rest() {
    for_each_library(|bench, version| {
        let network = bench.network;
        let x = bench.floats(&[2, 6, 4, 4]);
        let flat = bench.floats(&[1, 6, 1, 1]);
        let norm = network.add_normalization_v2(x, flat, flat, Axes::new(&[2, 3])).unwrap();
        norm.set_groups(1).unwrap();
        check(*norm, &expect(LayerType::Normalization, &[2, 6, 4, 4], F));

        let (rows, bounds) = (bench.floats(&[2, 3, 7]), bench.input(DataType::Int32, &[2, 3, 1]));
        let ragged = network.add_ragged_softmax(rows, bounds).unwrap();
        assert_eq!(ragged.layer_type(), Some(LayerType::RaggedSoftMax));

        let condition = bench.input(DataType::Bool, &[]);
        let assertion = network.add_assertion(condition, "must hold").unwrap();
        assert_eq!((assertion.layer_type(), assertion.num_outputs()), (Some(LayerType::Assertion), 0));

        let wide = bench.floats(&[2, 64]);
        let blocks = network.add_dynamic_quantize_v2(wide, &[1, 32], DataType::Fp4, DataType::Fp8).unwrap();
        assert_eq!(blocks.layer_type(), Some(LayerType::DynamicQuantize));
        assert_eq!(blocks.num_outputs(), 2);

        let collective = network::Collective {
            operation: CollectiveOperation::AllReduce,
            reduce: ReduceOperation::Sum,
            root: -1,
            group: vec![],
        };
        // Some layers need other hardware. TensorRT's refusal names the call that it got, which is what is checked
        // here.
        match network.add_dist_collective(x, &collective) {
            Ok(layer) => assert_eq!(layer.layer_type(), Some(LayerType::DistCollective), "{version}"),
            Err(error) => assert!(error.diagnostics().unwrap().contains("addDistCollective"), "{error}"),
        }
        let [hidden, experts, scores] = [
            bench.input(DataType::Half, &[1, 5, 16]),
            bench.input(DataType::Int32, &[1, 5, 2]),
            bench.input(DataType::Half, &[1, 5, 2]),
        ];
        match network.add_moe(hidden, experts, scores) {
            Ok(layer) => assert_eq!(layer.layer_type(), Some(LayerType::Moe), "{version}"),
            Err(error) => assert!(error.diagnostics().unwrap().contains("addMoE"), "{error}"),
        }
    });
}
