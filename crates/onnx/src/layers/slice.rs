//! Slice, padding and sequence reversal.
//!
//! TensorRT's slice has start, number and step; ONNX's has start and end. An end at a fixed distance
//! from the end of the axis is written as a constant, so symbolic sizes need no arithmetic. A step of 0 repeats one
//! element (an expansion). What is read outside becomes a Pad before the slice.

use crate::Result;
use crate::graph::Value;
use crate::scope::Scope;
use network::{Dim, SampleMode};

/// "To the end" and, for a negative step, "past the first element".
const OPEN: [i64; 2] = [i64::MAX, i64::MIN + 1];

/// One of start, size and stride: its entries as far as they are known, and the input where it is one.
struct List {
    known: Option<Vec<Dim>>,
    value: Option<Value>,
}

impl List {
    fn at(&self, axis: usize) -> Option<&Dim> {
        self.known.as_ref().map(|k| &k[axis])
    }

    fn number(&self, axis: usize) -> Option<i64> {
        self.at(axis).and_then(Dim::as_static)
    }
}

pub(super) fn slice(
    s: &mut Scope<'_, '_>,
    start: &[i64],
    size: &[i64],
    stride: &[i64],
    mode: SampleMode,
) -> Result<Value> {
    let x = s.input(0)?;
    let [start, mut size, stride] = lists(s, [start, size, stride])?;
    // The output's sizes are the sizes, and known as expressions.
    size.known = Some(s.output()?.dims.clone());
    let rank = s.dims(0)?.len();
    let repeated: Vec<bool> = (0..rank).map(|k| stride.number(k) == Some(0)).collect();
    let plan = Plan { start, size, stride, repeated };
    let value = match mode {
        SampleMode::StrictBounds => plan.within(s, x)?,
        _ => plan.outside(s, x, mode)?,
    };
    plan.expand(s, value)
}

fn lists(s: &mut Scope<'_, '_>, attributes: [&[i64]; 3]) -> Result<[List; 3]> {
    let mut lists = [0, 1, 2].map(|k| List { known: Some(dims_of(attributes[k])), value: None });
    for (k, list) in lists.iter_mut().enumerate() {
        if s.optional(k + 1)?.is_some() {
            *list = List { known: s.tensor(k + 1)?.value.clone(), value: Some(s.int64(k + 1)?) };
        }
    }
    Ok(lists)
}

fn dims_of(values: &[i64]) -> Vec<Dim> {
    values.iter().copied().map(Dim::Static).collect()
}

struct Plan {
    start: List,
    size: List,
    stride: List,
    /// Axes of which one element is repeated.
    repeated: Vec<bool>,
}

/// What an ONNX slice takes of one axis.
#[derive(Clone, Copy)]
enum Window {
    Whole,
    Part { start: i64, end: i64, step: i64 },
}

impl Plan {
    /// The window of an axis, where it holds for every call.
    fn window(&self, dim: &Dim, axis: usize) -> Option<Window> {
        let start = self.start.at(axis)?;
        if self.repeated[axis] {
            let start = start.as_static()?;
            return Some(if dim.is(1) { Window::Whole } else { Window::Part { start, end: start + 1, step: 1 } });
        }
        let (size, step) = (self.size.at(axis)?, self.stride.number(axis)?);
        if start.is(0) && step == 1 && size == dim {
            return Some(Window::Whole);
        }
        // A place at a fixed distance from the end is a negative number.
        let place = |at: &Dim| at.as_static().or_else(|| (at.clone() - dim.clone()).as_static().filter(|n| *n < 0));
        let end = start.clone() + size.clone() * Dim::Static(step);
        let to_the_end = (end.clone() - dim.clone()).as_static().is_some_and(|n| n >= 0);
        let end = match end.as_static() {
            _ if step > 0 && to_the_end => OPEN[0],
            // Past the first element: as it is, it would count from the back.
            Some(n) if step < 0 && n < 0 => OPEN[1],
            _ => place(&end)?,
        };
        Some(Window::Part { start: place(start)?, end, step })
    }

    fn within(&self, s: &mut Scope<'_, '_>, x: Value) -> Result<Value> {
        let dims = s.dims(0)?;
        let windows: Option<Vec<Window>> = dims.iter().enumerate().map(|(k, d)| self.window(d, k)).collect();
        match windows {
            Some(windows) => Ok(constant_slice(s, x, &windows)),
            None => self.computed(s, x),
        }
    }

    /// A slice whose ends are computed when the model runs.
    fn computed(&self, s: &mut Scope<'_, '_>, x: Value) -> Result<Value> {
        let start = value_of(s, &self.start)?;
        let (size, stride) = (self.sliced_size(s)?, self.sliced_stride(s)?);
        let reach = s.op("Mul", &[size, stride], &[]);
        let mut end = s.op("Add", &[start, reach], &[]);
        if (0..self.repeated.len()).any(|k| self.stride.number(k).is_none_or(|n| n < 0)) {
            let (zero, open) = (s.int(0), s.int(OPEN[1]));
            let (before, backward) = (s.op("Less", &[end, zero], &[]), s.op("Less", &[stride, zero], &[]));
            let past = s.op("And", &[before, backward], &[]);
            end = s.op("Where", &[past, open, end], &[]);
        }
        let axes: Vec<i64> = (0..self.repeated.len() as i64).collect();
        let axes = s.ints(&axes);
        Ok(s.main("Slice", &[x, start, end, axes, stride], &[]))
    }

    /// Sizes with 1 for repeated axes.
    fn sliced_size(&self, s: &mut Scope<'_, '_>) -> Result<Value> {
        let size = value_of(s, &self.size)?;
        self.override_repeated(s, size)
    }

    /// Steps with 1 for repeated axes.
    fn sliced_stride(&self, s: &mut Scope<'_, '_>) -> Result<Value> {
        let stride = value_of(s, &self.stride)?;
        self.override_repeated(s, stride)
    }

    fn override_repeated(&self, s: &mut Scope<'_, '_>, value: Value) -> Result<Value> {
        if !self.repeated.contains(&true) {
            return Ok(value);
        }
        let mask = network::Weights::bool(&[self.repeated.len() as i64], &self.repeated);
        let (mask, one) = (s.weights(&mask), s.int(1));
        Ok(s.op("Where", &[mask, one, value], &[]))
    }

    /// Pads by what is read outside, then slices within.
    fn outside(&self, s: &mut Scope<'_, '_>, x: Value, mode: SampleMode) -> Result<Value> {
        let dims = s.dims(0)?;
        if mode == SampleMode::Wrap && dims.iter().any(|dim| !s.at_least_one(dim)) {
            return self.wrapped(s, x, dims);
        }
        let fixed: Option<Vec<Reach>> = dims.iter().enumerate().map(|(k, d)| self.reach(d, k)).collect();
        match fixed {
            Some(reach) => {
                let pads: Vec<i64> = reach.iter().map(|r| r.before).chain(reach.iter().map(|r| r.after)).collect();
                let windows: Vec<_> = reach.into_iter().map(|r| r.window).collect();
                let padded = if pads.iter().any(|p| *p > 0) {
                    let pads = s.ints(&pads);
                    pad(s, x, pads, mode)?
                } else {
                    x
                };
                Ok(constant_slice(s, padded, &windows))
            }
            None => self.computed_outside(s, x, mode),
        }
    }

    /// Reads by index what wraps around in a tensor that may be empty: ONNX Runtime does not pad one with its own
    /// elements.
    fn wrapped(&self, s: &mut Scope<'_, '_>, x: Value, dims: &[Dim]) -> Result<Value> {
        let [start, size, stride] = [&self.start, &self.size, &self.stride].map(|list| value_of(s, list));
        let (start, size, stride) = (start?, size?, stride?);
        let mut value = x;
        for (k, dim) in dims.iter().enumerate() {
            let is_whole = self.start.number(k) == Some(0) && self.stride.number(k) == Some(1);
            if is_whole && self.size.at(k) == Some(dim) {
                continue;
            }
            let (axis, zero, one) = (s.int(k as i64), s.int(0), s.int(1));
            let [first, count, step] = [start, size, stride].map(|list| s.op("Gather", &[list, axis], &[]));
            let count = if self.repeated[k] { one } else { count };
            let each = s.op("Range", &[zero, count, one], &[]);
            let each = s.op("Mul", &[each, step], &[]);
            let each = s.op("Add", &[each, first], &[]);
            let length = s.axes_of(x, k, 1);
            let each = s.op("Mod", &[each, length], &[]);
            value = s.op("Gather", &[value, each], &[("axis", k.into())]);
        }
        Ok(value)
    }

    /// How far an axis is read outside, where that holds for every call.
    fn reach(&self, dim: &Dim, axis: usize) -> Option<Reach> {
        let (start, size) = (self.start.number(axis)?, self.size.at(axis)?);
        let (size, step) =
            if self.repeated[axis] { (Dim::Static(1), 1) } else { (size.clone(), self.stride.number(axis)?) };
        let last = Dim::Static(start) + (size.clone() - Dim::Static(1)) * Dim::Static(step);
        let (low, high) = if step > 0 { (Dim::Static(start), last) } else { (last, Dim::Static(start)) };
        let before = (-low.as_static()?).max(0);
        let after = (high - dim.clone() + Dim::Static(1)).as_static()?.max(0);
        let padded = dim.clone() + Dim::Static(before + after);
        let inner = Self {
            start: List { known: Some(vec![Dim::Static(start + before)]), value: None },
            size: List { known: Some(vec![size]), value: None },
            stride: List { known: Some(vec![Dim::Static(step)]), value: None },
            repeated: vec![false],
        };
        Some(Reach { before, after, window: inner.window(&padded, 0)? })
    }

    /// The same with everything computed when the model runs.
    fn computed_outside(&self, s: &mut Scope<'_, '_>, x: Value, mode: SampleMode) -> Result<Value> {
        let start = value_of(s, &self.start)?;
        let (size, stride) = (self.sliced_size(s)?, self.sliced_stride(s)?);
        let (zero, one) = (s.int(0), s.int(1));
        let steps = s.op("Sub", &[size, one], &[]);
        let reach = s.op("Mul", &[steps, stride], &[]);
        let last = s.op("Add", &[start, reach], &[]);
        let (low, high) = (s.op("Min", &[start, last], &[]), s.op("Max", &[start, last], &[]));
        let before = s.op("Neg", &[low], &[]);
        let before = s.op("Max", &[before, zero], &[]);
        let sizes = s.axes_of(x, 0, self.repeated.len());
        let beyond = s.op("Sub", &[high, sizes], &[]);
        let beyond = s.op("Add", &[beyond, one], &[]);
        let after = s.op("Max", &[beyond, zero], &[]);
        let pads = s.op("Concat", &[before, after], &[("axis", 0i64.into())]);
        let padded = pad(s, x, pads, mode)?;
        let shifted = s.op("Add", &[start, before], &[]);
        let inner = Self {
            start: List { known: None, value: Some(shifted) },
            size: List { known: None, value: Some(size) },
            stride: List { known: self.stride.known.clone(), value: Some(stride) },
            repeated: vec![false; self.repeated.len()],
        };
        inner.computed(s, padded)
    }

    /// Repeats the elements of axes with a step of 0.
    fn expand(&self, s: &mut Scope<'_, '_>, value: Value) -> Result<Value> {
        let sizes = self.size.known.as_deref().unwrap_or_default();
        let grows = |k: usize| self.repeated[k] && !sizes[k].is(1);
        if !(0..sizes.len()).any(grows) {
            return Ok(value);
        }
        // Expand broadcasts both ways: 1 keeps an axis.
        let entries: Option<Vec<i64>> =
            (0..sizes.len()).map(|k| if grows(k) { sizes[k].as_static() } else { Some(1) }).collect();
        let shape = match entries {
            Some(entries) => s.ints(&entries),
            None => value_of(s, &self.size)?,
        };
        Ok(s.main("Expand", &[value, shape], &[]))
    }
}

/// Elements read before and after an axis, and the window in the padded axis.
struct Reach {
    before: i64,
    after: i64,
    window: Window,
}

fn constant_slice(s: &mut Scope<'_, '_>, x: Value, windows: &[Window]) -> Value {
    let mut lists: [Vec<i64>; 4] = Default::default();
    for (axis, window) in windows.iter().enumerate() {
        if let Window::Part { start, end, step } = *window {
            let entry = [start, end, axis as i64, step];
            lists.iter_mut().zip(entry).for_each(|(list, n)| list.push(n));
        }
    }
    if lists[0].is_empty() {
        return x;
    }
    let [start, end, axes, step] = lists.map(|list| s.ints(&list));
    s.main("Slice", &[x, start, end, axes, step], &[])
}

fn pad(s: &mut Scope<'_, '_>, x: Value, pads: Value, mode: SampleMode) -> Result<Value> {
    let mode = match mode {
        SampleMode::StrictBounds | SampleMode::Fill => "constant",
        SampleMode::Clamp => "edge",
        SampleMode::Reflect => "reflect",
        SampleMode::Wrap => "wrap",
    };
    let fill = if mode == "constant" { s.optional(4)? } else { None };
    let mut inputs = vec![x, pads];
    if let Some(fill) = fill {
        let dims = s.dims(4)?;
        inputs.push(s.reshape(fill, dims, &[]).unwrap_or(fill));
    }
    Ok(s.op("Pad", &inputs, &[("mode", mode.into())]))
}

/// Zeros around the last two axes.
pub(super) fn padding(s: &mut Scope<'_, '_>, pre: &[i64], post: &[i64]) -> Result<Value> {
    let (x, leading) = (s.input(0)?, vec![0; s.dims(0)?.len() - pre.len()]);
    let pads = [&leading, pre, &leading, post].concat();
    let pads = s.ints(&pads);
    Ok(s.main("Pad", &[x, pads], &[]))
}

/// ONNX reverses sequences along the first two axes only.
pub(super) fn reverse_sequence(s: &mut Scope<'_, '_>, batch: usize, sequence: usize) -> Result<Value> {
    let (x, lengths, rank) = (s.input(0)?, s.int64(1)?, s.dims(0)?.len());
    if batch < 2 && sequence < 2 {
        let attributes = [("batch_axis", batch.into()), ("time_axis", sequence.into())];
        return Ok(s.main("ReverseSequence", &[x, lengths], &attributes));
    }
    let others = (0..rank).filter(|k| *k != batch && *k != sequence);
    let order: Vec<i64> = [batch, sequence].into_iter().chain(others).map(|k| k as i64).collect();
    let mut inverse = vec![0i64; rank];
    for (to, from) in order.iter().enumerate() {
        inverse[*from as usize] = to as i64;
    }
    let moved = s.op("Transpose", &[x], &[("perm", order.into())]);
    let attributes = [("batch_axis", 0i64.into()), ("time_axis", 1i64.into())];
    let reversed = s.main("ReverseSequence", &[moved, lengths], &attributes);
    Ok(s.op("Transpose", &[reversed], &[("perm", inverse.into())]))
}

fn value_of(s: &mut Scope<'_, '_>, list: &List) -> Result<Value> {
    if let Some(fixed) = list.known.as_ref().and_then(|k| k.iter().map(Dim::as_static).collect::<Option<Vec<_>>>()) {
        return Ok(s.ints(&fixed));
    }
    list.value.ok_or_else(|| s.unsupported("its sizes are not known", "give them as an input"))
}
