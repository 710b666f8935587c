//! The choice of what runs the model, and why.

use crate::Failure;
use runtime::CudaDevice;
use torch2trt::{Backend, Code, Error, Options};

/// The backend of that name, and the reason for it in a few words.
pub(super) fn choose(asked: &str, options: &Options) -> Result<(Backend, String), Failure> {
    Ok(match (Backend::from_name(asked), &options.target) {
        (Some(Backend::Cpu), Some(target)) => {
            return Err(Error::new(
                Code::BadOption,
                format!("the CPU engine builds for no GPU, and {target} was asked for"),
            )
            .with_help("leave out --target, or ask for --backend tensorrt")
            .into());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_taken() {
        let target = Options { target: Some("sm_89".to_owned()), ..Options::default() };
        let chosen = |asked: &str, options: &Options| choose(asked, options).map(|(backend, _)| backend).ok();
        assert_eq!(chosen("cpu", &Options::default()), Some(Backend::Cpu));
        assert_eq!(chosen("tensorrt", &Options::default()), Some(Backend::TensorRt));
        assert_eq!(chosen("auto", &target), Some(Backend::TensorRt));
        assert_eq!(chosen("cpu", &target), None);
    }
}
