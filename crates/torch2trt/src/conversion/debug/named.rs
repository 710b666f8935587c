//! A part by the names of the model: which of its calls is wrong, where that is written, and its values.

use super::own::{Both, Own, Tap, Taps, Values, is_computed};
use super::part::{Cutter, Given, Part, Sizes};
use super::{Culprit, Debugging, Kind, NamedRange, Stage, Suspect, ValueRange};
use crate::conversion::verify::difference;
use crate::{Code, Error, Result};
use network::{Layer, Network, Op, Origin, ProgramValue, TensorId};
use passes::Pass;
use runtime::Tensor;
use std::collections::{HashMap, HashSet};

/// A call of the model in a part of the engine.
struct InPart {
    value: ProgramValue,
    /// The other calls of the part.
    others: Vec<ProgramValue>,
    /// Its values before the passes, where these show the fault.
    both: Option<Both>,
    /// What makes it wrong, where it is wrong by itself.
    stage: Option<Stage>,
}

/// A part of a network with its inputs, and the right result.
struct Reproducer {
    network: Network,
    inputs: Vec<Tensor>,
    expected: Tensor,
}

impl<'a> Debugging<'a, '_> {
    /// A part whose own error is too large.
    pub(super) fn suspect(&self, taps: &Taps, own: &Own) -> Suspect {
        let (layer, origin) = self.place(taps.get(own.tap), taps.get(own.tap).value);
        Suspect { layer, operator: origin.operator, source: origin.position, error: own.error }
    }

    /// The layer that computes a value of the program, or the part that has it inside, and where it comes from.
    fn place(&self, tap: Tap, value: ProgramValue) -> (String, Origin) {
        let (network, plain) = (self.subject.network, self.subject.plain);
        let is_own = |layer: &&Layer| layer.origin.node == Some(value.node) && !matches!(layer.op, Op::Constant(_));
        let last = network.producer(tap.tensor);
        let layer = match tap.same_as {
            Some(_) => plain.layers().iter().rev().find(is_own).or(last),
            None => last.filter(is_own).or_else(|| network.layers().iter().rev().find(is_own)).or(last),
        };
        let origin = origin_of(plain, value).or_else(|| layer.map(|layer| Origin::clone(&layer.origin)));
        (layer.map_or_else(String::new, |layer| layer.name.clone()), origin.unwrap_or_default())
    }

    /// Names the call, with its values and the part of the network to reproduce it with.
    pub(super) fn named(&mut self, taps: &Taps, own: &Own, kind: Kind) -> Result<Culprit> {
        let tap = taps.get(own.tap);
        let InPart { value, others, both, stage } = self.in_part(taps, own, kind)?;
        let (mut layer, origin) = self.place(tap, value);
        let is_whole = both.is_none();
        let both = match both {
            Some(both) => both,
            None if kind == Kind::Accumulated => self.free_value(taps, own.tap)?,
            None => self.own_value(taps, own.tap)?,
        };
        let Some((expected, got)) = both.pairs().next() else { return Err(lacks_a_value()) };
        if is_whole && ValueRange::of(got).not_finite() > ValueRange::of(expected).not_finite() {
            layer = self.first_not_finite(taps, tap)?.unwrap_or(layer);
        }
        let part = self.reproducer(taps, own, kind)?;
        let named = |name: &str, tensor: &Tensor| NamedRange {
            name: name.to_owned(),
            kind: format!("{}{:?}", tensor.dtype(), tensor.dims()),
            range: ValueRange::of(tensor),
        };
        let ports = part.network.inputs().iter().zip(&part.inputs);
        let inputs = ports.map(|(port, value)| named(&port.name, value)).collect();
        let merged = others.iter().filter_map(|other| origin_of(self.subject.plain, *other));
        let mut merged: Vec<String> = merged.map(|other| format!("{} {}", other.operator, other.position)).collect();
        merged.dedup();
        Ok(Culprit {
            kind,
            stage,
            error: difference(&expected.view(), &got.view()),
            allowed: own.allowed,
            merged,
            reference: named(&layer, expected),
            engine: named(&layer, got),
            inputs,
            operator: origin.operator,
            module: origin.module,
            source: origin.position,
            layer,
            part: part.network,
            part_inputs: part.inputs,
            expected: part.expected,
        })
    }

    /// The first layer of a part whose result is not finite.
    fn first_not_finite(&mut self, taps: &Taps, tap: Tap) -> Result<Option<String>> {
        let (network, cut) = (self.subject.network, taps.values.tensors());
        let (layers, _) = self.cutter.needed(&|id| cut.contains(&id), &[tap.tensor]);
        let mut layers: Vec<usize> = layers.into_iter().collect();
        layers.sort_unstable();
        let layers = layers.into_iter().map(|place| &network.layers()[place]);
        let is_float = |id: &TensorId| network.tensor(*id).dtype.is_float() && is_computed(network, *id);
        let results: Vec<(&Layer, TensorId)> =
            layers.filter_map(|layer| Some((layer, layer.outputs.first().copied().filter(is_float)?))).collect();
        let wanted: Vec<TensorId> = results.iter().map(|(_, id)| *id).collect();
        let computed = self.computed(self.cutter, &taps.values, &cut, &wanted, [])?;
        let first = results.iter().zip(&computed.got).find(|(_, got)| ValueRange::of(got).not_finite() > 0);
        Ok(first.map(|((layer, _), _)| layer.name.clone()))
    }

    fn plain(&self) -> Cutter<'a> {
        Cutter { network: self.subject.plain, inputs: self.subject.inputs }
    }

    /// The call of a part that is wrong: of several, the first whose own error before the passes is too large.
    fn in_part(&mut self, taps: &Taps, own: &Own, kind: Kind) -> Result<InPart> {
        let tap = taps.get(own.tap);
        let mut found = InPart { value: tap.value, others: Vec::new(), both: None, stage: None };
        if kind == Kind::Accumulated {
            return Ok(found);
        }
        let (plain, known) = (self.plain(), self.plain_values());
        let inside = self.inside(taps, tap, &known);
        let values = Values::of(known);
        for (value, id) in &inside {
            let computed = self.computed(plain, &values, &values.tensors(), &[*id], [*value])?;
            let Some((expected, got)) = computed.known.get(value).zip(computed.got.first()) else { continue };
            if difference(&expected.view(), &got.view()) > self.allowed(expected.dtype()) {
                let both = Both(vec![(expected.clone(), got.clone())]);
                found.both = (inside.len() > 1).then_some(both);
                (found.value, found.stage) = (*value, Some(Stage::Conversion));
                break;
            }
        }
        if kind == Kind::Own && found.stage.is_none() {
            let tolerance = self.subject.tolerance;
            let is_narrow = tolerance.half.is_some() || tolerance.quantized;
            found.stage = Some(if is_narrow { Stage::Precision } else { Stage::Passes });
        }
        found.others = inside.iter().map(|(value, _)| *value).filter(|value| value.node != found.value.node).collect();
        Ok(found)
    }

    /// The values that the network before the passes computes and the reference has.
    fn plain_values(&self) -> Vec<(ProgramValue, TensorId)> {
        let plain = self.subject.plain;
        let mut all = plain.values().to_vec();
        all.retain(|(value, id)| is_computed(plain, *id) && self.reference.has(*value));
        all
    }

    /// Those of them that a part of the engine's network computes.
    fn inside(&self, taps: &Taps, tap: Tap, known: &[(ProgramValue, TensorId)]) -> Vec<(ProgramValue, TensorId)> {
        let end = known.iter().filter(|(value, _)| *value == tap.value);
        if tap.same_as.is_some() {
            return end.copied().collect();
        }
        let read: HashSet<TensorId> = self.cutter.boundary(&taps.values.tensors(), &[tap.tensor]).into_iter().collect();
        let before: HashSet<ProgramValue> = taps.values_of(&read).collect();
        let stops: HashSet<TensorId> =
            known.iter().filter(|(value, _)| before.contains(value)).map(|(_, id)| *id).collect();
        let plain = self.plain();
        let (layers, _) = plain.needed(&|id| stops.contains(&id), &end.map(|(_, id)| *id).collect::<Vec<_>>());
        let is_inside = |id: TensorId| {
            let producer = plain.network.tensor(id).producer;
            producer.is_some_and(|(layer, _)| layers.contains(&(layer.0 as usize)))
        };
        known.iter().filter(|(_, id)| is_inside(*id)).copied().collect()
    }

    /// The part of the network that computes a tap, with the reference's values as inputs, and the reference's result.
    /// Errors that accumulate need all layers up to there, with the inputs of the model.
    /// A value that nothing in the engine computes has its part in the network before the passes.
    fn reproducer(&mut self, taps: &Taps, own: &Own, kind: Kind) -> Result<Reproducer> {
        let tap = taps.get(own.tap);
        if kind == Kind::Accumulated {
            return self.reproducer_of(self.cutter, &Values::of([]), tap.tensor, tap.value, own.error);
        }
        if tap.same_as.is_none() {
            return self.reproducer_of(self.cutter, &taps.values, tap.tensor, tap.value, own.error);
        }
        let (plain, known) = (self.plain(), self.plain_values());
        let own_tensor = known.iter().find(|(value, _)| *value == tap.value).map(|(_, id)| *id);
        let (tensor, values) = (own_tensor.ok_or_else(lacks_a_value)?, Values::of(known));
        self.reproducer_of(plain, &values, tensor, tap.value, own.error)
    }

    /// The part of a network that computes a value: of fixed sizes, where that shows the same error.
    fn reproducer_of(
        &mut self,
        cutter: Cutter<'_>,
        values: &Values,
        tensor: TensorId,
        value: ProgramValue,
        error: f64,
    ) -> Result<Reproducer> {
        let mut known = self.given(cutter, values, tensor, value)?;
        let expected = known.remove(&None).ok_or_else(lacks_a_value)?;
        let given: Given<'_> = known.iter().filter_map(|(id, value)| Some(((*id)?, value))).collect();
        let fixed = cutter.part(&given, &[tensor], Sizes::Static).and_then(|part| settled(&part));
        if let Ok((network, inputs)) = fixed {
            let got = self.runner.run(&Part { network: network.clone(), inputs: inputs.iter().collect() });
            let is_same = |got: &Tensor| is_close(difference(&expected.view(), &got.view()), error);
            if got.is_ok_and(|got| got.iter().any(is_same)) {
                return Ok(Reproducer { network, inputs, expected });
            }
        }
        let part = cutter.part(&given, &[tensor], Sizes::Symbolic)?;
        Ok(Reproducer { inputs: copies(&part.inputs)?, network: part.network, expected })
    }

    /// The reference's values that the part of a tensor reads, and, without a tensor, its result.
    fn given(
        &mut self,
        cutter: Cutter<'_>,
        values: &Values,
        tensor: TensorId,
        value: ProgramValue,
    ) -> Result<HashMap<Option<TensorId>, Tensor>> {
        let read = cutter.boundary(&values.tensors(), &[tensor]);
        let (mut ids, mut asked): (Vec<_>, Vec<_>) =
            read.into_iter().filter_map(|id| Some((Some(id), values.read_as(id)?))).unzip();
        ids.push(None);
        asked.push(value);
        Ok(ids.into_iter().zip(self.reference.values(&asked)?).collect())
    }
}

fn lacks_a_value() -> Error {
    Error::new(Code::BadNetwork, "the reference lacks a value of the program")
}

/// The origin of the layer that computes a value, in the network as it was converted.
fn origin_of(plain: &Network, value: ProgramValue) -> Option<Origin> {
    let own = plain.layers().iter().find(|layer| layer.origin.node == Some(value.node));
    own.map(|layer| Origin::clone(&layer.origin))
}

/// A part of fixed sizes, in which sizes are constants and inputs that only gave sizes are gone.
fn settled(part: &Part<'_>) -> Result<(Network, Vec<Tensor>)> {
    let (network, _) = passes::run(&part.network, &[Pass::Fold, Pass::Dce])?;
    let inputs = copies(&part.inputs)?;
    let outputs: Vec<TensorId> = network.outputs().iter().map(|port| port.tensor).collect();
    let read = Cutter { network: &network, inputs: &inputs }.part(&Given::new(), &outputs, Sizes::Static)?;
    Ok((read.network, copies(&read.inputs)?))
}

/// Whether two errors are about the same.
fn is_close(left: f64, right: f64) -> bool {
    left == right || (left - right).abs() <= 0.1 * right.abs()
}

fn copies(tensors: &[&Tensor]) -> Result<Vec<Tensor>> {
    tensors.iter().map(|tensor| Ok(Tensor::copy_of(&tensor.view(), tensor.device())?)).collect()
}
