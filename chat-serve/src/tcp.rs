//! An accepted TCP connection: what the kernel may hold of it, how it notices that the peer has vanished, and its end.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::ServeConfig;

/// After how much silence the kernel asks whether the peer's host is still there. 60 s: later than anything that a transport asks,
/// so that it costs a packet only where nothing else is said.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// How often it asks again, where no answer comes. 20 s: a few times before the peer counts as vanished.
#[cfg(target_os = "linux")]
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// A connection as it was accepted.
///
/// Dropped while its peer refuses what is written, it is reset: nobody gets the rest, and an orderly close would leave it with the
/// kernel until the peer reads on or has vanished, on no connection that counts any more.
#[derive(Debug)]
pub struct Tcp {
    stream: TcpStream,
    /// Whether the last write found no room.
    is_refused: bool,
}

impl Tcp {
    pub(crate) fn new(stream: TcpStream, config: &ServeConfig) -> Self {
        // A peer that is gone already shows with the first read.
        let _ = prepare(&stream, config);
        Self { stream, is_refused: false }
    }

    fn note<T>(&mut self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.is_refused = result.is_pending();
        result
    }
}

impl AsRef<TcpStream> for Tcp {
    fn as_ref(&self) -> &TcpStream {
        &self.stream
    }
}

fn prepare(stream: &TcpStream, config: &ServeConfig) -> io::Result<()> {
    // Everything due is written in one go, so there is nothing to wait for.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER);
    #[cfg(target_os = "linux")]
    let keepalive = keepalive.with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        socket.set_tcp_notsent_lowat(config.unsent_bytes_max)?;
        socket.set_tcp_user_timeout(Some(config.vanish_timeout))?;
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = config;
    Ok(())
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, out)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.note(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        if self.is_refused {
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair(config: &ServeConfig) -> (Tcp, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("accepted");
        let (server, _) = listener.accept().await.expect("it came");
        (Tcp::new(server, config), client)
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_kernel_is_told_what_it_may_hold_and_when_a_peer_has_vanished() {
        let vanish_timeout = Duration::from_secs(7);
        let (tcp, _client) = pair(&ServeConfig { vanish_timeout, ..ServeConfig::default() }).await;
        assert!(tcp.stream.nodelay().expect("a socket"));
        let socket = SockRef::from(&tcp.stream);
        assert_eq!(socket.tcp_notsent_lowat().expect("a socket"), 128 << 10);
        assert_eq!(socket.tcp_user_timeout().expect("a socket"), Some(vanish_timeout));
        assert!(socket.keepalive().expect("a socket"));
        assert_eq!(socket.tcp_keepalive_time().expect("a socket"), KEEPALIVE_AFTER);
    }

    #[tokio::test]
    async fn a_connection_that_ends_while_its_peer_takes_nothing_is_reset() {
        let (mut tcp, mut client) = pair(&ServeConfig::default()).await;
        while tcp.write_all(&[0; 16 << 10]).now_or_never().is_some() {}
        drop(tcp);
        let error = loop {
            match client.read(&mut [0; 16 << 10]).await {
                Ok(0) => panic!("an end in order, after everything"),
                Ok(_) => {}
                Err(error) => break error.kind(),
            }
        };
        assert_eq!(error, ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_connection_whose_peer_has_room_ends_in_order() {
        let (mut tcp, mut client) = pair(&ServeConfig::default()).await;
        tcp.write_all(b"hello").await.expect("room");
        drop(tcp);
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).await.expect("an end in order");
        assert_eq!(bytes, b"hello");
    }
}
