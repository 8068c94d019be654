//! What a room says it holds is what it holds: measured at the allocator, in a process of its own.

use std::alloc::System;
use std::sync::Arc;

use chat_core::room::{Actor, Caller, Input, Room};
use chat_core::{
    BanTerms, Body, Epoch, Generation, Identity, Key, MemberChange, MemberId, Mono, NetworkTag, Nick, Now, PersonData,
    ReactionName, RoomLimits, Seq, SessionId, Topic, Wall,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// By how much what is said may differ from what is held, in percent.
const WRONG_MAX: usize = 25;
/// A room of which nothing much is remembered holds a few lists of four.
const SMALL: usize = 512;

const NOW: Now = Now { wall: Wall(1_795_370_400_000), mono: Mono(500) };

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
    many_members(room);
    for number in 1..=700 {
        room.note(NOW, chat_core::room::Note::Detached { session: SessionId::new(number), generation: Generation(1) });
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

/// Lives a room in one way.
type Live = fn(&mut Room);

#[test]
fn a_room_weighs_what_it_holds() {
    let limits = Arc::new(RoomLimits::default());
    let kinds: [(&str, Live); 11] = [
        ("small", small),
        ("many members", many_members),
        ("long names", long_names),
        ("much to show", much_to_show),
        ("keys", keys),
        ("marks", marks),
        ("left and banned", left_and_banned),
        ("from many networks", from_many_networks),
        ("everybody gone", everybody_gone),
        ("liked", liked),
        ("named", named),
    ];
    for (kind, live) in kinds {
        let region = Region::new(HEAP);
        let mut room = Room::new(Arc::clone(&limits));
        live(&mut room);
        let change = region.change();
        let held = change.bytes_allocated - change.bytes_deallocated;
        let told = room.weight();
        assert!(told.abs_diff(held) <= held * WRONG_MAX / 100 + SMALL, "{kind}: {told} told, {held} held");
        println!("{kind}: {told} told, {held} held");
    }
}
