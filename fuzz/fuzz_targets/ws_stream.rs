//! See `chat_sim::checks::ws_stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat_sim::checks::ws_stream(data));
