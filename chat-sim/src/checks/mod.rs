//! What must hold for any bytes at a transport or in a log file: one check, one file. Fuzzers run them at length, `cargo test` in short.
//!
//! The checks of what needs no transport and no log are in [`chat_testkit::checks`].

mod log_file;
mod panic_hook;
mod protocol_checker;
mod socketio_payload;
mod sse_request;
mod test_server;
mod ws_stream;

pub use log_file::log_file;
pub use log_redb::fuzzing::log_record;
pub use socketio_payload::socketio_payload;
pub use sse_request::sse_request;
pub use ws_stream::ws_stream;
