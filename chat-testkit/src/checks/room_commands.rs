//! Any commands at any times: the room does what the model does, its invariants hold, and its log replays to the same state.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chat_core::room::SendPermit;
use chat_core::{
    BanTerms, Body, Data, Identity, Key, MemberChange, NewcomersSee, Nick, PersonData, ReactionName, RecordVersion,
    Role, RoomCloseReason, RoomLimits, RoomOptions, SecretHash, SettingsChange, SignalData, SignalName, Topic,
    TypingState,
};

use super::choices::Choices;
use super::world::World;
use crate::strategies::{Act, After, Asked, Attempt, Known, Mod, Pass, Side, Spot, Step, Target, Who};

/// Steps of one run, at most: the model reads its whole diary at each.
const STEPS_MAX: usize = 120;
/// Nicks of which some look alike.
const NICKS: [&str; 10] = ["Ann", "ann", "\u{410}nn", "Bob", "B\u{43E}b", "mary", "rnary", "Cid", "Dan", "Eve"];
/// Two of the host's, a look-alike, and one that is not.
const HOST_NAMES: [&str; 4] = ["Bot", "b\u{43E}t", "Eve", "Ann"];
const TEXTS: [&str; 5] = ["hi", "hello", "h\u{EB}llo \u{1F98A}", "twelve chars", "thirteen char"];
const DATA: [&str; 3] = ["{}", "{\"a\":1}", "{\"a\": 12345}"];
const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];
const TOPICS: [&str; 3] = ["Lunch", "", "Dinner"];
const REACTIONS: [&str; 3] = ["+1", "\u{1F44D}", "x"];

/// The first bytes are the room's bounds and the step at which a snapshot is stored; each run of bytes after them is a
/// step.
///
/// # Panics
/// Where the room and the model differ, an invariant does not hold, or a replay gives another state.
pub fn room_commands(data: &[u8]) {
    let mut choices = Choices::new(data);
    let limits = limits(&mut choices);
    let cut = usize::from(choices.byte());
    let mut world = World::new(Arc::new(limits));
    for number in 0..STEPS_MAX {
        if choices.is_over() {
            break;
        }
        if number == cut % STEPS_MAX {
            world.take_snapshot();
        }
        let step = step(&mut choices);
        world.step(&step).unwrap_or_else(|broken| panic!("step {number}, {step:?}: {broken}"));
    }
    world.check_replays().unwrap_or_else(|broken| panic!("{broken}"));
}

/// Bounds so small that a run hits them all.
fn limits(choices: &mut Choices<'_>) -> RoomLimits {
    RoomLimits {
        members_max: 6,
        attachments_max: 2,
        message_chars_max: 12,
        data_bytes_max: 10,
        edit_window: Duration::from_secs(12),
        edits_max: 2,
        owed_bytes_max: 20,
        history_default: 3,
        history_max: choices.below(9),
        members_page_max: 3,
        notices_members_max: 4,
        notices_resume_percent: choices.one_of(&[100, 75, 50, 0]),
        lost_linger: Duration::from_secs(choices.one_of(&[0, 0, 25])),
        empty_linger: Duration::from_secs(choices.one_of(&[0, 10, 40])),
        owner_seat_held: Duration::from_secs(choices.one_of(&[0, 5, 20, 60])),
        moderators_max: choices.below(3),
        clock_step_max: Duration::from_secs(5),
        clock_doubt: Duration::from_secs(4),
        typing_members_max: 2,
        live_max: 2,
        live_bytes_max: 20,
        live_ttl: Duration::from_secs(10),
        signals_per_member_max: 1,
        signals_bytes_max: 110,
        signal_ttl: Duration::from_secs(9),
        keys_per_scope_max: 3,
        keys_max: 5,
        host_keys_max: choices.below(4),
        marks_max: 1 + choices.below(6),
        former_max: 3,
        former_networks_max: choices.below(4),
        bans_max: 2,
        invites_max: 1,
        invite_time: Duration::from_secs(40),
        bans_page_max: 1,
        owed_max: 1 + choices.below(3),
        changes_max: choices.below(4),
        reads_max: choices.below(4),
        reactable_max: choices.below(6),
        reactions_max: 3 + choices.below(4),
        reactions_per_person_max: 1 + choices.below(3),
        reaction_names_max: 1 + choices.below(2),
        unread_max: 3,
        slow_max: Duration::from_secs(20),
        slowed_max: choices.below(3),
        member_changes_max: choices.below(3),
        newcomers_see: choices.one_of(&[
            NewcomersSee::All,
            NewcomersSee::Last(1),
            NewcomersSee::Last(4),
            NewcomersSee::Nothing,
        ]),
        ..RoomLimits::default()
    }
}

fn step(choices: &mut Choices<'_>) -> Step {
    Step { pass: pass(choices), act: act(choices) }
}

/// Mostly no time at all.
fn pass(choices: &mut Choices<'_>) -> Pass {
    let mono = match choices.byte() {
        0..160 => 0,
        160..240 => u64::from(choices.byte()) * 12,
        _ => choices.one_of(&[5_999, 6_000, 10_000, 29_999, 30_000, 61_000]),
    };
    let step = if choices.in_256(16) { (i64::from(choices.word()) - 0x8000) * 110 } else { 0 };
    Pass { mono, step }
}

fn act(choices: &mut Choices<'_>) -> Act {
    match choices.below(42) {
        0 => Act::Create { who: newcomer(choices), nick: nick(choices), data: person_data(choices) },
        1 | 2 => Act::Join {
            who: newcomer(choices),
            nick: nick(choices),
            data: person_data(choices),
            history: count(choices),
            after: choices.in_256(100).then(|| after(choices)),
            secret: choices.in_256(100).then(|| secret(choices)),
        },
        3 => Act::Attach { who: newcomer(choices), after: choices.in_256(128).then(|| after(choices)) },
        4..7 => Act::Send {
            who: insider(choices),
            text: text(choices),
            as_sent: choices.in_256(50).then(|| text(choices)),
            key: choices.in_256(150).then(|| Key::parse(choices.one_of(&KEYS)).expect("visible ASCII")),
            permit: permit(choices),
            data: data(choices),
            reply_to: choices.in_256(40).then(|| spot(choices)),
        },
        7 => Act::Leave { who: insider(choices) },
        8 => Act::History {
            by: looker(choices),
            at: choices
                .in_256(160)
                .then(|| (choices.one_of(&[Side::Before, Side::After, Side::Around]), spot(choices))),
            limit: count(choices),
        },
        9 => Act::Members {
            by: looker(choices),
            after: choices.in_256(128).then(|| target(choices)),
            limit: count(choices),
        },
        10 => Act::Typing {
            who: insider(choices),
            state: choices.one_of(&[TypingState::On, TypingState::On, TypingState::Off]),
        },
        11 => Act::Redact {
            by: moderator(choices),
            message: spot(choices),
            asked: choices.one_of(&[Asked::No, Asked::Log, Asked::LateLog, Asked::AnotherLife]),
        },
        12 => Act::Kick { by: moderator(choices), member: target(choices) },
        13 => Act::Ban { by: moderator(choices), member: person(choices), terms: terms(choices) },
        14 => Act::SetTopic {
            by: moderator(choices),
            topic: Topic::parse(choices.one_of(&TOPICS)).expect("a valid topic"),
        },
        15 => Act::Close { cause: choices.one_of(&[RoomCloseReason::Empty, RoomCloseReason::Host]) },
        16 => Act::Detach { who: anybody(choices) },
        17 => Act::Wait,
        18 => Act::Recover,
        19 => Act::Restart,
        20 => Act::Settle { through: spot(choices) },
        21 => Act::Changes { who: insider(choices), after: spot(choices) },
        22 => Act::Writes { version: choices.one_of(&[RecordVersion::FIRST, RecordVersion::LATEST]) },
        23 => Act::Read { who: insider(choices), through: spot(choices) },
        24 => Act::Settings { by: moderator(choices), change: change(choices) },
        25 | 26 => Act::SetRole {
            by: moderator(choices),
            whom: match choices.in_256(64) {
                true => Known::Away(u32::from(choices.byte()) % 4),
                false => Known::Here(target(choices)),
            },
            role: choices.one_of(&[Role::Moderator, Role::Moderator, Role::Owner, Role::Member]),
        },
        27 => match choices.byte() {
            0..64 => Act::Protect,
            64..128 => Act::Keep { on: true },
            128..160 => Act::Keep { on: false },
            160..200 => Act::Found { options: Box::new(room_options(choices)) },
            200..232 => {
                let identity = Identity::new(choices.one_of(&["ann", "bob", "cid"])).expect("an identity");
                Act::Invite { identity }
            }
            232..244 => {
                let identity = Identity::new(choices.one_of(&["ann", "bob", "cid"])).expect("an identity");
                Act::Erase { identity, alias: choices.byte() % 3 }
            }
            244..250 => Act::Scrubbed { back: choices.below(4) as u64 },
            _ => Act::Wait,
        },
        28 => Act::Unban { by: moderator(choices), ban: choices.below(6) as u32 },
        29 => Act::Bans {
            by: moderator(choices),
            after: choices.in_256(100).then(|| choices.below(4) as u32),
            limit: count(choices),
        },
        30 => Act::RedactAll {
            by: moderator(choices),
            member: person(choices),
            from: choices.in_256(100).then(|| spot(choices)),
        },
        31 => Act::Live {
            who: insider(choices),
            message: spot(choices),
            text: choices.in_256(220).then(|| text(choices)),
        },
        32 => Act::Signal {
            who: insider(choices),
            name: SignalName::parse(choices.one_of(&["hand", "look", "\"it\""])).expect("a valid name"),
            data: choices
                .in_256(220)
                .then(|| SignalData::parse(choices.one_of(&["true", "[1,2]", "{\"x\":1}"])).expect("valid data")),
        },
        33 => Act::Me { who: insider(choices), change: member_change(choices) },
        34 => Act::ChangeMember { member: target(choices), change: member_change(choices) },
        35 | 36 => Act::Edit {
            who: insider(choices),
            message: spot(choices),
            text: text(choices),
            as_sent: choices.in_256(50).then(|| text(choices)),
            key: choices.in_256(80).then(|| Key::parse(choices.one_of(&KEYS)).expect("visible ASCII")),
            permit: permit(choices),
            data: data(choices),
            asked: choices.one_of(&[Asked::No, Asked::Log, Asked::Log, Asked::Log, Asked::LateLog, Asked::AnotherLife]),
        },
        37 | 38 => Act::React {
            who: insider(choices),
            message: spot(choices),
            name: ReactionName::parse(choices.one_of(&REACTIONS)).expect("a valid name"),
            on: choices.in_256(180),
            key: choices.in_256(50).then(|| Key::parse(choices.one_of(&KEYS)).expect("visible ASCII")),
        },
        39 | 40 => Act::Say {
            name: Nick::parse(choices.one_of(&HOST_NAMES)).expect("a valid nick"),
            text: text(choices),
            key: choices.in_256(150).then(|| Key::parse(choices.one_of(&KEYS)).expect("visible ASCII")),
            data: data(choices),
            reply_to: choices.in_256(40).then(|| spot(choices)),
        },
        _ => Act::Lose { decisions: choices.below(4) },
    }
}

fn room_options(choices: &mut Choices<'_>) -> RoomOptions<SecretHash> {
    let mut options = RoomOptions::new().settings(change(choices));
    options.owner = choices.one_of(&[None, Some("ann"), Some("cid")]).and_then(Identity::new);
    options.is_protected = choices.in_256(64);
    options.topic = Topic::parse(choices.one_of(&TOPICS)).expect("a valid topic");
    options
}

fn change(choices: &mut Choices<'_>) -> SettingsChange<SecretHash> {
    let change = SettingsChange::new();
    match choices.below(8) {
        0 => change.slow_ms(choices.one_of(&[0, 500, 6_000, 20_000, 20_001])),
        1 => change.locked(choices.in_256(128)),
        2 => change.read_only(choices.in_256(128)),
        3 => change.secret(choices.in_256(160).then(|| secret(choices))),
        4 => change.history(choices.one_of(&[NewcomersSee::All, NewcomersSee::Last(2), NewcomersSee::Nothing])),
        5 => change.listed(choices.in_256(128)),
        6 => change.locked(false).read_only(false).secret(None).slow_ms(0),
        _ => change,
    }
}

fn member_change(choices: &mut Choices<'_>) -> MemberChange {
    let mut change = MemberChange::new();
    change.nick = choices.in_256(200).then(|| nick(choices));
    change.data = choices.in_256(80).then(|| person_data(choices));
    change
}

fn person_data(choices: &mut Choices<'_>) -> Option<PersonData> {
    let json = choices.one_of(&[None, None, Some("{}"), Some("{\"id\":1}")]);
    json.map(|json| PersonData::parse(json).expect("valid data"))
}

fn secret(choices: &mut Choices<'_>) -> SecretHash {
    SecretHash::from_bits(choices.one_of(&[1, 2]))
}

fn newcomer(choices: &mut Choices<'_>) -> Who {
    let attempt = choices.one_of(&[Attempt::New, Attempt::New, Attempt::New, Attempt::Current, Attempt::Late]);
    Who::Session(choices.below(12), attempt)
}

fn anybody(choices: &mut Choices<'_>) -> Who {
    let attempt = if choices.in_256(28) { Attempt::Late } else { Attempt::Current };
    Who::Session(choices.below(12), attempt)
}

fn insider(choices: &mut Choices<'_>) -> Who {
    if choices.in_256(24) { anybody(choices) } else { Who::Insider(choices.below(8)) }
}

fn moderator(choices: &mut Choices<'_>) -> Mod {
    match choices.below(4) {
        0 => Mod::Owner,
        1 => Mod::Host,
        2 => Mod::Moderator,
        _ => Mod::Person(insider(choices)),
    }
}

fn looker(choices: &mut Choices<'_>) -> Mod {
    if choices.in_256(30) { Mod::Host } else { Mod::Person(insider(choices)) }
}

fn nick(choices: &mut Choices<'_>) -> Nick {
    Nick::parse(choices.one_of(&NICKS)).expect("a valid nick")
}

fn text(choices: &mut Choices<'_>) -> Body {
    match choices.in_256(16) {
        true => Body::empty(),
        false => Body::parse(choices.one_of(&TEXTS), 13).expect("a valid text"),
    }
}

fn data(choices: &mut Choices<'_>) -> Option<Data> {
    choices.in_256(50).then(|| Data::parse(choices.one_of(&DATA), 100).expect("an object"))
}

fn permit(choices: &mut Choices<'_>) -> SendPermit {
    match choices.in_256(36) {
        true => SendPermit::Exhausted { retry_after: Duration::from_millis(400) },
        false => SendPermit::Paid,
    }
}

fn spot(choices: &mut Choices<'_>) -> Spot {
    match choices.byte() {
        u8::MAX => Spot::Back(u64::MAX),
        count @ 200.. => Spot::Message(u64::from(count) % 8),
        count @ 180.. => Spot::Join(u64::from(count) % 8),
        count @ 160.. => Spot::Forgotten(u64::from(count) % 8),
        back => Spot::Back(u64::from(back) % 40),
    }
}

fn after(choices: &mut Choices<'_>) -> After {
    if choices.in_256(50) { After::AnotherLife(spot(choices)) } else { After::ThisLife(spot(choices)) }
}

fn target(choices: &mut Choices<'_>) -> Target {
    match choices.byte() {
        u8::MAX => Target(u32::MAX),
        target => Target(u32::from(target) % 8),
    }
}

/// Somebody who is there, or one who may have left.
fn person(choices: &mut Choices<'_>) -> Target {
    if choices.in_256(80) { Target(Target::GONE + choices.below(12) as u32) } else { target(choices) }
}

fn terms(choices: &mut Choices<'_>) -> BanTerms {
    let terms = BanTerms::lasting(choices.in_256(100).then_some(NonZeroU32::MIN));
    let terms = if choices.in_256(128) { terms.with_network() } else { terms };
    if choices.in_256(80) { terms.with_sweep() } else { terms }
}

fn count(choices: &mut Choices<'_>) -> Option<u32> {
    match choices.byte() {
        0..128 => None,
        u8::MAX => Some(u32::MAX),
        count => Some(u32::from(count) % 8),
    }
}
