//! What to do about each error, in words that name arguments of Python's `torch2trt()`.

use super::{Error, LibrarySearch, Task};

impl Error {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Type { name, expected, .. } => format!("pass `{name}` as {expected}"),
            Self::Device { name, expected, .. } => format!("move `{name}` to {expected}"),
            Self::LibraryNotFound(_) => LibrarySearch::HELP.to_owned(),
            Self::Shape(error) => error.help().to_owned(),
            Self::TensorRt { task, source } => return plan_help(*task, source).map(str::to_owned).or(source.help()),
            other => other.fixed_help()?.to_owned(),
        })
    }

    fn fixed_help(&self) -> Option<&'static str> {
        Some(match self {
            Self::LibraryLoaded { .. } => {
                "a process can hold one; ask for this path before the first CPU engine is made, or drop the option"
            }
            Self::Interface { .. } => "model and engine spec were made apart; convert the model again",
            Self::WeightLength { .. } => {
                "the engine file is damaged, or the tensor was not contiguous when it was handed over"
            }
            Self::Nul { .. } => "rename it",
            Self::Forked => {
                "make the engine in the child, start workers with `spawn` instead of `fork`, or make it with \
                 threads=1"
            }
            Self::Count { .. } => "pass one tensor for each, in the order of the engine's spec",
            Self::Stream => "pass no stream; the outputs are complete when the call returns",
            Self::Profile { .. } => "profiles count from 0; pass none to choose by shape",
            Self::OutputDims { .. } => "pass larger inputs (a kernel or a slice does not fit)",
            Self::Size { .. } => "the input sizes are outside what the network was made for",
            Self::OutputShape { .. } => "pass one of that shape, or none, and the engine allocates it",
            Self::OutputOverlaps { .. } => "pass a tensor with memory of its own",
            Self::OutputDependsOnData { .. } => {
                "pass no tensors to write to: the engine allocates its outputs (`run_alloc` in Rust)"
            }
            Self::BadDims { .. } => "check where these sizes were computed",
            Self::BufferLength { .. } => "pass contiguous memory that covers exactly the tensor",
            Self::BufferAddress { .. } => "copy the tensor into memory of its own",
            Self::NotHostMemory { .. } => "copy it to the CPU first",
            Self::NoCuda { .. } => {
                "run where an NVIDIA GPU and its driver are; a conversion can build ahead of time for another \
                 machine's GPU (target=\"sm_89\"), or use the CPU engine (backend=\"cpu\")"
            }
            Self::Cuda { .. } => {
                "an error of earlier work on the GPU can show up here; CUDA_LAUNCH_BLOCKING=1 shows which. Out of \
                 memory: free some, torch.cuda.empty_cache() returns what PyTorch holds"
            }
            Self::PlanInterface { .. } => "plan and engine spec were made apart; convert the model again",
            Self::NotRefittable => "convert with refittable=True; until then, convert again",
            Self::Refit { .. } => {
                "refit with the model that was converted, with other values in it, and with the options of that \
                 conversion; a changed model is converted again"
            }
            Self::CaptureDependsOnData => "leave it outside of the capture",
            Self::UnknownType { .. } => "cast it in the model",
            _ => return None,
        })
    }
}

/// What to do about a refusal by TensorRT's runtime, where its message identifies it.
fn plan_help(task: Task, error: &nvinfer::Error) -> Option<&'static str> {
    let nvinfer::Error::Refused { diagnostics, .. } = error else { return None };
    let mentions = |words: &[&str]| words.iter().any(|word| diagnostics.contains(word));
    Some(
        if mentions(&[
            "ersion tag",
            "ersionTag",
            "current version",
            "Version mismatch",
            "kVERSION_MISMATCH",
            "Version Forward",
        ]) {
            "another TensorRT built this plan; use that version (tensorrt=\"/path/to/libnvinfer.so\"), or convert again"
        } else if mentions(&["kEnableHostCode", "HostCode", "host code", "lean runtime"]) {
            "the plan brings host code of its own; where it comes from people you trust, load it with trusted=True"
        } else if mentions(&["compute capability", "computeCapability", "different device", "UNSUPPORTED_CC"]) {
            "the plan was built for another GPU; convert again on this one, or with hardware_compatible=True"
        } else if mentions(&["out of memory", "OutOfMemory"]) {
            "free device memory (torch.cuda.empty_cache() returns what PyTorch holds), or convert with a smaller batch"
        } else if task == Task::LoadPlan {
            "give a plan as TensorRT wrote it, or an engine file; one that was cut off or changed since cannot be \
             loaded"
        } else {
            return None;
        },
    )
}
