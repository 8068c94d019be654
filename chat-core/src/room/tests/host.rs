//! What the host says: nobody's message, under names that are nobody else's, and once under a key.

use super::*;
use crate::types::Data;

fn world_of_bot() -> World {
    let mut world = world();
    world.room.keep_for_host(&HostNames::parse(["Bot", "Desk"]).expect("valid names"));
    world
}

fn say(name: &str, text: &str, key: Option<&str>) -> Input {
    let key = key.map(|key| Key::parse(key).expect("a valid key"));
    Input::Say { name: nick(name), said: body(text).into(), key }
}

fn said(world: &mut World, input: &Input) -> (Seq, Repeated) {
    let Answer::Sent { seq, repeated, .. } = world.run(input).expect("said").answer else { panic!("not said") };
    (seq, repeated)
}

#[test]
fn the_host_says_something_as_nobody_and_under_a_name_of_its_own() {
    let mut world = world_of_bot();
    let decision = world.run(&say("b\u{43E}t", "hi", None)).expect("said");
    let [Record { seq, by, event: Event::Sent { nick, color, text, keyed, .. }, .. }] = &decision.records[..] else {
        panic!("one message: {:?}", decision.records)
    };
    assert_eq!((*seq, *by, nick.as_str(), color.0), (Some(Seq(2)), None, "Bot", 0), "as it is listed");
    assert_eq!((text.as_str(), keyed), ("hi", &None));
    assert_eq!(decision.records[0].version(), RecordVersion::PERSONS);
    let reject = world.run(&say("Ann", "hi", None)).expect_err("refused");
    assert_eq!((reject.code, reject.field), (RejectCode::BadField, Some("name")));
}

#[test]
fn nothing_that_bounds_members_holds_for_the_host() {
    let mut world = world_of_bot();
    let change = crate::domain::SettingsChange::new().read_only(true).slow_ms(60_000);
    world.run(&Input::Settings { by: Actor::Host, change }).expect("set");
    assert_eq!([1, 2, 3].map(|_| said(&mut world, &say("Bot", "again", None)).1), [Repeated::First; 3]);
    assert_eq!(world.room.ledger().members_total(), 1);
    assert_eq!(world.reject(&send(2, "hi")), RejectCode::NotMember);
}

#[test]
fn what_the_host_says_is_bounded_as_what_members_say() {
    let mut world = world_with(|limits| (limits.message_chars_max, limits.data_bytes_max) = (3, 4));
    world.room.keep_for_host(&HostNames::parse(["Bot"]).expect("a valid name"));
    assert_eq!(world.reject(&say("Bot", "four", None)), RejectCode::TooLong);
    let data = Data::parse("{\"a\":1}", 10).expect("valid data");
    let content = |data: Option<&Data>| Content { text: Body::empty(), data: data.cloned() };
    let input = |said: crate::domain::Said| Input::Say { name: nick("Bot"), said, key: None };
    assert_eq!(world.reject(&input(content(Some(&data)).into())), RejectCode::TooLong);
    assert_eq!(world.reject(&input(content(None).into())), RejectCode::BadField);
    for (answered, is_taken) in [(0, false), (1, true), (3, false)] {
        let said = crate::domain::Said::from(body("hi")).with_reply_to(Seq(answered));
        assert_eq!(world.run(&input(said)).is_ok(), is_taken, "{answered}");
    }
}

#[test]
fn a_key_of_the_hosts_is_said_once_whoever_else_uses_it_and_however_much_they_say() {
    let mut world = world_with(|limits| {
        (limits.keys_max, limits.keys_per_scope_max, limits.host_keys_max) = (2, 2, 3);
    });
    world.room.keep_for_host(&HostNames::parse(["Bot", "Desk"]).expect("valid names"));
    world.run(&keyed(1, "k", "hi")).expect("sent");
    let (first, repeated) = said(&mut world, &say("Bot", "hi", Some("k")));
    assert_eq!(repeated, Repeated::First, "a member's key is another");
    (0..9).for_each(|n| drop(world.run(&keyed(1, &format!("own{n}"), "hi")).expect("sent")));
    assert_eq!(said(&mut world, &say("Bot", "hi", Some("k"))), (first, Repeated::Retry));
    assert_eq!(world.reject(&say("Bot", "ho", Some("k"))), RejectCode::KeyConflict);
    assert_eq!(world.reject(&say("Desk", "hi", Some("k"))), RejectCode::KeyConflict, "somebody else said it");
    for n in 0..3 {
        said(&mut world, &say("Bot", "hi", Some(&format!("more{n}"))));
    }
    assert_eq!(said(&mut world, &say("Bot", "hi", Some("k"))).1, Repeated::First, "it is forgotten");
}

#[test]
fn nobody_takes_a_name_of_the_hosts_and_the_policy_gives_none() {
    let mut world = world_of_bot();
    let named = |by: Caller, name: &str| Input::Join {
        by,
        nick: nick(name),
        data: None,
        history: None,
        after: None,
        secret: None,
    };
    let reject = world.run(&named(caller(2), "BOT")).expect_err("refused");
    assert_eq!((reject.code, reject.field, reject.retry_after), (RejectCode::NickTaken, Some("nick"), None));
    let change = crate::domain::MemberChange::new().nick(nick("Desk"));
    assert_eq!(world.reject(&Input::Me { by: caller(1), change }), RejectCode::NickTaken);
    let given = crate::domain::Named::new().nick(nick("Bot"));
    let by = Caller { named: Some(Arc::new(given)), ..caller(3) };
    assert_eq!(world.reject(&named(by.clone(), "Bot")), RejectCode::NickTaken);
    world.run(&named(by, "whatever")).expect("joined");
    assert_eq!(world.room.members().last().map(|member| member.nick.to_string()), Some("whatever".to_owned()));

    let mut none = no_life(|_| {});
    none.room.keep_for_host(&HostNames::parse(["Ann"]).expect("a valid name"));
    let create = Input::Create { by: caller(1), nick: nick("Ann"), data: None, epoch: EPOCH, salt: SALT };
    assert_eq!(none.reject(&create), RejectCode::NickTaken);
}

#[test]
fn what_the_host_said_is_taken_back_by_those_who_moderate_and_edited_by_nobody() {
    let mut world = world_of_bot();
    world.join(2);
    let (seq, _) = said(&mut world, &say("Bot", "hi", None));
    let redact = |by| Input::Redact { by, target: seq, evidence: None };
    assert_eq!(world.reject(&redact(actor(2))), RejectCode::Forbidden);
    let evidence = Some(Box::new(evidence(0, "hi")));
    let edit = Input::Edit {
        by: caller(1),
        target: seq,
        content: Content::text(body("ho")),
        as_sent: None,
        key: None,
        permit: SendPermit::Paid,
        evidence,
    };
    assert_eq!(world.reject(&edit), RejectCode::Forbidden);
    let grow = Input::Live { by: caller(1), target: seq, text: Some(body("ho")) };
    assert_eq!(world.reject(&grow), RejectCode::Forbidden);
    let sweep = Input::RedactAll { by: actor(1), member: MemberId::HOST, from: None };
    assert_eq!(world.reject(&sweep), RejectCode::MemberNotFound);
    assert_eq!(kinds(&world.run(&redact(actor(1))).expect("taken back")), [("redacted", Some(4))]);
    let (own, _) = said(&mut world, &say("Bot", "hi", None));
    let by_host = Input::Redact { by: Actor::Host, target: own, evidence: None };
    assert_eq!(kinds(&world.run(&by_host).expect("taken back")), [("redacted", Some(6))]);
}

#[test]
fn what_the_host_says_is_unread_and_reacted_to_and_keeps_no_room_alive() {
    let mut world = world_of_bot();
    let (seq, _) = said(&mut world, &say("Bot", "hi", None));
    let ann = Scope::Session(SessionId::new(1));
    assert_eq!(world.room.read_position(&ann).map(|read| read.unread), Some(1));
    let name = crate::types::ReactionName::parse("+1").expect("a valid name");
    world.run(&Input::React { by: caller(1), target: seq, name, on: true, key: None }).expect("reacted");
    world.leave(1);
    assert_eq!(world.room.epoch(), None, "it went with its last member");
    assert_eq!(world.reject(&say("Bot", "anybody?", None)), RejectCode::RoomNotFound);
}

#[test]
fn in_an_empty_room_that_lingers_the_host_speaks_and_it_lingers_no_longer_for_it() {
    let mut world = world_with(|limits| limits.empty_linger = std::time::Duration::from_secs(10));
    world.room.keep_for_host(&HostNames::parse(["Bot"]).expect("a valid name"));
    world.leave(1);
    world.pass(9_000);
    said(&mut world, &say("Bot", "anybody?", None));
    assert_eq!(world.pass(1_000), [("closed", None)]);
}

#[test]
fn a_program_that_others_do_not_follow_writes_nothing_of_the_host() {
    let mut world = world_of_bot();
    world.room.write_up_to(RecordVersion::FIRST);
    assert_eq!(world.reject(&say("Bot", "hi", None)), RejectCode::Unavailable);
}

#[test]
fn the_host_sees_all_messages_and_members_and_looks_without_a_trace() {
    let mut world = world_with(|limits| limits.newcomers_see = crate::types::NewcomersSee::Nothing);
    world.send(1, "hi");
    world.join(2);
    let history = Input::History { by: Actor::Host, anchor: HistoryAnchor::Newest, limit: None };
    let Answer::History(slice) = world.run(&history).expect("shown").answer else { panic!("not shown") };
    assert_eq!(numbers(&slice.seqs), [2]);
    let members = Input::Members { by: Actor::Host, after: None, limit: Some(1) };
    let answer = world.run(&members).expect("shown").answer;
    assert_eq!(answer, Answer::Members { page: vec![MemberId(1)], total: 2 });
    let look = world.run(&Input::Look).expect("shown");
    assert_eq!((kinds(&look), look.note, look.answer), (vec![], None, Answer::Nothing));
}
