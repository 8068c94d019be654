//! What must hold for any bytes at all: one check, one file. Fuzzers run them at length, `cargo test` in short.
//!
//! A check takes bytes, makes of them what it needs, and panics where a promise is broken. Whatever the bytes are, they
//! mean something, so that nothing a fuzzer finds is thrown away.

mod bans;
mod choices;
mod client_frame;
mod corpus;
mod cursor_token;
mod edits;
mod persons;
mod reactions;
mod roles;
mod room_commands;
mod session_ops;
mod world;

pub use chat_core::checks::parcel;
pub use choices::Choices;
pub use client_frame::client_frame;
pub use corpus::{replay, sow};
pub use cursor_token::cursor_token;
pub use room_commands::room_commands;
pub use session_ops::session_ops;
pub use world::World;
