//! What a call costs beyond ONNX Runtime's own work, and what the engine burns between calls. Timings depend on
//! the machine, so these are reports, run by hand: `cargo nextest run --run-ignored only --no-capture`.

#![allow(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod common;

use common::*;
use runtime::{CpuOptions, DataType, Engine, RunOptions, TensorView, TensorViewMut};
use std::time::{Duration, Instant};

const F32: DataType = DataType::Float32;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
#[ignore = "a measurement"]
fn overhead_of_a_call() {
    for (inputs, dims) in [(1usize, "4"), (1, "n"), (8, "4")] {
        let mut model = Model::default();
        for i in 0..inputs {
            model = model.input(&format!("x{i}"), F32, dims);
        }
        for i in 0..inputs {
            model = model.node("Neg", &[&format!("x{i}")], &format!("y{i}")).output(&format!("y{i}"), F32, dims);
        }
        let engine = model.engine();
        let x = [1f32, 2.0, 3.0, 4.0];
        let mut y = vec![[0f32; 4]; inputs];
        let mut times = Vec::new();
        for _ in 0..20_000 {
            let started = Instant::now();
            let views: Vec<_> = (0..inputs).map(|_| TensorView::new(F32, &[4], as_bytes(&x)).unwrap()).collect();
            let mut outputs: Vec<_> =
                y.iter_mut().map(|y| TensorViewMut::new(F32, &[4], as_bytes_mut(y)).unwrap()).collect();
            engine.run(&views, &mut outputs, &RunOptions::default()).unwrap();
            times.push(started.elapsed());
        }
        let views: Vec<_> = (0..inputs).map(|_| TensorView::new(F32, &[4], as_bytes(&x)).unwrap()).collect();
        let checks = (0..20_000).map(|_| {
            let started = Instant::now();
            let dims: Vec<&[i64]> = views.iter().map(TensorView::dims).collect();
            std::hint::black_box(engine.spec().check(&dims, None).unwrap().output_dims(0).unwrap());
            started.elapsed()
        });
        println!(
            "{inputs} inputs and outputs [{dims}]: {:?} a call; check {:?}",
            median(times),
            median(checks.collect())
        );
    }
}

#[test]
#[ignore = "a measurement"]
fn processor_time_between_calls() {
    fn processor_time() -> Duration {
        let text = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        Duration::from_millis(10 * (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()))
    }
    for spin in [0, 1000, 1_000_000].map(Duration::from_micros) {
        let mut rng = rng();
        let w: Vec<f32> = random(&mut rng, 256 * 256);
        let mut model = Model::default().input("x", F32, "64, 256").weight("w", F32, &[256, 256], owned_bytes(w));
        for i in 0..8 {
            let from = if i == 0 { "x".to_owned() } else { format!("v{}", i - 1) };
            model = model.node("MatMul", &[&from, "w"], &format!("v{i}"));
        }
        let options = CpuOptions { spin, ..CpuOptions::default() };
        let engine = model.output("v7", F32, "64, 256").try_engine(&options).unwrap();
        let x: Vec<f32> = random(&mut rng, 64 * 256);
        let mut y = vec![0f32; 64 * 256];
        let mut times = Vec::new();
        let (wall, cpu) = (Instant::now(), processor_time());
        for _ in 0..400 {
            let started = Instant::now();
            let input = TensorView::new(F32, &[64, 256], as_bytes(&x)).unwrap();
            let output = TensorViewMut::new(F32, &[64, 256], as_bytes_mut(&mut y)).unwrap();
            engine.run(&[input], &mut [output], &RunOptions::default()).unwrap();
            times.push(started.elapsed());
            std::thread::sleep(Duration::from_millis(5));
        }
        let share = (processor_time() - cpu).as_secs_f64() / wall.elapsed().as_secs_f64();
        println!("spinning for {spin:?}: {:?} a call, {share:.2} processors busy", median(times));
    }
}
