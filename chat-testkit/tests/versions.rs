//! What is written while a program lives on the log that reads no later records, and what is written once the last of them is gone.

mod support;

use std::sync::Arc;

use chat_core::{Command, RecordVersion};
use chat_testkit::logs::MemoryLog;
use support::bent::BentLog;
use support::{code, engine, founder, join, joined, newcomer, settle};

#[tokio::test(start_paused = true)]
async fn nothing_is_written_that_another_program_on_the_log_cannot_read() {
    let memory = Arc::new(MemoryLog::new());
    for (version, again) in [(RecordVersion::FIRST, 3), (RecordVersion::LATEST, 2)] {
        let engine = engine(&Arc::new(BentLog::new(&memory).writes(version)));
        let ann = founder(&engine).await;
        let mut bob = newcomer(&engine, "Bob").await;
        bob.call(Command::leave(code())).await.expect("he is in it");
        join(&bob, "Bob").await.expect("and may come again");
        while joined(&mut bob).await.you.member.0 != again {}
        let written: Vec<_> = memory.records(&code()).iter().map(|record| record.version()).collect();
        assert_eq!(written.iter().max(), Some(&version));
        for session in [&bob, &ann] {
            session.call(Command::leave(code())).await.expect("they are in it");
        }
        settle().await;
    }
}
