//! A person who is erased is gone from what the file is read as, and from the file itself once it is closed.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{
    Admission, Body, Command, ConnectRequest, Connection, Engine, Hello, HistoryAnchor, Identity, Key, Log, Nick,
    Policy, Reject, RoomCode, RoomOptions,
};
use log_redb::{FILE_NAME, Options, RedbLog};

/// Everybody is who their credentials say.
struct Passes;

#[async_trait]
impl Policy for Passes {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        Ok(Admission::of(request.credentials.as_deref().and_then(Identity::new)))
    }
}

/// Bytes that nobody but Xaver has brought in: an identity, a name and its look, a key, a text.
const TRACES: [&str; 5] = ["xaverius@example.org", "Xaverius", "xaverius", "key-of-xav", "zymurgy"];

fn engine(log: &Arc<RedbLog>) -> Engine {
    let log = Arc::clone(log) as Arc<dyn Log>;
    Engine::builder().log(log).expect("nobody else has it").policy(Arc::new(Passes)).build()
}

async fn connect(engine: &Engine, who: &str) -> Connection {
    let request = ConnectRequest { credentials: Some(who.to_owned()), ..ConnectRequest::default() };
    engine.connect(request, Hello::default()).await.expect("everybody is let in")
}

async fn say(session: &Connection, room: &RoomCode, text: &str, key: Option<&str>) {
    let key = key.map(|key| Key::parse(key).expect("a valid key"));
    let text = Body::parse(text, 1_000).expect("a valid text");
    session.call(Command::send(room.clone(), text).with_key(key)).await.expect("sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_who_is_erased_is_left_in_the_file_once_it_is_closed() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = || fs::read(dir.path().join(FILE_NAME)).expect("the file is there");
    let holds = |trace: &str| file().windows(trace.len()).any(|window| window == trace.as_bytes());
    let room = RoomCode::parse("LUNCH").expect("a valid code");
    let log = Arc::new(RedbLog::open(dir.path(), Options::default()).expect("it opens"));
    {
        let engine = engine(&log);
        engine.room(&room).create(RoomOptions::new()).await.expect("made");
        let (ann, xaver) = (connect(&engine, "ann").await, connect(&engine, TRACES[0]).await);
        ann.call(Command::join(room.clone(), Nick::parse("Ann").expect("a nick"))).await.expect("let in");
        xaver.call(Command::join(room.clone(), Nick::parse(TRACES[1]).expect("a nick"))).await.expect("let in");
        say(&ann, &room, "hello from Ann", None).await;
        say(&xaver, &room, "of zymurgy", Some("key-of-xav-1")).await;
        assert_eq!(TRACES.map(holds), [true; 5], "otherwise this test shows nothing");
        engine.erase(Identity::new(TRACES[0]).expect("an identity")).await.expect("begun");
        let done = tokio::time::timeout(Duration::from_secs(60), async {
            while !engine.erasures().await.is_ok_and(|all| all.is_empty()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        done.await.expect("it is done");
    }
    log.close().await.expect("it can be closed");
    drop(log);
    assert_eq!(TRACES.map(holds), [false; 5]);
    let log = Arc::new(RedbLog::open(dir.path(), Options::default()).expect("it opens"));
    let history = engine(&log).room(&room).history(HistoryAnchor::Newest, None).await.expect("shown");
    let texts: Vec<&str> = history.messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["hello from Ann", ""]);
}
