//! WebSocket framing for the load: server frames hopped over in place, client frames masked into a shared buffer.

use std::io;

/// A ping from the server; it wants its payload back.
pub const PING: u8 = 0x89;
/// A whole text message in one frame.
pub const TEXT: u8 = 0x81;
/// The server closes.
pub const CLOSE: u8 = 0x88;
/// A pong.
pub const PONG: u8 = 0x8A;

/// Any mask does: what a server spends on unmasking does not depend on its bits.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
/// The key of the example in RFC 6455, and the answer to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// The first frame in `bytes` if all of it is there: its length with header, its first byte, its payload.
#[inline]
pub fn hop(bytes: &[u8]) -> Option<(usize, u8, &[u8])> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (header, length) = match second {
        126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
        short => (2, usize::from(short)),
    };
    let end = header + length;
    Some((end, first, bytes.get(header..end)?))
}

/// Appends one masked frame whose payload is `parts` in a row.
pub fn put(out: &mut Vec<u8>, first: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.push(first);
    match length {
        0..=125 => out.push(0x80 | length as u8),
        126..=0xFFFF => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    let payload = out.len();
    for part in parts {
        out.extend_from_slice(part);
    }
    for chunk in out[payload..].chunks_mut(MASK.len()) {
        for (byte, mask) in chunk.iter_mut().zip(MASK) {
            *byte ^= mask;
        }
    }
}

/// Appends the request that turns a connection into a WebSocket.
pub fn put_upgrade(out: &mut Vec<u8>, path: &str, subprotocol: Option<&str>) {
    let offer = subprotocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{offer}\r\n"
    );
    out.extend_from_slice(request.as_bytes());
}

/// The length of the answer to [`put_upgrade`], once all of it is there; an error if it is not a right one.
pub fn upgraded(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return if bytes.len() > HEAD_BYTES_MAX { Err(refusal(bytes)) } else { Ok(None) };
    };
    let head = &bytes[..end];
    let accepted = head.windows(ACCEPT.len()).any(|window| window == ACCEPT);
    if head.starts_with(b"HTTP/1.1 101") && accepted { Ok(Some(end + 4)) } else { Err(refusal(head)) }
}

fn refusal(head: &[u8]) -> io::Error {
    let shown = &head[..head.len().min(200)];
    io::Error::other(format!("no WebSocket: {}", String::from_utf8_lossy(shown)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_hopped_over_only_when_whole() {
        for length in [0, 1, 125, 126, 300, 70_000] {
            let payload = vec![b'x'; length];
            let mut frame = Vec::new();
            put(&mut frame, TEXT, &[&payload[..length / 2], &payload[length / 2..]]);
            // The server's side of the same frame: no mask bit, no mask.
            let header = frame.len() - length - 4;
            frame[1] &= 0x7F;
            frame.drain(header..header + 4);
            for (i, byte) in frame[header..].iter_mut().enumerate() {
                *byte ^= MASK[i % 4];
            }
            frame.extend_from_slice(b"next");
            assert_eq!(hop(&frame), Some((frame.len() - 4, TEXT, payload.as_slice())));
            assert_eq!(hop(&frame[..frame.len() - 5]), None);
        }
    }

    #[test]
    fn only_a_right_answer_is_an_upgrade() {
        let right = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        assert_eq!(upgraded(right).expect("right"), Some(right.len()));
        assert_eq!(upgraded(&right[..20]).expect("half"), None);
        assert!(upgraded(b"HTTP/1.1 503 Busy\r\n\r\n").is_err());
        assert!(upgraded(b"HTTP/1.1 101 OK\r\nSec-WebSocket-Accept: other\r\n\r\n").is_err());
    }
}
