//! What an embedder may set about WebSocket connections.

use std::time::Duration;

use chat_serve::{ClientAddress, Credentials, Origins, TrustedProxies};

/// Where connections come in, from which pages, and how long a silent one is kept.
#[derive(Clone, Debug)]
pub struct WsConfig {
    /// The path of the upgrade. `/ws`.
    pub path: String,
    /// Pages that may connect. Those from the same host; programs that are no browsers send no origin and always may.
    pub origins: Origins,
    /// Proxies that are believed about the host that a request was sent to. None.
    pub proxies: TrustedProxies,
    /// How long the first frame may take. 10 s.
    pub first_frame_timeout: Duration,
    /// How often the peer is pinged. 25 s: below the minute after which many middleboxes forget a silent connection.
    pub ping_interval: Duration,
    /// How long after a ping's time the peer may stay silent before it counts as gone. 20 s.
    pub pong_timeout: Duration,
    /// How long the end of a connection may take: the last frames, and the peer's answer to the close frame. 5 s.
    pub close_timeout: Duration,
    /// Who the client is, seen from the upgrade request. The peer's own address, where the serving loop gives it.
    pub address: ClientAddress,
    /// Where a client says who it is, for the engine's policy. In `Authorization: Bearer`, and in the `token` of its `hello`.
    pub credentials: Credentials,
}

impl Default for WsConfig {
    fn default() -> Self {
        Self {
            path: "/ws".to_owned(),
            origins: Origins::SameHost,
            proxies: TrustedProxies::default(),
            first_frame_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(25),
            pong_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            address: ClientAddress::default(),
            credentials: Credentials::default(),
        }
    }
}
