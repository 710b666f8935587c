//! Text → network. Every layer passes inference, and what is printed of its outputs is checked against it.

use super::{WeightSource, is_identifier, number, ron_options};
use crate::infer::MAX_RANK;
use crate::{DType, Dim, Dims, Error, Network, Op, Origin, Symbol, Tensor, TensorId, Weights};
use serde::de::DeserializeOwned;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Longer size expressions are refused: no model has them, and multiplying them out could take for ever.
const MAX_SIZE_TEXT: usize = 2048;
/// The most terms that a tensor's sizes may multiply to.
const MAX_TERMS: usize = 256;

impl Network {
    /// Reads the text form that [`Network`]'s `Display` prints. `weights` gives the constants written by digest.
    ///
    /// # Errors
    /// [`Error::Text`] with the line, where the text is no network: a line that does not parse, a layer whose
    /// inputs do not fit it, outputs that are not what is printed, a constant that `weights` does not have.
    pub fn parse(text: &str, weights: WeightSource<'_>) -> Result<Self, Error> {
        let mut reader = Reader {
            network: Self::new(),
            tensors: HashMap::new(),
            names: HashSet::new(),
            origins: HashSet::new(),
            weights,
        };
        let mut lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
        let fail = |line: usize, text: &str, problem: String| Error::Text {
            line: line + 1,
            problem,
            text: text.trim().chars().take(240).collect(),
        };
        match lines.next() {
            Some((_, first)) if first.trim() == "network" => {}
            other => {
                let (line, first) = other.unwrap_or_default();
                return Err(fail(line, first, "a network's text starts with the line `network`".into()));
            }
        }
        for (line, text) in lines {
            reader.line(text.trim()).map_err(|problem| fail(line, text, problem))?;
        }
        Ok(reader.network)
    }
}

type Result<T, E = String> = std::result::Result<T, E>;

struct Reader<'a> {
    network: Network,
    /// The tensors by their printed number.
    tensors: HashMap<u32, TensorId>,
    names: HashSet<String>,
    /// Layers of one origin share it.
    origins: HashSet<Arc<Origin>>,
    weights: WeightSource<'a>,
}

impl Reader<'_> {
    fn line(&mut self, text: &str) -> Result<()> {
        let mut at = Cursor { rest: text };
        if at.eat("symbol ") {
            self.symbol(&mut at)?;
        } else if at.eat("input ") {
            let number = at.number()?;
            let name = at.string()?;
            at.expect(":")?;
            let (dtype, dims) = at.ty()?;
            let declared = self.network.symbols();
            if let Some(symbol) = dims.iter().flat_map(Dim::symbols).find(|s| !declared.contains_key(s.as_ref())) {
                return Err(format!(
                    "the symbol `{symbol}` is not declared: add a line `symbol {symbol} in 1.. opt 1`"
                ));
            }
            let id = self.network.add_input(&name, dtype, dims);
            self.check_growth(id)?;
            self.define(number, id)?;
        } else if at.eat("output ") {
            let name = at.string()?;
            at.expect(":")?;
            let id = self.tensor(&mut at)?;
            self.network.add_output(&name, id);
        } else {
            self.layer(&mut at)?;
        }
        if at.rest.trim().is_empty() { Ok(()) } else { Err(at.unexpected("the end of the line")) }
    }

    fn symbol(&mut self, at: &mut Cursor<'_>) -> Result<()> {
        let name = if at.rest.trim_start().starts_with('"') { at.string()? } else { at.word().to_owned() };
        if name.is_empty() {
            return Err(at.unexpected("the symbol's name"));
        }
        at.expect("in")?;
        let min = at.integer()?;
        at.expect("..")?;
        let max = if at.is_at("opt") { i64::MAX } else { at.integer()? };
        at.expect("opt")?;
        let opt = at.integer()?;
        if self.network.symbols().contains_key(&name) {
            return Err(format!("the symbol `{name}` is declared twice"));
        }
        self.network.add_symbol(&name, Symbol { min, opt, max });
        Ok(())
    }

    fn layer(&mut self, at: &mut Cursor<'_>) -> Result<()> {
        let mut declared = Vec::new();
        while at.rest.trim_start().starts_with('%') {
            let number = at.number()?;
            at.expect(":")?;
            declared.push((number, at.ty()?));
            if !at.eat(",") {
                at.expect("=")?;
                break;
            }
        }
        let (op, inputs) = if at.eat("Constant(") {
            let Some((_, (dtype, dims))) = declared.first() else { return Err("a constant makes one tensor".into()) };
            (Op::Constant(self.constant(at, *dtype, dims)?), Vec::new())
        } else {
            (at.ron::<Op>("a layer")?, self.inputs(at)?)
        };
        let name = at.string()?;
        let origin = self.origin(at)?;
        if !self.names.insert(name.clone()) {
            return Err(format!("two layers are named `{name}`"));
        }
        let outputs = self.network.add_named(op, &inputs, &origin, name).map_err(|e| e.to_string())?;
        if outputs.len() != declared.len() {
            return Err(format!("the layer makes {} tensors, {} are written", outputs.len(), declared.len()));
        }
        for id in &outputs {
            self.check_growth(*id)?;
        }
        for (id, (number, (dtype, dims))) in outputs.into_iter().zip(declared) {
            let found = self.network.tensor(id);
            if found.dtype != dtype || found.dims != dims {
                let written = Tensor { dtype, dims, value: None, producer: None }.type_text();
                return Err(format!("%{number} is written as {written}, but inference finds {}", found.type_text()));
            }
            self.define(number, id)?;
        }
        Ok(())
    }

    /// Sizes that multiply to many terms are refused before anything multiplies them.
    fn check_growth(&self, id: TensorId) -> Result<()> {
        let tensor = self.network.tensor(id);
        let terms = |dims: &[Dim]| {
            let each = dims.iter().filter(|d| !d.is_static()).map(|d| d.expr().terms().len());
            each.fold(1, usize::saturating_mul)
        };
        let most = terms(&tensor.dims).max(tensor.value.as_deref().map_or(1, terms));
        if most > MAX_TERMS {
            Err(format!("the sizes multiply to {most} terms; {MAX_TERMS} are allowed"))
        } else {
            Ok(())
        }
    }

    fn define(&mut self, number: u32, id: TensorId) -> Result<()> {
        match self.tensors.insert(number, id) {
            None => Ok(()),
            Some(_) => Err(format!("%{number} is made twice")),
        }
    }

    fn tensor(&self, at: &mut Cursor<'_>) -> Result<TensorId> {
        let number = at.number()?;
        self.tensors.get(&number).copied().ok_or_else(|| format!("%{number} is used before it is made"))
    }

    fn inputs(&self, at: &mut Cursor<'_>) -> Result<Vec<Option<TensorId>>> {
        at.expect("(")?;
        let mut inputs = Vec::new();
        while !at.eat(")") {
            if !inputs.is_empty() {
                at.expect(",")?;
            }
            inputs.push(if at.eat("_") { None } else { Some(self.tensor(at)?) });
        }
        Ok(inputs)
    }

    fn constant(&self, at: &mut Cursor<'_>, dtype: DType, dims: &[Dim]) -> Result<Weights> {
        let sizes: Option<Vec<i64>> = dims.iter().map(Dim::as_static).collect();
        let Some(sizes) = sizes else { return Err("a constant's sizes are numbers".into()) };
        let data = if at.eat("#") {
            let word = at.word();
            let digest = u64::from_str_radix(word, 16).map_err(|_| format!("`{word}` is not a digest"))?;
            (self.weights)(digest).ok_or_else(|| format!("the weights #{digest:016x} are not there"))?
        } else {
            at.expect("[")?;
            let Some((list, rest)) = at.rest.split_once(']') else { return Err(at.unexpected("`]`")) };
            at.rest = rest;
            let words = list.split(',').map(str::trim).filter(|w| !w.is_empty());
            let bytes: Result<Vec<_>> =
                words.map(|w| number::parse(dtype, w).ok_or_else(|| format!("`{w}` is not a {dtype}"))).collect();
            bytes?.concat().into()
        };
        at.expect(")")?;
        let bytes = data.len();
        Weights::new(dtype, sizes, data)
            .ok_or_else(|| format!("the constant has {bytes} bytes, which is not {dtype}{}", dims::format_dims(dims)))
    }

    fn origin(&mut self, at: &mut Cursor<'_>) -> Result<Arc<Origin>> {
        let origin = if at.eat("from") {
            let (operator, module, position) = (at.string()?, at.string()?, at.string()?);
            Origin { module, operator, position, node: None }
        } else {
            Origin::default()
        };
        if let Some(known) = self.origins.get(&origin) {
            return Ok(known.clone());
        }
        let origin = Arc::new(origin);
        self.origins.insert(origin.clone());
        Ok(origin)
    }
}

/// What is left of a line.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn is_at(&self, token: &str) -> bool {
        self.rest.trim_start().starts_with(token)
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(self.unexpected(&format!("`{token}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> String {
        let rest: String = self.rest.trim_start().chars().take(40).collect();
        if rest.is_empty() {
            format!("{wanted} is missing at the end of the line")
        } else {
            format!("{wanted} is expected at `{rest}`")
        }
    }

    /// The characters up to the first that is not of a word or a number.
    fn word(&mut self) -> &'a str {
        let text = self.rest.trim_start();
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.rest = rest;
        word
    }

    fn number(&mut self) -> Result<u32> {
        self.expect("%")?;
        let word = self.word();
        word.parse().map_err(|_| format!("`%{word}` is not a tensor: tensors are written `%0`, `%1`, …"))
    }

    fn integer(&mut self) -> Result<i64> {
        let sign = if self.eat("-") { "-" } else { "" };
        let text = format!("{sign}{}", self.word());
        text.parse().map_err(|_| format!("`{text}` is not a 64-bit integer"))
    }

    fn string(&mut self) -> Result<String> {
        if !self.rest.trim_start().starts_with('"') {
            return Err(self.unexpected("a string in double quotes"));
        }
        self.ron("a string")
    }

    fn ron<T: DeserializeOwned>(&mut self, what: &str) -> Result<T> {
        let options = ron_options();
        let fail = |e: &dyn std::fmt::Display| format!("{what} does not parse: {e}");
        let mut reader = ron::Deserializer::from_str_with_options(self.rest, &options).map_err(|e| fail(&e))?;
        let value = T::deserialize(&mut reader).map_err(|e| fail(&e))?;
        self.rest = reader.remainder();
        Ok(value)
    }

    /// `float32[s0,3]`.
    fn ty(&mut self) -> Result<(DType, Dims)> {
        let name = self.word();
        let dtype = DType::from_name(name).ok_or_else(|| format!("`{name}` is not an element type"))?;
        self.expect("[")?;
        let Some((list, rest)) = self.rest.split_once(']') else { return Err(self.unexpected("`]`")) };
        self.rest = rest;
        if list.len() > MAX_SIZE_TEXT {
            return Err(format!("the sizes take {} characters; {MAX_SIZE_TEXT} are allowed", list.len()));
        }
        let dims: Dims = split_sizes(list).into_iter().map(parse_size).collect::<Result<_>>()?;
        if dims.len() > MAX_RANK {
            return Err(format!("rank {} is above TensorRT's limit of {MAX_RANK}", dims.len()));
        }
        Ok((dtype, dims))
    }
}

/// A size: an expression in the normal form that is printed.
fn parse_size(text: &str) -> Result<Dim> {
    // Sums in parentheses are never printed, and products of them grow without bound.
    let grouped = text.char_indices().any(|(at, c)| c == '(' && !text[..at].ends_with(|c: char| c.is_alphanumeric()));
    if grouped || text.is_empty() {
        return Err(format!("`{text}` is not a size: write it as a sum of products"));
    }
    if let Ok(n) = text.parse() {
        return if n < 0 { Err(format!("the size {n} is negative")) } else { Ok(Dim::Static(n)) };
    }
    let dim = Dim::parse(text).map_err(|e| e.to_string())?;
    match dim.symbols().iter().find(|s| !is_identifier(s)) {
        Some(symbol) => Err(format!("`{symbol}` is not a symbol's name")),
        None => Ok(dim),
    }
}

/// Splits at the commas that are not inside a call such as `min(s0, 4)`.
fn split_sizes(list: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0usize, 0);
    for (at, c) in list.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    if !list.trim().is_empty() {
        parts.push(list[start..].trim());
    }
    parts
}
