//! Rearranging and sampling images.
//!
//! | schema | layers |
//! |---|---|
//! | `pixel_shuffle(Tensor self, int upscale_factor)`, `pixel_unshuffle(Tensor self, int downscale_factor)` | Shuffle |
//! | `channel_shuffle(Tensor self, SymInt groups)`, `native_channel_shuffle` | Shuffle |
//! | `grid_sampler(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, …)` | GridSample |
//! | `grid_sampler_2d` | the same |
//! | `affine_grid_generator(Tensor theta, SymInt[] size, bool align_corners)` | Slice, ElementWise |
//! | `im2col(Tensor self, int[2] kernel_size, int[2] dilation, int[2] padding, …)` | Slice, Gather, Shuffle |
//! | `col2im(Tensor self, SymInt[2] output_size, int[2] kernel_size, …)` | Shuffle, MatrixMultiply |
//!
//! Dtypes: what goes in comes out; sampling and `col2im` need floats. Sizes may be symbolic, but not those of
//! `col2im`.
//! For `grid_sampler` with five axes see `volume`.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, InterpolationMode, Op, SampleMode, TensorId, Weights};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.pixel_shuffle.default", pixel_shuffle, "Shuffle", 0.0),
    operator("aten.pixel_unshuffle.default", pixel_unshuffle, "Shuffle", 0.0),
    operator("aten.channel_shuffle.default", channel_shuffle, "Shuffle", 0.0),
    operator("aten.native_channel_shuffle.default", channel_shuffle, "Shuffle", 0.0),
    operator("aten.grid_sampler.default", grid_sampler, "GridSample", 1e-5),
    operator("aten.grid_sampler_2d.default", grid_sampler, "GridSample", 1e-5),
    operator("aten.grid_sampler_3d.default", grid_sampler, "ElementWise, Gather", 1e-5),
    operator("aten.affine_grid_generator.default", affine_grid, "Slice, ElementWise", 1e-5),
    operator("aten.im2col.default", im2col, "Slice, Gather, Shuffle", 0.0),
    operator("aten.col2im.default", col2im, "Shuffle, MatrixMultiply", 1e-5),
];

/// The last three sizes, and all before them as one.
fn planes(b: &Builder, x: TensorId) -> Result<[Dim; 4]> {
    let dims = b.dims(x);
    match dims.as_slice() {
        [leading @ .., c, h, w] => Ok([Dim::product(leading), c.clone(), h.clone(), w.clone()]),
        _ => unsupported("an image needs channels, height and width"),
    }
}

/// `[C·r², H, W]` to `[C, H·r, W·r]`.
fn pixel_shuffle(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, factor) = (call.tensor("self")?, Dim::Static(call.int("upscale_factor")?));
    let [n, c, h, w] = planes(b, x)?;
    let channels = c.floor_div(&(factor.clone() * factor.clone()));
    let y = b.reshape(x, &[n, channels, factor.clone(), factor, h, w])?;
    let y = b.permute(y, &[0, 1, 4, 2, 5, 3])?;
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}

/// `[C, H·r, W·r]` to `[C·r², H, W]`.
fn pixel_unshuffle(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, factor) = (call.tensor("self")?, Dim::Static(call.int("downscale_factor")?));
    let [n, c, h, w] = planes(b, x)?;
    let (h, w) = (h.floor_div(&factor), w.floor_div(&factor));
    let y = b.reshape(x, &[n, c, h, factor.clone(), w, factor])?;
    let y = b.permute(y, &[0, 1, 3, 5, 2, 4])?;
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}

/// Channel `g·k + i` goes to `i·groups + g`.
fn channel_shuffle(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, groups) = (call.tensor("self")?, call.size("groups")?);
    let dims = b.dims(x);
    let [n, c, rest @ ..] = dims.as_slice() else {
        return unsupported("channel_shuffle needs a batch and channels");
    };
    let split = [&[n.clone(), groups.clone(), c.floor_div(&groups)], rest].concat();
    let y = b.reshape(x, &split)?;
    let y = b.transpose(y, 1, 2)?;
    Ok(b.reshape(y, &dims)?.into())
}

fn grid_sampler(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, grid) = (call.tensor("input")?, call.tensor("grid")?);
    if b.rank(x) == 5 {
        return super::volume::grid_sampler(b, call);
    }
    let interpolation = match call.int("interpolation_mode")? {
        0 => InterpolationMode::Linear,
        1 => InterpolationMode::Nearest,
        _ => InterpolationMode::Cubic,
    };
    let sample = match call.int("padding_mode")? {
        0 => SampleMode::Fill,
        1 => SampleMode::Clamp,
        _ => SampleMode::Reflect,
    };
    let grid = b.cast(grid, b.dtype(x))?;
    let align_corners = call.bool("align_corners")?;
    Ok(b.add(Op::GridSample { interpolation, sample, align_corners }, &[x, grid])?.into())
}

/// Sampling points `theta · (x, y, 1)ᵀ` for every output pixel, x and y from -1 to 1 (in 3-D also z).
fn affine_grid(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (theta, size, align_corners) = (call.tensor("theta")?, call.sizes("size")?, call.bool("align_corners")?);
    let spatial = size.len().saturating_sub(2);
    let dtype = b.dtype(theta);
    // Column k of theta as [N, 1, …, 1, spatial].
    let mut column_dims = vec![Dim::Static(1); spatial + 2];
    column_dims[0] = b.dims(theta)[0].clone();
    column_dims[spatial + 1] = Dim::Static(spatial as i64);
    let column = |b: &mut Builder, k: usize| {
        let column = b.slice_axis(theta, 2, Dim::Static(k as i64), Dim::Static(1), 1)?;
        b.reshape(column, &column_dims)
    };
    let mut points = column(b, spatial)?;
    for k in 0..spatial {
        // The first coordinate runs along the last axis.
        let axis = spatial - k;
        let coordinates = match size[axis + 1].as_static() {
            Some(count) => {
                let mut dims = vec![1; spatial + 2];
                dims[axis] = count;
                b.constant(Weights::from_f64(dtype, &dims, coordinates(count, align_corners)))?
            }
            None => {
                let coordinates = coordinates_at_run_time(b, &size[axis + 1], align_corners)?;
                let coordinates = b.along(coordinates, axis, spatial + 2)?;
                b.cast(coordinates, dtype)?
            }
        };
        let factor = column(b, k)?;
        let term = b.prod(factor, coordinates)?;
        points = b.sum(points, term)?;
    }
    Ok(b.expand(points, call.output_dims(0)?)?.into())
}

/// Positions of an axis's elements, from -1 to 1: of their centers, or with the first and last on the border.
fn coordinates(size: i64, align_corners: bool) -> Vec<f64> {
    let position = |i: i64| match (align_corners, size) {
        (_, 1) => 0.0,
        (true, _) => 2.0 * i as f64 / (size - 1) as f64 - 1.0,
        (false, _) => (2 * i + 1) as f64 / size as f64 - 1.0,
    };
    (0..size).map(position).collect()
}

/// [`coordinates`] of a size that depends on the input, as a 1-D tensor in float32.
fn coordinates_at_run_time(b: &mut Builder, size: &Dim, align_corners: bool) -> Result<TensorId> {
    let one = Dim::Static(1);
    let last = size.clone() - one.clone();
    let steps = if align_corners { last.larger(&one) } else { size.clone() };
    let steps = b.size_as(&steps, DType::Float32, 1)?;
    let doubled = b.iota(size, DType::Float32)?;
    let doubled = b.with_scalar(E::Prod, doubled, 2.0)?;
    let numerator = b.with_scalar(E::Sum, doubled, if align_corners { 0.0 } else { 1.0 })?;
    let position = b.div(numerator, steps)?;
    let position = b.with_scalar(E::Sum, position, -1.0)?;
    if !align_corners {
        return Ok(position);
    }
    // A single element is at 0.
    let several = b.size_as(&last.smaller(&one), DType::Float32, 1)?;
    b.prod(position, several)
}

/// The sliding windows of an image; an entry for height and for width.
struct Windows {
    size: Vec<i64>,
    dilation: Vec<i64>,
    padding: Vec<i64>,
    stride: Vec<i64>,
}

fn windows(call: &Call<'_>) -> Result<Windows> {
    Ok(Windows {
        size: call.ints_for("kernel_size", 2)?,
        dilation: call.ints_for("dilation", 2)?,
        padding: call.ints_for("padding", 2)?,
        stride: call.ints_for("stride", 2)?,
    })
}

impl Windows {
    /// Number of windows along an axis of this size.
    fn count(&self, axis: usize, size: &Dim) -> Dim {
        let reach = self.dilation[axis] * (self.size[axis] - 1) + 1;
        let room = size.clone() + Dim::Static(2 * self.padding[axis] - reach);
        room.floor_div(&Dim::Static(self.stride[axis])) + Dim::Static(1)
    }
}

/// Columns of windows: height and width are each replaced by (place in the window, window).
fn im2col(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, windows) = (call.tensor("self")?, windows(call)?);
    let [n, c, h, w] = planes(b, x)?;
    let (rows, columns) = (windows.count(0, &h), windows.count(1, &w));
    let start =
        vec![Dim::Static(0), Dim::Static(0), Dim::Static(-windows.padding[0]), Dim::Static(-windows.padding[1])];
    let padded = [(h, 0), (w, 1)].map(|(size, axis)| size + Dim::Static(2 * windows.padding[axis]));
    let size = [vec![n, c], padded.to_vec()].concat();
    let x =
        b.reshape(x, &[&size[..2], &[b.dims(x)[b.rank(x) - 2].clone(), b.dims(x)[b.rank(x) - 1].clone()]].concat())?;
    let fill = b.scalar(b.dtype(x), 0.0, 0)?;
    let x = if windows.padding == [0, 0] {
        x
    } else {
        b.sample(x, [&start, &size], &[1; 4], SampleMode::Fill, Some(fill))?
    };
    let rows = places(b, &windows, 0, &rows)?;
    let columns = places(b, &windows, 1, &columns)?;
    let y = b.gather(x, rows, 2)?;
    let y = b.gather(y, columns, 4)?;
    let y = b.permute(y, &[0, 1, 2, 4, 3, 5])?;
    Ok(b.reshape(y, call.output_dims(0)?)?.into())
}

/// Element of each place in each window along an axis: int64 `[places, windows]`.
fn places(b: &mut Builder, windows: &Windows, axis: usize, count: &Dim) -> Result<TensorId> {
    let (size, dilation, stride) = (windows.size[axis], windows.dilation[axis], windows.stride[axis]);
    if let Some(count) = count.as_static() {
        let all: Vec<i64> = (0..size).flat_map(|i| (0..count).map(move |o| i * dilation + o * stride)).collect();
        return b.constant(Weights::int64(&[size, count], &all));
    }
    let place: Vec<i64> = (0..size).map(|i| i * dilation).collect();
    let place = b.constant(Weights::int64(&[size, 1], &place))?;
    let window = b.ramp(count)?;
    let window = b.with_scalar(E::Prod, window, stride as f64)?;
    b.sum(place, window)
}

/// The sum of windows at their places: for height and for width a product with a matrix of zeros and ones.
fn col2im(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (x, windows, output) = (call.tensor("self")?, windows(call)?, call.ints_for("output_size", 2)?);
    let dtype = b.dtype(x);
    if !dtype.is_float() {
        return unsupported("fold of integers");
    }
    let counts = [0, 1].map(|k| windows.count(k, &Dim::Static(output[k])).as_static().unwrap_or(0));
    let dims = call.output_dims(0)?;
    let planes = Dim::product(&dims[..dims.len() - 2]);
    let split = [windows.size[0], windows.size[1], counts[0], counts[1]].map(Dim::Static);
    let y = b.reshape(x, &[std::slice::from_ref(&planes), split.as_slice()].concat())?;
    let y = b.permute(y, &[0, 1, 3, 2, 4])?;
    let joined = [0, 1].map(|k| Dim::Static(windows.size[k] * counts[k]));
    let mut y = b.reshape(y, &[&[planes], joined.as_slice()].concat())?;
    for axis in [1, 0] {
        let matrix = b.constant(placing_matrix(&windows, axis, output[axis], counts[axis], dtype))?;
        y = b.contract_axis(y, axis + 1, matrix)?;
    }
    Ok(b.reshape(y, dims)?.into())
}

/// Row r has a one for every (place, window) that covers element r.
fn placing_matrix(windows: &Windows, axis: usize, output: i64, count: i64, dtype: DType) -> Weights {
    let (size, dilation, stride) = (windows.size[axis], windows.dilation[axis], windows.stride[axis]);
    let padding = windows.padding[axis];
    let on = |row: i64| {
        (0..size).flat_map(move |i| {
            (0..count).map(move |o| if i * dilation + o * stride - padding == row { 1.0 } else { 0.0 })
        })
    };
    Weights::from_f64(dtype, &[output, size * count], (0..output).flat_map(on))
}
