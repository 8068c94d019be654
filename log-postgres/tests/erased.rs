//! A person who is erased is in no row of any table any more, and tables that were made before there were erasures have them.

mod support;

use std::sync::Arc;

use chat_core::{Engine, Log, RoomCode};
use chat_testkit::erased::{Passes, TEXTS, TRACES, erase, leave_traces, texts};
use support::Cluster;

/// Every table with bytes of people in it.
const ROWS: &str = "select count(*) from (select body from records union all select body from snapshots \
                    union all select body from read_positions union all select body from erasures \
                    union all select identity from erasures union all select about from tails) as all_rows \
                    where position(convert_to($1, 'UTF8') in body) > 0";

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
    let _people = leave_traces(&engine, &room).await;
    for trace in TRACES {
        assert!(rows(trace).await > 0, "{trace}: otherwise this test shows nothing");
    }
    erase(&engine).await;
    for trace in TRACES {
        assert_eq!(rows(trace).await, 0, "{trace}");
    }
    assert_eq!(texts(&engine, &room).await, TEXTS);
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
