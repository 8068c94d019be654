//! Who the client is behind proxies: the last address in the chain that no proxy of ours has.
//!
//! Every proxy appends the address of its own peer to `X-Forwarded-For`. So read from the right, each entry is as good as the
//! one who wrote it: the first that is not itself a trusted proxy was written by one, and whatever stands left of it by
//! anybody.
//!
//! ```text
//! X-Forwarded-For: 10.9.9.9, 203.0.113.7, 10.0.0.2        peer: 10.0.0.1        trusted: 10.0.0.0/8
//!                  made up   the client   a proxy               a proxy
//! ```
//!
//! `Forwarded` (RFC 7239) is not read for that: a proxy that writes one of the two headers hands on whatever the client put into the
//! other. For the host that a request was sent to it is, after `X-Forwarded-Host`: what matters there is what a stranger's page can have
//! a browser send, and that is neither.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::header::{FORWARDED, HOST};
use axum::http::{HeaderMap, HeaderName, Request};
use ipnet::{IpNet, Ipv4Net};

use super::address::{ClientAddress, peer};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Bits of an IPv6 address that only say that it holds one of IPv4, `::ffff:0:0/96`.
const MAPPED_BITS: u8 = 96;

/// The networks whose hosts are proxies of ours. None by default, and then every client is its peer.
///
/// ```
/// use chat_serve::{ClientAddress, TrustedProxies};
///
/// let proxies = TrustedProxies::new(["10.0.0.0/8".parse()?, "fd00::1".parse()?]);
/// let address: ClientAddress = proxies.into();
/// # Ok::<_, chat_serve::BadNetwork>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

/// Among the extensions of a request that came over TLS of our own loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OverTls;

/// Addresses with a common beginning: `10.0.0.0/8`, `fd00::/8`, or just one, `192.0.2.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// A text that is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNetwork {
    /// Not an address, or not a number of bits that such an address has.
    #[error("not an address (192.0.2.1) or network (10.0.0.0/8, fd00::/8)")]
    Unreadable,
    /// The address goes on where the network ends, so that one of the two is a mistake.
    #[error("the address has more bits than the network; the network is {0}")]
    TooLong(IpNet),
}

impl Network {
    /// Whether the address is in this network. One of IPv4 never is in a network of IPv6, in whichever way it is written.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse().map_err(|_| BadNetwork::Unreadable)?,
        };
        if network.addr() != network.network() {
            return Err(BadNetwork::TooLong(network.trunc()));
        }
        Ok(Self(canonical(network)))
    }
}

/// The same network of IPv4, where it is one: no peer is ever seen under a mapped address.
fn canonical(network: IpNet) -> IpNet {
    match (network.addr().to_canonical(), network.prefix_len().checked_sub(MAPPED_BITS)) {
        (IpAddr::V4(address), Some(bits)) if network.addr().is_ipv6() => {
            Ipv4Net::new(address, bits).expect("of 128 bits, 96 leave 32").into()
        }
        _ => network,
    }
}

impl TrustedProxies {
    /// Hosts of all these networks are trusted to tell the truth about their own peers.
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// The address of the client whose request came from `peer` with these headers.
    ///
    /// A peer that is no trusted proxy is the client, whatever it says. Where a trusted proxy names nobody, or what is no
    /// address, the client is that proxy; where everybody in the chain is trusted, the one it begins with.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
        // A line that is no text is one entry that is no address.
        let mut hops = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
        while self.trusts(client) {
            match hops.next().and_then(parse) {
                Some(hop) => client = hop,
                None => break,
            }
        }
        client
    }

    /// The host that a request was sent to, with a port where it is not the scheme's own. From a trusted proxy it is what that names last in
    /// `X-Forwarded-Host` or else in `Forwarded`, as it may have put its own name for this server in place of it; else what the request
    /// itself names.
    pub fn host<'a, B>(&self, request: &'a Request<B>) -> Option<&'a str> {
        let forwarded = self.hand_on(request).then(|| forwarded(request.headers(), X_FORWARDED_HOST, "host")).flatten();
        forwarded.or_else(|| match request.uri().authority() {
            // HTTP/2 has it in the URI, HTTP/1.1 in a header.
            Some(authority) => Some(authority.as_str()),
            None => request.headers().get(HOST)?.to_str().ok(),
        })
    }

    /// Whether a client's request came over TLS, as far as is known here: our own loop has it so, or a trusted proxy says so last in
    /// `X-Forwarded-Proto` or else in `Forwarded`.
    pub fn is_over_tls<B>(&self, request: &Request<B>) -> bool {
        let says = || forwarded(request.headers(), X_FORWARDED_PROTO, "proto");
        let is_said =
            || says().is_some_and(|scheme| ["https", "wss"].iter().any(|tls| tls.eq_ignore_ascii_case(scheme)));
        request.extensions().get::<OverTls>().is_some() || self.hand_on(request) && is_said()
    }

    /// Whether a request comes from one of these proxies.
    fn hand_on<B>(&self, request: &Request<B>) -> bool {
        peer(request.extensions()).is_some_and(|peer| self.trusts(peer))
    }

    /// Whether this address is a proxy's of ours.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl From<TrustedProxies> for ClientAddress {
    fn from(proxies: TrustedProxies) -> Self {
        Self::new(move |request| peer(&request.extensions).map(|peer| proxies.client(peer, &request.headers)))
    }
}

/// What the last proxy says in a header of its own, or else under this name in `Forwarded`.
fn forwarded<'a>(headers: &'a HeaderMap, header: HeaderName, name: &str) -> Option<&'a str> {
    let last =
        |name: HeaderName| headers.get_all(name).iter().next_back()?.to_str().ok()?.rsplit(',').next().map(str::trim);
    let plain = last(header).filter(|value| !value.is_empty());
    plain.or_else(|| {
        let mut pairs = last(FORWARDED)?.split(';').filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
    })
}

/// One entry: an address, as some proxies write it with a port, and then IPv6 in brackets.
fn parse(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse().ok().or_else(|| hop.parse().ok().map(|with_port: SocketAddr| with_port.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests;
