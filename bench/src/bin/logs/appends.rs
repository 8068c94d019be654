//! Batches of one record appended to many rooms, one on its way in each: what the log takes by itself.

use std::sync::Arc;
use std::time::Instant;

use bench::scenario::Figures;
use chat_core::{
    Body, Clock, Color, Epoch, Event, Log, MemberId, Nick, Offset, Record, Role, RoomCode, Scope, Seq, SessionId,
    SystemClock, Tail,
};
use futures_util::future::try_join_all;
use tokio::task::JoinSet;

use super::sends::TEXT;
use super::store::Store;
use super::window::{Answers, Length, Window};
use super::{Fault, Scenario};

pub(crate) async fn measure(store: &Store, scenario: &Scenario, length: Length) -> Result<Figures, Fault> {
    let begun = (0..scenario.rooms).map(|index| Writer::begin(store.log(), index));
    let writers: Vec<Writer> = try_join_all(begun).await?;
    let window = Window::after_warmup(length);
    let mut tasks = JoinSet::new();
    for writer in writers {
        tasks.spawn(writer.write(window));
    }
    window.watch(store, tasks).await
}

/// Bytes of a record, as both logs encode it.
pub(crate) fn record_bytes() -> Result<usize, Fault> {
    Ok(serde_json::to_vec(&sent(&Nick::parse("Ann")?, &Body::parse(TEXT, TEXT.len())?, 1_000))?.len())
}

/// Who has one room, and where it ends.
struct Writer {
    log: Arc<dyn Log>,
    room: RoomCode,
    tail: Tail,
    nick: Nick,
    text: Body,
}

impl Writer {
    /// Claims the code of a room.
    async fn begin(log: Arc<dyn Log>, index: usize) -> Result<Self, Fault> {
        let (room, nick) = (RoomCode::parse(&format!("LOGS-{index:04}"))?, Nick::parse("Ann")?);
        let epoch = Epoch(1 + index as u64);
        let at = SystemClock::new().now().wall;
        let joined = Event::Joined {
            nick: nick.clone(),
            nick_key: nick.key(),
            color: Color(0),
            role: Role::Owner,
            scope: Scope::Session(SessionId::new(1)),
            sees: None,
            data: None,
        };
        let opening = [
            Record { offset: Offset(1), seq: None, at, by: None, event: Event::Created { epoch, salt: 1 } },
            Record { offset: Offset(2), seq: Some(Seq(1)), at, by: Some(MemberId(1)), event: joined },
        ];
        let tail = log.append(&room, &Tail::default(), &opening).await?;
        Ok(Self { log, room, tail, nick, text: Body::parse(TEXT, TEXT.len())? })
    }

    /// Appends one record after the other until the window is over. In the end the log has them, and nothing else.
    async fn write(mut self, window: Window) -> Result<Answers, Fault> {
        let mut answers = Answers::default();
        while !window.is_over() {
            let record = sent(&self.nick, &self.text, self.tail.offset.0 + 1);
            let asked = Instant::now();
            self.tail = self.log.append(&self.room, &self.tail, &[record]).await?;
            answers.note(window, asked);
        }
        let last = self.log.read(&self.room, None, Offset(0), 1).await?.tail.offset;
        if last != Offset(answers.total + 2) {
            return Err(format!("{}: {} appended, and the log ends at {last:?}", self.room, answers.total).into());
        }
        Ok(answers)
    }
}

/// A message as a room would record it, behind its creation and its only join.
fn sent(nick: &Nick, text: &Body, offset: u64) -> Record {
    let event = Event::Sent {
        nick: nick.clone(),
        color: Color(0),
        text: text.clone(),
        keyed: None,
        amended: None,
        data: None,
        reply_to: None,
    };
    let (seq, at) = (Some(Seq(offset - 1)), SystemClock::new().now().wall);
    Record { offset: Offset(offset), seq, at, by: Some(MemberId(1)), event }
}
