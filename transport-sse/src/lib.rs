//! Chat over Server-Sent Events and POST: one stream carries all rooms of a client, one request hands in one command.
//!
//! Knows HTTP and no rule: what a command does, and what is told to whom, is decided in `chat-core`.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let engine = chat_core::Engine::builder().build();
//! let routes = transport_sse::routes(engine, transport_sse::SseConfig::default());
//! // Merge `routes` into any axum application, or nest them under a prefix. It serves `GET /sse`, `POST /sse/{session}` and `GET /sse/openapi.json`.
//! let app: axum::Router = axum::Router::new().merge(routes);
//! # drop(app);
//! # Ok(())
//! # }
//! ```
//!
//! A stream is a response body that is asked for its next chunk when the connection can take one, and then holds
//! everything due. A chunk counts as read once the next one is asked for; positions move only then. Between chunks a
//! stream holds no buffer. A body is not told that its connection has stalled, it just is not asked any more: the
//! `watch` of a router notices, and detaches the session. The socket itself is the serving loop's: see [`routes`].

mod answer;
mod command;
mod config;
mod cursor;
mod entry;
mod framing;
mod open;
mod routes;
mod shared;
mod stream;
mod stream_request;
mod watch;

pub use chat_serve::{ClientAddress, Credentials, Origins, PassOn, TrustedProxies};
pub use config::SseConfig;
pub use routes::routes;
