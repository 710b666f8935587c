//! Folds a network by module: a tree of calls of modules, whose leaves are layers.
//!
//! A fold is a run of layers that follow each other in execution order, so that folds never wait for each other: a
//! module that is called twice is two folds. A fold with very many parts is divided further, in runs of equal length.

use crate::Graph;
use crate::graph::Source;
use crate::layout::{Arranger, Ranks};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::rc::Rc;

/// Parts of a fold, beyond which it is divided.
const MOST: usize = 60;
/// Parts that a run has then, at least.
const RUN: usize = 20;
/// Components of a module's path that are read.
const DEEPEST: usize = 32;

/// A layer, or a fold with its parts.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Name within the fold around it.
    pub label: String,
    /// Its layers.
    pub layers: Range<usize>,
    /// None of a layer.
    pub fold: Option<Fold>,
}

/// What is in a fold.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    /// The parts in execution order.
    pub parts: Vec<Node>,
    /// The parts in ranks, with the ends of the fold.
    pub ranks: Rc<Ranks>,
    /// The number in the ranks of what comes from outside the fold, where something does.
    pub entry: Option<usize>,
    /// The same of what leaves the fold.
    pub exit: Option<usize>,
}

/// The tree of a network; its root is the model.
pub(crate) fn fold(graph: &Graph) -> Node {
    let mut last = vec![0; graph.values().len()];
    for (index, layer) in graph.layers.iter().enumerate() {
        layer.inputs.iter().for_each(|value| last[*value] = index);
    }
    graph.outputs.iter().filter_map(|(_, value)| *value).for_each(|value| last[value] = usize::MAX);
    let mut first_value = graph.inputs.len();
    let first_values = graph.layers.iter().map(|layer| {
        first_value += layer.outputs.len();
        first_value - layer.outputs.len()
    });
    let mut folding = Folding {
        graph,
        first_values: first_values.collect(),
        paths: graph.layers.iter().map(|layer| path(&layer.module)).collect(),
        sources: graph.sources(),
        last,
        arranger: Arranger::default(),
    };
    let all = 0..graph.layers.len();
    let parts = folding.parts(all.clone(), 0);
    Node { label: String::new(), fold: Some(folding.finish(parts, &all)), layers: all }
}

fn path(module: &str) -> Vec<&str> {
    if module.is_empty() { Vec::new() } else { module.split('.').take(DEEPEST).collect() }
}

struct Folding<'g> {
    graph: &'g Graph,
    paths: Vec<Vec<&'g str>>,
    /// The number of the first output of each layer.
    first_values: Vec<usize>,
    sources: Vec<Source>,
    /// The last layer that reads each value; the largest number of what the network returns.
    last: Vec<usize>,
    arranger: Arranger,
}

impl Folding<'_> {
    /// The parts of a run of layers, whose paths are the same up to a depth.
    fn parts(&mut self, layers: Range<usize>, depth: usize) -> Vec<Node> {
        let (mut parts, mut start) = (Vec::new(), layers.start);
        let mut seen: HashMap<String, usize> = HashMap::new();
        while start < layers.end {
            let name = self.paths[start].get(depth).copied();
            let own = |index: &usize| name.is_some() && self.paths[*index].get(depth).copied() == name;
            let end = start + 1 + (start + 1..layers.end).take_while(own).count();
            let mut part = self.part(start..end, depth);
            let count = seen.entry(part.label.clone()).or_default();
            *count += 1;
            if name.is_some() && *count > 1 {
                part.label = format!("{} ({count})", part.label);
            }
            parts.push(part);
            start = end;
        }
        parts
    }

    /// The part of layers that have the same component at a depth, or none and are one layer.
    fn part(&mut self, layers: Range<usize>, depth: usize) -> Node {
        let first = &self.paths[layers.start];
        if layers.len() == 1 {
            return Node { label: first.get(depth..).unwrap_or_default().join("."), layers, fold: None };
        }
        let is_shared = |depth: usize| layers.clone().all(|index| self.paths[index].get(depth) == first.get(depth));
        let mut end = depth + 1;
        while end < first.len() && is_shared(end) {
            end += 1;
        }
        let label = first[depth..end].join(".");
        let parts = self.parts(layers.clone(), end);
        Node { label, fold: Some(self.finish(parts, &layers)), layers }
    }

    /// The fold of these parts; many of them in runs of equal length.
    fn finish(&mut self, mut parts: Vec<Node>, layers: &Range<usize>) -> Fold {
        if parts.len() > MOST {
            let length = RUN.max(parts.len().div_ceil(MOST));
            let mut runs = Vec::new();
            let (mut rest, mut from) = (parts.into_iter().peekable(), 1);
            while rest.peek().is_some() {
                let run: Vec<Node> = rest.by_ref().take(length).collect();
                let (to, covered) = (from + run.len() - 1, span(&run));
                let fold = self.finish(run, &covered);
                runs.push(Node { label: format!("{from}–{to}"), layers: covered, fold: Some(fold) });
                from = to + 1;
            }
            parts = runs;
        }
        let edges = self.edges(&parts, layers);
        let count = parts.len();
        let entry = edges.iter().any(|(from, _)| *from == End::ENTRY).then_some(count);
        let exit = edges.iter().any(|(_, to)| *to == End::EXIT).then_some(count + usize::from(entry.is_some()));
        let number = |node: usize| match node {
            End::ENTRY => entry.unwrap_or(node),
            End::EXIT => exit.unwrap_or(node),
            part => part,
        };
        let edges = edges.into_iter().map(|(from, to)| (number(from), number(to))).collect();
        let nodes = count + usize::from(entry.is_some()) + usize::from(exit.is_some());
        Fold { ranks: self.arranger.ranks(nodes, &edges), parts, entry, exit }
    }

    /// The edges between parts, and between them and the ends of the fold.
    fn edges(&self, parts: &[Node], layers: &Range<usize>) -> BTreeSet<(usize, usize)> {
        let part_of = |layer: usize| parts.partition_point(|part| part.layers.end <= layer);
        let mut edges = BTreeSet::new();
        for index in layers.clone() {
            let (layer, part) = (&self.graph.layers[index], part_of(index));
            edges.extend(layer.inputs.iter().map(|input| match self.sources[*input] {
                Source::Layer(from) if layers.contains(&from) => (part_of(from), part),
                _ => (End::ENTRY, part),
            }));
            let own = self.first_values[index]..self.first_values[index] + layer.outputs.len();
            edges.extend(own.filter(|value| self.last[*value] >= layers.end).map(|_| (part, End::EXIT)));
        }
        edges.retain(|(from, to)| from != to);
        edges
    }
}

/// The ends of a fold, before they have numbers.
struct End;

impl End {
    const ENTRY: usize = usize::MAX - 1;
    const EXIT: usize = usize::MAX;
}

fn span(run: &[Node]) -> Range<usize> {
    run.first().map_or(0, |node| node.layers.start)..run.last().map_or(0, |node| node.layers.end)
}
