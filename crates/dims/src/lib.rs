//! Sizes of tensor axes: static numbers, or integer expressions over symbols (`s0*4 + 1`).
//!
//! A program's sizes, a network's dims and an engine's interface all speak of the same symbols, so the type
//! lives below all three. It knows nothing of tensors, PyTorch or TensorRT.
//!
//! Expressions are kept in one normal form (a sum of products, terms sorted), so that structural equality
//! decides most questions that shape inference asks. A division stays opaque unless it is exact.
#![forbid(unsafe_code)]

// Sizes are `i64`, lengths `usize`: casts between them lose nothing.
#[cfg(not(target_pointer_width = "64"))]
compile_error!("torch2trt needs a target of 64 bits");

mod cursor;
mod expr;
mod parse;
mod profile;

pub use cursor::Cursor;
pub use expr::{Atom, Expr, Range};
pub use parse::ParseError;
pub use profile::{Profile, SizeRange};

use std::fmt;
use std::ops::{Add, Mul, Sub};

/// The size of one axis: a number, or an expression that only the sizes of a call's inputs decide.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(into = "Repr", try_from = "Repr")]
pub enum Dim {
    /// Known when the network is made.
    Static(i64),
    /// Known when the engine is called. Never a constant: [`Dim::from_expr`] turns constants into `Static`.
    Symbolic(Expr),
}

/// A shape: one [`Dim`] an axis, outermost first.
pub type Dims = Vec<Dim>;

/// An expression could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A symbol has no value.
    #[error("symbol `{0}` has no value")]
    Unbound(String),
    /// A division by zero.
    #[error("division by zero in `{0}`")]
    DivisionByZero(String),
    /// The value does not fit 64 bits.
    #[error("`{0}` does not fit a 64-bit integer")]
    Overflow(String),
}

impl Dim {
    /// The dim of a named symbol.
    pub fn symbol(name: &str) -> Self {
        Self::Symbolic(Expr::symbol(name))
    }

    /// The dim of an expression; a constant expression becomes [`Dim::Static`].
    pub fn from_expr(expr: Expr) -> Self {
        match expr.as_constant() {
            Some(n) => Self::Static(n),
            None => Self::Symbolic(expr),
        }
    }

    /// Parses `12`, `s0`, `s0*4 + 1`, `floordiv(s0 - 1, 2)` and what [`fmt::Display`] prints.
    ///
    /// # Errors
    /// [`ParseError`] with the column, where the text is not an expression.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::parse(text).map(Self::from_expr)
    }

    /// The number, where it is static.
    pub fn as_static(&self) -> Option<i64> {
        match self {
            Self::Static(n) => Some(*n),
            Self::Symbolic(_) => None,
        }
    }

    /// Whether the size is a number.
    pub fn is_static(&self) -> bool {
        matches!(self, Self::Static(_))
    }

    /// Whether the size is statically this number.
    pub fn is(&self, n: i64) -> bool {
        self.as_static() == Some(n)
    }

    /// The size as an expression.
    pub fn expr(&self) -> Expr {
        match self {
            Self::Static(n) => Expr::constant(*n),
            Self::Symbolic(e) => e.clone(),
        }
    }

    /// Quotient rounded down. The divisor is taken as positive (it is a size).
    #[must_use]
    pub fn floor_div(&self, by: &Self) -> Self {
        Self::from_expr(self.expr().floor_div(&by.expr()))
    }

    /// Quotient rounded up.
    #[must_use]
    pub fn ceil_div(&self, by: &Self) -> Self {
        (self.clone() + by.clone() - Self::Static(1)).floor_div(by)
    }

    /// Remainder of [`Dim::floor_div`].
    #[must_use]
    pub fn modulo(&self, by: &Self) -> Self {
        self.clone() - self.floor_div(by) * by.clone()
    }

    /// The smaller size.
    #[must_use]
    pub fn smaller(&self, other: &Self) -> Self {
        Self::from_expr(self.expr().smaller(&other.expr()))
    }

    /// The larger size.
    #[must_use]
    pub fn larger(&self, other: &Self) -> Self {
        Self::from_expr(self.expr().larger(&other.expr()))
    }

    /// The value once every symbol has one.
    ///
    /// # Errors
    /// [`EvalError`] for an unbound symbol, a division by zero or an overflow.
    pub fn eval(&self, env: &dyn Fn(&str) -> Option<i64>) -> Result<i64, EvalError> {
        match self {
            Self::Static(n) => Ok(*n),
            Self::Symbolic(e) => e.eval(env),
        }
    }

    /// The symbols it depends on, in order of first use.
    pub fn symbols(&self) -> Vec<std::sync::Arc<str>> {
        match self {
            Self::Static(_) => Vec::new(),
            Self::Symbolic(e) => e.symbols(),
        }
    }

    /// The values it can take, given each symbol's range.
    pub fn range(&self, env: &dyn Fn(&str) -> Range) -> Range {
        match self {
            Self::Static(n) => Range::exactly(*n),
            Self::Symbolic(e) => e.range(env),
        }
    }

    /// Product of all sizes (1 for none).
    pub fn product<'a>(dims: impl IntoIterator<Item = &'a Self>) -> Self {
        dims.into_iter().fold(Self::Static(1), |a, b| a * b.clone())
    }
}

impl From<i64> for Dim {
    fn from(n: i64) -> Self {
        Self::Static(n)
    }
}

macro_rules! binary {
    ($trait:ident, $method:ident, $checked:ident) => {
        impl $trait for Dim {
            type Output = Dim;
            fn $method(self, other: Dim) -> Dim {
                if let (Dim::Static(a), Dim::Static(b)) = (&self, &other)
                    && let Some(n) = a.$checked(*b)
                {
                    return Dim::Static(n);
                }
                Dim::from_expr(self.expr().$method(other.expr()))
            }
        }
    };
}
binary!(Add, add, checked_add);
binary!(Sub, sub, checked_sub);
binary!(Mul, mul, checked_mul);

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(n) => write!(f, "{n}"),
            Self::Symbolic(e) => write!(f, "{e}"),
        }
    }
}

/// How a dim is written in files: a number, or the expression's text.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
enum Repr {
    Number(i64),
    Text(String),
}

impl From<Dim> for Repr {
    fn from(dim: Dim) -> Self {
        match dim {
            Dim::Static(n) => Self::Number(n),
            Dim::Symbolic(e) => Self::Text(e.to_string()),
        }
    }
}

impl TryFrom<Repr> for Dim {
    type Error = ParseError;
    fn try_from(repr: Repr) -> Result<Self, ParseError> {
        match repr {
            Repr::Number(n) => Ok(Self::Static(n)),
            Repr::Text(text) => Self::parse(&text),
        }
    }
}

/// `[1,3,s0*2]`, as shapes are written everywhere.
pub fn format_dims(dims: &[Dim]) -> String {
    let inner: Vec<String> = dims.iter().map(ToString::to_string).collect();
    format!("[{}]", inner.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dim(text: &str) -> Dim {
        Dim::parse(text).unwrap()
    }

    #[test]
    fn equal_sizes_are_equal_however_they_were_written() {
        for (a, b) in [
            ("s0*4 + 2*s0", "6*s0"),
            ("(s0 + 1)*(s0 - 1)", "s0*s0 - 1"),
            ("floordiv(4*s0 + 6, 4)", "s0 + 1"),
            ("floordiv(floordiv(s0, 2), 3)", "floordiv(s0, 6)"),
            ("floordiv(s0*s1*6, s1)", "6*s0"),
            ("ceildiv(s0, 2)", "floordiv(s0 + 1, 2)"),
            ("mod(6*s0, 3)", "0"),
            ("max(s0, s0)", "s0"),
        ] {
            assert_eq!(dim(a), dim(b), "{a} = {b}");
        }
        assert_ne!(dim("s0"), dim("s1"));
    }

    #[test]
    fn what_has_no_bound_gets_none_by_arithmetic() {
        let open = |text: &str| {
            let range = dim(text).range(&|_| Range { min: 1, max: i64::MAX });
            (range.min, range.max)
        };
        for text in ["s0 - 1", "floordiv(s0, 2)", "s0*s1 - s0", "2*s0 - s1", "max(s0, 4)"] {
            assert_eq!(open(text).1, i64::MAX, "{text}");
        }
        assert_eq!(open("1 - floordiv(s0, 3)"), (i64::MIN, 1));
        assert_eq!(open("s0 - s1"), (i64::MIN, i64::MAX));
        assert_eq!(open("min(s0, 7)"), (1, 7));
    }

    #[test]
    fn the_largest_numbers_are_errors_and_nothing_panics() {
        let least = "-9223372036854775807 - 1";
        for text in ["floordiv(s0, s1)", "s0*s1", "mod(s0, s1)", "floordiv(-1*s0, s1)"] {
            for (a, b) in [(i64::MIN, -1), (i64::MIN, 0), (i64::MAX, i64::MIN)] {
                let _ = dim(text).eval(&|name| Some(if name == "s0" { a } else { b }));
            }
        }
        for text in ["floordiv(X, -1)", "floordiv(X, 3)", "floordiv((X)*s0, -1*s0)", "mod(X, 5)", "floordiv(X, s0)"] {
            let _ = Dim::parse(&text.replace('X', least)).map(|d| d.eval(&|_| Some(-1)));
        }
    }

    #[test]
    fn a_short_text_does_not_make_a_large_expression() {
        let mut text = "s0".to_owned();
        for _ in 0..60 {
            text = format!("mod({text}, s1)");
        }
        assert!(Dim::parse(&text).unwrap_err().to_string().contains("too large"));
        let sum = "(s0 + s1 + s2 + s3 + 1)";
        assert!(Dim::parse(&[sum; 40].join("*")).unwrap_err().to_string().contains("too many terms"));
    }

    #[test]
    fn errors_name_the_problem_and_the_place() {
        assert!(Dim::parse("s0 +").unwrap_err().to_string().contains("column 5"));
        let endless = vec!["(s0 + s1 + s2 + s3)"; 99].join("*");
        assert!(Dim::parse(&endless).unwrap_err().to_string().contains("too many terms"));
        assert_eq!(
            dim("floordiv(s0, s1)").eval(&|_| Some(0)).unwrap_err(),
            EvalError::DivisionByZero("floordiv(s0, s1)".into())
        );
        assert_eq!(dim("s9 + 1").eval(&|_| None).unwrap_err(), EvalError::Unbound("s9".into()));
    }

    fn arbitrary() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![(-9i64..40).prop_map(|n| format!("({n})")), "s[0-2]".prop_map(|s| s)];
        leaf.prop_recursive(4, 24, 2, |inner| {
            (inner.clone(), inner, 0..7, 1..9).prop_map(|(a, b, kind, n)| match kind {
                0 => format!("({a} + {b})"),
                1 => format!("({a} - {b})"),
                2 => format!("({a} * {b})"),
                3 => format!("floordiv({a}, {n})"),
                4 => format!("mod({a}, {n})"),
                5 => format!("min({a}, {b})"),
                _ => format!("max({a}, {b})"),
            })
        })
    }

    proptest! {
        #[test]
        fn printing_and_parsing_agree(text in arbitrary()) {
            let first = dim(&text);
            prop_assert_eq!(&dim(&first.to_string()), &first);
        }

        #[test]
        fn a_value_is_in_the_range(text in arbitrary(), a in 1i64..9, b in 1i64..9, c in 1i64..9) {
            let d = dim(&text);
            let env = |s: &str| Some(match s { "s0" => a, "s1" => b, _ => c });
            if let Ok(value) = d.eval(&env) {
                let range = d.range(&|_| Range { min: 1, max: 9 });
                prop_assert!(range.min <= value && value <= range.max, "{} in {:?}", value, range);
            }
        }

        #[test]
        fn floor_division_rounds_down(n in -50i64..50, k in 1i64..7, s in 1i64..20) {
            let d = dim(&format!("floordiv(3*s0 + {n}, {k})"));
            prop_assert_eq!(d.eval(&|_| Some(s)).unwrap(), (3 * s + n).div_euclid(k));
        }
    }
}
