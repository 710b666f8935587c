//! The sizes that an engine takes: those that the archive says, within them those that are asked for.

use crate::Failure;
use crate::tensors::shape;
use clap::Args;
use dims::{Dim, Range};
use program::{Program, Value};
use runtime::{Profile, SizeRange};
use std::collections::BTreeMap;
use torch2trt::{Archive, Backend, Code, ConvertOptions, Error};

/// Sizes of dynamic axes.
#[derive(Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// Smallest sizes of an input, such as x=1x3x224x224 [default: those the model was exported for]
    #[arg(long = "min-shape", value_name = "NAME=SIZES", value_parser = shape)]
    min: Vec<(String, Vec<i64>)>,
    /// Sizes that TensorRT tunes for [default: those of the sample that the model was exported with]
    #[arg(long = "opt-shape", value_name = "NAME=SIZES", value_parser = shape)]
    opt: Vec<(String, Vec<i64>)>,
    /// Largest sizes of an input [default: those the model was exported for]
    #[arg(long = "max-shape", value_name = "NAME=SIZES", value_parser = shape)]
    max: Vec<(String, Vec<i64>)>,
}

type Ranges = BTreeMap<String, SizeRange>;

impl Arguments {
    /// The shapes as they were given, by input: a request to PyTorch.
    pub(crate) fn request(&self) -> serde_json::Value {
        let of = |shapes: &[(String, Vec<i64>)]| shapes.iter().cloned().collect::<BTreeMap<_, _>>();
        serde_json::json!({ "min": of(&self.min), "opt": of(&self.opt), "max": of(&self.max) })
    }

    /// The profiles: those that the archive records, or one of the sizes that are asked for.
    ///
    /// # Errors
    /// As [`Self::profile_within`].
    pub(crate) fn profiles(&self, archive: &Archive, options: &ConvertOptions) -> Result<Vec<Profile>, Failure> {
        let program = &archive.program;
        let recorded = archive.captured.as_ref().map_or(&[][..], |captured| captured.profiles.as_slice());
        let mut ranges = exported(program);
        for (number, recorded) in recorded.iter().enumerate() {
            narrow(program, &mut ranges, recorded, number == 0);
        }
        let asks = self.given().next().is_some() || options.max_batch_size.is_some();
        if asks || recorded.is_empty() {
            return Ok(self.profile_within(ranges, program, options)?.into_iter().collect());
        }
        let size = |(min, opt, max): &(i64, i64, i64)| SizeRange { min: *min, opt: *opt, max: *max };
        let profile = |axes: &torch2trt::RecordedRanges| {
            let axes = named(program, options)
                .filter_map(|(input, name)| Some((name, axes.get(&input.name)?.iter().map(size).collect())));
            Profile { symbols: BTreeMap::new(), axes: axes.collect() }
        };
        Ok(recorded.iter().map(profile).collect())
    }

    /// The ranges of every axis; `None` for a model of fixed sizes, and for the CPU engine where a size has no end.
    ///
    /// # Errors
    /// E0307 for shapes that do not fit the model or each other, and for TensorRT where a size has no end.
    fn profile_within(
        &self,
        mut ranges: Ranges,
        program: &Program,
        options: &ConvertOptions,
    ) -> Result<Option<Profile>, Failure> {
        let limits = ranges.clone();
        for (end, name, sizes) in self.given() {
            set(program, &mut ranges, end, name, sizes)?;
        }
        if let Some(most) = options.max_batch_size {
            batch(program, &mut ranges)?.max = most;
        }
        if self.opt.is_empty() {
            ranges.values_mut().for_each(|range| range.opt = range.opt.clamp(range.min, range.max.max(range.min)));
        }
        for (symbol, range) in &ranges {
            let limit = limits.get(symbol).unwrap_or(range);
            checked(program, symbol, *range, *limit)?;
        }
        self.complete(program, &ranges)?;
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

    /// Sizes that follow from others have to be what these make them.
    fn complete(&self, program: &Program, ranges: &Ranges) -> Result<(), Failure> {
        for (end, name, sizes) in self.given() {
            for (axis, (dim, size)) in dims_of(program, name)?.iter().zip(sizes).enumerate() {
                let follows = dim.eval(&|symbol| ranges.get(symbol).map(|range| end.of(range)));
                if follows != Ok(*size) {
                    let (option, follows) =
                        (end.option(), follows.map_or_else(|e| e.to_string(), |size| size.to_string()));
                    let message =
                        format!("{option}: axis {axis} of input `{name}` is {size}, and {dim} makes it {follows}");
                    return Err(wrong(message, "give every input that has the size the same, or only one of them"));
                }
            }
        }
        Ok(())
    }

    /// Every shape that is asked for, and which end of the ranges it is.
    fn given(&self) -> impl Iterator<Item = (End, &str, &[i64])> {
        let ends = [(End::Min, &self.min), (End::Opt, &self.opt), (End::Max, &self.max)];
        let shapes = ends.into_iter().flat_map(|(end, shapes)| shapes.iter().map(move |shape| (end, shape)));
        shapes.map(|(end, (name, sizes))| (end, name.as_str(), sizes.as_slice()))
    }
}

/// The inputs of a program, and the names that the engine gives them.
fn named<'p>(program: &'p Program, options: &'p ConvertOptions) -> impl Iterator<Item = (&'p Value, String)> {
    let inputs = program.inputs().iter().map(|id| program.value(*id));
    let own = inputs.clone().map(|input| &input.name).skip(options.input_names.len());
    inputs.zip(options.input_names.iter().chain(own).cloned())
}

/// What of a range an option is about.
#[derive(Clone, Copy)]
enum End {
    Min,
    Opt,
    Max,
}

impl End {
    fn option(self) -> &'static str {
        match self {
            Self::Min => "--min-shape",
            Self::Opt => "--opt-shape",
            Self::Max => "--max-shape",
        }
    }

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
fn narrow(program: &Program, ranges: &mut Ranges, recorded: &torch2trt::RecordedRanges, is_first: bool) {
    let inputs = program.inputs().iter().map(|id| program.value(*id));
    let axes = inputs.flat_map(|input| input.dims.iter().zip(recorded.get(&input.name).into_iter().flatten()));
    for (dim, (min, opt, max)) in axes {
        if let [symbol] = dim.symbols().as_slice()
            && *dim == Dim::symbol(symbol)
            && let Some(range) = ranges.get_mut(&**symbol)
        {
            let wide = SizeRange { min: range.min.min(*min), opt: range.opt, max: range.max.max(*max) };
            *range = if is_first { SizeRange { min: *min, opt: *opt, max: *max } } else { wide };
        }
    }
}

/// The range of the batch: axis 0 of the first input.
fn batch<'r>(program: &Program, ranges: &'r mut Ranges) -> Result<&'r mut SizeRange, Failure> {
    let first = program.inputs().first().map(|id| program.value(*id));
    let symbol = first.and_then(|input| input.dims.first()?.symbols().first().map(ToString::to_string));
    symbol.and_then(|symbol| ranges.get_mut(&symbol)).ok_or_else(|| {
        let message = "--max-batch-size: axis 0 of the first input has one size in the exported model".to_owned();
        wrong(message, "export it with dynamic_shapes for that axis")
    })
}

/// Takes one end of the ranges from a shape.
fn set(program: &Program, ranges: &mut Ranges, end: End, name: &str, sizes: &[i64]) -> Result<(), Failure> {
    let (dims, option) = (dims_of(program, name)?, end.option());
    if dims.len() != sizes.len() {
        let message = format!("{option}: input `{name}` has {} axes, and {} sizes were given", dims.len(), sizes.len());
        return Err(wrong(message, format!("it is {}", dims::format_dims(dims))));
    }
    for (axis, (dim, size)) in dims.iter().zip(sizes).enumerate() {
        if dim.as_static().is_some_and(|fixed| fixed != *size) {
            let message =
                format!("{option}: axis {axis} of input `{name}` is {size}, and the model was exported for {dim} only");
            return Err(wrong(message, "export it with dynamic_shapes for that axis"));
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

fn dims_of<'p>(program: &'p Program, name: &str) -> Result<&'p [Dim], Failure> {
    let inputs = || program.inputs().iter().map(|id| program.value(*id));
    let found = inputs().find(|input| input.name == name).map(|input| input.dims.as_slice());
    found.ok_or_else(|| {
        let names: Vec<&str> = inputs().map(|input| input.name.as_str()).collect();
        wrong(format!("the model has no input `{name}`"), format!("its inputs are {}", names.join(", ")))
    })
}

fn checked(program: &Program, symbol: &str, range: SizeRange, limit: SizeRange) -> Result<(), Failure> {
    let (place, _) = place(program, symbol);
    if range.min > range.opt || range.opt > range.max {
        let message = format!("{place} has min {}, opt {}, max {}", range.min, range.opt, range.max);
        return Err(wrong(message, "give each input's smallest, best and largest sizes, in that order"));
    }
    if range.min < limit.min || range.max > limit.max {
        let most = if limit.max == i64::MAX { "any".to_owned() } else { limit.max.to_string() };
        let message = format!(
            "{place} is asked to be {} to {}, and the model was exported for {} to {most}",
            range.min, range.max, limit.min
        );
        let wider = SizeRange { min: range.min.min(limit.min), max: range.max.max(limit.max), ..range };
        let help = export_for(program, symbol, wider);
        return Err(wrong(message, format!("{help}, or ask for sizes within {} to {most}", limit.min)));
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

fn endless(program: &Program, symbol: &str) -> Failure {
    let (place, shape) = place(program, symbol);
    let message = format!("{place} has no largest size, which a TensorRT plan needs");
    wrong(message, format!("give it: --max-shape {shape}, with a number in the place of {symbol}"))
}

/// `axis 0 of input `x`` and `x=batchx3x32`.
fn place(program: &Program, symbol: &str) -> (String, String) {
    let whole = Dim::symbol(symbol);
    for input in program.inputs().iter().map(|id| program.value(*id)) {
        let found = input.dims.iter().position(|dim| *dim == whole || dim.symbols().iter().any(|own| **own == *symbol));
        if let Some(axis) = found {
            let sizes: Vec<String> = input.dims.iter().map(ToString::to_string).collect();
            return (format!("axis {axis} of input `{}`", input.name), format!("{}={}", input.name, sizes.join("x")));
        }
    }
    (format!("`{symbol}`"), symbol.to_owned())
}

fn axis(dim: &Dim, ranges: &Ranges) -> Option<SizeRange> {
    let range = dim.range(&|symbol| match ranges.get(symbol) {
        Some(range) => Range { min: range.min, max: range.max },
        None => Range { min: 0, max: i64::MAX },
    });
    let opt = dim.eval(&|symbol| ranges.get(symbol).map(|range| range.opt)).ok()?;
    Some(SizeRange { min: range.min.max(0), opt, max: range.max })
}

fn wrong(message: String, help: impl Into<String>) -> Failure {
    Failure::Error(Error::new(Code::BadProfile, message).with_help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use program::{ScalarType, Symbol};

    fn program(max: Option<i64>) -> Program {
        let mut program = Program::new();
        program.add_symbol("batch", Symbol { min: 1, max, hint: 4 });
        let dim = |text: &str| Dim::parse(text).unwrap();
        for (name, dims) in [("x", vec![dim("batch"), dim("3")]), ("z", vec![dim("2*batch")])] {
            program.add_input(Value { name: name.into(), dtype: ScalarType::Float32, dims });
        }
        program
    }

    fn asked(min: &[&str], opt: &[&str], max: &[&str]) -> Arguments {
        let read = |shapes: &[&str]| shapes.iter().map(|text| shape(text).unwrap()).collect();
        Arguments { min: read(min), opt: read(opt), max: read(max) }
    }

    impl Arguments {
        fn profile(&self, program: &Program, options: &ConvertOptions) -> Result<Option<Profile>, Failure> {
            self.profile_within(exported(program), program, options)
        }
    }

    fn on(backend: Backend) -> ConvertOptions {
        ConvertOptions { backend, ..ConvertOptions::default() }
    }

    fn axes(arguments: &Arguments, max: Option<i64>) -> Vec<(i64, i64, i64)> {
        let profile = arguments.profile(&program(max), &on(Backend::TensorRt)).unwrap().unwrap();
        profile.axes.values().flatten().map(|range| (range.min, range.opt, range.max)).collect()
    }

    fn problem(arguments: &Arguments, max: Option<i64>) -> String {
        let Err(Failure::Error(error)) = arguments.profile(&program(max), &on(Backend::TensorRt)) else {
            unreachable!()
        };
        assert_eq!(error.code(), Code::BadProfile);
        error.to_string()
    }

    #[test]
    fn ranges_are_those_of_the_export_or_narrower() {
        assert_eq!(axes(&asked(&[], &[], &[]), Some(8)), [(1, 4, 8), (3, 3, 3), (2, 8, 16)]);
        assert_eq!(axes(&asked(&["x=2x3"], &["x=3x3"], &["x=5x3"]), Some(8)), [(2, 3, 5), (3, 3, 3), (4, 6, 10)]);
        assert_eq!(axes(&asked(&[], &[], &["x=2x3", "z=4"]), None), [(1, 2, 2), (3, 3, 3), (2, 4, 4)]);
        assert_eq!(asked(&[], &[], &[]).profile(&program(None), &on(Backend::Cpu)).unwrap(), None);
        assert_eq!(asked(&[], &[], &[]).profile(&Program::new(), &on(Backend::TensorRt)).unwrap(), None);
    }

    #[test]
    fn the_largest_batch_is_that_of_the_first_input() {
        let options =
            ConvertOptions { max_batch_size: Some(5), input_names: vec!["y".into()], ..on(Backend::TensorRt) };
        let profile = asked(&[], &[], &[]).profile(&program(None), &options).unwrap().unwrap();
        let ends: Vec<(&str, i64)> = profile.axes.iter().map(|(name, axes)| (name.as_str(), axes[0].max)).collect();
        assert_eq!(ends, [("y", 5), ("z", 10)]);
        assert!(asked(&[], &[], &[]).profile(&Program::new(), &options).is_err());
    }

    #[test]
    fn what_does_not_fit_says_so() {
        assert!(problem(&asked(&[], &[], &[]), None).contains("--max-shape x=batchx3"));
        assert!(problem(&asked(&[], &[], &["x=9x3"]), Some(8)).contains("exported for 1 to 8"));
        let export =
            "dynamic_shapes={\"x\": {0: torch.export.Dim(\"batch\", min=1, max=9)}, \"z\": {0: torch.export.Dim.AUTO}}";
        assert!(problem(&asked(&[], &[], &["x=9x3"]), Some(8)).contains(export));
        assert!(problem(&asked(&["x=5x3"], &["x=4x3"], &[]), Some(8)).contains("min 5, opt 4, max 8"));
        assert!(problem(&asked(&[], &[], &["x=5x4"]), Some(8)).contains("exported for 3 only"));
        assert!(problem(&asked(&[], &[], &["x=5"]), Some(8)).contains("has 2 axes, and 1 sizes"));
        assert!(problem(&asked(&[], &[], &["q=5"]), Some(8)).contains("its inputs are x, z"));
        assert!(problem(&asked(&[], &[], &["x=5x3", "z=9"]), Some(8)).contains("2*batch makes it 10"));
    }
}
