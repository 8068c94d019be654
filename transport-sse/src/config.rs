//! What an embedder may set about streams and their commands.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;

/// How streams are kept alive, how clients come back, and whose pages may read the answers.
#[derive(Clone, Debug)]
pub struct SseConfig {
    /// After how much silence a comment is sent. 15 s: below the half minute after which some proxies give up.
    pub heartbeat_interval: Duration,
    /// How long a client should wait before it reconnects. 2 s; each is told between one and two of it, so that after a
    /// crash not all of them come back in the same moment.
    pub retry: Duration,
    /// How long the body of a POST may take. 10 s.
    pub body_timeout: Duration,
    /// Pages of other origins that may use these routes, written as browsers do: `https://chat.example.org`. None.
    /// Pages from the same origin, and programs that are no browsers, always may.
    pub allowed_origins: Vec<String>,
    /// Who the client is, seen from its request. The peer's own address, where the serving loop gives it.
    pub address: ClientAddress,
}

impl Default for SseConfig {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_secs(15),
            retry: Duration::from_secs(2),
            body_timeout: Duration::from_secs(10),
            allowed_origins: Vec::new(),
            address: ClientAddress::default(),
        }
    }
}

/// How a client's address is found. Behind a proxy, where the peer is the proxy, give it a function that reads the
/// header which that proxy sets; never one that any client may set.
#[derive(Clone)]
pub struct ClientAddress(Arc<Find>);

type Find = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

impl ClientAddress {
    /// The address that `find` reads from the request for a stream.
    pub fn new(find: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    pub(crate) fn find(&self, request: &Parts) -> Option<IpAddr> {
        (self.0)(request)
    }
}

impl Default for ClientAddress {
    /// The peer's address, where the serving loop has put [`ConnectInfo<SocketAddr>`] into the request.
    fn default() -> Self {
        Self::new(|request| request.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip()))
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientAddress")
    }
}
