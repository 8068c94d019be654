//! What a room says it holds is what it holds: measured at the allocator, in a process of its own.

use std::alloc::System;
use std::sync::{Arc, LazyLock};

use chat_core::room::{Actor, Caller, Input, Note, Room};
use chat_core::{
    BanTerms, Body, Epoch, Generation, Identity, Key, MemberChange, MemberId, Mono, NetworkTag, Nick, Now, PersonData,
    ReactionName, RoomLimits, Seq, SessionId, SettingsChange, Topic, TypingState, Wall,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// By how much what is said may differ from what is held, in percent.
const WRONG_MAX: i64 = 5;
/// The same of trees, of which only the number of entries is known.
const ESTIMATED_WRONG_MAX: i64 = 25;
/// And by how many bytes in any case.
const SMALL: i64 = 64;

const NOW: Now = Now { wall: Wall(1_795_370_400_000), mono: Mono(500) };

/// One for all rooms, as an engine has it.
fn limits() -> Arc<RoomLimits> {
    static LIMITS: LazyLock<Arc<RoomLimits>> = LazyLock::new(Arc::default);
    Arc::clone(&LIMITS)
}

/// Somebody whose name, and whose identity where they have one, are as long as these may be or short.
fn caller(number: u128, identity: usize) -> Caller {
    let identity = (identity > 0).then(|| Identity::new(&format!("{number:0identity$}")).expect("it is not too long"));
    Caller { session: SessionId::new(number), generation: Generation(1), identity, network: None, named: None }
}

fn run(room: &mut Room, input: &Input) {
    let decision = room.decide(NOW, input).expect("it is allowed");
    decision.records.iter().for_each(|record| room.apply(NOW, record));
    decision.note.into_iter().for_each(|note| room.note(NOW, note));
}

fn join(room: &mut Room, number: u128, identity: usize, nick: &str) {
    let nick = Nick::parse(&format!("{nick} {number}")).expect("valid");
    let by = caller(number, identity);
    match number {
        1 => run(room, &Input::Create { by, nick, data: None, epoch: Epoch(7), salt: 8 }),
        _ => run(room, &Input::Join { by, nick, data: None, history: None, after: None, secret: None }),
    }
}

fn send(room: &mut Room, number: u128, key: Option<usize>) {
    let key = key.map(|key| Key::parse(&format!("{number}-{key}")).expect("valid"));
    let text = Body::parse("x", 10).expect("valid");
    let permit = chat_core::room::SendPermit::Paid;
    run(room, &Input::Send { by: caller(number, 0), said: text.into(), as_sent: None, key, permit });
}

fn small(room: &mut Room) {
    (1..=3).for_each(|number| join(room, number, 0, "Ann"));
    (0..10).for_each(|_| send(room, 2, None));
}

fn many_members(room: &mut Room) {
    (1..=700).for_each(|number| join(room, number, 0, "Ann"));
}

fn long_names(room: &mut Room) {
    (1..=300).for_each(|number| join(room, number, 128, "A name of more than 24"));
}

fn much_to_show(room: &mut Room) {
    long_names(room);
    for number in 1..=300 {
        let data =
            PersonData::parse(&format!(r#"{{"a":"{}"}}"#, "x".repeat(PersonData::BYTES_MAX - 8))).expect("valid");
        let nick = Nick::parse(&format!("Another name of more {number}")).expect("valid");
        run(room, &Input::Me { by: caller(number, 128), change: MemberChange::new().nick(nick).data(data) });
    }
}

fn keys(room: &mut Room) {
    (1..=60).for_each(|number| join(room, number, 0, "Ann"));
    for key in 0..64 {
        (1..=60).for_each(|number| send(room, number, Some(key)));
    }
}

fn a_key_of_each(room: &mut Room) {
    (1..=700).for_each(|number| send(room, number, Some(1)));
}

fn marks(room: &mut Room) {
    join(room, 1, 0, "Ann");
    (0..5_000).for_each(|_| send(room, 1, None));
}

fn left_and_banned(room: &mut Room) {
    join(room, 1, 0, "Ann");
    for number in 2..=600 {
        join(room, number, 60, "Bob");
        let member = MemberId(number as u32);
        match number % 2 {
            0 => run(room, &Input::Leave { by: caller(number, 60) }),
            _ => run(room, &Input::Ban { by: Actor::Host, member, terms: BanTerms::default() }),
        }
    }
    let topic = Topic::parse(&"x".repeat(200)).expect("valid");
    run(room, &Input::SetTopic { by: Actor::Host, topic });
}

/// Of each as many networks as are remembered, of who is here and of who has gone.
fn from_many_networks(room: &mut Room) {
    join(room, 1, 0, "Ann");
    for number in 2..=1_400 {
        join(room, number, 0, "Bob");
        for network in 0..4 {
            let (session, generation) = (SessionId::new(number), Generation(2 + network));
            let (member, network) = (MemberId(number as u32), Some(NetworkTag(network)));
            room.note(NOW, chat_core::room::Note::Attached { session, generation, member, network });
        }
        if number > 200 {
            run(room, &Input::Leave { by: Caller { generation: Generation(5), ..caller(number, 0) } });
        }
    }
}

fn everybody_gone(room: &mut Room) {
    for number in 1..=700 {
        room.note(NOW, Note::Detached { session: SessionId::new(number), generation: Generation(1) });
    }
}

fn react(room: &mut Room, number: u128, target: u64, name: &str) {
    let name = ReactionName::parse(name).expect("valid");
    run(room, &Input::React { by: caller(number, 0), target: Seq(target), name, on: true, key: None });
}

/// Many people, few names.
fn liked(room: &mut Room) {
    (1..=100).for_each(|number| join(room, number, 0, "Ann"));
    (0..40).for_each(|_| send(room, 1, None));
    for target in 101..=140 {
        (1..=60).for_each(|number| react(room, number, target, ["+1", "-1"][number as usize % 2]));
    }
}

/// As many names as may be, as long as they may be.
fn named(room: &mut Room) {
    (1..=100).for_each(|number| join(room, number, 0, "Ann"));
    (0..100).for_each(|_| send(room, 1, None));
    for number in 1..=100 {
        (0..64).for_each(|name| react(room, number, 100 + number as u64, &format!("{number:016}{name:016}")));
    }
}

fn attach(room: &mut Room, member: u32, session: u128, network: Option<u64>) {
    let (session, generation) = (SessionId::new(session), Generation(1));
    room.note(NOW, Note::Attached { session, generation, member: MemberId(member), network: network.map(NetworkTag) });
}

fn everybody_here(room: &mut Room) {
    many_members(room);
    (1..=700).for_each(|member| attach(room, member, u128::from(member), None));
}

/// Each comes once more.
fn with_two_devices(room: &mut Room) {
    (1..=700).for_each(|member| attach(room, member, u128::from(member + 1_000), None));
}

fn typing(room: &mut Room) {
    (1..=700).for_each(|member| room.note(NOW, Note::Typing { member: MemberId(member), state: TypingState::On }));
}

fn read_back(room: &mut Room) {
    *room = Room::from_ledger(room.ledger().clone(), limits());
}

/// Something of everything that a room has no place for until it is there.
fn a_little_of_all(room: &mut Room) {
    send(room, 1, Some(1));
    let sent = room.head();
    react(room, 2, sent.0, "+1");
    run(room, &Input::Redact { by: Actor::Host, target: Seq(sent.0 - 1), evidence: None });
    run(room, &Input::Kick { by: Actor::Host, member: MemberId(3) });
    run(room, &Input::Ban { by: Actor::Host, member: MemberId(3), terms: BanTerms::default() });
    let topic = Topic::parse(&"x".repeat(200)).expect("valid");
    run(room, &Input::SetTopic { by: Actor::Host, topic });
}

/// The same sessions, over other networks.
fn from_everywhere(room: &mut Room) {
    (1..=700).for_each(|member| (1..=4).for_each(|network| attach(room, member, u128::from(member), Some(network))));
}

fn read(room: &mut Room) {
    let through = room.head();
    (1..=700).for_each(|number| run(room, &Input::Read { by: caller(number, 0), through }));
}

/// As much was said as is remembered.
fn all_marks(room: &mut Room) {
    many_members(room);
    (0..5_000).for_each(|_| send(room, 1, None));
}

fn slow_mode(room: &mut Room) {
    run(room, &Input::Settings { by: Actor::Host, change: SettingsChange::new().slow_ms(5_000) });
    (1..=700).for_each(|number| send(room, number, None));
}

fn renamed(room: &mut Room) {
    for number in 1..=700 {
        let nick = Nick::parse(&format!("Bob {number}")).expect("valid");
        run(room, &Input::Me { by: caller(number, 0), change: MemberChange::new().nick(nick) });
    }
}

fn taken_back(room: &mut Room) {
    let head = room.head().0;
    (head - 250..head)
        .for_each(|target| run(room, &Input::Redact { by: Actor::Host, target: Seq(target), evidence: None }));
}

fn taken_back_once(room: &mut Room) {
    all_marks(room);
    taken_back(room);
}

fn settled(room: &mut Room) {
    run(room, &Input::Settle { through: room.head() });
}

fn everybody_talks(room: &mut Room) {
    long_names(room);
    for number in 1..=250 {
        let text = Body::parse("x", 10).expect("valid");
        let permit = chat_core::room::SendPermit::Paid;
        run(room, &Input::Send { by: caller(number, 128), said: text.into(), as_sent: None, key: None, permit });
    }
}

fn swept(room: &mut Room) {
    (1..=250).for_each(|member| {
        run(room, &Input::RedactAll { by: Actor::Host, member: MemberId(member), from: None });
    });
}

fn put_out(room: &mut Room) {
    (2..=300).for_each(|member| run(room, &Input::Kick { by: Actor::Host, member: MemberId(member) }));
}

/// Lives a room in one way.
type Live = fn(&mut Room);

#[test]
fn a_room_weighs_what_it_holds() {
    let empty: Live = |_| ();
    // How it lives at first, and what is measured from there on: else what is small beside the members would be nothing to be wrong about.
    let kinds: [(&str, Live, Live, i64); 24] = [
        ("small", empty, small, WRONG_MAX),
        ("many members", empty, many_members, WRONG_MAX),
        ("long names", empty, long_names, WRONG_MAX),
        ("much to show", empty, much_to_show, WRONG_MAX),
        ("keys", empty, keys, WRONG_MAX),
        ("a key of each", all_marks, a_key_of_each, WRONG_MAX),
        ("marks", empty, marks, WRONG_MAX),
        ("left and banned", empty, left_and_banned, WRONG_MAX),
        ("from many networks", empty, from_many_networks, WRONG_MAX),
        ("everybody gone", everybody_here, everybody_gone, ESTIMATED_WRONG_MAX),
        ("liked", empty, liked, WRONG_MAX),
        ("named", empty, named, WRONG_MAX),
        ("two devices", everybody_here, with_two_devices, WRONG_MAX),
        ("networks", everybody_here, from_everywhere, WRONG_MAX),
        ("read", many_members, read, WRONG_MAX),
        ("slow mode", all_marks, slow_mode, WRONG_MAX),
        ("renamed", many_members, renamed, WRONG_MAX),
        ("taken back", all_marks, taken_back, WRONG_MAX),
        ("settled", taken_back_once, settled, WRONG_MAX),
        ("swept", everybody_talks, swept, WRONG_MAX),
        ("typing", everybody_here, typing, ESTIMATED_WRONG_MAX),
        ("read back", many_members, read_back, WRONG_MAX),
        ("a little of all", small, a_little_of_all, WRONG_MAX),
        ("put out", long_names, put_out, WRONG_MAX),
    ];
    for (kind, before, live, percent) in kinds {
        let mut room = Room::new(limits());
        before(&mut room);
        let (region, weight) = (Region::new(HEAP), room.weight());
        live(&mut room);
        let change = region.change();
        let signed = |bytes: usize| i64::try_from(bytes).expect("a room is small");
        let held = signed(change.bytes_allocated) - signed(change.bytes_deallocated);
        let told = signed(room.weight()) - signed(weight);
        let wrong_max = held.abs() * percent / 100 + SMALL;
        println!("{kind}: {told} told, {held} held");
        assert!((told - held).abs() <= wrong_max, "{kind}: {told} told, {held} held");
    }
}
