//! The own error of each part of a network: what its result is off by where its inputs are the reference's values.

use super::Debugging;
use super::part::{Cutter, Given, Sizes};
use crate::Result;
use crate::conversion::verify::difference;
use dims::Dim;
use network::{Network, Op, ProgramValue, TensorId};
use runtime::Tensor;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

/// A value of the program that the network has a tensor for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    pub(super) value: ProgramValue,
    pub(super) tensor: TensorId,
    /// The value that has this tensor, too, where the network takes one for the other: nothing computes this one.
    pub(super) same_as: Option<ProgramValue>,
    /// Bytes of one copy.
    bytes: u64,
}

/// What a part's own result is off by.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Own {
    /// The part's result, by its place among the taps.
    pub(super) tap: usize,
    pub(super) error: f64,
    pub(super) allowed: f64,
}

impl Own {
    pub(super) fn is_accepted(&self) -> bool {
        self.error <= self.allowed
    }
}

/// The values of the program that some outputs depend on, in the order of execution.
pub(super) struct Taps {
    all: Vec<Tap>,
    outputs: Vec<TensorId>,
    pub(super) values: Values,
}

/// The values of the program that layers read of the tensors of a network. Where the network takes one value for
/// another, that is the last.
pub(super) struct Values(HashMap<TensorId, ProgramValue>);

impl Values {
    pub(super) fn of(values: impl IntoIterator<Item = (ProgramValue, TensorId)>) -> Self {
        Self(values.into_iter().map(|(value, tensor)| (tensor, value)).collect())
    }

    /// What layers read of a tensor.
    pub(super) fn read_as(&self, id: TensorId) -> Option<ProgramValue> {
        self.0.get(&id).copied()
    }

    /// All tensors.
    pub(super) fn tensors(&self) -> HashSet<TensorId> {
        self.0.keys().copied().collect()
    }
}

impl Taps {
    pub(super) fn of(work: &Debugging<'_, '_>, outputs: &[TensorId]) -> Self {
        let network = work.subject.network;
        let (layers, _) = work.cutter.needed(&|_| false, outputs);
        let sizes = sizes_of(&work.cutter);
        let mut found: Vec<(ProgramValue, TensorId)> = network.values().to_vec();
        found.retain(|(value, id)| {
            let tensor = network.tensor(*id);
            let is_needed = tensor.producer.is_some_and(|(layer, _)| layers.contains(&(layer.0 as usize)));
            is_needed && is_computed(network, *id) && work.reference.has(*value)
        });
        found.sort_by_key(|(value, id)| (network.tensor(*id).producer, *value));
        let mut taps: Vec<Tap> = Vec::with_capacity(found.len());
        for (value, tensor) in &found {
            let same_as = taps.last().filter(|tap| tap.tensor == *tensor).map(|tap| tap.value);
            taps.push(Tap { value: *value, tensor: *tensor, same_as, bytes: bytes_of(network, *tensor, &sizes) });
        }
        Self { all: taps, outputs: outputs.to_vec(), values: Values::of(found) }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, tap: usize) -> Tap {
        self.all[tap]
    }

    /// The values that the network takes for the value of a tap: it, and later ones of the same tensor.
    pub(super) fn taken_for(&self, tap: usize) -> Vec<ProgramValue> {
        let tensor = self.all[tap].tensor;
        self.all[tap..].iter().take_while(|other| other.tensor == tensor).map(|other| other.value).collect()
    }

    /// All values of these tensors.
    pub(super) fn values_of<'t>(&'t self, tensors: &'t HashSet<TensorId>) -> impl Iterator<Item = ProgramValue> + 't {
        self.all.iter().filter(|tap| tensors.contains(&tap.tensor)).map(|tap| tap.value)
    }

    /// The tensors of some of them.
    fn tensors(&self, range: Range<usize>) -> HashSet<TensorId> {
        self.all[range].iter().map(|tap| tap.tensor).collect()
    }

    fn bytes(&self, range: Range<usize>) -> u64 {
        self.all[range].iter().fold(0, |sum, tap| sum.saturating_add(tap.bytes))
    }
}

/// Whether the engine computes a tensor: it is no constant, and no size that follows from the shapes of the inputs.
pub(super) fn is_computed(network: &Network, id: TensorId) -> bool {
    let is_constant = network.producer(id).is_none_or(|layer| matches!(layer.op, Op::Constant(_)));
    !is_constant && network.tensor(id).value.is_none()
}

/// The sizes of the symbols that are axes of the inputs.
fn sizes_of(cutter: &Cutter<'_>) -> HashMap<String, i64> {
    let ports = cutter.network.inputs().iter().zip(cutter.inputs);
    let axes = ports.flat_map(|(port, value)| cutter.network.tensor(port.tensor).dims.iter().zip(value.dims()));
    axes.filter_map(|(dim, size)| match dim.symbols().as_slice() {
        [symbol] if *dim == Dim::symbol(symbol) => Some((symbol.to_string(), *size)),
        _ => None,
    })
    .collect()
}

/// Bytes of a tensor as float32; of one whose sizes depend on values, those of a number.
fn bytes_of(network: &Network, id: TensorId, sizes: &HashMap<String, i64>) -> u64 {
    let size = |dim: &Dim| dim.eval(&|name| sizes.get(name).copied()).ok().and_then(|size| u64::try_from(size).ok());
    network.tensor(id).dims.iter().filter_map(size).fold(size_of::<f32>() as u64, u64::saturating_mul)
}

impl Debugging<'_, '_> {
    /// The parts whose own error exceeds the tolerance, in the order of execution. Where the values do not fit in
    /// memory together, blocks are halved, and those whose results agree are left alone.
    pub(super) fn suspects(&mut self, taps: &Taps, range: Range<usize>) -> Result<Vec<Own>> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        if range.len() == 1 || self.fits(taps, range.clone()) {
            let own = self.own_errors(taps, range)?;
            return Ok(own.into_iter().filter(|own| !own.is_accepted()).collect());
        }
        if self.agrees(taps, range.clone())? {
            return Ok(Vec::new());
        }
        let middle = range.start + range.len() / 2;
        let mut found = self.suspects(taps, range.start..middle)?;
        found.extend(self.suspects(taps, middle..range.end)?);
        Ok(found)
    }

    /// The own error of every part, as many at a time as memory allows.
    pub(super) fn all_own_errors(&mut self, taps: &Taps) -> Result<Vec<Own>> {
        let (mut found, mut start) = (Vec::new(), 0);
        while start < taps.len() {
            let range = self.that_fit(taps, start);
            start = range.end;
            found.extend(self.own_errors(taps, range)?);
        }
        Ok(found)
    }

    /// As many taps from one on as fit in memory.
    fn that_fit(&self, taps: &Taps, start: usize) -> Range<usize> {
        let end = (start + 1..taps.len()).find(|end| !self.fits(taps, start..end + 1));
        start..end.unwrap_or(taps.len())
    }

    /// Whether two copies of the values, the reference's and the engine's, fit in memory.
    fn fits(&self, taps: &Taps, range: Range<usize>) -> bool {
        taps.bytes(range).saturating_mul(2) <= self.asked.memory
    }

    /// The own errors of some parts, from one network.
    fn own_errors(&mut self, taps: &Taps, range: Range<usize>) -> Result<Vec<Own>> {
        let range: Vec<usize> = range.collect();
        let both = self.values_from(taps, &range, &taps.values.tensors())?;
        Ok(self.compared_to(&range, &both))
    }

    /// Whether a block of parts, computed from the reference's values, agrees in the values that later parts read.
    fn agrees(&mut self, taps: &Taps, block: Range<usize>) -> Result<bool> {
        let own = taps.tensors(block.clone());
        let mut ends: HashSet<TensorId> =
            self.cutter.boundary(&taps.tensors(0..block.end), &taps.outputs).into_iter().collect();
        ends.extend(&taps.outputs);
        let before = taps.tensors(0..block.start);
        let is_end = |tap: &usize| ends.contains(&taps.get(*tap).tensor) && own.contains(&taps.get(*tap).tensor);
        let ends: Vec<usize> = block.filter(is_end).collect();
        let both = self.values_from(taps, &ends, &before)?;
        Ok(self.compared_to(&ends, &both).iter().all(Own::is_accepted))
    }

    /// What the engine computes for one tap from the reference's values.
    pub(super) fn own_value(&mut self, taps: &Taps, tap: usize) -> Result<Both> {
        self.values_from(taps, &[tap], &taps.values.tensors())
    }

    /// What the engine, left to itself, computes for one tap.
    pub(super) fn free_value(&mut self, taps: &Taps, tap: usize) -> Result<Both> {
        self.values_from(taps, &[tap], &HashSet::new())
    }

    /// The first tap that the engine, left to itself, gets wrong.
    pub(super) fn first_wrong(&mut self, taps: &Taps) -> Result<Option<Own>> {
        let mut start = 0;
        while start < taps.len() {
            let range: Vec<usize> = self.that_fit(taps, start).collect();
            start += range.len();
            let both = self.values_from(taps, &range, &HashSet::new())?;
            if let Some(wrong) = self.compared_to(&range, &both).into_iter().find(|own| !own.is_accepted()) {
                return Ok(Some(wrong));
            }
        }
        Ok(None)
    }

    fn compared_to(&self, taps: &[usize], both: &Both) -> Vec<Own> {
        let own = |(tap, (expected, got)): (&usize, (&Tensor, &Tensor))| Own {
            tap: *tap,
            error: difference(&expected.view(), &got.view()),
            allowed: self.allowed(expected.dtype()),
        };
        taps.iter().zip(both.pairs()).map(own).collect()
    }

    /// The reference's values of some taps, and the engine's where the tensors `cut` have the reference's values. Of a
    /// value that nothing computes, the engine has the one that it takes it for.
    fn values_from(&mut self, taps: &Taps, places: &[usize], cut: &HashSet<TensorId>) -> Result<Both> {
        let asked: Vec<Tap> = places.iter().map(|tap| taps.get(*tap)).collect();
        let is_cut = |tap: &Tap| tap.same_as.is_some() && cut.contains(&tap.tensor);
        let mut wanted: Vec<TensorId> = asked.iter().filter(|tap| !is_cut(tap)).map(|tap| tap.tensor).collect();
        wanted.dedup();
        let others = asked.iter().flat_map(|tap| [Some(tap.value), tap.same_as]).flatten();
        let found = self.computed(self.cutter, &taps.values, cut, &wanted, others)?;
        let got: HashMap<TensorId, &Rc<Tensor>> = wanted.iter().copied().zip(&found.got).collect();
        let pair = |tap: &Tap| {
            let taken = tap.same_as.filter(|_| is_cut(tap)).and_then(|value| found.known.get(&value));
            Some((found.known.get(&tap.value)?.clone(), taken.or_else(|| got.get(&tap.tensor).copied())?.clone()))
        };
        Ok(Both(asked.iter().filter_map(pair).collect()))
    }

    /// What a network computes for tensors where the tensors `cut` have the reference's values; with the reference's
    /// values of `others`.
    pub(super) fn computed(
        &mut self,
        cutter: Cutter<'_>,
        values: &Values,
        cut: &HashSet<TensorId>,
        wanted: &[TensorId],
        others: impl IntoIterator<Item = ProgramValue>,
    ) -> Result<Computed> {
        let mut read = cutter.boundary(cut, wanted);
        read.retain(|id| cut.contains(id));
        let asked: BTreeSet<ProgramValue> = read.iter().filter_map(|id| values.read_as(*id)).chain(others).collect();
        let asked: Vec<ProgramValue> = asked.into_iter().collect();
        let tensors = self.reference.values(&asked)?;
        let known: HashMap<ProgramValue, Rc<Tensor>> =
            asked.into_iter().zip(tensors.into_iter().map(Rc::new)).collect();
        let value = |id: &TensorId| Some((*id, known.get(&values.read_as(*id)?)?.as_ref()));
        let given: Given<'_> = read.iter().filter_map(value).collect();
        let got = self.runner.run(&cutter.part(&given, wanted, Sizes::Symbolic)?)?;
        Ok(Computed { got: got.into_iter().map(Rc::new).collect(), known })
    }
}

/// What a network computes for some tensors.
pub(super) struct Computed {
    /// The reference's values.
    pub(super) known: HashMap<ProgramValue, Rc<Tensor>>,
    /// The network's values, in the order of the tensors.
    pub(super) got: Vec<Rc<Tensor>>,
}

/// Values of the reference and of the engine.
pub(super) struct Both(pub(super) Vec<(Rc<Tensor>, Rc<Tensor>)>);

impl Both {
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&Tensor, &Tensor)> {
        self.0.iter().map(|(expected, got)| (expected.as_ref(), got.as_ref()))
    }
}
