//! What people are shown as: as they come in, as they change it, and as the embedder says.

use std::time::Duration;

use super::*;
use crate::domain::{BanTerms, LeaveReason, MemberChange, Named, RecordVersion, SettingsChange};
use crate::types::PersonData;

fn data(json: &str) -> PersonData {
    PersonData::parse(json).expect("valid data")
}

fn me(session: u128, change: MemberChange) -> Input {
    Input::Me { by: caller(session), change }
}

fn to(name: &str) -> MemberChange {
    MemberChange::new().nick(nick(name))
}

/// Somebody whom the policy shows under this name.
fn named(by: Caller, name: &str) -> Caller {
    Caller { named: Some(Arc::new(Named::new().nick(nick(name)))), ..by }
}

fn join_as(by: Caller, name: &str) -> Input {
    Input::Join { by, nick: nick(name), data: None, history: None, after: None, secret: None }
}

fn shown(world: &World) -> Vec<(u32, String, Option<String>)> {
    let shown = world.room.members().map(|member| {
        let data = member.data.as_ref().map(|data| data.as_str().to_owned());
        (member.id.0, member.nick.to_string(), data)
    });
    shown.collect()
}

fn names(world: &World) -> Vec<String> {
    shown(world).into_iter().map(|(_, nick, _)| nick).collect()
}

#[test]
fn a_change_is_one_event_that_says_what_is_another() {
    let mut world = world();
    world.join(2);
    let changed = world.run(&me(2, to("Bob").data(data(r#"{"id":1}"#)))).expect("changed");
    assert_eq!(kinds(&changed), [("member_changed", Some(3))]);
    assert_eq!((&changed.answer, &changed.note), (&Answer::Done { seq: Seq(3) }, &None));
    let record = &changed.records[0];
    assert_eq!(record.by, Some(MemberId(2)));
    let (nick_key, kept) = (Some(nick("Bob").key()), Some(Some(data(r#"{"id":1}"#))));
    let whole = Event::MemberChanged { member: MemberId(2), nick: Some(nick("Bob")), nick_key, data: kept };
    assert_eq!(record.event, whole);
    assert_eq!(shown(&world)[1], (2, "Bob".to_owned(), Some(r#"{"id":1}"#.to_owned())));
    world.pass(10_000);
    let changed = world.run(&me(2, to("Bob").data(None))).expect("changed");
    let without = Event::MemberChanged { member: MemberId(2), nick: None, nick_key: None, data: Some(None) };
    assert_eq!(changed.records[0].event, without, "the name is no other");
    assert_eq!(shown(&world)[1], (2, "Bob".to_owned(), None));
}

#[test]
fn what_changes_nothing_is_answered_at_any_time() {
    let mut world = world();
    world.run(&me(1, to("Anna"))).expect("changed");
    for nothing in [MemberChange::new(), to("Anna"), to("Anna").data(None)] {
        let decision = world.run(&me(1, nothing)).expect("answered");
        assert_eq!((decision.records.len(), decision.answer), (0, Answer::Done { seq: Seq(2) }));
    }
    assert_eq!(world.reject(&me(9, to("Eve"))), RejectCode::NotMember);
}

#[test]
fn a_person_changes_once_in_ten_seconds_of_the_room() {
    let mut world = world();
    world.join(2);
    world.run(&me(2, to("Bob"))).expect("changed");
    world.pass(4_000);
    let early = world.run(&me(2, MemberChange::new().data(data("{}")))).expect_err("early");
    assert_eq!((early.code, early.retry_after), (RejectCode::RateLimited, Some(Duration::from_secs(6))));
    world.run(&me(1, to("Anna"))).expect("others do not wait");
    world.leave(2);
    world.run(&join_as(later(2, 2), "Rob")).expect("joined");
    let back = Input::Me { by: later(2, 2), change: to("Robin") };
    assert_eq!(world.reject(&back), RejectCode::RateLimited, "it is the same person");
    world.pass(6_000);
    world.run(&back).expect("changed");
    let mut free = world_with(|limits| limits.member_change_interval = Duration::ZERO);
    (0..3).for_each(|number| drop(free.run(&me(1, to(&format!("A{number}")))).expect("changed")));
}

#[test]
fn a_refused_change_costs_no_time() {
    let mut world = world();
    world.join(2);
    let taken = world.run(&me(2, to("\u{410}nn"))).expect_err("it looks like Ann");
    assert_eq!((taken.code, taken.field, taken.retry_after), (RejectCode::NickTaken, Some("nick"), None));
    world.run(&me(2, to("Bob"))).expect("changed");
}

#[test]
fn ones_own_name_is_not_taken_and_the_one_before_is_free() {
    let mut world = world();
    world.join(2);
    world.run(&me(1, to("ANN"))).expect("it looks like her own");
    world.pass(10_000);
    world.run(&me(1, to("Ian"))).expect("changed");
    assert_eq!(world.reject(&me(2, to("lan"))), RejectCode::NickTaken);
    world.run(&me(2, to("Ann"))).expect("nobody has it");
    assert_eq!(names(&world), ["Ian", "Ann"]);
    world.pass(10_000);
    assert_eq!(world.reject(&me(1, to("ann"))), RejectCode::NickTaken, "and now somebody else does");
    world.leave(2);
    world.run(&me(1, to("ann"))).expect("who left has no name");
}

#[test]
fn a_name_whose_holder_is_away_may_be_free_later() {
    let mut world = world();
    world.join(2);
    world.detach(1);
    world.pass(10_000);
    let taken = world.run(&me(2, to("Ann"))).expect_err("she may come back");
    assert_eq!((taken.code, taken.retry_after), (RejectCode::NickTaken, Some(Duration::from_secs(20))));
}

#[test]
fn what_was_said_and_done_keeps_the_name_of_its_time() {
    let mut world = world();
    world.join(2);
    world.send(2, "hi");
    world.run(&me(2, to("Bob"))).expect("changed");
    world.send(2, "ho");
    let names = world.log.iter().filter_map(|record| match &record.event {
        Event::Sent { nick, .. } => Some(nick.as_str().to_owned()),
        _ => None,
    });
    assert_eq!(names.collect::<Vec<_>>(), ["P2", "Bob"]);
    world.run(&Input::Ban { by: actor(1), member: MemberId(2), terms: BanTerms::default() }).expect("banned");
    let last = world.log.last().map(|record| &record.event);
    assert!(matches!(last, Some(Event::Kicked { nick, .. }) if nick.as_str() == "Bob"), "{last:?}");
    let bans = Input::Bans { by: actor(1), after: None, limit: None };
    let Answer::Bans { page, .. } = world.run(&bans).expect("she may").answer else { panic!("no bans") };
    assert_eq!(page[0].nick.as_ref().map(Nick::as_str), Some("Bob"));
    assert_eq!(world.reject(&me(2, to("Eve"))), RejectCode::NotMember);
    assert_eq!(world.reject(&join_as(caller(2), "Eve")), RejectCode::Banned, "whatever the name");
}

#[test]
fn who_comes_back_is_shown_as_they_were() {
    let mut world = world();
    world.join(2);
    world.run(&me(2, to("Bob").data(data(r#"{"id":1}"#)))).expect("changed");
    world.detach(2);
    let resumed = world.run(&Input::Attach { by: later(2, 2), after: world.here(2) }).expect("attached");
    assert_eq!(entered(&resumed).from, Seq(2), "and is told what has changed");
    let again = world.run(&join_as(later(2, 3), "Eve")).expect("attached");
    assert!(again.records.is_empty(), "a join to a membership changes nothing of it");
    assert_eq!(shown(&world)[1], (2, "Bob".to_owned(), Some(r#"{"id":1}"#.to_owned())));
    world.run(&Input::Leave { by: later(2, 3) }).expect("left");
    let left = &world.log.last().expect("a record").event;
    assert_eq!(*left, Event::Left { nick: nick("Bob"), reason: LeaveReason::Left, held: None });
    world.run(&join_as(later(2, 4), "Rob")).expect("joined");
    assert_eq!(shown(&world)[1], (2, "Rob".to_owned(), None), "the same number, as they ask to be shown now");
}

#[test]
fn neither_slow_mode_nor_who_may_speak_has_to_do_with_it() {
    let mut world = world();
    world.join(2);
    let change = SettingsChange::new().read_only(true).slow_ms(60_000).locked(true);
    world.run(&Input::Settings { by: actor(1), change }).expect("set");
    world.run(&me(2, to("Bob"))).expect("changed");
}

#[test]
fn what_the_policy_says_stands_and_may_look_like_another() {
    let mut world = world();
    let first = named(known(2, "bob"), "Ann");
    world.run(&join_as(first.clone(), "Bob")).expect("the policy gives names");
    assert_eq!(names(&world), ["Ann", "Ann"]);
    assert_eq!(world.reject(&join_as(caller(3), "ann")), RejectCode::NickTaken, "others choose their own");
    let asked = Input::Me { by: first.clone(), change: to("Bob") };
    assert!(world.run(&asked).expect("answered").records.is_empty());
    let told = Input::Me { by: first, change: to("Bob").data(data("{}")) };
    world.run(&told).expect("data are theirs");
    assert_eq!(shown(&world)[1], (2, "Ann".to_owned(), Some("{}".to_owned())));
    assert_eq!(world.reject(&me(1, to("ANN"))), RejectCode::NickTaken, "somebody else has it too");
}

/// What people are called elsewhere is often theirs to choose. One such name counts as not said, so that nobody is kept out by it.
#[test]
fn a_name_of_the_policy_that_looks_like_one_of_the_hosts_counts_as_not_said() {
    let mut world = world();
    world.room.keep_for_host(&HostNames::parse(["Operator"]).expect("a valid name"));
    for name in ["Operator", "0perator"] {
        let known = || named(known(2, "bob"), name);
        assert_eq!(world.reject(&join_as(known(), "Operator")), RejectCode::NickTaken, "{name}");
        assert_eq!(world.reject(&join_as(known(), "Ann")), RejectCode::NickTaken, "{name}: they choose as others do");
        let create = Input::Create { by: known(), nick: nick("operator"), data: None, epoch: Epoch(9), salt: 0 };
        let mut other = no_life(|_| {});
        other.room.keep_for_host(&HostNames::parse(["Operator"]).expect("a valid name"));
        assert_eq!(other.reject(&create), RejectCode::NickTaken, "{name}");
    }
    let by = named(known(2, "bob"), "0perator");
    world.run(&join_as(by.clone(), "Bob")).expect("joined");
    world.pass(10_000);
    assert_eq!(world.reject(&Input::Me { by: by.clone(), change: to("OPERATOR") }), RejectCode::NickTaken);
    world.run(&Input::Me { by, change: to("Rob") }).expect("the name is theirs");
    world.pass(10_000);
    let back = named(Caller { generation: Generation(2), ..known(2, "bob") }, "Operator");
    let resumed = world.run(&Input::Attach { by: back, after: None }).expect("attached");
    assert_eq!((resumed.records.len(), names(&world)), (0, vec!["Ann".to_owned(), "Rob".to_owned()]));
}

/// It was told as they came in: nothing that they ask for tells it again, on none of their devices.
#[test]
fn what_the_policy_says_is_told_to_who_comes_in_and_asked_for_by_nobody() {
    let mut world = world();
    let shown_as = |session, name| named(known(session, "bob"), name);
    world.run(&join_as(shown_as(2, "Bob"), "x")).expect("joined");
    world.run(&join_as(shown_as(3, "Robert"), "x")).expect("on another device, later");
    assert_eq!(names(&world), ["Ann", "Robert"]);
    world.pass(10_000);
    for change in [MemberChange::new(), to("Eve"), to("Bob")] {
        let asked = world.run(&Input::Me { by: shown_as(2, "Bob"), change }).expect("answered");
        assert!(asked.records.is_empty(), "the newer name stands");
    }
    world.run(&Input::Me { by: shown_as(2, "Bob"), change: to("Eve").data(data("{}")) }).expect("data are theirs");
    assert_eq!(shown(&world)[1], (2, "Robert".to_owned(), Some("{}".to_owned())));
    world.run(&Input::ChangeMember { member: MemberId(2), change: to("Guest") }).expect("the host may");
    world.pass(10_000);
    let asked = world.run(&Input::Me { by: shown_as(3, "Robert"), change: MemberChange::new().data(None) });
    asked.expect("data are theirs");
    assert_eq!(shown(&world)[1], (2, "Guest".to_owned(), None), "and what the host says stands too");
    let by = Caller { named: Some(Arc::new(Named::new().data(data(r#"{"id":1}"#)))), ..known(3, "bob") };
    world.pass(10_000);
    world.run(&Input::Me { by, change: to("Rob").data(data("{}")) }).expect("the name is theirs here");
    assert_eq!(shown(&world)[1], (2, "Rob".to_owned(), None));
}

#[test]
fn who_comes_back_under_another_name_of_the_policy_is_told_of_by_it() {
    let mut world = world();
    world.run(&join_as(named(known(2, "bob"), "Bob"), "x")).expect("joined");
    let back = named(Caller { generation: Generation(2), ..known(2, "bob") }, "Robert");
    let resumed = world.run(&Input::Attach { by: back.clone(), after: world.here(2) }).expect("attached");
    assert_eq!(kinds(&resumed), [("member_changed", Some(3))]);
    assert_eq!((resumed.records[0].by, entered(&resumed).from), (Some(MemberId(2)), Seq(2)));
    let again = world.run(&Input::Attach { by: Caller { generation: Generation(3), ..back.clone() }, after: None });
    assert!(again.expect("attached").records.is_empty());
    let own =
        Input::Me { by: Caller { generation: Generation(3), ..back }, change: MemberChange::new().data(data("{}")) };
    assert_eq!(world.reject(&own), RejectCode::RateLimited, "it counts as theirs");
}

/// Each return of either is let through all the same.
#[test]
fn devices_that_the_policy_names_differently_change_it_once_in_ten_seconds() {
    let mut world = world();
    world.run(&join_as(named(known(2, "bob"), "Bob"), "x")).expect("joined");
    let mut told = 0;
    for generation in 2..=41 {
        for (session, name) in [(2, "Bob"), (3, "Robert")] {
            let by = Caller { generation: Generation(generation), ..named(known(session, "bob"), name) };
            told += world.run(&Input::Attach { by, after: None }).expect("attached").records.len();
        }
        world.pass(1_000);
    }
    assert_eq!(told, 4);
    world.pass(10_000);
    let by = Caller { generation: Generation(42), ..named(known(3, "bob"), "Rob") };
    let later = world.run(&Input::Attach { by, after: None }).expect("attached");
    assert_eq!((kinds(&later), names(&world)[1].as_str()), (vec![("member_changed", Some(7))], "Rob"));
}

#[test]
fn the_host_changes_anybody_at_any_time() {
    let mut world = world();
    world.join(2);
    let change = |member, change| Input::ChangeMember { member: MemberId(member), change };
    for name in ["Bob", "Ann"] {
        let changed = world.run(&change(2, to(name))).expect("changed");
        assert_eq!((kinds(&changed)[0].0, changed.records[0].by), ("member_changed", None));
    }
    assert_eq!(names(&world), ["Ann", "Ann"]);
    assert!(world.run(&change(2, to("Ann"))).expect("answered").records.is_empty());
    assert_eq!(world.reject(&change(7, to("Eve"))), RejectCode::MemberNotFound);
    world.run(&me(2, to("Bob"))).expect("nor does it make them wait");
}

#[test]
fn where_it_cannot_be_written_nobody_changes_and_data_are_passed_over() {
    let mut world = no_life(|_| {});
    world.room.write_up_to(RecordVersion::FIRST);
    let (by, nick) = (caller(1), nick("Ann"));
    let create = Input::Create { by, nick, data: Some(data("{}")), epoch: EPOCH, salt: SALT };
    world.run(&create).expect("created");
    assert_eq!(shown(&world)[0].2, None);
    let by_host = Input::ChangeMember { member: MemberId(1), change: to("Anna") };
    assert_eq!(world.reject(&by_host), RejectCode::Unavailable);
    let refused = world.run(&me(1, to("Anna"))).expect_err("not yet");
    assert_eq!((refused.code, refused.retry_after), (RejectCode::Unavailable, Some(Duration::from_secs(10))));
    let back = named(later(1, 2), "Anna");
    assert!(world.run(&Input::Attach { by: back, after: None }).expect("attached").records.is_empty());
    world.room.write_up_to(RecordVersion::LATEST);
    world.run(&Input::Me { by: later(1, 2), change: to("Anna") }).expect("changed");
    let (by, nick) = (caller(2), Nick::parse("Bob").expect("valid"));
    let join = Input::Join { by, nick, data: Some(data("{}")), history: None, after: None, secret: None };
    world.run(&join).expect("joined");
    assert!(shown(&world)[1].2.is_some(), "from now on");
}

/// Of many who look alike everybody is found by whoever asks for the name, but nobody by themselves.
#[test]
fn of_those_who_look_alike_each_is_in_the_way_of_the_others() {
    let mut world = world();
    (2..=4).for_each(|session| drop(world.run(&join_as(named(caller(session), "Ann"), "x")).expect("joined")));
    for session in 1..=4 {
        assert_eq!(world.reject(&me(session, to("ann"))), RejectCode::NickTaken);
    }
    (2..=4).for_each(|session| drop(world.leave(session)));
    world.run(&me(1, to("ann"))).expect("she is alone");
}
