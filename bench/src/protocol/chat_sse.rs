//! This project's protocol over SSE and POST: one stream per member, and a second connection for those who speak.

use std::io;

use serde_json::Value;

use super::chat::Chat;
use super::plain_sse::{Bodies, answer};
use super::{Protocol, Seat, Step, Told};
use crate::events::{self, Hop};

/// The state of all members' connections.
#[derive(Debug)]
pub struct ChatSse {
    chat: Chat,
    bodies: Bodies,
    /// Path and headers of each member's posts, from its `welcome`.
    posts: Vec<Post>,
}

#[derive(Debug, Clone, Default)]
struct Post {
    path: String,
    headers: String,
}

impl ChatSse {
    /// `run` keeps the names of this run's rooms apart from those of an earlier run on the same server.
    pub fn new(run: u32) -> Self {
        Self { chat: Chat::new(run), bodies: Bodies::default(), posts: Vec::new() }
    }

    fn welcome(&mut self, seat: &Seat, frame: &[u8]) -> Option<()> {
        let frame: Value = serde_json::from_slice(frame).ok()?;
        let path = format!("/sse/{}", frame["session"].as_str()?);
        let headers = format!("Authorization: Bearer {}\r\n", frame["token"].as_str()?);
        if self.posts.len() <= seat.member {
            self.posts.resize(seat.member + 1, Post::default());
        }
        self.posts[seat.member] = Post { path, headers };
        Some(())
    }
}

impl Protocol for ChatSse {
    const ROOMS: bool = true;
    const NOTICES: bool = true;
    const SESSION_FIRST: bool = false;
    const VOICE: bool = true;

    fn open(&mut self, _seat: &Seat, _out: &mut Vec<u8>) {}

    fn opened(&mut self, seat: &Seat, bytes: &[u8]) -> io::Result<Option<usize>> {
        self.bodies.opened(seat, bytes)
    }

    fn greet(&mut self, _seat: &Seat, _out: &mut Vec<u8>) -> Step {
        Step::Done
    }

    fn enter(&mut self, seat: &Seat, out: &mut Vec<u8>) -> Step {
        let (room, word) = (self.chat.room(seat), seat.role.choose("create", "room"));
        events::put_get(out, &format!("/sse?{word}={room}&nick=m{:05}", seat.member));
        Step::Answered
    }

    fn say(&mut self, seat: &Seat, text: &[u8], out: &mut Vec<u8>) {
        let head = format!("{{\"type\":\"send\",\"id\":2,\"room\":\"{}\",\"text\":\"", self.chat.room(seat));
        let Post { path, headers } = &self.posts[seat.member];
        events::put_post(out, path, headers, &[head.as_bytes(), text, b"\"}"]);
    }

    #[inline]
    fn read<'a>(&mut self, seat: &Seat, bytes: &'a [u8]) -> Option<(usize, Told<'a>)> {
        let (length, hop) = self.bodies.hop(seat, bytes)?;
        let told = match hop {
            Hop::Event(event) => match events::data(event) {
                Some(data) => match self.chat.told(seat, data) {
                    // The stream has begun; the member is inside when its `joined` comes.
                    Told::Ready => self.welcome(seat, data).map_or(Told::Refused(data), |()| Told::Answer),
                    told => told,
                },
                None => Told::Answer,
            },
            Hop::Frame => Told::Answer,
            Hop::End => Told::Ended,
            Hop::Broken => Told::Refused(bytes),
        };
        Some((length, told))
    }

    fn pong(&mut self, _payload: &[u8], _out: &mut Vec<u8>) {}

    fn answered<'a>(&mut self, bytes: &'a [u8]) -> Option<(usize, Told<'a>)> {
        answer(bytes)
    }

    fn faults(&self) -> u64 {
        self.chat.faults()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::*;

    const SEAT: Seat = Seat { member: 1, room: 0, role: Role::Joiner };

    #[test]
    fn a_stream_brings_its_session_its_room_and_messages() {
        let mut sse = ChatSse::new(7);
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        assert_eq!(sse.opened(&SEAT, head).expect("a stream"), Some(head.len()));
        let welcome =
            b"retry: 2\nevent: welcome\ndata: {\"type\":\"welcome\",\"session\":\"S\",\"token\":\"T\"}\nid: C~\n\n";
        assert_eq!(sse.read(&SEAT, welcome), Some((welcome.len(), Told::Answer)));
        let joined = b"event: joined\ndata: {\"type\":\"joined\",\"seq\":2}\nid: C~\n\n";
        assert_eq!(sse.read(&SEAT, joined), Some((joined.len(), Told::Entered)));
        let message = b"event: message\ndata: {\"type\":\"message\",\"seq\":3}\nid: C~\n\n";
        assert!(matches!(sse.read(&SEAT, message), Some((_, Told::Message(b"{\"type\":\"message\",\"seq\":3}")))));

        let mut out = Vec::new();
        sse.say(&SEAT, b"hi", &mut out);
        let said = String::from_utf8(out).expect("text");
        assert!(said.starts_with("POST /sse/S HTTP/1.1\r\n") && said.contains("Authorization: Bearer T\r\n"), "{said}");
        assert!(
            said.ends_with("\r\n\r\n{\"type\":\"send\",\"id\":2,\"room\":\"BENCH-7-00000\",\"text\":\"hi\"}"),
            "{said}"
        );
    }
}
