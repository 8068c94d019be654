//! What the engine counts: every command once, every connection while it is there, and what is written in time.
#![cfg(feature = "engine")]

mod support;

use std::task::{Context, Waker};

use bytes::BytesMut;
use chat_core::{
    CloseReason, Command, CommandId, CommandKind, CommandMeter, Engine, Fill, FrameRef, Framing, Meters, RejectCode,
    Reply,
};
use support::*;

/// How many were done, refused and lost.
fn commands(meters: &Meters, kind: CommandKind) -> [u64; 3] {
    let of_kind = |meter: &&CommandMeter| meter.kind == kind;
    meters.commands.iter().find(of_kind).map_or([0; 3], |meter| [meter.done, meter.refused, meter.lost])
}

#[tokio::test(start_paused = true)]
async fn every_command_is_counted_once_by_what_it_asks_and_what_became_of_it() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    ann.say("LUNCH", "one").await;
    bob.say("LUNCH", "two").await;
    ann.submit(Command::typing(code("LUNCH"), chat_core::TypingState::On));
    ann.submit_as(7, Command::history(code("LUNCH")));
    ann.submit_as(8, Command::members(code("LUNCH")));
    ann.refused(join("NOWHERE", "Ann")).await;
    ann.refused(leave("NOWHERE")).await;
    let bad = chat_core::ClientFrame::parse(b"{}", &engine.limits().room, &engine.limits().session)
        .expect_err("it is no command");
    ann.session.refuse(bad, Reply::mailbox(Some(CommandId(9)))).expect("few commands are in flight");
    ann.frames().await;
    ann.session.call(leave("LUNCH")).await.expect("she is in it");

    let meters = engine.meters();
    for (kind, counts) in [
        (CommandKind::Create, [1, 1, 0]),
        (CommandKind::Join, [1, 1, 0]),
        (CommandKind::Send, [2, 0, 0]),
        (CommandKind::Typing, [1, 0, 0]),
        (CommandKind::History, [1, 0, 0]),
        (CommandKind::Members, [1, 0, 0]),
        (CommandKind::Leave, [1, 1, 0]),
        (CommandKind::Bad, [0, 1, 0]),
    ] {
        assert_eq!(commands(&meters, kind), counts, "{kind:?}: {:?}", meters.commands);
    }
    assert_eq!(meters.commands.len(), 8, "{:?}", meters.commands);
    assert_eq!(meters.answered.count(), 13_u64.div_ceil(8), "one in eight is timed");
    let rejects: u64 = meters.rejects.iter().map(|(_, count)| count).sum();
    assert_eq!(rejects, engine.stats().rejects);
    assert!(meters.rejects.contains(&(RejectCode::NameTaken, 1)), "{:?}", meters.rejects);
}

#[tokio::test(start_paused = true)]
async fn who_is_connected_and_who_is_a_member_is_counted_for_as_long_as_they_are() {
    let engine = engine_with(|limits| limits.engine.connections_max = 2);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::with_request(&engine, shown("bob"), Default::default()).await;
    bob.enter("LUNCH", "Bob").await;
    assert!(engine.connect(from("192.0.2.1"), Default::default()).await.is_err());
    let meters = engine.meters();
    assert_eq!((meters.members, meters.turned_away.as_slice()), (2, &[(RejectCode::AtCapacity, 1)][..]));
    let open = |meters: &Meters| {
        meters.transports.iter().map(|meter| (meter.transport, meter.opened, meter.open)).collect::<Vec<_>>()
    };
    assert_eq!(open(&meters), [("", 1, 1), ("test", 1, 1)]);

    bob.session.close(CloseReason::Ended);
    bob.frames().await;
    drop((ann, bob));
    let meters = engine.meters();
    assert_eq!(open(&meters), [("", 1, 0), ("test", 1, 0)]);
    assert_eq!(meters.closed, [(Some(CloseReason::Ended), 1), (None, 1)]);
    assert_eq!(meters.members, 2, "their grace has not run out");
    pass(secs(31)).await;
    assert_eq!(engine.meters().members, 0);
}

#[tokio::test(start_paused = true)]
async fn batches_and_what_readers_miss_are_counted() {
    let engine = engine_with(forgetful);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    for number in 0..20 {
        ann.submit(send("LUNCH", &number.to_string()));
        ann.take();
    }
    bob.frames().await;
    let meters = engine.meters();
    assert_eq!(meters.gap_events, 20);
    // Created, two joins, twenty messages.
    assert_eq!((meters.batch_records.sum, meters.inbox_depth.count() >= 3), (23, true), "{:?}", meters.batch_records);
    assert!(meters.batch_inputs.count() >= meters.batch_records.count());
    assert_eq!((meters.appended.count(), meters.appends), (0, Default::default()), "there is no log");
    assert_eq!(meters.cluster, None);
}

struct Lines;

impl Framing for Lines {
    fn frame(&mut self, out: &mut BytesMut, frame: FrameRef<'_>) {
        out.extend_from_slice(frame.json);
    }
}

/// Fills a buffer and says how much of it was taken, or all.
fn write(engine: &Engine, client: &Client, taken: Option<usize>) -> u64 {
    let mut out = BytesMut::new();
    let filled = client.session.poll_fill(&Context::from_waker(Waker::noop()), &mut Lines, &mut out);
    assert_eq!(filled, std::task::Poll::Ready(Fill::Frames));
    client.session.written(taken.unwrap_or(out.len()));
    engine.meters().written.count()
}

#[tokio::test(start_paused = true)]
async fn the_way_of_an_event_to_a_reader_on_time_is_timed_and_of_one_who_comes_back_late_it_is_not() {
    let engine = engine_with(|limits| limits.lift_rates());
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    bob.session.call(join("LUNCH", "Bob")).await.expect("everybody may enter");
    ann.say("LUNCH", "before he has read anything").await;
    assert_eq!(write(&engine, &bob, None), 0, "he was not on time");
    // Whether this one is timed is a matter of the machine's clock: the next after a tenth of a second is.
    while engine.meters().written.count() == 0 {
        ann.say("LUNCH", "x").await;
        ann.take();
        write(&engine, &bob, None);
    }
    assert_eq!(engine.meters().unsent_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_socket_does_not_take_is_counted_until_it_does_or_is_gone() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    ann.say("LUNCH", "hello").await;
    write(&engine, &bob, Some(0));
    let held = engine.meters();
    assert!(held.unsent_bytes > 50 && held.short_writes == 1, "{held:?}");
    write(&engine, &bob, Some(0));
    assert_eq!((engine.meters().unsent_bytes, engine.meters().short_writes), (held.unsent_bytes, 2));
    write(&engine, &bob, None);
    assert_eq!((engine.meters().unsent_bytes, engine.meters().short_writes), (0, 2));
    ann.say("LUNCH", "hello").await;
    write(&engine, &bob, Some(10));
    assert!(engine.meters().unsent_bytes > 0);
    drop(bob);
    assert_eq!(engine.meters().unsent_bytes, 0);
}
