//! Shape and type inference, one table a layer family: what a layer makes of its inputs, and what it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

use network::{DType, Dim, Error, Network, Op, Origin, Symbol, TensorId, Weights};
use ron::extensions::Extensions;
use std::sync::Arc;

/// Adds one layer, its attributes in RON. An input is a type (`float32[s0,3]`), a constant (`int64[2] = 1 -1`) or
/// `_`. Gives the outputs' types, and after `=` the elements that are known.
fn infer(layer: &str, inputs: &[&str]) -> Result<String, String> {
    let options =
        ron::Options::default().with_default_extension(Extensions::UNWRAP_VARIANT_NEWTYPES | Extensions::IMPLICIT_SOME);
    let op: Op = options.from_str(layer).unwrap_or_else(|e| panic!("{layer}: {e}"));
    let mut n = Network::new();
    n.add_symbol("s0", Symbol { min: 1, opt: 4, max: 8 });
    n.add_symbol("s1", Symbol { min: 1, opt: 4, max: i64::MAX });
    let ids: Vec<_> = inputs.iter().map(|input| add_input(&mut n, input)).collect();
    match n.add(op, &ids, &Arc::new(Origin { operator: "aten.op".into(), ..Origin::default() })) {
        Err(Error::Layer { problem, .. }) => Err(problem),
        Err(e) => panic!("{e}"),
        Ok(made) => {
            n.verify().unwrap();
            let text = |id: &TensorId| {
                let tensor = n.tensor(*id);
                let value = tensor.value.as_ref().map(|v| format!(" = {}", network::format_dims(v)));
                tensor.type_text() + &value.unwrap_or_default()
            };
            Ok(made.iter().map(text).collect::<Vec<_>>().join(" & "))
        }
    }
}

fn add_input(n: &mut Network, input: &str) -> Option<TensorId> {
    if input == "_" {
        return None;
    }
    let (ty, values) = input.split_once(" = ").map_or((input, None), |(t, v)| (t, Some(v)));
    let (dtype, dims) = ty.trim_end_matches(']').split_once('[').unwrap();
    let dtype = DType::from_name(dtype).unwrap();
    let dims: Vec<Dim> = dims.split(',').filter(|d| !d.is_empty()).map(|d| Dim::parse(d).unwrap()).collect();
    let Some(values) = values else { return Some(n.add_input(&format!("x{}", n.tensor_count()), dtype, dims)) };
    let dims: Vec<i64> = dims.iter().map(|d| d.as_static().unwrap()).collect();
    let weights = Weights::from_f64(dtype, &dims, values.split(' ').map(|v| v.parse().unwrap()));
    Some(n.add_one(Op::Constant(weights), &[], &Arc::default()).unwrap())
}

/// Rows of layer, inputs, and what is found.
#[track_caller]
fn makes(rows: &[(&str, &[&str], &str)]) {
    for (layer, inputs, wanted) in rows {
        assert_eq!(infer(layer, inputs).as_deref(), Ok(*wanted), "{layer} of {inputs:?}");
    }
}

/// Rows of layer, inputs, and the message.
#[track_caller]
fn refuses(rows: &[(&str, &[&str], &str)]) {
    for (layer, inputs, wanted) in rows {
        assert_eq!(infer(layer, inputs).as_ref().map_err(String::as_str), Err(*wanted), "{layer} of {inputs:?}");
    }
}

#[test]
fn pointwise_layers() {
    let relu = "Activation(kind: Relu, alpha: 0.0, beta: 0.0)";
    let tanh = "Activation(kind: Tanh, alpha: 0.0, beta: 0.0)";
    makes(&[
        (relu, &["float16[s0,3]"], "float16[s0,3]"),
        (relu, &["int32[3]"], "int32[3]"),
        ("Unary(op: Not)", &["bool[]"], "bool[]"),
        ("Unary(op: Neg)", &["int64[2]"], "int64[2]"),
        ("Unary(op: Isnan)", &["float32[2]"], "bool[2]"),
        ("Cast(to: bool)", &["float32[2,s0]"], "bool[2,s0]"),
        ("Cast(to: int32)", &["int64[2] = 3 4"], "int32[2] = [3,4]"),
        ("ElementWise(op: Sum)", &["float32[s0,1]", "float32[1,4]"], "float32[s0,4]"),
        ("ElementWise(op: Greater)", &["int64[2]", "int64[2]"], "bool[2]"),
        ("ElementWise(op: Equal)", &["bool[2]", "bool[2]"], "bool[2]"),
        ("ElementWise(op: Prod)", &["int64[2] = 3 4", "int64[1] = 5"], "int64[2] = [15,20]"),
        // A size that is a number stands for one that is not, where both are there.
        ("ElementWise(op: Sum)", &["float32[s0]", "float32[3]"], "float32[3]"),
        ("Select", &["bool[s0,1]", "float32[1,3]", "float32[1,1]"], "float32[s0,3]"),
        ("ParametricRelu", &["float32[2,3]", "float32[1,3]"], "float32[2,3]"),
        ("Scale(mode: Channel, channel_axis: 1)", &["float32[2,3,4,4]", "float32[3]"], "float32[2,3,4,4]"),
    ]);
    refuses(&[
        (tanh, &["int32[3]"], "Tanh needs a float tensor, got int32[3]"),
        ("Unary(op: Exp)", &["int32[3]"], "Exp is not defined for int32"),
        ("Unary(op: Not)", &["float32[3]"], "Not is not defined for float32"),
        ("ElementWise(op: Sum)", &["float32[2]", "float32[3]"], "sizes do not broadcast: float32[2] and float32[3]"),
        ("ElementWise(op: Sum)", &["float32[2]", "float32[1,2]"], "ranks differ: float32[2] and float32[1,2]"),
        (
            "ElementWise(op: Sum)",
            &["float32[2]", "float16[2]"],
            "both operands must have one dtype, got float32[2] and float16[2]",
        ),
        ("ElementWise(op: Sum)", &["bool[2]", "bool[2]"], "Sum is not defined for bool"),
        ("ElementWise(op: And)", &["int32[2]", "int32[2]"], "And is not defined for int32"),
        ("ElementWise(op: Pow)", &["int32[2]", "int32[2]"], "Pow is not defined for int32"),
        ("ElementWise(op: Sum)", &["float32[2]"], "input 1 (b) is missing"),
        ("Select", &["int32[2]", "float32[2]", "float32[2]"], "the condition must be bool, got int32[2]"),
    ]);
}

#[test]
fn fills_and_quantization() {
    makes(&[
        ("Fill(op: Linspace, dims: [5], dtype: int64, alpha: 0.0, beta: 1.0)", &[], "int64[5]"),
        (
            "Fill(op: Linspace, dims: [], dtype: float32, alpha: 0.0, beta: 1.0)",
            &["int64[2] = 3 4", "float32[]", "float32[2]"],
            "float32[3,4]",
        ),
        ("Quantize(axis: 0, to: int8)", &["float32[4,s0]", "float32[4]"], "int8[4,s0]"),
        ("Dequantize(axis: None, to: float16)", &["int8[4]", "float16[]"], "float16[4]"),
        (
            "DynamicQuantize(axis: 1, block_size: 16, to: float8_e4m3fn, scale_type: float32)",
            &["float32[2,40]"],
            "float8_e4m3fn[2,40] & float32[2,3]",
        ),
    ]);
    refuses(&[
        (
            "Fill(op: Linspace, dims: [], dtype: float32, alpha: 0.0, beta: 1.0)",
            &["int64[2]"],
            "the shape depends on data: its elements are not expressions over input sizes",
        ),
        ("Fill(op: Linspace, dims: [-2], dtype: float32, alpha: 0.0, beta: 1.0)", &[], "an output size would be -2"),
        ("Quantize(axis: None, to: int8)", &["int32[4]", "float32[]"], "x must be a float tensor, got int32[4]"),
    ]);
}

#[test]
fn contractions() {
    let multiply = |a: &str, b: &str| format!("MatrixMultiply(op0: {a}, op1: {b})");
    let (plain, transposed, vector) =
        (multiply("None", "None"), multiply("None", "Transpose"), multiply("None", "Vector"));
    makes(&[
        (&plain, &["float32[s0,2,3]", "float32[1,3,5]"], "float32[s0,2,5]"),
        (&transposed, &["float32[2,3]", "float32[5,3]"], "float32[2,5]"),
        (&vector, &["float32[2,3]", "float32[3]"], "float32[2]"),
        ("Einsum(equation: \"bij,bjk->bik\")", &["float32[s0,2,3]", "float32[s0,3,4]"], "float32[s0,2,4]"),
        ("Reduce(op: Avg, axes: [1], keep_dims: true)", &["float32[s0,3]"], "float32[s0,1]"),
        ("Reduce(op: Max, axes: [0, 1], keep_dims: false)", &["int32[2,3]"], "int32[]"),
        ("Reduce(op: Prod, axes: [0], keep_dims: true)", &["int64[2] = 6 7"], "int64[1] = [42]"),
        ("SoftMax(axis: 1)", &["float32[2,3]"], "float32[2,3]"),
        ("TopK(op: Max, k: 2, axis: 1)", &["float32[s0,9]"], "float32[s0,2] & int32[s0,2]"),
        ("TopK(op: Max, k: 0, axis: 0)", &["float32[9]", "int32[] = 4"], "float32[4] & int32[4]"),
        ("Cumulative(op: Sum, axis: 0, exclusive: false, reverse: false)", &["int64[3]"], "int64[3]"),
        (
            "Normalization(axes: [1], epsilon: 1e-5, groups: 1)",
            &["float32[s0,8]", "float32[1,8]", "float32[1,8]"],
            "float32[s0,8]",
        ),
    ]);
    refuses(&[
        (
            &plain,
            &["float32[2,3]", "float32[4,5]"],
            "the contracted sizes differ (3 and 4): None float32[2,3] and None float32[4,5]",
        ),
        (
            &plain,
            &["float32[2,2,3]", "float32[3,3,5]"],
            "the batch axes do not broadcast: None float32[2,2,3] and None float32[3,3,5]",
        ),
        (
            &plain,
            &["float32[2,2,3]", "float32[3,5]"],
            "the numbers of batch axes differ: None float32[2,2,3] and None float32[3,5]",
        ),
        (&plain, &["int32[2,3]", "int32[3,2]"], "a must be a float tensor, got int32[2,3]"),
        (
            "Einsum(equation: \"ij,jk\")",
            &["float32[2,3]", "float32[3,4]"],
            "the equation `ij,jk` names no output (`->` is missing)",
        ),
        ("Einsum(equation: \"ij,jk->ik\")", &["float32[2,3]", "float32[4,4]"], "`j` in `ij,jk->ik` is both 3 and 4"),
        ("Einsum(equation: \"ij->ik\")", &["float32[2,3]"], "the output of `ij->ik` has a letter that no operand has"),
        ("Reduce(op: Avg, axes: [0], keep_dims: true)", &["int32[2]"], "Avg is not defined for int32"),
        ("Reduce(op: Sum, axes: [2], keep_dims: true)", &["float32[2,3]"], "axis 2 is outside float32[2,3]"),
        ("SoftMax(axis: 0)", &["int32[2]"], "x must be a float tensor, got int32[2]"),
        ("TopK(op: Max, k: 2, axis: 0)", &["bool[3]"], "x must be a float, int32 or int64 tensor, got bool[3]"),
    ]);
}

#[test]
fn convolutions_and_poolings() {
    let conv = |kind: &str, stride: i64, padding: i64, groups: i64| {
        format!(
            "{kind}(stride: [{stride}, {stride}], pre_padding: [{padding}, {padding}], post_padding: [{padding}, \
             {padding}], dilation: [1, 1], groups: {groups})"
        )
    };
    let (same, half, up) = (conv("Convolution", 1, 1, 1), conv("Convolution", 2, 1, 1), conv("Deconvolution", 2, 1, 2));
    let pool = |mode: &str| {
        format!(
            "Pooling(kind: Max, window: [3, 3], stride: [2, 2], pre_padding: [0, 0], post_padding: [0, 0], \
             padding_mode: {mode}, average_count_excludes_padding: false, blend_factor: 0.0)"
        )
    };
    let (down, ceil) = (pool("ExplicitRoundDown"), pool("ExplicitRoundUp"));
    makes(&[
        (&same, &["float32[s0,3,8,s1]", "float32[4,3,3,3]", "float32[4]"], "float32[s0,4,8,s1]"),
        (&half, &["float32[1,3,9,s1]", "float32[4,3,3,3]"], "float32[1,4,5,floordiv(s1 + 1, 2)]"),
        (&up, &["float32[1,4,5,5]", "float32[4,3,4,4]"], "float32[1,6,10,10]"),
        (&down, &["float32[1,2,8,8]"], "float32[1,2,3,3]"),
        (&ceil, &["float32[1,2,8,8]"], "float32[1,2,4,4]"),
        (&pool("SameUpper"), &["float32[1,2,7,8]"], "float32[1,2,4,4]"),
        ("Padding(pre: [1, 0], post: [2, -1])", &["float32[2,3,s0]"], "float32[2,6,s0 - 1]"),
        ("Lrn(window: 3, alpha: 1.0, beta: 0.75, k: 1.0)", &["float32[1,2,3,3]"], "float32[1,2,3,3]"),
        (
            "GridSample(interpolation: Linear, sample: Fill, align_corners: false)",
            &["float32[s0,3,8,8]", "float32[s0,4,5,2]"],
            "float32[s0,3,4,5]",
        ),
    ]);
    refuses(&[
        (
            &same,
            &["float32[1,4,8,8]", "float32[4,3,3,3]"],
            "the kernel float32[4,3,3,3] with 1 groups takes 3 channels, x is float32[1,4,8,8]",
        ),
        (
            &same,
            &["float32[1,3,8]", "float32[4,3,3]"],
            "TensorRT convolves [N,C,H,W] and [N,C,D,H,W], got float32[1,3,8] with kernel float32[4,3,3]",
        ),
        (
            &same,
            &["float32[1,3,8,8]", "float32[4,3,3,3]", "float32[5]"],
            "the bias float32[5] does not fit 4 output channels",
        ),
        (&same, &["float32[1,3,8,8,8]", "float32[4,3,3,3,3]"], "stride has 2 entries for 3 spatial axes"),
        (&down, &["float32[1,2,2,0]"], "an output size would be -1: the window is larger than the padded input"),
        (&down, &["int32[1,2,8,8]"], "x must be a float tensor, got int32[1,2,8,8]"),
        ("Padding(pre: [-9, 0], post: [0, 0])", &["float32[3,3]"], "an output size would be -6"),
    ]);
}

#[test]
fn resizes() {
    let resize = |size: &str, scales: &str| {
        format!(
            "Resize(mode: Linear, size: {size}, scales: {scales}, coordinate_transformation: HalfPixel, selector: \
             Formula, nearest_rounding: Floor, cubic_coeff: -0.75, exclude_outside: false)"
        )
    };
    let (by_size, by_scale, by_input) =
        (resize("[1, 2, 7, 9]", "[]"), resize("[]", "[1.0, 1.0, 2.0, 0.5]"), resize("[]", "[]"));
    makes(&[
        (&by_size, &["float32[1,2,3,3]"], "float32[1,2,7,9]"),
        (&by_scale, &["float32[1,2,s0,s1]"], "float32[1,2,2*s0,floordiv(s1, 2)]"),
        (&by_input, &["float32[1,2,3,3]", "int64[4] = 1 2 5 6"], "float32[1,2,5,6]"),
    ]);
    refuses(&[
        (&resize("[]", "[1.5]"), &["float32[s0]"], "the size s0 times 1.5 is not an expression: give the size"),
        (&by_size, &["float32[2,3,3]"], "the output size has 4 entries for float32[2,3,3]"),
        (&by_scale, &["float32[3,3]"], "4 scales are given for float32[3,3]"),
    ]);
}

#[test]
fn indexing() {
    let gather = |mode: &str, axis: usize, batch: usize| {
        format!("Gather(mode: {mode}, axis: {axis}, elementwise_dims: {batch})")
    };
    let (take, batched, element, nd) =
        (gather("Default", 0, 0), gather("Default", 1, 1), gather("Element", 1, 0), gather("Nd", 0, 0));
    makes(&[
        (&take, &["float32[10,4]", "int64[s0,3]"], "float32[s0,3,4]"),
        (&batched, &["float32[s0,10,4]", "int32[s0,3]"], "float32[s0,3,4]"),
        (&element, &["float32[2,9]", "int64[2,3]"], "float32[2,3]"),
        (&nd, &["float32[5,6,7]", "int64[s0,2]"], "float32[s0,7]"),
        (&take, &["int64[3] = 4 5 6", "int64[] = -1"], "int64[] = [6]"),
        ("Scatter(mode: Element, axis: 0)", &["float32[4]", "int64[2]", "float32[2]"], "float32[4]"),
        ("Scatter(mode: Nd, axis: 0)", &["float32[4,5,6]", "int64[s0,2]", "float32[s0,6]"], "float32[4,5,6]"),
        ("OneHot(axis: 1)", &["int32[s0]", "float32[2]", "int32[] = 5"], "float32[s0,5]"),
        ("NonZero(count: \"u0\")", &["bool[2,3]"], "int32[2,u0]"),
        (
            "Nms(format: CornerPairs, topk_box_limit: 100, count: \"u0\")",
            &["float32[1,9,4]", "float32[1,9,1]", "int32[]"],
            "int32[u0,3] & int32[] = [u0]",
        ),
    ]);
    refuses(&[
        (&take, &["float32[3]", "float32[2]"], "indices must be int32 or int64, got float32[2]"),
        (&gather("Default", 2, 0), &["float32[3,4]", "int32[2]"], "axis 2 is outside float32[3,4]"),
        (&element, &["float32[2,9]", "int64[3]"], "ranks differ: float32[2,9] and int64[3]"),
        (&nd, &["float32[5]", "int64[4,2]"], "int64[4,2] index more axes than float32[5] has"),
        (&nd, &["float32[5]", "int64[s0]"], "the last size of the indices must be static: int64[s0]"),
        (
            "Scatter(mode: Element, axis: 0)",
            &["float32[4]", "int64[2]", "int32[2]"],
            "data and updates must have one dtype, got float32[4] and int32[2]",
        ),
        (
            "Scatter(mode: Element, axis: 0)",
            &["float32[4]", "int64[2]", "float32[3]"],
            "updates must have the sizes [2], got float32[3]",
        ),
        (
            "Scatter(mode: Nd, axis: 0)",
            &["float32[4,5]", "int64[2,1]", "float32[2,4]"],
            "updates must have the sizes [2,5], got float32[2,4]",
        ),
        (
            "Scatter(mode: Nd, axis: 0)",
            &["float32[4]", "int64[3,2]", "float32[3]"],
            "int64[3,2] index more axes than float32[4] has",
        ),
        (
            &gather("Default", 1, 1),
            &["float32[2,3]", "int32[4,5]"],
            "1 elementwise axes of int32[4,5] do not fit axis 1 of float32[2,3]",
        ),
        (
            "OneHot(axis: 0)",
            &["int32[3]", "float32[1]", "int32[] = 5"],
            "values must be two, off and on, got float32[1]",
        ),
    ]);
}

#[test]
fn layout() {
    let shuffle = |first: &str, reshape: &str, second: &str| {
        format!("Shuffle(first_transpose: {first}, reshape: {reshape}, second_transpose: {second})")
    };
    let (flatten, swap, by_input) =
        (shuffle("None", "[Copy, Infer]", "None"), shuffle("[1, 0]", "None", "None"), shuffle("None", "None", "None"));
    let slice = |start: &str, size: &str, stride: &str, mode: &str| {
        format!("Slice(start: {start}, size: {size}, stride: {stride}, mode: {mode})")
    };
    let inner = slice("[1]", "[2]", "[3]", "StrictBounds");
    let filled = slice("[0]", "[4]", "[1]", "Fill");
    makes(&[
        (&flatten, &["float32[s0,3,4]"], "float32[s0,12]"),
        (&swap, &["float32[s0,3]"], "float32[3,s0]"),
        (&shuffle("[1, 0]", "[Is(2), Infer]", "[1, 0]"), &["float32[3,4]"], "float32[6,2]"),
        (&by_input, &["float32[6]", "int64[2] = 2 3"], "float32[2,3]"),
        (&shuffle("None", "[]", "None"), &["int64[1] = 7"], "int64[] = [7]"),
        (&inner, &["float32[5]"], "float32[2]"),
        (&inner, &["int64[5] = 0 1 2 3 4"], "int64[2] = [1,4]"),
        (&slice("[-1]", "[7]", "[1]", "Reflect"), &["float32[5]"], "float32[7]"),
        (&slice("[0]", "[]", "[1]", "Fill"), &["float32[s0]", "_", "int64[1] = 9"], "float32[9]"),
        ("Concatenation(axis: 0)", &["float32[s0,3]", "float32[2,3]"], "float32[s0 + 2,3]"),
        ("Concatenation(axis: 0)", &["int64[1] = 3", "int64[2] = 4 5"], "int64[3] = [3,4,5]"),
        ("Shape", &["float32[s0,3]"], "int64[2] = [s0,3]"),
        ("Squeeze(axes: [0, 2])", &["float32[1,s0,1]"], "float32[s0]"),
        ("Unsqueeze(axes: [0, 2])", &["float32[s0]"], "float32[1,s0,1]"),
        ("ReverseSequence(batch_axis: 0, sequence_axis: 1)", &["float32[2,3]", "int32[2]"], "float32[2,3]"),
        ("Assertion(message: \"m\")", &["bool[]"], ""),
    ]);
    refuses(&[
        (&shuffle("None", "[Infer, Infer]", "None"), &["float32[4]"], "more than one size is left open"),
        (&shuffle("None", "[Is(3)]", "None"), &["float32[4]"], "[4] has 4 elements, [3] has 3"),
        (&shuffle("[0, 0]", "None", "None"), &["float32[2,3]"], "[0, 0] is not a permutation of the axes of [2,3]"),
        (&shuffle("None", "[Is(0), Infer]", "None"), &["float32[0,4]"], "a size is left open where others are 0"),
        (&flatten, &["float32[]"], "entry 0 copies an axis that [] does not have"),
        (&slice("[4]", "[2]", "[1]", "StrictBounds"), &["float32[5]"], "axis 0 of float32[5] has no elements 4..=5"),
        (&filled, &["float32[3]", "_", "_", "_", "float32[2]"], "the fill must be one element, got float32[2]"),
        (
            &filled,
            &["float32[3]", "_", "_", "_", "int32[]"],
            "data and fill must have one dtype, got float32[3] and int32[]",
        ),
        (&inner, &["float32[5,5]"], "start does not have an entry for each axis of float32[5,5]"),
        (
            "Concatenation(axis: 0)",
            &["float32[2,3]", "float32[2,4]"],
            "sizes other than axis 0 differ: float32[2,3] and float32[2,4]",
        ),
        (
            "Concatenation(axis: 0)",
            &["float32[2]", "int32[2]"],
            "concatenated tensors must have one dtype, got float32[2] and int32[2]",
        ),
        ("Squeeze(axes: [0])", &["float32[2]"], "axis 0 of float32[2] is not of size 1"),
        ("Unsqueeze(axes: [3])", &["float32[2]"], "axis 3 is outside the output of float32[2]"),
        ("Unsqueeze(axes: [0])", &["float32[1,1,1,1,1,1,1,1]"], "rank 9 is above TensorRT's limit of 8"),
        ("Assertion(message: \"m\")", &["float32[]"], "the condition must be bool of rank 0 or 1, got float32[]"),
    ]);
}

/// Shape arithmetic stays an expression from the input's sizes to a reshape.
#[test]
fn sizes_are_followed_through_arithmetic() {
    let mut n = Network::new();
    n.add_symbol("s0", Symbol { min: 1, opt: 4, max: 8 });
    let x = n.add_input("x", DType::Float32, vec![Dim::symbol("s0"), Dim::Static(6), Dim::Static(4)]);
    let o = Arc::default();
    let shape = n.add_one(Op::Shape, &[x], &o).unwrap();
    let pick = |n: &mut Network, k: i64| {
        let index = n.add_one(Op::Constant(Weights::int64(&[1], &[k])), &[], &o).unwrap();
        let gather = Op::Gather { mode: network::GatherMode::Default, axis: 0, elementwise_dims: 0 };
        n.add_one(gather, &[shape, index], &o).unwrap()
    };
    let (batch, channels) = (pick(&mut n, 0), pick(&mut n, 1));
    let three = n.add_one(Op::Constant(Weights::int64(&[1], &[3])), &[], &o).unwrap();
    let binary = |n: &mut Network, op, a, b| n.add_one(Op::ElementWise { op }, &[a, b], &o).unwrap();
    let times = binary(&mut n, network::ElementWiseOperation::Prod, batch, three);
    let part = binary(&mut n, network::ElementWiseOperation::FloorDiv, channels, three);
    let four = n.add_one(Op::Constant(Weights::int64(&[1], &[4])), &[], &o).unwrap();
    let to = n.add(Op::Concatenation { axis: 0 }, &[Some(times), Some(part), Some(four)], &o).unwrap()[0];
    let reshape = Op::Shuffle { first_transpose: None, reshape: None, second_transpose: None };
    let y = n.add_one(reshape, &[x, to], &o).unwrap();
    assert_eq!(n.tensor(y).type_text(), "float32[3*s0,2,4]");
}

#[test]
fn recurrent_layers() {
    let x = "float32[s0,s1,5]";
    let lstm = "Recurrent(cell: Lstm, reverse: false)";
    let (w, r, h) = ("float32[24,5]", "float32[24,6]", "float32[1,s1,6]");
    makes(&[
        (lstm, &[x, w, r, "float32[24]", "_", h, h], "float32[s0,s1,6] & float32[1,s1,6] & float32[1,s1,6]"),
        (
            "Recurrent(cell: Gru, reverse: true)",
            &[x, "float32[18,5]", "float32[18,6]", "_", "_", h, "_", "int64[s1]"],
            "float32[s0,s1,6] & float32[1,s1,6]",
        ),
    ]);
    refuses(&[
        (lstm, &[x, w, "float32[18,6]", "_", "_", h, h], "the hidden weights do not fit Lstm: float32[18,6]"),
        (lstm, &[x, w, r, "_", "_", h], "input 6 (the first cell state) is missing"),
        (
            lstm,
            &[x, w, r, "_", "_", "float32[2,s1,6]", h],
            "the first hidden state must have the sizes [1,s1,6], got float32[2,s1,6]",
        ),
    ]);
}
