//! People in one room of an engine: what they ask, and how they read on to what they wait for.
//!
//! For tests of what an engine does over a log: whatever becomes of the log, people say the same things. The room is always
//! `LUNCH`, and everybody is let in; a test about policies, many rooms or exact frames asks [`Connection`] itself.
//!
//! ```
//! use chat_core::{Engine, Seq};
//! use chat_testkit::one_room::{founder, next_message, say, texts};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let engine = Engine::builder().build();
//! let mut ann = founder(&engine).await;
//! assert_eq!(say(&ann, "Pizza?", "k1").await, Ok(Seq(2)));
//! assert_eq!(next_message(&mut ann).await, (Seq(2), "Pizza?".to_owned()));
//! assert_eq!(texts(&engine, "Bob").await, ["Pizza?"]);
//! # }
//! ```
//!
//! Everything here panics where the engine does not do its part: where a session is refused, say, or a word is not allowed.

use std::ops::Range;
use std::time::Duration;

use chat_core::wire::{Joined, RoomStatus, Status};
use chat_core::{
    Answered, Body, Command, ConnectRequest, Connection, Engine, Hello, Key, Nick, Position, Reject, RejectCode, Reply,
    Resume, RoomCode, Seq, ServerFrame,
};
use tokio::sync::oneshot;

/// Rounds that every task gets in [`settle`]: far more than any of them takes.
const ROUNDS: usize = 64;

/// The code of the room: `LUNCH`.
pub fn code() -> RoomCode {
    RoomCode::parse("LUNCH").expect("valid")
}

/// A nick, which must be an allowed one.
pub fn nick(nick: &str) -> Nick {
    Nick::parse(nick).expect("a test's nick is valid")
}

/// A message's text, of at most 4,000 bytes.
pub fn text(text: &str) -> Body {
    Body::parse(text, 4_000).expect("a test's text is valid")
}

/// A new session, or one that comes back; its `welcome` is still to be read.
pub async fn connect(engine: &Engine, resume: Option<Resume>) -> Connection {
    engine.connect(ConnectRequest::default(), Hello { resume, ..Hello::default() }).await.expect("everybody is let in")
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

/// Reads on to the next `joined`.
pub async fn joined(session: &mut Connection) -> Joined {
    loop {
        if let ServerFrame::Joined(joined) = session.next().await {
            return joined;
        }
    }
}

/// Ann creates the room, and reads the answer.
pub async fn create(session: &mut Connection) -> Joined {
    session.call(Command::create(nick("Ann")).with_room(code())).await.expect("the code is free");
    joined(session).await
}

/// A new session that has created the room, and read the answer.
pub async fn founder(engine: &Engine) -> Connection {
    let mut session = connect(engine, None).await;
    create(&mut session).await;
    session
}

/// Asks to come in; the `joined` is still to be read.
pub async fn join(session: &Connection, name: &str) -> Result<ServerFrame, Reject> {
    session.call(Command::join(code(), nick(name))).await
}

/// A new session in the room, which is there; the `joined` is still to be read.
pub async fn newcomer(engine: &Engine, nick: &str) -> Connection {
    let session = connect(engine, None).await;
    join(&session, nick).await.expect("the room is there");
    session
}

/// Says something under a key: the number of the message, or why it was refused.
pub async fn say(session: &Connection, said: &str, key: &str) -> Result<Seq, RejectCode> {
    let key = Some(Key::parse(key).expect("a test's key is valid"));
    match session.call(Command::send(code(), text(said)).with_key(key)).await {
        Ok(ServerFrame::Ack { seq, .. }) => Ok(seq),
        Ok(other) => panic!("a send is answered with an ack: {other:?}"),
        Err(reject) => Err(reject.code),
    }
}

/// Says each of these numbers as a text. The engine's rates have to be [lifted](chat_core::Limits::lift_rates) for many.
pub async fn say_many(session: &Connection, numbers: Range<usize>) {
    for number in numbers {
        let said = number.to_string();
        session.call(Command::send(code(), text(&said))).await.expect("the log works");
    }
}

/// The texts of the room as somebody new sees them, who joins under this nick.
pub async fn texts(engine: &Engine, nick: &str) -> Vec<String> {
    let mut session = newcomer(engine, nick).await;
    texts_of(&joined(&mut session).await)
}

/// The texts that a joiner is shown, oldest first.
pub fn texts_of(joined: &Joined) -> Vec<String> {
    joined.history.iter().map(|message| message.frame().text.clone()).collect()
}

/// Reads on to the next message: its number and text.
pub async fn next_message(session: &mut Connection) -> (Seq, String) {
    loop {
        if let ServerFrame::Message(message) = session.next().await {
            return (message.seq, message.text);
        }
    }
}

/// Reads on to the next leaving: who, and why.
pub async fn next_left(session: &mut Connection) -> (String, String) {
    loop {
        if let ServerFrame::MemberLeft { nick, reason, .. } = session.next().await {
            return (nick, reason);
        }
    }
}

/// Submits without waiting, so that the room reads what follows in one batch with it.
pub fn submit(session: &Connection, command: Command) -> oneshot::Receiver<Answered> {
    let (reply, answer) = Reply::channel(None);
    session.submit(command, reply).expect("few commands are in flight");
    answer
}

/// Everything that is due at this moment, taken.
pub fn take(session: &Connection) -> Vec<ServerFrame> {
    let due = std::iter::from_fn(|| {
        let frame = session.peek()?;
        session.commit(frame.mark);
        Some(serde_json::from_slice(&frame.json).expect("every server frame is of the protocol"))
    });
    due.collect()
}

/// Lets every task of a runtime with one thread run until it has nothing more to do. No time passes.
pub async fn settle() {
    for _ in 0..ROUNDS {
        tokio::task::yield_now().await;
    }
}

/// Seconds pass on tokio's clock, which a test may have paused.
pub async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
