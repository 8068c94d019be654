//! Fails on purpose, at four bytes that no seed holds: if this is not found, nothing would be.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    assert!(!data.starts_with(b"BANG"), "the canary");
});
