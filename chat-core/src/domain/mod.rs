//! What is said: commands in, and events in the log.

mod command;
mod event;

pub use command::{Command, TypingState};
pub use event::{Digest, Event, Keyed, LeaveReason, Notices, Record, Role, RoomCloseReason};
