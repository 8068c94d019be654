//! What is traced of a chat: who came, what was asked and how long the log took, and nothing that somebody said, is called or could come in by.

#[path = "../../transport-socketio/tests/harness/mod.rs"]
mod socketio;
#[path = "../../transport-sse/tests/harness/mod.rs"]
mod sse;
#[path = "../../transport-ws/tests/harness/mod.rs"]
mod ws;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{
    Admission, Command, ConnectRequest, Engine, Hello, Identity, Policy, Reject, RejectCode, RoomCode, SessionView,
};
use chat_testkit::contract::transport::{TestClient, TransportHarness};
use log_redb::{Options, RedbLog};
use serde_json::json;
use socketio::{Polling, SocketIo};
use sse::EventSource;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use ws::WebSocket;

/// In everything that must not be traced, in whatever case.
const MARK: &str = "qzx";
/// The rooms: one for each transport's talk, of which three are the same.
const ROOMS: [&str; 4] = ["QZXROOM", "QZXROOM", "QZXROOM", "QZXOTHER"];
/// Whose events are looked at. What the crates of others trace below warnings, the server's own filter leaves out.
const OURS: [&str; 7] =
    ["chat_core", "chat_serve", "log_redb", "transport_ws", "transport_sse", "transport_socketio", "cluster_postgres"];

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics with it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everybody is somebody, and one thing may not be said.
struct Marked;

#[async_trait]
impl Policy for Marked {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        match &request.credentials {
            Some(_) => Err(Reject::new(RejectCode::Forbidden, "qzx-nobody")),
            None => Ok(Admission::of(Identity::new(&format!("qzx-{}@example.org", request.transport)))),
        }
    }

    async fn check(&self, _session: &SessionView, command: Command) -> Result<Command, Reject> {
        match &command {
            Command::Typing { .. } => panic!("qzx-panic"),
            _ => Ok(command),
        }
    }
}

/// Comes, says and shows what is marked, is refused this and that, and comes back. Gives the tokens.
async fn talk<H: TransportHarness>(harness: &H, number: usize) -> [String; 2] {
    let mut client = TestClient::new(harness).await;
    let (room, nick) = (ROOMS[number], format!("Qzx {number}"));
    match number {
        0 | 3 => drop(client.create(room, &nick).await),
        _ => drop(client.join(room, &nick).await),
    }
    client.say(room, "qzx-text").await;
    let data = json!({"qzx-key": "qzx-value"});
    client
        .done(json!({"type": "send", "room": room, "text": "qzx-more", "key": format!("qzx-{number}"), "data": data}))
        .await;
    client.refused(json!({"type": "join", "room": "QZXNOWHERE", "nick": nick, "secret": "qzx-secret"})).await;
    client.refused(json!({"type": "qzx-unknown"})).await;
    client.refused(json!({"type": "typing", "room": room, "on": true})).await;
    if number == 0 {
        client.done(json!({"type": "topic", "room": room, "topic": "qzx-topic"})).await;
        client.done(json!({"type": "settings", "room": room, "secret": "qzx-secret"})).await;
        client.done(json!({"type": "settings", "room": room, "secret": null})).await;
    }
    let token = client.token();
    let trail = client.cut().await;
    let client = TestClient::back(harness, &trail).await;
    [token, client.token()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_said_and_nobodys_name_token_or_secret_is_traced() {
    let lines = Lines::default();
    let out = lines.clone();
    let ours = Targets::new().with_targets(OURS.map(|name| (name, LevelFilter::TRACE))).with_default(LevelFilter::WARN);
    let format = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || out.clone());
    tracing_subscriber::registry().with(format).with(ours).init();

    let dir = tempfile::tempdir().expect("a folder");
    let log = Arc::new(RedbLog::open(dir.path(), Options::default()).expect("it is empty"));
    let engine = Engine::builder().policy(Arc::new(Marked)).secret([7; 32]);
    let engine = engine.log(Arc::clone(&log) as _).expect("nobody else has it").build();
    let mut tokens = Vec::new();
    tokens.extend(talk(&WebSocket::open(engine.clone()).await, 0).await);
    tokens.extend(talk::<EventSource>(&EventSource::open(engine.clone()).await, 1).await);
    tokens.extend(talk(&SocketIo::open(engine.clone()).await, 2).await);
    tokens.extend(talk(&Polling::open(engine.clone()).await, 3).await);
    let shown = ConnectRequest { credentials: Some("qzx-credentials".to_owned()), ..ConnectRequest::default() };
    assert!(engine.connect(shown, Hello::default()).await.is_err());
    engine.drain(Duration::ZERO).await;
    let room = engine.room_tag(&RoomCode::parse(ROOMS[0]).expect("valid")).to_string();
    drop(engine);
    log.close().await.expect("nothing fails");

    let bytes = lines.0.lock().expect("nobody panics with it").clone();
    let traced = String::from_utf8(bytes).expect("text");
    for line in traced.lines() {
        assert!(!line.to_lowercase().contains(MARK), "{line}");
        assert!(!line.contains("127.0.0.1"), "{line}");
    }
    for token in tokens {
        assert!(!traced.contains(&token) && token.len() > 40, "{token}");
    }
    for (what, least) in [
        ("a session is connected", 8),
        ("a connection has ended", 4),
        ("a client is not let in", 1),
        ("a command session=", 15),
        ("a batch is decided", 10),
        ("an append", 10),
        ("a commit", 5),
        ("code of the embedder has panicked", 4),
        ("going down", 1),
        (&*room, 20),
    ] {
        let count = traced.lines().filter(|line| line.contains(what)).count();
        assert!(count >= least, "{what}: {count}\n{traced}");
    }
}
