//! What an embedder may set about Socket.IO connections.

use std::time::Duration;

use chat_serve::{ClientAddress, Credentials, Origins, PassOn, TrustedProxies};

/// Where connections come in, from which pages, and how long a silent or slow one is kept.
#[derive(Clone, Debug)]
pub struct SocketIoConfig {
    /// The path of all requests; not the root. `/socket.io/`, which the stock clients ask for.
    pub path: String,
    /// How a client may connect. By long-polling and WebSocket.
    pub transports: Transports,
    /// Pages that may connect, by any request. Those from the same host; for the others, CORS gives browsers leave to read the
    /// answers to polls. Programs that are no browsers send no origin and always may.
    pub origins: Origins,
    /// Proxies that are believed about the host that a request was sent to. None.
    pub proxies: TrustedProxies,
    /// Who the client is, seen from its first request. The peer's own address, where the serving loop gives it.
    pub address: ClientAddress,
    /// Where a client says who it is, for the engine's policy, in its first request. In `Authorization: Bearer`, and in the `token` of the `auth`.
    pub credentials: Credentials,
    /// The other servers, where several are one service: a poll, a POST or a change to WebSocket whose session is at another is passed on to
    /// that one, which is named in the session's `sid`. None, and then a `sid` names no server.
    pub pass_on: PassOn,
    /// Engine.IO sessions at once. 100,000; above it new ones are turned away, to try again.
    pub connections_max: usize,
    /// Engine.IO sessions of one address at once; above it new ones are turned away, to try again. 512: twice as many as chat sessions,
    /// which they become once they have asked for the namespace. One that long-polls has no connection that would be counted, so that
    /// requests for new ones would else fill the memory. 0 for no bound. An IPv6 network of 64 bits counts as one address.
    pub connections_per_address_max: usize,
    /// How long an Engine.IO session may take to connect to the namespace. 10 s.
    pub connect_timeout: Duration,
    /// How long the body of a POST may take. 10 s.
    pub body_timeout: Duration,
    /// How long a WebSocket has to take over from long-polling, which goes on until it does. 10 s.
    pub upgrade_timeout: Duration,
    /// How often the peer is pinged. 25 s: below the minute after which many middleboxes forget a silent connection.
    pub ping_interval: Duration,
    /// How long the peer may take to answer a ping. 20 s.
    pub ping_timeout: Duration,
    /// How long the end of a connection may take: the last frames, and the peer's own leaving. 5 s.
    pub close_timeout: Duration,
    /// Bytes emitted and not yet taken by the connection. 128 KiB: what a connection that has stalled can hold up, besides
    /// socketioxide's own write buffer of as much. One frame may be longer.
    pub ahead_bytes_max: usize,
}

impl Default for SocketIoConfig {
    fn default() -> Self {
        Self {
            path: "/socket.io/".to_owned(),
            transports: Transports::All,
            origins: Origins::SameHost,
            proxies: TrustedProxies::default(),
            address: ClientAddress::default(),
            credentials: Credentials::default(),
            pass_on: PassOn::default(),
            connections_max: 100_000,
            connections_per_address_max: 512,
            connect_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            upgrade_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            ahead_bytes_max: 128 << 10,
        }
    }
}

/// How a client may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transports {
    /// By long-polling and WebSocket. Long-polling needs all requests of a client to reach the same server, or servers that
    /// [pass them on](SocketIoConfig::pass_on).
    All,
    /// By WebSocket only; clients must be told so (`transports: ["websocket"]`).
    WebSocket,
}
