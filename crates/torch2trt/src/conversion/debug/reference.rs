//! Where the values come from that an engine's are compared with.

use super::part::{Cutter, Given, Sizes};
use super::run::Runner;
use crate::{Code, Error, Options, Result};
use network::{Network, ProgramValue, TensorId};
use runtime::Tensor;
use std::collections::HashMap;

/// The values of a program's calls as a reference computes them for the inputs of one call. Tensors are in host memory;
/// complex numbers are pairs on an axis of their own.
pub trait ProgramValues {
    /// The reference's name in reports, such as `PyTorch`.
    fn name(&self) -> &str;

    /// The outputs of the model, in the order of the engine's.
    ///
    /// # Errors
    /// Those of the source.
    fn outputs(&mut self) -> Result<Vec<Tensor>>;

    /// Whether the reference has a value.
    fn has(&self, value: ProgramValue) -> bool;

    /// Values, each of which it has, in this order.
    ///
    /// # Errors
    /// Those of the source.
    fn values(&mut self, wanted: &[ProgramValue]) -> Result<Vec<Tensor>>;

    /// The outputs of the model where these values are replaced by one tensor.
    ///
    /// # Errors
    /// Those of the source.
    fn outputs_with(&mut self, replaced: &[ProgramValue], by: &Tensor) -> Result<Vec<Tensor>>;
}

/// A network in the types of the model on the CPU engine, as a reference for one of lower precision.
pub struct NetworkValues<'n> {
    network: &'n Network,
    inputs: &'n [Tensor],
    runner: Runner<'n>,
    tensors: HashMap<ProgramValue, TensorId>,
}

impl<'n> NetworkValues<'n> {
    /// The values of a network as it was converted, before passes, for these inputs.
    pub fn new(network: &'n Network, inputs: &'n [Tensor], options: &'n Options) -> Self {
        let tensors = network.values().iter().copied().collect();
        Self { network, inputs, runner: Runner::on_the_cpu(options), tensors }
    }

    fn run(&mut self, given: &Given<'_>, wanted: &[TensorId]) -> Result<Vec<Tensor>> {
        let cutter = Cutter { network: self.network, inputs: self.inputs };
        self.runner.run(&cutter.part(given, wanted, Sizes::Symbolic)?)
    }

    fn output_tensors(&self) -> Vec<TensorId> {
        self.network.outputs().iter().map(|port| port.tensor).collect()
    }
}

impl ProgramValues for NetworkValues<'_> {
    fn name(&self) -> &'static str {
        "the CPU engine in float32"
    }

    fn outputs(&mut self) -> Result<Vec<Tensor>> {
        self.run(&Given::new(), &self.output_tensors())
    }

    fn has(&self, value: ProgramValue) -> bool {
        self.tensors.contains_key(&value)
    }

    fn values(&mut self, wanted: &[ProgramValue]) -> Result<Vec<Tensor>> {
        let unknown = || Error::new(Code::BadNetwork, "a value of the program that the network does not have");
        let tensors = wanted.iter().map(|value| self.tensors.get(value).copied().ok_or_else(unknown));
        self.run(&Given::new(), &tensors.collect::<Result<Vec<_>>>()?)
    }

    fn outputs_with(&mut self, replaced: &[ProgramValue], by: &Tensor) -> Result<Vec<Tensor>> {
        let given: Given<'_> = replaced.iter().filter_map(|value| Some((*self.tensors.get(value)?, by))).collect();
        let wanted = self.output_tensors();
        let is_given = |id: &TensorId| given.contains_key(id);
        let computed: Vec<TensorId> = wanted.iter().copied().filter(|id| !is_given(id)).collect();
        let mut outputs = self.run(&given, &computed)?.into_iter();
        let output = |id: &TensorId| match given.get(id) {
            Some(value) => Tensor::copy_of(&value.view(), value.device()).map(Some).map_err(Error::from),
            None => Ok(outputs.next()),
        };
        wanted.iter().map(output).filter_map(Result::transpose).collect()
    }
}
