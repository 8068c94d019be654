//! See `chat_sim::checks::log_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat_sim::checks::log_record(data));
