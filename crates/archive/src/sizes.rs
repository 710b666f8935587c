//! Sizes: from an [`Expression`] to a [`Dim`].
//!
//! PyTorch also computes sizes through floats: the output of a resize by 1.5 is `TruncToInt(1.5*ToFloat(s))`. Those are
//! exact fractions where the float is a dyadic number, and are written as one division; others are checked for every
//! size of the range (`rounding.rs`). What cannot be written exactly is an error: a wrong size is worse than none. The
//! capture of the Python half has its sizes from here, too: [`symbolic_size`]. This file must not know of graphs.

pub(crate) use crate::expression::{Expression, Sized, parse};
use crate::fraction::{Fraction, join};
use crate::rounding::{self, Rounded, Rounding, Span};
use dims::{Dim, Range};
use std::cell::RefCell;
use std::collections::HashMap;

/// A size that PyTorch writes as a sympy expression.
#[derive(Clone, Debug, PartialEq)]
pub struct SymbolicSize {
    /// The size.
    pub dim: Dim,
    /// The largest value of each symbol for which it is right, where there is a largest.
    pub limits: Vec<(String, i64)>,
}

/// The smallest and largest value of each symbol.
pub type SymbolRanges = HashMap<String, (i64, Option<i64>)>;

/// Reads a size from the text of its sympy expression (`srepr`).
///
/// A size that is computed through floats gets a form that is right for all values within `ranges`; without them only
/// exact sizes are read.
///
/// # Errors
/// What has no form, or none that is right for every value.
pub fn symbolic_size(text: &str, ranges: Option<SymbolRanges>) -> Result<SymbolicSize, String> {
    let expression = parse(text)?;
    let known = ranges.map(|ranges| Known { ranges, ..Known::default() });
    let dim = Writer { names: &HashMap::new(), known: known.as_ref() }.integer(&expression)?;
    let mut limits: Vec<_> = known.into_iter().flat_map(|known| known.limits.into_inner()).collect();
    limits.sort();
    Ok(SymbolicSize { dim, limits })
}

/// The size of an expression; `names` has other names for some of its symbols.
///
/// # Errors
/// What has no form that is right for every size.
pub(crate) fn size(expression: &Expression, names: &HashMap<String, String>, known: &Known) -> Sized<Dim> {
    Writer { names, known: Some(known) }.integer(expression)
}

/// The ranges of symbols, by their names in the program, and what is known of sizes that are computed through floats.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) ranges: SymbolRanges,
    /// The largest value of a symbol for which every such size is right.
    pub(crate) limits: RefCell<HashMap<String, i64>>,
    forms: RefCell<HashMap<String, Sized<Rounded>>>,
}

/// Whether a symbol is a size found in data (`u0`), rather than one given by the inputs (`s0`).
pub(crate) fn is_unbacked(symbol: &str) -> bool {
    let rest = symbol.strip_prefix('z').unwrap_or(symbol);
    let Some(rest) = rest.strip_prefix('u') else { return false };
    let digits = rest.strip_prefix('f').unwrap_or(rest);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A name for a symbol that the grammar of sizes allows and that is not taken, the closest to the one that is wanted.
pub(crate) fn free_name(wanted: &str, taken: &dyn Fn(&str) -> bool) -> String {
    let mut name: String = wanted.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let words = ["floordiv", "ceildiv", "mod", "min", "max"];
    let digit = |name: &str| name.starts_with(|c: char| c.is_numeric());
    while taken(&name) || words.contains(&name.as_str()) || digit(&name) || is_unbacked(&name) {
        name.insert(0, '_');
    }
    name
}

/// Writes expressions as sizes.
struct Writer<'n> {
    names: &'n HashMap<String, String>,
    /// Without it, only what is exact is written.
    known: Option<&'n Known>,
}

impl Writer<'_> {
    /// An expression whose value is an integer.
    fn integer(&self, expression: &Expression) -> Sized<Dim> {
        match expression {
            Expression::Integer(n) => Ok(Dim::Static(*n)),
            Expression::Symbol(name, _) => Ok(Dim::symbol(self.names.get(name).unwrap_or(name))),
            Expression::Rational(..) | Expression::Float(_) => Err(format!("{expression:?} is no integer")),
            Expression::Call(name, parts) => self.call(name, parts, expression),
        }
    }

    fn call(&self, name: &str, parts: &[Expression], whole: &Expression) -> Sized<Dim> {
        if let (Some(rounding), [argument], Some(known)) = (Rounding::of(name), parts, self.known) {
            let exact = Writer { known: None, ..*self };
            return exact.call(name, parts, whole).or_else(|problem| {
                let mut symbols = 0;
                let mut is_known = true;
                whole.each_symbol(&mut |symbol| (symbols, is_known) = (symbols + 1, is_known && !is_unbacked(symbol)));
                if symbols > 0 && is_known { self.rounded(rounding, whole, argument, known) } else { Err(problem) }
            });
        }
        match (name, parts) {
            ("Add" | "Mul", parts) if parts.iter().any(Expression::is_fractional) => self.divide("floordiv", whole),
            ("Add", parts) => self.all(" + ", parts),
            ("Mul", parts) => self.all("*", parts),
            ("Pow" | "PowByNatural", [base, Expression::Integer(exponent)]) => self.power(base, *exponent),
            ("FloorDiv" | "CleanDiv", [a, b]) => self.apply("floordiv", a, b),
            ("CeilDiv", [a, b]) => self.apply("ceildiv", a, b),
            ("Mod" | "PythonMod", [a, b]) => self.apply("mod", a, b),
            ("ModularIndexing", [a, b, c]) => {
                join(&format!("mod({}, {})", self.apply("floordiv", a, b)?, self.integer(c)?))
            }
            ("Max", parts) => self.extreme("max", parts),
            ("Min", parts) => self.extreme("min", parts),
            ("Abs", [a]) => {
                let a = self.integer(a)?;
                join(&format!("max({a}, 0 - ({a}))"))
            }
            ("Identity", [a]) => self.integer(a),
            ("floor" | "FloorToInt", [a]) => self.divide("floordiv", a),
            ("ceiling" | "CeilToInt", [a]) => self.divide("ceildiv", a),
            ("TruncToInt", [a]) => self.truncate(a),
            _ => Err(format!("{name} of {} values", parts.len())),
        }
    }

    /// A rounded float expression without an exact form.
    fn rounded(&self, rounding: Rounding, whole: &Expression, argument: &Expression, known: &Known) -> Sized<Dim> {
        let key = format!("{whole:?}");
        let form = known.forms.borrow().get(&key).cloned();
        let form = form.unwrap_or_else(|| {
            let found = self.fitted(rounding, whole, argument, known);
            known.forms.borrow_mut().insert(key, found.clone());
            found
        })?;
        for (name, limit) in form.limits {
            let mut limits = known.limits.borrow_mut();
            let least = limits.entry(name).or_insert(limit);
            *least = limit.min(*least);
        }
        join(&form.text)
    }

    fn fitted(&self, rounding: Rounding, whole: &Expression, argument: &Expression, known: &Known) -> Sized<Rounded> {
        let mut symbols = Vec::new();
        whole.each_symbol(&mut |symbol| symbols.push(symbol.to_owned()));
        let mut spans: Vec<Span> = symbols
            .into_iter()
            .map(|written| {
                let name = self.names.get(&written).unwrap_or(&written).clone();
                let (min, max) = known.ranges.get(&name).copied().unwrap_or((0, None));
                Span { name, written, min, max }
            })
            .collect();
        spans.sort_by(|a, b| a.name.cmp(&b.name));
        spans.dedup_by(|a, b| a.name == b.name);
        let quotient =
            rounding::with_fractions(argument).and_then(|value| Writer { known: None, ..*self }.fraction(&value));
        rounding::fitted(rounding, whole, quotient, &spans)
    }

    fn all(&self, operator: &str, parts: &[Expression]) -> Sized<Dim> {
        let parts = parts.iter().map(|part| Ok(format!("({})", self.integer(part)?))).collect::<Sized<Vec<_>>>()?;
        join(&parts.join(operator))
    }

    fn power(&self, base: &Expression, exponent: i64) -> Sized<Dim> {
        if !(1..=8).contains(&exponent) {
            return Err(format!("a power of {exponent}"));
        }
        let base = format!("({})", self.integer(base)?);
        join(&vec![base; usize::try_from(exponent).unwrap_or(1)].join("*"))
    }

    fn apply(&self, function: &str, a: &Expression, b: &Expression) -> Sized<Dim> {
        join(&format!("{function}({}, {})", self.integer(a)?, self.integer(b)?))
    }

    /// The least or largest of any number of sizes, whose order does not matter.
    fn extreme(&self, function: &str, parts: &[Expression]) -> Sized<Dim> {
        let mut parts = parts.iter().map(|part| Ok(self.integer(part)?.to_string())).collect::<Sized<Vec<_>>>()?;
        parts.sort();
        let mut parts = parts.into_iter();
        let first = parts.next().ok_or_else(|| format!("{function} of nothing"))?;
        parts.try_fold(join(&first)?, |found, part| join(&format!("{function}({found}, {part})")))
    }

    fn divide(&self, function: &str, expression: &Expression) -> Sized<Dim> {
        let Fraction { numerator, denominator } = self.fraction(expression)?;
        if denominator.is(1) { Ok(numerator) } else { join(&format!("{function}({numerator}, {denominator})")) }
    }

    /// Rounding towards zero is rounding down where nothing is negative.
    fn truncate(&self, expression: &Expression) -> Sized<Dim> {
        let Fraction { numerator, denominator } = self.fraction(expression)?;
        let mut least = HashMap::new();
        expression.lower_bounds(&mut least);
        let least: HashMap<&str, i64> =
            least.iter().map(|(name, least)| (self.names.get(name).unwrap_or(name).as_str(), *least)).collect();
        let known = |name: &str| Range { min: least.get(name).copied().unwrap_or(i64::MIN), max: i64::MAX };
        if numerator.range(&known).min < 0 || denominator.range(&known).min < 1 {
            return Err(format!("truncation of ({numerator}) / ({denominator}), which may be negative"));
        }
        self.divide("floordiv", expression)
    }

    /// A real-valued expression as an exact quotient of two integer-valued ones.
    fn fraction(&self, expression: &Expression) -> Sized<Fraction> {
        let (name, parts) = match expression {
            Expression::Integer(n) => return Ok(Fraction::of(Dim::Static(*n))),
            Expression::Rational(p, q) => {
                return Ok(Fraction { numerator: Dim::Static(*p), denominator: Dim::Static(*q) });
            }
            Expression::Float(value) => return Fraction::dyadic(*value),
            Expression::Symbol(..) => return Ok(Fraction::of(self.integer(expression)?)),
            Expression::Call(name, parts) => (name.as_str(), parts.as_slice()),
        };
        match (name, parts) {
            ("ToFloat", [inner]) => self.fraction(inner),
            ("IntTrueDiv" | "FloatTrueDiv", [a, b]) => self.fraction(a)?.times(&self.fraction(b)?.inverse()),
            ("Mul", parts) => parts
                .iter()
                .try_fold(Fraction::of(Dim::Static(1)), |product, part| product.times(&self.fraction(part)?)),
            ("Add", [first, rest @ ..]) => {
                rest.iter().try_fold(self.fraction(first)?, |sum, part| sum.plus(&self.fraction(part)?))
            }
            ("Pow", [base, Expression::Integer(exponent)]) => self.fraction(base)?.power(*exponent),
            (name, _) if name.starts_with("Float") && name != "FloorToInt" => Err(format!("{name} rounds")),
            _ => Ok(Fraction::of(self.integer(expression)?)),
        }
    }
}

#[cfg(test)]
#[path = "sizes_tests.rs"]
mod tests;
