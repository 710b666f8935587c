//! The ONNX graph while it is being made: values by number, nodes, initializers.
//!
//! Names are given at the end, when it is known what is left: nodes that nothing needs are dropped, so lowering
//! may emit freely and look back. It must not know networks beyond their element types.

use crate::proto::{
    AttributeProto, DataType, Dimension, DimensionValue, GraphProto, NodeProto, TensorShapeProto, TensorTypeProto,
    TypeProto, ValueInfoProto,
};
use bytes::Bytes;
use network::Dim;
use std::collections::{HashMap, HashSet};

/// A value of the graph: an input, an initializer, or the output of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Value(u32);

/// A layer with one output gives one value.
impl From<Value> for Vec<Value> {
    fn from(value: Value) -> Self {
        vec![value]
    }
}

impl Value {
    /// Stands for an optional input that is left out.
    pub const ABSENT: Self = Self(u32::MAX);
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Attr {
    Int(i64),
    Ints(Vec<i64>),
    Float(f32),
    Text(String),
    Texts(Vec<String>),
    Branch(Branch),
}

/// One branch of an `If` node, or the body of a `Scan`: nodes that run only there. They read values of the graph around
/// them, and the body's own inputs, which have the type of its output.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Branch {
    pub inputs: Vec<Value>,
    pub nodes: Vec<Node>,
    pub output: Value,
    pub data_type: DataType,
}

impl Branch {
    /// Every value that the nodes read.
    fn reads(&self) -> impl Iterator<Item = &Value> {
        self.nodes.iter().flat_map(Node::reads)
    }
}

impl From<i64> for Attr {
    fn from(v: i64) -> Self {
        Self::Int(v)
    }
}
impl From<usize> for Attr {
    fn from(v: usize) -> Self {
        Self::Int(v as i64)
    }
}
impl From<bool> for Attr {
    fn from(v: bool) -> Self {
        Self::Int(i64::from(v))
    }
}
impl From<f32> for Attr {
    fn from(v: f32) -> Self {
        Self::Float(v)
    }
}
impl From<&str> for Attr {
    fn from(v: &str) -> Self {
        Self::Text(v.to_owned())
    }
}
impl From<&[&str]> for Attr {
    fn from(v: &[&str]) -> Self {
        Self::Texts(v.iter().map(|text| (*text).to_owned()).collect())
    }
}
impl From<Vec<i64>> for Attr {
    fn from(v: Vec<i64>) -> Self {
        Self::Ints(v)
    }
}

/// A node that is yet to be named.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub op: &'static str,
    pub inputs: Vec<Value>,
    pub outputs: Vec<Value>,
    pub attributes: Vec<(&'static str, Attr)>,
    /// The name asked for; the outputs are named after it.
    pub name: String,
    /// For people: where in the model it comes from.
    pub origin: String,
}

impl Node {
    /// Every value that the node reads, those of its branches included.
    fn reads(&self) -> Box<dyn Iterator<Item = &Value> + '_> {
        let branches = self.attributes.iter().filter_map(|(_, value)| match value {
            Attr::Branch(branch) => Some(branch),
            _ => None,
        });
        Box::new(self.inputs.iter().chain(branches.flat_map(Branch::reads)))
    }
}

/// A constant of the graph.
#[derive(Clone, Debug)]
pub(crate) struct Initializer {
    pub value: Value,
    pub name: String,
    pub data_type: DataType,
    pub dims: Vec<i64>,
    pub data: Bytes,
}

/// A value whose type is written down.
struct Port {
    name: String,
    value: Value,
    data_type: DataType,
    dims: Vec<Dim>,
}

/// Equal initializers are stored once: large ones are equal when they are the same memory.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Small(Bytes),
    Large(usize, usize),
}

/// Up to this many bytes, constants are compared by content.
const SMALL: usize = 256;

#[derive(Default)]
pub(crate) struct Graph {
    count: u32,
    nodes: Vec<Node>,
    initializers: Vec<Initializer>,
    known: HashMap<(Identity, DataType, Vec<i64>), Value>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    typed: Vec<Port>,
    /// Outputs of `nodes`.
    made: HashSet<Value>,
    /// Values of `outputs`.
    exported: HashSet<Value>,
}

/// A finished graph: everything named, nothing unneeded.
pub(crate) struct Finished {
    pub nodes: Vec<NodeProto>,
    pub initializers: Vec<Initializer>,
    pub inputs: Vec<ValueInfoProto>,
    pub outputs: Vec<ValueInfoProto>,
    pub typed: Vec<ValueInfoProto>,
}

impl Graph {
    fn value(&mut self) -> Value {
        self.count += 1;
        Value(self.count - 1)
    }

    pub fn input(&mut self, name: &str, data_type: DataType, dims: &[Dim]) -> Value {
        let value = self.value();
        self.inputs.push(Port { name: name.to_owned(), value, data_type, dims: dims.to_vec() });
        value
    }

    /// Marks a value as an output. An output is named by its node, so what is no node's, or already an output's,
    /// goes through an identity.
    pub fn output(&mut self, name: &str, value: Value, data_type: DataType, dims: &[Dim]) {
        let value = if self.made.contains(&value) && !self.exported.contains(&value) {
            value
        } else {
            self.node("Identity", &[value], 1, &[], format!("{name}/Identity"), String::new())[0]
        };
        self.exported.insert(value);
        self.outputs.push(Port { name: name.to_owned(), value, data_type, dims: dims.to_vec() });
    }

    /// Writes down the type of a value in between.
    pub fn annotate(&mut self, value: Value, data_type: DataType, dims: &[Dim]) {
        self.typed.push(Port { name: String::new(), value, data_type, dims: dims.to_vec() });
    }

    /// Adds a node; its outputs are returned.
    pub fn node(
        &mut self,
        op: &'static str,
        inputs: &[Value],
        outputs: usize,
        attributes: &[(&'static str, Attr)],
        name: String,
        origin: String,
    ) -> Vec<Value> {
        let outputs: Vec<_> = (0..outputs).map(|_| self.value()).collect();
        self.made.extend(&outputs);
        let (inputs, attributes) = (inputs.to_vec(), attributes.to_vec());
        self.nodes.push(Node { op, inputs, outputs: outputs.clone(), attributes, name, origin });
        outputs
    }

    /// An input of a body.
    pub fn formal(&mut self) -> Value {
        self.value()
    }

    /// Number of nodes so far: where a branch begins.
    pub fn mark(&self) -> usize {
        self.nodes.len()
    }

    /// Takes the nodes that were added since a mark out of the graph, as a branch with this output.
    pub fn branch(&mut self, mark: usize, output: Value, data_type: DataType) -> Branch {
        let nodes = self.nodes.split_off(mark);
        for value in nodes.iter().flat_map(|node| &node.outputs) {
            self.made.remove(value);
        }
        Branch { inputs: Vec::new(), nodes, output, data_type }
    }

    /// Adds a constant, or finds it.
    pub fn initializer(&mut self, name: String, data_type: DataType, dims: &[i64], data: Bytes) -> Value {
        let identity = match data.len() {
            0..=SMALL => Identity::Small(data.clone()),
            len => Identity::Large(data.as_ptr().addr(), len),
        };
        let key = (identity, data_type, dims.to_vec());
        if let Some(value) = self.known.get(&key) {
            return *value;
        }
        let value = self.value();
        self.initializers.push(Initializer { value, name, data_type, dims: dims.to_vec(), data });
        self.known.insert(key, value);
        value
    }

    /// Drops what no output needs, and names the rest.
    pub fn finish(mut self) -> Finished {
        self.drop_unneeded();
        let mut names = Names::default();
        for port in self.inputs.iter().chain(&self.outputs) {
            names.fix(port.value, &port.name);
        }
        for initializer in &mut self.initializers {
            initializer.name = names.of_initializer(initializer.value, &initializer.name);
        }
        let nodes = self.nodes.iter().map(|node| names.of_node(node)).collect();
        let between = names.between(&self.nodes, &self.outputs);
        let typed =
            self.typed.drain(..).filter_map(|port| Some(Port { name: between.get(&port.value)?.clone(), ..port }));
        let typed: Vec<Port> = typed.collect();
        Finished {
            nodes,
            initializers: self.initializers,
            inputs: self.inputs.iter().map(Port::info).collect(),
            outputs: self.outputs.iter().map(Port::info).collect(),
            typed: typed.iter().map(Port::info).collect(),
        }
    }

    fn drop_unneeded(&mut self) {
        let mut needed: HashSet<Value> = self.outputs.iter().map(|o| o.value).collect();
        self.nodes.reverse();
        self.nodes.retain(|node| {
            let keep = node.outputs.iter().any(|o| needed.contains(o));
            if keep {
                needed.extend(node.reads());
            }
            keep
        });
        self.nodes.reverse();
        self.initializers.retain(|i| needed.contains(&i.value));
    }
}

impl Port {
    fn info(&self) -> ValueInfoProto {
        let dimension = |dim: &Dim| {
            let value = match dim {
                Dim::Static(n) => DimensionValue::DimValue(*n),
                Dim::Symbolic(e) => DimensionValue::DimParam(e.to_string()),
            };
            Dimension { value: Some(value) }
        };
        let shape = TensorShapeProto { dim: self.dims.iter().map(dimension).collect() };
        let tensor = TensorTypeProto { elem_type: Some(self.data_type as i32), shape: Some(shape) };
        ValueInfoProto { name: Some(self.name.clone()), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
    }
}

/// Names of values and nodes, each unique.
#[derive(Default)]
struct Names {
    values: HashMap<Value, String>,
    taken: HashMap<String, u32>,
    nodes: HashMap<String, u32>,
}

impl Names {
    fn fix(&mut self, value: Value, name: &str) {
        self.taken.insert(name.to_owned(), 1);
        self.values.insert(value, name.to_owned());
    }

    fn of_initializer(&mut self, value: Value, base: &str) -> String {
        let name = unique(&mut self.taken, base);
        self.values.insert(value, name.clone());
        name
    }

    /// The names of what nodes make and no output is.
    fn between(&self, nodes: &[Node], outputs: &[Port]) -> HashMap<Value, String> {
        let made = nodes.iter().flat_map(|node| &node.outputs);
        let outputs: HashSet<Value> = outputs.iter().map(|port| port.value).collect();
        let inner = made.filter(|value| !outputs.contains(value));
        inner.filter_map(|value| Some((*value, self.values.get(value)?.clone()))).collect()
    }

    fn of_node(&mut self, node: &Node) -> NodeProto {
        let name = unique(&mut self.nodes, &node.name);
        for (k, output) in node.outputs.iter().enumerate() {
            if !self.values.contains_key(output) {
                let base = if k == 0 { name.clone() } else { format!("{name}:{k}") };
                let unique = unique(&mut self.taken, &base);
                self.values.insert(*output, unique);
            }
        }
        let attribute = node.attributes.iter().map(|(name, value)| self.attribute(name, value)).collect();
        // An absent input has no name, which is how ONNX writes it.
        let text = |v: &Value| self.values.get(v).cloned().unwrap_or_default();
        NodeProto {
            input: node.inputs.iter().map(text).collect(),
            output: node.outputs.iter().map(text).collect(),
            name: Some(name),
            op_type: Some(node.op.to_owned()),
            attribute,
            doc_string: (!node.origin.is_empty()).then(|| node.origin.clone()),
        }
    }

    fn attribute(&mut self, name: &str, value: &Attr) -> AttributeProto {
        let base = AttributeProto { name: Some(name.to_owned()), ..AttributeProto::default() };
        match value {
            Attr::Float(f) => AttributeProto { f: Some(*f), r#type: Some(1), ..base },
            Attr::Int(i) => AttributeProto { i: Some(*i), r#type: Some(2), ..base },
            Attr::Text(s) => AttributeProto { s: Some(s.clone().into()), r#type: Some(3), ..base },
            Attr::Texts(v) => {
                AttributeProto { strings: v.iter().map(|text| text.clone().into()).collect(), r#type: Some(8), ..base }
            }
            Attr::Ints(v) => AttributeProto { ints: v.clone(), r#type: Some(7), ..base },
            Attr::Branch(branch) => AttributeProto { g: Some(self.of_branch(name, branch)), r#type: Some(5), ..base },
        }
    }

    fn of_branch(&mut self, name: &str, branch: &Branch) -> GraphProto {
        for input in &branch.inputs {
            let name = unique(&mut self.taken, &format!("{name}/input"));
            self.values.insert(*input, name);
        }
        let node = branch.nodes.iter().map(|node| self.of_node(node)).collect();
        let tensor = TensorTypeProto { elem_type: Some(branch.data_type as i32), shape: None };
        let info = |value: &Value| ValueInfoProto {
            name: self.values.get(value).cloned(),
            r#type: Some(TypeProto { tensor_type: Some(tensor.clone()) }),
        };
        let (input, output) = (branch.inputs.iter().map(info).collect(), vec![info(&branch.output)]);
        GraphProto { node, name: Some(name.to_owned()), input, output, ..GraphProto::default() }
    }
}

/// `base`, or `base_2`, `base_3` … when it is taken.
fn unique(taken: &mut HashMap<String, u32>, base: &str) -> String {
    let mut name = base.to_owned();
    while taken.contains_key(&name) {
        let count = taken.entry(base.to_owned()).or_insert(1);
        *count += 1;
        name = format!("{base}_{count}");
    }
    taken.insert(name.clone(), 1);
    name
}
