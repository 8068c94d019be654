//! Who is linked to whom: the one place where a link begins and ends, and where that is told.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_core::{NodeId, NotSent};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsStream;
use tokio_util::sync::CancellationToken;

use super::frame::Kind;
use super::identity::Identity;
use super::inbox::Inbox;
use super::options::{HTTP_WAITING_MAX, LinkOptions};
use super::outbox::Outbox;
use super::pinned;
use super::table::{CurrentTable, Peer, Table};

/// A connection over which another server passes on what came to it.
#[derive(Debug)]
pub struct HttpConnection {
    /// Which server.
    pub from: NodeId,
    /// The connection, on which it will speak HTTP/1.1.
    pub stream: TlsStream<TcpStream>,
    /// Cancelled once that server is not in the table any more.
    pub gone: CancellationToken,
}

/// What all tasks of the links share.
pub(super) struct Mesh {
    pub(super) identity: Identity,
    pub(super) options: LinkOptions,
    pub(super) accepting: Arc<ServerConfig>,
    pub(super) table: Arc<CurrentTable>,
    pub(super) inbox: Inbox,
    /// Cancelled with the links.
    pub(super) end: CancellationToken,
    neighbours: Mutex<HashMap<NodeId, Neighbour>>,
    http: Mutex<Option<mpsc::Sender<HttpConnection>>>,
    /// Counts links, and attempts at one.
    numbers: AtomicU64,
}

/// One of the table.
struct Neighbour {
    peer: Arc<Peer>,
    gone: CancellationToken,
    link: Option<Arc<Link>>,
    /// What was last logged about the want of a link, so that it is said once.
    complaint: Option<String>,
}

/// A link that is up, or was.
pub(super) struct Link {
    pub(super) peer: NodeId,
    /// No other link of this server has it.
    pub(super) number: u64,
    /// The dialler's number of it.
    attempt: u64,
    pub(super) outbox: Outbox,
    /// Cancelled when it is down.
    pub(super) cut: CancellationToken,
}

/// A server that is to be dialled.
pub(super) struct ToDial {
    pub(super) me: NodeId,
    pub(super) peer: Arc<Peer>,
    /// Cancelled once it is not to be dialled any more.
    pub(super) gone: CancellationToken,
}

impl Mesh {
    pub(super) fn new(identity: Identity, options: LinkOptions) -> Self {
        let table = Arc::new(CurrentTable::default());
        Self {
            accepting: pinned::accepting(&identity, Arc::clone(&table)),
            identity,
            options,
            table,
            inbox: Inbox::default(),
            end: CancellationToken::new(),
            neighbours: Mutex::default(),
            http: Mutex::default(),
            numbers: AtomicU64::new(1),
        }
    }

    fn neighbours(&self) -> MutexGuard<'_, HashMap<NodeId, Neighbour>> {
        self.neighbours.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that is higher than all before it.
    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Replaces the table: cuts who is not in it any more or is there otherwise, and tells who is to be dialled.
    ///
    /// Of two servers the one with the smaller id dials. Whoever shows this server's certificate is this server under an earlier id.
    pub(super) fn set_peers(&self, me: NodeId, peers: Vec<Peer>) -> Vec<ToDial> {
        let mut neighbours = self.neighbours();
        let is_same_me = self.table.load().me == Some(me);
        let mut before = std::mem::take(&mut *neighbours);
        let mut new = Vec::new();
        for peer in peers {
            if peer.id == me || peer.certificate == self.identity.certificate_der() || neighbours.contains_key(&peer.id)
            {
                continue;
            }
            if is_same_me && before.get(&peer.id).is_some_and(|known| *known.peer == peer) {
                neighbours.extend(before.remove_entry(&peer.id));
                continue;
            }
            let neighbour =
                Neighbour { peer: Arc::new(peer), gone: self.end.child_token(), link: None, complaint: None };
            if me < neighbour.peer.id {
                new.push(ToDial { me, peer: Arc::clone(&neighbour.peer), gone: neighbour.gone.clone() });
            }
            neighbours.insert(neighbour.peer.id, neighbour);
        }
        self.table.store(Table::new(me, neighbours.values().map(|neighbour| Arc::clone(&neighbour.peer))));
        for mut neighbour in before.into_values() {
            neighbour.gone.cancel();
            self.take_down(&mut neighbour, &"it is not in the table any more, or is there otherwise");
        }
        new
    }

    /// Begins a link, in place of one that is there. Nothing where the table has changed meanwhile, or where a later attempt was faster.
    pub(super) fn link_up(&self, peer: &Arc<Peer>, attempt: u64) -> Option<Arc<Link>> {
        let mut neighbours = self.neighbours();
        let neighbour = neighbours.get_mut(&peer.id).filter(|neighbour| Arc::ptr_eq(&neighbour.peer, peer))?;
        if neighbour.link.as_ref().is_some_and(|link| link.attempt > attempt) {
            return None;
        }
        self.take_down(neighbour, &"the other side has begun another");
        let link = Arc::new(Link {
            peer: peer.id,
            number: self.number(),
            attempt,
            outbox: Outbox::default(),
            cut: self.end.child_token(),
        });
        neighbour.link = Some(Arc::clone(&link));
        neighbour.complaint = None;
        self.inbox.up(peer.id, link.number);
        tracing::info!(peer = %peer.id, address = peer.address, "the link to a server is up");
        Some(link)
    }

    /// Ends this link, where it has not ended yet.
    pub(super) fn link_down(&self, link: &Link, why: &dyn fmt::Display) {
        let mut neighbours = self.neighbours();
        if let Some(neighbour) = neighbours.get_mut(&link.peer)
            && neighbour.link.as_ref().is_some_and(|current| current.number == link.number)
        {
            self.take_down(neighbour, why);
        }
    }

    fn take_down(&self, neighbour: &mut Neighbour, why: &dyn fmt::Display) {
        if let Some(link) = neighbour.link.take() {
            link.cut.cancel();
            self.inbox.down(link.peer);
            tracing::warn!(peer = %link.peer, %why, "the link to a server is down");
        }
    }

    /// Queues something for a peer. A link that has no room for it is cut.
    pub(super) fn send(&self, to: NodeId, kind: Kind, body: Vec<u8>) -> Result<(), NotSent> {
        let mut neighbours = self.neighbours();
        let neighbour = neighbours.get_mut(&to).ok_or(NotSent)?;
        let link = neighbour.link.as_ref().ok_or(NotSent)?;
        if let Err(no_room) = link.outbox.push(kind, body) {
            self.take_down(neighbour, &no_room);
            return Err(NotSent);
        }
        Ok(())
    }

    /// Who is in the table under this id.
    pub(super) fn peer(&self, id: NodeId) -> Option<Arc<Peer>> {
        self.neighbours().get(&id).map(|neighbour| Arc::clone(&neighbour.peer))
    }

    /// Says why there is no link to a peer, once until there is one or the reason is another.
    pub(super) fn complain(&self, peer: &Peer, why: &dyn fmt::Display) {
        let mut neighbours = self.neighbours();
        let Some(neighbour) = neighbours.get_mut(&peer.id) else { return };
        let why = why.to_string();
        if neighbour.link.is_none() && neighbour.complaint.as_ref() != Some(&why) {
            tracing::warn!(peer = %peer.id, address = peer.address, why, "there is no link to a server");
            neighbour.complaint = Some(why);
        }
    }

    /// Whoever takes connections for HTTP from now on.
    pub(super) fn http_connections(&self) -> mpsc::Receiver<HttpConnection> {
        let (sender, receiver) = mpsc::channel(HTTP_WAITING_MAX);
        *self.http.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// Hands on a connection for HTTP. It is closed where nobody takes them, and where too many wait.
    pub(super) fn hand_on(&self, peer: &Arc<Peer>, stream: TlsStream<TcpStream>) {
        let gone = match self.neighbours().get(&peer.id) {
            Some(neighbour) if Arc::ptr_eq(&neighbour.peer, peer) => neighbour.gone.clone(),
            _ => return,
        };
        let connection = HttpConnection { from: peer.id, stream, gone };
        let http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = http.as_ref().is_none_or(|http| http.try_send(connection).is_err());
        if refused {
            tracing::debug!(peer = %peer.id, "a connection for HTTP is closed: nobody takes it");
        }
    }
}
