//! See `chat_sim::checks::log_file`. Panics of redb are caught by the log, and are no failure: only one that gets here is.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|info| {
        // Into the file that libFuzzer shows when the check itself fails.
        eprintln!("{info}");
    })),
    |data: &[u8]| chat_sim::checks::log_file(data)
);
