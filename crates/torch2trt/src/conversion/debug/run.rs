//! Builds and runs parts of a network on the engine that is debugged.

use super::part::Part;
use crate::{Backend, Executable, Options, Result, pipeline};
use build::Silent;
use dims::Dim;
use network::Network;
use runtime::{Profile, SizeRange, Tensor, TensorView};

/// Builds and runs networks for one call each.
pub(super) struct Runner<'o> {
    options: &'o Options,
    /// Whether TensorRT runs them; a plan for another machine runs on the CPU engine.
    on_gpu: bool,
    /// Number of networks that were built.
    pub(super) runs: usize,
}

impl<'o> Runner<'o> {
    /// On the backend of the options.
    pub(super) fn new(options: &'o Options) -> Self {
        let on_gpu = options.convert.backend == Backend::TensorRt && options.build.target.is_none();
        Self { options, on_gpu, runs: 0 }
    }

    /// On the CPU engine.
    pub(super) fn on_the_cpu(options: &'o Options) -> Self {
        Self { options, on_gpu: false, runs: 0 }
    }

    /// The outputs of a part, in host memory.
    ///
    /// # Errors
    /// Those of building and running an engine.
    pub(super) fn run(&mut self, part: &Part<'_>) -> Result<Vec<Tensor>> {
        if part.network.outputs().is_empty() {
            return Ok(Vec::new());
        }
        let sizes = part.inputs.iter().map(|value| value.dims().to_vec());
        let engine = self.build(&part.network, exactly(&part.network, sizes))?;
        engine.call(&part.inputs.iter().map(|value| value.view()).collect::<Vec<TensorView<'_>>>())
    }

    /// Builds a network for the sizes that its symbols are tuned for.
    ///
    /// # Errors
    /// Those of the build.
    pub(super) fn try_build(&mut self, network: &Network) -> Result<()> {
        let best = |dim: &Dim| dim.eval(&|name| network.symbols().get(name).map(|symbol| symbol.opt)).unwrap_or(1);
        let sizes = network.inputs().iter().map(|port| network.tensor(port.tensor).dims.iter().map(best).collect());
        self.build(network, exactly(network, sizes)).map(drop)
    }

    fn build(&mut self, network: &Network, profile: Profile) -> Result<Executable> {
        self.runs += 1;
        let options = Options { profiles: vec![profile], ..self.options.clone() };
        if self.on_gpu {
            pipeline::tensorrt_engine(&pipeline::build_plan(network, &options, &Silent)?, &options)
        } else {
            pipeline::cpu_engine(network, &options)
        }
    }
}

/// The profile of one size of each input.
fn exactly(network: &Network, sizes: impl Iterator<Item = Vec<i64>>) -> Profile {
    let fixed = |sizes: Vec<i64>| sizes.into_iter().map(SizeRange::exactly).collect();
    let axes = network.inputs().iter().zip(sizes).map(|(port, sizes)| (port.name.clone(), fixed(sizes)));
    Profile { axes: axes.collect(), ..Profile::default() }
}
