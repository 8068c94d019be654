//! Pages without a log, coming back by one gap, and the host's look at who is kept out.
#![cfg(feature = "engine")]

mod support;

use chat_core::wire::Joined;
use chat_core::{BanId, Command, Engine, Hello, HistoryAnchor, MemberId, Moderation, RejectCode, Seq, ServerFrame};
use support::*;

/// The numbers on a page, and whether there are others before and after.
async fn page(client: &Client, anchor: HistoryAnchor, limit: u32) -> (Vec<u64>, bool, bool) {
    let asked = Command::history(code("LUNCH")).with_anchor(anchor).with_limit(limit);
    match client.session.call(asked).await {
        Ok(ServerFrame::History { messages, more_before, more_after, .. }) => {
            (messages.iter().map(|message| message.frame().seq.0).collect(), more_before, more_after)
        }
        other => panic!("not a history: {other:?}"),
    }
}

/// What the backlog has let go of is nowhere: a page that would begin there begins with what is left, however little was asked for.
#[tokio::test(start_paused = true)]
async fn without_a_log_a_page_begins_with_the_first_message_that_is_left() {
    let engine = engine_with(forgetful);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    talk(&ann, 30).await;
    // The backlog has no more than the last eight.
    let (left, before, after) = page(&ann, HistoryAnchor::After(Seq(0)), 100).await;
    assert_eq!((left.last(), before, after), (Some(&30), false, false), "{left:?}");
    assert!((1..=8).contains(&left.len()) && left.is_sorted_by(|a, b| a + 1 == *b), "{left:?}");
    let first = left[0];
    assert_eq!(page(&ann, HistoryAnchor::After(Seq(3)), 2).await, (vec![first, first + 1], false, true));
    assert_eq!(page(&ann, HistoryAnchor::After(Seq(first)), 2).await, (vec![first + 1, first + 2], true, true));
    assert_eq!(page(&ann, HistoryAnchor::After(Seq(29)), 2).await, (vec![30], true, false));
    assert_eq!(page(&ann, HistoryAnchor::Around(Seq(3)), 4).await, (vec![first, first + 1], false, true));
    assert_eq!(page(&ann, HistoryAnchor::Around(Seq(29)), 4).await, (vec![27, 28, 29, 30], true, false));
    assert_eq!(page(&ann, HistoryAnchor::Before(Seq(first)), 4).await, (vec![], false, true));
    assert_eq!(page(&ann, HistoryAnchor::Before(Seq(3)), 0).await, (vec![], false, true));
}

/// Bob has left the room for a moment, and the wall of text has grown meanwhile.
async fn away(engine: &Engine, to: u64) -> (Client, Joined, Hello) {
    let ann = Client::in_room(engine, "LUNCH", "Ann").await;
    let bob = Client::new(engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    let hello = resume(&bob.token(), &[("LUNCH", at(&joined, 2))]);
    drop(bob);
    talk(&ann, to).await;
    (ann, joined, hello)
}

#[tokio::test(start_paused = true)]
async fn who_skips_hears_of_one_gap_which_is_no_surprise() {
    let engine = engine_with(|limits| limits.lift_rates());
    let (ann, joined, hello) = away(&engine, 20).await;
    let bob = Client::with_hello(&engine, Hello { catch_up: Some(17), ..hello.clone() }).await;
    assert_eq!(bob.told().await, ["welcome back lunch:gap:2", "gap 3..20"]);
    ann.say("LUNCH", "after").await;
    assert_eq!(bob.told().await, ["21 Ann: after"]);
    assert_eq!((engine.stats().gaps, engine.stats().gaps_unblocked), (1, 0));
    // As many as are wanted, and one fewer.
    let hello = resume(&bob.token(), &[("LUNCH", at(&joined, 19))]);
    let bob = Client::with_hello(&engine, Hello { catch_up: Some(2), ..hello }).await;
    assert_eq!(bob.told().await, ["welcome back lunch:live:19", "20 Ann: x", "21 Ann: after"]);
}

/// What a join brings about beside itself is nothing that was missed.
#[tokio::test(start_paused = true)]
async fn who_comes_in_for_the_first_time_skips_nothing() {
    let engine = engine_with(|limits| limits.room.notices_members_max = 1);
    let _ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    bob.session.call(join("LUNCH", "Bob").with_catch_up(0)).await.expect("it is open");
    bob.joined().await;
    let frames = bob.frames().await;
    let is_told = |frame: &ServerFrame| matches!(frame, ServerFrame::NoticesChanged { .. });
    assert!(frames.iter().any(is_told), "{frames:?}");
    assert!(!frames.iter().any(|frame| matches!(frame, ServerFrame::Gap { .. })), "{frames:?}");
}

/// A view of the room is shared by all who skip at once, and one that is older than a quarter of a second is made anew.
#[tokio::test(start_paused = true)]
async fn who_skips_is_shown_the_room_as_it_was_a_quarter_of_a_second_ago_at_most() {
    let engine = engine_with(|limits| limits.lift_rates());
    let (ann, _, hello) = away(&engine, 10).await;
    let hello = Hello { catch_up: Some(0), ..hello };
    let bob = Client::with_hello(&engine, hello.clone()).await;
    assert_eq!(bob.told().await, ["welcome back lunch:gap:2", "gap 3..10"]);
    ann.say("LUNCH", "soon").await;
    // From the same position: what is remembered of the room is new enough, and the rest follows as events.
    let token = bob.token();
    drop(bob);
    let again = |hello: &Hello, token: &str| {
        let mut hello = hello.clone();
        hello.resume.as_mut().expect("it resumes").token = token.to_owned();
        hello
    };
    let bob = Client::with_hello(&engine, again(&hello, &token)).await;
    assert_eq!(bob.told().await, ["welcome back lunch:gap:2", "gap 3..10", "11 Ann: soon"]);
    let token = bob.token();
    drop(bob);
    pass(millis(251)).await;
    let bob = Client::with_hello(&engine, again(&hello, &token)).await;
    assert_eq!(bob.told().await, ["welcome back lunch:gap:2", "gap 3..11"]);
}

/// Where the membership ends before anything was read the gap says so, and hides nothing before it.
#[tokio::test(start_paused = true)]
async fn a_membership_that_ends_while_it_is_skipped_ends_with_the_gap() {
    let engine = engine_with(|limits| limits.lift_rates());
    let (ann, _, hello) = away(&engine, 10).await;
    let bob = Client::with_hello(&engine, Hello { catch_up: Some(0), ..hello }).await;
    ann.session.call(Command::kick(code("LUNCH"), MemberId(2))).await.expect("she owns it");
    assert_eq!(bob.told().await, ["welcome back lunch:gap:2", "gap 3..11 ended"]);
}

/// The embedder reads the list without being in the room, page by page.
#[tokio::test(start_paused = true)]
async fn the_host_reads_who_is_kept_out() {
    let engine = engine_with(|limits| {
        limits.room.bans_page_max = 2;
        limits.lift_rates();
    });
    let lunch = code("LUNCH");
    assert_eq!(engine.room(&lunch).bans(None, None).await.map_err(|reject| reject.code), Err(RejectCode::RoomNotFound));
    let _ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    assert_eq!(engine.room(&lunch).bans(None, None).await.map(|page| (page.bans, page.more)), Ok((Vec::new(), false)));
    for who in ["Bob", "Cid", "Dan"] {
        let joined = Client::new(&engine).await.enter("LUNCH", who).await;
        engine.moderate(&lunch, Moderation::Ban(joined.you.member)).await.expect("he is there");
    }
    let first = engine.room(&lunch).bans(None, None).await.expect("the room is there");
    let names: Vec<_> = first.bans.iter().map(|ban| ban.nick.as_ref().map(|nick| nick.as_str())).collect();
    assert_eq!((names, first.more), (vec![Some("Bob"), Some("Cid")], true));
    let last = first.bans.last().map(|ban| ban.ban);
    let rest = engine.room(&lunch).bans(last, Some(100)).await.expect("the room is there");
    assert_eq!((rest.bans.len(), rest.more), (1, false));
    engine.moderate(&lunch, Moderation::Unban(first.bans[0].ban)).await.expect("it holds");
    let one = engine.room(&lunch).bans(None, Some(1)).await.expect("the room is there");
    assert_eq!((one.bans[0].ban, one.more), (BanId(2), true));
}
