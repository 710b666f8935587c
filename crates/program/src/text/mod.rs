//! The text form of a program: for goldens, bug reports and `print(program)`.
//!
//! One line per symbol, input, weight and node, then the outputs. The printed form parses to an equal program;
//! every number reads back bit for bit. Blank lines and lines that start with `#` are comments.
//!
//! ```text
//! program
//!   symbol s0 in 1..8 hint 4
//!   input %x: float32[s0,3]
//!   weight %fc.weight: float32[2,3] parameter = [0.5, 1.0, -1.0, 2.0, 0.0, inf]
//!   weight %fc.bias: float32[2] parameter = #9f86d081884c7d65
//!   %linear: float32[s0,2] = aten.linear.default(input=%x, weight=%fc.weight, bias=%fc.bias) from "fc" "net.py:7"
//!   return %linear
//! ```
//!
//! - A value is written by its name; the second value of that name is `%name@1`. A name of other characters than
//!   letters, digits, `_` and `.` is quoted: `%"a b"`. An output that the call does not produce is `_`.
//! - Arguments: `None`, `%x`, `[%x, None]`, `True`, `2`, `2*s0 + 1`, `1.0`, `inf`, `"text"`, `[1, s0]`, `[1.0]`,
//!   `[True]`, `torch.float32`, `complex(1.0, 2.0)`, `device("cpu")`, `layout("strided")`,
//!   `memory_format("contiguous_format")`. Empty lists are `[]` (of tensors), `int[]`, `float[]` and `bool[]`.
//! - Weights of up to [`INLINE_ELEMENTS`] elements are written out, larger ones by digest. A text written by hand may
//!   have `seed 3` instead: elements drawn from that seed ([`number::seeded`]).
//! - `from` is the module and the position in its source. The file's folder and the function's name are left out.
//!
//! The text comes from outside: the parser trusts nothing. It does not know operator schemas or shape rules, so
//! arguments and output types are taken as written.

mod argument;
mod cursor;
mod number;
mod parse;
mod print;

/// Returns the bytes of a weight by its digest, [`crate::Weight::digest`].
pub type WeightSource<'a> = &'a dyn Fn(u64) -> Option<bytes::Bytes>;

/// Weights of more elements are written by digest.
pub const INLINE_ELEMENTS: usize = 16;

/// Words that an argument's text reserves: a symbol of such a name is written as `1*inf`.
const RESERVED: [&str; 6] = ["None", "True", "False", "inf", "-inf", "nan"];

/// Whether a name is written without quotes.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != "_" && name.chars().all(is_name_character)
}

fn is_name_character(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}
