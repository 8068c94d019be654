//! Sends to durable rooms through the engine, as a transport hands them in: from the command to its ack.

use std::sync::Arc;
use std::time::Instant;

use bench::scenario::Figures;
use chat_core::{
    Body, Command, ConnectRequest, Connection, Engine, FrameKind, Hello, Limits, Log, Nick, Offset, RoomCode,
};
use futures_util::future::try_join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::task::JoinSet;

use super::store::Store;
use super::window::{Answers, Length, Window};
use super::{Fault, Scenario};

/// A text of 100 bytes.
pub(crate) const TEXT: &str =
    "the quick brown fox jumps over the lazy dog and the quick brown fox jumps over the lazy dog once mor";

pub(crate) async fn measure(store: &Store, scenario: &Scenario, length: Length) -> Result<Figures, Fault> {
    let engine = Engine::builder().limits(limits()).log(store.log())?.build();
    let mut speakers = Vec::with_capacity(scenario.rooms);
    for index in 0..scenario.rooms {
        let connection = engine.connect(ConnectRequest::default(), Hello::default()).await?;
        let room = RoomCode::parse(&format!("LOGS-{index:04}"))?;
        speakers.push(Arc::new(Speaker { connection, room, text: Body::parse(TEXT, TEXT.len())? }));
    }
    try_join_all(speakers.iter().map(|speaker| speaker.create())).await?;

    let window = Window::after_warmup(length);
    let mut tasks = JoinSet::new();
    for speaker in &speakers {
        tasks.spawn(Arc::clone(speaker).speak(store.log(), window, scenario.in_flight));
    }
    window.watch(store, tasks).await
}

/// The default bounds, without those on rates and on all backlogs together.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.lift_rates();
    limits.engine.memory_bytes_max = 64 << 30;
    limits
}

/// A session that is alone in its room.
struct Speaker {
    connection: Connection,
    room: RoomCode,
    text: Body,
}

impl Speaker {
    async fn create(&self) -> Result<(), Fault> {
        let create = Command::create(Nick::parse("Ann")?).with_room(self.room.clone());
        self.connection.call(create).await?;
        self.hear()?;
        Ok(())
    }

    /// Keeps so many sends unanswered until the window is over. In the end the log has what was acked, and nothing else.
    async fn speak(self: Arc<Self>, log: Arc<dyn Log>, window: Window, in_flight: usize) -> Result<Answers, Fault> {
        let send = || async {
            let asked = Instant::now();
            self.connection.call(Command::send(self.room.clone(), self.text.clone())).await.map(|_| asked)
        };
        let (mut answers, mut heard) = (Answers::default(), 0);
        let mut unanswered: FuturesUnordered<_> = (0..in_flight).map(|_| send()).collect();
        while let Some(answered) = unanswered.next().await {
            answers.note(window, answered?);
            heard += self.hear()?;
            if !window.is_over() {
                unanswered.push(send());
            }
        }
        // Its creation and its only join come before.
        let last = log.read(&self.room, None, Offset(0), 1).await?.tail.offset;
        if (heard, last) != (answers.total, Offset(answers.total + 2)) {
            let Answers { total, .. } = answers;
            return Err(format!("{}: {total} acked, {heard} heard, and the log ends at {last:?}", self.room).into());
        }
        Ok(answers)
    }

    /// Takes what is due, as a socket would, and says how many messages that was.
    fn hear(&self) -> Result<u64, Fault> {
        let mut messages = 0;
        while let Some(frame) = self.connection.peek() {
            match frame.kind {
                FrameKind::Message => messages += 1,
                FrameKind::Gap | FrameKind::Closing => return Err(format!("{} was told of a loss", self.room).into()),
                _ => {}
            }
            self.connection.commit(frame.mark);
        }
        Ok(messages)
    }
}
