//! Whom the host lets in once, whatever the room lets in: each question reads all facts anew.

use chat_core::room::{Answer, Caller, Decision};
use chat_core::{Event, Identity, Now, PersonHash, RecordVersion, RejectCode, Scope, Wall};

use super::outcome::{decision, refusal};
use super::{AsSent, Model, Refusal, Told, bans, facts};

/// Who was invited last and until when, of those who have not come in since, and were not banned.
fn invited(model: &Model) -> Vec<(Identity, Wall)> {
    let mut invited: Vec<(Identity, Wall)> = Vec::new();
    let take = |invited: &mut Vec<(Identity, Wall)>, scope: &Scope| {
        invited.retain(|(who, _)| Scope::Identity(who.clone()) != *scope);
    };
    let facts = model.facts_as_sent();
    for (number, (record, asked)) in facts.iter().enumerate() {
        match (&record.event, asked) {
            (Event::Invited { until, .. }, Some(AsSent::Invite(who))) => {
                take(&mut invited, &Scope::Identity(who.clone()));
                invited.push((who.clone(), *until));
            }
            (Event::Erased { .. }, Some(AsSent::Erase(who))) => take(&mut invited, &Scope::Identity(who.clone())),
            (Event::Joined { scope, .. } | Event::Banned { scope }, _) => take(&mut invited, scope),
            (Event::BanAdded { member, .. }, _) => {
                let before: Vec<_> = facts[..number].iter().map(|(record, _)| record.clone()).collect();
                take(&mut invited, &bans::who_was(&before, *member));
            }
            _ => {}
        }
    }
    invited
}

/// Whether somebody may come in although the room lets nobody new in.
pub(super) fn is_invited(model: &Model, now: Now, by: &Caller) -> bool {
    let at = model.time(now);
    let is_it = |(who, until): &(Identity, Wall)| by.identity.as_ref() == Some(who) && at < *until;
    invited(model).iter().any(is_it)
}

pub(super) fn invite(model: &Model, now: Now, identity: &Identity) -> Result<Decision, Refusal> {
    let scope = Scope::Identity(identity.clone());
    bans::check_person(model, now, &scope)?;
    let (members, former) = facts::people(&model.facts(), model.limits.former_max);
    if let Some(person) = members.into_iter().find(|person| person.scope == scope) {
        return Ok(decision(Vec::new(), None, Answer::Invited { until: None, nick: Some(person.nick) }));
    }
    if model.writes < RecordVersion::PERSONS {
        return Err(refusal(RejectCode::Unavailable, None));
    }
    let at = model.time(now);
    let others = invited(model).into_iter().filter(|(who, until)| who != identity && at < *until);
    if others.count() >= model.limits.invites_max {
        return Err(refusal(RejectCode::AtCapacity, None));
    }
    let nick = facts::place_of(&former, &scope).map(|place| place.nick.clone());
    let until = at.after(model.limits.invite_time);
    let event = Event::Invited { person: PersonHash(0), until };
    let record = model.clone().add(now, Told::No, None, event, Some(AsSent::Invite(identity.clone())));
    Ok(decision(vec![record], None, Answer::Invited { until: Some(until), nick }))
}
