//! What members show, as it is told: the newest, at most so often, and to nobody who is not to know of it.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chat_core::{
    Command, Engine, MemberId, NewcomersSee, Policy, Reject, RejectCode, Seq, ServerFrame, SessionView, SettingsChange,
    SignalData, SignalName,
};
use support::*;

fn live<'a>(target: u64, text: impl Into<Option<&'a str>>) -> Command {
    Command::live(code("LUNCH"), Seq(target), text.into().map(body))
}

fn signal<'a>(name: &str, data: impl Into<Option<&'a str>>) -> Command {
    let data = data.into().map(|json| SignalData::parse(json).expect("valid data"));
    Command::signal(code("LUNCH"), SignalName::parse(name).expect("a valid name"), data)
}

fn redact(target: u64) -> Command {
    Command::redact(code("LUNCH"), Seq(target))
}

/// What somebody is told, in few words: `3~half` of what grows, `3~` of what does not any more, `[2 hand=true]` of signals.
async fn told(client: &Client) -> Vec<String> {
    client.frames().await.iter().map(in_words).collect()
}

fn in_words(frame: &ServerFrame) -> String {
    match frame {
        ServerFrame::Live { target, text, .. } => format!("{target}~{}", text.as_deref().unwrap_or_default()),
        ServerFrame::Signals { signals, .. } => {
            let each = signals.iter().map(|signal| format!("{} {}={}", signal.member, signal.name, signal.data));
            format!("[{}]", each.collect::<Vec<_>>().join(" "))
        }
        other => summary(other),
    }
}

/// Ann and Bob in `LUNCH`, where Ann has said something at 3; everything is read.
async fn two(engine: &Engine) -> [Client; 2] {
    let ann = Client::in_room(engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(engine, "LUNCH", "Bob").await;
    assert_eq!(ann.say("LUNCH", "start").await, 3);
    for client in [&ann, &bob] {
        client.told().await;
    }
    [ann, bob]
}

#[tokio::test(start_paused = true)]
async fn what_grows_is_told_at_once_and_then_ten_times_a_second_at_most() {
    let engine = engine();
    let [ann, bob] = two(&engine).await;
    for round in 0..3 {
        pass(secs(1)).await;
        ann.submit(live(3, format!("{round}a").as_str()));
        assert_eq!(told(&bob).await, [format!("3~{round}a")]);
        for text in ["b", "c", "d"] {
            ann.submit(live(3, text));
            assert_eq!(told(&bob).await, Vec::<String>::new(), "not twice in a tenth of a second");
        }
        pass(millis(99)).await;
        assert_eq!(told(&bob).await, Vec::<String>::new());
        pass(millis(1)).await;
        assert_eq!(told(&bob).await, ["3~d"], "the newest, and nothing in between");
    }
    assert_eq!(told(&ann).await.last().map(String::as_str), Some("3~d"), "oneself too");
}

#[tokio::test(start_paused = true)]
async fn a_text_that_grows_takes_at_most_twice_its_bytes_and_little_around_it() {
    let engine = engine();
    let [ann, bob] = two(&engine).await;
    for text in ["\"", "\\", "\n", "\t", "x", "\u{e9}", "\u{7fff}", "\u{1f642}"] {
        let text = format!("x{}", text.repeat(1_000));
        ann.session.call(live(3, text.as_str())).await.expect("a text");
        settle().await;
        let frame = bob.session.peek().expect("the text");
        assert!(frame.json.len() <= 2 * text.len() + 100, "{} bytes for {}", frame.json.len(), text.len());
        bob.session.commit(frame.mark);
        pass(secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_grows_ends_with_its_message_its_author_and_its_time() {
    let engine = engine();
    let [ann, bob] = two(&engine).await;
    ann.submit(live(3, "half"));
    assert_eq!(told(&bob).await, ["3~half"]);
    ann.submit(live(3, None));
    pass(millis(100)).await;
    assert_eq!(told(&bob).await, ["3~"]);
    ann.submit(live(3, "half"));
    pass(millis(100)).await;
    assert_eq!(told(&bob).await, ["3~half"]);
    pass(millis(29_899)).await;
    assert_eq!(told(&bob).await, Vec::<String>::new());
    pass(millis(2)).await;
    assert_eq!(told(&bob).await, ["3~"], "after thirty seconds of silence");
    pass(millis(100)).await;
    ann.submit(live(3, "half"));
    assert_eq!(told(&bob).await, ["3~half"]);
    acked(ann.session.call(redact(3)).await);
    assert_eq!(told(&bob).await, ["4 redacted 3 by 1", "3~"], "at once");
    let next = ann.say("LUNCH", "next").await;
    ann.submit(live(next, "next one"));
    pass(millis(100)).await;
    assert_eq!(told(&bob).await, ["5 Ann: next", "5~next one"]);
    acked(ann.session.call(leave("LUNCH")).await);
    assert_eq!(told(&bob).await[..2], ["6 -Ann left".to_owned(), "7 2 is Owner".to_owned()]);
    pass(millis(100)).await;
    assert_eq!(bob.frames().await.len(), 0, "it went with her");
}

#[tokio::test(start_paused = true)]
async fn whoever_has_read_that_a_message_was_taken_back_is_shown_no_more_of_it() {
    let engine = engine();
    let [ann, bob] = two(&engine).await;
    ann.submit(live(3, "a"));
    settle().await;
    ann.submit(live(3, "secret"));
    acked(ann.session.call(redact(3)).await);
    // Of what grew before nothing was read, and it is not there any more.
    assert_eq!(told(&bob).await, ["4 redacted 3 by 1"]);
    pass(secs(1)).await;
    assert_eq!(told(&bob).await, Vec::<String>::new(), "who was told nothing is told of no end");
}

#[tokio::test(start_paused = true)]
async fn an_edit_ends_what_grew_before_it_and_not_what_grows_after_it() {
    let engine = engine();
    let [ann, bob] = two(&engine).await;
    let edit = |text| Command::edit(code("LUNCH"), Seq(3), body(text));
    ann.submit(live(3, "half"));
    assert_eq!(told(&bob).await, ["3~half"]);
    acked(ann.session.call(edit("whole")).await);
    assert_eq!(told(&bob).await, ["4 edited 3: whole #1", "3~"], "at once");
    pass(secs(1)).await;
    ann.submit(live(3, "more"));
    assert_eq!(told(&bob).await, ["3~more"], "it grows again");
    // Both are decided before anything is told, and nothing of before the edit is told after it.
    ann.submit(edit("whole and more"));
    ann.submit(live(3, "much more"));
    let shown = told(&bob).await;
    assert_eq!(shown[0], "5 edited 3: whole and more #2", "{shown:?}");
    assert!(!shown.contains(&"3~more".to_owned()), "{shown:?}");
    pass(secs(1)).await;
    assert_eq!(told(&bob).await.last().or(shown.last()).map(String::as_str), Some("3~much more"));
}

#[tokio::test(start_paused = true)]
async fn who_reads_after_an_edit_is_not_told_what_grew_before_it() {
    let engine = engine();
    let [ann, bob] = two(&engine).await;
    ann.submit(live(3, "half"));
    settle().await;
    ann.submit(Command::edit(code("LUNCH"), Seq(3), body("whole")));
    ann.submit(live(3, "more"));
    settle().await;
    // The slot has had `half` for less than a tenth of a second: what is shown anew has not taken its place yet.
    assert_eq!(told(&bob).await, ["4 edited 3: whole #1"]);
    pass(millis(100)).await;
    assert_eq!(told(&bob).await, ["3~more"]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_in_or_comes_back_is_told_what_is_shown_now() {
    let engine = engine();
    let [ann, bob] = two(&engine).await;
    ann.submit(live(3, "half"));
    ann.submit(signal("hand", "true"));
    assert_eq!(told(&bob).await, ["3~half", "[1 hand=true]"]);
    let cid = Client::new(&engine).await;
    cid.submit(join("LUNCH", "Cid"));
    let shown = told(&cid).await;
    assert_eq!(shown[2..], ["3~half", "[1 hand=true]"], "{shown:?}");
    let (token, joined) = (bob.token(), 4);
    drop(bob);
    ann.submit(live(3, None));
    pass(secs(1)).await;
    let epoch = Client::new(&engine).await.enter("LUNCH", "Dan").await.epoch;
    let at = chat_core::Position { epoch, seq: Seq(joined) };
    let bob = Client::with_hello(&engine, resume(&token, &[("LUNCH", at)])).await;
    let shown = told(&bob).await;
    assert_eq!(shown[1..], ["5 +Dan", "[1 hand=true]"], "what has ended meanwhile is not there: {shown:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_how_a_message_before_their_floor_grows() {
    let engine = engine_with(|limits| limits.room.newcomers_see = NewcomersSee::Nothing);
    let [ann, bob] = two(&engine).await;
    let cid = Client::in_room(&engine, "LUNCH", "Cid").await;
    ann.submit(live(3, "half"));
    assert_eq!(told(&bob).await, ["4 +Cid", "3~half"]);
    assert_eq!(told(&cid).await, Vec::<String>::new());
    let next = ann.say("LUNCH", "next").await;
    ann.submit(live(next, "next one"));
    pass(millis(100)).await;
    assert_eq!(told(&bob).await, ["5 Ann: next", "3~", "5~next one"]);
    assert_eq!(told(&cid).await, ["5 Ann: next", "5~next one"], "and of no end of what they were not told");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_skips_to_the_newest_and_is_told_of_no_message_before_the_message() {
    let engine = engine_with(|limits| limits.lift_rates());
    let [ann, bob] = two(&engine).await;
    for number in 0..50 {
        ann.submit(live(3, format!("{number}").as_str()));
        ann.submit(signal("count", number.to_string().as_str()));
        pass(millis(100)).await;
        ann.take();
    }
    let next = ann.say("LUNCH", "next").await;
    ann.submit(live(next, "next one"));
    pass(millis(100)).await;
    assert_eq!(bob.peeked().as_deref(), Some("4 Ann: next"));
    assert_eq!(told(&bob).await, ["4 Ann: next", "4~next one", "[1 count=49]"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_gap_what_grows_in_it_is_told_and_a_history_has_it() {
    let engine = engine_with(|limits| {
        limits.room.backlog_events_max = 8;
        limits.lift_rates();
    });
    let [ann, bob] = two(&engine).await;
    talk(&ann, 20).await;
    ann.submit(live(17, "in the gap"));
    settle().await;
    assert_eq!(told(&bob).await, ["gap 4..20", "17~in the gap"], "not before the gap");
    bob.submit(Command::history(code("LUNCH")));
    assert_eq!(bob.told().await, ["history [x x x x x x x x]"], "13 to 20");
    acked(ann.session.call(redact(17)).await);
    assert_eq!(told(&bob).await, ["21 redacted 17 by 1", "17~"]);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_speak_any_more_grows_nothing() {
    let engine = engine();
    let [ann, bob] = two(&engine).await;
    let own = bob.say("LUNCH", "mine").await;
    bob.submit(live(own, "mine too"));
    assert_eq!(told(&ann).await, ["4 Bob: mine", "4~mine too"]);
    let read_only = Command::settings(code("LUNCH"), SettingsChange::new().read_only(true));
    acked(ann.session.call(read_only).await);
    let ended = told(&ann).await;
    assert_eq!(ended.last().map(String::as_str), Some("4~"), "{ended:?}");
    assert_eq!(bob.refused(live(own, "x")).await.code, RejectCode::ReadOnly);
    acked(ann.session.call(Command::kick(code("LUNCH"), MemberId(2))).await);
}

#[tokio::test(start_paused = true)]
async fn signals_are_told_whole_and_twenty_times_a_second_at_most() {
    let engine = engine();
    let [ann, bob] = two(&engine).await;
    ann.submit(signal("hand", "true"));
    assert_eq!(told(&bob).await, ["[1 hand=true]"]);
    bob.submit(signal("look", "[1,{\"a\":null}]"));
    bob.submit(signal("mood", "\"ok\""));
    assert_eq!(told(&ann).await, ["[1 hand=true]"]);
    pass(millis(50)).await;
    let all = "[1 hand=true 2 look=[1,{\"a\":null}] 2 mood=\"ok\"]";
    assert_eq!(told(&ann).await, [all]);
    let reject = bob.refused(signal("more", "1")).await;
    assert_eq!((reject.code, reject.field, reject.limit), (RejectCode::SignalsFull, Some("name"), Some(2)));
    pass(secs(10)).await;
    ann.submit(signal("hand", "true"));
    assert_eq!(told(&bob).await, [all], "and a renewal tells nothing");
    drop(bob);
    pass(millis(50)).await;
    assert_eq!(told(&ann).await, ["[1 hand=true]"], "who is not connected shows nothing");
    pass(millis(29_900)).await;
    assert_eq!(told(&ann).await, Vec::<String>::new());
    pass(millis(60)).await;
    assert_eq!(told(&ann).await.last().map(String::as_str), Some("[]"), "thirty seconds after the renewal");
}

#[tokio::test(start_paused = true)]
async fn texts_that_come_too_fast_or_are_too_much_are_refused_and_cost_no_other_command() {
    let engine = engine();
    let [ann, _bob] = two(&engine).await;
    for _ in 0..20 {
        ann.session.call(live(3, "x")).await.expect("a burst");
    }
    let reject = ann.refused(live(3, "x")).await;
    assert_eq!((reject.code, reject.retry_after), (RejectCode::RateLimited, Some(millis(50))));
    assert_eq!(ann.say("LUNCH", "a send has a rate of its own").await, 4);
    pass(secs(10)).await;
    let long = "x".repeat(4_000);
    let shown = {
        let mut shown = 0;
        while ann.session.call(live(3, long.as_str())).await.is_ok() {
            shown += 1;
            pass(millis(50)).await;
        }
        shown
    };
    // They are 80,000 bytes a second.
    assert!((175..185).contains(&shown), "128 KiB, and 64 KiB a second: {shown}");
}

/// Counts what it is asked, thinks for a while, and makes what is shown louder.
#[derive(Default)]
struct Loud(AtomicUsize);

#[async_trait]
impl Policy for Loud {
    async fn check(&self, _session: &SessionView, command: Command) -> Result<Command, Reject> {
        match &command {
            Command::Live { text: Some(text), .. } => {
                self.0.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(secs(1)).await;
                let louder = body(&text.as_str().to_uppercase());
                Ok(command.with_live_text(louder))
            }
            Command::Signal { data: Some(_), .. } => Ok(command.with_signal_data(SignalData::parse("\"LOUD\"").ok())),
            _ => Ok(command),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_policy_rewrites_what_is_shown_and_is_asked_about_the_latest_alone() {
    let policy = Arc::new(Loud::default());
    let engine = Engine::builder().policy(policy.clone()).build();
    let [ann, bob] = two(&engine).await;
    for number in 0..10 {
        ann.submit_as(number, live(3, format!("text {number}").as_str()));
        settle().await;
    }
    let answers = told(&ann).await;
    assert_eq!(answers, vec!["ack 3"; 8], "those in whose place another one waits are answered");
    pass(secs(3)).await;
    assert_eq!(policy.0.load(Ordering::Relaxed), 2, "the first, which it was asked about at once, and the last");
    assert_eq!(told(&bob).await.last().map(String::as_str), Some("3~TEXT 9"));
    ann.submit(signal("hand", "true"));
    pass(millis(50)).await;
    assert_eq!(told(&bob).await, ["[1 hand=\"LOUD\"]"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_shown_has_no_place_in_the_history_and_moves_no_position() {
    let engine = engine();
    let [ann, bob] = two(&engine).await;
    ann.submit(live(3, "half"));
    ann.submit(signal("hand", "true"));
    assert_eq!(ann.say("LUNCH", "next").await, 4, "neither has a number");
    told(&bob).await;
    bob.submit(Command::history(code("LUNCH")));
    assert_eq!(bob.told().await, ["history [start next]"]);
}
