//! Graphs as they are walked: functional, with blocks that only switch gradients opened; and which values some output
//! needs.

use crate::model::{Argument, Graph, Node, NumberArgument};
use crate::values::Numbers;
use crate::{Error, Result};
use std::collections::{HashMap, HashSet};

const GRAD_MODE: &str = "torch.ops.higher_order.wrap_with_set_grad_enabled";

/// Replaces every block that only switches gradients by its body.
pub(crate) fn inline_grad_modes(graph: &mut Graph) -> Result<()> {
    if graph.nodes.iter().all(|node| node.target != GRAD_MODE) {
        return Ok(());
    }
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for node in std::mem::take(&mut graph.nodes) {
        if node.target == GRAD_MODE {
            nodes.extend(body(node, graph)?);
        } else {
            nodes.push(node);
        }
    }
    graph.nodes = nodes;
    Ok(())
}

/// The nodes of a block, in terms of the graph around it.
fn body(block: Node, around: &mut Graph) -> Result<Vec<Node>> {
    let wrong = || Error::inconsistent("a block that switches gradients has other inputs or outputs than its body");
    let label = block.name.clone().unwrap_or_default();
    let mut arguments = block.inputs.into_iter().map(|input| input.arg).skip(1);
    let Some(Argument::Graph(body)) = arguments.next() else { return Err(wrong()) };
    let mut body = *body.graph;
    inline_grad_modes(&mut body)?;
    let operands: Vec<Argument> = arguments.collect();
    let results: Vec<Argument> = block.outputs;
    let mut names: HashMap<String, String> = HashMap::new();
    for (inner, outer) in names_of(&body.inputs).zip(names_of(&operands)) {
        names.insert(inner.to_owned(), outer.to_owned());
    }
    if names_of(&body.inputs).count() != names_of(&operands).count() {
        return Err(wrong());
    }
    let (inner, outer): (Vec<&str>, Vec<&str>) = (names_of(&body.outputs).collect(), names_of(&results).collect());
    if inner.len() != outer.len() {
        return Err(wrong());
    }
    // What comes out keeps the name that it has outside; something that comes out twice, or as it went in, cannot.
    for (inner, outer) in inner.iter().zip(&outer) {
        if names.insert((*inner).to_owned(), (*outer).to_owned()).is_some() {
            return Err(Error::Inexpressible {
                problem: format!("the block `{label}`, which switches gradients, returns `{inner}` in two ways"),
                at: String::new(),
                help: format!("save it with {}", crate::error::SAVE),
            });
        }
    }
    let mut renamed = |name: &mut String| {
        let new = names.entry(name.clone()).or_insert_with(|| format!("{label}/{name}"));
        name.clone_from(new);
    };
    for node in &mut body.nodes {
        node.inputs.iter_mut().for_each(|input| rename(&mut input.arg, &mut renamed));
        node.outputs.iter_mut().for_each(|output| rename(output, &mut renamed));
    }
    move_into(body.tensor_values, &mut around.tensor_values, &mut renamed);
    move_into(body.sym_int_values, &mut around.sym_int_values, &mut renamed);
    move_into(body.sym_float_values, &mut around.sym_float_values, &mut renamed);
    move_into(body.sym_bool_values, &mut around.sym_bool_values, &mut renamed);
    Ok(body.nodes)
}

fn move_into<T>(from: HashMap<String, T>, to: &mut HashMap<String, T>, renamed: &mut dyn FnMut(&mut String)) {
    for (mut name, value) in from {
        renamed(&mut name);
        to.entry(name).or_insert(value);
    }
}

fn names_of(arguments: &[Argument]) -> impl Iterator<Item = &str> {
    arguments.iter().flat_map(|argument| {
        let mut names = Vec::new();
        argument.each_name(&mut |name| names.push(name));
        names
    })
}

fn rename(argument: &mut Argument, renamed: &mut dyn FnMut(&mut String)) {
    use crate::model::OptionalTensor as Optional;
    match argument {
        Argument::Tensor(name) | Argument::Number(NumberArgument::Name(name)) => renamed(name),
        Argument::Tensors(tensors) => tensors.iter_mut().for_each(|tensor| renamed(&mut tensor.name)),
        Argument::OptionalTensor(Optional::Tensor(tensor)) => renamed(&mut tensor.name),
        Argument::OptionalTensors(tensors) => {
            for tensor in tensors {
                if let Optional::Tensor(tensor) = tensor {
                    renamed(&mut tensor.name);
                }
            }
        }
        Argument::Numbers(numbers) => {
            for number in numbers {
                if let NumberArgument::Name(name) = number {
                    renamed(name);
                }
            }
        }
        _ => {}
    }
}

/// Refuses a graph with operators that write to their arguments.
pub(crate) fn functional(graph: &Graph) -> Result<()> {
    let writes = |node: &&Node| {
        let mut parts = node.target.trim_start_matches("torch.ops.").split('.').skip(1);
        let (name, overload) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let in_place = name.ends_with('_') && !name.ends_with("__") && node.target.starts_with("torch.ops.");
        in_place || overload == "out" || overload.ends_with("_out")
    };
    let calls: Vec<&Node> = graph.nodes.iter().filter(writes).collect();
    let operators: Vec<String> = calls.iter().map(|node| short(&node.target).to_owned()).collect();
    let mut seen = HashSet::new();
    let operators: Vec<String> = operators.into_iter().filter(|name| seen.insert(name.clone())).collect();
    if calls.is_empty() { Ok(()) } else { Err(Error::NotFunctional { operators, calls: calls.len() }) }
}

fn short(target: &str) -> &str {
    target.strip_prefix("torch.ops.").unwrap_or(target)
}

/// The names of all values that some output needs.
///
/// The value of a size is known without the tensor it was taken from, so the search does not go through sizes, except
/// those found in data, which the tensor that has such a size defines, and floats, which are computed.
pub(crate) fn live<'g>(graph: &'g Graph, outputs: &[&'g Argument], numbers: &Numbers) -> HashSet<&'g str> {
    let mut producers: HashMap<&str, &Node> = HashMap::new();
    for node in &graph.nodes {
        node.outputs.iter().for_each(|output| {
            output.each_name(&mut |name| {
                producers.insert(name, node);
            });
        });
    }
    let mut pending: Vec<&str> = Vec::new();
    for output in outputs {
        output.each_name(&mut |name| pending.push(name));
    }
    let mut found: HashSet<&str> = HashSet::new();
    while let Some(name) = pending.pop() {
        let is_size = |number| !numbers.is_data_dependent(number) && !numbers.is_sized_float(name);
        if !found.insert(name) || numbers.get(name).is_some_and(is_size) {
            continue;
        }
        let Some(node) = producers.get(name) else { continue };
        node.inputs.iter().for_each(|input| input.arg.each_name(&mut |name| pending.push(name)));
    }
    found
}
