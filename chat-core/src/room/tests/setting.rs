//! What is set for a room: merged, told whole, and what it keeps whom from.

use std::time::Duration;

use super::*;
use crate::domain::{RecordVersion, RoomCloseReason, Settings, SettingsChange};
use crate::types::{NewcomersSee, SecretHash};

type Change = SettingsChange<SecretHash>;

fn settings(by: Actor, change: Change) -> Input {
    Input::Settings { by, change }
}

/// What the owner changes.
fn set(world: &mut World, change: Change) -> Decision {
    world.run(&settings(actor(1), change)).expect("she owns it")
}

fn change() -> Change {
    SettingsChange::new()
}

fn with_secret(by: Caller, secret: u128) -> Input {
    let nick = nick(&format!("P{}", by.session.bits()));
    Input::Join { by, nick, data: None, history: None, after: None, secret: Some(SecretHash::from_bits(secret)) }
}

fn history(world: &mut World, session: u128) -> Vec<u64> {
    let asked = Input::History { by: Actor::Member(caller(session)), anchor: HistoryAnchor::Newest, limit: None };
    let Answer::History(slice) = world.run(&asked).expect("a member reads").answer else { panic!("no history") };
    numbers(&slice.seqs)
}

#[test]
fn a_change_is_merged_and_told_whole_and_no_change_is_answered_without_an_event() {
    let mut world = world();
    assert!(world.room.settings().is_default());
    let first = set(&mut world, change().slow_ms(5_000).locked(true));
    assert_eq!(kinds(&first), [("settings_changed", Some(2))]);
    assert_eq!(first.answer, Answer::Done { seq: Seq(2) });
    set(&mut world, change().locked(false).history(NewcomersSee::Last(3)));
    let told = &world.log.last().expect("a record").event;
    let whole = Settings::default().with(&change().slow_ms(5_000).history(NewcomersSee::Last(3)));
    assert_eq!(*told, Event::SettingsChanged { settings: whole });
    assert_eq!(*world.room.settings(), whole);
    for nothing in [change(), change().slow_ms(5_000), change().secret(None).listed(false)] {
        let decision = set(&mut world, nothing);
        assert_eq!((decision.records.len(), decision.answer), (0, Answer::Done { seq: Seq(3) }));
    }
    world.run(&Input::Close { cause: RoomCloseReason::Host }).expect("closed");
    world.create(1, Epoch(78));
    assert!(world.room.settings().is_default(), "another life");
}

#[test]
fn those_who_moderate_set_and_nobody_else() {
    let mut world = world();
    world.join(2);
    assert_eq!(world.reject(&settings(actor(2), change().locked(true))), RejectCode::Forbidden);
    assert_eq!(world.reject(&settings(actor(3), change())), RejectCode::NotMember);
    world.set_role(actor(1), 2, Role::Moderator);
    world.run(&settings(actor(2), change().slow_ms(5))).expect("he moderates");
    let refused = world.run(&settings(actor(2), change().slow_ms(6).history(NewcomersSee::All))).expect_err("hers");
    assert_eq!((refused.code, refused.field), (RejectCode::Forbidden, Some("history")));
    assert_eq!(world.room.settings().slow_ms, 5, "nothing of it is done");
    assert_eq!(kinds(&world.run(&settings(Actor::Host, change().listed(true))).expect("the host")).len(), 1);
    let refused = world.run(&settings(Actor::Host, change().slow_ms(6 * 3_600_000 + 1))).expect_err("too slow");
    assert_eq!((refused.code, refused.field, refused.limit), (RejectCode::TooLong, Some("slow_ms"), Some(21_600_000)));
    set(&mut world, change().slow_ms(6 * 3_600_000));
}

#[test]
fn where_later_records_may_not_be_written_nothing_is_set() {
    let mut world = world();
    world.room.write_up_to(RecordVersion::FIRST);
    let refused = world.run(&settings(actor(1), change().locked(true))).expect_err("not yet");
    assert_eq!((refused.code, refused.retry_after.is_some()), (RejectCode::Unavailable, true));
}

#[test]
fn into_a_locked_room_comes_who_has_a_membership_or_a_place() {
    let mut world = world();
    [2, 3, 4].iter().for_each(|&session| drop(world.join(session)));
    world.leave(2);
    world.detach(3);
    world.run(&Input::Kick { by: actor(1), member: MemberId(4) }).expect("hers");
    set(&mut world, change().locked(true));
    for newcomer in [caller(5), later(4, 2)] {
        assert_eq!(world.reject(&join(newcomer)), RejectCode::RoomLocked);
    }
    // Nobody who is not let in learns who is inside.
    let same = Input::Join { by: caller(5), nick: nick("Ann"), data: None, history: None, after: None, secret: None };
    assert_eq!(world.reject(&same), RejectCode::RoomLocked);
    assert_eq!(entered(&world.run(&join(later(2, 2))).expect("their place")).member, MemberId(2));
    assert_eq!(entered(&world.run(&join(later(3, 2))).expect("a member")).entry, Entry::Attached);
    set(&mut world, change().locked(false));
    world.join(5);
}

#[test]
fn newcomers_show_the_secret_and_who_comes_back_needs_none() {
    let mut world = world();
    [2, 3].iter().for_each(|&session| drop(world.join(session)));
    world.leave(2);
    world.detach(3);
    set(&mut world, change().secret(Some(SecretHash::from_bits(7))));
    let refused = world.run(&join(caller(5))).expect_err("none was shown");
    assert_eq!((refused.code, refused.field), (RejectCode::SecretWrong, Some("secret")));
    assert_eq!(refused.message, "the room asks newcomers for a secret");
    let refused = world.run(&with_secret(caller(5), 8)).expect_err("another was shown");
    assert_eq!((refused.code, refused.field), (RejectCode::SecretWrong, Some("secret")));
    assert_eq!(refused.message, "the room asks newcomers for a secret, and this is not it");
    world.run(&with_secret(caller(5), 7)).expect("the right one");
    world.run(&join(later(2, 2))).expect("their place");
    world.run(&Input::Attach { by: later(3, 2), after: None }).expect("a resume");
    set(&mut world, change().secret(None));
    world.run(&with_secret(caller(6), 8)).expect("none is asked for, whatever is shown");
}

#[test]
fn in_a_room_that_is_read_only_those_who_moderate_speak() {
    let mut world = world();
    world.join(2);
    world.run(&keyed(2, "k", "said before")).expect("sent");
    set(&mut world, change().read_only(true));
    assert_eq!(world.reject(&send(2, "hi")), RejectCode::ReadOnly);
    assert_eq!(world.reject(&keyed(2, "other", "hi")), RejectCode::ReadOnly);
    let again = world.run(&keyed(2, "k", "said before")).expect("a retry says nothing");
    assert!(matches!(again.answer, Answer::Sent { repeated: Repeated::Retry, .. }));
    world.send(1, "hers");
    set(&mut world, change().read_only(false));
    world.send(2, "hi");
}

#[test]
fn in_a_room_that_is_read_only_nobody_is_shown_to_type_who_may_not_speak() {
    let mut world = world();
    [2, 3].iter().for_each(|&session| drop(world.join(session)));
    world.set_role(actor(1), 3, Role::Moderator);
    [1, 2, 3].iter().for_each(|&session| world.type_on(session));
    set(&mut world, change().read_only(true));
    assert_eq!(world.room.typing(), [MemberId(1), MemberId(3)]);
    let typing = |state| Input::Typing { by: caller(2), state };
    assert_eq!(world.reject(&typing(TypingState::On)), RejectCode::ReadOnly);
    world.run(&typing(TypingState::Off)).expect("to stop is to say nothing");
    world.set_role(actor(1), 3, Role::Member);
    assert_eq!(world.room.typing(), [MemberId(1)]);
    set(&mut world, change().read_only(false));
    world.type_on(2);
}

#[test]
fn slow_mode_lets_each_member_say_one_thing_in_a_while() {
    let mut world = world();
    [2, 3].iter().for_each(|&session| drop(world.join(session)));
    world.send(2, "before it is slow");
    set(&mut world, change().slow_ms(5_000));
    let first = world.run(&keyed(2, "k", "first")).expect("the first");
    world.pass(1_000);
    let refused = world.run(&send(2, "second")).expect_err("too soon");
    assert_eq!((refused.code, refused.retry_after), (RejectCode::RateLimited, Some(Duration::from_secs(4))));
    let again = world.run(&keyed(2, "k", "first")).expect("a retry is answered");
    let seq_of = |decision: &Decision| match decision.answer {
        Answer::Sent { seq, .. } => seq,
        _ => panic!("not sent"),
    };
    assert_eq!(seq_of(&again), seq_of(&first));
    world.send(3, "somebody else");
    for _ in 0..3 {
        world.send(1, "who moderates is never slowed");
    }
    world.pass(3_999);
    assert_eq!(world.reject(&send(2, "second")), RejectCode::RateLimited);
    world.pass(1);
    world.send(2, "second");
    set(&mut world, change().slow_ms(0));
    world.send(2, "third");
    set(&mut world, change().slow_ms(5_000));
    world.send(2, "what was said while it was not slow is not counted");
}

/// What a retry would be refused for is looked at after the key.
#[test]
fn who_may_not_send_yet_is_told_how_long_slow_mode_lasts() {
    let mut world = world();
    world.join(2);
    set(&mut world, change().slow_ms(5_000));
    world.send(2, "first");
    let permit = SendPermit::Exhausted { retry_after: Duration::from_millis(200) };
    let input = Input::Send { by: caller(2), said: body("x").into(), as_sent: None, key: Key::parse("k").ok(), permit };
    assert_eq!(world.run(&input).expect_err("both").retry_after, Some(Duration::from_secs(5)));
}

#[test]
fn who_leaves_and_comes_back_does_not_escape_slow_mode_and_nor_does_a_restart() {
    let mut world = world();
    world.join(2);
    set(&mut world, change().slow_ms(60_000));
    world.send(2, "first");
    world.leave(2);
    world.run(&join(later(2, 2))).expect("their place");
    let input = |generation| Input::Send {
        by: later(2, generation),
        said: body("x").into(),
        as_sent: None,
        key: None,
        permit: SendPermit::Paid,
    };
    assert_eq!(world.reject(&input(2)), RejectCode::RateLimited);
    let stored = serde_json::to_string(&Snapshot::from(world.room.ledger().clone())).expect("it can be stored");
    let read = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it is read"));
    world.room = Room::from_ledger(read, Arc::new(RoomLimits::default()));
    world.note(Note::Recovered);
    assert_eq!(world.room.settings().slow_ms, 60_000);
    world.run(&join(later(2, 3))).expect("a member");
    assert_eq!(world.reject(&input(3)), RejectCode::RateLimited);
    world.run(&Input::Kick { by: Actor::Host, member: MemberId(2) }).expect("the host");
    world.run(&join(later(2, 4))).expect("as somebody new");
    world.run(&input(4)).expect("under a new number nothing was said yet");
}

#[test]
fn what_the_room_remembers_for_slow_mode_is_bounded() {
    let mut world = world_with(|limits| limits.slowed_max = 2);
    [2, 3, 4].iter().for_each(|&session| drop(world.join(session)));
    set(&mut world, change().slow_ms(60_000));
    for session in [2, 3, 4] {
        world.send(session, "hi");
        world.pass(10);
    }
    assert_eq!(world.reject(&send(4, "again")), RejectCode::RateLimited);
    world.send(2, "who has been silent for longest is forgotten");
}

#[test]
fn newcomers_see_what_the_room_says_and_who_is_there_sees_what_they_saw() {
    let mut world = world();
    world.join(2);
    for seq in 3..=5 {
        assert_eq!(world.send(1, "hi"), Seq(seq));
    }
    set(&mut world, change().history(NewcomersSee::Last(2)));
    world.join(3);
    assert_eq!(history(&mut world, 3), [4, 5]);
    set(&mut world, change().history(NewcomersSee::Nothing));
    world.join(4);
    world.send(1, "now");
    assert_eq!(history(&mut world, 4), [10]);
    assert_eq!(history(&mut world, 2), [3, 4, 5, 10], "for who was there nothing changes");
    world.leave(3);
    world.run(&join(later(3, 2))).expect("their place");
    let asked = Input::History { by: Actor::Member(later(3, 2)), anchor: HistoryAnchor::Newest, limit: None };
    let Answer::History(slice) = world.run(&asked).expect("a member reads").answer else { panic!("no history") };
    assert_eq!(numbers(&slice.seqs), [4, 5, 10], "a floor is for as long as the place is remembered");
    set(&mut world, change().history(NewcomersSee::All));
    world.join(5);
    assert_eq!(history(&mut world, 5), [3, 4, 5, 10]);
}

#[test]
fn what_newcomers_see_overrides_the_limits() {
    let mut world = world_with(|limits| limits.newcomers_see = NewcomersSee::Nothing);
    world.send(1, "hi");
    world.join(2);
    assert_eq!(history(&mut world, 2), [0; 0]);
    set(&mut world, change().history(NewcomersSee::All));
    world.join(3);
    assert_eq!(history(&mut world, 3), [2]);
}

/// Its join could not say what it does not see: it would see everything.
#[test]
fn where_a_floor_cannot_be_written_nobody_new_gets_into_a_room_that_has_one() {
    let mut world = world();
    set(&mut world, change().history(NewcomersSee::Nothing));
    world.room.write_up_to(RecordVersion::FIRST);
    assert_eq!(world.reject(&join(caller(2))), RejectCode::Unavailable);
    world.room.write_up_to(RecordVersion::LATEST);
    world.join(2);
}

/// As it was first stored. The file is never changed: what it was made from is on somebody's disk.
#[test]
fn what_is_set_is_stored_as_it_ever_was() {
    let mut world = world_with(|limits| limits.slowed_max = 7);
    world.join(2);
    let secret = SecretHash::from_bits(0xF00D << 64 | 0xBEEF);
    set(&mut world, change().slow_ms(5_000).locked(true).secret(Some(secret)).history(NewcomersSee::Last(3)));
    world.send(2, "hi");
    let stored = include_str!("../fixtures/snapshot-2-settings.json").trim_end();
    let written = serde_json::to_value(Snapshot::from(world.room.ledger().clone())).expect("it can be stored");
    let once: serde_json::Value = serde_json::from_str(stored).expect("it is JSON");
    for field in ["settings", "slowed"] {
        assert_eq!(written["ledger"][field], once["ledger"][field]);
    }
    let read = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it is read"));
    assert_eq!(read.settings(), world.room.settings());
    assert_eq!(read.spoke_last(MemberId(2)), Some(world.now.wall));
}
