//! Inputs, weights and outputs of a graph: what they are called, and what the program has for them.
//!
//! The file must not know how nodes are recorded.

use crate::arguments::Values;
use crate::captured::Described;
use crate::model::{Argument as Given, InputSpec, NumberArgument};
use crate::read::{Reader, STATIC, constant};
use crate::weights::Weights;
use crate::{Leaf, Result, Signature};
use dims::Dim;
use program::{Argument, Source, Value, WeightKind};

impl<'g> Reader<'g> {
    pub(crate) fn bind_inputs(&mut self, specs: &'g [InputSpec], names: Option<Vec<String>>) -> Result<Vec<Leaf>> {
        let given: Vec<&InputSpec> = specs
            .iter()
            .filter(|spec| matches!(spec, InputSpec::UserInput { .. } | InputSpec::ConstantInput { .. }))
            .collect();
        let names = names.filter(|names| names.len() == given.len());
        let mut leaves = Vec::with_capacity(given.len());
        for (k, spec) in given.into_iter().enumerate() {
            let name = |own: &str| names.as_ref().and_then(|names| names.get(k)).map_or(own, String::as_str).to_owned();
            leaves.push(match spec {
                InputSpec::UserInput { arg: Given::Tensor(own) } => self.bind_input(own, name(own))?,
                InputSpec::ConstantInput { name: own, value } => {
                    Leaf { name: name(own), constant: Some(constant(value)), is_number: false }
                }
                _ => {
                    let problem = format!("argument {k} of the model is neither a tensor nor a constant");
                    return Err(
                        self.error(problem, "dynamic_shapes may only make dimensions of tensors dynamic, not numbers")
                    );
                }
            });
        }
        Ok(leaves)
    }

    fn bind_input(&mut self, own: &'g str, name: String) -> Result<Leaf> {
        let meta = self.meta(own)?;
        let read = self.symbols.tensor(&name, meta, Some(&name), &mut self.program);
        let (dtype, dims) = read.map_err(|problem| self.error(problem, STATIC))?;
        let id = self.program.add_input(Value { name: name.clone(), dtype, dims });
        self.define(own, id)?;
        Ok(Leaf { name, constant: None, is_number: false })
    }

    pub(crate) fn bind_weights(&mut self, specs: &'g [InputSpec], weights: &mut Weights<'_>) -> Result<()> {
        for spec in specs {
            let (own, name, kind) = match spec {
                InputSpec::Parameter { arg, parameter_name } => (arg, parameter_name, WeightKind::Parameter),
                InputSpec::Buffer { arg, buffer_name } => (arg, buffer_name, WeightKind::Buffer),
                InputSpec::TensorConstant { arg, tensor_constant_name } => {
                    (arg, tensor_constant_name, WeightKind::Constant)
                }
                _ => continue,
            };
            if !self.live.contains(own.name.as_str()) {
                continue;
            }
            let tensor = weights.get(name)?;
            let dims = tensor.dims.into_iter().map(Dim::Static).collect();
            let value = Value { name: name.clone(), dtype: tensor.dtype, dims };
            let id = self.program.add_weight(value, kind, tensor.data)?;
            self.define(&own.name, id)?;
        }
        Ok(())
    }

    pub(crate) fn bind_outputs(
        &mut self,
        outputs: &[&Given],
        signature: Option<&Signature>,
        inputs: &[Leaf],
    ) -> Result<Vec<Leaf>> {
        self.source = Source::default();
        let taken: Vec<String> =
            inputs.iter().filter(|leaf| leaf.constant.is_none()).map(|leaf| leaf.name.clone()).collect();
        let names =
            signature.map(|signature| signature.output_names(&taken)).filter(|names| names.len() == outputs.len());
        let mut leaves = Vec::with_capacity(outputs.len());
        for (k, output) in outputs.iter().enumerate() {
            let name = names.as_ref().and_then(|names| names.get(k)).cloned().unwrap_or_else(|| format!("output_{k}"));
            let value = self.output_value(output, &name)?;
            let runs =
                matches!(&value, Argument::Value(_)) || matches!(&value, Argument::Int(size) if !size.is_static());
            let is_number = runs && matches!(output, Given::Number(_));
            leaves.push(Leaf { name, constant: (!runs).then(|| value.clone()), is_number });
            self.program.add_output(value)?;
        }
        Ok(leaves)
    }

    /// As `bind_outputs`, of an archive that records what each output is. Numbers that follow from the shapes of the
    /// inputs are computed without the program; it computes the first of them where it would compute nothing.
    pub(crate) fn bind_described(&mut self, outputs: &[&Given], described: &[Described]) -> Result<Vec<Leaf>> {
        self.source = Source::default();
        let nothing = !described.iter().any(Described::is_computed);
        let first = described.iter().position(Described::is_size).filter(|_| nothing);
        let mut leaves = Vec::with_capacity(outputs.len());
        for (k, (output, leaf)) in outputs.iter().zip(described).enumerate() {
            let value = match leaf.is_size() {
                true if first == Some(k) => Argument::Int(self.any_size()),
                true => Argument::None,
                false => self.output_value(output, &leaf.name)?,
            };
            let runs = leaf.is_computed() || first == Some(k);
            let is_number = runs && matches!(output, Given::Number(_));
            leaves.push(Leaf { name: leaf.name.clone(), constant: (!runs).then(|| value.clone()), is_number });
            self.program.add_output(value)?;
        }
        Ok(leaves)
    }

    /// The first symbol of the program, or a size of 1.
    fn any_size(&self) -> Dim {
        self.program.symbols().keys().next().map_or(Dim::Static(1), |symbol| Dim::symbol(symbol))
    }

    fn output_value(&mut self, output: &Given, name: &str) -> Result<Argument> {
        Ok(match output {
            Given::None => Argument::None,
            Given::Tensor(value) => Argument::Value(self.tensor(value)?),
            Given::Int(value) => Argument::Int(Dim::Static(*value)),
            Given::Float(value) => Argument::Float(*value),
            Given::Bool(value) => Argument::Bool(*value),
            Given::Text(value) => Argument::String(value.clone()),
            Given::Complex(value) => Argument::Complex(value.real.0, value.imag.0),
            Given::Number(NumberArgument::Name(value)) => self.number_output(value)?,
            _ => return Err(self.error(format!("output `{name}` is no tensor, and no plain value"), "return tensors")),
        })
    }
}
