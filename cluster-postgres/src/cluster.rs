//! One server's place among the others: what the table says of them, and the links to them, as one engine needs them.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{Cluster, ClusterEvent, NodeId, NotSent, Owner, Slot};
use log_postgres::{Changed, Member, MemberOptions, Members, OpenError, Options, PgLog, Setup};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsStream;

use crate::links::{HttpConnection, Identity, IdentityError, LinkEvent, LinkOptions, Links, Peer};
use crate::told;

/// The longest silence of a link, whatever the lease is. 3 s, as [`LinkOptions`] has it.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// Names that a server goes by: as many as it may have had within the life of a stream. 16.
const NAMES_MAX: usize = 16;

/// How a server joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinOptions {
    /// How the log is kept, and what the server is called.
    pub log: Options,
    /// Where it listens for the others. Port 0: any that is free.
    pub listen: SocketAddr,
    /// Where the others reach it, where that is not where it listens: host and port.
    pub address: Option<String>,
    /// See [`MemberOptions::lease`].
    pub lease: Duration,
    /// See [`MemberOptions::setup`].
    pub setup: Setup,
}

/// Why a server could not join.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The database.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// Nobody can listen there.
    #[error("cannot listen for other servers on {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
    /// There is no key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// How a server stands among the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether the database has answered its beat within the lease: without that it decides nothing.
    pub holds: bool,
    /// Whether it has begun to give its rooms away.
    pub is_draining: bool,
    /// Slots that are its own.
    pub slots: usize,
    /// Servers that there are, this one among them.
    pub servers: usize,
    /// Those of the others that a link leads to.
    pub linked: usize,
    /// Whether it is cut off from those of the others that reach each other, and has been for two leases or since it began: it gives its rooms away,
    /// and nobody new is to be sent to it. Of any servers that are there, some are not.
    pub is_apart: bool,
    /// Whether it is, and has been for two leases: who is connected to it is better off at another server before the graces of rooms run out there
    /// ([`Engine::send_away`](chat_core::Engine::send_away)).
    pub stays_apart: bool,
}

/// The servers that share a PostgreSQL database, as one of them has them.
pub struct PgCluster {
    members: Members,
    links: Links,
    linked: Mutex<BTreeSet<NodeId>>,
    /// The table that the links have.
    peers: Mutex<Vec<Peer>>,
    /// What this server was before it was deposed, the latest last; and what it is.
    names: Mutex<VecDeque<NodeId>>,
}

impl PgCluster {
    /// Opens the log at a database beside the other servers on it, and begins to link with them. Must be called on a tokio runtime with time and
    /// input and output, where its tasks go on; the engine that is given both is to ask for events, or nothing is heard of the others.
    ///
    /// # Errors
    /// See [`JoinError`].
    pub async fn join(database: &str, options: JoinOptions) -> Result<(PgLog, Self), JoinError> {
        let JoinOptions { log, listen, address, lease, setup } = options;
        let cannot = |error| JoinError::Listen(listen, error);
        let listener = TcpListener::bind(listen).await.map_err(cannot)?;
        let address = match address {
            Some(address) => address,
            None => listener.local_addr().map_err(cannot)?.to_string(),
        };
        let identity = Identity::draw(&log.name)?;
        let member = MemberOptions { address, certificate: identity.certificate_der().to_vec(), lease, setup };
        let (log, members) = PgLog::join(database, log, member).await?;
        let silence = SILENCE_MAX.min(lease * 3 / 5);
        let links = Links::start(listener, identity, LinkOptions { ping: silence / 3, silence });
        let this = Self { members, links, linked: Mutex::default(), peers: Mutex::default(), names: Mutex::default() };
        this.meet();
        this.members.reach([]);
        Ok((log, this))
    }

    /// Which server this is. It is another after it was deposed.
    pub fn id(&self) -> NodeId {
        self.members.me()
    }

    /// By which name requests for this server are known: 26 letters and digits. It is another after the server was deposed.
    pub fn name(&self) -> String {
        self.id().to_string()
    }

    /// Whether requests for a server of this name are for this one, under its name of now or an earlier one.
    pub fn is_me(&self, name: &str) -> bool {
        self.name() == name || self.former().iter().any(|id| id.to_string() == name)
    }

    /// How this server stands among the others.
    pub fn standing(&self) -> Standing {
        Standing {
            holds: self.members.holds(),
            is_draining: self.members.is_draining(),
            slots: self.members.own().len(),
            servers: self.members.list().len(),
            linked: self.linked().len(),
            is_apart: self.members.is_apart(),
            stays_apart: self.members.stays_apart(),
        }
    }

    /// Gives all rooms to the other servers and takes none any more; waits until that is done, at most `max`. Whoever is connected here stays, and
    /// follows their rooms.
    pub async fn drain(&self, max: Duration) {
        self.members.drain(max).await;
    }

    /// The connections over which other servers pass on requests. See [`Links::http_connections`].
    pub fn http_connections(&self) -> mpsc::Receiver<HttpConnection> {
        self.links.http_connections()
    }

    /// Opens a connection over which a request can be passed on to the server of this name.
    ///
    /// # Errors
    /// See [`Links::connect_http`]; [`io::ErrorKind::NotFound`] where there is no such server.
    pub async fn connect_http(&self, name: &str) -> io::Result<TlsStream<TcpStream>> {
        let to = self.members.list().into_iter().find(|member| member.node.to_string() == name);
        match to {
            Some(member) => self.links.connect_http(member.node).await,
            None => Err(io::Error::new(io::ErrorKind::NotFound, "there is no such server")),
        }
    }

    /// Has links to those who are there. One whose row is gone keeps its link until that breaks: it may be cut off from the database, and hears on it
    /// who has its rooms.
    fn meet(&self) {
        let peer = |member: Member| Peer { id: member.node, address: member.address, certificate: member.certificate };
        let mut peers: Vec<Peer> = self.members.list().into_iter().map(peer).collect();
        let mut known = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let linked = self.linked();
        let is_new = |peer: &Peer| peers.iter().all(|one| one.id != peer.id && one.certificate != peer.certificate);
        let gone: Vec<Peer> = known.iter().filter(|peer| linked.contains(&peer.id) && is_new(peer)).cloned().collect();
        peers.extend(gone);
        known.clone_from(&peers);
        let (me, mut names) = (self.members.me(), self.former());
        if names.back() != Some(&me) {
            names.push_back(me);
            if names.len() > NAMES_MAX {
                names.pop_front();
            }
        }
        drop(names);
        self.links.set_peers(self.members.me(), peers);
    }

    /// Takes in what has changed, and tells the others what this server has done.
    fn take_in(&self, changed: &Changed) {
        // First those that a link leads to: one of them may be out of the table now, and hears it from nobody else.
        if !changed.told.is_empty() {
            let bytes = told::encode(&changed.told);
            for node in self.linked().iter() {
                // Who cannot be told reads it in the table.
                let _ = self.links.send_control(*node, bytes.clone());
            }
        }
        if changed.members {
            self.meet();
        }
    }

    fn say_whom_it_reaches(&self) {
        self.members.reach(self.linked().iter().copied());
    }

    fn former(&self) -> MutexGuard<'_, VecDeque<NodeId>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn linked(&self) -> MutexGuard<'_, BTreeSet<NodeId>> {
        self.linked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the engine is to hear of it.
    fn hear(&self, event: LinkEvent) -> Option<ClusterEvent> {
        match event {
            LinkEvent::Up(node) => {
                self.linked().insert(node);
                self.say_whom_it_reaches();
                // Who is cut off from the database learns from others who has taken what.
                let _ = self.links.send_control(node, told::encode(&self.members.own()));
                Some(ClusterEvent::LinkUp(node))
            }
            LinkEvent::Down(node) => {
                self.linked().remove(&node);
                self.say_whom_it_reaches();
                if self.members.list().iter().all(|member| member.node != node) {
                    self.meet();
                }
                Some(ClusterEvent::LinkDown(node))
            }
            LinkEvent::Parcel { from, bytes } => Some(ClusterEvent::Parcel { from, parcel: bytes }),
            LinkEvent::Control { from, bytes } => {
                match told::decode(&bytes) {
                    Ok(moves) => self.members.hear(from, &moves),
                    Err(error) => tracing::warn!(%from, %error, "what a server has said of slots cannot be read"),
                }
                None
            }
            LinkEvent::Unknown => {
                self.members.look();
                None
            }
        }
    }
}

#[async_trait]
impl Cluster for PgCluster {
    fn owner(&self, slot: Slot) -> Owner {
        self.members.owner(slot)
    }

    fn send(&self, to: NodeId, parcel: Vec<u8>) -> Result<(), NotSent> {
        self.links.send(to, parcel)
    }

    fn living(&self) -> Vec<NodeId> {
        let me = self.id();
        self.members.list().into_iter().map(|member| member.node).filter(|node| *node != me).collect()
    }

    async fn next(&self) -> ClusterEvent {
        loop {
            // Both take nothing while they wait.
            tokio::select! {
                changed = self.members.changed() => {
                    self.take_in(&changed);
                    if !changed.slots.is_empty() {
                        return ClusterEvent::Moved(changed.slots);
                    }
                }
                event = self.links.next() => {
                    if let Some(event) = self.hear(event) {
                        return event;
                    }
                }
            }
        }
    }
}
