//! How often things came: what is worth preparing for.

/// Counts of the last `N` different things; the one that came first is forgotten first.
#[derive(Debug)]
pub(super) struct Tally<T, const N: usize>(Vec<(T, u32)>);

impl<T, const N: usize> Default for Tally<T, N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const N: usize> Tally<T, N> {
    /// Counts the thing that `is` recognizes and `make` makes; how often it came, this time included.
    pub(super) fn count(&mut self, is: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> u32 {
        if let Some((_, count)) = self.0.iter_mut().find(|(thing, _)| is(thing)) {
            *count = count.saturating_add(1);
            return *count;
        }
        if self.0.len() == N {
            self.0.remove(0);
        }
        self.0.push((make(), 1));
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_are_counted() {
        let mut tally = Tally::<char, 2>::default();
        let counts = "aabacab".chars().map(|c| tally.count(|known| *known == c, || c));
        assert_eq!(counts.collect::<Vec<_>>(), [1, 2, 1, 3, 1, 1, 1]);
    }
}
