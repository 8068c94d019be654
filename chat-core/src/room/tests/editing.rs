//! Messages with data, in answer to others, and edited.

use std::time::Duration;

use super::*;
use crate::domain::{RecordVersion, Said, SettingsChange};
use crate::types::Data;

fn data(json: &str) -> Data {
    Data::parse(json, 1 << 20).expect("valid data")
}

fn says(text: &str) -> Content {
    Content::text(if text.is_empty() { Body::empty() } else { body(text) })
}

/// What a log has of a message: of this member, and edited so often.
fn shown(by: u32, edits: u32) -> Option<Box<Evidence>> {
    Some(Box::new(Evidence { edits, ..evidence(by, "as it was said") }))
}

fn edit(session: u128, target: u64, text: &str, evidence: Option<Box<Evidence>>) -> Input {
    let (by, target, content) = (caller(session), Seq(target), says(text));
    Input::Edit { by, target, content, as_sent: None, key: None, permit: SendPermit::Paid, evidence }
}

fn with_key(input: Input, named: &str) -> Input {
    let Input::Edit { by, target, content, as_sent, permit, evidence, .. } = input else { panic!("not an edit") };
    let key = Key::parse(named).ok();
    Input::Edit { by, target, content, as_sent, key, permit, evidence }
}

fn broke(input: Input) -> Input {
    let Input::Edit { by, target, content, as_sent, key, evidence, .. } = input else { panic!("not an edit") };
    let permit = SendPermit::Exhausted { retry_after: Duration::from_millis(400) };
    Input::Edit { by, target, content, as_sent, key, permit, evidence }
}

fn say(said: Said) -> Input {
    Input::Send { by: caller(1), said, as_sent: None, key: Key::parse("k").ok(), permit: SendPermit::Paid }
}

fn edited(decision: &Decision) -> Option<(u64, u32)> {
    match &decision.records.first()?.event {
        Event::Edited { target, content: Some(_), n, .. } => Some((target.0, *n)),
        other => panic!("{other:?}"),
    }
}

fn bytes_owed(world: &World) -> (usize, usize) {
    (world.room.ledger().owed_total(), world.room.ledger().owed_bytes())
}

#[test]
fn a_message_may_have_data_alone_and_nothing_is_no_message() {
    let mut world = world();
    let alone = says("").with_data(data(r#"{"kind":"wave"}"#));
    let decision = world.run(&say(alone.into())).expect("sent");
    let Event::Sent { text, data: Some(sent), .. } = &decision.records[0].event else { panic!("{decision:?}") };
    assert_eq!((text.as_str(), sent.as_str()), ("", r#"{"kind":"wave"}"#));
    assert!(!decision.records[0].event.is_taken_back());
    let nothing = world.run(&say(says("").into())).expect_err("refused");
    assert_eq!((nothing.code, nothing.field), (RejectCode::BadField, Some("text")));
    let much = says("hi").with_data(data(&format!(r#"{{"a":"{}"}}"#, "x".repeat(4_096))));
    let reject = world.run(&say(much.into())).expect_err("refused");
    assert_eq!((reject.code, reject.field, reject.limit), (RejectCode::TooLong, Some("data"), Some(4_096)));
}

#[test]
fn an_answer_names_what_the_sender_sees() {
    let mut world = world_with(|limits| limits.newcomers_see = crate::NewcomersSee::Nothing);
    world.send(1, "before");
    world.join(2);
    let answer = |session, target| {
        let said = Said::from(body("yes")).with_reply_to(Seq(target));
        Input::Send { by: caller(session), said, as_sent: None, key: None, permit: SendPermit::Paid }
    };
    for target in [0, 1, 2] {
        let reject = world.run(&answer(2, target)).expect_err("it is below the floor");
        assert_eq!((reject.code, reject.field), (RejectCode::BadField, Some("reply_to")));
    }
    assert_eq!(world.reject(&answer(1, 4)), RejectCode::BadField, "of the future");
    let decision = world.run(&answer(2, 3)).expect("sent");
    assert!(matches!(decision.records[0].event, Event::Sent { reply_to: Some(Seq(3)), .. }));
    world.run(&answer(1, 2)).expect("who was there sees it");
}

#[test]
fn a_key_stands_for_all_that_was_said() {
    let mut world = world();
    let said = |json: &str, target: u64| Said::from(says("hi").with_data(data(json))).with_reply_to(Seq(target));
    let first = world.run(&say(said("{}", 1))).expect("sent").answer;
    let again = world.run(&say(said("{}", 1))).expect("answered").answer;
    let (Answer::Sent { seq: one, .. }, Answer::Sent { seq: other, repeated, .. }) = (first, again) else { panic!() };
    assert_eq!((one, repeated), (other, Repeated::Retry));
    for other in [said("{\"a\":1}", 1), said("{}", 2), body("hi").into()] {
        assert_eq!(world.reject(&say(other)), RejectCode::KeyConflict);
    }
    assert_eq!(world.reject(&with_key(edit(1, one.0, "hi", shown(1, 0)), "k")), RejectCode::KeyConflict, "an edit");
}

#[test]
fn authors_edit_what_they_said_and_nobody_else_does() {
    let mut world = world();
    world.join(2);
    let (of_ann, of_bob) = (world.send(1, "hi").0, world.send(2, "hi").0);
    let decision = world.run(&edit(2, of_bob, "ho", shown(2, 0))).expect("his own");
    let answer = Answer::Sent { seq: Seq(5), at: world.now.wall, repeated: Repeated::First };
    assert_eq!((edited(&decision), decision.answer), (Some((of_bob, 1)), answer));
    assert_eq!((world.room.changed_at(), bytes_owed(&world)), (Seq(5), (1, 2)));
    assert_eq!(
        edited(&world.run(&edit(2, of_bob, "hm", shown(2, 0))).expect("again")),
        Some((of_bob, 2)),
        "it is owed"
    );
    world.run(&Input::Settle { through: Seq(6) }).expect("never refused");
    assert_eq!(edited(&world.run(&edit(2, of_bob, "hm", shown(2, 2))).expect("again")), Some((of_bob, 3)));
    assert_eq!(world.reject(&edit(1, of_bob, "x", shown(2, 0))), RejectCode::Forbidden, "as the owner");
    assert_eq!(world.reject(&edit(2, of_ann, "x", shown(1, 0))), RejectCode::Forbidden);
    world.leave(2);
    assert_eq!(world.reject(&edit(2, of_bob, "x", shown(2, 3))), RejectCode::NotMember);
    world.join(2);
    world.run(&edit(2, of_bob, "back", shown(2, 3))).expect("after a return");
}

#[test]
fn what_is_no_message_or_was_taken_back_is_not_edited() {
    let mut world = world_with(|limits| limits.marks_max = 2);
    let old = world.send(1, "old").0;
    [3, 4].into_iter().for_each(|seq| assert_eq!(world.send(1, "hi"), Seq(seq)));
    assert_eq!(world.reject(&edit(1, 3, "x", None)), RejectCode::MessageNotFound, "nobody has shown it");
    assert_eq!(world.reject(&edit(1, 1, "x", shown(1, 0))), RejectCode::MessageNotFound, "a join");
    assert_eq!(world.reject(&edit(1, 9, "x", shown(1, 0))), RejectCode::MessageNotFound, "of the future");
    let other_life = shown(1, 0).map(|shown| Box::new(Evidence { epoch: Epoch(1), ..*shown }));
    assert_eq!(world.reject(&edit(1, 3, "x", other_life)), RejectCode::MessageNotFound);
    world.run(&edit(1, old, "x", shown(1, 0))).expect("only the log knows it");
    let gone = shown(1, 0).map(|shown| Box::new(Evidence { is_taken_back: true, ..*shown }));
    assert_eq!(world.reject(&edit(1, old, "x", gone)), RejectCode::MessageNotFound);
    for target in [old, 3] {
        world.run(&Input::Redact { by: actor(1), target: Seq(target), evidence: shown(1, 0) }).expect("hers");
        assert_eq!(world.reject(&edit(1, target, "x", shown(1, 0))), RejectCode::MessageNotFound, "taken back since");
    }
}

/// That it was changed is remembered longer than the message, and is no sign that it was taken back.
#[test]
fn a_message_that_was_edited_can_be_taken_back_when_only_the_log_has_it() {
    let mut world = world_with(|limits| limits.marks_max = 2);
    let old = world.send(1, "old").0;
    world.run(&edit(1, old, "new", shown(1, 0))).expect("hers");
    (0..2).for_each(|_| _ = world.send(1, "more"));
    world.run(&Input::Settle { through: Seq(3) }).expect("never refused");
    assert!(!world.room.ledger().is_taken_back(Seq(old)));
    let redact = Input::Redact { by: actor(1), target: Seq(old), evidence: shown(1, 1) };
    assert_eq!(kinds(&world.run(&redact).expect("hers")), [("redacted", Some(6))]);
    assert_eq!(kinds(&world.run(&redact).expect("done")), []);
    assert!(world.room.ledger().is_taken_back(Seq(old)));
}

#[test]
fn a_message_is_edited_in_its_time_and_not_without_end() {
    let mut world = world_with(|limits| (limits.edit_window, limits.edits_max) = (Duration::from_secs(60), 2));
    world.send(1, "hi");
    world.pass(60_000);
    world.run(&edit(1, 2, "a", shown(1, 0))).expect("just in time");
    world.run(&edit(1, 2, "b", shown(1, 1))).expect("just in time");
    let full = world.run(&edit(1, 2, "c", shown(1, 2))).expect_err("refused");
    assert_eq!((full.code, full.limit), (RejectCode::EditsFull, Some(2)));
    world.pass(1);
    let late = world.run(&edit(1, 2, "c", shown(1, 0))).expect_err("refused");
    assert_eq!((late.code, late.limit), (RejectCode::TooLate, Some(60)));
}

#[test]
fn an_edit_to_what_stands_is_answered_and_under_a_key_repeated_once() {
    let mut world = world();
    world.send(1, "as it was said");
    let same = world.run(&edit(1, 2, "as it was said", shown(1, 0))).expect("answered");
    assert_eq!((kinds(&same), same.answer), (vec![], Answer::Done { seq: Seq(2) }));
    let keyed = with_key(edit(1, 2, "as it was said", shown(1, 0)), "k");
    assert_eq!(kinds(&world.run(&keyed).expect("edited")), [("edited", Some(3))]);
    let again = world.run(&broke(keyed)).expect("answered without a token, and without a look at the message");
    assert_eq!(again.answer, Answer::Sent { seq: Seq(3), at: world.now.wall, repeated: Repeated::Retry });
    assert_eq!(world.reject(&with_key(edit(1, 2, "other", None), "k")), RejectCode::KeyConflict);
    let late = edit(1, 2, "as it was said", shown(1, 0));
    assert_eq!(kinds(&world.run(&late).expect("edited")), [("edited", Some(4))], "it was shown before the last edit");
}

#[test]
fn an_edit_costs_as_a_send_does_and_slow_mode_counts_messages_alone() {
    let mut world = world();
    world.join(2);
    world.send(2, "hi");
    let reject = world.run(&broke(edit(2, 3, "ho", shown(2, 0)))).expect_err("refused");
    assert_eq!((reject.code, reject.retry_after), (RejectCode::RateLimited, Some(Duration::from_millis(400))));
    let set = |change| Input::Settings { by: actor(1), change };
    world.run(&set(SettingsChange::new().slow_ms(5_000))).expect("set");
    world.send(2, "again");
    world.run(&edit(2, 3, "ho", shown(2, 0))).expect("at once");
    assert_eq!(world.reject(&send(2, "too early")), RejectCode::RateLimited);
    world.run(&set(SettingsChange::new().slow_ms(0).read_only(true))).expect("set");
    assert_eq!(world.reject(&edit(2, 3, "hm", shown(2, 1))), RejectCode::ReadOnly);
    world.send(1, "hers");
    world.run(&edit(1, world.room.head().0, "so be it", shown(1, 0))).expect("who moderates");
}

#[test]
fn while_the_log_is_owed_as_much_as_it_may_be_nothing_is_edited() {
    let mut world = world_with(|limits| (limits.owed_max, limits.owed_bytes_max) = (3, 8));
    [2, 3, 4].into_iter().for_each(|seq| assert_eq!(world.send(1, "hi"), Seq(seq)));
    world.run(&edit(1, 2, "longer than all of it", shown(1, 0))).expect("one is, however long");
    let reject = world.run(&edit(1, 3, "x", shown(1, 0))).expect_err("refused");
    assert_eq!((reject.code, reject.retry_after.is_some()), (RejectCode::Unavailable, true));
    world.run(&Input::Redact { by: actor(1), target: Seq(2), evidence: None }).expect("which says nothing");
    assert_eq!(bytes_owed(&world), (2, 0), "the edit is superseded");
    world.run(&edit(1, 3, "12345678", shown(1, 0))).expect("there is room");
    assert_eq!(world.reject(&edit(1, 4, "x", shown(1, 0))), RejectCode::Unavailable, "three are owed");
    world.run(&Input::Settle { through: Seq(6) }).expect("never refused");
    assert_eq!(bytes_owed(&world), (1, 8));
}

#[test]
fn where_not_every_program_reads_it_nothing_is_edited_attached_or_answered() {
    let mut world = world();
    world.send(1, "hi");
    world.room.write_up_to(RecordVersion::FIRST);
    assert_eq!(world.reject(&edit(1, 2, "x", shown(1, 0))), RejectCode::Unavailable);
    let with_data = world.run(&say(says("hi").with_data(data("{}")).into())).expect_err("refused");
    assert_eq!((with_data.code, with_data.retry_after.is_some()), (RejectCode::Unavailable, true));
    assert_eq!(world.reject(&say(Said::from(body("hi")).with_reply_to(Seq(2)))), RejectCode::Unavailable);
    world.send(1, "as ever");
}
