//! Chat over WebSocket: turns text frames into commands, and what is due into one write.
//!
//! Knows sockets and no rule: what a command does, and what is told to whom, is decided in `chat-core`.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let engine = chat_core::Engine::builder().build();
//! let routes = transport_ws::routes(engine, transport_ws::WsConfig::default());
//! // Merge `routes` into any axum application, or nest them under a prefix. It serves `GET /ws`.
//! let app: axum::Router = axum::Router::new().merge(routes);
//! # drop(app);
//! # Ok(())
//! # }
//! ```
//!
//! One task serves one connection. It reads with tungstenite, which runs over a `reader` that gives it the socket's bytes
//! and catches what it writes by itself (pongs, close replies); the `writer` sends those between frames, and everything
//! else straight from the session's positions. Between frames a connection holds no buffer at all.

mod close;
mod config;
mod connection;
mod frame_socket;
mod frames;
mod handshake;
mod keepalive;
mod reader;
mod shared;
mod upgrade;
mod writer;

pub use chat_serve::{ClientAddress, Credentials, Origins, TrustedProxies};
pub use config::WsConfig;
pub use upgrade::routes;
