//! This project's protocol over WebSocket.

use std::io;

use super::chat::Chat;
use super::plain_ws::read_frame;
use super::{Protocol, Seat, Step, Told};
use crate::frames;

/// The state of all members' connections.
#[derive(Debug)]
pub struct ChatWs {
    chat: Chat,
}

impl ChatWs {
    /// `run` keeps the names of this run's rooms apart from those of an earlier run on the same server.
    pub fn new(run: u32) -> Self {
        Self { chat: Chat::new(run) }
    }
}

impl Protocol for ChatWs {
    const ROOMS: bool = true;
    const NOTICES: bool = true;

    fn open(&mut self, _seat: &Seat, out: &mut Vec<u8>) {
        frames::put_upgrade(out, "/ws", Some("chat.v1"));
    }

    fn opened(&mut self, _seat: &Seat, bytes: &[u8]) -> io::Result<Option<usize>> {
        frames::upgraded(bytes)
    }

    fn greet(&mut self, _seat: &Seat, out: &mut Vec<u8>) -> Step {
        frames::put(out, frames::TEXT, &[b"{\"type\":\"hello\",\"id\":0}"]);
        Step::Answered
    }

    fn enter(&mut self, seat: &Seat, out: &mut Vec<u8>) -> Step {
        let command = seat.role.choose("create", "join");
        let frame = format!("{{\"type\":\"{command}\",{}}}", self.chat.entering(seat));
        frames::put(out, frames::TEXT, &[frame.as_bytes()]);
        Step::Answered
    }

    fn say(&mut self, seat: &Seat, text: &[u8], out: &mut Vec<u8>) {
        let head = format!("{{\"type\":\"send\",\"id\":2,\"room\":\"{}\",\"text\":\"", self.chat.room(seat));
        frames::put(out, frames::TEXT, &[head.as_bytes(), text, b"\"}"]);
    }

    #[inline]
    fn read<'a>(&mut self, seat: &Seat, bytes: &'a [u8]) -> Option<(usize, Told<'a>)> {
        read_frame(bytes, |payload| self.chat.told(seat, payload))
    }

    fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        frames::put(out, frames::PONG, &[payload]);
    }

    fn faults(&self) -> u64 {
        self.chat.faults()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::*;

    const SEAT: Seat = Seat { member: 16, room: 3, role: Role::Joiner };

    #[test]
    fn what_it_says_is_a_masked_command() {
        let mut out = Vec::new();
        ChatWs::new(7).enter(&SEAT, &mut out);
        assert_eq!(out[0], frames::TEXT);
        assert_eq!(out[1] & 0x80, 0x80, "clients mask");
        let json: Vec<u8> = out[6..].iter().enumerate().map(|(i, byte)| byte ^ out[2 + i % 4]).collect();
        assert_eq!(json, br#"{"type":"join","id":1,"room":"BENCH-7-00003","nick":"m00016"}"#);
    }
}
