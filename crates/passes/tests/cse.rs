//! Layers that become one, and concatenations that share what they begin with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

mod common;

use common::becomes;
use network::Network;

fn cse(network: &Network) -> Network {
    passes::cse(network).unwrap()
}

#[test]
fn a_dense_block_joins_two_tensors_at_each_step() {
    becomes(
        cse,
        "
        input %0 \"x\": float32[2,3]
        %1: float32[2,3] = Unary(op: Exp)(%0)
        %2: float32[2,6] = Concatenation(axis: 1)(%0, %1)
        %3: float32[2,6] = Unary(op: Sin)(%2)
        %4: float32[2,12] = Concatenation(axis: 1)(%0, %1, %3)
        %5: float32[2,12] = Unary(op: Cos)(%4)
        %6: float32[2,36] = Concatenation(axis: 1)(%0, %1, %3, %5, %5)
        output \"y\": %6",
        "
        input %0 \"x\": float32[2,3]
        %1: float32[2,3] = Unary(op: Exp)(%0)
        %2: float32[2,6] = Concatenation(axis: 1)(%0, %1)
        %3: float32[2,6] = Unary(op: Sin)(%2)
        %4: float32[2,12] = Concatenation(axis: 1)(%2, %3)
        %5: float32[2,12] = Unary(op: Cos)(%4)
        %6: float32[2,36] = Concatenation(axis: 1)(%4, %5, %5)
        output \"y\": %6",
    );
}

#[test]
fn concatenations_that_begin_otherwise_stay() {
    // Another axis, another order, another beginning; and the same one again, which becomes one.
    let network = "
        input %0 \"x\": float32[2,2]
        input %1 \"z\": float32[2,2]
        %2: float32[2,4] = Concatenation(axis: 1)(%0, %1)
        %3: float32[6,2] = Concatenation(axis: 0)(%0, %1, %0)
        %4: float32[2,6] = Concatenation(axis: 1)(%1, %0, %1)
        %5: float32[2,6] = Concatenation(axis: 1)(%0, %0, %1)
        output \"a\": %2
        output \"b\": %3
        output \"c\": %4
        output \"d\": %5";
    becomes(cse, network, network);
    becomes(
        cse,
        "
        input %0 \"x\": float32[2,2]
        %1: float32[2,4] = Concatenation(axis: 1)(%0, %0)
        %2: float32[2,4] = Concatenation(axis: 1)(%0, %0)
        output \"a\": %1
        output \"b\": %2",
        "
        input %0 \"x\": float32[2,2]
        %1: float32[2,4] = Concatenation(axis: 1)(%0, %0)
        output \"a\": %1
        output \"b\": %1",
    );
}

#[test]
fn what_twins_read_is_merged_with_them() {
    let standard = |network: &Network| passes::run(network, &passes::STANDARD).unwrap().0;
    becomes(
        standard,
        r#"input %0 "x": float32[2,3,4]
           %1: float32[4,2,3] = Shuffle(first_transpose: [2, 0, 1], reshape: None, second_transpose: None)(%0)
           %2: float32[4,6] = Shuffle(first_transpose: None, reshape: [Is(4), Is(6)], second_transpose: None)(%1)
           %3: float32[4,6] = Shuffle(first_transpose: None, reshape: [Is(4), Is(6)], second_transpose: None)(%1)
           output "y": %2
           output "z": %3"#,
        r#"input %0 "x": float32[2,3,4]
           %1: float32[4,6] = Shuffle(first_transpose: [2, 0, 1], reshape: [Is(4), Is(6)], second_transpose: None)(%0)
           output "y": %1
           output "z": %1"#,
    );
}
