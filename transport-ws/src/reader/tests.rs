//! The reader on streams cut anywhere: what comes out, what is answered unasked, and what is kept in between.

use std::task::Waker;

use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

use super::*;

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | length as u8),
        length @ 126..=0xFFFF => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

struct FrameSocket {
    reader: Reader,
    socket: DuplexStream,
    peer: DuplexStream,
    control: Vec<u8>,
}

impl FrameSocket {
    /// Frames may have 1,000 bytes, and are understood up to 4,000.
    fn new() -> Self {
        let (socket, peer) = duplex(1 << 20);
        Self { reader: Reader::new(1_000), socket, peer, control: Vec::new() }
    }

    /// Sends `bytes` and tells what came of them.
    async fn hear(&mut self, bytes: &[u8]) -> Vec<String> {
        self.peer.write_all(bytes).await.expect("room for all");
        let mut heard = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(incoming) = self.reader.poll_next(&mut cx, &mut self.socket, &mut self.control) {
            heard.push(match &incoming {
                Incoming::Text(text) => text.to_string(),
                other => format!("{other:?}"),
            });
            if matches!(incoming, Incoming::Closed | Incoming::Lost | Incoming::Broken) {
                break;
            }
        }
        heard
    }

    fn is_bare(&self) -> bool {
        self.reader.tungstenite.is_none()
    }
}

#[tokio::test]
async fn the_last_whole_message_takes_everything_with_it() {
    let mut ws = FrameSocket::new();
    ws.peer.write_all(&[text("one"), frame(0x89, b"ping"), text("two")].concat()).await.expect("room for all");
    let mut cx = Context::from_waker(Waker::noop());
    for is_last in [false, false, true] {
        assert!(ws.reader.poll_next(&mut cx, &mut ws.socket, &mut ws.control).is_ready());
        assert_eq!(ws.is_bare(), is_last, "nothing is read for want of a message");
    }
}

#[tokio::test]
async fn between_frames_nothing_is_kept() {
    let mut ws = FrameSocket::new();
    assert_eq!(ws.hear(&[]).await, [""; 0]);
    assert!(ws.is_bare());
    assert_eq!(ws.hear(&text("one")).await, ["one"]);
    assert!(ws.is_bare());
    let large = text(&"x".repeat(3_999));
    assert_eq!(ws.hear(&large[..2_000]).await, [""; 0]);
    assert!(!ws.is_bare());
    assert_eq!(ws.hear(&large[2_000..]).await.concat().len(), 3_999);
    assert!(ws.is_bare());
    assert_eq!(ws.hear(&frame(0x01, b"begin")).await, [""; 0]);
    assert!(!ws.is_bare(), "the beginning of a message is kept");
    assert_eq!(ws.hear(&frame(0x80, b"end")).await, ["beginend"]);
    assert!(ws.is_bare());
}

#[tokio::test]
async fn wherever_the_stream_is_cut_the_same_comes_out() {
    let long = "y".repeat(300);
    let stream = [
        text("one"),
        frame(0x89, b"are you there"),
        frame(0x01, b"two-"),
        frame(0x8A, b""),
        frame(0x00, b"and-"),
        frame(0x89, b""),
        frame(0x80, b"three"),
        frame(0x82, b"\0\x01"),
        text(&long),
        frame(0x88, b"\x03\xE8bye"),
    ]
    .concat();
    let no_text = r#"NoText("the frame is binary, not text")"#;
    let expected = ["one", "Alive", "Alive", "Alive", "two-and-three", no_text, &long, "Closed"];
    for cut in 0..=stream.len() {
        let mut ws = FrameSocket::new();
        let mut heard = ws.hear(&stream[..cut]).await;
        if cut < stream.len() {
            heard.extend(ws.hear(&stream[cut..]).await);
        }
        assert_eq!(heard, expected, "cut at {cut}");
        assert_eq!(ws.control, b"\x8A\x0Dare you there\x8A\x00\x88\x05\x03\xE8bye", "cut at {cut}");
    }
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_refused_and_the_next_is_heard() {
    let mut ws = FrameSocket::new();
    let heard = ws.hear(&[frame(0x81, b"\xFF\xFE"), text("next")].concat()).await;
    assert_eq!(heard, [r#"NoText("the frame is not UTF-8")"#, "next"]);
    assert!(ws.is_bare());
}

#[tokio::test]
async fn a_message_in_parts_that_is_not_utf_8_breaks_the_connection() {
    for parts in [
        vec![frame(0x01, b"\xFF"), frame(0x80, b"end")],
        vec![frame(0x01, b"begin"), frame(0x00, b"\xFF"), frame(0x80, b"end")],
        vec![frame(0x01, b"begin"), frame(0x80, b"\xFF")],
        vec![frame(0x01, b"begin"), frame(0x80, b"\xC3")],
    ] {
        assert_eq!(FrameSocket::new().hear(&parts.concat()).await, ["Broken"]);
        let mut ws = FrameSocket::new();
        let mut heard = Vec::new();
        for part in parts {
            if heard.is_empty() {
                heard = ws.hear(&part).await;
            }
        }
        assert_eq!(heard, ["Broken"]);
    }
}

#[tokio::test]
async fn too_long_a_message_breaks_the_connection() {
    assert_eq!(FrameSocket::new().hear(&text(&"x".repeat(4_000))).await.concat().len(), 4_000);
    assert_eq!(FrameSocket::new().hear(&text(&"x".repeat(4_001))).await, ["Broken"]);
    let huge = [0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
    assert_eq!(FrameSocket::new().hear(&huge).await, ["Broken"], "told by the header alone");
    let parts = [frame(0x01, &[b'x'; 2_500]), frame(0x80, &[b'x'; 2_500])].concat();
    assert_eq!(FrameSocket::new().hear(&parts).await, ["Broken"]);
}

#[tokio::test]
async fn what_is_no_websocket_breaks_the_connection() {
    for bytes in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0x81, 2, b'h', b'i'],
        frame(0x83, b""),
        frame(0xC1, b"compressed"),
        frame(0x80, b"end of nothing"),
        frame(0x09, b"a ping in parts"),
        frame(0x89, &[b'x'; 126]),
        frame(0x88, b"\x03\xE8\xFF"),
    ] {
        assert_eq!(FrameSocket::new().hear(&bytes).await, ["Broken"], "{bytes:?}");
    }
}

#[tokio::test]
async fn a_peer_that_ends_without_a_close_frame_is_lost() {
    for bytes in [Vec::new(), text("last"), vec![0x81]] {
        let mut ws = FrameSocket::new();
        ws.peer.write_all(&bytes).await.expect("room for all");
        ws.peer.shutdown().await.expect("open");
        assert_eq!(ws.hear(&[]).await.last().map(String::as_str), Some("Lost"));
    }
}

#[tokio::test]
async fn a_part_of_a_frame_is_a_sign_of_life() {
    let mut ws = FrameSocket::new();
    assert!(!ws.reader.take_heard());
    ws.hear(&text("hello")[..5]).await;
    assert!(ws.reader.take_heard());
    assert!(!ws.reader.take_heard());
    ws.hear(&text("hello")[5..]).await;
    assert!(ws.reader.take_heard());
}
