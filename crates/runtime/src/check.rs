//! The check of a call's shapes against an engine's interface, and the shapes of its outputs.
//!
//! Input axes bind the symbols; every other axis must then have the size of its expression. All faulty axes of
//! an input are reported together. Pure arithmetic: it must not know any engine.

mod overlap;
mod placed;

use crate::error::{AxisFault, Error, Reason, Result, ShapeError, Side};
use crate::{Device, Dim, EngineSpec, IoSpec, Profile, SizeRange, TensorView, TensorViewMut};
use dims::{Atom, EvalError, Expr};
use placed::{Placed, check_view};
use smallvec::SmallVec;
use std::borrow::Cow;

/// What the shapes of an accepted call decided.
#[derive(Debug)]
pub struct Checked<'s> {
    spec: &'s EngineSpec,
    bound: Bound<'s>,
    profile: Option<usize>,
}

/// The sizes of symbols, each with the axis that decided it.
#[derive(Debug, Default)]
struct Bound<'s>(SmallVec<[Binding<'s>; 4]>);

#[derive(Debug)]
struct Binding<'s> {
    symbol: Cow<'s, str>,
    size: i64,
    input: &'s str,
    axis: usize,
}

/// The size of an input axis.
enum Expected<'s> {
    /// It must be this.
    Size(i64),
    /// It decides a symbol.
    Binds(Cow<'s, str>, i64),
    /// No size of the only symbol left gives the size that came.
    Impossible,
    /// Several symbols are still open.
    Later,
}

/// An axis whose size more than one open symbol decides.
#[derive(Clone, Copy)]
struct OpenAxis {
    /// Index of the input.
    input: usize,
    axis: usize,
}

/// An input with axes outside a profile's ranges.
struct Refusal {
    /// Index of the input.
    input: usize,
    faults: Vec<AxisFault>,
}

impl EngineSpec {
    /// Checks the shapes of a call's inputs, under one profile or under the first that accepts them.
    ///
    /// # Errors
    /// [`Error::Count`] for too few or too many, [`Error::Profile`] for a profile that is not there, and
    /// [`Error::Shape`] with every axis that does not fit.
    pub fn check(&self, inputs: &[&[i64]], profile: Option<usize>) -> Result<Checked<'_>> {
        if inputs.len() != self.inputs.len() {
            return Err(Error::Count { side: Side::Input, expected: self.inputs.len(), got: inputs.len() });
        }
        let bound = self.bind(inputs)?;
        let profile = self.choose_profile(inputs, &bound, profile)?;
        Ok(Checked { spec: self, bound, profile })
    }

    /// Shapes of the outputs for these input shapes; `None` where the shape depends on data.
    ///
    /// # Errors
    /// As [`EngineSpec::check`]; [`Error::OutputDims`] where the sizes give no shape.
    pub fn output_dims(&self, inputs: &[&[i64]]) -> Result<Vec<Option<Vec<i64>>>> {
        let checked = self.check(inputs, None)?;
        (0..self.outputs.len()).map(|index| Ok(checked.output_dims(index)?.map(|dims| dims.to_vec()))).collect()
    }

    /// Binds the symbols and compares every axis with its size.
    fn bind(&self, inputs: &[&[i64]]) -> Result<Bound<'_>> {
        let mut bound = Bound::default();
        let mut later: SmallVec<[OpenAxis; 4]> = SmallVec::new();
        for (index, (io, got)) in self.inputs.iter().zip(inputs).enumerate() {
            let mut faults = Vec::new();
            if io.dims.len() != got.len() {
                return Err(self.shape_error(io, got, None, Vec::new()));
            }
            if got.iter().any(|&size| size < 0) {
                return Err(Error::BadDims { dims: got.to_vec() });
            }
            for (axis, (dim, &size)) in io.dims.iter().zip(*got).enumerate() {
                match bound.expected(dim, size)? {
                    Expected::Size(n) if n == size => {}
                    Expected::Size(n) => faults.push(AxisFault { axis, got: size, reason: bound.reason(dim, n) }),
                    Expected::Binds(symbol, n) => bound.0.push(Binding { symbol, size: n, input: &io.name, axis }),
                    Expected::Impossible => {
                        faults.push(AxisFault { axis, got: size, reason: Reason::Impossible(dim.to_string()) });
                    }
                    Expected::Later => later.push(OpenAxis { input: index, axis }),
                }
            }
            if !faults.is_empty() {
                // Everything that is wrong with it in one message, where there is no choice of profiles.
                if let [profile] = self.profiles.as_slice() {
                    faults.extend(out_of_range(profile, io, got));
                }
                return Err(self.shape_error(io, got, None, in_order(faults)));
            }
        }
        self.check_later(inputs, &later, &bound)?;
        Ok(bound)
    }

    /// The axes whose expressions had more than one open symbol when they were first met. One whose symbols
    /// never get a size accepts any.
    fn check_later(&self, inputs: &[&[i64]], later: &[OpenAxis], bound: &Bound<'_>) -> Result<()> {
        for &OpenAxis { input: index, axis } in later {
            let (io, size) = (&self.inputs[index], inputs[index][axis]);
            if let Some(n) = bound.eval(&io.dims[axis])?
                && n != size
            {
                let fault = AxisFault { axis, got: size, reason: bound.reason(&io.dims[axis], n) };
                return Err(self.shape_error(io, inputs[index], None, vec![fault]));
            }
        }
        Ok(())
    }

    /// The profile asked for, or the first that accepts; else the error of the one that came nearest.
    fn choose_profile(&self, inputs: &[&[i64]], bound: &Bound<'_>, asked: Option<usize>) -> Result<Option<usize>> {
        let candidates = match asked {
            Some(index) if index < self.profiles.len() => index..index + 1,
            Some(index) if index > 0 => return Err(Error::Profile { asked: index, count: self.profiles.len() }),
            _ => 0..self.profiles.len(),
        };
        let mut nearest: Option<(usize, Refusal)> = None;
        for index in candidates {
            match self.first_refusal(inputs, bound, &self.profiles[index]) {
                None => return Ok(Some(index)),
                Some(refusal) => {
                    if nearest.as_ref().is_none_or(|(_, best)| refusal.faults.len() < best.faults.len()) {
                        nearest = Some((index, refusal));
                    }
                }
            }
        }
        match nearest {
            None => Ok(None),
            Some((index, Refusal { input, faults })) => {
                Err(self.shape_error(&self.inputs[input], inputs[input], Some(index), faults))
            }
        }
    }

    /// The first input with axes outside a profile's ranges, and those axes.
    fn first_refusal(&self, inputs: &[&[i64]], bound: &Bound<'_>, profile: &Profile) -> Option<Refusal> {
        self.inputs.iter().zip(inputs).enumerate().find_map(|(index, (io, got))| {
            let faults = out_of_range(profile, io, got).chain(bound.outside(io, got, profile)).collect();
            let faults = in_order(faults);
            (!faults.is_empty()).then_some(Refusal { input: index, faults })
        })
    }

    fn shape_error(&self, io: &IoSpec, got: &[i64], profile: Option<usize>, faults: Vec<AxisFault>) -> Error {
        // Which profile to show where the fault is before any profile: the only one, if there is only one.
        let shown = profile.or((self.profiles.len() == 1).then_some(0));
        let others = (0..self.profiles.len()).filter(|index| profile.is_some_and(|shown| shown != *index));
        Error::Shape(Box::new(ShapeError {
            input: io.name.clone(),
            got: got.to_vec(),
            allowed: self.allowed(io, shown),
            profile: shown,
            faults,
            others: others.map(|index| (index, self.allowed(io, Some(index)))).collect(),
        }))
    }

    /// What an input's axes may be under a profile, or at all.
    fn allowed(&self, io: &IoSpec, profile: Option<usize>) -> Vec<String> {
        let axis =
            |(axis, dim): (usize, &Dim)| match profile.and_then(|index| range_of(&self.profiles[index], io, axis)) {
                Some(range) => range.to_string(),
                None => dim.to_string(),
            };
        io.dims.iter().enumerate().map(axis).collect()
    }
}

/// The axes whose sizes lie outside of a profile's ranges.
fn out_of_range(profile: &Profile, io: &IoSpec, got: &[i64]) -> impl Iterator<Item = AxisFault> {
    got.iter().enumerate().filter_map(move |(axis, &size)| {
        let range = range_of(profile, io, axis)?;
        (!range.contains(size)).then_some(AxisFault { axis, got: size, reason: Reason::Range(range) })
    })
}

/// By axis, with the first that was found of each.
fn in_order(mut faults: Vec<AxisFault>) -> Vec<AxisFault> {
    faults.sort_by_key(|fault| fault.axis);
    faults.dedup_by_key(|fault| fault.axis);
    faults
}

/// The range that a profile has for one axis: its own, or that of the symbol it is.
fn range_of(profile: &Profile, io: &IoSpec, axis: usize) -> Option<SizeRange> {
    let own = profile.axes.get(&io.name).and_then(|ranges| ranges.get(axis)).copied();
    own.or_else(|| plain_symbol(&io.dims[axis]).and_then(|name| profile.symbols.get(name)).copied())
}

/// The name, where a size is one symbol and nothing else.
fn plain_symbol(dim: &Dim) -> Option<&str> {
    let Dim::Symbolic(expr) = dim else { return None };
    match expr.terms() {
        [(product, 1)] => match product.as_slice() {
            [Atom::Symbol(name)] => Some(name),
            _ => None,
        },
        _ => None,
    }
}

impl<'s> Bound<'s> {
    fn get(&self, symbol: &str) -> Option<&Binding<'s>> {
        self.0.iter().find(|binding| binding.symbol == symbol)
    }

    /// The value, or `None` while a symbol has none.
    fn eval(&self, dim: &Dim) -> Result<Option<i64>> {
        match dim {
            Dim::Static(n) => Ok(Some(*n)),
            Dim::Symbolic(expr) => self.eval_with(expr, &|_| None),
        }
    }

    fn eval_with(&self, expr: &Expr, open: &dyn Fn(&str) -> Option<i64>) -> Result<Option<i64>> {
        match expr.eval(&|name| self.get(name).map(|binding| binding.size).or_else(|| open(name))) {
            Ok(size) => Ok(Some(size)),
            Err(EvalError::Unbound(_)) => Ok(None),
            Err(source) => Err(Error::Size { text: expr.to_string(), source }),
        }
    }

    fn expected(&self, dim: &'s Dim, got: i64) -> Result<Expected<'s>> {
        let expr = match dim {
            Dim::Static(n) => return Ok(Expected::Size(*n)),
            Dim::Symbolic(expr) => expr,
        };
        if let Some(name) = plain_symbol(dim) {
            return Ok(match self.get(name) {
                Some(binding) => Expected::Size(binding.size),
                None => Expected::Binds(Cow::Borrowed(name), got),
            });
        }
        if let Some(size) = self.eval(dim)? {
            return Ok(Expected::Size(size));
        }
        self.solve(expr, got)
    }

    /// Decides the only open symbol of an expression such as `2*s0 + 1`, where the size is linear in it.
    fn solve(&self, expr: &Expr, got: i64) -> Result<Expected<'s>> {
        let open: Vec<_> = expr.symbols().into_iter().filter(|name| self.get(name).is_none()).collect();
        let [name] = open.as_slice() else { return Ok(Expected::Later) };
        let at = |size: i64| self.eval_with(expr, &|_| Some(size));
        // Sizes from 2 on: torch.export treats 0 and 1 as special, and expressions may too.
        let (Some(base), Some(next), Some(third)) = (at(2)?, at(3)?, at(4)?) else { return Ok(Expected::Later) };
        let slope = next.saturating_sub(base);
        if slope == 0 || third.saturating_sub(next) != slope {
            return Ok(Expected::Later);
        }
        let size = got.saturating_sub(base).div_euclid(slope).saturating_add(2);
        Ok(match at(size)? {
            Some(value) if value == got && size >= 0 => Expected::Binds(Cow::Owned(name.to_string()), size),
            _ => Expected::Impossible,
        })
    }

    /// Why an axis must have this size.
    fn reason(&self, dim: &Dim, size: i64) -> Reason {
        match plain_symbol(dim).and_then(|name| self.get(name)) {
            Some(binding) => Reason::Symbol {
                symbol: binding.symbol.to_string(),
                size,
                input: binding.input.to_owned(),
                axis: binding.axis,
            },
            None if dim.is_static() => Reason::Fixed(size),
            None => Reason::Expression { text: dim.to_string(), size },
        }
    }

    /// Axes of this input that give a symbol, through an expression, a size outside the profile's range.
    fn outside(&self, io: &IoSpec, got: &[i64], profile: &Profile) -> impl Iterator<Item = AxisFault> {
        self.0.iter().filter_map(move |Binding { symbol, size, input, axis }| {
            let range = *profile.symbols.get(symbol.as_ref())?;
            if *input != io.name || range.contains(*size) || plain_symbol(&io.dims[*axis]).is_some() {
                return None;
            }
            let reason = Reason::SymbolRange { symbol: symbol.to_string(), size: *size, range };
            Some(AxisFault { axis: *axis, got: got[*axis], reason })
        })
    }
}

impl Checked<'_> {
    /// Compares inputs, whose shapes were checked, with the spec's types and with where the engine wants them.
    pub(crate) fn check_inputs(&self, inputs: &[TensorView<'_>], device: Device) -> Result<()> {
        let mut pairs = self.spec.inputs.iter().zip(inputs);
        pairs.try_for_each(|(io, view)| {
            check_view(Side::Input, io, Placed { dtype: view.dtype(), device: view.device() }, device)
        })
    }

    /// Compares the caller's buffers with what the call makes, and with what it reads.
    pub(crate) fn check_outputs(
        &self,
        inputs: &[TensorView<'_>],
        outputs: &[TensorViewMut<'_>],
        device: Device,
    ) -> Result<()> {
        let expected = self.spec.outputs.len();
        if outputs.len() != expected {
            return Err(Error::Count { side: Side::Output, expected, got: outputs.len() });
        }
        let overlap = overlap::may_overlap(inputs, outputs);
        for (index, (io, view)) in self.spec.outputs.iter().zip(outputs).enumerate() {
            check_view(Side::Output, io, Placed { dtype: view.dtype(), device: view.device() }, device)?;
            match self.output_dims(index)? {
                None => return Err(Error::OutputDependsOnData { output: io.name.clone() }),
                Some(dims) if dims.as_slice() == view.dims() => {}
                Some(dims) => {
                    let (expected, got) = (dims.to_vec(), view.dims().to_vec());
                    return Err(Error::OutputShape { output: io.name.clone(), expected, got });
                }
            }
            if !overlap {
                continue;
            }
            let span = view.span();
            let read = self.spec.inputs.iter().zip(inputs).map(|(io, view)| (io, view.span()));
            let written = self.spec.outputs.iter().zip(outputs).map(|(io, view)| (io, view.span()));
            if let Some((other, _)) = read.chain(written.take(index)).find(|(_, other)| span.overlaps(other)) {
                return Err(Error::OutputOverlaps { output: io.name.clone(), other: other.name.clone() });
            }
        }
        Ok(())
    }

    /// The profile that accepts the call; `None` where the engine has no profiles.
    pub fn profile(&self) -> Option<usize> {
        self.profile
    }

    /// The size of a symbol that the inputs decided.
    pub fn symbol(&self, name: &str) -> Option<i64> {
        self.bound.get(name).map(|binding| binding.size)
    }

    /// The shape of one output (index into the spec's outputs); `None` where it depends on data.
    ///
    /// # Errors
    /// [`Error::OutputDims`] where the sizes give no shape (a negative axis); [`Error::Size`] for a division by
    /// zero or an overflow.
    pub fn output_dims(&self, index: usize) -> Result<Option<SmallVec<[i64; 8]>>> {
        let Some(io) = self.spec.outputs.get(index) else {
            return Err(Error::Count { side: Side::Output, expected: self.spec.outputs.len(), got: index + 1 });
        };
        let mut dims = SmallVec::new();
        for dim in &io.dims {
            match self.bound.eval(dim)? {
                Some(size) => dims.push(size),
                None => return Ok(None),
            }
        }
        if dims.iter().any(|&size| size < 0) {
            return Err(Error::OutputDims { output: io.name.clone(), dims: dims.to_vec() });
        }
        Ok(Some(dims))
    }
}

#[cfg(test)]
mod tests;
