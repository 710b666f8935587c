//! Numbers read out of tensors (`.item()`), arithmetic on them, and floats that follow from sizes (`h * 0.3`), as
//! operators on 0-D tensors. An integer expression over symbols stays one, see `sizes.rs`.
//!
//! The rules are those of `python/torch2trt/capture/numbers.py` and `floats.py`, so that an archive and the walk in
//! memory give the same program. This file must not know how other nodes are recorded.

use crate::arguments;
use crate::model::{Argument as Given, NamedArgument, Node, Number, NumberArgument};
use crate::read::Reader;
use crate::sizes::{self, Expression};
use crate::{Result, origin, schema};
use dims::Dim;
use indexmap::IndexMap;
use program::{Argument, ScalarType, Symbol, Value, ValueId};

const READS: [&str; 2] = ["torch.ops.aten.item.default", "torch.ops.aten._local_scalar_dense.default"];
const ITEM: &str = "aten.item.default";
const ROUNDINGS: [&str; 4] = ["aten.floor.default", "aten.ceil.default", "aten.trunc.default", "aten.round.default"];

/// The operator on 0-D tensors that computes what a function computes on numbers, and its number of operands.
fn operator(target: &str) -> Option<(&'static str, usize)> {
    Some(match target.strip_prefix("torch._sym_").map_or(target.into(), |name| format!("torch.sym_{name}")).as_str() {
        "_operator.add" => ("aten.add.Tensor", 2),
        "_operator.sub" => ("aten.sub.Tensor", 2),
        "_operator.mul" => ("aten.mul.Tensor", 2),
        "_operator.truediv" => ("aten.div.Tensor", 2),
        "_operator.floordiv" => ("aten.floor_divide.default", 2),
        "_operator.mod" => ("aten.remainder.Tensor", 2),
        "_operator.pow" => ("aten.pow.Tensor_Tensor", 2),
        "_operator.neg" => ("aten.neg.default", 1),
        "_operator.abs" => ("aten.abs.default", 1),
        "_operator.lt" => ("aten.lt.Tensor", 2),
        "_operator.le" => ("aten.le.Tensor", 2),
        "_operator.gt" => ("aten.gt.Tensor", 2),
        "_operator.ge" => ("aten.ge.Tensor", 2),
        "_operator.eq" => ("aten.eq.Tensor", 2),
        "_operator.ne" => ("aten.ne.Tensor", 2),
        "_operator.and_" => ("aten.bitwise_and.Tensor", 2),
        "_operator.or_" => ("aten.bitwise_or.Tensor", 2),
        "_operator.xor" => ("aten.bitwise_xor.Tensor", 2),
        "torch.sym_max" => ("aten.maximum.default", 2),
        "torch.sym_min" => ("aten.minimum.default", 2),
        "torch.sym_not" => ("aten.logical_not.default", 1),
        "torch.sym_ite" => ("aten.where.self", 3),
        "math.floor" | "torch.sym_floor" => ("aten.floor.default", 1),
        "math.ceil" | "torch.sym_ceil" => ("aten.ceil.default", 1),
        "math.trunc" | "torch.sym_int" => ("aten.trunc.default", 1),
        "builtins.round" => ("aten.round.default", 1),
        "math.sqrt" | "torch.sym_sqrt" => ("aten.sqrt.default", 1),
        "math.exp" | "torch.sym_exp" => ("aten.exp.default", 1),
        "math.log2" | "torch.sym_log2" => ("aten.log2.default", 1),
        "math.sin" | "torch.sym_sin" => ("aten.sin.default", 1),
        "math.cos" | "torch.sym_cos" => ("aten.cos.default", 1),
        "math.tanh" | "torch.sym_tanh" => ("aten.tanh.default", 1),
        _ => return None,
    })
}

impl<'g> Reader<'g> {
    /// Records what computes a number, where a tensor has to hold it: numbers that depend on data, and floats.
    pub(crate) fn record_number(&mut self, node: &'g Node, name: &'g str) -> Result<()> {
        let Some(number) = self.symbols.numbers.get(name) else { return Ok(()) };
        self.source = origin::source(&node.metadata);
        if self.symbols.numbers.is_data_dependent(number) {
            if READS.contains(&node.target.as_str()) {
                return self.read_number(node, name, number);
            }
            let is_symbolic = self.symbols.numbers.is_integer(name)
                && self.symbols.loose(number)?.is_empty()
                && self.symbols.fixed(number).is_ok();
            return if is_symbolic { Ok(()) } else { self.compute_number(node, name) };
        }
        if self.symbols.numbers.is_sized_float(name) { self.record_float(node, name) } else { Ok(()) }
    }

    /// `.item()`: a 0-D tensor, which is also the value of a symbol where the number is an integer or a bool.
    fn read_number(&mut self, node: &'g Node, name: &'g str, number: &Number) -> Result<()> {
        let mut symbols = Vec::new();
        let expression = self.symbols.numbers.expression(number)?;
        if self.symbols.numbers.is_bool(name) {
            // PyTorch has a bool as an integer that equals 1.
            symbols = self.symbols.loose(number)?;
            symbols.sort();
            for symbol in &symbols {
                self.symbols.declare_bool(symbol, &mut self.program);
            }
        } else if self.symbols.numbers.is_integer(name)
            && let Some(Expression::Symbol(symbol, _)) = expression.as_deref()
        {
            self.symbols.declare(number, None, &mut self.program)?;
            symbols.push(symbol.clone());
        }
        let Some(Given::Tensor(source)) = node.inputs.first().map(|input| &input.arg) else {
            return Err(crate::Error::inconsistent(format!("`{name}` is read out of no tensor")));
        };
        let source = arguments::Values::tensor(self, source)?;
        let dtype = self.program.value(source).dtype;
        let mut read = IndexMap::from([("self".to_owned(), Argument::Value(source))]);
        if let Some(symbol) = symbols.pop() {
            read.insert("symbol".to_owned(), Argument::String(symbol));
        }
        self.append(node, name, ITEM, read, dtype).map(|_| ())
    }

    /// Arithmetic on numbers as an operator on 0-D tensors.
    fn compute_number(&mut self, node: &'g Node, name: &'g str) -> Result<()> {
        let mut operands: Vec<Given> = node.inputs.iter().map(|input| input.arg.clone()).collect();
        let found = if node.target == "torch.sym_float" && operands.len() == 1 {
            operands.push(Given::Int(1));
            Some(("aten.div.Tensor", 2))
        } else {
            operator(&node.target)
        };
        let Some((target, _)) = found.filter(|(_, count)| *count == operands.len()) else {
            return Err(arguments::Values::error(
                self,
                format!("{} of a number read out of a tensor is not supported", node.target),
                "keep the number a tensor (without .item()) and compute with tensor operations",
            ));
        };
        let dtype = self.dtype_of(name);
        // Rounding gives a float, which becomes an integer below.
        let is_rounded = ROUNDINGS.contains(&target) && dtype == ScalarType::Int64;
        let made = if is_rounded { ScalarType::Float64 } else { dtype };
        let read = match operands.as_slice() {
            // Of one number: it has to be a tensor.
            [Given::Number(NumberArgument::Name(one))] if self.ids.contains_key(one.as_str()) => {
                IndexMap::from([("self".to_owned(), Argument::Value(self.ids[one.as_str()]))])
            }
            _ => self.read_arguments(target, operands)?,
        };
        let id = self.append(node, name, target, read, made)?;
        if dtype == ScalarType::Int64 {
            // Where it stands among sizes it needs a symbol, which the grammar has no expression for.
            let symbol = format!("number{}", self.program.symbols().len());
            self.program.add_symbol(&symbol, Symbol { min: 0, max: None, hint: -1 });
            self.computed.insert(name, symbol.clone());
            let value = ("self".to_owned(), Argument::Value(id));
            let read = IndexMap::from([value, ("symbol".to_owned(), Argument::String(symbol))]);
            self.append(node, name, ITEM, read, dtype)?;
        }
        Ok(())
    }

    /// Records the operator that computes a float from sizes. Without one, whatever uses the number is refused.
    fn record_float(&mut self, node: &'g Node, name: &'g str) -> Result<()> {
        let operands: Vec<&Given> = node.inputs.iter().map(|input| &input.arg).collect();
        if let ("torch.sym_float", [one]) = (node.target.as_str(), operands.as_slice()) {
            if let Some(found) = self.as_tensor(node, name, one)? {
                self.ids.insert(name, found);
            }
            return Ok(());
        }
        let found = operator(&node.target).filter(|(_, count)| *count == operands.len());
        let Some((target, _)) = found else { return Ok(()) };
        let mut tensors = Vec::new();
        for operand in &operands {
            tensors.push(self.as_tensor(node, name, operand)?);
        }
        let Some(tensors) = tensors.into_iter().collect::<Option<Vec<ValueId>>>() else { return Ok(()) };
        let names = schema::of(target).map(|schema| schema.parameters.iter().map(|parameter| parameter.name.clone()));
        let read = names.into_iter().flatten().zip(tensors.into_iter().map(Argument::Value)).collect();
        self.append(node, name, target, read, ScalarType::Float64).map(|_| ())
    }

    /// The 0-D tensor of an operand; `None` where it has no form.
    fn as_tensor(&mut self, node: &'g Node, name: &'g str, number: &Given) -> Result<Option<ValueId>> {
        match number {
            Given::Number(NumberArgument::Name(given)) if !self.symbols.numbers.is_integer(given) => {
                return Ok(self.ids.get(given.as_str()).copied());
            }
            Given::Number(_) | Given::Int(_) | Given::Float(_) | Given::Bool(_) => {}
            _ => return Ok(None),
        }
        let target = "aten.scalar_tensor.default";
        let Ok(mut read) = self.read_arguments(target, vec![number.clone()]) else { return Ok(None) };
        read.insert("dtype".to_owned(), Argument::Dtype(ScalarType::Float64));
        let id = self.append(node, name, target, read, ScalarType::Float64)?;
        self.ids.remove(name);
        Ok(Some(id))
    }

    /// The arguments of an operator, the first of which are given.
    fn read_arguments(&self, target: &'static str, given: Vec<Given>) -> Result<IndexMap<String, Argument>> {
        let schema = schema::of(target);
        let names = schema.map_or(&[][..], |schema| &schema.parameters).iter().map(|parameter| parameter.name.clone());
        let inputs = names.zip(given).map(|(name, arg)| NamedArgument { name, arg }).collect();
        let call = Node::of_numbers(target, inputs);
        arguments::read(&call, target, schema, self)
    }

    fn append(
        &mut self,
        node: &'g Node,
        name: &'g str,
        target: &str,
        arguments: IndexMap<String, Argument>,
        dtype: ScalarType,
    ) -> Result<ValueId> {
        let label = format!("{}.{}", node.name.as_deref().unwrap_or(name), self.program.nodes().len());
        let value = Value { name: label, dtype, dims: Vec::new() };
        let made =
            program::Node { target: target.to_owned(), arguments, outputs: Vec::new(), source: self.source.clone() };
        let ids = self.program.add_node(made, vec![Some(value)])?;
        let id = ids.into_iter().flatten().next();
        let id = id.ok_or_else(|| crate::Error::inconsistent(format!("`{name}` is not computed")))?;
        self.ids.insert(name, id);
        Ok(id)
    }

    /// The dtype of the 0-D tensor that stands for a number.
    fn dtype_of(&self, name: &str) -> ScalarType {
        if self.symbols.numbers.is_bool(name) {
            ScalarType::Bool
        } else if self.symbols.numbers.is_integer(name) {
            ScalarType::Int64
        } else {
            ScalarType::Float64
        }
    }

    /// A number among the outputs: the tensor that holds it, or a size.
    pub(crate) fn number_output(&self, name: &str) -> Result<Argument> {
        match self.ids.get(name) {
            Some(id) => Ok(Argument::Value(*id)),
            None => arguments::Values::number(self, name),
        }
    }

    /// A number as an argument, where a tensor or a symbol of its own holds it, or its expression is a constant.
    pub(crate) fn held(&self, name: &str, number: &Number) -> Result<Option<Argument>> {
        let is_integer = self.symbols.numbers.is_integer(name);
        if !self.symbols.numbers.is_bool(name)
            && let Some(expression) = self.symbols.numbers.expression(number)?
            && let Some(value) = constant(&expression)
        {
            return Ok(Some(if is_integer {
                Argument::Int(Dim::Static(value as i64))
            } else {
                Argument::Float(value)
            }));
        }
        if let Some(symbol) = self.computed.get(name) {
            return Ok(Some(Argument::Int(Dim::symbol(symbol))));
        }
        Ok(self.ids.get(name).filter(|_| !is_integer).map(|id| Argument::Value(*id)))
    }
}

fn constant(expression: &sizes::Expression) -> Option<f64> {
    match expression {
        Expression::Integer(value) => Some(*value as f64),
        Expression::Rational(p, q) => Some(*p as f64 / *q as f64),
        Expression::Float(value) => Some(*value),
        Expression::Symbol(..) | Expression::Call(..) => None,
    }
}
