//! How an application has chat: the shortest one, and then one page each for its users, its rules, its log and its bot.
//!
//! # The shortest application
//!
//! ```toml
//! [dependencies]
//! roomlog = { path = "../chat-core/roomlog" }
//! axum = "0.8"
//! tokio = { version = "1", features = ["full"] }
//! ```
//!
#![cfg_attr(feature = "ws", doc = "```no_run")]
#![cfg_attr(not(feature = "ws"), doc = "```ignore")]
//! use axum::Router;
//! use axum::routing::get;
//! use roomlog::serve::{ServeConfig, serve};
//! use roomlog::ws::{self, WsConfig};
//! use roomlog::Engine;
//!
//! #[derive(Clone)]
//! struct AppState {
//!     shop: &'static str,
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let engine = Engine::builder().build();
//!     let app = Router::new()
//!         .route("/", get(async |axum::extract::State(app): axum::extract::State<AppState>| app.shop))
//!         .nest("/chat", ws::routes(engine.clone(), WsConfig::default()))
//!         .with_state(AppState { shop: "Pizza" });
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:5000").await?;
//!     let ended = async {
//!         let _ = tokio::signal::ctrl_c().await;
//!         engine.drain(std::time::Duration::from_secs(5)).await;
//!     };
//!     serve(listener, app, ServeConfig::default(), ended).await;
//!     Ok(())
//! }
//! ```
//!
//! Clients connect to `ws://127.0.0.1:5000/chat/ws`, and speak as the [protocol](crate::protocol) says: `{"type":"create","id":1,"room":"LUNCH","nick":"Ann"}`
//! makes a room. Rooms live in memory, and everybody may do everything that a room allows.
//!
//! # Where to go on
//!
//! | you want | page |
//! |---|---|
//! | your logins to be who people are, under names of yours | [`users`] |
//! | to say who may do what, and to moderate | [`rules`] |
//! | rooms that outlive the process | [`log`] |
//! | the application to speak and act in rooms by itself | [`bot`] |
//!
//! `examples/embed` in the workspace has all four in one application.
//!
//! # What the loop owes the routes
//!
//! - [`serve`](crate::serve::serve) is the loop that faces the internet. `axum::serve` does behind a proxy; give it
//!   `app.into_make_service_with_connect_info::<SocketAddr>()`, or no client has an address, and bounds per address hold for nobody.
//! - End the engine first ([`Engine::drain`](crate::Engine::drain)), then the loop: clients are told when to come back.
//! - Behind a proxy each transport's configuration names it (`address`, `proxies`); pages of other hosts are listed in `origins`.
//! - Layers that compress or gather answers, or cut off slow ones, stay away from the routes.

pub mod bot;
pub mod log;
pub mod rules;
pub mod users;
