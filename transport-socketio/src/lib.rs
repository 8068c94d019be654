//! Chat over Socket.IO: turns events into commands, and what is due into events, for the stock clients as they are.
//!
//! Knows Engine.IO sessions and no rule: what a command does, and what is told to whom, is decided in `chat-core`. Rooms and
//! adapters of socketioxide are not used.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let engine = chat_core::Engine::builder().build();
//! let routes = transport_socketio::routes(engine, transport_socketio::SocketIoConfig::default());
//! // Mount `routes` in any axum application. It serves `/socket.io/`.
//! # let _: axum::Router = routes;
//! # Ok(())
//! # }
//! ```
//!
//! Every request passes the `front`, which gives each Engine.IO session a `line`: it counts the bytes that the session's
//! connections have taken (a `tap` in each WebSocket, the bodies of polls), and can end them. The `greeting` attaches a chat
//! session, `inbound` hands in its commands, and one `pump` per session emits what is due, but never further ahead of the
//! line than a bound.

mod config;
mod due;
mod farewell;
mod front;
mod greeting;
mod head;
mod inbound;
mod line;
mod link;
mod packet;
mod pump;
mod tap;

pub use chat_serve::{ClientAddress, Origins};
pub use config::{SocketIoConfig, Transports};
pub use front::routes;
