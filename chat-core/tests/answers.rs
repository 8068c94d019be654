//! Answers that are not read: what they may hold, where a page ends, and that they show messages as they are when they are read.
#![cfg(feature = "engine")]

mod support;

use chat_core::{Answered, Busy, Command, Engine, FrameKind, MemberId, RejectCode, Reply, Seq, ServerFrame};
use support::*;

fn history(room: &str, before: Option<u64>, limit: u32) -> Command {
    Command::history(code(room)).with_before(before.map(Seq)).with_limit(limit)
}

fn members(room: &str, after: Option<MemberId>) -> Command {
    Command::members(code(room)).with_members_after(after)
}

fn redact(room: &str, seq: u64) -> Command {
    Command::redact(code(room), Seq(seq))
}

/// Pages of 1,000 bytes, and place for four of them with what stands around them.
fn short_pages() -> Engine {
    engine_with(|limits| {
        limits.session.page_bytes_max = 1_000;
        limits.session.answers_bytes_max = 4_500;
        limits.session.send_per_second = 0;
        limits.session.command_per_second = 0;
    })
}

/// People in a room, who are to be kept.
async fn crowd(engine: &Engine, room: &str, people: usize) -> Vec<Client> {
    let mut crowd = Vec::new();
    for number in 0..people {
        crowd.push(Client::in_room(engine, room, &format!("Guest {number}")).await);
    }
    crowd
}

/// One page of a history: numbers, and whether there is more.
async fn page(client: &Client, command: Command) -> (Vec<u64>, bool) {
    match client.session.call(command).await {
        Ok(ServerFrame::History { messages, more, .. }) => {
            (messages.iter().map(|message| message.frame().seq.0).collect(), more)
        }
        other => panic!("not a history: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn while_pages_are_not_read_no_command_is_taken_that_could_bring_another() {
    let engine = short_pages();
    let crowd = crowd(&engine, "LUNCH", 30).await;
    let ann = &crowd[0];
    ann.told().await;
    for _ in 0..3 {
        assert!(ann.session.can_submit());
        ann.submit(members("LUNCH", None));
        settle().await;
    }
    assert!(!ann.session.can_submit());
    let one_more = || ann.session.submit(send("LUNCH", "x"), Reply::mailbox(None));
    assert_eq!(one_more(), Err(Busy), "whatever it is");
    let frame = ann.session.peek().expect("a page");
    assert_eq!((frame.kind, frame.json.len() < 1_200), (FrameKind::Members, true));
    assert!(!ann.session.can_submit(), "seen, and not taken");
    ann.session.commit(frame.mark);
    assert_eq!(one_more(), Ok(()));
    ann.told().await;
    assert!(ann.session.can_submit());
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_many_pages_at_once_is_shown_less_in_each() {
    let engine = short_pages();
    let crowd = crowd(&engine, "LUNCH", 30).await;
    let ann = &crowd[0];
    for turn in 0..3 {
        ann.told().await;
        for _ in 0..32 {
            ann.submit(members("LUNCH", None));
        }
        settle().await;
        assert!(!ann.session.can_submit());
        let mut shown = Vec::new();
        for frame in ann.take() {
            let ServerFrame::Members { members, more, .. } = frame else { panic!("not members") };
            assert!(more);
            shown.push(members.len());
        }
        assert!(shown.len() == 32 && shown[0] > 5 && shown[31] == 1, "{turn}: {shown:?}");
        assert!(shown.iter().sum::<usize>() < 80, "{turn}: {shown:?}");
        assert!(ann.session.can_submit());
    }
    // What was asked on a connection that is gone holds nothing.
    (0..32).for_each(|_| ann.submit(members("LUNCH", None)));
    let again = Client::with_hello(&engine, resume(&ann.token(), &[])).await;
    assert!(again.session.can_submit());
    assert!(!ann.session.can_submit());
}

#[tokio::test(start_paused = true)]
async fn whoever_enters_many_rooms_at_once_is_shown_less_of_each() {
    let engine = short_pages();
    let rooms = ["LUNCH", "DINNER", "SUPPER", "TEA", "BRUNCH"];
    let mut crowds = Vec::new();
    for room in rooms {
        crowds.push(crowd(&engine, room, 30).await);
    }
    let ann = Client::new(&engine).await;
    rooms.iter().for_each(|room| ann.submit(join(room, "Ann")));
    let joined = |frame: &ServerFrame| match frame {
        ServerFrame::Joined(joined) => Some((joined.members[0].nick.clone(), joined.members.len())),
        _ => None,
    };
    let shown: Vec<_> = ann.frames().await.iter().filter_map(joined).collect();
    assert!(shown.len() == 5 && shown.iter().all(|(first, _)| first == "Ann"), "{shown:?}");
    assert!(shown[0].1 > 5 && shown[4].1 == 1, "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn rooms_that_were_entered_and_not_read_count_with_their_members() {
    let engine = short_pages();
    let ann = Client::new(&engine).await;
    let mut crowds = Vec::new();
    for room in ["LUNCH", "DINNER"] {
        crowds.push(crowd(&engine, room, 30).await);
        assert!(ann.session.can_submit());
        ann.session.call(join(room, "Ann")).await.expect("she may");
    }
    assert!(!ann.session.can_submit());
    ann.told().await;
    assert!(ann.session.can_submit());
}

#[tokio::test(start_paused = true)]
async fn what_has_been_read_counts_no_more_however_often() {
    let engine = short_pages();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    for turn in 0..50 {
        assert!(ann.session.can_submit(), "after {turn} histories");
        ann.submit(history("LUNCH", None, 10));
        ann.told().await;
    }
}

#[tokio::test(start_paused = true)]
async fn pages_of_members_end_at_their_bytes_and_together_show_everybody() {
    let engine = short_pages();
    let crowd = crowd(&engine, "LUNCH", 30).await;
    let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let answer = crowd[0].session.call(members("LUNCH", after)).await.expect("she is in");
        let ServerFrame::Members { members, more, members_total, .. } = answer else { panic!("not members") };
        assert_eq!(members_total, 30);
        seen.extend(members.iter().map(|entry| entry.member.0));
        (after, pages) = (members.last().map(|entry| entry.member), pages + 1);
        if !more {
            break;
        }
    }
    assert_eq!(seen, (1..=30).collect::<Vec<_>>());
    assert!(pages > 2, "{pages} pages");
}

#[tokio::test(start_paused = true)]
async fn a_history_ends_at_its_bytes_and_together_its_pages_show_everything() {
    let engine = short_pages();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    for number in 2..=21 {
        let text = if number == 10 { "x".repeat(3_000) } else { "x".repeat(300) };
        assert_eq!(ann.say("LUNCH", &text).await, number);
    }
    let (mut seen, mut before, mut alone) = (Vec::new(), None, false);
    loop {
        let (seqs, more) = page(&ann, history("LUNCH", before, 20)).await;
        assert!((1..=3).contains(&seqs.len()), "{seqs:?}");
        alone |= seqs == [10];
        before = seqs.first().copied();
        seen.splice(0..0, seqs);
        if !more {
            break;
        }
    }
    assert_eq!(seen, (2..=21).collect::<Vec<_>>());
    assert!(alone, "one that is longer than a page is a page");
}

/// No room has looked at them yet.
#[tokio::test(start_paused = true)]
async fn histories_that_are_not_answered_count_with_all_that_they_may_name() {
    let engine = engine_with(|limits| {
        limits.session.page_bytes_max = 1_000;
        limits.session.answers_bytes_max = 2_000 + 3 * (264 + 16 * limits.room.history_max);
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let asked = std::iter::repeat_with(|| ann.session.submit(history("LUNCH", None, 1), Reply::mailbox(None)));
    assert_eq!(asked.take_while(Result::is_ok).count(), 4);
    assert_eq!(ann.told().await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_joined_shows_no_more_than_a_page_of_members_and_of_history() {
    let engine = short_pages();
    let crowd = crowd(&engine, "LUNCH", 30).await;
    for _ in 0..10 {
        crowd[0].say("LUNCH", &"x".repeat(300)).await;
    }
    let bob = Client::new(&engine).await;
    let joined = bob.enter("LUNCH", "Bob").await;
    assert!((5..20).contains(&joined.members.len()), "{}", joined.members.len());
    assert_eq!((joined.members[0].member, joined.members_total), (joined.you.member, 31));
    let last: Vec<u64> = joined.history.iter().map(|message| message.frame().seq.0).collect();
    assert_eq!((last, joined.more), (vec![39, 40], true));
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_to_many_rooms_is_shown_some_of_the_members_of_each() {
    let engine = short_pages();
    let ann = Client::new(&engine).await;
    let mut crowds = Vec::new();
    for room in ["LUNCH", "DINNER", "SUPPER", "TEA"] {
        crowds.push(crowd(&engine, room, 30).await);
        ann.enter(room, "Ann").await;
    }
    let again = Client::with_hello(&engine, resume(&ann.token(), &[])).await;
    settle().await;
    let mut shown = Vec::new();
    for frame in again.frames().await {
        if let ServerFrame::Joined(joined) = frame {
            assert_eq!((joined.members[0].nick.as_str(), joined.members_total), ("Ann", 31));
            shown.push(joined.members.len());
        }
    }
    assert_eq!(shown.len(), 4);
    assert!(shown.iter().all(|members| (2..10).contains(members)), "a fourth of half the bound each: {shown:?}");
}

#[tokio::test(start_paused = true)]
async fn a_history_that_was_asked_for_before_a_message_was_taken_back_and_is_read_after_it_does_not_show_it() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let secret = ann.say("LUNCH", "secret").await;
    ann.say("LUNCH", "x").await;
    bob.told().await;
    bob.submit(history("LUNCH", None, 10));
    settle().await;
    assert_eq!(bob.peeked().expect("it is answered"), "history [secret x]");
    ann.session.call(redact("LUNCH", secret)).await.expect("it is hers");
    assert_eq!(bob.told().await[0], "history [ x]");
}

/// Asked while they were in the room, and read once they were put out and more was said, and changed.
#[tokio::test(start_paused = true)]
async fn pages_that_somebody_has_not_read_who_was_put_out_show_nothing_of_what_came_after() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let said = ann.say("LUNCH", "as it was").await;
    bob.told().await;
    (0..3).for_each(|_| bob.submit(history("LUNCH", None, 10)));
    bob.submit(Command::changes(code("LUNCH"), Seq(0)));
    settle().await;
    ann.session.call(Command::ban(code("LUNCH"), MemberId(2))).await.expect("it is her room");
    ann.session.call(Command::edit(code("LUNCH"), Seq(said), body("as it is"))).await.expect("it is hers");
    let told = bob.told().await;
    assert_eq!(told[..4], ["error not_member"; 4], "{told:?}");
    assert!(told.iter().all(|frame| !frame.contains("as it")), "{told:?}");
    assert!(bob.session.can_submit());
}

#[tokio::test(start_paused = true)]
async fn nor_does_the_history_of_a_joined() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::new(&engine).await;
    let secret = ann.say("LUNCH", "secret").await;
    bob.told().await;
    bob.submit(join("LUNCH", "Bob"));
    settle().await;
    ann.session.call(redact("LUNCH", secret)).await.expect("it is hers");
    let joined = bob.joined().await;
    let shown: Vec<_> =
        joined.history.iter().map(|message| (message.frame().redacted, &*message.frame().text)).collect();
    assert_eq!(shown, [(true, "")]);
    assert_eq!(joined.seq.0, secret + 1, "as of the join");
    assert_eq!(bob.told().await, [format!("{} redacted {secret} by 1", secret + 2)]);
}

#[tokio::test(start_paused = true)]
async fn small_answers_go_first() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    ann.told().await;
    ann.submit(history("LUNCH", None, 10));
    ann.submit(history("LUNCH", None, 0));
    ann.submit(leave("NOWHERE"));
    assert_eq!(ann.told().await, ["error room_not_found", "history []", "history []"]);
    assert!(ann.session.can_submit());
}

#[tokio::test(start_paused = true)]
async fn outside_the_frames_there_is_one_page_at_a_time_until_it_has_been_read() {
    let engine = engine();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let ask = |command| {
        let (reply, answer) = Reply::channel(None);
        ann.session.submit(command, reply).expect("few are in flight");
        answer
    };
    let reject = |answered: &Answered| answered.reject.as_ref().map(|reject| reject.code);
    for command in [history("LUNCH", None, 10), members("LUNCH", None)] {
        let first = ask(command.clone()).await.expect("answered");
        assert_eq!(reject(&first), None);
        let second = ask(history("LUNCH", None, 10)).await.expect("answered");
        assert_eq!(reject(&second), Some(RejectCode::Busy));
        assert_eq!(ann.refused(members("LUNCH", None)).await.code, RejectCode::Busy);
        ann.submit(command.clone());
        assert_eq!(ann.told().await.len(), 1, "among the frames it is another matter");
        let body = first.json.clone();
        drop(first);
        assert_eq!(ann.refused(command.clone()).await.code, RejectCode::Busy, "somebody still has it");
        drop(body);
        ann.session.call(command).await.expect("the first has been read");
    }
    // Who does not wait any more has no turn.
    drop(ask(history("LUNCH", None, 10)));
    settle().await;
    ann.session.call(history("LUNCH", None, 10)).await.expect("the turn is over");
    assert!(ann.session.call(members("NOWHERE", None)).await.is_err());
    ann.session.call(members("LUNCH", None)).await.expect("a refusal ends it");
}
