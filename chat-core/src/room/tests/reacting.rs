//! Who reacts to what, how it is counted, and what becomes of it.

use super::*;
use crate::domain::{BanTerms, RecordVersion, SettingsChange};
use crate::types::{NewcomersSee, ReactionName};

fn name(text: &str) -> ReactionName {
    ReactionName::parse(text).expect("a valid name")
}

fn set(by: Caller, target: u64, text: &str, on: bool, key: Option<&str>) -> Input {
    let key = key.map(|key| Key::parse(key).expect("a valid key"));
    Input::React { by, target: Seq(target), name: name(text), on, key }
}

fn react(session: u128, target: u64, text: &str) -> Input {
    set(caller(session), target, text, true, None)
}

fn unreact(session: u128, target: u64, text: &str) -> Input {
    set(caller(session), target, text, false, None)
}

/// The reactions told by a decision: number, target, name, whose, whether it is one, and the count.
fn told(decision: &Decision) -> Vec<(u64, u64, String, u32, bool, u32)> {
    let told = decision.records.iter().filter_map(|record| match &record.event {
        Event::Reacted { target, name, on, count, .. } => {
            let (seq, by) = (record.seq.expect("it is told"), record.by.expect("it is somebody's"));
            Some((seq.0, target.0, name.to_string(), by.0, *on, *count))
        }
        _ => None,
    });
    told.collect()
}

/// Names, counts and numbers.
fn shown(world: &World, target: u64) -> Vec<(String, u32, Vec<u32>)> {
    let shown = world.room.reactions_to(Seq(target)).into_iter();
    shown.map(|one| (one.name.to_string(), one.count, one.by.iter().map(|by| by.0).collect())).collect()
}

/// Ann has said something at 4, and Bob at 5; Cid is there too.
fn talk_with(change: impl FnOnce(&mut RoomLimits)) -> World {
    let mut world = world_with(change);
    [2, 3].into_iter().for_each(|session| drop(world.join(session)));
    world.send(1, "of Ann");
    world.send(2, "of Bob");
    world
}

fn talk() -> World {
    talk_with(|_| {})
}

fn allow(world: &mut World, change: SettingsChange<crate::types::SecretHash>) {
    world.run(&Input::Settings { by: Actor::Host, change }).expect("the host may");
}

/// What was not told leaves nothing behind, and its key neither.
#[test]
fn a_reaction_that_changes_nothing_uses_up_no_key() {
    let mut world = talk();
    world.run(&set(caller(2), 4, "+1", true, Some("a"))).expect("he may");
    let nothing = set(caller(2), 4, "+1", true, Some("b"));
    assert!(kinds(&world.run(&nothing).expect("answered")).is_empty());
    world.run(&set(caller(2), 4, "+1", false, Some("c"))).expect("he may");
    let late = world.run(&nothing).expect("he may");
    assert_eq!(told(&late), [(8, 4, "+1".into(), 2, true, 1)], "carried out as it stands now");
    let again = world.run(&nothing).expect("answered");
    assert_eq!((kinds(&again), again.answer), (vec![], Answer::Done { seq: Seq(8) }), "and answered from then on");
}

#[test]
fn a_reaction_is_counted_and_one_that_changes_nothing_is_answered() {
    let mut world = talk();
    let first = world.run(&react(2, 4, "+1")).expect("he may");
    assert_eq!((told(&first), first.answer), (vec![(6, 4, "+1".into(), 2, true, 1)], Answer::Done { seq: Seq(6) }));
    let second = world.run(&react(1, 4, "+1")).expect("her own");
    assert_eq!(told(&second), [(7, 4, "+1".into(), 1, true, 2)]);
    let again = world.run(&react(2, 4, "+1")).expect("answered");
    assert_eq!((kinds(&again), again.answer), (vec![], Answer::Done { seq: Seq(7) }));
    assert_eq!(shown(&world, 4), [("+1".into(), 2, vec![2, 1])]);
    let back = world.run(&unreact(2, 4, "+1")).expect("he may");
    assert_eq!(told(&back), [(8, 4, "+1".into(), 2, false, 1)]);
    let nothing = world.run(&unreact(3, 4, "+1")).expect("answered");
    assert_eq!((kinds(&nothing), shown(&world, 4)), (vec![], vec![("+1".into(), 1, vec![1])]));
    assert_eq!(world.room.changed_at(), Seq(8));
}

#[test]
fn a_retry_under_its_key_is_answered_with_the_first_answer() {
    let mut world = talk();
    let keyed = |on, text| set(caller(2), 4, text, on, Some("k"));
    world.run(&keyed(true, "+1")).expect("he may");
    world.run(&unreact(2, 4, "+1")).expect("he may");
    let again = world.run(&keyed(true, "+1")).expect("answered");
    assert_eq!((kinds(&again), again.answer), (vec![], Answer::Done { seq: Seq(6) }));
    for other in [keyed(false, "+1"), keyed(true, "-1"), super::keyed(2, "k", "+1")] {
        assert_eq!(world.reject(&other), RejectCode::KeyConflict);
    }
    assert_eq!(shown(&world, 4), []);
}

#[test]
fn what_is_no_message_or_not_any_more_or_not_theirs_to_see_is_not_found() {
    let mut world = talk_with(|limits| limits.newcomers_see = NewcomersSee::Nothing);
    world.join(4);
    world.run(&Input::Redact { by: actor(1), target: Seq(4), evidence: None }).expect("hers");
    for target in [0, 1, 4, 6, 7, 8, u64::MAX] {
        assert_eq!(world.reject(&react(1, target, "+1")), RejectCode::MessageNotFound, "{target}");
    }
    assert_eq!(world.reject(&react(4, 5, "+1")), RejectCode::MessageNotFound, "before his floor");
    assert_eq!(world.reject(&react(9, 5, "+1")), RejectCode::NotMember);
    world.run(&react(1, 5, "+1")).expect("there is one");
}

#[test]
fn a_message_takes_reactions_as_long_as_it_is_among_the_last() {
    let mut world = talk_with(|limits| (limits.reactable_max, limits.marks_max) = (2, 3));
    world.run(&react(2, 4, "+1")).expect("he may");
    world.send(1, "the third");
    let late = world.run(&react(1, 4, "+1")).expect_err("too old");
    assert_eq!((late.code, late.limit), (RejectCode::TooLate, Some(2)));
    assert_eq!(world.reject(&unreact(2, 4, "+1")), RejectCode::TooLate, "and none is taken from it");
    let owed = |world: &World| -> Vec<_> {
        world.room.ledger().owed_freezes().map(|owed| (owed.target.0, owed.change.0)).collect()
    };
    assert_eq!((owed(&world), shown(&world, 4)), (vec![(4, 7)], vec![("+1".into(), 1, vec![2])]));
    world.run(&Input::Settle { through: Seq(7) }).expect("never refused");
    assert_eq!((owed(&world), shown(&world, 4)), (vec![], vec![]));
    (0..3).for_each(|_| _ = world.send(1, "more"));
    assert_eq!(world.reject(&react(1, 4, "+1")), RejectCode::TooLate, "forgotten by now");
    assert_eq!(world.reject(&react(1, 2, "+1")), RejectCode::MessageNotFound, "never one");
}

#[test]
fn a_message_that_took_no_more_takes_none_where_more_messages_do_later() {
    let mut world = talk_with(|limits| limits.reactable_max = 1);
    world.run(&react(1, 5, "+1")).expect("she may");
    world.send(1, "the third");
    let wide = Arc::new(RoomLimits::default());
    world.room = Room::from_ledger(world.room.ledger().clone(), wide);
    world.note(Note::Recovered);
    let attached =
        Note::Attached { session: SessionId::new(1), generation: Generation(1), member: MemberId(1), network: None };
    world.note(attached);
    assert_eq!(world.reject(&react(1, 5, "+1")), RejectCode::TooLate);
    assert_eq!(world.reject(&react(1, 4, "+1")), RejectCode::TooLate, "older than that one");
    world.run(&react(1, 7, "+1")).expect("one of the last");
    let narrow = RoomLimits { reactable_max: 0, ..RoomLimits::default() };
    let ledger = Room::from_ledger(world.room.ledger().clone(), Arc::new(narrow)).ledger().clone();
    assert_eq!(ledger.owed_freezes().map(|owed| owed.target.0).collect::<Vec<_>>(), [5, 7]);
}

#[test]
fn a_room_keeps_so_many_in_all_of_one_person_and_with_so_many_names() {
    let full = |world: &mut World, input| {
        let reject = world.run(&input).expect_err("full");
        assert_eq!(reject.code, RejectCode::ReactionsFull);
        reject.limit
    };
    let mut world = talk_with(|limits| {
        (limits.reactions_max, limits.reactions_per_person_max, limits.reaction_names_max) = (4, 2, 2);
    });
    ["a", "b"].into_iter().for_each(|text| drop(world.run(&react(1, 4, text)).expect("there is room")));
    assert_eq!(full(&mut world, react(1, 5, "a")), Some(2), "of one person");
    assert_eq!(full(&mut world, react(2, 4, "c")), Some(2), "names");
    ["a", "b"].into_iter().for_each(|text| drop(world.run(&react(2, 4, text)).expect("the same names")));
    assert_eq!(full(&mut world, react(3, 5, "a")), Some(4), "in all");
    world.run(&react(2, 4, "a")).expect("one that is there");
    world.run(&unreact(2, 4, "a")).expect("one less");
    world.run(&react(3, 5, "a")).expect("there is room again");
}

#[test]
fn only_who_may_speak_reacts_and_everybody_takes_back_what_they_did() {
    let mut world = talk();
    world.run(&react(2, 4, "+1")).expect("he may");
    allow(&mut world, SettingsChange::new().read_only(true));
    assert_eq!(world.reject(&react(2, 5, "+1")), RejectCode::ReadOnly);
    world.run(&react(1, 5, "+1")).expect("as the owner");
    world.run(&react(2, 4, "+1")).expect("it changes nothing");
    world.run(&unreact(2, 4, "+1")).expect("his own");
    allow(&mut world, SettingsChange::new().read_only(false).slow_ms(60_000));
    world.send(2, "one");
    world.run(&react(2, 4, "+1")).expect("slow mode counts messages");
    world.send(3, "another");
    world.run(&react(3, 4, "+1")).expect("and nothing else");
}

#[test]
fn reactions_go_with_their_message() {
    let mut world = talk();
    for (session, target) in [(1, 4), (2, 4), (3, 5), (1, 5)] {
        world.run(&react(session, target, "+1")).expect("they may");
    }
    world.run(&Input::Redact { by: actor(1), target: Seq(4), evidence: None }).expect("hers");
    assert_eq!((shown(&world, 4), shown(&world, 5).len()), (vec![], 1));
    world.run(&Input::RedactAll { by: Actor::Host, member: MemberId(2), from: None }).expect("as the host");
    assert_eq!(shown(&world, 5), []);
    assert_eq!(world.room.ledger().reacted().count(), 0);
}

#[test]
fn those_of_who_is_put_out_stay_and_go_with_all_that_is_taken_back_of_them() {
    let mut world = talk();
    for (session, target, text) in [(2, 4, "+1"), (3, 4, "+1"), (2, 5, "own"), (3, 5, "own"), (2, 4, "x")] {
        world.run(&react(session, target, text)).expect("they may");
    }
    world.run(&Input::Kick { by: actor(1), member: MemberId(2) }).expect("she may");
    assert_eq!(shown(&world, 4), [("+1".into(), 2, vec![2, 3]), ("x".into(), 1, vec![2])]);
    let swept = world.run(&Input::RedactAll { by: actor(1), member: MemberId(2), from: None }).expect("she may");
    assert_eq!(kinds(&swept), [("swept", Some(12)), ("reacted", Some(13)), ("reacted", Some(14))]);
    assert_eq!(told(&swept), [(13, 4, "+1".into(), 2, false, 1), (14, 4, "x".into(), 2, false, 0)]);
    assert_eq!(swept.answer, Answer::Done { seq: Seq(12) });
    assert_eq!((shown(&world, 4), shown(&world, 5)), (vec![("+1".into(), 1, vec![3])], vec![]));
    let terms = BanTerms::default().with_sweep();
    let banned = world.run(&Input::Ban { by: actor(1), member: MemberId(3), terms }).expect("she may");
    assert_eq!(
        kinds(&banned),
        [("ban_added", None), ("reacted", Some(15)), ("kicked", Some(16))],
        "he had said nothing"
    );
    assert_eq!(world.room.ledger().reacted().count(), 0);
}

#[test]
fn reactions_to_what_is_older_than_the_range_stay() {
    let mut world = talk();
    [4, 5].into_iter().for_each(|target| drop(world.run(&react(3, target, "+1")).expect("he may")));
    let later = Input::RedactAll { by: actor(3), member: MemberId(3), from: Some(Seq(5)) };
    assert_eq!(told(&world.run(&later).expect("his own")), [(8, 5, "+1".into(), 3, false, 0)]);
    assert_eq!(shown(&world, 4).len(), 1);
}

/// A message that was reacted to, and that the room has forgotten by now, was not taken back for that.
#[test]
fn a_message_that_was_reacted_to_can_be_taken_back_when_only_the_log_has_it() {
    let mut world = talk_with(|limits| (limits.reactable_max, limits.marks_max) = (2, 2));
    world.run(&react(2, 4, "+1")).expect("he may");
    (0..2).for_each(|_| _ = world.send(1, "more"));
    let evidence = Some(Box::new(evidence(1, "of Ann")));
    let redact = Input::Redact { by: actor(1), target: Seq(4), evidence };
    assert_eq!(kinds(&world.run(&redact).expect("hers")), [("redacted", Some(9))]);
    assert_eq!(kinds(&world.run(&redact).expect("done")), []);
    assert_eq!(world.room.ledger().owed_freezes().count(), 0, "there is nothing to be frozen");
}

#[test]
fn where_a_program_lives_that_cannot_read_it_nobody_reacts() {
    let mut world = talk();
    world.run(&react(2, 4, "+1")).expect("he may");
    world.room.write_up_to(RecordVersion::FIRST);
    assert_eq!(world.reject(&react(2, 5, "+1")), RejectCode::Unavailable);
    let swept = Input::RedactAll { by: actor(2), member: MemberId(2), from: None };
    assert_eq!(world.reject(&swept), RejectCode::Unavailable);
    world.run(&react(2, 4, "+1")).expect("it changes nothing");
}

#[test]
fn reactions_are_whole_after_a_snapshot_and_what_follows_it() {
    let mut world = talk_with(|limits| limits.reactable_max = 2);
    world.run(&react(2, 4, "+1")).expect("he may");
    let json = serde_json::to_string(&Snapshot::from(world.room.ledger().clone())).expect("it can be stored");
    let from = world.log.len();
    world.run(&react(3, 4, "+1")).expect("he may");
    world.send(1, "the third");
    world.run(&react(3, 5, "\u{1F44D}")).expect("he may");
    let mut ledger = Ledger::from(serde_json::from_str::<Snapshot>(&json).expect("it is read"));
    world.log[from..].iter().for_each(|record| ledger.apply(record));
    assert!(ledger == *world.room.ledger());
    let mut whole = Ledger::new(&world.room.limits);
    world.log.iter().for_each(|record| whole.apply(record));
    assert!(whole == ledger && whole.weight() > 0);
}

/// A process that ends after a bound was raised leaves a ledger that was stored under the smaller one, and is replayed under that.
#[test]
fn a_message_that_a_replay_under_a_smaller_bound_freezes_is_frozen_once_with_all_it_has() {
    let mut world = talk();
    world.run(&react(2, 4, "+1")).expect("he may");
    world.send(1, "more");
    world.send(1, "more");
    world.run(&react(3, 4, "+1")).expect("she may, of the last 512");
    world.send(1, "more");
    let (small, great) = (RoomLimits { reactable_max: 2, ..RoomLimits::default() }, RoomLimits::default());
    let mut ledger = Ledger::new(&small);
    world.log.iter().for_each(|record| ledger.apply(record));
    let ledger = ledger.bounded(&great);
    ledger.check(super::super::ledger::Depth::Full);
    assert_eq!(ledger.reactions_to(Seq(4)), world.room.reactions_to(Seq(4)));
    let owed: Vec<_> = ledger.owed_freezes().map(|owed| (owed.target.0, owed.change.0)).collect();
    assert_eq!(owed, [(4, 7)]);
}

#[cfg(feature = "engine")]
#[test]
fn reactions_are_closed_up_to_the_newest_message_that_took_no_more_while_it_had_some() {
    let mut world = world_with(|limits| limits.reactable_max = 1);
    let is_closed = |world: &World, seq| world.room.ledger().has_closed_reactions(seq);
    let first = world.send(1, "a");
    world.run(&react(1, first.0, "+1")).expect("she may");
    assert!(!is_closed(&world, first));
    let second = world.send(1, "b");
    assert_eq!([first, second].map(|seq| is_closed(&world, seq)), [true, false]);
}
