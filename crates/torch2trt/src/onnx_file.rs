//! ONNX files of any origin, run by ONNX Runtime: what a comparison puts next to an engine.
//!
//! ONNX Runtime itself opens no other file: weights in other files are read here, from the folder of the model alone.

use crate::interface::data_type;
use crate::{Artifact, Code, Error, Executable, Options, Payload, Result};
use bytes::Bytes;
use runtime::{EngineSpec, IoSpec, Weight};
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// Makes the CPU engine of an ONNX file.
///
/// # Errors
/// E0605 for a damaged model or one with weights outside its folder, E0501 without ONNX Runtime, E0503 where that
/// rejects it.
pub fn load_onnx(path: &Path, options: &Options) -> Result<Executable> {
    let model = read(path)?;
    let interface = onnx::interface(&model).map_err(|problem| damaged(path, &problem))?;
    let port = |io: &onnx::Io| IoSpec::new(io.name.clone(), data_type(io.dtype), io.dims.iter().cloned());
    let declared = EngineSpec {
        inputs: interface.inputs.iter().map(port).collect(),
        outputs: interface.outputs.iter().map(port).collect(),
        profiles: Vec::new(),
    };
    let mut files = HashMap::new();
    let weights = interface.external.iter().map(|external| weight(path, external, &mut files));
    let payload = Payload::Onnx { weights: weights.collect::<Result<_>>()?, model };
    Artifact { declared, payload, built: None, source: None }.into_cpu(options)
}

fn weight(model: &Path, external: &onnx::ExternalData, files: &mut HashMap<PathBuf, Bytes>) -> Result<Weight> {
    let name = &external.name;
    let location = Path::new(&external.location);
    if !location.components().all(|part| matches!(part, Component::Normal(_))) || location.as_os_str().is_empty() {
        let problem = format!("initializer `{name}` is in `{}`, outside its folder", location.display());
        return Err(damaged(model, &problem));
    }
    let file = model.with_file_name(location);
    let data = match files.get(&file) {
        Some(data) => data.clone(),
        None => files.entry(file.clone()).or_insert(read(&file)?).clone(),
    };
    let range = usize::try_from(external.offset).ok().and_then(|start| {
        let length = external.length.map_or(data.len().checked_sub(start), |length| usize::try_from(length).ok())?;
        start.checked_add(length).filter(|end| *end <= data.len()).map(|end| start..end)
    });
    let Some(range) = range else {
        return Err(damaged(model, &format!("`{}` ends before initializer `{name}` does", file.display())));
    };
    let dtype = data_type(external.dtype);
    let data = data.slice(range);
    // A weight is not copied if its elements are aligned there.
    let is_aligned = data.as_ptr().addr().is_multiple_of(dtype.size());
    let data = if is_aligned { data } else { Bytes::copy_from_slice(&data) };
    Ok(Weight { name: name.clone(), dtype, dims: external.dims.clone(), data })
}

fn read(path: &Path) -> Result<Bytes> {
    std::fs::read(path).map(Bytes::from).map_err(|source| {
        Error::new(Code::EngineFile, format!("{} cannot be read: {source}", path.display()))
            .with_help("give the path of an ONNX model, with its weights in the same folder")
    })
}

fn damaged(path: &Path, problem: &str) -> Error {
    Error::new(Code::EngineFile, format!("{}: {problem}", path.display())).with_help("export the model again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn external(location: &str, offset: u64, length: Option<u64>) -> onnx::ExternalData {
        let (name, dtype) = ("w".to_owned(), network::DType::Float32);
        onnx::ExternalData { name, dtype, dims: vec![2], location: location.to_owned(), offset, length }
    }

    #[test]
    fn weights_are_read_from_the_folder_of_the_model() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("net.onnx");
        std::fs::write(folder.path().join("w.bin"), [0u8, 1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap();
        let find = |at: onnx::ExternalData| weight(&model, &at, &mut HashMap::new());
        assert_eq!(find(external("w.bin", 2, None)).unwrap().data[..], [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(find(external("w.bin", 1, Some(4))).unwrap().data[..], [1, 2, 3, 4]);
        for (at, words) in [
            (external("w.bin", 3, Some(8)), "ends before"),
            (external("w.bin", 11, None), "ends before"),
            (external("w.bin", u64::MAX, Some(u64::MAX)), "ends before"),
            (external("other.bin", 0, None), "cannot be read"),
            (external("../w.bin", 0, None), "outside its folder"),
            (external("/etc/hosts", 0, None), "outside its folder"),
            (external("", 0, None), "outside its folder"),
        ] {
            let error = find(at).unwrap_err();
            assert!(error.code() == Code::EngineFile && error.message().contains(words), "{error}");
        }
    }
}
