//! Tensors in safetensors files. This file must not know what the tensors are for.

use crate::{Code, Error, Result};
use runtime::{DataType, IoSpec, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::path::Path;

const TYPES: [(DataType, Dtype); 12] = [
    (DataType::Float32, Dtype::F32),
    (DataType::Float16, Dtype::F16),
    (DataType::BFloat16, Dtype::BF16),
    (DataType::Float64, Dtype::F64),
    (DataType::Int64, Dtype::I64),
    (DataType::Int32, Dtype::I32),
    (DataType::Int16, Dtype::I16),
    (DataType::Int8, Dtype::I8),
    (DataType::UInt8, Dtype::U8),
    (DataType::Bool, Dtype::BOOL),
    (DataType::Float8E4M3, Dtype::F8_E4M3),
    (DataType::Float8E5M2, Dtype::F8_E5M2),
];

fn of_file(path: &Path, what: &str, problem: impl std::fmt::Display) -> Error {
    Error::new(Code::TensorFile, format!("{} cannot be {what}: {problem}", path.display()))
        .with_help("files of tensors are safetensors files, such as safetensors.torch.save_file writes")
}

/// The tensors of a file for these inputs or outputs of an engine; `side` is the word for one.
///
/// # Errors
/// E0607 for a file that cannot be read, E0602 for a tensor that is not in it.
pub fn read_tensors(path: &Path, ios: &[IoSpec], side: &str) -> Result<Vec<Tensor>> {
    let bytes = std::fs::read(path).map_err(|error| of_file(path, "read", error))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| of_file(path, "read", error))?;
    let find = |io: &IoSpec| {
        let tensor = file.tensor(&io.name).map_err(|_| {
            let names = file.names().join(", ");
            let message = format!("{} has no tensor `{}`; it has {names}", path.display(), io.name);
            Error::new(Code::BadInputs, message).with_help(format!("save every {side} of the engine under its name"))
        })?;
        owned(&tensor)?.ok_or_else(|| {
            let message = format!("`{}` is {:?} in {}", io.name, tensor.dtype(), path.display());
            Error::new(Code::BadInputs, message).with_help(format!("the engine's {side} is {}", io.dtype))
        })
    };
    ios.iter().map(find).collect()
}

/// All tensors of a file, by name.
///
/// # Errors
/// E0607 for a file that cannot be read, and for a tensor of a type that engines do not have.
pub(crate) fn read_all(path: &Path) -> Result<Vec<(String, Tensor)>> {
    let bytes = std::fs::read(path).map_err(|error| of_file(path, "read", error))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| of_file(path, "read", error))?;
    let read = |(name, tensor): (String, TensorView<'_>)| {
        let unknown = || of_file(path, "read", format!("`{name}` is {:?}", tensor.dtype()));
        Ok((name.clone(), owned(&tensor)?.ok_or_else(unknown)?))
    };
    file.tensors().into_iter().map(read).collect()
}

/// A tensor of a file; `None` of a type that engines do not have.
fn owned(tensor: &TensorView<'_>) -> Result<Option<Tensor>> {
    let Some((dtype, _)) = TYPES.iter().find(|(_, theirs)| *theirs == tensor.dtype()) else { return Ok(None) };
    let dims: Option<Vec<i64>> = tensor.shape().iter().map(|size| i64::try_from(*size).ok()).collect();
    Ok(Some(Tensor::from_bytes(*dtype, &dims.unwrap_or_default(), tensor.data())?))
}

/// Writes tensors to a safetensors file, each under its name.
///
/// # Errors
/// E0607 where it cannot be written.
pub fn write_tensors<'a>(path: &Path, tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>) -> Result<()> {
    let entry = |(name, tensor): (&'a str, &'a Tensor)| {
        let dtype = TYPES.iter().find(|(ours, _)| *ours == tensor.dtype()).map_or(Dtype::U8, |(_, theirs)| *theirs);
        let shape = tensor.dims().iter().map(|size| usize::try_from(*size).unwrap_or(0)).collect();
        let view = TensorView::new(dtype, shape, tensor.bytes().unwrap_or_default());
        view.map(|view| (name, view)).map_err(|error| of_file(path, "written", error))
    };
    let entries = tensors.into_iter().map(entry).collect::<Result<Vec<_>>>()?;
    let bytes = safetensors::serialize(entries, None).map_err(|error| of_file(path, "written", error))?;
    let written = files::write(path, |file| file.write_all(&bytes));
    written.map_err(|error: std::io::Error| of_file(path, "written", error))
}
