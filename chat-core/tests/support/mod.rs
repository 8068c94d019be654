//! What the engine's tests share: people with a session each, and what they are told, in few words.

#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part of this")]

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::wire::{Joined, RoomStatus};
use chat_core::{
    Admission, Body, Clock, Command, CommandId, ConnectRequest, Connection, Credential, Engine, Hello, Identity, Key,
    Limits, Mono, Nick, Now, Policy, Position, Reject, RejectCode, Reply, Resume, RoomCode, Seq, ServerFrame,
    SessionId, SystemClock, Wall,
};

/// Rounds that every task gets before nothing more is expected without time passing.
const ROUNDS: usize = 64;

/// An engine with the default bounds.
pub fn engine() -> Engine {
    Engine::builder().build()
}

/// An engine with other bounds.
pub fn engine_with(change: impl FnOnce(&mut Limits)) -> Engine {
    Engine::builder().limits(limits(change)).build()
}

/// The default bounds, with some changed.
pub fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

/// Rooms remember eight events, and everybody talks as fast as they can.
pub fn forgetful(limits: &mut Limits) {
    limits.room.backlog_events_max = 8;
    limits.lift_rates();
}

/// Lets every task run until it has nothing more to do. No time passes.
pub async fn settle() {
    for _ in 0..ROUNDS {
        tokio::task::yield_now().await;
    }
}

/// Virtual time passes, in steps: a sleep that is not awaited by anybody else takes none of it.
pub async fn pass(time: Duration) {
    settle().await;
    tokio::time::sleep(time).await;
    settle().await;
}

pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub fn code(text: &str) -> RoomCode {
    RoomCode::parse(text).expect("a test's room code is valid")
}

pub fn nick(text: &str) -> Nick {
    Nick::parse(text).expect("a test's nick is valid")
}

pub fn body(text: &str) -> Body {
    Body::parse(text, 100_000).expect("a test's text is valid")
}

pub fn key(text: &str) -> Key {
    Key::parse(text).expect("a test's key is valid")
}

pub fn send(room: &str, text: &str) -> Command {
    Command::send(code(room), body(text))
}

pub fn send_keyed(room: &str, text: &str, with: &str) -> Command {
    Command::send(code(room), body(text)).with_key(key(with))
}

pub fn create(room: &str, who: &str) -> Command {
    Command::create(nick(who)).with_room(code(room))
}

pub fn join(room: &str, who: &str) -> Command {
    Command::join(code(room), nick(who))
}

pub fn leave(room: &str) -> Command {
    Command::leave(code(room))
}

/// A hello that resumes, with the last event seen of each room.
pub fn resume(token: &str, positions: &[(&str, Position)]) -> Hello {
    let positions = positions.iter().map(|(room, position)| (code(room), *position)).collect();
    Hello { resume: Some(Resume { token: token.to_owned(), positions }), ..Hello::default() }
}

/// A client: a session, and how it reads.
pub struct Client {
    pub session: Connection,
}

impl Client {
    /// A new session.
    pub async fn new(engine: &Engine) -> Self {
        Self::with_hello(engine, Hello::default()).await
    }

    pub async fn with_hello(engine: &Engine, hello: Hello) -> Self {
        Self::with_request(engine, ConnectRequest::default(), hello).await
    }

    /// A session of whoever shows these credentials.
    pub async fn of(engine: &Engine, credentials: &str) -> Self {
        Self::with_request(engine, shown(credentials), Hello::default()).await
    }

    /// A session from this address.
    pub async fn calling_from(engine: &Engine, address: &str) -> Self {
        Self::with_request(engine, from(address), Hello::default()).await
    }

    pub async fn with_request(engine: &Engine, request: ConnectRequest, hello: Hello) -> Self {
        Self { session: engine.connect(request, hello).await.expect("the engine lets everybody in") }
    }

    /// A new session that has created a room, or joined it where it is there, and has read the answer.
    pub async fn in_room(engine: &Engine, room: &str, who: &str) -> Self {
        let client = Self::new(engine).await;
        client.enter(room, who).await;
        client
    }

    /// Creates the room, or joins it where it is there; reads everything up to the `joined`.
    pub async fn enter(&self, room: &str, who: &str) -> Joined {
        match self.session.call(create(room, who)).await {
            Err(reject) if reject.code == RejectCode::NameTaken => self.session.call(join(room, who)).await,
            done => done,
        }
        .expect("everybody may enter");
        self.joined().await
    }

    /// The next frame, taken: as [`Connection::next`], for clients that a test holds without `mut`. One task at a time.
    pub async fn next(&self) -> ServerFrame {
        let frame = std::future::poll_fn(|cx| self.session.poll_peek(cx)).await;
        self.session.commit(frame.mark);
        parse(&frame.json)
    }

    /// Reads on to the next `joined`.
    pub async fn joined(&self) -> Joined {
        loop {
            if let ServerFrame::Joined(joined) = self.next().await {
                return joined;
            }
        }
    }

    /// Says something and gives its number.
    pub async fn say(&self, room: &str, text: &str) -> u64 {
        acked(self.session.call(send(room, text)).await)
    }

    /// Hands in a command whose answer comes among the frames, without waiting for it.
    pub fn submit(&self, command: Command) {
        self.session.submit(command, Reply::mailbox(None)).expect("few commands are in flight");
    }

    /// The same, with a number.
    pub fn submit_as(&self, id: u64, command: Command) {
        self.session.submit(command, Reply::mailbox(Some(CommandId(id)))).expect("few commands are in flight");
    }

    /// Carries out a command that is refused.
    pub async fn refused(&self, command: Command) -> Reject {
        self.session.call(command).await.expect_err("it is to be refused")
    }

    /// Everything that is due, taken frame by frame, until nothing more comes without time passing.
    pub async fn frames(&self) -> Vec<ServerFrame> {
        let mut frames = Vec::new();
        let mut quiet = 0;
        // Twice, because a look may be what makes a room say something.
        while quiet < 2 {
            settle().await;
            let due = self.take();
            quiet = if due.is_empty() { quiet + 1 } else { 0 };
            frames.extend(due);
        }
        frames
    }

    /// Everything that is due at this moment.
    pub fn take(&self) -> Vec<ServerFrame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.session.peek() {
            self.session.commit(frame.mark);
            frames.push(parse(&frame.json));
        }
        frames
    }

    /// The same, in few words; see [`summary`].
    pub async fn told(&self) -> Vec<String> {
        self.frames().await.iter().map(summary).collect()
    }

    /// The next frame, without taking it.
    pub fn peeked(&self) -> Option<String> {
        self.session.peek().map(|frame| summary(&parse(&frame.json)))
    }

    /// Reads on to the `welcome`: what it says of the rooms.
    pub async fn welcomed(&self) -> Vec<RoomStatus> {
        match self.next().await {
            ServerFrame::Welcome { rooms, .. } => rooms,
            other => panic!("the first frame is a welcome, not {other:?}"),
        }
    }

    pub fn token(&self) -> String {
        self.session.token()
    }
}

/// Says everything up to this number in `LUNCH`.
pub async fn talk(speaker: &Client, to: u64) {
    while speaker.say("LUNCH", "x").await < to {
        speaker.take();
    }
    speaker.take();
}

/// Everybody is who their credentials say.
pub struct ByCredentials;

#[async_trait]
impl Policy for ByCredentials {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        Ok(Admission::of(request.credentials.as_deref().and_then(Identity::new)))
    }
}

/// Whose token or cursor it is.
pub fn session_of(credential: &str) -> SessionId {
    credential.parse::<Credential>().expect("a credential").session
}

/// A request of whoever shows these credentials.
pub fn shown(credentials: &str) -> ConnectRequest {
    ConnectRequest { transport: "test", credentials: Some(credentials.to_owned()), ..ConnectRequest::default() }
}

/// A request from this address.
pub fn from(address: &str) -> ConnectRequest {
    ConnectRequest {
        transport: "test",
        address: Some(address.parse().expect("an address")),
        ..ConnectRequest::default()
    }
}

pub fn parse(json: &[u8]) -> ServerFrame {
    serde_json::from_slice(json).expect("every server frame is of the wire protocol")
}

/// The number of an `ack`.
#[track_caller]
pub fn acked(answer: Result<ServerFrame, Reject>) -> u64 {
    match answer {
        Ok(ServerFrame::Ack { seq, .. }) => seq.0,
        other => panic!("not an ack: {other:?}"),
    }
}

/// The position of this number in the life that was joined.
pub fn at(joined: &Joined, seq: u64) -> Position {
    Position { epoch: joined.epoch, seq: Seq(seq) }
}

/// A frame in few words: numbers first, then what it says.
pub fn summary(frame: &ServerFrame) -> String {
    let by = |by: &Option<chat_core::MemberId>| by.map_or(String::new(), |by| format!(" by {by}"));
    match frame {
        ServerFrame::Welcome { resumed: false, .. } => "welcome".into(),
        ServerFrame::Welcome { rooms, .. } => {
            let rooms: Vec<String> = rooms.iter().map(summary_of_status).collect();
            format!("welcome back {}", rooms.join(" ")).trim_end().into()
        }
        ServerFrame::Resumed(status) => format!("resumed {}", summary_of_status(status)),
        ServerFrame::Joined(joined) => format!("joined {} as {}", joined.seq, joined.you.member),
        ServerFrame::Ack { seq, .. } => format!("ack {seq}"),
        ServerFrame::Error { code, .. } => format!("error {code}"),
        ServerFrame::History { messages, more, .. } => {
            let texts: Vec<&str> = messages.iter().map(|message| message.frame().text.as_str()).collect();
            format!("history [{}]{}", texts.join(" "), if *more { " more" } else { "" })
        }
        ServerFrame::Members { members, members_total, more, .. } => {
            let ids: Vec<String> = members.iter().map(|entry| entry.member.to_string()).collect();
            format!("members [{}] of {members_total}{}", ids.join(" "), if *more { " more" } else { "" })
        }
        ServerFrame::Message(message) => match message.redacted {
            true => format!("{} {} (redacted)", message.seq, message.nick),
            false => {
                let key = message.key.as_ref().map_or(String::new(), |key| format!(" #{key}"));
                format!("{} {}: {}{key}", message.seq, message.nick, message.text)
            }
        },
        ServerFrame::MemberJoined { seq, nick, .. } => format!("{seq} +{nick}"),
        ServerFrame::MemberLeft { seq: Some(seq), nick, reason, by: who, .. } => {
            format!("{seq} -{nick} {reason}{}", by(who))
        }
        ServerFrame::MemberLeft { seq: None, nick, reason, .. } => format!("-{nick} {reason}"),
        ServerFrame::Redacted { seq, target: Some(target), by: who, .. } => {
            format!("{seq} redacted {target}{}", by(who))
        }
        ServerFrame::Edited { seq, target: Some(target), text, n, .. } => {
            let now = text.as_ref().map_or(String::new(), |text| format!(": {text} #{}", n.unwrap_or_default()));
            format!("{seq} edited {target}{now}")
        }
        ServerFrame::TopicChanged { seq, topic, by: who, .. } => format!("{seq} topic {topic:?}{}", by(who)),
        ServerFrame::RoleChanged { seq, member, role, by: who, .. } => {
            format!("{seq} {member} is {role:?}{}", by(who))
        }
        ServerFrame::NoticesChanged { seq, notices, .. } => format!("{seq} notices {notices:?}"),
        ServerFrame::Typing { members, .. } => {
            let ids: Vec<String> = members.iter().map(ToString::to_string).collect();
            format!("typing [{}]", ids.join(" "))
        }
        ServerFrame::Presence { members, online, .. } => format!("presence {online}/{members}"),
        ServerFrame::Gap { from, to, ended, .. } => format!("gap {from}..{to}{}", if *ended { " ended" } else { "" }),
        ServerFrame::RoomClosed { reason, .. } => format!("closed {reason}"),
        ServerFrame::Closing { code, .. } => format!("closing {code}"),
        ServerFrame::Ended { id } => format!("ended{}", id.map_or(String::new(), |id| format!(" {}", id.0))),
        other => format!("{other:?}"),
    }
}

/// Where a session stands in a room, in few words.
pub fn summary_of_status(status: &RoomStatus) -> String {
    let seq = status.seq.map_or(String::new(), |seq| format!(":{seq}"));
    let reason = status.reason.map_or(String::new(), |reason| format!(":{reason:?}"));
    format!("{}:{:?}{seq}{reason}", status.room, status.status).to_lowercase()
}

/// A clock whose wall half is set by hand; the monotonic half is the runtime's virtual time.
pub struct SteppedClock {
    mono: SystemClock,
    wall: Mutex<Wall>,
}

impl SteppedClock {
    pub fn new(wall: u64) -> Self {
        Self { mono: SystemClock::new(), wall: Mutex::new(Wall(wall)) }
    }

    pub fn set_wall(&self, wall: u64) {
        *self.wall.lock().expect("nobody panics with it") = Wall(wall);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Now {
        Now { wall: *self.wall.lock().expect("nobody panics with it"), mono: self.mono.now().mono }
    }

    fn instant(&self, mono: Mono) -> tokio::time::Instant {
        self.mono.instant(mono)
    }
}
