//! Floods of HTTP/2: requests that are reset at once, heads without an end, pings, settings, and windows that never open.

use super::support::{Attack, Bounds, Wire};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Types of frames.
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
/// `:method GET`, `:scheme http`, `:path /`, `:authority localhost`, in HPACK.
const GET: &[u8] = b"\x82\x86\x84\x01\x09localhost";
/// The head ends here; the request has no body.
const WHOLE: u8 = 0x5;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A connection that has said what HTTP/2 wants first, with these settings.
async fn open(attack: &Attack, settings: &[u8]) -> Wire {
    let mut wire = attack.dial_narrow(2).await;
    wire.send([PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).await;
    wire
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_reset_at_once() {
    let attack = Attack::on(&[]).await;
    for _ in 0..20 {
        let mut wire = open(&attack, &[]).await;
        let mut flood = Vec::new();
        for number in 0..5_000 {
            let stream = 2 * number + 1;
            flood.extend(frame(HEADERS, WHOLE, stream, GET));
            flood.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        }
        // `ENHANCE_YOUR_CALM` is the reason that the server gives.
        let heard = wire.storm(&flood, "\0\0\0\x0b", "no such words").await;
        assert!(heard.ended, "it shows out who goes on resetting");
    }
    attack.costs_at_most("requests reset at once", &Bounds::NOTHING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_without_an_end() {
    let attack = Attack::on(&[]).await;
    for _ in 0..20 {
        let mut wire = open(&attack, &[]).await;
        // A literal of 8 KiB under a name of one letter, again and again; and none at all.
        let mut field = b"\0\x01a\x7f\x81\x3f".to_vec();
        field.extend(std::iter::repeat_n(b'b', 8_192));
        let mut flood = frame(HEADERS, 1, 1, GET);
        for _ in 0..40 {
            flood.extend(frame(CONTINUATION, 0, 1, &field));
        }
        for _ in 0..10_000 {
            flood.extend(frame(CONTINUATION, 0, 1, &[]));
        }
        let heard = wire.storm(&flood, "", "no such words").await;
        assert!(heard.ended, "a head has a bound");
    }
    attack.costs_at_most("heads without an end", &Bounds::NOTHING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_names_a_large_field_again_and_again() {
    let attack = Attack::on(&[]).await;
    for _ in 0..20 {
        let mut wire = open(&attack, &[]).await;
        // Remembered once with 4,000 bytes, and named by one byte each time after.
        let mut head = [GET, b"\x40\x01a\x7f\xa1\x1e"].concat();
        head.extend(std::iter::repeat_n(b'b', 4_000));
        head.extend(std::iter::repeat_n(0xbe, 12_000));
        wire.send(frame(HEADERS, WHOLE, 1, &head)).await;
        wire.storm(&frame(PING, 0, 0, b"the end!"), "", "the end!").await;
    }
    attack.costs_at_most("a head out of little", &Bounds::NOTHING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_and_settings_whose_answers_nobody_reads() {
    let attack = Attack::on(&[]).await;
    let pings = frame(PING, 0, 0, b"pingpong").repeat(20_000);
    let settings = frame(SETTINGS, 0, 0, &[]).repeat(20_000);
    let mut held = Vec::new();
    for _ in 0..20 {
        for flood in [&pings, &settings] {
            let mut wire = open(&attack, &[]).await;
            wire.offer(flood);
            held.push(wire);
        }
    }
    let bounds = Bounds { memory_per_connection: 256 << 10, kernel_per_connection: 1 << 20, ..Bounds::NOTHING };
    attack.costs_at_most("pings and settings", &bounds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_whose_answers_are_read() {
    let attack = Attack::on(&[]).await;
    let mut pings = frame(PING, 0, 0, b"pingpong").repeat(50_000);
    pings.extend(frame(PING, 0, 0, b"the end!"));
    let mut wire = open(&attack, &[]).await;
    wire.storm(&pings, "", "the end!").await;
    attack.costs_at_most("pings", &Bounds::NOTHING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_for_which_the_window_never_opens() {
    let attack = Attack::on(&[]).await;
    let mut held = Vec::new();
    for _ in 0..20 {
        // SETTINGS_INITIAL_WINDOW_SIZE of 0.
        let mut wire = open(&attack, b"\0\x04\0\0\0\0").await;
        let mut flood = Vec::new();
        for number in 0..1_000 {
            flood.extend(frame(HEADERS, WHOLE, 2 * number + 1, GET));
        }
        wire.offer(&flood);
        held.push(wire);
    }
    // 128 streams at once, of each of which the server has the head of an answer and a page of its own that all share.
    let bounds = Bounds { memory_per_connection: 1 << 20, cpu_us_per_byte: 2.0, ..Bounds::NOTHING };
    attack.costs_at_most("a window that never opens", &bounds).await;
}
