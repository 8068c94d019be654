//! From a bare connection to one whose other end is known: TLS, and on a link the hellos.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chat_core::NodeId;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::frame::{Frames, Unreadable};
use super::hello::{BadHello, Hello};
use super::mesh::Mesh;
use super::options::HANDSHAKE_TIME_MAX;
use super::pinned::{self, HTTP, LINK};
use super::socket;
use super::table::Peer;

/// A link that both sides agree on.
pub(super) struct Agreed {
    pub(super) attempt: u64,
    pub(super) stream: TlsStream<TcpStream>,
    /// What arrived behind the hello is in it.
    pub(super) frames: Frames,
}

/// What a connection that was accepted turned out to be.
pub(super) enum Accepted {
    Link(Arc<Peer>, Agreed),
    Http(Arc<Peer>, TlsStream<TcpStream>),
}

/// Why a connection came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it is not known who is at the other end after {0:?}")]
    Slow(Duration),
    #[error("the other end has another certificate than the table says")]
    Stranger,
    #[error("the other end does not know this server's certificate: it has not read the table yet, or another one")]
    Unknown,
    #[error("the other end speaks neither of links nor HTTP")]
    Protocol,
    #[error(transparent)]
    Hello(#[from] BadHello),
    #[error("the other end was not heard out: {0}")]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Io(io::Error),
}

impl Refusal {
    /// Whether a newer table may put it right.
    pub(super) fn is_of_a_table(&self) -> bool {
        matches!(self, Self::Stranger) || matches!(self, Self::Hello(bad) if bad.is_of_a_table())
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error {
            error if pinned::is_of_a_stranger(&error) => Self::Stranger,
            error if pinned::is_refused(&error) => Self::Unknown,
            error => Self::Io(error),
        }
    }
}

/// Dials a peer: TLS, and no more.
pub(super) async fn connect(mesh: &Mesh, peer: &Peer, protocol: &[u8]) -> Result<TlsStream<TcpStream>, Refusal> {
    let stream = TcpStream::connect(&peer.address).await?;
    socket::prepare(&stream)?;
    let config = pinned::dialling(&mesh.identity, &peer.certificate, protocol);
    let stream = TlsConnector::from(config).connect(pinned::no_name(), stream).await?;
    if stream.get_ref().1.alpn_protocol() != Some(protocol) {
        return Err(Refusal::Protocol);
    }
    Ok(stream.into())
}

/// Dials a peer for a link.
pub(super) async fn dial(mesh: &Mesh, me: NodeId, peer: &Peer) -> Result<Agreed, Refusal> {
    let dialled = async {
        let mut stream = connect(mesh, peer, LINK).await?;
        let attempt = mesh.number();
        stream.write_all(&Hello { me, you: peer.id, attempt }.encode()).await?;
        stream.flush().await?;
        let mut frames = Frames::new();
        let theirs = read_hello(&mut stream, &mut frames).await?;
        theirs.check(peer.id, me)?;
        Ok(Agreed { attempt, stream, frames })
    };
    in_time(dialled).await
}

/// Finds out who has come, and what for. The peer is named as soon as it is known, also where nothing comes of it.
pub(super) async fn accept(mesh: &Mesh, stream: TcpStream, who: &mut Option<Arc<Peer>>) -> Result<Accepted, Refusal> {
    let accepted = async {
        socket::prepare(&stream)?;
        let mut stream = TlsStream::from(TlsAcceptor::from(Arc::clone(&mesh.accepting)).accept(stream).await?);
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates().and_then(|chain| chain.first()).ok_or(Refusal::Stranger)?;
        let table = mesh.table.load();
        let (Some(me), Some(peer)) = (table.me, table.whose(shown)) else { return Err(Refusal::Stranger) };
        *who = Some(Arc::clone(peer));
        match session.alpn_protocol() {
            Some(protocol) if protocol == HTTP => return Ok(Accepted::Http(Arc::clone(peer), stream)),
            Some(protocol) if protocol == LINK => {}
            _ => return Err(Refusal::Protocol),
        }
        let mut frames = Frames::new();
        let theirs = read_hello(&mut stream, &mut frames).await?;
        // The other side learns from it what it has wrong, as this one does.
        stream.write_all(&Hello { me, you: peer.id, attempt: theirs.attempt }.encode()).await?;
        stream.flush().await?;
        theirs.check(peer.id, me)?;
        if peer.id > me {
            return Err(BadHello::Direction.into());
        }
        Ok(Accepted::Link(Arc::clone(peer), Agreed { attempt: theirs.attempt, stream, frames }))
    };
    in_time(accepted).await
}

async fn read_hello(stream: &mut TlsStream<TcpStream>, frames: &mut Frames) -> Result<Hello, Refusal> {
    let (kind, body) = frames.next(stream, HANDSHAKE_TIME_MAX).await.map_err(|unreadable| match unreadable {
        Unreadable::Io(error) => Refusal::from(error),
        other => other.into(),
    })?;
    Ok(Hello::decode(kind, &body)?)
}

/// # Errors
/// [`Refusal::Slow`], besides those of `handshake`.
pub(super) async fn in_time<T>(handshake: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    let ended = tokio::time::timeout(HANDSHAKE_TIME_MAX, handshake).await;
    ended.unwrap_or(Err(Refusal::Slow(HANDSHAKE_TIME_MAX)))
}
