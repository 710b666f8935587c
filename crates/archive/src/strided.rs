//! Which elements of a tensor `as_strided` reads.
//!
//! A program has no memory: a value of it is sizes and elements in order. What that operator reads is worked out from
//! the strides that PyTorch's own tensor has. The file must not know of programs.

/// Elements of memory beyond which nothing is worked out.
const MOST: usize = 1 << 26;

/// Where a tensor's elements lie in memory, counted in elements.
pub(crate) struct Layout<'a> {
    pub(crate) sizes: &'a [i64],
    pub(crate) strides: &'a [i64],
    pub(crate) offset: i64,
}

impl Layout<'_> {
    /// Whether the elements lie one after the other, from the beginning of their memory.
    pub(crate) fn is_in_order(&self) -> bool {
        if self.sizes.contains(&0) {
            return self.offset == 0;
        }
        let mut expected = 1i64;
        for (size, stride) in self.sizes.iter().zip(self.strides).rev() {
            if *size != 1 && *stride != expected {
                return false;
            }
            expected = expected.saturating_mul(*size);
        }
        self.offset == 0
    }

    /// The place of each element, in order; `None` where that is negative, too far, or too much.
    fn places(&self) -> Option<Vec<usize>> {
        let mut places = vec![usize::try_from(self.offset).ok()?];
        if self.sizes.len() != self.strides.len() {
            return None;
        }
        for (size, stride) in self.sizes.iter().zip(self.strides) {
            let (size, stride) = (usize::try_from(*size).ok()?, usize::try_from(*stride).ok()?);
            if places.len().checked_mul(size)? > MOST {
                return None;
            }
            let steps =
                |place: &usize| (0..size).map(|k| k.checked_mul(stride)?.checked_add(*place)).collect::<Vec<_>>();
            places = places.iter().flat_map(steps).collect::<Option<_>>()?;
        }
        places.iter().all(|place| *place < MOST).then_some(places)
    }

    /// Which elements of this tensor, counted in order, another view of its memory reads; `None` where it reads memory
    /// that is not the tensor's.
    pub(crate) fn elements_at(&self, view: &Layout<'_>) -> Option<Vec<i64>> {
        let (own, read) = (self.places()?, view.places()?);
        let mut memory = vec![-1i64; own.iter().max().map_or(0, |last| last + 1)];
        for (element, place) in own.iter().enumerate() {
            *memory.get_mut(*place)? = i64::try_from(element).ok()?;
        }
        read.iter().map(|place| memory.get(*place).copied().filter(|element| *element >= 0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout<'a>(sizes: &'a [i64], strides: &'a [i64], offset: i64) -> Layout<'a> {
        Layout { sizes, strides, offset }
    }

    #[test]
    fn a_transposed_tensor_is_read_by_its_memory() {
        let own = layout(&[2, 3], &[1, 2], 0);
        assert!(
            !own.is_in_order()
                && layout(&[2, 3], &[3, 1], 0).is_in_order()
                && !layout(&[2, 3], &[3, 1], 1).is_in_order()
        );
        assert_eq!(own.elements_at(&layout(&[6], &[1], 0)), Some(vec![0, 3, 1, 4, 2, 5]));
        assert_eq!(own.elements_at(&layout(&[2, 2], &[0, 3], 1)), Some(vec![3, 2, 3, 2]));
        assert_eq!(own.elements_at(&layout(&[7], &[1], 0)), None);
        assert_eq!(own.elements_at(&layout(&[0], &[1], 0)), Some(vec![]));
    }

    #[test]
    fn nothing_is_too_large_or_negative() {
        let own = layout(&[2], &[1], 0);
        for (sizes, strides, offset) in
            [([i64::MAX], [1], 0), ([2], [i64::MAX], 0), ([-1], [1], 0), ([2], [-1], 1), ([1], [1], i64::MAX)]
        {
            assert_eq!(own.elements_at(&layout(&sizes, &strides, offset)), None);
        }
        assert_eq!(own.elements_at(&layout(&[1, 2], &[1], 0)), None);
    }
}
