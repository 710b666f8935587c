//! The normal form: a sum of integer multiples of products of atoms.

use crate::EvalError;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, Mul, Sub};
use std::sync::Arc;

/// What a product is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Atom {
    /// A symbol, such as `s0`.
    Symbol(Arc<str>),
    /// A quotient rounded down that is not exact.
    FloorDiv(Box<Expr>, Box<Expr>),
    /// The smaller of two.
    Min(Box<Expr>, Box<Expr>),
    /// The larger of two.
    Max(Box<Expr>, Box<Expr>),
}

type Product = Vec<Atom>;

/// An integer expression over symbols, in normal form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Expr {
    /// Products with their factors; sorted, no factor is zero, no product occurs twice.
    terms: Vec<(Product, i64)>,
}

/// An inclusive range of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Smallest value; `i64::MIN` where there is no bound.
    pub min: i64,
    /// Largest value; `i64::MAX` where there is no bound.
    pub max: i64,
}

impl Range {
    /// The range of one value.
    pub fn exactly(n: i64) -> Self {
        Self { min: n, max: n }
    }

    fn of(values: impl IntoIterator<Item = i64>) -> Self {
        let mut range = Self { min: i64::MAX, max: i64::MIN };
        for v in values {
            range = Self { min: range.min.min(v), max: range.max.max(v) };
        }
        range
    }

    fn add(self, o: Self) -> Self {
        let end = |a: i64, b: i64, open: i64| if a == open || b == open { open } else { a.saturating_add(b) };
        Self { min: end(self.min, o.min, i64::MIN), max: end(self.max, o.max, i64::MAX) }
    }

    fn mul(self, o: Self) -> Self {
        Self::of([self.min, self.max].into_iter().flat_map(|a| [times(a, o.min), times(a, o.max)]))
    }
}

fn is_open(end: i64) -> bool {
    end == i64::MIN || end == i64::MAX
}

/// The product of two ends; an end that is open stays so, but for 0 times it.
fn times(a: i64, b: i64) -> i64 {
    match (a.signum() * b.signum(), is_open(a) || is_open(b)) {
        (0, _) => 0,
        (1, true) => i64::MAX,
        (_, true) => i64::MIN,
        _ => a.saturating_mul(b),
    }
}

impl Expr {
    /// A number.
    pub fn constant(n: i64) -> Self {
        Self { terms: if n == 0 { Vec::new() } else { vec![(Vec::new(), n)] } }
    }

    /// A symbol.
    pub fn symbol(name: &str) -> Self {
        Self::atom(Atom::Symbol(name.into()))
    }

    fn atom(atom: Atom) -> Self {
        Self { terms: vec![(vec![atom], 1)] }
    }

    fn from_map(map: BTreeMap<Product, i64>) -> Self {
        Self { terms: map.into_iter().filter(|(_, factor)| *factor != 0).collect() }
    }

    /// The number, where no symbol is left.
    pub fn as_constant(&self) -> Option<i64> {
        match self.terms.as_slice() {
            [] => Some(0),
            [(product, n)] if product.is_empty() => Some(*n),
            _ => None,
        }
    }

    /// The terms: products of atoms with their integer factors.
    pub fn terms(&self) -> &[(Vec<Atom>, i64)] {
        &self.terms
    }

    /// Quotient rounded down; simplified where a part of the sum divides exactly.
    #[must_use]
    pub fn floor_div(&self, by: &Self) -> Self {
        if let Some(n) = by.as_constant()
            && n > 0
        {
            return self.floor_div_constant(n);
        }
        if self == by {
            return Self::constant(1);
        }
        if let [(product, factor)] = by.terms.as_slice()
            && let Some(exact) = self.exact_quotient(product, *factor)
        {
            return exact;
        }
        Self::atom(Atom::FloorDiv(Box::new(self.clone()), Box::new(by.clone())))
    }

    /// `floor((q*n*X + r) / n) = q*X + floor(r / n)`: what divides leaves the division.
    fn floor_div_constant(&self, n: i64) -> Self {
        if n == 1 {
            return self.clone();
        }
        let (mut whole, mut rest) = (BTreeMap::new(), BTreeMap::new());
        for (product, factor) in &self.terms {
            let (exact, left) = match factor.rem_euclid(n) {
                left if product.is_empty() || left == 0 => (factor.div_euclid(n), left),
                _ => (0, *factor),
            };
            whole.insert(product.clone(), exact);
            rest.insert(product.clone(), left);
        }
        let (whole, rest) = (Self::from_map(whole), Self::from_map(rest));
        match rest.as_constant() {
            Some(r) if (0..n).contains(&r) => whole,
            _ => whole + rest.opaque_floor_div(n),
        }
    }

    /// `floordiv(floordiv(a, b), n) = floordiv(a, b*n)`, otherwise an atom.
    fn opaque_floor_div(self, n: i64) -> Self {
        if let [(product, 1)] = self.terms.as_slice()
            && let [Atom::FloorDiv(inner, b)] = product.as_slice()
            && let Some(m) = b.as_constant()
            && let Some(both) = m.checked_mul(n)
            && m > 0
        {
            return inner.floor_div_constant(both);
        }
        Self::atom(Atom::FloorDiv(Box::new(self), Box::new(Self::constant(n))))
    }

    /// The quotient by one product, where every term has that product as a divisor.
    fn exact_quotient(&self, by: &Product, factor: i64) -> Option<Self> {
        let mut out = BTreeMap::new();
        for (product, f) in &self.terms {
            let mut left = product.clone();
            for atom in by {
                let at = left.iter().position(|a| a == atom)?;
                left.remove(at);
            }
            // None for a division by 0, and for one that overflows.
            if f.checked_rem(factor)? != 0 {
                return None;
            }
            out.insert(left, f / factor);
        }
        Some(Self::from_map(out))
    }

    /// The smaller of two.
    #[must_use]
    pub fn smaller(&self, other: &Self) -> Self {
        self.pick(other, i64::min, Atom::Min)
    }

    /// The larger of two.
    #[must_use]
    pub fn larger(&self, other: &Self) -> Self {
        self.pick(other, i64::max, Atom::Max)
    }

    fn pick(&self, other: &Self, fold: fn(i64, i64) -> i64, atom: fn(Box<Self>, Box<Self>) -> Atom) -> Self {
        if let Some(gap) = (self.clone() - other.clone()).as_constant() {
            return if fold(gap, 0) == gap { self.clone() } else { other.clone() };
        }
        let (a, b) = if self <= other { (self, other) } else { (other, self) };
        Self::atom(atom(Box::new(a.clone()), Box::new(b.clone())))
    }

    /// The value once every symbol has one.
    ///
    /// # Errors
    /// [`EvalError`] for an unbound symbol, a division by zero or an overflow.
    pub fn eval(&self, env: &dyn Fn(&str) -> Option<i64>) -> Result<i64, EvalError> {
        let overflow = || EvalError::Overflow(self.to_string());
        let mut sum = 0i64;
        for (product, factor) in &self.terms {
            let mut value = *factor;
            for atom in product {
                value = value.checked_mul(atom.eval(env)?).ok_or_else(overflow)?;
            }
            sum = sum.checked_add(value).ok_or_else(overflow)?;
        }
        Ok(sum)
    }

    /// The symbols, in order of first use.
    pub fn symbols(&self) -> Vec<Arc<str>> {
        let mut out = Vec::new();
        self.visit(&mut |name| {
            if !out.contains(name) {
                out.push(name.clone());
            }
        });
        out
    }

    /// Number of numbers and symbols in it.
    pub(crate) fn size(&self) -> usize {
        let of_atom = |atom: &Atom| match atom {
            Atom::Symbol(_) => 1,
            Atom::FloorDiv(a, b) | Atom::Min(a, b) | Atom::Max(a, b) => 1 + a.size() + b.size(),
        };
        self.terms.iter().map(|(product, _)| 1 + product.iter().map(of_atom).sum::<usize>()).sum()
    }

    fn visit(&self, f: &mut dyn FnMut(&Arc<str>)) {
        for atom in self.terms.iter().flat_map(|(product, _)| product) {
            match atom {
                Atom::Symbol(name) => f(name),
                Atom::FloorDiv(a, b) | Atom::Min(a, b) | Atom::Max(a, b) => {
                    a.visit(f);
                    b.visit(f);
                }
            }
        }
    }

    /// The values it can take, by interval arithmetic (never too narrow, sometimes too wide).
    pub fn range(&self, env: &dyn Fn(&str) -> Range) -> Range {
        self.terms.iter().fold(Range::exactly(0), |sum, (product, factor)| {
            sum.add(product.iter().fold(Range::exactly(*factor), |r, atom| r.mul(atom.range(env))))
        })
    }
}

impl Atom {
    fn eval(&self, env: &dyn Fn(&str) -> Option<i64>) -> Result<i64, EvalError> {
        Ok(match self {
            Self::Symbol(name) => env(name).ok_or_else(|| EvalError::Unbound(name.to_string()))?,
            Self::FloorDiv(a, b) => {
                let (a, b) = (a.eval(env)?, b.eval(env)?);
                if b == 0 {
                    return Err(EvalError::DivisionByZero(self.to_string()));
                }
                let quotient = a.checked_div(b).ok_or_else(|| EvalError::Overflow(self.to_string()))?;
                quotient - i64::from(a % b != 0 && (a < 0) != (b < 0))
            }
            Self::Min(a, b) => a.eval(env)?.min(b.eval(env)?),
            Self::Max(a, b) => a.eval(env)?.max(b.eval(env)?),
        })
    }

    fn range(&self, env: &dyn Fn(&str) -> Range) -> Range {
        match self {
            Self::Symbol(name) => env(name),
            Self::FloorDiv(a, b) => {
                let (a, b) = (a.range(env), b.range(env));
                if b.min <= 0 {
                    return Range { min: i64::MIN, max: i64::MAX };
                }
                let quotient = |x: i64, by: i64| if is_open(x) { x } else { x.div_euclid(by) };
                Range::of([a.min, a.max].into_iter().flat_map(|x| [quotient(x, b.min), quotient(x, b.max)]))
            }
            Self::Min(a, b) => {
                let (a, b) = (a.range(env), b.range(env));
                Range { min: a.min.min(b.min), max: a.max.min(b.max) }
            }
            Self::Max(a, b) => {
                let (a, b) = (a.range(env), b.range(env));
                Range { min: a.min.max(b.min), max: a.max.max(b.max) }
            }
        }
    }
}

impl Add for Expr {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let mut map: BTreeMap<Product, i64> = self.terms.into_iter().collect();
        for (product, factor) in other.terms {
            let slot = map.entry(product).or_insert(0);
            *slot = slot.saturating_add(factor);
        }
        Self::from_map(map)
    }
}

impl Sub for Expr {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + other * Self::constant(-1)
    }
}

impl Mul for Expr {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let mut map: BTreeMap<Product, i64> = BTreeMap::new();
        for (left, a) in &self.terms {
            for (right, b) in &other.terms {
                let mut product: Product = left.iter().chain(right).cloned().collect();
                product.sort();
                let slot = map.entry(product).or_insert(0);
                *slot = slot.saturating_add(a.saturating_mul(*b));
            }
        }
        Self::from_map(map)
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symbol(name) => f.write_str(name),
            Self::FloorDiv(a, b) => write!(f, "floordiv({a}, {b})"),
            Self::Min(a, b) => write!(f, "min({a}, {b})"),
            Self::Max(a, b) => write!(f, "max({a}, {b})"),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("0");
        }
        // Constants sort first; people write them last.
        let (constants, products): (Vec<_>, Vec<_>) = self.terms.iter().partition(|(product, _)| product.is_empty());
        for (i, (product, factor)) in products.into_iter().chain(constants).enumerate() {
            let sign = match (i, *factor < 0) {
                (0, true) => "-",
                (0, false) => "",
                (_, true) => " - ",
                (_, false) => " + ",
            };
            f.write_str(sign)?;
            let size = factor.unsigned_abs();
            if size != 1 || product.is_empty() {
                write!(f, "{size}")?;
                if !product.is_empty() {
                    f.write_str("*")?;
                }
            }
            for (j, atom) in product.iter().enumerate() {
                if j > 0 {
                    f.write_str("*")?;
                }
                write!(f, "{atom}")?;
            }
        }
        Ok(())
    }
}
