//! And, or and exclusive or of the bits of integers.
//!
//! | schema | layers |
//! |---|---|
//! | `bitwise_{and,or,xor}(self, other)`, `__and__`, `__or__`, `__xor__` on integers | ElementWise, Gather, Reduce |
//!
//! TensorRT has no bitwise layers. Both operands are divided into hexadecimal digits along a new last axis, each pair
//! of digits is looked up in a table, and the digits are added up. Rounding down makes the digits of a negative number
//! those of its two's complement; the first digit of a signed type carries the sign. `and` with a mask of low bits,
//! such as 255, is the remainder of a division instead.
//!
//! Dtypes: every integer type, exact. Operands broadcast; sizes may be symbolic.

use super::elementwise::operand;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, ReduceOperation as R, TensorId, Weights};
use program::ScalarType;

/// Bits in the table's digits.
const DIGIT: i64 = 4;

/// Digits of half an int64.
const HALF: i64 = 8;

/// The values of a digit.
const BASE: i64 = 1 << DIGIT;

/// Number of digits of an integer type, and whether the first of them carries a sign.
fn digits_of(dtype: ScalarType) -> (i64, bool) {
    match dtype {
        ScalarType::UInt8 => (2, false),
        ScalarType::Int8 => (2, true),
        ScalarType::Int16 => (4, true),
        ScalarType::Int32 => (8, true),
        _ => (16, true),
    }
}

/// The digits of integers along a new last axis, the lowest first.
fn digits(b: &mut Builder, x: TensorId, count: i64) -> Result<TensorId> {
    let (dtype, rank) = (b.dtype(x), b.rank(x));
    let x = b.unsqueeze(x, &[rank])?;
    let mut last = vec![1; rank + 1];
    last[rank] = count;
    let powers = b.constant(Weights::from_i64(dtype, &last, (0..count).map(|k| 1 << (DIGIT * k))))?;
    let shifted = b.elementwise(E::FloorDiv, x, powers)?;
    let higher = b.with_scalar(E::FloorDiv, shifted, BASE as f64)?;
    let higher = b.with_scalar(E::Prod, higher, BASE as f64)?;
    b.sub(shifted, higher)
}

/// The results of all pairs of digits, then the same with the highest bit as a sign.
fn table(b: &mut Builder, dtype: DType, operation: fn(i64, i64) -> i64) -> Result<TensorId> {
    let pairs = (0..BASE * BASE).map(|pair| operation(pair / BASE, pair % BASE));
    let signed = pairs.clone().map(|digit| if digit < BASE / 2 { digit } else { digit - BASE });
    b.constant(Weights::from_i64(dtype, &[2 * BASE * BASE], pairs.chain(signed)))
}

/// The numbers that digits on the last axis make. At most [`HALF`] are added up by one layer: ONNX Runtime adds int64
/// as doubles.
fn number(b: &mut Builder, digits: TensorId, count: i64) -> Result<TensorId> {
    let (dtype, rank, width) = (b.dtype(digits), b.rank(digits), count.min(HALF));
    let split = [&b.dims(digits)[..rank - 1], &[count / width, width].map(Dim::Static)].concat();
    let digits = b.reshape(digits, &split)?;
    let mut last = vec![1; rank + 1];
    last[rank] = width;
    let powers = b.constant(Weights::from_i64(dtype, &last, (0..width).map(|k| 1 << (DIGIT * k))))?;
    let parts = b.prod(digits, powers)?;
    let sums = b.reduce(R::Sum, parts, &[rank], false)?;
    let half = |b: &mut Builder, k: i64| {
        let half = b.slice_axis(sums, rank - 1, Dim::Static(k), Dim::Static(1), 1)?;
        b.squeeze(half, &[rank - 1])
    };
    let low = half(b, 0)?;
    if count == width {
        return Ok(low);
    }
    let high = half(b, 1)?;
    let high = b.with_scalar(E::Prod, high, (1_i64 << (DIGIT * HALF)) as f64)?;
    b.sum(high, low)
}

/// `operation` on every pair of elements; it is given non-negative numbers of [`DIGIT`] bits.
pub(super) fn bitwise(b: &mut Builder, call: &Call<'_>, operation: fn(i64, i64) -> i64) -> Result<TensorId> {
    let dtype = call.output_dtype(0)?;
    let (count, signed) = digits_of(call.output(0)?.dtype);
    let (x, y) = (operand(b, call, "self", dtype)?, operand(b, call, "other", dtype)?);
    let (x, y) = b.align(x, y)?;
    let (x, y) = (digits(b, x, count)?, digits(b, y, count)?);
    let pair = b.with_scalar(E::Prod, x, BASE as f64)?;
    let pair = b.sum(pair, y)?;
    let mut last = vec![1; b.rank(pair)];
    last[b.rank(pair) - 1] = count;
    let offset = |k: i64| if signed && k == count - 1 { BASE * BASE } else { 0 };
    let offsets = b.constant(Weights::from_i64(dtype, &last, (0..count).map(offset)))?;
    let pair = b.sum(pair, offsets)?;
    let table = table(b, dtype, operation)?;
    let found = b.gather(table, pair, 0)?;
    number(b, found, count)
}
