//! In which order a session is told what, and that nothing is lost or repeated however its frames are taken.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use chat_core::{
    Command, Connection, Engine, Fill, FrameRef, Framing, Hello, RejectCode, Reply, Seq, ServerFrame, TypingState,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use support::*;

/// Each frame behind its length; remembers what positions it was given.
#[derive(Default)]
struct Lengths {
    positions: Vec<(&'static str, Vec<u64>)>,
}

impl Framing for Lengths {
    fn frame(&mut self, out: &mut BytesMut, frame: FrameRef<'_>) {
        out.extend_from_slice(&(frame.json.len() as u32).to_le_bytes());
        out.extend_from_slice(frame.json);
        let positions = frame.positions.iter().map(|(_, position)| position.seq.0).collect();
        self.positions.push((frame.kind.as_str(), positions));
    }
}

/// A socket that takes as many bytes of each fill as it is told to; `None` when nothing is due.
fn fill(session: &Connection, socket: &mut Vec<u8>, takes: impl FnOnce(usize) -> usize) -> Option<usize> {
    let mut out = BytesMut::new();
    let cx = Context::from_waker(Waker::noop());
    match session.poll_fill(&cx, &mut Lengths::default(), &mut out) {
        Poll::Pending => return None,
        Poll::Ready(fill) => assert_eq!(fill, Fill::Frames),
    }
    let taken = takes(out.len());
    let end = session.written(taken);
    assert!((taken..=out.len()).contains(&end), "{taken} <= {end} <= {}", out.len());
    // The rest of the frame that is half out goes before anything else.
    socket.extend_from_slice(&out[..end]);
    Some(out.len())
}

/// What the socket has taken, frame by frame.
fn unframed(socket: &[u8]) -> Vec<ServerFrame> {
    let mut rest = socket;
    let mut frames = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (json, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        frames.push(parse(json));
        rest = after;
    }
    assert!(rest.is_empty(), "whole frames");
    frames
}

fn unhurried() -> Engine {
    engine_with(|limits| {
        limits.lift_rates();
    })
}

#[tokio::test(start_paused = true)]
async fn answers_stand_outside_the_order_of_events() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    ann.submit_as(1, send("LUNCH", "one"));
    ann.submit_as(2, leave("DINNER"));
    ann.submit_as(3, send("LUNCH", "two"));
    settle().await;
    let mut told = ann.told().await;
    assert_eq!(told.split_off(3), ["2 Ann: one", "3 Ann: two"]);
    told.sort();
    assert_eq!(told, ["ack 2", "ack 3", "error room_not_found"], "rooms answer at their own pace");
}

#[tokio::test(start_paused = true)]
async fn no_event_of_a_room_comes_before_its_joined() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    bob.submit(join("LUNCH", "Bob"));
    bob.submit(send("LUNCH", "hi"));
    bob.submit(Command::typing(code("LUNCH"), TypingState::On));
    assert_eq!(bob.told().await, ["welcome", "ack 3", "joined 2 as 2", "3 Bob: hi", "typing [2]"]);
    assert_eq!(ann.told().await, ["2 +Bob", "3 Bob: hi", "typing [2]"]);
}

#[tokio::test(start_paused = true)]
async fn an_earlier_stay_is_told_to_its_end_before_the_next_begins() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    ann.say("LUNCH", "one").await;
    bob.submit(leave("LUNCH"));
    settle().await;
    ann.say("LUNCH", "unheard").await;
    bob.submit(join("LUNCH", "Bobby"));
    settle().await;
    ann.say("LUNCH", "two").await;
    assert_eq!(
        bob.told().await,
        ["ack 4", "3 Ann: one", "4 -Bob left", "joined 6 as 2", "7 Ann: two"],
        "and what was said in between is history"
    );
}

#[tokio::test(start_paused = true)]
async fn an_earlier_stay_comes_first_with_one_fill_after_the_other_too() {
    let engine = unhurried();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    for stay in 0..3 {
        bob.submit(leave("LUNCH"));
        bob.submit(join("LUNCH", "Bob"));
        settle().await;
        ann.say("LUNCH", &format!("stay {stay}")).await;
    }
    let mut socket = Vec::new();
    while fill(&bob.session, &mut socket, |length| length).is_some() {}
    let told: Vec<String> = unframed(&socket).iter().map(summary).filter(|frame| !frame.starts_with("ack")).collect();
    assert_eq!(
        told,
        [
            "3 -Bob left",
            "joined 4 as 2",
            "5 Ann: stay 0",
            "6 -Bob left",
            "joined 7 as 2",
            "8 Ann: stay 1",
            "9 -Bob left",
            "joined 10 as 2",
            "11 Ann: stay 2"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_is_not_committed_comes_again() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    ann.enter("DINNER", "Ann").await;
    ann.told().await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    bob.enter("DINNER", "Bob").await;
    for _ in 0..3 {
        assert_eq!(ann.peeked().as_deref(), Some("2 +Bob"));
    }
    let rooms = || ann.session.peek().map(|frame| String::from_utf8_lossy(&frame.json).into_owned());
    assert_eq!(rooms(), rooms(), "of the same room, too");
    assert_eq!(ann.told().await, ["2 +Bob", "2 +Bob"]);
    assert_eq!(ann.peeked(), None);
}

#[tokio::test(start_paused = true)]
async fn wherever_a_write_stops_the_bytes_are_the_same_in_the_end() {
    let engine = unhurried();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    ann.told().await;
    let mut stops = 0..;
    loop {
        let stop = stops.next().expect("without end");
        for text in ["a", "bb", "c\u{e4}c"] {
            ann.submit(send("LUNCH", text));
        }
        let expected = ann.frames().await.split_off(3);
        let mut socket = Vec::new();
        let length = fill(&bob.session, &mut socket, |length| stop.min(length)).expect("three messages");
        while fill(&bob.session, &mut socket, |length| length).is_some() {}
        assert_eq!(unframed(&socket), expected, "stopped after {stop} of {length}");
        if stop == length {
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn small_chunks_and_short_writes_tell_every_room_in_order() {
    for seed in 0..20 {
        let mut rng = StdRng::seed_from_u64(seed);
        let engine = engine_with(|limits| {
            limits.lift_rates();
            limits.session.chunk_bytes_max = rng.random_range(1..600);
            limits.session.room_quantum_bytes = rng.random_range(1..300);
        });
        let rooms = ["AAA", "BBB", "CCC"];
        let ann = Client::new(&engine).await;
        let bob = Client::new(&engine).await;
        for room in rooms {
            ann.enter(room, "Ann").await;
            bob.enter(room, "Bob").await;
        }
        let mut socket = Vec::new();
        let mut said = [0, 0, 0];
        for _ in 0..60 {
            let room = rng.random_range(0..rooms.len());
            if rng.random_bool(0.7) {
                said[room] += 1;
                let speaker = if rng.random_bool(0.2) { &bob } else { &ann };
                speaker.submit(send(rooms[room], &"x".repeat(rng.random_range(1..200))));
                ann.told().await;
            }
            if rng.random_bool(0.5) {
                settle().await;
                fill(&bob.session, &mut socket, |length| rng.random_range(0..=length));
            }
        }
        settle().await;
        while fill(&bob.session, &mut socket, |length| rng.random_range(1..=length)).is_some() {}
        let frames = unframed(&socket);
        for (room, said) in rooms.iter().zip(said) {
            let seqs: Vec<u64> = frames
                .iter()
                .filter_map(|frame| match frame {
                    ServerFrame::Message(message) if message.room == *room => Some(message.seq.0),
                    _ => None,
                })
                .collect();
            assert_eq!(seqs, (3..3 + said).collect::<Vec<u64>>(), "{room}, seed {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_room_does_not_hold_up_a_quiet_one() {
    let engine = engine_with(|limits| {
        limits.lift_rates();
        limits.session.chunk_bytes_max = 1;
    });
    let ann = Client::new(&engine).await;
    let bob = Client::new(&engine).await;
    for room in ["BUSY", "QUIET", "IDLE"] {
        ann.enter(room, "Ann").await;
        bob.enter(room, "Bob").await;
    }
    for _ in 0..20 {
        ann.submit(send("BUSY", "x"));
    }
    ann.say("QUIET", "at last").await;
    settle().await;
    let mut socket = Vec::new();
    for _ in 0..2 {
        fill(&bob.session, &mut socket, |length| length).expect("there is enough");
    }
    let mut told: Vec<String> = unframed(&socket).iter().map(summary).collect();
    told.sort();
    assert_eq!(told, ["3 Ann: at last", "3 Ann: x"], "a frame of each");
}

/// A room that had its share of a fill, beside one that needed little of it: the rest is due although nothing new is said.
#[tokio::test(start_paused = true)]
async fn what_a_room_has_beyond_its_share_of_a_fill_comes_with_the_next() {
    let engine = engine_with(|limits| {
        limits.lift_rates();
        limits.session.room_quantum_bytes = 1 << 10;
    });
    let ann = Client::new(&engine).await;
    let bob = Client::new(&engine).await;
    for room in ["BUSY", "QUIET"] {
        ann.enter(room, "Ann").await;
        bob.enter(room, "Bob").await;
    }
    for _ in 0..20 {
        ann.submit(send("BUSY", &"x".repeat(200)));
    }
    settle().await;
    let (mut socket, mut fills) = (Vec::new(), 0);
    while fill(&bob.session, &mut socket, |length| length).is_some() {
        fills += 1;
    }
    assert_eq!(unframed(&socket).len(), 20, "in {fills} fills");
    assert!(fills > 2, "{fills} fills of a room's share each");
}

#[tokio::test(start_paused = true)]
async fn positions_beside_a_frame_never_run_ahead_of_it() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    let token = bob.token();
    drop(bob);
    ann.say("LUNCH", "one").await;
    ann.say("LUNCH", "two").await;
    let bob = Client::with_hello(&engine, resume(&token, &[("LUNCH", joined.position())])).await;
    let cx = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        let (mut framing, mut out) = (Lengths::default(), BytesMut::new());
        assert!(bob.session.poll_fill(&cx, &mut framing, &mut out).is_ready());
        assert_eq!(framing.positions, [("welcome", vec![2]), ("message", vec![3]), ("message", vec![4])]);
        assert_eq!(bob.session.written(0), 0, "the socket takes nothing");
    }
}

/// Ann and what she has said, of which she is told next.
async fn with_messages(engine: &Engine, texts: &[&str]) -> Client {
    let ann = Client::in_room(engine, "LUNCH", "Ann").await;
    for text in texts {
        ann.say("LUNCH", text).await;
    }
    ann
}

/// Frame by frame: what a socket takes to the last byte of one is not told again, and neither is what is half out.
#[tokio::test(start_paused = true)]
async fn a_fill_that_is_taken_in_part_goes_on_behind_the_last_frame_that_was_begun() {
    let engine = unhurried();
    for beyond in [0, 1] {
        let ann = with_messages(&engine, &["one", "two", "three"]).await;
        let length = ann.session.peek().expect("the first is due").json.len() + 4;
        let mut socket = Vec::new();
        fill(&ann.session, &mut socket, |_| length + beyond).expect("three are due");
        assert_eq!(unframed(&socket).iter().map(summary).collect::<Vec<_>>().len(), 1 + beyond);
        fill(&ann.session, &mut socket, |all| all).expect("the rest is due");
        let told: Vec<_> = unframed(&socket).iter().map(summary).collect();
        assert_eq!(told, ["2 Ann: one", "3 Ann: two", "4 Ann: three"]);
        assert_eq!(fill(&ann.session, &mut socket, |all| all), None);
        ann.session.call(leave("LUNCH")).await.expect("she is in");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_is_taken_whole_moves_the_position_in_each_of_its_rooms() {
    let engine = unhurried();
    let ann = with_messages(&engine, &["one"]).await;
    ann.session.call(create("DINNER", "Ann")).await.expect("the code is free");
    ann.say("DINNER", "two").await;
    let mut socket = Vec::new();
    while fill(&ann.session, &mut socket, |all| all).is_some() {}
    let told: Vec<_> = unframed(&socket).iter().map(summary).collect();
    assert_eq!(told, ["joined 1 as 1", "2 Ann: two", "2 Ann: one"], "each once");
}

/// What a transport gives with a command comes back with the frame that answers it, whichever that is, and with no other.
#[tokio::test(start_paused = true)]
async fn each_answer_has_the_tag_of_its_command() {
    let engine = engine();
    let ann = Client::new(&engine).await;
    ann.told().await;
    let history = Command::history(code("LUNCH"));
    let commands =
        [create("LUNCH", "Ann"), send("LUNCH", "hi"), history, Command::members(code("LUNCH")), leave("NONE")];
    for (tag, command) in (1..).zip(commands) {
        ann.session.submit(command, Reply::Mailbox { id: None, tag: Some(tag) }).expect("few are in flight");
        settle().await;
    }
    let mut told = Vec::new();
    while let Some(frame) = ann.session.peek() {
        ann.session.commit(frame.mark);
        told.push((frame.kind.as_str(), frame.tag));
    }
    told.sort();
    let answers = [("ack", 2), ("error", 5), ("history", 3), ("joined", 1), ("members", 4)];
    let mut expected: Vec<_> = answers.into_iter().map(|(kind, tag)| (kind, Some(tag))).collect();
    expected.push(("message", None));
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn answers_that_a_fill_has_no_place_for_come_with_the_next() {
    let engine = engine_with(|limits| limits.session.chunk_bytes_max = 100);
    let ann = Client::new(&engine).await;
    ann.told().await;
    (0..5).for_each(|number| ann.submit_as(number, leave("DINNER")));
    settle().await;
    let mut socket = Vec::new();
    while fill(&ann.session, &mut socket, |all| all).is_some() {}
    assert_eq!(unframed(&socket).iter().map(summary).collect::<Vec<_>>(), ["error room_not_found"; 5]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_ending_from_when_its_end_is_in_hand() {
    let engine = engine();
    let ann = with_messages(&engine, &["one"]).await;
    let in_hand = |taken| {
        let mut socket = Vec::new();
        let was_due = fill(&ann.session, &mut socket, |all| if taken { all } else { 0 }).is_some();
        (was_due, ann.session.is_ending())
    };
    let cx = Context::from_waker(Waker::noop());
    assert!(ann.session.poll_fill(&cx, &mut Lengths::default(), &mut BytesMut::new()).is_ready());
    assert!(!ann.session.is_ending(), "a message is in hand");
    assert_eq!(in_hand(true), (true, false));
    ann.session.close(chat_core::CloseReason::Ended);
    let mut out = BytesMut::new();
    assert!(ann.session.poll_fill(&cx, &mut Lengths::default(), &mut out).is_ready());
    assert!(ann.session.is_ending() && ann.session.ended().is_none(), "it is in hand");
    assert_eq!(in_hand(false), (true, false), "it was not taken");
    assert_eq!(in_hand(true), (true, true));
    assert_eq!(ann.session.ended(), Some(chat_core::CloseReason::Ended));
}

#[tokio::test(start_paused = true)]
async fn an_end_names_no_room_that_the_client_does_not_know_of() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    ann.submit(create("DINNER", "Ann"));
    settle().await;
    ann.session.close(chat_core::CloseReason::Ended);
    let ServerFrame::Closing { positions, .. } = ann.next().await else { panic!("nothing else is due") };
    assert_eq!(positions.into_keys().collect::<Vec<_>>(), ["LUNCH"]);
}

#[tokio::test(start_paused = true)]
async fn a_sleeping_reader_is_woken_by_whatever_comes() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let reader = tokio::spawn(async move {
        let mut told = Vec::new();
        while told.last().map(String::as_str) != Some("closing 4503") {
            told.push(summary(&bob.next().await));
            if told.len() == 3 {
                bob.session.close(chat_core::CloseReason::Ended);
            }
        }
        told
    });
    settle().await;
    ann.say("LUNCH", "one").await;
    settle().await;
    ann.submit(Command::typing(code("LUNCH"), TypingState::On));
    settle().await;
    ann.submit(leave("LUNCH"));
    let told = tokio::time::timeout(secs(1), reader).await.expect("it is woken").expect("it does not panic");
    assert_eq!(told, ["3 Ann: one", "typing [1]", "4 -Ann left", "closing 4503"]);
}

#[tokio::test(start_paused = true)]
async fn times_never_go_back_though_the_wall_clock_does() {
    let clock = Arc::new(SteppedClock::new(5_000));
    let engine = Engine::builder().clock(clock.clone()).build();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    for (wall, expected) in [(6_000, 6_000), (1_000, 6_000), (7_000, 7_000)] {
        clock.set_wall(wall);
        let Ok(ServerFrame::Ack { at, .. }) = ann.session.call(send("LUNCH", "tick")).await else { panic!("an ack") };
        assert_eq!(at.map(|at| at.0), Some(expected));
    }
    clock.set_wall(10_000_000_000);
    let token = ann.token();
    drop(ann);
    pass(secs(29)).await;
    let ann = Client::with_hello(&engine, resume(&token, &[])).await;
    let frames = ann.told().await;
    assert_eq!(frames[0], "welcome back lunch:live:4", "a jump of the wall clock ends nobody's grace");
}

#[tokio::test(start_paused = true)]
async fn what_is_read_before_a_resume_is_what_the_session_knows() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    ann.say("LUNCH", "one").await;
    let frame = ann.session.peek().expect("a message is due");
    ann.session.commit(frame.mark);
    assert_eq!(ann.peeked(), None);
    let hello = Hello { id: Some(chat_core::CommandId(9)), ..resume(&ann.session.token(), &[]) };
    let again = Client::with_hello(&engine, hello).await;
    let frames = again.frames().await;
    let [ServerFrame::Welcome { id, resumed: true, .. }, ServerFrame::Joined(joined)] = frames.as_slice() else {
        panic!("{frames:?}")
    };
    assert_eq!((id.map(|id| id.0), joined.id, joined.seq, joined.history.len()), (Some(9), None, Seq(2), 1));
}

/// Over SSE a client reads from one connection and says commands on another: it may ask for a room before the server has learned that the
/// socket took the leave which the client has read.
#[tokio::test(start_paused = true)]
async fn a_room_that_was_left_takes_no_place_from_when_the_client_may_have_read_so() {
    // In the second room leaves are counted, and told by a frame that is no event.
    for notices_members_max in [1_000, 0] {
        let engine = engine_with(|limits| {
            limits.session.rooms_max = 1;
            limits.room.notices_members_max = notices_members_max;
        });
        let _host = Client::in_room(&engine, "LUNCH", "Host").await;
        let ann = Client::new(&engine).await;
        ann.enter("LUNCH", "Ann").await;
        ann.told().await;
        ann.session.call(leave("LUNCH")).await.expect("she is there");
        assert_eq!(ann.refused(create("DINNER", "Ann")).await.code, RejectCode::TooManyRooms, "nobody told her");
        let (cx, mut out) = (Context::from_waker(Waker::noop()), BytesMut::new());
        assert!(ann.session.poll_fill(&cx, &mut Lengths::default(), &mut out).is_ready());
        ann.session.call(create("DINNER", "Ann")).await.expect("she may have read it");
        ann.session.written(out.len());
        assert_eq!(ann.refused(create("SUPPER", "Ann")).await.code, RejectCode::TooManyRooms);
    }
}
