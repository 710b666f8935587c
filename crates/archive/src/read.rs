//! Graph to program: one node per live operator call.
//!
//! What an archive's graph has and a program does not: arithmetic on sizes, whose results the archive records as
//! expressions; assertions, and whatever only they use; blocks that only switch gradients. It is what
//! `python/torch2trt/capture/walk.py` does with the graph in memory.

use crate::arguments::{self, Values};
use crate::captured::Captured;
use crate::model::{Argument as Given, Constant, ExportedProgram, Graph, Node, NumberArgument, OutputSpec, TensorMeta};
use crate::strided::Layout;
use crate::values::Symbols;
use crate::weights::Weights;
use crate::{Archive, Error, Result, Signature, graph, model, origin, schema};
use bytes::Bytes;
use dims::Dim;
use indexmap::IndexMap;
use program::{Argument, Program, ScalarType, Source, Value, ValueId, WeightKind};
use std::collections::{HashMap, HashSet};

/// The program of an exported one.
pub(crate) fn read(
    exported: ExportedProgram,
    captured: Option<Captured>,
    weights: &mut Weights<'_>,
    torch_version: String,
) -> Result<Archive> {
    let ExportedProgram { graph_module: module, range_constraints } = exported;
    let mut graph = module.graph;
    graph::inline_grad_modes(&mut graph)?;
    graph::functional(&graph)?;
    let call =
        module.module_call_graph.iter().find(|call| call.fqn.is_empty()).and_then(|call| call.signature.as_ref());
    let signature = call.and_then(|call| Signature::read(call, &module.treespec_namedtuple_fields));
    let written = written(&module.signature.output_specs);
    let mut outputs: Vec<Given> =
        module.signature.output_specs.iter().filter_map(OutputSpec::returned).cloned().collect();
    for (place, name) in captured.iter().flat_map(|captured| &captured.unreturned) {
        if let Some(output) = outputs.get_mut(*place) {
            *output = Given::Number(NumberArgument::Name(name.clone()));
        }
    }
    let outputs: Vec<&Given> = outputs.iter().collect();
    let given = captured.as_ref().map(|captured| captured.symbols.clone()).unwrap_or_default();
    let symbols = Symbols::new(&graph, range_constraints, given);
    let live = graph::live(&graph, &outputs, &symbols.numbers);
    let program = Program::new();
    let (ids, computed) = (HashMap::new(), HashMap::new());
    let mut reader = Reader { graph: &graph, live, program, ids, computed, symbols, source: Source::default() };
    let names = match &captured {
        Some(captured) => Some(captured.inputs().iter().map(|leaf| leaf.name.clone()).collect()),
        None => signature.as_ref().map(Signature::input_names),
    };
    let inputs = reader.bind_inputs(&module.signature.input_specs, names)?;
    reader.bind_weights(&module.signature.input_specs, weights)?;
    for node in &graph.nodes {
        reader.record(node)?;
    }
    let outputs = match &captured {
        Some(captured) => reader.bind_described(&outputs, captured.outputs())?,
        None => reader.bind_outputs(&outputs, signature.as_ref(), &inputs)?,
    };
    reader.symbols.narrow(&mut reader.program);
    if let Some(captured) = &captured {
        captured.check(&inputs, &outputs)?;
    }
    Ok(Archive { program: reader.program, inputs, outputs, signature, written, captured, torch_version })
}

/// The names of what the model writes to.
fn written(specs: &[OutputSpec]) -> Vec<String> {
    let mut written: Vec<String> = specs.iter().filter_map(OutputSpec::written).map(str::to_owned).collect();
    written.sort_unstable();
    written.dedup();
    written
}

impl OutputSpec {
    fn returned(&self) -> Option<&Given> {
        if let Self::UserOutput { arg } = self { Some(arg) } else { None }
    }

    fn written(&self) -> Option<&str> {
        match self {
            Self::BufferMutation { buffer_name: name }
            | Self::ParameterMutation { parameter_name: name }
            | Self::UserInputMutation { user_input_name: name } => Some(name),
            _ => None,
        }
    }
}

/// The state of one walk: values seen so far, and the place of the node that is read, which errors are about.
pub(crate) struct Reader<'g> {
    graph: &'g Graph,
    pub(crate) live: HashSet<&'g str>,
    pub(crate) program: Program,
    pub(crate) ids: HashMap<&'g str, ValueId>,
    /// Integers computed from data, and the symbol of each.
    pub(crate) computed: HashMap<&'g str, String>,
    pub(crate) symbols: Symbols<'g>,
    pub(crate) source: Source,
}

impl<'g> Reader<'g> {
    pub(crate) fn define(&mut self, name: &'g str, id: ValueId) -> Result<()> {
        match self.ids.insert(name, id) {
            None => Ok(()),
            Some(_) => Err(Error::inconsistent(format!("`{name}` is defined twice"))),
        }
    }

    pub(crate) fn meta(&self, name: &str) -> Result<&'g TensorMeta> {
        let found = self.graph.tensor_values.get(name);
        found.ok_or_else(|| Error::inconsistent(format!("there is no metadata of the tensor `{name}`")))
    }

    // Nodes

    fn record(&mut self, node: &'g Node) -> Result<()> {
        let (mut live, mut numbers) = (false, true);
        for output in &node.outputs {
            numbers &= matches!(output, Given::Number(_));
            output.each_name(&mut |name| live |= self.live.contains(name));
        }
        if !live {
            return Ok(());
        }
        if let [Given::Number(NumberArgument::Name(name))] = node.outputs.as_slice() {
            return self.record_number(node, name);
        }
        if numbers {
            return Ok(());
        }
        self.source = origin::source(&node.metadata);
        let target = self.target(node)?;
        let mut arguments = arguments::read(node, target, schema::of(target), self)?;
        let name = node.name.clone().unwrap_or_else(|| first_name(node));
        let mut target = target.to_owned();
        if matches!(target.as_str(), "aten.as_strided.default" | "aten.as_strided_copy.default")
            && let Some(elements) = self.elements(node, &target, &arguments)?
        {
            "aten.take.default".clone_into(&mut target);
            let index = self.constant(&first_name(node), &name, &elements)?;
            arguments.truncate(1);
            arguments.insert("index".to_owned(), Argument::Value(index));
        }
        let (names, values) = self.outputs(node, &name)?;
        let node = program::Node { target, arguments, outputs: Vec::new(), source: self.source.clone() };
        let ids = self.program.add_node(node, values)?;
        for (name, id) in names.into_iter().zip(ids) {
            if let (Some(name), Some(id)) = (name, id) {
                self.define(name, id)?;
            }
        }
        Ok(())
    }

    /// The overload that a node calls.
    fn target(&self, node: &'g Node) -> Result<&'g str> {
        match node.target.strip_prefix("torch.ops.") {
            Some(target) if target.starts_with("higher_order.") => Err(self.error(
                format!("{target} (control flow with sub-graphs) is not implemented"),
                "write both sides as tensors and choose with torch.where",
            )),
            Some(target) => Ok(target),
            None => Err(self.error(
                format!("{} is not an operator of PyTorch's dispatcher", node.target),
                "write that part of the model with tensor operations",
            )),
        }
    }

    /// The outputs of a node: their names in the graph, and what the program knows of them.
    #[allow(clippy::type_complexity, reason = "two lists that run in parallel")]
    fn outputs(&mut self, node: &'g Node, name: &str) -> Result<(Vec<Option<&'g str>>, Vec<Option<Value>>)> {
        let mut names: Vec<Option<&'g str>> = Vec::new();
        let single = matches!(node.outputs.as_slice(), [Given::Tensor(_)]);
        for output in &node.outputs {
            match output {
                Given::None => names.push(None),
                Given::Tensor(name) => names.push(Some(name)),
                Given::OptionalTensor(tensor) => names.push(tensor.name()),
                Given::Tensors(tensors) => names.extend(tensors.iter().map(|tensor| Some(tensor.name.as_str()))),
                Given::OptionalTensors(tensors) => names.extend(tensors.iter().map(model::OptionalTensor::name)),
                _ => {
                    return Err(
                        self.error(format!("{} returns something that is no tensor", node.target), "return tensors")
                    );
                }
            }
        }
        let mut values = Vec::with_capacity(names.len());
        for (k, own) in names.iter().enumerate() {
            let label = if single { name.to_owned() } else { format!("{name}.{k}") };
            values.push(match own {
                Some(own) => self.output(own, label)?,
                None => None,
            });
        }
        Ok((names, values))
    }

    /// An output; outputs that nobody reads are described too, where they can be: parts of a split begin where the ones
    /// before them end.
    fn output(&mut self, own: &'g str, label: String) -> Result<Option<Value>> {
        let meta = self.meta(own)?;
        if !self.live.contains(own) && crate::weights::dtype(meta.dtype).is_none() {
            return Ok(None);
        }
        let read = self.symbols.tensor(&label, meta, None, &mut self.program);
        let (dtype, dims) = read.map_err(|problem| self.error(problem, STATIC))?;
        Ok(Some(Value { name: label, dtype, dims }))
    }

    /// The elements that `as_strided` reads of a tensor that does not lie in order; `None` of one that does.
    fn elements(&self, node: &Node, target: &str, arguments: &IndexMap<String, Argument>) -> Result<Option<Vec<i64>>> {
        let own =
            node.inputs.iter().find_map(|input| if let Given::Tensor(name) = &input.arg { Some(name) } else { None });
        let meta = self.meta(own.map_or("", String::as_str))?;
        let plain = |number: &model::Number| if let model::Number::Int(n) = number { Some(*n) } else { None };
        let sizes: Option<Vec<i64>> = meta.sizes.iter().map(plain).collect();
        let strides: Option<Vec<i64>> = meta.strides.iter().map(plain).collect();
        let offset = meta.storage_offset.as_ref().map_or(Some(0), plain);
        let layout = match (&sizes, &strides, offset) {
            (Some(sizes), Some(strides), Some(offset)) => Some(Layout { sizes, strides, offset }),
            _ => None,
        };
        if layout.as_ref().is_some_and(Layout::is_in_order) {
            return Ok(None);
        }
        let fixed = |name: &str| match arguments.get(name) {
            Some(Argument::Ints(sizes)) => sizes.iter().map(Dim::as_static).collect::<Option<Vec<i64>>>(),
            _ => None,
        };
        let start = match arguments.get("storage_offset") {
            Some(Argument::Int(start)) => start.as_static(),
            _ => offset,
        };
        let (Some(own), Some(size), Some(stride), Some(start)) = (layout, fixed("size"), fixed("stride"), start) else {
            return Err(self.error(
                format!("{target} reads memory at places that depend on input sizes"),
                "make those sizes static, call .contiguous() on the tensor before, or index with tensors",
            ));
        };
        let found = own.elements_at(&Layout { sizes: &size, strides: &stride, offset: start });
        found.map(Some).ok_or_else(|| {
            self.error(
                format!("{target} reads memory outside of the tensor that it is called on"),
                "call .contiguous() on it before, or index with tensors",
            )
        })
    }

    /// A constant that the model does not have, with the sizes of the node that it is for.
    fn constant(&mut self, own: &str, name: &str, elements: &[i64]) -> Result<ValueId> {
        let meta = self.meta(own)?;
        let read = self.symbols.tensor(name, meta, None, &mut self.program);
        let (_, dims) = read.map_err(|problem| self.error(problem, STATIC))?;
        let data: Bytes = elements.iter().flat_map(|element| element.to_le_bytes()).collect::<Vec<u8>>().into();
        let value = Value { name: name.to_owned(), dtype: ScalarType::Int64, dims };
        Ok(self.program.add_weight(value, WeightKind::Constant, data)?)
    }
}

pub(crate) const STATIC: &str = "make that dimension static: leave it out of dynamic_shapes";

impl Values for Reader<'_> {
    fn tensor(&self, name: &str) -> Result<ValueId> {
        let found = self.ids.get(name).copied();
        found.ok_or_else(|| Error::inconsistent(format!("`{name}` is used, and nothing before defines it")))
    }

    fn number(&self, name: &str) -> Result<Argument> {
        let number = self.symbols.numbers.get(name);
        let number =
            number.ok_or_else(|| Error::inconsistent(format!("there is no metadata of the number `{name}`")))?;
        match number {
            model::Number::Int(value) => return Ok(Argument::Int(Dim::Static(*value))),
            model::Number::Float(value) => return Ok(Argument::Float(value.0)),
            model::Number::Bool(value) => return Ok(Argument::Bool(*value)),
            model::Number::Expr(_) => {}
        }
        if let Some(held) = self.held(name, number)? {
            return Ok(held);
        }
        let loose = self.symbols.loose(number)?;
        if !loose.is_empty() {
            return Err(self.error(
                format!("a number read out of a tensor ({}) is an argument of an operator", loose.join(", ")),
                "compute it with tensor operations, or export the model for fixed sizes",
            ));
        }
        if !self.symbols.numbers.is_integer(name) {
            return Err(self.error(format!("`{name}` depends on sizes, and only integers can"), STATIC));
        }
        let size = self.symbols.fixed(number);
        Ok(Argument::Int(size.map_err(|problem| {
            self.error(format!("`{name}` is a size that cannot be expressed exactly: {problem}"), STATIC)
        })?))
    }

    fn error(&self, problem: String, help: &str) -> Error {
        let at = if self.source == Source::default() { String::new() } else { self.source.to_string() };
        Error::Inexpressible { problem, at, help: help.to_owned() }
    }
}

fn first_name(node: &Node) -> String {
    let mut names = Vec::new();
    node.outputs.iter().for_each(|output| output.each_name(&mut |name| names.push(name)));
    names.first().copied().unwrap_or_default().to_owned()
}

pub(crate) fn constant(value: &Constant) -> Argument {
    match value {
        Constant::None(_) => Argument::None,
        Constant::Int(value) => Argument::Int(Dim::Static(*value)),
        Constant::Float(value) => Argument::Float(value.0),
        Constant::String(value) => Argument::String(value.clone()),
        Constant::Bool(value) => Argument::Bool(*value),
    }
}
