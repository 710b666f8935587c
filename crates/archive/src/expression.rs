//! Expressions of sizes, from the text that sympy writes of them (`srepr`).
//!
//! `Add(Mul(Integer(2), Symbol('s77', positive=True, integer=True)), Integer(1))` is `2*s77 + 1`. This file must not
//! know which of them can be written as sizes.

use dims::Cursor;
use std::collections::HashMap;

/// Nesting beyond this is refused: no size needs it, and recursion must end.
const MAX_DEPTH: usize = 64;
/// Bytes of text beyond which an expression is refused, as the time to write it in its normal form grows faster.
const MAX_TEXT: usize = 1 << 16;
pub(crate) type Sized<T> = Result<T, String>;

/// An expression as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Integer(i64),
    Rational(i64, i64),
    Float(f64),
    /// A symbol, and its lower bound in sympy.
    Symbol(String, i64),
    Call(String, Vec<Expression>),
}

/// Reads the text of an expression.
///
/// # Errors
/// What is wrong with it, and where.
pub(crate) fn parse(text: &str) -> Sized<Expression> {
    let mut reader = Reader { cursor: Cursor::new(text) };
    if text.len() > MAX_TEXT {
        return Err(reader.wrong("too long"));
    }
    let found = reader.expression(0)?;
    reader.cursor.skip_space();
    if reader.cursor.rest().is_empty() { Ok(found) } else { Err(reader.wrong("unexpected text")) }
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

    pub(crate) fn is_fractional(&self) -> bool {
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

    pub(crate) fn lower_bounds(&self, into: &mut HashMap<String, i64>) {
        match self {
            Self::Symbol(name, least) => {
                into.insert(name.clone(), *least);
            }
            Self::Call(_, parts) => parts.iter().for_each(|part| part.lower_bounds(into)),
            _ => {}
        }
    }
}

/// Reads `Name(argument, …, key=value)`.
struct Reader<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Reader<'a> {
    fn wrong(&self, problem: &str) -> String {
        let (text, column) = self.cursor.shown(120);
        format!("{problem} at column {column} of `{text}`")
    }

    /// The text up to a character that does not belong to it.
    fn while_in(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.cursor.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.cursor.at += end;
        &rest[..end]
    }

    fn expression(&mut self, depth: usize) -> Sized<Expression> {
        if depth > MAX_DEPTH {
            return Err(self.wrong("nested too deeply"));
        }
        self.cursor.skip_space();
        let name = self.while_in(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        // Classes may be spelled with their module.
        let name = name.rsplit('.').next().unwrap_or(name);
        if matches!(name, "true" | "false") {
            return Ok(Expression::Call(name.to_owned(), Vec::new()));
        }
        if name.is_empty() || !self.cursor.eat('(') {
            return Err(self.wrong("a function is missing"));
        }
        match name {
            "Integer" => self.number().map(Expression::Integer),
            "Rational" => {
                let p = self.integer()?;
                if !self.cursor.eat(',') {
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
        while !self.cursor.eat(')') {
            if !parts.is_empty() && !self.cursor.eat(',') {
                return Err(self.wrong("`,` or `)` is missing"));
            }
            parts.push(self.expression(depth + 1)?);
        }
        Ok(parts)
    }

    /// `, key=value` any number of times, and the closing bracket.
    fn keywords(&mut self) -> Sized<Vec<(&'a str, &'a str)>> {
        let mut found = Vec::new();
        while !self.cursor.eat(')') {
            if !self.cursor.eat(',') {
                return Err(self.wrong("`,` or `)` is missing"));
            }
            self.cursor.skip_space();
            let key = self.while_in(|c| c.is_ascii_alphanumeric() || c == '_');
            if !self.cursor.eat('=') {
                return Err(self.wrong("`=` is missing"));
            }
            found.push((key, self.while_in(|c| c.is_ascii_alphanumeric())));
        }
        Ok(found)
    }

    fn integer(&mut self) -> Sized<i64> {
        self.cursor.skip_space();
        let text = self.while_in(|c| c.is_ascii_digit() || c == '-');
        text.parse().map_err(|_| self.wrong("no 64-bit integer"))
    }

    /// An integer and the closing bracket.
    fn number(&mut self) -> Sized<i64> {
        let value = self.integer()?;
        if self.cursor.eat(')') { Ok(value) } else { Err(self.wrong("`)` is missing")) }
    }

    fn quoted(&mut self) -> Sized<&'a str> {
        let quote = if self.cursor.eat('\'') { '\'' } else { '"' };
        if quote == '"' && !self.cursor.eat('"') {
            return Err(self.wrong("a quote is missing"));
        }
        let text = self.while_in(|c| c != quote);
        if self.cursor.eat(quote) { Ok(text) } else { Err(self.wrong("a quote is missing")) }
    }
}
