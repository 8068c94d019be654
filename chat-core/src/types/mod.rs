//! The values everything else is made of: ids, parsed text, time, positions, bounds, refusals.

mod ban;
mod base32;
mod close;
mod credential;
mod data;
mod id;
mod json;
mod limits;
mod nick;
mod person_data;
mod position;
mod reaction;
mod reject;
mod secret;
mod signal;
mod steady;
mod text;
mod time;

pub use ban::{BanId, NetworkTag, PersonHash};
pub use close::CloseReason;
pub use credential::Credential;
pub use data::Data;
pub use id::{Color, CommandId, Epoch, Generation, Identity, MemberId, NodeId, Scope, SessionId};
pub use limits::{EngineLimits, Limits, NewcomersSee, RoomLimits, SessionLimits, ZeroLimit};
pub use nick::{Nick, NickKey};
pub use person_data::PersonData;
pub(crate) use person_data::{stored as stored_person_data, stored_change as stored_person_data_change};
pub use position::{Offset, Position, Seq};
pub use reaction::ReactionName;
pub use reject::{Reject, RejectCode};
pub use secret::{RoomSecret, SecretHash};
pub use signal::{SignalData, SignalName};
pub use steady::{Belief, SteadyWall, WallStep};
pub use text::{Body, Key, RoomCode, Topic};
pub(crate) use time::millis;
pub use time::{Mono, Now, Wall};
