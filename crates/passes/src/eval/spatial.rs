//! Convolution and deconvolution, straight from their definition.

use super::array::{Shape, sizes, strides, walk};
use super::{Call, EvalError, Result};
use network::{ConvolutionAttributes, Weights};

struct Operands {
    x: Vec<f64>,
    x_dims: Vec<usize>,
    kernel: Vec<f64>,
    kernel_dims: Vec<usize>,
    bias: Option<Vec<f64>>,
}

fn operands(call: &Call<'_>) -> Result<Operands> {
    let (x, kernel) = (call.get(0)?, call.get(1)?);
    let bias = call.optional(2).map(Weights::to_f64);
    Ok(Operands { x: x.to_f64(), x_dims: sizes(x), kernel: kernel.to_f64(), kernel_dims: sizes(kernel), bias })
}

/// Every pairing of an input place, a kernel place and the output place they meet at. `place` gives the input
/// coordinate of an axis from the output coordinate and the window's.
fn pairings(
    o: &Operands,
    shape: &Shape,
    place: impl Fn(usize, usize, usize) -> Option<usize>,
    mut meet: impl FnMut(usize, usize, usize),
) {
    let (out, window, input) = (&shape.dims[2..], &o.kernel_dims[2..], &o.x_dims[2..]);
    let steps = [strides(out), strides(window), strides(input)];
    walk(out, [&steps[0]], |[to]| {
        walk(window, [&steps[1]], |[tap]| {
            let coordinates = (0..out.len()).try_fold(0, |sum, k| {
                let at = place(k, to / steps[0][k] % out[k], tap / steps[1][k] % window[k])?;
                (at < input[k]).then_some(sum + at * steps[2][k])
            });
            if let Some(from) = coordinates {
                meet(from, tap, to);
            }
        });
    });
}

pub(super) fn convolution(call: &Call<'_>, a: &ConvolutionAttributes) -> Result<Weights> {
    let place = |k: usize, to: usize, tap: usize| {
        usize::try_from(to as i64 * a.stride[k] + tap as i64 * a.dilation[k] - a.pre_padding[k]).ok()
    };
    let o = operands(call)?;
    let (taken, made) = (o.kernel_dims[1], o.kernel_dims[0]);
    let each = made / groups(a)?;
    // The kernel's offset of an output channel and one of its input channels, and that input channel.
    accumulate(&o, call.shape()?, place, taken, |k, c| (k * taken + c, k / each * taken + c))
}

pub(super) fn deconvolution(call: &Call<'_>, a: &ConvolutionAttributes) -> Result<Weights> {
    let place = |k: usize, to: usize, tap: usize| {
        let reach = to as i64 + a.pre_padding[k] - tap as i64 * a.dilation[k];
        (reach % a.stride[k] == 0).then(|| usize::try_from(reach / a.stride[k]).ok().filter(|_| reach >= 0))?
    };
    let o = operands(call)?;
    let (taken, made) = (o.kernel_dims[0] / groups(a)?, o.kernel_dims[1]);
    accumulate(&o, call.shape()?, place, taken, |k, c| {
        let channel = k / made * taken + c;
        (channel * made + k % made, channel)
    })
}

fn groups(a: &ConvolutionAttributes) -> Result<usize> {
    usize::try_from(a.groups).ok().filter(|g| *g > 0).ok_or(EvalError::Undefined("no groups"))
}

fn accumulate(
    o: &Operands,
    shape: &Shape,
    place: impl Fn(usize, usize, usize) -> Option<usize> + Copy,
    taken: usize,
    channels: impl Fn(usize, usize) -> (usize, usize),
) -> Result<Weights> {
    let plane: usize = shape.dims[2..].iter().product();
    let input_plane: usize = o.x_dims[2..].iter().product();
    let window: usize = o.kernel_dims[2..].iter().product();
    let (batch, made) = (shape.dims[0], shape.dims[1]);
    let mut out = vec![0.0; shape.count()];
    for k in 0..made {
        let bias = o.bias.as_ref().map_or(0.0, |b| b[k]);
        for n in 0..batch {
            let to = (n * made + k) * plane;
            out[to..to + plane].fill(bias);
            for c in 0..taken {
                let (kernel, channel) = channels(k, c);
                let from = (n * o.x_dims[1] + channel) * input_plane;
                pairings(o, shape, place, |x, tap, y| out[to + y] += o.x[from + x] * o.kernel[kernel * window + tap]);
            }
        }
    }
    Ok(shape.floats(out))
}
