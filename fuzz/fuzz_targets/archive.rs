//! libFuzzer's entry to `torch2trt_fuzz::archive`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| torch2trt_fuzz::archive(bytes));
