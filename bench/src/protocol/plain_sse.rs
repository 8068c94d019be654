//! Streams of bare texts: axum with tokio's broadcast over SSE (`axum-sse`), and nginx with nchan (`nchan`).

use std::io;

use super::{Protocol, Seat, Step, Told};
use crate::events::{self, Body, Hop};

/// Where the body of each member's stream stands.
#[derive(Debug, Default)]
pub(super) struct Bodies(Vec<Option<Body>>);

impl Bodies {
    /// See [`Protocol::opened`].
    pub(super) fn opened(&mut self, seat: &Seat, bytes: &[u8]) -> io::Result<Option<usize>> {
        let Some((head, body)) = events::opened(bytes)? else { return Ok(None) };
        if self.0.len() <= seat.member {
            self.0.resize(seat.member + 1, None);
        }
        self.0[seat.member] = Some(body);
        Ok(Some(head))
    }

    /// One step of this member's stream.
    #[inline]
    pub(super) fn hop<'a>(&mut self, seat: &Seat, bytes: &'a [u8]) -> Option<(usize, Hop<'a>)> {
        events::hop(self.0.get_mut(seat.member)?.as_mut()?, bytes)
    }
}

/// What the answer to a POST means.
pub(super) fn answer(bytes: &[u8]) -> Option<(usize, Told<'_>)> {
    let (length, is_success) = events::answered(bytes)?;
    Some((length, if is_success { Told::Answer } else { Told::Refused(&bytes[..length]) }))
}

/// A server with `GET /sse?room=ROOM` and `POST /say?room=ROOM`.
#[derive(Debug)]
pub struct PlainSse {
    bodies: Bodies,
    /// How a stream begins once its member is inside.
    greeting: &'static [u8],
}

impl PlainSse {
    /// The axum peer: its first event is `joined`.
    pub fn axum() -> Self {
        Self { bodies: Bodies::default(), greeting: b"data: joined" }
    }

    /// nginx with nchan: it begins with a comment.
    pub fn nchan() -> Self {
        Self { bodies: Bodies::default(), greeting: b": hi" }
    }
}

impl Protocol for PlainSse {
    const ROOMS: bool = true;
    const NOTICES: bool = false;
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
        events::put_get(out, &format!("/sse?room=room-{}", seat.room));
        Step::Answered
    }

    fn say(&mut self, seat: &Seat, text: &[u8], out: &mut Vec<u8>) {
        events::put_post(out, &format!("/say?room=room-{}", seat.room), "", &[text]);
    }

    #[inline]
    fn read<'a>(&mut self, seat: &Seat, bytes: &'a [u8]) -> Option<(usize, Told<'a>)> {
        let (length, hop) = self.bodies.hop(seat, bytes)?;
        let told = match hop {
            Hop::Event(event) if event == self.greeting => Told::Entered,
            Hop::Event(event) => events::data(event).map_or(Told::Answer, Told::Message),
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
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::*;

    const SEAT: Seat = Seat { member: 0, room: 0, role: Role::Maker };

    #[test]
    fn both_servers_streams_are_read() {
        let mut nchan = PlainSse::nchan();
        nchan.opened(&SEAT, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").expect("a stream");
        assert_eq!(nchan.read(&SEAT, b": hi\n\n"), Some((6, Told::Entered)));
        assert_eq!(nchan.read(&SEAT, b"id: 1:0\ndata: hey\n\n"), Some((19, Told::Message(b"hey"))));

        let mut axum = PlainSse::axum();
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        axum.opened(&SEAT, head).expect("a stream");
        assert_eq!(axum.read(&SEAT, b"e\r\ndata: joined\n\n\r\n"), Some((3, Told::Answer)));
        assert_eq!(axum.read(&SEAT, b"data: joined\n\n\r\n"), Some((14, Told::Entered)));
        assert_eq!(axum.read(&SEAT, b"\r\n"), Some((2, Told::Answer)));
        assert_eq!(axum.read(&SEAT, b"0\r\n\r\n"), Some((5, Told::Ended)));
    }

    #[test]
    fn a_post_that_is_refused_shows() {
        assert_eq!(answer(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), Some((38, Told::Answer)));
        assert!(matches!(answer(b"HTTP/1.1 429 Slow\r\ncontent-length: 0\r\n\r\n"), Some((_, Told::Refused(_)))));
    }
}
