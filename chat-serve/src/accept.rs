//! The next connection, once there is a place for it.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::ServeConfig;
use super::socket::Socket;
use super::tcp::Tcp;

/// How long to wait when the process has no file descriptors left. 250 ms: trying at once again would only burn a core.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(250);

pub(crate) async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    config: &ServeConfig,
) -> (Socket<Tcp>, SocketAddr) {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the slots are never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                return (Socket::new(Tcp::new(stream, config), slot, config.stall_timeout), peer);
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
