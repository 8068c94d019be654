//! The owner's seat: held for who is lost, given back, and handed on when its time is over.

use std::time::Duration;

use super::*;

const HELD: u64 = 600_000;

/// A room of Ann, of which 2 and 3 are members, and whose owner was lost just now; empty, it waits for an hour.
fn lost() -> World {
    let mut world = world_with(|limits| limits.empty_linger = Duration::from_secs(3_600));
    (2..=3).for_each(|session| drop(world.join(session)));
    world.detach(1);
    assert_eq!(world.pass(30_000), [("left", Some(4))], "and nobody follows");
    world
}

fn back(world: &mut World) -> Entered {
    entered(&world.run(&join(later(1, 2))).expect("joined"))
}

/// Who lost her connection for 31 seconds lost her room to a stranger, who could ban her from it.
#[test]
fn an_owner_who_comes_back_in_time_is_the_owner_again() {
    let mut world = lost();
    assert_eq!(
        (world.owner(), world.room.next_deadline()),
        (None, Some(world.now.mono.after(Duration::from_millis(HELD))))
    );
    assert_eq!(world.pass(HELD - 1), []);
    assert_eq!(back(&mut world).member, MemberId(1));
    assert_eq!((world.owner(), world.room.next_deadline()), (Some(1), None));
    assert_eq!(world.pass(HELD), []);
}

#[test]
fn a_seat_that_runs_out_goes_to_who_follows() {
    let mut world = lost();
    assert_eq!(world.pass(HELD), [("role_changed", Some(5))]);
    assert_eq!(world.log.last().expect("a record").by, None);
    assert_eq!((world.owner(), world.room.next_deadline()), (Some(2), None));
    back(&mut world);
    assert_eq!(world.role(1), Some(Role::Member));
}

#[test]
fn who_lost_their_seat_is_a_member_to_everybody_while_they_are_away() {
    let mut world = world();
    (2..=3).for_each(|session| drop(world.join(session)));
    let said = world.send(1, "hi");
    world.detach(1);
    world.pass(30_000);
    world.pass(HELD);
    world.set_role(actor(2), 3, Role::Moderator);
    world.run(&Input::Redact { by: actor(3), target: said, evidence: None }).expect("she is below");
    world.set_role(actor(2), 1, Role::Moderator);
    back(&mut world);
    assert_eq!(world.role(1), Some(Role::Moderator));
}

#[test]
fn a_moderator_comes_before_those_who_were_there_longer_and_then_who_is_connected() {
    let mut world = lost();
    (4..=5).for_each(|session| drop(world.join(session)));
    (4..=5).for_each(|member| drop(world.set_role(Actor::Host, member, Role::Moderator)));
    world.pass(HELD - 1);
    world.detach(4);
    assert_eq!(world.pass(1), [("role_changed", Some(9))]);
    assert_eq!(world.owner(), Some(5), "of two moderators the one who is connected");
    let mut world = lost();
    world.join(4);
    world.set_role(Actor::Host, 4, Role::Moderator);
    world.pass(HELD - 1);
    world.detach(4);
    world.pass(1);
    assert_eq!(world.owner(), Some(4), "a moderator who is on another network for a moment comes before a member");
    let mut world = lost();
    world.pass(HELD - 1);
    world.detach(2);
    world.pass(1);
    assert_eq!(world.owner(), Some(3), "of two members the one who is connected");
}

#[test]
fn an_owner_who_leaves_hands_on_at_once() {
    let mut world = world();
    (2..=4).for_each(|session| drop(world.join(session)));
    world.set_role(actor(1), 4, Role::Moderator);
    assert_eq!(kinds(&world.leave(1)), [("left", Some(6)), ("role_changed", Some(7))]);
    assert_eq!((world.owner(), world.room.next_deadline()), (Some(4), None));
    world.join(1);
    assert_eq!(world.role(1), Some(Role::Member));
}

#[test]
fn an_owner_who_leaves_a_room_empty_is_the_owner_again() {
    let mut world = world_with(|limits| limits.empty_linger = Duration::from_secs(3_600));
    world.leave(1);
    world.pass(1_000);
    world.join(2);
    assert_eq!(world.role(2), Some(Role::Member), "the seat is held");
    world.join(1);
    assert_eq!(world.owner(), Some(1));
}

#[test]
fn a_seat_that_ran_out_in_an_empty_room_goes_to_who_comes_first() {
    let mut world = lost();
    world.leave(2);
    world.leave(3);
    assert_eq!(world.pass(HELD), [], "there is nobody to follow");
    world.join(4);
    assert_eq!((world.owner(), world.room.next_deadline()), (Some(4), None));
    back(&mut world);
    assert_eq!(world.role(1), Some(Role::Member));
}

#[test]
fn a_seat_goes_on_over_restarts_and_is_held_for_a_grace_after_one() {
    let mut world = lost();
    world.pass(60_000);
    let restart = |world: &mut World, down: u64| {
        world.now = Now { wall: Wall(world.now.wall.0 + down), mono: Mono(7) };
        world.room = Room::from_ledger(world.room.ledger().clone(), Arc::clone(&world.room.limits));
        world.note(Note::Recovered);
        (2..=3).for_each(|session| drop(world.run(&join(later(session, 5))).expect("attached")));
    };
    restart(&mut world, 60_000);
    assert_eq!(world.pass(HELD - 120_001), []);
    let mut late = World { room: world.room.clone(), log: Vec::new(), ..world };
    assert_eq!(world.pass(1), [("role_changed", Some(5))]);
    // A server that was down until long after: who comes back with everybody else has it still.
    restart(&mut late, 1_800_000);
    assert_eq!(late.pass(29_999), []);
    late.run(&join(later(1, 6))).expect("joined");
    assert_eq!(late.owner(), Some(1));
}

#[test]
fn a_start_with_a_clock_years_ahead_gives_no_seat_away_at_once() {
    let mut world = lost();
    world.now = Now { wall: Wall(world.now.wall.0 + 1_000_000_000_000), mono: Mono(7) };
    let limits = RoomLimits { clock_doubt: Duration::from_secs(60), ..RoomLimits::clone(&world.room.limits) };
    world.room = Room::from_ledger(world.room.ledger().clone(), Arc::new(limits));
    world.note(Note::Recovered);
    (2..=3).for_each(|session| drop(world.run(&join(later(session, 5))).expect("attached")));
    assert_eq!(world.room.next_deadline(), Some(world.now.mono.after(Duration::from_secs(60))));
    assert_eq!(world.pass(59_999), []);
    // The clock is set right.
    world.now.wall = Wall(world.now.wall.0 - 1_000_000_000_000);
    assert_eq!(world.pass(HELD - 59_999 - 1), [], "looked at, and held on");
    assert_eq!(world.pass(1), [("role_changed", Some(5))]);
}

#[test]
fn a_seat_waits_while_its_room_is_let_go_of() {
    let mut world = lost();
    (2..=3).for_each(|session| world.detach(session));
    world.room.limits =
        Arc::new(RoomLimits { grace: Duration::from_secs(3_600), ..RoomLimits::clone(&world.room.limits) });
    world.note(Note::Recovered);
    let due = world.room.next_deadline();
    let vacancy = world.room.vacancy().expect("nobody is attached");
    assert_eq!(due, vacancy.next_deadline());
    world.room = Room::from_ledger(world.room.ledger().clone(), Arc::clone(&world.room.limits));
    world.room.go_on_waiting(&vacancy);
    assert_eq!(world.room.next_deadline(), due);
}

#[test]
fn the_host_gives_a_held_seat_to_somebody_else() {
    let mut world = lost();
    assert_eq!(kinds(&world.set_role(Actor::Host, 3, Role::Owner)), [("role_changed", Some(5))]);
    assert_eq!((world.owner(), world.room.next_deadline()), (Some(3), None));
    back(&mut world);
    assert_eq!(world.role(1), Some(Role::Member));
}

#[test]
fn a_seat_in_a_room_that_becomes_the_hosts_is_held_without_end() {
    let mut world = lost();
    world.run(&Input::Protect).expect("protected");
    assert_eq!((world.pass(10 * HELD), world.owner()), (vec![], None));
    back(&mut world);
    assert_eq!(world.owner(), Some(1));
}

#[test]
fn a_seat_is_lost_with_the_join_that_the_log_did_not_take() {
    let mut world = lost();
    let published = world.room.ledger().clone();
    let due = world.room.next_deadline();
    back(&mut world);
    world.room.replace_ledger(world.now, published);
    world.room.check_invariants();
    assert_eq!((world.owner(), world.room.next_deadline()), (None, due), "it is held as before");
}

#[test]
fn nothing_is_held_where_nothing_is_to_be() {
    let mut world = world_with(|limits| limits.owner_seat_held = Duration::ZERO);
    world.join(2);
    world.detach(1);
    assert_eq!(world.pass(30_000), [("left", Some(3)), ("role_changed", Some(4))]);
}

#[test]
fn a_seat_is_held_from_the_exit_on_and_for_an_owner_alone() {
    let mut world = world();
    (2..=3).for_each(|session| drop(world.join(session)));
    let lost = |world: &mut World, session: u128| {
        world.detach(session);
        world.now = Now { wall: Wall(world.now.wall.0 + 30_000), mono: Mono(world.now.mono.0 + 30_000) };
        let decision = world.run(&Input::Elapsed).expect("a grace is over");
        let Event::Left { held, .. } = decision.records[0].event else { panic!("{decision:?}") };
        (held.is_some(), decision.note)
    };
    assert_eq!(lost(&mut world, 3), (false, None));
    assert_eq!(lost(&mut world, 1), (true, Some(Note::Elapsed)), "from now on");
}

/// Nobody was there to follow when it ran out, which is a moment before the room became the host's.
#[test]
fn a_seat_that_has_just_run_out_is_not_held_for_the_host() {
    let mut world = lost();
    world.leave(2);
    world.leave(3);
    world.pass(HELD);
    world.run(&Input::Protect).expect("protected");
    back(&mut world);
    assert_eq!(world.owner(), None);
}

/// The rule that the room keeps: it is looked at after every step of every other test here, too.
#[test]
#[should_panic(expected = "a room with members has an owner, or holds their seat")]
fn a_seat_that_nobody_has_is_a_bug() {
    let mut world = lost();
    world.run(&Input::Protect).expect("protected");
    let mut stored = serde_json::to_value(Snapshot::from(world.room.ledger().clone())).expect("it can be stored");
    stored["ledger"]["protected"] = false.into();
    stored["ledger"]["held"] = serde_json::Value::Null;
    let read: Snapshot = serde_json::from_value(stored).expect("it can be read");
    world.room = Room::from_ledger(read.into(), Arc::clone(&world.room.limits));
    world.room.check_invariants();
}
