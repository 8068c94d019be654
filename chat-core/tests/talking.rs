//! One room, from its creation to its end: what each command does, and what everybody is told of it.
#![cfg(feature = "engine")]

mod support;

use chat_core::{Command, MemberId, Seq, ServerFrame, Topic, TypingState};
use support::*;

fn typing(room: &str, state: TypingState) -> Command {
    Command::typing(code(room), state)
}

fn history(room: &str, before: Option<u64>, limit: u32) -> Command {
    Command::history(code(room)).with_before(before.map(Seq)).with_limit(limit)
}

#[tokio::test(start_paused = true)]
async fn everybody_is_told_everything_after_their_own_join() {
    let engine = engine();
    let ann = Client::new(&engine).await;
    ann.submit(create("LUNCH", "Ann"));
    assert_eq!(ann.told().await, ["welcome", "joined 1 as 1"]);
    let bob = Client::new(&engine).await;
    bob.submit(join("LUNCH", "Bob"));
    assert_eq!(bob.told().await, ["welcome", "joined 2 as 2"]);
    ann.submit(send_keyed("LUNCH", "Pizza?", "k1"));
    assert_eq!(ann.told().await, ["ack 3", "2 +Bob", "3 Ann: Pizza? #k1"], "the sender too, with its key");
    bob.submit(leave("LUNCH"));
    assert_eq!(bob.told().await, ["ack 4", "3 Ann: Pizza? #k1", "4 -Bob left"]);
    ann.say("LUNCH", "alone").await;
    assert_eq!(ann.told().await, ["4 -Bob left", "5 Ann: alone"]);
    assert_eq!(bob.told().await, Vec::<String>::new(), "not after the leave");
    assert_eq!(bob.refused(send("LUNCH", "late")).await.code.as_str(), "not_member");
}

#[tokio::test(start_paused = true)]
async fn a_joiner_is_shown_the_room_as_of_the_join() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let topic = Command::set_topic(code("LUNCH"), Topic::parse("Food").expect("valid"));
    assert_eq!(acked(ann.session.call(topic).await), 2);
    let bob = Client::new(&engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    assert_eq!((joined.seq, joined.topic.as_str(), joined.members_total), (Seq(3), "Food", 2));
    let members: Vec<_> = joined.members.iter().map(|entry| (entry.member.0, entry.nick.as_str())).collect();
    assert_eq!(members, [(2, "Bob"), (1, "Ann")], "oneself first");
    assert!(joined.history.is_empty() && !joined.more, "a topic is not history");
    assert_ne!(joined.members[0].color, joined.members[1].color);
}

#[tokio::test(start_paused = true)]
async fn the_history_is_the_last_messages_and_no_joins_or_leaves() {
    let engine = engine_with(|limits| limits.room.history_default = 2);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    for text in ["one", "two", "three"] {
        ann.say("LUNCH", text).await;
        let passer = Client::in_room(&engine, "LUNCH", "Passer").await;
        passer.session.call(leave("LUNCH")).await.expect("a member may leave");
    }
    let joined = Client::new(&engine).await.enter("LUNCH", "Bob").await;
    let shown: Vec<&str> = joined.history.iter().map(|message| message.frame().text.as_str()).collect();
    assert_eq!((shown, joined.more), (vec!["two", "three"], true));
}

#[tokio::test(start_paused = true)]
async fn older_messages_are_paged_by_number() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    for text in ["a", "b", "c", "d", "e"] {
        ann.say("LUNCH", text).await;
    }
    ann.told().await;
    for (before, limit, expected) in [
        (None, 2, "history [d e] more"),
        (Some(5), 2, "history [b c] more"),
        (Some(3), 2, "history [a]"),
        (Some(2), 2, "history []"),
        (Some(99), 99, "history [a b c d e]"),
        (None, 0, "history [] more"),
    ] {
        ann.submit(history("LUNCH", before, limit));
        assert_eq!(ann.told().await, [expected], "before {before:?}, {limit}");
    }
    let stranger = Client::new(&engine).await;
    assert_eq!(stranger.refused(history("LUNCH", None, 5)).await.code.as_str(), "not_member");
}

#[tokio::test(start_paused = true)]
async fn without_a_log_no_earlier_messages_are_promised_than_the_room_still_has() {
    let engine = engine_with(forgetful);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    talk(&ann, 20).await;
    for (limit, has_more) in [(7, true), (8, false), (9, false)] {
        let answer = ann.session.call(history("LUNCH", None, limit)).await;
        let Ok(ServerFrame::History { messages, more, .. }) = answer else { panic!("{answer:?}") };
        assert_eq!((messages.len(), more), (8.min(limit as usize), has_more), "of {limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn members_are_paged_by_number() {
    let engine = engine_with(|limits| limits.room.members_page_max = 2);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let mut others = Vec::new();
    for name in ["Bob", "Cid", "Dan"] {
        others.push(Client::in_room(&engine, "LUNCH", name).await);
    }
    ann.told().await;
    let page = |after: Option<u32>| Command::members(code("LUNCH")).with_members_after(after.map(MemberId));
    ann.submit(page(None));
    ann.submit(page(Some(2)));
    ann.submit(page(Some(4)));
    assert_eq!(ann.told().await, ["members [1 2] of 4 more", "members [3 4] of 4", "members [] of 4"]);
    let joined = Client::new(&engine).await.enter("LUNCH", "Eve").await;
    assert_eq!((joined.members.len(), joined.members_total), (2, 5), "a joined has one page");
    drop(others.pop());
    settle().await;
    let Ok(ServerFrame::Members { members, .. }) = ann.session.call(page(Some(2))).await else { panic!("members") };
    assert_eq!([members[0].online, members[1].online], [true, false], "who lost their connection is shown so");
}

#[tokio::test(start_paused = true)]
async fn the_owner_sets_the_topic_kicks_and_bans() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let cid = Client::in_room(&engine, "LUNCH", "Cid").await;
    let topic = |text| Command::set_topic(code("LUNCH"), Topic::parse(text).expect("valid"));
    let kick = |member| Command::kick(code("LUNCH"), MemberId(member));
    let ban = |member| Command::ban(code("LUNCH"), MemberId(member));
    assert_eq!(bob.refused(topic("Mine")).await.code.as_str(), "forbidden");
    assert_eq!(bob.refused(kick(3)).await.code.as_str(), "forbidden");
    assert_eq!(ann.refused(kick(9)).await.code.as_str(), "member_not_found");
    ann.submit(topic("Food"));
    ann.submit(kick(2));
    ann.submit(ban(3));
    assert_eq!(bob.told().await, ["3 +Cid", "4 topic \"Food\" by 1", "5 -Bob kicked by 1"]);
    assert_eq!(cid.told().await, ["4 topic \"Food\" by 1", "5 -Bob kicked by 1", "6 -Cid banned by 1"]);
    assert_eq!(bob.enter("LUNCH", "Bob").await.seq, Seq(7), "who is kicked may come back");
    assert_eq!(cid.refused(join("LUNCH", "Cid")).await.code.as_str(), "banned");
}

#[tokio::test(start_paused = true)]
async fn a_redacted_message_is_a_tombstone_in_history_and_for_who_has_not_read_it() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let secret = ann.say("LUNCH", "secret").await;
    let redact = Command::redact(code("LUNCH"), Seq(secret));
    assert_eq!(bob.refused(redact.clone()).await.code.as_str(), "forbidden");
    assert_eq!(acked(ann.session.call(redact.clone()).await), 4);
    assert_eq!(acked(ann.session.call(redact).await), 4, "twice is once");
    assert_eq!(bob.told().await, ["3 Ann (redacted)", "4 redacted 3 by 1"]);
    bob.submit(history("LUNCH", None, 5));
    let frames = bob.frames().await;
    let [ServerFrame::History { messages, .. }] = frames.as_slice() else { panic!("one answer: {frames:?}") };
    let frame = messages[0].frame();
    assert!(frame.redacted && frame.text.is_empty() && frame.seq == Seq(3), "{frame:?}");
    let joined = Client::new(&engine).await.enter("LUNCH", "Cid").await;
    assert!(joined.history[0].frame().redacted);
}

#[tokio::test(start_paused = true)]
async fn a_message_taken_back_in_the_batch_that_says_it_is_a_tombstone_too() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    ann.submit(send("LUNCH", "secret"));
    ann.submit(Command::redact(code("LUNCH"), Seq(2)));
    assert_eq!(ann.told().await, ["ack 2", "ack 3", "2 Ann (redacted)", "3 redacted 2 by 1"]);
    let joined = Client::new(&engine).await.enter("LUNCH", "Bob").await;
    assert!(joined.history[0].frame().redacted, "{:?}", joined.history);
}

#[tokio::test(start_paused = true)]
async fn without_a_log_as_much_is_taken_back_at_once_as_anybody_likes() {
    let engine = engine_with(|limits| limits.room.owed_max = 1);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let said = [ann.say("LUNCH", "a").await, ann.say("LUNCH", "b").await];
    ann.told().await;
    said.iter().for_each(|&seq| ann.submit(Command::redact(code("LUNCH"), Seq(seq))));
    assert_eq!(ann.told().await, ["ack 4", "ack 5", "4 redacted 2 by 1", "5 redacted 3 by 1"]);
}

#[tokio::test(start_paused = true)]
async fn when_the_owner_leaves_the_longest_standing_member_is_the_owner() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let cid = Client::in_room(&engine, "LUNCH", "Cid").await;
    ann.submit(leave("LUNCH"));
    assert_eq!(cid.told().await, ["4 -Ann left", "5 2 is Owner"]);
    assert_eq!(ann.told().await.last().map(String::as_str), Some("4 -Ann left"), "the heir is no business of Ann's");
    let kick = Command::kick(code("LUNCH"), MemberId(3));
    assert_eq!(acked(bob.session.call(kick).await), 6);
}

#[tokio::test(start_paused = true)]
async fn typing_starts_ends_runs_out_and_is_cleared_by_a_send() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    ann.told().await;
    ann.submit(typing("LUNCH", TypingState::On));
    assert_eq!(bob.told().await, ["typing [1]"]);
    assert_eq!(ann.told().await, ["typing [1]"], "not answered, but shown like to everyone");
    ann.submit_as(7, typing("LUNCH", TypingState::Off));
    assert_eq!(bob.told().await, ["typing []"]);
    assert_eq!(ann.told().await, ["ack 2", "typing []"], "answered where it has a number");
    ann.submit(typing("LUNCH", TypingState::On));
    bob.told().await;
    pass(millis(5_999)).await;
    assert_eq!(bob.told().await, Vec::<String>::new());
    pass(millis(1)).await;
    assert_eq!(bob.told().await, ["typing []"]);
    ann.submit(typing("LUNCH", TypingState::On));
    ann.submit(send("LUNCH", "hi"));
    assert_eq!(bob.told().await, ["3 Ann: hi"], "over before anybody saw it");
    ann.submit(typing("LUNCH", TypingState::On));
    assert_eq!(bob.told().await, ["typing [1]"]);
    ann.submit(send("LUNCH", "ho"));
    assert_eq!(bob.told().await, ["4 Ann: ho", "typing []"]);
}

#[tokio::test(start_paused = true)]
async fn typing_can_be_called_and_is_answered() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    assert_eq!(acked(ann.session.call(typing("LUNCH", TypingState::On)).await), 1);
    assert!(ann.session.can_submit());
}

#[tokio::test(start_paused = true)]
async fn who_loses_their_connection_is_not_typing_any_more() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    ann.submit(typing("LUNCH", TypingState::On));
    assert_eq!(bob.told().await, ["typing [1]"]);
    drop(ann);
    assert_eq!(bob.told().await, ["typing []"]);
}

#[tokio::test(start_paused = true)]
async fn a_big_room_counts_its_members_instead_of_naming_them() {
    let engine = engine_with(|limits| limits.room.notices_members_max = 2);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let cid = Client::in_room(&engine, "LUNCH", "Cid").await;
    assert_eq!(ann.told().await, ["2 +Bob", "3 +Cid", "4 notices Counted", "presence 3/3"]);
    let dan = Client::in_room(&engine, "LUNCH", "Dan").await;
    assert_eq!(ann.told().await, Vec::<String>::new(), "at most once a second");
    pass(secs(1)).await;
    assert_eq!(ann.told().await, ["presence 4/4"]);
    drop(dan);
    pass(secs(1)).await;
    assert_eq!(ann.told().await, ["presence 3/4"], "Dan is in his grace");
    pass(secs(30)).await;
    assert_eq!(ann.told().await, ["presence 3/3"]);
    bob.submit(leave("LUNCH"));
    cid.submit(leave("LUNCH"));
    assert_eq!(ann.told().await, ["5 notices Told"], "90 % of 2 is 1: leaves are told after that of the last but one");
    assert_eq!(
        bob.told().await,
        ["ack 4", "3 +Cid", "4 notices Counted", "-Bob left"],
        "a quiet leave has no number of its own"
    );
}

#[tokio::test(start_paused = true)]
async fn counts_that_have_not_changed_are_not_told_again() {
    let engine = engine_with(|limits| limits.room.notices_members_max = 1);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    assert!(ann.told().await.contains(&"presence 2/2".to_owned()));
    pass(secs(5)).await;
    let number = bob.say("LUNCH", "x").await;
    assert_eq!(ann.told().await, [format!("{number} Bob: x")]);
}

#[tokio::test(start_paused = true)]
async fn who_joins_a_room_that_tells_again_is_not_shown_old_counts() {
    let engine = engine_with(|limits| limits.room.notices_members_max = 2);
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let cid = Client::in_room(&engine, "LUNCH", "Cid").await;
    pass(secs(2)).await;
    bob.session.call(leave("LUNCH")).await.expect("a member may leave");
    cid.session.call(leave("LUNCH")).await.expect("a member may leave");
    pass(secs(2)).await;
    ann.told().await;
    let dan = Client::in_room(&engine, "LUNCH", "Dan").await;
    assert_eq!(dan.told().await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_is_not_told_that_nobody_is_typing() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let typing = |state| Command::typing(code("LUNCH"), state);
    ann.submit(typing(TypingState::On));
    ann.told().await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    assert_eq!(bob.told().await, ["typing [1]"]);
    ann.submit(typing(TypingState::Off));
    assert_eq!(bob.told().await, ["typing []"]);
    let cid = Client::in_room(&engine, "LUNCH", "Cid").await;
    assert_eq!(cid.told().await, [""; 0]);
}
