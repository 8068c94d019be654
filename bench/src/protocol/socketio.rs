//! Socket.IO over WebSocket: this project's (`chat-socketio`), and socketioxide's own rooms (`socketioxide`).
//!
//! Packets are texts: `2` is Engine.IO's ping, `40` answers the connect to the namespace, `42["name",argument]` is an event.

use std::io;

use super::chat::Chat;
use super::plain_ws::read_frame;
use super::{Protocol, Seat, Step, Told};
use crate::frames;

const PATH: &str = "/socket.io/?EIO=4&transport=websocket";
const EVENT: &[u8] = b"42[\"";
const PING: &[u8] = b"2";
/// An event's name is shorter.
const NAME_BYTES_MAX: usize = 40;

/// This project's server: frames as events.
#[derive(Debug)]
pub struct ChatSocketIo {
    chat: Chat,
}

impl ChatSocketIo {
    /// `run` keeps the names of this run's rooms apart from those of an earlier run on the same server.
    pub fn new(run: u32) -> Self {
        Self { chat: Chat::new(run) }
    }
}

impl Protocol for ChatSocketIo {
    const ROOMS: bool = true;
    const NOTICES: bool = true;

    fn open(&mut self, _seat: &Seat, out: &mut Vec<u8>) {
        frames::put_upgrade(out, PATH, None);
    }

    fn opened(&mut self, _seat: &Seat, bytes: &[u8]) -> io::Result<Option<usize>> {
        frames::upgraded(bytes)
    }

    fn greet(&mut self, _seat: &Seat, out: &mut Vec<u8>) -> Step {
        frames::put(out, frames::TEXT, &[b"40"]);
        Step::Answered
    }

    fn enter(&mut self, seat: &Seat, out: &mut Vec<u8>) -> Step {
        let event = format!("42[\"{}\",{{{}}}]", seat.role.choose("create", "join"), self.chat.entering(seat));
        frames::put(out, frames::TEXT, &[event.as_bytes()]);
        Step::Answered
    }

    fn say(&mut self, seat: &Seat, text: &[u8], out: &mut Vec<u8>) {
        let head = format!("42[\"send\",{{\"id\":2,\"room\":\"{}\",\"text\":\"", self.chat.room(seat));
        frames::put(out, frames::TEXT, &[head.as_bytes(), text, b"\"}]"]);
    }

    #[inline]
    fn read<'a>(&mut self, seat: &Seat, bytes: &'a [u8]) -> Option<(usize, Told<'a>)> {
        read_frame(bytes, |packet| match event(packet) {
            Some((_, argument)) => self.chat.told(seat, argument),
            // The session is there when its `welcome` is.
            None => told_rarely(packet, Told::Answer),
        })
    }

    fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        put_pong(payload, out);
    }

    fn faults(&self) -> u64 {
        self.chat.faults()
    }
}

/// Bare socketioxide: `join` with a room is answered by `joined`, `message` goes to all in the room.
#[derive(Debug, Default)]
pub struct Socketioxide;

impl Protocol for Socketioxide {
    const ROOMS: bool = true;
    const NOTICES: bool = true;

    fn open(&mut self, _seat: &Seat, out: &mut Vec<u8>) {
        frames::put_upgrade(out, PATH, None);
    }

    fn opened(&mut self, _seat: &Seat, bytes: &[u8]) -> io::Result<Option<usize>> {
        frames::upgraded(bytes)
    }

    fn greet(&mut self, _seat: &Seat, out: &mut Vec<u8>) -> Step {
        frames::put(out, frames::TEXT, &[b"40"]);
        Step::Answered
    }

    fn enter(&mut self, seat: &Seat, out: &mut Vec<u8>) -> Step {
        let event = format!("42[\"join\",\"room-{}\",\"m{:05}\"]", seat.room, seat.member);
        frames::put(out, frames::TEXT, &[event.as_bytes()]);
        Step::Answered
    }

    fn say(&mut self, seat: &Seat, text: &[u8], out: &mut Vec<u8>) {
        let head = format!("42[\"message\",\"room-{}\",\"", seat.room);
        frames::put(out, frames::TEXT, &[head.as_bytes(), text, b"\"]"]);
    }

    #[inline]
    fn read<'a>(&mut self, _seat: &Seat, bytes: &'a [u8]) -> Option<(usize, Told<'a>)> {
        read_frame(bytes, |packet| match event(packet) {
            Some((b"message", argument)) => Told::Message(argument),
            Some((b"member_joined", _)) => Told::Notice,
            Some((b"joined", _)) => Told::Entered,
            Some(_) => Told::Refused(packet),
            None => told_rarely(packet, Told::Ready),
        })
    }

    fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        put_pong(payload, out);
    }
}

/// The name and the argument of an event.
#[inline]
fn event(packet: &[u8]) -> Option<(&[u8], &[u8])> {
    let event = packet.strip_prefix(EVENT)?.strip_suffix(b"]")?;
    let end = event.iter().take(NAME_BYTES_MAX).position(|byte| *byte == b'"')?;
    // An event without an argument ends with its name.
    Some((&event[..end], event.get(end + 2..).unwrap_or_default()))
}

/// What a packet means that is no event; `connected` is what being let into the namespace means.
#[cold]
fn told_rarely<'a>(packet: &'a [u8], connected: Told<'a>) -> Told<'a> {
    match packet {
        PING => Told::Ping(packet),
        b"1" | b"41" => Told::Ended,
        [b'4', b'0', ..] => connected,
        [b'0', ..] | [b'4', b'3', ..] | b"6" => Told::Answer,
        _ => Told::Refused(packet),
    }
}

fn put_pong(payload: &[u8], out: &mut Vec<u8>) {
    match payload {
        PING => frames::put(out, frames::TEXT, &[b"3"]),
        payload => frames::put(out, frames::PONG, &[payload]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::*;

    const SEAT: Seat = Seat { member: 1, room: 2, role: Role::Joiner };

    fn framed(packet: &str) -> Vec<u8> {
        let mut frame = vec![frames::TEXT, u8::try_from(packet.len()).expect("short")];
        frame.extend_from_slice(packet.as_bytes());
        frame
    }

    #[test]
    fn events_of_this_project_are_its_frames() {
        let mut chat = ChatSocketIo::new(7);
        let message = framed(r#"42["message",{"type":"message","room":"R","seq":1}]"#);
        let (_, told) = chat.read(&SEAT, &message).expect("whole");
        assert_eq!(told, Told::Message(br#"{"type":"message","room":"R","seq":1}"#));
        for (packet, expected) in [
            (r#"0{"sid":"x"}"#, Told::Answer),
            (r#"40{"sid":"x"}"#, Told::Answer),
            (r#"42["welcome",{"type":"welcome"}]"#, Told::Ready),
            (r#"42["joined",{"type":"joined","seq":1}]"#, Told::Entered),
            ("2", Told::Ping(b"2")),
            ("41", Told::Ended),
        ] {
            assert_eq!(chat.read(&SEAT, &framed(packet)), Some((packet.len() + 2, expected)), "{packet}");
        }
    }

    #[test]
    fn events_of_bare_rooms_are_told_apart() {
        for (packet, expected) in [
            (r#"40{"sid":"x"}"#, Told::Ready),
            (r#"42["joined"]"#, Told::Entered),
            (r#"42["joined","room-2"]"#, Told::Entered),
            (r#"42["member_joined","m00001"]"#, Told::Notice),
            (r#"42["message","hey"]"#, Told::Message(b"\"hey\"")),
        ] {
            assert_eq!(Socketioxide.read(&SEAT, &framed(packet)), Some((packet.len() + 2, expected)), "{packet}");
        }
        let refused = framed(r#"44{"message":"no"}"#);
        assert!(matches!(Socketioxide.read(&SEAT, &refused), Some((_, Told::Refused(_)))));
    }

    #[test]
    fn each_kind_of_ping_gets_its_own_pong() {
        let (mut engine_io, mut websocket) = (Vec::new(), Vec::new());
        put_pong(b"2", &mut engine_io);
        put_pong(b"x", &mut websocket);
        assert_eq!((engine_io[0], websocket[0]), (frames::TEXT, frames::PONG));
    }
}
