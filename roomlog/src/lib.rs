//! Chat rooms in a Rust server, as one dependency: the engine, its transports, its logs and the serving loop.
//!
//! *A room is a log, a session is a cursor.* An [`Engine`] has the rooms; clients come in through the routes of a transport, which any axum
//! application merges or nests; a [`Policy`] of yours says who may come and do what; a log keeps what was said.
//!
#![cfg_attr(feature = "ws", doc = "```no_run")]
#![cfg_attr(not(feature = "ws"), doc = "```ignore")]
//! # async fn example(shutdown: impl Future<Output = ()>) -> std::io::Result<()> {
//! let engine = roomlog::Engine::builder().build();
//! let app: axum::Router = axum::Router::new()
//!     .merge(roomlog::ws::routes(engine.clone(), roomlog::ws::WsConfig::default()));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:5000").await?;
//! roomlog::serve::serve(listener, app, roomlog::serve::ServeConfig::default(), shutdown).await;
//! # Ok(())
//! # }
//! ```
//!
//! - [`guide`] begins with that, and goes on to your users, your rules, your log and your bot.
//! - [`protocol`] is what clients speak, frame by frame.
//! - What an application uses is here and in [`serve`], [`ws`], [`sse`], [`socketio`], [`redb`], [`postgres`], [`cluster`],
//!   [`admin`], [`metrics`], [`jwt`], [`http_auth`] and [`webhook`].
//! - What only the authors of a transport, a log or a cluster need stands apart, in [`transport`] and [`port`].
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `ws` (default) | [`ws`]: clients over WebSocket |
//! | `sse` | [`sse`]: clients over Server-Sent Events and POST |
//! | `socketio` | [`socketio`]: stock clients of Socket.IO |
//! | `redb` | [`redb`]: rooms in a file, over restarts and crashes |
//! | `postgres` | [`postgres`]: rooms in PostgreSQL |
//! | `cluster` | [`cluster`]: several servers on one PostgreSQL |
//! | `admin` | [`admin`]: the operator's door: JSON for rooms and people, metrics, health and a page |
//! | `metrics` | [`metrics`]: what the engine counts, as OpenMetrics |
//! | `jwt` | [`jwt`]: people known by JSON Web Tokens of your own |
//! | `http-auth` | [`http_auth`]: people known by a backend of yours that is asked over HTTP |
//! | `webhook` | [`webhook`]: a backend told of everything, by signed webhooks |
//! | `tls` | `Tls` in [`serve`] |
//! | `schema` | [`transport`]: the frames as JSON Schema, and as an AsyncAPI document |

#![cfg_attr(
    not(all(
        feature = "ws",
        feature = "sse",
        feature = "socketio",
        feature = "redb",
        feature = "cluster",
        feature = "admin",
        feature = "metrics",
        feature = "jwt",
        feature = "http-auth",
        feature = "webhook"
    )),
    allow(rustdoc::broken_intra_doc_links)
)]

mod app;
pub mod guide;
pub mod port;
pub mod protocol;
pub mod serve;
pub mod transport;

pub use app::*;
pub use async_trait::async_trait;

/// The operator's door, of the crate `chat-admin`.
#[cfg(feature = "admin")]
pub mod admin {
    #[doc(inline)]
    pub use chat_admin::{AUDIT_TARGET, AdminConfig, AdminToken, BadToken, routes};
}

/// Several servers on one PostgreSQL, of the crate `cluster-postgres`.
#[cfg(feature = "cluster")]
pub mod cluster {
    #[doc(inline)]
    pub use cluster_postgres::{JoinError, JoinOptions, PgCluster, Standing};
}

/// People known by a backend that is asked over HTTP, of the crate `policy-http`.
#[cfg(feature = "http-auth")]
pub mod http_auth {
    #[doc(inline)]
    pub use policy_http::{BadSecret, EndpointError, HttpConfig, HttpPolicy, Secret};
}

/// People known by JSON Web Tokens, of the crate `policy-jwt`.
#[cfg(feature = "jwt")]
pub mod jwt {
    #[doc(inline)]
    pub use policy_jwt::{Guests, JwtConfig, JwtPolicy, KeyError, Keys};
}

/// What the engine counts, as OpenMetrics, of the crate `chat-metrics`.
#[cfg(feature = "metrics")]
pub mod metrics {
    #[doc(inline)]
    pub use chat_metrics::{Metrics, OPENMETRICS, Page, prometheus_client, register};
}

/// Rooms in PostgreSQL, of the crate `log-postgres`.
#[cfg(feature = "postgres")]
pub mod postgres {
    #[doc(inline)]
    pub use log_postgres::{Copies, Durability, OpenError, Options, PgLog, Retention, is_local};
}

/// Rooms in a file, of the crate `log-redb`.
#[cfg(feature = "redb")]
pub mod redb {
    #[doc(inline)]
    pub use log_redb::{
        Backup, BackupError, BackupFolder, Durability, FILE_NAME, OpenError, Options, RedbLog, RestoreError, Retention,
        Verify, restore, secret,
    };
}

/// Stock clients of Socket.IO, of the crate `transport-socketio`.
#[cfg(feature = "socketio")]
pub mod socketio {
    #[doc(inline)]
    pub use transport_socketio::{SocketIoConfig, Transports, routes};
}

/// Clients over Server-Sent Events and POST, of the crate `transport-sse`.
#[cfg(feature = "sse")]
pub mod sse {
    #[doc(inline)]
    pub use transport_sse::{SseConfig, routes};
}

/// Clients over WebSocket, of the crate `transport-ws`.
#[cfg(feature = "ws")]
pub mod ws {
    #[doc(inline)]
    pub use transport_ws::{WsConfig, routes};
}

/// A backend told of everything, of the crate `chat-webhook`.
#[cfg(feature = "webhook")]
pub mod webhook {
    #[doc(inline)]
    pub use chat_webhook::{BadSecret, Config, Secret, Stats, StatsReader, Webhook, WebhookError};
}
