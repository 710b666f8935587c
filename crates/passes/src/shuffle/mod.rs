//! Shuffles as data: how a chain of transposes and reshapes is written as one `Shuffle`.
//!
//! What a `Shuffle` does is here; its two halves are in `permutation.rs` and `reshape.rs`, and two reshapes become one
//! in `digits.rs`. Shared by `simplify`, which merges shuffles, and `legalize`, which writes squeezes as shuffles.

mod digits;
mod permutation;
mod reshape;

pub(crate) use permutation::{invert, permuted};
pub(crate) use reshape::{express, last_axes};

use digits::joined;
use network::{Dim, Op, ReshapeDim};
use permutation::{chain, inverse, moves_only_ones, ones_stay};

/// What a `Shuffle` without a shape input does.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shuffle {
    pub first: Option<Vec<usize>>,
    pub reshape: Option<Vec<ReshapeDim>>,
    pub second: Option<Vec<usize>>,
}

impl Shuffle {
    /// The reshape of `from` to `to`; `None` where no entry form expresses it.
    pub fn reshape(from: &[Dim], to: &[Dim]) -> Option<Self> {
        Some(Self { reshape: Some(express(from, to)?), ..Self::default() })
    }

    pub fn op(self) -> Op {
        Op::Shuffle { first_transpose: self.first, reshape: self.reshape, second_transpose: self.second }
    }

    /// This one in its simplest form, for an input of sizes `from` and an output of sizes `to`: transposes that
    /// only move axes of size 1 become part of the reshape, the identity of each kind is left out, a lone
    /// transpose comes first. Next to a reshape, which can put axes of size 1 anywhere, a transpose leaves them
    /// where they are: ONNX Runtime is fast where one axis moves, and slow where another of size 1 does too.
    pub fn normal(mut self, from: &[Dim], to: &[Dim]) -> Self {
        let before = self.after_first(from);
        let between = invert(self.second.as_deref(), to);
        let trivial_first = moves_only_ones(self.first.as_deref(), from);
        let trivial_second = moves_only_ones(self.second.as_deref(), &between);
        // Where both are trivial, or the one there is, all is one reshape of the same elements in order.
        let start = if trivial_first { from.to_vec() } else { before };
        let end = if trivial_second { to.to_vec() } else { between };
        if let Some(reshape) = express(&start, &end) {
            self.first = self.first.filter(|_| !trivial_first);
            self.second = self.second.filter(|_| !trivial_second);
            self.reshape = (start != end).then_some(reshape);
        }
        if self.reshape.is_some() {
            self.leave_ones(from, to);
        }
        if self.reshape.is_none() {
            self.first = chain(self.first, self.second.take());
        }
        self.first = self.first.filter(|order| !order.is_sorted());
        self.second = self.second.filter(|order| !order.is_sorted());
        let twice = self.first.is_some() && self.second.is_some();
        let once = if twice { joined(&self, &Self::default(), from, to, to) } else { None };
        once.unwrap_or(self)
    }

    /// Writes the transposes next to a reshape so that axes of size 1 stay next to their neighbours.
    fn leave_ones(&mut self, from: &[Dim], to: &[Dim]) {
        let first = self.first.as_deref().map(|order| ones_stay(order, from));
        // Seen from its output, the second transpose is one to the sizes after the reshape.
        let back = self.second.as_deref().map(|order| ones_stay(&inverse(order), to));
        let (start, end) = (permuted(from, first.as_deref()), permuted(to, back.as_deref()));
        if let Some(reshape) = express(&start, &end) {
            *self = Self { first, reshape: Some(reshape), second: back.map(|back| inverse(&back)) };
        }
    }

    /// The sizes between the first transpose and the reshape.
    pub fn after_first(&self, from: &[Dim]) -> Vec<Dim> {
        permuted(from, self.first.as_deref())
    }

    pub fn is_identity(&self) -> bool {
        *self == Self::default()
    }

    /// This one, then `next`, as one; `None` where that takes two. `from`, `middle` and `to` are the sizes
    /// before, between and after.
    pub fn then(&self, next: &Self, from: &[Dim], middle: &[Dim], to: &[Dim]) -> Option<Self> {
        let one = if self.reshape.is_none() {
            let order = chain(self.first.clone(), self.second.clone());
            Self { first: chain(order, next.first.clone()), ..next.clone() }
        } else if next.reshape.is_none() {
            let order = chain(next.first.clone(), next.second.clone());
            Self { second: chain(self.second.clone(), order), ..self.clone() }
        } else {
            let reshaped = || self.reshaped_twice(next, from, middle, to);
            self.move_then(next, from, middle, to)
                .or_else(|| self.then_move(next, from, middle, to))
                .or_else(reshaped)
                .or_else(|| joined(self, next, from, middle, to))?
        };
        Some(one.normal(from, to))
    }

    /// Two reshapes with nothing moved between them are one.
    fn reshaped_twice(&self, next: &Self, from: &[Dim], middle: &[Dim], to: &[Dim]) -> Option<Self> {
        let moved = chain(self.second.clone(), next.first.clone());
        if !moves_only_ones(moved.as_deref(), &invert(self.second.as_deref(), middle)) {
            return None;
        }
        let reshape = express(&self.after_first(from), &invert(next.second.as_deref(), to))?;
        Some(Self { first: self.first.clone(), reshape: Some(reshape), second: next.second.clone() })
    }

    /// This one only moves axes: it becomes part of the first transpose of `next`.
    fn move_then(&self, next: &Self, from: &[Dim], middle: &[Dim], to: &[Dim]) -> Option<Self> {
        let order = self.moves(from, middle)?;
        let wide = axes(from, |d| !d.is(1));
        let of_middle = places(middle);
        let after = next.first.clone().unwrap_or_else(|| (0..middle.len()).collect());
        let mut first: Vec<usize> = after.iter().filter_map(|k| of_middle[*k]).map(|n| wide[order[n]]).collect();
        first.extend(axes(from, |d| d.is(1)));
        let moved: Vec<Dim> = first.iter().map(|k| from[*k].clone()).collect();
        let reshape = express(&moved, &invert(next.second.as_deref(), to))?;
        Some(Self { first: Some(first), reshape: Some(reshape), second: next.second.clone() })
    }

    /// `next` only moves axes: it becomes part of the second transpose of this one.
    fn then_move(&self, next: &Self, from: &[Dim], middle: &[Dim], to: &[Dim]) -> Option<Self> {
        let order = next.moves(middle, to)?;
        let between = invert(self.second.as_deref(), middle);
        // Where each axis of more than one element comes from, counted among those of `between`.
        let of_between = places(&between);
        let second = self.second.clone().unwrap_or_else(|| (0..middle.len()).collect());
        let of_middle: Vec<usize> = second.iter().filter_map(|k| of_between[*k]).collect();
        let ones = axes(to, |d| d.is(1)).len();
        let mut target: Vec<Dim> = between.iter().filter(|d| !d.is(1)).cloned().collect();
        let (mut wide, mut one) = (order.iter().map(|n| of_middle[*n]), target.len()..);
        let second = to.iter().map(|d| if d.is(1) { one.next() } else { wide.next() }).collect::<Option<Vec<_>>>()?;
        target.extend(std::iter::repeat_n(Dim::Static(1), ones));
        let reshape = express(&self.after_first(from), &target)?;
        Some(Self { first: self.first.clone(), reshape: Some(reshape), second: Some(second) })
    }

    /// For a shuffle that moves axes, but for inserting and removing axes of size 1: which of the wider axes of
    /// `from` each of those of `to` is.
    fn moves(&self, from: &[Dim], to: &[Dim]) -> Option<Vec<usize>> {
        let (before, between) = (self.after_first(from), invert(self.second.as_deref(), to));
        let wide = |dims: &[Dim]| dims.iter().filter(|d| !d.is(1)).cloned().collect::<Vec<_>>();
        if wide(&before) != wide(&between) {
            return None;
        }
        let of_from = places(from);
        let first = self.first.clone().unwrap_or_else(|| (0..from.len()).collect());
        let order: Vec<usize> = first.iter().filter_map(|k| of_from[*k]).collect();
        let of_between = places(&between);
        let second = self.second.clone().unwrap_or_else(|| (0..between.len()).collect());
        Some(second.iter().filter_map(|k| of_between[*k]).map(|n| order[n]).collect())
    }
}

/// The axes whose size is as wanted.
fn axes(dims: &[Dim], wanted: impl Fn(&Dim) -> bool) -> Vec<usize> {
    dims.iter().enumerate().filter(|(_, d)| wanted(d)).map(|(k, _)| k).collect()
}

/// Each axis's place among those of more than one element; none for the others.
fn places(dims: &[Dim]) -> Vec<Option<usize>> {
    let mut next = 0..;
    dims.iter().map(|d| if d.is(1) { None } else { next.next() }).collect()
}
