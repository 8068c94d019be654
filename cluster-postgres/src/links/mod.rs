//! Links between servers: one between each two, over TLS 1.3, on which both sides show the certificate that the table of servers names.
//!
//! The links are told the table ([`Links::set_peers`]) and carry bytes; they know no database, no room, and nothing of what they carry. What one of
//! them loses is lost: whoever sent it hears of the end of the link, and begins anew with the next.
//!
//! - **One link for each two servers**: the one with the smaller id dials, again and again. A newer connection takes the place of an older one.
//! - **Who is who** is what the table says, by certificate. A connection of anybody else ends with the handshake of TLS, and
//!   [`LinkEvent::Unknown`] tells of it: it may be a server that has just come. A hello on each side names the version, who speaks, and to whom.
//! - **Order**: of one peer [`Links::next`] tells Up, what came, Down, Up and so on; nothing of a link comes after its Down. Parcels come in the order
//!   in which they were sent, and so does what the servers say beside them ([`Links::send_control`]), which goes before parcels that wait.
//! - **Bounds**: what waits to be written to a link ([`QUEUE_BYTES_MAX`]; more cuts it, as does a larger parcel than [`PARCEL_BYTES_MAX`]), what has
//!   come and was not taken ([`ARRIVED_BYTES_MAX`] for each peer; more is not read from the socket), and connections of which it is not known who
//!   they are ([`HANDSHAKES_MAX`], 5 s each). A link without a byte for [`LinkOptions::silence`] is down.
//! - **HTTP on the same port**, told apart by ALPN, with the same certificates: [`Links::http_connections`] and [`Links::connect_http`].

mod accept;
mod carry;
mod dial;
mod frame;
mod handshake;
mod hello;
mod identity;
mod inbox;
mod mesh;
mod options;
mod outbox;
mod pinned;
mod socket;
mod table;

use std::io;
use std::sync::Arc;

use chat_core::{NodeId, NotSent};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_rustls::TlsStream;

use frame::Kind;
use handshake::Refusal;
use mesh::Mesh;

pub use identity::{Identity, IdentityError};
pub use inbox::LinkEvent;
pub use mesh::HttpConnection;
pub use options::{ARRIVED_BYTES_MAX, HANDSHAKES_MAX, LinkOptions, PARCEL_BYTES_MAX, QUEUE_BYTES_MAX};
pub use table::Peer;

/// The links of one server. They end with it, and their peers hear of that.
pub struct Links {
    mesh: Arc<Mesh>,
    runtime: Handle,
}

impl Links {
    /// Begins to listen, on the runtime that this is called on. Everybody is refused until there is a table.
    pub fn start(listener: TcpListener, identity: Identity, options: LinkOptions) -> Self {
        let mesh = Arc::new(Mesh::new(identity, options));
        let runtime = Handle::current();
        let accepting = Arc::clone(&mesh);
        runtime.spawn(async move {
            let end = accepting.end.clone();
            end.run_until_cancelled(accept::run(accepting, listener)).await;
        });
        Self { mesh, runtime }
    }

    /// Replaces the table: this server's id, and all others. Who is not in it any more, or has another address or certificate, is cut; who is new is
    /// dialled, or may dial. Under another id of this server every link is cut and made anew. A row of this server itself, also of an earlier id of
    /// it, is passed over.
    pub fn set_peers(&self, me: NodeId, peers: Vec<Peer>) {
        for to_dial in self.mesh.set_peers(me, peers) {
            self.runtime.spawn(dial::keep(Arc::clone(&self.mesh), to_dial));
        }
    }

    /// Queues a parcel of the engine. A link that has no room for it is cut, and both ends hear of that.
    ///
    /// # Errors
    /// There is no link: the parcel never comes.
    pub fn send(&self, to: NodeId, parcel: Vec<u8>) -> Result<(), NotSent> {
        self.mesh.send(to, Kind::Parcel, parcel)
    }

    /// Queues what this server says to another beside the engine's parcels: it goes before those that wait.
    ///
    /// # Errors
    /// As [`Links::send`].
    pub fn send_control(&self, to: NodeId, bytes: Vec<u8>) -> Result<(), NotSent> {
        self.mesh.send(to, Kind::Control, bytes)
    }

    /// The next thing that has happened, once it has. One task asks, again and again, and nobody else; one that was dropped while it waited has
    /// taken nothing. Peers take turns.
    pub async fn next(&self) -> LinkEvent {
        self.mesh.inbox.next().await
    }

    /// The connections over which others pass on requests, from now on; whoever asked before has no more of them. Where nobody has asked, or does not
    /// take them, they are closed.
    pub fn http_connections(&self) -> mpsc::Receiver<HttpConnection> {
        self.mesh.http_connections()
    }

    /// Opens a connection over which requests can be passed on to another server. One whose certificate the other does not know is closed by it at
    /// once, which shows when it is read.
    ///
    /// # Errors
    /// The server is not in the table, cannot be reached within 5 s, or is another than the table says.
    pub async fn connect_http(&self, to: NodeId) -> io::Result<TlsStream<TcpStream>> {
        let peer = self.mesh.peer(to).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, NotSent))?;
        match handshake::in_time(handshake::connect(&self.mesh, &peer, pinned::HTTP)).await {
            Ok(stream) => Ok(stream),
            Err(refusal) => {
                if refusal.is_of_a_table() {
                    self.mesh.inbox.stranger();
                }
                Err(match refusal {
                    Refusal::Io(error) => error,
                    Refusal::Slow(_) => io::Error::new(io::ErrorKind::TimedOut, refusal),
                    other => io::Error::other(other),
                })
            }
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.mesh.end.cancel();
    }
}

#[cfg(test)]
mod tests;
