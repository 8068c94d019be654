//! Who is kept out, and until when: each question reads all facts anew.

use chat_core::room::{Answer, BanLine, Caller, Decision, More};
use chat_core::{
    BanId, BanTerm, BanTerms, Event, MemberId, NetworkTag, Nick, Now, PersonHash, Record, RecordVersion, RejectCode,
    Role, Scope, Wall,
};

use super::facts::Person;
use super::outcome::{decision, refusal};
use super::{Model, Refusal, Told, erased, facts, reactions, roles};

/// Somebody who was banned, and not let in again since.
#[derive(Clone, Debug)]
pub(super) struct Banned {
    who: Scope,
    networks: Vec<NetworkTag>,
    line: BanLine,
}

/// Every ban that was not lifted, whether it is over or not.
fn all(facts: &[Record]) -> (Vec<Banned>, BanId) {
    let mut bans: Vec<Banned> = Vec::new();
    let mut last = BanId(0);
    for (number, record) in facts.iter().enumerate() {
        match &record.event {
            // Of those that were written without a number nothing but the person is known.
            Event::Banned { scope } => {
                last = BanId(last.0 + 1);
                bans.retain(|ban| ban.who != *scope);
                let line = BanLine::new(last);
                bans.push(Banned { who: scope.clone(), networks: Vec::new(), line });
            }
            Event::BanAdded { ban, member, nick, until, networks, .. } => {
                last = *ban;
                let who = who_was(&facts[..number], *member);
                bans.retain(|other| other.who != who);
                let mut line = BanLine::new(*ban);
                (line.member, line.nick, line.by) = (Some(*member), nick.clone(), record.by);
                (line.at, line.until, line.network) = (Some(record.at), *until, !networks.is_empty());
                bans.push(Banned { who, networks: networks.clone(), line });
            }
            // Who is kept out by a number stays so, and nothing else is known of them.
            Event::Erased { .. } => {
                bans.retain(|ban| ban.line.member.is_some() || !erased::erases(record, &ban.who));
                for ban in bans.iter_mut().filter(|ban| erased::erases(record, &ban.who)) {
                    ban.networks.clear();
                    (ban.line.nick, ban.line.network) = (None, false);
                }
            }
            Event::BanLifted { ban } => bans.retain(|other| other.line.ban != *ban),
            _ => {}
        }
    }
    (bans, last)
}

/// Who had this number last.
pub(super) fn who_was(facts: &[Record], member: MemberId) -> Scope {
    let scope = facts.iter().rev().find_map(|record| match &record.event {
        Event::Joined { scope, .. } if record.by == Some(member) => Some(scope.clone()),
        _ => None,
    });
    scope.expect("who is banned was there")
}

/// Those that hold.
fn holding(model: &Model, now: Now) -> Vec<Banned> {
    let at = model.time(now);
    let (bans, _) = all(&model.facts());
    bans.into_iter().filter(|ban| ban.line.until.is_none_or(|until| at < until)).collect()
}

/// Refuses who is kept out, with the moment at which the last of their bans ends.
pub(super) fn check(model: &Model, now: Now, by: &Caller) -> Result<(), Refusal> {
    let is_stranger = by.identity.is_none() && !facts::knows(&model.facts(), model.limits.former_max, &by.scope());
    let network = by.network.filter(|_| is_stranger);
    let binds = |ban: &Banned| ban.who == by.scope() || network.is_some_and(|network| ban.networks.contains(&network));
    refuse_bound(model, now, binds)
}

/// The same of a person, wherever they come from.
pub(super) fn check_person(model: &Model, now: Now, scope: &Scope) -> Result<(), Refusal> {
    refuse_bound(model, now, |ban| ban.who == *scope)
}

fn refuse_bound(model: &Model, now: Now, binds: impl Fn(&Banned) -> bool) -> Result<(), Refusal> {
    let ends: Vec<Option<Wall>> =
        holding(model, now).iter().filter(|ban| binds(ban)).map(|ban| ban.line.until).collect();
    if ends.is_empty() {
        return Ok(());
    }
    let until = if ends.contains(&None) { None } else { ends.into_iter().flatten().max() };
    Err(Refusal { until, ..refusal(RejectCode::Banned, None) })
}

/// What keeps somebody out, with what takes back all that they said, and what all are told of it; the kick is still to come.
pub(super) fn ban(
    model: &Model,
    now: Now,
    actor: Option<&Person>,
    target: MemberId,
    terms: BanTerms,
) -> Result<(Model, Vec<Record>, Option<BanTerm>), Refusal> {
    let present = model.member(target);
    let (_, former) = facts::people(&model.facts(), model.limits.former_max);
    let gone = former.into_iter().find(|gone| gone.id == target);
    let out = facts::put_out(&model.facts(), model.limits.former_max).into_iter().find(|out| out.id == target);
    let banned = holding(model, now).into_iter().find(|ban| ban.line.member == Some(target));
    let nick: Option<Nick> = match (&present, &gone, &out, &banned) {
        (Some(person), ..) => Some(person.nick.clone()),
        (None, Some(gone), ..) => Some(gone.nick.clone()),
        (None, None, Some(out), _) => Some(out.nick.clone()),
        (None, None, None, Some(banned)) => banned.line.nick.clone(),
        (None, None, None, None) => return Err(refusal(RejectCode::MemberNotFound, None)),
    };
    let role = roles::role_of(model, target).unwrap_or(Role::Member);
    if !roles::is_above(actor, role) {
        return Err(refusal(RejectCode::Forbidden, None));
    }
    let who = who_was(&model.facts(), target);
    let (theirs, others): (Vec<Banned>, Vec<Banned>) = holding(model, now).into_iter().partition(|ban| ban.who == who);
    if others.len() >= model.limits.bans_max {
        return Err(refusal(RejectCode::BansFull, None));
    }
    // Those that are known of them, else those that a ban before has.
    let mut networks = model.networks_of(target);
    if let Some(before) = theirs.into_iter().find(|ban| networks.is_empty() && !ban.networks.is_empty()) {
        networks = before.networks;
    }
    if terms.network && networks.is_empty() {
        return Err(refusal(RejectCode::BadField, Some("network")));
    }
    let is_numbered = model.writes >= RecordVersion::PERSONS;
    let by = actor.map(|person| person.id);
    let until = terms.minutes.map(|minutes| Wall(model.time(now).0 + u64::from(minutes.get()) * 60_000));
    let banned = match &present {
        _ if is_numbered => Event::BanAdded {
            ban: BanId(all(&model.facts()).1.0 + 1),
            person: PersonHash(0),
            member: target,
            nick,
            until,
            networks: if terms.network { networks } else { Vec::new() },
        },
        Some(person) if terms == BanTerms::default() => Event::Banned { scope: person.scope.clone() },
        _ => return Err(refusal(RejectCode::Unavailable, None)),
    };
    let mut then = model.clone();
    let mut records = vec![then.add(now, Told::No, by, banned, None)];
    if terms.sweep {
        records.extend(reactions::take_all_back(model, &mut then, now, actor, target, None)?);
    }
    Ok((then, records, is_numbered.then(|| BanTerm::until(until))))
}

pub(super) fn unban(model: &Model, now: Now, actor: Option<Person>, ban: BanId) -> Result<Decision, Refusal> {
    let actor = moderating(actor)?;
    if !holding(model, now).iter().any(|held| held.line.ban == ban) {
        return Err(refusal(RejectCode::BanNotFound, None));
    }
    if model.writes < RecordVersion::PERSONS {
        return Err(refusal(RejectCode::Unavailable, None));
    }
    let lifted = model.clone().add(now, Told::No, actor, Event::BanLifted { ban }, None);
    Ok(decision(vec![lifted], None, Answer::Done { seq: model.head() }))
}

pub(super) fn bans(
    model: &Model,
    now: Now,
    actor: Option<Person>,
    after: Option<BanId>,
    limit: Option<u32>,
) -> Result<Decision, Refusal> {
    moderating(actor)?;
    let later = holding(model, now).into_iter().map(|ban| ban.line);
    let later: Vec<BanLine> = later.filter(|line| after.is_none_or(|after| line.ban > after)).collect();
    let most = model.limits.bans_page_max.min(limit.map_or(usize::MAX, |limit| limit as usize));
    let more = if later.len() > most { More::Yes } else { More::No };
    let page = later.into_iter().take(most).collect();
    Ok(decision(Vec::new(), None, Answer::Bans { page, more }))
}

fn moderating(actor: Option<Person>) -> Result<Option<MemberId>, Refusal> {
    if !roles::moderates(actor.as_ref()) {
        return Err(refusal(RejectCode::Forbidden, None));
    }
    Ok(actor.map(|person| person.id))
}
