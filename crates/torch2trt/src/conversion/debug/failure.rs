//! A model that does not become an engine: the smallest network that cannot be built, or the call that cannot be
//! converted.

use super::reduce;
use super::run::Runner;
use super::weights::{program_weights, weights_of};
use crate::{Code, Error, Options, Result, pipeline};
use convert::Foreign;
use network::{Network, Op};
use program::Program;
use runtime::Tensor;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is left of a model that fails.
#[derive(Debug)]
pub struct Failed {
    /// The error.
    pub error: Error,
    /// Layers, or the call: its name, its operator, and file and line.
    pub calls: Vec<FailedCall>,
    /// Number of layers or calls that the model has.
    pub of: usize,
    pub(super) kind: FailedKind,
    /// The text form of the network or the program.
    pub(super) text: String,
    pub(super) weights: BTreeMap<String, Tensor>,
}

/// A layer or a call that fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCall {
    /// Name of the layer; empty of a call that became none.
    pub layer: String,
    /// The operator of the model.
    pub operator: String,
    /// File and line.
    pub source: String,
}

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailedKind {
    /// The build of a network.
    Network,
    /// The conversion of a program.
    Program,
}

/// Whether an error is one of making an engine out of a network.
fn is_of_build(error: &Error) -> bool {
    let codes = [Code::BuildRefused, Code::TensorRt, Code::NotInThisVersion, Code::OnnxUnsupported];
    codes.contains(&error.code()) || [Code::OnnxRuntimeRefused, Code::Pass].contains(&error.code())
}

/// The smallest network that fails as a whole network did.
///
/// # Errors
/// The error itself, where it is not one of the build.
pub(super) fn of_build(network: &Network, runner: &mut Runner<'_>, error: Error) -> Result<Failed> {
    if !is_of_build(&error) {
        return Err(error);
    }
    let mut fails = |part: &Network| Ok(runner.try_build(part).is_err_and(|other| other.code() == error.code()));
    let small = if fails(network)? { reduce::network(network, &mut fails)? } else { network.clone() };
    let error = runner.try_build(&small).err().unwrap_or(error);
    let layers = |network: &Network| {
        let is_computed = |layer: &&network::Layer| !matches!(layer.op, Op::Constant(_));
        let call = |layer: &network::Layer| FailedCall {
            layer: layer.name.clone(),
            operator: layer.origin.operator.clone(),
            source: layer.origin.position.clone(),
        };
        network.layers().iter().filter(is_computed).map(call).collect::<Vec<_>>()
    };
    Ok(Failed {
        error,
        calls: layers(&small),
        of: layers(network).len(),
        kind: FailedKind::Network,
        text: small.to_string(),
        weights: weights_of(&small)?,
    })
}

/// The call of a program that does not convert, alone.
///
/// # Errors
/// The error itself, where it names no call, or where the call converts alone.
pub(super) fn of_conversion(
    program: &Program,
    options: &Options,
    foreign: Option<&dyn Foreign>,
    error: Error,
) -> Result<Failed> {
    let Some(node) = error.nodes().first().copied() else { return Err(error) };
    let Ok(alone) = reduce::call_alone(program, node) else { return Err(error) };
    let mut own = options.clone();
    (own.convert.input_names, own.convert.output_names) = (Vec::new(), Vec::new());
    let Err(error) = pipeline::convert(&alone, &own, foreign) else { return Err(error) };
    let call = |node: &program::Node| FailedCall {
        layer: String::new(),
        operator: node.target.clone(),
        source: node.source.position(),
    };
    Ok(Failed {
        error,
        calls: alone.nodes().iter().map(call).collect(),
        of: program.nodes().len(),
        kind: FailedKind::Program,
        text: alone.to_string(),
        weights: program_weights(&alone)?,
    })
}

impl Failed {
    pub(super) fn to_json(&self) -> Value {
        let call = |call: &FailedCall| json!({ "layer": call.layer, "operator": call.operator, "source": call.source });
        json!({
            "code": self.error.code().number(),
            "message": self.error.message(),
            "calls": self.calls.iter().map(call).collect::<Vec<_>>(),
            "of": self.of,
        })
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let what = match self.kind {
            FailedKind::Network => "layers",
            FailedKind::Program => "calls",
        };
        let mut lines: Vec<String> = self.error.to_string().lines().map(str::to_owned).collect();
        lines.push(String::new());
        lines.push(format!("{} of {} {what} fail alone:", self.calls.len(), self.of));
        lines.extend(self.calls.iter().map(|call| {
            let words = [&call.source, &call.layer, &call.operator].map(String::as_str);
            format!("  {}", words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
        }));
        lines
    }
}
