//! The operator's door to a chat engine: JSON over HTTP for rooms and people, described in OpenAPI, with metrics, health and a page.
//!
//! It is [`routes`], which a listener of its own serves:
//!
//! ```no_run
//! # async fn example(engine: chat_core::Engine, shutdown: impl Future<Output = ()>) -> Result<(), Box<dyn std::error::Error>> {
//! use chat_admin::{AdminConfig, AdminToken};
//! use chat_serve::{ServeConfig, serve};
//!
//! let token = AdminToken::parse(&std::env::var("ADMIN_TOKEN")?)?;
//! let door: axum::Router = chat_admin::routes(engine, AdminConfig::new(token));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:9100").await?;
//! serve(listener, door, ServeConfig { connections_max: 16, ..ServeConfig::default() }, shutdown).await;
//! # Ok(())
//! # }
//! ```
//!
//! ```sh
//! curl -H "Authorization: Bearer $ADMIN_TOKEN" http://127.0.0.1:9100/rooms
//! curl -H "Authorization: Bearer $ADMIN_TOKEN" --json '{"member":3}' http://127.0.0.1:9100/rooms/LUNCH/kick
//! ```
//!
//! What is done in a room goes through its log, in one order with what its members do, and without asking the policy. Refusals have the codes of the wire
//! protocol, in JSON. Where several servers share their rooms, any of them may be asked about any room.

mod acts;
mod adding;
mod asked;
mod audit;
mod bodies;
mod call;
mod config;
mod document;
mod door;
mod erasing;
mod inside;
mod kept;
mod operation;
mod page;
mod people;
mod refusal;
mod revoked;
mod rooms;
mod routes;
mod shown;
mod token;

pub use audit::AUDIT_TARGET;
pub use config::AdminConfig;
pub use routes::routes;
pub use token::{AdminToken, BadToken};
