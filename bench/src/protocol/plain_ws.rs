//! The two servers that measure a mechanism only: the sketch (`raw-ws`) and axum with tokio's broadcast (`axum-broadcast`).

use std::io;

use super::{Protocol, Role, Seat, Step, Told};
use crate::frames;

/// The sketch: everybody who connects is in its one room, every text comes back to all inside a JSON message.
#[derive(Debug, Default)]
pub struct RawWs;

impl Protocol for RawWs {
    const ROOMS: bool = false;
    const NOTICES: bool = false;

    fn open(&mut self, _seat: &Seat, out: &mut Vec<u8>) {
        frames::put_upgrade(out, "/", None);
    }

    fn opened(&mut self, _seat: &Seat, bytes: &[u8]) -> io::Result<Option<usize>> {
        frames::upgraded(bytes)
    }

    fn greet(&mut self, _seat: &Seat, _out: &mut Vec<u8>) -> Step {
        Step::Done
    }

    fn enter(&mut self, _seat: &Seat, _out: &mut Vec<u8>) -> Step {
        Step::Done
    }

    fn say(&mut self, _seat: &Seat, text: &[u8], out: &mut Vec<u8>) {
        frames::put(out, frames::TEXT, &[text]);
    }

    #[inline]
    fn read<'a>(&mut self, _seat: &Seat, bytes: &'a [u8]) -> Option<(usize, Told<'a>)> {
        read_frame(bytes, Told::Message)
    }

    fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        frames::put(out, frames::PONG, &[payload]);
    }
}

/// The axum peer: the first text names the room and is answered by `joined`; every later text goes to the room as it is.
#[derive(Debug, Default)]
pub struct AxumBroadcast;

impl Protocol for AxumBroadcast {
    const ROOMS: bool = true;
    const NOTICES: bool = false;

    fn open(&mut self, _seat: &Seat, out: &mut Vec<u8>) {
        frames::put_upgrade(out, "/ws", None);
    }

    fn opened(&mut self, _seat: &Seat, bytes: &[u8]) -> io::Result<Option<usize>> {
        frames::upgraded(bytes)
    }

    fn greet(&mut self, _seat: &Seat, _out: &mut Vec<u8>) -> Step {
        Step::Done
    }

    fn enter(&mut self, seat: &Seat, out: &mut Vec<u8>) -> Step {
        frames::put(out, frames::TEXT, &[format!("room-{}", seat.room).as_bytes()]);
        Step::Answered
    }

    fn say(&mut self, _seat: &Seat, text: &[u8], out: &mut Vec<u8>) {
        frames::put(out, frames::TEXT, &[text]);
    }

    #[inline]
    fn read<'a>(&mut self, _seat: &Seat, bytes: &'a [u8]) -> Option<(usize, Told<'a>)> {
        read_frame(bytes, |payload| if payload == b"joined" { Told::Entered } else { Told::Message(payload) })
    }

    fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        frames::put(out, frames::PONG, &[payload]);
    }
}

/// What any WebSocket server's frame means, when `text` says what a text means.
#[inline]
pub(super) fn read_frame<'a>(bytes: &'a [u8], text: impl FnOnce(&'a [u8]) -> Told<'a>) -> Option<(usize, Told<'a>)> {
    let (length, first, payload) = frames::hop(bytes)?;
    let told = match first {
        frames::TEXT => text(payload),
        frames::PING => Told::Ping(payload),
        frames::PONG => Told::Answer,
        frames::CLOSE => Told::Ended,
        _ => Told::Refused(b"a frame that is neither a whole text nor a control frame"),
    };
    Some((length, told))
}

impl Role {
    /// Chooses by how a member comes into its room.
    pub(super) fn choose<T>(self, maker: T, joiner: T) -> T {
        match self {
            Self::Maker => maker,
            Self::Joiner => joiner,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAT: Seat = Seat { member: 0, room: 0, role: Role::Maker };

    #[test]
    fn frames_are_told_apart() {
        let mut protocol = AxumBroadcast;
        assert_eq!(protocol.read(&SEAT, b"\x81\x06joined"), Some((8, Told::Entered)));
        assert_eq!(protocol.read(&SEAT, b"\x81\x02hi\x81"), Some((4, Told::Message(b"hi"))));
        assert_eq!(protocol.read(&SEAT, b"\x89\x01p"), Some((3, Told::Ping(b"p"))));
        assert_eq!(protocol.read(&SEAT, b"\x88\x00"), Some((2, Told::Ended)));
        assert_eq!(protocol.read(&SEAT, b"\x81\x06join"), None);
        assert!(matches!(protocol.read(&SEAT, b"\x01\x01a"), Some((3, Told::Refused(_)))));
    }
}
