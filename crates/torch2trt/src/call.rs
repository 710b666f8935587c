//! Calls on tensors in host memory, for programs that have no CUDA memory of their own.
//!
//! Here a call's tensors become the engine's: in its memory, and of its types where the plan has others than the model
//! (TensorRT 8.6 has no int64). This file must not know which engine runs.

use crate::{Code, Error, Executable, Result};
use runtime::{DataType, Device, RunOptions, Tensor, TensorView};

/// An input as the engine takes it.
#[derive(Debug)]
pub enum Staged<'a> {
    /// The caller's, as it is.
    Lent(TensorView<'a>),
    /// A copy.
    Copied(Tensor),
}

impl Staged<'_> {
    /// The tensor.
    pub fn view(&self) -> TensorView<'_> {
        match self {
            Self::Lent(view) => *view,
            Self::Copied(tensor) => tensor.view(),
        }
    }
}

impl Executable {
    /// Runs on tensors in the model's own types, which may lie in host memory, and returns the outputs there.
    ///
    /// # Errors
    /// Codes E04xx: inputs that the engine does not accept, or its own failure.
    pub fn call(&self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>> {
        let staged = self.stage(inputs)?;
        let views: Vec<TensorView<'_>> = staged.iter().map(Staged::view).collect();
        self.fetch(self.engine.run_alloc(&views, &RunOptions::default())?)
    }

    /// The inputs of a call as the engine takes them. What is right already is not copied.
    ///
    /// # Errors
    /// E0403 for another type than the model's, E0407 where the GPU has no room.
    pub fn stage<'a>(&self, inputs: &[TensorView<'a>]) -> Result<Vec<Staged<'a>>> {
        let (declared, own) = (&self.artifact.declared.inputs, &self.engine.spec().inputs);
        let stage = |(k, input): (usize, &TensorView<'a>)| {
            let mut staged = Staged::Lent(*input);
            // Too many, or of a wrong type, are found by the engine, which reports them.
            if let (Some(declared), Some(own)) = (declared.get(k), own.get(k))
                && declared.dtype != own.dtype
                && declared.dtype == input.dtype()
            {
                staged = Staged::Copied(integers(&in_host(staged)?.view(), own.dtype, &own.name)?);
            }
            if staged.view().device() != self.engine.device() {
                staged = Staged::Copied(Tensor::copy_of(&staged.view(), self.engine.device())?);
            }
            Ok(staged)
        };
        inputs.iter().enumerate().map(stage).collect()
    }

    /// The outputs of a run in host memory, in the model's own types.
    ///
    /// # Errors
    /// E0407 where the GPU fails.
    pub fn fetch(&self, outputs: Vec<Tensor>) -> Result<Vec<Tensor>> {
        let fetch = |(tensor, declared): (Tensor, &runtime::IoSpec)| match in_host(Staged::Copied(tensor))? {
            Staged::Copied(tensor) if tensor.dtype() == declared.dtype => Ok(tensor),
            other => integers(&other.view(), declared.dtype, &declared.name),
        };
        outputs.into_iter().zip(&self.artifact.declared.outputs).map(fetch).collect()
    }
}

/// The tensor, or a copy of it in host memory where it is elsewhere.
fn in_host(tensor: Staged<'_>) -> Result<Staged<'_>> {
    match tensor.view().device() {
        Device::Cpu => Ok(tensor),
        Device::Cuda(_) => Ok(Staged::Copied(Tensor::copy_of(&tensor.view(), Device::Cpu)?)),
    }
}

/// Integers of one width as those of another.
fn integers(view: &TensorView<'_>, to: DataType, name: &str) -> Result<Tensor> {
    let bytes = view.bytes().unwrap_or_default();
    let cast: Option<Vec<u8>> = match (view.dtype(), to) {
        (DataType::Int64, DataType::Int32) => {
            let narrow = |word: &[u8; 8]| i32::try_from(i64::from_ne_bytes(*word)).ok().map(i32::to_ne_bytes);
            let words: Option<Vec<[u8; 4]>> = bytes.as_chunks::<8>().0.iter().map(narrow).collect();
            words.map(|words| words.concat())
        }
        (DataType::Int32, DataType::Int64) => {
            let widen = |word: &[u8; 4]| i64::from(i32::from_ne_bytes(*word)).to_ne_bytes();
            Some(bytes.as_chunks::<4>().0.iter().flat_map(widen).collect())
        }
        (from, to) => {
            let text = format!("`{name}` is {from} in the model and {to} in the plan");
            return Err(Error::new(Code::EngineFile, text).with_help("convert the model again"));
        }
    };
    let cast = cast.ok_or_else(|| {
        Error::new(Code::TensorDtype, format!("`{name}` holds numbers beyond int32, which is what the plan has"))
            .with_help("TensorRT has int64 from version 10 on")
    })?;
    Ok(Tensor::from_bytes(to, view.dims(), &cast)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(dtype: DataType, bytes: &[u8]) -> Tensor {
        let count = i64::try_from(bytes.len() / dtype.size()).unwrap();
        Tensor::from_bytes(dtype, &[count], bytes).unwrap()
    }

    #[test]
    fn integers_keep_their_values_in_another_width() {
        let values = [0i64, -1, i64::from(i32::MAX), i64::from(i32::MIN)];
        let wide: Vec<u8> = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
        let narrow = integers(&tensor(DataType::Int64, &wide).view(), DataType::Int32, "x").unwrap();
        assert_eq!(narrow.bytes().unwrap().as_chunks::<4>().0[2], i32::MAX.to_ne_bytes());
        let back = integers(&narrow.view(), DataType::Int64, "x").unwrap();
        assert_eq!((back.bytes(), back.dims()), (Some(&wide[..]), &[4][..]));
    }

    #[test]
    fn what_does_not_fit_is_an_error_with_the_name() {
        let beyond = (i64::from(i32::MAX) + 1).to_ne_bytes();
        let error = integers(&tensor(DataType::Int64, &beyond).view(), DataType::Int32, "ids").unwrap_err();
        assert_eq!((error.code(), error.message().contains("`ids`")), (Code::TensorDtype, true));
        let error = integers(&tensor(DataType::Float32, &[0; 4]).view(), DataType::Int32, "x").unwrap_err();
        assert_eq!(error.code(), Code::EngineFile);
    }
}
