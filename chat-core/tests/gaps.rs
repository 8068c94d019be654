//! What a gap may span, and which gaps are counted as surprises.
#![cfg(feature = "engine")]

mod support;

use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};
use std::thread::{self, ThreadId};

use bytes::BytesMut;
use chat_core::{Clock, Engine, FrameRef, Framing, MemberId, Moderation, Mono, Now, SystemClock};
use support::*;

#[tokio::test(start_paused = true)]
async fn only_the_first_gap_of_who_came_late_is_no_surprise() {
    let engine = engine_with(forgetful);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    let token = bob.token();
    drop(bob);
    talk(&ann, 20).await;
    let bob = Client::with_hello(&engine, resume(&token, &[("LUNCH", at(&joined, 2))])).await;
    assert_eq!(bob.told().await, ["welcome back lunch:gap:2", "gap 3..20"]);
    assert_eq!((engine.stats().gaps, engine.stats().gaps_unblocked), (1, 0), "he was away");
    // One frame at a time is no sign of a connection that takes nothing.
    for (from, to) in [(21, 40), (41, 60)] {
        pass(secs(1)).await;
        talk(&ann, to).await;
        assert_eq!(bob.told().await, [format!("gap {from}..{to}")]);
    }
    assert_eq!((engine.stats().gaps, engine.stats().gaps_unblocked), (3, 2), "he was here");
}

#[tokio::test(start_paused = true)]
async fn a_description_from_the_older_half_of_the_backlog_is_made_anew() {
    let engine = engine_with(forgetful);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let cid = Client::in_room(&engine, "LUNCH", "Cid").await;
    talk(&ann, 20).await;
    assert_eq!(bob.told().await, ["gap 3..20"]);
    pass(secs(1)).await;
    // The room as of 20 is remembered, and 21 soon is not.
    talk(&ann, 40).await;
    assert_eq!(cid.told().await, ["gap 4..40"], "one gap, and not another a second later");
}

/// A clock that sends word when a thread asks it, and lets it go on when that has been answered.
struct WatchedClock {
    clock: SystemClock,
    watched: Mutex<Option<(ThreadId, mpsc::Sender<()>)>>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Clock for WatchedClock {
    fn now(&self) -> Now {
        let watched =
            self.watched.lock().expect("nobody panics with it").take_if(|(id, _)| *id == thread::current().id());
        if let Some((_, asked)) = watched {
            asked.send(()).expect("the test waits for it");
            self.go_on.lock().expect("nobody panics with it").recv().expect("the test answers");
        }
        self.clock.now()
    }

    fn instant(&self, mono: Mono) -> tokio::time::Instant {
        self.clock.instant(mono)
    }
}

#[tokio::test(start_paused = true)]
async fn a_gap_never_reaches_past_the_end_of_the_membership() {
    let (go_on, wait) = mpsc::channel();
    let clock =
        Arc::new(WatchedClock { clock: SystemClock::new(), watched: Mutex::default(), go_on: Mutex::new(wait) });
    let engine = Engine::builder().limits(limits(forgetful)).clock(clock.clone()).build();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Arc::new(Client::in_room(&engine, "LUNCH", "Bob").await);
    let cid = Client::in_room(&engine, "LUNCH", "Cid").await;
    talk(&ann, 20).await;
    assert_eq!(bob.told().await, ["gap 3..20"]);
    pass(secs(1)).await;
    talk(&ann, 40).await;
    // Bob looks, finds that he is still in the room and 40 the last event, and then asks what time it is.
    let (asked, is_asked) = mpsc::channel();
    let looking = tokio::task::spawn_blocking({
        let (bob, clock) = (Arc::clone(&bob), Arc::clone(&clock));
        move || {
            *clock.watched.lock().expect("nobody panics with it") = Some((thread::current().id(), asked));
            let due = bob.peeked();
            *clock.watched.lock().expect("nobody panics with it") = None;
            due
        }
    });
    is_asked.recv().expect("he asks the time of his last gap");
    engine.moderate(&code("LUNCH"), Moderation::Kick(MemberId(2))).await.expect("he is a member");
    talk(&ann, 44).await;
    assert_eq!(cid.told().await, ["gap 4..44"], "the room is described as it is without Bob");
    go_on.send(()).expect("he waits for it");
    assert_eq!(looking.await.expect("he looks"), None);
    assert_eq!(bob.told().await, ["gap 21..41 ended"]);
}

/// As a transport does it that writes to a socket, and one that is only asked for more.
#[tokio::test(start_paused = true)]
async fn a_gap_of_who_took_everything_is_a_surprise_and_of_whose_socket_was_full_is_none() {
    struct Plain;
    impl Framing for Plain {
        fn frame(&mut self, out: &mut BytesMut, frame: FrameRef<'_>) {
            out.extend_from_slice(frame.json);
        }
    }
    for (left, is_said, surprises) in [(0, false, 1), (1, false, 0), (0, true, 0)] {
        let engine = engine_with(forgetful);
        let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
        let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
        ann.say("LUNCH", "one").await;
        let mut out = BytesMut::new();
        let cx = Context::from_waker(Waker::noop());
        assert!(bob.session.poll_fill(&cx, &mut Plain, &mut out).is_ready());
        if is_said {
            bob.session.note_blocked();
        }
        bob.session.written(out.len() - left);
        talk(&ann, 20).await;
        assert_eq!(bob.told().await, ["gap 4..20"]);
        assert_eq!((engine.stats().gaps, engine.stats().gaps_unblocked), (1, surprises));
    }
}
