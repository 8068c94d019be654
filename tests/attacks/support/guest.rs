//! A client of any transport, as small as can be: it says commands and looks for words in what comes.

use std::sync::Arc;

use super::between;
use super::wire::{Heard, Tally, Target, Wire, find};

/// The lines of a request that wants to become a WebSocket.
pub(crate) const UPGRADE: &str = "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
     Sec-WebSocket-Version: 13\r\n\r\n";
const POLL: &str = "/socket.io/?EIO=4&transport=polling";
/// Said last by who wants to know that everything before was seen.
const LAST: &str = r#""id":987654321"#;

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Ws,
    Sse,
    SocketIo,
    /// Socket.IO by long-polling.
    Polling,
}

impl Door {
    pub(crate) const ALL: [Self; 4] = [Self::Ws, Self::Sse, Self::SocketIo, Self::Polling];
}

/// Somebody with a session.
pub(crate) struct Guest {
    door: Door,
    wire: Wire,
    /// For requests beside the stream of SSE.
    requests: Option<Wire>,
    pub(crate) session: String,
    pub(crate) token: String,
    /// Where to poll.
    poll: String,
    /// What polls have brought, as far as nobody has looked at it.
    polled: Vec<u8>,
}

/// A masked frame of a WebSocket, with this first byte (its operation, and whether it is the last of its message).
pub(crate) fn ws_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(0x80 | length as u8),
        length @ ..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

impl Guest {
    /// Comes in from this host of the machine; nothing where the server has no place for now.
    pub(crate) async fn enter(target: &Target, tally: &Arc<Tally>, door: Door, host: u8) -> Option<Self> {
        Self::enter_by(Wire::dial(target, host, None, tally).await, door, "").await
    }

    /// Comes in over this connection, with these fields in the `hello`.
    pub(crate) async fn enter_by(mut wire: Wire, door: Door, hello: &str) -> Option<Self> {
        let mut poll = String::new();
        match door {
            Door::Ws => {
                wire.send(format!("GET /ws HTTP/1.1\r\n{UPGRADE}")).await;
                wire.hear(&[" 101 "]).await?;
                let hello = format!(r#"{{"type":"hello"{}{hello}}}"#, if hello.is_empty() { "" } else { "," });
                wire.send(ws_frame(0x81, hello.as_bytes())).await;
            }
            Door::Sse => {
                let resume =
                    between(hello, r#""resume":""#, "\"").map_or(String::new(), |token| format!("?resume={token}"));
                wire.send(format!("GET /sse{resume} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
            }
            Door::SocketIo => {
                wire.send(format!("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n{UPGRADE}")).await;
                wire.hear(&["pingTimeout"]).await?;
                wire.send(ws_frame(0x81, format!("40{{{hello}}}").as_bytes())).await;
            }
            Door::Polling => {
                wire.send(format!("GET {POLL} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
                let opened = wire.answer().await.filter(|answer| answer.status == 200)?;
                let sid = between(&opened.body, r#""sid":""#, "\"").expect("an id of the polls");
                poll = format!("{POLL}&sid={sid}");
            }
        }
        let mut guest =
            Self { door, wire, requests: None, session: String::new(), token: String::new(), poll, polled: Vec::new() };
        if door == Door::Polling {
            guest.post(&format!("40{{{hello}}}")).await?;
        }
        let (which, _) = guest.hear(&[r#""type":"welcome""#, r#""type":"closing""#]).await?;
        if which > 0 {
            return None;
        }
        let (_, welcome) = guest.hear(&[r#""limits""#, r#""features""#]).await?;
        guest.session = between(&welcome, r#""session":""#, "\"").expect("a session").to_owned();
        guest.token = between(&welcome, r#""token":""#, "\"").unwrap_or_default().to_owned();
        Some(guest)
    }

    /// Hands in one body by long-polling; nothing where the session has ended.
    async fn post(&mut self, body: &str) -> Option<()> {
        let request =
            format!("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", self.poll, body.len());
        self.wire.send(request).await;
        self.wire.answer().await.filter(|answer| answer.status == 200).map(drop)
    }

    /// Hands in all of a body by long-polling but for its last byte.
    pub(crate) async fn begin_post(&mut self, body: &[u8]) {
        let head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", self.poll, body.len());
        self.wire.offer(&[head.as_bytes(), &body[..body.len() - 1]].concat());
    }

    async fn poll(&mut self) -> Option<String> {
        let request = format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", self.poll);
        self.wire.send(request).await;
        self.wire.answer().await.filter(|answer| answer.status == 200).map(|answer| answer.body)
    }

    /// The bytes of a command.
    pub(crate) fn encode(&self, kind: &str, fields: &str) -> Vec<u8> {
        let comma = if fields.is_empty() { "" } else { "," };
        let frame = format!(r#"{{"type":"{kind}"{comma}{fields}}}"#);
        match self.door {
            Door::Ws => ws_frame(0x81, frame.as_bytes()),
            Door::Sse => self.request(&frame).into_bytes(),
            Door::SocketIo => ws_frame(0x81, format!(r#"42["{kind}",{{{fields}}}]"#).as_bytes()),
            Door::Polling => format!(r#"42["{kind}",{{{fields}}}]"#).into_bytes(),
        }
    }

    /// A request of SSE that hands in this frame.
    fn request(&self, frame: &str) -> String {
        format!(
            "POST /sse/{} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{frame}",
            self.session,
            self.token,
            frame.len()
        )
    }

    /// Where commands go, for those whose commands are a stream of bytes.
    pub(crate) async fn commands(&mut self) -> &mut Wire {
        match self.door {
            Door::Sse => {
                if self.requests.is_none() {
                    self.requests = Some(self.wire.another().await);
                }
                self.requests.as_mut().expect("just opened")
            }
            _ => &mut self.wire,
        }
    }

    /// Says one thing.
    pub(crate) async fn say(&mut self, kind: &str, fields: &str) {
        let bytes = self.encode(kind, fields);
        match self.door {
            Door::Polling => {
                self.post(&String::from_utf8(bytes).expect("text")).await;
            }
            _ => {
                self.commands().await.send(bytes).await;
            }
        }
    }

    /// Makes a room of its own; its code.
    pub(crate) async fn create(&mut self, nick: &str) -> String {
        self.say("create", &format!(r#""nick":"{nick}""#)).await;
        self.expect(r#""type":"joined""#).await;
        let (_, text) = self.hear(&[r#""epoch""#]).await.expect("the rest of it");
        between(&text, r#""room":""#, "\"").expect("a code").to_owned()
    }

    /// Reads on to one of these; nothing where the connection ends before.
    pub(crate) async fn hear(&mut self, any: &[&str]) -> Option<(usize, String)> {
        if self.door != Door::Polling {
            return self.wire.hear(any).await;
        }
        loop {
            if let Some(found) = find(&mut self.polled, any) {
                return Some(found);
            }
            let body = self.poll().await?;
            self.polled.extend_from_slice(body.as_bytes());
        }
    }

    /// Reads on to these words, or to the end of the connection; keeps nothing of what comes on the way.
    pub(crate) async fn skip_to(&mut self, last: &str) {
        self.wire.storm(&[], last, last).await;
    }

    /// Reads on until the connection ends, or the test.
    pub(crate) fn read_on(mut self) {
        tokio::spawn(async move { while self.hear(&["no such words"]).await.is_some() {} });
    }

    /// How often these words came in this room until now: events come in order, and one's own message last.
    pub(crate) async fn count(&mut self, room: &str, words: &str) -> u64 {
        self.say("send", &format!(r#""room":"{room}","text":"seen so far""#)).await;
        self.wire.storm(&[], words, r#""text":"seen so far""#).await.times
    }

    /// Reads on to this.
    pub(crate) async fn expect(&mut self, words: &str) {
        let heard = self.hear(&[words, r#""type":"closing""#]).await;
        assert_eq!(heard.as_ref().map(|heard| heard.0), Some(0), "{:?} hears {words}: {heard:?}", self.door);
    }

    /// Says all of these, as fast as they are taken, reading the while; how often these words came.
    pub(crate) async fn storm(&mut self, commands: &[(&str, String)], count: &str) -> Heard {
        let mut all: Vec<Vec<u8>> = commands.iter().map(|(kind, fields)| self.encode(kind, fields)).collect();
        let last = self.encode("typing", &format!(r#"{LAST},"room":"NOT-THERE","on":true"#));
        all.push(match self.door {
            // Not every refusal of a POST has the id of what it refuses; so the connection is to end.
            Door::Sse => {
                String::from_utf8(last).expect("text").replacen("\r\n", "\r\nConnection: close\r\n", 1).into_bytes()
            }
            _ => last,
        });
        if self.door != Door::Polling {
            // Answered last: the server answers refusals in the order of what it refuses.
            let heard = self.commands().await.storm(&all.concat(), count, LAST).await;
            if heard.ended {
                self.requests = None;
            }
            return heard;
        }
        let mut heard = Heard { times: 0, ended: false };
        // A poll hands in many at once.
        for part in all.chunks(100) {
            let body = part.join(&0x1e);
            if self.post(&String::from_utf8(body).expect("text")).await.is_none() {
                heard.ended = true;
                return heard;
            }
            let Some(body) = self.poll().await else {
                heard.ended = true;
                return heard;
            };
            heard.times += body.matches(count).count() as u64;
            if body.contains(LAST) {
                return heard;
            }
        }
        loop {
            let Some(body) = self.poll().await else {
                heard.ended = true;
                return heard;
            };
            heard.times += body.matches(count).count() as u64;
            if body.contains(LAST) || body.contains(r#""closing""#) {
                return heard;
            }
        }
    }
}
