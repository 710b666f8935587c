//! Optimization profiles: which shapes an engine takes, and at which it is to be fast (`IOptimizationProfile`).

use std::ffi::c_void;

use crate::dims::Dims;
use crate::error::{Error, Result};
use crate::raw::Ref;
use crate::raw::build::profile as raw;
use crate::sys::tables::optimization_profile as table;
use crate::types::OptProfileSelector;
use crate::weights::{c_int, c_text};

/// Ranges of the run-time extents of network inputs. The builder owns it, and is borrowed for `'b`.
#[derive(Debug)]
pub struct OptimizationProfile<'b> {
    pub(crate) raw: Ref<'b>,
}

/// Shapes or shape values: the least, the one to be fast at, the greatest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range<'a> {
    /// The least.
    pub min: &'a [i64],
    /// The one to be fast at.
    pub opt: &'a [i64],
    /// The greatest.
    pub max: &'a [i64],
}

impl<'a> Range<'a> {
    fn each(self) -> [(OptProfileSelector, &'a [i64]); 3] {
        [(OptProfileSelector::Min, self.min), (OptProfileSelector::Opt, self.opt), (OptProfileSelector::Max, self.max)]
    }
}

impl OptimizationProfile<'_> {
    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.raw.as_ptr()
    }

    /// Sets the shapes of an input (`setDimensions`).
    ///
    /// # Errors
    /// [`Error::Refused`] when min ≤ opt ≤ max does not hold.
    pub fn set_shape(&self, input: &str, range: Range<'_>) -> Result<()> {
        let name = c_text("an input name", input)?;
        let version = self.raw.host().version();
        for (which, dims) in range.each() {
            let (which, dims) = (which.number(version)?, Dims::new(dims)?);
            // SAFETY: the builder, which the handle borrows, keeps the profile; TensorRT copies the name.
            unsafe { raw::set_dimensions(self.raw, name.as_ptr(), which, &dims) }.map_err(|e| e.on(input))?;
        }
        Ok(())
    }

    /// Sets the values of an input that is a shape tensor (`setShapeValuesV2`, or `setShapeValues` with 32 bits).
    ///
    /// # Errors
    /// [`Error::Refused`] when min ≤ opt ≤ max does not hold; [`Error::OutOfRange`] for values that only 64 bits hold,
    /// where the version has 32.
    pub fn set_shape_values(&self, input: &str, range: Range<'_>) -> Result<()> {
        let name = c_text("an input name", input)?;
        let version = self.raw.host().version();
        let wide = self.raw.host().has(&table::SET_SHAPE_VALUES_V2);
        for (which, values) in range.each() {
            let (which, count) = (which.number(version)?, c_int("the number of shape values", values.len())?);
            // SAFETY: the builder keeps the profile; TensorRT copies the name and the values.
            let done = unsafe {
                if wide {
                    raw::set_shape_values_v2(self.raw, name.as_ptr(), which, values.as_ptr(), count)
                } else {
                    let values = narrow(values)?;
                    raw::set_shape_values(self.raw, name.as_ptr(), which, values.as_ptr(), count)
                }
            };
            done.map_err(|e| e.on(input))?;
        }
        Ok(())
    }

    /// The shape of an input as set.
    ///
    /// # Errors
    /// [`Error::Refused`] when none was set.
    pub fn shape(&self, input: &str, which: OptProfileSelector) -> Result<Dims> {
        let name = c_text("an input name", input)?;
        let which = which.number(self.raw.host().version())?;
        // SAFETY: the builder keeps the profile.
        unsafe { raw::dimensions(self.raw, name.as_ptr(), which) }.map_err(|e| e.on(input))
    }

    /// Sets how much of the extra memory a profile may take, from 0 to 1 (`setExtraMemoryTarget`).
    ///
    /// # Errors
    /// [`Error::Refused`] outside that range.
    pub fn set_extra_memory_target(&self, target: f32) -> Result<()> {
        // SAFETY: the builder keeps the profile.
        unsafe { raw::set_extra_memory_target(self.raw, target) }
    }

    /// Whether what was set holds together; not whether it suits a network.
    pub fn is_valid(&self) -> bool {
        // SAFETY: the builder keeps the profile.
        unsafe { raw::is_valid(self.raw) }.unwrap_or_default()
    }
}

fn narrow(values: &[i64]) -> Result<Vec<i32>> {
    let one = |v: &i64| i32::try_from(*v).map_err(|_| Error::OutOfRange { what: "a shape value", value: *v });
    values.iter().map(one).collect()
}
