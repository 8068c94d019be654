//! Two people in a room over a log: one has said a word that only the log has any more, and the other pages back to it.

use std::sync::Arc;

use chat_core::{Command, CommandId, Connection, Limits, Reject, RejectCode, Reply, Seq, ServerFrame};

use super::{TestLog, code, connect, create, engine_with, log, nick, settle, take, text, texts_of_log};

pub struct Stage {
    pub log: TestLog,
    pub ann: Connection,
    pub bob: Connection,
}

impl Stage {
    /// Ann has said this word, as message 3, and thirty more up to 33, of which the backlog has the last.
    pub async fn new(word: &str, change: impl FnOnce(&mut Limits)) -> Self {
        let log = log();
        let engine = engine_with(&log, |limits| {
            limits.lift_rates();
            limits.room.backlog_events_max = 16;
            change(limits);
        });
        let mut stage = Self { log, ann: connect(&engine, None).await, bob: connect(&engine, None).await };
        create(&mut stage.ann).await;
        stage.bob.call(Command::join(code(), nick("Bob")).with_history(0)).await.expect("he may");
        stage.say(word).await;
        for number in 0..30 {
            stage.say(&format!("x{number}")).await;
        }
        assert_eq!(texts_of_log(&stage.log)[0], word);
        take(&stage.ann);
        take(&stage.bob);
        stage
    }

    pub async fn say(&self, said: &str) {
        self.ann.call(Command::send(code(), text(said))).await.expect("she may");
    }

    pub async fn redact(&self, target: Seq) -> Result<(), RejectCode> {
        refusal(self.ann.call(Command::redact(code(), target)).await)
    }

    /// Bob asks for so many messages before this one.
    pub fn ask(&self, id: u64, before: Seq, limit: u32) {
        let command = Command::history(code()).with_before(before).with_limit(limit);
        self.bob.submit(command, Reply::mailbox(Some(CommandId(id)))).expect("few are in flight");
    }

    /// Bob looks what is due, and takes nothing: what has to be read is asked for.
    pub async fn look(&self) {
        settle().await;
        self.bob.peek();
        settle().await;
    }

    /// Ends without a word, as a process does; what it left in the log.
    pub async fn end(self) -> TestLog {
        let log = Arc::clone(&self.log);
        drop(self);
        settle().await;
        log
    }
}

/// Why a command was refused, if it was.
pub fn refusal(answer: Result<ServerFrame, Reject>) -> Result<(), RejectCode> {
    answer.map(drop).map_err(|reject| reject.code)
}
