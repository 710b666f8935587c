//! The JSON of an archive, as far as it is needed: PyTorch's export schema, major version 8.
//!
//! Fields that are not known are passed over, as the schema's minor versions add some. The file must not know what a
//! program is.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::collections::HashMap;
use std::fmt;

/// `models/model.json`.
#[derive(Deserialize)]
pub(crate) struct ExportedProgram {
    pub(crate) graph_module: GraphModule,
    #[serde(default)]
    pub(crate) range_constraints: HashMap<String, RangeConstraint>,
}

/// The same file, before anything else in it is believed.
#[derive(Deserialize)]
pub(crate) struct Versioned {
    pub(crate) schema_version: SchemaVersion,
    #[serde(default)]
    pub(crate) torch_version: String,
}

#[derive(Deserialize)]
pub(crate) struct SchemaVersion {
    pub(crate) major: u64,
    pub(crate) minor: u64,
}

#[derive(Deserialize)]
pub(crate) struct RangeConstraint {
    pub(crate) min_val: Option<i64>,
    pub(crate) max_val: Option<i64>,
}

#[derive(Deserialize)]
pub(crate) struct GraphModule {
    pub(crate) graph: Graph,
    pub(crate) signature: Signature,
    #[serde(default)]
    pub(crate) module_call_graph: Vec<ModuleCall>,
    #[serde(default)]
    pub(crate) treespec_namedtuple_fields: HashMap<String, NamedTuple>,
}

#[derive(Deserialize)]
pub(crate) struct NamedTuple {
    pub(crate) field_names: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct ModuleCall {
    pub(crate) fqn: String,
    pub(crate) signature: Option<CallSignature>,
}

/// How the model is called; the specs are JSON of pytree's own, as text.
#[derive(Deserialize)]
pub(crate) struct CallSignature {
    pub(crate) in_spec: String,
    pub(crate) out_spec: String,
    pub(crate) forward_arg_names: Option<Vec<String>>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Graph {
    #[serde(default)]
    pub(crate) inputs: Vec<Argument>,
    #[serde(default)]
    pub(crate) outputs: Vec<Argument>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) tensor_values: HashMap<String, TensorMeta>,
    #[serde(default)]
    pub(crate) sym_int_values: HashMap<String, Number>,
    #[serde(default)]
    pub(crate) sym_float_values: HashMap<String, Number>,
    #[serde(default)]
    pub(crate) sym_bool_values: HashMap<String, Number>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Node {
    pub(crate) target: String,
    pub(crate) inputs: Vec<NamedArgument>,
    pub(crate) outputs: Vec<Argument>,
    #[serde(default)]
    pub(crate) metadata: Metadata,
    pub(crate) name: Option<String>,
}

impl Node {
    /// A call that the graph does not have.
    pub(crate) fn of_numbers(target: &str, inputs: Vec<NamedArgument>) -> Self {
        Self { target: target.to_owned(), inputs, outputs: Vec::new(), metadata: Metadata::default(), name: None }
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Metadata {
    pub(crate) stack_trace: String,
    pub(crate) nn_module_stack: String,
}

#[derive(Clone, Deserialize)]
pub(crate) struct NamedArgument {
    pub(crate) name: String,
    pub(crate) arg: Argument,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
}

/// A number or an expression over symbols: `SymInt`, `SymFloat` and `SymBool`.
#[derive(Clone, Deserialize)]
pub(crate) enum Number {
    #[serde(rename = "as_int")]
    Int(i64),
    #[serde(rename = "as_float")]
    Float(Float),
    #[serde(rename = "as_bool")]
    Bool(bool),
    #[serde(rename = "as_expr")]
    Expr(Expression),
}

#[derive(Clone, Deserialize)]
pub(crate) struct Expression {
    /// sympy's `srepr`.
    pub(crate) expr_str: String,
    pub(crate) hint: Option<Hint>,
}

#[derive(Clone, Deserialize)]
pub(crate) enum Hint {
    #[serde(rename = "as_int")]
    Int(i64),
    #[serde(rename = "as_float")]
    Float(IgnoredAny),
    #[serde(rename = "as_bool")]
    Bool(IgnoredAny),
}

/// A number in an argument, or the name of one that the graph computes.
#[derive(Clone, Deserialize)]
pub(crate) enum NumberArgument {
    #[serde(rename = "as_name")]
    Name(String),
    #[serde(rename = "as_int")]
    Int(i64),
    #[serde(rename = "as_float")]
    Float(Float),
    #[serde(rename = "as_bool")]
    Bool(bool),
}

/// JSON has no infinities: they are strings.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "FloatText")]
pub(crate) struct Float(pub(crate) f64);

#[derive(Deserialize)]
#[serde(untagged)]
enum FloatText {
    Number(f64),
    Text(String),
}

impl TryFrom<FloatText> for Float {
    type Error = String;
    fn try_from(text: FloatText) -> Result<Self, String> {
        match text {
            FloatText::Number(value) => Ok(Self(value)),
            FloatText::Text(text) => match text.as_str() {
                "Infinity" | "inf" => Ok(Self(f64::INFINITY)),
                "-Infinity" | "-inf" => Ok(Self(f64::NEG_INFINITY)),
                "NaN" | "nan" => Ok(Self(f64::NAN)),
                _ => Err(format!("`{}` is no number", text.chars().take(40).collect::<String>())),
            },
        }
    }
}

#[derive(Clone, Deserialize)]
pub(crate) enum OptionalTensor {
    #[serde(rename = "as_tensor")]
    Tensor(Named),
    #[serde(rename = "as_none")]
    None(IgnoredAny),
}

impl OptionalTensor {
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Tensor(tensor) => Some(&tensor.name),
            Self::None(_) => None,
        }
    }
}

#[derive(Clone, Deserialize)]
pub(crate) struct Device {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) index: Option<u32>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Complex {
    pub(crate) real: Float,
    pub(crate) imag: Float,
}

#[derive(Clone, Deserialize)]
pub(crate) struct SubGraph {
    pub(crate) graph: Box<Graph>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct TensorMeta {
    pub(crate) dtype: u32,
    pub(crate) sizes: Vec<Number>,
    #[serde(default)]
    pub(crate) strides: Vec<Number>,
    pub(crate) storage_offset: Option<Number>,
    pub(crate) layout: Option<u32>,
}

/// An argument: an object with one key, its type.
#[derive(Clone)]
pub(crate) enum Argument {
    None,
    Tensor(String),
    Tensors(Vec<Named>),
    OptionalTensor(OptionalTensor),
    OptionalTensors(Vec<OptionalTensor>),
    Int(i64),
    Ints(Vec<i64>),
    Float(f64),
    Floats(Vec<Float>),
    Bool(bool),
    Bools(Vec<bool>),
    Text(String),
    Number(NumberArgument),
    Numbers(Vec<NumberArgument>),
    ScalarType(u32),
    MemoryFormat(u32),
    Layout(u32),
    Device(Device),
    Complex(Complex),
    Graph(SubGraph),
    /// Of a kind that is not read here.
    Other(String),
}

impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ArgumentVisitor)
    }
}

struct ArgumentVisitor;

impl<'de> Visitor<'de> for ArgumentVisitor {
    type Value = Argument;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an argument: an object with one key")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Argument, A::Error> {
        let key: Option<String> = map.next_key()?;
        let Some(key) = key else { return Err(serde::de::Error::custom("an argument without a kind")) };
        let argument = match key.as_str() {
            "as_none" => map.next_value::<IgnoredAny>().map(|_| Argument::None)?,
            "as_tensor" => Argument::Tensor(map.next_value::<Named>()?.name),
            "as_tensors" => Argument::Tensors(map.next_value()?),
            "as_optional_tensor" => Argument::OptionalTensor(map.next_value()?),
            "as_optional_tensors" => Argument::OptionalTensors(map.next_value()?),
            "as_int" => Argument::Int(map.next_value()?),
            "as_ints" => Argument::Ints(map.next_value()?),
            "as_float" => Argument::Float(map.next_value::<Float>()?.0),
            "as_floats" => Argument::Floats(map.next_value()?),
            "as_bool" => Argument::Bool(map.next_value()?),
            "as_bools" => Argument::Bools(map.next_value()?),
            "as_string" => Argument::Text(map.next_value()?),
            "as_sym_int" | "as_sym_float" | "as_sym_bool" => Argument::Number(map.next_value()?),
            "as_sym_ints" | "as_sym_floats" | "as_sym_bools" => Argument::Numbers(map.next_value()?),
            "as_scalar_type" => Argument::ScalarType(map.next_value()?),
            "as_memory_format" => Argument::MemoryFormat(map.next_value()?),
            "as_layout" => Argument::Layout(map.next_value()?),
            "as_device" => Argument::Device(map.next_value()?),
            "as_complex" => Argument::Complex(map.next_value()?),
            "as_graph" => Argument::Graph(map.next_value()?),
            _ => {
                map.next_value::<IgnoredAny>()?;
                Argument::Other(key)
            }
        };
        match map.next_key::<IgnoredAny>()? {
            None => Ok(argument),
            Some(_) => Err(serde::de::Error::custom("an argument of two kinds")),
        }
    }
}

impl Argument {
    /// Calls `f` with the name of every value that it refers to.
    pub(crate) fn each_name<'a>(&'a self, f: &mut dyn FnMut(&'a str)) {
        match self {
            Self::Tensor(name) | Self::Number(NumberArgument::Name(name)) => f(name),
            Self::Tensors(tensors) => tensors.iter().for_each(|tensor| f(&tensor.name)),
            Self::OptionalTensor(tensor) => tensor.name().into_iter().for_each(f),
            Self::OptionalTensors(tensors) => tensors.iter().filter_map(OptionalTensor::name).for_each(f),
            Self::Numbers(numbers) => {
                for number in numbers {
                    if let NumberArgument::Name(name) = number {
                        f(name);
                    }
                }
            }
            _ => {}
        }
    }
}

/// What the graph's inputs and outputs stand for.
#[derive(Deserialize)]
pub(crate) struct Signature {
    pub(crate) input_specs: Vec<InputSpec>,
    pub(crate) output_specs: Vec<OutputSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InputSpec {
    UserInput { arg: Argument },
    Parameter { arg: Named, parameter_name: String },
    Buffer { arg: Named, buffer_name: String },
    TensorConstant { arg: Named, tensor_constant_name: String },
    ConstantInput { name: String, value: Constant },
    CustomObj(IgnoredAny),
    Token(IgnoredAny),
}

/// A value that the model was exported with.
#[derive(Clone, Deserialize)]
pub(crate) enum Constant {
    #[serde(rename = "as_none")]
    None(IgnoredAny),
    #[serde(rename = "as_int")]
    Int(i64),
    #[serde(rename = "as_float")]
    Float(Float),
    #[serde(rename = "as_string")]
    String(String),
    #[serde(rename = "as_bool")]
    Bool(bool),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutputSpec {
    UserOutput { arg: Argument },
    LossOutput(IgnoredAny),
    BufferMutation { buffer_name: String },
    ParameterMutation { parameter_name: String },
    UserInputMutation { user_input_name: String },
    GradientToParameter(IgnoredAny),
    GradientToUserInput(IgnoredAny),
    Token(IgnoredAny),
}

/// `data/weights/model_weights_config.json`, and the same of constants.
#[derive(Deserialize)]
pub(crate) struct Payloads {
    pub(crate) config: HashMap<String, Payload>,
}

/// Where a tensor's storage is, and how the tensor is laid out in it.
#[derive(Deserialize)]
pub(crate) struct Payload {
    pub(crate) path_name: String,
    #[serde(default)]
    pub(crate) use_pickle: bool,
    pub(crate) tensor_meta: Option<TensorMeta>,
}
