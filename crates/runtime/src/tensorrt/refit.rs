//! New weights for a plan that was built to take them, without a rebuild.
//!
//! The plan becomes an engine that nobody else knows, gets the weights and is serialized again: engines that run are
//! not touched. It must not know where the weights come from; they carry the names that the build gave them.

use super::{CudaDevice, TensorRtOptions};
use crate::error::Task;
use crate::{DataType, Error, Result, Weight};
use std::collections::HashMap;

/// The plan with the values of these weights in place of its own.
///
/// # Errors
/// [`Error::NotRefittable`] for a plan without that property, [`Error::Refit`] where weights of the plan are missing or
/// others than those given, [`Error::TensorRt`] with TensorRT's words, [`Error::NoCuda`] without the GPU.
pub fn refit(library: nvinfer::Library, plan: &[u8], weights: &[Weight], options: &TensorRtOptions) -> Result<Vec<u8>> {
    let device = CudaDevice::new(options.device)?;
    let _here = device.enter()?;
    let mut engine = super::deserialize(library, plan, options)?;
    if !engine.is_refittable() {
        return Err(Error::NotRefittable);
    }
    let failure = |e| Error::tensorrt(Task::Refit, e);
    let given: HashMap<&str, &Weight> = weights.iter().map(|weight| (weight.name.as_str(), weight)).collect();
    let mut refitter = nvinfer::Refitter::new(&mut engine).map_err(failure)?;
    for name in refitter.all_weights().map_err(failure)? {
        let found = given.get(name.as_str()).and_then(|weight| Some((data_type(weight.dtype)?, &weight.data)));
        let Some((dtype, data)) = found else { continue };
        let values = nvinfer::Weights::new(dtype, data).map_err(failure)?;
        refitter.set_named_weights(&name, values).map_err(failure)?;
    }
    // TensorRT misses further weights only where it merged them with some that were set.
    let needed = refitter.missing_weights().map_err(failure)?;
    if !needed.is_empty() {
        return Err(Error::Refit { missing: needed });
    }
    // SAFETY: the engine was made above and has no execution contexts.
    unsafe { refitter.refit() }.map_err(failure)?;
    drop(refitter);
    Ok(engine.serialize().map_err(failure)?.to_vec())
}

/// TensorRT's name of the type; `None` for one that it has no weights of.
fn data_type(dtype: DataType) -> Option<nvinfer::DataType> {
    use nvinfer::DataType as T;
    Some(match dtype {
        DataType::Float32 => T::Float,
        DataType::Float16 => T::Half,
        DataType::BFloat16 => T::BFloat16,
        DataType::Int64 => T::Int64,
        DataType::Int32 => T::Int32,
        DataType::Int8 => T::Int8,
        DataType::UInt8 => T::UInt8,
        DataType::Bool => T::Bool,
        DataType::Float8E4M3 => T::Fp8,
        DataType::Float64 | DataType::Int16 | DataType::Float8E5M2 => return None,
    })
}
