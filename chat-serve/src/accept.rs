//! The next connection, ready for use.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::ServeConfig;

/// How long to wait when the process has no file descriptors left. 250 ms: trying at once again would only burn a core.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(250);

pub(crate) async fn next(listener: &TcpListener, config: &ServeConfig) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // A peer that is gone already shows with the first read.
                let _ = prepare(&stream, config);
                return (stream, peer);
            }
            Err(error) if is_of_one_peer(&error) => {}
            Err(_) => sleep(EXHAUSTED_PAUSE).await,
        }
    }
}

/// Whether an error concerns a connection that ended before it was accepted, and not the listener.
fn is_of_one_peer(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn prepare(stream: &TcpStream, config: &ServeConfig) -> io::Result<()> {
    // Everything due is written in one go, so there is nothing to wait for.
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(stream).set_tcp_user_timeout(Some(config.stall_timeout))?;
    #[cfg(not(target_os = "linux"))]
    let _ = (SockRef::from(stream), config.stall_timeout);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernel_is_told_how_long_a_peer_may_be_silent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("accepted");
        let config = ServeConfig { stall_timeout: Duration::from_secs(7), ..ServeConfig::default() };
        let (stream, peer) = next(&listener, &config).await;
        assert_eq!(peer, client.local_addr().expect("connected"));
        assert!(stream.nodelay().expect("a socket"));
        #[cfg(target_os = "linux")]
        assert_eq!(SockRef::from(&stream).tcp_user_timeout().expect("a socket"), Some(config.stall_timeout));
    }
}
