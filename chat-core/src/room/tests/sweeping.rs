//! All that somebody said taken back at once.

use super::*;
use crate::domain::{BanTerms, RecordVersion, RoomCloseReason};
use crate::types::ReactionName;

fn redact_all(by: Actor, member: u32, from: Option<u64>) -> Input {
    Input::RedactAll { by, member: MemberId(member), from: from.map(Seq) }
}

fn redacted(world: &World) -> Vec<u64> {
    let marks = world.room.ledger().marks();
    (1..=world.room.head().0).filter(|&seq| marks.find(Seq(seq)).is_some_and(|mark| mark.redacted)).collect()
}

fn swept(decision: &Decision) -> Vec<(u32, u64, u64)> {
    let swept = decision.records.iter().filter_map(|record| match record.event {
        Event::Swept { member, from, to } => Some((member.0, from.0, to.0)),
        _ => None,
    });
    swept.collect()
}

/// Ann and Bob have said something in turn: she at 3, 5 and 7, he at 4, 6 and 8.
fn talk() -> World {
    let mut world = world();
    world.join(2);
    (0..3).for_each(|_| {
        [1, 2].into_iter().for_each(|session| {
            world.send(session, "hi");
        })
    });
    world
}

#[test]
fn one_event_takes_back_all_of_a_person_in_its_range() {
    let mut world = talk();
    let decision = world.run(&redact_all(actor(1), 2, Some(5))).expect("as the owner");
    assert_eq!((kinds(&decision), swept(&decision)), (vec![("swept", Some(9))], vec![(2, 5, 8)]));
    assert_eq!(redacted(&world), [6, 8]);
    let owed: Vec<OwedChange> = world.room.ledger().owed().collect();
    assert_eq!(owed, [OwedChange::Sweep(Sweep { member: MemberId(2), from: Seq(5), to: Seq(8), change: Seq(9) })]);
    let again = world.run(&redact_all(actor(1), 2, Some(5))).expect("done");
    assert_eq!((kinds(&again), again.answer), (vec![], Answer::Done { seq: Seq(9) }), "there is nothing left");
    let rest = world.run(&redact_all(Actor::Host, 2, None)).expect("as the host");
    assert_eq!((swept(&rest), redacted(&world)), (vec![(2, 1, 9)], vec![4, 6, 8]));
    assert_eq!(world.room.changed_at(), Seq(10));
}

#[test]
fn everybody_takes_back_what_they_said_and_who_moderates_that_of_anybody() {
    let mut world = talk();
    assert_eq!(world.reject(&redact_all(actor(2), 1, None)), RejectCode::Forbidden);
    world.run(&redact_all(actor(2), 2, None)).expect("his own");
    assert_eq!(redacted(&world), [4, 6, 8]);
    assert_eq!(world.reject(&redact_all(actor(1), 3, None)), RejectCode::MemberNotFound, "nobody had this number");
    world.send(2, "once more");
    world.leave(2);
    world.run(&redact_all(actor(1), 2, None)).expect("of somebody who is gone");
    assert_eq!(redacted(&world), [4, 6, 8, 10]);
}

#[test]
fn what_lies_below_ones_floor_is_not_taken_back() {
    let mut world = world_with(|limits| limits.newcomers_see = crate::NewcomersSee::Last(1));
    world.join(2);
    (0..3).for_each(|_| {
        world.send(1, "hi");
    });
    world.leave(1);
    let again = world.run(&join(caller(1))).expect("joined");
    assert_eq!(kinds(&again), [("joined", Some(8))]);
    world.join(3);
    world.leave(2);
    // 3 sees the last message alone, and is not the owner of the others'.
    world.run(&Input::Kick { by: Actor::Host, member: MemberId(1) }).expect("put out");
    let decision = world.run(&redact_all(actor(3), 1, None)).expect("as the heir");
    assert_eq!((swept(&decision).len(), redacted(&world)), (1, vec![5]));
    let more = world.run(&redact_all(actor(3), 1, Some(1))).expect("done");
    assert!(more.records.is_empty(), "there is nothing more that they know of");
}

#[test]
fn what_the_room_has_forgotten_is_swept_once() {
    let mut world = world_with(|limits| limits.marks_max = 2);
    world.join(2);
    (0..2).for_each(|_| {
        world.send(2, "hi");
    });
    (0..3).for_each(|_| {
        world.send(1, "hi");
    });
    let decision = world.run(&redact_all(actor(1), 2, None)).expect("it may have been his");
    assert_eq!(swept(&decision), [(2, 1, 7)]);
    assert!(world.run(&redact_all(actor(1), 2, None)).expect("done").records.is_empty());
    let evidence = evidence(2, "hi");
    let redact = Input::Redact { by: actor(1), target: Seq(3), evidence: Some(Box::new(evidence)) };
    assert!(world.run(&redact).expect("it is taken back").records.is_empty());
    (0..3).for_each(|_| {
        world.send(1, "hi");
    });
    assert_eq!(
        swept(&world.run(&redact_all(actor(1), 2, None)).expect("done")),
        [(2, 1, 11)],
        "one more was forgotten"
    );
}

#[test]
fn a_ban_may_sweep_too_and_says_both_or_neither() {
    let mut world = talk();
    world.leave(2);
    world.join(2);
    let terms = BanTerms::default().with_sweep();
    let ban = Input::Ban { by: actor(1), member: MemberId(2), terms };
    let decision = world.run(&ban).expect("banned");
    assert_eq!(kinds(&decision), [("ban_added", None), ("swept", Some(11)), ("kicked", Some(12))]);
    assert_eq!((redacted(&world), decision.answer), (vec![4, 6, 8], Answer::Done { seq: Seq(12) }));
    let mut full = world_with(|limits| limits.owed_max = 1);
    full.join(2);
    full.send(2, "hi");
    full.send(1, "hi");
    full.run(&redact_all(actor(1), 1, None)).expect("there is room");
    let reject = full.run(&ban).expect_err("there is none");
    assert_eq!((reject.code, full.members()), (RejectCode::Unavailable, vec![1, 2]));
    full.run(&Input::Settle { through: full.room.head() }).expect("never refused");
    full.run(&ban).expect("there is room again");
    assert_eq!(redacted(&full), [3, 4]);
}

#[test]
fn what_is_owed_in_both_ways_is_settled_in_order_and_counts_together() {
    let mut world = world_with(|limits| limits.owed_max = 3);
    world.join(2);
    [1, 2, 2].into_iter().for_each(|session| {
        world.send(session, "hi");
    });
    world.run(&Input::Redact { by: actor(1), target: Seq(3), evidence: None }).expect("hers");
    world.run(&redact_all(actor(1), 2, None)).expect("his");
    assert_eq!(world.room.ledger().owed_total(), 2);
    world.run(&Input::Settle { through: Seq(6) }).expect("never refused");
    let owed: Vec<_> = world.room.ledger().owed().map(|owed| (owed.target(), owed.change())).collect();
    assert_eq!(owed, [(None, Seq(7))]);
    assert_eq!(kinds(&world.run(&Input::Settle { through: Seq(7) }).expect("never refused")), [("settled", None)]);
    assert_eq!(world.room.ledger().owed_total(), 0);
    world.run(&Input::Close { cause: RoomCloseReason::Host }).expect("never refused");
}

#[test]
fn whoever_missed_it_is_told_of_ranges_and_messages_in_the_order_of_the_changes() {
    let mut world = talk();
    world.run(&Input::Redact { by: actor(1), target: Seq(3), evidence: None }).expect("hers");
    world.run(&redact_all(actor(1), 2, None)).expect("his");
    world.run(&Input::Redact { by: actor(1), target: Seq(5), evidence: None }).expect("hers");
    let asked = |world: &mut World, after| {
        let decision = world.run(&Input::Changes { by: caller(1), after: Seq(after) }).expect("a member may ask");
        let Answer::Changes(slice) = decision.answer else { panic!("no changes") };
        let single: Vec<u64> = slice.changed.iter().map(|changed| changed.target.0).collect();
        let ranges: Vec<(u64, u64)> = slice.swept.iter().map(|sweep| (sweep.from.0, sweep.to.0)).collect();
        (single, ranges, slice.through.0, slice.more)
    };
    assert_eq!(asked(&mut world, 8), (vec![3, 5], vec![(1, 9)], 11, More::No));
    assert_eq!(asked(&mut world, 9), (vec![5], vec![(1, 9)], 11, More::No));
    assert_eq!(asked(&mut world, 10), (vec![5], vec![], 11, More::No));
    let (session, generation) = (SessionId::new(1), Generation(1));
    let attached = || Note::Attached { session, generation, member: MemberId(1), network: None };
    let few = RoomLimits { history_max: 3, changes_max: 2, ..RoomLimits::default() };
    let whole = world.room.ledger().clone();
    world.room = Room::from_ledger(whole.clone(), Arc::new(few));
    world.note(attached());
    assert_eq!(world.reject(&Input::Changes { by: caller(1), after: Seq(8) }), RejectCode::OutOfReach);
    assert_eq!(asked(&mut world, 9), (vec![5], vec![(1, 9)], 11, More::No), "a range takes as much as two messages");
    let one = RoomLimits { history_max: 2, ..RoomLimits::default() };
    world.room = Room::from_ledger(whole, Arc::new(one));
    world.note(attached());
    assert_eq!(asked(&mut world, 8), (vec![3], vec![], 9, More::Yes));
    assert_eq!(asked(&mut world, 9), (vec![], vec![(1, 9)], 10, More::Yes));
    assert_eq!(asked(&mut world, 10), (vec![5], vec![], 11, More::No));
    world.room = Room::from_ledger(
        world.room.ledger().clone(),
        Arc::new(RoomLimits { history_max: 1, ..RoomLimits::default() }),
    );
    world.note(attached());
    assert_eq!(asked(&mut world, 9), (vec![], vec![(1, 9)], 10, More::Yes), "one is named, whatever it takes");
}

#[test]
fn where_not_every_program_can_read_it_nothing_is_swept() {
    let mut world = talk();
    world.room.write_up_to(RecordVersion::FIRST);
    assert_eq!(world.reject(&redact_all(actor(1), 2, None)), RejectCode::Unavailable);
    assert_eq!(kinds(&world.run(&redact_all(actor(1), 2, Some(9))).expect("done")), [], "there is nothing");
    world.room.write_up_to(RecordVersion::LATEST);
    let target = world.send(1, "and?");
    let name = ReactionName::parse("+1").expect("valid");
    world.run(&Input::React { by: caller(2), target, name, on: true, key: None }).expect("reacted");
    world.room.write_up_to(RecordVersion::FIRST);
    let reaction = redact_all(Actor::Host, 2, Some(target.0));
    assert_eq!(world.reject(&reaction), RejectCode::Unavailable, "nor is a reaction taken back with it");
}

/// What a sweep took back is known as long as the log has not forgotten it, also where it is not among the last changes any more.
#[test]
fn a_range_that_is_owed_is_remembered() {
    let mut world = world_with(|limits| limits.changes_max = 0);
    world.send(1, "a");
    world.run(&redact_all(actor(1), 1, None)).expect("hers");
    assert_eq!(world.room.ledger().sweeps().map(|sweep| sweep.member.0).collect::<Vec<_>>(), [1]);
    world.run(&Input::Settle { through: world.room.head() }).expect("settled");
    assert_eq!(world.room.ledger().sweeps().count(), 0);
}
