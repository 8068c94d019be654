//! Takes connections from the listener: a bounded number at once of whom it is not known who they are.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::carry::carry;
use super::handshake::{self, Accepted};
use super::mesh::Mesh;
use super::options::HANDSHAKES_MAX;

/// How long to wait when the process has no file descriptors left. 250 ms: trying at once again would only burn a core.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(250);

/// Ends with the links.
pub(super) async fn run(mesh: Arc<Mesh>, listener: TcpListener) {
    let places = Arc::new(Places::default());
    let mut is_exhausted = false;
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                is_exhausted = false;
                let (mesh, place) = (Arc::clone(&mesh), places.take(from.ip()));
                tokio::spawn(async move {
                    mesh.end.run_until_cancelled(welcome(&mesh, stream, from, place)).await;
                });
            }
            Err(error) if is_of_one_peer(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut is_exhausted, true) {
                    tracing::warn!(%error, "no server can link to this one for the moment");
                }
                sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// Whether an error concerns a connection that ended before it was accepted, and not the listener.
fn is_of_one_peer(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn welcome(mesh: &Mesh, stream: TcpStream, from: SocketAddr, place: Place) {
    let mut who = None;
    // Large, and let go of before the link is carried.
    let handshake = Box::pin(handshake::accept(mesh, stream, &mut who));
    let Some(accepted) = place.lost.run_until_cancelled(handshake).await else {
        tracing::debug!(%from, "a connection has made way for another before it was known who it is");
        return;
    };
    drop(place);
    match accepted {
        Ok(Accepted::Link(peer, agreed)) => {
            if let Some(link) = mesh.link_up(&peer, agreed.attempt) {
                carry(mesh, &link, agreed.stream, agreed.frames).await;
            }
        }
        Ok(Accepted::Http(peer, stream)) => mesh.hand_on(&peer, stream),
        Err(refusal) => {
            match who {
                Some(peer) => mesh.complain(&peer, &refusal),
                // Anybody can bring this about, as often as they like.
                None => tracing::debug!(%from, %refusal, "a connection to the port of links is refused"),
            }
            if refusal.is_of_a_table() {
                mesh.inbox.stranger();
            }
        }
    }
}

/// The connections of which it is not known yet who they are.
#[derive(Default)]
struct Places(Mutex<Vec<Taken>>);

/// The oldest stand first.
struct Taken {
    network: IpAddr,
    lost: Arc<CancellationToken>,
}

/// The place of one connection.
struct Place {
    all: Arc<Places>,
    /// Cancelled when it has to make way.
    lost: Arc<CancellationToken>,
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, Vec<Taken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place. Where there is none, the network that has most loses the one that it has had longest: so a stranger who takes them all, and
    /// says nothing, keeps nobody out but itself.
    fn take(self: &Arc<Self>, from: IpAddr) -> Place {
        let mut all = self.lock();
        if all.len() >= HANDSHAKES_MAX {
            let mut counts = HashMap::new();
            all.iter().for_each(|taken| *counts.entry(taken.network).or_insert(0) += 1);
            let most = counts.values().max().copied();
            if let Some(at) = all.iter().position(|taken| counts.get(&taken.network).copied() == most) {
                all.remove(at).lost.cancel();
            }
        }
        let lost = Arc::new(CancellationToken::new());
        all.push(Taken { network: network(from), lost: Arc::clone(&lost) });
        Place { all: Arc::clone(self), lost }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.lock().retain(|taken| !Arc::ptr_eq(&taken.lost, &self.lost));
    }
}

/// What one stranger may have addresses of: 64 bits of IPv6.
fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn a_stranger_who_takes_all_places_loses_its_oldest_and_no_peer_loses_one() {
        let places = Arc::new(Places::default());
        let peer = places.take(Ipv4Addr::LOCALHOST.into());
        let strangers: Vec<Place> = (0..HANDSHAKES_MAX + 10).map(|_| places.take(STRANGER)).collect();
        let lost: Vec<bool> = strangers.iter().map(|place| place.lost.is_cancelled()).collect();
        assert_eq!(lost, [vec![true; 11], vec![false; HANDSHAKES_MAX - 1]].concat());
        let other = places.take(Ipv4Addr::LOCALHOST.into());
        assert!(strangers[11].lost.is_cancelled());
        assert!(!peer.lost.is_cancelled() && !other.lost.is_cancelled());
        drop(strangers);
        assert_eq!(places.lock().len(), 2, "whose place is lost or given back has none");
        drop((peer, other));
        assert!(places.lock().is_empty());
    }

    #[test]
    fn addresses_that_one_may_have_many_of_are_one_network() {
        let of = |address: &str| network(address.parse().expect("an address"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), STRANGER);
        assert_ne!(of("192.0.2.2"), STRANGER);
    }
}
