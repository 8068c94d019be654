//! Whether a server answers, asked from beside it: for containers that have no other program.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long the server may take to connect, to hear and to answer, each.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the server that listens at `at` for `/healthz`. Of one that speaks TLS it is known only that it lets somebody connect: its certificate
/// is for the name that clients know.
///
/// # Errors
/// Why the answer is no.
pub fn healthcheck(at: SocketAddr, speaks_tls: bool) -> io::Result<()> {
    let at = SocketAddr::new(reachable(at.ip()), at.port());
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE)?;
    if speaks_tls {
        return Ok(());
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut head = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut head)?;
    match &head {
        b"HTTP/1.1 200" => Ok(()),
        head => Err(io::Error::other(format!("the answer begins with {:?}", String::from_utf8_lossy(head)))),
    }
}

/// A server that listens everywhere is found at home.
fn reachable(at: IpAddr) -> IpAddr {
    match at {
        IpAddr::V4(at) if at.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(at) if at.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        at => at,
    }
}
