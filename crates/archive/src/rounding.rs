//! Sizes that PyTorch computes through floats and rounds, as integer expressions.
//!
//! `int(1.7 * s)` multiplies by the float nearest to 17/10, and `floordiv(17*s, 10)` gives the same for almost every
//! size. So the float expression is evaluated for every size of the range (up to [`LARGEST`] where the range is open),
//! and sizes that differ are corrected by steps: `min(max(s - 99, 0), 1)` is 1 from 100 on. A function without a simple
//! fraction (a square root) is a sum of such steps, as far as [`STEPS`] of them reach: the range of the symbol ends
//! there. This file must not know of graphs.

use crate::expression::{Expression, Sized};
use crate::fraction::Fraction;
use dims::Dim;

/// Sizes that are checked where a range has no end.
const LARGEST: i64 = 1 << 18;
const STEPS: usize = 24;
/// The largest denominator of a fraction that a float is taken for.
const SIMPLE: i128 = 1 << 20;

/// How a float becomes an integer.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Rounding {
    Floor,
    Ceil,
    /// To the nearest, ties to even.
    Nearest,
}

impl Rounding {
    /// The rounding of a function of PyTorch's expressions.
    pub(crate) fn of(function: &str) -> Option<Self> {
        match function {
            "TruncToInt" | "FloorToInt" | "floor" => Some(Self::Floor),
            "CeilToInt" | "ceiling" => Some(Self::Ceil),
            "RoundToInt" => Some(Self::Nearest),
            _ => None,
        }
    }
}

/// A size as text in the grammar of sizes, and the largest value of each symbol for which it is right.
#[derive(Clone)]
pub(crate) struct Rounded {
    pub(crate) text: String,
    pub(crate) limits: Vec<(String, i64)>,
}

/// The expression with the simplest fraction for each float, except for floats inside a rounding.
pub(crate) fn with_fractions(expression: &Expression) -> Sized<Expression> {
    match expression {
        Expression::Float(value) => Ok(match simple(*value)? {
            (numerator, 1) => Expression::Integer(numerator),
            (numerator, denominator) => Expression::Rational(numerator, denominator),
        }),
        Expression::Call(name, parts) if Rounding::of(name).is_none() => {
            let parts = parts.iter().map(with_fractions).collect::<Sized<Vec<_>>>()?;
            Ok(Expression::Call(name.clone(), parts))
        }
        other => Ok(other.clone()),
    }
}

/// The fraction with the smallest denominator that rounds to this float, or the closest with one up to 2**20.
fn simple(value: f64) -> Sized<(i64, i64)> {
    let wrong = || format!("{value:?} is no fraction");
    let (mut numerator, mut denominator) = (value, 1_i128);
    while numerator.fract() != 0.0 && denominator < 1 << 90 {
        numerator *= 2.0;
        denominator *= 2;
    }
    if !numerator.is_finite() || numerator.fract() != 0.0 || numerator.abs() > 1e17 {
        return Err(wrong());
    }
    let (mut a, mut b) = (numerator as i128, denominator);
    let (mut p, mut q) = ((0_i128, 1_i128), (1_i128, 0_i128));
    while b != 0 {
        let whole = a.div_euclid(b);
        p = (p.1, whole * p.1 + p.0);
        q = (q.1, whole * q.1 + q.0);
        if q.1 > SIMPLE {
            (p.1, q.1) = (p.0, q.0);
            break;
        }
        if p.1 as f64 / q.1 as f64 == value {
            break;
        }
        (a, b) = (b, a - whole * b);
    }
    Ok((i64::try_from(p.1).map_err(|_| wrong())?, i64::try_from(q.1).map_err(|_| wrong())?))
}

/// A symbol of an expression: its name in the program, in the expression, and the sizes to check.
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) written: String,
    pub(crate) min: i64,
    pub(crate) max: Option<i64>,
}

/// The integer form of a rounded float expression.
///
/// # Errors
/// No form is right for every size.
pub(crate) fn fitted(
    rounding: Rounding,
    expression: &Expression,
    quotient: Sized<Fraction>,
    spans: &[Span],
) -> Sized<Rounded> {
    let grid = Grid::new(spans)?;
    let wanted = grid.each(|point| {
        let at =
            |symbol: &str| spans.iter().position(|span| span.written == symbol).and_then(|k| point.get(k).copied());
        let value = number(expression, &at)?.float();
        if value.is_finite() { Ok(value) } else { Err("it is not a number for every size".to_owned()) }
    })?;
    let found = quotient.and_then(|Fraction { numerator, denominator }| {
        let under = grid.sizes(&denominator, spans)?;
        Fit { rounding, grid: &grid, spans, wanted: &wanted }.quotient(&numerator, &denominator, &under)
    });
    match (found, spans) {
        (Err(_), [span]) => stairs(span, &grid.sizes_of_first(), &wanted),
        (found, _) => found,
    }
}

/// Every combination of sizes.
struct Grid {
    first: Vec<i64>,
    lengths: Vec<i64>,
}

impl Grid {
    fn new(spans: &[Span]) -> Sized<Self> {
        let most = (LARGEST as f64).powf(1.0 / spans.len().max(1) as f64) + 1e-9;
        let first: Vec<i64> = spans.iter().map(|span| span.min.clamp(0, 1)).collect();
        let last = spans.iter().map(|span| span.max.map_or(most as i64, |max| max.min(most as i64)));
        let lengths: Vec<i64> = last.zip(&first).map(|(last, first)| last - first + 1).collect();
        if lengths.is_empty() || lengths.iter().any(|length| *length < 1) {
            return Err("there is no size to check".to_owned());
        }
        Ok(Self { first, lengths })
    }

    fn each<T>(&self, f: impl Fn(&[i64]) -> Sized<T>) -> Sized<Vec<T>> {
        (0..self.lengths.iter().product())
            .map(|index: i64| {
                let mut rest = index;
                let mut point = self.first.clone();
                for (value, length) in point.iter_mut().zip(&self.lengths).rev() {
                    *value += rest % length;
                    rest /= length;
                }
                f(&point)
            })
            .collect()
    }

    fn sizes(&self, dim: &Dim, spans: &[Span]) -> Sized<Vec<i64>> {
        self.each(|point| {
            let at = |name: &str| spans.iter().position(|span| span.name == name).and_then(|k| point.get(k).copied());
            dim.eval(&at).map_err(|error| error.to_string())
        })
    }

    fn sizes_of_first(&self) -> Vec<i64> {
        let first = self.first.first().copied().unwrap_or(0);
        (first..first + self.lengths.first().copied().unwrap_or(0)).collect()
    }

    /// The largest size of each symbol.
    fn ends(&self, spans: &[Span]) -> Vec<(String, i64)> {
        let last = self.first.iter().zip(&self.lengths).map(|(first, length)| first + length - 1);
        spans.iter().map(|span| span.name.clone()).zip(last).collect()
    }
}

struct Fit<'a> {
    rounding: Rounding,
    grid: &'a Grid,
    spans: &'a [Span],
    wanted: &'a [f64],
}

impl Fit<'_> {
    fn quotient(&self, numerator: &Dim, denominator: &Dim, under: &[i64]) -> Sized<Rounded> {
        let over = self.grid.sizes(numerator, self.spans)?;
        let largest = under.iter().max().copied().unwrap_or(0) as f64 * LARGEST as f64;
        if largest > 2_f64.powi(61) || over.iter().any(|n| n.unsigned_abs() > 1 << 60) {
            return Err(format!("the fraction by {denominator} is too long"));
        }
        if under.iter().any(|n| *n <= 0) {
            return Err(format!("division by {denominator}, which may be 0 or negative"));
        }
        let (numerator, denominator) = (numerator.to_string(), denominator.to_string());
        if self.rounding != Rounding::Nearest {
            return self.divided(&numerator, &denominator, &over, under);
        }
        let doubled: Vec<i64> = over.iter().zip(under).map(|(n, d)| 2 * n + d).collect();
        let twice: Vec<i64> = under.iter().map(|d| 2 * d).collect();
        let (above, below) = (format!("2*({numerator}) + {denominator}"), format!("2*({denominator})"));
        let text = format!("floordiv({above}, {below})");
        let half_up = |n: i64, d: i64| n.div_euclid(d);
        let half_even = |n: i64, d: i64| half_up(n, d) - half_up(n, d).rem_euclid(2) * (1 - n.rem_euclid(d).min(1));
        let is = |form: &dyn Fn(i64, i64) -> i64| {
            doubled.iter().zip(&twice).zip(self.wanted).all(|((n, d), wanted)| form(*n, *d) as f64 == *wanted)
        };
        if is(&half_up) {
            return Ok(Rounded { text, limits: self.grid.ends(self.spans) });
        }
        if is(&half_even) {
            let text = format!("{text} - mod({text}, 2)*(1 - min(mod({above}, {below}), 1))");
            return Ok(Rounded { text, limits: self.grid.ends(self.spans) });
        }
        self.divided(&above, &below, &doubled, &twice)
    }

    /// The division, where floats round an exact integer to the one before or after it: by steps.
    fn divided(&self, numerator: &str, denominator: &str, over: &[i64], under: &[i64]) -> Sized<Rounded> {
        let is_ceil = self.rounding == Rounding::Ceil;
        let (form, operator, sign) = if is_ceil { ("ceildiv", '+', 1.0) } else { ("floordiv", '-', -1.0) };
        let divide = |n: i64, d: i64| if is_ceil { -(-n).div_euclid(d) } else { n.div_euclid(d) };
        let pairs = over.iter().zip(under);
        let difference: Vec<f64> =
            pairs.clone().zip(self.wanted).map(|((n, d), wanted)| wanted - divide(*n, *d) as f64).collect();
        if difference.iter().all(|d| *d == 0.0) {
            return Ok(Rounded {
                text: format!("{form}({numerator}, {denominator})"),
                limits: self.grid.ends(self.spans),
            });
        }
        let [span] = self.spans else {
            return Err("floats round the product of several sizes to other integers".to_owned());
        };
        let exact: Vec<bool> = pairs.map(|(n, d)| n.rem_euclid(*d) == 0).collect();
        if difference.iter().zip(&exact).any(|(d, exact)| d * sign < 0.0 || d.abs() > 1.0 || (*d != 0.0 && !exact)) {
            return Err("floats round to other integers than fractions do".to_owned());
        }
        let at: Vec<(i64, f64)> = self
            .grid
            .sizes_of_first()
            .into_iter()
            .zip(&difference)
            .zip(&exact)
            .filter_map(|((size, d), exact)| exact.then_some((size, d.abs())))
            .collect();
        let (sizes, values): (Vec<i64>, Vec<f64>) = at.into_iter().unzip();
        let end = self.grid.sizes_of_first().last().copied().unwrap_or(0);
        let (steps, end) = steps(&sizes, &values, 0, end);
        let text = format!("{form}({numerator} {operator} ({}), {denominator})", stepped(&span.name, 0, &steps));
        Ok(Rounded { text, limits: vec![(span.name.clone(), end)] })
    }
}

fn stairs(span: &Span, sizes: &[i64], wanted: &[f64]) -> Sized<Rounded> {
    let first = wanted.first().copied().unwrap_or(0.0) as i64;
    let (steps, end) = steps(sizes, wanted, first, sizes.last().copied().unwrap_or(0));
    if !steps.is_empty() && end < 4 {
        return Err("the size changes too often".to_owned());
    }
    Ok(Rounded { text: stepped(&span.name, first, &steps), limits: vec![(span.name.clone(), end)] })
}

/// A change of a value from one size on.
struct Step {
    size: i64,
    change: i64,
}

/// A step wherever the wanted value changes, and the last size for which these are all.
fn steps(sizes: &[i64], wanted: &[f64], first: i64, end: i64) -> (Vec<Step>, i64) {
    let mut before = first;
    let mut found = Vec::new();
    for (size, value) in sizes.iter().zip(wanted) {
        let value = *value as i64;
        if value != before {
            if found.len() == STEPS {
                return (found, size - 1);
            }
            found.push(Step { size: *size, change: value - before });
            before = value;
        }
    }
    (found, end)
}

fn stepped(symbol: &str, first: i64, steps: &[Step]) -> String {
    let mut text = if first >= 0 { first.to_string() } else { format!("0 - {}", first.unsigned_abs()) };
    for Step { size, change } in steps {
        let step =
            if *size > 1 { format!("min(max({symbol} - {}, 0), 1)", size - 1) } else { format!("min({symbol}, 1)") };
        text.push_str(if *change > 0 { " + " } else { " - " });
        match change.unsigned_abs() {
            1 => text.push_str(&step),
            times => text.push_str(&[&times.to_string(), "*", &step].concat()),
        }
    }
    text
}

/// A value in the precision of PyTorch: integers of 64 bits, and float64.
#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    fn float(self) -> f64 {
        match self {
            Self::Int(n) => n as f64,
            Self::Float(x) => x,
        }
    }
}

fn number(expression: &Expression, at: &dyn Fn(&str) -> Option<i64>) -> Sized<Number> {
    let (name, parts) = match expression {
        Expression::Integer(n) => return Ok(Number::Int(*n)),
        Expression::Rational(p, q) => return Ok(Number::Float(*p as f64 / *q as f64)),
        Expression::Float(value) => return Ok(Number::Float(*value)),
        Expression::Symbol(name, _) => {
            return at(name).map(Number::Int).ok_or_else(|| format!("`{name}` is the size of no input"));
        }
        Expression::Call(name, parts) => (name.as_str(), parts),
    };
    let values = parts.iter().map(|part| number(part, at)).collect::<Sized<Vec<_>>>()?;
    let unknown = || format!("{name} of {} values", values.len());
    let (Some(first), second) = (values.first().copied(), values.get(1).copied()) else { return Err(unknown()) };
    let float = |x: f64| Ok(Number::Float(x));
    match (name, second) {
        ("Add" | "Mul" | "Max" | "Min", _) => {
            values.iter().skip(1).try_fold(first, |x, y| binary(name, x, *y).ok_or_else(unknown))
        }
        ("Pow" | "FloorDiv" | "CleanDiv" | "CeilDiv" | "Mod" | "PythonMod" | "PowByNatural", Some(y)) => {
            binary(name, first, y).ok_or_else(unknown)
        }
        ("FloatPow", Some(y)) => float(first.float().powf(y.float())),
        ("IntTrueDiv" | "FloatTrueDiv", Some(y)) => float(first.float() / y.float()),
        ("ToFloat", None) => float(first.float()),
        ("Identity", None) => Ok(first),
        ("Abs", None) => Ok(match first {
            Number::Int(n) => Number::Int(n.saturating_abs()),
            Number::Float(x) => Number::Float(x.abs()),
        }),
        ("OpaqueUnaryFn_sqrt", None) => float(first.float().sqrt()),
        ("OpaqueUnaryFn_log2", None) => float(first.float().log2()),
        ("FloorToInt" | "floor", None) => float(first.float().floor()),
        ("CeilToInt" | "ceiling", None) => float(first.float().ceil()),
        ("TruncToInt", None) => float(first.float().trunc()),
        ("RoundToInt", None) => float(first.float().round_ties_even()),
        _ => Err(unknown()),
    }
}

/// None where it has no value, or one beyond 64 bits.
fn binary(name: &str, x: Number, y: Number) -> Option<Number> {
    if let (Number::Int(a), Number::Int(b)) = (x, y) {
        let floor = |a: i64, b: i64| a.checked_div_euclid(b).filter(|_| b > 0);
        return match name {
            "Add" => a.checked_add(b),
            "Mul" => a.checked_mul(b),
            "Max" => Some(a.max(b)),
            "Min" => Some(a.min(b)),
            "FloorDiv" | "CleanDiv" => floor(a, b),
            "CeilDiv" => floor(-a, b).map(|n| -n),
            "Mod" | "PythonMod" => (b > 0).then(|| a.rem_euclid(b)),
            _ if b < 0 => return Some(Number::Float((a as f64).powf(b as f64))),
            _ => a.checked_pow(u32::try_from(b).ok()?),
        }
        .map(Number::Int);
    }
    let (a, b) = (x.float(), y.float());
    Some(Number::Float(match name {
        "Add" => a + b,
        "Mul" => a * b,
        "Max" => a.max(b),
        "Min" => a.min(b),
        "FloorDiv" | "CleanDiv" => (a / b).floor(),
        "CeilDiv" => -(-a / b).floor(),
        "Mod" | "PythonMod" => a - (a / b).floor() * b,
        _ => a.powf(b),
    }))
}
