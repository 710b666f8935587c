//! Where samples come from, for whoever observes a network on them.

use crate::Result;
use runtime::Tensor;

/// Inputs to observe a network on: tensors in host memory, in the order of the network's inputs and in its types.
pub trait Samples {
    /// The sample inputs, for the range of float16; `None` where there are none.
    ///
    /// # Errors
    /// Those of the source.
    fn sample(&mut self) -> Result<Option<Vec<Tensor>>>;

    /// The next inputs to calibrate int8 on; `None` after the last.
    ///
    /// # Errors
    /// Those of the source.
    fn next_calibration(&mut self) -> Result<Option<Vec<Tensor>>>;

    /// Called between the steps of work that takes long.
    ///
    /// # Errors
    /// What ends the work, such as Ctrl-C.
    fn check_interrupt(&mut self) -> Result<()> {
        Ok(())
    }
}
