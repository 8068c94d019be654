//! Roles: given, handed on, kept for who is away, and what each may do.

use std::time::Duration;

use super::*;
use crate::domain::BanTerms;
use crate::types::BanId;

use Role::{Member, Moderator, Owner};

/// A room of Ann, the owner; 2 and 3, moderators; and 4 and 5.
fn five() -> World {
    let mut world = world();
    (2..=5).for_each(|session| drop(world.join(session)));
    (2..=3).for_each(|member| drop(world.set_role(actor(1), member, Moderator)));
    world
}

/// Who does it, and to whom: each role twice, so that one can act on an equal.
const OF: [(Role, [u128; 2]); 3] = [(Owner, [1, 1]), (Moderator, [2, 3]), (Member, [4, 5])];

/// A way to act on somebody.
type Against = fn(&mut World, Actor, u32) -> Input;

fn redact_of(world: &mut World, by: Actor, member: u32) -> Input {
    let target = world.send(u128::from(member), "hi");
    Input::Redact { by, target, evidence: None }
}

fn sweep_of(world: &mut World, by: Actor, member: u32) -> Input {
    world.send(u128::from(member), "hi");
    Input::RedactAll { by, member: MemberId(member), from: None }
}

fn ban(by: Actor, member: u32) -> Input {
    Input::Ban { by, member: MemberId(member), terms: BanTerms::default() }
}

/// All that is done to somebody else: by the host to everybody, and else only by who is above them.
#[test]
fn nobody_acts_on_an_equal_or_a_higher_role() {
    let commands: [(&str, Against, [Role; 2]); 7] = [
        ("kick", |_, by, member| Input::Kick { by, member: MemberId(member) }, [Owner, Moderator]),
        ("ban", |_, by, member| ban(by, member), [Owner, Moderator]),
        ("redact", redact_of, [Owner, Moderator]),
        ("sweep", sweep_of, [Owner, Moderator]),
        ("hand on", |_, by, member| set_role(by, member, Owner), [Owner, Owner]),
        ("raise", |_, by, member| set_role(by, member, Moderator), [Owner, Owner]),
        ("lower", |_, by, member| set_role(by, member, Member), [Owner, Owner]),
    ];
    for (name, command, may) in commands {
        for (role, [own, _]) in OF {
            for (target, [one, other]) in OF {
                let object = if own == one { other } else { one };
                if own == object {
                    continue;
                }
                let mut world = five();
                let input = command(&mut world, actor(own), object as u32);
                let allowed = may.contains(&role) && role.is_above(target);
                let decided = world.run(&input).map(drop).map_err(|reject| reject.code);
                let expected = if allowed { Ok(()) } else { Err(RejectCode::Forbidden) };
                assert_eq!(decided, expected, "{name} by {role:?} of {target:?}");
                assert!(allowed || world.members() == [1, 2, 3, 4, 5], "nothing has happened");
            }
        }
        for (_, [object, _]) in OF.into_iter().skip(1) {
            let mut world = five();
            let input = command(&mut world, Actor::Host, object as u32);
            world.run(&input).unwrap_or_else(|reject| panic!("{name} by the host: {reject:?}"));
        }
    }
}

#[test]
fn the_topic_is_set_by_who_moderates() {
    let topic = || crate::Topic::parse("Lunch").expect("a valid topic");
    for (role, [own, _]) in OF {
        let decided = five().run(&Input::SetTopic { by: actor(own), topic: topic() });
        assert_eq!(decided.is_ok(), role != Member, "{role:?}");
    }
}

/// A moderator that was made by mistake, or whose device was stolen, does not take the room.
#[test]
fn a_moderator_never_locks_out_the_owner() {
    let mut world = five();
    let said = world.send(1, "hi");
    let against = [
        Input::Kick { by: actor(2), member: MemberId(1) },
        ban(actor(2), 1),
        Input::Redact { by: actor(2), target: said, evidence: None },
        Input::RedactAll { by: actor(2), member: MemberId(1), from: None },
        set_role(actor(2), 1, Member),
        set_role(actor(2), 2, Owner),
    ];
    for input in &against {
        assert_eq!(world.reject(input), RejectCode::Forbidden, "{input:?}");
    }
    // Nor while she is away, whose place and seat are kept.
    world.detach(1);
    world.pass(30_000);
    assert_eq!((world.owner(), world.members()), (None, vec![2, 3, 4, 5]));
    for input in &against[1..=3] {
        assert_eq!(world.reject(input), RejectCode::Forbidden, "{input:?}");
    }
    assert_eq!(world.reject(&set_role(actor(2), 2, Owner)), RejectCode::Forbidden);
    world.run(&join(later(1, 2))).expect("she comes back");
    assert_eq!(world.owner(), Some(1));
}

#[test]
fn what_a_moderator_said_who_has_left_is_taken_back_by_the_owner_alone() {
    let mut world = five();
    let said = world.send(2, "hi");
    world.leave(2);
    let redact = |by| Input::Redact { by: actor(by), target: said, evidence: None };
    assert_eq!(world.reject(&redact(3)), RejectCode::Forbidden);
    world.run(&redact(1)).expect("by the owner");
}

#[test]
fn a_moderator_who_has_left_is_kept_out_by_the_owner_alone_and_is_none_any_more() {
    let mut world = five();
    world.send(2, "hi");
    world.leave(2);
    for input in [ban(actor(3), 2), Input::RedactAll { by: actor(3), member: MemberId(2), from: None }] {
        assert_eq!(world.reject(&input), RejectCode::Forbidden, "{input:?}");
    }
    world.run(&ban(actor(1), 2)).expect("by the owner");
    world.run(&Input::Unban { by: actor(3), ban: BanId(1) }).expect("a moderator lets in again");
    world.join(2);
    assert_eq!(world.room.ledger().moderators_total(), 1, "the role went with the place");
}

/// Whom the host keeps out while their seat is held does not come back: somebody follows at once.
#[test]
fn a_seat_is_not_held_for_who_is_banned() {
    let mut world = five();
    world.detach(1);
    world.pass(30_000);
    assert_eq!(world.owner(), None);
    let decision = world.run(&ban(Actor::Host, 1)).expect("the host may");
    let events: Vec<_> = decision.records.iter().map(|record| record.event.clone()).collect();
    assert!(matches!(events[0], Event::BanAdded { member: MemberId(1), .. }), "{events:?}");
    assert_eq!(events[1..], [Event::RoleChanged { member: MemberId(2), role: Owner }]);
    assert_eq!(world.owner(), Some(2));
    // Nobody there to follow: whoever comes in next.
    let mut empty = world_with(|limits| limits.lost_linger = Duration::from_secs(60));
    empty.detach(1);
    empty.pass(30_000);
    empty.run(&ban(Actor::Host, 1)).expect("the host may");
    empty.join(2);
    assert_eq!(empty.owner(), Some(2));
}

#[test]
fn a_room_that_is_handed_on_has_one_owner_at_every_moment() {
    let mut world = five();
    let decision = world.set_role(actor(1), 4, Owner);
    assert_eq!(kinds(&decision), [("role_changed", Some(8)), ("role_changed", Some(9))]);
    assert_eq!(decision.answer, Answer::Done { seq: Seq(9) });
    let told: Vec<_> = decision.records.iter().map(|record| (record.by, record.event.clone())).collect();
    let change = |member, role| (Some(MemberId(1)), Event::RoleChanged { member: MemberId(member), role });
    assert_eq!(told, [change(1, Moderator), change(4, Owner)]);
    assert_eq!((world.owner(), world.role(1)), (Some(4), Some(Moderator)));
    assert_eq!(world.reject(&set_role(actor(1), 1, Owner)), RejectCode::Forbidden, "it is not theirs any more");
}

#[test]
fn an_owner_does_not_leave_a_room_without_one_by_a_role() {
    let mut world = five();
    for role in [Moderator, Member] {
        let own = world.run(&set_role(actor(1), 1, role)).expect_err("refused");
        assert_eq!((own.code, own.field), (RejectCode::BadField, Some("member")));
        let by_host = world.run(&set_role(Actor::Host, 1, role)).expect_err("refused");
        assert_eq!((by_host.code, by_host.field), (RejectCode::BadField, Some("role")));
    }
    assert_eq!(kinds(&world.set_role(actor(1), 1, Owner)), [], "as she is");
    assert_eq!(kinds(&world.set_role(actor(1), 2, Moderator)), [], "as they are");
    assert_eq!(kinds(&world.set_role(actor(1), 4, Member)), []);
}

#[test]
fn a_role_is_of_somebody_whom_the_room_knows() {
    let mut world = five();
    assert_eq!(world.reject(&set_role(actor(1), 9, Moderator)), RejectCode::MemberNotFound);
    world.leave(4);
    assert_eq!(world.reject(&set_role(actor(1), 4, Owner)), RejectCode::MemberNotFound, "an owner has to be here");
    world.set_role(actor(1), 4, Moderator);
    world.join(4);
    assert_eq!(world.role(4), Some(Moderator), "named while away");
    assert_eq!(world.reject(&set_role(actor(9), 2, Member)), RejectCode::NotMember);
}

#[test]
fn a_moderator_who_left_or_timed_out_comes_back_as_one() {
    let mut world = five();
    world.leave(2);
    world.detach(3);
    world.pass(30_000);
    assert_eq!(world.members(), [1, 4, 5]);
    world.join(2);
    world.run(&join(later(3, 2))).expect("joined");
    assert_eq!((world.role(2), world.role(3)), (Some(Moderator), Some(Moderator)));
}

#[test]
fn who_is_put_out_loses_their_role() {
    let mut world = five();
    world.run(&Input::Kick { by: actor(1), member: MemberId(2) }).expect("kicked");
    let again = world.join(2).member;
    assert_eq!((again, world.role(again.0)), (MemberId(6), Some(Member)), "as somebody new");
}

#[test]
fn as_many_moderators_as_may_be_are_counted_with_those_who_are_away() {
    let mut world = world_with(|limits| limits.moderators_max = 2);
    (2..=5).for_each(|session| drop(world.join(session)));
    (2..=3).for_each(|member| drop(world.set_role(actor(1), member, Moderator)));
    world.leave(3);
    for full in [set_role(actor(1), 4, Moderator), set_role(actor(1), 4, Owner), set_role(Actor::Host, 4, Owner)] {
        let reject = world.run(&full).expect_err("refused");
        assert_eq!((reject.code, reject.limit), (RejectCode::RolesFull, Some(2)), "{full:?}");
    }
    world.set_role(actor(1), 3, Member);
    world.set_role(actor(1), 4, Moderator);
    world.set_role(actor(1), 4, Owner);
    assert_eq!((world.role(1), world.owner()), (Some(Moderator), Some(4)), "she has the place of who got the room");
    world.join(3);
    assert_eq!(world.role(3), Some(Member));
}

#[test]
fn only_the_host_says_who_owns_a_room_that_is_theirs() {
    let mut world = five();
    assert_eq!(kinds(&world.run(&Input::Protect).expect("protected")), [("protected", None)]);
    assert_eq!(kinds(&world.run(&Input::Protect).expect("it is")), []);
    assert!(world.room.is_protected());
    assert_eq!(world.reject(&set_role(actor(1), 4, Owner)), RejectCode::Forbidden);
    world.set_role(actor(1), 4, Moderator);
    world.set_role(Actor::Host, 1, Member);
    assert_eq!(world.owner(), None, "which is as the host wants it");
    assert_eq!(world.pass(3_600_000), []);
    world.set_role(Actor::Host, 5, Owner);
    assert_eq!(kinds(&world.leave(5)), [("left", Some(11))], "nobody follows");
    assert_eq!(world.pass(3_600_000), []);
    assert_eq!((world.join(5).member, world.owner()), (MemberId(5), Some(5)), "it is theirs still");
    world.leave(5);
    world.set_role(Actor::Host, 5, Member);
    world.join(5);
    assert_eq!(world.role(5), Some(Member), "unless the host has said so");
}

#[test]
fn while_programs_live_that_know_no_moderators_none_is_made() {
    let mut world = five();
    world.room.write_up_to(RecordVersion::FIRST);
    for later in [set_role(actor(1), 4, Moderator), set_role(actor(1), 2, Member), Input::Protect] {
        assert_eq!(world.reject(&later), RejectCode::Unavailable, "{later:?}");
    }
    world.leave(2);
    let again = world.join(2).member;
    assert_eq!(world.role(again.0), Some(Member), "a join that says otherwise would not be read");
    world.detach(1);
    assert_eq!(world.pass(30_000), [("left", Some(10)), ("role_changed", Some(11))], "nor would a seat that is held");
    assert_eq!(world.owner(), Some(3));
}
