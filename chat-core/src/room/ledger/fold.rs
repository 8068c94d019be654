//! The fold itself: what each record changes in a ledger. The same records always give the same ledger, and none can be refused.

use super::{Incarnation, Ledger};
use crate::domain::{Event, Keyed, LeaveReason, Record, Role};
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::room::bans::Ban;
use crate::room::changes::Changed;
use crate::room::former::Place;
use crate::room::hashes::{KeyHash, ScopeHash};
use crate::room::invites::Invite;
use crate::room::key_window::Kept;
use crate::room::members::Member;
use crate::room::owed::{OwedAmend, OwedChange, OwedEdit};
use crate::room::seat::HeldSeat;
use crate::room::slow_mode::SlowMode;
use crate::room::sweeps::Sweep;
use crate::types::{MemberId, Seq, Wall};

impl Ledger {
    /// Takes in the next record.
    ///
    /// # Panics
    /// When the record does not follow: that is a bug of whoever reads or writes the log.
    pub fn apply(&mut self, record: &Record) {
        self.follow(record);
        self.needs = self.needs.max(record.version());
        match &record.event {
            Event::Created { epoch, salt } => self.life = Some(Incarnation { epoch: *epoch, salt: *salt }),
            Event::Joined { nick, nick_key, color, role, scope, sees, data } => {
                let id = actor(record);
                let hash = self.hash(scope);
                let place = self.former.place(hash).cloned();
                let joined = place.as_ref().map_or(self.head, |place| place.joined);
                // One that does not say it changes nothing of what was said before.
                let sees = sees.or(place.as_ref().map(|place| place.sees)).unwrap_or_default();
                self.former.forget(hash);
                if place.is_none() {
                    // It was scrubbed while it was read: of the records before it, they were known by who they are.
                    self.former.forget_number(id);
                }
                if let Some(put_out) = self.put_out.if_any() {
                    put_out.forget(hash);
                }
                #[cfg(feature = "fault_injection")]
                let is_used = !fault_injection::is(Bug::KeepInvite);
                #[cfg(not(feature = "fault_injection"))]
                let is_used = true;
                if let Some(invites) = self.invites.if_any().filter(|_| is_used) {
                    invites.forget(hash);
                }
                self.last_member = self.last_member.max(id);
                (self.empty, self.lost) = (None, false);
                if *role == Role::Owner {
                    self.free_seat();
                }
                self.members.insert(Member {
                    id,
                    nick: nick.clone(),
                    nick_key: nick_key.clone(),
                    color: *color,
                    role: *role,
                    scope: scope.clone(),
                    joined,
                    sees,
                    entered: record.seq.unwrap_or(self.head.next()),
                    begun: record.offset,
                    since: record.at,
                    data: data.clone(),
                });
            }
            Event::Left { reason, held, .. } => {
                if let Some(member) = self.members.remove(actor(record)) {
                    let scope = self.hash(&member.scope);
                    let is_held = member.role == Role::Owner && (held.is_some() || self.protected);
                    let role = if member.role == Role::Owner && !is_held { Role::Member } else { member.role };
                    self.former.remember(Place::of(&member, scope, role, *reason), self.bounds.former_max);
                    self.note_empty();
                    self.lost = self.members.len() == 0 && *reason == LeaveReason::Timeout;
                    if is_held {
                        self.held = Some(HeldSeat { scope, until: *held });
                    }
                }
            }
            Event::Sent { keyed, .. } => {
                self.marks.push(self.head, record.by.unwrap_or(MemberId::HOST), self.bounds.marks_max);
                self.freeze_reactions();
                let Some(by) = record.by else { return self.remember_host_key(record.at, keyed.as_ref()) };
                if self.settings.slow_ms > 0 {
                    self.slow_mode.spoke(by, record.at, self.bounds.slowed_max);
                }
                self.remember_key(by, record.at, keyed.as_ref());
            }
            Event::Edited { target, content, n, keyed } => {
                let (target, change, offset) = (*target, self.head, record.offset);
                let bytes = content.as_ref().map_or(0, |content| u32::try_from(content.bytes()).unwrap_or(u32::MAX));
                let before = self.changes.last_edit(target);
                self.owed.make().push(OwedChange::Edit(OwedEdit { target, change, offset, n: *n, bytes, before }));
                #[cfg(feature = "fault_injection")]
                let changed = (!fault_injection::is(Bug::ForgetEdit)).then_some(Changed { target, change });
                #[cfg(not(feature = "fault_injection"))]
                let changed = Some(Changed { target, change });
                let (by, max) = (actor(record), self.bounds.changes_max);
                changed.into_iter().for_each(|changed| self.changes.make().push_edited(changed, by, max));
                self.edited = true;
                self.remember_key(by, record.at, keyed.as_ref());
            }
            Event::Reacted { target, name, on, keyed, .. } => {
                let (by, change) = (actor(record), self.head);
                let author = self.marks.find(*target).map_or(MemberId(0), |mark| mark.by);
                self.reactions.make().set((*target, author), name, by, *on);
                self.changes.make().push_altered(Changed { target: *target, change }, self.bounds.changes_max);
                self.remember_key(by, record.at, keyed.as_ref());
            }
            Event::Redacted { target } => {
                self.marks.redact(*target);
                if let Some(reactions) = self.reactions.if_any() {
                    reactions.remove(*target);
                }
                let (target, change) = (*target, self.head);
                self.owed.make().push(OwedChange::TakeBack(OwedAmend { target, change }));
                self.changes.make().push(Changed { target, change }, self.bounds.changes_max);
            }
            Event::Swept { member, from, to } => {
                self.marks.sweep(*member, *from, *to);
                if let Some(reactions) = self.reactions.if_any() {
                    reactions.remove_all(|target, author| author == *member && (*from..=*to).contains(&target));
                }
                let sweep = Sweep { member: *member, from: *from, to: *to, change: self.head };
                self.owed.make().push(OwedChange::Sweep(sweep));
                self.changes.make().push_range(sweep, self.bounds.changes_max);
            }
            Event::Settled { through, frozen } => {
                if let Some(owed) = self.owed.if_any() {
                    owed.settle(*through);
                }
                if *frozen > Seq(0) {
                    self.reactions.make().settle(*frozen);
                }
            }
            Event::Kicked { member, .. } => {
                self.slow_mode.forget(*member);
                if let Some(member) = self.members.remove(*member) {
                    let scope = self.hash(&member.scope);
                    self.former.forget(scope);
                    let place = Place::of(&member, scope, Role::Member, LeaveReason::Left);
                    self.put_out.make().remember(place, self.bounds.former_max);
                    self.note_empty();
                }
            }
            Event::Banned { scope } => {
                let hash = self.hash(scope);
                self.forget_banned(hash);
                self.bans.make().add_early(scope, self.at, self.bounds.bans_max);
            }
            Event::BanAdded { ban, person, member, nick, until, networks } => {
                let person = (*person).into();
                self.forget_banned(person);
                let salt = self.salt();
                self.bans.make().forget_early(|scope| ScopeHash::new(salt, scope) == person);
                let (member, nick, networks) = (Some(*member), nick.clone(), networks.clone());
                let (by, at, until) = (record.by, Some(self.at), *until);
                self.bans.make().add(Ban { member, nick, by, at, until, networks, ..Ban::new(*ban, person) }, self.at);
            }
            Event::BanLifted { ban } => self.bans.make().lift(*ban),
            Event::MemberChanged { member, nick, nick_key, data } => {
                self.members.change(*member, nick.as_ref().zip(nick_key.as_ref()), data.as_ref());
                if record.by == Some(*member) {
                    self.member_changes.note(*member, record.at, self.bounds.member_changes);
                }
            }
            Event::TopicChanged { topic } => self.topic = topic.clone(),
            Event::SettingsChanged { settings } => {
                self.settings = *settings;
                if settings.slow_ms == 0 {
                    self.slow_mode = SlowMode::default();
                }
            }
            Event::RoleChanged { member, role } => {
                if *role == Role::Owner {
                    self.free_seat();
                }
                self.members.set_role(*member, *role);
                let is_here = self.members.get(*member).is_some();
                let away = if is_here { None } else { self.former.set_role(*member, *role) };
                self.held = self.held.filter(|seat| Some(seat.scope) != away);
            }
            Event::Protected => {
                self.protected = true;
                if self.held.and_then(|seat| seat.until).is_some_and(|until| until <= self.at) {
                    // It has run out, and only nobody was there to follow.
                    self.free_seat();
                }
                self.held = self.held.map(|seat| HeldSeat { until: None, ..seat });
            }
            Event::Kept { on } => {
                self.kept = *on;
                if !*on && self.members.len() == 0 {
                    (self.empty, self.lost) = (Some(self.at), false);
                }
            }
            Event::OwnerNamed { scope } => {
                self.free_seat();
                self.held = Some(HeldSeat { scope: self.hash(scope), until: None });
            }
            Event::Invited { person, until } => {
                self.invites.make().add(Invite { person: (*person).into(), until: *until }, self.at);
            }
            Event::Erased { person, alias, members } => self.erase(record, *person, *alias, members),
            Event::Scrubbed { through } => {
                if let Some(erasures) = self.erasures.if_any() {
                    erasures.settle(*through);
                }
            }
            Event::NoticesChanged { notices } => self.notices = *notices,
            // The numbers stay, for readers that are behind; everything else ends with the incarnation.
            Event::Closed { .. } => {
                let (offset, head, at) = (self.offset, self.head, self.at);
                *self = Self { offset, head, at, ..Self::empty(self.bounds) };
            }
        }
    }

    fn follow(&mut self, record: &Record) {
        if matches!(record.event, Event::Created { .. }) {
            assert!(self.life.is_none(), "an incarnation begins after the last one ended");
            *self = Self::empty(self.bounds);
        } else {
            assert!(self.life.is_some(), "a record belongs to an incarnation");
        }
        assert_eq!(record.offset, self.offset.next(), "records are applied in order");
        self.offset = record.offset;
        if let Some(seq) = record.seq {
            assert_eq!(seq, self.head.next(), "told events are applied in order");
            self.head = seq;
        }
        self.at = self.at.max(record.at);
    }

    /// Messages that are too old for it take no more reactions.
    pub(super) fn freeze_reactions(&mut self) {
        if self.reactions.takes_more() {
            let (first, head) = (self.reactable_from(), self.head);
            self.reactions.make().freeze(first, head);
        }
    }

    /// Remembers under which key somebody did what stands at the head, if under any.
    fn remember_key(&mut self, by: MemberId, at: Wall, keyed: Option<&Keyed>) {
        if let (Some(keyed), Some(member)) = (keyed, self.members.get(by)) {
            let scope = self.hash(&member.scope);
            let key = KeyHash::new(self.salt(), scope, &keyed.key);
            let kept = Kept { scope, key, digest: keyed.digest, seq: self.head, at };
            self.keys.make().insert(kept, self.bounds.keys);
        }
    }

    /// Remembers under which key the host said what stands at the head, if under any.
    fn remember_host_key(&mut self, at: Wall, keyed: Option<&Keyed>) {
        if let Some(keyed) = keyed {
            let (scope, key) = self.host_key(&keyed.key);
            let kept = Kept { scope, key, digest: keyed.digest, seq: self.head, at };
            self.host_keys.make().insert(kept, self.bounds.host_keys());
        }
    }

    /// Nobody has the owner's seat to come back to any more.
    fn free_seat(&mut self) {
        if let Some(seat) = self.held.take() {
            self.former.lower(seat.scope);
        }
    }

    /// Who may not come in does not come back: their place goes, as does an invite, and a seat that is held for them runs out now.
    fn forget_banned(&mut self, person: ScopeHash) {
        if let Some(invites) = self.invites.if_any() {
            invites.forget(person);
        }
        if let Some(place) = self.former.take(person) {
            self.put_out.make().remember(place.put_out(), self.bounds.former_max);
        }
        if self.held.is_some_and(|seat| seat.scope == person) {
            self.held = (!self.protected).then_some(HeldSeat { scope: person, until: Some(self.at) });
        }
    }

    fn note_empty(&mut self) {
        if self.members.len() == 0 {
            self.empty = Some(self.at);
        }
    }
}

fn actor(record: &Record) -> MemberId {
    record.by.expect("who joins, leaves or edits is named")
}
