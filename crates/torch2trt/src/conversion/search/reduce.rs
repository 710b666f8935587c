//! The smallest set that still passes: elements are dropped, in halves, as long as a measurement allows it.
//!
//! Every set that is accepted was measured. This file must not know what is measured.

use crate::Result;
use std::collections::{BTreeMap, HashSet};

/// A measurement: the loss while these elements are kept.
pub(super) type Measure<'a> = dyn FnMut(&HashSet<usize>) -> Result<f64> + 'a;

/// The reduction of a set.
pub(super) struct Reduction<'a> {
    measure: &'a mut Measure<'a>,
    allowed: f64,
    /// Measurements that may still be made.
    left: usize,
    /// What is kept.
    pub(super) kept: HashSet<usize>,
    /// The loss while it is kept.
    pub(super) loss: f64,
    /// Of elements that had to be kept, the loss without them.
    pub(super) without: BTreeMap<usize, f64>,
}

impl<'a> Reduction<'a> {
    /// A set whose loss is allowed, and how many measurements may be made.
    pub(super) fn new(
        kept: HashSet<usize>,
        loss: f64,
        allowed: f64,
        left: usize,
        measure: &'a mut Measure<'a>,
    ) -> Self {
        Self { measure, allowed, left, kept, loss, without: BTreeMap::new() }
    }

    /// Drops from the set what can be dropped of a group. The group begins with the elements that are most likely
    /// needed. `known` is the loss without the group, where that was measured and is not allowed.
    ///
    /// # Errors
    /// Those of the measurement.
    pub(super) fn drop_from(&mut self, group: &[usize], known: Option<f64>) -> Result<()> {
        let loss = match known {
            Some(loss) => loss,
            None if self.left == 0 => return Ok(()),
            None => {
                self.left -= 1;
                let fewer: HashSet<usize> = self.kept.iter().copied().filter(|k| !group.contains(k)).collect();
                let loss = (self.measure)(&fewer)?;
                if loss <= self.allowed {
                    (self.kept, self.loss) = (fewer, loss);
                    return Ok(());
                }
                loss
            }
        };
        if let [one] = group {
            self.without.insert(*one, loss);
            return Ok(());
        }
        let (likely, unlikely) = group.split_at(group.len() / 2);
        self.drop_from(unlikely, None)?;
        // Without the other half, dropping this one is what was measured.
        let is_known = unlikely.iter().all(|k| !self.kept.contains(k));
        self.drop_from(likely, is_known.then_some(loss))
    }

    /// Whether no measurement was left out.
    pub(super) fn is_complete(&self) -> bool {
        self.kept.iter().all(|k| self.without.contains_key(k))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what is needed of `count` elements in the given order; returns it and the number of measurements.
    fn reduced(order: &[usize], needed: &[usize], limit: usize) -> (Vec<usize>, usize, bool) {
        let mut made = 0;
        let mut measure = |kept: &HashSet<usize>| {
            made += 1;
            Ok(needed.iter().filter(|k| !kept.contains(k)).count() as f64)
        };
        let mut reduction = Reduction::new(order.iter().copied().collect(), 0.0, 0.5, limit, &mut measure);
        reduction.drop_from(order, None).unwrap();
        let (mut kept, complete): (Vec<usize>, bool) =
            (reduction.kept.iter().copied().collect(), reduction.is_complete());
        assert_eq!(reduction.loss, 0.0);
        kept.sort_unstable();
        (kept, made, complete)
    }

    #[test]
    fn keeps_what_is_needed_and_nothing_else() {
        let order: Vec<usize> = (0..400).collect();
        for needed in [vec![], vec![0], vec![399], vec![0, 1, 2], vec![7, 200, 399], (0..20).collect()] {
            let (kept, made, complete) = reduced(&order, &needed, 1000);
            assert_eq!(kept, needed);
            assert!(complete);
            let most = 1 + needed.len() * 2 * 9;
            assert!(made <= most, "{made} measurements for {needed:?}");
        }
    }

    #[test]
    fn a_good_order_takes_few_measurements() {
        let order: Vec<usize> = (0..400).collect();
        assert!(reduced(&order, &[0, 1], 1000).1 <= 12);
        assert!(reduced(&order, &[0, 1], 1000).1 < reduced(&order, &[120, 360], 1000).1);
    }

    #[test]
    fn keeps_what_was_not_measured() {
        let order: Vec<usize> = (0..400).collect();
        let (kept, made, complete) = reduced(&order, &[3, 390], 5);
        assert!(kept.contains(&3) && kept.contains(&390) && kept.len() > 2);
        assert_eq!((made, complete), (5, false));
    }
}
