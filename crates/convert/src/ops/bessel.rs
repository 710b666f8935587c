//! Modified Bessel functions of the first kind.
//!
//! | schema `(Tensor self)` | layers |
//! |---|---|
//! | `i0`, `special_i0`, `special_i0e`, `special_i1`, `special_i1e` | ElementWise, Unary, Select |
//!
//! Dtypes: computed in float32, given in the output's float type. Sizes pass through. Up to 8 the function is its power
//! series, whose terms are all positive; beyond, `exp(x) / sqrt(x)` times a polynomial of `8 / x`, fitted to 5e-9.

use super::gamma::polynomial;
use super::{Operator, Outputs, operator};
use crate::{Builder, Call, Result};
use network::{DType, ElementWiseOperation as E, TensorId, UnaryOperation as U};

const LAYERS: &str = "ElementWise, Unary, Select";

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.i0.default", |b, call| bessel(b, call, &ZEROTH, false), LAYERS, 1e-6),
    operator("aten.special_i0.default", |b, call| bessel(b, call, &ZEROTH, false), LAYERS, 1e-6),
    operator("aten.special_i0e.default", |b, call| bessel(b, call, &ZEROTH, true), LAYERS, 1e-6),
    operator("aten.special_i1.default", |b, call| bessel(b, call, &FIRST, false), LAYERS, 1e-6),
    operator("aten.special_i1e.default", |b, call| bessel(b, call, &FIRST, true), LAYERS, 1e-6),
];

/// Where the series ends and the polynomial begins.
const LIMIT: f64 = 8.0;

/// Terms of the series: what follows is below 2e-9 of it at [`LIMIT`].
const TERMS: u32 = 15;

/// A function by its order, which is 0 or 1.
struct Function {
    order: u32,
    /// `sqrt(x) exp(-x) I(x)` in powers of `8 / x`.
    far: [f64; 6],
}

const ZEROTH: Function = Function {
    order: 0,
    far: [
        0.398_942_277_928_633_45,
        0.006_233_649_895_025_209,
        0.000_436_305_220_849_742_8,
        6.490_893_190_038_143e-5,
        -2.156_323_334_196_860_6e-6,
        1.135_238_426_214_938_7e-5,
    ],
};

const FIRST: Function = Function {
    order: 1,
    far: [
        0.398_942_283_198_409_9,
        -0.018_700_619_352_248_215,
        -0.000_728_237_410_252_989_8,
        -8.878_111_856_837_45e-5,
        8.131_124_252_941_758e-7,
        -1.318_692_350_854_965_3e-5,
    ],
};

impl Function {
    /// `I(x) / (x / 2)^order` in powers of `(x / 2)^2`: `1 / (k! (k + order)!)`.
    fn near(&self) -> Vec<f64> {
        let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
        (0..TERMS).map(|k| (factorial(k) * factorial(k + self.order)).recip()).collect()
    }
}

/// The function, with `scaled` times `exp(-|x|)`.
fn bessel(b: &mut Builder, call: &Call<'_>, function: &Function, scaled: bool) -> Result<Outputs> {
    let x = call.tensor("self")?;
    let x = b.in_float32(x)?;
    let size = b.unary(U::Abs, x)?;
    let (near, far) = (near(b, size, function, scaled)?, far(b, size, function, scaled)?);
    let limit = b.scalar(DType::Float32, LIMIT, b.rank(x))?;
    let beyond = b.elementwise(E::Greater, size, limit)?;
    let mut y = b.select(beyond, far, near)?;
    if function.order == 1 {
        let sign = b.unary(U::Sign, x)?;
        y = b.prod(y, sign)?;
    }
    Ok(b.cast(y, call.output_dtype(0)?)?.into())
}

fn near(b: &mut Builder, size: TensorId, function: &Function, scaled: bool) -> Result<TensorId> {
    let half = b.with_scalar(E::Prod, size, 0.5)?;
    let square = b.prod(half, half)?;
    let series = polynomial(b, square, &function.near())?;
    let y = if function.order == 1 { b.prod(series, half)? } else { series };
    if !scaled {
        return Ok(y);
    }
    let decay = b.unary(U::Neg, size)?;
    let decay = b.unary(U::Exp, decay)?;
    b.prod(y, decay)
}

fn far(b: &mut Builder, size: TensorId, function: &Function, scaled: bool) -> Result<TensorId> {
    let inverse = b.unary(U::Recip, size)?;
    let inverse = b.with_scalar(E::Prod, inverse, LIMIT)?;
    let y = polynomial(b, inverse, &function.far)?;
    let root = b.unary(U::Sqrt, size)?;
    let y = if scaled {
        y
    } else {
        let growth = b.unary(U::Exp, size)?;
        b.prod(y, growth)?
    };
    b.div(y, root)
}
