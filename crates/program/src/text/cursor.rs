//! A line that is read from left to right: words, strings, sizes and numbers, and errors with their column.

use super::is_name_character;
use dims::{Cursor, Dim};

/// Longer size expressions are rejected: no model has them, and multiplying them out could take forever.
const MAX_SIZE_TEXT: usize = 2048;

pub(super) type Result<T, E = Problem> = std::result::Result<T, E>;

/// What is wrong, and the byte of the line where.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) at: usize,
    pub(super) message: String,
}

/// A line and how far it was read.
#[derive(Clone, Copy)]
pub(super) struct Line<'a>(Cursor<'a>);

impl<'a> Line<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(Cursor::new(text))
    }

    /// What was not read yet, without leading white space.
    pub(super) fn rest(&mut self) -> &'a str {
        self.0.skip_space();
        self.0.rest()
    }

    /// The place of what comes next, for an error about it.
    pub(super) fn here(&mut self) -> Self {
        self.0.skip_space();
        *self
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(Problem { at: self.0.at, message: message.into() })
    }

    /// An error about what comes next.
    pub(super) fn expected<T>(&mut self, wanted: &str) -> Result<T> {
        let rest: String = self.rest().chars().take(40).collect();
        if rest.is_empty() {
            self.fail(format!("expected {wanted}, found the end of the line"))
        } else {
            self.fail(format!("expected {wanted}, found `{rest}`"))
        }
    }

    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.0.at += token.len();
        }
        found
    }

    pub(super) fn expect(&mut self, token: &str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { self.expected(&format!("`{token}`")) }
    }

    /// The name that comes next, without reading it; empty where none does.
    pub(super) fn peek_word(&mut self) -> &'a str {
        let rest = self.rest();
        &rest[..rest.find(|c: char| !is_name_character(c)).unwrap_or(rest.len())]
    }

    /// Reads a word if it is next, and ends there.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        self.peek_word() == word && self.eat(word)
    }

    /// A name, in quotes where it has other characters than letters, digits, `_` and `.`.
    pub(super) fn name(&mut self, what: &str) -> Result<String> {
        if self.rest().starts_with('"') {
            return self.string();
        }
        let word = self.peek_word();
        if word.is_empty() {
            return self.expected(what);
        }
        self.0.at += word.len();
        Ok(word.to_owned())
    }

    pub(super) fn integer(&mut self) -> Result<i64> {
        let rest = self.rest();
        let digits = rest.strip_prefix('-').unwrap_or(rest);
        let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let text = &rest[..rest.len() - digits.len() + length];
        match text.parse() {
            Ok(number) => {
                self.0.at += text.len();
                Ok(number)
            }
            Err(_) => self.expected("a 64-bit integer"),
        }
    }

    /// A string in double quotes, with the escapes of Rust.
    pub(super) fn string(&mut self) -> Result<String> {
        let start = self.here();
        if !self.eat("\"") {
            return self.expected("a string in double quotes");
        }
        let mut text = String::new();
        while let Some(c) = self.next() {
            match c {
                '"' => return Ok(text),
                '\\' => text.push(self.escape()?),
                _ => text.push(c),
            }
        }
        start.fail("the string has no closing quote")
    }

    fn next(&mut self) -> Option<char> {
        let c = self.0.rest().chars().next()?;
        self.0.at += c.len_utf8();
        Some(c)
    }

    fn escape(&mut self) -> Result<char> {
        let start = *self;
        match self.next() {
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('0') => Ok('\0'),
            Some(c @ ('"' | '\\' | '\'')) => Ok(c),
            Some('u') => {
                let code = self.0.rest().strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(code, _)| code);
                let found = code.and_then(|code| char::from_u32(u32::from_str_radix(code, 16).ok()?));
                self.0.at += code.map_or(0, |code| code.len() + 2);
                found.map_or_else(|| start.fail("expected a character such as `\\u{7f}`"), Ok)
            }
            _ => start.fail("expected an escape: \\n, \\r, \\t, \\0, \\\", \\\\ or \\u{…}"),
        }
    }

    /// The text up to the next `,` or closing bracket that is not inside parentheses.
    pub(super) fn item(&mut self) -> &'a str {
        let rest = self.rest();
        let mut depth = 0usize;
        let end = rest.char_indices().find(|(_, c)| match c {
            '(' => {
                depth += 1;
                false
            }
            ')' if depth > 0 => {
                depth -= 1;
                false
            }
            ',' | ')' | ']' => depth == 0,
            _ => false,
        });
        let item = &rest[..end.map_or(rest.len(), |(at, _)| at)];
        self.0.at += item.len();
        item.trim_end()
    }

    /// A size: a number, or an expression in the normal form that is printed.
    pub(super) fn size(&mut self) -> Result<Dim> {
        let start = self.here();
        let text = self.item();
        if text.is_empty() || text.len() > MAX_SIZE_TEXT {
            return start.fail(format!("expected a size of 1 to {MAX_SIZE_TEXT} characters"));
        }
        // Parentheses around a sum are never printed, and products of sums grow without bound.
        let grouped =
            text.char_indices().any(|(at, c)| c == '(' && !text[..at].ends_with(|c: char| c.is_alphanumeric()));
        match text.parse() {
            Ok(number) => Ok(Dim::Static(number)),
            Err(_) if grouped => start.fail(format!("`{text}` is not a size: write it as a sum of products")),
            Err(_) => Dim::parse(text).or_else(|error| start.fail(error.to_string())),
        }
    }

    pub(super) fn end(&mut self) -> Result<()> {
        if self.rest().is_empty() { Ok(()) } else { self.expected("the end of the line") }
    }
}
