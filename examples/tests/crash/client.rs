//! Somebody who talks in a room over a WebSocket, remembers what was acked, and checks every frame against it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Sends that are not acked yet.
const IN_FLIGHT: usize = 4;
/// New messages of one round.
const ROUND_MAX: usize = 100;
/// Far longer than any answer takes: a server that does not answer fails the test instead of holding it up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why nothing more is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// The connection has broken.
    Broken,
    /// The server has ended it, with this code.
    Closed(u64),
    /// The room cannot be asked here now.
    Unavailable,
    /// The server goes down, and lets nobody in any more.
    Draining,
}

/// What a frame was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Something that happened in the room.
    Event,
    /// The message of this number is said.
    Acked(u64),
    /// The message of this number is not said, or nobody knows: it is said again.
    Refused(u64, String),
}

pub(crate) struct Client(WebSocketStream<TcpStream>);

impl Client {
    /// `None` when the server has gone.
    pub(crate) async fn connect(address: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        let (socket, _) = client_async(format!("ws://{address}/ws"), stream).await.ok()?;
        Some(Self(socket))
    }

    pub(crate) async fn say(&mut self, frame: Value) -> Result<(), Gone> {
        self.0.send(Message::text(frame.to_string())).await.map_err(|_| Gone::Broken)
    }

    pub(crate) async fn hear(&mut self) -> Result<Value, Gone> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("the server answers");
            match message {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).expect("JSON");
                    return if frame["type"] == "closing" {
                        Err(Gone::Closed(number(&frame["code"])))
                    } else {
                        Ok(frame)
                    };
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("before a connection is closed it is told why: {other:?}"),
                Some(Err(_)) | None => return Err(Gone::Broken),
            }
        }
    }
}

/// Who talks. Messages are numbered; number and person are in the text, and in the key.
pub(crate) struct Person {
    room: String,
    name: String,
    token: String,
    epoch: String,
    /// The last event that was received.
    seen: u64,
    /// The number of the last message that was sent.
    sent: u64,
    /// Sent and not acked.
    pending: BTreeSet<u64>,
    /// Where acks say that messages are.
    acked: BTreeMap<u64, u64>,
    /// Where events or histories say that they are.
    told: BTreeMap<u64, u64>,
    found_written: usize,
    /// Whether the room has what is said in the order in which it was said.
    is_in_order: bool,
}

impl Person {
    pub(crate) fn new(room: usize, number: usize) -> Self {
        Self {
            room: format!("ROOM-{room}"),
            name: format!("P{number}"),
            token: String::new(),
            epoch: String::new(),
            seen: 0,
            sent: 0,
            pending: BTreeSet::new(),
            acked: BTreeMap::new(),
            told: BTreeMap::new(),
            found_written: 0,
            is_in_order: true,
        }
    }

    /// One who does not wait for an answer before the next message, where some may be refused: those come later.
    pub(crate) fn in_any_order(mut self) -> Self {
        self.is_in_order = false;
        self
    }

    pub(crate) fn room(&self) -> &str {
        &self.room
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What was sent and is not acked.
    pub(crate) fn pending(&self) -> impl Iterator<Item = u64> {
        self.pending.iter().copied()
    }

    pub(crate) fn acked(&self) -> usize {
        self.acked.len()
    }

    /// Messages that a kill left written and not acked.
    pub(crate) fn found_written(&self) -> usize {
        self.found_written
    }

    /// Makes the room, or joins it.
    pub(crate) async fn enter(&mut self, client: &mut Client) -> Result<(), Gone> {
        let kind = if self.name == "P0" { "create" } else { "join" };
        client.say(json!({"type": kind, "id": 0, "room": self.room, "nick": self.name})).await?;
        self.token = text(&client.hear().await?["token"]).to_owned();
        let joined = client.hear().await?;
        if joined["code"] == "unavailable" {
            return Err(Gone::Unavailable);
        }
        assert_eq!(joined["type"], "joined", "{joined}");
        self.epoch = text(&joined["epoch"]).to_owned();
        self.seen = number(&joined["seq"]);
        Ok(())
    }

    /// Resumes from the last event received: in the same life of the room, and as the same member.
    pub(crate) async fn come_back(&mut self, client: &mut Client) -> Result<(), Gone> {
        let standing = self.resume(client).await?;
        assert_eq!(standing, self.standing("live"), "nobody has timed out, and positions mean what they meant");
        Ok(())
    }

    /// The same where the room is another server's, who may not be known yet.
    pub(crate) async fn come_back_in_time(&mut self, client: &mut Client) -> Result<(), Gone> {
        let mut standing = self.resume(client).await?;
        while standing["status"] == "waiting" {
            standing = client.hear().await?;
            assert_eq!(standing["type"], "resumed", "nothing of the room comes before");
            strip(&mut standing);
        }
        if standing["status"] == "unavailable" {
            return Err(Gone::Unavailable);
        }
        assert_eq!(standing, self.standing("live"), "{} in {}", self.name, self.room);
        Ok(())
    }

    fn standing(&self, status: &str) -> Value {
        json!({"room": self.room, "epoch": self.epoch, "seq": self.seen, "status": status})
    }

    /// How one stands in the room, as the server says first.
    async fn resume(&mut self, client: &mut Client) -> Result<Value, Gone> {
        let position = format!("{}:{}", self.epoch, self.seen);
        let positions = json!({ self.room.as_str(): position });
        client.say(json!({"type": "hello", "resume": self.token, "positions": positions})).await?;
        let welcome = client.hear().await?;
        if welcome["code"] == "draining" {
            return Err(Gone::Draining);
        }
        assert_eq!(welcome["resumed"], true, "the token is good over a restart: {welcome}");
        self.token = text(&welcome["token"]).to_owned();
        let mut standing = match welcome["rooms"].as_array().map(Vec::as_slice) {
            Some([room]) => room.clone(),
            _ => panic!("the one room that was named: {welcome}"),
        };
        strip(&mut standing);
        Ok(standing)
    }

    /// Reads all messages of the room: everything acked is among them once, where the ack says, and one's own in order.
    pub(crate) async fn look_back(&mut self, client: &mut Client) -> Result<(), Gone> {
        let mut pages = Vec::new();
        let mut before = Value::Null;
        loop {
            let mut ask = json!({"type": "history", "id": 0, "room": self.room, "limit": 200});
            if !before.is_null() {
                ask["before"] = before;
            }
            client.say(ask).await?;
            let page = loop {
                let frame = client.hear().await?;
                match text(&frame["type"]) {
                    "history" => break frame,
                    "error" if frame["code"] == "unavailable" => return Err(Gone::Unavailable),
                    _ => self.event(&frame),
                }
            };
            let messages = page["messages"].as_array().expect("messages").clone();
            before = messages.first().map_or(Value::Null, |message| message["seq"].clone());
            pages.push(messages);
            if page["more"] == false {
                break;
            }
        }
        let (mut last, mut texts, mut own) = (0, BTreeSet::new(), Vec::new());
        for message in pages.iter().rev().flatten() {
            let seq = number(&message["seq"]);
            assert!(seq > last, "histories are in order: {seq} after {last}");
            last = seq;
            assert!(texts.insert(text(&message["text"])), "twice in the log: {message}");
            own.extend(self.own(message).map(|number| (number, seq)));
        }
        let numbers = own.iter().map(|(number, _)| *number);
        let is_in_order = numbers.eq(1..=own.len() as u64);
        assert!(is_in_order || !self.is_in_order, "one's own, in the order they were sent, and none left out: {own:?}");
        let own: BTreeMap<u64, u64> = own.into_iter().collect();
        for (number, seq) in &self.acked {
            assert_eq!(own.get(number), Some(seq), "message {number} was acked as {seq}");
        }
        self.found_written += self.pending.iter().filter(|number| own.contains_key(number)).count();
        own.into_iter().for_each(|(number, seq)| self.tell(number, seq));
        Ok(())
    }

    /// Repeats what was not acked, says new things, and listens, until the server has gone.
    pub(crate) async fn talk(&mut self, client: &mut Client) -> Gone {
        let mut repeats: VecDeque<u64> = self.pending.iter().copied().collect();
        let (mut in_flight, mut new) = (0, 0);
        loop {
            while in_flight < IN_FLIGHT {
                let number = match repeats.pop_front() {
                    Some(number) => number,
                    None if new < ROUND_MAX => {
                        new += 1;
                        self.begin()
                    }
                    None => break,
                };
                if let Err(gone) = client.say(self.line(number)).await {
                    return gone;
                }
                in_flight += 1;
            }
            let frame = match client.hear().await {
                Ok(frame) => frame,
                Err(gone) => return gone,
            };
            match self.take(&frame) {
                Heard::Event => {}
                Heard::Acked(_) => in_flight -= 1,
                Heard::Refused(..) => panic!("nothing keeps it from being said: {frame}"),
            }
        }
    }

    /// Begins a new message.
    pub(crate) fn begin(&mut self) -> u64 {
        self.sent += 1;
        self.pending.insert(self.sent);
        self.sent
    }

    /// The frame that says a message.
    pub(crate) fn line(&self, number: u64) -> Value {
        let text = format!("{}.{}.{number}", self.room, self.name);
        json!({"type": "send", "id": number, "room": self.room, "key": text, "text": text})
    }

    /// Takes in what was heard while one talks.
    pub(crate) fn take(&mut self, frame: &Value) -> Heard {
        match text(&frame["type"]) {
            "ack" => {
                let (id, seq) = (number(&frame["id"]), number(&frame["seq"]));
                assert!(self.pending.remove(&id), "acked twice: {frame}");
                self.tell(id, seq);
                self.acked.insert(id, seq);
                Heard::Acked(id)
            }
            "error" => Heard::Refused(number(&frame["id"]), text(&frame["code"]).to_owned()),
            _ => {
                self.event(frame);
                Heard::Event
            }
        }
    }

    /// Events come one after the other, without a hole, over all restarts.
    fn event(&mut self, frame: &Value) {
        let is_expected = matches!(text(&frame["type"]), "message" | "member_joined");
        assert!(is_expected, "{} in {} is told {frame}", self.name, self.room);
        assert_eq!(number(&frame["seq"]), self.seen + 1, "{} in {}: {frame}", self.name, self.room);
        self.seen += 1;
        if let Some(number) = self.own(frame) {
            self.tell(number, self.seen);
        }
    }

    /// Whoever says where a message is says the same.
    fn tell(&mut self, number: u64, seq: u64) {
        let before = *self.told.entry(number).or_insert(seq);
        assert_eq!(seq, before, "{}, message {number} of {}", self.room, self.name);
    }

    /// The number of a message of one's own.
    fn own(&self, message: &Value) -> Option<u64> {
        let number = message["text"].as_str()?.strip_prefix(&format!("{}.{}.", self.room, self.name))?;
        Some(number.parse().expect("a number"))
    }
}

/// What is another matter than where one stands: what frame says it, and how far one has read.
fn strip(standing: &mut Value) {
    let fields = standing.as_object_mut().expect("an object");
    fields.retain(|name, _| !matches!(name.as_str(), "type" | "read"));
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}
