//! Linear layers between layers that move elements: what `linear` makes of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

mod common;

use common::{becomes, values};
use network::{
    DType, Dim, ElementWiseOperation, GatherMode, MatrixOperation, Network, Op, ReshapeDim, SampleMode, TensorId,
    Weights,
};
use passes::{Pass, eval, run};
use proptest::prelude::*;
use std::sync::Arc;

fn tidied(network: &Network) -> Network {
    run(network, &[Pass::Dce, Pass::Linear]).unwrap().0
}

#[test]
fn query_key_and_value_of_transposed_rows() {
    becomes(
        tidied,
        "
input %0 \"x\": float32[4,5,2]
%1: float32[5,4,2] = Shuffle(first_transpose: [1, 0, 2], reshape: None, second_transpose: None)(%0)
%2: float32[1,6,2] = Constant([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0])
%3: float32[5,4,6] = MatrixMultiply(op0: None, op1: Transpose)(%1, %2)
%4: float32[1,1,6] = Constant([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
%5: float32[5,4,6] = ElementWise(op: Sum)(%3, %4)
%6: float32[3,5,4,2] = Shuffle(first_transpose: None, reshape: [Is(5), Is(4), Is(3), Is(2)], \
  second_transpose: [2, 0, 1, 3])(%5)
%7: int64[] = Constant([0])
%8: float32[5,4,2] = Gather(mode: Default, axis: 0, elementwise_dims: 0)(%6, %7)
%9: float32[4,5,2] = Shuffle(first_transpose: [1, 0, 2], reshape: None, second_transpose: None)(%8)
%10: int64[] = Constant([2])
%11: float32[5,4,2] = Gather(mode: Default, axis: 0, elementwise_dims: 0)(%6, %10)
%12: float32[4,5,2] = Shuffle(first_transpose: [1, 0, 2], reshape: None, second_transpose: None)(%11)
output \"query\": %9
output \"value\": %12
",
        r#"
input %0 "x": float32[4,5,2]
%1: float32[1,2,2] = Constant([0.0, 1.0, 2.0, 3.0])
%2: float32[4,5,2] = MatrixMultiply(op0: None, op1: Transpose)(%0, %1)
%3: float32[1,1,2] = Constant([0.0, 1.0])
%4: float32[4,5,2] = ElementWise(op: Sum)(%2, %3)
%5: float32[1,2,2] = Constant([8.0, 9.0, 10.0, 11.0])
%6: float32[4,5,2] = MatrixMultiply(op0: None, op1: Transpose)(%0, %5)
%7: float32[1,1,2] = Constant([4.0, 5.0])
%8: float32[4,5,2] = ElementWise(op: Sum)(%6, %7)
output "query": %4
output "value": %8
"#,
    );
}

#[test]
fn heads_around_query_and_key() {
    // The channels are heads × (query, key) × features: each part has some of every head.
    becomes(
        tidied,
        r#"
symbol s0 in 1..8 opt 4
input %0 "x": float32[s0,1]
%1: float32[1,8] = Constant([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
%2: float32[s0,8] = MatrixMultiply(op0: None, op1: None)(%0, %1)
%3: float32[s0,2,2,2] = Shuffle(first_transpose: None, reshape: [Copy, Is(2), Is(2), Is(2)], second_transpose: None)(%2)
%4: int64[] = Constant([0])
%5: float32[s0,2,2] = Gather(mode: Default, axis: 2, elementwise_dims: 0)(%3, %4)
%6: float32[2,s0,2] = Shuffle(first_transpose: [1, 0, 2], reshape: None, second_transpose: None)(%5)
%7: int64[] = Constant([1])
%8: float32[s0,2,2] = Gather(mode: Default, axis: 2, elementwise_dims: 0)(%3, %7)
%9: float32[2,s0,2] = Shuffle(first_transpose: [1, 0, 2], reshape: None, second_transpose: None)(%8)
output "query": %6
output "key": %9
"#,
        r#"
symbol s0 in 1..8 opt 4
input %0 "x": float32[s0,1]
%1: float32[1,4] = Constant([0.0, 1.0, 4.0, 5.0])
%2: float32[s0,4] = MatrixMultiply(op0: None, op1: None)(%0, %1)
%3: float32[2,s0,2] = Shuffle(first_transpose: None, reshape: [Copy, Is(2), Is(2)], second_transpose: [1, 0, 2])(%2)
%4: float32[1,4] = Constant([2.0, 3.0, 6.0, 7.0])
%5: float32[s0,4] = MatrixMultiply(op0: None, op1: None)(%0, %4)
%6: float32[2,s0,2] = Shuffle(first_transpose: None, reshape: [Copy, Is(2), Is(2)], second_transpose: [1, 0, 2])(%5)
output "query": %3
output "key": %6
"#,
    );
}

#[test]
fn results_that_are_needed_whole_stay_whole() {
    let kept = r#"
input %0 "x": float32[2,1]
%1: float32[1,4] = Constant([0.0, 1.0, 2.0, 3.0])
%2: float32[2,4] = MatrixMultiply(op0: None, op1: None)(%0, %1)
%3: float32[2,2] = Slice(start: [0, 0], size: [2, 2], stride: [1, 1], mode: StrictBounds)(%2)
%4: float32[2,2] = Slice(start: [0, 2], size: [2, 2], stride: [1, 1], mode: StrictBounds)(%2)
%5: float32[2,2] = Shuffle(first_transpose: [1, 0], reshape: None, second_transpose: None)(%3)
%6: float32[2,2] = Shuffle(first_transpose: [1, 0], reshape: None, second_transpose: None)(%4)
output "a": %5
output "b": %6
output "all": %2
"#;
    becomes(tidied, kept, kept);
    // A gate: its halves are not moved, and one product is less work than two.
    let gate = r#"
input %0 "x": float32[2,1]
%1: float32[1,4] = Constant([0.0, 1.0, 2.0, 3.0])
%2: float32[2,4] = MatrixMultiply(op0: None, op1: None)(%0, %1)
%3: float32[2,2] = Slice(start: [0, 0], size: [2, 2], stride: [1, 1], mode: StrictBounds)(%2)
%4: float32[2,2] = Slice(start: [0, 2], size: [2, 2], stride: [1, 1], mode: StrictBounds)(%2)
%5: float32[2,2] = ElementWise(op: Prod)(%3, %4)
output "y": %5
"#;
    becomes(tidied, gate, gate);
}

#[test]
fn the_key_of_attention_is_moved_once() {
    becomes(
        tidied,
        r#"
symbol s0 in 1..8 opt 4
input %0 "query": float32[s0,2,3,5]
input %1 "key": float32[s0,4,2,5]
%2: float32[s0,2,4,5] = Shuffle(first_transpose: [0, 2, 1, 3], reshape: None, second_transpose: None)(%1)
%3: float32[s0,2,3,4] = MatrixMultiply(op0: None, op1: Transpose)(%0, %2)
output "scores": %3
"#,
        r#"
symbol s0 in 1..8 opt 4
input %0 "query": float32[s0,2,3,5]
input %1 "key": float32[s0,4,2,5]
%2: float32[s0,2,5,4] = Shuffle(first_transpose: [0, 2, 3, 1], reshape: None, second_transpose: None)(%1)
%3: float32[s0,2,3,4] = MatrixMultiply(op0: None, op1: None)(%0, %2)
output "scores": %3
"#,
    );
    // What only changes sizes moves nothing, and what others read as it is stays.
    let kept = r#"
input %0 "query": float32[2,3,5]
input %1 "key": float32[8,5]
input %2 "other": float32[3,2,5]
%3: float32[2,4,5] = Shuffle(first_transpose: None, reshape: [Is(2), Is(4), Is(5)], second_transpose: None)(%1)
%4: float32[2,3,4] = MatrixMultiply(op0: None, op1: Transpose)(%0, %3)
%5: float32[2,3,5] = Shuffle(first_transpose: [1, 0, 2], reshape: None, second_transpose: None)(%2)
%6: float32[2,3,3] = MatrixMultiply(op0: None, op1: Transpose)(%0, %5)
output "scores": %4
output "others": %6
output "moved": %5
"#;
    becomes(tidied, kept, kept);
}

#[test]
fn rows_are_multiplied_behind_what_joins_their_heads() {
    becomes(
        tidied,
        r#"
symbol s0 in 1..8 opt 4
input %0 "x": float32[s0,2,3,1]
input %1 "attends": float32[s0,1,3,1]
%2: float32[s0,2,3,1] = ElementWise(op: Prod)(%0, %1)
%3: float32[s0,3,2] = Shuffle(first_transpose: [0, 2, 1, 3], reshape: [Copy, Is(3), Is(2)], second_transpose: None)(%2)
%4: float32[1,2,2] = Constant([1.0, 2.0, 3.0, 4.0])
%5: float32[s0,3,2] = MatrixMultiply(op0: None, op1: Transpose)(%3, %4)
output "y": %5
"#,
        r#"
symbol s0 in 1..8 opt 4
input %0 "x": float32[s0,2,3,1]
input %1 "attends": float32[s0,1,3,1]
%2: float32[s0,3,2] = Shuffle(first_transpose: [0, 2, 1, 3], reshape: [Copy, Is(3), Is(2)], second_transpose: None)(%0)
%3: float32[s0,3,1] = Shuffle(first_transpose: None, reshape: [Copy, Is(3), Is(1)], second_transpose: None)(%1)
%4: float32[s0,3,2] = ElementWise(op: Prod)(%2, %3)
%5: float32[1,2,2] = Constant([1.0, 2.0, 3.0, 4.0])
%6: float32[s0,3,2] = MatrixMultiply(op0: None, op1: Transpose)(%4, %5)
output "y": %6
"#,
    );
    // A head with a number of its own is a part of a row.
    let heads = r#"
input %0 "x": float32[4,2,3,1]
input %1 "scale": float32[4,2,1,1]
%2: float32[4,2,3,1] = ElementWise(op: Prod)(%0, %1)
%3: float32[4,3,2] = Shuffle(first_transpose: [0, 2, 1, 3], reshape: [Is(4), Is(3), Is(2)], second_transpose: None)(%2)
%4: float32[1,2,2] = Constant([1.0, 2.0, 3.0, 4.0])
%5: float32[4,3,2] = MatrixMultiply(op0: None, op1: Transpose)(%3, %4)
output "y": %5
"#;
    becomes(tidied, heads, heads);
}

/// What is drawn of a linear layer between shuffles.
#[derive(Clone, Debug)]
struct Drawn {
    rows: Vec<i64>,
    /// A permutation of the rows, before and after.
    orders: [Vec<usize>; 2],
    /// Whether the transposed rows are joined to one axis.
    joined: bool,
    features: [i64; 2],
    /// Digits of the results: heads × parts × features of a head.
    digits: [i64; 3],
    transposed: bool,
    bias: bool,
    /// Slices, not single positions.
    sliced: bool,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let order = |n: usize| Just((0..n).collect::<Vec<_>>()).prop_shuffle();
    let rows = proptest::collection::vec(1i64..4, 1..4);
    let flags = any::<[bool; 4]>();
    (rows, [1i64..3, 1..4], [1i64..3, 2..4, 1..4], flags).prop_flat_map(move |(rows, features, digits, flags)| {
        let n = rows.len();
        let [joined, transposed, bias, sliced] = flags;
        (order(n), order(n + 3)).prop_map(move |(before, after)| Drawn {
            rows: rows.clone(),
            orders: [before, after],
            joined,
            features,
            digits,
            transposed,
            bias,
            sliced,
        })
    })
}

/// rows × features → transposed rows → linear → rows × digits, permuted → parts.
fn build(d: &Drawn, seed: u64) -> Network {
    let mut network = Network::new();
    let all: Vec<i64> = d.rows.iter().chain(&d.features).copied().collect();
    let fixed = |sizes: &[i64]| sizes.iter().map(|n| Dim::Static(*n)).collect::<Vec<_>>();
    let reshape = |sizes: &[i64]| Some(sizes.iter().map(|n| ReshapeDim::Is(*n)).collect::<Vec<_>>());
    let x = network.add_input("x", DType::Float32, fixed(&all));
    let mut add = |op, inputs: &[TensorId]| network.add_one(op, inputs, &Arc::default()).unwrap();
    let mut first = d.orders[0].clone();
    first.extend([d.rows.len(), d.rows.len() + 1]);
    let mut rows: Vec<i64> = d.orders[0].iter().map(|k| d.rows[*k]).collect();
    if d.joined {
        rows = vec![rows.iter().product()];
    }
    let (features, results): (i64, i64) = (d.features.iter().product(), d.digits.iter().product());
    let columns = |n: i64| [rows.as_slice(), &[n]].concat();
    let op = Op::Shuffle { first_transpose: Some(first), reshape: reshape(&columns(features)), second_transpose: None };
    let x = add(op, &[x]);
    let (sizes, op1) = if d.transposed {
        ([results, features], MatrixOperation::Transpose)
    } else {
        ([features, results], MatrixOperation::None)
    };
    let ones = vec![1; rows.len() - 1];
    let weights = add(Op::Constant(values(DType::Float32, &[ones.as_slice(), &sizes].concat(), seed)), &[]);
    let mut y = add(Op::MatrixMultiply { op0: MatrixOperation::None, op1 }, &[x, weights]);
    if d.bias {
        let dims = [ones.as_slice(), &[1, results]].concat();
        let bias = add(Op::Constant(values(DType::Float32, &dims, seed ^ 1)), &[]);
        y = add(Op::ElementWise { op: ElementWiseOperation::Sum }, &[y, bias]);
    }
    // One axis of rows for each, so that the permutation fits.
    let apart: Vec<i64> = d.orders[0].iter().map(|k| d.rows[*k]).chain(d.digits).collect();
    let op =
        Op::Shuffle { first_transpose: None, reshape: reshape(&apart), second_transpose: Some(d.orders[1].clone()) };
    let y = add(op, &[y]);
    let to: Vec<i64> = d.orders[1].iter().map(|k| apart[*k]).collect();
    let axis = d.orders[1].iter().position(|k| *k == d.rows.len() + 1).unwrap();
    let mut made = Vec::new();
    for part in 0..d.digits[1] {
        made.push(if d.sliced {
            let (mut start, mut size) = (vec![0; to.len()], to.clone());
            (start[axis], size[axis]) = (part, 1);
            let stride = vec![1; to.len()];
            add(Op::Slice { start, size, stride, mode: SampleMode::StrictBounds }, &[y])
        } else {
            let index = add(Op::Constant(Weights::int64(&[], &[part])), &[]);
            add(Op::Gather { mode: GatherMode::Default, axis, elementwise_dims: 0 }, &[y, index])
        });
    }
    for (part, y) in made.into_iter().enumerate() {
        network.add_output(&format!("y{part}"), y);
    }
    network
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_element_stays_the_same_sum(d in drawn(), seed: u64) {
        let before = build(&d, seed);
        let (after, _) = run(&before, &passes::STANDARD).unwrap();
        after.verify().unwrap();
        let x: Vec<i64> = d.rows.iter().chain(&d.features).copied().collect();
        let inputs = [values(DType::Float32, &x, seed ^ 2)];
        let (wanted, found) = (eval::run(&before, &inputs).unwrap(), eval::run(&after, &inputs).unwrap());
        for (wanted, found) in wanted.iter().zip(&found) {
            prop_assert_eq!(&wanted.dims, &found.dims, "{}\n{}", before, after);
            prop_assert_eq!(wanted.to_f64(), found.to_f64(), "{}\n{}", before, after);
        }
    }

    #[test]
    fn multiplied_rows_stay_the_same(
        sizes in [1i64..4, 1..3, 1..4, 1..4],
        order in Just([0usize, 1, 2]).prop_shuffle(),
        [per_batch, per_head, per_query, swapped, bias] in any::<[bool; 5]>(),
        seed: u64,
    ) {
        let [batch, heads, queries, size] = sizes;
        let mut network = Network::new();
        let fixed = |sizes: &[i64]| sizes.iter().map(|n| Dim::Static(*n)).collect::<Vec<_>>();
        let one = |is_own: bool, n: i64| if is_own { n } else { 1 };
        let chosen = [one(per_batch, batch), one(per_head, heads), one(per_query, queries), 1];
        let x = network.add_input("x", DType::Float32, fixed(&sizes));
        let scale = network.add_input("scale", DType::Float32, fixed(&chosen));
        let mut add = |op, inputs: &[TensorId]| network.add_one(op, inputs, &Arc::default()).unwrap();
        let factors = if swapped { [scale, x] } else { [x, scale] };
        let rows = add(Op::ElementWise { op: ElementWiseOperation::Prod }, &factors);
        // Any order of the axes in front: heads among the rows are one case more.
        let first = [order[0], order[1], order[2], 3];
        let to = [sizes[first[0]], sizes[first[1]], sizes[first[2]] * size];
        let reshape = Some(to.iter().map(|n| ReshapeDim::Is(*n)).collect());
        let rows = add(Op::Shuffle { first_transpose: Some(first.into()), reshape, second_transpose: None }, &[rows]);
        let weights = add(Op::Constant(values(DType::Float32, &[1, to[2], to[2]], seed)), &[]);
        let op0 = MatrixOperation::None;
        let mut y = add(Op::MatrixMultiply { op0, op1: op0 }, &[rows, weights]);
        if bias {
            let bias = add(Op::Constant(values(DType::Float32, &[1, 1, to[2]], seed ^ 1)), &[]);
            y = add(Op::ElementWise { op: ElementWiseOperation::Sum }, &[y, bias]);
        }
        network.add_output("y", y);
        let (after, _) = run(&network, &passes::STANDARD).unwrap();
        after.verify().unwrap();
        let inputs = [values(DType::Float32, &sizes, seed ^ 2), values(DType::Float32, &chosen, seed ^ 3)];
        let (wanted, found) = (eval::run(&network, &inputs).unwrap(), eval::run(&after, &inputs).unwrap());
        prop_assert_eq!(&wanted[0].dims, &found[0].dims);
        prop_assert_eq!(wanted[0].to_f64(), found[0].to_f64(), "{}\n{}", network, after);
        if chosen[first[2]] == 1 && to[2] > 1 && chosen != sizes {
            let shuffle = after.layers().iter().find(|layer| matches!(layer.op, Op::Shuffle { .. })).unwrap();
            prop_assert!(shuffle.used().all(|id| after.producer(id).is_none()), "{}", after);
        }
    }
}
