//! Sizes and numbers of a graph, in the program's terms: which symbols there are, what they are called, and what is
//! known of them.

use crate::model::{Graph, Hint, Number, RangeConstraint, TensorMeta};
use crate::sizes::{self, Expression, Known};
use crate::weights;
use crate::{Error, Result};
use dims::{Dim, Dims};
use program::{Program, ScalarType, Symbol};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// The numbers that a graph computes, by name.
pub(crate) struct Numbers<'g> {
    graph: &'g Graph,
    parsed: RefCell<HashMap<String, Rc<Expression>>>,
}

impl<'g> Numbers<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Self {
        Self { graph, parsed: RefCell::default() }
    }

    /// The number of that name; `None` where a tensor has it, or nothing.
    pub(crate) fn get(&self, name: &str) -> Option<&'g Number> {
        let tables = [&self.graph.sym_int_values, &self.graph.sym_float_values, &self.graph.sym_bool_values];
        tables.into_iter().find_map(|table| table.get(name))
    }

    /// Whether the number of that name is an integer.
    pub(crate) fn is_integer(&self, name: &str) -> bool {
        self.graph.sym_int_values.contains_key(name)
    }

    /// Whether the number of that name is a bool.
    pub(crate) fn is_bool(&self, name: &str) -> bool {
        self.graph.sym_bool_values.contains_key(name)
    }

    /// Whether the number of that name is a float that follows from sizes of the inputs alone.
    pub(crate) fn is_sized_float(&self, name: &str) -> bool {
        self.graph.sym_float_values.get(name).is_some_and(|number| matches!(self.source_of(number), Source::Sizes))
    }

    /// Whether data decides a number.
    pub(crate) fn is_data_dependent(&self, number: &Number) -> bool {
        matches!(self.source_of(number), Source::Data)
    }

    /// What decides a number.
    fn source_of(&self, number: &Number) -> Source {
        let mut found = Source::Nothing;
        if let Ok(Some(expression)) = self.expression(number) {
            expression.each_symbol(&mut |symbol| {
                found = if sizes::is_unbacked(symbol) || matches!(found, Source::Data) {
                    Source::Data
                } else {
                    Source::Sizes
                };
            });
        }
        found
    }

    /// What a number is in terms of symbols; `None` of one that is known.
    pub(crate) fn expression(&self, number: &Number) -> Result<Option<Rc<Expression>>> {
        let Number::Expr(written) = number else { return Ok(None) };
        if let Some(found) = self.parsed.borrow().get(&written.expr_str) {
            return Ok(Some(found.clone()));
        }
        let read =
            sizes::parse(&written.expr_str).map_err(|problem| Error::inconsistent(format!("a size: {problem}")))?;
        let read = Rc::new(read);
        self.parsed.borrow_mut().insert(written.expr_str.clone(), read.clone());
        Ok(Some(read))
    }
}

/// What decides a number.
enum Source {
    /// It is known.
    Nothing,
    /// Sizes of the inputs alone.
    Sizes,
    /// Something found in data.
    Data,
}

/// The symbols seen so far.
pub(crate) struct Symbols<'g> {
    pub(crate) numbers: Numbers<'g>,
    ranges: HashMap<String, RangeConstraint>,
    /// Symbols whose value some input or earlier output gives.
    bound: HashSet<String>,
    /// Those that the program calls otherwise.
    names: HashMap<String, String>,
    /// The names that the archive gives to symbols.
    given: HashMap<String, String>,
    /// Sizes by the text of their expression.
    known: HashMap<String, Dim>,
    /// The ranges of the symbols that the program has.
    rounded: Known,
}

impl<'g> Symbols<'g> {
    pub(crate) fn new(
        graph: &'g Graph,
        ranges: HashMap<String, RangeConstraint>,
        given: HashMap<String, String>,
    ) -> Self {
        let numbers = Numbers::new(graph);
        Self {
            numbers,
            ranges,
            bound: HashSet::new(),
            names: HashMap::new(),
            given,
            known: HashMap::new(),
            rounded: Known::default(),
        }
    }

    /// The dtype and sizes of a tensor. Symbols that are sizes of their own become known: those of an input are called
    /// after it.
    ///
    /// # Errors
    /// In words without the place: a dtype that programs do not have, a size that has no exact form.
    pub(crate) fn tensor(
        &mut self,
        name: &str,
        meta: &TensorMeta,
        input: Option<&str>,
        program: &mut Program,
    ) -> std::result::Result<(ScalarType, Dims), String> {
        for (axis, number) in meta.sizes.iter().enumerate() {
            let wanted = input.map(|input| format!("{input}_dim{axis}"));
            self.declare(number, wanted.as_deref(), program).map_err(|error| error.to_string())?;
        }
        let dims = meta.sizes.iter().map(|number| self.size(number)).collect::<std::result::Result<Dims, String>>();
        let dims = dims.map_err(|problem| format!("the shape of `{name}` cannot be expressed exactly: {problem}"))?;
        if let Some(negative) = dims.iter().find(|dim| dim.as_static().is_some_and(|size| size < 0)) {
            return Err(format!("`{name}` has a size of {negative}"));
        }
        let dtype = weights::dtype(meta.dtype);
        Ok((dtype.ok_or_else(|| format!("`{name}` has a dtype that is not supported (number {})", meta.dtype))?, dims))
    }

    /// Makes the symbol of a plain symbolic size known, on its first appearance.
    pub(crate) fn declare(&mut self, number: &Number, wanted: Option<&str>, program: &mut Program) -> Result<()> {
        let Some(expression) = self.numbers.expression(number)? else { return Ok(()) };
        let Expression::Symbol(symbol, _) = &*expression else { return Ok(()) };
        if !self.bound.insert(symbol.clone()) {
            return Ok(());
        }
        let range = self.ranges.get(symbol);
        let (min, max) = (range.and_then(|range| range.min_val).unwrap_or(0), range.and_then(|range| range.max_val));
        // What an operator outside of torch counts is at least two by torch's default: there may be none.
        let min = if symbol.starts_with('u') && min == 2 { 0 } else { min };
        let hint = match number {
            _ if wanted.is_none() || sizes::is_unbacked(symbol) => -1,
            Number::Expr(written) => match written.hint {
                Some(Hint::Int(hint)) => hint,
                _ => min.max(1),
            },
            _ => -1,
        };
        if let Some(wanted) = self.given.get(symbol).map(String::as_str).or(wanted) {
            let name = sizes::free_name(wanted, &|name| program.symbols().contains_key(name));
            self.names.insert(symbol.clone(), name);
            self.known.clear();
        }
        let name = self.names.get(symbol).unwrap_or(symbol);
        self.rounded.ranges.insert(name.clone(), (min, max));
        program.add_symbol(name, Symbol { min, max, hint });
        Ok(())
    }

    /// Makes a symbol known that is no size: a bool read out of a tensor.
    pub(crate) fn declare_bool(&mut self, symbol: &str, program: &mut Program) {
        self.bound.insert(symbol.to_owned());
        program.add_symbol(symbol, Symbol { min: 0, max: Some(1), hint: -1 });
    }

    /// Ends the range of symbols where a size that is computed through floats is not known to be right any more.
    pub(crate) fn narrow(&self, program: &mut Program) {
        for (name, limit) in self.rounded.limits.borrow().iter() {
            let Some(symbol) = program.symbols().get(name).copied() else { continue };
            if symbol.max.is_none_or(|max| *limit < max) {
                program.add_symbol(name, Symbol { max: Some(*limit), ..symbol });
            }
        }
    }

    /// A size.
    ///
    /// # Errors
    /// What has no form that is right for every size.
    pub(crate) fn size(&mut self, number: &Number) -> std::result::Result<Dim, String> {
        let written = match number {
            Number::Int(n) => return Ok(Dim::Static(*n)),
            Number::Expr(written) => written,
            Number::Float(_) | Number::Bool(_) => return Err("it is no integer".to_owned()),
        };
        if let Some(known) = self.known.get(&written.expr_str) {
            return Ok(known.clone());
        }
        let expression = self.numbers.expression(number).map_err(|error| error.to_string())?;
        let Some(expression) = expression else { return Err("it is no expression".to_owned()) };
        let size = sizes::size(&expression, &self.names, &self.rounded)?;
        self.known.insert(written.expr_str.clone(), size.clone());
        Ok(size)
    }

    /// The same, of a number all of whose symbols are known.
    pub(crate) fn fixed(&self, number: &Number) -> std::result::Result<Dim, String> {
        match (number, self.numbers.expression(number).map_err(|error| error.to_string())?) {
            (_, Some(expression)) => sizes::size(&expression, &self.names, &self.rounded),
            (Number::Int(n), None) => Ok(Dim::Static(*n)),
            _ => Err("it is no integer".to_owned()),
        }
    }

    /// Symbols of a number that neither an input nor an earlier output gives.
    pub(crate) fn loose(&self, number: &Number) -> Result<Vec<String>> {
        let mut loose = Vec::new();
        if let Some(expression) = self.numbers.expression(number)? {
            expression.each_symbol(&mut |symbol| {
                if !self.bound.contains(symbol) && !loose.iter().any(|found| found == symbol) {
                    loose.push(symbol.to_owned());
                }
            });
        }
        Ok(loose)
    }
}
