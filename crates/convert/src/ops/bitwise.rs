//! And, or and exclusive or of the bits of integers.
//!
//! | schema | layers |
//! |---|---|
//! | `bitwise_{and,or,xor}(self, other)`, `__and__`, `__or__`, `__xor__` on integers | ElementWise, Gather, Reduce |
//!
//! TensorRT has no bitwise layers. Both operands are divided into words of 16 bits along a new axis, and those into
//! hexadecimal digits along a second. Each pair of digits is looked up in a table, and the digits are added up.
//! Rounding down makes the digits of a negative number those of its two's complement; the first digit of a signed type
//! carries the sign. `and` with a mask of low bits, such as 255, is the remainder of a division instead.
//!
//! All sums before the last are of numbers below 2^24, which are exact in float32 too.
//!
//! Dtypes: every integer type, exact. Operands broadcast; sizes may be symbolic.

use super::elementwise::operand;
use crate::{Builder, Call, Result};
use dims::Dim;
use network::{DType, ElementWiseOperation as E, ReduceOperation as R, TensorId, Weights};
use program::ScalarType;

/// Bits in the table's digits.
const DIGIT: i64 = 4;

/// The values of a digit.
const BASE: i64 = 1 << DIGIT;

/// Bits in a word.
const WORD: i64 = 16;

/// How an integer type is divided.
#[derive(Clone, Copy)]
struct Parts {
    words: i64,
    /// Digits in a word.
    digits: i64,
    signed: bool,
}

fn parts_of(dtype: ScalarType) -> Parts {
    let (words, digits, signed) = match dtype {
        ScalarType::UInt8 => (1, 2, false),
        ScalarType::Int8 => (1, 2, true),
        ScalarType::Int16 => (1, 4, true),
        ScalarType::Int32 => (2, 4, true),
        _ => (4, 4, true),
    };
    Parts { words, digits, signed }
}

/// Words along a new last axis, the lowest first. None is negative.
fn words(b: &mut Builder, x: TensorId, count: i64) -> Result<TensorId> {
    let (rank, mut rest, mut words) = (b.rank(x), x, Vec::new());
    for _ in 0..count {
        let (higher, word) = split(b, rest, WORD)?;
        words.push(b.unsqueeze(word, &[rank])?);
        rest = higher;
    }
    b.concat(&words, rank)
}

/// What is left of numbers without their lowest bits, and these.
fn split(b: &mut Builder, x: TensorId, bits: i64) -> Result<(TensorId, TensorId)> {
    let modulus = (1_i64 << bits) as f64;
    let higher = b.with_scalar(E::FloorDiv, x, modulus)?;
    let taken = b.with_scalar(E::Prod, higher, modulus)?;
    Ok((higher, b.sub(x, taken)?))
}

/// 1, 2^bits, 4^bits … along the last axis.
fn powers(b: &mut Builder, dtype: DType, rank: usize, count: i64, bits: i64) -> Result<TensorId> {
    let mut dims = vec![1; rank];
    dims[rank - 1] = count;
    b.constant(Weights::from_i64(dtype, &dims, (0..count).map(|k| 1 << (bits * k))))
}

/// The digits of integers: the last two axes are words and digits. None is negative.
fn digits(b: &mut Builder, x: TensorId, parts: Parts) -> Result<TensorId> {
    let rank = b.rank(x) + 1;
    let words = if parts.words == 1 { b.unsqueeze(x, &[rank - 1])? } else { words(b, x, parts.words)? };
    let powers = powers(b, b.dtype(x), rank + 1, parts.digits, DIGIT)?;
    let words = b.unsqueeze(words, &[rank])?;
    let shifted = b.elementwise(E::FloorDiv, words, powers)?;
    Ok(split(b, shifted, DIGIT)?.1)
}

/// The results of all pairs of digits, then the same with the highest bit as a sign.
fn table(b: &mut Builder, dtype: DType, operation: fn(i64, i64) -> i64) -> Result<TensorId> {
    let pairs = (0..BASE * BASE).map(|pair| operation(pair / BASE, pair % BASE));
    let signed = pairs.clone().map(|digit| if digit < BASE / 2 { digit } else { digit - BASE });
    b.constant(Weights::from_i64(dtype, &[2 * BASE * BASE], pairs.chain(signed)))
}

/// The numbers that digits on the last two axes make.
fn number(b: &mut Builder, digits: TensorId, parts: Parts) -> Result<TensorId> {
    let (dtype, rank) = (b.dtype(digits), b.rank(digits));
    let powers = powers(b, dtype, rank, parts.digits, DIGIT)?;
    let terms = b.prod(digits, powers)?;
    let words = b.reduce(R::Sum, terms, &[rank - 1], false)?;
    let word = |b: &mut Builder, k: i64| {
        let word = b.slice_axis(words, rank - 2, Dim::Static(k), Dim::Static(1), 1)?;
        b.squeeze(word, &[rank - 2])
    };
    let mut number = word(b, parts.words - 1)?;
    for k in (0..parts.words - 1).rev() {
        let higher = b.with_scalar(E::Prod, number, (1_i64 << WORD) as f64)?;
        let word = word(b, k)?;
        number = b.sum(higher, word)?;
    }
    Ok(number)
}

/// `operation` on every pair of elements; it is given non-negative numbers of [`DIGIT`] bits.
pub(super) fn bitwise(b: &mut Builder, call: &Call<'_>, operation: fn(i64, i64) -> i64) -> Result<TensorId> {
    let (dtype, parts) = (call.output_dtype(0)?, parts_of(call.output(0)?.dtype));
    let (x, y) = (operand(b, call, "self", dtype)?, operand(b, call, "other", dtype)?);
    let (x, y) = b.align(x, y)?;
    let (x, y) = (digits(b, x, parts)?, digits(b, y, parts)?);
    let pair = b.with_scalar(E::Prod, x, BASE as f64)?;
    let pair = b.sum(pair, y)?;
    // The first digit of a signed type is looked up in the second half of the table.
    let count = parts.words * parts.digits;
    let offset = |k: i64| if parts.signed && k == count - 1 { BASE * BASE } else { 0 };
    let dims = [vec![1; b.rank(pair) - 2], vec![parts.words, parts.digits]].concat();
    let offsets = b.constant(Weights::from_i64(dtype, &dims, (0..count).map(offset)))?;
    let pair = b.sum(pair, offsets)?;
    let table = table(b, dtype, operation)?;
    let found = b.gather(table, pair, 0)?;
    number(b, found, parts)
}
