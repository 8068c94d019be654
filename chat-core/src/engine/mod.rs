//! The engine around the rooms: who is connected, what waits, what is due to whom. No rule of a room lives here, and no transport.

mod addresses;
mod announce;
mod answer;
mod backlog;
mod bucket;
mod budget;
mod builder;
mod catch_up;
mod chance;
mod connection;
mod create;
mod drain;
#[expect(clippy::module_inception, reason = "the band is named after its main type")]
mod engine;
mod fanout;
mod lane;
mod life;
mod post;
mod pull;
mod recover;
mod registry;
mod reply;
mod room_cell;
mod room_task;
mod round;
mod segment;
mod session;
mod session_cell;
mod sessions;
mod subscription;
mod sweep;
mod timers;
mod token;
mod upkeep;
mod wake;

pub use builder::EngineBuilder;
pub use engine::{Engine, Moderation, Refusal, Stats};
pub use lane::{Busy, Lane};
pub use pull::{FrameRef, Positions};
pub use reply::{Answered, Reply};
pub use session::{Fill, Frame, FrameMark, Framing, Session};
