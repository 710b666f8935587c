//! Arranges the nodes of one fold in ranks, so that edges lead down and cross rarely.
//!
//! Ranks and the order within them come from `rust_sugiyama`. An edge over several ranks passes through a place of its
//! own in each rank between, which all edges from the same node share. Whoever draws stacks the ranks.

use rust_sugiyama::configure::Config;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// More places than this are not ordered: the time grows faster than their number.
const ORDERED: usize = 2_000;

/// The nodes of a fold in ranks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranks {
    /// The places of each rank from left to right.
    pub rows: Vec<Vec<Place>>,
    /// Edges between neighbouring ranks: the upper rank, the position in it, and the position in the next.
    pub edges: Vec<(usize, usize, usize)>,
}

/// What is at a place in a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A node.
    Node(usize),
    /// An edge on its way to a later rank.
    Pass,
}

/// Arranges folds, each kind of them once: the blocks of a model are often alike.
#[derive(Default)]
pub(crate) struct Arranger {
    known: HashMap<Shape, Rc<Ranks>>,
}

/// What a fold is to the arrangement: the number of its nodes, and its edges in order.
type Shape = (usize, Vec<(usize, usize)>);

impl Arranger {
    /// The ranks of so many nodes. Edges lead from a node to another; those that would close a cycle are left out.
    pub fn ranks(&mut self, nodes: usize, edges: &BTreeSet<(usize, usize)>) -> Rc<Ranks> {
        let key = (nodes, edges.iter().copied().collect::<Vec<_>>());
        self.known.entry(key).or_insert_with_key(|(nodes, edges)| Rc::new(arrange(*nodes, edges))).clone()
    }
}

fn arrange(nodes: usize, edges: &[(usize, usize)]) -> Ranks {
    let rank = rank_of_each(nodes, edges);
    let (mut rank, mut steps) = (rank, BTreeSet::new());
    let mut passes: HashMap<(usize, usize), usize> = HashMap::new();
    for (from, to) in edges.iter().copied().filter(|(from, to)| rank[*from] < rank[*to]).collect::<Vec<_>>() {
        let mut before = from;
        for between in rank[from] + 1..rank[to] {
            let pass = *passes.entry((from, between)).or_insert_with(|| {
                rank.push(between);
                rank.len() - 1
            });
            steps.insert((before, pass));
            before = pass;
        }
        steps.insert((before, to));
    }
    let steps: Vec<(usize, usize)> = steps.into_iter().collect();
    let across = if rank.len() > ORDERED { vec![(0, 0.0); rank.len()] } else { across(rank.len(), &steps) };
    stack(nodes, &rank, &steps, &across)
}

/// Where `rust_sugiyama` places each vertex: its component, and its coordinates there.
fn coordinates(vertices: usize, edges: &[(usize, usize)]) -> Vec<(usize, f64, f64)> {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let sized: Vec<(u32, (f64, f64))> = (0..number(vertices)).map(|vertex| (vertex, (1.0, 1.0))).collect();
    let edges: Vec<(u32, u32)> = edges.iter().map(|(from, to)| (number(*from), number(*to))).collect();
    let config = Config { vertex_spacing: 1.0, ..Config::default() };
    let mut found = vec![(0, 0.0, 0.0); vertices];
    let components = rust_sugiyama::from_vertices_and_edges(&sized, &edges, &config);
    let mut components: Vec<_> = components.into_iter().map(|(placed, ..)| placed).collect();
    components.sort_by_key(|placed| placed.iter().map(|(vertex, _)| *vertex).min());
    for (component, placed) in components.into_iter().enumerate() {
        for (vertex, (x, y)) in placed {
            if let Some(place) = found.get_mut(vertex) {
                *place = (component, x, y);
            }
        }
    }
    found
}

/// The rank of each node.
fn rank_of_each(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let placed = coordinates(nodes, edges);
    let mut heights: HashMap<usize, Vec<f64>> = HashMap::new();
    for (component, _, y) in &placed {
        heights.entry(*component).or_default().push(*y);
    }
    for heights in heights.values_mut() {
        heights.sort_by(f64::total_cmp);
        heights.dedup();
    }
    let rank = |(component, _, y): &(usize, f64, f64)| heights[component].partition_point(|height| height < y);
    placed.iter().map(rank).collect()
}

/// The component and the place across its ranks of each vertex.
fn across(vertices: usize, steps: &[(usize, usize)]) -> Vec<(usize, f64)> {
    coordinates(vertices, steps).into_iter().map(|(component, x, _)| (component, x)).collect()
}

fn stack(nodes: usize, rank: &[usize], steps: &[(usize, usize)], across: &[(usize, f64)]) -> Ranks {
    let count = rank.iter().max().map_or(0, |last| last + 1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (vertex, rank) in rank.iter().enumerate() {
        rows[*rank].push(vertex);
    }
    let mut position = vec![0; rank.len()];
    for row in &mut rows {
        row.sort_by(|a, b| {
            (across[*a].0.cmp(&across[*b].0)).then(across[*a].1.total_cmp(&across[*b].1)).then(a.cmp(b))
        });
        for (place, vertex) in row.iter().enumerate() {
            position[*vertex] = place;
        }
    }
    let place = |vertex: usize| if vertex < nodes { Place::Node(vertex) } else { Place::Pass };
    Ranks {
        rows: rows.into_iter().map(|row| row.into_iter().map(place).collect()).collect(),
        edges: steps.iter().map(|(from, to)| (rank[*from], position[*from], position[*to])).collect(),
    }
}
