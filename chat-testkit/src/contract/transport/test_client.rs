//! One person on a transport: says commands, reads frames, and holds every frame to the protocol.

use std::collections::VecDeque;
use std::time::Duration;

use chat_core::ServerFrame;
use serde_json::{Value, json};

use super::frames::{list, number, summary, text};
use super::trail::{Places, Trail};
use super::{Client, Resume, TransportHarness};

/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client with its session, and what it knows of its rooms.
pub struct TestClient<C> {
    client: C,
    /// The first frame.
    pub welcome: Value,
    /// As it was told last.
    token: String,
    places: Places,
    kept: VecDeque<Value>,
    commands: u64,
}

impl<C: Client> TestClient<C> {
    /// Connects with a new session.
    pub async fn new<D: TransportHarness<Client = C>>(harness: &D) -> Self {
        let client = Self::connect(harness, None, Places::default()).await;
        assert_eq!(client.welcome["resumed"], false);
        client
    }

    /// Comes back, and is welcomed as the same session.
    pub async fn back<D: TransportHarness<Client = C>>(harness: &D, trail: &Trail) -> Self {
        let client = Self::connect(harness, Some(trail.resume()), trail.places()).await;
        assert_eq!(client.welcome["resumed"], true);
        let session = |token: &str| token.split('.').next().map(str::to_owned);
        assert_eq!(session(&client.token()), session(&trail.token), "the same session");
        assert_ne!(client.token(), trail.token, "each time another token");
        client
    }

    /// Comes with a token that is not good: has a new session, and is told the code.
    pub async fn with_bad_token<D: TransportHarness<Client = C>>(harness: &D, resume: Resume) -> (Self, String) {
        let mut client = Self::connect(harness, Some(resume), Places::default()).await;
        assert_eq!(client.welcome["resumed"], false);
        let error = client.next().await;
        assert_eq!(error["type"], "error", "{error}");
        (client, text(&error, "code"))
    }

    /// Is turned away. Returns the code.
    pub async fn turned_away<D: TransportHarness<Client = C>>(harness: &D, resume: Option<Resume>) -> String {
        text(&Self::refused_entry(harness, resume).await.0, "code")
    }

    /// Is turned away for now, and told when to come back. Returns the codes of the `error` and of the `closing`.
    pub async fn put_off<D: TransportHarness<Client = C>>(harness: &D, resume: Option<Resume>) -> (String, u64) {
        let (error, closing) = Self::refused_entry(harness, resume).await;
        let closing = closing.unwrap_or_else(|| panic!("nothing follows {error}"));
        assert!(number(&closing, "reconnect_after_ms") > 0, "{closing}");
        assert_eq!(error["retry_after_ms"], closing["reconnect_after_ms"], "{error}");
        (text(&error, "code"), number(&closing, "code"))
    }

    /// The `error` to somebody who is not let in, and the `closing`, where there is one.
    async fn refused_entry<D: TransportHarness<Client = C>>(
        harness: &D,
        resume: Option<Resume>,
    ) -> (Value, Option<Value>) {
        Self::last_words(harness.connect(resume).await).await
    }

    /// What is told to somebody who is not let in: the `error`, and the `closing`, where there is one.
    pub(super) async fn last_words(mut client: C) -> (Value, Option<Value>) {
        let error = read(&mut client).await.expect("an error");
        assert_eq!(error["type"], "error", "{error}");
        let mut last = read(&mut client).await;
        let closing = last.take_if(|frame| frame["type"] == "closing");
        if closing.is_some() {
            last = read(&mut client).await;
        }
        assert_eq!(last, None, "who is turned away is told nothing more");
        (error, closing)
    }

    /// Connects, showing a token to say who it is; with a new session, or with the one that it comes back to. `None` where the transport has
    /// no message for that.
    pub(super) async fn showing<D: TransportHarness<Client = C>>(
        harness: &D,
        trail: Option<&Trail>,
        token: &str,
    ) -> Option<Self> {
        let client = harness.connect_showing(trail.map(Trail::resume), token).await?;
        Some(Self::welcomed(client, trail.map(Trail::places).unwrap_or_default()).await)
    }

    async fn connect<D: TransportHarness<Client = C>>(harness: &D, resume: Option<Resume>, places: Places) -> Self {
        Self::welcomed(harness.connect(resume).await, places).await
    }

    async fn welcomed(mut client: C, mut places: Places) -> Self {
        let welcome = read(&mut client).await.expect("a welcome");
        assert_eq!(welcome["type"], "welcome", "the first frame: {welcome}");
        places.welcomed(&welcome);
        let token = text(&welcome, "token");
        Self { client, welcome, token, places, kept: VecDeque::new(), commands: 0 }
    }

    /// What the `welcome` says of each room: `LUNCH live 17`.
    pub fn standings(&self) -> Vec<String> {
        let summary = |room: &Value| format!("{} {} {}", text(room, "room"), text(room, "status"), room["seq"]);
        list(&self.welcome, "rooms").iter().map(summary).collect()
    }

    /// The first frame of the connection.
    pub fn welcome(&self) -> &Value {
        &self.welcome
    }

    /// The session's token, as it was told last.
    pub fn token(&self) -> String {
        self.token.clone()
    }

    /// The position in a room, which has been entered.
    pub fn seq(&self, room: &str) -> u64 {
        self.places.seq(room)
    }

    /// What it takes to come back from here, without losing the connection.
    pub fn trail(&self) -> Trail {
        Trail::new(self.token(), self.places.clone())
    }

    /// Loses the connection. What was not read with one of the methods here counts as not received.
    pub async fn cut(self) -> Trail {
        let trail = self.trail();
        within(self.client.cut()).await;
        trail
    }

    /// Hands in a command under a number of its own; returns the answer, which bears the number.
    pub async fn ask(&mut self, mut command: Value) -> Value {
        self.commands += 1;
        let id = json!(self.commands);
        if let Some(fields) = command.as_object_mut() {
            fields.insert("id".to_owned(), id.clone());
        }
        let answer = within(self.client.command(command.clone())).await;
        check_shape(&answer);
        if command.is_object() && !(answer["type"] == "error" && answer["field"] == "frame") {
            assert_eq!(answer["id"], id, "the answer {answer} to {command}");
        }
        answer
    }

    /// Hands in a command that is carried out.
    pub async fn done(&mut self, command: Value) -> Value {
        let answer = self.ask(command.clone()).await;
        assert_ne!(answer["type"], "error", "{command} is refused: {answer}");
        answer
    }

    /// Hands in a command that is refused; returns the `error`.
    pub async fn refused(&mut self, command: Value) -> Value {
        let answer = self.ask(command.clone()).await;
        assert_eq!(answer["type"], "error", "{command} is answered with {answer}");
        answer
    }

    /// Hands in a command as it is, whatever its `id`, that is refused; returns the `error`.
    pub async fn refused_as_it_is(&mut self, command: Value) -> Value {
        let answer = within(self.client.command(command.clone())).await;
        check_shape(&answer);
        assert_eq!(answer["type"], "error", "{command} is answered with {answer}");
        answer
    }

    /// Hands in a command that is refused; returns the code.
    pub async fn code(&mut self, command: Value) -> String {
        text(&self.refused(command).await, "code")
    }

    /// Hands in a `create` or `join`; returns the `joined`, whichever way it comes.
    pub async fn enter(&mut self, command: Value) -> Value {
        let answer = self.done(command).await;
        if answer["type"] == "joined" {
            self.note(&answer);
            return answer;
        }
        assert_eq!(answer["type"], "ack", "{answer}");
        let room = text(&answer, "room");
        let mut before = VecDeque::new();
        loop {
            let frame = self.next().await;
            if frame["type"] == "joined" && frame["room"] == room {
                before.append(&mut self.kept);
                self.kept = before;
                return frame;
            }
            assert_ne!(frame["room"], room, "{frame} comes before the joined");
            before.push_back(frame);
        }
    }

    /// Makes a room of this name.
    pub async fn create(&mut self, room: &str, nick: &str) -> Value {
        self.enter(json!({"type": "create", "room": room, "nick": nick})).await
    }

    /// Joins a room.
    pub async fn join(&mut self, room: &str, nick: &str) -> Value {
        self.enter(json!({"type": "join", "room": room, "nick": nick})).await
    }

    /// Says something; returns the number of the message.
    pub async fn say(&mut self, room: &str, text: &str) -> u64 {
        let ack = self.done(json!({"type": "send", "room": room, "text": text})).await;
        assert_eq!((&ack["type"], &ack["room"]), (&json!("ack"), &json!(room)));
        number(&ack, "seq")
    }

    /// Takes a message back; returns the answer.
    pub(super) async fn redact(&mut self, room: &str, target: u64) -> Value {
        self.done(json!({"type": "redact", "room": room, "target": target})).await
    }

    /// Says so many long messages that who is behind is told a gap where a backlog is short.
    pub(super) async fn talk_on(&mut self, room: &str, messages: u32) {
        let long = "x".repeat(3_000);
        for turn in 0..messages {
            self.say(room, &format!("{turn} {long}")).await;
        }
    }

    /// The next frame.
    pub async fn next(&mut self) -> Value {
        self.next_or_end().await.expect("the connection goes on")
    }

    /// The next frame that is no signal, in summary.
    pub async fn told(&mut self) -> String {
        loop {
            let frame = self.next().await;
            if !matches!(frame["type"].as_str(), Some("typing" | "presence" | "live" | "signals")) {
                return summary(&frame);
            }
        }
    }

    /// The next frame of this type; what comes before it is read and dropped.
    pub async fn find(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// Reads on until the position in a room is at least this; returns that room's frames, without signals.
    pub async fn read_to(&mut self, room: &str, seq: u64) -> Vec<Value> {
        let mut frames = Vec::new();
        while self.places.seq(room) < seq {
            let frame = self.next().await;
            if frame["room"] == room
                && !matches!(frame["type"].as_str(), Some("typing" | "presence" | "live" | "signals"))
            {
                frames.push(frame);
            }
        }
        frames
    }

    /// As [`TestClient::read_to`], in summary.
    pub async fn told_to(&mut self, room: &str, seq: u64) -> Vec<String> {
        self.read_to(room, seq).await.iter().map(summary).collect()
    }

    /// Reads on until these are the ones who type. The states between may be left out: the latest wins.
    pub async fn sees_typing(&mut self, room: &str, members: &[u64]) {
        while self.find("typing").await != json!({"type": "typing", "room": room, "members": members}) {}
    }

    /// Reads on to the last frame, after which the connection ends.
    pub async fn end(mut self) -> Value {
        let closing = self.find("closing").await;
        let more = self.next_or_end().await;
        assert_eq!(more, None, "nothing follows {closing}");
        closing
    }

    async fn next_or_end(&mut self) -> Option<Value> {
        if let Some(frame) = self.kept.pop_front() {
            return Some(frame);
        }
        let frame = read(&mut self.client).await?;
        self.note(&frame);
        Some(frame)
    }

    /// Holds a frame against what is known of its room.
    fn note(&mut self, frame: &Value) {
        if frame["type"] == "token" {
            self.token = text(frame, "token");
        }
        self.places.note(frame);
    }
}

async fn read(client: &mut impl Client) -> Option<Value> {
    let frame = within(client.next()).await?;
    check_shape(&frame);
    Some(frame)
}

fn check_shape(frame: &Value) {
    if let Err(error) = serde_json::from_value::<ServerFrame>(frame.clone()) {
        panic!("{frame} is no frame of the protocol: {error}");
    }
}

/// Waits for what is bound to happen.
pub(super) async fn within<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, event).await.expect("it happens in time")
}
