//! The libraries that need a GPU, on a machine without one: each reports it, and none takes the process down, which is
//! what TensorRT itself does (8.6 reads through null, 10 and 11 return an offset from null). With a GPU, a damaged plan
//! is refused. Folders: `TORCH2TRT_TEST_LEAN_10` and `TORCH2TRT_TEST_LEAN_11` (lean runtimes), and
//! `TORCH2TRT_TEST_TENSORRT_8`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod common;

use nvinfer::*;

fn each() -> impl Iterator<Item = (Library, Family)> {
    let wanted = [("TORCH2TRT_TEST_LEAN_10", Family::Trt10), ("TORCH2TRT_TEST_LEAN_11", Family::Trt11)];
    wanted.into_iter().filter_map(|(variable, family)| {
        let path = Some(common::folder(variable)?);
        let discovery = Discovery { path, purpose: Purpose::Run, ..Discovery::default() };
        Some((Library::find(&discovery).unwrap_or_else(|e| panic!("{e}")), family))
    })
}

#[test]
fn a_lean_runtime_is_found_for_running_and_not_for_building() {
    for (library, family) in each() {
        assert_eq!(library.version().family(), family);
        assert!(!library.can_build());
        let error = Builder::new(library).unwrap_err();
        assert!(matches!(error, Error::NoBuilder { .. }), "{error}");
        assert!(error.to_string().contains("runtime only"), "{error}");
        let folder = library.path().parent().map(ToOwned::to_owned);
        let build = Library::find(&Discovery { path: folder, ..Discovery::default() });
        assert!(build.unwrap_err().is_not_found());
    }
}

#[test]
fn a_damaged_plan_is_refused_in_tensorrts_own_words() {
    for (library, _) in each() {
        let mut runtime = match Runtime::new(library) {
            Ok(runtime) => runtime,
            Err(error) => {
                println!("{}: {error}", library.version());
                assert!(error.diagnostics().is_some_and(|s| !s.messages.is_empty()), "{error}");
                continue;
            }
        };
        runtime.set_engine_host_code_allowed(true).unwrap();
        runtime.set_max_threads(2).unwrap();
        let error = runtime.deserialize(&[0x5a; 4096]).unwrap_err();
        println!("{}: {error}", library.version());
        assert!(error.to_string().starts_with("TensorRT refused IRuntime::deserializeCudaEngine\n"), "{error}");
        assert!(error.diagnostics().unwrap().messages[0].severity <= Severity::Error);
        assert!(runtime.engine_header_size().unwrap_err().is_not_in_this_version());
    }
}

#[test]
fn tensorrt_8_reports_that_it_needs_a_gpu() {
    let Some(folder) = common::folder("TORCH2TRT_TEST_TENSORRT_8") else { return };
    let library = Library::find(&Discovery { path: Some(folder), ..Discovery::default() });
    let library = library.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(library.version().family(), Family::Trt8);
    match (Builder::new(library), Runtime::new(library)) {
        (Err(builder), Err(runtime)) => {
            assert!(builder.diagnostics().unwrap().contains("CUDA"), "{builder}");
            assert!(matches!(runtime, Error::NoGpu { .. }), "{runtime}");
        }
        (builder, runtime) => assert!(builder.is_ok() && runtime.is_ok(), "{builder:?} {runtime:?}"),
    }
}
