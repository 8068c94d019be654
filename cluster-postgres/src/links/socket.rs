//! The sockets of links: nothing is held back, a vanished host is noticed, and what is cut is reset.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// After how much silence the kernel asks whether the other host is still there. 10 s: links speak more often, connections for HTTP may not.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(10);

/// How often it asks again, where no answer comes. 10 s: a few times before the host counts as vanished.
#[cfg(target_os = "linux")]
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    // What is due is gathered into one write, so there is nothing to wait for.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER);
    #[cfg(target_os = "linux")]
    let keepalive = keepalive.with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)
}

/// Lets the other side hear of the end at once, and not only after all that it has not read yet.
pub(super) fn reset(stream: &TcpStream) {
    // Where that fails, the link ends as any other connection.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
