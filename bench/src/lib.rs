//! Load generation and side-by-side measurement of chat servers, over loopback, from one thread.
//!
//! The load must be several times cheaper than any server it drives: one thread, one read buffer for all connections,
//! frames read where they lie, nothing allocated per message. No server code lives here; servers are separate processes.

pub mod chart;
pub mod crowd;
pub mod events;
pub mod frames;
pub mod goals;
pub mod machine;
pub mod matrix;
pub mod meter;
pub mod postgres;
pub mod protocol;
pub mod running;
pub mod scenario;
pub mod servers;
pub mod stamp;
pub mod table;
pub mod tally;
