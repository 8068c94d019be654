//! A backend that fails, hangs, hangs up and comes back: it is told everything, signed, and in the order of each room.

#[path = "../../chat-testkit/tests/support/bent.rs"]
#[allow(dead_code, unreachable_pub, reason = "others bend what is read")]
mod bent;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bent::BentLog;
use chat_core::{Command, Connection, Engine, FeedBounds, FeedError, FeedName, Limits, Log, Retention, RoomCode};
use chat_testkit::logs::MemoryLog;
use chat_testkit::one_room::{connect, nick, text};
use chat_testkit::servers::Servers;
use chat_webhook::{Config, Secret, Webhook, WebhookError};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is taken, and confirmed.
    Taken,
    /// It is taken, and the answer lost with the connection.
    Lost,
    /// It is refused with this status.
    Refused(u16),
    /// It is never answered.
    Silence,
}

/// A backend: what it does with the next requests, and what it was told.
#[derive(Default)]
struct Backend {
    fates: Mutex<VecDeque<Fate>>,
    /// Ids and bodies, as they came; those that were taken.
    requests: Mutex<Vec<(String, Value, Fate)>>,
    heard: Notify,
}

impl Backend {
    /// Listens, and does this with the first requests; all others are taken.
    async fn start(fates: impl IntoIterator<Item = Fate>) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hook?a=b", listener.local_addr().expect("it listens"));
        let backend = Arc::new(Self { fates: Mutex::new(fates.into_iter().collect()), ..Self::default() });
        let serving = Arc::clone(&backend);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let backend = Arc::clone(&serving);
                tokio::spawn(async move { backend.serve(socket).await });
            }
        });
        (backend, url)
    }

    async fn serve(&self, mut socket: TcpStream) {
        while let Some((head, body)) = read_request(&mut socket).await {
            assert!(head.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{head}");
            let field = |name: &str| {
                let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
                line.unwrap_or_else(|| panic!("{name} is missing: {head}")).to_owned()
            };
            assert_eq!(field("content-type"), "application/json");
            let (id, timestamp) = (field("webhook-id"), field("webhook-timestamp"));
            let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).expect("it is base64");
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("any length will do");
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(&body);
            let signature = STANDARD.encode(mac.finalize().into_bytes());
            assert_eq!(field("webhook-signature"), format!("v1,{signature}"));
            let body = serde_json::from_slice(&body).expect("it is JSON");
            let fate = self.fates.lock().expect("no panic").pop_front().unwrap_or(Fate::Taken);
            self.requests.lock().expect("no panic").push((id, body, fate));
            self.heard.notify_one();
            let answer = match fate {
                Fate::Taken => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned(),
                Fate::Refused(status) => format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\nretry-after: 0\r\n\r\n"),
                Fate::Lost => return,
                Fate::Silence => std::future::pending().await,
            };
            if socket.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    /// Waits until so many different events were taken, and returns those of each room as they came first, checked for their order.
    async fn events(&self, count: usize) -> BTreeMap<String, Vec<Value>> {
        loop {
            let rooms = self.taken();
            if rooms.values().map(Vec::len).sum::<usize>() >= count {
                return rooms;
            }
            self.heard.notified().await;
        }
    }

    fn taken(&self) -> BTreeMap<String, Vec<Value>> {
        let mut rooms: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (_, body, _) in self.requests.lock().expect("no panic").iter().filter(|(.., fate)| is_taken(*fate)) {
            for event in body["data"]["events"].as_array().into_iter().flatten() {
                let told = rooms.entry(event["room"].as_str().expect("it has a room").to_owned()).or_default();
                let offset = |event: &Value| event["offset"].as_u64().expect("it has an offset");
                match told.last().map(offset) {
                    Some(last) if offset(event) <= last => {
                        assert!(told.contains(event), "{event} comes late, and for the first time");
                    }
                    _ => told.push(event.clone()),
                }
            }
        }
        rooms
    }

    fn ids(&self, which: impl Fn(Fate) -> bool) -> BTreeSet<String> {
        let requests = self.requests.lock().expect("no panic");
        requests.iter().filter(|(.., fate)| which(*fate)).map(|(id, ..)| id.clone()).collect()
    }
}

fn is_taken(fate: Fate) -> bool {
    matches!(fate, Fate::Taken | Fate::Lost)
}

/// A request's head and body; `None` where the other side has hung up.
async fn read_request(socket: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(read[..end + 2].to_vec()).expect("heads are text");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let mut body = read.split_off(end + 4);
            while body.len() < length.unwrap_or(0) {
                socket.read_buf(&mut body).await.ok().filter(|read| *read > 0)?;
            }
            return Some((head, body));
        }
        socket.read_buf(&mut read).await.ok().filter(|read| *read > 0)?;
    }
}

fn engine(bounds: FeedBounds) -> (Engine, Arc<MemoryLog>) {
    let log = Arc::new(MemoryLog::with_feed(bounds, Retention::default()));
    let mut limits = Limits::default();
    limits.lift_rates();
    limits.lift_addresses();
    let engine = Engine::builder().limits(limits).log(Arc::clone(&log) as _).expect("nobody else has it");
    (engine.build(), log)
}

/// Short pauses: nothing is measured.
fn webhook(url: &str) -> Webhook {
    let pause = (Duration::from_millis(1), Duration::from_millis(20));
    let config = Config { lanes: 3, batch_max: 7, timeout: Duration::from_millis(300), pause, ..Config::default() };
    Webhook::new(url, Secret::parse(SECRET).expect("a valid secret"), config).expect("a valid URL")
}

fn name() -> FeedName {
    FeedName::parse("webhook").expect("a valid name")
}

async fn found(engine: &Engine, room: &str) -> (Connection, RoomCode) {
    let room = RoomCode::parse(room).expect("a valid code");
    let ann = connect(engine, None).await;
    ann.call(Command::create(nick("Ann")).with_room(room.clone())).await.expect("the code is free");
    (ann, room)
}

async fn talk(ann: &Connection, room: &RoomCode, count: usize) {
    for number in 0..count {
        ann.call(Command::send(room.clone(), text(&format!("{room} {number}")))).await.expect("it is said");
    }
}

/// From now on the log keeps everything for [`all`], whatever was delivered.
async fn keep_all(engine: &Engine) {
    engine.feed_of(FeedName::parse("all").expect("a valid name")).await.expect("there is one");
}

/// Every event that the feed has, by room: what a backend is to be told.
async fn all(engine: &Engine) -> BTreeMap<String, Vec<Value>> {
    let (mut feed, end) = (engine.feed(None).expect("there is one"), engine.feed_end().await.expect("there is one"));
    let mut rooms: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    while feed.cursor() != Some(&end) {
        for event in feed.next().await.expect("the feed can be read").events {
            let frame = serde_json::from_str(&event.json).expect("it is JSON");
            rooms.entry(event.room.as_str().to_owned()).or_default().push(frame);
        }
    }
    rooms
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_fails_hangs_and_comes_back_is_told_everything_in_order() {
    let fates = [Fate::Refused(500), Fate::Silence, Fate::Lost, Fate::Refused(503), Fate::Refused(302), Fate::Taken];
    let (backend, url) = Backend::start(fates.into_iter().cycle().take(30)).await;
    let (engine, _log) = engine(FeedBounds::default());
    keep_all(&engine).await;
    let webhook = webhook(&url);
    let stats = webhook.stats();
    let sending = tokio::spawn(webhook.run(engine.feed_of(name()).await.expect("there is one")));
    let mut people = Vec::new();
    for room in ["ONE", "TWO", "THREE"] {
        people.push(found(&engine, room).await);
    }
    for (ann, room) in &people {
        talk(ann, room, 20).await;
    }
    let expected: usize = 3 * 21;
    assert_eq!(backend.events(expected).await, all(&engine).await);
    while stats.now().delivered < expected as u64 {
        tokio::task::yield_now().await;
    }
    // Each was tried again under the same id until it was confirmed.
    let (lost, taken) = (backend.ids(|fate| fate != Fate::Taken), backend.ids(|fate| fate == Fate::Taken));
    assert!(!lost.is_empty() && stats.now().failed > 0, "{:?}", stats.now());
    assert!(lost.is_subset(&taken), "{lost:?}, {taken:?}");
    sending.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_confirmed_is_sent_by_the_next_process() {
    let (engine, _log) = engine(FeedBounds::default());
    keep_all(&engine).await;
    let (mute, url) = Backend::start([Fate::Silence; 64]).await;
    let sending = tokio::spawn(webhook(&url).run(engine.feed_of(name()).await.expect("there is one")));
    let (ann, room) = found(&engine, "LUNCH").await;
    talk(&ann, &room, 5).await;
    while mute.requests.lock().expect("no panic").is_empty() {
        mute.heard.notified().await;
    }
    sending.abort();
    let (backend, url) = Backend::start([]).await;
    let sending = tokio::spawn(webhook(&url).run(engine.feed_of(name()).await.expect("there is one")));
    talk(&ann, &room, 5).await;
    assert_eq!(backend.events(11).await, all(&engine).await);
    sending.abort();
}

/// Two servers over one log, of which the first has the feed. What it was trying to deliver when it lost the feed is not tried again: the second has
/// delivered that, and more, by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_lost_the_feed_leaves_what_it_was_delivering() {
    let servers = Servers::default();
    let ends = [servers.join(), servers.join()];
    servers.give_all(&ends[0]);
    let memory = Arc::new(MemoryLog::with_feed(FeedBounds::default(), Retention::default()));
    // Each has the log, as another process would.
    let engines = ends.each_ref().map(|end| {
        let log: Arc<dyn Log> = Arc::new(BentLog::new(&memory));
        Engine::builder().log(log).expect("nobody else has it").cluster(Arc::clone(end) as _).build()
    });
    let (refusing, url) = Backend::start(std::iter::repeat_n(Fate::Refused(503), 10_000)).await;
    let left = webhook(&url);
    let stats = left.stats();
    let first = tokio::spawn(left.run(engines[0].feed_of(name()).await.expect("there is one")));
    let (backend, url) = Backend::start([]).await;
    let second = tokio::spawn(webhook(&url).run(engines[1].feed_of(name()).await.expect("there is one")));
    let (ann, room) = found(&engines[0], "LUNCH").await;
    while refusing.requests.lock().expect("no panic").len() < 3 {
        refusing.heard.notified().await;
    }
    servers.give_all(&ends[1]);
    talk(&ann, &room, 3).await;
    backend.events(4).await;
    while stats.now().left == 0 || engines[1].meters().feeds[0].deliveries[0] == 0 {
        tokio::task::yield_now().await;
    }
    let deliveries = engines.each_ref().map(|engine| engine.meters().feeds.remove(0).deliveries);
    let [[_, failed, left], [done, none_failed, none_left]] = deliveries;
    assert_eq!((left, none_failed, none_left), (1, 0, 0));
    assert!(done > 0 && failed > 2, "{deliveries:?}");
    assert_eq!(refusing.requests.lock().expect("no panic").len() as u64, failed, "it was not tried again");
    assert_eq!(engines[0].meters().delivered.count(), failed);
    first.abort();
    second.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_was_away_for_too_long_is_told_a_gap_first() {
    let (engine, _log) = engine(FeedBounds { bytes_max: 3_000, ..FeedBounds::default() });
    let feed = engine.feed_of(name()).await.expect("there is one");
    let (ann, room) = found(&engine, "LUNCH").await;
    talk(&ann, &room, 60).await;
    let (backend, url) = Backend::start([]).await;
    let webhook = webhook(&url);
    let stats = webhook.stats();
    let sending = tokio::spawn(webhook.run(feed));
    let told = loop {
        let told = backend.taken().remove("LUNCH").unwrap_or_default();
        if told.last().is_some_and(|event| event["text"] == "LUNCH 59") {
            break told;
        }
        backend.heard.notified().await;
    };
    let requests = backend.requests.lock().expect("no panic").clone();
    assert_eq!(requests[0].1["type"], "room.gap");
    // A cursor may be as long as no server takes a header.
    assert_eq!((requests[0].0.len(), &requests[0].0[..4]), (36, "gap_"), "{}", requests[0].0);
    let missed = requests[0].1["data"]["batches"].as_u64().expect("it is counted");
    assert_eq!(missed as usize + told.len(), 61);
    assert_eq!(stats.now().missed, missed);
    sending.abort();
}

#[tokio::test]
async fn what_cannot_be_sent_to_is_refused_at_once() {
    let new = |url: &str| Webhook::new(url, Secret::parse(SECRET).expect("a valid secret"), Config::default());
    for url in ["", "backend", "ftp://backend/", "http://", "http://a@b/", "//backend/"] {
        assert!(matches!(new(url), Err(WebhookError::Url)), "{url}");
    }
    let nowhere = Config { roots: Some("/nowhere/at/all".into()), ..Config::default() };
    let refused = Webhook::new("https://backend/", Secret::parse(SECRET).expect("a valid secret"), nowhere);
    assert!(matches!(refused, Err(WebhookError::Roots { .. })));
    assert!(new("http://[::1]:1234").is_ok());
    let engine = Engine::builder().log(Arc::new(MemoryLog::new()) as Arc<dyn Log>).expect("nobody has it").build();
    assert_eq!(engine.feed_of(name()).await.err(), Some(FeedError::NoFeed), "a log without a feed");
}
