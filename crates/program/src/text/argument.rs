//! Text → program: the arguments of a call.

use super::RESERVED;
use super::cursor::{Line, Result};
use super::parse::{Reader, dtype};
use crate::Argument;

/// One number of a list, or an argument that is a number.
fn float(text: &str) -> Option<f64> {
    match text {
        "inf" | "-inf" | "nan" => text.parse().ok(),
        // Sizes such as `inf` and `e5` are symbols.
        _ if text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit()) => {
            text.parse().ok().filter(|_| text.parse::<i64>().is_err())
        }
        _ => None,
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

/// What comes next, without reading it.
fn peek<'a>(at: &Line<'a>) -> &'a str {
    let mut ahead = *at;
    ahead.item()
}

impl Reader<'_> {
    pub(super) fn argument(&self, at: &mut Line<'_>) -> Result<Argument> {
        if at.rest().starts_with('%') {
            return self.value(at).map(Argument::Value);
        }
        if at.rest().starts_with('"') {
            return at.string().map(Argument::String);
        }
        if at.rest().starts_with('[') {
            return self.list(at);
        }
        if let Some(tagged) = tagged(at)? {
            return Ok(tagged);
        }
        let item = peek(at);
        if let Some(value) = float(item) {
            at.item();
            return Ok(Argument::Float(value));
        }
        if let Some(value) = boolean(item) {
            at.item();
            return Ok(Argument::Bool(value));
        }
        self.argument_size(at).map(Argument::Int)
    }

    /// A list: its first item determines its type.
    fn list(&self, at: &mut Line<'_>) -> Result<Argument> {
        at.expect("[")?;
        let first = peek(at);
        if first.starts_with('%') || first == "None" || first.is_empty() {
            let value = |at: &mut Line<'_>| if at.eat_word("None") { Ok(None) } else { self.value(at).map(Some) };
            return items(at, value).map(Argument::Values);
        }
        if boolean(first).is_some() {
            let value = |at: &mut Line<'_>| match boolean(peek(at)) {
                Some(value) => {
                    at.item();
                    Ok(value)
                }
                None => at.expected("`True` or `False`"),
            };
            return items(at, value).map(Argument::Bools);
        }
        if float(first).is_some() {
            return items(at, number).map(Argument::Floats);
        }
        items(at, |at| self.argument_size(at)).map(Argument::Ints)
    }

    /// A size that is no reserved word.
    fn argument_size(&self, at: &mut Line<'_>) -> Result<dims::Dim> {
        if peek(at).is_empty() || RESERVED.contains(&peek(at)) {
            return at.expected("an argument");
        }
        self.size(at)
    }
}

/// A float.
fn number(at: &mut Line<'_>) -> Result<f64> {
    match float(peek(at)) {
        Some(value) => {
            at.item();
            Ok(value)
        }
        None => at.expected("a float such as 1.0 or inf"),
    }
}

/// Items up to the closing bracket.
fn items<T>(at: &mut Line<'_>, mut item: impl FnMut(&mut Line<'_>) -> Result<T>) -> Result<Vec<T>> {
    let mut all = Vec::new();
    while !at.eat("]") {
        if !all.is_empty() {
            at.expect(",")?;
        }
        all.push(item(at)?);
    }
    Ok(all)
}

/// Arguments that start with a word of their own.
fn tagged(at: &mut Line<'_>) -> Result<Option<Argument>> {
    for empty in [Argument::Ints(Vec::new()), Argument::Floats(Vec::new()), Argument::Bools(Vec::new())] {
        if at.eat(empty.kind()) {
            return Ok(Some(empty));
        }
    }
    if at.eat_word("None") {
        return Ok(Some(Argument::None));
    }
    if at.eat("torch.") {
        return dtype(at).map(|dtype| Some(Argument::Dtype(dtype)));
    }
    if at.eat("complex(") {
        let re = number(at)?;
        at.expect(",")?;
        let im = number(at)?;
        at.expect(")")?;
        return Ok(Some(Argument::Complex(re, im)));
    }
    let named = if at.eat("device(") {
        Argument::Device
    } else if at.eat("layout(") {
        Argument::Layout
    } else if at.eat("memory_format(") {
        Argument::MemoryFormat
    } else {
        return Ok(None);
    };
    let name = at.string()?;
    at.expect(")")?;
    Ok(Some(named(name)))
}
