//! The element type and the device of a tensor, compared with those of the interface.

use crate::error::{Error, Result, Side};
use crate::{DataType, Device, IoSpec};

/// The element type of a tensor, and where it is stored.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    pub(super) dtype: DataType,
    pub(super) device: Device,
}

/// Compares type and place of one view.
pub(super) fn check_view(side: Side, io: &IoSpec, Placed { dtype, device }: Placed, expected: Device) -> Result<()> {
    if dtype != io.dtype {
        return Err(Error::Type { side, name: io.name.clone(), expected: io.dtype, got: dtype });
    }
    if device != expected {
        return Err(Error::Device { side, name: io.name.clone(), expected, got: device });
    }
    Ok(())
}
