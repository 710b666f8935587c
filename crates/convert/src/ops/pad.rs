//! Padding.
//!
//! | schema | layers |
//! |---|---|
//! | `pad(Tensor self, SymInt[] pad, str mode, float? value)`, `_pad_enum` | Slice |
//! | `constant_pad_nd(Tensor self, SymInt[] pad, Scalar value)` | Slice(Fill) |
//! | `reflection_pad{1,2,3}d(Tensor self, SymInt[] padding)` | Slice(Reflect), Slice(Clamp) |
//! | `replication_pad{1,2,3}d` | the same |
//! | `_pad_circular(Tensor self, SymInt[] pad)` | Slice(Wrap) |
//!
//! Dtypes: any. Sizes and amounts may be symbolic. One slice that reads outside its input does it all; negative
//! amounts crop, which is the same slice read inside.

use super::{Operator, Outputs, operator};
use crate::builder::unsupported;
use crate::{Builder, Call, Error, Result};
use dims::{Dim, Dims};
use network::{SampleMode, TensorId};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.pad.default", pad, "Slice", 0.0),
    operator("aten._pad_enum.default", pad_enum, "Slice", 0.0),
    operator("aten.constant_pad_nd.default", constant, "Slice", 0.0),
    operator("aten.reflection_pad1d.default", reflection, "Slice", 0.0),
    operator("aten.reflection_pad2d.default", reflection, "Slice", 0.0),
    operator("aten.reflection_pad3d.default", reflection, "Slice", 0.0),
    operator("aten.replication_pad1d.default", replication, "Slice", 0.0),
    operator("aten.replication_pad2d.default", replication, "Slice", 0.0),
    operator("aten.replication_pad3d.default", replication, "Slice", 0.0),
    operator("aten._pad_circular.default", circular, "Slice", 0.0),
];

fn pad(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let mode = match call.string("mode")? {
        "constant" => SampleMode::Fill,
        "reflect" => SampleMode::Reflect,
        "replicate" => SampleMode::Clamp,
        "circular" => SampleMode::Wrap,
        other => return unsupported(format!("there is no padding mode `{other}`")),
    };
    padded(b, call, "pad", mode)
}

/// The mode as PyTorch numbers it.
fn pad_enum(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let mode = match call.int("mode")? {
        0 => SampleMode::Reflect,
        1 => SampleMode::Clamp,
        2 => SampleMode::Wrap,
        3 => SampleMode::Fill,
        other => return unsupported(format!("there is no padding mode {other}")),
    };
    padded(b, call, "pad", mode)
}

fn constant(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    padded(b, call, "pad", SampleMode::Fill)
}

fn reflection(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    padded(b, call, "padding", SampleMode::Reflect)
}

fn replication(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    padded(b, call, "padding", SampleMode::Clamp)
}

fn circular(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    padded(b, call, "pad", SampleMode::Wrap)
}

/// How many elements are added before and after each axis; negative where they are removed.
struct Amounts {
    before: Dims,
    after: Dims,
}

/// Amounts before and after each axis. PyTorch lists them in pairs, the last axis first.
fn amounts(call: &Call<'_>, name: &str, rank: usize) -> Result<Amounts> {
    let list = call.sizes(name)?;
    if list.len() % 2 != 0 || list.len() / 2 > rank {
        return Err(Error::Converter { problem: format!("{} padding amounts for {rank} axes", list.len()) });
    }
    let (mut before, mut after) = (vec![Dim::Static(0); rank], vec![Dim::Static(0); rank]);
    for (k, pair) in list.chunks_exact(2).enumerate() {
        before[rank - 1 - k] = pair[0].clone();
        after[rank - 1 - k] = pair[1].clone();
    }
    Ok(Amounts { before, after })
}

fn padded(b: &mut Builder, call: &Call<'_>, name: &str, mode: SampleMode) -> Result<Outputs> {
    let mut x = call.tensor("self")?;
    let mut added = amounts(call, name, b.rank(x))?;
    if mode == SampleMode::Wrap {
        // What is cropped does not come round again.
        let crop = |amounts: &mut Dims| -> Dims {
            let cropped = amounts.iter().map(|a| a.smaller(&Dim::Static(0))).collect();
            for amount in amounts.iter_mut() {
                *amount = amount.larger(&Dim::Static(0));
            }
            cropped
        };
        let cropped = Amounts { before: crop(&mut added.before), after: crop(&mut added.after) };
        x = window(b, x, &cropped, SampleMode::StrictBounds, None)?;
    }
    let value = match call.argument("value") {
        Some(_) => call.optional_float("value")?.unwrap_or(0.0),
        None => 0.0,
    };
    let inside = added.before.iter().chain(&added.after).all(|a| a.as_static().is_some_and(|n| n <= 0));
    let mode = if inside { SampleMode::StrictBounds } else { mode };
    let fill = if mode == SampleMode::Fill { Some(b.scalar(b.dtype(x), value, 0)?) } else { None };
    Ok(window(b, x, &added, mode, fill)?.into())
}

/// A slice from `before` elements ahead of x to `after` elements behind it.
fn window(b: &mut Builder, x: TensorId, added: &Amounts, mode: SampleMode, fill: Option<TensorId>) -> Result<TensorId> {
    let dims = b.dims(x);
    let start: Dims = added.before.iter().map(|a| Dim::Static(0) - a.clone()).collect();
    let size: Dims = dims
        .iter()
        .zip(added.before.iter().zip(&added.after))
        .map(|(d, (p, q))| d.clone() + p.clone() + q.clone())
        .collect();
    if size == dims && start.iter().all(|s| s.is(0)) {
        return Ok(x);
    }
    b.sample(x, [&start, &size], &vec![1; dims.len()], mode, fill)
}
