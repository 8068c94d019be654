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

/// The server has gone.
#[derive(Debug)]
pub(crate) struct Gone;

pub(crate) struct Client(WebSocketStream<TcpStream>);

impl Client {
    /// `None` when the server has gone.
    pub(crate) async fn connect(address: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        let (socket, _) = client_async(format!("ws://{address}/ws"), stream).await.ok()?;
        Some(Self(socket))
    }

    pub(crate) async fn say(&mut self, frame: Value) -> Result<(), Gone> {
        self.0.send(Message::text(frame.to_string())).await.map_err(|_| Gone)
    }

    pub(crate) async fn hear(&mut self) -> Result<Value, Gone> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("the server answers");
            match message {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("a killed server says nothing: {other:?}"),
                Some(Err(_)) | None => return Err(Gone),
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
}

impl Person {
    pub(crate) fn new(room: usize, number: usize) -> Self {
        Self {
            room: format!("CRASH-{room}"),
            name: format!("P{number}"),
            token: String::new(),
            epoch: String::new(),
            seen: 0,
            sent: 0,
            pending: BTreeSet::new(),
            acked: BTreeMap::new(),
            told: BTreeMap::new(),
            found_written: 0,
        }
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
        assert_eq!(joined["type"], "joined", "{joined}");
        self.epoch = text(&joined["epoch"]).to_owned();
        self.seen = number(&joined["seq"]);
        Ok(())
    }

    /// Resumes from the last event received: in the same life of the room, and as the same member.
    pub(crate) async fn come_back(&mut self, client: &mut Client) -> Result<(), Gone> {
        let position = format!("{}:{}", self.epoch, self.seen);
        let positions = json!({ self.room.as_str(): position });
        client.say(json!({"type": "hello", "resume": self.token, "positions": positions})).await?;
        let welcome = client.hear().await?;
        assert_eq!(welcome["resumed"], true, "the token is good over a restart: {welcome}");
        let standing = json!([{"room": self.room, "epoch": self.epoch, "seq": self.seen, "status": "live"}]);
        self.token = text(&welcome["token"]).to_owned();
        let mut rooms = welcome["rooms"].clone();
        // How far one has read is another matter.
        for room in rooms.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            room.remove("read");
        }
        assert_eq!(rooms, standing, "nobody has timed out, and positions mean what they meant");
        Ok(())
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
                if frame["type"] == "history" {
                    break frame;
                }
                self.event(&frame);
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
        assert!(numbers.eq(1..=own.len() as u64), "one's own, in the order they were sent, and none left out: {own:?}");
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
                        self.sent += 1;
                        self.sent
                    }
                    None => break,
                };
                self.pending.insert(number);
                let text = format!("{}.{}.{number}", self.room, self.name);
                let send = json!({"type": "send", "id": number, "room": self.room, "key": text, "text": text});
                if client.say(send).await.is_err() {
                    return Gone;
                }
                in_flight += 1;
            }
            let Ok(frame) = client.hear().await else { return Gone };
            if frame["type"] == "ack" {
                let (id, seq) = (number(&frame["id"]), number(&frame["seq"]));
                assert!(self.pending.remove(&id), "acked twice: {frame}");
                self.tell(id, seq);
                self.acked.insert(id, seq);
                in_flight -= 1;
            } else {
                self.event(&frame);
            }
        }
    }

    /// Events come one after the other, without a hole, over all restarts.
    fn event(&mut self, frame: &Value) {
        assert!(matches!(text(&frame["type"]), "message" | "member_joined"), "{frame}");
        assert_eq!(number(&frame["seq"]), self.seen + 1, "{frame}");
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

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}
