//! See `chat_testkit::checks::cursor_token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat_testkit::checks::cursor_token(data));
