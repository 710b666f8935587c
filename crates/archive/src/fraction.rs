//! Quotients of sizes: what a real-valued expression is, where it is exact.

use crate::expression::Sized;
use dims::Dim;

/// A scale such as 0.3 is, as a float, a fraction over 2**54; multiplying by it rounds, so that the division would not
/// give the size that PyTorch computes. Denominators up to this bound are exact for every size below 2**32.
const LARGEST_DENOMINATOR: f64 = 1_048_576.0;
/// Powers beyond this are refused: they are written out as products.
const LARGEST_POWER: u64 = 8;

/// The quotient of two integer-valued expressions.
#[derive(Clone, Debug)]
pub(crate) struct Fraction {
    pub(crate) numerator: Dim,
    pub(crate) denominator: Dim,
}

impl Fraction {
    /// An integer.
    pub(crate) fn of(numerator: Dim) -> Self {
        Self { numerator, denominator: Dim::Static(1) }
    }

    /// A float as a fraction over a power of two.
    pub(crate) fn dyadic(value: f64) -> Sized<Self> {
        let mut denominator = 1.0;
        while denominator <= LARGEST_DENOMINATOR {
            let numerator = value * denominator;
            if numerator.fract() == 0.0 && numerator.abs() < 9.0e15 {
                let [numerator, denominator] = [numerator, denominator].map(|part| Dim::Static(part as i64));
                return Ok(Self { numerator, denominator });
            }
            denominator *= 2.0;
        }
        Err(format!("{value:?} is not an exact binary fraction"))
    }

    pub(crate) fn inverse(self) -> Self {
        Self { numerator: self.denominator, denominator: self.numerator }
    }

    pub(crate) fn times(&self, other: &Self) -> Sized<Self> {
        Ok(Self {
            numerator: product(&self.numerator, &other.numerator)?,
            denominator: product(&self.denominator, &other.denominator)?,
        })
    }

    pub(crate) fn plus(&self, other: &Self) -> Sized<Self> {
        if self.denominator == other.denominator {
            let numerator = join(&format!("({}) + ({})", self.numerator, other.numerator))?;
            return Ok(Self { numerator, denominator: self.denominator.clone() });
        }
        let (left, right) =
            (product(&self.numerator, &other.denominator)?, product(&other.numerator, &self.denominator)?);
        Ok(Self {
            numerator: join(&format!("({left}) + ({right})"))?,
            denominator: product(&self.denominator, &other.denominator)?,
        })
    }

    pub(crate) fn power(&self, exponent: i64) -> Sized<Self> {
        let times = exponent.unsigned_abs();
        if !(1..=LARGEST_POWER).contains(&times) {
            return Err(format!("a power of {exponent}"));
        }
        let power = |base: &Dim| join(&vec![format!("({base})"); times as usize].join("*"));
        let raised = Self { numerator: power(&self.numerator)?, denominator: power(&self.denominator)? };
        Ok(if exponent > 0 { raised } else { raised.inverse() })
    }
}

/// Parses text in the grammar of sizes, which keeps expressions from growing without end.
pub(crate) fn join(text: &str) -> Sized<Dim> {
    Dim::parse(text).map_err(|error| error.to_string())
}

fn product(a: &Dim, b: &Dim) -> Sized<Dim> {
    join(&format!("({a})*({b})"))
}
