//! One seed is one world: the real engine, the real transports, a log with faults, and people who check what they are told.
//!
//! Nothing here waits for real time or opens a socket: connections are in memory, time is virtual, everything runs on one thread,
//! and every choice is drawn from the seed. So a world that breaks a promise breaks it again:
//!
//! ```
//! use chat_sim::{Settings, run};
//!
//! let world = run(17, &Settings::default());
//! assert_eq!(world.broken, None);
//! ```
//!
//! Never here: a rule of a room. What people check is what the log says, and what the protocol page says.

mod agreement;
mod archive;
mod backend;
mod bans;
pub mod checks;
mod clock;
mod director;
mod embedder;
mod endings;
mod fence;
pub mod frames;
mod gate;
mod graces;
mod ground;
mod homes;
mod link;
mod links;
mod locks;
mod network;
mod panics;
mod people;
mod person;
mod persons;
mod phase;
mod pipe;
mod plan;
mod promise;
mod reads;
mod roles;
mod rules;
mod screen;
mod server;
mod showing;
mod slots;
mod stamps;
pub mod store;
mod summary;
mod transcript;
mod transport_kind;
mod truth;
mod view;
mod world;
mod writers;

pub use backend::FeedBug;
pub use network::Network;
pub use plan::Kind;
pub use promise::{Broken, Promise};
pub use transport_kind::TransportKind;
pub use world::{Settings, World, run};
