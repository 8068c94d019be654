//! What is said: commands in, and events in the log.

mod amend;
mod ban;
mod command;
mod content;
mod event;
mod history;
mod person;
mod reaction;
mod room_options;
mod scrub;
mod settings;
mod version;

pub use amend::{Amend, Amendment};
pub use ban::{BanTerm, BanTerms};
pub use command::{Command, Extent, TypingState};
pub use content::{Content, Said};
pub use event::{Amended, Digest, Event, Keyed, LeaveReason, Notices, Record, Role, RoomCloseReason};
pub use history::HistoryAnchor;
pub use person::{MemberChange, Named};
pub use reaction::Reaction;
pub use room_options::RoomOptions;
pub use scrub::Scrub;
pub use settings::{Settings, SettingsChange};
pub use version::RecordVersion;
