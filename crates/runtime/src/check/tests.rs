//! Tests of the shape check, written as calls against small interfaces.

use super::overlap::{Access, collide};
use crate::{DataType, Dim, EngineSpec, Error, IoSpec, Profile, RunOptions, SizeRange};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Splits at the commas that are not within a call.
fn io(name: &str, dims: &str) -> IoSpec {
    let mut depth = 0;
    let outside = |c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    };
    let dims = dims.split(outside).map(str::trim).filter(|dim| !dim.is_empty());
    IoSpec::new(name, DataType::Float32, dims.map(|dim| Dim::parse(dim).unwrap()))
}

/// `"x: batch, 3; y: 2*batch"`.
fn ios(text: &str) -> Vec<IoSpec> {
    let parts = text.split(';').filter(|part| !part.trim().is_empty());
    parts.map(|part| part.split_once(':').map(|(name, dims)| io(name.trim(), dims)).unwrap()).collect()
}

fn spec(inputs: &str, outputs: &str) -> EngineSpec {
    EngineSpec { inputs: ios(inputs), outputs: ios(outputs), profiles: Vec::new() }
}

fn symbols(ranges: &[(&str, i64, i64)]) -> Profile {
    let range = |&(name, min, max): &(&str, i64, i64)| (name.to_owned(), SizeRange { min, opt: min, max });
    Profile { symbols: ranges.iter().map(range).collect(), axes: BTreeMap::new() }
}

fn message(spec: &EngineSpec, inputs: &[&[i64]]) -> String {
    let error = spec.check(inputs, None).unwrap_err();
    format!("{error}\nhelp: {}", error.help().unwrap_or_default())
}

#[test]
fn outputs_follow_from_inputs() {
    let spec = spec("x: n, s; w: s, 4", "y: n, floordiv(s - 1, 2) + 1; z: 2*n*s; found: u0, 3");
    assert_eq!(spec.output_dims(&[&[3, 10], &[10, 4]]).unwrap(), vec![Some(vec![3, 5]), Some(vec![60]), None]);
}

#[test]
fn a_profile_names_the_axis_and_its_range() {
    let mut spec = spec("x: batch, 3, 224, 224", "y: batch, 1000");
    spec.profiles.push(symbols(&[("batch", 1, 32)]));
    assert_eq!(
        message(&spec, &[&[64, 3, 224, 224]]),
        "input `x` has shape [64, 3, 224, 224]; profile 0 accepts [1..32, 3, 224, 224]\n  \
         axis 0: got 64, allowed 1..32\n\
         help: split the input, or convert again with larger max_shapes"
    );
    assert!(
        message(&spec, &[&[0, 3, 224, 224]]).ends_with("help: pad the input, or convert again with smaller min_shapes")
    );
    assert_eq!(spec.check(&[&[32, 3, 224, 224]], None).unwrap().profile(), Some(0));
}

#[test]
fn fixed_sizes_and_ranges_are_named_together() {
    let mut spec = spec("x: batch, 3, size", "y: batch");
    spec.profiles.push(symbols(&[("batch", 1, 4), ("size", 2, 8)]));
    let text = message(&spec, &[&[5, 4, 9]]);
    let axes: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with("axis")).collect();
    assert_eq!(axes, ["  axis 0: got 5, allowed 1..4", "  axis 1: got 4, allowed 3", "  axis 2: got 9, allowed 2..8"]);
    assert_eq!(text.matches("help: ").count(), 1, "{text}");
}

#[test]
fn a_fixed_size_is_named_and_several_axes_are_named_together() {
    let spec = spec("x: n, 3, 8", "");
    assert_eq!(
        message(&spec, &[&[5, 4, 9]]),
        "input `x` has shape [5, 4, 9]; the engine accepts [n, 3, 8]\n  \
         axis 1: got 4, allowed 3\n  axis 2: got 9, allowed 8\n\
         help: pass the accepted shape, or convert again with this axis dynamic (dynamic_shapes)"
    );
    assert!(message(&spec, &[&[5, 3]]).contains("\n  got 2 axes, allowed 3\n"));
}

#[test]
fn a_symbol_has_one_size() {
    let spec = spec("ids: batch, seq; mask: batch, seq", "");
    assert!(
        message(&spec, &[&[4, 16], &[8, 16]])
            .contains("\n  axis 0: got 8, allowed 4 (`batch`, as in axis 0 of `ids`)\n")
    );
}

#[test]
fn expressions_decide_symbols_and_are_checked() {
    // The symbol is open when the first axis is met, decided by it, and checked in the others.
    let spec = spec("x: 2*s + 1; y: s; z: s*t, t", "out: s, t");
    let checked = spec.check(&[&[9], &[4], &[20, 5]], None).unwrap();
    assert_eq!((checked.symbol("s"), checked.symbol("t")), (Some(4), Some(5)));
    assert_eq!(checked.output_dims(0).unwrap().unwrap().as_slice(), [4, 5]);
    assert!(message(&spec, &[&[8], &[4], &[20, 5]]).contains("axis 0: got 8, allowed are values of `2*s + 1`"));
    assert!(message(&spec, &[&[9], &[5], &[20, 5]]).contains("axis 0: got 5, allowed 4 (`s`, as in axis 0 of `x`)"));
    assert!(message(&spec, &[&[9], &[4], &[20, 6]]).contains("got 6, allowed 5"));

    // A size that only a negative symbol would give.
    assert!(message(&self::spec("x: s + 5", ""), &[&[3]]).contains("allowed are values of `s + 5`"));

    // Two open symbols: the axis waits until the others have decided them.
    let spec = self::spec("x: a + b; a: a; b: b", "");
    spec.check(&[&[7], &[3], &[4]], None).unwrap();
    assert!(message(&spec, &[&[8], &[3], &[4]]).contains("axis 0: got 8, allowed 7 (`a + b`)"));
}

#[test]
fn a_range_holds_for_a_symbol_decided_by_an_expression() {
    let mut spec = spec("x: 2*s", "");
    spec.profiles.push(symbols(&[("s", 1, 4)]));
    assert!(message(&spec, &[&[18]]).contains("axis 0: got 18, which makes `s` 9, allowed 1..4"));
    assert!(message(&spec, &[&[18]]).contains("larger max_shapes"));
}

#[test]
fn the_first_profile_that_accepts_is_taken_unless_one_is_asked_for() {
    let mut spec = spec("x: n, m", "");
    spec.profiles = vec![symbols(&[("n", 1, 4), ("m", 1, 4)]), symbols(&[("n", 1, 64), ("m", 1, 64)])];
    let chosen = |dims: &[i64], asked| spec.check(&[dims], asked).map(|checked| checked.profile());
    assert_eq!(chosen(&[4, 4], None).unwrap(), Some(0));
    assert_eq!(chosen(&[4, 5], None).unwrap(), Some(1));
    assert_eq!(chosen(&[4, 4], Some(1)).unwrap(), Some(1));
    assert!(matches!(chosen(&[4, 5], Some(0)), Err(Error::Shape(e)) if e.profile == Some(0)));
    assert!(matches!(chosen(&[4, 4], Some(2)), Err(Error::Profile { asked: 2, count: 2 })));
    // Refused by both: the one with fewer faults explains.
    assert!(matches!(chosen(&[4, 65], None), Err(Error::Shape(e)) if e.profile == Some(0) && e.faults.len() == 1));
    assert!(message(&spec, &[&[4, 65]]).contains("allowed 1..4\n  profile 1 accepts [1..64, 1..64]\nhelp: "));
}

#[test]
fn ranges_of_axes_hold_without_symbols() {
    let mut spec = spec("x: x0, 3", "");
    let axes = [("x".to_owned(), vec![SizeRange { min: 2, opt: 4, max: 8 }, SizeRange::exactly(3)])];
    spec.profiles.push(Profile { symbols: BTreeMap::new(), axes: axes.into() });
    spec.check(&[&[8, 3]], None).unwrap();
    assert!(message(&spec, &[&[9, 3]]).contains("profile 0 accepts [2..8, 3]\n  axis 0: got 9, allowed 2..8"));
}

#[test]
fn sizes_that_give_no_shape_are_errors() {
    let spec = spec("x: n, k", "y: n - 3; z: floordiv(n, k)");
    let text = spec.output_dims(&[&[2, 1]]).unwrap_err().to_string();
    assert!(text.starts_with("output `y` would have shape [-1]"), "{text}");
    assert!(matches!(spec.output_dims(&[&[-1, 1]]), Err(Error::BadDims { .. })));
    let text = spec.output_dims(&[&[4, 0]]).unwrap_err().to_string();
    assert!(text.contains("division by zero"), "{text}");
}

#[test]
fn a_spec_reads_as_people_write_it_and_survives_a_file() {
    let mut spec = spec("x: batch, 3, 2*s + 1", "y: batch, u0");
    spec.profiles.push(symbols(&[("batch", 1, 32)]));
    let text = serde_json::to_string(&spec).unwrap();
    assert_eq!(
        text,
        "{\"inputs\":[{\"name\":\"x\",\"dtype\":\"float32\",\"dims\":[\"batch\",3,\"2*s + 1\"]}],\
         \"outputs\":[{\"name\":\"y\",\"dtype\":\"float32\",\"dims\":[\"batch\",\"u0\"]}],\
         \"profiles\":[{\"symbols\":{\"batch\":{\"min\":1,\"opt\":1,\"max\":32}}}]}"
    );
    assert_eq!(serde_json::from_str::<EngineSpec>(&text).unwrap(), spec);
    assert_eq!(RunOptions::default(), RunOptions { stream: None, profile: None });
}

proptest! {
    /// Whatever sizes the symbols have, an interface accepts the shapes they give, and no others.
    #[test]
    fn accepts_exactly_the_shapes_of_its_symbols(
        sizes in proptest::array::uniform3(1i64..50),
        wrong_axis in 0usize..6,
        by in prop_oneof![-3i64..0, 1i64..4],
    ) {
        let spec = spec("p: a, 3*b + 2; q: a*b, c; r: max(a, c), floordiv(b + 1, 2)", "");
        let [a, b, c] = sizes;
        let mut shapes = [[a, 3 * b + 2], [a * b, c], [a.max(c), (b + 1) / 2]];
        let accepts = |shapes: &[[i64; 2]; 3]| {
            spec.check(&[&shapes[0], &shapes[1], &shapes[2]], None).is_ok()
        };
        prop_assert!(accepts(&shapes));
        shapes[wrong_axis / 2][wrong_axis % 2] += by;
        // Axis 3 is `c` itself: another value of it is only wrong where `max(a, c)` shows it,
        // or where it is no size.
        let shows = wrong_axis != 3 || a.max(shapes[1][1]) != a.max(c) || shapes[1][1] < 0;
        prop_assert_eq!(accepts(&shapes), !shows);
    }
}

proptest! {
    #[test]
    fn overlaps_are_found_by_sorting_as_by_comparing_all_pairs(
        spans in prop::collection::vec((0usize..120, 0usize..8, any::<bool>()), 0..14),
    ) {
        let access = |(at, len, is_written): (usize, usize, bool)| Access { bytes: at..at + len, is_written };
        let spans: Vec<_> = spans.into_iter().map(access).collect();
        let overlap = |(a, b): (usize, usize)| {
            let (x, y) = (&spans[a], &spans[b]);
            (x.is_written || y.is_written) && x.bytes.start.max(y.bytes.start) < x.bytes.end.min(y.bytes.end)
        };
        let expected = (0..spans.len()).flat_map(|b| (0..b).map(move |a| (a, b))).any(overlap);
        prop_assert_eq!(collide(spans.clone()), expected);
    }
}
