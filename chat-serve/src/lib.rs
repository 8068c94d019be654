//! The accept loop of a chat server: bounded in connections, patient with nobody, and able to end.
//!
//! `axum::serve` is fine behind a proxy. Facing the internet it lacks three things: it waits for ever for a request's head, it
//! accepts without bound, and it notices a peer that has vanished only when TCP gives up. This loop has them, speaks HTTP/1.1
//! with upgrades and HTTP/2 with prior knowledge (as proxies do; browsers want TLS for it), and tells handlers the peer's address as
//! [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo).
//!
//! What every transport asks about a request is answered here too, once: where the client comes from ([`ClientAddress`]),
//! whether its page may connect ([`Origins`]), which names the server answers to ([`Hosts`]), and its credentials ([`bearer`]). And a transport may say that an answer is
//! [`LongLived`]: its connection then keeps no buffers meanwhile.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use chat_serve::{ServeConfig, serve};
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:5000").await?;
//! let router = axum::Router::new();
//! serve(listener, router, ServeConfig::default(), std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod accept;
mod address;
mod bearer;
mod body;
mod hosts;
mod http_connection;
mod long_lived;
mod origins;
mod patience;
mod proxies;
mod socket;
mod streams;
mod tcp;
mod version;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

pub use address::ClientAddress;
pub use bearer::bearer;
pub use hosts::Hosts;
pub use long_lived::LongLived;
pub use origins::Origins;
pub use patience::{Patience, was_paused};
pub use proxies::{BadNetwork, Network, TrustedProxies};
pub use socket::{Socket, reclaim};
pub use tcp::Tcp;

/// Bounds of a serving loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeConfig {
    /// Connections at once, upgraded ones included. 100,000; above it new ones wait in the kernel's queue.
    pub connections_max: usize,
    /// How long the head of a request may take, and how long a connection may wait for its next request. 10 s; as long again
    /// for the first few bytes, which tell the version, and for the end of a connection of HTTP/2.
    pub header_timeout: Duration,
    /// Bytes of a request's head, at least 8 KiB. 16 KiB: also what a connection of HTTP/1.1 holds at most for reading.
    pub header_bytes_max: usize,
    /// How long the body of a request may take, from when a handler first waits for it. 30 s.
    pub body_timeout: Duration,
    /// Bytes of a connection that the kernel may hold without having sent them, where it can be told (Linux, Android). 128 KiB: two
    /// writes of a session, which keep any line busy until more comes. Without a bound a reader that has stopped leaves megabytes
    /// there, and a ping to a slow one waits behind them.
    pub unsent_bytes_max: u32,
    /// How long a peer may take nothing of what waits for it: make no room for it, neither on the connection nor on a stream of
    /// HTTP/2, while the process runs. 40 s: a little longer than a session may stall, so that the reason told is the right one.
    pub stall_timeout: Duration,
    /// How long a peer's host may acknowledge nothing before the kernel counts it as vanished, where it can be told (Linux,
    /// Android). 120 s: one that reads little opens its window seldom, and whether it takes too little says `stall_timeout`.
    pub vanish_timeout: Duration,
    /// Streams at once on one connection of HTTP/2; above it the client waits. 128: the standard asks for 100 or more.
    pub streams_max: u32,
    /// After how much silence a peer of HTTP/2 is pinged. 20 s.
    pub ping_interval: Duration,
    /// How long it may take to answer. 20 s.
    pub ping_timeout: Duration,
    /// How long requests under way may take to finish once the loop is told to end. 10 s.
    pub shutdown_timeout: Duration,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            connections_max: 100_000,
            header_timeout: Duration::from_secs(10),
            header_bytes_max: 16 << 10,
            body_timeout: Duration::from_secs(30),
            unsent_bytes_max: 128 << 10,
            stall_timeout: Duration::from_secs(40),
            vanish_timeout: Duration::from_secs(120),
            streams_max: 128,
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(20),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

/// Serves `router` on `listener` until `shutdown` resolves; then lets requests under way finish, and returns.
///
/// Connections that were upgraded belong to their transport by then and are left alone: drain the engine first.
pub async fn serve(listener: TcpListener, router: Router, config: ServeConfig, shutdown: impl Future<Output = ()>) {
    let config = Arc::new(config);
    let slots = Arc::new(Semaphore::new(config.connections_max.min(Semaphore::MAX_PERMITS)));
    // `true` asks for an end after the request under way; a closed channel, for one at once.
    let (ending, end) = watch::channel(false);
    let mut shutdown = pin!(shutdown);
    loop {
        let (socket, peer) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept::next(&listener, &slots, &config) => accepted,
        };
        tokio::spawn(http_connection::run(socket, peer, router.clone(), Arc::clone(&config), end.clone()));
    }
    drop((listener, end));
    ending.send_replace(true);
    // Past the timeout the channel is dropped with whoever still listens to it.
    let _ = timeout(config.shutdown_timeout, ending.closed()).await;
}
