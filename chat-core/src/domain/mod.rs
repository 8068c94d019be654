//! What is said: commands in, events in the log, signals that pass, deliveries to one session.

mod command;
mod event;
mod signal;

pub use command::{Command, TypingState};
pub use event::{CloseCause, Digest, Event, Keyed, LeaveReason, Notices, Record, Role};
pub use signal::Signal;
