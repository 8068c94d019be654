//! The next connection, ready for use.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::sleep;

use super::ServeConfig;
use super::tcp::Tcp;

/// How long to wait when the process has no file descriptors left. 250 ms: trying at once again would only burn a core.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(250);

pub(crate) async fn next(listener: &TcpListener, config: &ServeConfig) -> (Tcp, SocketAddr) {
    let mut is_told = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (Tcp::new(stream, config), peer),
            Err(error) if is_of_one_peer(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(%error, "no connection can be accepted for the moment");
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
