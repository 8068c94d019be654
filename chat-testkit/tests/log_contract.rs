//! The logs of this crate keep the contract they come with; the faulty one as long as it has no faults.

mod memory {
    use std::sync::Arc;

    use chat_testkit::logs::MemoryLog;

    chat_testkit::log_contract!(|| Arc::new(MemoryLog::new()));
}

mod faulty_without_faults {
    use std::sync::Arc;

    use chat_testkit::logs::{FaultyLog, MemoryLog};

    chat_testkit::log_contract!(|| Arc::new(FaultyLog::new(MemoryLog::new())));
}
