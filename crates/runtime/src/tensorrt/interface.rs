//! The inputs and outputs of a plan, in the runtime's types.
//!
//! A plan knows types and sizes but no symbols: the spec made at conversion does. Here the two are compared, or a
//! spec is made from the plan alone. It must not know how anything is run.

use crate::error::Task;
use crate::{DataType, Dim, EngineSpec, Error, IoSpec, Profile, Result, Side, SizeRange};
use nvinfer::{IoTensor, OptProfileSelector, TensorIoMode, TensorLocation};
use std::collections::BTreeMap;

/// The plan's types under the given names and sizes; an error where they contradict each other.
pub(super) fn agree(given: &EngineSpec, plan: &[IoTensor]) -> Result<EngineSpec> {
    let mut spec = given.clone();
    for (side, ios) in [(Side::Input, &mut spec.inputs), (Side::Output, &mut spec.outputs)] {
        for io in ios.iter_mut() {
            let tensor = plan.iter().find(|tensor| tensor.name == io.name && side_of(tensor) == Some(side));
            let tensor = tensor.ok_or_else(|| wrong(side, &io.name, "is not in the plan".into()))?;
            io.dtype = dtype(side, tensor)?;
            compare_dims(side, io, tensor)?;
        }
        let known = |tensor: &&IoTensor| side_of(tensor) != Some(side) || ios.iter().any(|io| io.name == tensor.name);
        if let Some(tensor) = plan.iter().find(|tensor| !known(tensor)) {
            return Err(wrong(side, &tensor.name, "of the plan is not in the engine's interface".into()));
        }
    }
    Ok(spec)
}

/// The interface of the plan itself: every size that is known only at run time gets a symbol of its own.
pub(super) fn read(engine: &nvinfer::Engine) -> Result<EngineSpec> {
    let tensors = engine.io_tensors().map_err(|e| Error::tensorrt(Task::ReadInterface, e))?;
    let mut spec = EngineSpec::default();
    for tensor in &tensors {
        let Some(side) = side_of(tensor) else { continue };
        let dims = tensor.dims.iter().enumerate().map(|(axis, &size)| match u64::try_from(size) {
            Ok(_) => Dim::from(size),
            Err(_) => Dim::symbol(&symbol(&tensor.name, axis)),
        });
        let io = IoSpec::new(tensor.name.as_str(), dtype(side, tensor)?, dims);
        match side {
            Side::Input => spec.inputs.push(io),
            Side::Output => spec.outputs.push(io),
        }
    }
    if spec.inputs.iter().any(|io| io.dims.iter().any(|dim| !dim.is_static())) {
        spec.profiles = profiles(engine, &spec.inputs)?;
    }
    Ok(spec)
}

/// A symbol for a size that only the plan knows of.
fn symbol(tensor: &str, axis: usize) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("{}_{axis}", tensor.chars().map(plain).collect::<String>())
}

fn profiles(engine: &nvinfer::Engine, inputs: &[IoSpec]) -> Result<Vec<Profile>> {
    let failure = |e| Error::tensorrt(Task::ReadProfiles, e);
    let count = engine.num_profiles().map_err(failure)?;
    let mut profiles = Vec::with_capacity(count);
    for index in 0..count {
        let mut axes = BTreeMap::new();
        for io in inputs {
            let shape = |which| engine.profile_shape(&io.name, index, which).map_err(failure);
            let (min, opt, max) =
                (shape(OptProfileSelector::Min)?, shape(OptProfileSelector::Opt)?, shape(OptProfileSelector::Max)?);
            let ranges = min.iter().zip(opt.iter()).zip(max.iter());
            axes.insert(io.name.clone(), ranges.map(|((&min, &opt), &max)| SizeRange { min, opt, max }).collect());
        }
        profiles.push(Profile { symbols: BTreeMap::new(), axes });
    }
    Ok(profiles)
}

fn side_of(tensor: &IoTensor) -> Option<Side> {
    match tensor.mode {
        TensorIoMode::Input => Some(Side::Input),
        TensorIoMode::Output => Some(Side::Output),
        TensorIoMode::None => None,
    }
}

fn dtype(side: Side, tensor: &IoTensor) -> Result<DataType> {
    use nvinfer::DataType as T;
    if tensor.location == TensorLocation::Host {
        return Err(wrong(side, &tensor.name, "is a shape tensor, whose values TensorRT reads on the host".into()));
    }
    Ok(match tensor.dtype {
        T::Float => DataType::Float32,
        T::Half => DataType::Float16,
        T::BFloat16 => DataType::BFloat16,
        T::Int64 => DataType::Int64,
        T::Int32 => DataType::Int32,
        T::Int8 => DataType::Int8,
        T::UInt8 => DataType::UInt8,
        T::Bool => DataType::Bool,
        T::Fp8 => DataType::Float8E4M3,
        other => return Err(wrong(side, &tensor.name, format!("is {other:?}, which PyTorch has no tensors of"))),
    })
}

fn compare_dims(side: Side, io: &IoSpec, tensor: &IoTensor) -> Result<()> {
    // A plan may have -1 where the network has a size; never the other way round.
    let fits = |(dim, &size): (&Dim, &i64)| size == -1 || dim.as_static().is_none_or(|n| n == size);
    if io.dims.len() == tensor.dims.len() && io.dims.iter().zip(tensor.dims.iter()).all(fits) {
        return Ok(());
    }
    let dims: Vec<String> = io.dims.iter().map(ToString::to_string).collect();
    let problem = format!("has shape {:?} in the plan and [{}] in the interface", tensor.dims, dims.join(", "));
    Err(wrong(side, &io.name, problem))
}

fn wrong(side: Side, name: &str, problem: String) -> Error {
    Error::PlanInterface { side, name: name.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nvinfer::Dims;

    fn tensor(name: &str, mode: TensorIoMode, dtype: nvinfer::DataType, dims: &[i64]) -> IoTensor {
        IoTensor {
            name: name.into(),
            mode,
            dtype,
            dims: Dims::new(dims).unwrap(),
            location: TensorLocation::Device,
            is_shape_inference_io: false,
            format: None,
        }
    }

    fn spec() -> EngineSpec {
        let batch = || Dim::symbol("batch");
        EngineSpec {
            inputs: vec![IoSpec::new("ids", DataType::Int64, [batch(), Dim::from(7)])],
            outputs: vec![IoSpec::new("y", DataType::Float32, [batch()])],
            profiles: Vec::new(),
        }
    }

    fn plan() -> Vec<IoTensor> {
        vec![
            tensor("y", TensorIoMode::Output, nvinfer::DataType::Float, &[-1]),
            tensor("ids", TensorIoMode::Input, nvinfer::DataType::Int32, &[-1, 7]),
        ]
    }

    #[test]
    fn types_are_the_plans_and_sizes_the_specs() {
        let agreed = agree(&spec(), &plan()).unwrap();
        assert_eq!(agreed.inputs[0].dtype, DataType::Int32);
        assert_eq!(agreed.inputs[0].dims, spec().inputs[0].dims);
        assert_eq!(agreed.outputs[0].dtype, DataType::Float32);
    }

    #[test]
    fn contradictions_are_named() {
        let refused = |change: fn(&mut EngineSpec, &mut Vec<IoTensor>)| {
            let (mut spec, mut plan) = (spec(), plan());
            change(&mut spec, &mut plan);
            agree(&spec, &plan).unwrap_err().to_string()
        };
        assert!(refused(|spec, _| spec.inputs[0].name = "tokens".into()).contains("input `tokens` is not in the plan"));
        assert!(refused(|spec, _| spec.outputs.clear()).contains("output `y` of the plan is not in"));
        assert!(refused(|spec, _| spec.inputs[0].dims[1] = Dim::from(8)).contains("[-1, 7] in the plan"));
        assert!(refused(|spec, _| spec.outputs[0].dims.push(Dim::from(1))).contains("output `y` has shape [-1]"));
        assert!(refused(|_, plan| plan[1].location = TensorLocation::Host).contains("is a shape tensor"));
        assert!(refused(|_, plan| plan[0].dtype = nvinfer::DataType::Int4).contains("PyTorch has no tensors of"));
        assert!(refused(|_, plan| plan[1].mode = TensorIoMode::Output).contains("input `ids` is not in the plan"));
    }

    #[test]
    fn symbols_are_made_from_any_name() {
        assert_eq!(symbol("batch.x-1", 2), "batch_x_1_2");
    }
}
