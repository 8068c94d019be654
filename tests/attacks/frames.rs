//! Frames and packets that are too long, nested too deep, cut into too many pieces, packed, or none at all.

use super::support::{Attack, Bounds, Door, UPGRADE, Wire, ws_frame};

/// Text, the last of its message; the same packed, as `permessage-deflate` marks it; a piece that others follow; one that follows.
const TEXT: u8 = 0x81;
const PACKED: u8 = 0xc1;
const FIRST: u8 = 0x01;
const NEXT: u8 = 0x00;

async fn websocket(attack: &Attack, path: &str) -> Wire {
    let mut wire = attack.dial(2).await;
    let packs = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    wire.send(format!("GET {path} HTTP/1.1\r\n{packs}{UPGRADE}")).await;
    let (_, head) = wire.hear(&["\r\n\r\n"]).await.expect("an answer");
    assert!(head.starts_with("HTTP/1.1 101 ") && !head.contains("deflate"), "{head}");
    wire
}

const SOCKET_IO: &str = "/socket.io/?EIO=4&transport=websocket";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_that_is_deep_wide_or_full_of_escapes() {
    for door in Door::ALL {
        let attack = Attack::on(&[]).await;
        let mut sent = 0;
        for nasty in [
            format!(r#""id":1,"nick":{}"#, "[".repeat(60_000)),
            format!(r#""id":1,"nick":{}1{}"#, "{\"a\":".repeat(8_000), "}".repeat(8_000)),
            format!(r#""id":1,"nick":"{}""#, r"\u0041".repeat(10_000)),
            format!(r#""id":{}"#, "9".repeat(60_000)),
            format!(r#""id":1e{}"#, "9".repeat(60_000)),
            (0..8_000).map(|number| format!("\"{number}\":0")).collect::<Vec<_>>().join(","),
            format!(r#""id":1,"nick":"{}""#, "\u{202e}".repeat(20_000)),
        ] {
            for _ in 0..6 {
                // Whoever sends such things is shown out, and may come again.
                let Some(mut guest) = attack.enter(door, 2).await else { continue };
                for _ in 0..4 {
                    guest.say("create", &nasty).await;
                    sent += 1;
                }
            }
        }
        assert!(sent > 100, "{door:?}");
        attack.costs_at_most(&format!("nasty JSON, {door:?}"), &Bounds::NOTHING).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_longer_than_any() {
    for path in ["/ws", SOCKET_IO] {
        let attack = Attack::on(&[]).await;
        for number in 0..40 {
            let mut wire = websocket(&attack, path).await;
            let bytes = match number % 4 {
                // Says it is a terabyte.
                0 => [&[TEXT, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &[b'x'; 64 << 10]].concat(),
                // One frame of a megabyte.
                1 => ws_frame(TEXT, &[b'x'; 1 << 20]),
                // A megabyte in pieces.
                2 => [ws_frame(FIRST, &[b'x'; 16 << 10]), ws_frame(NEXT, &[b'x'; 16 << 10]).repeat(64)].concat(),
                // A ping that is longer than a ping may be.
                _ => ws_frame(0x89, &[b'x'; 64 << 10]),
            };
            let heard = wire.storm(&bytes, "", "no such words").await;
            assert!(heard.ended, "{path}");
        }
        // A message is kept until it is whole or too long, in a buffer that may double.
        attack.costs_at_most(&format!("long messages, {path}"), &Bounds::NOTHING).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_in_many_pieces() {
    for path in ["/ws", SOCKET_IO] {
        let attack = Attack::on(&[]).await;
        for _ in 0..20 {
            let mut wire = websocket(&attack, path).await;
            let empty = [ws_frame(FIRST, b""), ws_frame(NEXT, b"").repeat(20_000)].concat();
            // Whatever is made of them, a ping in between is answered.
            wire.storm(&[empty, ws_frame(0x89, b"still there?")].concat(), "", "still there?").await;
        }
        attack.costs_at_most(&format!("many pieces, {path}"), &Bounds::NOTHING).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packed_frames_that_nobody_agreed_on() {
    for path in ["/ws", SOCKET_IO] {
        let attack = Attack::on(&[]).await;
        for _ in 0..50 {
            let mut wire = websocket(&attack, path).await;
            // Zeros, packed a thousand to one.
            let bomb = [&b"\xec\xc1\x01\x01\0\0\0\x80\x90\xfe\xaf\xee\x08\x0a"[..], &[0; 8_000]].concat();
            assert!(wire.storm(&ws_frame(PACKED, &bomb), "", "no such words").await.ended, "{path}");
        }
        attack.costs_at_most(&format!("packed frames, {path}"), &Bounds::NOTHING).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_packed_or_have_no_end() {
    let attack = Attack::on(&[]).await;
    let guest = attack.enter(Door::Sse, 2).await.expect("a place");
    let chunks = format!("10000\r\n{}\r\n", "x".repeat(64 << 10)).repeat(8);
    for _ in 0..50 {
        for (head, body) in [
            ("Content-Encoding: gzip\r\nContent-Length: 8192", "\u{1f}".repeat(8_192)),
            ("Content-Length: 1048576", "x".repeat(1 << 20)),
            ("Transfer-Encoding: chunked", chunks.clone()),
        ] {
            let mut wire = attack.dial(2).await;
            let request = format!(
                "POST /sse/{} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n{head}\r\n\r\n{body}",
                guest.session, guest.token
            );
            wire.storm(request.as_bytes(), "", "HTTP/1.1 4").await;
        }
    }
    attack.costs_at_most("bodies that are packed or endless", &Bounds { memory_per_byte: 1, ..Bounds::NOTHING }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_and_messages_that_stop_before_their_end() {
    for door in Door::ALL {
        let attack = Attack::on(&[]).await;
        let mut held = Vec::new();
        for _ in 0..60 {
            let mut guest = attack.enter(door, 2).await.expect("a place");
            // As long as any, but for its last byte.
            let most = guest.encode("send", &format!(r#""text":"{}""#, "x".repeat(200 << 10)));
            match door {
                Door::Polling => guest.begin_post(&most).await,
                _ => drop(guest.commands().await.offer(&most[..most.len() - 1])),
            }
            held.push(guest);
        }
        attack.settle().await;
        // In a buffer that may double.
        let bounds = Bounds { memory_per_byte: 3, kernel_per_connection: 256 << 10, ..Bounds::NOTHING };
        attack.costs_at_most(&format!("without an end, {door:?}"), &bounds).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_of_socket_io_that_are_none() {
    let attack = Attack::on(&[]).await;
    for number in 0..60 {
        let mut wire = websocket(&attack, SOCKET_IO).await;
        wire.send(ws_frame(TEXT, b"40{}")).await;
        wire.hear(&["welcome"]).await;
        let packet = match number % 6 {
            // A thousand million attachments are to come.
            0 => r#"451000000000-["send",{"_placeholder":true,"num":0}]"#.to_owned(),
            1 => format!("42{}", "[".repeat(60_000)),
            2 => format!("42{}[\"send\"]", "9".repeat(60_000)),
            3 => format!("40/{},{{}}", "n".repeat(60_000)),
            4 => "43".repeat(30_000),
            _ => "6".to_owned(),
        };
        for _ in 0..10 {
            wire.send(ws_frame(TEXT, packet.as_bytes())).await;
        }
        wire.storm(&ws_frame(0x89, b"still there?"), "", "still there?").await;
    }
    // As many packets in one body as fit.
    for _ in 0..20 {
        let Some(mut guest) = attack.enter(Door::Polling, 3).await else { continue };
        let commands = vec![("nothing", String::new()); 2_000];
        guest.storm(&commands, "unknown_type").await;
    }
    attack.costs_at_most("packets that are none", &Bounds { answered_per_byte: 16, ..Bounds::NOTHING }).await;
}
