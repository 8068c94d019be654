//! The engine around the rooms: who is connected, what waits, what is due to whom. No rule of a room lives here, and no transport.
//!
//! Layers, each of which names only those before it: `parcel`, `feed`, `session`, `rooms`, `shared`, `work`, `client`, and on top the engine
//! itself. A test holds them to it.

mod all_rooms;
mod builder;
mod client;
mod drain;
#[expect(clippy::module_inception, reason = "the band is named after its main type")]
mod engine;
mod erase;
mod erase_room;
mod feed;
mod host_rooms;
mod meter;
pub(crate) mod parcel;
mod peer_events;
mod people;
mod room_handle;
mod rooms;
mod rooms_list;
mod session;
mod shared;
mod standstill;
mod wake_up;
mod work;

pub use all_rooms::{Feed, FeedDeliveries, FeedEvent, FeedPage};
pub use builder::EngineBuilder;
pub use client::add::Added;
pub use client::command_sender::{Busy, CommandSender};
pub use client::connection::{Connection, Fill, Frame, FrameMark, Framing};
pub use client::pull::{FrameRef, Positions};
pub use client::sessions_of::{PersonSessions, SessionEntry};
pub use engine::{Engine, Moderation, Stats};
pub use parcel::PARCELS;
pub use people::Add;
pub use room_handle::{Receipt, RoomHandle, Say};
pub use rooms::host_view::{BansPage, HistoryPage, MembersPage, RoomInfo, RoomMember};
pub use rooms_list::{RoomEntry, RoomsPage};
pub use session::reply::{Answered, Reply};
pub use shared::Refusal;
pub use shared::room_tags::RoomTag;
