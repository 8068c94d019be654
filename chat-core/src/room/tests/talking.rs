//! Sending, keys, taking back, the topic.

use std::time::Duration;

use super::*;
use crate::types::Data;

fn answer(world: &mut World, input: &Input) -> (Seq, Wall, Repeated) {
    let Answer::Sent { seq, at, repeated } = world.run(input).expect("sent").answer else { panic!("not sent") };
    (seq, at, repeated)
}

fn broke(input: Input) -> Input {
    let Input::Send { by, said, as_sent, key, .. } = input else { panic!("not a send") };
    Input::Send { by, said, as_sent, key, permit: SendPermit::Exhausted { retry_after: Duration::from_millis(400) } }
}

#[test]
fn a_message_says_all_that_its_frame_needs() {
    let mut world = world();
    let decision = world.run(&send(1, "hi")).expect("sent");
    let [Record { offset, seq, at, by, event: Event::Sent { nick, color, text, keyed, amended, data, reply_to } }] =
        &decision.records[..]
    else {
        panic!("one message: {:?}", decision.records)
    };
    assert_eq!((*offset, *seq, *at, *by), (Offset(3), Some(Seq(2)), world.now.wall, Some(MemberId(1))));
    assert_eq!((nick.as_str(), color.0, text.as_str(), keyed, amended), ("Ann", 0, "hi", &None, &None));
    assert_eq!((data, reply_to), (&None, &None));
    assert_eq!(decision.answer, Answer::Sent { seq: Seq(2), at: world.now.wall, repeated: Repeated::First });
}

#[test]
fn time_never_goes_back_in_a_life() {
    let mut world = world();
    world.now.wall = Wall(5);
    world.send(1, "from the past");
    assert_eq!(world.log.last().map(|record| record.at), Some(Wall(1_000_000)));
}

#[test]
fn only_who_is_attached_with_their_generation_may_send() {
    let mut world = world();
    assert_eq!(world.reject(&send(2, "hi")), RejectCode::NotMember);
    let mut input = send(1, "hi");
    let Input::Send { by, .. } = &mut input else { panic!("not a send") };
    by.generation = Generation(2);
    assert_eq!(world.reject(&input), RejectCode::NotMember);
    let Input::Send { by, .. } = &mut input else { panic!("not a send") };
    *by = known(1, "somebody else");
    assert_eq!(world.reject(&input), RejectCode::NotMember);
    world.detach(1);
    assert_eq!(world.reject(&send(1, "hi")), RejectCode::NotMember);
}

#[test]
fn a_text_over_the_rooms_own_limit_is_too_long() {
    let mut world = world_with(|limits| limits.message_chars_max = 3);
    world.send(1, "äöü");
    let reject = world.run(&send(1, "four")).expect_err("refused");
    assert_eq!((reject.code, reject.field, reject.limit), (RejectCode::TooLong, Some("text"), Some(3)));
}

#[test]
fn an_exhausted_budget_is_rate_limited_with_advice() {
    let mut world = world();
    let reject = world.run(&broke(send(1, "hi"))).expect_err("refused");
    assert_eq!((reject.code, reject.retry_after), (RejectCode::RateLimited, Some(Duration::from_millis(400))));
}

#[test]
fn a_retried_send_is_answered_not_repeated() {
    let mut world = world();
    let first = answer(&mut world, &keyed(1, "k", "hi"));
    world.pass(1_000);
    world.send(1, "more");
    let again = world.run(&broke(keyed(1, "k", "hi"))).expect("answered without a token");
    assert_eq!(kinds(&again), []);
    assert_eq!(again.answer, Answer::Sent { seq: first.0, at: first.1, repeated: Repeated::Retry });
}

#[test]
fn a_key_with_another_text_is_a_conflict() {
    let mut world = world();
    world.run(&keyed(1, "k", "hi")).expect("sent");
    let reject = world.run(&broke(keyed(1, "k", "ho"))).expect_err("refused");
    assert_eq!((reject.code, reject.field), (RejectCode::KeyConflict, Some("key")));
}

#[test]
fn the_text_as_sent_is_compared_not_what_a_policy_made_of_it() {
    let mut world = world();
    let rewritten = |text: &str| Input::Send {
        by: caller(1),
        said: body(text).into(),
        as_sent: Some(body("darn").into()),
        key: Key::parse("k").ok(),
        permit: SendPermit::Paid,
    };
    let first = answer(&mut world, &rewritten("d***"));
    assert_eq!(answer(&mut world, &rewritten("****")), (first.0, first.1, Repeated::Retry));
}

#[test]
fn keys_of_different_people_do_not_meet() {
    let mut world = world();
    world.join(2);
    let first = answer(&mut world, &keyed(1, "k", "hi"));
    let second = answer(&mut world, &keyed(2, "k", "ho"));
    assert_ne!(first.0, second.0);
}

#[test]
fn keys_are_kept_when_their_member_leaves_and_shared_by_an_identity() {
    let mut world = world();
    let as_bob = |session| Input::Send {
        by: known(session, "bob"),
        said: body("hi").into(),
        as_sent: None,
        key: Key::parse("k").ok(),
        permit: SendPermit::Paid,
    };
    world.run(&join(known(2, "bob"))).expect("joined");
    let first = answer(&mut world, &as_bob(2));
    world.run(&Input::Leave { by: known(2, "bob") }).expect("left");
    world.run(&join(known(3, "bob"))).expect("joined");
    assert_eq!(answer(&mut world, &as_bob(3)), (first.0, first.1, Repeated::Retry));
}

#[test]
fn the_window_forgets_the_oldest_key_of_a_person_and_of_the_room() {
    let mut world = world_with(|limits| (limits.keys_per_scope_max, limits.keys_max) = (2, 3));
    world.join(2);
    world.join(3);
    for (session, key) in [(1, "a"), (1, "b"), (1, "c"), (2, "d"), (3, "e")] {
        world.run(&keyed(session, key, "hi")).expect("sent");
    }
    // Ann's "a" went with her third key, her "b" with the room's fourth.
    for (session, key, repeated) in [(1, "c", Repeated::Retry), (2, "d", Repeated::Retry), (1, "b", Repeated::First)] {
        assert_eq!(answer(&mut world, &keyed(session, key, "hi")).2, repeated, "{key}");
    }
}

#[test]
fn an_author_takes_back_a_message_once() {
    let mut world = world();
    world.join(2);
    let seq = world.send(2, "oops");
    let redact = Input::Redact { by: actor(2), target: seq, evidence: None };
    let decision = world.run(&redact).expect("redacted");
    assert_eq!((kinds(&decision), decision.answer), (vec![("redacted", Some(4))], Answer::Done { seq: Seq(4) }));
    world.send(1, "more");
    let again = world.run(&redact).expect("done already");
    assert_eq!((kinds(&again), again.answer), (vec![], Answer::Done { seq: Seq(5) }));
}

#[test]
fn others_need_to_moderate_to_take_back_a_message() {
    let mut world = world();
    world.join(2);
    let (of_ann, of_bob) = (world.send(1, "hi"), world.send(2, "hi"));
    assert_eq!(world.reject(&Input::Redact { by: actor(2), target: of_ann, evidence: None }), RejectCode::Forbidden);
    world.run(&Input::Redact { by: actor(1), target: of_bob, evidence: None }).expect("as the owner");
    let by_host = world.run(&Input::Redact { by: Actor::Host, target: of_ann, evidence: None }).expect("as the host");
    assert_eq!(by_host.records[0].by, None);
}

#[test]
fn only_a_remembered_message_can_be_taken_back() {
    let mut world = world_with(|limits| limits.marks_max = 1);
    let forgotten = world.send(1, "one");
    world.send(1, "two");
    assert_eq!(
        world.reject(&Input::Redact { by: actor(1), target: forgotten, evidence: None }),
        RejectCode::MessageNotFound
    );
    assert_eq!(
        world.reject(&Input::Redact { by: actor(1), target: Seq(1), evidence: None }),
        RejectCode::MessageNotFound,
        "a join"
    );
}

#[test]
fn a_message_that_is_forgotten_is_taken_back_by_what_the_log_says_of_it() {
    let mut world = world_with(|limits| (limits.marks_max, limits.changes_max, limits.owed_max) = (1, 0, 9));
    world.join(2);
    let forgotten = world.send(2, "one");
    world.send(1, "two");
    let shown = |epoch, is_taken_back| Some(Box::new(Evidence { epoch, is_taken_back, ..evidence(2, "one") }));
    let redact = |by, target, evidence| Input::Redact { by, target, evidence };
    let known = redact(Actor::Host, world.room.head(), shown(Epoch(1), true));
    assert_eq!(kinds(&world.room.decide(world.now, &known).expect("it is remembered")), [("redacted", Some(5))]);
    let other_life = shown(Epoch(1), false);
    assert_eq!(world.reject(&redact(actor(2), forgotten, other_life)), RejectCode::MessageNotFound);
    assert_eq!(world.reject(&redact(actor(2), Seq(1), shown(EPOCH, false))), RejectCode::MessageNotFound, "too old");
    world.join(3);
    assert_eq!(world.reject(&redact(actor(3), forgotten, shown(EPOCH, false))), RejectCode::Forbidden);
    assert!(world.run(&redact(actor(2), forgotten, shown(EPOCH, true))).expect("it was").records.is_empty());
    let done = world.run(&redact(actor(2), forgotten, shown(EPOCH, false))).expect("hers");
    assert_eq!(kinds(&done), [("redacted", Some(6))]);
    let late = world.run(&redact(actor(1), forgotten, shown(EPOCH, false))).expect("it has been taken back since");
    assert!(late.records.is_empty());
}

#[test]
fn what_was_changed_after_an_event_is_named_in_the_order_of_the_changes() {
    let mut world = world_with(|limits| (limits.changes_max, limits.history_max) = (3, 2));
    for _ in 0..5 {
        world.send(1, "hi");
    }
    for target in [4, 2, 6, 3] {
        world.run(&Input::Redact { by: actor(1), target: Seq(target), evidence: None }).expect("hers");
    }
    let changes = |after| {
        let decided = world.room.decide(world.now, &Input::Changes { by: caller(1), after: Seq(after) });
        decided.map(|decided| match decided.answer {
            Answer::Changes(slice) => {
                let changed: Vec<_> = slice.changed.iter().map(|one| (one.target.0, one.change.0)).collect();
                (changed, slice.through.0, slice.more == More::Yes)
            }
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(changes(7), Ok((vec![(2, 8), (6, 9)], 9, true)), "two at a time");
    assert_eq!(changes(9), Ok((vec![(3, 10)], 10, false)));
    assert_eq!(changes(10), Ok((vec![], 10, false)));
    assert_eq!(changes(6).map_err(|reject| reject.code), Err(RejectCode::OutOfReach), "of 7 nothing is known");
    assert_eq!(world.room.changed_at(), Seq(10));
    assert_eq!(world.reject(&Input::Changes { by: caller(9), after: Seq(7) }), RejectCode::NotMember);
}

#[test]
fn the_owner_and_the_host_set_the_topic() {
    let mut world = world();
    world.join(2);
    let topic = |by, text| Input::SetTopic { by, topic: crate::Topic::parse(text).expect("a valid topic") };
    assert_eq!(world.reject(&topic(actor(2), "mine")), RejectCode::Forbidden);
    let decision = world.run(&topic(actor(1), "tea")).expect("changed");
    assert_eq!((kinds(&decision), decision.answer), (vec![("topic_changed", Some(3))], Answer::Done { seq: Seq(3) }));
    assert_eq!(world.room.topic().as_str(), "tea");
    let same = world.run(&topic(Actor::Host, "tea")).expect("the same already");
    assert_eq!((kinds(&same), same.answer), (vec![], Answer::Done { seq: Seq(3) }));
}

#[test]
fn what_one_said_is_ones_own_after_leaving_and_after_a_timeout() {
    let mut world = world();
    world.join(2);
    let first = world.send(2, "one");
    world.leave(2);
    world.join(2);
    world.run(&Input::Redact { by: actor(2), target: first, evidence: None }).expect("taken back after a leave");
    let second = world.send(2, "two");
    world.detach(2);
    assert_eq!(world.pass(30_000).len(), 1, "timed out");
    world.join(2);
    world.run(&Input::Redact { by: actor(2), target: second, evidence: None }).expect("taken back after a timeout");
}

#[test]
fn data_have_as_many_bytes_as_they_may() {
    let mut world = world_with(|limits| limits.data_bytes_max = 7);
    let with = |json: &str| {
        let data = Some(Data::parse(json, 100).expect("valid"));
        let said = Content { text: body("hi"), data }.into();
        Input::Send { by: caller(1), said, as_sent: None, key: None, permit: SendPermit::Paid }
    };
    world.run(&with(r#"{"a":1}"#)).expect("seven");
    assert_eq!(world.reject(&with(r#"{"a":12}"#)), RejectCode::TooLong);
}
