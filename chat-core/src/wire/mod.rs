//! Frames as JSON, the same on every transport. The protocol page (`docs/protocol.md`) is their full text.

mod asked;
mod bans;
mod changed;
mod client_frame;
mod commands;
mod encode;
mod feed_frame;
mod fields;
mod frame_kind;
mod hello;
mod json;
mod members;
mod message;
mod moment;
mod pages;
mod person_data;
mod reactions;
mod room_status;
mod room_view;
#[cfg(feature = "schema")]
mod schema;
mod server_frame;
mod settings;
mod short_frames;
mod slots;

pub use bans::{BanEntry, SweptEvents, SweptRange};
pub(crate) use changed::{
    as_edited, author, author_of_edit, evidence, hidden, superseded, target_of_edit, tombstone, unnamed,
};
pub use client_frame::{BadFrame, ClientFrame, Request};
pub use commands::FEATURES;
pub(crate) use encode::encode_event;
pub(crate) use feed_frame::encode_for_feed;
pub use frame_kind::{FrameKind, OtherFrame};
pub use hello::{Hello, Resume};
pub use members::MemberEntry;
pub(crate) use members::{MemberLine, MemberList};
pub use message::{ChangedMessage, MessageFrame, TaggedMessage};
pub(crate) use pages::{bans_page, changes, gone, history, members_page};
pub use reactions::ReactionChange;
pub(crate) use reactions::{reaction_list, reactions_len, with_reactions};
pub use room_status::{ReadStatus, RemovalReason, RoomStatus, Status, WelcomeLimits};
pub use room_view::Joined;
pub(crate) use room_view::{JoinedParts, gap, gap_view, joined};
#[cfg(feature = "schema")]
pub use schema::{asyncapi, client_frame_schema, server_frame_schema};
pub use server_frame::ServerFrame;
pub use settings::RoomSettings;
pub(crate) use short_frames::{
    ack, auth_expiring, auth_renewed, closing, ended, error, left_quietly, presence, read, resumed, room_closed, token,
    typing, welcome,
};
pub use slots::SignalEntry;
pub(crate) use slots::{live, live_ended, signals};
