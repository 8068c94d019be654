//! Chat over Socket.IO: turns events into commands, and what is due into events, for the stock clients as they are.
//!
//! Knows Engine.IO sessions and no rule: what a command does, and what is told to whom, is decided in `chat-core`. Rooms and
//! adapters of socketioxide are not used.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let engine = chat_core::Engine::builder().build();
//! let routes = transport_socketio::routes(engine, transport_socketio::SocketIoConfig::default());
//! // Merge `routes` into any axum application, or nest them under a prefix. It serves `/socket.io/`.
//! let app: axum::Router = axum::Router::new().merge(routes);
//! # drop(app);
//! # Ok(())
//! # }
//! ```
//!
//! Every request passes `engineio_service`, which knows each Engine.IO session (`engineio_session`): how many bytes its
//! connections have taken (`counting_io` in each WebSocket, the bodies of polls), and how to end them. A change of transport is made
//! known to socketioxide once it is made (`probe`). `handshake` attaches a chat
//! session, `inbound` hands in its commands, and one `pump` per session emits what is due, but never further ahead of the
//! client than a bound.

mod close;
mod config;
mod counting_io;
mod engineio_service;
mod engineio_session;
mod fill_source;
mod handshake;
mod head;
mod inbound;
mod keepalive;
mod link;
mod packet;
mod probe;
mod pump;
mod sid_at;

pub use chat_serve::{ClientAddress, Credentials, Origins, PassOn, TrustedProxies};
pub use config::{SocketIoConfig, Transports};
pub use engineio_service::routes;
