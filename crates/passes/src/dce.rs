//! Drops layers that no output depends on. Inputs stay, because callers bind them; so do assertions and what
//! they look at, because they stop a wrong execution.

use network::{Error, Network, Op, rewrite};

/// Drops layers that no output depends on. Inputs and assertions stay.
///
/// # Errors
/// None for a network that verifies.
pub fn dce(network: &Network) -> Result<Network, Error> {
    let mut live = vec![false; network.tensor_count()];
    for port in network.outputs() {
        live[port.tensor.0 as usize] = true;
    }
    let mut kept = vec![false; network.layers().len()];
    for (k, layer) in network.layers().iter().enumerate().rev() {
        let asserts = matches!(layer.op, Op::Assertion { .. });
        kept[k] = asserts || layer.outputs.iter().any(|o| live[o.0 as usize]);
        if kept[k] {
            layer.used().for_each(|id| live[id.0 as usize] = true);
        }
    }
    let mut kept = kept.into_iter();
    rewrite(network, |state, layer| if kept.next() == Some(true) { state.keep(layer) } else { Ok(()) })
}
