//! Sizes as ONNX wants them: reshapes with constant entries wherever the sizes follow from the input.
//!
//! It must not know layers.

use crate::graph::Value;
use crate::scope::Scope;
use crate::state::Size;
use dims::{Dim, Range};

/// Entries of a reshape that hold for every call: sizes, 0 for "as in the input", -1 for "the rest". The flag means
/// that 0 means zero. `None` where no such entries exist. `at_least_one` is whether a size is never 0.
pub(crate) fn entries(from: &[Dim], to: &[Dim], at_least_one: &dyn Fn(&Dim) -> bool) -> Option<(Vec<i64>, bool)> {
    if let Some(fixed) = to.iter().map(Dim::as_static).collect::<Option<Vec<_>>>() {
        let zero = fixed.contains(&0);
        return Some((fixed, zero));
    }
    if to.iter().any(|d| d.is(0)) {
        return None;
    }
    let (mut out, mut open, mut copies_zero) = (Vec::with_capacity(to.len()), false, false);
    for (k, dim) in to.iter().enumerate() {
        out.push(match dim.as_static() {
            Some(n) => n,
            None if from.get(k) == Some(dim) => {
                copies_zero |= !at_least_one(dim);
                0
            }
            None if open => return None,
            None => {
                open = true;
                -1
            }
        });
    }
    // With a copied size of zero, the open size cannot be inferred.
    if open && copies_zero { None } else { Some((out, false)) }
}

impl Size {
    fn fixed(self) -> Option<i64> {
        if let Self::Is(n) = self { Some(n) } else { None }
    }

    /// Whether `other`, `distance` entries behind, belongs to the same run: more numbers, or the next axes.
    fn continues(self, other: Self, distance: usize) -> bool {
        match (self, other) {
            (Self::Is(_), Self::Is(_)) => true,
            (Self::Axis(a, first), Self::Axis(b, axis)) => a == b && axis == first + distance,
            _ => false,
        }
    }
}

impl Scope<'_, '_> {
    /// Whether a size is at least one in every call.
    pub fn at_least_one(&self, dim: &Dim) -> bool {
        let symbols = self.cx.network.symbols();
        // A symbol that is not declared counts what the data holds, which may be nothing.
        let range = |name: &str| match symbols.get(name) {
            Some(s) => Range { min: s.min, max: s.max },
            None => Range { min: 0, max: i64::MAX },
        };
        dim.range(&range).min >= 1
    }

    /// A reshape whose sizes follow from the input's; `None` where they do not.
    pub fn reshape(&mut self, value: Value, from: &[Dim], to: &[Dim]) -> Option<Value> {
        if from == to {
            return Some(value);
        }
        let (entries, zero) = entries(from, to, &|d| self.at_least_one(d))?;
        let shape = self.ints(&entries);
        let attributes: &[_] = if zero { &[("allowzero", 1i64.into())] } else { &[] };
        Some(self.op("Reshape", &[value, shape], attributes))
    }

    /// A reshape to sizes that are assembled when the model runs.
    pub fn reshape_to(&mut self, value: Value, sizes: &[Size]) -> Value {
        let shape = self.sizes(sizes);
        self.op("Reshape", &[value, shape], &[("allowzero", 1i64.into())])
    }

    /// A 1-D int64 value of sizes. Equal ones are assembled once.
    pub fn sizes(&mut self, sizes: &[Size]) -> Value {
        if let Some(value) = self.cx.sizes.get(sizes) {
            return *value;
        }
        let mut parts: Vec<Value> = Vec::new();
        let mut rest = sizes;
        while let Some(first) = rest.first() {
            let run = rest.iter().enumerate().take_while(|(d, size)| first.continues(**size, *d)).count();
            parts.push(match *first {
                Size::Axis(value, axis) => self.axes_of(value, axis, run),
                Size::Is(_) => {
                    let fixed: Vec<i64> = rest[..run].iter().filter_map(|s| s.fixed()).collect();
                    self.ints(&fixed)
                }
            });
            rest = &rest[run..];
        }
        let value = match parts.as_slice() {
            [] => self.ints(&[]),
            [only] => *only,
            parts => self.op("Concat", parts, &[("axis", 0i64.into())]),
        };
        self.cx.sizes.insert(sizes.to_vec(), value);
        value
    }

    /// Sizes of consecutive axes of a value, 1-D int64.
    pub fn axes_of(&mut self, value: Value, first: usize, count: usize) -> Value {
        let key = (first as i64) << 8 | count as i64;
        self.once("Shape", value, key, &[("start", first.into()), ("end", (first + count).into())])
    }

    /// The sizes of a value as entries of [`Scope::sizes`]. Equal sizes are read from the same axis, whoever asks:
    /// what is assembled from them is shared by all layers.
    pub fn entries_of(&mut self, value: Value, dims: &[Dim]) -> Vec<Size> {
        let entry = |(axis, dim): (usize, &Dim)| match dim {
            Dim::Static(n) => Size::Is(*n),
            symbolic @ Dim::Symbolic(_) => *self.cx.axes.entry(symbolic.clone()).or_insert(Size::Axis(value, axis)),
        };
        dims.iter().enumerate().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dims(text: &str) -> Vec<Dim> {
        text.split(',').map(|t| Dim::parse(t.trim()).unwrap()).collect()
    }

    #[test]
    fn shapes_that_follow_from_the_input_are_constant() {
        let check = |from: &str, to: &str, expected: Option<(Vec<i64>, bool)>| {
            let positive = |d: &Dim| !d.to_string().contains("count");
            assert_eq!(entries(&dims(from), &dims(to), &positive), expected, "{from} to {to}");
        };
        check("2, 12", "4, 6", Some((vec![4, 6], false)));
        check("s0, s1, 768", "s0, s1, 12, 64", Some((vec![0, 0, 12, 64], false)));
        check("s0, s1, 12, 64", "s0, s1, 768", Some((vec![0, 0, 768], false)));
        check("s0, 3, s1, s1", "s0, 3, s1*s1", Some((vec![0, 3, -1], false)));
        check("s0, s1, 8", "s0*s1, 8", Some((vec![-1, 8], false)));
        check("s0*s1, 8", "s0, s1, 8", None);
        check("0, 8", "0, 4, 2", Some((vec![0, 4, 2], true)));
        check("s0, 0", "0, s0", None);
        check("count, s1, 4", "count, s1*4", None);
        check("count, 4", "4*count", Some((vec![-1], false)));
    }

    /// What ONNX's Reshape makes of a shape with such entries.
    fn reshaped(from: &[i64], (entries, zero): &(Vec<i64>, bool)) -> Option<Vec<i64>> {
        let copied = |(k, n): (usize, &i64)| if *n == 0 && !zero { from[k] } else { *n };
        let mut out: Vec<i64> = entries.iter().enumerate().map(copied).collect();
        let known: i64 = out.iter().filter(|n| **n >= 0).product();
        let all: i64 = from.iter().product();
        if let Some(open) = out.iter_mut().find(|n| **n < 0) {
            *open = all.checked_div(known)?;
        }
        (out.iter().product::<i64>() == all).then_some(out)
    }

    proptest! {
        #[test]
        fn entries_give_the_sizes_in_every_call(
            from in prop::collection::vec(0usize..7, 1..5),
            order in any::<prop::sample::Index>(),
            split in any::<prop::sample::Index>(),
            (a, b, count) in (1i64..5, 1i64..5, 0i64..3),
        ) {
            let dim = |k: &usize| Dim::parse(["2", "3", "s0", "s1", "2*s0", "count", "1"][*k]).unwrap();
            let from: Vec<Dim> = from.iter().map(dim).collect();
            // Any regrouping: rotate, then join a stretch into one axis.
            let mut to = from.clone();
            to.rotate_left(order.index(from.len()));
            let cut = split.index(to.len());
            let joined = Dim::product(&to[cut..]);
            to.splice(cut.., [joined]);
            let env = |name: &str| Some(match name { "s0" => a, "s1" => b, _ => count });
            let eval = |dims: &[Dim]| -> Vec<i64> { dims.iter().map(|d| d.eval(&env).unwrap()).collect() };
            let positive = |d: &Dim| !d.symbols().iter().any(|s| &**s == "count");
            if let Some(found) = entries(&from, &to, &positive) {
                prop_assert_eq!(reshaped(&eval(&from), &found), Some(eval(&to)), "{:?} to {:?}: {:?}", from, to, found);
            }
        }
    }
}
