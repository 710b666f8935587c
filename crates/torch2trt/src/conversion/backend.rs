//! What runs the converted model, and why.
//!
//! This file must not know how engines are made.

use crate::{Backend, Options, discovery};
use runtime::CudaDevice;

/// A backend, and why it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The CPU engine or TensorRT.
    pub backend: Backend,
    /// The reason, in a few words.
    pub reason: String,
}

/// The backend that the options ask for. Where they leave it open: TensorRT for a named target, or where one is
/// installed that builds for the GPU; otherwise the CPU engine. `on_host` is why the CPU engine is chosen even so:
/// where the caller's model and inputs are. A target does not turn the CPU engine down: the network may be built for it
/// later.
pub fn choose_backend(options: &Options, on_host: Option<&str>) -> Chosen {
    let (backend, reason) = match (options.convert.backend, &options.build.target) {
        (Backend::Auto, Some(target)) => (Backend::TensorRt, format!("a plan for {target} was asked for")),
        (Backend::Auto, None) => automatic(options, on_host),
        (Backend::Cpu, Some(target)) => {
            (Backend::Cpu, format!("asked for; target {target} is for plans that are built later"))
        }
        (asked, _) => (asked, "asked for".to_owned()),
    };
    Chosen { backend, reason }
}

/// TensorRT where it can build for a GPU of this machine.
fn automatic(options: &Options, on_host: Option<&str>) -> (Backend, String) {
    let Ok(gpu) = CudaDevice::new(options.run.device) else {
        return (Backend::Cpu, "no CUDA device is there".to_owned());
    };
    if let Some(reason) = on_host {
        return (Backend::Cpu, reason.to_owned());
    }
    let found = match discovery::find_tensorrt(options) {
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
    fn takes_what_is_asked_for() {
        let chosen = |backend, target: Option<&str>| {
            let mut options = Options::default();
            (options.convert.backend, options.build.target) = (backend, target.map(str::to_owned));
            choose_backend(&options, None).backend
        };
        assert_eq!(chosen(Backend::Cpu, None), Backend::Cpu);
        assert_eq!(chosen(Backend::TensorRt, None), Backend::TensorRt);
        assert_eq!(chosen(Backend::Auto, Some("sm_89")), Backend::TensorRt);
        assert_eq!(chosen(Backend::Cpu, Some("sm_89")), Backend::Cpu);
    }
}
