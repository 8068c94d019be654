//! An engine without sockets, and people who take what they are due as a socket would.

use std::error::Error;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use chat_core::{
    Body, Command, ConnectRequest, Connection, Engine, Fill, FrameKind, FrameRef, Framing, Hello, Limits, Nick,
    RoomCode,
};
use tokio::runtime::{Builder, Runtime};

/// A text of 100 bytes.
const TEXT: &str =
    "the quick brown fox jumps over the lazy dog and the quick brown fox jumps over the lazy dog once more";

/// One thread, as for a server pinned to one core.
pub(crate) fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// The default bounds, without those on rates and on all backlogs together.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.lift_rates();
    limits.engine.memory_bytes_max = 64 << 30;
    limits
}

/// So many sessions, which have read their welcome.
pub(crate) async fn connect(engine: &Engine, count: usize) -> Result<Vec<Connection>, Box<dyn Error>> {
    let mut sessions = Vec::with_capacity(count);
    let mut ear = Ear::default();
    for _ in 0..count {
        let session = engine.connect(ConnectRequest::default(), Hello::default()).await?;
        ear.hear(&session);
        sessions.push(session);
    }
    Ok(sessions)
}

pub(crate) fn nick(index: usize) -> Result<Nick, Box<dyn Error>> {
    Ok(Nick::parse(&format!("m{index:05}"))?)
}

pub(crate) fn code(name: &str, index: usize) -> Result<RoomCode, Box<dyn Error>> {
    Ok(RoomCode::parse(&format!("{name}-{index:07}"))?)
}

pub(crate) fn text() -> Result<Body, Box<dyn Error>> {
    Ok(Body::parse(TEXT.get(..100).ok_or("the text is long enough")?, 4_000)?)
}

pub(crate) fn create(room: &RoomCode, index: usize) -> Result<Command, Box<dyn Error>> {
    Ok(Command::create(nick(index)?).with_room(room.clone()))
}

pub(crate) fn join(room: &RoomCode, index: usize) -> Result<Command, Box<dyn Error>> {
    Ok(Command::join(room.clone(), nick(index)?))
}

/// Takes frames as a transport does, and counts them.
#[derive(Default)]
pub(crate) struct Ear {
    out: BytesMut,
    pub(crate) count: Count,
}

/// What has been heard.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) messages: u64,
    pub(crate) message_bytes: u64,
    /// The last frame of the kind that answers a join.
    pub(crate) joined: Vec<u8>,
    /// Gaps and closings: there must be none.
    pub(crate) broken: u64,
}

impl Framing for Count {
    fn frame(&mut self, out: &mut BytesMut, frame: FrameRef<'_>) {
        out.extend_from_slice(frame.json);
        match frame.kind {
            FrameKind::Message => {
                self.messages += 1;
                self.message_bytes += frame.json.len() as u64;
            }
            FrameKind::Joined => {
                self.joined.clear();
                self.joined.extend_from_slice(frame.json);
            }
            FrameKind::Gap | FrameKind::Closing => self.broken += 1,
            _ => {}
        }
    }
}

impl Ear {
    /// Takes all that `session` is due.
    pub(crate) fn hear(&mut self, session: &Connection) {
        hear_into(session, &mut self.count, &mut self.out);
    }
}

/// Has `heard` take all that `session` is due.
pub(crate) fn hear_into(session: &Connection, heard: &mut impl Framing, out: &mut BytesMut) {
    let cx = Context::from_waker(Waker::noop());
    loop {
        out.clear();
        match session.poll_fill(&cx, heard, out) {
            Poll::Ready(Fill::Frames) => drop(session.written(out.len())),
            Poll::Ready(Fill::Ended(_)) | Poll::Pending => break,
        }
    }
}
