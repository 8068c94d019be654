//! People whom the host lets in once, whatever the room lets in.

use std::time::Duration;

use super::*;
use crate::domain::{BanTerms, RecordVersion, SettingsChange};
use crate::types::SecretHash;

const BOB: &str = "user:bob";
const CID: &str = "user:cid";

fn invite(who: &str) -> Input {
    Input::Invite { identity: Identity::new(who).expect("an identity") }
}

/// A room that lets nobody new in.
fn locked(change: impl FnOnce(&mut RoomLimits)) -> World {
    let mut world = world_with(change);
    set(&mut world, SettingsChange::new().locked(true));
    world
}

fn set(world: &mut World, change: SettingsChange<SecretHash>) {
    world.run(&Input::Settings { by: Actor::Host, change }).expect("it is set");
}

fn kick(world: &mut World, member: u32) {
    world.run(&Input::Kick { by: Actor::Host, member: MemberId(member) }).expect("put out");
}

#[test]
fn who_is_invited_gets_into_a_locked_room_once() {
    let mut world = locked(|_| {});
    let bob = || join(known(2, BOB));
    assert_eq!(world.reject(&bob()), RejectCode::RoomLocked);
    let invited = world.run(&invite(BOB)).expect("invited");
    let until = world.room.time(world.now).after(world.room.limits.invite_time);
    assert_eq!(
        (kinds(&invited), invited.answer),
        (vec![("invited", None)], Answer::Invited { until: Some(until), nick: None })
    );
    assert_eq!(world.reject(&join(known(3, CID))), RejectCode::RoomLocked, "it is Bob's alone");
    world.run(&bob()).expect("he is let in");
    kick(&mut world, 2);
    assert_eq!(world.reject(&bob()), RejectCode::RoomLocked, "once");
}

#[test]
fn who_is_invited_needs_no_secret() {
    let mut world = world();
    set(&mut world, SettingsChange::new().secret(Some(SecretHash::from_bits(7))));
    let bob = || join(known(2, BOB));
    assert_eq!(world.reject(&bob()), RejectCode::SecretWrong);
    world.run(&invite(BOB)).expect("invited");
    world.run(&bob()).expect("he is let in");
}

#[test]
fn an_invite_is_over_with_its_time_and_begins_anew() {
    let mut world = locked(|limits| limits.invite_time = Duration::from_secs(60));
    let bob = || join(known(2, BOB));
    world.run(&invite(BOB)).expect("invited");
    world.pass(60_000);
    assert_eq!(world.reject(&bob()), RejectCode::RoomLocked);
    world.run(&invite(BOB)).expect("invited");
    world.pass(30_000);
    world.run(&invite(BOB)).expect("invited anew");
    world.pass(59_999);
    world.run(&bob()).expect("he is let in");
}

#[test]
fn so_many_are_invited_and_no_more_and_nobody_loses_their_invite() {
    let mut world = locked(|limits| (limits.invites_max, limits.invite_time) = (2, Duration::from_secs(60)));
    world.run(&invite(BOB)).expect("invited");
    world.pass(30_000);
    world.run(&invite(CID)).expect("invited");
    let refused = world.run(&invite("user:dan")).expect_err("there are as many as may be");
    assert_eq!((refused.code, refused.limit), (RejectCode::AtCapacity, Some(2)));
    world.run(&invite(CID)).expect("who is invited takes no other place");
    world.pass(30_000);
    world.run(&invite("user:dan")).expect("that of Bob is over");
    world.run(&join(known(3, CID))).expect("he is let in");
}

#[test]
fn who_is_banned_is_not_invited_and_a_ban_takes_an_invite_back() {
    let mut world = locked(|_| {});
    world.run(&invite(BOB)).expect("invited");
    world.run(&join(known(2, BOB))).expect("he is let in");
    kick(&mut world, 2);
    world.run(&invite(BOB)).expect("invited again");
    let ban = |minutes| Input::Ban {
        by: Actor::Host,
        member: MemberId(2),
        terms: BanTerms { minutes: std::num::NonZeroU32::new(minutes), ..BanTerms::default() },
    };
    world.run(&ban(1)).expect("banned");
    assert_eq!(world.reject(&invite(BOB)), RejectCode::Banned);
    assert_eq!(world.reject(&join(known(2, BOB))), RejectCode::Banned);
    world.pass(60_000);
    assert_eq!(world.reject(&join(known(2, BOB))), RejectCode::RoomLocked, "the ban is over, and so is the invite");
}

#[test]
fn who_is_a_member_needs_no_invite() {
    let mut world = world();
    world.run(&join(known(2, BOB))).expect("joined");
    let invited = world.run(&invite(BOB)).expect("there is nothing to do");
    let name = Some(nick("P2"));
    assert_eq!((kinds(&invited), invited.answer), (vec![], Answer::Invited { until: None, nick: name.clone() }));
    world.run(&Input::Leave { by: known(2, BOB) }).expect("left");
    let Answer::Invited { until: Some(_), nick } = world.run(&invite(BOB)).expect("invited").answer else {
        panic!("he is gone")
    };
    assert_eq!(nick, name, "what he was called");
}

#[test]
fn an_invite_ends_with_its_life() {
    let mut world = locked(|_| {});
    world.run(&invite(BOB)).expect("invited");
    world.leave(1);
    assert_eq!(world.reject(&invite(BOB)), RejectCode::RoomNotFound);
    world.create(1, Epoch(78));
    set(&mut world, SettingsChange::new().locked(true));
    assert_eq!(world.reject(&join(known(2, BOB))), RejectCode::RoomLocked);
}

#[test]
fn an_invite_keeps_no_room_and_lets_nobody_into_a_full_one() {
    let mut world = world_with(|limits| limits.members_max = 1);
    world.run(&invite(BOB)).expect("invited");
    assert_eq!(world.reject(&join(known(2, BOB))), RejectCode::RoomFull);
    assert_eq!(kinds(&world.leave(1)), [("left", Some(2)), ("closed", None)]);
}

#[test]
fn nobody_is_invited_where_a_program_would_not_know_of_it() {
    let mut world = world();
    world.room.write_up_to(RecordVersion::FIRST);
    assert_eq!(world.reject(&invite(BOB)), RejectCode::Unavailable);
}
