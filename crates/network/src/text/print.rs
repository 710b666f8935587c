//! Network → text.

use super::{INLINE_ELEMENTS, is_identifier, number, ron_options};
use crate::{Layer, Network, Op, Symbol, TensorId};
use std::fmt;

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printer = Printer { network: self, numbers: numbers(self) };
        writeln!(f, "network")?;
        for (name, symbol) in self.symbols() {
            writeln!(f, "  symbol {}", symbol_text(name, *symbol)?)?;
        }
        for port in self.inputs() {
            writeln!(f, "  input {} {}: {}", printer.id(port.tensor), quoted(&port.name)?, printer.ty(port.tensor))?;
        }
        for layer in self.layers() {
            writeln!(f, "  {}", printer.layer(layer)?)?;
        }
        for port in self.outputs() {
            writeln!(f, "  output {}: {}", quoted(&port.name)?, printer.id(port.tensor))?;
        }
        Ok(())
    }
}

/// What each tensor is called: inputs first, then in the order they are made.
fn numbers(network: &Network) -> Vec<usize> {
    let mut numbers = vec![usize::MAX; network.tensor_count()];
    let made = network.layers().iter().flat_map(|l| l.outputs.iter().copied());
    for (number, id) in network.inputs().iter().map(|p| p.tensor).chain(made).enumerate() {
        numbers[id.0 as usize] = number;
    }
    numbers
}

fn symbol_text(name: &str, symbol: Symbol) -> Result<String, fmt::Error> {
    let name = if is_identifier(name) { name.to_owned() } else { quoted(name)? };
    let max = if symbol.max == i64::MAX { String::new() } else { format!("={}", symbol.max) };
    Ok(format!("{name} in {}..{max} opt {}", symbol.min, symbol.opt))
}

fn quoted(text: &str) -> Result<String, fmt::Error> {
    ron::to_string(text).map_err(|_| fmt::Error)
}

struct Printer<'a> {
    network: &'a Network,
    numbers: Vec<usize>,
}

impl Printer<'_> {
    fn id(&self, id: TensorId) -> String {
        format!("%{}", self.numbers[id.0 as usize])
    }

    fn ty(&self, id: TensorId) -> String {
        self.network.tensor(id).type_text()
    }

    fn layer(&self, layer: &Layer) -> Result<String, fmt::Error> {
        let outputs: Vec<_> = layer.outputs.iter().map(|id| format!("{}: {}", self.id(*id), self.ty(*id))).collect();
        let equals = if outputs.is_empty() { "" } else { " = " };
        let inputs = match &layer.op {
            Op::Constant(_) => String::new(),
            _ => {
                let ids: Vec<_> =
                    layer.inputs.iter().map(|i| i.map_or_else(|| "_".to_owned(), |i| self.id(i))).collect();
                format!("({})", ids.join(", "))
            }
        };
        let origin = match &*layer.origin {
            o if *o == crate::Origin::default() => String::new(),
            o => format!(" from {} {} {}", quoted(&o.operator)?, quoted(&o.module)?, quoted(&o.position)?),
        };
        let op = op_text(&layer.op)?;
        Ok(format!("{}{equals}{op}{inputs} {}{origin}", outputs.join(", "), quoted(&layer.name)?))
    }
}

fn op_text(op: &Op) -> Result<String, fmt::Error> {
    match op {
        Op::Constant(w) if w.count() <= INLINE_ELEMENTS => Ok(format!("Constant([{}])", number::print(w).join(", "))),
        Op::Constant(w) => Ok(format!("Constant(#{:016x})", w.digest())),
        _ => {
            let style = ron::ser::PrettyConfig::new().compact_arrays(true).compact_structs(true).compact_maps(true);
            let text = ron_options().to_string_pretty(op, style).map_err(|_| fmt::Error)?;
            // RON marks the enumerator because an option's is named alike; it reads back without.
            Ok(if matches!(op, Op::MatrixMultiply { .. }) { text.replace("r#None", "None") } else { text })
        }
    }
}
