//! Reads the text of an expression: integers, symbols, `+ - *`, parentheses, and
//! `floordiv`, `ceildiv`, `mod`, `min`, `max` of two.

use crate::{Cursor, Dim, Expr};

/// The text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a size expression: {problem} at column {column}")]
pub struct ParseError {
    text: String,
    problem: &'static str,
    column: usize,
}

/// Nesting beyond this is refused: no size needs it, and recursion must end.
const MAX_DEPTH: usize = 64;
/// Products of sums and remainders grow beyond their text; beyond this many numbers and symbols they are refused.
const MAX_SIZE: usize = 1 << 14;

pub(crate) fn parse(text: &str) -> Result<Expr, ParseError> {
    let mut p = Parser { cursor: Cursor::new(text), depth: 0 };
    let expr = p.sum()?;
    p.cursor.skip_space();
    if p.cursor.rest().is_empty() { Ok(expr) } else { p.fail("unexpected character") }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    depth: usize,
}

impl Parser<'_> {
    fn fail<T>(&self, problem: &'static str) -> Result<T, ParseError> {
        let (text, column) = self.cursor.shown(200);
        Err(ParseError { text, problem, column })
    }

    fn sum(&mut self) -> Result<Expr, ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail("nested too deeply");
        }
        let mut value = self.product()?;
        loop {
            if self.cursor.eat('+') {
                value = value + self.product()?;
            } else if self.cursor.eat('-') {
                value = value - self.product()?;
            } else {
                self.depth -= 1;
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Result<Expr, ParseError> {
        let mut value = self.factor()?;
        while self.cursor.eat('*') {
            let factor = self.factor()?;
            let (a, b) =
                (value.size().saturating_mul(factor.terms().len()), factor.size().saturating_mul(value.terms().len()));
            if a.saturating_add(b) > MAX_SIZE {
                return self.fail("the product has too many terms");
            }
            value = value * factor;
        }
        Ok(value)
    }

    fn factor(&mut self) -> Result<Expr, ParseError> {
        let negative = self.cursor.eat('-');
        self.cursor.skip_space();
        let word_len =
            self.cursor.rest().find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.cursor.rest().len());
        let word = self.cursor.rest()[..word_len].to_owned();
        let value = if word.is_empty() {
            if !self.cursor.eat('(') {
                return self.fail("a number, a symbol or `(` is missing");
            }
            self.closed_sum()?
        } else if word.starts_with(|c: char| c.is_ascii_digit()) {
            let Ok(n) = word.parse() else { return self.fail("not a 64-bit integer") };
            self.cursor.at += word_len;
            Expr::constant(n)
        } else {
            self.cursor.at += word_len;
            if self.cursor.eat('(') { self.call(&word)? } else { Expr::symbol(&word) }
        };
        Ok(if negative { value * Expr::constant(-1) } else { value })
    }

    fn closed_sum(&mut self) -> Result<Expr, ParseError> {
        let value = self.sum()?;
        if self.cursor.eat(')') { Ok(value) } else { self.fail("`)` is missing") }
    }

    fn call(&mut self, name: &str) -> Result<Expr, ParseError> {
        let a = Dim::from_expr(self.sum()?);
        if !self.cursor.eat(',') {
            return self.fail("`,` is missing");
        }
        let b = Dim::from_expr(self.closed_sum()?);
        let made = match name {
            "floordiv" => a.floor_div(&b),
            "ceildiv" => a.ceil_div(&b),
            "mod" => a.modulo(&b),
            "min" => a.smaller(&b),
            "max" => a.larger(&b),
            _ => return self.fail("unknown function (known: floordiv, ceildiv, mod, min, max)"),
        };
        let made = made.expr();
        if made.size() > MAX_SIZE { self.fail("the expression is too large") } else { Ok(made) }
    }
}
