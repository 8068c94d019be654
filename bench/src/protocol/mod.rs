//! How the load speaks to one kind of server: what to send, and what the answers mean.
//!
//! One connection per member, one implementation per protocol. A protocol keeps what it must remember per member in its own table
//! (it is told the member with every call); it knows no socket, no scenario and no clock.

mod chat;
mod chat_sse;
mod chat_ws;
mod plain_sse;
mod plain_ws;
mod socketio;

use std::io;

pub use chat_sse::ChatSse;
pub use chat_ws::ChatWs;
pub use plain_sse::PlainSse;
pub use plain_ws::{AxumBroadcast, RawWs};
pub use socketio::{ChatSocketIo, Socketioxide};

/// The place of one member in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Index among all members.
    pub member: usize,
    /// Index of the room.
    pub room: usize,
    /// The first of a room makes it.
    pub role: Role,
}

/// How a member comes into its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Makes the room.
    Maker,
    /// Joins when the room is there.
    Joiner,
}

/// Whether a step is done once its bytes are written, or only when the server has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// [`Told::Ready`] or [`Told::Entered`] ends the step.
    Answered,
    /// There is nothing to wait for.
    Done,
}

/// What the server said, as far as a measurement cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// A message of a member, with the bytes in which its stamped text stands.
    Message(&'a [u8]),
    /// Somebody has joined or left.
    Notice,
    /// A command was carried out, or something else that changes nothing.
    Answer,
    /// Something that passes: how many are there, who is typing.
    Signal,
    /// The connection has its session.
    Ready,
    /// The member is in its room.
    Entered,
    /// So many events will not come: the server says so itself.
    Skipped(u64),
    /// A command was refused, or the server speaks another protocol.
    Refused(&'a [u8]),
    /// The server wants a sign of life with these bytes.
    Ping(&'a [u8]),
    /// The connection is over.
    Ended,
}

/// One kind of server. Methods that speak append bytes to `out`.
pub trait Protocol {
    /// Whether there is more than one room.
    const ROOMS: bool;
    /// Whether members are told who else joins.
    const NOTICES: bool;
    /// Whether a connection gets its session before its member enters a room. Otherwise nothing is said on it until then.
    const SESSION_FIRST: bool = true;
    /// Whether what a member says goes over connections of its own, one for each message in flight, because one of them answers
    /// only one at a time. The answers are read by [`answered`](Self::answered).
    const VOICE: bool = false;

    /// The first bytes of a connection: an HTTP request.
    fn open(&mut self, seat: &Seat, out: &mut Vec<u8>);

    /// The length of the answer to it once all of it is there; an error if the server refuses.
    fn opened(&mut self, seat: &Seat, bytes: &[u8]) -> io::Result<Option<usize>>;

    /// Asks for a session.
    fn greet(&mut self, seat: &Seat, out: &mut Vec<u8>) -> Step;

    /// Makes or joins the room.
    fn enter(&mut self, seat: &Seat, out: &mut Vec<u8>) -> Step;

    /// Says `text` in the room.
    fn say(&mut self, seat: &Seat, text: &[u8], out: &mut Vec<u8>);

    /// The first thing said in `bytes` if all of it is there, and its length. Called for every delivery: no allocation.
    fn read<'a>(&mut self, seat: &Seat, bytes: &'a [u8]) -> Option<(usize, Told<'a>)>;

    /// Answers [`Told::Ping`].
    fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>);

    /// The first whole answer on a connection that is only spoken on, and its length.
    fn answered<'a>(&mut self, bytes: &'a [u8]) -> Option<(usize, Told<'a>)> {
        (!bytes.is_empty()).then_some((bytes.len(), Told::Refused(bytes)))
    }

    /// Broken promises that only this protocol makes (numbers without holes, well-formed JSON), found in samples.
    fn faults(&self) -> u64 {
        0
    }
}
