//! Plugin libraries with real TensorRTs, none of which needs a GPU to register creators and to make plugins.
//!
//! The library is the simulator, whose objects have the layout of the TensorRT that loads it. Folders:
//! `TORCH2TRT_TEST_RTX_1_7`, `TORCH2TRT_TEST_RTX_1_4`, and `TORCH2TRT_TEST_TENSORRT_8`, where `libnvinfer_plugin.so.8`
//! is, too.
#![allow(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

use nvinfer::{Error, Family, Library, PluginApi, PluginField, PluginFieldType};
use std::path::PathBuf;

const RTX: [&str; 2] = ["TORCH2TRT_TEST_RTX_1_7", "TORCH2TRT_TEST_RTX_1_4"];
const TENSORRT_8: &str = "TORCH2TRT_TEST_TENSORRT_8";

fn open(variable: &str, file: &str) -> Option<Library> {
    Some(Library::open(needs::variable(variable)?.join(file)).unwrap())
}

fn each() -> impl Iterator<Item = Library> {
    let rtx = RTX.into_iter().filter_map(|variable| open(variable, "libtensorrt_rtx.so.1"));
    rtx.chain(open(TENSORRT_8, "libnvinfer.so.8"))
}

/// A file of its own for each TensorRT: a library serves the one that loads it first.
fn plugins(library: Library) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("libplugins{}.so", library.version()).replace(' ', "-"));
    std::fs::copy(std::env::current_exe().unwrap().with_file_name("libsimulator.so"), &path).unwrap();
    (folder, path)
}

fn factor(name: &str) -> PluginField {
    PluginField { name: name.into(), kind: PluginFieldType::Float32, data: 1.5f32.to_ne_bytes().into(), length: 1 }
}

#[test]
fn creators_of_a_library_are_registered_and_make_plugins() {
    for library in each() {
        let registry = library.plugin_registry().unwrap();
        let before = registry.creators().unwrap().len();
        let missing = registry.creator("Simulated", "1", "").unwrap_err();
        assert!(matches!(missing, Error::NoPluginCreator { .. }), "{missing}");
        let (_folder, path) = plugins(library);
        library.load_plugins(&path).unwrap();
        library.load_plugins(&path).unwrap();
        let expected: &[(&str, PluginApi)] = match library.version().family() {
            Family::Trt8 => &[("Simulated", PluginApi::V2)],
            // From RTX 1.5 on, the registry takes creators of both kinds by one call.
            _ => &[("Simulated", PluginApi::V2), ("SimulatedV3", PluginApi::V3)],
        };
        assert_eq!(registry.creators().unwrap().len(), before + expected.len(), "{}", library.version());
        for (name, api) in expected {
            let creator = registry.creator(name, "1", "").unwrap();
            assert_eq!((creator.name().as_str(), creator.api()), (*name, *api));
            assert_eq!(creator.fields()[0].name, "factor");
            let plugin = creator.create("layer", &[factor("factor")]).unwrap();
            assert_eq!(plugin.api(), *api);
            let refused = creator.create("layer", &[factor("strength")]).unwrap_err();
            assert!(matches!(refused, Error::Refused { .. }), "{refused}");
        }
    }
}

#[test]
fn a_file_that_is_no_library_is_an_error() {
    for library in each() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libmine.so");
        for content in [None, Some("no library")] {
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            let error = library.load_plugins(&path).unwrap_err();
            assert!(matches!(error, Error::PluginLibrary { .. }), "{error}");
            assert!(error.to_string().contains("libmine.so cannot be used"), "{error}");
        }
    }
}

#[test]
fn tensorrt_8_makes_plugins_of_its_own_library() {
    let Some(library) = open(TENSORRT_8, "libnvinfer.so.8") else { return };
    if let Err(error) = library.load_own_plugins() {
        // The library is not in the folder, or cuBLAS and cuDNN, which it is linked with, are missing.
        needs::skip(format_args!("{error}"));
        return;
    }
    let registry = library.plugin_registry().unwrap();
    assert!(registry.creators().unwrap().len() > 60);
    let creator = registry.creator("CustomGeluPluginDynamic", "1", "").unwrap();
    let known: Vec<_> = creator.fields().into_iter().map(|field| (field.name, field.kind)).collect();
    assert_eq!(known[0], ("type_id".to_owned(), Some(PluginFieldType::Int32)));
    let field = PluginField { name: "type_id".into(), kind: PluginFieldType::Int32, data: vec![0; 4], length: 1 };
    assert_eq!(creator.create("gelu", &[field]).unwrap().api(), PluginApi::V2);
}

#[test]
fn tensorrt_rtx_ships_no_plugins() {
    for library in each().filter(|library| library.version().family().is_rtx()) {
        let error = library.load_own_plugins().unwrap_err().to_string();
        assert!(error.ends_with(&format!("{} ships no plugins", library.version())), "{error}");
    }
}
