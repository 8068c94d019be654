//! One room, one client per transport: all see the same, and a session goes from one to the next.

#[path = "../../transport-socketio/tests/harness/mod.rs"]
mod socketio;
#[path = "../../transport-sse/tests/harness/mod.rs"]
mod sse;
#[path = "../../transport-ws/tests/harness/mod.rs"]
mod ws;

use chat_testkit::contract::run;
use chat_testkit::contract::transport::{Client, TestClient, TestServer, TransportHarness};
use serde_json::{Value, json};

use socketio::{Polling, SocketIo};
use sse::EventSource;
use ws::WebSocket;

/// One engine with every harness there is.
struct Everything {
    ws: TestServer<WebSocket>,
    sse: EventSource,
    socketio: SocketIo,
    polling: Polling,
}

impl Everything {
    async fn open() -> Self {
        let ws = TestServer::<WebSocket>::open().await;
        let engine = || ws.engine.clone();
        let (sse, socketio) = (EventSource::open(engine()).await, SocketIo::open(engine()).await);
        Self { sse, socketio, polling: Polling::open(engine()).await, ws }
    }
}

/// Who joins at a harness.
async fn join<D: TransportHarness>(harness: &D, nick: &str) -> TestClient<D::Client> {
    let mut client = TestClient::new(harness).await;
    client.join("LUNCH", nick).await;
    client
}

/// Says `count` things, and reads on until the room has come to `last`. Returns the events.
async fn talk<C: Client>(mut client: TestClient<C>, nick: &str, count: usize, last: u64) -> Vec<Value> {
    let mut frames = Vec::new();
    for turn in 0..count {
        let seq = client.say("LUNCH", &format!("{nick} {turn}")).await;
        frames.extend(client.read_to("LUNCH", seq).await);
    }
    frames.extend(client.read_to("LUNCH", last).await);
    frames
}

/// The number, the kind and the words of each event from the fifth on, when everybody is there.
fn essence(frames: &[Value]) -> Vec<(u64, &str, &str)> {
    let summary = |frame: &'_ Value| frame["seq"].as_u64().expect("an event has a number");
    let events = frames.iter().map(|frame| (summary(frame), text(frame, "type"), text(frame, "text")));
    events.filter(|(seq, ..)| *seq > 4).collect()
}

fn text<'a>(frame: &'a Value, field: &str) -> &'a str {
    frame[field].as_str().unwrap_or_default()
}

#[test]
fn every_transport_sees_the_same_sequence() {
    run(async {
        const EACH: usize = 20;
        let all = Everything::open().await;
        let [ann] = all.ws.people("LUNCH", ["Ann"]).await;
        let bob = join(&all.sse, "Bob").await;
        let cid = join(&all.socketio, "Cid").await;
        let dan = join(&all.polling, "Dan").await;
        let last = 4 + 4 * EACH as u64;
        let talks = [
            tokio::spawn(talk(ann, "Ann", EACH, last)),
            tokio::spawn(talk(bob, "Bob", EACH, last)),
            tokio::spawn(talk(cid, "Cid", EACH, last)),
            tokio::spawn(talk(dan, "Dan", EACH, last)),
        ];
        let mut seen = Vec::new();
        for talk in talks {
            seen.push(talk.await.expect("a talk does not panic"));
        }
        assert_eq!(essence(&seen[0]).len(), 4 * EACH);
        for other in &seen[1..] {
            assert_eq!(essence(other), essence(&seen[0]));
        }
    });
}

#[test]
fn all_kinds_of_events_are_the_same_on_every_transport() {
    run(async {
        let all = Everything::open().await;
        let [mut ann] = all.ws.people("LUNCH", ["Ann"]).await;
        let mut bob = join(&all.sse, "Bob").await;
        let mut cid = join(&all.socketio, "Cid").await;
        let mut dan = join(&all.polling, "Dan").await;
        let [mut eve] = all.ws.people("DINNER", ["Eve"]).await;
        ann.read_to("LUNCH", 4).await;
        bob.read_to("LUNCH", 4).await;
        cid.read_to("LUNCH", 4).await;
        eve.join("LUNCH", "Eve").await;
        ann.done(json!({"type": "topic", "room": "LUNCH", "topic": "Cake \"and\" tea"})).await;
        let seq = bob.say("LUNCH", "two\nlines").await;
        ann.read_to("LUNCH", seq).await;
        bob.read_to("LUNCH", seq).await;
        cid.read_to("LUNCH", seq).await;
        dan.read_to("LUNCH", seq).await;
        bob.done(json!({"type": "redact", "room": "LUNCH", "target": seq})).await;
        ann.done(json!({"type": "kick", "room": "LUNCH", "member": 5})).await;
        ann.done(json!({"type": "leave", "room": "LUNCH"})).await;
        let told = [bob.read_to("LUNCH", 11).await, cid.read_to("LUNCH", 11).await, dan.read_to("LUNCH", 11).await];
        let kinds: Vec<_> = told[0].iter().map(|frame| text(frame, "type")).collect();
        assert_eq!(kinds, ["redacted", "member_left", "member_left", "role_changed"]);
        assert!(told.iter().all(|frames| *frames == told[0]), "to the last field");
    });
}

#[test]
fn a_session_goes_from_transport_to_transport() {
    run(async {
        let all = Everything::open().await;
        let [mut ann, mut bob] = all.ws.people("LUNCH", ["Ann", "Bob"]).await;
        /// One message is read at this harness, the next is not, and the third comes while nobody is there.
        macro_rules! stop {
            ($client:ident, $first:literal) => {{
                for seq in $first..$first + 2 {
                    ann.say("LUNCH", &format!("{seq}")).await;
                }
                assert_eq!($client.told().await, format!("{} Ann: {0}", $first));
                let trail = $client.cut().await;
                ann.say("LUNCH", &format!("{}", $first + 2)).await;
                trail
            }};
        }
        macro_rules! arrive {
            ($harness:expr, $trail:ident, $after:literal) => {{
                let mut client = TestClient::back($harness, &$trail).await;
                assert_eq!(client.standings(), [format!("LUNCH live {}", $after)]);
                for seq in $after + 1..$after + 3 {
                    assert_eq!(client.told().await, format!("{seq} Ann: {seq}"));
                }
                client
            }};
        }
        let trail = stop!(bob, 3);
        let mut bob = arrive!(&all.sse, trail, 3);
        let trail = stop!(bob, 6);
        let mut bob = arrive!(&all.socketio, trail, 6);
        let trail = stop!(bob, 9);
        let mut bob = arrive!(&all.polling, trail, 9);
        let trail = stop!(bob, 12);
        let mut bob = arrive!(&all.ws.harness, trail, 12);
        bob.say("LUNCH", "home").await;
        assert_eq!(ann.told_to("LUNCH", 15).await.last().map(String::as_str), Some("15 Bob: home"));
    });
}

macro_rules! pairs {
    ($($name:ident: $one:ident, $other:ident;)*) => {$(
        mod $name {
            use super::{$one, $other};

            chat_testkit::transport_pair_contract!($one, $other);
        }
    )*};
}

pairs! {
    ws_then_sse: WebSocket, EventSource;
    sse_then_ws: EventSource, WebSocket;
    ws_then_socketio: WebSocket, SocketIo;
    socketio_then_ws: SocketIo, WebSocket;
    sse_then_socketio: EventSource, SocketIo;
    socketio_then_sse: SocketIo, EventSource;
    sse_then_polling: EventSource, Polling;
}
