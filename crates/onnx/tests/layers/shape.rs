//! Layers that rearrange or make elements by their place: shuffle, slice, concatenation, fill, and shape arithmetic.

use crate::array::{Array, floats, integer, integers, sizes};
use crate::{Sizes, check, check_network, check_within, network_of, operators, origin};
use network::{
    DType, ElementWiseOperation as E, FillOperation, GatherMode, Network, Op, ReduceOperation, ReshapeDim as D,
    SampleMode, TensorId,
};

#[test]
fn shuffle_transposes_reshapes_and_transposes() {
    let x = floats(&[2, 3, 4]);
    let y = x.transpose(&[2, 0, 1]).reshape(&[4, 6]).transpose(&[1, 0]);
    let op = Op::Shuffle {
        first_transpose: Some(vec![2, 0, 1]),
        reshape: Some(vec![D::Copy, D::Infer]),
        second_transpose: Some(vec![1, 0]),
    };
    check(op, &[x.clone()], &[y]);
    let flat = Op::Shuffle { first_transpose: None, reshape: Some(vec![D::Infer]), second_transpose: None };
    check(flat, &[x.clone()], &[x.reshape(&[24])]);
    let empty = floats(&[0, 3]);
    let op = Op::Shuffle { first_transpose: None, reshape: Some(vec![D::Is(0), D::Is(5)]), second_transpose: None };
    check_within(0.0, Sizes::Static, op, &[empty.clone()], &[empty.reshape(&[0, 5])]);
}

fn reshape() -> Op {
    Op::Shuffle { first_transpose: None, reshape: None, second_transpose: None }
}

#[test]
fn a_computed_shape_that_follows_from_the_input_leaves_no_arithmetic() {
    // [n, s, 12] to [n, s, 3, 4], the sizes taken from the input as a program does.
    let build = |network: &mut Network, i: &[TensorId]| {
        let mut add = |op: Op, inputs: &[TensorId]| network.add_one(op, inputs, &origin()).unwrap();
        let shape = add(Op::Shape, &[i[0]]);
        let lead = Op::Slice { start: vec![0], size: vec![2], stride: vec![1], mode: SampleMode::StrictBounds };
        let lead = add(lead, &[shape]);
        let heads = add(Op::Constant(network::Weights::int64(&[2], &[3, 4])), &[]);
        let to = add(Op::Concatenation { axis: 0 }, &[lead, heads]);
        vec![add(reshape(), &[i[0], to])]
    };
    let x = floats(&[5, 7, 12]);
    assert_eq!(
        operators(&onnx::lower(&network_of(&build, &[x.clone()], true), &onnx::LowerOptions::default()).unwrap()),
        ["Reshape"]
    );
    check_network(0.0, Sizes::Any, &build, &[x.clone()], &[x.reshape(&[5, 7, 3, 4])]);
}

#[test]
fn a_shape_of_two_free_sizes_is_computed() {
    // [n*s, 4] to [n, s, 4]: the sizes come from another input.
    let build = |network: &mut Network, i: &[TensorId]| {
        let mut add = |op: Op, inputs: &[TensorId]| network.add_one(op, inputs, &origin()).unwrap();
        let shape = add(Op::Shape, &[i[0]]);
        let flat =
            Op::Shuffle { first_transpose: None, reshape: Some(vec![D::Infer, D::Is(4)]), second_transpose: None };
        let flat = add(flat, &[i[0]]);
        vec![add(reshape(), &[flat, shape])]
    };
    let x = floats(&[3, 5, 4]);
    check_network(0.0, Sizes::Any, &build, &[x.clone()], &[x]);
}

fn sampled(x: &Array, [start, size, stride]: [&[i64]; 3], mode: SampleMode, fill: f64) -> Array {
    Array::from_fn(x.dtype, size, |o| {
        let mut outside = false;
        let at: Vec<i64> = (0..o.len())
            .map(|k| {
                let (n, i) = (x.dims[k], start[k] + o[k] * stride[k]);
                match mode {
                    SampleMode::StrictBounds => i,
                    SampleMode::Wrap => i.rem_euclid(n),
                    SampleMode::Clamp => i.clamp(0, n - 1),
                    SampleMode::Reflect => (n - 1) - ((n - 1) - i.rem_euclid((2 * (n - 1)).max(1))).abs(),
                    SampleMode::Fill => {
                        outside |= !(0..n).contains(&i);
                        i.clamp(0, n - 1)
                    }
                }
            })
            .collect();
        if outside { fill } else { x.at(&at) }
    })
}

#[test]
fn slices_within_bounds_step_forward_backward_and_not_at_all() {
    let x = floats(&[5, 6, 7]);
    for lists in [
        [vec![0, 0, 0], vec![5, 6, 7], vec![1, 1, 1]],
        [vec![1, 0, 2], vec![4, 6, 3], vec![1, 1, 2]],
        [vec![4, 5, 0], vec![5, 3, 7], vec![-1, -2, 1]],
        [vec![2, 1, 6], vec![4, 3, 2], vec![0, 1, -6]],
        [vec![0, 0, 0], vec![1, 6, 7], vec![1, 1, 1]],
    ] {
        let [start, size, stride] = lists;
        let y = sampled(&x, [&start, &size, &stride], SampleMode::StrictBounds, 0.0);
        let op = Op::Slice {
            start: start.clone(),
            size: size.clone(),
            stride: stride.clone(),
            mode: SampleMode::StrictBounds,
        };
        check(op, &[x.clone()], &[y.clone()]);
        // The same with the lists as inputs.
        let op = Op::Slice { start: vec![], size: vec![], stride: vec![], mode: SampleMode::StrictBounds };
        check(op, &[x.clone(), sizes(&start), sizes(&size), sizes(&stride)], &[y]);
    }
}

#[test]
fn slices_outside_read_by_mode() {
    for mode in [SampleMode::Wrap, SampleMode::Clamp, SampleMode::Reflect, SampleMode::Fill] {
        let x = floats(&[5, 6]);
        for lists in [
            [vec![-2, 0], vec![9, 6], vec![1, 1]],
            [vec![-3, 1], vec![5, 4], vec![2, 2]],
            [vec![7, 6], vec![5, 8], vec![-2, -1]],
        ] {
            let [start, size, stride] = lists;
            let y = sampled(&x, [&start, &size, &stride], mode, 0.0);
            let op = Op::Slice { start: start.clone(), size: size.clone(), stride: stride.clone(), mode };
            check_within(0.0, Sizes::Any, op, &[x.clone()], &[y]);
        }
    }
}

#[test]
fn a_fill_value_is_used_for_every_type() {
    for dtype in [DType::Float32, DType::Int32, DType::Int64, DType::Bool] {
        let (x, fill) = (integers(dtype, &[4, 3], 0, 2), Array::scalar(dtype, 1.0).constant());
        let y = sampled(&x, [&[-1, -2], &[6, 6], &[1, 1]], SampleMode::Fill, 1.0);
        let op = Op::Slice { start: vec![-1, -2], size: vec![6, 6], stride: vec![1, 1], mode: SampleMode::Fill };
        let build = |network: &mut Network, i: &[TensorId]| {
            network.add(op.clone(), &[Some(i[0]), None, None, None, Some(i[1])], &origin()).unwrap()
        };
        check_network(0.0, Sizes::Any, &build, &[x, fill], &[y]);
    }
}

#[test]
fn pads_that_depend_on_data_are_computed() {
    for mode in [SampleMode::Clamp, SampleMode::Reflect, SampleMode::Fill, SampleMode::Wrap] {
        let x = floats(&[5, 6]);
        let start = Array::new(DType::Int32, &[2], vec![-integer(1, 4) as f64, 1.0]);
        let first: Vec<i64> = start.data.iter().map(|v| *v as i64).collect();
        let y = sampled(&x, [&first, &[8, 7], &[1, 1]], mode, 0.0);
        let op = Op::Slice { start: vec![], size: vec![8, 7], stride: vec![1, 1], mode };
        check_within(0.0, Sizes::Static, op, &[x, start], &[y]);
    }
}

#[test]
fn the_size_of_one_input_slices_another() {
    // x[:n - 1] and x[n - 2:] for a symbolic n, without arithmetic.
    let build = |network: &mut Network, i: &[TensorId]| {
        let mut add = |op: Op, inputs: &[Option<TensorId>]| network.add(op, inputs, &origin()).unwrap()[0];
        let shape = add(Op::Shape, &[Some(i[0])]);
        let one = add(Op::Constant(network::Weights::int64(&[2], &[1, 0])), &[]);
        let size = add(Op::ElementWise { op: E::Sub }, &[Some(shape), Some(one)]);
        let op = Op::Slice { start: vec![0, 0], size: vec![], stride: vec![1, 1], mode: SampleMode::StrictBounds };
        vec![add(op, &[Some(i[0]), None, Some(size)])]
    };
    let x = floats(&[6, 3]);
    let y = sampled(&x, [&[0, 0], &[5, 3], &[1, 1]], SampleMode::StrictBounds, 0.0);
    assert_eq!(
        operators(&onnx::lower(&network_of(&build, &[x.clone()], true), &onnx::LowerOptions::default()).unwrap()),
        ["Slice"]
    );
    check_network(0.0, Sizes::Any, &build, &[x], &[y]);
}

#[test]
fn expansion_to_the_size_of_another_input() {
    let build = |network: &mut Network, i: &[TensorId]| {
        let mut add = |op: Op, inputs: &[Option<TensorId>]| network.add(op, inputs, &origin()).unwrap()[0];
        let size = add(Op::Shape, &[Some(i[1])]);
        let op = Op::Slice { start: vec![0, 0], size: vec![], stride: vec![0, 1], mode: SampleMode::StrictBounds };
        vec![add(op, &[Some(i[0]), None, Some(size)])]
    };
    let (x, like) = (floats(&[1, 4]), floats(&[3, 4]));
    let y = Array::from_fn(DType::Float32, &[3, 4], |i| x.at(&[0, i[1]]));
    check_network(0.0, Sizes::Any, &build, &[x, like], &[y]);
}

#[test]
fn concatenation_squeeze_and_unsqueeze() {
    let (a, b) = (floats(&[2, 3, 4]), floats(&[2, 5, 4]));
    let y =
        Array::from_fn(DType::Float32, &[2, 8, 4], |i| if i[1] < 3 { a.at(i) } else { b.at(&[i[0], i[1] - 3, i[2]]) });
    check(Op::Concatenation { axis: 1 }, &[a.clone(), b], &[y]);
    check(Op::Concatenation { axis: 1 }, &[a.clone()], &[a.clone()]);
    check(Op::Unsqueeze { axes: vec![0, 2] }, &[a.clone()], &[a.reshape(&[1, 2, 1, 3, 4])]);
    let thin = floats(&[1, 3, 1]);
    check(Op::Squeeze { axes: vec![0, 2] }, &[thin.clone()], &[thin.reshape(&[3])]);
}

#[test]
fn sequences_are_reversed_to_their_lengths() {
    for (batch, sequence) in [(0usize, 1usize), (1, 0), (2, 1), (0, 2)] {
        let x = floats(&[4, 5, 3]);
        let lengths = integers(DType::Int32, &[x.dims[batch]], 1, x.dims[sequence] + 1);
        let y = Array::from_fn(DType::Float32, &x.dims, |i| {
            let n = lengths.at(&[i[batch]]) as i64;
            let mut at = i.to_vec();
            if at[sequence] < n {
                at[sequence] = n - 1 - at[sequence];
            }
            x.at(&at)
        });
        check(Op::ReverseSequence { batch_axis: batch, sequence_axis: sequence }, &[x, lengths], &[y]);
    }
}

#[test]
fn ramps_are_constants_computed_or_expanded() {
    for dtype in [DType::Float32, DType::Int32, DType::Int64] {
        let (start, steps) = (3.0, [5.0, -2.0]);
        let y = Array::from_fn(dtype, &[4, 6], |i| start + steps[0] * i[0] as f64 + steps[1] * i[1] as f64);
        let fill = Op::Fill { op: FillOperation::Linspace, dims: vec![4, 6], dtype, alpha: 0.0, beta: 0.0 };
        let (alpha, beta) = (Array::scalar(dtype, start), Array::new(dtype, &[2], steps.to_vec()));
        for constant in [false, true] {
            let of = |a: &Array| if constant { a.clone().constant() } else { a.clone() };
            let build = |network: &mut Network, i: &[TensorId]| {
                network.add(fill.clone(), &[None, Some(i[0]), Some(i[1])], &origin()).unwrap()
            };
            check_network(1e-6, Sizes::Static, &build, &[of(&alpha), of(&beta)], &[y.clone()]);
        }
        let n = integer(2, 9);
        let y = Array::from_fn(dtype, &[n], |i| 7.0 + 2.0 * i[0] as f64);
        let fill = Op::Fill { op: FillOperation::Linspace, dims: vec![], dtype, alpha: 7.0, beta: 2.0 };
        let build = |network: &mut Network, i: &[TensorId]| {
            let shape = network.add_one(Op::Shape, &[i[0]], &origin()).unwrap();
            vec![network.add_one(fill.clone(), &[shape], &origin()).unwrap()]
        };
        check_network(1e-6, Sizes::Any, &build, &[floats(&[n])], &[y]);
        let same = Op::Fill { op: FillOperation::Linspace, dims: vec![], dtype, alpha: 7.0, beta: 0.0 };
        let build = |network: &mut Network, i: &[TensorId]| {
            let shape = network.add_one(Op::Shape, &[i[0]], &origin()).unwrap();
            vec![network.add_one(same.clone(), &[shape], &origin()).unwrap()]
        };
        check_network(0.0, Sizes::Any, &build, &[floats(&[n, 3])], &[Array::from_fn(dtype, &[n, 3], |_| 7.0)]);
    }
}

#[test]
fn random_numbers_have_the_bounds_asked_for() {
    let fill = |op, alpha, beta| Op::Fill { op, dims: vec![100, 100], dtype: DType::Float32, alpha, beta };
    let draw = |op: Op, inputs: &[Array]| {
        let build = |network: &mut Network, i: &[TensorId]| {
            let bounds: Vec<_> = [None].into_iter().chain(i.iter().copied().map(Some)).collect();
            network.add(op.clone(), &bounds, &origin()).unwrap()
        };
        crate::run(&network_of(&build, inputs, false), inputs).remove(0).data
    };
    let moments = |v: &[f64]| {
        let mean = v.iter().sum::<f64>() / v.len() as f64;
        (mean, (v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / v.len() as f64).sqrt())
    };
    let bounds = [Array::scalar(DType::Float32, -3.0), Array::scalar(DType::Float32, 1.0)];
    for uniform in [
        draw(fill(FillOperation::RandomUniform, -3.0, 1.0), &[]),
        draw(fill(FillOperation::RandomUniform, 0.0, 0.0), &bounds),
    ] {
        assert!(uniform.iter().all(|v| (-3.0..=1.0).contains(v)));
        let (mean, deviation) = moments(&uniform);
        assert!((mean + 1.0).abs() < 0.1 && (deviation - 4.0 / 12f64.sqrt()).abs() < 0.1, "{mean} {deviation}");
    }
    let bounds = [Array::scalar(DType::Float32, 2.0), Array::scalar(DType::Float32, 0.5)];
    for normal in [
        draw(fill(FillOperation::RandomNormal, 2.0, 0.5), &[]),
        draw(fill(FillOperation::RandomNormal, 0.0, 0.0), &bounds),
    ] {
        let (mean, deviation) = moments(&normal);
        assert!((mean - 2.0).abs() < 0.1 && (deviation - 0.5).abs() < 0.1, "{mean} {deviation}");
    }
}

#[test]
fn size_arithmetic_follows_the_input() {
    // product(shape) / last, as an output.
    let build = |network: &mut Network, i: &[TensorId]| {
        let mut add = |op: Op, inputs: &[TensorId]| network.add_one(op, inputs, &origin()).unwrap();
        let shape = add(Op::Shape, &[i[0]]);
        let all = add(Op::Reduce { op: ReduceOperation::Prod, axes: vec![0], keep_dims: true }, &[shape]);
        let two = add(Op::Constant(network::Weights::int64(&[1], &[2])), &[]);
        let last = add(Op::Gather { mode: GatherMode::Default, axis: 0, elementwise_dims: 0 }, &[shape, two]);
        vec![add(Op::ElementWise { op: E::FloorDiv }, &[all, last])]
    };
    let x = floats(&[3, 5, 4]);
    check_network(0.0, Sizes::Any, &build, &[x], &[Array::new(DType::Int64, &[1], vec![15.0])]);
}

#[test]
fn shapes_are_read() {
    let x = floats(&[3, 1, 4]);
    check(Op::Shape, &[x], &[Array::new(DType::Int64, &[3], vec![3.0, 1.0, 4.0])]);
}
