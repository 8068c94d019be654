//! The transport as its clients see it: streams, commands, and how both end.

#[path = "../../../chat-testkit/tests/support/bent.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "the kit's own tests use the rest")]
mod bent;
mod commands;
mod cors;
mod credentials;
mod entry;
mod network;
mod openapi;
mod resume;
mod returning;
#[path = "../../../chat-serve/tests/several/mod.rs"]
mod servers;
mod several;
mod stall;
mod stream;
mod support;
mod tokens;
