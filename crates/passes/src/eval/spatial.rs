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

/// A coordinate along one axis of the output, and one of the window.
struct Tap {
    axis: usize,
    output: usize,
    window: usize,
}

/// Elements of a channel that meet: one of the input, one of the kernel, and the output that their product adds to.
struct Pairing {
    input: usize,
    kernel: usize,
    output: usize,
}

/// Every pairing. `place` gives the input coordinate of a tap, where there is one.
fn pairings(o: &Operands, shape: &Shape, place: impl Fn(Tap) -> Option<usize>, mut meet: impl FnMut(Pairing)) {
    let (out, window, input) = (&shape.dims[2..], &o.kernel_dims[2..], &o.x_dims[2..]);
    let steps = [strides(out), strides(window), strides(input)];
    walk(out, [&steps[0]], |[to]| {
        walk(window, [&steps[1]], |[tap]| {
            let coordinates = (0..out.len()).try_fold(0, |sum, k| {
                let (output, window) = (to / steps[0][k] % out[k], tap / steps[1][k] % window[k]);
                let at = place(Tap { axis: k, output, window })?;
                (at < input[k]).then_some(sum + at * steps[2][k])
            });
            if let Some(input) = coordinates {
                meet(Pairing { input, kernel: tap, output: to });
            }
        });
    });
}

pub(super) fn convolution(call: &Call<'_>, a: &ConvolutionAttributes) -> Result<Weights> {
    let place = |Tap { axis, output, window }: Tap| {
        usize::try_from(output as i64 * a.stride[axis] + window as i64 * a.dilation[axis] - a.pre_padding[axis]).ok()
    };
    let o = operands(call)?;
    let (taken, made) = (o.kernel_dims[1], o.kernel_dims[0]);
    let each = made / groups(a)?;
    accumulate(&o, call.shape()?, place, taken, |output, k| Channels {
        kernel: output * taken + k,
        input: output / each * taken + k,
    })
}

pub(super) fn deconvolution(call: &Call<'_>, a: &ConvolutionAttributes) -> Result<Weights> {
    let place = |Tap { axis, output, window }: Tap| {
        let reach = output as i64 + a.pre_padding[axis] - window as i64 * a.dilation[axis];
        (reach % a.stride[axis] == 0).then(|| usize::try_from(reach / a.stride[axis]).ok().filter(|_| reach >= 0))?
    };
    let o = operands(call)?;
    let (taken, made) = (o.kernel_dims[0] / groups(a)?, o.kernel_dims[1]);
    accumulate(&o, call.shape()?, place, taken, |output, k| {
        let input = output / made * taken + k;
        Channels { kernel: input * made + output % made, input }
    })
}

fn groups(a: &ConvolutionAttributes) -> Result<usize> {
    usize::try_from(a.groups).ok().filter(|g| *g > 0).ok_or(EvalError::Undefined("no groups"))
}

/// An input channel, and which of the kernel's windows it is multiplied by.
struct Channels {
    kernel: usize,
    input: usize,
}

/// The sums of all pairings. An output channel takes as many input channels as `taken`; `channels` gives them from the
/// output channel and their number among these.
fn accumulate(
    o: &Operands,
    shape: &Shape,
    place: impl Fn(Tap) -> Option<usize> + Copy,
    taken: usize,
    channels: impl Fn(usize, usize) -> Channels,
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
                let Channels { kernel, input } = channels(k, c);
                let (from, taps) = ((n * o.x_dims[1] + input) * input_plane, kernel * window);
                pairings(o, shape, place, |at| {
                    out[to + at.output] += o.x[from + at.input] * o.kernel[taps + at.kernel];
                });
            }
        }
    }
    Ok(shape.floats(out))
}
