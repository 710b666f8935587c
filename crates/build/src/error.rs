//! What can go wrong while emitting and building, each with the layer it is about and where that comes from.

use network::{Layer, Network, Origin, TensorId};
use nvinfer as trt;
use std::fmt;
use std::sync::Arc;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A network that was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// TensorRT refused a layer, or the whole network.
    #[error(transparent)]
    Refused(Box<Refusal>),

    /// The loaded TensorRT has no such layer, type or option.
    #[error("{call} is not in {version}{}", on(.place.as_deref()))]
    NotInThisVersion {
        /// The call or the value, in TensorRT's words.
        call: String,
        /// The loaded version.
        version: trt::Version,
        /// The versions that have it, in words.
        since: String,
        /// The layer that needs it; `None` for an option.
        place: Option<Box<Place>>,
    },

    /// A layer that cannot be emitted as it is.
    #[error("{problem}\n  {place}")]
    Layer {
        /// What is wrong.
        problem: String,
        /// The layer.
        place: Box<Place>,
    },

    /// A plugin that no loaded library has, or that makes other outputs than its layer declares.
    #[error("{problem}\n  {place}")]
    Plugin {
        /// What is wrong.
        problem: String,
        /// The layer.
        place: Box<Place>,
        /// What to do.
        help: &'static str,
    },

    /// The progress monitor asked to stop.
    #[error("the build was cancelled")]
    Cancelled,

    /// A target that is no GPU generation, or not one that the loaded TensorRT builds for.
    #[error("{version} cannot build for `{target}`\n  {}", accepts(.accepted))]
    BadTarget {
        /// The target as given.
        target: String,
        /// The loaded version.
        version: trt::Version,
        /// The targets it takes; none where it only builds for the GPU at hand.
        accepted: Vec<String>,
    },

    /// A size that has no upper bound; an engine needs one for each.
    #[error("axis {axis} of input `{input}` has the size {size}, which has no upper bound")]
    Unbounded {
        /// The input.
        input: String,
        /// The axis.
        axis: usize,
        /// Its size, an expression over symbols.
        size: String,
    },

    /// A profile that contradicts the network or itself.
    #[error("profile {index}: {problem}")]
    BadProfile {
        /// Which one, from 0.
        index: usize,
        /// What is wrong.
        problem: String,
    },

    /// TensorRT could not be used for another reason.
    #[error(transparent)]
    TensorRt(trt::Error),
}

/// What TensorRT refused and in which words.
#[derive(Debug)]
pub struct Refusal {
    /// The loaded version.
    pub version: trt::Version,
    /// The call, such as `INetworkDefinition::addConvolutionNd`.
    pub call: String,
    /// TensorRT's reasons.
    pub words: trt::Diagnostics,
    /// The layers it is about: the one being emitted, or those that the messages name.
    pub places: Vec<Place>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.places.as_slice() {
            [] => write!(f, "{} refused the network ({})", self.version, self.call)?,
            [place] => write!(f, "{} refused {place} ({})", self.version, self.call)?,
            places => {
                write!(f, "{} refused the network ({}), somewhere in", self.version, self.call)?;
                for place in places {
                    write!(f, "\n  {place}")?;
                }
            }
        }
        for message in self.reasons() {
            write!(f, "\n  {}: {}", message.severity, message.text.trim_end())?;
        }
        Ok(())
    }
}

impl Refusal {
    /// TensorRT's messages, but for that CUDA did not start, where there are others: without a GPU it is in every one.
    fn reasons(&self) -> impl Iterator<Item = &trt::Message> {
        let noise = |m: &trt::Message| m.text.contains("catchCudaError");
        let only = self.words.messages.iter().all(noise);
        self.words.messages.iter().filter(move |m| only || !noise(m))
    }

    fn help(&self) -> &'static str {
        self.machine_help().unwrap_or(
            "run the model with backend=\"cpu\", or replace the operator named here; please report what TensorRT \
             refused",
        )
    }

    /// What to do where the machine failed, and not the network.
    fn machine_help(&self) -> Option<&'static str> {
        let mentions = |words: &[&str]| self.reasons().any(|m| words.iter().any(|word| m.text.contains(word)));
        if mentions(&["generateForCurrent", "CUDA_SUCCESS", "Cuda Runtime", "CUDA initialization failure"]) {
            return Some("this build needs a GPU that works: run it where nvidia-smi shows one");
        }
        if mentions(&["OutOfMemory", "out of memory", "insufficient memory"]) {
            return Some("free GPU memory, or lower max_workspace_size or the largest shapes");
        }
        None
    }
}

impl std::error::Error for Refusal {}

/// A layer, input or output of the network, and where in the model it comes from.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// The kind of layer; `input` or `output` where it is none.
    pub kind: &'static str,
    /// Types and sizes of what goes in, such as `float32[1,3,224,224]`.
    pub inputs: Vec<String>,
    /// Where in the model it comes from.
    pub origin: Option<Arc<Origin>>,
    /// Nodes of the program that it stands for.
    pub nodes: Vec<usize>,
}

impl Place {
    pub(crate) fn layer(network: &Network, layer: &Layer) -> Self {
        Self {
            name: layer.name.clone(),
            kind: layer.op.name(),
            inputs: layer.used().map(|id| network.tensor(id).type_text()).collect(),
            origin: Some(layer.origin.clone()),
            nodes: network.nodes_of(layer),
        }
    }

    pub(crate) fn input(name: &str, network: &Network, id: TensorId) -> Self {
        let (inputs, nodes) = (vec![network.tensor(id).type_text()], network.nodes_reading(id));
        Self { name: name.to_owned(), kind: "input", inputs, origin: None, nodes }
    }

    pub(crate) fn output(name: &str, network: &Network, id: TensorId) -> Self {
        let producer = network.producer(id);
        let (origin, nodes) =
            (producer.map(|layer| layer.origin.clone()), producer.map(|layer| network.nodes_of(layer)));
        let inputs = vec![network.tensor(id).type_text()];
        Self { name: name.to_owned(), kind: "output", inputs, origin, nodes: nodes.unwrap_or_default() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind, self.name)?;
        if !self.inputs.is_empty() {
            write!(f, " of {}", self.inputs.join(", "))?;
        }
        match &self.origin {
            Some(origin) => write!(f, ", from {origin}"),
            None => Ok(()),
        }
    }
}

fn on(place: Option<&Place>) -> String {
    place.map_or_else(String::new, |place| format!("\n  {place}"))
}

fn instead(place: Option<&Place>) -> &'static str {
    match place {
        Some(_) => "rewrite the network for this version: passes::legalize does",
        None => "leave the option out",
    }
}

fn accepts(accepted: &[String]) -> String {
    if accepted.is_empty() {
        return "it builds for the GPU of this machine only".to_owned();
    }
    format!("it builds for {}", accepted.join(", "))
}

fn target_help(accepted: &[String]) -> &'static str {
    if accepted.is_empty() {
        return "leave the target out, and build on a machine with that GPU; TensorRT-RTX builds for other GPUs";
    }
    "give one of these, or leave the target out to build for the GPU of this machine"
}

const LIBRARY_HELP: &str = "name the library that has it: plugins=[\"libmyplugin.so\"], or correct the plugin's name, \
                            version or namespace";

const CREATOR_HELP: &str = "use a library whose creator is an IPluginCreatorV3One, or an IPluginCreator";

const OUTPUTS_HELP: &str = "declare what the plugin makes: add_plugin_v2(inputs, plugin, outputs=[(dtype, shape)]), or \
                            correct the operator's fake implementation";

/// What the calls of one layer, input or output may fail with, before it is known which one that is.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The error of the binding.
    TensorRt(trt::Error),
    /// A layer that cannot be emitted as it is.
    Problem(String),
    /// A plugin's outputs are not those that its layer declares.
    Declaration(String),
    /// An error about another layer, already placed.
    Placed(Error),
}

impl From<trt::Error> for Fault {
    fn from(error: trt::Error) -> Self {
        Self::TensorRt(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Placed(error)
    }
}

impl Fault {
    /// Adds the layer to the fault.
    pub(crate) fn at(self, version: trt::Version, place: Place) -> Error {
        let place = Box::new(place);
        match self {
            Self::Placed(error) => error,
            Self::Problem(problem) => Error::Layer { problem, place },
            Self::Declaration(problem) => Error::Plugin { problem, place, help: OUTPUTS_HELP },
            Self::TensorRt(error) => Error::from_trt(error, version, vec![*place]),
        }
    }
}

impl Error {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotInThisVersion { since, place, .. } => format!("use {since}, or {}", instead(place.as_deref())),
            Self::Plugin { help, .. } => (*help).to_owned(),
            Self::BadTarget { accepted, .. } => target_help(accepted).to_owned(),
            Self::Refused(refusal) => refusal.help().to_owned(),
            Self::TensorRt(error) => return error.help(),
            other => other.fixed_help()?.to_owned(),
        })
    }

    fn fixed_help(&self) -> Option<&'static str> {
        Some(match self {
            Self::Layer { .. } => "this is a bug in the conversion: please report it with the operator named above",
            Self::Unbounded { .. } => {
                "bound it: give the input's largest shape (max_shapes), or the axis's torch.export.Dim a max"
            }
            Self::BadProfile { .. } => "give each input's smallest, best and largest shape, in that order",
            _ => return None,
        })
    }

    /// An error of the binding, about these layers.
    pub(crate) fn from_trt(error: trt::Error, version: trt::Version, mut places: Vec<Place>) -> Self {
        match error {
            trt::Error::Cancelled => Self::Cancelled,
            trt::Error::Refused { call, diagnostics, .. } => {
                Self::Refused(Box::new(Refusal { version, call, words: diagnostics, places }))
            }
            trt::Error::NotInThisVersion { call, version, since } => {
                Self::NotInThisVersion { call, version, since, place: places.pop().map(Box::new) }
            }
            error => match places.pop() {
                Some(place) if matches!(error, trt::Error::NoPluginCreator { .. }) => {
                    Self::Plugin { problem: error.to_string(), place: Box::new(place), help: LIBRARY_HELP }
                }
                Some(place) if matches!(error, trt::Error::PluginCreatorKind { .. }) => {
                    Self::Plugin { problem: error.to_string(), place: Box::new(place), help: CREATOR_HELP }
                }
                Some(place) => Self::Layer { problem: error.to_string(), place: Box::new(place) },
                None => Self::TensorRt(error),
            },
        }
    }

    /// Nodes of the program that TensorRT rejects; empty where the machine is at fault, or no layer is named.
    pub fn nodes(&self) -> Vec<usize> {
        if matches!(self, Self::Refused(refusal) if refusal.machine_help().is_some()) {
            return Vec::new();
        }
        self.places().iter().flat_map(|place| place.nodes.iter().copied()).collect()
    }

    /// The layers that a refusal is about.
    pub fn places(&self) -> &[Place] {
        match self {
            Self::Refused(refusal) => &refusal.places,
            Self::Layer { place, .. }
            | Self::Plugin { place, .. }
            | Self::NotInThisVersion { place: Some(place), .. } => std::slice::from_ref(place),
            _ => &[],
        }
    }
}
