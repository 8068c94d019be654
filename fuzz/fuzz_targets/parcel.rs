//! See `chat_testkit::checks::parcel`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat_testkit::checks::parcel(data));
