//! See `chat_sim::checks::socketio_payload`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat_sim::checks::socketio_payload(data));
