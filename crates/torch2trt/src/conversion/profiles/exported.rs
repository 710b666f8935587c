//! The profiles of an exported program: the ranges of its symbols, or shapes within them that are asked for.

use super::{bad_profile, in_order};
use crate::{Archive, Backend, ConvertOptions, Error, RecordedRanges, Result};
use dims::{Dim, Range};
use program::{Program, Value};
use runtime::{Profile, SizeRange};
use std::collections::BTreeMap;

/// A range for each symbol.
type Ranges = BTreeMap<String, SizeRange>;

/// A shape that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The argument that asks for it, for errors.
    pub argument: &'a str,
    /// Which size of the ranges it is.
    pub end: End,
    /// The name of the input.
    pub input: &'a str,
    /// Its sizes.
    pub sizes: &'a [i64],
}

/// A size of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The smallest.
    Min,
    /// The one that TensorRT tunes for.
    Opt,
    /// The largest.
    Max,
}

impl End {
    fn of(self, range: &SizeRange) -> i64 {
        match self {
            Self::Min => range.min,
            Self::Opt => range.opt,
            Self::Max => range.max,
        }
    }

    fn set(self, range: &mut SizeRange, size: i64) {
        match self {
            Self::Min => range.min = size,
            Self::Opt => range.opt = size,
            Self::Max => range.max = size,
        }
    }
}

/// The profiles of an archive: those that it records, or one of the sizes that are asked for. None for a model of fixed
/// sizes, and for the CPU engine where a size has no maximum.
///
/// # Errors
/// E0307 for shapes that do not fit the model or each other, and for TensorRT where a size has no maximum.
pub fn exported_profiles(archive: &Archive, options: &ConvertOptions, asked: &[Asked<'_>]) -> Result<Vec<Profile>> {
    let program = &archive.program;
    let recorded = archive.captured.as_ref().map_or(&[][..], |captured| captured.profiles.as_slice());
    let mut ranges = exported(program);
    for (number, recorded) in recorded.iter().enumerate() {
        narrow(program, &mut ranges, recorded, number == 0);
    }
    if !asked.is_empty() || options.max_batch_size.is_some() || recorded.is_empty() {
        return Ok(profile_within(ranges, program, options, asked)?.into_iter().collect());
    }
    let profile = |axes: &RecordedRanges| {
        let axes = named(program, options).filter_map(|(input, name)| Some((name, axes.get(&input.name)?.clone())));
        Profile { symbols: BTreeMap::new(), axes: axes.collect() }
    };
    Ok(recorded.iter().map(profile).collect())
}

/// The ranges of every axis within those of the symbols; `None` where there is no profile.
fn profile_within(
    mut ranges: Ranges,
    program: &Program,
    options: &ConvertOptions,
    asked: &[Asked<'_>],
) -> Result<Option<Profile>> {
    let limits = ranges.clone();
    for shape in asked {
        set(program, &mut ranges, shape)?;
    }
    if let Some(most) = options.max_batch_size {
        batch(program, &mut ranges)?.max = most;
    }
    if asked.iter().all(|shape| shape.end != End::Opt) {
        for range in ranges.values_mut() {
            range.opt = range.opt.clamp(range.min, range.max.max(range.min));
        }
    }
    for (symbol, range) in &ranges {
        let limit = limits.get(symbol).unwrap_or(range);
        checked(program, symbol, *range, *limit)?;
    }
    check_derived(program, &ranges, asked)?;
    if let Some((symbol, _)) = ranges.iter().find(|(_, range)| range.max == i64::MAX) {
        return if options.backend == Backend::TensorRt { Err(endless(program, symbol)) } else { Ok(None) };
    }
    if ranges.is_empty() {
        return Ok(None);
    }
    let axes = |dims: &[Dim]| dims.iter().map(|dim| axis(dim, &ranges)).collect::<Option<Vec<SizeRange>>>();
    let axes: Option<BTreeMap<String, Vec<SizeRange>>> =
        named(program, options).map(|(input, name)| Some((name, axes(&input.dims)?))).collect();
    Ok(axes.map(|axes| Profile { symbols: BTreeMap::new(), axes }))
}

/// Checks that sizes which follow from others are what these make them.
fn check_derived(program: &Program, ranges: &Ranges, asked: &[Asked<'_>]) -> Result<()> {
    for Asked { argument, end, input, sizes } in asked {
        for (axis, (dim, size)) in dims_of(program, input)?.iter().zip(*sizes).enumerate() {
            let follows = dim.eval(&|symbol| ranges.get(symbol).map(|range| end.of(range)));
            if follows != Ok(*size) {
                let follows = follows.map_or_else(|e| e.to_string(), |size| size.to_string());
                let message =
                    format!("{argument}: axis {axis} of input `{input}` is {size}, and {dim} makes it {follows}");
                return Err(bad_profile(message, "give every input that has the size the same, or only one of them"));
            }
        }
    }
    Ok(())
}

/// The inputs of a program, and the names that the engine gives them.
fn named<'p>(program: &'p Program, options: &'p ConvertOptions) -> impl Iterator<Item = (&'p Value, String)> {
    let inputs = program.inputs().iter().map(|id| program.value(*id));
    let own = inputs.clone().map(|input| &input.name).skip(options.input_names.len());
    inputs.zip(options.input_names.iter().chain(own).cloned())
}

/// The range of each symbol that an input has, as the model was exported.
fn exported(program: &Program) -> Ranges {
    let inputs = program.inputs().iter().flat_map(|id| &program.value(*id).dims).flat_map(Dim::symbols);
    let range = |symbol: std::sync::Arc<str>| {
        let known = program.symbols().get(&*symbol)?;
        let (min, max) = (known.min.max(0), known.max.unwrap_or(i64::MAX));
        Some((symbol.to_string(), SizeRange { min, opt: known.hint.clamp(min, max.max(min)), max }))
    };
    inputs.filter_map(range).collect()
}

/// Limits the ranges of symbols to those of a recorded profile; the first one replaces them, others widen it.
fn narrow(program: &Program, ranges: &mut Ranges, recorded: &RecordedRanges, is_first: bool) {
    let inputs = program.inputs().iter().map(|id| program.value(*id));
    let axes = inputs.flat_map(|input| input.dims.iter().zip(recorded.get(&input.name).into_iter().flatten()));
    for (dim, size) in axes {
        if let [symbol] = dim.symbols().as_slice()
            && *dim == Dim::symbol(symbol)
            && let Some(range) = ranges.get_mut(&**symbol)
        {
            let wide = SizeRange { min: range.min.min(size.min), opt: range.opt, max: range.max.max(size.max) };
            *range = if is_first { *size } else { wide };
        }
    }
}

/// The range of the batch: axis 0 of the first input.
fn batch<'r>(program: &Program, ranges: &'r mut Ranges) -> Result<&'r mut SizeRange> {
    let first = program.inputs().first().map(|id| program.value(*id));
    let symbol = first.and_then(|input| input.dims.first()?.symbols().first().map(ToString::to_string));
    symbol.and_then(|symbol| ranges.get_mut(&symbol)).ok_or_else(|| {
        let message = "the largest batch: axis 0 of the first input has one size in the exported model".to_owned();
        bad_profile(message, "export it with dynamic_shapes for that axis")
    })
}

/// Takes one end of the ranges from a shape.
fn set(program: &Program, ranges: &mut Ranges, asked: &Asked<'_>) -> Result<()> {
    let Asked { argument, end, input: name, sizes } = *asked;
    let dims = dims_of(program, name)?;
    if dims.len() != sizes.len() {
        let message =
            format!("{argument}: input `{name}` has {} axes, and {} sizes were given", dims.len(), sizes.len());
        return Err(bad_profile(message, format!("it is {}", dims::format_dims(dims))));
    }
    for (axis, (dim, size)) in dims.iter().zip(sizes).enumerate() {
        if dim.as_static().is_some_and(|fixed| fixed != *size) {
            let message = format!(
                "{argument}: axis {axis} of input `{name}` is {size}, and the model was exported for {dim} only"
            );
            return Err(bad_profile(message, "export it with dynamic_shapes for that axis"));
        }
        if let [symbol] = dim.symbols().as_slice()
            && *dim == Dim::symbol(symbol)
            && let Some(range) = ranges.get_mut(&**symbol)
        {
            end.set(range, *size);
        }
    }
    Ok(())
}

/// The sizes of an input.
fn dims_of<'p>(program: &'p Program, name: &str) -> Result<&'p [Dim]> {
    let inputs = || program.inputs().iter().map(|id| program.value(*id));
    let found = inputs().find(|input| input.name == name).map(|input| input.dims.as_slice());
    found.ok_or_else(|| {
        let names: Vec<&str> = inputs().map(|input| input.name.as_str()).collect();
        bad_profile(format!("the model has no input `{name}`"), format!("its inputs are {}", names.join(", ")))
    })
}

/// Checks that a range is in order and within the limits of the export.
fn checked(program: &Program, symbol: &str, range: SizeRange, limit: SizeRange) -> Result<()> {
    let Place { axis: place, .. } = place(program, symbol);
    in_order(range, || place.clone(), "give each input's smallest, best and largest sizes, in that order")?;
    if range.min < limit.min || range.max > limit.max {
        let most = if limit.max == i64::MAX { "any".to_owned() } else { limit.max.to_string() };
        let message = format!(
            "{place} is asked to be {} to {}, and the model was exported for {} to {most}",
            range.min, range.max, limit.min
        );
        let wider = SizeRange { min: range.min.min(limit.min), max: range.max.max(limit.max), ..range };
        let help = export_for(program, symbol, wider);
        return Err(bad_profile(message, format!("{help}, or ask for sizes within {} to {most}", limit.min)));
    }
    Ok(())
}

/// Help to export the model for another range of one symbol: the whole `dynamic_shapes`, which torch.export needs.
fn export_for(program: &Program, symbol: &str, wanted: SizeRange) -> String {
    let inputs = program.inputs().iter().map(|id| program.value(*id));
    // Names with a dot are parts of a structure.
    let shapes: Option<Vec<String>> = inputs
        .map(|input| {
            let axes = input.dims.iter().enumerate().filter(|(_, dim)| dim.as_static().is_none());
            let axes: Vec<String> =
                axes.map(|(axis, dim)| format!("{axis}: {}", export_dim(program, dim, symbol, wanted))).collect();
            let axes = if axes.is_empty() { "None".to_owned() } else { format!("{{{}}}", axes.join(", ")) };
            (!input.name.contains('.')).then(|| format!("\"{}\": {axes}", input.name))
        })
        .collect();
    let end = if wanted.max == i64::MAX { String::new() } else { format!(", max={}", wanted.max) };
    match shapes {
        Some(shapes) => format!("export it for that range: dynamic_shapes={{{}}}", shapes.join(", ")),
        None => format!("export it with torch.export.Dim(\"{}\", min={}{end}) there", dim_name(symbol), wanted.min),
    }
}

/// How a size is declared to torch.export.
fn export_dim(program: &Program, dim: &Dim, symbol: &str, wanted: SizeRange) -> String {
    let symbols = dim.symbols();
    let [own] = symbols.as_slice() else { return "torch.export.Dim.AUTO".to_owned() };
    let known = program.symbols().get(&**own);
    let (min, max) = match known {
        _ if **own == *symbol => (wanted.min, Some(wanted.max).filter(|max| *max != i64::MAX)),
        Some(known) => (known.min, known.max),
        None => (0, None),
    };
    if *dim != Dim::symbol(own) {
        return "torch.export.Dim.AUTO".to_owned();
    }
    let end = max.map_or_else(String::new, |max| format!(", max={max}"));
    format!("torch.export.Dim(\"{}\", min={min}{end})", dim_name(own))
}

/// A name that torch.export accepts for a new size: those of its own, such as `s0`, are taken.
fn dim_name(symbol: &str) -> String {
    let own = symbol.strip_prefix('s').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    if own { format!("size_{symbol}") } else { symbol.to_owned() }
}

/// The error of a size without a maximum.
fn endless(program: &Program, symbol: &str) -> Error {
    let Place { axis, shape } = place(program, symbol);
    let message = format!("{axis} has no largest size, which a TensorRT plan needs");
    bad_profile(message, format!("give it: max_shapes {shape}, with a number in the place of {symbol}"))
}

/// Where an input has a symbol.
struct Place {
    /// Such as: axis 0 of input `x`.
    axis: String,
    /// The shape of the input, such as `x=batchx3x32`.
    shape: String,
}

/// The first axis with a symbol.
fn place(program: &Program, symbol: &str) -> Place {
    let whole = Dim::symbol(symbol);
    for input in program.inputs().iter().map(|id| program.value(*id)) {
        let found = input.dims.iter().position(|dim| *dim == whole || dim.symbols().iter().any(|own| **own == *symbol));
        if let Some(axis) = found {
            let sizes: Vec<String> = input.dims.iter().map(ToString::to_string).collect();
            let axis = format!("axis {axis} of input `{}`", input.name);
            return Place { axis, shape: format!("{}={}", input.name, sizes.join("x")) };
        }
    }
    Place { axis: format!("`{symbol}`"), shape: symbol.to_owned() }
}

/// The range of an axis.
fn axis(dim: &Dim, ranges: &Ranges) -> Option<SizeRange> {
    let range = dim.range(&|symbol| match ranges.get(symbol) {
        Some(range) => Range { min: range.min, max: range.max },
        None => Range { min: 0, max: i64::MAX },
    });
    let opt = dim.eval(&|symbol| ranges.get(symbol).map(|range| range.opt)).ok()?;
    Some(SizeRange { min: range.min.max(0), opt, max: range.max })
}

#[cfg(test)]
mod tests;
