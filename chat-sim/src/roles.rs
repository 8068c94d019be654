//! Who is what in one life of a room, by its records alone: whose the room is, who moderates it, and who may not do what to whom.

use std::collections::BTreeMap;
use std::time::Duration;

use chat_core::{Event, LeaveReason, MemberId, Offset, Record, Role, RoomCode, RoomLimits, Scope, Seq, Wall};

use crate::promise::{Broken, Promise, hold};

/// The role of somebody who is away, whom it is kept for, and since which record.
pub(crate) type KeptRole = (MemberId, Role, Offset);

/// Everybody who is a member or left. No world has so many that a place is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    here: BTreeMap<MemberId, (Scope, Role)>,
    away: BTreeMap<MemberId, (Scope, Role)>,
    /// With which record each of them left, or was given another role since.
    since: BTreeMap<MemberId, Offset>,
    /// Whose the owner's seat is while they are away, and until when.
    held: Option<(MemberId, Wall)>,
    /// Who has just become a moderator to hand the room on.
    hands_on: Option<MemberId>,
    authors: BTreeMap<Seq, MemberId>,
    /// Whether the room stays while nobody is in it.
    kept: bool,
}

impl Roles {
    /// What somebody who left is again when they come back, and since which record; `None` for a member, and for who is unknown.
    pub(crate) fn kept(&self, scope: &Scope) -> Option<KeptRole> {
        let (member, (_, role)) = self.away.iter().find(|(_, (of, _))| of == scope)?;
        (*role != Role::Member).then(|| (*member, *role, self.since.get(member).copied().unwrap_or_default()))
    }

    /// The next record.
    pub(crate) fn add(&mut self, room: &RoomCode, record: &Record, limits: &RoomLimits) -> Result<(), Broken> {
        let follows =
            matches!(record.event, Event::RoleChanged { .. } | Event::NoticesChanged { .. } | Event::Closed { .. });
        hold!(follows || self.is_settled(), Promise::Roles, "{room}: nobody's, or two people's, before {record:?}");
        let hands_on = self.hands_on.take();
        if let Event::RoleChanged { member, .. } = record.event {
            self.since.insert(member, record.offset);
        }
        match (&record.event, record.by) {
            (Event::Joined { scope, role, .. }, Some(by)) => {
                let expected = self.role_at_join(scope, record.at);
                hold!(*role == expected, Promise::Roles, "{room}: {scope:?} was {expected:?}, and comes as {record:?}");
                if *role == Role::Owner {
                    self.free_seat();
                }
                self.away.retain(|_, (of, _)| of != scope);
                self.here.insert(by, (scope.clone(), *role));
            }
            (Event::Left { held, reason, .. }, Some(by)) => self.leave(room, record, by, *held, *reason, limits)?,
            (Event::Kicked { member, .. }, by) => {
                self.check_acts(room, record, by, *member)?;
                self.here.remove(member);
            }
            (Event::BanAdded { member, .. }, by) => {
                self.check_acts(room, record, by, *member)?;
                // Who may not come in does not come back: what is kept for them goes.
                self.away.remove(member);
                if let Some((_, until)) = self.held.as_mut().filter(|(held, _)| held == member) {
                    *until = record.at;
                }
            }
            (Event::Swept { member, .. }, by) if by != Some(*member) => self.check_acts(room, record, by, *member)?,
            (Event::RoleChanged { member, role }, Some(by)) => {
                let is_handing = hands_on == Some(by) && *role == Role::Owner;
                let is_owner = self.role(by) == Some(Role::Owner) && (*role != Role::Owner || self.owner().is_none());
                hold!(is_owner || is_handing, Promise::Roles, "{room}: {record:?} by who is {:?}", self.role(by));
                self.hands_on = (by == *member).then_some(by);
                self.change(*member, *role);
            }
            (Event::RoleChanged { member, role }, None) => {
                // No host of a world names anybody: it is a rule that does.
                let is_free = self.owner().is_none() && self.held.is_none_or(|(_, until)| until <= record.at);
                hold!(is_free && *role == Role::Owner, Promise::Roles, "{room}: {record:?} where {:?}", self.held);
                let moderates = |role: Option<Role>| role == Some(Role::Moderator);
                let is_heir =
                    moderates(self.role(*member)) || !self.here.values().any(|(_, role)| moderates(Some(*role)));
                hold!(is_heir, Promise::Roles, "{room}: {record:?} before a moderator of {:?}", self.here);
                self.change(*member, *role);
            }
            (Event::Kept { on }, _) => self.kept = *on,
            (Event::TopicChanged { .. } | Event::BanLifted { .. }, Some(by)) => {
                let moderates = matches!(self.role(by), Some(Role::Owner | Role::Moderator));
                hold!(moderates, Promise::Roles, "{room}: {record:?} by who is {:?}", self.role(by));
            }
            (Event::Sent { .. }, by) => {
                self.authors.insert(record.seq.unwrap_or_default(), by.unwrap_or(MemberId::HOST));
            }
            (Event::Edited { target, .. }, by) => {
                let author = self.authors.get(target).copied();
                hold!(author == by, Promise::Roles, "{room}: {record:?} of what {author:?} said");
            }
            (Event::Redacted { target }, by) => {
                let author = self.authors.get(target).copied();
                if let Some(author) = author.filter(|author| by != Some(*author)) {
                    self.check_acts(room, record, by, author)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What somebody is who is here, or was when they left.
    fn role(&self, member: MemberId) -> Option<Role> {
        self.here.get(&member).or_else(|| self.away.get(&member)).map(|(_, role)| *role)
    }

    fn owner(&self) -> Option<MemberId> {
        self.here.iter().find(|(_, (_, role))| *role == Role::Owner).map(|(member, _)| *member)
    }

    /// Exactly one of: an owner, a held seat, nobody.
    fn is_settled(&self) -> bool {
        let owners = self.here.values().filter(|(_, role)| *role == Role::Owner).count();
        match owners {
            0 => self.here.is_empty() || self.held.is_some(),
            1 => self.held.is_none(),
            _ => false,
        }
    }

    fn role_at_join(&self, scope: &Scope, at: Wall) -> Role {
        let place = self.away.iter().find(|(_, (of, _))| of == scope);
        let is_theirs = self.held.is_some_and(|(member, _)| place.is_some_and(|(own, _)| *own == member));
        let is_held = self.held.is_some_and(|(_, until)| until > at);
        match place.map(|(_, (_, role))| *role) {
            _ if is_theirs || (self.here.is_empty() && !is_held) => Role::Owner,
            Some(Role::Moderator) => Role::Moderator,
            _ => Role::Member,
        }
    }

    fn leave(
        &mut self,
        room: &RoomCode,
        record: &Record,
        by: MemberId,
        held: Option<Wall>,
        reason: LeaveReason,
        limits: &RoomLimits,
    ) -> Result<(), Broken> {
        let Some((scope, role)) = self.here.remove(&by) else { return Ok(()) };
        let is_owner = role == Role::Owner;
        let ends = self.here.is_empty() && !self.kept && linger_after(reason, limits).is_zero();
        let is_lost = reason == LeaveReason::Timeout || self.here.is_empty();
        let expected = (is_owner && is_lost && !ends).then(|| record.at.after(limits.owner_seat_held));
        hold!(held == expected, Promise::Roles, "{room}: {record:?} is to hold until {expected:?}");
        self.held = held.map(|until| (by, until)).or(self.held);
        let role = if is_owner && held.is_none() { Role::Member } else { role };
        self.away.insert(by, (scope, role));
        self.since.insert(by, record.offset);
        Ok(())
    }

    fn check_acts(&self, room: &RoomCode, record: &Record, by: Option<MemberId>, on: MemberId) -> Result<(), Broken> {
        let Some(by) = by else { return Ok(()) };
        let (actor, target) = (self.role(by), self.role(on).unwrap_or(Role::Member));
        let is_above = match actor {
            Some(Role::Owner) => target != Role::Owner,
            Some(Role::Moderator) => target == Role::Member,
            _ => false,
        };
        hold!(is_above, Promise::Roles, "{room}: {record:?} by who is {actor:?}, on who is {target:?}");
        Ok(())
    }

    fn change(&mut self, member: MemberId, to: Role) {
        if to == Role::Owner {
            self.free_seat();
        }
        let of = if self.here.contains_key(&member) { &mut self.here } else { &mut self.away };
        if let Some((_, role)) = of.get_mut(&member) {
            *role = to;
        }
    }

    fn free_seat(&mut self) {
        let lost = self.held.take().and_then(|(member, _)| self.away.get_mut(&member));
        if let Some((_, role)) = lost {
            *role = Role::Member;
        }
    }
}

/// How long a room waits whose last member is gone like this.
pub(crate) fn linger_after(reason: LeaveReason, limits: &RoomLimits) -> Duration {
    let is_lost = reason == LeaveReason::Timeout;
    if is_lost { limits.empty_linger.max(limits.lost_linger) } else { limits.empty_linger }
}
