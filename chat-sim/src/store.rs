//! The store that many servers share, in four moments: what a statement sees, locks, commits and answers, one step at a time.
//!
//! [`play`] draws a schedule: three servers over one engine of record, a standby that confirms, and what befalls them: cut connections, cancelled
//! waits, clients that vanish between two packets, restarts, and the standby in the primary's place. [`leases`] needs no drawing: it looks at every
//! state.
//!
//! Never here: a room's rules, and SQL. What `log-postgres` sends is what the statements here sketch.

pub mod engine;
pub mod leases;
mod purpose;
pub mod rows;
mod servers;
mod statement;
mod told;
pub mod what;
mod world;

pub use what::Bug;
pub use world::{Schedule, play};
