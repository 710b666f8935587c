//! Shuffles, slices, concatenations, and sizes given as tensors.

use super::{Change, Site};
use crate::shuffle::{Shuffle, express};
use network::{Op, ResizeAttributes};

pub(super) fn change(site: &Site<'_, '_>) -> Option<Change> {
    match &site.layer.op {
        Op::Shuffle { .. } | Op::Squeeze { .. } | Op::Unsqueeze { .. } => shuffle(site),
        Op::Reduce { axes, .. } => {
            let x = site.input(0)?;
            let dims = &site.state.tensor(x).dims;
            // Over axes of size 1 every reduction gives the element itself.
            if !axes.iter().all(|a| dims[*a].is(1)) {
                return None;
            }
            let shuffle = Shuffle::reshape(dims, &site.output()?.dims)?.normal(dims, &site.output()?.dims);
            Some(if shuffle.is_identity() { Change::Tensor(x) } else { Change::Layer(shuffle.op(), vec![Some(x)]) })
        }
        Op::Slice { .. } => slice(site),
        Op::Concatenation { axis } => concatenation(site, *axis),
        Op::Padding { pre, post } if pre.iter().chain(post).all(|n| *n == 0) => Some(Change::Tensor(site.input(0)?)),
        Op::Resize(a) => {
            let op = Op::Resize(ResizeAttributes { size: site.numbers(1)?, ..a.clone() });
            Some(Change::Layer(op, vec![site.input(0)]))
        }
        Op::Fill { op, dtype, alpha, beta, .. } => {
            let op = Op::Fill { op: *op, dims: site.numbers(0)?, dtype: *dtype, alpha: *alpha, beta: *beta };
            Some(Change::Layer(op, vec![None, site.input(1), site.input(2)]))
        }
        _ => None,
    }
}

/// What a shuffling layer does, its shape input turned into entries.
fn read(site: &Site<'_, '_>) -> Option<Shuffle> {
    let from = &site.state.tensor(site.input(0)?).dims;
    match &site.layer.op {
        Op::Shuffle { first_transpose, reshape, second_transpose } => {
            let mut shuffle =
                Shuffle { first: first_transpose.clone(), reshape: reshape.clone(), second: second_transpose.clone() };
            if let Some(shape) = site.input(1) {
                let to = site.state.tensor(shape).value.as_ref()?;
                shuffle.reshape = Some(express(&shuffle.after_first(from), to)?);
            }
            Some(shuffle)
        }
        _ => Shuffle::reshape(from, &site.output()?.dims),
    }
}

fn shuffle(site: &Site<'_, '_>) -> Option<Change> {
    let x = site.input(0)?;
    let to = &site.output()?.dims;
    let middle = &site.state.tensor(x).dims;
    let one = read(site)?.normal(middle, to);
    if one.is_identity() {
        return Some(Change::Tensor(x));
    }
    let merged = merge(site, &one);
    let (shuffle, from) = merged.unwrap_or((one, x));
    if shuffle.is_identity() {
        return Some(Change::Tensor(from));
    }
    Some(Change::Layer(shuffle.op(), vec![Some(from)]))
}

/// This shuffle and the one before it as one.
fn merge(site: &Site<'_, '_>, next: &Shuffle) -> Option<(Shuffle, network::TensorId)> {
    let x = site.input(0)?;
    let before = site.state.new.producer(x)?;
    let Op::Shuffle { first_transpose, reshape, second_transpose } = &before.op else { return None };
    let (Some(start), None) = (before.input(0), before.input(1)) else { return None };
    let first = Shuffle { first: first_transpose.clone(), reshape: reshape.clone(), second: second_transpose.clone() };
    // Elements that others need moved as well are moved once.
    let moves = |s: &Shuffle| s.first.is_some() || s.second.is_some();
    if moves(&first) && !site.state.used_once(site.layer.input(0)?) {
        return None;
    }
    let tensor = |id| &site.state.tensor(id).dims;
    Some((first.then(next, tensor(start), tensor(x), &site.output()?.dims)?, start))
}

fn slice(site: &Site<'_, '_>) -> Option<Change> {
    let Op::Slice { start, size, stride, mode } = &site.layer.op else { return None };
    let x = site.input(0)?;
    let mut lists = [start.clone(), size.clone(), stride.clone()];
    let mut inputs = site.inputs.clone();
    inputs.resize(5, None);
    for (k, list) in lists.iter_mut().enumerate() {
        if let Some(numbers) = site.numbers(k + 1) {
            *list = numbers;
            inputs[k + 1] = None;
        }
    }
    let [start, size, stride] = lists;
    let whole =
        inputs[1].is_none() && inputs[3].is_none() && start.iter().all(|n| *n == 0) && stride.iter().all(|n| *n == 1);
    if whole && site.state.tensor(x).dims == site.output()?.dims {
        return Some(Change::Tensor(x));
    }
    let given = |inputs: &[Option<network::TensorId>]| inputs.iter().flatten().count();
    let fewer = given(&inputs) < given(&site.inputs);
    fewer.then(|| Change::Layer(Op::Slice { start, size, stride, mode: *mode }, inputs))
}

fn concatenation(site: &Site<'_, '_>, axis: usize) -> Option<Change> {
    let some = |id: &&Option<network::TensorId>| id.is_some_and(|id| !site.state.tensor(id).dims[axis].is(0));
    let parts: Vec<_> = site.inputs.iter().filter(some).copied().collect();
    match parts.as_slice() {
        [Some(one)] => Some(Change::Tensor(*one)),
        [] => None,
        _ if parts.len() < site.inputs.len() => Some(Change::Layer(Op::Concatenation { axis }, parts)),
        _ => None,
    }
}
