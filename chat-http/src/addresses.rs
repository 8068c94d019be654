//! A connection to a host of several addresses: one that is mute holds up nothing.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;

/// How long an address has before the next is asked as well. 250 ms, as RFC 8305 advises.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// A connection to whichever address answers first: each is asked a little after the one before, or once that has failed, so that one that is mute
/// holds up nothing (Happy Eyeballs, RFC 8305, in the order that the system's resolver gives).
pub(crate) async fn connect_to(addresses: impl IntoIterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut left = addresses.into_iter();
    let mut connecting = FuturesUnordered::new();
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    connecting.extend(left.next().map(TcpStream::connect));
    loop {
        match tokio::time::timeout(NEXT_ADDRESS_AFTER, connecting.next()).await {
            Ok(Some(Ok(socket))) => return Ok(socket),
            Ok(Some(Err(refused))) => error = refused,
            Ok(None) => return Err(error),
            Err(_) => {}
        }
        connecting.extend(left.next().map(TcpStream::connect));
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// A listener that answers nobody: its queue is full, and the system drops what comes.
    async fn mute() -> (TcpListener, SocketAddr, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let listener = socket.listen(1).expect("it listens");
        let at = listener.local_addr().expect("it listens");
        let mut waiting = Vec::new();
        while let Ok(connected) = tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(at)).await {
            waiting.push(connected.expect("there is a place"));
        }
        (listener, at, waiting)
    }

    #[tokio::test]
    async fn an_address_that_is_mute_or_refuses_is_passed_over() {
        let (_listener, mute, _waiting) = mute().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let there = listener.local_addr().expect("it listens");
        let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let closed_at = closed.local_addr().expect("it listens");
        drop(closed);
        let connected = tokio::time::timeout(Duration::from_secs(60), connect_to([closed_at, mute, there])).await;
        let socket = connected.expect("the next one is asked").expect("it answers");
        assert_eq!(socket.peer_addr().expect("it is connected"), there);
        assert_eq!(
            connect_to([closed_at]).await.expect_err("nobody is there").kind(),
            io::ErrorKind::ConnectionRefused
        );
        assert_eq!(connect_to([]).await.expect_err("nobody is there").kind(), io::ErrorKind::NotFound);
    }
}
