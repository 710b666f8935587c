//! What the tests share: ONNX models written by hand, random tensors, and the ONNX Runtime to run on.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a failed set-up is a failed test")]

use bytes::Bytes;
use prost::Message;
use rand::distr::{Distribution, StandardUniform};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use runtime::{CpuEngine, CpuOptions, DataType, Dim, EngineSpec, IoSpec, OnnxRuntime, Weight};
use std::path::{Path, PathBuf};

/// The few messages of `onnx.proto3` that a model needs. Field numbers are the schema's.
pub mod proto {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Model {
        #[prost(int64, tag = "1")]
        pub ir_version: i64,
        #[prost(message, optional, tag = "7")]
        pub graph: Option<Graph>,
        #[prost(message, repeated, tag = "8")]
        pub opset_import: Vec<Opset>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Opset {
        #[prost(string, tag = "1")]
        pub domain: String,
        #[prost(int64, tag = "2")]
        pub version: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Graph {
        #[prost(message, repeated, tag = "1")]
        pub node: Vec<Node>,
        #[prost(string, tag = "2")]
        pub name: String,
        #[prost(message, repeated, tag = "5")]
        pub initializer: Vec<Tensor>,
        #[prost(message, repeated, tag = "11")]
        pub input: Vec<Value>,
        #[prost(message, repeated, tag = "12")]
        pub output: Vec<Value>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Node {
        #[prost(string, repeated, tag = "1")]
        pub input: Vec<String>,
        #[prost(string, repeated, tag = "2")]
        pub output: Vec<String>,
        #[prost(string, tag = "3")]
        pub name: String,
        #[prost(string, tag = "4")]
        pub op_type: String,
        #[prost(message, repeated, tag = "5")]
        pub attribute: Vec<Attribute>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Attribute {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(int64, tag = "3")]
        pub i: i64,
        #[prost(int64, repeated, tag = "8")]
        pub ints: Vec<i64>,
        #[prost(int32, tag = "20")]
        pub kind: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Tensor {
        #[prost(int64, repeated, tag = "1")]
        pub dims: Vec<i64>,
        #[prost(int32, tag = "2")]
        pub data_type: i32,
        #[prost(string, tag = "8")]
        pub name: String,
        #[prost(bytes = "vec", tag = "9")]
        pub raw_data: Vec<u8>,
        #[prost(message, repeated, tag = "13")]
        pub external_data: Vec<Entry>,
        #[prost(int32, tag = "14")]
        pub data_location: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Entry {
        #[prost(string, tag = "1")]
        pub key: String,
        #[prost(string, tag = "2")]
        pub value: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Value {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(message, optional, tag = "2")]
        pub ty: Option<Type>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Type {
        #[prost(message, optional, tag = "1")]
        pub tensor: Option<TensorType>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct TensorType {
        #[prost(int32, tag = "1")]
        pub elem_type: i32,
        #[prost(message, optional, tag = "2")]
        pub shape: Option<Shape>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Shape {
        #[prost(message, repeated, tag = "1")]
        pub dim: Vec<DimValue>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct DimValue {
        #[prost(oneof = "DimKind", tags = "1, 2")]
        pub kind: Option<DimKind>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum DimKind {
        #[prost(int64, tag = "1")]
        Value(i64),
        #[prost(string, tag = "2")]
        Param(String),
    }
}

/// A model under construction, together with its weights and its spec.
#[derive(Default)]
pub struct Model {
    pub graph: proto::Graph,
    pub weights: Vec<Weight>,
    pub spec: EngineSpec,
}

impl Model {
    pub fn input(mut self, name: &str, dtype: DataType, dims: &str) -> Self {
        let io = IoSpec::new(name, dtype, parse_dims(dims));
        self.graph.input.push(value_info(&io));
        self.spec.inputs.push(io);
        self
    }

    pub fn output(mut self, name: &str, dtype: DataType, dims: &str) -> Self {
        let io = IoSpec::new(name, dtype, parse_dims(dims));
        self.graph.output.push(value_info(&io));
        self.spec.outputs.push(io);
        self
    }

    /// A node named after its output.
    pub fn node(self, op: &str, inputs: &[&str], output: &str) -> Self {
        self.node_with(op, inputs, output, Vec::new())
    }

    pub fn node_with(mut self, op: &str, inputs: &[&str], output: &str, attribute: Vec<proto::Attribute>) -> Self {
        self.graph.node.push(proto::Node {
            input: inputs.iter().map(ToString::to_string).collect(),
            output: vec![output.to_owned()],
            name: format!("node_{output}"),
            op_type: op.to_owned(),
            attribute,
        });
        self
    }

    /// A weight outside the model.
    pub fn weight(mut self, name: &str, dtype: DataType, dims: &[i64], data: Bytes) -> Self {
        let location = proto::Entry { key: "location".into(), value: "weights".into() };
        self.graph.initializer.push(proto::Tensor {
            dims: dims.to_vec(),
            data_type: onnx_code(dtype),
            name: name.to_owned(),
            raw_data: Vec::new(),
            external_data: vec![location],
            data_location: 1,
        });
        self.weights.push(Weight { name: name.to_owned(), dtype, dims: dims.to_vec(), data });
        self
    }

    /// An initializer inside the model.
    pub fn constant(mut self, name: &str, dtype: DataType, dims: &[i64], data: &[u8]) -> Self {
        self.graph.initializer.push(proto::Tensor {
            dims: dims.to_vec(),
            data_type: onnx_code(dtype),
            name: name.to_owned(),
            raw_data: data.to_vec(),
            ..Default::default()
        });
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let opset = proto::Opset { domain: String::new(), version: 19 };
        proto::Model { ir_version: 9, graph: Some(self.graph.clone()), opset_import: vec![opset] }.encode_to_vec()
    }

    pub fn try_engine(self, options: &CpuOptions) -> runtime::Result<CpuEngine> {
        let bytes = self.bytes();
        CpuEngine::new(&onnx_runtime(), bytes.into(), self.weights, self.spec, options)
    }

    pub fn engine(self) -> CpuEngine {
        self.try_engine(&CpuOptions::default()).unwrap()
    }
}

pub fn int(name: &str, value: i64) -> proto::Attribute {
    proto::Attribute { name: name.into(), i: value, kind: 2, ..Default::default() }
}

pub fn ints(name: &str, values: &[i64]) -> proto::Attribute {
    proto::Attribute { name: name.into(), ints: values.to_vec(), kind: 7, ..Default::default() }
}

/// `"n, 3, 2*n"`.
pub fn parse_dims(text: &str) -> Vec<Dim> {
    text.split(',').map(str::trim).filter(|dim| !dim.is_empty()).map(|dim| Dim::parse(dim).unwrap()).collect()
}

fn value_info(io: &IoSpec) -> proto::Value {
    let dim = |dim: &Dim| match dim {
        Dim::Static(n) => proto::DimKind::Value(*n),
        Dim::Symbolic(expr) => proto::DimKind::Param(expr.to_string()),
    };
    let shape = proto::Shape { dim: io.dims.iter().map(|d| proto::DimValue { kind: Some(dim(d)) }).collect() };
    let tensor = proto::TensorType { elem_type: onnx_code(io.dtype), shape: Some(shape) };
    proto::Value { name: io.name.clone(), ty: Some(proto::Type { tensor: Some(tensor) }) }
}

pub fn onnx_code(dtype: DataType) -> i32 {
    match dtype {
        DataType::Float32 => 1,
        DataType::UInt8 => 2,
        DataType::Int8 => 3,
        DataType::Int16 => 5,
        DataType::Int32 => 6,
        DataType::Int64 => 7,
        DataType::Bool => 9,
        DataType::Float16 => 10,
        DataType::Float64 => 11,
        DataType::BFloat16 => 16,
        DataType::Float8E4M3 => 17,
        DataType::Float8E5M2 => 19,
    }
}

/// The ONNX Runtime of the environment variable, or of the repository's virtual environment.
pub fn onnx_runtime() -> OnnxRuntime {
    OnnxRuntime::load(None, &site_packages()).unwrap()
}

pub fn site_packages() -> Vec<PathBuf> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/lib");
    let entries = lib.read_dir().map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    entries.into_iter().map(|entry| entry.path().join("site-packages")).collect()
}

/// A generator with a fresh seed, printed so that a failure can be repeated with `TEST_SEED`.
pub fn rng() -> StdRng {
    let seed = std::env::var("TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| rand::rng().random());
    println!("TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

pub fn random<T>(rng: &mut StdRng, count: usize) -> Vec<T>
where
    StandardUniform: Distribution<T>,
{
    (0..count).map(|_| rng.random()).collect()
}

/// Plain numbers as bytes.
pub trait Plain: Copy {}
impl Plain for f32 {}
impl Plain for f64 {}
impl Plain for i64 {}
impl Plain for i32 {}
impl Plain for i16 {}
impl Plain for u16 {}
impl Plain for i8 {}
impl Plain for u8 {}
impl Plain for u64 {}

pub fn as_bytes<T: Plain>(data: &[T]) -> &[u8] {
    // SAFETY: `Plain` is numbers without padding; the slice covers exactly them.
    unsafe { std::slice::from_raw_parts(data.as_ptr().cast(), size_of_val(data)) }
}

pub fn as_bytes_mut<T: Plain>(data: &mut [T]) -> &mut [u8] {
    // SAFETY: as in `as_bytes`; every byte pattern is a number.
    unsafe { std::slice::from_raw_parts_mut(data.as_mut_ptr().cast(), size_of_val(data)) }
}

/// Numbers as shared bytes that own them.
pub fn owned_bytes<T: Plain + Send + 'static>(data: Vec<T>) -> Bytes {
    struct Owner<T>(Vec<T>);
    impl<T: Plain> AsRef<[u8]> for Owner<T> {
        fn as_ref(&self) -> &[u8] {
            as_bytes(&self.0)
        }
    }
    Bytes::from_owner(Owner(data))
}

pub fn to_vec<T: Plain>(bytes: &[u8]) -> Vec<T> {
    // SAFETY: every byte pattern is a number; reads are unaligned and within the slice.
    bytes.chunks_exact(size_of::<T>()).map(|chunk| unsafe { chunk.as_ptr().cast::<T>().read_unaligned() }).collect()
}
