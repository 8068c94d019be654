//! Readers that fall behind: what they are told instead, and that nobody else is ever told it.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use chat_core::{Command, Engine, FrameKind, FrameRef, Framing, Limits, MemberId, Moderation, ServerFrame};
use support::*;

/// An engine whose rooms remember eight events, and which lets everybody talk as fast as they can.
fn forgetful() -> Engine {
    engine_with(|limits| {
        limits.room.backlog_events_max = 8;
        limits.lift_rates();
        limits.session.commands_in_flight_max = 1_000;
    })
}

async fn talk(speaker: &Client, from: u64, to: u64) {
    for seq in from..=to {
        assert_eq!(speaker.say("LUNCH", &format!("m{seq}")).await, seq);
        speaker.take();
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_behind_the_backlog_gets_one_gap_with_the_room_as_it_is_and_then_goes_on() {
    let engine = forgetful();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    talk(&ann, 3, 30).await;
    let frames = bob.frames().await;
    let [ServerFrame::Gap { from, to, members, members_total, topic, notices, ended, .. }] = frames.as_slice() else {
        panic!("one gap: {frames:?}")
    };
    assert_eq!((from.0, to.0, members.len(), *members_total, ended), (3, 30, 2, Some(2), &false));
    assert!(topic.is_some() && notices.is_some());
    talk(&ann, 31, 33).await;
    assert_eq!(bob.told().await, ["31 Ann: m31", "32 Ann: m32", "33 Ann: m33"]);
    assert_eq!(engine.stats().gaps, 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_just_within_the_backlog_misses_nothing() {
    let engine = forgetful();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    talk(&ann, 3, 10).await;
    assert_eq!(bob.told().await.len(), 8);
    assert_eq!(engine.stats().gaps, 0);
}

#[tokio::test(start_paused = true)]
async fn gaps_are_told_seldom() {
    let engine = forgetful();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    talk(&ann, 3, 20).await;
    assert_eq!(bob.told().await, ["gap 3..20"]);
    pass(millis(500)).await;
    talk(&ann, 21, 40).await;
    assert_eq!(bob.told().await, Vec::<String>::new(), "not two within a second");
    talk(&ann, 41, 50).await;
    let next = tokio::time::Instant::now();
    let gap = bob.next().await;
    assert_eq!(
        (summary(&gap).as_str(), next.elapsed()),
        ("gap 21..50", millis(500)),
        "it is woken when it may be told"
    );
}

#[tokio::test(start_paused = true)]
async fn the_room_is_described_at_most_once_in_a_while_for_all_who_are_behind() {
    let engine = engine_with(|limits| {
        limits.room.backlog_events_max = 8;
        limits.lift_rates();
        limits.session.gap_interval = millis(0);
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let cid = Client::in_room(&engine, "LUNCH", "Cid").await;
    talk(&ann, 4, 20).await;
    assert_eq!(bob.told().await, ["gap 3..20"]);
    assert_eq!(cid.told().await, ["gap 4..20"], "at once, with Bob's");
    talk(&ann, 21, 40).await;
    assert_eq!(bob.told().await, Vec::<String>::new());
    let before = tokio::time::Instant::now();
    assert_eq!(summary(&bob.next().await), "gap 21..40");
    assert_eq!(before.elapsed(), millis(250));
}

#[tokio::test(start_paused = true)]
async fn a_description_too_old_to_go_on_from_is_made_anew() {
    let engine = engine_with(|limits| {
        limits.room.backlog_events_max = 8;
        limits.lift_rates();
        limits.room.gap_view_interval = millis(0);
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let cid = Client::in_room(&engine, "LUNCH", "Cid").await;
    talk(&ann, 4, 20).await;
    assert_eq!(bob.told().await, ["gap 3..20"]);
    talk(&ann, 21, 23).await;
    assert_eq!(cid.told().await, ["gap 4..20", "21 Ann: m21", "22 Ann: m22", "23 Ann: m23"], "still good");
    drop(bob);
    let dan = Client::in_room(&engine, "LUNCH", "Dan").await;
    talk(&ann, 25, 50).await;
    assert_eq!(dan.told().await, ["gap 25..50"]);
}

#[tokio::test(start_paused = true)]
async fn a_membership_that_ended_behind_the_backlog_ends_with_the_gap() {
    let engine = forgetful();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let cid = Client::in_room(&engine, "LUNCH", "Cid").await;
    talk(&ann, 4, 10).await;
    engine.moderate(&code("LUNCH"), Moderation::Kick(MemberId(2))).await.expect("Bob is there");
    talk(&ann, 12, 40).await;
    assert_eq!(bob.told().await, ["gap 3..11 ended"]);
    engine.moderate(&code("LUNCH"), Moderation::Close).await.expect("the room is there");
    assert_eq!(cid.told().await, ["gap 4..40 ended", "closed host"]);
    assert_eq!(ann.told().await, ["closed host"]);
}

#[tokio::test(start_paused = true)]
async fn a_redacted_message_that_was_not_read_is_read_as_a_tombstone() {
    let engine = forgetful();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    talk(&ann, 3, 5).await;
    engine.moderate(&code("LUNCH"), Moderation::Redact(chat_core::Seq(4))).await.expect("it is there");
    assert_eq!(bob.told().await, ["3 Ann: m3", "4 Ann (redacted)", "5 Ann: m5", "6 redacted 4"]);
}

#[tokio::test(start_paused = true)]
async fn a_big_batch_of_big_messages_is_no_gap_for_who_always_reads() {
    let engine = engine_with(|limits| {
        limits.lift_rates();
        limits.session.commands_in_flight_max = 1_000;
        limits.room.backlog_bytes_max = 64 << 10;
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let reader = tokio::spawn(async move {
        let mut messages = 0;
        while messages < 200 {
            match read_all(&bob).await {
                (count, 0) => messages += count,
                (_, gaps) => panic!("{gaps} gaps"),
            }
        }
    });
    settle().await;
    for _ in 0..200 {
        ann.submit(send("LUNCH", &"x".repeat(3_000)));
    }
    tokio::time::timeout(secs(5), reader).await.expect("it reads all").expect("it gets no gap");
    assert_eq!(engine.stats().gaps_unblocked, 0);
}

/// Three hundred who read 200 messages as soon as they can, or up to a gap; each says how many of both it saw.
async fn prompt_readers(engine: &Engine) -> Vec<tokio::task::JoinHandle<(u64, u64)>> {
    let mut readers = Vec::new();
    for number in 0..300 {
        let reader = Client::in_room(engine, "LUNCH", &format!("Reader {number}")).await;
        readers.push(tokio::spawn(async move {
            let mut read = (0, 0);
            while read.0 < 200 && read.1 == 0 {
                let (messages, gaps) = read_all(&reader).await;
                read = (read.0 + messages, read.1 + gaps);
            }
            read
        }));
    }
    readers
}

#[tokio::test(start_paused = true)]
async fn with_hundreds_of_readers_too_and_none_of_them_is_left_out() {
    let engine = engine_with(|limits| {
        limits.lift_rates();
        limits.session.commands_in_flight_max = 1_000;
        limits.room.backlog_bytes_max = 64 << 10;
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let readers = prompt_readers(&engine).await;
    settle().await;
    for _ in 0..200 {
        ann.submit(send("LUNCH", &"x".repeat(3_000)));
    }
    for reader in readers {
        assert_eq!(reader.await.expect("it reads all"), (200, 0));
    }
    assert_eq!(engine.stats().gaps_unblocked, 0);
}

#[tokio::test(start_paused = true)]
async fn nor_where_the_memory_of_all_rooms_is_short() {
    let engine = engine_with(|limits| {
        limits.lift_rates();
        limits.session.commands_in_flight_max = 1_000;
        limits.room.batch_inputs_max = 8;
        // 200 messages, and what the room remembers of its readers, are more.
        limits.engine.memory_bytes_max = 192 << 10;
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let readers = prompt_readers(&engine).await;
    settle().await;
    for _ in 0..200 {
        ann.submit(send("LUNCH", &"x".repeat(1_000)));
    }
    for reader in readers {
        assert_eq!(reader.await.expect("it reads all"), (200, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_has_much_to_answer_and_nothing_to_tell_lets_others_run() {
    let engine = engine_with(|limits| {
        limits.session.commands_in_flight_max = 1_000;
        limits.session.command_per_second = 0;
        limits.room.batch_inputs_max = 1;
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let turns = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&turns);
    tokio::spawn(std::future::poll_fn(move |cx| {
        counted.fetch_add(1, Ordering::Relaxed);
        cx.waker().wake_by_ref();
        std::task::Poll::<()>::Pending
    }));
    let asker = tokio::spawn(async move {
        for _ in 0..200 {
            ann.submit(Command::members(code("LUNCH")));
        }
        ann.next().await;
        let first = turns.load(Ordering::Relaxed);
        for _ in 1..200 {
            ann.next().await;
        }
        turns.load(Ordering::Relaxed) - first
    });
    let between = asker.await.expect("all is answered");
    assert!(between > 100, "others had {between} turns between 200 answers");
}

#[tokio::test(start_paused = true)]
async fn whoever_speaks_is_answered_before_the_whole_room_has_read_it() {
    let engine = engine_with(Limits::lift_rates);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let reads = Arc::new(AtomicU64::new(0));
    for number in 0..300 {
        let (reader, reads) =
            (Client::in_room(&engine, "LUNCH", &format!("Reader {number}")).await, Arc::clone(&reads));
        tokio::spawn(async move {
            loop {
                read_all(&reader).await;
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    settle().await;
    let so_far = Arc::clone(&reads);
    let speaker = tokio::spawn(async move {
        let mut before = so_far.load(Ordering::Relaxed);
        for said in 0..10 {
            ann.session.call(send("LUNCH", "x")).await.expect("she may speak");
            let read = so_far.load(Ordering::Relaxed);
            assert!(read - before < 100, "{} readers came before the answer to message {said}", read - before);
            before = read;
        }
    });
    speaker.await.expect("she speaks to the end");
}

/// Counts messages and gaps.
#[derive(Default)]
struct Counting {
    messages: u64,
    gaps: u64,
}

impl Framing for Counting {
    fn frame(&mut self, out: &mut BytesMut, frame: FrameRef<'_>) {
        out.extend_from_slice(frame.json);
        self.messages += u64::from(frame.kind == FrameKind::Message);
        self.gaps += u64::from(frame.kind == FrameKind::Gap);
    }
}

/// Takes one fill as a socket does that has room for all of it.
async fn read_all(client: &Client) -> (u64, u64) {
    let (mut counting, mut out) = (Counting::default(), BytesMut::new());
    std::future::poll_fn(|cx| client.session.poll_fill(cx, &mut counting, &mut out)).await;
    client.session.written(out.len());
    (counting.messages, counting.gaps)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_always_reads_never_sees_a_gap() {
    const CLIENTS: u64 = 8;
    const EACH: u64 = 750;
    let engine = engine_with(|limits| {
        limits.lift_rates();
    });
    let told = Arc::new(AtomicU64::new(0));
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        clients.push(Client::in_room(&engine, "LUNCH", &format!("Client {number}")).await);
    }
    let mut tasks = Vec::new();
    for client in clients {
        let told = Arc::clone(&told);
        // A client says the next thing when it has read the last: what is under way is bounded, as on real connections.
        tasks.push(tokio::spawn(async move {
            let (mut read, mut said) = (0, 0);
            while read < CLIENTS * EACH {
                if said < EACH && said * CLIENTS <= read + CLIENTS * 16 && client.session.can_submit() {
                    client.submit(send("LUNCH", "x"));
                    said += 1;
                    continue;
                }
                let (messages, gaps) = read_all(&client).await;
                assert_eq!(gaps, 0);
                read += messages;
            }
            told.fetch_add(read, Ordering::Relaxed);
        }));
    }
    for task in tasks {
        tokio::time::timeout(secs(120), task).await.expect("everybody reads to the end").expect("and sees no gap");
    }
    assert_eq!(told.load(Ordering::Relaxed), CLIENTS * CLIENTS * EACH);
    let stats = engine.stats();
    assert_eq!((stats.gaps, stats.gaps_unblocked), (0, 0));
}
