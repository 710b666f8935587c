//! What `simplify` makes of each layer it knows, followed by `dce`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

mod common;

use common::becomes;
use network::Network;
use passes::{Pass, run};

fn simplified(network: &Network) -> Network {
    run(network, &[Pass::Simplify, Pass::Dce]).unwrap().0
}

/// One input `%0`, some layers, and the output of the last.
#[track_caller]
fn check(input: &str, layers: &[&str], after: &[&str]) {
    let head = |last: &[&str]| {
        let end = last.last().and_then(|l| l.split(':').next()).unwrap_or("%0").to_owned();
        let mut lines = vec![
            "symbol s0 in 1..8 opt 4".to_owned(),
            "symbol s1 in 1.. opt 4".to_owned(),
            format!("input %0 \"x\": {input}"),
        ];
        lines.extend(last.iter().map(|l| (*l).to_owned()));
        lines.push(format!("output \"y\": {end}"));
        lines.join("\n")
    };
    becomes(simplified, &head(layers), &head(after));
}

#[test]
fn casts_that_change_nothing_go() {
    check("int32[4]", &["%1: int32[4] = Identity(%0)", "%2: int32[4] = Cast(to: int32)(%1)"], &[]);
    // It holds half precision off.
    let kept = ["%1: float32[4] = Cast(to: float32)(%0)"];
    check("float32[4]", &kept, &kept);
    // Exact widening, then back.
    check("float16[4]", &["%1: float32[4] = Cast(to: float32)(%0)", "%2: float16[4] = Cast(to: float16)(%1)"], &[]);
    check(
        "bool[4]",
        &["%1: int64[4] = Cast(to: int64)(%0)", "%2: float32[4] = Cast(to: float32)(%1)"],
        &["%1: float32[4] = Cast(to: float32)(%0)"],
    );
    // Narrowing rounds: it stays.
    let rounding = ["%1: float16[4] = Cast(to: float16)(%0)", "%2: float32[4] = Cast(to: float32)(%1)"];
    check("float32[4]", &rounding, &rounding);
}

#[test]
fn shuffles_in_a_row_become_one() {
    check(
        "float32[s0,4,6]",
        &[
            "%1: float32[s0,24] = Shuffle(first_transpose: None, reshape: [Copy, Infer], second_transpose: None)(%0)",
            "%2: float32[s0,2,12] = Shuffle(first_transpose: None, reshape: [Copy, Is(2), Is(12)], second_transpose: \
             None)(%1)",
            "%3: float32[s0,1,2,12] = Unsqueeze(axes: [1])(%2)",
        ],
        &["%1: float32[s0,1,2,12] = Shuffle(first_transpose: None, reshape: [Copy, Is(1), Is(2), Is(12)], \
             second_transpose: None)(%0)"],
    );
    // There and back again.
    check(
        "float32[2,3,4]",
        &[
            "%1: float32[3,4,2] = Shuffle(first_transpose: [1, 2, 0], reshape: None, second_transpose: None)(%0)",
            "%2: float32[2,3,4] = Shuffle(first_transpose: [2, 0, 1], reshape: None, second_transpose: None)(%1)",
        ],
        &[],
    );
    // Splitting heads: reshape, then transpose.
    check(
        "float32[s0,5,8]",
        &[
            "%1: float32[s0,5,2,4] = Shuffle(first_transpose: None, reshape: [Copy, Copy, Is(2), Is(4)], \
             second_transpose: None)(%0)",
            "%2: float32[s0,2,5,4] = Shuffle(first_transpose: [0, 2, 1, 3], reshape: None, second_transpose: None)(%1)",
        ],
        &["%1: float32[s0,2,5,4] = Shuffle(first_transpose: None, reshape: [Copy, Is(5), Is(2), Is(4)], \
             second_transpose: [0, 2, 1, 3])(%0)"],
    );
}

#[test]
fn moving_axes_of_one_element_is_a_reshape() {
    check(
        "float32[s0,1,3]",
        &[
            "%1: float32[1,s0,3] = Shuffle(first_transpose: [1, 0, 2], reshape: None, second_transpose: None)(%0)",
            "%2: float32[s0,3] = Squeeze(axes: [0])(%1)",
        ],
        &["%1: float32[s0,3] = Shuffle(first_transpose: None, reshape: [Copy, Is(3)], second_transpose: None)(%0)"],
    );
}

#[test]
fn axes_of_one_element_come_and_go_with_a_transpose() {
    // What multi-head attention does of its projection, in PyTorch's own words.
    check(
        "float32[7,s0,30]",
        &[
            "%1: float32[7,s0,3,10] = Shuffle(first_transpose: None, reshape: [Copy, Copy, Is(3), Is(10)], \
             second_transpose: None)(%0)",
            "%2: float32[1,7,s0,3,10] = Unsqueeze(axes: [0])(%1)",
            "%3: float32[3,7,s0,1,10] = Shuffle(first_transpose: [3, 1, 2, 0, 4], reshape: None, second_transpose: \
             None)(%2)",
            "%4: float32[3,7,s0,10] = Squeeze(axes: [3])(%3)",
        ],
        &["%1: float32[3,7,s0,10] = Shuffle(first_transpose: None, reshape: [Is(7), Copy, Is(3), Is(10)], \
             second_transpose: [2, 0, 1, 3])(%0)"],
    );
    check(
        "float32[197,1,768]",
        &[
            "%1: float32[197,12,64] = Shuffle(first_transpose: None, reshape: [Is(197), Is(12), Is(64)], \
             second_transpose: None)(%0)",
            "%2: float32[12,197,64] = Shuffle(first_transpose: [1, 0, 2], reshape: None, second_transpose: None)(%1)",
            "%3: float32[1,12,197,64] = Shuffle(first_transpose: None, reshape: [Is(1), Is(12), Is(197), Is(64)], \
             second_transpose: None)(%2)",
        ],
        &["%1: float32[1,12,197,64] = Shuffle(first_transpose: None, reshape: [Is(1), Is(197), Is(12), Is(64)], \
             second_transpose: [0, 2, 1, 3])(%0)"],
    );
}

#[test]
fn next_to_a_reshape_axes_of_one_element_stay_where_they_are() {
    check(
        "float32[s0,2304]",
        &[
            "%1: float32[s0,1,3,768] = Shuffle(first_transpose: None, reshape: [Copy, Is(1), Is(3), Is(768)], \
             second_transpose: None)(%0)",
            "%2: float32[3,s0,1,768] = Shuffle(first_transpose: [2, 0, 1, 3], reshape: None, second_transpose: \
             None)(%1)",
        ],
        &["%1: float32[3,s0,1,768] = Shuffle(first_transpose: None, reshape: [Copy, Is(3), Is(1), Is(768)], \
             second_transpose: [1, 0, 2, 3])(%0)"],
    );
    check(
        "float32[1,12,s0,1,64]",
        &[
            "%1: float32[s0,1,1,12,64] = Shuffle(first_transpose: [2, 3, 0, 1, 4], reshape: None, second_transpose: \
             None)(%0)",
            "%2: float32[s0,768] = Shuffle(first_transpose: None, reshape: [Copy, Is(768)], second_transpose: \
             None)(%1)",
        ],
        &["%1: float32[s0,768] = Shuffle(first_transpose: [0, 2, 1, 3, 4], reshape: [Infer, Is(768)], \
             second_transpose: None)(%0)"],
    );
}

#[test]
fn what_moves_elements_and_is_used_twice_is_moved_once() {
    let network = common::read(
        "input %0 \"x\": float32[2,3]
         %1: float32[3,2] = Shuffle(first_transpose: [1, 0], reshape: None, second_transpose: None)(%0)
         %2: float32[6] = Shuffle(first_transpose: None, reshape: [Is(6)], second_transpose: None)(%1)
         %3: float32[3,1,2] = Unsqueeze(axes: [1])(%1)
         output \"a\": %2
         output \"b\": %3",
    );
    let made = simplified(&network).to_string();
    assert_eq!(made.matches("first_transpose: [1, 0]").count(), 1, "{made}");
}

#[test]
fn a_reshape_to_computed_sizes_gets_attributes() {
    check(
        "float32[s0,2,3]",
        &[
            "%1: int64[3] = Shape(%0)",
            "%2: int64[1] = Slice(start: [0], size: [1], stride: [1], mode: StrictBounds)(%1)",
            "%3: int64[1] = Constant([6])",
            "%4: int64[2] = Concatenation(axis: 0)(%2, %3)",
            "%5: float32[s0,6] = Shuffle(first_transpose: None, reshape: None, second_transpose: None)(%0, %4)",
        ],
        &["%1: float32[s0,6] = Shuffle(first_transpose: None, reshape: [Copy, Is(6)], second_transpose: None)(%0)"],
    );
    // Two sizes that are no numbers and stand elsewhere cannot be expressed by attributes.
    let dynamic = [
        "%1: int64[2] = Shape(%0)",
        "%2: int64[1] = Constant([1])",
        "%3: int64[3] = Concatenation(axis: 0)(%2, %1)",
        "%4: float32[1,s0,s1] = Shuffle(first_transpose: None, reshape: None, second_transpose: None)(%0, %3)",
    ];
    check("float32[s0,s1]", &dynamic, &dynamic);
}

#[test]
fn slices_of_everything_go_and_known_bounds_become_attributes() {
    check("int64[3]", &["%1: int64[3] = Slice(start: [0], size: [3], stride: [1], mode: StrictBounds)(%0)"], &[]);
    check(
        "float32[4]",
        &[
            "%1: int64[1] = Constant([1])",
            "%2: float32[2] = Slice(start: [], size: [2], stride: [1], mode: StrictBounds)(%0, %1)",
        ],
        &["%1: float32[2] = Slice(start: [1], size: [2], stride: [1], mode: StrictBounds)(%0)"],
    );
    let reversed = ["%1: float32[4] = Slice(start: [3], size: [4], stride: [-1], mode: StrictBounds)(%0)"];
    check("float32[4]", &reversed, &reversed);
}

#[test]
fn neutral_constants_go_where_that_is_exact() {
    for (dtype, op, constant, swap, goes) in [
        ("float32", "Prod", "1.0", false, true),
        ("float32", "Prod", "1.0", true, true),
        ("float32", "Div", "1.0", false, true),
        ("float32", "Div", "1.0", true, false),
        ("float32", "Pow", "1.0", false, true),
        // -0 + 0 is 0.
        ("float32", "Sum", "0.0", false, false),
        ("float32", "Sum", "-0.0", false, true),
        ("float32", "Sub", "0.0", false, true),
        ("float32", "Sub", "-0.0", false, false),
        // Rounds down.
        ("float32", "FloorDiv", "1.0", false, false),
        ("int64", "FloorDiv", "1", false, true),
        ("int64", "Sum", "0", true, true),
        ("int64", "Sub", "0", true, false),
        ("bool", "And", "true", false, true),
        ("bool", "And", "false", false, false),
        ("bool", "Or", "false", true, true),
    ] {
        let c = format!("%1: {dtype}[1] = Constant([{constant}])");
        let inputs = if swap { "(%1, %0)" } else { "(%0, %1)" };
        let layer = format!("%2: {dtype}[3] = ElementWise(op: {op}){inputs}");
        let all = [c.as_str(), &layer];
        check(&format!("{dtype}[3]"), &all, if goes { &[] } else { &all });
    }
    // Broadcasting changes the sizes: it stays.
    let grows = ["%1: float32[3] = Constant([1.0, 1.0, 1.0])", "%2: float32[3] = ElementWise(op: Prod)(%0, %1)"];
    check("float32[1]", &grows, &grows);
}

#[test]
fn selections_and_reductions_and_concatenations_of_little_go() {
    check(
        "float32[2]",
        &[
            "%1: bool[1] = Constant([true])",
            "%2: float32[2] = Constant([1.0, 2.0])",
            "%3: float32[2] = Select(%1, %0, %2)",
            "%4: float32[2] = Concatenation(axis: 0)(%3)",
            "%5: float32[2] = Padding(pre: [0, 0], post: [0, 0])(%4)",
        ][..4],
        &[],
    );
    check(
        "float32[s0,1,3]",
        &["%1: float32[s0,3] = Reduce(op: Avg, axes: [1], keep_dims: false)(%0)"],
        &["%1: float32[s0,3] = Shuffle(first_transpose: None, reshape: [Copy, Is(3)], second_transpose: None)(%0)"],
    );
    check(
        "float32[2,3]",
        &["%1: float32[0,3] = Constant([])", "%2: float32[2,3] = Concatenation(axis: 0)(%1, %0)"],
        &[],
    );
}
