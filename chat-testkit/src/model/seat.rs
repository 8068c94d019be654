//! The owner's seat while the owner is away: for whom it is held, and until when.

use chat_core::{Event, MemberId, Record, Role, Scope, Wall};

use super::erased;

/// The seat of an owner who is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) scope: Scope,
    /// Their number; nobody has one who was named before they came.
    pub(super) number: Option<MemberId>,
    /// Until when; without end where only the host names owners, and for whom it has named.
    pub(super) until: Option<Wall>,
}

/// Whether only the host names owners.
pub(super) fn is_protected(facts: &[Record]) -> bool {
    facts.iter().any(|record| record.event == Event::Protected)
}

/// The seat of the last owner, if it is held for them still: nobody else has been made one since, and they were not told to be less.
pub(super) fn seat(facts: &[Record]) -> Option<Seat> {
    let last = facts.iter().rposition(|record| makes_owner(record).is_some() || named(record).is_some())?;
    let is_erased = |scope: &Scope, since: &[Record]| since.iter().any(|record| erased::erases(record, scope));
    if let Some(scope) = named(&facts[last]).filter(|scope| !is_erased(scope, &facts[last..])) {
        return Some(Seat { scope, number: None, until: None });
    }
    let owner = makes_owner(&facts[last])?;
    let scope = facts[..=last].iter().rev().find_map(|record| match &record.event {
        Event::Joined { scope, .. } if record.by == Some(owner) => Some(scope.clone()),
        _ => None,
    })?;
    let since = &facts[last + 1..];
    let left =
        since.iter().position(|record| matches!(record.event, Event::Left { .. }) && record.by == Some(owner))?;
    let lowered = |record: &Record| matches!(record.event, Event::RoleChanged { member, .. } if member == owner);
    if since.iter().any(lowered) || is_erased(&scope, since) {
        return None;
    }
    let Event::Left { held, .. } = since[left].event else { unreachable!("found as a leave") };
    let protection = facts.iter().find(|record| record.event == Event::Protected);
    let was_protected = is_protected(&facts[..last + 1 + left]);
    let until = match (held, protection) {
        (None, _) if !was_protected => return None,
        // Nobody was there to follow when the room became the host's.
        (Some(until), Some(record)) if !was_protected && until <= record.at => return None,
        (_, Some(_)) => None,
        (until, None) => until,
    };
    // Who may not come in does not come back.
    let is_banned = |record: &&Record| match &record.event {
        Event::Banned { scope: banned } => *banned == scope,
        Event::BanAdded { member, .. } => *member == owner,
        _ => false,
    };
    let banned = since[left..].iter().rev().find(is_banned);
    match banned {
        Some(record) => until.map(|_| Seat { scope, number: Some(owner), until: Some(record.at) }),
        None => Some(Seat { scope, number: Some(owner), until }),
    }
}

/// Whom the host names as the owner before they come.
fn named(record: &Record) -> Option<Scope> {
    match &record.event {
        Event::OwnerNamed { scope } => Some(scope.clone()),
        _ => None,
    }
}

/// Whom a record makes the owner.
fn makes_owner(record: &Record) -> Option<MemberId> {
    match record.event {
        Event::Joined { role: Role::Owner, .. } => record.by,
        Event::RoleChanged { member, role: Role::Owner } => Some(member),
        _ => None,
    }
}
