//! What an embedder may set about Socket.IO connections.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

/// Where connections come in, from which pages, and how long a silent or slow one is kept.
#[derive(Clone, Debug)]
pub struct SocketIoConfig {
    /// The path of all requests; not the root. `/socket.io/`, which the stock clients ask for.
    pub path: String,
    /// How a client may connect. By long-polling and WebSocket.
    pub transports: Transports,
    /// Pages that may connect. Those from the same host; programs that are no browsers send no origin and always may.
    pub origins: Origins,
    /// Who the client is, seen from its first request. The peer's own address, where the serving loop gives it.
    pub address: ClientAddress,
    /// Engine.IO sessions at once. 100,000; above it new ones are turned away, to try again.
    pub connections_max: usize,
    /// How long an Engine.IO session may take to connect to the namespace. 10 s.
    pub connect_timeout: Duration,
    /// How long the change from long-polling to WebSocket may take. 10 s.
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
            address: ClientAddress::default(),
            connections_max: 100_000,
            connect_timeout: Duration::from_secs(10),
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
    /// By long-polling and WebSocket. Long-polling needs all requests of a client to reach the same server.
    All,
    /// By WebSocket only; clients must be told so (`transports: ["websocket"]`).
    WebSocket,
}

/// Pages that may open a connection.
///
/// Browsers let any page on the internet open a WebSocket to any host, with the cookies of that host. Only the `Origin`
/// header, which a page cannot change, tells a stranger's page from one's own. Pages of another host that are to connect by
/// long-polling need a CORS layer around the routes too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Those whose host and port are the ones in the `Host` header.
    SameHost,
    /// These, written as browsers do: `https://chat.example.org`. For a server behind a proxy that rewrites `Host`.
    Listed(Vec<String>),
    /// All. For servers whose policy looks at more than a cookie.
    Any,
}

impl Origins {
    /// Whether a client whose first request has these headers may connect.
    pub(crate) fn allow(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        if origins.next().is_some() {
            return false;
        }
        match self {
            Self::Any => true,
            Self::Listed(listed) => listed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)),
            Self::SameHost => {
                let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
                // An origin is `scheme://host[:port]` or `null`; both leave a scheme's own port out.
                let own = origin.split_once("://").map(|(_, authority)| authority);
                host.is_some() && own.zip(host).is_some_and(|(own, host)| own.eq_ignore_ascii_case(host))
            }
        }
    }
}

/// How a client's address is found. Behind a proxy, where the peer is the proxy, give it a function that reads the header which
/// that proxy sets; never one that any client may set.
#[derive(Clone)]
pub struct ClientAddress(Arc<Find>);

type Find = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

impl ClientAddress {
    /// The address that `find` reads from the first request of a client.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(header::HeaderName, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header value"))).collect()
    }

    fn from(origin: &str) -> HeaderMap {
        headers(&[(header::HOST, "chat.example.org:8080"), (header::ORIGIN, origin)])
    }

    #[test]
    fn only_pages_of_the_same_host_and_port_come_in() {
        let same = Origins::SameHost;
        assert!(same.allow(&from("http://chat.example.org:8080")));
        assert!(same.allow(&from("https://CHAT.example.org:8080")));
        assert!(!same.allow(&from("http://chat.example.org")));
        assert!(!same.allow(&from("http://evil.example.org:8080")));
        assert!(!same.allow(&from("http://chat.example.org:8080.evil.org")));
        assert!(!same.allow(&from("null")));
        assert!(!same.allow(&headers(&[(header::ORIGIN, "http://chat.example.org:8080")])));
    }

    #[test]
    fn a_program_that_is_no_browser_sends_no_origin_and_comes_in() {
        assert!(Origins::SameHost.allow(&headers(&[(header::HOST, "chat.example.org")])));
        assert!(Origins::Listed(Vec::new()).allow(&HeaderMap::new()));
    }

    #[test]
    fn listed_pages_come_in_whatever_the_host() {
        let listed = Origins::Listed(vec!["https://chat.example.org".to_owned()]);
        assert!(listed.allow(&from("https://chat.example.org")));
        assert!(!listed.allow(&from("http://chat.example.org")));
        assert!(Origins::Any.allow(&from("http://anyone.example.net")));
    }

    #[test]
    fn two_origins_are_none() {
        let mut headers = from("http://chat.example.org:8080");
        headers.append(header::ORIGIN, "http://chat.example.org:8080".parse().expect("a header value"));
        assert!(!Origins::SameHost.allow(&headers));
    }
}
