//! Which part makes the outputs wrong.

use super::own::{Own, Taps};
use super::{Debugging, Kind};
use crate::Result;
use runtime::Tensor;

/// Parts whose effect on the outputs is measured at most.
const MEASURED: usize = 64;

/// Parts without a large error of their own that are measured, those of the largest first.
const AMPLIFIED: usize = 8;

/// The parts whose own error is too large, and the one to blame.
pub(super) type Cause = (Vec<Own>, Option<(Own, Kind)>);

impl Debugging<'_, '_> {
    /// The first suspect whose result makes the reference's outputs wrong. Where there is none: a part whose small
    /// error the rest of the model amplifies, or the first value that is wrong in the engine.
    pub(super) fn cause(&mut self, taps: &Taps, expected: &[Tensor]) -> Result<Cause> {
        let suspects = self.suspects(taps, 0..taps.len())?;
        for own in suspects.iter().take(MEASURED) {
            if self.harms(taps, own, expected)? {
                let own = own.clone();
                return Ok((suspects, Some((own, Kind::Own))));
            }
        }
        let mut others = self.all_own_errors(taps)?;
        others.retain(|own| own.error > 0.0 && own.is_accepted());
        others.sort_by(|a, b| b.error.total_cmp(&a.error));
        for own in others.into_iter().take(AMPLIFIED) {
            if self.harms(taps, &own, expected)? {
                return Ok((suspects, Some((own, Kind::Amplified))));
            }
        }
        let wrong = self.first_wrong(taps)?;
        Ok((suspects, wrong.map(|own| (own, Kind::Accumulated))))
    }

    /// Whether the outputs of the reference are wrong where a part's result is the engine's.
    fn harms(&mut self, taps: &Taps, own: &Own, expected: &[Tensor]) -> Result<bool> {
        let both = self.own_value(taps, own.tap)?;
        let Some((right, value)) = both.pairs().next() else { return Ok(false) };
        if right.dims() != value.dims() {
            return Ok(true);
        }
        let outputs = self.reference.outputs_with(&taps.taken_for(own.tap), value)?;
        Ok(self.compared(expected, &outputs).iter().any(|output| !output.is_accepted()))
    }
}
