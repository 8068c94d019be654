//! Rooms whose log retention has cut, and whose snapshot a later program wrote: read where that can be done, else refused by name.

mod support;

use std::sync::{Arc, Mutex};

use chat_core::{Epoch, Log, Observer, ObserverEvent, Offset, RejectCode};
use chat_testkit::logs::MemoryLog;
use serde_json::{Value, json};
use support::bent::BentLog;
use support::{builder, code, connect, create, engine, engine_with, join, joined, say_many, seconds, settle, texts};

/// A room whose snapshot is all that is left of its first records.
struct Cut {
    memory: Arc<MemoryLog>,
    epoch: Epoch,
    through: Offset,
    snapshot: Value,
}

impl Cut {
    async fn new() -> Self {
        let memory = Arc::new(MemoryLog::new());
        let epoch = {
            let engine = engine_with(&memory, |limits| limits.session.send_per_second = 0);
            let mut ann = connect(&engine, None).await;
            let epoch = create(&mut ann).await.epoch;
            say_many(&ann, 0..1_100).await;
            epoch
        };
        settle().await;
        let stored = memory.load_snapshot(&code(), epoch).await.expect("the memory can be read");
        let (through, bytes) = stored.expect("one was made");
        let snapshot = serde_json::from_slice(&bytes).expect("a snapshot is JSON");
        Self { memory, epoch, through, snapshot }
    }

    async fn store(&self, change: impl FnOnce(&mut Value)) {
        let mut snapshot = self.snapshot.clone();
        change(&mut snapshot);
        let bytes = serde_json::to_vec(&snapshot).expect("it is JSON");
        self.memory.save_snapshot(&code(), self.epoch, self.through, &bytes).await.expect("the memory can be written");
    }

    /// The log as it is after retention has cut it.
    fn log(&self) -> Arc<BentLog> {
        let through = self.through;
        Arc::new(BentLog::new(&self.memory).reads(move |mut stretch| {
            stretch.records.retain(|record| record.offset > through);
            stretch
        }))
    }
}

/// What a later program may add without harm to those before it.
fn add(snapshot: &mut Value) {
    snapshot["version"] = json!(3);
    snapshot["written_at"] = json!("2031-01-01T00:00:00.000Z");
    snapshot["ledger"]["pins"] = json!({"first": 1_000, "last": null});
    snapshot["ledger"]["members"][0]["badges"] = json!({"avatar": [1, 2, 3]});
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_a_later_version_is_read_where_this_one_can() {
    let changes: [fn(&mut Value); 2] = [add, |snapshot| {
        add(snapshot);
        snapshot.as_object_mut().expect("it is an object").remove("readable_from");
    }];
    for change in changes {
        let cut = Cut::new().await;
        cut.store(change).await;
        let engine = engine(&cut.log());
        let mut bob = connect(&engine, None).await;
        join(&bob, "Bob").await.expect("the snapshot says who is there");
        let shown = joined(&mut bob).await;
        let nicks: Vec<_> = shown.members.iter().map(|member| member.nick.as_str()).collect();
        assert_eq!((nicks, shown.history.len()), (vec!["Bob", "Ann"], 50));
    }
}

/// What the engine says of its log.
#[derive(Default)]
struct Faults(Mutex<Vec<String>>);

impl Observer for Faults {
    fn observe(&self, event: ObserverEvent<'_>) {
        if let ObserverEvent::LogFault { error, .. } = event {
            self.0.lock().expect("nothing panics here").push(error);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_only_a_later_version_can_read_is_refused_by_both_until_it_can_be_read() {
    let cut = Cut::new().await;
    cut.store(|snapshot| {
        add(snapshot);
        snapshot["readable_from"] = json!(3);
    })
    .await;
    let faults = Arc::new(Faults::default());
    let engine = builder(&cut.log()).observer(Arc::clone(&faults) as _).build();
    let bob = connect(&engine, None).await;
    for _ in 0..5 {
        let refused = join(&bob, "Bob").await.expect_err("nobody knows who is in it");
        assert_eq!(refused.code, RejectCode::Unavailable);
        assert!(refused.retry_after.is_some());
    }
    let told = faults.0.lock().expect("nothing panics here").clone();
    let [told] = &told[..] else { panic!("it is told once, however many ask: {told:?}") };
    let names = ["a snapshot of version 3", "from version 3 on", "chat-core", "reads version 2"];
    assert!(names.iter().all(|name| told.contains(name)), "{told}");
    assert_eq!(engine.stats().unreadable, 1);
    seconds(6).await;
    for _ in 0..5 {
        assert!(join(&bob, "Bob").await.is_err());
    }
    // The engine visits each room by itself, a few times.
    let told = faults.0.lock().expect("nothing panics here").len();
    assert!((2..=5).contains(&told), "{told} times within 6 seconds, and not for each who asks");
    assert_eq!(engine.stats().unreadable, told as u64);

    // What a program stores that can read it.
    cut.store(|_| {}).await;
    seconds(6).await;
    assert_eq!(texts(&engine, "Cat").await.len(), 50, "and then it is there by itself");
}

/// Nothing is lost by a snapshot that cannot be read while the log has everything.
#[tokio::test(start_paused = true)]
async fn where_the_log_is_whole_it_is_replayed_instead() {
    let cut = Cut::new().await;
    cut.store(|snapshot| (snapshot["version"], snapshot["readable_from"]) = (json!(9), json!(9))).await;
    let engine = engine(&cut.memory);
    assert_eq!(texts(&engine, "Bob").await.len(), 50);
    assert_eq!(engine.stats().unreadable, 0);
}
