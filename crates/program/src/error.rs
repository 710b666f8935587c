//! Errors of building a program, and of reading its text form.

use crate::ScalarType;

/// A program that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The dtype's name is not one of PyTorch's.
    #[error("`{name}` is not a dtype that is known here")]
    UnknownDtype {
        /// The name given.
        name: String,
    },
    /// A weight's bytes do not match its dtype and sizes.
    #[error("weight `{name}` is {dtype} {dims}, but {bytes} bytes were given")]
    WeightSize {
        /// Qualified name of the weight.
        name: String,
        /// Its dtype.
        dtype: ScalarType,
        /// Its sizes.
        dims: String,
        /// Bytes given.
        bytes: usize,
    },
    /// A node or an output uses a value before it is defined.
    #[error("`{user}` uses value {id}, which is not defined before it")]
    UnknownValue {
        /// The value's number.
        id: u32,
        /// Who uses it.
        user: String,
    },
    /// A text form that does not parse.
    #[error("line {line}, column {column}: {problem}\n  {text}")]
    Text {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong.
        problem: String,
        /// The line's text.
        text: String,
    },
}
