//! Archives of exported programs: what `torch.export.save` and `torch2trt.export` write, read without Python.
//!
//! An archive (`.pt2`) is a zip file with the graph as JSON and the weights as raw bytes, which are lent to the program
//! as they lie in the file. What [`open`] makes of it is what the capture of the Python half makes of the same exported
//! program; tests compare the two. Everything in a file may be wrong or hostile: it is an error with the reason, and no
//! panic.
//!
//! The crate must not know TensorRT, ONNX, or how programs are converted.
#![forbid(unsafe_code)]

mod arguments;
mod bindings;
mod captured;
mod error;
mod expression;
mod fraction;
mod graph;
mod model;
mod numbers;
mod open;
mod origin;
mod read;
mod rounding;
mod schema;
mod sizes;
mod strided;
mod tree;
mod values;
mod weights;
mod zip;

pub use captured::{Captured, Ranges};
pub use error::{Error, Result};
pub use open::open;
pub use schema::returns_view;
pub use sizes::{SymbolRanges, SymbolicSize, symbolic_size};
pub use tree::{Signature, Spec};

use program::{Argument, Program};

/// A captured program, and how the model that it comes from is called.
#[derive(Debug)]
pub struct Archive {
    /// The program.
    pub program: Program,
    /// The leaves of the call's arguments, in order. Those that are tensors are the program's inputs.
    pub inputs: Vec<Leaf>,
    /// The leaves of the return value, in order: the program's outputs.
    pub outputs: Vec<Leaf>,
    /// How these are arranged; `None` where the archive has an unknown form.
    pub signature: Option<Signature>,
    /// Buffers, parameters and inputs that the model writes to when it runs. The program does not: it has the same
    /// outputs, and leaves these as they are.
    pub written: Vec<String>,
    /// What `torch2trt.export` recorded of the model; `None` of an archive that `torch.export.save` wrote.
    pub captured: Option<Captured>,
    /// The PyTorch that wrote the archive, as it calls itself.
    pub torch_version: String,
}

impl Archive {
    /// The names of the engine's inputs and outputs: those that were recorded, or the model's own.
    pub fn names(&self) -> (Vec<String>, Vec<String>) {
        let inputs = self.program.inputs().iter().map(|id| self.program.value(*id).name.clone()).collect();
        let computed = self.outputs.iter().filter(|leaf| leaf.constant.is_none());
        let outputs = computed.map(|leaf| leaf.name.clone()).collect();
        let recorded = self.captured.as_ref().map(|captured| (&captured.input_names, &captured.output_names));
        let given = |given: Option<&Vec<String>>, own: Vec<String>| match given {
            Some(given) if given.len() == own.len() => given.clone(),
            _ => own,
        };
        (given(recorded.map(|(names, _)| names), inputs), given(recorded.map(|(_, names)| names), outputs))
    }
}

/// A leaf of what goes in or comes out.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// Its name: `x`, or `xs.0` where nested.
    pub name: String,
    /// What it is where no engine is needed to know it.
    pub constant: Option<Argument>,
    /// Whether it is a number that the engine returns as a 0-D tensor.
    pub is_number: bool,
}
