//! A readable listing of a program, for bug reports and `inspect`. It is not read back.

use crate::{Argument, Program, ValueId};
use dims::format_dims;
use std::fmt;

impl Program {
    fn show(&self, id: ValueId) -> String {
        format!("%{}", self.value(id).name)
    }

    fn show_typed(&self, id: ValueId) -> String {
        let value = self.value(id);
        format!("%{}: {}{}", value.name, value.dtype, format_dims(&value.dims))
    }

    fn show_argument(&self, argument: &Argument) -> String {
        match argument {
            Argument::None => "None".into(),
            Argument::Value(id) => self.show(*id),
            Argument::Values(ids) => {
                let ids: Vec<_> = ids.iter().map(|id| id.map_or("None".into(), |id| self.show(id))).collect();
                format!("[{}]", ids.join(", "))
            }
            Argument::Bool(b) => b.to_string(),
            Argument::Int(n) => n.to_string(),
            Argument::Float(x) => format!("{x:?}"),
            Argument::String(s) => format!("{s:?}"),
            Argument::Ints(sizes) => format_dims(sizes),
            Argument::Floats(xs) => format!("{xs:?}"),
            Argument::Bools(bs) => format!("{bs:?}"),
            Argument::Dtype(dtype) => dtype.to_string(),
            Argument::Device(name) | Argument::Layout(name) | Argument::MemoryFormat(name) => name.clone(),
            Argument::Complex(re, im) => format!("({re}{im:+}j)"),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, symbol) in &self.symbols {
            let max = symbol.max.map_or("inf".into(), |m| m.to_string());
            writeln!(f, "symbol {name} in {}..={max} (seen {})", symbol.min, symbol.hint)?;
        }
        for id in &self.inputs {
            writeln!(f, "input {}", self.show_typed(*id))?;
        }
        for weight in self.weights() {
            writeln!(f, "weight {}", self.show_typed(weight.value))?;
        }
        for node in &self.nodes {
            let outputs: Vec<_> = node.outputs.iter().flatten().map(|id| self.show_typed(*id)).collect();
            let arguments: Vec<_> =
                node.arguments.iter().map(|(name, a)| format!("{name}={}", self.show_argument(a))).collect();
            writeln!(f, "{} = {}({})  # {}", outputs.join(", "), node.target, arguments.join(", "), node.source)?;
        }
        let outputs: Vec<_> = self.outputs.iter().map(|o| self.show_argument(o)).collect();
        writeln!(f, "return {}", outputs.join(", "))
    }
}
