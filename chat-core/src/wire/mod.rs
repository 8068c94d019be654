//! Frames as JSON, the same on every transport. The protocol page (`docs/protocol.md`) is their full text.

mod bans;
mod bans_page;
mod changed;
mod client_frame;
mod encode;
mod moment;
mod person_data;
mod reactions;
mod server_frame;
mod settings;
mod slot_frames;
mod slots;

pub use bans::{BanEntry, SweptEvents, SweptRange};
pub(crate) use bans_page::bans_page;
pub(crate) use changed::{as_edited, author, author_of_edit, evidence, hidden, superseded, target_of_edit, tombstone};
pub use client_frame::{BadFrame, ClientFrame, FEATURES, Hello, Request, Resume};
pub(crate) use encode::{
    JoinedParts, MemberLine, MemberList, ack, changes, closing, encode_event, ended, error, gap, gap_view, gone,
    history, joined, left_quietly, members_page, presence, read, resumed, room_closed, token, typing, welcome,
};
pub use reactions::ReactionChange;
pub(crate) use reactions::{reaction_list, reactions_len, with_reactions};
pub use server_frame::{
    ChangedMessage, FrameKind, Joined, MemberEntry, MessageFrame, OtherFrame, ReadStatus, RemovalReason, RoomStatus,
    ServerFrame, Status, TaggedMessage, WelcomeLimits,
};
pub use settings::RoomSettings;
pub(crate) use slot_frames::{live, live_ended, signals};
pub use slots::SignalEntry;
