//! Rooms that the host makes, and rooms that stay while nobody is in them.

use std::time::Duration;

use super::*;
use crate::domain::{RoomOptions, SettingsChange};
use crate::types::{SecretHash, Topic};

const ANN: &str = "user:ann";

fn found(options: RoomOptions<SecretHash>) -> Input {
    Input::Found { options: Box::new(options), epoch: EPOCH, salt: SALT }
}

fn found_in(options: RoomOptions<SecretHash>, change: impl FnOnce(&mut RoomLimits)) -> World {
    let mut world = no_life(change);
    world.run(&found(options)).expect("made");
    world
}

fn person(session: u128, identity: &str) -> Caller {
    Caller { identity: Identity::new(identity), ..caller(session) }
}

fn ann() -> RoomOptions<SecretHash> {
    RoomOptions::new().owner(Identity::new(ANN).expect("an identity"))
}

fn keep(world: &mut World, on: bool) -> Vec<(&'static str, Option<u64>)> {
    kinds(&world.run(&Input::Keep { on }).expect("done"))
}

#[test]
fn a_room_of_the_hosts_begins_with_what_it_is_to_be_and_with_nobody_in_it() {
    let mut world = no_life(|_| {});
    let topic = Topic::parse("Food").expect("valid");
    let options = ann().protected().settings(SettingsChange::new().listed(true)).topic(topic.clone());
    let decision = world.run(&found(options)).expect("made");
    let expected = [
        ("created", None),
        ("kept", None),
        ("protected", None),
        ("owner_named", None),
        ("settings_changed", Some(1)),
        ("topic_changed", Some(2)),
    ];
    assert_eq!((kinds(&decision), decision.answer), (expected.to_vec(), Answer::Done { seq: Seq(2) }));
    let room = &world.room;
    assert_eq!((room.epoch(), room.members_total(), room.topic()), (Some(EPOCH), 0, &topic));
    assert!(room.is_kept() && room.is_protected() && room.settings().listed);
    assert_eq!((room.owner_seat(), room.next_deadline()), (OwnerSeat::Held(None), None));
    assert_eq!(world.reject(&found(RoomOptions::new())), RejectCode::NameTaken);
    let create = Input::Create { by: caller(1), nick: nick("Ann"), data: None, epoch: Epoch(78), salt: 1 };
    assert_eq!(world.reject(&create), RejectCode::NameTaken);
}

#[test]
fn a_room_that_is_kept_outlives_its_members_however_they_go() {
    let mut world = found_in(RoomOptions::new(), |_| {});
    assert_eq!(world.pass(1_000_000_000), []);
    world.join(1);
    assert_eq!(world.role(1), Some(Role::Owner), "it is whoever's comes first");
    assert_eq!(kinds(&world.leave(1)), [("left", Some(2))]);
    world.join(2);
    world.run(&Input::Kick { by: Actor::Host, member: MemberId(2) }).expect("put out");
    world.join(3);
    world.detach(3);
    assert_eq!(world.pass(30_000), [("left", Some(6))]);
    assert_eq!((world.room.next_deadline(), world.room.vacancy().and_then(|none| none.next_deadline())), (None, None));
    let closed = world.run(&Input::Close { cause: crate::domain::RoomCloseReason::Host }).expect("closed");
    assert_eq!((kinds(&closed), world.room.epoch()), (vec![("closed", None)], None));
    world.create(1, Epoch(78));
    assert!(!world.room.is_kept(), "it ended with the incarnation");
}

#[test]
fn a_room_of_members_is_kept_and_let_go() {
    let mut world = world();
    assert_eq!((keep(&mut world, true), keep(&mut world, true)), (vec![("kept", None)], vec![]));
    assert_eq!(kinds(&world.leave(1)), [("left", Some(2))]);
    world.join(2);
    assert_eq!(keep(&mut world, false), [("kept", None)]);
    assert_eq!(kinds(&world.leave(2)), [("left", Some(4)), ("closed", None)]);
}

#[test]
fn an_empty_room_that_is_let_go_lingers_from_then_on() {
    for (linger, at_once) in [(0, vec![("kept", None), ("closed", None)]), (60, vec![("kept", None)])] {
        let mut world = found_in(RoomOptions::new(), |limits| limits.empty_linger = Duration::from_secs(linger));
        world.pass(1_000_000);
        assert_eq!(keep(&mut world, false), at_once);
        if linger > 0 {
            assert_eq!(world.pass(59_999), []);
            assert_eq!(world.pass(1), [("closed", None)]);
        }
    }
}

#[test]
fn keeping_an_empty_room_ends_its_wait() {
    let mut world = world_with(|limits| limits.empty_linger = Duration::from_secs(60));
    world.leave(1);
    keep(&mut world, true);
    assert_eq!((world.room.next_deadline(), world.pass(100_000)), (None, vec![]));
}

#[test]
fn whoever_the_host_has_named_is_the_owner_when_they_come_and_nobody_else_before() {
    let mut world = found_in(ann(), |_| {});
    world.join(2);
    assert_eq!((world.role(1), world.room.owner_seat()), (Some(Role::Member), OwnerSeat::Held(None)));
    assert_eq!(world.pass(1_000_000_000), [], "nobody follows who was never there");
    world.run(&Input::Protect).expect("done");
    assert_eq!(world.room.owner_seat(), OwnerSeat::Held(None));
    let joined = entered(&world.run(&join(person(1, ANN))).expect("joined"));
    assert_eq!((joined.member, world.owner()), (MemberId(2), Some(2)));
}

#[test]
fn the_host_gives_a_seat_that_it_held_to_somebody_else() {
    let mut world = found_in(ann(), |_| {});
    world.join(2);
    world.run(&Input::SetRole { by: Actor::Host, member: MemberId(1), role: Role::Owner }).expect("done");
    world.run(&join(person(1, ANN))).expect("joined");
    assert_eq!((world.owner(), world.role(2)), (Some(1), Some(Role::Member)));
}

#[test]
fn a_log_that_lost_its_end_says_whether_the_room_is_kept() {
    let mut world = world_with(|limits| limits.empty_linger = Duration::from_secs(60));
    world.leave(1);
    let before = world.room.ledger().clone();
    keep(&mut world, true);
    let kept = world.room.ledger().clone();
    world.room.replace_ledger(world.now, before);
    assert!(world.room.next_deadline().is_some());
    world.room.replace_ledger(world.now, kept);
    assert_eq!(world.room.next_deadline(), None);
}

#[test]
fn rooms_are_not_kept_where_a_program_would_not_know_of_it() {
    let mut world = no_life(|_| {});
    world.room.write_up_to(RecordVersion::FIRST);
    assert_eq!(world.reject(&found(RoomOptions::new())), RejectCode::Unavailable);
    world.create(1, EPOCH);
    assert_eq!(world.reject(&Input::Keep { on: true }), RejectCode::Unavailable);
    assert_eq!(keep(&mut world, false), [], "it is as it was");
}

#[test]
fn what_is_set_from_the_beginning_is_bounded_as_later() {
    let mut world = no_life(|limits| limits.slow_max = Duration::from_secs(1));
    let options = RoomOptions::new().settings(SettingsChange::new().slow_ms(1_001));
    assert_eq!(world.reject(&found(options)), RejectCode::TooLong);
    assert_eq!(world.room.epoch(), None);
    assert_eq!(world.reject(&Input::Keep { on: true }), RejectCode::RoomNotFound);
}
