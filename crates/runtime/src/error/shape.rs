//! Shapes that an engine does not accept, axis by axis.

use crate::SizeRange;
use std::fmt;

/// An input whose shape the engine does not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// The input's name.
    pub input: String,
    /// Its shape.
    pub got: Vec<i64>,
    /// What is accepted, axis by axis: `3`, `1..32`, or the name of a symbol.
    pub allowed: Vec<String>,
    /// The profile that `allowed` speaks of.
    pub profile: Option<usize>,
    /// The axes that do not fit; empty where the number of axes differs.
    pub faults: Vec<AxisFault>,
    /// The other profiles, and what each accepts of this input.
    pub others: Vec<(usize, Vec<String>)>,
}

/// An axis that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AxisFault {
    /// Counted from 0.
    pub axis: usize,
    /// Its size.
    pub got: i64,
    /// Why not.
    pub reason: Reason,
}

/// What an axis should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// One size.
    Fixed(i64),
    /// A range of sizes.
    Range(SizeRange),
    /// The size that another axis gave this symbol.
    Symbol {
        /// The symbol.
        symbol: String,
        /// Its size.
        size: i64,
        /// The input that decided it.
        input: String,
        /// The axis that decided it.
        axis: usize,
    },
    /// The value of an expression over the symbols.
    Expression {
        /// The expression.
        text: String,
        /// Its value.
        size: i64,
    },
    /// A size that makes a symbol leave its range.
    SymbolRange {
        /// The symbol.
        symbol: String,
        /// What the axis makes it.
        size: i64,
        /// What it may be.
        range: SizeRange,
    },
    /// A value that the expression never takes.
    Impossible(String),
}

impl fmt::Display for AxisFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "axis {}: got {}, ", self.axis, self.got)?;
        match &self.reason {
            Reason::Fixed(size) => write!(f, "allowed {size}"),
            Reason::Range(range) => write!(f, "allowed {range}"),
            Reason::Symbol { symbol, size, input, axis } => {
                write!(f, "allowed {size} (`{symbol}`, as in axis {axis} of `{input}`)")
            }
            Reason::Expression { text, size } => write!(f, "allowed {size} (`{text}`)"),
            Reason::SymbolRange { symbol, size, range } => write!(f, "which makes `{symbol}` {size}, allowed {range}"),
            Reason::Impossible(text) => write!(f, "allowed are values of `{text}`"),
        }
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "input `{}` has shape {:?}; ", self.input, self.got)?;
        match self.profile {
            Some(index) => write!(f, "profile {index} accepts [{}]", self.allowed.join(", "))?,
            None => write!(f, "the engine accepts [{}]", self.allowed.join(", "))?,
        }
        if self.faults.is_empty() {
            write!(f, "\n  got {} axes, allowed {}", self.got.len(), self.allowed.len())?;
        }
        for fault in &self.faults {
            write!(f, "\n  {fault}")?;
        }
        for (index, allowed) in &self.others {
            write!(f, "\n  profile {index} accepts [{}]", allowed.join(", "))?;
        }
        Ok(())
    }
}

impl ShapeError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        let above = self.faults.iter().find_map(|fault| match &fault.reason {
            Reason::Range(range) => Some(fault.got > range.max),
            Reason::SymbolRange { size, range, .. } => Some(*size > range.max),
            _ => None,
        });
        match above {
            Some(true) => "split the input, or convert again with larger max_shapes",
            Some(false) => "pad the input, or convert again with smaller min_shapes",
            None if self.faults.is_empty() => "pass as many axes as the sample input had",
            None if self.faults.iter().all(|fault| matches!(fault.reason, Reason::Symbol { .. })) => {
                "give both axes the same size: they are one in the model"
            }
            None => "pass the accepted shape, or convert again with this axis dynamic (dynamic_shapes)",
        }
    }
}
