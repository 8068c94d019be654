//! One person on a transport: says commands, reads frames, and holds every frame to the protocol.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chat_core::ServerFrame;
use serde_json::{Value, json};

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
    places: BTreeMap<String, Place>,
    kept: VecDeque<Value>,
    commands: u64,
}

/// What is left of a client whose connection is gone: enough to come back.
#[derive(Clone, Debug)]
pub struct Trail {
    /// The session's token.
    pub token: String,
    places: BTreeMap<String, Place>,
    others: Vec<(String, String)>,
    catch_up: Option<u32>,
}

/// Where a client stands in a room.
#[derive(Clone, Debug)]
struct Place {
    epoch: String,
    seq: u64,
    /// The member one is.
    member: u64,
    /// Where the stay began.
    entered: u64,
    /// Time of the last event.
    at: String,
    /// One has left; nothing may follow.
    over: bool,
    /// The room has not said yet whether one is in it.
    waits: bool,
}

impl Trail {
    /// The position in a room, as it is written.
    pub fn position(&self, room: &str) -> String {
        let place = &self.places[room];
        format!("{}:{}", place.epoch, place.seq)
    }

    /// The same, with another number in a room.
    pub fn at(mut self, room: &str, seq: u64) -> Self {
        let place = self.places.get_mut(room).expect("a room of the client");
        // When that was is not known: what comes then may have come before.
        (place.seq, place.at) = (seq, String::new());
        self
    }

    /// The same, knowing of no room.
    pub fn without_positions(mut self) -> Self {
        self.places.clear();
        self
    }

    /// The same, naming a position in a room that it knows nothing of.
    pub fn naming(mut self, room: &str, position: String) -> Self {
        self.others.push((room.to_owned(), position));
        self
    }

    /// The same, wanting one gap where more events than this are due.
    pub fn catching_up(mut self, most: u32) -> Self {
        self.catch_up = Some(most);
        self
    }

    /// What a client says that comes back from here.
    pub fn resume(&self) -> Resume {
        let own = self.places.keys().map(|room| (room.clone(), self.position(room)));
        let positions = own.chain(self.others.iter().cloned()).collect();
        Resume { token: self.token.clone(), positions, catch_up: self.catch_up }
    }
}

impl<C: Client> TestClient<C> {
    /// Connects with a new session.
    pub async fn new<D: TransportHarness<Client = C>>(harness: &D) -> Self {
        let client = Self::connect(harness, None, BTreeMap::new()).await;
        assert_eq!(client.welcome["resumed"], false);
        client
    }

    /// Comes back, and is welcomed as the same session.
    pub async fn back<D: TransportHarness<Client = C>>(harness: &D, trail: &Trail) -> Self {
        let client = Self::connect(harness, Some(trail.resume()), trail.places.clone()).await;
        assert_eq!(client.welcome["resumed"], true);
        let session = |token: &str| token.split('.').next().map(str::to_owned);
        assert_eq!(session(&client.token()), session(&trail.token), "the same session");
        assert_ne!(client.token(), trail.token, "each time another token");
        client
    }

    /// Comes with a token that is not good: has a new session, and is told the code.
    pub async fn with_bad_token<D: TransportHarness<Client = C>>(harness: &D, resume: Resume) -> (Self, String) {
        let mut client = Self::connect(harness, Some(resume), BTreeMap::new()).await;
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
        let mut client = harness.connect(resume).await;
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

    async fn connect<D: TransportHarness<Client = C>>(
        harness: &D,
        resume: Option<Resume>,
        places: BTreeMap<String, Place>,
    ) -> Self {
        Self::welcomed(harness.connect(resume).await, places).await
    }

    async fn welcomed(mut client: C, mut places: BTreeMap<String, Place>) -> Self {
        let welcome = read(&mut client).await.expect("a welcome");
        assert_eq!(welcome["type"], "welcome", "the first frame: {welcome}");
        for room in list(&welcome, "rooms") {
            let code = text(room, "room");
            let Some(place) = places.get_mut(&code) else { continue };
            match room["status"].as_str() {
                Some("live" | "gap") if room["epoch"] == place.epoch => place.seq = number(room, "seq"),
                Some("waiting") => place.waits = true,
                // In another incarnation, or not in the room at all: nothing may come but a `joined`.
                _ => drop(places.remove(&code)),
            }
        }
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
        self.places[room].seq
    }

    /// What it takes to come back from here, without losing the connection.
    pub fn trail(&self) -> Trail {
        Trail { token: self.token(), places: self.places.clone(), others: Vec::new(), catch_up: None }
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
        while self.places[room].seq < seq {
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
        let kind = text(frame, "type");
        if kind == "token" {
            self.token = text(frame, "token");
        }
        if kind == "joined" {
            let place = Place {
                epoch: text(frame, "epoch"),
                seq: number(frame, "seq"),
                entered: number(frame, "entered"),
                member: number(&frame["you"], "member"),
                at: String::new(),
                over: false,
                waits: false,
            };
            self.places.insert(text(frame, "room"), place);
            return;
        }
        let Some(room) = frame["room"].as_str().filter(|_| kind != "error") else { return };
        let place = self.places.get_mut(room).unwrap_or_else(|| panic!("{frame} of a room that was not entered"));
        assert_eq!(
            kind == "resumed",
            std::mem::take(&mut place.waits),
            "a room that was waited for says where one is: {frame}"
        );
        match kind.as_str() {
            "resumed" if matches!(frame["status"].as_str(), Some("live" | "gap")) && frame["epoch"] == place.epoch => {
                place.seq = number(frame, "seq");
            }
            "resumed" => drop(self.places.remove(room)),
            "typing" | "presence" | "live" | "signals" | "read" => assert!(!place.over, "{frame} after one has left"),
            "room_closed" => assert_eq!(frame["epoch"], place.epoch),
            // One's own leaving, where no event tells it: no number and no time.
            "member_left" if frame.get("seq").is_none() => {
                assert!(!place.over && frame.get("at").is_none(), "{frame}");
                let position = format!("{}:{}", place.epoch, place.seq);
                assert_eq!((number(frame, "member"), text(frame, "position")), (place.member, position), "{frame}");
                place.over = true;
            }
            "gap" => {
                assert_eq!((&frame["epoch"], number(frame, "from")), (&json!(place.epoch), place.seq + 1), "{frame}");
                assert!(number(frame, "to") > place.seq, "{frame}");
                place.seq = number(frame, "to");
            }
            _ => {
                assert!(!place.over, "{frame} after one has left");
                assert_eq!(number(frame, "seq"), place.seq + 1, "the next event: {frame}");
                let at = text(frame, "at");
                assert!(at >= place.at, "time goes back to {frame} from {}", place.at);
                (place.seq, place.at) = (place.seq + 1, at);
                // One before the stay began ended an earlier one.
                let is_own = kind == "member_left" && frame["member"] == place.member;
                place.over = is_own && place.seq >= place.entered;
            }
        }
    }
}

/// A frame in a few words: `4 Ann: hi`, `5 +Bob`, `6 -Bob left`, `7 2 is Rob`, `-Bob left` without a number, `joined 4 as 2`, `gap 3-9`.
pub fn summary(frame: &Value) -> String {
    let of = |field: &str| match &frame[field] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match frame["type"].as_str().expect("a frame has a type") {
        "joined" => format!("joined {} as {}", of("seq"), frame["you"]["member"]),
        "message" if frame["redacted"] == true => format!("{} {} took back", of("seq"), of("nick")),
        "message" => format!("{} {}: {}", of("seq"), of("nick"), of("text")),
        "member_joined" => format!("{} +{}", of("seq"), of("nick")),
        "member_left" if frame.get("seq").is_none() => format!("-{} {}", of("nick"), of("reason")),
        "member_left" => format!("{} -{} {}", of("seq"), of("nick"), of("reason")),
        "member_changed" => {
            let parts = ["nick", "data"].into_iter().filter(|part| frame.get(*part).is_some()).map(of);
            format!("{} {} is {}", of("seq"), of("member"), parts.collect::<Vec<_>>().join(" "))
        }
        "edited" => format!("{} edited {}: {}", of("seq"), of("target"), of("text")),
        "redacted" => format!("{} redacted {}", of("seq"), of("target")),
        "reacted" => {
            let whose = if frame["on"] == true { "by" } else { "no more by" };
            format!("{} {} {} {whose} {} of {}", of("seq"), of("target"), of("name"), of("by"), of("count"))
        }
        "swept" => format!("{} swept {} {}-{}", of("seq"), of("member"), of("from"), of("to")),
        "topic_changed" => format!("{} topic {}", of("seq"), of("topic")),
        "settings_changed" => format!("{} settings {}", of("seq"), of("settings")),
        "role_changed" => format!("{} role {} {}", of("seq"), of("member"), of("role")),
        "notices_changed" => format!("{} notices {}", of("seq"), of("notices")),
        "gap" => format!("gap {}-{}", of("from"), of("to")),
        "resumed" => format!("resumed {}", of("status")),
        "room_closed" => format!("closed {}", of("reason")),
        "read" => format!("read {}", of("through")),
        "error" => format!("error {}", of("code")),
        "closing" => format!("closing {}", of("code")),
        other => other.to_owned(),
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

pub(super) fn text(frame: &Value, field: &str) -> String {
    frame[field].as_str().unwrap_or_else(|| panic!("{field} in {frame}")).to_owned()
}

pub(super) fn number(frame: &Value, field: &str) -> u64 {
    frame[field].as_u64().unwrap_or_else(|| panic!("{field} in {frame}"))
}

pub(super) fn list<'a>(frame: &'a Value, field: &str) -> &'a [Value] {
    frame[field].as_array().unwrap_or_else(|| panic!("{field} in {frame}"))
}
