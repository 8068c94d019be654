//! One link while it is up: what waits is written, what arrives is handed in, and silence ends it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsStream;

use super::frame::{Frames, Kind, Unreadable, put_head};
use super::inbox::LinkEvent;
use super::mesh::{Link, Mesh};
use super::outbox::Outbox;
use super::socket;

/// Why a link ended by itself.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("a second hello has come")]
    Hello,
    #[error("it is not to be read any more")]
    Ended,
    #[error("it cannot be written to: {0}")]
    Write(io::Error),
}

/// Carries until the link is down. `frames` has what arrived behind the hello.
pub(super) async fn carry(mesh: &Mesh, link: &Link, stream: TlsStream<TcpStream>, mut frames: Frames) {
    let (mut read, mut write) = tokio::io::split(stream);
    frames.take_parcels();
    let broken = tokio::select! {
        // Whoever has cut it has said why.
        () = link.cut.cancelled() => None,
        broken = hear(mesh, link, &mut read, frames) => Some(broken),
        broken = speak(&link.outbox, &mut write, mesh.options.ping) => Some(Broken::Write(broken)),
    };
    // What it has not read is of no use to a peer that hears of the end; one that this server leaves may read to the end.
    if !mesh.end.is_cancelled() {
        socket::reset(read.unsplit(write).get_ref().0);
    }
    if let Some(broken) = broken {
        mesh.link_down(link, &broken);
    }
}

async fn hear(mesh: &Mesh, link: &Link, read: &mut (impl AsyncRead + Unpin), mut frames: Frames) -> Broken {
    loop {
        let (kind, body) = match frames.next(read, mesh.options.silence).await {
            Ok(frame) => frame,
            Err(unreadable) => return unreadable.into(),
        };
        let (from, bytes) = (link.peer, body.to_vec());
        drop(body);
        let event = match kind {
            Kind::Ping => continue,
            Kind::Hello => return Broken::Hello,
            Kind::Control => LinkEvent::Control { from, bytes },
            Kind::Parcel => LinkEvent::Parcel { from, bytes },
        };
        // While this waits nothing is read, and the other side cannot be called silent.
        if mesh.inbox.push(link.peer, link.number, event).await.is_err() {
            return Broken::Ended;
        }
    }
}

async fn speak(outbox: &Outbox, write: &mut (impl AsyncWrite + Unpin), ping: Duration) -> io::Error {
    let mut out = Vec::new();
    loop {
        out.clear();
        let large = match timeout(ping, outbox.gather(&mut out)).await {
            Ok(large) => large,
            Err(_) => {
                put_head(Kind::Ping, 0, &mut out);
                None
            }
        };
        let written = async {
            write.write_all(&out).await?;
            if let Some(large) = &large {
                write.write_all(large).await?;
            }
            write.flush().await
        };
        if let Err(error) = written.await {
            return error;
        }
    }
}
