//! Layers over images: convolution, pooling, resize, sampling, padding, boxes.

use crate::array::{Array, floats, floats_in, uniform};
use crate::{Sizes, check, check_within};
use network::{
    BoundingBoxFormat, ConvolutionAttributes, DType, InterpolationMode as I, Op, PaddingMode, PoolingAttributes,
    PoolingType, ResizeAttributes, ResizeCoordinateTransformation as T, ResizeRoundMode, ResizeSelector, SampleMode,
};

/// Every index of some sizes.
fn indices(dims: &[i64]) -> Vec<Vec<i64>> {
    let mut all = Vec::new();
    let _ = Array::from_fn(DType::Float32, dims, |i| {
        all.push(i.to_vec());
        0.0
    });
    all
}

fn attributes(spatial: usize, groups: i64) -> ConvolutionAttributes {
    let some = |low, high| (0..spatial).map(|_| crate::array::integer(low, high)).collect::<Vec<_>>();
    ConvolutionAttributes {
        stride: some(1, 3),
        pre_padding: some(0, 3),
        post_padding: some(0, 3),
        dilation: some(1, 3),
        groups,
    }
}

/// Convolution from its definition.
fn convolve(x: &Array, w: &Array, bias: &Array, a: &ConvolutionAttributes) -> Array {
    let r = x.dims.len() - 2;
    let mut dims = vec![x.dims[0], w.dims[0]];
    for k in 0..r {
        let reach = (w.dims[k + 2] - 1) * a.dilation[k] + 1;
        dims.push((x.dims[k + 2] + a.pre_padding[k] + a.post_padding[k] - reach) / a.stride[k] + 1);
    }
    let (per_group, out_per_group) = (w.dims[1], w.dims[0] / a.groups);
    Array::from_fn(DType::Float32, &dims, |o| {
        let first = o[1] / out_per_group * per_group;
        let mut sum = bias.data[o[1] as usize];
        for i in indices(&w.dims[1..]) {
            let at: Vec<i64> =
                (0..r).map(|k| o[k + 2] * a.stride[k] - a.pre_padding[k] + i[k + 1] * a.dilation[k]).collect();
            if at.iter().zip(&x.dims[2..]).all(|(p, n)| (0..*n).contains(p)) {
                sum += x.at(&[&[o[0], first + i[0]], &at[..]].concat()) * w.at(&[&[o[1]], &i[..]].concat());
            }
        }
        sum
    })
}

#[test]
fn convolutions_in_two_and_three_dimensions() {
    for (dims, kernel, groups) in [
        (vec![2, 4, 9, 8], vec![6, 4, 3, 2], 1),
        (vec![2, 4, 9, 8], vec![6, 2, 3, 3], 2),
        (vec![1, 3, 7, 8], vec![3, 1, 3, 3], 3),
        (vec![1, 2, 7, 8, 6], vec![3, 2, 3, 2, 2], 1),
    ] {
        let a = attributes(dims.len() - 2, groups);
        let (x, w, bias) = (floats(&dims), floats(&kernel), floats(&[kernel[0]]));
        let y = convolve(&x, &w, &bias, &a);
        let op = Op::Convolution(a.clone());
        check_within(1e-5, Sizes::Static, op.clone(), &[x.clone(), w.clone(), bias.clone()], &[y.clone()]);
        check_within(1e-5, Sizes::Static, op.clone(), &[x.clone(), w.clone().constant(), bias.constant()], &[y]);
        let y = convolve(&x, &w, &Array::new(DType::Float32, &[kernel[0]], vec![0.0; kernel[0] as usize]), &a);
        check_within(1e-5, Sizes::Static, op, &[x, w.constant()], &[y]);
    }
}

/// Deconvolution: each input element adds its kernel to the output; padding is cut off.
fn spread(x: &Array, w: &Array, bias: &Array, a: &ConvolutionAttributes) -> Array {
    let r = x.dims.len() - 2;
    let mut dims = vec![x.dims[0], w.dims[1] * a.groups];
    for k in 0..r {
        let reach = (w.dims[k + 2] - 1) * a.dilation[k] + 1;
        dims.push((x.dims[k + 2] - 1) * a.stride[k] + reach - a.pre_padding[k] - a.post_padding[k]);
    }
    let (in_per_group, out_per_group) = (x.dims[1] / a.groups, w.dims[1]);
    let mut y = Array::from_fn(DType::Float32, &dims, |o| bias.data[o[1] as usize]);
    for i in indices(&x.dims) {
        for j in indices(&w.dims[1..]) {
            let channel = i[1] / in_per_group * out_per_group + j[0];
            let at: Vec<i64> =
                (0..r).map(|k| i[k + 2] * a.stride[k] - a.pre_padding[k] + j[k + 1] * a.dilation[k]).collect();
            if at.iter().zip(&dims[2..]).all(|(p, n)| (0..*n).contains(p)) {
                let to = [&[i[0], channel], &at[..]].concat();
                let flat = to.iter().zip(&dims).fold(0, |f, (p, n)| f * n + p);
                y.data[flat as usize] += x.at(&i) * w.at(&[&[i[1]], &j[..]].concat());
            }
        }
    }
    y
}

#[test]
fn deconvolutions_with_padding_cut_and_added() {
    for (dims, kernel, groups) in [
        (vec![2, 4, 5, 6], vec![4, 3, 4, 3], 1),
        (vec![2, 4, 5, 6], vec![4, 2, 3, 3], 2),
        (vec![1, 2, 4, 5, 3], vec![2, 3, 3, 2, 2], 1),
    ] {
        let mut a = attributes(dims.len() - 2, groups);
        a.pre_padding = a.pre_padding.iter().map(|p| (*p).min(1)).collect();
        for post in [0, 1, -1] {
            // What is added at the end must be less than the stride.
            a.stride = a.stride.iter().map(|s| if post < 0 { 2 } else { *s }).collect();
            a.post_padding = vec![post; dims.len() - 2];
            let (x, w, bias) = (floats(&dims), floats(&kernel).constant(), floats(&[kernel[1] * groups]).constant());
            let y = spread(&x, &w, &bias, &a);
            check_within(1e-5, Sizes::Static, Op::Deconvolution(a.clone()), &[x, w, bias], &[y]);
        }
    }
}

fn pool(x: &Array, a: &PoolingAttributes) -> Array {
    let (r, first) = (a.window.len(), x.dims.len() - a.window.len());
    let mut dims = x.dims[..first].to_vec();
    let mut pre = a.pre_padding.clone();
    for (k, pre) in pre.iter_mut().enumerate() {
        let n = x.dims[first + k];
        let room = n + a.pre_padding[k] + a.post_padding[k] - a.window[k];
        dims.push(match a.padding_mode {
            PaddingMode::ExplicitRoundDown => room / a.stride[k] + 1,
            PaddingMode::ExplicitRoundUp => (room + a.stride[k] - 1) / a.stride[k] + 1,
            PaddingMode::SameUpper | PaddingMode::SameLower => {
                let out = (n + a.stride[k] - 1) / a.stride[k];
                let all = ((out - 1) * a.stride[k] + a.window[k] - n).max(0);
                *pre = if a.padding_mode == PaddingMode::SameUpper { all / 2 } else { all - all / 2 };
                out
            }
        });
    }
    Array::from_fn(DType::Float32, &dims, |o| {
        let (mut values, mut padded) = (Vec::new(), 0);
        for i in indices(&a.window) {
            let at: Vec<i64> = (0..r).map(|k| o[first + k] * a.stride[k] - pre[k] + i[k]).collect();
            if at.iter().zip(&x.dims[first..]).all(|(p, n)| (0..*n).contains(p)) {
                values.push(x.at(&[&o[..first], &at[..]].concat()));
            } else if (0..r).all(|k| at[k] < x.dims[first + k] + a.post_padding[k]) {
                padded += 1;
            }
        }
        let max = values.iter().copied().fold(f64::NEG_INFINITY, |a, b| if a > b || a.is_nan() { a } else { b });
        let count = values.len() + if a.average_count_excludes_padding { 0 } else { padded };
        let average = values.iter().sum::<f64>() / count as f64;
        let share = f64::from(a.blend_factor);
        match a.kind {
            PoolingType::Max => max,
            PoolingType::Average => average,
            PoolingType::MaxAverageBlend => (1.0 - share) * max + share * average,
        }
    })
}

#[test]
fn pooling_in_every_mode() {
    for kind in PoolingType::ALL {
        for padding_mode in PaddingMode::ALL {
            for excludes in [false, true] {
                for (dims, spatial) in [(vec![2, 3, 9, 10], 2), (vec![1, 2, 7, 8, 9], 3), (vec![2, 2, 3, 8, 9], 2)] {
                    let same = matches!(padding_mode, PaddingMode::SameUpper | PaddingMode::SameLower);
                    if same && *kind != PoolingType::Max && !excludes {
                        continue; // What of SAME padding counts is not documented.
                    }
                    let pads = if same { vec![0; spatial] } else { vec![1; spatial] };
                    let a = PoolingAttributes {
                        kind: *kind,
                        window: vec![3; spatial],
                        stride: vec![2; spatial],
                        pre_padding: pads.clone(),
                        post_padding: pads,
                        padding_mode: *padding_mode,
                        average_count_excludes_padding: excludes,
                        blend_factor: 0.3,
                    };
                    let x = floats(&dims);
                    let y = pool(&x, &a);
                    check_within(1e-5, Sizes::Any, Op::Pooling(a), &[x], &[y]);
                }
            }
        }
    }
}

#[test]
fn maxima_return_nan_and_minus_infinity() {
    for padding_mode in PaddingMode::ALL {
        let pads = i64::from(!matches!(padding_mode, PaddingMode::SameUpper | PaddingMode::SameLower));
        let a = PoolingAttributes {
            kind: PoolingType::Max,
            window: vec![3; 2],
            stride: vec![2; 2],
            pre_padding: vec![pads; 2],
            post_padding: vec![pads; 2],
            padding_mode: *padding_mode,
            average_count_excludes_padding: true,
            blend_factor: 0.0,
        };
        for odd in [f64::NAN, f64::NEG_INFINITY, f64::INFINITY] {
            let mut x = floats(&[2, 3, 9, 10]);
            // One element of the first image, and all but one of the second.
            x.data[37] = odd;
            x.data[270..539].fill(odd);
            let y = pool(&x, &a);
            check_within(0.0, Sizes::Any, Op::Pooling(a.clone()), &[x], &[y]);
        }
    }
}

#[test]
fn a_window_over_the_whole_image_is_global() {
    for kind in [PoolingType::Max, PoolingType::Average] {
        let a = PoolingAttributes {
            kind,
            window: vec![5, 4],
            stride: vec![1, 1],
            pre_padding: vec![0, 0],
            post_padding: vec![0, 0],
            padding_mode: PaddingMode::ExplicitRoundDown,
            average_count_excludes_padding: true,
            blend_factor: 0.0,
        };
        let x = floats(&[2, 3, 5, 4]);
        let y = pool(&x, &a);
        check_within(1e-5, Sizes::Any, Op::Pooling(a), &[x], &[y]);
    }
}

/// One axis of a resize: input positions with their weights.
fn taps(a: &ResizeAttributes, from: i64, to: i64, scale: f64, out: i64) -> Vec<(i64, f64)> {
    let x = out as f64;
    let at = match a.coordinate_transformation {
        T::AlignCorners if to == 1 => 0.0,
        T::AlignCorners => x * (from - 1) as f64 / (to - 1) as f64,
        T::Asymmetric => x / scale,
        T::HalfPixel if to == 1 && a.selector == ResizeSelector::Upper => 0.0,
        T::HalfPixel => (x + 0.5) / scale - 0.5,
    };
    let clamp = |i: i64| i.clamp(0, from - 1);
    match a.mode {
        I::Nearest => {
            let near = match a.nearest_rounding {
                ResizeRoundMode::HalfUp => (at + 0.5).floor(),
                ResizeRoundMode::HalfDown => (at - 0.5).ceil(),
                ResizeRoundMode::Floor => at.floor(),
                ResizeRoundMode::Ceil => at.ceil(),
            };
            vec![(clamp(near as i64), 1.0)]
        }
        I::Linear => {
            let at = at.clamp(0.0, (from - 1) as f64);
            let low = at.floor();
            vec![(low as i64, 1.0 - (at - low)), (clamp(low as i64 + 1), at - low)]
        }
        I::Cubic => {
            let (low, c) = (at.floor(), f64::from(a.cubic_coeff));
            let weight = |d: f64| {
                let d = d.abs();
                if d <= 1.0 {
                    ((c + 2.0) * d - (c + 3.0)) * d * d + 1.0
                } else {
                    ((c * d - 5.0 * c) * d + 8.0 * c) * d - 4.0 * c
                }
            };
            (-1..3).map(|k| (clamp(low as i64 + k), weight(at - low - k as f64))).collect()
        }
    }
}

fn resized(x: &Array, a: &ResizeAttributes, to: &[i64]) -> Array {
    let scale = |k: usize| if a.scales.is_empty() { to[k] as f64 / x.dims[k] as f64 } else { f64::from(a.scales[k]) };
    Array::from_fn(x.dtype, to, |o| {
        let mut sum = 0.0;
        for v in taps(a, x.dims[2], to[2], scale(2), o[2]) {
            for h in taps(a, x.dims[3], to[3], scale(3), o[3]) {
                sum += v.1 * h.1 * x.at(&[o[0], o[1], v.0, h.0]);
            }
        }
        sum
    })
}

#[test]
fn resize_in_every_mode_and_map() {
    for mode in I::ALL {
        for coordinate_transformation in T::ALL {
            for nearest_rounding in ResizeRoundMode::ALL {
                if *mode != I::Nearest && *nearest_rounding != ResizeRoundMode::Floor {
                    continue;
                }
                let mut a = ResizeAttributes {
                    mode: *mode,
                    size: vec![2, 3, 9, 7],
                    scales: vec![],
                    coordinate_transformation: *coordinate_transformation,
                    selector: ResizeSelector::Formula,
                    nearest_rounding: *nearest_rounding,
                    cubic_coeff: -0.75,
                    exclude_outside: false,
                };
                // Sizes whose coordinates are no exact halves in float32 arithmetic of either order.
                let x = floats(&[2, 3, 5, 4]);
                let y = resized(&x, &a, &a.size);
                check_within(1e-4, Sizes::Static, Op::Resize(a.clone()), &[x.clone()], &[y]);
                a.size.clear();
                a.scales = vec![1.0, 1.0, 2.0, 3.0];
                let y = resized(&x, &a, &[2, 3, 10, 12]);
                check_within(1e-4, Sizes::Any, Op::Resize(a), &[x], &[y]);
            }
        }
    }
}

#[test]
fn an_output_of_one_element_follows_the_selector() {
    for selector in ResizeSelector::ALL {
        let a = ResizeAttributes {
            mode: I::Linear,
            size: vec![1, 2, 1, 1],
            scales: vec![],
            coordinate_transformation: T::HalfPixel,
            selector: *selector,
            nearest_rounding: ResizeRoundMode::Floor,
            cubic_coeff: -0.75,
            exclude_outside: false,
        };
        let x = floats(&[1, 2, 4, 4]);
        let y = resized(&x, &a, &a.size);
        check_within(1e-5, Sizes::Static, Op::Resize(a), &[x], &[y]);
    }
}

#[test]
fn grid_sampling_bilinear() {
    for (sample, align) in
        [(SampleMode::Fill, false), (SampleMode::Fill, true), (SampleMode::Clamp, false), (SampleMode::Clamp, true)]
    {
        let (x, grid) = (floats(&[2, 3, 5, 6]), floats_in(&[2, 4, 7, 2], -1.3, 1.3));
        let place = |g: f64, n: i64| {
            let at = if align { f64::midpoint(g, 1.0) * (n - 1) as f64 } else { ((g + 1.0) * n as f64 - 1.0) / 2.0 };
            if sample == SampleMode::Clamp { at.clamp(0.0, (n - 1) as f64) } else { at }
        };
        let y = Array::from_fn(DType::Float32, &[2, 3, 4, 7], |o| {
            let (u, v) = (place(grid.at(&[o[0], o[2], o[3], 0]), 6), place(grid.at(&[o[0], o[2], o[3], 1]), 5));
            let mut sum = 0.0;
            for (dv, du) in [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)] {
                let (row, column) = (v.floor() + dv, u.floor() + du);
                let weight = (1.0 - (v - row).abs()) * (1.0 - (u - column).abs());
                if (0.0..5.0).contains(&row) && (0.0..6.0).contains(&column) {
                    sum += weight * x.at(&[o[0], o[1], row as i64, column as i64]);
                }
            }
            sum
        });
        let op = Op::GridSample { interpolation: I::Linear, sample, align_corners: align };
        check_within(1e-4, Sizes::Any, op, &[x, grid], &[y]);
    }
}

#[test]
fn padding_adds_zeros_and_crops() {
    let x = floats(&[2, 3, 5, 6]);
    let y = Array::from_fn(DType::Float32, &[2, 3, 6, 7], |o| {
        let (r, c) = (o[2] - 2, o[3] + 1);
        if (0..5).contains(&r) && (0..6).contains(&c) { x.at(&[o[0], o[1], r, c]) } else { 0.0 }
    });
    check(Op::Padding { pre: vec![2, -1], post: vec![-1, 2] }, &[x], &[y]);
}

/// Greedy suppression over one class.
fn keep(boxes: &[[f64; 4]], scores: &[f64], most: usize, overlap: f64, least: f64) -> Vec<usize> {
    let area = |b: &[f64; 4]| (b[2] - b[0]) * (b[3] - b[1]);
    let iou = |a: &[f64; 4], b: &[f64; 4]| {
        let (h, w) = (a[2].min(b[2]) - a[0].max(b[0]), a[3].min(b[3]) - a[1].max(b[1]));
        let both = h.max(0.0) * w.max(0.0);
        both / (area(a) + area(b) - both)
    };
    let mut order: Vec<usize> = (0..scores.len()).filter(|k| scores[*k] > least).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let mut kept: Vec<usize> = Vec::new();
    for k in order {
        if kept.len() < most && kept.iter().all(|o| iou(&boxes[*o], &boxes[k]) <= overlap) {
            kept.push(k);
        }
    }
    kept
}

#[test]
fn non_maximum_suppression_and_its_box_limit() {
    for limit in [100, 8] {
        let (n, classes) = (30, 2);
        let boxes: Vec<[f64; 4]> = (0..n)
            .map(|_| {
                let (y, x) = (uniform(0.0, 5.0), uniform(0.0, 5.0));
                [y, x, y + uniform(1.0, 4.0), x + uniform(1.0, 4.0)].map(|v| f64::from(v as f32))
            })
            .collect();
        let scores = floats_in(&[1, n, classes], 0.0, 1.0);
        let mut rows = Vec::new();
        for class in 0..classes {
            let mut own: Vec<f64> = (0..n).map(|k| scores.at(&[0, k, class])).collect();
            let mut best = own.clone();
            best.sort_by(|a, b| b.total_cmp(a));
            if limit < n {
                let last = best[limit as usize - 1];
                own.iter_mut().filter(|s| **s < last).for_each(|s| *s = f64::MIN);
            }
            rows.extend(keep(&boxes, &own, 5, 0.4, 0.2).into_iter().map(|k| [0.0, class as f64, k as f64]));
        }
        let inputs = [
            Array::new(DType::Float32, &[1, n, 4], boxes.concat()),
            scores,
            Array::scalar(DType::Int32, 5.0).constant(),
            Array::scalar(DType::Float32, f64::from(0.4f32)).constant(),
            Array::scalar(DType::Float32, f64::from(0.2f32)).constant(),
        ];
        let found = Array::new(DType::Int32, &[rows.len() as i64, 3], rows.concat());
        let count = Array::scalar(DType::Int32, rows.len() as f64);
        let op = Op::Nms { format: BoundingBoxFormat::CornerPairs, topk_box_limit: limit, count: "count".into() };
        check_within(0.0, Sizes::Static, op, &inputs, &[found, count]);
    }
}
