//! An upgraded connection that goes through this server to another: bytes both ways, until either end is done or nothing comes any more.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::sync::OwnedSemaphorePermit;

use super::patience::{Patience, within};

/// Carries bytes between a client and a server once both have changed the protocol, for which they have as long as anything may be silent.
/// The place is given back at the end.
pub(crate) async fn run(client: OnUpgrade, server: OnUpgrade, silence_max: Duration, place: OwnedSemaphorePermit) {
    let both = async { tokio::try_join!(client, server) };
    // Who goes away before the answer has reached them has lost nothing.
    let Some(Ok((client, server))) = within(silence_max, both).await else { return };
    let mut server = Heard { stream: TokioIo::new(server), silence: Patience::new(silence_max) };
    // How it ends is told by the end itself.
    let _ = copy_bidirectional(&mut TokioIo::new(client), &mut server).await;
    drop(place);
}

/// The way to a server from which something has to come now and then: one that is gone without a word must not keep its clients.
struct Heard<S> {
    stream: S,
    silence: Patience,
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, out) {
            self.silence.restart();
            return Poll::Ready(read);
        }
        self.silence.poll(cx).map(|()| Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
