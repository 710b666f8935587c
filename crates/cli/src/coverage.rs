//! `torch2trt coverage`: the operators of a saved model, which of them convert, and what the model will need on a GPU.
//! Needs neither TensorRT nor a GPU.

use crate::build::ranges;
use crate::{Done, Failure, Screen};
use clap::Args;
use runtime::Tensor;
use serde_json::{Value, json};
use std::path::PathBuf;
use torch2trt::{Archive, Backend, Coverage, DeviceForecast, Options, Samples};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model that torch.export.save wrote
    file: PathBuf,
    /// Also memory and time on this GPU, such as L4 or H100 SXM, from a table of public specifications
    #[arg(long, value_name = "NAME", conflicts_with = "fallback")]
    device: Option<String>,
    /// With --device: every kernel, not the slowest only
    #[arg(long, requires = "device")]
    layers: bool,
    /// With --device: compute in float16 where that is safe, without looking at ranges
    #[arg(long, requires = "device", conflicts_with = "bf16")]
    fp16: bool,
    /// With --device: compute in bfloat16 where that is safe
    #[arg(long, requires = "device")]
    bf16: bool,
    #[command(flatten)]
    ranges: ranges::Arguments,
    /// Print JSON
    #[arg(long, conflicts_with = "fallback")]
    json: bool,
    /// Also the engines and the parts in PyTorch that `build --fallback` would make (needs PyTorch)
    #[arg(long)]
    fallback: bool,
    /// With --fallback: the GPU of a plan, such as `sm_89`: what its TensorRT lacks runs in PyTorch [default: the CPU
    /// engine]
    #[arg(long, value_name = "GPU", requires = "fallback")]
    target: Option<String>,
}

impl Arguments {
    /// What it asks of PyTorch.
    pub(crate) fn for_pytorch(&self) -> Option<Value> {
        let backend = if self.target.is_some() { "tensorrt" } else { "cpu" };
        let arguments = json!({ "target": self.target, "backend": backend });
        let request = json!({
            "command": "coverage --fallback",
            "file": self.file,
            "arguments": arguments,
            "ranges": self.ranges.request(),
        });
        self.fallback.then_some(request)
    }

    /// What the model will need on the device; `None` where none was named.
    fn forecast(&self, archive: &Archive) -> Result<Option<DeviceForecast>, Failure> {
        let Some(device) = &self.device else { return Ok(None) };
        let mut options = Options::default();
        (options.convert.fp16_mode, options.convert.bf16_mode) = (self.fp16, self.bf16);
        options.convert.backend = Backend::Cpu;
        options.profiles = self.ranges.profiles(archive, &options.convert)?;
        let network = torch2trt::convert(&archive.program, &options, None)?;
        let made = torch2trt::precision(&network, &options, &mut NoSamples)?;
        Ok(Some(torch2trt::forecast(&made.network, &options, device)?))
    }
}

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen<'_>) -> Done {
    let archive = torch2trt::read_archive(&arguments.file)?;
    let found = torch2trt::coverage(&archive.program, None);
    let converts = found.iter().all(|operator| operator.converts);
    let forecast = if converts { arguments.forecast(&archive)? } else { None };
    if arguments.json {
        screen.line(serde_json::to_string_pretty(&as_json(&found, forecast.as_ref())).unwrap_or_default())?;
    } else {
        list(&found, screen)?;
        if let Some(forecast) = &forecast {
            screen.line(format!("\n{}", forecast.table(arguments.layers)))?;
        } else if arguments.device.is_some() {
            screen.line("no forecast: operators of the model do not convert")?;
        }
    }
    if converts { Ok(()) } else { Err(Failure::Reported) }
}

/// No samples: which layers exceed the range of float16 is not checked.
struct NoSamples;

impl Samples for NoSamples {
    fn sample(&mut self) -> torch2trt::Result<Option<Vec<Tensor>>> {
        Ok(None)
    }

    fn next_calibration(&mut self) -> torch2trt::Result<Option<Vec<Tensor>>> {
        Ok(None)
    }
}

fn list(found: &[Coverage], screen: &mut Screen<'_>) -> Done {
    let row = |operator: &Coverage| {
        vec![
            operator.target.clone(),
            format!("x{}", operator.calls),
            if operator.converts { String::new() } else { "does not convert".to_owned() },
        ]
    };
    screen.columns(&found.iter().map(row).collect::<Vec<_>>())?;
    let missing = found.iter().filter(|operator| !operator.converts).count();
    screen.line(format!("{} of {} operators convert", found.len() - missing, found.len()))
}

fn as_json(found: &[Coverage], forecast: Option<&DeviceForecast>) -> Value {
    let operator =
        |found: &Coverage| json!({ "operator": found.target, "calls": found.calls, "converts": found.converts });
    json!({
        "operators": found.iter().map(operator).collect::<Vec<_>>(),
        "converts": found.iter().all(|operator| operator.converts),
        "forecast": forecast.map(DeviceForecast::to_json),
    })
}
