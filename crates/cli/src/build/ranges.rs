//! The sizes that an engine takes, as arguments.

use crate::Failure;
use crate::tensors::shape;
use clap::Args;
use runtime::Profile;
use std::collections::BTreeMap;
use torch2trt::{Archive, Asked, ConvertOptions, End, exported_profiles};

/// Sizes of dynamic axes.
#[derive(Args, Clone)]
#[group(skip)]
pub(crate) struct Arguments {
    /// Smallest sizes of an input, such as x=1x3x224x224 [default: those the model was exported for]
    #[arg(long = "min-shape", value_name = "NAME=SIZES", value_parser = shape)]
    min: Vec<(String, Vec<i64>)>,
    /// Sizes that TensorRT tunes for [default: those of the sample that the model was exported with]
    #[arg(long = "opt-shape", value_name = "NAME=SIZES", value_parser = shape)]
    opt: Vec<(String, Vec<i64>)>,
    /// Largest sizes of an input [default: those the model was exported for]
    #[arg(long = "max-shape", value_name = "NAME=SIZES", value_parser = shape)]
    max: Vec<(String, Vec<i64>)>,
}

impl Arguments {
    /// The shapes as they were given, by input: a request to PyTorch.
    pub(crate) fn request(&self) -> serde_json::Value {
        let of = |shapes: &[(String, Vec<i64>)]| shapes.iter().cloned().collect::<BTreeMap<_, _>>();
        serde_json::json!({ "min": of(&self.min), "opt": of(&self.opt), "max": of(&self.max) })
    }

    /// The profiles: those that the archive records, or one of the sizes that are asked for.
    ///
    /// # Errors
    /// As [`exported_profiles`].
    pub(crate) fn profiles(&self, archive: &Archive, options: &ConvertOptions) -> Result<Vec<Profile>, Failure> {
        let ends = [
            ("--min-shape", End::Min, &self.min),
            ("--opt-shape", End::Opt, &self.opt),
            ("--max-shape", End::Max, &self.max),
        ];
        let asked = ends.into_iter().flat_map(|(argument, end, shapes)| {
            shapes.iter().map(move |(input, sizes)| Asked { argument, end, input, sizes })
        });
        Ok(exported_profiles(archive, options, &asked.collect::<Vec<_>>())?)
    }
}
