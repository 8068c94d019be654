//! Attacks on a server of its own: what was sent against memory, time of the processor and what was answered, and who is served afterwards.
//!
//! `CHAT_SERVER` names the server, which is a release build in CI; without it the one that was built with the tests is attacked. Every
//! bound is a ratio to what the attacker has spent (bytes, connections) with something on top that is free, and none is a time by
//! the clock: `support/cost.rs`.
#![cfg(target_os = "linux")]

mod support;

mod answers;
mod connections;
mod frames;
mod guesses;
mod handshakes;
mod heads;
mod http2;
mod rooms;
mod sessions;
mod stopped_readers;
mod told_again;
