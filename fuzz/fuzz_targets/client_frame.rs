//! See `chat_testkit::checks::client_frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat_testkit::checks::client_frame(data));
