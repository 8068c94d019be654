//! The transport as its clients see it: streams, commands, and how both end.

mod commands;
mod cors;
mod entry;
mod network;
mod openapi;
mod resume;
mod returning;
mod stall;
mod stream;
mod support;
mod tokens;
