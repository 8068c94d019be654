//! A test kit for everyone who builds on `chat-core`: what a room should do, and worlds in which things go wrong.
//!
//! - [`model`]: a slow, obvious room to compare the real one with.
//! - [`strategies`]: proptest strategies for values, commands and whole runs of a room.
//! - [`logs`]: a log in memory, and a wrapper that makes any log fail on demand.
//! - [`contract`]: what every log and every transport must do, as tests to run over it.
//! - [`checks`]: what must hold for any bytes at all, for fuzzers.
//! - [`records`]: legal records to fill a log with; [`lives`] fills one.
//! - [`crash`]: a process that writes to a log and is killed; [`feed_crash`]: one whose feed is read meanwhile.
//! - [`erased`]: somebody who is to be erased, and what they leave.
//! - [`one_room`]: people in one room of an engine, for what happens in the log below it.
//! - [`servers`]: several servers that know each other, in memory.
//! - [`sockets`]: real sockets with small buffers, and HTTP/1.1 by hand, for transports.

pub mod checks;
pub mod contract;
pub mod crash;
pub mod erased;
pub mod feed_crash;
pub mod lives;
pub mod logs;
pub mod model;
pub mod one_room;
pub mod records;
pub mod servers;
pub mod sockets;
pub mod strategies;
