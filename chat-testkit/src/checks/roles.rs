//! Who is what by the records of a life alone, and what that must never be.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::{Event, LeaveReason, MemberId, Record, Role, RoomLimits, Scope, Wall};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// Roles, as of a record.
#[derive(Clone, Debug)]
pub(super) struct Roles {
    former_max: usize,
    here: BTreeSet<MemberId>,
    /// Those who left and are remembered, the longest gone first.
    away: Vec<MemberId>,
    scopes: BTreeMap<MemberId, Scope>,
    roles: BTreeMap<MemberId, Role>,
    /// For whom the owner's seat is held.
    held: Option<(Scope, Option<Wall>)>,
    /// Whether that may be somebody who was named before they came, and erased since: their record says of nobody who it is.
    may_be_erased: bool,
    protected: bool,
}

impl Roles {
    pub(super) fn new(limits: &RoomLimits) -> Self {
        Self {
            former_max: limits.former_max,
            here: BTreeSet::new(),
            away: Vec::new(),
            scopes: BTreeMap::new(),
            roles: BTreeMap::new(),
            held: None,
            may_be_erased: false,
            protected: false,
        }
    }

    /// What somebody is, or was when they left.
    pub(super) fn role(&self, member: MemberId) -> Role {
        self.roles.get(&member).copied().unwrap_or(Role::Member)
    }

    pub(super) fn apply(&mut self, record: &Record) {
        match (&record.event, record.by) {
            (Event::Joined { scope, role, .. }, Some(by)) => {
                if *role == Role::Owner {
                    self.lose_seat();
                }
                self.away.retain(|gone| self.scopes[gone] != *scope);
                self.here.insert(by);
                self.scopes.insert(by, scope.clone());
                self.roles.insert(by, *role);
            }
            (Event::Left { held, .. }, Some(by)) => {
                self.here.remove(&by);
                self.away.push(by);
                if self.role(by) == Role::Owner && (held.is_some() || self.protected) {
                    self.held = Some((self.scopes[&by].clone(), if self.protected { None } else { *held }));
                } else if self.role(by) == Role::Owner {
                    self.roles.insert(by, Role::Member);
                }
            }
            (Event::Kicked { member, .. }, _) => {
                self.here.remove(member);
            }
            (Event::Banned { scope }, _) => self.keep_out(scope.clone(), record.at),
            (Event::BanAdded { member, .. }, _) => self.keep_out(self.scopes[member].clone(), record.at),
            (Event::RoleChanged { member, role }, _) => {
                if *role == Role::Owner {
                    self.lose_seat();
                }
                self.roles.insert(*member, *role);
                let is_away = !self.here.contains(member);
                self.held = self.held.take().filter(|(scope, _)| !(is_away && *scope == self.scopes[member]));
            }
            (Event::Erased { members, .. }, _) => {
                let scopes: Vec<Scope> = members.iter().filter_map(|member| self.scopes.get(member).cloned()).collect();
                self.away.retain(|gone| !scopes.contains(&self.scopes[gone]));
                self.held = self.held.take().filter(|(scope, _)| !scopes.contains(scope));
                let is_stranger = |scope: &Scope| self.scopes.values().all(|known| known != scope);
                self.may_be_erased |= members.is_empty() && self.held.as_ref().is_some_and(|(of, _)| is_stranger(of));
            }
            (Event::Protected, _) => {
                self.protected = true;
                if self.held.as_ref().and_then(|(_, until)| *until).is_some_and(|until| until <= record.at) {
                    self.lose_seat();
                }
                if let Some((_, until)) = &mut self.held {
                    *until = None;
                }
            }
            (Event::OwnerNamed { scope }, _) => {
                self.lose_seat();
                self.held = Some((scope.clone(), None));
            }
            _ => {}
        }
        while self.away.len() > self.former_max {
            let first = self.away.iter().position(|gone| self.role(*gone) == Role::Member);
            self.away.remove(first.unwrap_or(0));
        }
    }

    /// Who may not come in does not come back: what is kept for them goes.
    fn keep_out(&mut self, scope: Scope, at: Wall) {
        self.away.retain(|gone| self.scopes[gone] != scope);
        if self.held.as_ref().is_some_and(|(of, _)| *of == scope) {
            self.held = (!self.protected).then_some((scope, Some(at)));
        }
    }

    fn lose_seat(&mut self) {
        self.may_be_erased = false;
        if let Some((scope, _)) = self.held.take() {
            for gone in self.away.iter().filter(|gone| self.scopes[gone] == scope) {
                self.roles.insert(*gone, Role::Member);
            }
        }
    }

    fn owners(&self) -> usize {
        self.here.iter().filter(|member| self.role(**member) == Role::Owner).count()
    }

    fn moderators(&self) -> usize {
        self.here.iter().chain(&self.away).filter(|member| self.role(**member) == Role::Moderator).count()
    }

    /// As what somebody must come in, and what they are then.
    fn check_join(&self, scope: &Scope, role: Role, record: &Record, says_roles: bool) -> TestCaseResult {
        let is_theirs = self.held.as_ref().is_some_and(|(of, _)| of == scope);
        let is_held = self.held.as_ref().is_some_and(|(_, until)| until.is_none_or(|until| until > record.at));
        let place = self.away.iter().find(|gone| self.scopes[gone] == *scope);
        let expected = match place.map(|place| self.role(*place)) {
            _ if is_theirs || (self.here.is_empty() && !is_held && !self.protected) => Role::Owner,
            Some(Role::Moderator) if says_roles => Role::Moderator,
            _ => Role::Member,
        };
        if self.may_be_erased {
            return Ok(());
        }
        prop_assert_eq!(role, expected, "{:?} comes in where {:?}", record, self);
        Ok(())
    }
}

/// The rules of roles, by the decisions of one life: an owner has their seat or it is held for them, nobody acts on an equal or a higher
/// role, and what is given to somebody stays theirs.
pub(super) fn check_roles(decisions: &[Vec<Record>], limits: &RoomLimits) -> TestCaseResult {
    let mut roles = Roles::new(limits);
    for decision in decisions {
        let before = roles.clone();
        let acts = |by: Option<MemberId>, least: Role, on: Option<MemberId>| {
            let Some(role) = by.map(|by| before.role(by)) else { return true };
            !least.is_above(role) && on.is_none_or(|on| role.is_above(before.role(on)))
        };
        for record in decision {
            match &record.event {
                Event::Joined { scope, role, sees, .. } => roles.check_join(scope, *role, record, sees.is_some())?,
                Event::Left { reason, held: Some(held), .. } => {
                    let by = record.by.expect("a leave is somebody's");
                    prop_assert_eq!(before.role(by), Role::Owner);
                    prop_assert_eq!(*held, record.at.after(limits.owner_seat_held));
                    prop_assert!(
                        *reason == LeaveReason::Timeout || roles.here.len() == 1,
                        "who leaves others hands on"
                    );
                }
                Event::Kicked { member, .. } => {
                    prop_assert!(acts(record.by, Role::Moderator, Some(*member)), "{:?} where {:?}", record, before);
                }
                // Their role goes with the place of who is put out.
                Event::BanAdded { member, .. } | Event::Swept { member, .. } if record.by != Some(*member) => {
                    let is_known = before.here.contains(member) || before.away.contains(member);
                    let on = is_known.then_some(*member);
                    prop_assert!(acts(record.by, Role::Moderator, on), "{:?} where {:?}", record, before);
                }
                Event::TopicChanged { .. } | Event::BanLifted { .. } => {
                    prop_assert!(acts(record.by, Role::Moderator, None))
                }
                Event::RoleChanged { member, .. } => {
                    let is_own = record.by == Some(*member) && decision.len() == 2;
                    let on = (!is_own).then_some(*member);
                    prop_assert!(acts(record.by, Role::Owner, on), "{:?} where {:?}", record, before);
                }
                _ => {}
            }
            roles.apply(record);
            prop_assert!(roles.owners() <= 1, "two owners after {:?}", record);
        }
        if decision.iter().any(|record| matches!(record.event, Event::Closed { .. })) {
            continue;
        }
        prop_assert!(roles.moderators() <= limits.moderators_max.max(before.moderators()), "{:?}", roles);
        // Exactly one of: an owner, a held seat, a room of the host's, nobody.
        let (taken, held) = (roles.owners() == 1, roles.held.is_some());
        prop_assert!(!(taken && held), "a seat is held that somebody has: {:?}", roles);
        prop_assert!(taken || held || roles.protected || roles.here.is_empty(), "nobody's room: {:?}", roles);
    }
    Ok(())
}
