//! Who is attached, graces, typing, and what a late word of an older connection does: nothing.

use std::time::Duration;

use super::*;

fn attach(session: u128, generation: u64, member: u32) -> Note {
    Note::Attached {
        session: SessionId::new(session),
        generation: Generation(generation),
        member: MemberId(member),
        network: None,
    }
}

fn detach(session: u128, generation: u64) -> Note {
    Note::Detached { session: SessionId::new(session), generation: Generation(generation) }
}

fn typing(world: &World) -> Vec<u32> {
    world.room.typing().into_iter().map(|member| member.0).collect()
}

#[test]
fn a_lost_connection_is_a_leave_only_after_the_grace() {
    let mut world = world();
    world.join(2);
    world.detach(2);
    assert_eq!((world.room.online(), world.room.members_total()), (1, 2));
    assert_eq!(world.room.vacancy(), None, "somebody is here");
    assert_eq!(world.room.next_deadline(), Some(world.now.mono.after(Duration::from_secs(30))));
    assert_eq!(world.pass(29_999), []);
    assert_eq!(world.pass(1), [("left", Some(3))]);
    let left = world.log.last().expect("a leave");
    let Event::Left { nick, reason, .. } = &left.event else { panic!("not a leave") };
    assert_eq!((left.by, nick.as_str(), *reason), (Some(MemberId(2)), "P2", crate::LeaveReason::Timeout));
}

#[test]
fn a_resume_within_the_grace_tells_nobody_anything() {
    let mut world = world();
    world.join(2);
    world.detach(2);
    world.pass(20_000);
    let resumed = world.run(&Input::Attach { by: later(2, 2), after: None }).expect("attached");
    assert_eq!((kinds(&resumed), world.room.next_deadline()), (vec![], None));
    assert_eq!(world.pass(60_000), []);
}

#[test]
fn graces_run_out_one_at_a_time_the_earliest_first() {
    let mut world = world();
    (2..=4).for_each(|session| drop(world.join(session)));
    world.detach(4);
    world.now.mono = Mono(world.now.mono.0 + 5);
    world.detach(3);
    world.detach(2);
    world.now.mono = world.now.mono.after(Duration::from_secs(60));
    let mut left = Vec::new();
    while world.room.next_deadline().is_some_and(|due| due <= world.now.mono) {
        let decision = world.run(&Input::Elapsed).expect("decided");
        assert_eq!(kinds(&decision).len(), 1);
        left.extend(decision.records.iter().filter_map(|record| record.by));
    }
    assert_eq!(left, [MemberId(4), MemberId(2), MemberId(3)]);
}

#[test]
fn an_owner_who_times_out_last_takes_the_room_along() {
    let mut world = world();
    world.join(2);
    world.detach(1);
    world.detach(2);
    let expected = [("left", Some(3)), ("left", Some(4)), ("closed", None)];
    assert_eq!(world.pass(30_000), expected);
}

#[test]
fn a_stepped_wall_clock_expires_nobody() {
    let mut world = world();
    world.detach(1);
    world.now.wall = Wall(u64::MAX);
    assert_eq!(world.settle(), []);
    assert_eq!(world.run(&Input::Elapsed).map(|decision| decision.records.len()), Ok(0));
}

#[test]
fn the_grace_starts_when_the_last_session_is_lost() {
    let mut world = world();
    world.run(&join(known(2, "bob"))).expect("joined");
    world.run(&join(known(3, "bob"))).expect("attached");
    world.detach(2);
    assert_eq!((world.room.online(), world.room.next_deadline()), (2, None));
    world.detach(3);
    world.pass(10_000);
    world.detach(3);
    assert_eq!(world.pass(20_000), [("left", Some(3))], "a second word of the same loss starts nothing anew");
}

#[test]
fn what_an_older_generation_says_late_is_ignored() {
    let mut world = world();
    world.note(attach(1, 3, 1));
    world.note(detach(1, 2));
    assert_eq!(world.room.member_of(&later(1, 3)), Some(MemberId(1)));
    world.note(attach(1, 2, 1));
    assert_eq!(world.room.member_of(&later(1, 2)), None);
    world.note(detach(1, 3));
    world.note(attach(1, 2, 1));
    assert_eq!(world.room.online(), 0, "remembered while detached, too");
    world.note(attach(1, 4, 1));
    assert_eq!((world.room.online(), world.room.next_deadline()), (1, None));
}

#[test]
fn notes_that_do_not_fit_are_ignored() {
    let mut world = world_with(|limits| limits.attachments_max = 1);
    world.note(attach(5, 1, 9));
    world.note(detach(5, 1));
    world.note(attach(6, 1, 1));
    world.note(Note::Typing { member: MemberId(9), state: TypingState::On });
    assert_eq!(world.room.sessions_of(MemberId(1)).as_slice(), [SessionId::new(1)]);
    assert_eq!((world.room.sessions_of(MemberId(9)).len(), typing(&world)), (0, vec![]));
    world.join(2);
    world.detach(2);
    world.note(Note::Typing { member: MemberId(2), state: TypingState::On });
    assert!(typing(&world).is_empty(), "whose connection was lost in the meantime");
}

#[test]
fn who_is_online_has_a_session_attached() {
    let mut world = world();
    world.join(2);
    world.detach(2);
    let online = [1, 2, 9].map(|member| world.room.is_online(MemberId(member)));
    assert_eq!(online, [true, false, false]);
}

#[test]
fn a_session_may_come_back_with_the_generation_it_was_lost_with() {
    let mut world = world();
    world.detach(1);
    world.run(&Input::Attach { by: caller(1), after: None }).expect("attached");
    assert_eq!((world.room.online(), world.room.next_deadline()), (1, None));
}

#[test]
fn sessions_lost_longest_are_forgotten_when_the_place_is_needed() {
    let mut world = world_with(|limits| limits.attachments_max = 2);
    world.note(attach(2, 5, 1));
    world.detach(1);
    world.note(attach(3, 1, 1));
    assert_eq!(world.room.sessions_of(MemberId(1)).as_slice(), [SessionId::new(2), SessionId::new(3)]);
    world.note(attach(4, 1, 1));
    assert_eq!(world.room.sessions_of(MemberId(1)).len(), 2, "who is attached is not pushed out");
}

#[test]
fn a_session_that_attaches_as_somebody_else_has_left_the_first_one() {
    let mut world = world();
    world.join(2);
    world.note(attach(2, 2, 1));
    assert_eq!(world.room.sessions_of(MemberId(1)).as_slice(), [SessionId::new(1), SessionId::new(2)]);
    assert_eq!(world.pass(30_000), [("left", Some(3))]);
}

#[test]
fn a_recovered_room_gives_everybody_a_grace() {
    let mut world = world();
    world.join(2);
    world.room = Room::from_ledger(world.room.ledger().clone(), Arc::clone(&world.room.limits));
    assert_eq!((world.room.online(), world.reject(&send(1, "hi"))), (0, RejectCode::NotMember));
    world.note(Note::Recovered);
    world.pass(29_999);
    world.run(&Input::Attach { by: later(1, 2), after: None }).expect("attached");
    assert_eq!(world.pass(1), [("left", Some(3))]);
    assert_eq!((world.members(), world.pass(60_000)), (vec![1], vec![]));
}

#[test]
fn a_room_read_back_and_never_noted_finds_its_own_graces() {
    let mut world = world();
    world.room = Room::from_ledger(world.room.ledger().clone(), Arc::clone(&world.room.limits));
    assert_eq!(world.settle(), []);
    assert_eq!(world.room.next_deadline(), Some(world.now.mono.after(Duration::from_secs(30))));
}

#[test]
fn an_exit_before_the_first_note_takes_nobody_elses_grace_along() {
    let mut world = world();
    (2..=3).for_each(|session| drop(world.join(session)));
    world.room = Room::from_ledger(world.room.ledger().clone(), Arc::clone(&world.room.limits));
    world.run(&Input::Kick { by: Actor::Host, member: MemberId(2) }).expect("kicked");
    assert_eq!(world.settle(), []);
    let expected = [("left", Some(5)), ("left", Some(6)), ("closed", None)];
    assert_eq!(world.pass(30_000), expected);
}

#[test]
fn a_recovery_starts_the_graces_that_run_anew() {
    let mut world = world();
    world.join(2);
    world.detach(2);
    world.pass(20_000);
    world.note(Note::Recovered);
    assert_eq!(world.pass(29_999), []);
    assert_eq!(world.pass(1), [("left", Some(3))]);
}

#[test]
fn who_asks_before_anything_is_due_has_nothing_to_note() {
    let mut world = world();
    world.type_on(1);
    let early = world.run(&Input::Elapsed).expect("decided");
    assert_eq!((kinds(&early), early.note), (vec![], None));
    world.now.mono = world.now.mono.after(Duration::from_secs(6));
    let due = world.run(&Input::Elapsed).expect("decided");
    assert_eq!((kinds(&due), due.note, typing(&world)), (vec![], Some(Note::Elapsed), vec![]));
}

#[test]
fn a_member_nobody_ever_attached_as_is_within_a_grace() {
    let mut world = world();
    let decision = world.room.decide(world.now, &join(caller(2))).expect("decided");
    decision.records.iter().for_each(|record| world.room.apply(world.now, record));
    world.settle();
    assert_eq!(world.pass(30_000), [("left", Some(3))]);
}

#[test]
fn typing_is_shown_until_it_runs_out() {
    let mut world = world();
    world.join(2);
    world.type_on(2);
    world.type_on(1);
    assert_eq!(typing(&world), [1, 2]);
    world.pass(3_000);
    world.type_on(2);
    world.pass(3_000);
    assert_eq!(typing(&world), [2], "renewed");
    assert_eq!((world.pass(3_000), typing(&world)), (vec![], vec![]));
    assert_eq!(world.room.next_deadline(), None);
}

#[test]
fn typing_is_never_recorded() {
    let mut world = world();
    let decision = world.run(&Input::Typing { by: caller(1), state: TypingState::On }).expect("typing");
    assert_eq!((kinds(&decision), decision.answer), (vec![], Answer::Nothing));
    world.run(&Input::Typing { by: caller(1), state: TypingState::Off }).expect("typing");
    assert!(typing(&world).is_empty());
}

#[test]
fn a_send_a_leave_and_a_lost_connection_end_typing() {
    let mut world = world();
    (2..=3).for_each(|session| drop(world.join(session)));
    (1..=3).for_each(|session| world.type_on(session));
    let sent = world.run(&send(1, "hi")).expect("sent");
    assert_eq!(sent.note, Some(Note::Typing { member: MemberId(1), state: TypingState::Off }));
    world.leave(2);
    assert_eq!(typing(&world), [3]);
    world.detach(3);
    assert!(typing(&world).is_empty());
    assert_eq!(
        world.run(&send(1, "hi")).map(|decision| decision.note),
        Ok(None),
        "nothing to note for who is not typing"
    );
}

#[test]
fn a_crowd_of_typists_is_cut_to_the_lowest_numbers() {
    let mut world = world_with(|limits| limits.typing_members_max = 2);
    (2..=4).for_each(|session| drop(world.join(session)));
    (1..=4).rev().for_each(|session| world.type_on(session));
    assert_eq!(typing(&world), [1, 2]);
    world.leave(1);
    assert_eq!(typing(&world), [2, 3], "the others were remembered");
}
