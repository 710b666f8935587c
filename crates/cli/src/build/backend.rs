//! The choice of what runs the model, and why.

use crate::Failure;
use runtime::CudaDevice;
use torch2trt::{Backend, Options};

/// The backend of that name, and the reason for it in a few words.
pub(super) fn choose(asked: &str, options: &Options) -> Result<(Backend, String), Failure> {
    Ok(match (Backend::from_name(asked), &options.target) {
        (Some(Backend::TensorRt), _) => (Backend::TensorRt, "asked for".to_owned()),
        (Some(Backend::Cpu), _) => (Backend::Cpu, "asked for".to_owned()),
        (_, Some(target)) => (Backend::TensorRt, format!("a plan for {target} was asked for")),
        (_, None) => automatic(options),
    })
}

/// TensorRT where it can build for a GPU that is there.
fn automatic(options: &Options) -> (Backend, String) {
    let gpu = match CudaDevice::new(options.device) {
        Ok(gpu) => gpu,
        Err(_) => return (Backend::Cpu, "no GPU is there".to_owned()),
    };
    let found = match torch2trt::find_tensorrt(options) {
        Ok(found) => found,
        Err(error) => return (Backend::Cpu, error.message().lines().next().unwrap_or_default().to_owned()),
    };
    let (major, minor) = gpu.capability();
    if !found.targets.is_empty() && !found.targets.contains(&format!("sm_{major}{minor}")) {
        let (version, path, name) = (found.version, found.path.display(), gpu.name());
        return (Backend::Cpu, format!("{version} ({path}) does not build for {name} (sm_{major}{minor})"));
    }
    (Backend::TensorRt, format!("{} and {} are there", found.version, gpu.name()))
}
