//! The accept loop of a chat server: bounded in connections, patient with nobody, and able to end.
//!
//! `axum::serve` is fine behind a proxy. Facing the internet it lacks three things: it waits for ever for a request's head, it
//! accepts without bound, and it notices a peer that has vanished only when TCP gives up. This loop has them, speaks HTTP/1.1
//! with upgrades and HTTP/2 (with prior knowledge, as proxies do, or over TLS, with the feature `tls`), and tells handlers the peer's address as
//! [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo).
//!
//! What every transport asks about a request is answered here too, once: where the client comes from ([`ClientAddress`]),
//! whether its page may connect ([`Origins`]), which names the server answers to ([`Hosts`]), and who it says it is ([`Credentials`]). How many of something an address may have is counted by [`Places`]. And a transport may say that an answer is
//! [`LongLived`]: its connection then keeps no buffers meanwhile.
//!
//! Where several servers are one service, a request may reach another server than the one it is for: a transport has it passed on by
//! [`PassOn`], and [`serve_passed_on`] is that server's end.
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
mod credentials;
mod elsewhere;
mod head_lines;
mod hosts;
mod http_connection;
mod long_lived;
mod origins;
mod overflow;
mod pass_on;
mod passed_on;
mod patience;
mod peer_connections;
mod places;
mod proxies;
mod request_io;
mod request_service;
mod server_name;
mod socket;
mod streams;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod tunnel;
mod version;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use overflow::Overflow;
use request_service::{RequestService, Source};

pub use address::ClientAddress;
pub use bearer::bearer;
pub use credentials::{BadCredentials, Credentials, Shown};
pub use elsewhere::{Elsewhere, PeerStream};
pub use hosts::Hosts;
pub use long_lived::LongLived;
pub use origins::Origins;
pub use overflow::OVERFLOW_MAX;
pub use pass_on::{PassOn, PassOnLimits, Passed};
pub use patience::{Patience, was_paused, within};
pub use peer_connections::NotPassedOn;
pub use places::{Crowded, Place, Places};
pub use proxies::{BadNetwork, Network, TrustedProxies};
pub use request_io::reclaim;
pub use server_name::{BadServerName, ServerName};
pub use socket::Socket;
pub use tcp::Tcp;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError, TlsStream};

/// Bounds of a serving loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeConfig {
    /// Connections at once, upgraded ones included. 100,000; above it new ones are answered 503 and closed, for which so many file
    /// descriptors as [`OVERFLOW_MAX`] should be left.
    pub connections_max: usize,
    /// Connections of one address at once, counted when they are accepted; above it new ones are answered 503 and closed. 512: twice as many
    /// as there may be sessions, for a client of streams has another connection for its requests. 0 for no bound. An IPv6 network of
    /// 64 bits counts as one address, and one of 48 bits has 16 times as much.
    pub connections_per_address_max: usize,
    /// Peers whose own connections are not counted by address: their clients are, from the head of a request to the end of its answer, or of
    /// the connection where that was upgraded. None.
    pub proxies: TrustedProxies,
    /// Paths that are answered where there is no place, too. `/healthz` and `/readyz`: whoever asks must not take a crowded server for a dead one.
    pub vital_paths: Vec<String>,
    /// The certificate, where clients speak TLS; agreed with them is HTTP/2, or HTTP/1.1. None.
    #[cfg(feature = "tls")]
    pub tls: Option<Tls>,
    /// How long the head of a request may take from its first byte, and the first byte from the beginning of the connection. 10 s; as long
    /// again for the first few bytes, which tell the version, for the end of a connection of HTTP/2, and for the handshake of TLS.
    pub header_timeout: Duration,
    /// How long a connection may wait for another request. 125 s: longer than proxies keep theirs (nginx 60 s, Go 90 s, Caddy 120 s), which
    /// would else send a request just as we close.
    pub idle_timeout: Duration,
    /// How long the answer to a request may take whose sender has ended its half of an HTTP/1.1 connection: it may be reading, or gone.
    /// 10 s.
    pub half_closed_timeout: Duration,
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
    /// How long requests under way may take to finish once the loop is told to end, and peers to go. 500 ms: an engine has been
    /// drained before, in at most 4 s, so that nothing is under way but what is refused and what is not taken; and a server is to end in 5 s.
    pub shutdown_timeout: Duration,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            connections_max: 100_000,
            connections_per_address_max: 512,
            proxies: TrustedProxies::default(),
            vital_paths: vec!["/healthz".to_owned(), "/readyz".to_owned()],
            #[cfg(feature = "tls")]
            tls: None,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(125),
            half_closed_timeout: Duration::from_secs(10),
            header_bytes_max: 16 << 10,
            body_timeout: Duration::from_secs(30),
            unsent_bytes_max: 128 << 10,
            stall_timeout: Duration::from_secs(40),
            vanish_timeout: Duration::from_secs(120),
            streams_max: 128,
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(20),
            shutdown_timeout: Duration::from_millis(500),
        }
    }
}

impl ServeConfig {
    /// Whether clients speak TLS.
    fn has_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }
}

/// What a connection begins with, besides its stream.
struct Start {
    place: Place,
    service: RequestService,
    config: Arc<ServeConfig>,
    end: watch::Receiver<bool>,
}

impl Start {
    fn with<S>(self, stream: S) -> impl Future<Output = ()> + Send
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let socket = Socket::new(stream, self.place, self.config.stall_timeout);
        http_connection::run(socket, self.service, self.config, self.end)
    }

    #[cfg(feature = "tls")]
    async fn with_tls<S>(mut self, stream: S, tls: Tls)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Boxed, to be freed with all that a handshake needs.
        let handshake = Box::pin(within(self.config.header_timeout, tls.accept(stream)));
        let accepted = tokio::select! {
            accepted = handshake => accepted,
            _ = self.end.changed() => return,
        };
        // A peer's failure to speak TLS is the peer's affair.
        if let Some(Ok(stream)) = accepted {
            self.with(stream).await;
        }
    }
}

/// Serves `router` on `listener` until `shutdown` resolves; then lets requests under way finish, and returns.
///
/// Connections that were upgraded belong to their transport by then and are left alone: drain the engine first.
pub async fn serve(listener: TcpListener, router: Router, config: ServeConfig, shutdown: impl Future<Output = ()>) {
    let config = Arc::new(config);
    let places = Places::new(config.connections_max, config.connections_per_address_max);
    // Of those without a place: they are told so.
    let (overflow_places, mut overflow) = (Places::new(usize::MAX, 0), Overflow::default());
    // `true` asks for an end after the request under way; a closed channel, for one at once.
    let (ending, end) = watch::channel(false);
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept::next(&listener, &config) => accepted,
        };
        let counted = Some(peer.ip()).filter(|address| !config.proxies.trusts(*address));
        let (place, crowded) = match places.take(counted) {
            Ok(place) => (place, None),
            Err(crowded) => {
                tracing::debug!(?crowded, "a connection has no place");
                (overflow_places.take(None).expect("it has no bound"), Some(crowded))
            }
        };
        let service = RequestService::new(
            router.clone(),
            Source::Client(peer),
            Arc::clone(&places),
            Arc::clone(&config),
            crowded,
        );
        let start = Start { place, service, config: Arc::clone(&config), end: end.clone() };
        #[cfg(feature = "tls")]
        if let Some(tls) = config.tls.clone() {
            overflow.run(start.with_tls(stream, tls), crowded);
            continue;
        }
        overflow.run(start.with(stream), crowded);
    }
    drop((listener, end));
    ending.send_replace(true);
    // Past the timeout the channel is dropped with whoever still listens to it.
    let _ = timeout(config.shutdown_timeout, ending.closed()).await;
}

/// Serves `router` on a connection of another server that passes requests on ([`PassOn`]), until that ends or `shutdown` resolves; then lets
/// the request under way finish.
///
/// It is the same router as that of [`serve`], and the same bounds hold for heads, bodies and waits. To handlers a request comes from where
/// the other server has it from, and the transports pass it on no further. Both are believed of whoever is at the other end of `stream`: it
/// must be a server of ours, on a listener that no client reaches. How many such connections there may be, and how many servers, is for the
/// caller to bound.
pub async fn serve_passed_on<S>(stream: S, router: Router, config: Arc<ServeConfig>, shutdown: impl Future<Output = ()>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let places = Places::new(1, 0);
    let place = places.take(None).expect("nobody else has one");
    let service = RequestService::new(router, Source::Server, places, Arc::clone(&config), None);
    let (ending, end) = watch::channel(false);
    let shutdown_timeout = config.shutdown_timeout;
    let mut connection = Box::pin(Start { place, service, config, end }.with(stream));
    tokio::select! {
        () = &mut connection => return,
        () = shutdown => {}
    }
    ending.send_replace(true);
    let _ = timeout(shutdown_timeout, connection).await;
}
