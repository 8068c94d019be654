//! A client of the chat server for bots, tests and load: what it holds equals the log of the room.
//!
//! A bot that repeats what it hears:
//!
//! ```no_run
#![doc = include_str!("../examples/echo.rs")]
//! ```
//!
//! [`Room::state`] is the room as it is: members and messages, with edits, reactions and what was taken back applied. After a lost connection, a
//! restart of the server or a slow line the client asks for what it missed, and [`RoomState::is_synced`] says when nothing is left to be asked for.
//! [`Room::events`] is a stream of what happens. [`Room::send`] resolves with where a message stands in the log: it is said once, in order, and
//! never by itself into another life of the room.

mod client;
mod driver;
mod entrance;
mod error;
mod events;
mod handle;
mod membership;
mod messages;
mod missed;
mod options;
mod outbox;
mod reduce;
mod requests;
mod room;
mod session;
mod socket;
mod state;

pub use client::Client;
pub use entrance::{Entrance, Outgoing};
pub use error::{Error, Refusal};
pub use events::{Events, RoomEvent};
pub use messages::Message;
pub use options::{Bounds, Options, Why};
pub use outbox::{Pending, Said, Sent};
pub use room::{Room, Sending};
pub use session::Status;
pub use state::{Ending, Hole, Presence, RoomState};

/// The types of the protocol, as the engine has them.
pub use chat_core;
