//! Sizes as tensors: an expression over symbols becomes shape arithmetic on the inputs that carry the symbols.

use super::Builder;
use crate::{Error, Result};
use dims::{Atom, Dim, Expr, Range};
use network::{DType, ElementWiseOperation as E, FillOperation, Op, TensorId, Weights};

/// Numbers up to this become sizes by one mask, larger ones by one for each digit of base `BLOCK`: up to its third
/// power, which is more elements than a tensor has.
const BLOCK: i64 = 1 << 11;

/// An axis whose size is `factor * symbol + offset`.
#[derive(Clone, Copy)]
pub(super) struct Carrier {
    tensor: TensorId,
    axis: usize,
    factor: i64,
    offset: i64,
}

/// The symbol that can be read from the size of an axis, where it is the only one and stands alone or in a
/// multiple (`torch.export` has `2*s0 + 1`).
pub(super) fn carrier_of(dim: &Dim, tensor: TensorId, axis: usize) -> Option<(String, Carrier)> {
    let (mut symbol, mut factor, mut offset) = (None, 0, 0);
    for (product, multiple) in dim.expr().terms() {
        match product.as_slice() {
            [] => offset = *multiple,
            [Atom::Symbol(name)] if symbol.is_none() && *multiple > 0 => {
                (symbol, factor) = (Some(name.to_string()), *multiple);
            }
            _ => return None,
        }
    }
    Some((symbol?, Carrier { tensor, axis, factor, offset }))
}

impl Builder {
    /// A 1-D int64 tensor that holds these sizes when the engine runs.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where a symbol is the size of no input.
    pub fn size_tensor(&mut self, sizes: &[Dim]) -> Result<TensorId> {
        if let Some(known) = sizes.iter().map(Dim::as_static).collect::<Option<Vec<i64>>>() {
            return self.constant(Weights::int64(&[known.len() as i64], &known));
        }
        let parts: Vec<TensorId> = sizes.iter().map(|d| self.size_element(d)).collect::<Result<_>>()?;
        self.concat(&parts, 0)
    }

    /// A 0-D int64 tensor that holds this size when the engine runs.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where a symbol is the size of no input.
    pub fn size_scalar(&mut self, size: &Dim) -> Result<TensorId> {
        let element = self.size_element(size)?;
        self.reshape(element, &[])
    }

    /// `0, 1, … size - 1`: a 1-D int64 tensor.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where a symbol is the size of no input.
    pub fn ramp(&mut self, size: &Dim) -> Result<TensorId> {
        if let Some(count) = size.as_static() {
            return self.constant(Weights::int64(&[count], &(0..count).collect::<Vec<_>>()));
        }
        let shape = self.size_tensor(std::slice::from_ref(size))?;
        let op = Op::Fill { op: FillOperation::Linspace, dims: Vec::new(), dtype: DType::Int64, alpha: 0.0, beta: 1.0 };
        self.add(op, &[shape])
    }

    /// Records where a symbol can be read: the size of this tensor's axis.
    pub fn bind_symbol(&mut self, name: &str, tensor: TensorId, axis: usize) {
        self.bind(name.to_owned(), Carrier { tensor, axis, factor: 1, offset: 0 });
    }

    /// Records what a symbol is, where it turns out to be a number or an expression over others.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where a symbol of the expression is the size of no input.
    pub fn fix_symbol(&mut self, name: &str, size: &Dim) -> Result<()> {
        let tensor = self.size_element(size)?;
        self.sizes.entry(Dim::symbol(name)).or_insert(tensor);
        Ok(())
    }

    /// Sets the value of a symbol to a number read out of a tensor: int64, one element.
    pub(crate) fn read_symbol(&mut self, name: &str, number: TensorId) {
        self.sizes.insert(Dim::symbol(name), number);
        self.read.insert(name.to_owned());
    }

    /// Makes sizes of the numbers read out of tensors that these sizes have: each becomes the number of positions found
    /// in a mask that begins with as many true elements. A size that is negative is 0, where PyTorch fails.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where a layer does not fit.
    pub(crate) fn make_sizes(&mut self, sizes: &[Dim]) -> Result<()> {
        if self.read.is_empty() {
            return Ok(());
        }
        let mut symbols: Vec<String> = sizes.iter().flat_map(Dim::symbols).map(|symbol| symbol.to_string()).collect();
        symbols.retain(|symbol| self.read.contains(symbol) && !self.symbols.contains_key(symbol));
        for symbol in symbols {
            if let Some(number) = self.sizes.get(&Dim::symbol(&symbol)).copied() {
                self.make_size(&symbol, number)?;
            }
        }
        Ok(())
    }

    /// The positions `0, 1, … number - 1`, `[1, number]`, as a tensor whose size is a symbol: data decides it.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where a layer does not fit.
    pub(crate) fn make_size(&mut self, symbol: &str, number: TensorId) -> Result<()> {
        let largest = self.symbol_range(symbol).map_or(i64::MAX, |range| range.max);
        // The number of blocks of blocks first, then that of blocks, so that no mask is longer than it has to be.
        let mut most = Dim::Static(largest.min(BLOCK));
        for part in [BLOCK * BLOCK, BLOCK].into_iter().filter(|part| *part < largest) {
            let whole = self.with_scalar(E::Sum, number, (part - 1) as f64)?;
            let parts = self.with_scalar(E::FloorDiv, whole, part as f64)?;
            let count = self.fresh_symbol();
            self.count_below(&count, &most, parts)?;
            most = Dim::symbol(&count) * Dim::Static(BLOCK);
        }
        self.sizes.retain(|size, _| !size.symbols().iter().any(|known| &**known == symbol));
        self.count_below(symbol, &most, number)
    }

    /// Binds a symbol to the number of positions below `most` that are less than a number.
    fn count_below(&mut self, symbol: &str, most: &Dim, number: TensorId) -> Result<()> {
        let each = self.ramp(most)?;
        let below = self.elementwise(E::Less, each, number)?;
        let found = self.add(Op::NonZero { count: symbol.to_owned() }, &[below])?;
        self.bind_symbol(symbol, found, 1);
        Ok(())
    }

    /// Whether a number read out of a tensor decides this size.
    pub fn is_read(&self, size: &Dim) -> bool {
        !self.read.is_empty() && size.symbols().iter().any(|symbol| self.read.contains(&**symbol))
    }

    /// Whether a number read out of a tensor decides this size, and no tensor has it.
    pub(crate) fn is_only_read(&self, size: &Dim) -> bool {
        let only = |symbol: &str| self.read.contains(symbol) && !self.symbols.contains_key(symbol);
        !self.read.is_empty() && size.symbols().iter().any(|symbol| only(symbol))
    }

    /// The range of a symbol, where the program has one.
    pub(crate) fn symbol_range(&self, name: &str) -> Option<Range> {
        self.network.symbols().get(name).map(|symbol| Range { min: symbol.min, max: symbol.max })
    }

    /// The first of these sizes that is a symbol of its own and no tensor's size yet: one that data decides.
    pub fn unbound_symbol(&self, sizes: &[Dim]) -> Option<String> {
        let alone = |dim: &Dim| match dim.symbols().as_slice() {
            [symbol] if *dim == Dim::symbol(symbol) => Some(symbol.to_string()),
            _ => None,
        };
        sizes
            .iter()
            .filter_map(alone)
            .find(|symbol| !self.symbols.contains_key(symbol) && !self.sizes.contains_key(&Dim::symbol(symbol)))
    }

    /// A symbol for a number found in data that PyTorch has no name for.
    pub fn fresh_symbol(&self) -> String {
        let free = (0..=self.symbols.len()).map(|k| format!("found{k}")).find(|name| !self.symbols.contains_key(name));
        free.unwrap_or_default()
    }

    /// The first carrier wins, but for one that has the symbol itself.
    pub(super) fn bind(&mut self, name: String, carrier: Carrier) {
        let known = self.symbols.entry(name).or_insert(carrier);
        if known.factor != 1 && carrier.factor == 1 {
            *known = carrier;
        }
    }

    fn size_element(&mut self, size: &Dim) -> Result<TensorId> {
        if let Some(known) = self.sizes.get(size) {
            return Ok(*known);
        }
        let tensor = match size {
            Dim::Static(n) => self.constant(Weights::int64(&[1], &[*n]))?,
            Dim::Symbolic(expr) => self.expression(expr)?,
        };
        self.sizes.insert(size.clone(), tensor);
        Ok(tensor)
    }

    fn expression(&mut self, expr: &Expr) -> Result<TensorId> {
        let mut sum = None;
        for (product, factor) in expr.terms() {
            let mut term = None;
            for atom in product {
                let atom = self.atom(atom)?;
                term = Some(self.combine(E::Prod, term, atom)?);
            }
            if *factor != 1 || term.is_none() {
                let factor = self.size_element(&Dim::Static(*factor))?;
                term = Some(self.combine(E::Prod, term, factor)?);
            }
            if let Some(term) = term {
                sum = Some(self.combine(E::Sum, sum, term)?);
            }
        }
        match sum {
            Some(sum) => Ok(sum),
            None => self.size_element(&Dim::Static(0)),
        }
    }

    fn combine(&mut self, op: E, left: Option<TensorId>, right: TensorId) -> Result<TensorId> {
        match left {
            Some(left) => self.add(Op::ElementWise { op }, &[left, right]),
            None => Ok(right),
        }
    }

    fn atom(&mut self, atom: &Atom) -> Result<TensorId> {
        let (op, a, b) = match atom {
            Atom::Symbol(name) => return self.symbol(name),
            Atom::FloorDiv(a, b) => (E::FloorDiv, a, b),
            Atom::Min(a, b) => (E::Min, a, b),
            Atom::Max(a, b) => (E::Max, a, b),
        };
        let a = self.size_element(&Dim::from_expr((**a).clone()))?;
        let b = self.size_element(&Dim::from_expr((**b).clone()))?;
        self.add(Op::ElementWise { op }, &[a, b])
    }

    fn symbol(&mut self, name: &str) -> Result<TensorId> {
        let dim = Dim::symbol(name);
        if let Some(known) = self.sizes.get(&dim) {
            return Ok(*known);
        }
        let Some(Carrier { tensor, axis, factor, offset }) = self.symbols.get(name).copied() else {
            return Err(Error::unsupported(format!("the size `{name}` is not the size of an input's axis")));
        };
        let shape = self.add(Op::Shape, &[tensor])?;
        let mut size = self.slice_axis(shape, 0, Dim::Static(axis as i64), Dim::Static(1), 1)?;
        if offset != 0 {
            let offset = self.size_element(&Dim::Static(offset))?;
            size = self.add(Op::ElementWise { op: E::Sub }, &[size, offset])?;
        }
        if factor != 1 {
            let factor = self.size_element(&Dim::Static(factor))?;
            size = self.add(Op::ElementWise { op: E::FloorDiv }, &[size, factor])?;
        }
        debug_assert_eq!(self.dtype(size), DType::Int64);
        self.sizes.insert(dim, size);
        Ok(size)
    }
}
