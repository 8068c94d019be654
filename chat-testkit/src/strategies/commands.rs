//! Commands: every kind, about few rooms.

use chat_core::{BanId, Body, Command, HistoryAnchor, MemberId, Role, Seq, TypingState};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::people::{any_member_change, any_person_data};
use super::runs::terms;
use super::settings::{any_change, any_secret};
use super::types::{
    any_body, any_data, any_key, any_nick, any_position, any_reaction_name, any_signal_data, any_signal_name,
    any_topic, few_room_codes,
};

/// Any command, with texts of at most `chars_max` characters.
pub fn any_command(chars_max: usize) -> impl Strategy<Value = Command> + Clone {
    let room = few_room_codes;
    let member = || any::<u32>().prop_map(MemberId);
    let seq = || any::<u64>().prop_map(Seq);
    prop_oneof![
        (any_nick(), option::of(room()), option::of(any_person_data())).prop_map(|(nick, room, data)| Command::create(
            nick
        )
        .with_room(room)
        .with_person_data(data)),
        (
            (room(), any_nick(), option::of(any_person_data())),
            any::<Option<u32>>(),
            option::of(any_position()),
            option::of(any_secret()),
            any::<Option<u32>>()
        )
            .prop_map(|((room, nick, data), history, after, secret, catch_up)| {
                let join = Command::join(room, nick).with_history(history).with_position(after);
                join.with_secret(secret).with_person_data(data).with_catch_up(catch_up)
            }),
        (room(), any_member_change()).prop_map(|(room, change)| Command::me(room, change)),
        (room(), any_body(chars_max), option::of(any_key()), option::of(any_data()), option::of(seq())).prop_map(
            |(room, text, key, data, reply_to)| {
                Command::send(room, text).with_key(key).with_data(data).with_reply_to(reply_to)
            }
        ),
        (room(), any_data()).prop_map(|(room, data)| Command::send(room, Body::empty()).with_data(data)),
        (room(), seq(), any_body(chars_max), option::of(any_key()), option::of(any_data())).prop_map(
            |(room, target, text, key, data)| Command::edit(room, target, text).with_key(key).with_data(data)
        ),
        room().prop_map(Command::leave),
        (room(), any_anchor(), any::<Option<u32>>())
            .prop_map(|(room, anchor, limit)| Command::history(room).with_anchor(anchor).with_limit(limit)),
        (room(), seq()).prop_map(|(room, seq)| Command::changes(room, seq)),
        (room(), option::of(member()), any::<Option<u32>>())
            .prop_map(|(room, after, limit)| Command::members(room).with_members_after(after).with_limit(limit)),
        (room(), select(vec![TypingState::On, TypingState::Off]))
            .prop_map(|(room, state)| Command::typing(room, state)),
        (room(), seq(), option::of(any_body(chars_max))).prop_map(|(room, seq, text)| Command::live(room, seq, text)),
        (room(), any_signal_name(), option::of(any_signal_data()))
            .prop_map(|(room, name, data)| Command::signal(room, name, data)),
        (room(), seq()).prop_map(|(room, seq)| Command::read(room, seq)),
        (room(), seq()).prop_map(|(room, seq)| Command::redact(room, seq)),
        (room(), seq(), any_reaction_name(), any::<bool>(), option::of(any_key())).prop_map(
            |(room, seq, name, on, key)| {
                let made = if on { Command::react(room, seq, name) } else { Command::unreact(room, seq, name) };
                made.with_key(key)
            }
        ),
        (room(), member()).prop_map(|(room, member)| Command::kick(room, member)),
        (room(), member(), terms()).prop_map(|(room, member, terms)| Command::ban(room, member).with_terms(terms)),
        (room(), any::<u32>()).prop_map(|(room, ban)| Command::unban(room, BanId(ban))),
        (room(), option::of(any::<u32>().prop_map(BanId)), option::of(any::<u32>()))
            .prop_map(|(room, after, limit)| Command::bans(room).with_bans_after(after).with_limit(limit)),
        (room(), member(), option::of(any::<u64>().prop_map(Seq)))
            .prop_map(|(room, member, from)| Command::redact_all(room, member).with_from(from)),
        (room(), any_topic()).prop_map(|(room, topic)| Command::set_topic(room, topic)),
        (room(), any_change()).prop_map(|(room, change)| Command::settings(room, change)),
        (room(), member(), select(vec![Role::Owner, Role::Moderator, Role::Member]))
            .prop_map(|(room, member, role)| Command::set_role(room, member, role)),
    ]
}

fn any_anchor() -> impl Strategy<Value = HistoryAnchor> + Clone {
    prop_oneof![
        Just(HistoryAnchor::Newest),
        any::<u64>().prop_map(|seq| HistoryAnchor::Before(Seq(seq))),
        any::<u64>().prop_map(|seq| HistoryAnchor::After(Seq(seq))),
        any::<u64>().prop_map(|seq| HistoryAnchor::Around(Seq(seq))),
    ]
}
