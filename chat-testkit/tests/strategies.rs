//! The strategies reach what they are for: every refusal, every kind of fact, every bound.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_core::room::{Answer, Decision, Entry, Input, More, Note, Repeated};
use chat_core::{Event, LeaveReason, Mono, Now, Record, RejectCode, Role, RoomCloseReason, RoomLimits, Scope, Wall};
use chat_testkit::model::{Model, Person, Refusal};
use chat_testkit::strategies::{Cast, Play, Step, any_command, any_run, cases, host_names, small_limits};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

#[test]
fn runs_reach_every_refusal_and_every_kind_of_fact() {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for _ in 0..5_000 {
        let run = (small_limits(), any_run(100)).new_tree(&mut runner).expect("nothing is filtered away");
        let (limits, steps) = run.current();
        live(limits, &steps, &mut reached);
    }
    let expected = [
        "refused: room_not_found",
        "refused: name_taken",
        "refused: nick_taken",
        "refused: not_member",
        "refused: already_member",
        "refused: member_not_found",
        "refused: message_not_found",
        "refused: too_late",
        "refused: edits_full",
        "refused: too_many_attachments",
        "refused: room_full",
        "refused: banned",
        "refused: bans_full",
        "refused: ban_not_found",
        "refused: forbidden",
        "refused: key_conflict",
        "refused: rate_limited",
        "refused: too_long",
        "refused: bad_field",
        "refused: out_of_reach",
        "refused: too_late",
        "refused: reactions_full",
        "refused: unavailable",
        "refused: room_locked",
        "refused: secret_wrong",
        "refused: read_only",
        "refused: rate_limited by slow mode",
        "settings changed",
        "settings changed in nothing",
        "joined: with the secret",
        "created",
        "joined: told",
        "joined: quiet",
        "joined: as an owner of an empty room",
        "left: told",
        "left: quiet",
        "left: timed out",
        "sent",
        "sent with data",
        "sent with data alone",
        "sent in answer",
        "said by the host",
        "said by the host in an empty room",
        "a retry of the host's",
        "refused: nick_taken by the host",
        "edited",
        "edited again",
        "edited to what stands",
        "edited by a log that was late",
        "edited what is forgotten",
        "edited while it grows",
        "an edit that is a retry",
        "redacted",
        "kicked",
        "banned",
        "banned with a number",
        "banned for a time",
        "banned after leaving",
        "banned with a network",
        "refused: banned for a network",
        "a ban is lifted",
        "a ban is over",
        "bans that are all",
        "more bans",
        "swept",
        "swept by a ban",
        "nothing left to sweep",
        "topic changed",
        "role changed",
        "joined: as the owner again",
        "joined: as a moderator again",
        "left: the seat is held",
        "a seat ran out",
        "handed on",
        "moderated by a moderator",
        "named while away",
        "protected",
        "kept: true",
        "kept: false",
        "kept while empty: true",
        "kept while empty: false",
        "an owner is named",
        "joined: as the owner whom the host has named",
        "invited",
        "erased",
        "scrubbed",
        "invited while there is no need",
        "joined: on an invite",
        "refused: at_capacity",
        "refused: roles_full",
        "notices: Counted",
        "notices: Told",
        "closed: Host",
        "closed: Empty",
        "closed: after lingering",
        "waits for who was lost",
        "lingers on, because a clock was set back",
        "four records at once",
        "attached",
        "came back to a place",
        "came back to a position",
        "a retry",
        "a retry without a permit",
        "a send under a rewritten text",
        "history wants a log",
        "history has more",
        "history of nothing",
        "history on from a place",
        "history on both sides",
        "history on from what is forgotten",
        "history has more after",
        "a key is forgotten",
        "renamed",
        "data changed",
        "changed by the host",
        "changed in nothing",
        "refused: rate_limited by a change just before",
        "two who look alike",
        "renamed by coming back",
        "redacted again",
        "reacted",
        "reacted under a key",
        "a reaction taken back",
        "a reaction taken back by a sweep",
        "reacted again",
        "frozen",
        "settled",
        "redacted by what the log says",
        "redacted by a log that was late",
        "changes of nothing",
        "changes that are all",
        "more changes",
        "typing runs out",
        "typing more than are shown",
        "a message grows",
        "a message grows no more",
        "what grows is said again",
        "another message grows in its place",
        "a signal",
        "a signal is taken away",
        "refused: live_full",
        "refused: signals_full",
        "a session moved to another member",
    ];
    let missing: Vec<&str> = expected.into_iter().filter(|what| !reached.contains(*what)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(512), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_command_but_a_nameless_creation_is_about_a_room(command in any_command(200)) {
        let nameless = matches!(command, chat_core::Command::Create { room: None, .. });
        prop_assert_eq!(command.room().is_none(), nameless);
    }
}

/// Plays a run on the model alone, and writes down what happened in it.
fn live(limits: RoomLimits, steps: &[Step], reached: &mut BTreeSet<String>) {
    let limits = Arc::new(limits);
    let (mut model, mut cast) = (Model::new(Arc::clone(&limits)), Cast::new());
    model.keep_for_host(host_names());
    let mut now = Now { wall: Wall(1_795_370_400_000), mono: Mono(0) };
    let mut log = Vec::new();
    for step in steps {
        let wall = now.wall.0.saturating_add(step.pass.mono).saturating_add_signed(step.pass.step);
        now = Now { wall: Wall(wall), mono: Mono(now.mono.0 + step.pass.mono) };
        let mut inputs = match cast.play(&step.act, &model) {
            Play::Input(input) => vec![input],
            Play::Note(note) => {
                model.note(now, note);
                Vec::new()
            }
            Play::Restart => {
                model.restart(now);
                Vec::new()
            }
            Play::Writes(version) => {
                model.write_up_to(version);
                Vec::new()
            }
            Play::Lose { .. } => Vec::new(),
        };
        while let Some(input) = inputs.pop() {
            let expected = model.expect(now, &input);
            note_what(&model, &limits, &input, &expected, reached);
            if is_for_a_network(&model, now, &input, &expected) {
                reached.insert("refused: banned for a network".to_owned());
            }
            if let Ok(decision) = expected {
                model.live(now, &input, &decision);
                log.extend(decision.records);
            }
            if model.next_deadline().is_some_and(|deadline| deadline <= now.mono) {
                inputs.push(Input::Elapsed);
            }
        }
    }
    note_what_is_forgotten(&log, reached);
}

/// Whether somebody is kept out for where they come from, and for nothing else.
fn is_for_a_network(before: &Model, now: Now, input: &Input, expected: &Result<Decision, Refusal>) -> bool {
    let is_banned = |expected: &Result<Decision, Refusal>| {
        expected.as_ref().is_err_and(|refusal| refusal.code == RejectCode::Banned)
    };
    let mut from_nowhere = input.clone();
    let Input::Join { by, .. } = &mut from_nowhere else { return false };
    by.network = None;
    is_banned(expected) && !is_banned(&before.expect(now, &from_nowhere))
}

fn note_what(
    before: &Model,
    limits: &RoomLimits,
    input: &Input,
    expected: &Result<Decision, Refusal>,
    reached: &mut BTreeSet<String>,
) {
    let mut reach = |what: &str| reached.insert(what.to_owned());
    let decision = match expected {
        Ok(decision) => decision,
        Err(refusal) => {
            reach(&format!("refused: {}", refusal.code.as_str()));
            if let Input::Join { nick, .. } | Input::Create { nick, .. } = input
                && refusal.code == RejectCode::NickTaken
                && host_names().like(&nick.key()).is_some()
            {
                reach("refused: nick_taken by the host");
            }
            if matches!(input, Input::Me { .. }) && refusal.code == RejectCode::RateLimited {
                reach("refused: rate_limited by a change just before");
            }
            let is_paid = matches!(input, Input::Send { permit: chat_core::room::SendPermit::Paid, .. });
            if is_paid && refusal.retry_after.is_some() {
                reach("refused: rate_limited by slow mode");
            }
            return;
        }
    };
    if matches!(decision.answer, Answer::Invited { until: None, .. }) {
        reach("invited while there is no need");
    }
    // Nobody else who is new gets in.
    let is_invited = matches!(decision.records.first(), Some(record) if {
        let is_new = record.by.is_some_and(|by| !before.former().contains(&by)) && before.held_seat().is_none();
        is_new && before.settings().locked
    });
    let in_the_empty = before.epoch().is_some() && before.members().is_empty();
    for record in &decision.records {
        let told = if record.seq.is_some() { "told" } else { "quiet" };
        reach(&match &record.event {
            Event::Created { .. } => "created".to_owned(),
            Event::Joined { role: Role::Owner, .. }
                if before.held_seat().is_some_and(|(of, _)| of.is_some() && of == record.by) =>
            {
                "joined: as the owner again".to_owned()
            }
            Event::Joined { role: Role::Owner, .. } if before.held_seat().is_some_and(|(of, _)| of.is_none()) => {
                "joined: as the owner whom the host has named".to_owned()
            }
            Event::Joined { .. } if is_invited => "joined: on an invite".to_owned(),
            Event::Joined { role: Role::Moderator, .. } => "joined: as a moderator again".to_owned(),
            Event::Joined { role: Role::Owner, .. } if in_the_empty => {
                "joined: as an owner of an empty room".to_owned()
            }
            Event::Joined { .. } => format!("joined: {told}"),
            Event::Left { held: Some(_), .. } => "left: the seat is held".to_owned(),
            Event::Left { reason: LeaveReason::Timeout, .. } => "left: timed out".to_owned(),
            Event::Left { .. } => format!("left: {told}"),
            Event::Sent { .. } if record.by.is_none() && in_the_empty => "said by the host in an empty room".to_owned(),
            Event::Sent { .. } if record.by.is_none() => "said by the host".to_owned(),
            Event::Sent { data: Some(_), text, .. } if text.as_str().is_empty() => "sent with data alone".to_owned(),
            Event::Sent { data: Some(_), .. } => "sent with data".to_owned(),
            Event::Sent { reply_to: Some(_), .. } => "sent in answer".to_owned(),
            Event::Sent { .. } => "sent".to_owned(),
            Event::Edited { target, .. } if before.growing().iter().any(|live| live.target == *target) => {
                "edited while it grows".to_owned()
            }
            Event::Edited { target, .. } if !before.marks().contains(target) => "edited what is forgotten".to_owned(),
            Event::Edited { n: 1, .. } => "edited".to_owned(),
            Event::Edited { .. } => "edited again".to_owned(),
            Event::Redacted { .. } => "redacted".to_owned(),
            Event::Reacted { on: false, .. } if !matches!(input, Input::React { .. }) => {
                "a reaction taken back by a sweep".to_owned()
            }
            Event::Reacted { on: false, .. } => "a reaction taken back".to_owned(),
            Event::Reacted { keyed: Some(_), .. } => "reacted under a key".to_owned(),
            Event::Reacted { .. } => "reacted".to_owned(),
            Event::Settled { .. } if !before.owed_freezes().is_empty() => "frozen".to_owned(),
            Event::Settled { .. } => "settled".to_owned(),
            Event::Kicked { .. } if record.by.and_then(|by| before.member(by)).is_some_and(is_moderator) => {
                "moderated by a moderator".to_owned()
            }
            Event::Kicked { .. } => "kicked".to_owned(),
            Event::Banned { .. } => "banned".to_owned(),
            Event::BanAdded { networks, .. } if !networks.is_empty() => "banned with a network".to_owned(),
            Event::BanAdded { until: Some(_), .. } => "banned for a time".to_owned(),
            Event::BanAdded { .. } if decision.records.len() == 1 => "banned after leaving".to_owned(),
            Event::BanAdded { .. } => "banned with a number".to_owned(),
            Event::BanLifted { .. } => "a ban is lifted".to_owned(),
            Event::Swept { .. } if matches!(input, Input::Ban { .. }) => "swept by a ban".to_owned(),
            Event::Swept { .. } => "swept".to_owned(),
            Event::TopicChanged { .. } => "topic changed".to_owned(),
            Event::SettingsChanged { .. } => "settings changed".to_owned(),
            Event::MemberChanged { .. } if matches!(input, Input::ChangeMember { .. }) => {
                "changed by the host".to_owned()
            }
            Event::MemberChanged { .. } if matches!(input, Input::Attach { .. } | Input::Join { .. }) => {
                "renamed by coming back".to_owned()
            }
            Event::MemberChanged { nick: Some(_), .. } => "renamed".to_owned(),
            Event::MemberChanged { .. } => "data changed".to_owned(),
            Event::RoleChanged { role: Role::Owner, .. } if *input == Input::Elapsed && decision.records.len() == 1 => {
                "a seat ran out".to_owned()
            }
            Event::RoleChanged { role: Role::Owner, .. } if decision.records.len() == 2 && record.by.is_some() => {
                "handed on".to_owned()
            }
            Event::RoleChanged { member, .. } if before.member(*member).is_none() => "named while away".to_owned(),
            Event::RoleChanged { .. } => "role changed".to_owned(),
            Event::Protected => "protected".to_owned(),
            Event::Kept { on } if in_the_empty => format!("kept while empty: {on}"),
            Event::Kept { on } => format!("kept: {on}"),
            Event::OwnerNamed { .. } => "an owner is named".to_owned(),
            Event::Invited { .. } => "invited".to_owned(),
            Event::Erased { .. } => "erased".to_owned(),
            Event::Scrubbed { .. } => "scrubbed".to_owned(),
            Event::NoticesChanged { notices } => format!("notices: {notices:?}"),
            Event::Closed { cause: RoomCloseReason::Empty } if in_the_empty && *input == Input::Elapsed => {
                "closed: after lingering".to_owned()
            }
            Event::Closed { cause } => format!("closed: {cause:?}"),
            other => panic!("nothing draws it: {other:?}"),
        });
    }
    let is_last = before.members().len() == 1 && limits.empty_linger.is_zero();
    if let [Record { event: Event::Left { reason: LeaveReason::Timeout, .. }, .. }] = decision.records.as_slice()
        && is_last
    {
        reach("waits for who was lost");
    }
    if decision.records.len() == 4 {
        reach("four records at once");
    }
    if *input == Input::Elapsed && decision.records.is_empty() && decision.note == Some(Note::Elapsed) {
        reach(if in_the_empty { "lingers on, because a clock was set back" } else { "typing runs out" });
    }
    let people = before.members();
    let mut pairs = people.iter().flat_map(|one| people.iter().map(move |other| (one, other)));
    if pairs.any(|(one, other)| one.id < other.id && one.nick_key.looks_like(&other.nick_key)) {
        reach("two who look alike");
    }
    if before.typing().len() == limits.typing_members_max && before.online() > limits.typing_members_max {
        reach("typing more than are shown");
    }
    match &decision.note {
        Some(Note::Live { text: None, .. }) => reach("a message grows no more"),
        Some(Note::Live { member, target, text: Some(text) }) => {
            match before.growing().into_iter().find(|live| live.member == *member) {
                None => reach("a message grows"),
                Some(live) if live.target != *target => reach("another message grows in its place"),
                Some(live) => live.text == *text && reach("what grows is said again"),
            }
        }
        Some(Note::Signal { data: None, .. }) => reach("a signal is taken away"),
        Some(Note::Signal { .. }) => reach("a signal"),
        _ => false,
    };
    match (&decision.answer, input) {
        (Answer::Entered(entered), Input::Join { by, .. } | Input::Attach { by, .. }) => {
            let own = decision.records.first().and_then(|joined| joined.seq);
            if before.settings().secret.is_some() && matches!(input, Input::Join { secret: Some(_), .. }) {
                reach("joined: with the secret");
            }
            match entered.entry {
                Entry::Continued if entered.from < before.head() => reach("came back to a position"),
                Entry::Continued => reach("came back to the head"),
                Entry::Attached if matches!(input, Input::Attach { after: Some(at), .. } if at.seq == entered.from) => {
                    reach("came back to a position of an earlier membership")
                }
                Entry::Attached => reach("attached"),
                Entry::Joined if own.is_some_and(|own| entered.from < own) => reach("came back to a place"),
                Entry::Joined => false,
            };
            let elsewhere = before
                .members()
                .into_iter()
                .find(|person| person.id != entered.member && before.sessions_of(person.id).contains(&by.session));
            if elsewhere.is_some() {
                reach("a session moved to another member");
            }
        }
        (Answer::Sent { repeated: Repeated::Retry, .. }, Input::Send { permit, .. }) => {
            reach("a retry");
            if matches!(permit, chat_core::room::SendPermit::Exhausted { .. }) {
                reach("a retry without a permit");
            }
        }
        (Answer::Sent { .. }, Input::Send { as_sent: Some(_), key: Some(_), .. }) => {
            reach("a send under a rewritten text");
        }
        (Answer::Sent { repeated: Repeated::Retry, .. }, Input::Say { .. }) => {
            reach("a retry of the host's");
        }
        (Answer::Sent { repeated: Repeated::Retry, .. }, Input::Edit { .. }) => {
            reach("an edit that is a retry");
        }
        (Answer::Sent { .. }, Input::Edit { target, evidence: Some(shown), .. })
            if before.evidence(*target, false).is_some_and(|true_one| true_one.edits > shown.edits) =>
        {
            reach("edited by a log that was late");
        }
        (Answer::Done { .. }, Input::Edit { .. }) => {
            reach("edited to what stands");
        }
        (Answer::Done { .. }, Input::Settings { .. }) if decision.records.is_empty() => {
            reach("settings changed in nothing");
        }
        (Answer::Done { .. }, Input::Me { .. } | Input::ChangeMember { .. }) if decision.records.is_empty() => {
            reach("changed in nothing");
        }
        (Answer::History(slice), _) => {
            let all = [
                (slice.wanted > 0, "history wants a log"),
                (slice.more == More::Yes, "history has more"),
                (slice.seqs.is_empty() && slice.newer.seqs.is_empty(), "history of nothing"),
                (!slice.newer.seqs.is_empty(), "history on from a place"),
                (!slice.newer.seqs.is_empty() && !slice.seqs.is_empty(), "history on both sides"),
                (slice.newer.count > 0 && slice.newer.forgotten == More::Yes, "history on from what is forgotten"),
                (slice.newer.newest > slice.newer.seqs.last().copied(), "history has more after"),
            ];
            all.into_iter().filter(|(is_so, _)| *is_so).for_each(|(_, what)| {
                reach(what);
            });
        }
        (Answer::Changes(slice), _) => {
            reach(match (slice.changed.is_empty(), slice.more) {
                (_, More::Yes) => "more changes",
                (true, More::No) => "changes of nothing",
                (false, More::No) => "changes that are all",
            });
        }
        (Answer::Bans { more, .. }, _) => {
            reach(if *more == More::Yes { "more bans" } else { "bans that are all" });
        }
        (Answer::Done { .. }, Input::React { .. }) if decision.records.is_empty() => {
            reach("reacted again");
        }
        (Answer::Done { .. }, Input::RedactAll { .. }) if decision.records.is_empty() => {
            reach("nothing left to sweep");
        }
        (Answer::Done { .. }, Input::Redact { evidence, .. }) => {
            let late = evidence.as_ref().is_some_and(|evidence| !evidence.is_taken_back);
            reach(match (decision.records.is_empty(), evidence) {
                (true, Some(_)) if late => "redacted by a log that was late",
                (true, _) => "redacted again",
                (false, Some(_)) => "redacted by what the log says",
                (false, None) => "redacted",
            });
        }
        _ => {}
    }
}

fn is_moderator(person: Person) -> bool {
    person.role == Role::Moderator
}

/// What only a look at all records shows.
fn note_what_is_forgotten(log: &[Record], reached: &mut BTreeSet<String>) {
    let (mut banned, mut keys, mut scopes): (Vec<&Scope>, _, BTreeMap<_, &Scope>) =
        (Vec::new(), Vec::new(), BTreeMap::new());
    for record in log {
        match &record.event {
            Event::Created { .. } => (banned, keys, scopes) = (Vec::new(), Vec::new(), BTreeMap::new()),
            Event::BanAdded { member, until: Some(_), .. } => banned.push(scopes[&Some(*member)]),
            Event::Joined { scope, .. } => {
                scopes.insert(record.by, scope);
                if banned.contains(&scope) {
                    reached.insert("a ban is over".to_owned());
                }
            }
            Event::Sent { keyed: Some(_), .. } if record.by.is_none() => {}
            Event::Sent { keyed: Some(keyed), .. } | Event::Edited { keyed: Some(keyed), .. } => {
                let key = (scopes[&record.by], &keyed.key);
                if keys.contains(&key) {
                    reached.insert("a key is forgotten".to_owned());
                }
                keys.push(key);
            }
            _ => {}
        }
    }
}
