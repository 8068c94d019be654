//! What is said: commands in, and events in the log.

mod amend;
mod ban;
mod command;
mod event;
mod reaction;
mod settings;
mod version;

pub use amend::{Amend, Amendment, Content};
pub use ban::{BanTerm, BanTerms};
pub use command::{Command, Extent, TypingState};
pub use event::{Amended, Digest, Event, Keyed, LeaveReason, Notices, Record, Role, RoomCloseReason};
pub use reaction::Reaction;
pub use settings::{Settings, SettingsChange};
pub use version::RecordVersion;
