//! Layers that scale and shift each channel by constants: batch norms, and the multiplications and additions that
//! people write instead.

use network::{Dim, ElementWiseOperation as E, Layer, Network, Op, ScaleMode, TensorId, Weights};

/// `y = x * scale[c] + shift[c]`, in float64.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Affine {
    pub scale: Vec<f64>,
    pub shift: Vec<f64>,
}

impl Affine {
    pub fn identity(channels: usize) -> Self {
        Self { scale: vec![1.0; channels], shift: vec![0.0; channels] }
    }

    /// This one, then `next`.
    pub fn then(mut self, next: &Self) -> Self {
        for (c, (scale, shift)) in next.scale.iter().zip(&next.shift).enumerate() {
            self.scale[c] *= scale;
            self.shift[c] = self.shift[c] * scale + shift;
        }
        self
    }

    pub fn scales(&self) -> bool {
        self.scale.iter().any(|s| *s != 1.0)
    }

    pub fn shifts(&self) -> bool {
        self.shift.iter().any(|s| *s != 0.0)
    }

    fn is_finite(&self) -> bool {
        self.scale.iter().chain(&self.shift).all(|v| v.is_finite())
    }
}

/// What a layer does to `x`, where that is to scale and shift the channels along `axis` by constants.
pub(crate) fn read(network: &Network, layer: &Layer, x: TensorId, axis: usize, channels: usize) -> Option<Affine> {
    let (input, output) = (network.tensor(x), network.tensor(*layer.outputs.first()?));
    if output.dims != input.dims || !input.dtype.is_float() {
        return None;
    }
    let affine = match &layer.op {
        Op::Scale { mode, channel_axis } if layer.input(0) == Some(x) => {
            let per_channel = *mode == ScaleMode::Uniform || (*mode == ScaleMode::Channel && *channel_axis == axis);
            let constant = |k: usize, absent: f64| match layer.input(k) {
                None => Some(vec![absent; channels]),
                Some(id) => spread(network.constant(id)?.to_f64(), channels),
            };
            let linear = constant(3, 1.0)?.iter().all(|p| *p == 1.0);
            (per_channel && linear).then_some(Affine { scale: constant(2, 1.0)?, shift: constant(1, 0.0)? })?
        }
        Op::ElementWise { op } => {
            let (a, b) = (layer.input(0)?, layer.input(1)?);
            let other = if a == x { b } else { a };
            let c = per_channel(network.constant(other)?, &input.dims, axis, channels)?;
            elementwise(*op, c, a == x)?
        }
        _ => return None,
    };
    affine.is_finite().then_some(affine)
}

fn elementwise(op: E, c: Vec<f64>, x_first: bool) -> Option<Affine> {
    let n = c.len();
    let (ones, zeros) = (vec![1.0; n], vec![0.0; n]);
    Some(match (op, x_first) {
        (E::Prod, _) => Affine { scale: c, shift: zeros },
        (E::Sum, _) => Affine { scale: ones, shift: c },
        (E::Sub, true) => Affine { scale: ones, shift: c.iter().map(|v| -v).collect() },
        (E::Sub, false) => Affine { scale: vec![-1.0; n], shift: c },
        (E::Div, true) => Affine { scale: c.iter().map(|v| v.recip()).collect(), shift: zeros },
        _ => return None,
    })
}

/// The elements of a constant that differs along `axis` at most, one a channel.
fn per_channel(w: &Weights, like: &[Dim], axis: usize, channels: usize) -> Option<Vec<f64>> {
    let fits = w.dims.len() == like.len() && w.dims.iter().enumerate().all(|(k, d)| k == axis || *d == 1);
    fits.then(|| spread(w.to_f64(), channels))?
}

fn spread(values: Vec<f64>, channels: usize) -> Option<Vec<f64>> {
    match values.len() {
        n if n == channels => Some(values),
        1 => Some(values.repeat(channels)),
        _ => None,
    }
}
