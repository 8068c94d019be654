//! Tells HTTP/2, by its preface, from HTTP/1.1.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use super::socket::Socket;

/// What a client of HTTP/2 sends first (RFC 9113, section 3.4).
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.0 or HTTP/1.1, or nothing that is known.
    One,
    /// HTTP/2, with prior knowledge: there is nothing to upgrade from.
    Two,
}

/// Reads until it is clear. The bytes are read again by the code that speaks the version.
///
/// Fails when the peer ends the connection before, or the connection is lost.
pub(crate) async fn read<S: AsyncRead + Unpin>(socket: &mut Socket<S>) -> io::Result<Version> {
    loop {
        let seen = &*socket.ahead;
        if !PREFACE.starts_with(seen) {
            return Ok(Version::One);
        }
        if seen.len() == PREFACE.len() {
            return Ok(Version::Two);
        }
        read_on(socket).await?;
    }
}

async fn read_on<S: AsyncRead + Unpin>(socket: &mut Socket<S>) -> io::Result<()> {
    let mut bytes = [0; PREFACE.len()];
    let known = socket.ahead.len();
    bytes[..known].copy_from_slice(&socket.ahead);
    let mut out = ReadBuf::new(&mut bytes);
    out.set_filled(known);
    poll_fn(|cx| Pin::new(&mut socket.stream).poll_read(cx, &mut out)).await?;
    if out.filled().len() == known {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    socket.ahead = Bytes::copy_from_slice(out.filled());
    Ok(())
}
