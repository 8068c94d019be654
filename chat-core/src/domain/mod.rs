//! What is said: commands in, and events in the log.

mod command;
mod event;
mod version;

pub use command::{Command, Extent, TypingState};
pub use event::{Digest, Event, Keyed, LeaveReason, Notices, Record, Role, RoomCloseReason};
pub use version::RecordVersion;
