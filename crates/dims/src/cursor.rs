//! A place in a text that is read from left to right, for the parsers of sizes.

/// A text and how far it was read.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    /// The whole text.
    pub text: &'a str,
    /// How far it was read, in bytes; always at the start of a character.
    pub at: usize,
}

impl<'a> Cursor<'a> {
    /// At the start of a text.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Skips white space.
    pub fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Skips white space and, if it is next, `c`. Returns whether it was.
    pub fn eat(&mut self, c: char) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    /// The first `count` characters of the text and the number of the next one, from 1, for error messages.
    pub fn shown(&self, count: usize) -> (String, usize) {
        (self.text.chars().take(count).collect(), self.at + 1)
    }
}
