//! Any bytes on a WebSocket: whole frames of the protocol come back, one close at the end, and nobody else notices.

use super::panic_hook;
use super::protocol_checker::ProtocolChecker;
use super::test_server::TestServer;

const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nhost: sim\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The first byte is how much comes at once; the others are what a client sends after the upgrade.
///
/// # Panics
/// When the server panics, answers with anything but whole frames of the protocol, or forgets who else is there.
pub fn ws_stream(data: &[u8]) {
    let (piece, bytes) = data.split_first().map_or((0, data), |(piece, bytes)| (*piece, bytes));
    panic_hook::run(async {
        let server = TestServer::open().await;
        let heard = server.exchange(&[UPGRADE, bytes].concat(), 1 + usize::from(piece) * 4).await;
        check(&heard);
        server.check().await;
    });
}

fn check(heard: &[u8]) {
    let head = heard.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the upgrade is answered");
    assert!(heard.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&heard[..head]));
    let mut rest = &heard[head + 4..];
    let mut checker = ProtocolChecker::default();
    while !rest.is_empty() {
        let (opcode, payload, after) = frame(rest).unwrap_or_else(|| panic!("a whole frame: {rest:?}"));
        match opcode {
            TEXT => drop(checker.hear(payload)),
            PING | PONG => assert!(payload.len() <= 125, "a short ping or pong"),
            CLOSE => {
                assert!(after.is_empty(), "nothing follows the close frame: {after:?}");
                let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                assert!(payload.is_empty() || code.is_some_and(|code| (1000..5000).contains(&code)), "{payload:?}");
            }
            other => panic!("no frame that a server sends: opcode {other}"),
        }
        rest = after;
    }
}

/// The first frame of these bytes, and what comes after it. Whole, unmasked, and in one piece.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [first, second, rest @ ..] = bytes else { return None };
    assert!(first & 0xF0 == 0x80 && second & 0x80 == 0, "final, and not masked: {first:#x} {second:#x}");
    let (length, rest) = match second & 0x7F {
        126 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        127 => rest.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length) as usize, rest))?,
        length => (usize::from(length), rest),
    };
    let (payload, after) = rest.split_at_checked(length)?;
    Some((first & 0x0F, payload, after))
}
