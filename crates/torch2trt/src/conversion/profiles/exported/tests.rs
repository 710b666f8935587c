//! Ranges of exported programs: narrower ones, what follows from them, and what contradicts them.

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

/// Smallest, best and largest shapes, such as `x=2x3`.
struct Shapes<'a>(&'a [&'a str], &'a [&'a str], &'a [&'a str]);

impl Shapes<'_> {
    fn profile(&self, program: &Program, options: &ConvertOptions) -> Result<Option<Profile>> {
        let ends = [("--min", End::Min, self.0), ("--opt", End::Opt, self.1), ("--max", End::Max, self.2)];
        let shapes = ends.into_iter().flat_map(|(argument, end, texts)| texts.iter().map(move |t| (argument, end, t)));
        let shapes: Vec<(&str, End, &str, Vec<i64>)> = shapes
            .map(|(argument, end, text)| {
                let (input, sizes) = text.split_once('=').unwrap();
                (argument, end, input, sizes.split('x').map(|size| size.parse().unwrap()).collect())
            })
            .collect();
        let asked: Vec<Asked<'_>> =
            shapes.iter().map(|(argument, end, input, sizes)| Asked { argument, end: *end, input, sizes }).collect();
        profile_within(exported(program), program, options, &asked)
    }
}

fn on(backend: Backend) -> ConvertOptions {
    ConvertOptions { backend, ..ConvertOptions::default() }
}

fn axes(shapes: &Shapes<'_>, max: Option<i64>) -> Vec<(i64, i64, i64)> {
    let profile = shapes.profile(&program(max), &on(Backend::TensorRt)).unwrap().unwrap();
    profile.axes.values().flatten().map(|range| (range.min, range.opt, range.max)).collect()
}

fn problem(shapes: &Shapes<'_>, max: Option<i64>) -> String {
    let error = shapes.profile(&program(max), &on(Backend::TensorRt)).unwrap_err();
    assert_eq!(error.code(), crate::Code::BadProfile);
    error.to_string()
}

#[test]
fn ranges_are_those_of_the_export_or_narrower() {
    assert_eq!(axes(&Shapes(&[], &[], &[]), Some(8)), [(1, 4, 8), (3, 3, 3), (2, 8, 16)]);
    assert_eq!(axes(&Shapes(&["x=2x3"], &["x=3x3"], &["x=5x3"]), Some(8)), [(2, 3, 5), (3, 3, 3), (4, 6, 10)]);
    assert_eq!(axes(&Shapes(&[], &[], &["x=2x3", "z=4"]), None), [(1, 2, 2), (3, 3, 3), (2, 4, 4)]);
    assert_eq!(Shapes(&[], &[], &[]).profile(&program(None), &on(Backend::Cpu)).unwrap(), None);
    assert_eq!(Shapes(&[], &[], &[]).profile(&Program::new(), &on(Backend::TensorRt)).unwrap(), None);
}

#[test]
fn the_largest_batch_is_that_of_the_first_input() {
    let options = ConvertOptions { max_batch_size: Some(5), input_names: vec!["y".into()], ..on(Backend::TensorRt) };
    let profile = Shapes(&[], &[], &[]).profile(&program(None), &options).unwrap().unwrap();
    let ends: Vec<(&str, i64)> = profile.axes.iter().map(|(name, axes)| (name.as_str(), axes[0].max)).collect();
    assert_eq!(ends, [("y", 5), ("z", 10)]);
    assert!(Shapes(&[], &[], &[]).profile(&Program::new(), &options).is_err());
}

#[test]
fn what_does_not_fit_is_an_error() {
    assert!(problem(&Shapes(&[], &[], &[]), None).contains("give it: max_shapes x=batchx3"));
    assert!(problem(&Shapes(&[], &[], &["x=9x3"]), Some(8)).contains("exported for 1 to 8"));
    let export =
        "dynamic_shapes={\"x\": {0: torch.export.Dim(\"batch\", min=1, max=9)}, \"z\": {0: torch.export.Dim.AUTO}}";
    assert!(problem(&Shapes(&[], &[], &["x=9x3"]), Some(8)).contains(export));
    assert!(
        problem(&Shapes(&["x=5x3"], &["x=4x3"], &[]), Some(8))
            .contains("axis 0 of input `x`: the range is 5 to 8 with 4 as the best size")
    );
    assert!(problem(&Shapes(&[], &[], &["x=5x4"]), Some(8)).contains("exported for 3 only"));
    assert!(problem(&Shapes(&[], &[], &["x=5"]), Some(8)).contains("has 2 axes, and 1 sizes"));
    assert!(problem(&Shapes(&[], &[], &["q=5"]), Some(8)).contains("its inputs are x, z"));
    assert!(problem(&Shapes(&[], &[], &["x=5x3", "z=9"]), Some(8)).contains("2*batch makes it 10"));
}
