//! A person who is erased is gone from what the file is read as, and from the file itself once it is closed.

use std::fs;
use std::sync::Arc;

use chat_core::{Engine, Log, RoomCode};
use chat_testkit::erased::{Passes, TEXTS, TRACES, erase, leave_traces, texts};
use log_redb::{FILE_NAME, Options, RedbLog};

fn engine(log: &Arc<RedbLog>) -> Engine {
    let log = Arc::clone(log) as Arc<dyn Log>;
    Engine::builder().log(log).expect("nobody else has it").policy(Arc::new(Passes)).build()
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
        let _people = leave_traces(&engine, &room).await;
        assert_eq!(TRACES.map(holds), [true; 5], "otherwise this test shows nothing");
        erase(&engine).await;
    }
    log.close().await.expect("it can be closed");
    drop(log);
    assert_eq!(TRACES.map(holds), [false; 5]);
    let log = Arc::new(RedbLog::open(dir.path(), Options::default()).expect("it opens"));
    assert_eq!(texts(&engine(&log), &room).await, TEXTS);
}
