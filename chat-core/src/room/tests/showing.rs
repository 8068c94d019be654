//! What members show: messages that grow, and signals. What ends each, and what is refused.

use super::*;
use crate::RoomCloseReason;
use crate::domain::SettingsChange;
use crate::types::{SignalData, SignalName};

fn live(session: u128, target: u64, text: impl Into<Option<&'static str>>) -> Input {
    Input::Live { by: caller(session), target: Seq(target), text: text.into().map(body) }
}

fn signal(session: u128, name: &str, data: impl Into<Option<&'static str>>) -> Input {
    let name = SignalName::parse(name).expect("a valid name");
    let data = data.into().map(|json| SignalData::parse(json).expect("valid data"));
    Input::Signal { by: caller(session), name, data }
}

fn read_only(is_so: bool) -> Input {
    Input::Settings { by: actor(1), change: SettingsChange::new().read_only(is_so) }
}

fn growing(world: &World) -> Vec<(u32, u64, String)> {
    let texts = world.room.live_texts().iter();
    texts.map(|live| (live.member.0, live.target.0, live.text.as_str().to_owned())).collect()
}

fn shown(world: &World) -> Vec<(u32, String, String)> {
    let signals = world.room.signals().iter();
    signals.map(|s| (s.member.0, s.name.to_string(), s.data.as_str().to_owned())).collect()
}

/// Ann, who has made the room, and Bob have each said something: she at 3, he at 4. Both of it grows.
fn talk() -> World {
    let mut world = world();
    world.join(2);
    world.send(1, "a");
    world.send(2, "b");
    world.run(&live(1, 3, "ab")).expect("her own");
    world.run(&live(2, 4, "bc")).expect("his own");
    world
}

#[test]
fn a_message_of_ones_own_grows_and_nothing_is_recorded() {
    let mut world = talk();
    assert_eq!(growing(&world), [(1, 3, "ab".into()), (2, 4, "bc".into())]);
    let told = world.room.live_revision();
    let decision = world.run(&live(1, 3, "abc")).expect("it grows");
    assert_eq!((kinds(&decision), decision.answer), (vec![], Answer::Nothing));
    assert_eq!(growing(&world), [(1, 3, "abc".into()), (2, 4, "bc".into())]);
    assert_ne!(world.room.live_revision(), told);
    let told = world.room.live_revision();
    world.run(&live(1, 3, "abc")).expect("said again");
    assert_eq!(world.room.live_revision(), told, "there is nothing to tell");
    assert_eq!(world.log.len(), 5);
}

#[test]
fn of_one_member_one_message_grows_and_a_new_one_takes_its_place() {
    let mut world = talk();
    let next = world.send(1, "next");
    world.run(&live(1, next.0, "next one")).expect("her own");
    assert_eq!(growing(&world), [(1, 5, "next one".into()), (2, 4, "bc".into())]);
    world.run(&live(1, 3, None)).expect("nothing to end any more");
    assert_eq!(growing(&world).len(), 2);
    world.run(&live(1, 5, None)).expect("ended");
    assert_eq!(growing(&world), [(2, 4, "bc".into())]);
}

#[test]
fn nobody_grows_what_is_not_theirs_or_was_taken_back() {
    let mut world = talk();
    assert_eq!(world.reject(&live(1, 4, "x")), RejectCode::Forbidden, "the owner neither");
    assert_eq!(world.reject(&live(1, 1, "x")), RejectCode::MessageNotFound, "her join is no message");
    assert_eq!(world.reject(&live(1, 9, "x")), RejectCode::MessageNotFound);
    assert_eq!(world.reject(&live(3, 3, "x")), RejectCode::NotMember);
    world.run(&Input::Redact { by: actor(1), target: Seq(3), evidence: None }).expect("taken back");
    assert_eq!(growing(&world), [(2, 4, "bc".into())]);
    assert_eq!(world.reject(&live(1, 3, "x")), RejectCode::MessageNotFound);
    let long = world_with(|limits| limits.message_chars_max = 3);
    let reject = long.room.decide(long.now, &live(1, 1, "four")).expect_err("too long");
    assert_eq!((reject.code, reject.field, reject.limit), (RejectCode::TooLong, Some("text"), Some(3)));
}

#[test]
fn what_takes_a_message_back_ends_its_growing() {
    let mut world = talk();
    world.run(&Input::RedactAll { by: actor(1), member: MemberId(2), from: Some(Seq(4)) }).expect("swept");
    assert_eq!(growing(&world), [(1, 3, "ab".into())]);
    world.run(&Input::RedactAll { by: actor(1), member: MemberId(2), from: None }).expect("of another");
    assert_eq!(growing(&world).len(), 1);
    world.send(1, "more");
    world.run(&Input::RedactAll { by: actor(1), member: MemberId(1), from: Some(Seq(4)) }).expect("what came later");
    assert_eq!(growing(&world).len(), 1, "the message is before what was taken back");
}

fn edit(session: u128, target: u64, text: &str) -> Input {
    let (by, target, content) = (caller(session), Seq(target), Content::text(body(text)));
    let evidence = Some(Box::new(evidence(session as u32, "as it was said")));
    Input::Edit { by, target, content, as_sent: None, key: None, permit: SendPermit::Paid, evidence }
}

#[test]
fn an_edit_ends_the_growing_of_its_message_and_what_grows_after_it_is_another() {
    let mut world = talk();
    let begun = |world: &World| world.room.live_texts().last().map(|live| (live.target.0, live.begun));
    world.run(&live(1, 3, None)).expect("ended");
    let first = begun(&world).expect("his grows");
    world.run(&live(2, 4, "bcd")).expect("his own");
    assert_eq!(begun(&world), Some(first), "it goes on");
    world.run(&edit(1, 3, "something else")).expect("edited");
    assert_eq!(growing(&world), [(2, 4, "bcd".into())], "of another");
    world.run(&edit(2, 4, "bcde")).expect("edited");
    assert_eq!(growing(&world).len(), 0);
    world.run(&live(2, 4, "bcd")).expect("he goes on writing");
    assert_eq!(growing(&world), [(2, 4, "bcd".into())]);
    assert_ne!(begun(&world), Some(first), "that is not what grew before");
}

#[test]
fn what_was_edited_in_the_log_alone_grows_no_more() {
    let mut world = talk();
    world.run(&edit(2, 4, "b2")).expect("edited");
    world.run(&live(2, 4, "bc")).expect("his own");
    let mut ledger = world.room.ledger().clone();
    world.room.replace_ledger(world.now, ledger.clone());
    assert_eq!(growing(&world).len(), 2, "what is known changes nothing");
    let (offset, seq) = (ledger.last_offset().next(), Some(ledger.head().next()));
    let event = Event::Edited { target: Seq(3), content: Some(Content::text(body("a2"))), n: 1, keyed: None };
    ledger.apply(&Record { offset, seq, at: world.now.wall, by: Some(MemberId(1)), event });
    world.room.replace_ledger(world.now, ledger);
    assert_eq!(growing(&world), [(2, 4, "bc".into())]);
}

#[test]
fn who_has_gone_shows_nothing() {
    for go in [
        Input::Leave { by: caller(2) },
        Input::Kick { by: actor(1), member: MemberId(2) },
        Input::Ban { by: actor(1), member: MemberId(2), terms: crate::BanTerms::default() },
    ] {
        let mut world = talk();
        world.run(&signal(2, "hand", "true")).expect("shown");
        world.run(&go).expect("gone");
        assert_eq!((growing(&world), shown(&world)), (vec![(1, 3, "ab".into())], vec![]), "{go:?}");
    }
    let mut world = talk();
    world.run(&signal(2, "hand", "true")).expect("shown");
    world.detach(2);
    assert_eq!((growing(&world), shown(&world)), (vec![(1, 3, "ab".into())], vec![]), "nobody is connected as him");
    world.note(Note::Live { member: MemberId(2), target: Seq(4), text: Some(body("late")) });
    world.note(Note::Signal {
        member: MemberId(2),
        name: SignalName::parse("hand").expect("a name"),
        data: SignalData::parse("1").ok(),
    });
    assert_eq!((growing(&world).len(), shown(&world).len()), (1, 0), "and who is not here shows nothing");
}

#[test]
fn who_may_not_speak_any_more_grows_nothing() {
    let mut world = talk();
    world.run(&read_only(true)).expect("set");
    assert_eq!(growing(&world), [(1, 3, "ab".into())], "who moderates goes on");
    assert_eq!(world.reject(&live(2, 4, "x")), RejectCode::ReadOnly);
    world.set_role(actor(1), 2, Role::Moderator);
    world.run(&live(2, 4, "x")).expect("as a moderator");
    world.set_role(actor(1), 2, Role::Member);
    assert_eq!(growing(&world), [(1, 3, "ab".into())]);
    world.run(&read_only(false)).expect("set");
    world.run(&live(2, 4, "x")).expect("as everybody");
}

#[test]
fn who_falls_silent_shows_nothing_after_a_while() {
    let mut world = talk();
    world.run(&signal(1, "hand", "true")).expect("shown");
    world.pass(20_000);
    world.run(&live(2, 4, "bc")).expect("said again, which is no silence");
    world.pass(9_999);
    assert_eq!((growing(&world).len(), shown(&world).len()), (2, 1));
    world.pass(1);
    assert_eq!((growing(&world), shown(&world)), (vec![(2, 4, "bc".into())], vec![]));
    world.pass(20_000);
    assert_eq!((growing(&world), world.room.next_deadline()), (vec![], None));
}

#[test]
fn as_many_grow_as_may_in_number_and_in_bytes() {
    let mut world = world_with(|limits| (limits.live_max, limits.live_bytes_max) = (2, 8));
    (2..=3).for_each(|session| drop(world.join(session)));
    let targets = [1, 2, 3].map(|session| world.send(session, "x").0);
    let full = |world: &mut World, session: u128, text| {
        let input = live(session, targets[session as usize - 1], text);
        world.run(&input).map_err(|reject| (reject.code, reject.field, reject.limit))
    };
    full(&mut world, 1, "1234").expect("half of it");
    assert_eq!(full(&mut world, 2, "12345"), Err((RejectCode::LiveFull, Some("text"), Some(8))));
    full(&mut world, 2, "1234").expect("the other half");
    full(&mut world, 1, "abcd").expect("in place of her own");
    assert_eq!(full(&mut world, 3, "1"), Err((RejectCode::LiveFull, None, Some(2))));
}

#[test]
fn a_signal_is_shown_under_its_name_until_it_is_taken_away() {
    let mut world = world();
    world.join(2);
    world.run(&signal(2, "hand", "true")).expect("shown");
    world.run(&signal(1, "look", "[1, 2]")).expect("shown");
    let decision = world.run(&signal(2, "hand", "1")).expect("something else");
    assert_eq!((kinds(&decision), decision.answer), (vec![], Answer::Nothing));
    assert_eq!(shown(&world), [(1, "look".into(), "[1,2]".into()), (2, "hand".into(), "1".into())]);
    let told = world.room.signals_revision();
    world.run(&signal(2, "hand", "1")).expect("renewed");
    assert_eq!(world.room.signals_revision(), told, "there is nothing to tell");
    world.run(&signal(2, "hand", None)).expect("taken away");
    world.run(&signal(2, "hand", None)).expect("nothing to be taken away");
    assert_eq!(shown(&world), [(1, "look".into(), "[1,2]".into())]);
    assert_eq!(world.reject(&signal(3, "hand", "1")), RejectCode::NotMember);
}

#[test]
fn signals_have_a_bound_of_a_member_and_one_of_the_room() {
    let mut world = world_with(|limits| limits.signals_bytes_max = 3 * 45);
    world.join(2);
    let show = |world: &mut World, session, name: &str, data| {
        world.run(&signal(session, name, data)).map_err(|reject| (reject.code, reject.field, reject.limit))
    };
    show(&mut world, 1, "hand", "1").expect("one");
    show(&mut world, 1, "look", "2").expect("two");
    assert_eq!(show(&mut world, 1, "mood", "3"), Err((RejectCode::SignalsFull, Some("name"), Some(2))));
    show(&mut world, 1, "look", "3").expect("one that is there");
    show(&mut world, 2, "hand", "1").expect("45 bytes each");
    assert_eq!(show(&mut world, 2, "hand", "12"), Err((RejectCode::SignalsFull, Some("data"), Some(135))));
}

#[test]
fn a_room_that_only_counts_its_members_shows_no_signals() {
    let mut world = world_with(|limits| limits.notices_members_max = 2);
    world.join(2);
    world.send(2, "x");
    world.run(&signal(2, "hand", "true")).expect("shown");
    world.run(&live(2, 3, "x")).expect("it grows");
    world.join(3);
    assert_eq!((shown(&world), growing(&world).len()), (vec![], 1));
    let reject = world.run(&signal(2, "hand", "true")).expect_err("they are counted");
    assert_eq!((reject.code, reject.limit), (RejectCode::SignalsFull, Some(0)));
    world.run(&signal(2, "hand", None)).expect("to take it away is never wrong");
}

#[test]
fn what_was_said_and_is_not_in_the_log_grows_no_more() {
    let mut world = talk();
    let before: Vec<Record> = world.log[..world.log.len() - 1].to_vec();
    let mut ledger = Ledger::new(&RoomLimits::default());
    before.iter().for_each(|record| ledger.apply(record));
    world.room.replace_ledger(world.now, ledger);
    assert_eq!(growing(&world), [(1, 3, "ab".into())], "what he said was never written down");
}

#[test]
fn a_close_that_is_undone_has_ended_what_was_shown_and_that_is_news() {
    let mut world = talk();
    world.run(&signal(2, "hand", "true")).expect("shown");
    let revisions = |world: &World| (world.room.live_revision(), world.room.signals_revision());
    let (before, ledger) = (revisions(&world), world.room.ledger().clone());
    world.run(&Input::Close { cause: RoomCloseReason::Host }).expect("the host may");
    world.room.replace_ledger(world.now, ledger);
    assert_eq!((growing(&world), shown(&world)), (vec![], vec![]));
    let after = revisions(&world);
    assert!(after.0 != before.0 && after.1 != before.1, "{before:?} {after:?}");
    let caller = caller(2);
    let (session, generation) = (caller.session, caller.generation);
    world.note(Note::Attached { session, generation, member: MemberId(2), network: None });
    world.run(&signal(2, "hand", "true")).expect("shown again");
    assert!(world.room.signals_revision() > before.1, "which is another than was told");
}

#[test]
fn a_text_is_as_long_as_it_has_characters() {
    let mut world = world_with(|limits| limits.message_chars_max = 2);
    world.send(1, "a");
    world.run(&live(1, 2, "ää")).expect("two characters, in four bytes");
    assert_eq!(world.reject(&live(1, 2, "ääa")), RejectCode::TooLong);
}

#[test]
fn what_is_shown_weighs_what_it_holds_and_nothing_once_it_is_gone() {
    let mut quiet = world();
    quiet.join(2);
    quiet.send(1, "a");
    quiet.send(2, "b");
    let mut world = talk();
    // The place of signals stays once there was one: their revisions go on.
    world.run(&signal(2, "hand", "true")).expect("shown");
    world.run(&signal(2, "hand", None)).expect("taken away");
    let with = world.room.weight();
    world.run(&signal(2, "hand", "true")).expect("shown");
    assert!(world.room.weight() > with);
    world.run(&signal(2, "hand", None)).expect("taken away");
    assert_eq!(world.room.weight(), with);
    world.run(&live(1, 3, None)).expect("ended");
    world.run(&live(2, 4, None)).expect("ended");
    assert!(world.room.weight() + size_of::<LiveText>() < with);
    let places = size_of::<live::LiveTexts>() + size_of::<signals::Signals>();
    assert_eq!(world.room.weight(), quiet.room.weight() + places, "but for where it was");
}
