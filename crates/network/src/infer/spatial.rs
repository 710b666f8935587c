//! Layers over images: convolution, pooling, resize, padding, sampling.

use super::arithmetic::known;
use super::{Inferred, Inputs, Result, TensorInfo, fail, one, same_dtype};
use crate::{
    ConvolutionAttributes, Dim, Dims, InterpolationMode, PaddingMode, PoolingAttributes, ResizeAttributes, SampleMode,
};

pub(super) fn convolution(i: Inputs<'_>, a: &ConvolutionAttributes) -> Result<Vec<Inferred>> {
    either_convolution(a, i, false)
}

pub(super) fn deconvolution(i: Inputs<'_>, a: &ConvolutionAttributes) -> Result<Vec<Inferred>> {
    either_convolution(a, i, true)
}

pub(super) fn lrn(i: Inputs<'_>, _window: i64, _alpha: f32, _beta: f32, _k: f32) -> Result<Vec<Inferred>> {
    i.float(0, "x").and_then(|x| one(x.dtype, x.dims.to_vec()))
}

pub(super) fn padding(i: Inputs<'_>, pre: &[i64], post: &[i64]) -> Result<Vec<Inferred>> {
    let x = i.float(0, "x")?;
    if pre.len() != 2 || post.len() != 2 || x.rank() < 2 {
        return fail(format!("padding is for the last two axes, got {} for {}", pre.len(), x.text()));
    }
    let mut dims = x.dims.to_vec();
    let first = dims.len() - 2;
    for (k, dim) in dims[first..].iter_mut().enumerate() {
        *dim = dim.clone() + Dim::Static(pre[k].saturating_add(post[k]));
    }
    one(x.dtype, dims)
}

pub(super) fn grid_sample(
    i: Inputs<'_>,
    _: InterpolationMode,
    _: SampleMode,
    _align_corners: bool,
) -> Result<Vec<Inferred>> {
    let (x, grid) = (i.float(0, "x")?, i.float(1, "grid")?);
    same_dtype(x, grid, "x and grid")?;
    if x.rank() != 4 || grid.rank() != 4 {
        return fail(format!("needs [N,C,H,W] and [N,H,W,2], got {} and {}", x.text(), grid.text()));
    }
    let [n, c] = [&x.dims[0], &x.dims[1]];
    one(x.dtype, vec![n.clone(), c.clone(), grid.dims[1].clone(), grid.dims[2].clone()])
}

fn check_lengths(spatial: usize, lists: &[(&str, &[i64])]) -> Result<()> {
    match lists.iter().find(|(_, list)| list.len() != spatial) {
        Some((name, list)) => fail(format!("{name} has {} entries for {spatial} spatial axes", list.len())),
        None => Ok(()),
    }
}

fn either_convolution(a: &ConvolutionAttributes, i: Inputs<'_>, transposed: bool) -> Result<Vec<Inferred>> {
    let (x, kernel) = (i.float(0, "x")?, i.float(1, "kernel")?);
    same_dtype(x, kernel, "x and kernel")?;
    if x.rank() < 4 || x.rank() > 5 || kernel.rank() != x.rank() {
        return fail(format!(
            "TensorRT convolves [N,C,H,W] and [N,C,D,H,W], got {} with kernel {}",
            x.text(),
            kernel.text()
        ));
    }
    let spatial = x.rank() - 2;
    let lists: [(&str, &[i64]); 4] = [
        ("stride", &a.stride),
        ("pre_padding", &a.pre_padding),
        ("post_padding", &a.post_padding),
        ("dilation", &a.dilation),
    ];
    check_lengths(spatial, &lists)?;
    let groups = Dim::Static(a.groups);
    let (taken, made) = if transposed {
        (kernel.dims[0].clone(), kernel.dims[1].clone() * groups)
    } else {
        (kernel.dims[1].clone() * groups, kernel.dims[0].clone())
    };
    if taken.is_static() && x.dims[1].is_static() && taken != x.dims[1] {
        return fail(format!(
            "the kernel {} with {} groups takes {taken} channels, x is {}",
            kernel.text(),
            a.groups,
            x.text()
        ));
    }
    if let Some(bias) = i.optional(2) {
        same_dtype(x, bias, "x and bias")?;
        if Dim::product(bias.dims) != made {
            return fail(format!("the bias {} does not fit {made} output channels", bias.text()));
        }
    }
    let mut dims: Dims = vec![x.dims[0].clone(), made];
    for k in 0..spatial {
        let (size, window) = (x.dims[k + 2].clone(), kernel.dims[k + 2].clone());
        let padding = Dim::Static(a.pre_padding[k].saturating_add(a.post_padding[k]));
        let reach = (window - Dim::Static(1)) * Dim::Static(a.dilation[k]) + Dim::Static(1);
        let stride = Dim::Static(a.stride[k]);
        dims.push(if transposed {
            (size - Dim::Static(1)) * stride + reach - padding
        } else {
            (size + padding - reach).floor_div(&stride) + Dim::Static(1)
        });
    }
    check_sizes(&dims)?;
    one(x.dtype, dims)
}

fn check_sizes(dims: &[Dim]) -> Result<()> {
    match dims.iter().find_map(|d| d.as_static().filter(|n| *n < 0)) {
        Some(n) => fail(format!("an output size would be {n}: the window is larger than the padded input")),
        None => Ok(()),
    }
}

pub(super) fn pooling(i: Inputs<'_>, a: &PoolingAttributes) -> Result<Vec<Inferred>> {
    let x = i.get(0, "x")?;
    if !x.dtype.is_float() {
        return fail(format!("x must be a float tensor, got {}", x.text()));
    }
    let spatial = a.window.len();
    if !(2..=3).contains(&spatial) || x.rank() < spatial + 2 {
        return fail(format!("TensorRT pools two or three spatial axes, got {spatial} for {}", x.text()));
    }
    check_lengths(
        spatial,
        &[("stride", &a.stride), ("pre_padding", &a.pre_padding), ("post_padding", &a.post_padding)],
    )?;
    let first = x.rank() - spatial;
    let mut dims = x.dims.to_vec();
    for k in 0..spatial {
        let stride = Dim::Static(a.stride[k]);
        let padding = Dim::Static(a.pre_padding[k].saturating_add(a.post_padding[k]));
        let room = dims[first + k].clone() + padding - Dim::Static(a.window[k]);
        dims[first + k] = match a.padding_mode {
            PaddingMode::ExplicitRoundDown => room.floor_div(&stride) + Dim::Static(1),
            PaddingMode::ExplicitRoundUp => room.ceil_div(&stride) + Dim::Static(1),
            PaddingMode::SameUpper | PaddingMode::SameLower => dims[first + k].ceil_div(&stride),
        };
    }
    check_sizes(&dims)?;
    one(x.dtype, dims)
}

pub(super) fn resize(i: Inputs<'_>, a: &ResizeAttributes) -> Result<Vec<Inferred>> {
    let x = i.float(0, "x")?;
    let dims = if let Some(size) = i.optional(1) {
        known(size, "the output size")?
    } else if a.size.is_empty() {
        check_lengths(x.rank(), &[]).and_then(|()| scaled(x, &a.scales))?
    } else {
        a.size.iter().map(|d| Dim::Static(*d)).collect()
    };
    if dims.len() != x.rank() {
        return fail(format!("the output size has {} entries for {}", dims.len(), x.text()));
    }
    one(x.dtype, dims)
}

/// Sizes times scales, rounded down. A symbolic size takes scales that are a whole number or one over one.
fn scaled(x: TensorInfo<'_>, scales: &[f32]) -> Result<Dims> {
    if scales.len() != x.rank() {
        return fail(format!("{} scales are given for {}", scales.len(), x.text()));
    }
    x.dims
        .iter()
        .zip(scales)
        .map(|(dim, scale)| match dim {
            Dim::Static(n) => Ok(Dim::Static((*n as f32 * scale).floor() as i64)),
            Dim::Symbolic(_) if scale.fract() == 0.0 => Ok(dim.clone() * Dim::Static(*scale as i64)),
            Dim::Symbolic(_) if scale.recip().fract() == 0.0 => Ok(dim.floor_div(&Dim::Static(scale.recip() as i64))),
            Dim::Symbolic(_) => fail(format!("the size {dim} times {scale} is not an expression: give the size")),
        })
        .collect()
}
