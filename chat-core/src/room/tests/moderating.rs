//! Kicking and banning.

use super::*;
use crate::domain::BanTerms;

fn kick(by: Actor, member: u32) -> Input {
    Input::Kick { by, member: MemberId(member) }
}

#[test]
fn a_kick_ends_every_attachment_of_the_member() {
    let mut world = world();
    world.run(&join(known(2, "bob"))).expect("joined");
    world.run(&join(known(3, "bob"))).expect("attached");
    let decision = world.run(&kick(actor(1), 2)).expect("kicked");
    assert_eq!((kinds(&decision), &decision.answer), (vec![("kicked", Some(3))], &Answer::Done { seq: Seq(3) }));
    assert_eq!(decision.records[0].by, Some(MemberId(1)));
    assert_eq!((world.members(), world.room.member_of(&known(3, "bob"))), (vec![1], None));
    world.run(&join(known(3, "bob"))).expect("who is kicked may come again");
}

#[test]
fn a_ban_is_a_quiet_fact_and_a_told_kick() {
    let mut world = world();
    world.join(2);
    let decision =
        world.run(&Input::Ban { by: Actor::Host, member: MemberId(2), terms: BanTerms::default() }).expect("banned");
    assert_eq!(kinds(&decision), [("ban_added", None), ("kicked", Some(3))]);
    assert!(decision.records.iter().all(|record| record.by.is_none()), "the host has no number");
    assert_eq!(world.reject(&join(caller(2))), RejectCode::Banned);
}

#[test]
fn only_owner_and_host_put_somebody_out() {
    let mut world = world();
    world.join(2);
    world.join(3);
    assert_eq!(world.reject(&kick(actor(2), 3)), RejectCode::Forbidden);
    assert_eq!(world.reject(&kick(actor(9), 3)), RejectCode::NotMember);
    assert_eq!(
        world.reject(&Input::Ban { by: actor(2), member: MemberId(1), terms: BanTerms::default() }),
        RejectCode::Forbidden
    );
    world.run(&kick(actor(1), 3)).expect("as the owner");
    world.run(&kick(Actor::Host, 2)).expect("as the host");
}

#[test]
fn an_owner_cannot_put_themselves_out() {
    let mut world = world();
    let reject = world.run(&kick(actor(1), 1)).expect_err("refused");
    assert_eq!((reject.code, reject.field), (RejectCode::BadField, Some("member")));
}

#[test]
fn nobody_is_put_out_who_is_not_there() {
    let mut world = world();
    assert_eq!(world.reject(&kick(actor(1), 9)), RejectCode::MemberNotFound);
    assert_eq!(
        world.reject(&Input::Ban { by: Actor::Host, member: MemberId(9), terms: BanTerms::default() }),
        RejectCode::MemberNotFound
    );
}

#[test]
fn a_kicked_owner_is_followed_by_an_heir_and_a_last_member_by_the_end() {
    let mut world = world();
    world.join(2);
    let decision = world.run(&kick(Actor::Host, 1)).expect("kicked");
    assert_eq!(kinds(&decision), [("kicked", Some(3)), ("role_changed", Some(4))]);
    assert_eq!(world.owner(), Some(2));
    let last =
        world.run(&Input::Ban { by: Actor::Host, member: MemberId(2), terms: BanTerms::default() }).expect("banned");
    assert_eq!(kinds(&last), [("ban_added", None), ("kicked", Some(5)), ("closed", None)]);
}

#[test]
fn a_kick_is_told_in_a_big_room_too() {
    let mut world = world_with(|limits| limits.notices_members_max = 2);
    (2..=4).for_each(|session| drop(world.join(session)));
    let decision = world.run(&kick(actor(1), 4)).expect("kicked");
    assert_eq!(kinds(&decision), [("kicked", Some(5))]);
}
