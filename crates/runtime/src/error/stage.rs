//! What an engine was doing when it failed, and on which node.

use std::fmt;

/// What ONNX Runtime was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Starting the library.
    Start,
    /// Reading and optimizing a model.
    Load,
    /// Executing it.
    Run,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Load => "load the model",
            Self::Run => "run the model",
        })
    }
}

/// What TensorRT was asked when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// To start its runtime.
    StartRuntime,
    /// To allow host code.
    AllowHostCode,
    /// To load the plan.
    LoadPlan,
    /// To read the engine's interface.
    ReadInterface,
    /// To inspect the engine.
    Inspect,
    /// To make an execution context.
    MakeContext,
    /// To run the engine.
    Run,
    /// To choose the optimization profile.
    ChooseProfile,
    /// To set the shape of an input.
    SetShape,
    /// To set the address of a tensor.
    SetAddress,
    /// To set an output allocator.
    SetAllocator,
    /// To read the engine's profiles.
    ReadProfiles,
    /// To time its layers.
    Profile,
    /// To put new weights into the plan.
    Refit,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartRuntime => "start its runtime",
            Self::AllowHostCode => "allow host code",
            Self::LoadPlan => "load the plan",
            Self::ReadInterface => "read the engine's interface",
            Self::Inspect => "inspect the engine",
            Self::MakeContext => "make an execution context",
            Self::Run => "run the engine",
            Self::ChooseProfile => "choose the optimization profile",
            Self::SetShape => "set the shape of an input",
            Self::SetAddress => "set the address of a tensor",
            Self::SetAllocator => "set an output allocator",
            Self::ReadProfiles => "read the engine's profiles",
            Self::Profile => "time its layers",
            Self::Refit => "put new weights into the plan",
        })
    }
}

/// The node that ONNX Runtime named in an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name in the model; empty where it has none.
    pub name: String,
    /// Its ONNX operator, where it is known.
    pub op: Option<String>,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name)?;
        self.op.as_ref().map_or(Ok(()), |op| write!(f, " ({op})"))
    }
}
