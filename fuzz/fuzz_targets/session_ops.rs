//! See `chat_testkit::checks::session_ops`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat_testkit::checks::session_ops(data));
