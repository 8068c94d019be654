//! Where a client comes from, found in its request.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::http::Extensions;
use axum::http::request::Parts;

/// How a client's address is found. The peer's own by default; behind proxies, where the peer is a proxy, made from
/// [`TrustedProxies`](crate::TrustedProxies), or from a function that reads what a proxy has written; never from what any
/// client may write.
#[derive(Clone)]
pub struct ClientAddress(Arc<Find>);

type Find = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

impl ClientAddress {
    /// The address that `find` reads from the first request of a client.
    pub fn new(find: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    /// The address of whoever sent this request; `None` where it cannot be told.
    pub fn find(&self, request: &Parts) -> Option<IpAddr> {
        (self.0)(request)
    }
}

impl Default for ClientAddress {
    /// The peer's address, where the serving loop has put [`ConnectInfo<SocketAddr>`] into the request.
    fn default() -> Self {
        Self::new(|request| peer(&request.extensions))
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientAddress")
    }
}

/// The address at the other end of the connection. A socket that listens on both versions of IP shows peers of the fourth as
/// `::ffff:192.0.2.1`; here they are always `192.0.2.1`, or one client would have two addresses.
pub(crate) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn a_client_has_one_address_whatever_the_socket_listens_on() {
        for peer in ["192.0.2.1:1234", "[::ffff:192.0.2.1]:1234"] {
            let peer: SocketAddr = peer.parse().expect("an address");
            let request = Request::builder().extension(ConnectInfo(peer)).body(()).expect("a request").into_parts().0;
            assert_eq!(ClientAddress::default().find(&request), Some(IpAddr::from([192, 0, 2, 1])));
        }
    }

    #[test]
    fn without_a_serving_loop_that_tells_the_peer_there_is_no_address() {
        let request = Request::new(()).into_parts().0;
        assert_eq!(ClientAddress::default().find(&request), None);
    }
}
