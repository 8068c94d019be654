//! Any bytes on an HTTP connection, with and without true credentials in them: no answer is an error of ours.

use chat_core::ServerFrame;

use super::panic_hook;
use super::test_server::TestServer;

/// Statuses that are no client's fault. A server that is neither full nor going down has no reason for them.
const FAULTS: std::ops::RangeInclusive<u16> = 500..=599;

/// The first byte is how much comes at once; the others are requests, in which `$TOKEN`, `$CURSOR` and `$SESSION` stand for
/// those of a client of the room.
///
/// # Panics
/// When the server panics, answers with a fault, tells something that is no frame, or forgets who else is there.
pub fn sse_request(data: &[u8]) {
    let (piece, bytes) = data.split_first().map_or((0, data), |(piece, bytes)| (*piece, bytes));
    panic_hook::run(async {
        let server = TestServer::open().await;
        let bytes = replaced(bytes, "$TOKEN", &server.client.token());
        let bytes = replaced(&bytes, "$CURSOR", &server.client.cursor());
        let bytes = replaced(&bytes, "$SESSION", &server.client.session_id().to_string());
        let heard = server.exchange(&bytes, 1 + usize::from(piece) * 4).await;
        check(&heard);
        server.check().await;
    });
}

fn replaced(bytes: &[u8], name: &str, value: &str) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        if rest.starts_with(name.as_bytes()) {
            replaced.extend_from_slice(value.as_bytes());
            rest = &rest[name.len()..];
        } else {
            replaced.push(*first);
            rest = &rest[1..];
        }
    }
    replaced
}

/// Looks at lines alone: no frame has one in it, so whatever begins like a status or an event is one.
fn check(heard: &[u8]) {
    let heard = String::from_utf8_lossy(heard);
    let whole = heard.rfind('\n').map_or("", |end| &heard[..end]);
    let mut event = "";
    for line in whole.lines() {
        if let Some(status) = line.strip_prefix("HTTP/1.1 ") {
            let status: u16 = status.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
            assert!(status >= 100 && !FAULTS.contains(&status), "{line}");
        } else if let Some(name) = line.strip_prefix("event: ") {
            event = name;
        } else if let Some(json) = line.strip_prefix("data: ") {
            let frame: ServerFrame = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
            assert_eq!(kind(&frame), event, "the event is named as its frame");
        }
    }
}

fn kind(frame: &ServerFrame) -> String {
    let json = serde_json::to_value(frame).expect("frames have string keys");
    json["type"].as_str().unwrap_or_default().to_owned()
}
