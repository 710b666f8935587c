//! Layers over images.

use super::{FLOATS, Table};
use DType::Float32;
use network::*;

/// Adds the cases of this file.
pub fn add(t: &mut Table) {
    convolutions(t);
    images(t);
    resizes(t);
}

/// A convolution of windows of 3, padded to keep the size.
pub fn convolution(spatial: usize, groups: i64) -> ConvolutionAttributes {
    let all = |n: i64| vec![n; spatial];
    ConvolutionAttributes { stride: all(1), pre_padding: all(1), post_padding: all(1), dilation: all(1), groups }
}

fn convolutions(t: &mut Table) {
    let variants: Vec<(&str, ConvolutionAttributes)> = vec![
        ("plain", convolution(2, 1)),
        ("strided", ConvolutionAttributes { stride: vec![2, 1], ..convolution(2, 1) }),
        ("dilated", ConvolutionAttributes { dilation: vec![2, 3], ..convolution(2, 1) }),
        (
            "padded unevenly",
            ConvolutionAttributes { pre_padding: vec![0, 2], post_padding: vec![1, 0], ..convolution(2, 1) },
        ),
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
                    if !bias && dtype != Float32 {
                        continue;
                    }
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
                    if dtype != Float32 && (spatial == 3 || sizes.len() == 4) {
                        continue;
                    }
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
                    if dtype != Float32 && (align_corners || sample != SampleMode::Fill) {
                        continue;
                    }
                    t.add(format!("grid sample {interpolation:?} {sample:?} {align_corners} {dtype}"), move |n| {
                        let (x, grid) = (n.input(dtype, &[3, 5, 6]), n.input(dtype, &[7, 8, 2]));
                        n.op(Op::GridSample { interpolation, sample, align_corners }, &[x, grid]);
                    });
                }
            }
        }
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
    t.add("resize to a size, with scales", move |n| {
        let x = n.input_of(Float32, [2, 3, 6, 8].map(Dim::Static).to_vec());
        let a = ResizeAttributes {
            size: vec![2, 3, 13, 16],
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
