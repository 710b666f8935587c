//! Network → text.

use super::{INLINE_ELEMENTS, is_identifier, number, ron_options};
use crate::{Layer, Network, Op, Symbol, TensorId};
use std::fmt;

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printer { network: self, numbers: numbers(self), structure_only: false }.print(f)
    }
}

impl Network {
    /// XXH3 of the canonical text: equal for equal networks.
    pub fn digest(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(self.to_string().as_bytes())
    }

    /// XXH3, of 128 bits, of all but origins: equal for networks of the same layers and the same weights, wherever they
    /// come from.
    pub fn content_digest(&self) -> u128 {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        hash.update(self.structure_text().as_bytes());
        for layer in self.layers() {
            if let Op::Constant(weights) = &layer.op {
                hash.update(&weights.data);
            }
        }
        hash.digest128()
    }

    /// XXH3 of the text without the elements of constants and without origins: equal for networks that differ in the
    /// values of their weights only.
    pub fn structure_digest(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(self.structure_text().as_bytes())
    }

    fn structure_text(&self) -> String {
        let mut text = String::new();
        // Writing to a string fails nowhere but in a printer that has no words for an operator.
        let _ = Printer { network: self, numbers: numbers(self), structure_only: true }.print(&mut text);
        text
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
    let max = if symbol.max == i64::MAX { String::new() } else { symbol.max.to_string() };
    Ok(format!("{name} in {}..{max} opt {}", symbol.min, symbol.opt))
}

fn quoted(text: &str) -> Result<String, fmt::Error> {
    ron::to_string(text).map_err(|_| fmt::Error)
}

struct Printer<'a> {
    network: &'a Network,
    numbers: Vec<usize>,
    /// Leaves out the elements of constants, and where layers come from.
    structure_only: bool,
}

impl Printer<'_> {
    fn print(&self, f: &mut impl fmt::Write) -> fmt::Result {
        writeln!(f, "network")?;
        for (name, symbol) in self.network.symbols() {
            writeln!(f, "  symbol {}", symbol_text(name, *symbol)?)?;
        }
        for port in self.network.inputs() {
            writeln!(f, "  input {} {}: {}", self.id(port.tensor), quoted(&port.name)?, self.ty(port.tensor))?;
        }
        for layer in self.network.layers() {
            writeln!(f, "  {}", self.layer(layer)?)?;
        }
        for port in self.network.outputs() {
            writeln!(f, "  output {}: {}", quoted(&port.name)?, self.id(port.tensor))?;
        }
        Ok(())
    }

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
            o if self.structure_only || *o == crate::Origin::default() => String::new(),
            o => format!(" from {} {} {}", quoted(&o.operator)?, quoted(&o.module)?, quoted(&o.position)?),
        };
        let op = match &layer.op {
            Op::Constant(_) if self.structure_only => "Constant".to_owned(),
            op => op_text(op)?,
        };
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
