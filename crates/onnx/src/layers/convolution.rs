//! Convolution and deconvolution. The attributes are the same; a deconvolution's negative post-padding is ONNX's
//! `output_padding`.

use crate::Result;
use crate::graph::{Attr, Value};
use crate::scope::Scope;
use network::ConvolutionAttributes;

pub(super) fn convolution(s: &mut Scope<'_, '_>, a: &ConvolutionAttributes) -> Result<Value> {
    let inputs = inputs(s)?;
    // ONNX pads with zeros only: a negative padding crops.
    let pads = [a.pre_padding.clone(), a.post_padding.clone()].concat();
    if pads.iter().any(|p| *p < 0) {
        return Err(s.unsupported(format!("its padding is {pads:?}"), "crop with a slice before the convolution"));
    }
    let mut attributes = attributes(a)?;
    attributes.push(("pads", pads.into()));
    Ok(s.main("Conv", &inputs, &attributes))
}

pub(super) fn deconvolution(s: &mut Scope<'_, '_>, a: &ConvolutionAttributes) -> Result<Value> {
    let inputs = inputs(s)?;
    let (mut post, mut extra) = (a.post_padding.clone(), vec![0; a.post_padding.len()]);
    for (post, extra) in post.iter_mut().zip(&mut extra) {
        (*post, *extra) = ((*post).max(0), (-*post).max(0));
    }
    let mut attributes = attributes(a)?;
    attributes.push(("pads", [a.pre_padding.clone(), post].concat().into()));
    if extra.iter().any(|e| *e > 0) {
        attributes.push(("output_padding", extra.into()));
    }
    Ok(s.main("ConvTranspose", &inputs, &attributes))
}

/// x, kernel, and the bias as a vector.
fn inputs(s: &mut Scope<'_, '_>) -> Result<Vec<Value>> {
    let mut inputs = vec![s.input(0)?, s.input(1)?];
    if let Some(mut bias) = s.optional(2)? {
        let dims = s.dims(2)?;
        if dims.len() != 1 {
            let flat = s.constant(2).and_then(|w| w.reshaped(&[w.count() as i64]));
            bias = match flat {
                Some(weights) => s.weights_of(2, &weights),
                None => {
                    let shape = s.ints(&[-1]);
                    s.op("Reshape", &[bias, shape], &[])
                }
            };
        }
        inputs.push(bias);
    }
    Ok(inputs)
}

fn attributes(a: &ConvolutionAttributes) -> Result<Vec<(&'static str, Attr)>> {
    Ok(vec![("strides", a.stride.clone().into()), ("dilations", a.dilation.clone().into()), ("group", a.groups.into())])
}
