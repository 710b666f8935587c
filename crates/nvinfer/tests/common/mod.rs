//! The real libraries that tests run against, named by environment variables.
#![allow(dead_code, reason = "not every test file uses every helper")]

use std::path::PathBuf;

use nvinfer::Library;

/// The folder with TensorRT-RTX 1.7.
pub const RTX_1_7: &str = "TORCH2TRT_TEST_RTX_1_7";
/// The folder with TensorRT-RTX 1.4.
pub const RTX_1_4: &str = "TORCH2TRT_TEST_RTX_1_4";

/// The folder that a variable names. Without it the test is skipped.
pub fn folder(variable: &str) -> Option<PathBuf> {
    needs::variable(variable)
}

/// TensorRT-RTX 1.7, when it is there.
pub fn rtx_1_7() -> Option<Library> {
    library(RTX_1_7)
}

/// TensorRT-RTX 1.4, when it is there.
pub fn rtx_1_4() -> Option<Library> {
    library(RTX_1_4)
}

/// Every TensorRT-RTX that is there.
pub fn each() -> impl Iterator<Item = Library> {
    [rtx_1_7(), rtx_1_4()].into_iter().flatten()
}

fn library(variable: &str) -> Option<Library> {
    let file = folder(variable)?.join("libtensorrt_rtx.so.1");
    Some(Library::open(&file).unwrap_or_else(|e| panic!("{e}")))
}

/// Random numbers, different in every process: a test may not rely on particular ones.
pub fn random(count: usize) -> Vec<f32> {
    use std::hash::{BuildHasher, Hasher};
    let mut state = std::collections::hash_map::RandomState::new().build_hasher().finish() | 1;
    let mut next = || {
        // xorshift
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}
