//! Text → program: the lines.

use super::cursor::{Line, Problem, Result};
use super::{WeightSource, number};
use crate::{Argument, Error, Node, Program, ScalarType, Source, Symbol, Value, ValueId, WeightKind};
use bytes::Bytes;
use dims::Dim;
use indexmap::IndexMap;
use std::collections::HashMap;
use std::str::FromStr;

/// Weights of more bytes cannot be drawn from a seed.
const MAX_SEEDED: usize = 1 << 24;

impl Program {
    /// Parses the text form that [`Program`]'s `Display` prints. `weights` returns the weights written by digest.
    ///
    /// # Errors
    /// [`Error::Text`] with line and column: a line that does not parse, a value or a symbol that is used before it is
    /// defined, or a weight that `weights` does not have.
    pub fn parse(text: &str, weights: WeightSource<'_>) -> Result<Self, Error> {
        let mut reader = Reader { program: Self::new(), values: HashMap::new(), state: State::Header, weights };
        let mut lines = text.lines().enumerate().filter(|(_, line)| !is_comment(line));
        lines.try_for_each(|(number, line)| reader.line(line).map_err(|problem| located(number, line, problem)))?;
        let end = |message: &str| Problem { at: 0, message: message.to_owned() };
        match reader.state {
            State::Header => Err(located(0, "", end("a program starts with the line `program`"))),
            State::Body => Err(located(text.lines().count(), "", end("the last line, `return …`, is missing"))),
            State::Done => Ok(reader.program),
        }
    }
}

fn is_comment(line: &str) -> bool {
    line.trim().is_empty() || line.trim_start().starts_with('#')
}

fn located(number: usize, line: &str, Problem { at, message }: Problem) -> Error {
    Error::Text {
        line: number + 1,
        column: line[..at].chars().count() + 1,
        problem: message,
        text: line.trim().chars().take(240).collect(),
    }
}

enum State {
    Header,
    Body,
    Done,
}

/// A value's name, and how many values of that name come before it.
type Label = (String, usize);

pub(super) struct Reader<'a> {
    pub(super) program: Program,
    values: HashMap<Label, ValueId>,
    state: State,
    weights: WeightSource<'a>,
}

impl Reader<'_> {
    fn line(&mut self, text: &str) -> Result<()> {
        let mut at = Line::new(text);
        match self.state {
            State::Header if at.eat_word("program") => self.state = State::Body,
            State::Header => return at.fail("a program starts with the line `program`"),
            State::Done => return at.fail("there is a line after `return`"),
            State::Body => self.body(&mut at)?,
        }
        at.end()
    }

    fn body(&mut self, at: &mut Line<'_>) -> Result<()> {
        // An operator of such a name is followed by its arguments.
        let is_keyword = !at.rest()[at.peek_word().len()..].trim_start().starts_with('(');
        if is_keyword && at.eat_word("symbol") {
            self.symbol(at)
        } else if is_keyword && at.eat_word("input") {
            let start = at.here();
            let (label, value) = self.typed(at)?;
            let id = self.program.add_input(value);
            self.define(&start, label, id)
        } else if is_keyword && at.eat_word("weight") {
            self.weight(at)
        } else if is_keyword && at.eat_word("return") {
            self.state = State::Done;
            self.outputs(at)
        } else {
            self.node(at)
        }
    }

    fn symbol(&mut self, at: &mut Line<'_>) -> Result<()> {
        let start = at.here();
        let name = at.name("the symbol's name")?;
        at.expect("in")?;
        let min = at.integer()?;
        at.expect("..")?;
        let max = if at.peek_word() == "hint" { None } else { Some(at.integer()?) };
        at.expect("hint")?;
        let hint = at.integer()?;
        if self.program.symbols().contains_key(&name) {
            return start.fail(format!("the symbol `{name}` is declared twice"));
        }
        self.program.add_symbol(&name, Symbol { min, max, hint });
        Ok(())
    }

    fn weight(&mut self, at: &mut Line<'_>) -> Result<()> {
        let start = at.here();
        let (label, value) = self.typed(at)?;
        let kind = if at.eat_word("parameter") {
            WeightKind::Parameter
        } else if at.eat_word("buffer") {
            WeightKind::Buffer
        } else if at.eat_word("constant") {
            WeightKind::Constant
        } else {
            return at.expected("`parameter`, `buffer` or `constant`");
        };
        at.expect("=")?;
        let data = self.data(at, &value)?;
        let id = self.program.add_weight(value, kind, data).or_else(|error| start.fail(error.to_string()))?;
        self.define(&start, label, id)
    }

    fn data(&self, at: &mut Line<'_>, value: &Value) -> Result<Bytes> {
        let start = at.here();
        if at.eat("#") {
            let word = at.name("a digest")?;
            let digest = u64::from_str_radix(&word, 16).or_else(|_| start.fail(format!("`{word}` is not a digest")))?;
            return (self.weights)(digest).map_or_else(|| start.fail(format!("no weight #{digest:016x} is given")), Ok);
        }
        if at.eat_word("seed") {
            let seed = at.integer()?.cast_unsigned();
            return match value.byte_count() {
                Some(bytes) if bytes <= MAX_SEEDED => Ok(number::seeded(value.dtype, bytes, seed).into()),
                _ => start.fail(format!("a weight with a seed has static sizes and at most {MAX_SEEDED} bytes")),
            };
        }
        if !at.eat("[") {
            return at.expected("`[`, `#` and a digest, or `seed`");
        }
        let mut data = Vec::new();
        while !at.eat("]") {
            if !data.is_empty() {
                at.expect(",")?;
            }
            let item = at.here();
            let text = at.item();
            let Some(bytes) = number::parse(value.dtype, text) else {
                return item.fail(format!("`{text}` is not a {} number", value.dtype));
            };
            data.extend(bytes);
        }
        Ok(data.into())
    }

    fn node(&mut self, at: &mut Line<'_>) -> Result<()> {
        let mut outputs = Vec::new();
        while at.rest().starts_with('%') || at.peek_word() == "_" {
            let start = at.here();
            outputs.push(if at.eat_word("_") { None } else { Some((start, self.typed(at)?)) });
            if !at.eat(",") {
                at.expect("=")?;
                break;
            }
        }
        let start = at.here();
        let target = at.name("a symbol, an input, a weight, a node or `return`")?;
        at.expect("(")?;
        let arguments = self.arguments(at)?;
        let node = Node { target, arguments, outputs: Vec::new(), source: source(at)? };
        let (labels, values): (Vec<_>, Vec<_>) = outputs
            .into_iter()
            .map(|output| output.map(|(place, (label, value))| ((place, label), value)).unzip())
            .unzip();
        let ids = self.program.add_node(node, values).or_else(|error| start.fail(error.to_string()))?;
        for (id, label) in ids.into_iter().zip(labels) {
            if let (Some(id), Some((place, label))) = (id, label) {
                self.define(&place, label, id)?;
            }
        }
        Ok(())
    }

    fn arguments(&self, at: &mut Line<'_>) -> Result<IndexMap<String, Argument>> {
        let mut arguments = IndexMap::new();
        while !at.eat(")") {
            if !arguments.is_empty() {
                at.expect(",")?;
            }
            let start = at.here();
            let name = at.name("an argument's name")?;
            at.expect("=")?;
            if arguments.insert(name.clone(), self.argument(at)?).is_some() {
                return start.fail(format!("the argument `{name}` is given twice"));
            }
        }
        Ok(arguments)
    }

    fn outputs(&mut self, at: &mut Line<'_>) -> Result<()> {
        while !at.rest().is_empty() {
            if !self.program.outputs().is_empty() {
                at.expect(",")?;
            }
            let start = at.here();
            let output = self.argument(at)?;
            self.program.add_output(output).or_else(|error| start.fail(error.to_string()))?;
        }
        Ok(())
    }

    /// `%x: float32[s0,3]`.
    fn typed(&self, at: &mut Line<'_>) -> Result<(Label, Value)> {
        let label = label(at)?;
        at.expect(":")?;
        let dtype = dtype(at)?;
        at.expect("[")?;
        let mut dims = Vec::new();
        while !at.eat("]") {
            if !dims.is_empty() {
                at.expect(",")?;
            }
            dims.push(self.size(at)?);
        }
        Ok((label.clone(), Value { name: label.0, dtype, dims }))
    }

    /// A size of declared symbols.
    pub(super) fn size(&self, at: &mut Line<'_>) -> Result<Dim> {
        let start = at.here();
        let size = at.size()?;
        match size.symbols().iter().find(|name| !self.program.symbols().contains_key(name.as_ref())) {
            Some(name) => {
                start.fail(format!("the symbol `{name}` is not declared: add a line `symbol {name} in 1.. hint 1`"))
            }
            None => Ok(size),
        }
    }

    fn define(&mut self, at: &Line<'_>, label: Label, id: ValueId) -> Result<()> {
        if self.values.contains_key(&label) {
            return at.fail(format!(
                "`{}` is defined twice: write the second as `%{}@{}`",
                label.0,
                label.0,
                label.1 + 1
            ));
        }
        self.values.insert(label, id);
        Ok(())
    }

    pub(super) fn value(&self, at: &mut Line<'_>) -> Result<ValueId> {
        let start = at.here();
        let label = label(at)?;
        self.values
            .get(&label)
            .copied()
            .map_or_else(|| start.fail(format!("the value `{}` is used before it is defined", label.0)), Ok)
    }
}

fn label(at: &mut Line<'_>) -> Result<Label> {
    let start = at.here();
    at.expect("%")?;
    let name = at.name("the value's name")?;
    let occurrence = if at.eat("@") { at.integer()? } else { 0 };
    usize::try_from(occurrence).map_or_else(|_| start.fail("expected a number from 1 after `@`"), |n| Ok((name, n)))
}

pub(super) fn dtype(at: &mut Line<'_>) -> Result<ScalarType> {
    let start = at.here();
    let name = at.name("a dtype")?;
    ScalarType::from_str(&name).or_else(|error| start.fail(error.to_string()))
}

/// `from "layer1.0" "resnet.py:104"`; nothing where the program does not record it.
fn source(at: &mut Line<'_>) -> Result<Source> {
    if !at.eat_word("from") {
        return Ok(Source::default());
    }
    let module = at.string()?;
    let start = at.here();
    let position = at.string()?;
    if position.is_empty() {
        return Ok(Source { module, ..Source::default() });
    }
    let place = position.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
    let Some((file, line)) = place.filter(|(file, _)| !file.is_empty() && !file.contains(['/', '\\'])) else {
        return start
            .fail(format!("expected a file without folders and a line, such as \"net.py:7\", found {position:?}"));
    };
    Ok(Source { module, file: file.to_owned(), line, function: String::new() })
}
