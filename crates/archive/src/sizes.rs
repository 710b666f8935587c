//! Sizes: from the text that sympy writes of an expression (`srepr`) to a [`Dim`].
//!
//! `Add(Mul(Integer(2), Symbol('s77', positive=True, integer=True)), Integer(1))` is `2*s77 + 1`. PyTorch also computes
//! sizes through floats: the output of a resize by 1.5 is `TruncToInt(1.5*ToFloat(s))`. Those are exact fractions where the
//! float is a dyadic number, and are written as one division. What cannot be written exactly is an error: a wrong size is
//! worse than none. The rules are those of `python/torch2trt/capture/symbols.py`; this file must not know of graphs.

use dims::{Dim, Range};
use std::collections::HashMap;

/// Nesting beyond this is refused: no size needs it, and recursion must end.
const MAX_DEPTH: usize = 64;
/// Bytes of text beyond which an expression is refused, as the time to write it in its normal form grows faster.
const MAX_TEXT: usize = 1 << 16;
/// A scale such as 0.3 is, as a float, a fraction over 2**54; multiplying by it rounds, so that the division would not
/// give the size that PyTorch computes. Denominators up to this bound are exact for every size below 2**32.
const LARGEST_DENOMINATOR: f64 = 1_048_576.0;

type Sized<T> = Result<T, String>;

/// An expression as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Integer(i64),
    Rational(i64, i64),
    Float(f64),
    /// A symbol, and the least value that sympy was told of it.
    Symbol(String, i64),
    Call(String, Vec<Expression>),
}

/// Reads the text of an expression.
///
/// # Errors
/// What is wrong with it, and where.
pub(crate) fn parse(text: &str) -> Sized<Expression> {
    let mut reader = Reader { text, at: 0 };
    if text.len() > MAX_TEXT {
        return Err(reader.wrong("too long"));
    }
    let found = reader.expression(0)?;
    reader.skip_space();
    if reader.at < text.len() { Err(reader.wrong("unexpected text")) } else { Ok(found) }
}

/// The size that an expression says; `names` has other names for some of its symbols.
///
/// # Errors
/// What has no exact form.
pub(crate) fn size(expression: &Expression, names: &HashMap<String, String>) -> Sized<Dim> {
    Writer { names }.integer(expression)
}

impl Expression {
    /// Calls `f` with each symbol.
    pub(crate) fn each_symbol(&self, f: &mut dyn FnMut(&str)) {
        match self {
            Self::Symbol(name, _) => f(name),
            Self::Call(_, parts) => parts.iter().for_each(|part| part.each_symbol(f)),
            _ => {}
        }
    }

    fn is_fractional(&self) -> bool {
        match self {
            Self::Rational(..) => true,
            Self::Call(name, parts) => match (name.as_str(), parts.as_slice()) {
                ("Pow", [_, Self::Integer(exponent)]) => *exponent < 0,
                ("Mul", parts) => parts.iter().any(Self::is_fractional),
                _ => false,
            },
            _ => false,
        }
    }

    fn lower_bounds(&self, into: &mut HashMap<String, i64>) {
        match self {
            Self::Symbol(name, least) => {
                into.insert(name.clone(), *least);
            }
            Self::Call(_, parts) => parts.iter().for_each(|part| part.lower_bounds(into)),
            _ => {}
        }
    }
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
        let (numerator, denominator) = self.fraction(expression)?;
        if denominator.is(1) { Ok(numerator) } else { join(&format!("{function}({numerator}, {denominator})")) }
    }

    /// Rounding towards zero is rounding down where nothing is negative.
    fn truncate(&self, expression: &Expression) -> Sized<Dim> {
        let (numerator, denominator) = self.fraction(expression)?;
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
    fn fraction(&self, expression: &Expression) -> Sized<(Dim, Dim)> {
        let one = Dim::Static(1);
        let (name, parts) = match expression {
            Expression::Integer(n) => return Ok((Dim::Static(*n), one)),
            Expression::Rational(p, q) => return Ok((Dim::Static(*p), Dim::Static(*q))),
            Expression::Float(value) => return dyadic(*value),
            Expression::Symbol(..) => return Ok((self.integer(expression)?, one)),
            Expression::Call(name, parts) => (name.as_str(), parts.as_slice()),
        };
        match (name, parts) {
            ("ToFloat", [inner]) => self.fraction(inner),
            ("IntTrueDiv" | "FloatTrueDiv", [a, b]) => {
                let ((a, b), (c, d)) = (self.fraction(a)?, self.fraction(b)?);
                Ok((product(&a, &d)?, product(&b, &c)?))
            }
            ("Mul", parts) => parts.iter().try_fold((Dim::Static(1), one), |(a, b), part| {
                let (c, d) = self.fraction(part)?;
                Ok((product(&a, &c)?, product(&b, &d)?))
            }),
            ("Add", [first, rest @ ..]) => rest.iter().try_fold(self.fraction(first)?, |(a, b), part| {
                let (c, d) = self.fraction(part)?;
                if b == d {
                    return Ok((join(&format!("({a}) + ({c})"))?, b));
                }
                let sum = join(&format!("({}) + ({})", product(&a, &d)?, product(&c, &b)?))?;
                Ok((sum, product(&b, &d)?))
            }),
            ("Pow", [base, Expression::Integer(exponent)]) => {
                let (a, b) = self.fraction(base)?;
                let times = usize::try_from(exponent.unsigned_abs()).ok().filter(|times| (1..=8).contains(times));
                let times = times.ok_or_else(|| format!("a power of {exponent}"))?;
                let power = |base: &Dim| join(&vec![format!("({base})"); times].join("*"));
                if *exponent > 0 { Ok((power(&a)?, power(&b)?)) } else { Ok((power(&b)?, power(&a)?)) }
            }
            (name, _) if name.starts_with("Float") && name != "FloorToInt" => Err(format!("{name} rounds")),
            _ => Ok((self.integer(expression)?, one)),
        }
    }
}

/// Parses text in the grammar of sizes, which keeps expressions from growing without end.
fn join(text: &str) -> Sized<Dim> {
    Dim::parse(text).map_err(|error| error.to_string())
}

fn product(a: &Dim, b: &Dim) -> Sized<Dim> {
    join(&format!("({a})*({b})"))
}

/// A float as a fraction over a power of two.
fn dyadic(value: f64) -> Sized<(Dim, Dim)> {
    let mut denominator = 1.0;
    while denominator <= LARGEST_DENOMINATOR {
        let numerator = value * denominator;
        if numerator.fract() == 0.0 && numerator.abs() < 9.0e15 {
            return Ok((Dim::Static(numerator as i64), Dim::Static(denominator as i64)));
        }
        denominator *= 2.0;
    }
    Err(format!("{value:?} is not an exact binary fraction"))
}

/// Reads `Name(argument, …, key=value)`.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn wrong(&self, problem: &str) -> String {
        let text: String = self.text.chars().take(120).collect();
        format!("{problem} at column {} of `{text}`", self.at + 1)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, c: char) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    /// The text up to a character that does not belong to it.
    fn while_in(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn expression(&mut self, depth: usize) -> Sized<Expression> {
        if depth > MAX_DEPTH {
            return Err(self.wrong("nested too deeply"));
        }
        self.skip_space();
        let name = self.while_in(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        // Classes may be spelled with their module.
        let name = name.rsplit('.').next().unwrap_or(name);
        if name.is_empty() || !self.eat('(') {
            return Err(self.wrong("a function is missing"));
        }
        match name {
            "Integer" => self.number().map(Expression::Integer),
            "Rational" => {
                let p = self.integer()?;
                if !self.eat(',') {
                    return Err(self.wrong("`,` is missing"));
                }
                match self.number()? {
                    q if q > 1 => Ok(Expression::Rational(p, q)),
                    _ => Err(self.wrong("no denominator")),
                }
            }
            "Float" => {
                let text = self.quoted()?;
                let value = text.parse().map_err(|_| self.wrong("no number"))?;
                self.keywords()?;
                Ok(Expression::Float(value))
            }
            "Symbol" | "Dummy" => {
                let name = self.quoted()?.to_owned();
                let keywords = self.keywords()?;
                let least = match () {
                    () if keywords.contains(&("positive", "True")) => 1,
                    () if keywords.contains(&("nonnegative", "True")) => 0,
                    () => i64::MIN,
                };
                let word = |c: char| c.is_alphanumeric() || c == '_';
                if !name.chars().all(word) || name.chars().next().is_none_or(char::is_numeric) {
                    return Err(self.wrong("no name of a symbol"));
                }
                Ok(Expression::Symbol(name, least))
            }
            _ => Ok(Expression::Call(name.to_owned(), self.arguments(depth)?)),
        }
    }

    fn arguments(&mut self, depth: usize) -> Sized<Vec<Expression>> {
        let mut parts = Vec::new();
        while !self.eat(')') {
            if !parts.is_empty() && !self.eat(',') {
                return Err(self.wrong("`,` or `)` is missing"));
            }
            parts.push(self.expression(depth + 1)?);
        }
        Ok(parts)
    }

    /// `, key=value` any number of times, and the closing bracket.
    fn keywords(&mut self) -> Sized<Vec<(&'a str, &'a str)>> {
        let mut found = Vec::new();
        while !self.eat(')') {
            if !self.eat(',') {
                return Err(self.wrong("`,` or `)` is missing"));
            }
            self.skip_space();
            let key = self.while_in(|c| c.is_ascii_alphanumeric() || c == '_');
            if !self.eat('=') {
                return Err(self.wrong("`=` is missing"));
            }
            found.push((key, self.while_in(|c| c.is_ascii_alphanumeric())));
        }
        Ok(found)
    }

    fn integer(&mut self) -> Sized<i64> {
        self.skip_space();
        let text = self.while_in(|c| c.is_ascii_digit() || c == '-');
        text.parse().map_err(|_| self.wrong("no 64-bit integer"))
    }

    /// An integer and the closing bracket.
    fn number(&mut self) -> Sized<i64> {
        let value = self.integer()?;
        if self.eat(')') { Ok(value) } else { Err(self.wrong("`)` is missing")) }
    }

    fn quoted(&mut self) -> Sized<&'a str> {
        let quote = if self.eat('\'') { '\'' } else { '"' };
        if quote == '"' && !self.eat('"') {
            return Err(self.wrong("a quote is missing"));
        }
        let text = self.while_in(|c| c != quote);
        if self.eat(quote) { Ok(text) } else { Err(self.wrong("a quote is missing")) }
    }
}

#[cfg(test)]
#[path = "sizes_tests.rs"]
mod tests;
