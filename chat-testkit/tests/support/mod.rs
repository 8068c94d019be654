//! What the tests of an engine over a log share: a log that fails, one whose reads a test bends, and people in one room.

#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part of this")]

pub mod bent;

use std::sync::Arc;
use std::time::Duration;

use chat_core::wire::{Joined, RoomStatus, Status};
use chat_core::{
    Body, Command, ConnectRequest, Connection, Engine, EngineBuilder, Hello, Key, Limits, Log, Nick, Position, Reject,
    RejectCode, Resume, RoomCode, Seq, ServerFrame,
};
use chat_testkit::logs::{Call, Fault, FaultyLog, MemoryLog, Operation, Outcome};

pub type TestLog = Arc<FaultyLog<MemoryLog>>;

pub const SECRET: [u8; 32] = [7; 32];

/// How long a connection may stay lost.
pub const GRACE: Duration = Duration::from_secs(30);

pub fn log() -> TestLog {
    Arc::new(FaultyLog::new(MemoryLog::default()))
}

pub fn engine<L: Log>(log: &Arc<L>) -> Engine {
    engine_with(log, |_| {})
}

pub fn engine_with<L: Log>(log: &Arc<L>, change: impl FnOnce(&mut Limits)) -> Engine {
    let mut limits = Limits::default();
    change(&mut limits);
    builder(log).limits(limits).build()
}

/// Of engines that know each other's sessions.
pub fn builder<L: Log>(log: &Arc<L>) -> EngineBuilder {
    Engine::builder().log(Arc::clone(log) as _).expect("the engine before is gone").secret(SECRET)
}

/// A plan by which every call of these fails.
pub fn fails(operations: &'static [Operation]) -> impl Fn(&Call) -> Option<Fault> {
    move |call| operations.contains(&call.operation).then(|| Fault::from(Outcome::Fails))
}

pub async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Lets every task run until it has nothing more to do. No time passes.
pub async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

pub fn code() -> RoomCode {
    RoomCode::parse("LUNCH").expect("valid")
}

pub fn nick(nick: &str) -> Nick {
    Nick::parse(nick).expect("valid")
}

pub fn text(text: &str) -> Body {
    Body::parse(text, 4_000).expect("valid")
}

pub async fn connect(engine: &Engine, resume: Option<Resume>) -> Connection {
    engine.connect(ConnectRequest::default(), Hello { id: None, resume }).await.expect("everybody is let in")
}

/// Comes back, and waits until the room has said where one stands.
pub async fn come_back(engine: &Engine, token: &str, position: Option<Position>) -> (Connection, RoomStatus) {
    let positions = position.map(|position| (code(), position)).into_iter().collect();
    let mut session = connect(engine, Some(Resume { token: token.to_owned(), positions })).await;
    let ServerFrame::Welcome { mut rooms, .. } = session.next().await else { panic!("welcome comes first") };
    let mut status = rooms.remove(0);
    if status.status == Status::Waiting {
        let ServerFrame::Resumed(later) = session.next().await else { panic!("the room says where one stands") };
        status = later;
    }
    (session, status)
}

/// Tries to come back, and goes away again: where the session stood.
pub async fn try_to_come_back(engine: &Engine, token: &str) -> Status {
    come_back(engine, token, None).await.1.status
}

pub async fn joined(session: &mut Connection) -> Joined {
    loop {
        if let ServerFrame::Joined(joined) = session.next().await {
            return joined;
        }
    }
}

pub async fn create(session: &mut Connection) -> Joined {
    session.call(Command::create(nick("Ann")).with_room(code())).await.expect("the code is free");
    joined(session).await
}

pub async fn join(session: &Connection, name: &str) -> Result<ServerFrame, Reject> {
    session.call(Command::join(code(), nick(name))).await
}

/// A new session in the room.
pub async fn newcomer(engine: &Engine, nick: &str) -> Connection {
    let session = connect(engine, None).await;
    join(&session, nick).await.expect("the room is there");
    session
}

pub async fn say(session: &Connection, said: &str, key: &str) -> Result<Seq, RejectCode> {
    let key = Some(Key::parse(key).expect("valid"));
    match session.call(Command::send(code(), text(said)).with_key(key)).await {
        Ok(ServerFrame::Ack { seq, .. }) => Ok(seq),
        Ok(other) => panic!("a send is answered with an ack: {other:?}"),
        Err(reject) => Err(reject.code),
    }
}

/// Says a number of things, each its own number as text, faster than the default limits allow.
pub async fn say_many(session: &Connection, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let said = number.to_string();
        session.call(Command::send(code(), text(&said))).await.expect("the log works");
    }
}

/// The texts of the room as somebody new sees them.
pub async fn texts(engine: &Engine, nick: &str) -> Vec<String> {
    let mut session = newcomer(engine, nick).await;
    let history = joined(&mut session).await.history;
    history.iter().map(|message| message.frame().text.clone()).collect()
}

pub async fn next_message(session: &mut Connection) -> (Seq, String) {
    loop {
        if let ServerFrame::Message(message) = session.next().await {
            return (message.seq, message.text);
        }
    }
}

pub async fn next_left(session: &mut Connection) -> (String, String) {
    loop {
        if let ServerFrame::MemberLeft { nick, reason, .. } = session.next().await {
            return (nick, reason);
        }
    }
}
