//! The checks of transports and log files that fuzzers run, in short: any bytes, and every file of the corpus.

use chat_sim::checks;
use chat_testkit::checks::{replay, sow};
use chat_testkit::strategies::cases;
use proptest::collection::vec;
use proptest::prelude::*;

fn config(default_cases: u32) -> ProptestConfig {
    ProptestConfig { cases: cases(default_cases), failure_persistence: None, ..ProptestConfig::default() }
}

/// Bytes of one case.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..300)
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn a_websocket_bears_any_bytes(data in bytes()) {
        checks::ws_stream(&data);
    }

    #[test]
    fn a_stream_of_requests_bears_any_bytes(data in bytes()) {
        checks::sse_request(&data);
    }

    #[test]
    fn a_socketio_connection_bears_any_bytes(data in bytes()) {
        checks::socketio_payload(&data);
    }

    #[test]
    fn a_log_file_bears_any_damage(data in bytes()) {
        checks::log_file(&data);
    }

    #[test]
    fn a_row_of_a_log_bears_any_damage(data in bytes()) {
        checks::log_record(&data);
    }
}

/// Written by `CORPUS_WRITE=1 cargo test -p chat-sim --test checks`.
#[test]
fn every_seed_is_in_the_corpus() {
    let join = r#"{"type":"join","id":1,"room":"LOBBY","nick":"Bob"}"#;
    let send = r#"{"type":"send","id":2,"room":"LOBBY","text":"hi","key":"k"}"#;
    let talk = [frame(0x81, join.as_bytes()), frame(0x81, send.as_bytes()), frame(0x88, &1000_u16.to_be_bytes())];
    let parts = [frame(0x01, &join.as_bytes()[..9]), frame(0x89, b"ping"), frame(0x80, &join.as_bytes()[9..])];
    let long = frame(0x81, &[b' '; 600]);
    sow(
        "ws_stream",
        [
            ("talk", [&[255][..], &talk.concat()].concat()),
            ("fragments", [&[0][..], &parts.concat()].concat()),
            ("too_long", [&[255][..], &long].concat()),
        ],
    );

    let get = |target: &str, head: &str| format!("\u{ff}GET {target} HTTP/1.1\r\nhost: sim\r\n{head}\r\n");
    let post = format!(
        "POST /sse/$SESSION HTTP/1.1\r\nhost: sim\r\nauthorization: Bearer $TOKEN\r\ncontent-length: {}\r\n\r\n{send}",
        send.len()
    );
    sow(
        "sse_request",
        [
            ("join", get("/sse?room=LOBBY&nick=Bob&history=5", "").into_bytes()),
            ("create", get("/sse?create=OTHER&nick=Bob", "").into_bytes()),
            ("come_back", get("/sse", "last-event-id: $CURSOR~LOBBY:04HMASW9NF6YF:1\r\n").into_bytes()),
            ("resume", get("/sse?resume=$TOKEN&positions=LOBBY:04HMASW9NF6YF:1", "").into_bytes()),
            ("post", ["\u{ff}", &post, &post].concat().into_bytes()),
        ],
    );

    let events = r#"42["join",{"room":"LOBBY","nick":"Bob"}]"#.to_owned()
        + "\u{1e}427[\"send\",{\"room\":\"LOBBY\",\"text\":\"hi\"}]\u{1e}3\u{1e}41";
    let refused = "421[\"send\",7]\u{1e}42[\"hello\",{}]\u{1e}451-[\"send\",{\"_placeholder\":true,\"num\":0}]";
    sow(
        "socketio_payload",
        [
            ("by_websocket", [&[0], events.as_bytes()].concat()),
            ("by_polling", [&[1], events.as_bytes()].concat()),
            ("refused", [&[0], refused.as_bytes()].concat()),
            ("auth", [&[2], &br#"40{"resume":"x","positions":{"LOBBY":"04HMASW9NF6YF:1"}}"#[..]].concat()),
        ],
    );

    let record = r#"{"offset":7,"seq":5,"at":1,"by":1,"event":{"redacted":{"target":3}}}"#;
    sow(
        "log_record",
        [
            ("record", [&[0], record.as_bytes()].concat()),
            ("damaged", vec![1, 7, 5, 9, 3, 0, 40, 1]),
            ("other_key", vec![1, 7, 5, 9, 3, 0, 0, 0, 0, 0, 0, 1]),
        ],
    );
    sow(
        "log_file",
        [
            ("whole", vec![0]),
            ("crashed", vec![0, 1, 3, 0, 0, 0, 0, 0]),
            ("any_bytes", b"\x00\x00\x00redb\x1a\n\xa9\r\n".to_vec()),
            ("cut", vec![0, 0, 1, 0, 0x20, 0]),
            ("longer", vec![0, 1, 2, 1, 2, 3]),
            ("a_lost_sector", vec![255, 0, 3, 0, 0x30, 0, 1, 255]),
            ("a_misplaced_sector", vec![0, 0, 4, 0, 0x30, 0, 0, 0x50, 0]),
            ("a_changed_byte", vec![0, 0, 5, 0, 0x10, 9, 0x55]),
        ],
    );
}

/// A client's frame, masked with nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0xFE);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

#[test]
fn every_file_of_the_corpus_passes() {
    every_seed_is_in_the_corpus();
    replay("ws_stream", checks::ws_stream);
    replay("sse_request", checks::sse_request);
    replay("socketio_payload", checks::socketio_payload);
    replay("log_record", checks::log_record);
    replay("log_file", checks::log_file);
}
