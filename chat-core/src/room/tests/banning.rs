//! Bans that hold: until their time or until they are lifted, and no other goes for one that comes.

use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::domain::{BanTerm, BanTerms, RecordVersion};
use crate::types::{BanId, NetworkTag};

const MINUTE: u64 = 60_000;

fn ban(by: Actor, member: u32) -> Input {
    Input::Ban { by, member: MemberId(member), terms: BanTerms::default() }
}

fn ban_for(minutes: u32, member: u32) -> Input {
    let terms = BanTerms::lasting(NonZeroU32::new(minutes));
    Input::Ban { by: actor(1), member: MemberId(member), terms }
}

fn unban(by: Actor, ban: u32) -> Input {
    Input::Unban { by, ban: BanId(ban) }
}

fn until(world: &World, minutes: u64) -> Option<Wall> {
    Some(world.now.wall.after(Duration::from_millis(minutes * MINUTE)))
}

/// The numbers of a page, and whether there are more.
fn shown(world: &mut World, after: Option<u32>, limit: Option<u32>) -> (Vec<u32>, More) {
    let asked = Input::Bans { by: actor(1), after: after.map(BanId), limit };
    let Answer::Bans { page, more } = world.run(&asked).expect("she is the owner").answer else { panic!("no bans") };
    (page.into_iter().map(|line| line.ban.0).collect(), more)
}

#[test]
fn a_ban_says_until_when_to_all_and_to_who_is_banned() {
    let mut world = world();
    world.join(2);
    let end = until(&world, 10);
    let decision = world.run(&ban_for(10, 2)).expect("banned");
    assert_eq!(kinds(&decision), [("ban_added", None), ("kicked", Some(3))]);
    let Event::Kicked { ban: term, .. } = decision.records[1].event else { panic!("{decision:?}") };
    assert_eq!((term, decision.answer), (Some(BanTerm::until(end)), Answer::Done { seq: Seq(3) }));
    for asked in [join(caller(2)), Input::Attach { by: caller(2), after: None }] {
        let reject = world.run(&asked).expect_err("banned");
        assert_eq!((reject.code, reject.until), (RejectCode::Banned, end));
    }
    assert_eq!(world.pass(10 * MINUTE - 1), []);
    assert_eq!(world.reject(&join(caller(2))), RejectCode::Banned);
    assert_eq!((world.pass(1), world.join(2).member), (vec![], MemberId(3)), "who was put out is somebody new");
    world.run(&ban(actor(1), 3)).expect("banned for ever");
    let reject = world.run(&join(caller(2))).expect_err("banned");
    assert_eq!((reject.code, reject.until), (RejectCode::Banned, None));
}

#[test]
fn a_ban_binds_a_person_and_not_a_session() {
    let mut world = world();
    let member = entered(&world.run(&join(known(2, "bob"))).expect("joined")).member;
    world.run(&ban(Actor::Host, member.0)).expect("banned");
    assert_eq!(world.reject(&join(known(3, "bob"))), RejectCode::Banned, "another device");
    world.run(&join(caller(4))).expect("somebody else");
}

#[test]
fn somebody_who_has_left_is_banned_as_long_as_their_place_is_remembered() {
    let mut world = world_with(|limits| limits.former_max = 1);
    world.join(2);
    world.join(3);
    world.leave(3);
    world.leave(2);
    assert_eq!(world.reject(&ban(actor(1), 3)), RejectCode::MemberNotFound, "forgotten when the next one left");
    let decision = world.run(&ban(actor(1), 2)).expect("remembered");
    assert_eq!((kinds(&decision), &decision.answer), (vec![("ban_added", None)], &Answer::Done { seq: Seq(5) }));
    assert_eq!(world.reject(&join(caller(2))), RejectCode::Banned);
    let asked = Input::Bans { by: Actor::Host, after: None, limit: None };
    let Answer::Bans { page, more: More::No } = world.run(&asked).expect("the host may").answer else {
        panic!("no bans")
    };
    let bob = &page[0];
    assert_eq!((bob.member, bob.by, bob.until), (Some(MemberId(2)), Some(MemberId(1)), None));
    assert_eq!(bob.nick.as_ref().map(Nick::as_str), Some("P2"));
}

#[test]
fn a_full_list_is_refused_and_what_is_over_makes_room() {
    let mut world = world_with(|limits| limits.bans_max = 2);
    (2..=5).for_each(|session| drop(world.join(session)));
    world.run(&ban_for(1, 2)).expect("banned");
    world.run(&ban(actor(1), 3)).expect("banned");
    let reject = world.run(&ban(actor(1), 4)).expect_err("full");
    assert_eq!((reject.code, reject.limit), (RejectCode::BansFull, Some(2)));
    assert_eq!(world.pass(MINUTE), []);
    world.run(&ban(actor(1), 4)).expect("the first is over");
    assert_eq!(world.reject(&ban(actor(1), 5)), RejectCode::BansFull);
    world.run(&unban(actor(1), 2)).expect("lifted");
    world.run(&ban(actor(1), 5)).expect("there is room again");
    assert_eq!(shown(&mut world, None, None), (vec![3, 4], More::No), "no number is given twice");
}

#[test]
fn tighter_limits_lift_no_ban() {
    let mut world = world();
    (2..=4).for_each(|session| drop(world.join(session)));
    (2..=4).for_each(|member| drop(world.run(&ban(actor(1), member)).expect("banned")));
    let tight = RoomLimits { bans_max: 1, ..RoomLimits::default() };
    world.room = Room::from_ledger(world.room.ledger().clone(), Arc::new(tight));
    world.room.check_invariants();
    assert_eq!([2, 3, 4].map(|session| world.reject(&join(caller(session)))), [RejectCode::Banned; 3]);
}

#[test]
fn who_is_let_in_again_comes_in_and_only_who_moderates_lets_them() {
    let mut world = world();
    world.join(2);
    world.join(3);
    world.run(&ban(actor(1), 2)).expect("banned");
    for asked in [unban(actor(3), 1), Input::Bans { by: actor(3), after: None, limit: None }] {
        assert_eq!(world.reject(&asked), RejectCode::Forbidden);
    }
    assert_eq!(world.reject(&unban(actor(1), 2)), RejectCode::BanNotFound);
    let decision = world.run(&unban(actor(1), 1)).expect("lifted");
    assert_eq!((kinds(&decision), &decision.answer), (vec![("ban_lifted", None)], &Answer::Done { seq: Seq(4) }));
    assert_eq!(world.reject(&unban(actor(1), 1)), RejectCode::BanNotFound);
    world.join(2);
}

#[test]
fn bans_are_paged_in_the_order_of_their_numbers() {
    let mut world = world_with(|limits| limits.bans_page_max = 2);
    (2..=4).for_each(|session| drop(world.join(session)));
    (2..=4).for_each(|member| drop(world.run(&ban_for(member, member)).expect("banned")));
    assert_eq!(shown(&mut world, None, None), (vec![1, 2], More::Yes));
    assert_eq!(shown(&mut world, Some(2), None), (vec![3], More::No));
    assert_eq!(shown(&mut world, None, Some(1)), (vec![1], More::Yes));
    world.pass(2 * MINUTE);
    assert_eq!(shown(&mut world, None, None), (vec![2, 3], More::No), "what is over is not shown");
}

#[test]
fn where_not_every_program_can_read_it_a_ban_is_for_ever_and_of_who_is_there() {
    let mut world = world();
    (2..=3).for_each(|session| drop(world.join(session)));
    world.leave(3);
    world.room.write_up_to(RecordVersion::FIRST);
    for asked in [ban_for(1, 2), ban(actor(1), 3)] {
        assert_eq!(world.reject(&asked), RejectCode::Unavailable);
    }
    let decision = world.run(&ban(actor(1), 2)).expect("banned");
    assert_eq!(kinds(&decision), [("banned", None), ("kicked", Some(5))]);
    assert!(decision.records.iter().all(|record| record.version() == RecordVersion::FIRST));
    assert_eq!(world.reject(&join(caller(2))), RejectCode::Banned);
    assert_eq!(world.reject(&unban(actor(1), 1)), RejectCode::Unavailable);
    assert_eq!(shown(&mut world, None, None), (vec![1], More::No));
    world.room.write_up_to(RecordVersion::LATEST);
    world.run(&unban(actor(1), 1)).expect("it has a number all the same");
    world.join(2);
}

/// Somebody of whom nothing is known but where they come from.
fn from(session: u128, network: u64) -> Caller {
    Caller { network: Some(NetworkTag(network)), ..caller(session) }
}

fn ban_network(member: u32) -> Input {
    Input::Ban { by: actor(1), member: MemberId(member), terms: BanTerms::lasting(NonZeroU32::new(5)).with_network() }
}

#[test]
fn a_ban_of_a_network_binds_newcomers_of_whom_nothing_else_is_known() {
    let mut world = world();
    world.run(&join(from(2, 7))).expect("joined");
    world.run(&join(from(3, 7))).expect("joined");
    world.run(&join(from(9, 7))).expect("joined");
    world.run(&Input::Leave { by: from(9, 7) }).expect("left");
    world.run(&join(caller(4))).expect("joined");
    let end = until(&world, 5);
    world.run(&ban_network(2)).expect("banned");
    let reject = world.run(&join(from(5, 7))).expect_err("banned");
    assert_eq!((reject.code, reject.until), (RejectCode::Banned, end));
    assert_eq!(reject.message, "newcomers from your network are banned from this room");
    let person = world.run(&join(from(2, 7))).expect_err("banned");
    assert_eq!(person.message, "you are banned from this room");
    let gone = Input::Attach { by: from(9, 7), after: None };
    assert_eq!(world.reject(&gone), RejectCode::NotMember, "who left was not put out");
    world.run(&join(from(9, 7))).expect("and is nobody new: their place is remembered");
    world.run(&join(Caller { network: Some(NetworkTag(7)), ..known(6, "bob") })).expect("known");
    world.run(&join(from(8, 9))).expect("from elsewhere");
    let again = Input::Attach { by: Caller { generation: Generation(2), ..from(3, 7) }, after: None };
    world.run(&again).expect("a member stays one");
    assert_eq!(world.pass(5 * MINUTE), []);
    world.run(&join(from(5, 7))).expect("it is over");
}

/// Ann and a puppet share an address; she has lost her connection, and a moderator puts the puppet out, with all who come from there.
#[test]
fn a_ban_of_a_network_keeps_no_owner_out_who_was_lost() {
    let mut world = no_life(|_| {});
    let ann = from(1, 7);
    world
        .run(&Input::Create { by: ann.clone(), nick: nick("Ann"), data: None, epoch: EPOCH, salt: SALT })
        .expect("created");
    world.run(&join(from(2, 8))).expect("joined");
    world.set_role(actor(1), 2, Role::Moderator);
    world.run(&join(from(3, 7))).expect("joined");
    world.detach(1);
    world.pass(30_000);
    assert_eq!((world.members(), world.owner()), (vec![2, 3], None), "her seat is held");
    let terms = BanTerms::default().with_network();
    world.run(&Input::Ban { by: actor(2), member: MemberId(3), terms }).expect("banned");
    let back = entered(&world.run(&join(Caller { generation: Generation(2), ..ann })).expect("she is nobody new"));
    assert_eq!((back.member, world.owner()), (MemberId(1), Some(1)));
    assert_eq!(world.reject(&join(from(4, 7))), RejectCode::Banned);
}

#[test]
fn a_ban_of_a_network_locks_out_nobody_whose_role_is_kept_while_they_are_away() {
    let mut world = world();
    let ann = |generation| Caller { generation: Generation(generation), ..from(1, 7) };
    world.run(&Input::Attach { by: ann(2), after: None }).expect("she is a member");
    for session in [2, 3, 4] {
        world.run(&join(from(session, 7))).expect("joined");
    }
    for member in [2, 3] {
        world.set_role(Actor::Member(ann(2)), member, Role::Moderator);
    }
    world.run(&Input::Leave { by: from(3, 7) }).expect("left");
    world.note(Note::Detached { session: SessionId::new(1), generation: Generation(2) });
    world.pass(30_000);
    assert_eq!(world.owner(), None, "her seat is held");
    let terms = BanTerms::default().with_network();
    let by = Actor::Member(from(2, 7));
    world.run(&Input::Ban { by, member: MemberId(4), terms }).expect("by a moderator");
    assert_eq!(world.reject(&join(from(5, 7))), RejectCode::Banned);
    world.run(&join(from(3, 7))).expect("a moderator who left");
    world.run(&join(ann(3))).expect("the owner");
    assert_eq!(world.owner(), Some(1));
}

#[test]
fn the_last_few_networks_of_a_person_are_bound_also_of_who_is_gone() {
    let mut world = world();
    for (session, network) in (100..).zip([7, 8, 7, 9, 10, 11]) {
        let by = Caller { session: SessionId::new(session), network: Some(NetworkTag(network)), ..known(2, "bob") };
        let _ = world.run(&join(by));
    }
    world.run(&join(from(3, 20))).expect("joined");
    world.run(&join(from(5, 21))).expect("joined");
    [3, 5].into_iter().for_each(|session| drop(world.leave(session)));
    world.run(&ban_network(3)).expect("banned");
    assert_eq!(world.reject(&join(from(4, 20))), RejectCode::Banned, "who left came from there");
    let decision = world.run(&ban_network(2)).expect("banned");
    let Event::BanAdded { networks, .. } = &decision.records[0].event else { panic!("{decision:?}") };
    assert_eq!(networks.iter().map(|tag| tag.0).collect::<Vec<_>>(), [7, 9, 10, 11]);
}

#[test]
fn of_few_who_left_it_is_known_where_they_came_from() {
    let mut world = world_with(|limits| limits.former_networks_max = 1);
    for number in [2, 3] {
        world.run(&join(from(number, 5 + number as u64))).expect("joined");
        world.leave(number);
    }
    let refused = world.run(&ban_network(2)).expect_err("forgotten when the next one went");
    assert_eq!((refused.code, refused.field), (RejectCode::BadField, Some("network")));
    world.run(&ban(actor(1), 2)).expect("their place is remembered");
    world.run(&ban_network(3)).expect("banned");
    assert_eq!(world.reject(&join(from(4, 8))), RejectCode::Banned);
}

/// Where people came from is not in the log. A ban that could not do what it is asked for is none.
#[test]
fn a_ban_of_a_network_that_is_not_known_is_refused() {
    let mut world = world();
    world.run(&join(from(2, 7))).expect("joined");
    world.run(&join(from(3, 8))).expect("joined");
    for session in [2, 3] {
        world.run(&Input::Leave { by: caller(session) }).expect("left");
    }
    world.run(&ban_network(3)).expect("banned");
    world.room = Room::from_ledger(world.room.ledger().clone(), Arc::new(RoomLimits::default()));
    world.run(&Input::Attach { by: later(1, 2), after: None }).expect("she is back");
    let terms = BanTerms::default().with_network();
    let asked = |member| Input::Ban { by: Actor::Member(later(1, 2)), member: MemberId(member), terms };
    let refused = world.run(&asked(2)).expect_err("a restart forgets it");
    world.run(&join(from(7, 9))).expect("joined");
    world.leave(7);
    world.room.replace_ledger(world.now, world.room.ledger().clone());
    assert_eq!(world.reject(&asked(4)), RejectCode::BadField, "in another fold it may be the number of another");
    assert_eq!((refused.code, refused.field), (RejectCode::BadField, Some("network")));
    world.run(&join(from(2, 7))).expect("nobody was banned");
    world.run(&asked(3)).expect("the ban before says it");
    assert_eq!(world.reject(&join(from(4, 8))), RejectCode::Banned);
}

#[test]
fn a_ban_of_who_is_banned_takes_the_place_of_the_one_before() {
    let mut world = world_with(|limits| limits.bans_max = 1);
    world.join(2);
    world.run(&ban_for(5, 2)).expect("banned");
    let end = until(&world, 60);
    let decision = world.run(&ban_for(60, 2)).expect("banned for longer, though the list is full");
    assert_eq!((kinds(&decision), &decision.answer), (vec![("ban_added", None)], &Answer::Done { seq: Seq(3) }));
    assert_eq!(shown(&mut world, None, None), (vec![2], More::No));
    assert_eq!(world.run(&join(caller(2))).expect_err("banned").until, end);
    world.run(&ban_for(1, 2)).expect("banned for less");
    world.pass(MINUTE);
    world.join(2);
    assert_eq!(world.reject(&ban(actor(1), 2)), RejectCode::MemberNotFound, "they have another number");
}

#[test]
fn who_was_kicked_is_banned_by_their_number_as_long_as_they_are_remembered() {
    let mut world = world_with(|limits| limits.former_max = 1);
    world.join(2);
    world.join(3);
    for member in [2, 3] {
        world.run(&Input::Kick { by: actor(1), member: MemberId(member) }).expect("kicked");
    }
    assert_eq!(world.reject(&ban(actor(1), 2)), RejectCode::MemberNotFound, "forgotten when the next one went");
    world.run(&ban_for(1, 3)).expect("banned");
    assert_eq!(world.reject(&join(caller(3))), RejectCode::Banned);
    world.pass(MINUTE);
    world.run(&ban(actor(1), 3)).expect("it is over, and they are not back");
    assert_eq!(world.reject(&join(caller(3))), RejectCode::Banned);
}

/// The number of each ban that holds, of whom it is, and whether it binds where they came from.
fn lines(world: &mut World) -> Vec<(u32, Option<u32>, bool)> {
    let asked = Input::Bans { by: Actor::Host, after: None, limit: None };
    let Answer::Bans { page, .. } = world.run(&asked).expect("the host may").answer else { panic!("no bans") };
    page.into_iter().map(|line| (line.ban.0, line.member.map(|member| member.0), line.network)).collect()
}

#[test]
fn who_is_banned_and_not_remembered_otherwise_is_banned_anew_by_the_ban() {
    let mut world = world_with(|limits| limits.former_max = 0);
    for session in [2, 3] {
        world.run(&join(from(session, 7 + session as u64))).expect("joined");
        world.run(&ban_for(5, session as u32)).expect("banned");
    }
    world.run(&ban_for(60, 3)).expect("it is known whose number that is");
    assert_eq!(lines(&mut world), [(1, Some(2), false), (3, Some(3), false)]);
    let end = until(&world, 60);
    assert_eq!(world.run(&join(caller(3))).expect_err("banned").until, end);
    world.run(&join(from(4, 11))).expect("joined");
    world.run(&ban_network(4)).expect("banned");
    assert_eq!(lines(&mut world)[2], (4, Some(4), true));
}

#[test]
fn a_ban_that_an_earlier_program_wrote_is_replaced_alone_and_counts_as_any_other() {
    let mut world = world();
    world.room.write_up_to(RecordVersion::FIRST);
    for session in 2..=4 {
        world.join(session);
        world.run(&ban(actor(1), session as u32)).expect("banned");
    }
    let ledger = world.room.ledger().clone();
    let mut full = |bans_max| {
        world.room = Room::from_ledger(ledger.clone(), Arc::new(RoomLimits { bans_max, ..RoomLimits::default() }));
        let terms = BanTerms::lasting(NonZeroU32::new(5));
        let again =
            world.run(&Input::Ban { by: Actor::Host, member: MemberId(2), terms }).map_err(|reject| reject.code);
        (again.is_err_and(|code| code == RejectCode::BansFull), lines(&mut world))
    };
    assert_eq!(full(2), (true, vec![(1, None, false), (2, None, false), (3, None, false)]), "of two others");
    assert_eq!(full(3), (false, vec![(2, None, false), (3, None, false), (4, Some(2), false)]));
}
