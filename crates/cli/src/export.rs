//! `torch2trt export`: from a model in Python to an archive that `torch2trt build` converts. PyTorch runs it.

use crate::tensors::shape;
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The model: module:name of an nn.Module or of what creates one, such as torchvision.models:resnet18 or
    /// mypackage.nets:build(depth=4); or a model that torch.export.save wrote
    model: String,
    /// Where to write the archive
    #[arg(long, short, value_name = "PATH")]
    output: PathBuf,
    /// Sizes of a sample input, such as 1x3x224x224 or ids=2x16:int64, once for each input in order; with NAME= it is a
    /// keyword argument [default: those of a saved model]
    #[arg(long = "input", value_name = "[NAME=]SIZES[:DTYPE]", value_parser = sample, conflicts_with = "inputs")]
    samples: Vec<Sample>,
    /// A safetensors file with a tensor for each input, by its name
    #[arg(long, value_name = "FILE")]
    inputs: Option<PathBuf>,
    /// A file of weights for the model: a state dict that torch.save wrote, or a safetensors file
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Smallest sizes of an input, such as x=1x3x224x224 [default: those of the sample]
    #[arg(long = "min-shape", value_name = "NAME=SIZES", value_parser = shape)]
    min: Vec<(String, Vec<i64>)>,
    /// Sizes that TensorRT tunes for [default: those of the sample]
    #[arg(long = "opt-shape", value_name = "NAME=SIZES", value_parser = shape)]
    opt: Vec<(String, Vec<i64>)>,
    /// Largest sizes of an input [default: those of the sample]
    #[arg(long = "max-shape", value_name = "NAME=SIZES", value_parser = shape)]
    max: Vec<(String, Vec<i64>)>,
    /// Make the batch dynamic, from 1 to this: the first axis of the first input, and of inputs with the same size
    /// there
    #[arg(long, value_name = "SIZE")]
    max_batch_size: Option<i64>,
    /// Name of an input of the engine, once for each in order [default: the model's own]
    #[arg(long = "input-name", value_name = "NAME")]
    input_names: Vec<String>,
    /// Name of an output of the engine, once for each in order [default: the model's own]
    #[arg(long = "output-name", value_name = "NAME")]
    output_names: Vec<String>,
    /// Do not compare the CPU engine with the model
    #[arg(long)]
    no_verify: bool,
    /// Seed of random sample inputs
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// A sample input of random numbers.
#[derive(Clone, Debug, PartialEq)]
struct Sample {
    name: Option<String>,
    sizes: Vec<i64>,
    dtype: String,
}

fn sample(text: &str) -> Result<Sample, String> {
    let (named, dtype) = text.split_once(':').unwrap_or((text, "float32"));
    if dtype.is_empty() || !dtype.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(format!("`{text}`: write it as SIZES:DTYPE, such as 2x16:int64"));
    }
    let has_name = named.contains('=');
    let (name, sizes) = shape(&if has_name { named.to_owned() } else { format!("={named}") })
        .map_err(|_| format!("`{text}`: write it as [NAME=]SIZES[:DTYPE], such as 1x3x224x224 or ids=2x16:int64"))?;
    Ok(Sample { name: has_name.then_some(name), sizes, dtype: dtype.to_owned() })
}

impl Arguments {
    /// What it asks of PyTorch.
    pub(crate) fn for_pytorch(&self) -> Value {
        let by_input = |shapes: &[(String, Vec<i64>)]| shapes.iter().cloned().collect::<BTreeMap<_, _>>();
        let samples = self.samples.iter().map(|one| json!([one.name, one.sizes, one.dtype])).collect::<Vec<_>>();
        json!({
            "command": "export", "model": self.model, "output": self.output, "samples": samples,
            "inputs": self.inputs, "weights": self.weights, "seed": self.seed,
            "ranges": { "min": by_input(&self.min), "opt": by_input(&self.opt), "max": by_input(&self.max) },
            "arguments": {
                "max_batch_size": self.max_batch_size, "verify": !self.no_verify,
                "input_names": self.input_names, "output_names": self.output_names,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_sizes_and_may_have_a_name_and_a_dtype() {
        let made = |name: Option<&str>, sizes: &[i64], dtype: &str| {
            Ok(Sample { name: name.map(str::to_owned), sizes: sizes.to_vec(), dtype: dtype.to_owned() })
        };
        assert_eq!(sample("1x3x8"), made(None, &[1, 3, 8], "float32"));
        assert_eq!(sample("2x16:int64"), made(None, &[2, 16], "int64"));
        assert_eq!(sample("ids=2:bool"), made(Some("ids"), &[2], "bool"));
        assert_eq!(sample("x="), made(Some("x"), &[], "float32"));
        for wrong in ["1x3:", "axb", "2:int 64", "1x-3"] {
            assert!(sample(wrong).is_err(), "{wrong}");
        }
    }
}
