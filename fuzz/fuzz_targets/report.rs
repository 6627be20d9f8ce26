//! A report as a stranger sends it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hook::fuzz::report(bytes));
