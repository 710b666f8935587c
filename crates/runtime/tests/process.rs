//! What holds for a whole process: one library, loaded once; a clean end whatever still runs.
//!
//! Each test runs this test binary again, on one of the cases below, in a process of its own.

#![allow(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod common;

use common::*;
use runtime::{CpuEngine, CpuOptions, DataType, Engine, Error, OnnxRuntime, RunOptions, Source, TensorView};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

fn child(case: &str, prepare: impl FnOnce(&mut Command) -> &mut Command) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", case, "--ignored", "--nocapture", "--test-threads=1"]);
    prepare(&mut command).output().unwrap()
}

fn assert_clean(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {text}", output.status);
    assert!(text.contains("1 passed") || text.contains("case done"), "{text}");
}

#[test]
fn a_process_ends_cleanly_with_engines_alive_and_calls_running() {
    for _ in 0..5 {
        assert_clean(&child("leaves_while_threads_run", |command| command));
    }
}

#[test]
#[ignore = "run by the test above"]
fn leaves_while_threads_run() {
    let model = Model::default().input("x", DataType::Float32, "64, 64").node("MatMul", &["x", "x"], "y").output(
        "y",
        DataType::Float32,
        "64, 64",
    );
    let engine: Arc<dyn Engine> = Arc::new(model.engine());
    std::mem::forget(engine.clone());
    let (ready, started) = std::sync::mpsc::channel();
    for _ in 0..3 {
        let (engine, ready) = (engine.clone(), ready.clone());
        std::thread::spawn(move || {
            let x = vec![1f32; 64 * 64];
            for turn in 0.. {
                let input = TensorView::new(DataType::Float32, &[64, 64], as_bytes(&x)).unwrap();
                engine.run_alloc(&[input], &RunOptions::default()).unwrap();
                if turn == 3 {
                    ready.send(()).unwrap();
                }
            }
        });
    }
    (0..3).for_each(|_| started.recv().unwrap());
    println!("case done");
    std::process::exit(0);
}

#[test]
#[cfg(unix)]
fn a_forked_child_gets_an_error_instead_of_hanging() {
    assert_clean(&child("forks", |command| command));
}

#[test]
#[cfg(unix)]
#[ignore = "run by the test above"]
fn forks() {
    let engine = |threads| {
        let model = Model::default().input("x", DataType::Float32, "64, 64").node("MatMul", &["x", "x"], "y");
        let options = CpuOptions { threads: NonZeroUsize::new(threads), ..CpuOptions::default() };
        model.output("y", DataType::Float32, "64, 64").try_engine(&options).unwrap()
    };
    let (pooled, single) = (engine(2), engine(1));
    let x = vec![1f32; 64 * 64];
    let input = TensorView::new(DataType::Float32, &[64, 64], as_bytes(&x)).unwrap();
    let run = |engine: &CpuEngine| engine.run_alloc(&[input], &RunOptions::default()).map(|_| ());
    run(&pooled).unwrap();
    // SAFETY: the child calls only what is under test, and ends without returning to the test harness.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: ends the child, should it hang.
        unsafe { libc::alarm(20) };
        let refused = matches!(run(&pooled), Err(Error::Forked));
        let works = run(&single).is_ok() && run(&engine(2)).is_ok();
        drop((pooled, single));
        // SAFETY: ends the child at once, with the verdict.
        unsafe { libc::_exit(i32::from(!(refused && works))) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above; `status` receives how it ended.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(status, 0, "the child failed or hung");
    run(&pooled).unwrap();
}

#[test]
fn the_library_is_loaded_once_and_a_failed_search_can_be_repeated() {
    assert_clean(&child("loads_again", |command| command.env_remove("TORCH2TRT_ONNXRUNTIME")));
}

#[test]
#[ignore = "run by the test above"]
fn loads_again() {
    // The system's own library, where there is one, would be found by the empty search.
    if let Err(error) = OnnxRuntime::load(None, &[]) {
        assert!(error.to_string().contains("TORCH2TRT_ONNXRUNTIME: not set"), "{error}");
    }
    let error = OnnxRuntime::load(Some(Path::new("/nowhere/libonnxruntime.so")), &site_packages());
    assert!(matches!(error, Err(Error::LibraryNotFound(search)) if search.places.len() == 1));

    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(onnx_runtime)).collect();
    let libraries: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap().library().clone()).collect();
    assert!(libraries.iter().all(|library| *library == libraries[0]));
    assert!(matches!(libraries[0].source, Source::SitePackages | Source::Loader));

    let path = &libraries[0].path;
    assert_eq!(OnnxRuntime::load(Some(path), &[]).unwrap().library(), &libraries[0]);
    if let Some(folder) = path.parent().filter(|folder| folder.is_absolute()) {
        assert_eq!(OnnxRuntime::load(Some(folder), &[]).unwrap().library(), &libraries[0]);
    }
    let error = OnnxRuntime::load(Some(Path::new("/nowhere/libonnxruntime.so")), &[]).unwrap_err();
    assert!(error.to_string().starts_with("ONNX Runtime is already loaded from "), "{error}");
}

#[test]
fn the_environment_variable_is_an_order() {
    let folder = std::env::temp_dir();
    assert_clean(&child("is_refused", |command| command.env("TORCH2TRT_ONNXRUNTIME", folder.join("no-such-folder"))));
    let library = onnx_runtime().library().path.clone();
    assert_clean(&child("is_used", |command| command.env("TORCH2TRT_ONNXRUNTIME", &library)));
}

#[test]
#[ignore = "run by the test above"]
fn is_refused() {
    let error = OnnxRuntime::load(None, &site_packages()).unwrap_err();
    assert!(error.to_string().contains("no-such-folder: no such file"), "{error}");
}

#[test]
#[ignore = "run by the test above"]
fn is_used() {
    assert_eq!(OnnxRuntime::load(None, &[]).unwrap().library().source, Source::Environment);
}

#[test]
fn a_library_that_is_something_else_is_refused() {
    assert_clean(&child("is_something_else", |command| command));
}

#[test]
#[ignore = "run by the test above"]
fn is_something_else() {
    // The C library is a library, but no ONNX Runtime.
    for path in ["/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6", "/usr/lib/libc.so.6"] {
        if Path::new(path).exists() {
            let error = OnnxRuntime::load(Some(Path::new(path)), &[]).unwrap_err();
            assert!(error.to_string().contains("libc.so.6: not an ONNX Runtime"), "{error}");
        }
    }
}
