//! See `chat_sim::checks::sse_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat_sim::checks::sse_request(data));
