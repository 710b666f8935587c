//! The CPU engine against arithmetic done here: results, dtypes, shapes, memory, threads, errors.

#![allow(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod common;

use common::*;
use rand::RngExt;
use runtime::{CpuOptions, DataType, Device, Dim, Engine, Error, RunOptions, Side, Tensor, TensorView, TensorViewMut};
use std::num::NonZeroUsize;

const F32: DataType = DataType::Float32;

/// `y = x·W + b` for `x` of any batch.
fn linear(rng: &mut rand::rngs::StdRng, k: usize, n: usize) -> (Model, Vec<f32>, Vec<f32>) {
    let (w, b): (Vec<f32>, Vec<f32>) = (random(rng, k * n), random(rng, n));
    let model = Model::default()
        .input("x", F32, &format!("batch, {k}"))
        .weight("w", F32, &[k as i64, n as i64], owned_bytes(w.clone()))
        .weight("b", F32, &[n as i64], owned_bytes(b.clone()))
        .node("Gemm", &["x", "w", "b"], "y")
        .output("y", F32, &format!("batch, {n}"));
    (model, w, b)
}

fn linear_reference(x: &[f32], w: &[f32], b: &[f32]) -> Vec<f64> {
    let (k, n) = (w.len() / b.len(), b.len());
    let at = |i: usize, j: usize| (0..k).map(|c| f64::from(x[i * k + c]) * f64::from(w[c * n + j])).sum::<f64>();
    (0..x.len() / k).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| at(i, j) + f64::from(b[j])).collect()
}

fn assert_close(got: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((f64::from(*g) - e).abs() <= tolerance * e.abs().max(1.0), "element {i}: got {g}, expected {e}");
    }
}

#[test]
fn borrowed_weights_and_a_dynamic_batch_give_the_right_numbers() {
    let mut rng = rng();
    let (model, w, b) = linear(&mut rng, 65, 33);
    let engine = model.engine();
    for batch in [1usize, 7, 2] {
        let x: Vec<f32> = random(&mut rng, batch * 65);
        let dims = [batch as i64, 65];
        assert_eq!(engine.output_dims(&[&dims]).unwrap(), vec![Some(vec![batch as i64, 33])]);
        let (mut y, out_dims) = (vec![0f32; batch * 33], [batch as i64, 33]);
        let input = TensorView::new(F32, &dims, as_bytes(&x)).unwrap();
        let output = TensorViewMut::new(F32, &out_dims, as_bytes_mut(&mut y)).unwrap();
        engine.run(&[input], &mut [output], &RunOptions::default()).unwrap();
        assert_close(&y, &linear_reference(&x, &w, &b), 1e-5);

        let made = engine.run_alloc(&[input], &RunOptions::default()).unwrap();
        assert_eq!((made[0].dims(), made[0].dtype(), made[0].device()), (&out_dims[..], F32, Device::Cpu));
        assert_eq!(made[0].bytes().unwrap(), as_bytes(&y));
    }
}

#[test]
fn every_dtype_crosses_the_boundary_both_ways_unchanged() {
    let mut rng = rng();
    for dtype in DataType::ALL {
        // Unsqueeze moves elements without looking at them; 8-bit floats have no kernel but the cast.
        let float8 = matches!(dtype, DataType::Float8E4M3 | DataType::Float8E5M2);
        let model =
            Model::default().input("x", dtype, "2, n").constant("axis", DataType::Int64, &[1], as_bytes(&[0i64]));
        let model = if float8 {
            model.node_with("Cast", &["x"], "wide", vec![int("to", 1)]).node_with(
                "Cast",
                &["wide"],
                "y",
                vec![int("to", i64::from(onnx_code(dtype)))],
            )
        } else {
            model.node("Unsqueeze", &["x", "axis"], "y")
        };
        let engine = model.output("y", dtype, if float8 { "2, n" } else { "1, 2, n" }).engine();
        let mut x: Vec<u64> = random(&mut rng, 10 * dtype.size() / 8 + 2);
        let bytes = &mut as_bytes_mut(&mut x)[..10 * dtype.size()];
        if dtype == DataType::Bool {
            for byte in bytes.iter_mut() {
                *byte &= 1;
            }
        }
        if float8 {
            // Finite numbers only: not-a-number has several forms, and a cast keeps one.
            for byte in bytes.iter_mut() {
                *byte &= 0b1011_1111;
            }
        }
        let input = TensorView::new(dtype, &[2, 5], bytes).unwrap();
        let mut y = vec![0u64; 10];
        let out_dims: &[i64] = if float8 { &[2, 5] } else { &[1, 2, 5] };
        let output = TensorViewMut::new(dtype, out_dims, &mut as_bytes_mut(&mut y)[..10 * dtype.size()]).unwrap();
        engine.run(&[input], &mut [output], &RunOptions::default()).unwrap();
        assert_eq!(&as_bytes(&y)[..10 * dtype.size()], input.bytes().unwrap(), "{dtype}");
        let made = engine.run_alloc(&[input], &RunOptions::default()).unwrap();
        assert_eq!((made[0].dtype(), made[0].bytes()), (dtype, input.bytes()), "{dtype}");
    }
}

#[test]
fn weights_of_every_dtype_are_read() {
    let mut rng = rng();
    for dtype in DataType::ALL {
        // 40 elements: beyond the size that ONNX Runtime copies into its graph.
        for count in [3usize, 40] {
            let mut data: Vec<u64> = random(&mut rng, count);
            if dtype == DataType::Bool {
                for byte in as_bytes_mut(&mut data).iter_mut() {
                    *byte &= 1;
                }
            }
            let expected = as_bytes(&data)[..count * dtype.size()].to_vec();
            let weight = owned_bytes(data).slice(..count * dtype.size());
            let model = Model::default()
                .input("at", DataType::Int64, "n")
                .weight("w", dtype, &[count as i64], weight)
                .node("Gather", &["w", "at"], "y")
                .output("y", dtype, "n");
            // Gather has no kernels for 8-bit floats; they may still be weights (dequantized in the model).
            if matches!(dtype, DataType::Float8E4M3 | DataType::Float8E5M2) {
                continue;
            }
            let engine = model.engine();
            let at: Vec<i64> = (0..count as i64).collect();
            let dims = [count as i64];
            let input = TensorView::new(DataType::Int64, &dims, as_bytes(&at)).unwrap();
            let made = engine.run_alloc(&[input], &RunOptions::default()).unwrap();
            assert_eq!(made[0].bytes().unwrap(), expected, "{dtype} × {count}");
        }
    }
}

#[test]
fn empty_tensors_pass() {
    let mut rng = rng();
    let (model, ..) = linear(&mut rng, 4, 3);
    let engine = model.engine();
    let input = TensorView::new(F32, &[0, 4], &[]).unwrap();
    let output = TensorViewMut::new(F32, &[0, 3], &mut []).unwrap();
    engine.run(&[input], &mut [output], &RunOptions::default()).unwrap();
    let made = engine.run_alloc(&[input], &RunOptions::default()).unwrap();
    assert_eq!((made[0].dims(), made[0].bytes().unwrap().len()), (&[0, 3][..], 0));

    // An empty weight: concatenating nothing changes nothing.
    let model = Model::default()
        .input("x", F32, "n, 2")
        .weight("none", F32, &[0, 2], bytes::Bytes::new())
        .node_with("Concat", &["x", "none"], "y", vec![int("axis", 0)])
        .output("y", F32, "n, 2");
    let x = [1f32, 2.0];
    let input = TensorView::new(F32, &[1, 2], as_bytes(&x)).unwrap();
    let made = model.engine().run_alloc(&[input], &RunOptions::default()).unwrap();
    assert_eq!(made[0].bytes().unwrap(), as_bytes(&x));
}

#[test]
fn a_scalar_passes() {
    let model = Model::default().input("x", F32, "").node("Neg", &["x"], "y").output("y", F32, "");
    let engine = model.engine();
    let x: f32 = rng().random();
    let mut y = [0f32];
    let output = TensorViewMut::new(F32, &[], as_bytes_mut(&mut y)).unwrap();
    engine.run(&[TensorView::new(F32, &[], as_bytes(&[x])).unwrap()], &mut [output], &RunOptions::default()).unwrap();
    assert_eq!(y, [-x]);
}

#[test]
fn outputs_that_depend_on_data_are_allocated() {
    let model =
        Model::default().input("x", F32, "n").node("NonZero", &["x"], "y").output("y", DataType::Int64, "1, found");
    let engine = model.engine();
    assert_eq!(engine.output_dims(&[&[5]]).unwrap(), vec![None]);
    let x = [0f32, 2.0, 0.0, 1.0, 3.0];
    let input = TensorView::new(F32, &[5], as_bytes(&x)).unwrap();
    let made = engine.run_alloc(&[input], &RunOptions::default()).unwrap();
    assert_eq!(made[0].dims(), &[1, 3]);
    assert_eq!(to_vec::<i64>(made[0].bytes().unwrap()), [1, 3, 4]);

    let mut y = [0i64; 3];
    let output = TensorViewMut::new(DataType::Int64, &[1, 3], as_bytes_mut(&mut y)).unwrap();
    let error = engine.run(&[input], &mut [output], &RunOptions::default()).unwrap_err();
    assert!(matches!(error, Error::OutputDependsOnData { .. }), "{error}");
}

#[test]
fn inputs_and_weights_that_are_outputs_are_copied() {
    let mut rng = rng();
    let w: Vec<f32> = random(&mut rng, 50);
    let model = Model::default()
        .input("x", F32, "50")
        .weight("w", F32, &[50], owned_bytes(w.clone()))
        .node("Identity", &["x"], "same")
        .node("Identity", &["w"], "weight")
        .output("same", F32, "50")
        .output("weight", F32, "50");
    let engine = model.engine();
    let x: Vec<f32> = random(&mut rng, 50);
    let dims = [50];
    let made = {
        let x = x.clone();
        let input = TensorView::new(F32, &dims, as_bytes(&x)).unwrap();
        let (mut a, mut b) = (vec![0f32; 50], vec![0f32; 50]);
        let mut outputs = [
            TensorViewMut::new(F32, &dims, as_bytes_mut(&mut a)).unwrap(),
            TensorViewMut::new(F32, &dims, as_bytes_mut(&mut b)).unwrap(),
        ];
        engine.run(&[input], &mut outputs, &RunOptions::default()).unwrap();
        assert_eq!((&a, &b), (&x, &w));
        let made = engine.run_alloc(&[input], &RunOptions::default()).unwrap();
        assert_ne!(made[0].as_ptr(), input.as_ptr());
        made
    };
    // The engine and the input are gone; what was made must not have borrowed from them.
    drop(engine);
    assert_eq!(made[0].bytes().unwrap(), as_bytes(&x));
    assert_eq!(made[1].bytes().unwrap(), as_bytes(&w));
}

#[test]
fn a_graph_whose_outputs_are_an_input_and_a_weight_runs() {
    let w: Vec<f32> = random(&mut rng(), 40);
    let model = Model::default()
        .input("x", F32, "4")
        .weight("w", F32, &[40], owned_bytes(w.clone()))
        .node("Neg", &["x"], "y")
        .output("x", F32, "4")
        .output("w", F32, "40")
        .output("y", F32, "4");
    let engine = model.engine();
    let x: Vec<f32> = random(&mut rng(), 4);
    let input = TensorView::new(F32, &[4], as_bytes(&x)).unwrap();
    let made = engine.run_alloc(&[input], &RunOptions::default()).unwrap();
    assert_eq!(made[0].bytes().unwrap(), as_bytes(&x));
    assert_eq!(made[1].bytes().unwrap(), as_bytes(&w));
    assert_ne!(made[0].as_ptr(), input.as_ptr());
    let (mut a, mut b, mut c) = ([0f32; 4], [0f32; 40], [0f32; 4]);
    let mut outputs = [
        TensorViewMut::new(F32, &[4], as_bytes_mut(&mut a)).unwrap(),
        TensorViewMut::new(F32, &[40], as_bytes_mut(&mut b)).unwrap(),
        TensorViewMut::new(F32, &[4], as_bytes_mut(&mut c)).unwrap(),
    ];
    engine.run(&[input], &mut outputs, &RunOptions::default()).unwrap();
    assert_eq!((a.as_slice(), b.as_slice()), (x.as_slice(), w.as_slice()));
    assert_eq!(c[0], -x[0]);
}

#[test]
fn concurrent_calls_do_not_disturb_each_other() {
    let mut seeds = rng();
    let (model, w, b) = linear(&mut seeds, 64, 48);
    let options = CpuOptions { threads: NonZeroUsize::new(2), ..CpuOptions::default() };
    let engine = model.try_engine(&options).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let seed = seeds.random();
            let (engine, w, b) = (&engine, &w, &b);
            scope.spawn(move || {
                let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(seed);
                for _ in 0..60 {
                    let batch = rng.random_range(1..6usize);
                    let x: Vec<f32> = random(&mut rng, batch * 64);
                    let (dims, out_dims) = ([batch as i64, 64], [batch as i64, 48]);
                    let mut y = vec![0f32; batch * 48];
                    let input = TensorView::new(F32, &dims, as_bytes(&x)).unwrap();
                    let output = TensorViewMut::new(F32, &out_dims, as_bytes_mut(&mut y)).unwrap();
                    engine.run(&[input], &mut [output], &RunOptions::default()).unwrap();
                    assert_close(&y, &linear_reference(&x, w, b), 1e-5);
                }
            });
        }
    });
}

#[test]
fn every_option_gives_the_same_numbers() {
    let defaults = CpuOptions::default();
    for options in [
        CpuOptions { spin: std::time::Duration::ZERO, ..defaults.clone() },
        CpuOptions { prepack: false, ..defaults.clone() },
        CpuOptions { arena: false, ..defaults.clone() },
        CpuOptions { memory_pattern: true, ..defaults.clone() },
        CpuOptions { threads: NonZeroUsize::new(1), ..CpuOptions::low_memory() },
    ] {
        let mut rng = rng();
        let (model, w, b) = linear(&mut rng, 31, 17);
        let engine = model.try_engine(&options).unwrap();
        let x: Vec<f32> = random(&mut rng, 3 * 31);
        let input = TensorView::new(F32, &[3, 31], as_bytes(&x)).unwrap();
        let made = engine.run_alloc(&[input], &RunOptions::default()).unwrap();
        assert_close(&to_vec(made[0].bytes().unwrap()), &linear_reference(&x, &w, &b), 1e-5);
        assert!(engine.description().contains(&format!("{} thread", options.thread_count())));
    }
}

#[test]
fn calls_that_do_not_fit_the_spec_are_refused_by_name() {
    let (model, ..) = linear(&mut rng(), 4, 3);
    let engine = model.engine();
    let x = [0f32; 8];
    let good = TensorView::new(F32, &[2, 4], as_bytes(&x)).unwrap();
    let run = |inputs: &[TensorView<'_>], options| engine.run_alloc(inputs, &options).unwrap_err();
    let defaults = RunOptions::default();

    assert!(matches!(run(&[], defaults), Error::Count { side: Side::Input, expected: 1, got: 0 }));
    let int32 = TensorView::new(DataType::Int32, &[2, 4], as_bytes(&x)).unwrap();
    let error = run(&[int32], defaults);
    assert_eq!(error.to_string(), "input `x` is int32; the engine takes float32");
    assert_eq!(error.help().as_deref(), Some("pass `x` as float32"));
    // SAFETY: the engine must refuse the view before it reads it.
    let cuda = unsafe { TensorView::from_raw(F32, &[2, 4], x.as_ptr().cast(), 32, Device::Cuda(0)).unwrap() };
    assert!(matches!(run(&[cuda], defaults), Error::Device { got: Device::Cuda(0), .. }));
    #[allow(unsafe_code, reason = "an engine without streams uses none")]
    // SAFETY: it is not used.
    let stream = Some(unsafe { runtime::CallerStream::from_address(1) });
    assert!(matches!(run(&[good], RunOptions { stream, ..defaults }), Error::Stream));
    let wide = TensorView::new(F32, &[1, 8], as_bytes(&x)).unwrap();
    let text = run(&[wide], defaults).to_string();
    assert_eq!(text, "input `x` has shape [1, 8]; the engine accepts [batch, 4]\n  axis 1: got 8, allowed 4");

    let mut y = [0f32; 3];
    let output = TensorViewMut::new(F32, &[1, 3], as_bytes_mut(&mut y)).unwrap();
    let error = engine.run(&[good], &mut [output], &defaults).unwrap_err();
    assert!(matches!(&error, Error::OutputShape { expected, .. } if expected == &[2, 3]), "{error}");
}

#[test]
fn an_output_that_overlaps_another_tensor_is_refused() {
    let model = Model::default().input("x", F32, "4").node("Neg", &["x"], "y").node("Exp", &["x"], "z");
    let engine = model.output("y", F32, "4").output("z", F32, "4").engine();
    let mut memory = [0f32; 16];
    let start: *mut u8 = memory.as_mut_ptr().cast();
    // Where x, y and z begin, and who is in whose way. Neighbors share nothing.
    for (at, clash) in [
        ([0, 4, 8], None),
        ([8, 4, 0], None),
        ([0, 0, 4], Some(("y", "x"))),
        ([4, 8, 1], Some(("z", "x"))),
        ([0, 4, 7], Some(("z", "y"))),
        ([12, 7, 4], Some(("z", "y"))),
    ] {
        // SAFETY: the memory outlives the views; where two overlap, the engine must refuse before it uses them.
        let (x, y, z) = unsafe {
            (
                TensorView::from_raw(F32, &[4], start.add(4 * at[0]), 16, Device::Cpu).unwrap(),
                TensorViewMut::from_raw(F32, &[4], start.add(4 * at[1]), 16, Device::Cpu).unwrap(),
                TensorViewMut::from_raw(F32, &[4], start.add(4 * at[2]), 16, Device::Cpu).unwrap(),
            )
        };
        let found = match engine.run(&[x], &mut [y, z], &RunOptions::default()) {
            Err(Error::OutputOverlaps { output, other }) => Some((output, other)),
            done => done.map(|()| None).unwrap(),
        };
        assert_eq!(found.as_ref().map(|(output, other)| (output.as_str(), other.as_str())), clash, "{at:?}");
    }
}

#[test]
fn a_model_that_is_refused_names_the_node() {
    let model = Model::default()
        .input("x", F32, "2, 3")
        .constant("w", F32, &[5, 2], as_bytes(&[0f32; 10]))
        .node("MatMul", &["x", "w"], "y")
        .output("y", F32, "2, 2");
    let error = model.try_engine(&CpuOptions::default()).err().unwrap();
    let Error::OnnxRuntime { node: Some(node), .. } = &error else { panic!("{error}") };
    assert_eq!(node.name, "node_y", "{error}");

    let model = Model::default().input("x", F32, "2").node("NoSuchOp", &["x"], "y").output("y", F32, "2");
    let error = model.try_engine(&CpuOptions::default()).err().unwrap();
    assert!(error.to_string().contains("NoSuchOp"), "{error}");

    let error = runtime::CpuEngine::new(
        &onnx_runtime(),
        b"not a model".as_slice().into(),
        Vec::new(),
        runtime::EngineSpec::default(),
        &CpuOptions::default(),
    );
    assert!(error.err().unwrap().to_string().starts_with("ONNX Runtime failed to load the model"));
}

#[test]
fn a_run_that_fails_names_the_node_and_leaves_the_engine_usable() {
    // The index is only known at run time, and 9 is outside.
    let model = Model::default()
        .input("x", F32, "3")
        .input("at", DataType::Int64, "1")
        .node("Gather", &["x", "at"], "y")
        .output("y", F32, "1");
    let engine = model.engine();
    let x = [1f32, 2.0, 3.0];
    let input = TensorView::new(F32, &[3], as_bytes(&x)).unwrap();
    let call = |at: i64| {
        let at = [at];
        let at = TensorView::new(DataType::Int64, &[1], as_bytes(&at)).unwrap();
        engine.run_alloc(&[input, at], &RunOptions::default()).map(|made| to_vec::<f32>(made[0].bytes().unwrap()))
    };
    let error = call(9).unwrap_err();
    let Error::OnnxRuntime { node: Some(node), .. } = &error else { panic!("{error}") };
    assert_eq!((node.name.as_str(), node.op.as_deref()), ("node_y", Some("Gather")), "{error}");
    assert_eq!(call(2).unwrap(), [3.0]);
}

#[test]
fn a_spec_that_is_not_the_models_is_refused() {
    let refused = |change: fn(&mut Model)| {
        let (mut model, ..) = linear(&mut rng(), 4, 3);
        change(&mut model);
        let error = model.try_engine(&CpuOptions::default()).err().unwrap();
        assert!(matches!(error, Error::Interface { .. }), "{error}");
        error.to_string()
    };
    assert!(refused(|m| m.spec.inputs[0].name = "z".into()).contains("input `z` is not in the model"));
    assert!(refused(|m| m.spec.inputs[0].dtype = DataType::Int8).contains("is f32 in the model and int8"));
    assert!(refused(|m| m.spec.outputs[0].dims.truncate(1)).contains("has shape [-1, 3] in the model and [batch] in"));
    assert!(refused(|m| m.spec.inputs[0].dims[1] = Dim::from(5)).contains("[-1, 4] in the model and [batch,5] in"));
    assert!(refused(|m| m.spec.inputs.clear()).contains("input `x` is not in the spec"));
}

#[test]
fn a_damaged_or_missing_weight_is_refused() {
    let (mut model, ..) = linear(&mut rng(), 4, 3);
    model.weights[0].data = model.weights[0].data.slice(4..);
    let error = model.try_engine(&CpuOptions::default()).err().unwrap();
    assert!(matches!(&error, Error::WeightLength { name, needed: 48, got: 44, .. } if name == "w"), "{error}");

    let (mut model, ..) = linear(&mut rng(), 4, 3);
    model.weights.remove(0);
    let error = model.try_engine(&CpuOptions::default()).err().unwrap();
    assert!(matches!(&error, Error::OnnxRuntime { .. }), "{error}");

    let (mut model, ..) = linear(&mut rng(), 4, 3);
    model.weights[0].name = "nul\0".into();
    assert!(matches!(model.try_engine(&CpuOptions::default()).err().unwrap(), Error::Nul { .. }));
}

#[test]
fn optimizers_that_rewrite_weights_leave_the_callers_alone() {
    // ONNX Runtime pushes the transposes through the addition by transposing the weight, under its old name; and
    // folds scale and shift into the convolution. Neither may touch borrowed memory, nor read it afterwards as is.
    let mut rng = rng();
    let (w, f): (Vec<f32>, Vec<f32>) = (random(&mut rng, 5 * 7 * 3), random(&mut rng, 16 * 3 * 3 * 3));
    let (bytes, filter) = (owned_bytes(w.clone()), owned_bytes(f.clone()));
    let bn: Vec<Vec<f32>> = (0..4).map(|_| random(&mut rng, 16)).collect();
    let mut model = Model::default()
        .input("x", F32, "1, 3, 5, 7")
        .weight("w", F32, &[1, 5, 7, 3], bytes.clone())
        .weight("f", F32, &[16, 3, 3, 3], filter.clone());
    for (name, data) in ["scale", "shift", "mean", "variance"].iter().zip(&bn) {
        model = model.weight(name, F32, &[16], owned_bytes(data.clone()));
    }
    let engine = model
        .node_with("Transpose", &["x"], "last", vec![ints("perm", &[0, 2, 3, 1])])
        .node("Add", &["last", "w"], "sum")
        .node_with("Transpose", &["sum"], "first", vec![ints("perm", &[0, 3, 1, 2])])
        .node_with("Conv", &["first", "f"], "conv", vec![ints("kernel_shape", &[3, 3])])
        .node("BatchNormalization", &["conv", "scale", "shift", "mean", "variance"], "y")
        .output("y", F32, "1, 16, 3, 5")
        .engine();
    let x: Vec<f32> = random(&mut rng, 3 * 5 * 7);
    let input = TensorView::new(F32, &[1, 3, 5, 7], as_bytes(&x)).unwrap();
    let made = engine.run_alloc(&[input], &RunOptions::default()).unwrap();

    let at = |c: usize, i: usize, j: usize| f64::from(x[(c * 5 + i) * 7 + j]) + f64::from(w[(i * 7 + j) * 3 + c]);
    let mut expected = Vec::new();
    for (o, i, j) in (0..16).flat_map(|o| (0..3).flat_map(move |i| (0..5).map(move |j| (o, i, j)))) {
        let taps = (0..3).flat_map(|c| (0..3).flat_map(move |p| (0..3).map(move |q| (c, p, q))));
        let conv: f64 = taps.map(|(c, p, q)| f64::from(f[((o * 3 + c) * 3 + p) * 3 + q]) * at(c, i + p, j + q)).sum();
        let [scale, shift, mean, variance] = [0, 1, 2, 3].map(|k| f64::from(bn[k][o]));
        expected.push((conv - mean) / (variance + 1e-5).sqrt() * scale + shift);
    }
    assert_close(&to_vec(made[0].bytes().unwrap()), &expected, 1e-3);
    assert_eq!((&bytes[..], &filter[..]), (as_bytes(&w), as_bytes(&f)));
}

#[test]
fn weights_beyond_two_gigabytes_are_read_in_place() {
    // 35 weights of 64 MiB, 2.2 GiB together, that share one buffer.
    let mut rng = rng();
    let (rows, columns) = (4096usize, 4096usize);
    let shared = owned_bytes(random::<f32>(&mut rng, rows * columns));
    let mut model = Model::default().input("at", DataType::Int64, "1");
    let mut sum = String::new();
    for i in 0..35 {
        let (w, row) = (format!("w{i}"), format!("row{i}"));
        model = model.weight(&w, F32, &[rows as i64, columns as i64], shared.clone()).node("Gather", &[&w, "at"], &row);
        let next = format!("sum{i}");
        model = if i == 0 { model.node("Identity", &[&row], &next) } else { model.node("Add", &[&sum, &row], &next) };
        sum = next;
    }
    let before = peak_memory();
    let engine = model.output(&sum, F32, "1, 4096").engine();
    let row = rng.random_range(0..rows);
    let at = [row as i64];
    let input = TensorView::new(DataType::Int64, &[1], as_bytes(&at)).unwrap();
    let made = engine.run_alloc(&[input], &RunOptions::default()).unwrap();
    let values: Vec<f32> = to_vec(&shared[row * columns * 4..(row + 1) * columns * 4]);
    let expected: Vec<f64> = values.iter().map(|v| 35.0 * f64::from(*v)).collect();
    assert_close(&to_vec(made[0].bytes().unwrap()), &expected, 1e-5);
    if version() >= (1, 32) {
        let grown = peak_memory() - before;
        assert!(grown < 64 << 20, "the engine took {} MiB beyond the weights", grown >> 20);
    }
}

/// The most memory this process has held, in bytes; 0 where the system does not report it.
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).map_or(0, |kib| kib.parse::<usize>().unwrap() << 10)
}

fn version() -> (u32, u32) {
    let runtime = onnx_runtime();
    let mut parts = runtime.library().version.split('.').map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap())
}

#[test]
fn layers_are_timed_in_calls_of_their_own() {
    let model = Model::default()
        .input("x", F32, "n, 64")
        .node("Exp", &["x"], "e")
        .node("Softmax", &["e"], "y")
        .output("y", F32, "n, 64");
    let engine = model.engine();
    let numbers = vec![0.5f32; 64 * 64];
    let input = Tensor::from_bytes(F32, &[64, 64], as_bytes(&numbers)).unwrap();
    let found = engine.layer_times(&[input.view()], 4).unwrap();
    let kinds: Vec<&str> = found.layers.iter().map(|layer| layer.kind.as_str()).collect();
    assert_eq!((found.calls, kinds), (4, vec!["Exp", "Softmax"]));
    assert!(found.in_layers() <= found.seconds && found.seconds > 0.0, "{found:?}");
    assert!(engine.layer_times(&[], 1).is_err());
}
