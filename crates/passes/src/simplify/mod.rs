//! Layers that do nothing go; layers that have a simpler form take it.
//!
//! - `Identity`, a cast to the type it has, a cast after an exact cast; a cast of float32 to float32 stays, because it
//!   has a meaning for `precision`;
//! - shuffles, squeezes and unsqueezes: merged in a row, dropped where nothing moves, sizes from a tensor turned
//!   into attributes;
//! - slices of everything, concatenations of one, paddings by nothing, reductions over nothing;
//! - `x * 1`, `x + 0` and their kin where they are exact (for floats `x + 0` is not: it turns -0 into 0);
//! - selections by a condition that is all true or all false;
//! - shapes, sizes and counts given as tensors whose elements are known, turned into attributes.
//!
//! Every rule is exact: not a bit of any result changes. What a rule makes has the type and sizes of what was
//! there; if not, the layer stays. The layers that lose their last use are left for `dce`.

mod arithmetic;
mod layout;

use network::{Error, Layer, Network, Op, Rewrite, TensorId, Weights, rewrite};

/// What stands in a layer's place.
enum Change {
    /// A tensor there is.
    Tensor(TensorId),
    /// Another layer.
    Layer(Op, Vec<Option<TensorId>>),
}

/// A layer being looked at, its inputs in the new network.
struct Site<'a, 'b> {
    state: &'a Rewrite<'b>,
    layer: &'a Layer,
    inputs: Vec<Option<TensorId>>,
}

impl Site<'_, '_> {
    fn input(&self, index: usize) -> Option<TensorId> {
        self.inputs.get(index).copied().flatten()
    }

    fn constant(&self, index: usize) -> Option<&Weights> {
        self.state.new.constant(self.input(index)?)
    }

    /// The elements of an input that holds sizes, where each is a number.
    fn numbers(&self, index: usize) -> Option<Vec<i64>> {
        self.state.tensor(self.input(index)?).value.as_ref()?.iter().map(network::Dim::as_static).collect()
    }

    /// The layer's output, in the old network.
    fn output(&self) -> Option<&network::Tensor> {
        Some(self.state.old.tensor(*self.layer.outputs.first()?))
    }
}

/// Drops layers that do nothing and writes others more simply; no bit of any result changes.
///
/// # Errors
/// None for a network that verifies.
pub fn simplify(network: &Network) -> Result<Network, Error> {
    rewrite(network, |state, layer| {
        let site = Site { state, layer, inputs: state.inputs(layer)? };
        let change = arithmetic::change(&site).or_else(|| layout::change(&site));
        apply(state, layer, change)
    })
}

fn apply(state: &mut Rewrite<'_>, layer: &Layer, change: Option<Change>) -> Result<(), Error> {
    let ([output], Some(change)) = (layer.outputs.as_slice(), change) else { return state.keep(layer) };
    let same = |state: &Rewrite<'_>, id| {
        let (old, new) = (state.old.tensor(*output), state.tensor(id));
        old.dtype == new.dtype && old.dims == new.dims
    };
    match change {
        Change::Tensor(id) if same(state, id) => state.set(*output, id),
        Change::Tensor(_) => return state.keep(layer),
        Change::Layer(op, inputs) => {
            let made = state.new.add(op, &inputs, &layer.origin)?;
            match made.as_slice() {
                [id] if same(state, *id) => state.set(*output, *id),
                _ => return state.keep(layer),
            }
        }
    }
    Ok(())
}
