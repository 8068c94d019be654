//! See `chat_testkit::checks::room_commands`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat_testkit::checks::room_commands(data));
