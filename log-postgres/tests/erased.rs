//! A person who is erased is in no row of any table any more, and tables that were made before there were erasures have them.

mod support;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{
    Admission, Body, Command, ConnectRequest, Connection, Engine, Hello, HistoryAnchor, Identity, Key, Log, Nick,
    Policy, Reject, RoomCode, RoomOptions,
};
use support::Cluster;

/// Everybody is who their credentials say.
struct Passes;

#[async_trait]
impl Policy for Passes {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        Ok(Admission::of(request.credentials.as_deref().and_then(Identity::new)))
    }
}

/// Bytes that nobody but Xaver has brought in: an identity, a name, a key, a text.
const TRACES: [&str; 4] = ["xaverius@example.org", "Xaverius", "key-of-xav", "zymurgy"];
/// Every table with bytes of people in it.
const ROWS: &str = "select count(*) from (select body from records union all select body from snapshots \
                    union all select body from read_positions union all select body from erasures \
                    union all select identity from erasures union all select about from tails) as all_rows \
                    where position(convert_to($1, 'UTF8') in body) > 0";

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
async fn no_row_of_any_table_holds_a_byte_of_who_is_erased() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    let room = RoomCode::parse("LUNCH").expect("a valid code");
    let log = Arc::new(cluster.open(&options).await);
    let client = cluster.connect_to(&options).await;
    let rows =
        async |trace: &str| -> i64 { client.query_one(ROWS, &[&trace]).await.expect("the tables can be read").get(0) };
    let builder = Engine::builder().log(Arc::clone(&log) as Arc<dyn Log>).expect("nobody else has it");
    let engine = builder.policy(Arc::new(Passes)).build();
    engine.room(&room).create(RoomOptions::new()).await.expect("made");
    let (ann, xaver) = (connect(&engine, "ann").await, connect(&engine, TRACES[0]).await);
    ann.call(Command::join(room.clone(), Nick::parse("Ann").expect("a nick"))).await.expect("let in");
    xaver.call(Command::join(room.clone(), Nick::parse(TRACES[1]).expect("a nick"))).await.expect("let in");
    say(&ann, &room, "hello from Ann", None).await;
    say(&xaver, &room, "of zymurgy", Some("key-of-xav-1")).await;
    for trace in TRACES {
        assert!(rows(trace).await > 0, "{trace}: otherwise this test shows nothing");
    }
    engine.erase(Identity::new(TRACES[0]).expect("an identity")).await.expect("begun");
    let done = tokio::time::timeout(Duration::from_secs(120), async {
        while !engine.erasures().await.is_ok_and(|all| all.is_empty()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    done.await.expect("it is done");
    for trace in TRACES {
        assert_eq!(rows(trace).await, 0, "{trace}");
    }
    let history = engine.room(&room).history(HistoryAnchor::Newest, None).await.expect("shown");
    let texts: Vec<&str> = history.messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["hello from Ann", ""]);
}

#[tokio::test]
async fn tables_of_before_there_were_erasures_get_a_place_for_them() {
    let Some(cluster) = Cluster::shared() else { return };
    let options = support::options();
    drop(cluster.open(&options).await);
    let client = cluster.connect_to(&options).await;
    client.batch_execute("drop table erasures").await.expect("as it was before");
    let log = cluster.open(&options).await;
    assert_eq!(log.erasures().await, Ok(Vec::new()));
}
