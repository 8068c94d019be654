//! Leaving, and what follows: another owner, notices again, the end of the room.

use std::time::Duration;

use super::*;
use crate::RoomCloseReason;

fn lingering() -> World {
    world_with(|limits| limits.empty_linger = Duration::from_secs(60))
}

#[test]
fn a_leave_is_told_and_ends_the_membership() {
    let mut world = world();
    world.join(2);
    let decision = world.leave(2);
    assert_eq!((kinds(&decision), &decision.answer), (vec![("left", Some(3))], &Answer::Left { seq: Seq(3) }));
    assert_eq!(decision.records[0].by, Some(MemberId(2)));
    assert_eq!((world.members(), world.room.online()), (vec![1], 1));
    assert_eq!(world.reject(&Input::Leave { by: caller(2) }), RejectCode::NotMember);
}

#[test]
fn the_longest_standing_member_inherits_the_room() {
    let mut world = world();
    (2..=4).for_each(|session| drop(world.join(session)));
    world.leave(2);
    let decision = world.leave(1);
    assert_eq!(kinds(&decision), [("left", Some(6)), ("role_changed", Some(7))]);
    assert_eq!((decision.answer, world.owner()), (Answer::Left { seq: Seq(6) }, Some(3)));
}

#[test]
fn the_room_ends_with_its_last_member() {
    let mut world = world();
    let decision = world.leave(1);
    assert_eq!(kinds(&decision), [("left", Some(2)), ("closed", None)]);
    assert_eq!(decision.records[1].event, Event::Closed { cause: RoomCloseReason::Empty });
    assert_eq!((world.room.epoch(), world.room.next_deadline()), (None, None));
    assert_eq!((world.room.head(), world.room.members_total()), (Seq(2), 0));
}

#[test]
fn an_empty_room_may_linger_before_it_ends() {
    let mut world = lingering();
    let left = world.leave(1);
    assert_eq!((kinds(&left), left.note), (vec![("left", Some(2))], Some(Note::Elapsed)));
    assert_eq!(world.room.next_deadline(), Some(world.now.mono.after(Duration::from_secs(60))));
    assert_eq!(world.pass(59_999), []);
    assert_eq!(world.pass(1), [("closed", None)]);
    assert_eq!(world.room.epoch(), None);
}

#[test]
fn a_room_waits_longer_for_who_was_lost_than_for_who_left() {
    let mut world = world_with(|limits| limits.lost_linger = Duration::from_secs(60));
    world.detach(1);
    assert_eq!(world.pass(30_000), [("left", Some(2))]);
    assert_eq!(world.pass(59_999), []);
    let back = world.join(1);
    assert_eq!((back.member, world.owner()), (MemberId(1), Some(1)), "who was alone has their room again");
    let left = world.leave(1);
    assert_eq!(kinds(&left), [("left", Some(4)), ("closed", None)], "and when they leave, it goes");
}

/// As an owner who leaves a room that lingers: whoever comes in meanwhile does not take it from them.
#[test]
fn a_room_that_waits_for_an_owner_who_was_lost_is_not_a_strangers() {
    let mut world = world_with(|limits| limits.lost_linger = Duration::from_secs(60));
    world.detach(1);
    world.pass(30_000);
    world.join(2);
    assert_eq!(world.owner(), None, "their seat is held");
    world.run(&join(later(1, 2))).expect("they come back");
    assert_eq!(world.owner(), Some(1));
}

#[test]
fn a_room_whose_last_member_was_lost_goes_in_its_time_over_a_restart_too() {
    let mut world = world_with(|limits| limits.lost_linger = Duration::from_secs(60));
    world.join(2);
    world.detach(1);
    assert_eq!(world.pass(30_000).len(), 1, "lost, and their seat held");
    world.detach(2);
    world.pass(30_000);
    world.pass(20_000);
    let stored = serde_json::to_string(&Snapshot::from(world.room.ledger().clone())).expect("it can be stored");
    let read = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it is read"));
    world.room = Room::from_ledger(read, Arc::clone(&world.room.limits));
    world.note(Note::Recovered);
    assert_eq!(world.pass(39_999), []);
    assert_eq!(world.pass(1), [("closed", None)]);
}

#[test]
fn who_is_lost_first_does_not_hold_a_room_that_another_leaves() {
    let mut world = world_with(|limits| limits.lost_linger = Duration::from_secs(60));
    world.join(2);
    world.detach(2);
    world.pass(30_000);
    assert_eq!(kinds(&world.leave(1)), [("left", Some(4)), ("closed", None)]);
}

#[test]
fn only_the_exit_that_empties_a_lingering_room_needs_the_time() {
    let mut world = lingering();
    world.join(2);
    assert_eq!(world.leave(2).note, None, "not empty");
    let kick = Input::Kick { by: Actor::Host, member: MemberId(1) };
    assert_eq!(world.run(&kick).expect("the host may").note, Some(Note::Elapsed), "it lingers, and no seat is held");
    assert_eq!(super::world().leave(1).note, None, "over at once");
}

#[test]
fn an_empty_room_that_is_let_go_of_goes_when_it_would_have() {
    let mut world = lingering();
    world.leave(1);
    let due = world.room.next_deadline();
    let vacancy = world.room.vacancy().expect("nobody is here");
    world.now.mono = Mono(world.now.mono.0 + 1_000);
    world.room = Room::from_ledger(world.room.ledger().clone(), Arc::clone(&world.room.limits));
    world.room.go_on_waiting(&vacancy);
    assert_eq!(world.room.next_deadline(), due);
}

#[test]
fn a_join_stops_the_linger_and_inherits_the_empty_room() {
    let mut world = world_with(|limits| {
        (limits.empty_linger, limits.owner_seat_held) = (Duration::from_secs(60), Duration::ZERO);
    });
    world.leave(1);
    world.pass(1_000);
    world.join(2);
    assert_eq!((world.room.next_deadline(), world.owner()), (None, Some(2)));
    world.leave(2);
    assert_eq!(world.pass(59_999), [], "the linger starts anew");
    assert_eq!(world.pass(1), [("closed", None)]);
}

#[test]
fn leaves_are_quiet_in_a_big_room_until_it_is_small_again() {
    let mut world = world_with(|limits| (limits.notices_members_max, limits.notices_resume_percent) = (4, 50));
    (2..=5).for_each(|session| drop(world.join(session)));
    assert_eq!((world.room.notices(), world.room.head()), (Notices::Counted, Seq(6)));
    let quiet = world.leave(5);
    assert_eq!((kinds(&quiet), quiet.answer), (vec![("left", None)], Answer::Left { seq: Seq(6) }));
    assert_eq!(kinds(&world.leave(4)), [("left", None)], "one at the door does not switch it");
    let crossing = world.leave(1);
    assert_eq!(kinds(&crossing), [("left", None), ("role_changed", Some(7)), ("notices_changed", Some(8))]);
    assert_eq!(crossing.answer, Answer::Left { seq: Seq(6) });
    assert_eq!(kinds(&world.leave(2)), [("left", Some(9)), ("role_changed", Some(10))]);
}

#[test]
fn the_host_closes_a_room_whoever_is_in_it() {
    let mut world = world();
    world.join(2);
    let decision = world.run(&Input::Close { cause: RoomCloseReason::Host }).expect("closed");
    assert_eq!((kinds(&decision), decision.answer), (vec![("closed", None)], Answer::Done { seq: Seq(2) }));
    assert_eq!((world.room.epoch(), world.room.online(), world.members()), (None, 0, vec![]));
    assert_eq!(world.reject(&send(1, "hi")), RejectCode::RoomNotFound);
}

#[test]
fn the_room_goes_to_who_has_been_there_longest_and_not_to_who_came_back() {
    let mut world = world();
    world.join(2);
    world.join(3);
    world.leave(2);
    world.pass(1);
    world.join(2);
    assert_eq!(world.members(), [1, 2, 3]);
    world.leave(1);
    assert_eq!(world.owner(), Some(3), "the second member has been there for a moment");
}

#[test]
fn a_member_number_is_a_person_for_this_life() {
    let mut world = world();
    assert_eq!(world.join(2).member, MemberId(2));
    world.leave(2);
    assert_eq!(world.join(3).member, MemberId(3), "nobody else is given it");
    assert_eq!(world.join(2).member, MemberId(2), "and who comes back has it again");
}
