//! Two servers over one log, for the tests of what happens between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{
    Admission, Clock, ConnectRequest, Connection, Engine, EngineBuilder, Hello, Identity, Limits, Mono, Now, Policy,
    Position, Reject, Resume, ServerFrame, SystemClock,
};
use chat_testkit::logs::{FaultyLog, MemoryLog};
use chat_testkit::servers::{Server, Servers};
use tokio::time::Instant;

use super::bent::BentLog;
use super::{builder, code, settle};

/// The first owns every room.
pub struct Two {
    pub servers: Servers,
    pub memory: Arc<MemoryLog>,
    pub logs: [Arc<FaultyLog<BentLog>>; 2],
    pub ends: [Arc<Server>; 2],
    pub engines: [Engine; 2],
}

pub fn two() -> Two {
    two_with(|_| {}, |builder| builder)
}

pub fn two_with(change: impl Fn(&mut Limits), build: impl Fn(EngineBuilder) -> EngineBuilder) -> Two {
    two_over(MemoryLog::new(), change, build)
}

/// The same over this log.
pub fn two_over(
    memory: MemoryLog,
    change: impl Fn(&mut Limits),
    build: impl Fn(EngineBuilder) -> EngineBuilder,
) -> Two {
    let (servers, memory) = (Servers::default(), Arc::new(memory));
    let ends = [servers.join(), servers.join()];
    servers.give_all(&ends[0]);
    let logs = ends.each_ref().map(|_| Arc::new(FaultyLog::new(BentLog::new(&memory))));
    let mut limits = Limits::default();
    change(&mut limits);
    let engines = [0, 1].map(|which| {
        let builder = builder(&logs[which]).limits(limits.clone()).cluster(Arc::clone(&ends[which]) as _);
        build(builder).build()
    });
    Two { servers, memory, logs, ends, engines }
}

/// The same; and the clock of the first is so much ahead.
pub fn two_apart(ahead: Duration, build: impl Fn(EngineBuilder) -> EngineBuilder) -> Two {
    let is_first = AtomicBool::new(true);
    two_with(
        |_| {},
        |builder| {
            let ahead = if is_first.swap(false, Ordering::Relaxed) { ahead } else { Duration::ZERO };
            build(builder).clock(Arc::new(Ahead(SystemClock::new(), ahead)))
        },
    )
}

/// A clock that is ahead.
struct Ahead(SystemClock, Duration);

impl Clock for Ahead {
    fn now(&self) -> Now {
        let Now { wall, mono } = self.0.now();
        Now { wall: wall.after(self.1), mono }
    }

    fn instant(&self, mono: Mono) -> Instant {
        self.0.instant(mono)
    }
}

impl Two {
    /// The link is down, and both have heard of it.
    pub async fn cut(&self) {
        self.servers.cut(&self.ends[0], &self.ends[1]);
        settle().await;
    }

    /// The link is up, and both have heard of it.
    pub async fn mend(&self) {
        self.servers.mend(&self.ends[0], &self.ends[1]);
        settle().await;
    }
}

/// Everybody is who their credentials say.
pub struct NamedByCredentials;

#[async_trait]
impl Policy for NamedByCredentials {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        let name = request.credentials.as_deref().expect("everybody is named");
        Ok(Admission::of(Identity::new(name)))
    }
}

/// Somebody of this name; who comes back names the token of the session, and where they were in the room.
pub async fn named(engine: &Engine, name: &str, back: Option<(&str, Position)>) -> Connection {
    let resume = back.map(|(token, at)| Resume { token: token.to_owned(), positions: vec![(code(), at)] });
    let request = ConnectRequest { credentials: Some(name.into()), ..ConnectRequest::default() };
    engine.connect(request, Hello { resume, ..Hello::default() }).await.expect("everybody is let in")
}

/// Which of these frames say that somebody is out, and which that something was said.
pub fn leaves_and_messages(frames: &[ServerFrame]) -> (Vec<String>, Vec<String>) {
    let mut told = (Vec::new(), Vec::new());
    for frame in frames {
        match frame {
            ServerFrame::MemberLeft { nick, .. } => told.0.push(nick.clone()),
            ServerFrame::Message(message) => told.1.push(message.text.clone()),
            _ => {}
        }
    }
    told
}

/// Whether these tell that the connection ends.
pub fn is_closed(frames: &[ServerFrame]) -> bool {
    frames.iter().any(|frame| matches!(frame, ServerFrame::Closing { .. }))
}

/// What was said, as one reads it, with its number.
pub fn messages(frames: &[ServerFrame]) -> Vec<(u64, String)> {
    let messages = frames.iter().filter_map(|frame| match frame {
        ServerFrame::Message(message) => Some((message.seq.0, message.text.clone())),
        _ => None,
    });
    messages.collect()
}
