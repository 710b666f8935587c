//! Convolutions.
//!
//! | schema | layers |
//! |---|---|
//! | `conv{1,2,3}d(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, …)` | Convolution |
//! | `conv{1,2,3}d.padding(…, str padding, …)` | Convolution |
//! | `conv_transpose{1,2,3}d(…, SymInt[] output_padding, …)` | Deconvolution |
//! | `convolution(…, bool transposed, SymInt[] output_padding, SymInt groups)` | Convolution or Deconvolution |
//!
//! Dtypes: one float type for input, weight and bias. TensorRT convolves two or three spatial axes, so a 1-D
//! convolution gets an axis of size 1; an input without a batch axis gets one and loses it again.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Error, Result};
use dims::Dim;
use network::{ConvolutionAttributes, Op, SampleMode, TensorId};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.conv1d.default", convolution, "Convolution", 1e-5),
    operator("aten.conv2d.default", convolution, "Convolution", 1e-5),
    operator("aten.conv3d.default", convolution, "Convolution", 1e-5),
    operator("aten.conv1d.padding", convolution, "Convolution", 1e-5),
    operator("aten.conv2d.padding", convolution, "Convolution", 1e-5),
    operator("aten.conv3d.padding", convolution, "Convolution", 1e-5),
    operator("aten.convolution.default", convolution, "Convolution or Deconvolution", 1e-5),
    operator("aten.conv_transpose1d.default", convolution, "Deconvolution", 1e-5),
    operator("aten.conv_transpose2d.input", convolution, "Deconvolution", 1e-5),
    operator("aten.conv_transpose3d.input", convolution, "Deconvolution", 1e-5),
];

/// The arguments that the overloads share.
struct Convolution {
    attributes: ConvolutionAttributes,
    transposed: bool,
}

fn read(call: &Call<'_>, spatial: usize, window: &[i64]) -> Result<Convolution> {
    let transposed = call.target().contains("transpose")
        || call.argument("transposed").is_some_and(|_| call.bool("transposed").unwrap_or(false));
    let stride = call.ints_for("stride", spatial)?;
    let dilation = call.ints_for("dilation", spatial)?;
    let Padding { before: pre_padding, after: mut post_padding } = padding(call, spatial, window, &dilation)?;
    if transposed {
        // The padding is cut from a full output; output_padding puts some of it back at the end.
        let back = call.ints_for("output_padding", spatial)?;
        post_padding.iter_mut().zip(back).for_each(|(p, b)| *p -= b);
    }
    let attributes = ConvolutionAttributes { stride, pre_padding, post_padding, dilation, groups: call.int("groups")? };
    Ok(Convolution { attributes, transposed })
}

/// Padding before and after each spatial axis.
struct Padding {
    before: Vec<i64>,
    after: Vec<i64>,
}

/// The padding of a call. `"same"` puts the odd element at the end.
fn padding(call: &Call<'_>, spatial: usize, window: &[i64], dilation: &[i64]) -> Result<Padding> {
    match call.string("padding") {
        Err(_) => call.ints_for("padding", spatial).map(|p| Padding { before: p.clone(), after: p }),
        Ok("valid") => Ok(Padding { before: vec![0; spatial], after: vec![0; spatial] }),
        Ok("same") => {
            let total: Vec<i64> = window.iter().zip(dilation).map(|(w, d)| (w - 1) * d).collect();
            let before = total.iter().map(|t| t / 2).collect();
            Ok(Padding { before, after: total.iter().map(|t| t - t / 2).collect() })
        }
        Ok(other) => unsupported(format!("there is no padding `{other}` (valid, same)")),
    }
}

fn convolution(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (mut x, mut kernel) = (call.tensor("input")?, call.tensor("weight")?);
    let bias = call.optional_tensor("bias")?;
    let spatial = b.rank(kernel).saturating_sub(2);
    if !(1..=3).contains(&spatial) {
        return unsupported(format!("a convolution over {spatial} spatial axes"));
    }
    let window: Vec<i64> = b
        .static_dims(kernel)
        .ok_or_else(|| Error::unsupported("the weight's sizes must not depend on input sizes"))?
        .split_off(2);
    let Convolution { mut attributes, transposed } = read(call, spatial, &window)?;
    let batched = b.rank(x) == spatial + 2;
    if !batched {
        x = b.unsqueeze(x, &[0])?;
    }
    if spatial == 1 {
        x = b.unsqueeze(x, &[2])?;
        kernel = b.unsqueeze(kernel, &[2])?;
        for (list, neutral) in [
            (&mut attributes.stride, 1),
            (&mut attributes.dilation, 1),
            (&mut attributes.pre_padding, 0),
            (&mut attributes.post_padding, 0),
        ] {
            list.insert(0, neutral);
        }
    }
    let mut y = layer(b, attributes, transposed, [Some(x), Some(kernel), bias])?;
    if spatial == 1 {
        y = b.squeeze(y, &[2])?;
    }
    if !batched {
        y = b.squeeze(y, &[0])?;
    }
    Ok(y.into())
}

/// The convolution layer. TensorRT cuts no negative padding: what `output_padding` puts back beyond the padding is
/// reached by no element of the input, so it is zeros, added before the bias.
fn layer(
    b: &mut Builder,
    mut attributes: ConvolutionAttributes,
    transposed: bool,
    [x, kernel, bias]: [Option<TensorId>; 3],
) -> Result<TensorId> {
    if !transposed {
        return Ok(b.add_all(Op::Convolution(attributes), &[x, kernel, bias])?[0]);
    }
    let beyond: Vec<i64> = attributes.post_padding.iter().map(|p| (-p).max(0)).collect();
    attributes.post_padding.iter_mut().for_each(|p| *p = (*p).max(0));
    if beyond.iter().all(|zeros| *zeros == 0) {
        return Ok(b.add_all(Op::Deconvolution(attributes), &[x, kernel, bias])?[0]);
    }
    let y = b.add_all(Op::Deconvolution(attributes), &[x, kernel])?[0];
    let mut size = b.dims(y);
    let (start, stride) = (vec![Dim::Static(0); size.len()], vec![1; size.len()]);
    for (dim, zeros) in size[2..].iter_mut().zip(beyond) {
        *dim = dim.clone() + Dim::Static(zeros);
    }
    let zero = b.scalar(b.dtype(y), 0.0, 0)?;
    let y = b.sample(y, [&start, &size], &stride, SampleMode::Fill, Some(zero))?;
    let Some(bias) = bias else { return Ok(y) };
    let mut dims = vec![Dim::Static(1); size.len()];
    dims[1] = size[1].clone();
    let bias = b.reshape(bias, &dims)?;
    b.sum(y, bias)
}
