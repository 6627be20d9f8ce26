//! The lines of a transcript.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hook::fuzz::line(bytes));
