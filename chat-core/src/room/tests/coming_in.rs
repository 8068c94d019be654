//! Creating, joining, attaching.

use super::*;
use crate::domain::BanTerms;

#[test]
fn a_created_room_has_its_creator_as_owner() {
    let mut world = no_life(|_| {});
    let decision = world.create(1, EPOCH);
    assert_eq!(kinds(&decision), [("created", None), ("joined", Some(1))]);
    let Entered { member, from, entry, history, .. } = entered(&decision);
    assert_eq!((member, from, entry, history), (MemberId(1), Seq(1), Entry::Joined, HistorySlice::default()));
    assert_eq!(world.room.epoch(), Some(EPOCH));
    assert_eq!(world.room.member_of(&caller(1)), Some(MemberId(1)));
    assert_eq!(world.owner(), Some(1));
}

#[test]
fn without_a_life_everything_but_create_is_room_not_found() {
    let mut world = no_life(|_| {});
    assert_eq!(world.reject(&join(caller(1))), RejectCode::RoomNotFound);
    assert_eq!(world.reject(&send(1, "hi")), RejectCode::RoomNotFound);
    assert_eq!(world.reject(&Input::Close { cause: crate::RoomCloseReason::Host }), RejectCode::RoomNotFound);
    assert_eq!(world.reject(&Input::Elapsed), RejectCode::RoomNotFound);
    assert_eq!((world.room.epoch(), world.room.next_deadline()), (None, None));
}

#[test]
fn a_name_that_lives_is_taken() {
    let mut world = world();
    let create = Input::Create { by: caller(2), nick: nick("Bob"), data: None, epoch: Epoch(1), salt: 1 };
    assert_eq!(world.reject(&create), RejectCode::NameTaken);
}

#[test]
fn a_new_life_starts_every_number_again_and_forgets_the_old_one() {
    let mut world = world();
    world.join(2);
    world.run(&Input::Ban { by: Actor::Host, member: MemberId(2), terms: BanTerms::default() }).expect("banned");
    let topic = crate::Topic::parse("old").expect("a valid topic");
    world.run(&Input::SetTopic { by: Actor::Host, topic }).expect("changed");
    world.run(&keyed(1, "k", "hi")).expect("sent");
    world.leave(1);
    assert_eq!(world.reject(&join(caller(2))), RejectCode::RoomNotFound);
    assert_eq!((world.room.epoch(), world.room.head()), (None, Seq(6)), "readers that are behind still get there");

    let decision = world.create(1, Epoch(78));
    assert_eq!(kinds(&decision), [("created", None), ("joined", Some(1))]);
    assert_eq!((decision.records[0].offset, world.room.epoch()), (Offset(1), Some(Epoch(78))));
    assert_eq!(world.room.topic().as_str(), "");
    assert_eq!(world.join(2).member, MemberId(2), "the ban ended with its life");
    let sent = world.run(&keyed(1, "k", "other")).expect("the key is free again");
    assert_eq!(kinds(&sent), [("sent", Some(3))]);
}

#[test]
fn a_new_life_has_a_time_of_its_own() {
    let mut world = world();
    world.pass(60_000);
    world.leave(1);
    let ended = world.now.wall;
    assert_eq!(world.room.ledger().last_at(), ended, "the time stays, as the numbers do");
    world.now.wall = Wall(ended.0 - 30_000);
    let decision = world.create(1, Epoch(78));
    assert!(decision.records.iter().all(|record| record.at == world.now.wall), "set back since the old one");
    assert_eq!(world.room.ledger().last_at(), world.now.wall);
}

#[test]
fn a_life_has_the_salt_it_was_made_with_and_no_life_has_none() {
    let mut world = world();
    assert_eq!(world.room.ledger().salt(), SALT);
    world.leave(1);
    assert_eq!(world.room.ledger().salt(), 0);
}

#[test]
fn a_joiner_is_told_what_follows_their_own_join() {
    let mut world = world();
    world.send(1, "hi");
    let decision = world.run(&join(caller(2))).expect("joined");
    assert_eq!(kinds(&decision), [("joined", Some(3))]);
    let Entered { member, from, entry, history, .. } = entered(&decision);
    assert_eq!((member, from, entry), (MemberId(2), Seq(3), Entry::Joined));
    assert_eq!((numbers(&history.seqs), history.more), (vec![2], More::No));
    assert_eq!(world.room.member(member).map(|bob| (bob.role, bob.joined)), Some((Role::Member, Seq(3))));
}

#[test]
fn the_least_used_colour_is_given_the_lowest_first() {
    let mut world = world();
    (2..=17).for_each(|session| drop(world.join(session)));
    let colors: Vec<u8> = world.room.members().map(|member| member.color.0).collect();
    assert_eq!(colors, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0]);
    world.leave(5);
    let next = world.join(18).member;
    assert_eq!(world.room.member(next).map(|member| member.color.0), Some(4));
}

#[test]
fn a_nick_that_looks_like_another_is_taken() {
    let mut world = world();
    let join = Input::Join { by: caller(2), nick: nick("ANN"), data: None, history: None, after: None, secret: None };
    let reject = world.run(&join).expect_err("refused");
    assert_eq!((reject.code, reject.field), (RejectCode::NickTaken, Some("nick")));
    world.join(3);
    world.leave(1);
    world.run(&join).expect("the nick is free once its owner has left");
}

#[test]
fn a_full_room_takes_nobody_new_but_its_own_members_back() {
    let mut world = world_with(|limits| limits.members_max = 2);
    world.join(2);
    let reject = world.run(&join(caller(3))).expect_err("refused");
    assert_eq!((reject.code, reject.limit), (RejectCode::RoomFull, Some(2)));
    world.run(&join(later(2, 2))).expect("attached");
}

#[test]
fn joining_twice_is_already_member() {
    let mut world = world();
    assert_eq!(world.reject(&join(caller(1))), RejectCode::AlreadyMember);
}

#[test]
fn the_same_identity_attaches_to_its_member_with_its_nick() {
    let mut world = world();
    let first = entered(&world.run(&join(known(2, "bob"))).expect("joined"));
    let decision = world.run(&join(known(3, "bob"))).expect("attached");
    assert_eq!((kinds(&decision), entered(&decision).entry), (vec![], Entry::Attached));
    assert_eq!(entered(&decision).member, first.member);
    assert_eq!(world.room.member(first.member).map(|bob| bob.nick.as_str()), Some("P2"));
    assert_eq!(world.room.sessions_of(first.member).as_slice(), [SessionId::new(2), SessionId::new(3)]);
    assert_eq!(world.room.online(), 2, "two people on three sessions");
}

#[test]
fn a_member_has_only_so_many_sessions_attached() {
    let mut world = world_with(|limits| limits.attachments_max = 2);
    world.run(&join(known(2, "bob"))).expect("joined");
    world.run(&join(known(3, "bob"))).expect("attached");
    let attach = Input::Attach { by: known(4, "bob"), after: None };
    assert_eq!(world.reject(&join(known(4, "bob"))), RejectCode::TooManyAttachments);
    assert_eq!(world.reject(&attach), RejectCode::TooManyAttachments);
    let again = Caller { generation: Generation(2), ..known(3, "bob") };
    world.run(&join(again)).expect("a session replaces itself");
    world.detach(2);
    world.run(&attach).expect("a lost connection takes no place");
    assert_eq!(world.room.sessions_of(MemberId(2)).as_slice(), [SessionId::new(3), SessionId::new(4)]);
}

#[test]
fn attaching_needs_a_membership() {
    let mut world = world();
    assert_eq!(world.reject(&Input::Attach { by: caller(2), after: None }), RejectCode::NotMember);
}

#[test]
fn an_older_generation_does_not_come_back() {
    let mut world = world();
    world.run(&Input::Attach { by: later(1, 3), after: None }).expect("attached");
    assert_eq!(world.reject(&Input::Attach { by: later(1, 2), after: None }), RejectCode::NotMember);
    assert_eq!(world.reject(&join(later(1, 2))), RejectCode::NotMember);
}

#[test]
fn a_resume_goes_on_from_its_position_without_a_history() {
    let mut world = world();
    for text in ["one", "two", "three", "four", "five"] {
        world.send(1, text);
    }
    let after = world.here(4);
    let decision = world.run(&Input::Attach { by: later(1, 2), after }).expect("attached");
    assert_eq!(kinds(&decision), []);
    let resumed = entered(&decision);
    assert_eq!((resumed.from, resumed.entry, resumed.history), (Seq(4), Entry::Continued, HistorySlice::default()));
}

#[test]
fn a_position_of_an_earlier_membership_shows_the_room_and_leaves_nothing_out() {
    let mut world = world();
    world.join(2);
    world.send(1, "one");
    world.leave(2);
    world.join(2);
    let resumed = |world: &mut World, generation, seq| {
        let after = world.here(seq);
        let back = entered(&world.run(&Input::Attach { by: later(2, generation), after }).expect("attached"));
        (back.member, back.from, back.entry)
    };
    assert_eq!(resumed(&mut world, 2, 3), (MemberId(2), Seq(3), Entry::Attached), "a message of the first stay");
    assert_eq!(resumed(&mut world, 3, 4), (MemberId(2), Seq(4), Entry::Attached), "the end of the first stay");
    assert_eq!(resumed(&mut world, 4, 5), (MemberId(2), Seq(5), Entry::Continued), "the beginning of the second");
}

#[test]
fn where_joins_are_not_told_a_position_before_the_first_event_may_be_of_an_earlier_membership() {
    let mut world = world_with(|limits| limits.notices_members_max = 1);
    world.join(2);
    let head = world.room.head();
    world.leave(2);
    world.join(2);
    let entry = |world: &mut World, generation, seq: Seq| {
        let after = world.here(seq.0);
        entered(&world.run(&Input::Attach { by: later(2, generation), after }).expect("attached")).entry
    };
    let silent = world.room.head();
    assert_eq!(entry(&mut world, 2, silent), Entry::Attached, "nothing was told since: either stay may be meant");
    world.send(1, "one");
    assert!(world.room.head() > head);
    assert_eq!(entry(&mut world, 3, silent.next()), Entry::Continued);
}

#[test]
fn a_position_is_clamped_to_what_the_member_may_see() {
    let mut world = world();
    world.send(1, "before");
    world.join(2);
    world.send(1, "after");
    let from = |world: &mut World, generation, seq| {
        let after = world.here(seq);
        entered(&world.run(&join_after(later(2, generation), after)).expect("attached")).from
    };
    assert_eq!(from(&mut world, 2, 0), Seq(3), "not before the own join");
    assert_eq!(from(&mut world, 3, 99), Seq(4), "past the head: as if none were named");
}

#[test]
fn a_position_of_another_life_is_no_position() {
    let mut world = world();
    world.send(1, "hi");
    let after = Some(Position { epoch: Epoch(1), seq: Seq(1) });
    let fresh = entered(&world.run(&Input::Attach { by: later(1, 2), after }).expect("attached"));
    assert_eq!((fresh.from, numbers(&fresh.history.seqs)), (Seq(2), vec![2]));
}

#[test]
fn who_left_comes_back_to_their_place() {
    let mut world = world();
    world.join(2);
    world.send(1, "one");
    world.leave(2);
    world.send(1, "two");
    let after = world.here(3);
    let decision = world.run(&join_after(caller(2), after)).expect("joined");
    assert_eq!(kinds(&decision), [("joined", Some(6))]);
    let back = entered(&decision);
    assert_eq!((back.member, back.from, back.entry), (MemberId(2), Seq(3), Entry::Joined));
    assert_eq!(back.history, HistorySlice::default());
    assert_eq!(world.room.member(back.member).map(|bob| bob.joined), Some(Seq(2)), "later resumes reach back too");
}

#[test]
fn who_comes_back_has_their_number_and_colour_again_under_whatever_name() {
    let mut world = world();
    world.run(&join(known(2, "bob"))).expect("joined");
    (3..=5).for_each(|session| drop(world.join(session)));
    world.run(&Input::Leave { by: known(2, "bob") }).expect("left");
    world.join(6);
    let back =
        Input::Join { by: known(7, "bob"), nick: nick("Robert"), data: None, history: None, after: None, secret: None };
    let member = entered(&world.run(&back).expect("joined, on another device")).member;
    let bob = world.room.member(member).expect("a member");
    assert_eq!((bob.id, bob.color.0, bob.nick.as_str()), (MemberId(2), 1, "Robert"));
    assert_eq!(world.members(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn who_was_put_out_is_a_new_person() {
    let mut world = world();
    world.join(2);
    let said = world.send(2, "one");
    world.run(&Input::Kick { by: actor(1), member: MemberId(2) }).expect("kicked");
    assert_eq!(world.join(2).member, MemberId(3));
    let redact = Input::Redact { by: actor(2), target: said, evidence: None };
    assert_eq!(world.reject(&redact), RejectCode::Forbidden);
}

#[test]
fn a_place_is_clamped_between_the_first_join_and_the_new_one() {
    // One past the head is of something that was lost, and no position.
    for (seq, from) in [(0, 2), (3, 3), (99, 4)] {
        let mut world = world();
        world.join(2);
        world.leave(2);
        let after = world.here(seq);
        assert_eq!(entered(&world.run(&join_after(caller(2), after)).expect("joined")).from, Seq(from));
    }
}

#[test]
fn a_place_is_lost_by_a_kick_and_by_too_many_who_left_later() {
    let mut world = world_with(|limits| limits.former_max = 1);
    let joined_at = |world: &mut World, session| {
        let after = world.here(0);
        let entered = entered(&world.run(&join_after(caller(session), after)).expect("joined"));
        (entered.from, world.room.head())
    };
    world.join(2);
    world.run(&Input::Kick { by: actor(1), member: MemberId(2) }).expect("kicked");
    assert_eq!(joined_at(&mut world, 2), (Seq(4), Seq(4)), "a fresh join");
    world.join(3);
    world.leave(2);
    world.leave(3);
    assert_eq!(joined_at(&mut world, 2), (Seq(8), Seq(8)), "forgotten when the next one left");
    assert_eq!(joined_at(&mut world, 3), (Seq(5), Seq(9)), "the last one is remembered");
}

#[test]
fn a_ban_lifts_no_other() {
    let mut world = world();
    (2..=3).for_each(|session| drop(world.join(session)));
    for member in [2, 3] {
        world.run(&Input::Ban { by: actor(1), member: MemberId(member), terms: BanTerms::default() }).expect("banned");
    }
    assert_eq!([2, 3].map(|session| world.reject(&join(caller(session)))), [RejectCode::Banned; 2]);
}

#[test]
fn joins_are_quiet_in_a_big_room_and_the_crossing_is_told() {
    let mut world = world_with(|limits| limits.notices_members_max = 2);
    world.join(2);
    let crossing = world.run(&join(caller(3))).expect("joined");
    assert_eq!(kinds(&crossing), [("joined", Some(3)), ("notices_changed", Some(4))]);
    assert_eq!(entered(&crossing).from, Seq(3), "the joiner is told of the crossing");
    assert_eq!(world.room.notices(), Notices::Counted);
    let quiet = world.run(&join(caller(4))).expect("joined");
    assert_eq!(kinds(&quiet), [("joined", None)]);
    assert_eq!((entered(&quiet).from, world.room.head()), (Seq(4), Seq(4)));
    assert_eq!(world.room.member(MemberId(4)).map(|member| member.joined), Some(Seq(4)));
}

/// As long as a program lives on the log that would not read it.
#[test]
fn nothing_is_written_that_another_program_cannot_read() {
    let mut world = no_life(|limits| limits.newcomers_see = crate::NewcomersSee::Nothing);
    world.room.write_up_to(RecordVersion::FIRST);
    world.create(1, EPOCH);
    world.join(2);
    world.leave(2);
    world.room.write_up_to(RecordVersion::LATEST);
    assert_eq!(world.join(2).member, MemberId(2), "the place was remembered all the same");
    world.leave(2);
    let (head, floor) = (world.room.head(), world.join(3).member);
    assert_eq!(world.room.member(floor).map(|cid| cid.sees), Some(head));
    world.leave(3);
    world.room.write_up_to(RecordVersion::FIRST);
    let again = world.join(3).member;
    assert_eq!(again, MemberId(4), "a number of its own");
    assert_eq!(world.room.member(again).map(|cid| cid.sees), Some(head), "and no floor is lost");
    let versions: Vec<u32> = world.log.iter().map(|record| record.version().0).collect();
    assert_eq!(versions, [1, 1, 1, 1, 2, 1, 2, 1, 1]);
}
