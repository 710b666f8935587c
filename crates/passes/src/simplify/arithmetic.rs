//! Casts, element-wise layers with neutral constants, selections and reductions.

use super::{Change, Site};
use network::{DType, ElementWiseOperation as E, Op, Weights};

/// Constants of more elements are not looked at one by one.
const MAX_LOOK: usize = 1 << 16;

pub(super) fn change(site: &Site<'_, '_>) -> Option<Change> {
    let x = site.input(0)?;
    match &site.layer.op {
        Op::Identity => Some(Change::Tensor(x)),
        Op::Cast { to } => cast(site, *to),
        Op::ElementWise { op } => neutral(site, *op),
        Op::Select => match uniform(site.constant(0)?)? {
            v if v != 0.0 => Some(Change::Tensor(site.input(1)?)),
            _ => Some(Change::Tensor(site.input(2)?)),
        },
        Op::Reduce { axes, .. } if axes.is_empty() => Some(Change::Tensor(x)),
        _ => None,
    }
}

fn cast(site: &Site<'_, '_>, to: DType) -> Option<Change> {
    let x = site.input(0)?;
    let from = site.state.tensor(x).dtype;
    if from == to {
        return (to != DType::Float32).then_some(Change::Tensor(x));
    }
    let before = site.state.new.producer(x)?;
    let (Op::Cast { .. }, Some(start)) = (&before.op, before.input(0)) else { return None };
    let first = site.state.tensor(start).dtype;
    if !embeds(first, from) {
        return None;
    }
    if first == to { Some(Change::Tensor(start)) } else { Some(Change::Layer(Op::Cast { to }, vec![Some(start)])) }
}

/// Whether every value of `a` is a value of `b`, and a cast from `a` to anything goes as well by way of `b`.
/// uint8 is left out: TensorRT casts it to few types.
fn embeds(a: DType, b: DType) -> bool {
    use DType::{BFloat16, Bool, Float16, Float32, Int32, Int64};
    match a {
        Bool => matches!(b, Int32 | Int64 | Float16 | BFloat16 | Float32),
        Int32 => b == Int64,
        Float16 | BFloat16 => b == Float32,
        _ => false,
    }
}

/// `x op c` or `c op x` that is `x`.
fn neutral(site: &Site<'_, '_>, op: E) -> Option<Change> {
    for (x, c) in [(0, 1), (1, 0)] {
        let Some(value) = site.constant(c).and_then(uniform) else { continue };
        let float = site.state.tensor(site.input(x)?).dtype.is_float();
        let x_first = x == 0;
        let same = match op {
            // -0 + 0 is 0, so only -0 leaves every float as it is; and taking away 0 does.
            E::Sum if float => value == 0.0 && value.is_sign_negative(),
            E::Sum => value == 0.0,
            E::Sub => x_first && value == 0.0 && value.is_sign_positive(),
            E::Prod => value == 1.0,
            E::Div => x_first && value == 1.0,
            E::FloorDiv => x_first && value == 1.0 && !float,
            E::Pow => x_first && value == 1.0,
            E::And => value == 1.0,
            E::Or | E::Xor => value == 0.0,
            _ => false,
        };
        if same {
            return Some(Change::Tensor(site.input(x)?));
        }
    }
    None
}

/// The one value that all elements have.
fn uniform(w: &Weights) -> Option<f64> {
    if w.count() == 0 || w.count() > MAX_LOOK {
        return None;
    }
    let (first, rest) = w.data.split_at(w.dtype.size());
    let same = rest.chunks_exact(w.dtype.size()).all(|e| e == first);
    same.then(|| {
        Weights { dtype: w.dtype, dims: Vec::new(), data: w.data.slice(..w.dtype.size()) }.to_f64().first().copied()
    })?
}
