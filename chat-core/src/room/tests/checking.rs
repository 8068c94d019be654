//! The checks themselves: a broken room is found, and how closely a debug build looks for one.

use super::*;
use crate::room::invariants::{check, depth};

fn look(world: &World, depth: Depth) {
    check(&world.room.ledger, &world.room.attendance, &world.room.limits, depth);
}

/// Applies what no decision records.
fn force(world: &mut World, event: Event) {
    let offset = world.room.last_offset().next();
    let seq = Some(world.room.head().next());
    world.room.apply(world.now, &Record { offset, seq, at: world.now.wall, by: None, event });
}

#[test]
#[should_panic(expected = "attendance knows exactly the members")]
fn a_member_whom_attendance_does_not_know_is_found_by_who_asks() {
    let mut world = world();
    world.room.attendance = Attendance::default();
    world.room.check_invariants();
}

#[test]
fn counts_are_looked_at_without_a_look_at_who_the_members_are() {
    let mut world = world();
    world.room.attendance = Attendance::default();
    look(&world, Depth::Counts);
    world.room.check_settled(Depth::Counts);
}

#[test]
#[cfg_attr(debug_assertions, should_panic(expected = "attendance knows exactly the members"))]
fn a_debug_build_looks_after_every_record() {
    let mut world = world();
    let decision = world.room.decide(world.now, &send(1, "hi")).expect("decided");
    world.room.attendance = Attendance::default();
    world.room.apply(world.now, &decision.records[0]);
}

#[test]
#[should_panic(expected = "only a living room without members is waiting to end")]
fn a_room_with_members_that_waits_to_end_is_found_by_counting() {
    let mut world = world();
    world.room.attendance = Attendance::default();
    world.room.attendance.vacate();
    look(&world, Depth::Counts);
}

#[test]
#[should_panic(expected = "only a living room without members is waiting to end")]
fn a_room_without_a_life_that_waits_to_end_is_found_by_counting() {
    let mut world = no_life(|_| {});
    world.room.attendance.vacate();
    look(&world, Depth::Counts);
}

#[test]
#[should_panic(expected = "an empty room is waiting to end")]
fn an_empty_room_that_waits_for_nothing_is_found_between_decisions() {
    let mut world = world_with(|limits| limits.empty_linger = std::time::Duration::from_secs(60));
    world.leave(1);
    world.room.attendance = Attendance::default();
    look(&world, Depth::Full);
    world.room.check_invariants();
}

#[test]
#[should_panic(expected = "a room with members has an owner")]
fn a_room_without_an_owner_is_found_between_decisions() {
    let mut world = world();
    force(&mut world, Event::RoleChanged { member: MemberId(1), role: Role::Member });
    look(&world, Depth::Full);
    world.room.check_invariants();
}

#[test]
fn a_small_room_is_looked_at_whole_and_a_big_one_now_and_then() {
    let mut world = world();
    assert_eq!((world.room.last_offset(), depth(&world.room.ledger)), (Offset(2), Depth::Full));
    (2..=64).for_each(|session| drop(world.join(session)));
    assert_eq!((world.room.members_total(), depth(&world.room.ledger)), (64, Depth::Counts));
    while world.room.last_offset() < Offset(127) {
        world.send(1, "hi");
    }
    assert_eq!(depth(&world.room.ledger), Depth::Counts);
    world.send(1, "hi");
    assert_eq!((world.room.last_offset(), depth(&world.room.ledger)), (Offset(128), Depth::Full));
}
