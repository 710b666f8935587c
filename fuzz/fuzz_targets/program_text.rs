//! libFuzzer's entry to `torch2trt_fuzz::program_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| torch2trt_fuzz::program_text(bytes));
