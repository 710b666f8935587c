//! A build of every kind of layer with each of its variants, by the real TensorRT-RTX, with static and symbolic sizes.
//!
//! The table is the statement: what is in it, TensorRT takes. Where a version refuses, the case says so and with which
//! words, so that a version that learns it is noticed too.

mod common;

use common::{Net, build, library};
use network::*;
use DType::{BFloat16, Bool, Float16, Float32, Int32, Int64};

type Case = (String, Box<dyn Fn(&mut Net)>);

/// Cases under construction.
#[derive(Default)]
struct Table(Vec<Case>);

impl Table {
    /// A case: makes the inputs and layers; what it leaves without outputs gets the last layer's.
    fn add(&mut self, name: impl Into<String>, make: impl Fn(&mut Net) + 'static) {
        self.0.push((name.into(), Box::new(make)));
    }

    /// A layer of one input of these sizes, beside the batch.
    fn one(&mut self, name: impl Into<String>, dtype: DType, sizes: &'static [i64], op: Op) {
        let name = format!("{} {dtype} {sizes:?}", name.into());
        self.add(name, move |n| {
            let x = n.input(dtype, sizes);
            n.op(op.clone(), &[x]);
        });
    }
}

const NUMBERS: [DType; 5] = [Float32, Float16, BFloat16, Int32, Int64];
const FLOATS: [DType; 3] = [Float32, Float16, BFloat16];

fn pointwise(t: &mut Table) {
    for kind in ActivationType::ALL {
        for dtype in FLOATS {
            t.one(format!("activation {kind:?}"), dtype, &[3, 4], Op::Activation { kind: *kind, alpha: 0.3, beta: 1.7 });
        }
    }
    for kind in [ActivationType::Relu, ActivationType::Clip] {
        for dtype in [Int32, Int64] {
            t.one(format!("activation {kind:?}"), dtype, &[3, 4], Op::Activation { kind, alpha: 0.0, beta: 6.0 });
        }
    }
    for op in UnaryOperation::ALL {
        let dtypes: &[DType] = match op {
            UnaryOperation::Not => &[Bool],
            UnaryOperation::Abs | UnaryOperation::Neg | UnaryOperation::Sign => &NUMBERS,
            _ => &FLOATS,
        };
        for dtype in dtypes {
            t.one(format!("unary {op:?}"), *dtype, &[3, 4], Op::Unary { op: *op });
            t.one(format!("unary {op:?} vector"), *dtype, &[], Op::Unary { op: *op });
        }
    }
    for op in ElementWiseOperation::ALL {
        use ElementWiseOperation as E;
        let dtypes: &[DType] = match op {
            E::And | E::Or | E::Xor => &[Bool],
            E::Pow => &FLOATS,
            E::Equal => &[Float32, Float16, BFloat16, Int32, Int64, Bool],
            _ => &NUMBERS,
        };
        for dtype in dtypes.iter().copied() {
            let op = *op;
            t.add(format!("elementwise {op:?} {dtype}"), move |n| {
                let (a, b) = (n.input(dtype, &[3, 4]), n.random(dtype, &[1, 3, 1]));
                n.op(Op::ElementWise { op }, &[a, b]);
            });
            t.add(format!("elementwise {op:?} {dtype} of inputs"), move |n| {
                let (a, b) = (n.input(dtype, &[3, 1]), n.input(dtype, &[1, 4]));
                n.op(Op::ElementWise { op }, &[a, b]);
            });
        }
    }
    for dtype in [Float32, Float16, BFloat16, Int32, Int64, Bool] {
        t.add(format!("select {dtype}"), move |n| {
            let (c, a, b) = (n.input(Bool, &[3, 4]), n.input(dtype, &[3, 1]), n.random(dtype, &[1, 1, 4]));
            n.op(Op::Select, &[c, a, b]);
        });
        for to in [Float32, Float16, BFloat16, Int32, Int64, Bool] {
            t.one(format!("cast to {to}"), dtype, &[3, 4], Op::Cast { to });
        }
        t.one("identity", dtype, &[3, 4], Op::Identity);
    }
    for to in [Float32, Float16] {
        t.one("cast from image", DType::UInt8, &[3, 4], Op::Cast { to });
        t.add(format!("cast {to} to image"), move |n| {
            let x = n.input(to, &[3, 4]);
            let y = n.op(Op::Activation { kind: ActivationType::Relu, alpha: 0.0, beta: 0.0 }, &[x]);
            n.op(Op::Cast { to: DType::UInt8 }, &[y]);
        });
    }
    for to in [Int32, Int64, Bool] {
        t.one(format!("cast {to} from image"), DType::UInt8, &[3, 4], Op::Cast { to });
    }
    for dtype in FLOATS {
        t.add(format!("parametric relu {dtype}"), move |n| {
            let (x, slope) = (n.input(dtype, &[3, 4, 5]), n.random(dtype, &[1, 3, 1, 1]));
            n.op(Op::ParametricRelu, &[x, slope]);
        });
    }
}

fn scales(t: &mut Table) {
    for dtype in FLOATS {
        for (mode, axis, dims) in
            [(ScaleMode::Uniform, 1, &[][..]), (ScaleMode::Channel, 1, &[3]), (ScaleMode::Channel, 0, &[2])]
        {
            for sizes in [&[3][..], &[3, 4], &[3, 4, 5], &[3, 4, 5, 6]] {
                if axis == 0 && sizes.len() != 3 {
                    continue;
                }
                t.add(format!("scale {mode:?} {dtype} axis {axis} {sizes:?}"), move |n| {
                    let x = if axis == 0 {
                        n.input_of(dtype, vec![Dim::Static(2), n.batch.clone(), Dim::Static(4), Dim::Static(5)])
                    } else {
                        n.input(dtype, sizes)
                    };
                    let (shift, scale) = (n.random(dtype, dims), n.random(dtype, dims));
                    n.op(Op::Scale { mode, channel_axis: axis }, &[x, shift, scale]);
                });
            }
        }
    }
    t.add("scale with a power only", |n| {
        let (x, power) = (n.input(Float32, &[3, 4, 5]), n.constant(Weights::float32(&[], &[2.0])));
        n.all(Op::Scale { mode: ScaleMode::Uniform, channel_axis: 1 }, &[Some(x), None, None, Some(power)]);
    });
    t.add("scale elementwise", |n| {
        let x = n.input_of(Float32, vec![Dim::Static(2), Dim::Static(3), Dim::Static(4), Dim::Static(5)]);
        let shift = n.random(Float32, &[2, 3, 4, 5]);
        n.op(Op::Scale { mode: ScaleMode::Elementwise, channel_axis: 1 }, &[x, shift]);
    });
}

fn quantized(t: &mut Table) {
    for dtype in FLOATS {
        for to in [DType::Int8, DType::Float8E4M3] {
            t.add(format!("quantize {dtype} as {to} and back"), move |n| {
                let (x, scale) = (n.input(dtype, &[3, 4, 5]), n.constant(Weights::scalar(dtype, 0.05)));
                let q = n.op(Op::Quantize { axis: None, to }, &[x, scale]);
                n.op(Op::Dequantize { axis: None, to: dtype }, &[q, scale]);
            });
        }
        t.add(format!("quantized convolution {dtype}"), move |n| {
            let (x, scale) = (n.input(dtype, &[4, 9, 9]), n.constant(Weights::scalar(dtype, 0.05)));
            let q = n.op(Op::Quantize { axis: None, to: DType::Int8 }, &[x, scale]);
            let x = n.op(Op::Dequantize { axis: None, to: dtype }, &[q, scale]);
            let kernel = n.random(dtype, &[8, 4, 3, 3]);
            let scales = n.constant(Weights::from_f64(dtype, &[8], (1..9).map(|k| f64::from(k) * 0.01)));
            let q = n.op(Op::Quantize { axis: Some(0), to: DType::Int8 }, &[kernel, scales]);
            let kernel = n.op(Op::Dequantize { axis: Some(0), to: dtype }, &[q, scales]);
            let bias = n.random(dtype, &[8]);
            n.op(Op::Convolution(convolution(2, 1)), &[x, kernel, bias]);
        });
        t.add(format!("int8 weights {dtype}"), move |n| {
            let x = n.input(dtype, &[4]);
            let weights = n.random(DType::Int8, &[4, 8]);
            let scales = n.constant(Weights::from_f64(dtype, &[8], (1..9).map(|k| f64::from(k) * 0.01)));
            let weights = n.op(Op::Dequantize { axis: Some(1), to: dtype }, &[weights, scales]);
            n.op(Op::MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::None }, &[x, weights]);
        });
    }
    for (to, scale_type) in [(DType::Float8E4M3, Float32), (DType::Float8E4M3, Float16)] {
        t.one(
            format!("dynamic quantize to {to} by {scale_type}"),
            Float32,
            &[32],
            Op::DynamicQuantize { axis: 1, block_size: 16, to, scale_type },
        );
    }
}

fn convolution(spatial: usize, groups: i64) -> ConvolutionAttributes {
    let all = |n: i64| vec![n; spatial];
    ConvolutionAttributes {
        stride: all(1),
        pre_padding: all(1),
        post_padding: all(1),
        dilation: all(1),
        groups,
    }
}

fn convolutions(t: &mut Table) {
    let variants: Vec<(&str, ConvolutionAttributes)> = vec![
        ("plain", convolution(2, 1)),
        ("strided", ConvolutionAttributes { stride: vec![2, 1], ..convolution(2, 1) }),
        ("dilated", ConvolutionAttributes { dilation: vec![2, 3], ..convolution(2, 1) }),
        ("padded unevenly", ConvolutionAttributes { pre_padding: vec![0, 2], post_padding: vec![1, 0], ..convolution(2, 1) }),
        ("grouped", convolution(2, 2)),
        ("depthwise", convolution(2, 4)),
        ("strided, dilated", ConvolutionAttributes { stride: vec![2, 2], dilation: vec![2, 2], ..convolution(2, 1) }),
        ("volume", convolution(3, 1)),
        ("volume, grouped", convolution(3, 2)),
    ];
    for (name, a) in variants {
        for dtype in FLOATS {
            for transposed in [false, true] {
                for bias in [false, true] {
                    let a = a.clone();
                    let kind = if transposed { "deconvolution" } else { "convolution" };
                    t.add(format!("{kind} {name} {dtype} bias {bias}"), move |n| {
                        let spatial = a.stride.len();
                        let x = n.input(dtype, &[&[4][..], &vec![9; spatial]].concat());
                        let channels = if transposed { [4, 8 / a.groups] } else { [8, 4 / a.groups] };
                        let kernel = n.random(dtype, &[&channels[..], &vec![3; spatial]].concat());
                        let bias = bias.then(|| n.random(dtype, &[8]));
                        let op = if transposed { Op::Deconvolution(a.clone()) } else { Op::Convolution(a.clone()) };
                        n.all(op, &[Some(x), Some(kernel), bias]);
                    });
                }
            }
        }
    }
    for transposed in [false, true] {
        t.add(format!("computed kernel and bias, transposed {transposed}"), move |n| {
            let x = n.input(Float32, &[4, 9, 9]);
            let fixed = |sizes: &[i64]| sizes.iter().map(|d| Dim::Static(*d)).collect::<Vec<_>>();
            let kernel = n.input_of(Float32, fixed(&[4, 4, 3, 3]));
            let bias = n.input_of(Float32, fixed(&[4]));
            let a = convolution(2, 1);
            let op = if transposed { Op::Deconvolution(a) } else { Op::Convolution(a) };
            n.op(op, &[x, kernel, bias]);
        });
    }
}

fn images(t: &mut Table) {
    for dtype in FLOATS {
        for kind in PoolingType::ALL.iter().copied() {
            for mode in PaddingMode::ALL.iter().copied() {
                for (spatial, sizes) in [(2, &[3, 9, 10][..]), (3, &[3, 9, 9, 9]), (2, &[2, 3, 9, 9])] {
                    let a = PoolingAttributes {
                        kind,
                        window: vec![3; spatial],
                        stride: vec![2; spatial],
                        pre_padding: vec![1; spatial],
                        post_padding: vec![1; spatial],
                        padding_mode: mode,
                        average_count_excludes_padding: true,
                        blend_factor: 0.25,
                    };
                    t.one(format!("pooling {kind:?} {mode:?} {spatial}"), dtype, sizes, Op::Pooling(a));
                }
            }
        }
        t.one("lrn", dtype, &[5, 6, 7], Op::Lrn { window: 5, alpha: 1e-4, beta: 0.75, k: 2.0 });
        for (pre, post) in [([1, 2], [0, 3]), ([0, 0], [-1, -2]), ([-1, 1], [1, -1])] {
            let op = Op::Padding { pre: pre.to_vec(), post: post.to_vec() };
            t.one(format!("padding {pre:?} {post:?}"), dtype, &[5, 6, 7], op);
        }
        for interpolation in InterpolationMode::ALL.iter().copied() {
            for sample in [SampleMode::Fill, SampleMode::Clamp, SampleMode::Reflect] {
                for align_corners in [false, true] {
                    t.add(format!("grid sample {interpolation:?} {sample:?} {align_corners} {dtype}"), move |n| {
                        let (x, grid) = (n.input(dtype, &[3, 5, 6]), n.input(dtype, &[7, 8, 2]));
                        n.op(Op::GridSample { interpolation, sample, align_corners }, &[x, grid]);
                    });
                }
            }
        }
    }
    for dtype in [Int32, Int64, Bool] {
        t.one("padding", dtype, &[5, 6, 7], Op::Padding { pre: vec![1, 0], post: vec![0, 1] });
    }
}

fn resizes(t: &mut Table) {
    let base = |mode| ResizeAttributes {
        mode,
        size: Vec::new(),
        scales: Vec::new(),
        coordinate_transformation: ResizeCoordinateTransformation::HalfPixel,
        selector: ResizeSelector::Formula,
        nearest_rounding: ResizeRoundMode::Floor,
        cubic_coeff: -0.75,
        exclude_outside: false,
    };
    for dtype in FLOATS {
        for mode in InterpolationMode::ALL.iter().copied() {
            for transformation in ResizeCoordinateTransformation::ALL.iter().copied() {
                for selector in ResizeSelector::ALL.iter().copied() {
                    let scales = vec![1.0, 1.0, 2.0, 0.5];
                    let coordinate_transformation = transformation;
                    let a = ResizeAttributes { scales, coordinate_transformation, selector, ..base(mode) };
                    t.one(format!("resize {mode:?} {transformation:?} {selector:?}"), dtype, &[3, 6, 8], Op::Resize(a));
                }
            }
            t.add(format!("resize to a computed size {mode:?} {dtype}"), move |n| {
                let x = n.input(dtype, &[3, 6, 8]);
                let shape = n.op(Op::Shape, &[x]);
                let two = n.ints(&[1, 1, 2, 2]);
                let size = n.op(Op::ElementWise { op: ElementWiseOperation::Prod }, &[shape, two]);
                n.op(Op::Resize(base(mode)), &[x, size]);
            });
        }
    }
    for rounding in ResizeRoundMode::ALL.iter().copied() {
        let a = ResizeAttributes {
            scales: vec![1.0, 1.0, 1.5, 0.7],
            nearest_rounding: rounding,
            ..base(InterpolationMode::Nearest)
        };
        t.one(format!("resize nearest {rounding:?}"), Float32, &[3, 6, 8], Op::Resize(a));
    }
    for sizes in [&[3, 6][..], &[3, 5, 6, 8], &[6]] {
        for mode in [InterpolationMode::Nearest, InterpolationMode::Linear] {
            let mut scales = vec![1.0; sizes.len() + 1];
            scales[sizes.len()] = 2.0;
            t.one(format!("resize {mode:?}"), Float32, sizes, Op::Resize(ResizeAttributes { scales, ..base(mode) }));
        }
    }
    for dtype in [Int32, Int64, Bool] {
        let a = ResizeAttributes { scales: vec![1.0, 1.0, 2.0, 2.0], ..base(InterpolationMode::Nearest) };
        t.one("resize nearest", dtype, &[3, 6, 8], Op::Resize(a));
    }
    t.add("resize to a size, with scales", move |n| {
        let x = n.input_of(Float32, [2, 3, 6, 8].map(Dim::Static).to_vec());
        let a = ResizeAttributes {
            size: vec![2, 3, 13, 17],
            scales: vec![1.0, 1.0, 2.2, 2.1],
            ..base(InterpolationMode::Linear)
        };
        n.op(Op::Resize(a), &[x]);
    });
    t.add("resize to a size", move |n| {
        let x = n.input_of(Float32, [2, 3, 6, 8].map(Dim::Static).to_vec());
        n.op(Op::Resize(ResizeAttributes { size: vec![2, 3, 13, 17], ..base(InterpolationMode::Cubic) }), &[x]);
    });
}

fn contractions(t: &mut Table) {
    for dtype in NUMBERS {
        for op in ReduceOperation::ALL.iter().copied() {
            if op == ReduceOperation::Avg && !dtype.is_float() {
                continue;
            }
            for (axes, keep_dims) in [(vec![1], true), (vec![0, 2], false), (vec![0, 1, 2, 3], false)] {
                t.one(format!("reduce {op:?} {axes:?}"), dtype, &[3, 4, 5], Op::Reduce { op, axes, keep_dims });
            }
        }
        for (exclusive, reverse) in [(false, false), (true, false), (false, true), (true, true)] {
            let op = Op::Cumulative { op: CumulativeOperation::Sum, axis: 1, exclusive, reverse };
            t.one(format!("cumulative {exclusive} {reverse}"), dtype, &[3, 4], op);
        }
        for op in TopKOperation::ALL.iter().copied() {
            t.one(format!("topk {op:?}"), dtype, &[30], Op::TopK { op, k: 5, axis: 1 });
            t.one(format!("topk {op:?} of rank 1"), dtype, &[], Op::TopK { op, k: 1, axis: 0 });
            t.one(format!("topk {op:?} middle"), dtype, &[30, 3, 2], Op::TopK { op, k: 1, axis: 1 });
        }
        t.add(format!("topk by a computed k {dtype}"), move |n| {
            let x = n.input(dtype, &[30]);
            let shape = n.op(Op::Shape, &[x]);
            let first = n.op(slice(&[0], &[1], &[1]), &[shape]);
            let k = n.op(Op::Cast { to: Int32 }, &[first]);
            let k = n.op(reshape(&[]), &[k]);
            n.op(Op::TopK { op: TopKOperation::Max, k: 0, axis: 1 }, &[x, k]);
        });
    }
    t.one("topk of many", Float32, &[5000], Op::TopK { op: TopKOperation::Max, k: 4000, axis: 1 });
    for dtype in FLOATS {
        for axis in 0..3 {
            t.one(format!("softmax {axis}"), dtype, &[3, 4], Op::SoftMax { axis });
        }
        t.one("softmax of rank 1", dtype, &[], Op::SoftMax { axis: 0 });
        products(t, dtype);
        for (axes, dims) in [(vec![2], vec![1, 1, 5]), (vec![1, 2], vec![1, 4, 5])] {
            t.add(format!("layer normalization {axes:?} {dtype}"), move |n| {
                let (x, scale, bias) = (n.input(dtype, &[4, 5]), n.random(dtype, &dims), n.random(dtype, &dims));
                n.op(Op::Normalization { axes: axes.clone(), epsilon: 1e-5, groups: 1 }, &[x, scale, bias]);
            });
        }
        for sizes in [&[6, 7][..], &[6, 7, 8], &[6, 7, 8, 9]] {
            t.add(format!("instance normalization {sizes:?} {dtype}"), move |n| {
                let mut dims = vec![1; sizes.len() + 1];
                dims[1] = 6;
                let (x, scale, bias) = (n.input(dtype, sizes), n.random(dtype, &dims), n.random(dtype, &dims));
                let axes = (2..=sizes.len()).collect();
                n.op(Op::Normalization { axes, epsilon: 1e-5, groups: 1 }, &[x, scale, bias]);
            });
        }
        t.add(format!("group normalization {dtype}"), move |n| {
            let (x, scale, bias) =
                (n.input(dtype, &[6, 7, 8]), n.random(dtype, &[1, 6, 1, 1]), n.random(dtype, &[1, 6, 1, 1]));
            n.op(Op::Normalization { axes: vec![2, 3], epsilon: 1e-5, groups: 2 }, &[x, scale, bias]);
        });
    }
    t.add("ragged softmax", |n| {
        let (x, bounds) = (n.input(Float32, &[3, 7]), n.input(Int32, &[3, 1]));
        n.op(Op::RaggedSoftMax, &[x, bounds]);
    });
}

fn products(t: &mut Table, dtype: DType) {
    use MatrixOperation as M;
    for (op0, a, op1, b) in [
        (M::None, &[3, 4][..], M::None, &[1, 4, 5][..]),
        (M::Transpose, &[4, 3], M::None, &[1, 4, 5]),
        (M::None, &[3, 4], M::Transpose, &[1, 5, 4]),
        (M::None, &[3, 4], M::Vector, &[1, 4]),
        (M::Vector, &[4], M::None, &[1, 4, 5]),
        (M::Vector, &[4], M::Vector, &[1, 4]),
    ] {
        t.add(format!("matrix multiply {op0:?} {op1:?} {dtype}"), move |n| {
            let (a, b) = (n.input(dtype, a), n.random(dtype, b));
            n.op(Op::MatrixMultiply { op0, op1 }, &[a, b]);
        });
    }
    t.add(format!("matrix multiply of inputs {dtype}"), move |n| {
        let (a, b) = (n.input(dtype, &[6, 3, 4]), n.input(dtype, &[1, 4, 5]));
        n.op(Op::MatrixMultiply { op0: M::None, op1: M::None }, &[a, b]);
    });
    for (equation, a, b) in [
        ("bij,bjk->bik", &[3, 4][..], Some(&[4, 5][..])),
        ("bijk,bkl->bijl", &[3, 4, 5], Some(&[5, 6])),
        ("bij->bji", &[3, 4], None),
        ("bij->b", &[3, 4], None),
    ] {
        t.add(format!("einsum {equation} {dtype}"), move |n| {
            let mut inputs = vec![n.input(dtype, a)];
            inputs.extend(b.map(|b| n.input(dtype, b)));
            n.op(Op::Einsum { equation: equation.into() }, &inputs);
        });
    }
}

fn slice(start: &[i64], size: &[i64], stride: &[i64]) -> Op {
    let mode = SampleMode::StrictBounds;
    Op::Slice { start: start.to_vec(), size: size.to_vec(), stride: stride.to_vec(), mode }
}

fn reshape(to: &[ReshapeDim]) -> Op {
    Op::Shuffle { first_transpose: None, reshape: Some(to.to_vec()), second_transpose: None }
}

const ANY: [DType; 6] = [Float32, Float16, BFloat16, Int32, Int64, Bool];

fn layouts(t: &mut Table) {
    use ReshapeDim::{Copy, Infer, Is};
    for dtype in ANY {
        for axis in 0..3 {
            t.add(format!("concatenation {axis} {dtype}"), move |n| {
                let (a, b) = (n.input(dtype, &[3, 4]), n.input(dtype, &[3, 4]));
                let c = n.op(Op::Concatenation { axis }, &[a, b, a]);
                n.output(c);
            });
        }
        t.one("shuffle copy, infer", dtype, &[3, 4], reshape(&[Copy, Infer]));
        t.one("shuffle infer", dtype, &[3, 4], reshape(&[Infer, Is(4), Is(1)]));
        let both = Op::Shuffle {
            first_transpose: Some(vec![0, 2, 1]),
            reshape: Some(vec![Copy, Is(2), Is(6)]),
            second_transpose: Some(vec![2, 0, 1]),
        };
        t.one("shuffle transposed twice", dtype, &[3, 4], both);
        t.add(format!("shuffle to a computed shape {dtype}"), move |n| {
            let x = n.input(dtype, &[3, 4]);
            let shape = n.op(Op::Shape, &[x]);
            let batch = n.op(slice(&[0], &[1], &[1]), &[shape]);
            let rest = n.ints(&[12]);
            let to = n.op(Op::Concatenation { axis: 0 }, &[batch, rest]);
            let op = Op::Shuffle { first_transpose: None, reshape: None, second_transpose: None };
            n.op(op, &[x, to]);
        });
        slices(t, dtype);
        t.one("squeeze", dtype, &[1, 4, 1], Op::Squeeze { axes: vec![1, 3] });
        t.one("unsqueeze", dtype, &[3, 4], Op::Unsqueeze { axes: vec![1, 4] });
        t.one("shape", dtype, &[3, 4], Op::Shape);
        t.add(format!("reverse sequence {dtype}"), move |n| {
            let (x, lengths) = (n.input(dtype, &[3, 4]), n.input(Int32, &[]));
            n.op(Op::ReverseSequence { batch_axis: 0, sequence_axis: 1 }, &[x, lengths]);
        });
        t.add(format!("an output that is a constant {dtype}"), move |n| {
            n.input(dtype, &[2]);
            let c = n.random(dtype, &[2, 3]);
            n.output(c);
        });
        t.add(format!("constants without elements {dtype}"), move |n| {
            let (x, empty) = (n.input(dtype, &[3]), n.random(dtype, &[0, 3]));
            n.op(Op::Concatenation { axis: 0 }, &[x, empty]);
        });
    }
    t.add("shuffle to no elements", |n| {
        let x = n.input_of(Float32, [0, 4].map(Dim::Static).to_vec());
        n.op(reshape(&[Is(0), Is(2), Is(2)]), &[x]);
    });
    t.add("one tensor twice an output, and an input", |n| {
        let x = n.input(Float32, &[3]);
        let y = n.op(Op::Unary { op: UnaryOperation::Exp }, &[x]);
        [x, y, y].into_iter().for_each(|id| n.output(id));
    });
}

fn slices(t: &mut Table, dtype: DType) {
    t.add(format!("slice {dtype}"), move |n| {
        let x = n.input_of(dtype, [4, 5, 6].map(Dim::Static).to_vec());
        n.op(slice(&[1, 0, 5], &[2, 3, 3], &[2, 2, -2]), &[x]);
    });
    for mode in [SampleMode::Wrap, SampleMode::Clamp, SampleMode::Fill, SampleMode::Reflect] {
        t.add(format!("slice {mode:?} {dtype}"), move |n| {
            let x = n.input_of(dtype, [4, 5, 6].map(Dim::Static).to_vec());
            let (start, size, stride) = (vec![-1, 0, -2], vec![6, 5, 10], vec![1; 3]);
            n.op(Op::Slice { start, size, stride, mode }, &[x]);
        });
    }
    t.add(format!("slice with a fill value {dtype}"), move |n| {
        let x = n.input_of(dtype, [4, 5, 6].map(Dim::Static).to_vec());
        let value = n.constant(Weights::scalar(dtype, 1.0));
        let (start, size, stride) = (vec![-1, 0, -2], vec![6, 5, 10], vec![1; 3]);
        n.all(
            Op::Slice { start, size, stride, mode: SampleMode::Fill },
            &[Some(x), None, None, None, Some(value)],
        );
    });
    t.add(format!("slice by computed sizes {dtype}"), move |n| {
        let x = n.input(dtype, &[5, 6]);
        let shape = n.op(Op::Shape, &[x]);
        let (start, less, stride) = (n.ints(&[0, 1, 1]), n.ints(&[0, 1, 1]), n.ints(&[1, 1, 1]));
        let size = n.op(Op::ElementWise { op: ElementWiseOperation::Sub }, &[shape, less]);
        let op = |mode| Op::Slice { start: Vec::new(), size: Vec::new(), stride: Vec::new(), mode };
        n.op(op(SampleMode::StrictBounds), &[x, start, size, stride]);
    });
}

fn indexing(t: &mut Table) {
    for dtype in ANY {
        for index in [Int32, Int64] {
            t.add(format!("gather {dtype} by {index}"), move |n| {
                let (x, indices) = (n.input(dtype, &[3, 4]), n.random(index, &[2, 2]));
                n.op(Op::Gather { mode: GatherMode::Default, axis: 1, elementwise_dims: 0 }, &[x, indices]);
            });
            t.add(format!("gather one {dtype} by {index}"), move |n| {
                let (x, at) = (n.input(dtype, &[3, 4]), n.constant(Weights::scalar(index, 1.0)));
                n.op(Op::Gather { mode: GatherMode::Default, axis: 2, elementwise_dims: 0 }, &[x, at]);
            });
            t.add(format!("gather rows of a table {dtype} by {index}"), move |n| {
                let (table, indices) = (n.random(dtype, &[11, 4]), n.input(index, &[5]));
                n.op(Op::Gather { mode: GatherMode::Default, axis: 0, elementwise_dims: 0 }, &[table, indices]);
            });
            t.add(format!("gather with batch {dtype} by {index}"), move |n| {
                let (x, indices) = (n.input(dtype, &[3, 4]), n.input(index, &[2]));
                n.op(Op::Gather { mode: GatherMode::Default, axis: 1, elementwise_dims: 1 }, &[x, indices]);
            });
            t.add(format!("gather elements {dtype} by {index}"), move |n| {
                let (x, indices) = (n.input(dtype, &[3, 4]), n.input(index, &[2, 4]));
                n.op(Op::Gather { mode: GatherMode::Element, axis: 1, elementwise_dims: 0 }, &[x, indices]);
            });
            t.add(format!("gather nd {dtype} by {index}"), move |n| {
                let (x, indices) = (n.input(dtype, &[3, 4]), n.input(index, &[6, 2]));
                n.op(Op::Gather { mode: GatherMode::Nd, axis: 0, elementwise_dims: 0 }, &[x, indices]);
            });
            t.add(format!("scatter elements {dtype} by {index}"), move |n| {
                let (x, at, updates) = (n.input(dtype, &[3, 4]), n.input(index, &[2, 4]), n.input(dtype, &[2, 4]));
                n.op(Op::Scatter { mode: ScatterMode::Element, axis: 1 }, &[x, at, updates]);
            });
            t.add(format!("scatter nd {dtype} by {index}"), move |n| {
                let (x, at, updates) = (n.input(dtype, &[3, 4]), n.input(index, &[2, 2]), n.input(dtype, &[2, 4]));
                n.op(Op::Scatter { mode: ScatterMode::Nd, axis: 0 }, &[x, at, updates]);
            });
            t.add(format!("one hot {dtype} of {index}"), move |n| {
                let x = n.input(index, &[3]);
                let (values, depth) =
                    (n.constant(Weights::from_f64(dtype, &[2], [0.0, 1.0])), n.constant(Weights::scalar(Int32, 7.0)));
                n.op(Op::OneHot { axis: 2 }, &[x, values, depth]);
            });
        }
        t.one("non-zero", dtype, &[3, 4], Op::NonZero { count: "found".into() });
    }
    for format in BoundingBoxFormat::ALL.iter().copied() {
        for dtype in FLOATS {
            for thresholds in [false, true] {
                t.add(format!("nms {format:?} {dtype} thresholds {thresholds}"), move |n| {
                    let (boxes, scores) = (n.input(dtype, &[20, 4]), n.input(dtype, &[20, 3]));
                    let most = n.constant(Weights::scalar(Int32, 5.0));
                    let limit = |n: &mut Net| thresholds.then(|| n.constant(Weights::scalar(Float32, 0.5)));
                    let (iou, score) = (limit(n), limit(n));
                    let op = Op::Nms { format, topk_box_limit: 100, count: "found".into() };
                    n.all(op, &[Some(boxes), Some(scores), Some(most), iou, score]);
                });
            }
        }
    }
}

fn fills(t: &mut Table) {
    for dtype in NUMBERS {
        t.add(format!("ramp {dtype}"), move |n| {
            let x = n.input(dtype, &[6]);
            let ramp = n.op(
                Op::Fill { op: FillOperation::Linspace, dims: vec![6], dtype, alpha: 2.0, beta: 3.0 },
                &[],
            );
            let ramp = n.op(reshape(&[ReshapeDim::Is(1), ReshapeDim::Is(6)]), &[ramp]);
            n.op(Op::ElementWise { op: ElementWiseOperation::Sum }, &[x, ramp]);
        });
        t.add(format!("ramp of a computed length {dtype}"), move |n| {
            let x = n.input(Float32, &[6]);
            let shape = n.op(Op::Shape, &[x]);
            let (start, step) = (n.constant(Weights::scalar(dtype, 0.0)), n.constant(Weights::filled(dtype, &[2], 1.0)));
            let fill = Op::Fill { op: FillOperation::Linspace, dims: Vec::new(), dtype, alpha: 0.0, beta: 1.0 };
            n.op(fill, &[shape, start, step]);
        });
        t.add(format!("ramp by attributes of a computed length {dtype}"), move |n| {
            let x = n.input(Float32, &[6]);
            let shape = n.op(Op::Shape, &[x]);
            let length = n.op(slice(&[0], &[1], &[1]), &[shape]);
            let fill = Op::Fill { op: FillOperation::Linspace, dims: Vec::new(), dtype, alpha: 0.0, beta: 1.0 };
            n.op(fill, &[length]);
        });
    }
    for dtype in FLOATS {
        for op in [FillOperation::RandomUniform, FillOperation::RandomNormal] {
            t.add(format!("{op:?} {dtype}"), move |n| {
                let x = n.input(dtype, &[6]);
                let dims = vec![1, 6];
                let noise = n.op(Op::Fill { op, dims, dtype, alpha: 0.0, beta: 1.0 }, &[]);
                n.op(Op::ElementWise { op: ElementWiseOperation::Sum }, &[x, noise]);
            });
            t.add(format!("{op:?} of a computed shape {dtype}"), move |n| {
                let x = n.input(dtype, &[6]);
                let shape = n.op(Op::Shape, &[x]);
                let fill = Op::Fill { op, dims: Vec::new(), dtype, alpha: 0.0, beta: 1.0 };
                let noise = n.op(fill, &[shape]);
                n.op(Op::ElementWise { op: ElementWiseOperation::Sum }, &[x, noise]);
            });
        }
    }
}

fn shapes(t: &mut Table) {
    use ElementWiseOperation as E;
    for op in [E::Sum, E::Sub, E::Prod, E::Div, E::FloorDiv, E::Max, E::Min] {
        for dtype in [Int32, Int64] {
            t.add(format!("shape arithmetic {op:?} {dtype}"), move |n| {
                let x = n.input(Float32, &[6, 8]);
                let shape = n.op(Op::Shape, &[x]);
                let shape = n.op(Op::Cast { to: dtype }, &[shape]);
                let by = n.constant(Weights::from_i64(dtype, &[3], [1, 1, 1]));
                let shape = n.op(Op::ElementWise { op }, &[shape, by]);
                let (indices, all) = (n.constant(Weights::from_i64(Int64, &[1], [0])), [0]);
                let first = n.op(Op::Gather { mode: GatherMode::Default, axis: 0, elementwise_dims: 0 }, &[shape, indices]);
                let product = n.op(Op::Reduce { op: ReduceOperation::Prod, axes: all.to_vec(), keep_dims: true }, &[shape]);
                let both = n.op(Op::Concatenation { axis: 0 }, &[first, product]);
                let y = n.op(Op::Cast { to: Int64 }, &[both]);
                n.output(y);
            });
        }
    }
    t.add("assertion", |n| {
        let (a, b) = (n.input(Float32, &[6]), n.input(Float32, &[6]));
        let (sa, sb) = (n.op(Op::Shape, &[a]), n.op(Op::Shape, &[b]));
        let same = n.op(Op::ElementWise { op: E::Equal }, &[sa, sb]);
        n.all(Op::Assertion { message: "sizes differ".into() }, &[Some(same)]);
        let y = n.op(Op::ElementWise { op: E::Sum }, &[a, b]);
        n.output(y);
    });
}

fn table() -> Vec<Case> {
    let mut t = Table::default();
    for part in [
        pointwise, scales, quantized, convolutions, images, resizes, contractions, layouts, indexing, fills, shapes,
    ] {
        part(&mut t);
    }
    t.0
}

/// Builds every case, and lists those that failed with the first line of the reasons.
fn failures(library: nvinfer::Library, symbolic: bool) -> Vec<String> {
    library.logger().set_level(nvinfer::Severity::InternalError);
    let only = std::env::var("TORCH2TRT_TEST_ONLY").unwrap_or_default();
    let mut failed = Vec::new();
    for (name, make) in table().into_iter().filter(|(name, _)| name.contains(&only)) {
        let mut n = Net::new(symbolic);
        make(&mut n);
        if n.network.outputs().is_empty() {
            let last = n.network.layers().last().unwrap().outputs.clone();
            last.into_iter().for_each(|id| n.output(id));
        }
        if let Err(error) = build(&n.network, library) {
            failed.push(format!("{name}: {error}"));
        }
    }
    failed
}

macro_rules! versions {
    ($($module:ident $variable:literal)*) => { $(
        mod $module {
            use super::*;

            #[test]
            fn static_sizes() {
                let Some(library) = library($variable) else { return };
                let failed = failures(library, false);
                assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
            }

            #[test]
            fn symbolic_sizes() {
                let Some(library) = library($variable) else { return };
                let failed = failures(library, true);
                assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
            }
        }
    )* };
}

versions! {
    rtx_1_7 "TORCH2TRT_TEST_RTX_1_7"
    rtx_1_4 "TORCH2TRT_TEST_RTX_1_4"
}
