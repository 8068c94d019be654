//! What members, the host and time may do, and what follows.

use std::time::Duration;

use chat_core::room::{Actor, Answer, Caller, Decision, Evidence, Input, Note, Repeated, SendPermit};
use chat_core::{
    BanTerms, Digest, Event, Key, Keyed, LeaveReason, MemberId, Notices, Now, Record, RecordVersion, RejectCode, Role,
    RoomCloseReason, Said, SecretHash, Seq, SettingsChange, Topic, TypingState,
};

use super::facts::Person;
use super::outcome::{acting, decision, done, member, refusal, seq_of};
use super::presence::Due;
use super::{
    AsSent, Model, Refusal, Told, bans, edits, enter, erasing, host, inviting, keeping, owed, pages, people, reactions,
    roles, seat, settings, slots, sweeps, time,
};

pub(super) fn expect(model: &Model, now: Now, input: &Input) -> Result<Decision, Refusal> {
    if let Input::Create { by, nick, data, epoch, salt } = input {
        return enter::create(model, now, by, (nick, data.as_ref()), *epoch, *salt);
    }
    if let Input::Found { options, epoch, salt } = input {
        return keeping::found(model, now, options, *epoch, *salt);
    }
    if model.epoch().is_none() {
        return Err(refusal(RejectCode::RoomNotFound, None));
    }
    match input {
        Input::Create { .. } | Input::Found { .. } => unreachable!("answered above"),
        Input::Join { by, nick, data, history, after, secret } => {
            enter::join(model, now, by, (nick, data.as_ref()), *history, *after, *secret)
        }
        Input::Attach { by, after } => enter::attach(model, now, by, *after),
        Input::Me { by, change } => people::me(model, now, by, change),
        Input::ChangeMember { member, change } => people::change(model, now, *member, change),
        Input::Send { by, said, as_sent, key, permit } => {
            send(model, now, by, said, as_sent.as_ref().unwrap_or(said), key.as_ref(), *permit)
        }
        Input::Edit { by, target, content, as_sent, key, permit, evidence } => {
            let (as_sent, key) = (as_sent.as_ref().unwrap_or(content), key.as_ref());
            let (target, permit, evidence) = (*target, *permit, evidence.as_deref());
            edits::edit(model, now, by, edits::Asked { target, content, as_sent, key, permit, evidence })
        }
        Input::Say { name, said, key } => host::say(model, now, name, said, key.as_ref()),
        Input::Leave { by } => leave(model, now, by),
        Input::History { by, anchor, limit } => {
            let sees = acting(model, by)?.map_or(Seq(0), |person| person.sees);
            Ok(decision(Vec::new(), None, Answer::History(Box::new(pages::page(model, *anchor, *limit, sees)))))
        }
        Input::Changes { by, after } => sweeps::missed(model, member(model, by)?.sees, *after),
        Input::Members { by, after, limit } => {
            acting(model, by)?;
            Ok(members(model, *after, *limit))
        }
        Input::Typing { by, state } => {
            let writer = member(model, by)?;
            if *state == TypingState::On {
                settings::may_change_what_was_said(model, &writer)?;
            }
            let note = Note::Typing { member: writer.id, state: *state };
            Ok(decision(Vec::new(), Some(note), Answer::Nothing))
        }
        Input::Live { by, target, text } => slots::live(model, by, *target, text.as_ref()),
        Input::Signal { by, name, data } => slots::signal(model, by, name, data.as_ref()),
        Input::Read { by, through } => {
            let member = member(model, by)?;
            let through = (*through).min(model.head());
            let has_read = model.has_read(&member.scope).unwrap_or(member.joined);
            let note = (through > has_read).then_some(Note::Read { member: member.id, through });
            let position = model.left_to_read(member.id, through.max(has_read));
            Ok(decision(Vec::new(), note, Answer::Read(position)))
        }
        Input::React { by, target, name, on, key } => {
            reactions::react(model, now, by, *target, name, *on, key.as_ref())
        }
        Input::Redact { by, target: seq, evidence } => redact(model, now, by, *seq, evidence.as_deref()),
        Input::Settle { through } => Ok(settle(model, now, *through)),
        Input::Kick { by, member } => kick(model, now, by, *member),
        Input::Ban { by, member, terms } => ban(model, now, by, *member, *terms),
        Input::Unban { by, ban } => bans::unban(model, now, acting(model, by)?, *ban),
        Input::Bans { by, after, limit } => bans::bans(model, now, acting(model, by)?, *after, *limit),
        Input::RedactAll { by, member, from } => redact_all(model, now, by, *member, *from),
        Input::SetTopic { by, topic } => set_topic(model, now, by, topic),
        Input::Settings { by, change } => set(model, now, by, change),
        Input::SetRole { by, member, role } => roles::set_role(model, now, by, *member, *role),
        Input::Protect => roles::protect(model, now),
        Input::Keep { on } => keeping::keep(model, now, *on),
        Input::Invite { identity } => inviting::invite(model, now, identity),
        Input::Erase { identity, alias, members, is_told_of } => {
            erasing::erase(model, now, identity, *alias, (members, *is_told_of))
        }
        Input::Erased { alias } => Ok(erasing::erased(model, *alias)),
        Input::Scrubbed { through } => Ok(erasing::scrubbed(model, now, *through)),
        Input::Look => Ok(decision(Vec::new(), None, Answer::Nothing)),
        Input::Close { cause } => {
            let closed = model.clone().add(now, Told::No, None, Event::Closed { cause: *cause }, None);
            Ok(decision(vec![closed], None, Answer::Done { seq: model.head() }))
        }
        Input::Elapsed => Ok(elapsed(model, now)),
    }
}

fn send(
    model: &Model,
    now: Now,
    by: &Caller,
    said: &Said,
    as_sent: &Said,
    key: Option<&Key>,
    permit: SendPermit,
) -> Result<Decision, Refusal> {
    let sender = member(model, by)?;
    edits::check(model, &said.content)?;
    let as_sent = AsSent::Send(as_sent.clone());
    if let Some(answer) = edits::retry(model, &sender, key, &as_sent)? {
        return Ok(decision(Vec::new(), None, answer));
    }
    settings::may_speak(model, now, &sender)?;
    edits::paid(permit)?;
    edits::check_more(model, &sender, said)?;
    let event = Event::Sent {
        nick: sender.nick,
        color: sender.color,
        text: said.content.text.clone(),
        data: said.content.data.clone(),
        reply_to: said.reply_to,
        keyed: key.map(|key| Keyed { key: key.clone(), digest: Digest(0) }),
        amended: None,
    };
    let sent = model.clone().add(now, Told::Yes, Some(sender.id), event, Some(as_sent));
    let was_typing = model.presence().typing.iter().any(|(member, _)| *member == sender.id);
    let note = was_typing.then_some(Note::Typing { member: sender.id, state: TypingState::Off });
    let answer = Answer::Sent { seq: seq_of(&sent), at: sent.at, repeated: Repeated::First };
    Ok(decision(vec![sent], note, answer))
}

fn leave(model: &Model, now: Now, by: &Caller) -> Result<Decision, Refusal> {
    let leaver = member(model, by)?;
    let held = roles::held(model, now, &leaver, LeaveReason::Left);
    let event = Event::Left { nick: leaver.nick, reason: LeaveReason::Left, held };
    let mut then = model.clone();
    let left = then.add(now, Told::from(model.notices()), Some(leaver.id), event, None);
    let answer = Answer::Left { seq: left.seq.unwrap_or(model.head()) };
    let mut records = vec![left];
    records.extend(consequences(&mut then, now));
    Ok(decision(records, time_for_the_empty(&then), answer))
}

/// Who may put somebody out: their member, or `None` for the host.
fn may_put_out(model: &Model, by: &Actor, target: MemberId) -> Result<Option<Person>, Refusal> {
    let actor = acting(model, by)?;
    if !roles::moderates(actor.as_ref()) {
        return Err(refusal(RejectCode::Forbidden, None));
    }
    if actor.as_ref().is_some_and(|person| person.id == target) {
        return Err(refusal(RejectCode::BadField, Some("member")));
    }
    Ok(actor)
}

fn kick(model: &Model, now: Now, by: &Actor, target: MemberId) -> Result<Decision, Refusal> {
    let actor = may_put_out(model, by, target)?;
    let Some(person) = model.member(target) else {
        return Err(refusal(RejectCode::MemberNotFound, None));
    };
    if !roles::is_above(actor.as_ref(), person.role) {
        return Err(refusal(RejectCode::Forbidden, None));
    }
    let by = actor.map(|person| person.id);
    let mut then = model.clone();
    let kicked = Event::Kicked { member: target, nick: person.nick, ban: None };
    let kicked = then.add(now, Told::Yes, by, kicked, None);
    let answer = Answer::Done { seq: seq_of(&kicked) };
    let mut records = vec![kicked];
    records.extend(consequences(&mut then, now));
    Ok(decision(records, time_for_the_empty(&then), answer))
}

/// Keeps somebody out, who is put out first if they are there.
fn ban(model: &Model, now: Now, by: &Actor, target: MemberId, terms: BanTerms) -> Result<Decision, Refusal> {
    let actor = may_put_out(model, by, target)?;
    let (mut then, mut records, ban) = bans::ban(model, now, actor.as_ref(), target, terms)?;
    let Some(person) = model.member(target) else {
        let answer = Answer::Done { seq: then.head() };
        let had_seat = model.held_seat().is_some_and(|(owner, _)| owner == Some(target)) && !model.is_protected();
        if let Some(heir) = roles::heir(model).filter(|_| had_seat) {
            let event = Event::RoleChanged { member: heir, role: Role::Owner };
            records.push(then.add(now, Told::Yes, None, event, None));
        }
        return Ok(decision(records, None, answer));
    };
    let by = actor.map(|person| person.id);
    let kicked = then.add(now, Told::Yes, by, Event::Kicked { member: target, nick: person.nick, ban }, None);
    let answer = Answer::Done { seq: seq_of(&kicked) };
    records.push(kicked);
    records.extend(consequences(&mut then, now));
    Ok(decision(records, time_for_the_empty(&then), answer))
}

fn redact_all(model: &Model, now: Now, by: &Actor, member: MemberId, from: Option<Seq>) -> Result<Decision, Refusal> {
    let actor = acting(model, by)?;
    let is_own = actor.as_ref().is_some_and(|person| person.id == member);
    let of = roles::role_of(model, member).unwrap_or(Role::Member);
    if !is_own && !roles::is_above(actor.as_ref(), of) {
        return Err(refusal(RejectCode::Forbidden, None));
    }
    let was_there = |record: &Record| matches!(record.event, Event::Joined { .. }) && record.by == Some(member);
    if !model.facts().iter().any(was_there) {
        return Err(refusal(RejectCode::MemberNotFound, None));
    }
    let mut then = model.clone();
    let records = reactions::take_all_back(model, &mut then, now, actor.as_ref(), member, from)?;
    let seq = records.first().map_or(model.head(), seq_of);
    Ok(decision(records, None, Answer::Done { seq }))
}

/// What follows by itself once somebody is gone: an owner, notices, an end.
pub(super) fn consequences(then: &mut Model, now: Now) -> Vec<Record> {
    let mut records = Vec::new();
    let members = then.members();
    let facts = then.facts();
    let is_free = members.iter().all(|person| person.role != Role::Owner) && seat::seat(&facts).is_none();
    if let Some(heir) = roles::heir(then).filter(|_| is_free && !seat::is_protected(&facts)) {
        let event = Event::RoleChanged { member: heir, role: Role::Owner };
        records.push(then.add(now, Told::Yes, None, event, None));
    }
    let few = then.limits.notices_members_max * then.limits.notices_resume_percent / 100;
    if then.notices() == Notices::Counted && members.len() <= few {
        records.push(then.add(now, Told::Yes, None, Event::NoticesChanged { notices: Notices::Told }, None));
    }
    if members.is_empty() && !then.is_kept() && time::linger(then.chapter(), &then.limits) == Duration::ZERO {
        records.push(then.add(now, Told::No, None, Event::Closed { cause: RoomCloseReason::Empty }, None));
    }
    records
}

/// A record does not say what a monotonic clock shows, so a room that is left empty has to be told, and one that was left by its owner.
pub(super) fn time_for_the_empty(then: &Model) -> Option<Note> {
    let leaves =
        then.facts().into_iter().rev().find(|record| matches!(record.event, Event::Left { .. } | Event::Kicked { .. }));
    let holds = leaves.is_some_and(|record| matches!(record.event, Event::Left { held: Some(_), .. }));
    (then.epoch().is_some() && (then.members().is_empty() || holds)).then_some(Note::Elapsed)
}

fn redact(model: &Model, now: Now, by: &Actor, target: Seq, evidence: Option<&Evidence>) -> Result<Decision, Refusal> {
    let actor = acting(model, by)?;
    let sees = actor.as_ref().map_or(Seq(0), |person| person.sees);
    let known = sweeps::known_of(model, target, evidence).filter(|_| target > sees);
    let Some((author, redacted)) = known else {
        return Err(refusal(RejectCode::MessageNotFound, None));
    };
    let is_own = actor.as_ref().is_some_and(|person| author == Some(person.id));
    let of = author.and_then(|author| roles::role_of(model, author)).unwrap_or(Role::Member);
    if !is_own && !roles::is_above(actor.as_ref(), of) {
        return Err(refusal(RejectCode::Forbidden, None));
    }
    if redacted {
        return Ok(decision(Vec::new(), None, Answer::Done { seq: model.head() }));
    }
    if owed::is_owed_too_much(model, 0) {
        return Err(Refusal { retry_after: Some(Duration::from_secs(1)), ..refusal(RejectCode::Unavailable, None) });
    }
    Ok(done(model, now, actor, Event::Redacted { target }))
}

/// Where nothing was owed for these changes, nothing is said.
fn settle(model: &Model, now: Now, through: Seq) -> Decision {
    let is_owed = owed::changes(&model.facts()).iter().any(|owed| owed.change() <= through)
        || model.owed_freezes().iter().any(|(_, change)| *change <= through);
    let is_written = is_owed && model.writes >= RecordVersion::PERSONS;
    let written = model.owed_freezes().into_iter().filter(|(_, change)| *change <= through).map(|(message, _)| message);
    let event = Event::Settled { through, frozen: written.max().unwrap_or_default() };
    let settled = is_written.then(|| model.clone().add(now, Told::No, None, event, None));
    decision(settled.into_iter().collect(), None, Answer::Nothing)
}

fn set_topic(model: &Model, now: Now, by: &Actor, topic: &Topic) -> Result<Decision, Refusal> {
    let actor = acting(model, by)?;
    if !roles::moderates(actor.as_ref()) {
        return Err(refusal(RejectCode::Forbidden, None));
    }
    if model.topic() == *topic {
        return Ok(decision(Vec::new(), None, Answer::Done { seq: model.head() }));
    }
    Ok(done(model, now, actor, Event::TopicChanged { topic: topic.clone() }))
}

fn set(model: &Model, now: Now, by: &Actor, change: &SettingsChange<SecretHash>) -> Result<Decision, Refusal> {
    let actor = acting(model, by)?;
    let settings = settings::changed(model, actor.as_ref(), change)?;
    if settings == model.settings() {
        return Ok(decision(Vec::new(), None, Answer::Done { seq: model.head() }));
    }
    Ok(done(model, now, actor, Event::SettingsChanged { settings }))
}

fn members(model: &Model, after: Option<MemberId>, limit: Option<u32>) -> Decision {
    let all: Vec<MemberId> = model.members().into_iter().map(|person| person.id).collect();
    let most = model.limits.members_page_max;
    let size = limit.map_or(most, |limit| limit as usize).min(most);
    let page = all.iter().copied().filter(|id| after.is_none_or(|after| *id > after)).take(size).collect();
    decision(Vec::new(), None, Answer::Members { page, total: all.len() })
}

fn elapsed(model: &Model, now: Now) -> Decision {
    let mut due = model.presence().deadlines(&model.limits);
    due.retain(|(when, _)| *when <= now.mono);
    let grace = due.iter().filter(|(_, what)| matches!(what, Due::Grace(_))).min();
    if let Some((_, Due::Grace(member))) = grace {
        let person = model.member(*member).expect("only a member has a grace");
        let held = roles::held(model, now, &person, LeaveReason::Timeout);
        let event = Event::Left { nick: person.nick, reason: LeaveReason::Timeout, held };
        let mut then = model.clone();
        let mut records = vec![then.add(now, Told::from(model.notices()), Some(*member), event, None)];
        records.extend(consequences(&mut then, now));
        return decision(records, time_for_the_empty(&then), Answer::Nothing);
    }
    let looks = due.iter().any(|(_, what)| *what == Due::Linger);
    if looks && time::ends(model.chapter(), &model.limits) <= model.time(now) {
        let closed = model.clone().add(now, Told::No, None, Event::Closed { cause: RoomCloseReason::Empty }, None);
        return decision(vec![closed], None, Answer::Nothing);
    }
    let seat = due.iter().any(|(_, what)| *what == Due::Seat);
    if let Some(succession) = roles::succession(model, now).filter(|_| seat) {
        return succession;
    }
    let forgets = due.iter().any(|(_, what)| matches!(what, Due::Typing | Due::Slot));
    decision(Vec::new(), (forgets || looks || seat).then_some(Note::Elapsed), Answer::Nothing)
}
