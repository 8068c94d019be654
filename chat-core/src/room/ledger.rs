//! The fold of a room's log: what is so because of what has happened, and nothing else.
//!
//! Never here: who is attached right now, and any text of a message.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bans::{Ban, Bans};
use super::changes::{Changed, Changes};
use super::dedup::{self, Kept, KeyHash, KeyWindow, ScopeHash, WindowBounds};
use super::former::{Former, Place};
use super::marks::Marks;
use super::member_changes::{MemberChangeBounds, MemberChanges};
use super::members::{Member, Members};
use super::owed::{Owed, OwedAmend, OwedChange, OwedEdit};
use super::reactions::{OwedFreeze, Reactions};
use super::seat::HeldSeat;
use super::slowed::Slowed;
use super::sweeps::Sweep;
use super::time::linger_after;
use super::weight::beside;
use crate::domain::{
    Content, Digest, Event, Keyed, LeaveReason, Notices, Reaction, Record, RecordVersion, Role, Said, Settings,
};
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::types::{Color, Epoch, Key, MemberId, NickKey, Offset, RoomLimits, Scope, Seq, Topic, Wall};

/// What a room's log amounts to. Snapshots hold this; the same records always give the same ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    bounds: Bounds,
    life: Option<Incarnation>,
    offset: Offset,
    head: Seq,
    at: Wall,
    topic: Topic,
    notices: Notices,
    last_member: MemberId,
    members: Members,
    former: Former,
    /// What a program has to know to read the records that this is made of.
    #[serde(default, skip_serializing_if = "is_first")]
    needs: RecordVersion,
    bans: Bans,
    marks: Marks,
    keys: KeyWindow,
    /// When the last member went, if none is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    empty: Option<Wall>,
    /// Whether the last member was lost, and did not leave. A program that does not know it lets the room go sooner.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    lost: bool,
    /// Nothing in what programs before it stored: they stored a ledger only once nothing was owed.
    #[serde(default, skip_serializing_if = "Owed::is_empty")]
    owed: Owed,
    /// Where programs before it stored the ranges among them; see [`Ledger::read_back`].
    #[serde(default, skip_serializing)]
    owed_sweeps: VecDeque<Sweep>,
    /// Whether anything was ever edited: where nothing was, no edit can be superseded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    edited: bool,
    #[serde(default = "Changes::unknown")]
    changes: Changes,
    #[serde(default, skip_serializing_if = "Settings::is_default")]
    settings: Settings,
    #[serde(default, skip_serializing_if = "Slowed::is_empty")]
    slowed: Slowed,
    #[serde(default, skip_serializing_if = "MemberChanges::is_empty")]
    member_changes: MemberChanges,
    #[serde(default, skip_serializing_if = "Reactions::is_empty")]
    reactions: Reactions,
    /// For whom the owner's seat is held, while they are away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<HeldSeat>,
    /// Whether only the host says who is the owner.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    protected: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Incarnation {
    epoch: Epoch,
    salt: u64,
}

/// The limits that the fold itself keeps. Part of the ledger, so that a replay forgets what living through it forgot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Bounds {
    marks_max: usize,
    former_max: usize,
    bans_max: usize,
    #[serde(default = "changes_max_once")]
    changes_max: usize,
    #[serde(default = "slowed_max_once", skip_serializing_if = "is_slowed_max_once")]
    slowed_max: usize,
    #[serde(default, skip_serializing_if = "MemberChangeBounds::is_default")]
    member_changes: MemberChangeBounds,
    #[serde(default = "reactable_max_once", skip_serializing_if = "is_reactable_max_once")]
    reactable_max: usize,
    keys: WindowBounds,
}

/// What was the bound before it was written down.
fn changes_max_once() -> usize {
    1_024
}

/// The bound where none is written down.
fn slowed_max_once() -> usize {
    20_000
}

fn is_slowed_max_once(max: &usize) -> bool {
    *max == slowed_max_once()
}

/// The bound where none is written down.
fn reactable_max_once() -> usize {
    512
}

fn is_reactable_max_once(max: &usize) -> bool {
    *max == reactable_max_once()
}

impl Bounds {
    fn new(limits: &RoomLimits) -> Self {
        Self {
            marks_max: limits.marks_max,
            former_max: limits.former_max,
            bans_max: limits.bans_max,
            changes_max: limits.changes_max,
            slowed_max: limits.slowed_max,
            member_changes: MemberChangeBounds::new(limits),
            reactable_max: limits.reactable_max,
            keys: WindowBounds { scope_max: limits.keys_per_scope_max, total_max: limits.keys_max },
        }
    }
}

impl Ledger {
    /// Of an empty log: no incarnation yet.
    pub fn new(limits: &RoomLimits) -> Self {
        Self::empty(Bounds::new(limits))
    }

    fn empty(bounds: Bounds) -> Self {
        Self {
            bounds,
            life: None,
            offset: Offset(0),
            head: Seq(0),
            at: Wall(0),
            topic: Topic::default(),
            notices: Notices::Told,
            last_member: MemberId(0),
            members: Members::default(),
            former: Former::default(),
            needs: RecordVersion::FIRST,
            bans: Bans::default(),
            marks: Marks::default(),
            keys: KeyWindow::default(),
            empty: None,
            lost: false,
            owed: Owed::default(),
            owed_sweeps: VecDeque::new(),
            edited: false,
            changes: Changes::default(),
            settings: Settings::default(),
            slowed: Slowed::default(),
            member_changes: MemberChanges::default(),
            reactions: Reactions::default(),
            held: None,
            protected: false,
        }
    }

    /// Takes in the next record.
    ///
    /// # Panics
    /// When the record does not follow: that is a bug of whoever reads or writes the log.
    pub fn apply(&mut self, record: &Record) {
        self.follow(record);
        self.needs = self.needs.max(record.event.version());
        match &record.event {
            Event::Created { epoch, salt } => self.life = Some(Incarnation { epoch: *epoch, salt: *salt }),
            Event::Joined { nick, nick_key, color, role, scope, sees, data } => {
                let id = actor(record);
                let hash = self.hash(scope);
                let place = self.former.place(hash);
                let joined = place.map_or(self.head, |place| place.joined);
                // One that does not say it changes nothing of what was said before.
                let sees = sees.or(place.map(|place| place.sees)).unwrap_or_default();
                self.former.forget(hash);
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
                let by = actor(record);
                self.marks.push(self.head, by, self.bounds.marks_max);
                self.reactions.freeze(self.reactable_from(), self.head);
                if self.settings.slow_ms > 0 {
                    self.slowed.spoke(by, record.at, self.bounds.slowed_max);
                }
                self.remember_key(by, record.at, keyed.as_ref());
            }
            Event::Edited { target, content, n, keyed } => {
                let (target, change, offset) = (*target, self.head, record.offset);
                let bytes = content.as_ref().map_or(0, |content| u32::try_from(content.bytes()).unwrap_or(u32::MAX));
                let before = self.changes.last_edit(target);
                self.owed.push(OwedChange::Edit(OwedEdit { target, change, offset, n: *n, bytes, before }));
                #[cfg(feature = "fault_injection")]
                let changed = (!fault_injection::is(Bug::ForgetEdit)).then_some(Changed { target, change });
                #[cfg(not(feature = "fault_injection"))]
                let changed = Some(Changed { target, change });
                let (by, max) = (actor(record), self.bounds.changes_max);
                changed.into_iter().for_each(|changed| self.changes.push_edited(changed, by, max));
                self.edited = true;
                self.remember_key(by, record.at, keyed.as_ref());
            }
            Event::Reacted { target, name, on, keyed, .. } => {
                let (by, change) = (actor(record), self.head);
                let author = self.marks.find(*target).map_or(MemberId(0), |mark| mark.by);
                self.reactions.set((*target, author), name, by, *on);
                self.changes.push_altered(Changed { target: *target, change }, self.bounds.changes_max);
                self.remember_key(by, record.at, keyed.as_ref());
            }
            Event::Redacted { target } => {
                self.marks.redact(*target);
                self.reactions.remove(*target);
                let (target, change) = (*target, self.head);
                self.owed.push(OwedChange::TakeBack(OwedAmend { target, change }));
                self.changes.push(Changed { target, change }, self.bounds.changes_max);
            }
            Event::Swept { member, from, to } => {
                self.marks.sweep(*member, *from, *to);
                self.reactions.remove_all(|target, author| author == *member && (*from..=*to).contains(&target));
                let sweep = Sweep { member: *member, from: *from, to: *to, change: self.head };
                self.owed.push(OwedChange::Sweep(sweep));
                self.changes.push_range(sweep, self.bounds.changes_max);
            }
            Event::Settled { through, frozen } => {
                self.owed.settle(*through);
                self.reactions.settle(*frozen);
            }
            Event::Kicked { member, .. } => {
                self.slowed.forget(*member);
                if let Some(member) = self.members.remove(*member) {
                    self.former.forget(self.hash(&member.scope));
                    self.note_empty();
                }
            }
            Event::Banned { scope } => {
                let hash = self.hash(scope);
                self.forget_banned(hash);
                self.bans.add_early(scope, self.at, self.bounds.bans_max);
            }
            Event::BanAdded { ban, person, member, nick, until, networks } => {
                let person = (*person).into();
                self.forget_banned(person);
                let (member, nick, networks) = (Some(*member), nick.clone(), networks.clone());
                let (by, at, until) = (record.by, Some(self.at), *until);
                self.bans.add(Ban { member, nick, by, at, until, networks, ..Ban::new(*ban, person) }, self.at);
            }
            Event::BanLifted { ban } => self.bans.lift(*ban),
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
                    self.slowed = Slowed::default();
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
                if self.held.is_some_and(|seat| seat.until <= Some(self.at)) {
                    // It has run out, and only nobody was there to follow.
                    self.free_seat();
                }
                self.held = self.held.map(|seat| HeldSeat { until: None, ..seat });
            }
            Event::NoticesChanged { notices } => self.notices = *notices,
            // The numbers stay, for readers that are behind; everything else ends with the incarnation.
            Event::Closed { .. } => {
                let (offset, head, at) = (self.offset, self.head, self.at);
                *self = Self { offset, head, at, ..Self::empty(self.bounds) };
            }
        }
    }

    /// The version that a program has to know to read what this is made of.
    pub fn needs(&self) -> RecordVersion {
        // A program that does not know what is owed would show it.
        match self.owed.is_empty() && !self.bans.are_numbered() {
            true => self.needs,
            false => self.needs.max(RecordVersion::PERSONS),
        }
    }

    /// Bytes that it holds in memory beside itself, about. The same cost in a room of any size.
    pub fn weight(&self) -> usize {
        self.members.weight()
            + self.former.weight()
            + self.bans.weight()
            + self.marks.weight()
            + self.keys.weight()
            + self.owed.weight()
            + self.changes.weight()
            + self.slowed.weight()
            + self.member_changes.weight()
            + self.reactions.weight()
            + beside(self.topic.as_str())
    }

    /// Which incarnation this is; `None` before the first and after the last record of one.
    pub fn epoch(&self) -> Option<Epoch> {
        self.life.map(|life| life.epoch)
    }

    /// The salt of this incarnation's hashes; 0 without an incarnation.
    pub fn salt(&self) -> u64 {
        self.life.map_or(0, |life| life.salt)
    }

    /// The number of the last record; 0 for none.
    pub fn last_offset(&self) -> Offset {
        self.offset
    }

    /// The number of the last told event; 0 for none.
    pub fn head(&self) -> Seq {
        self.head
    }

    /// The time of the last record.
    pub fn last_at(&self) -> Wall {
        self.at
    }

    /// When the last member went; `None` while there are members, or no incarnation. A ledger stored by a program that did not write it
    /// down says the time of its last record.
    pub fn empty_since(&self) -> Option<Wall> {
        let is_empty = self.life.is_some() && self.members.len() == 0;
        is_empty.then(|| self.empty.unwrap_or(self.at))
    }

    /// Until when an empty room lingers; `None` while it is not empty.
    pub(super) fn empty_until(&self, limits: &RoomLimits) -> Option<Wall> {
        self.empty_since().map(|empty| empty.after(self.linger(limits)))
    }

    /// How long it lingers, if it is empty.
    pub(super) fn linger(&self, limits: &RoomLimits) -> Duration {
        linger_after(if self.lost { LeaveReason::Timeout } else { LeaveReason::Left }, limits)
    }

    /// What the room is about.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// What those who moderate have set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether joins and leaves are told one by one.
    pub fn notices(&self) -> Notices {
        self.notices
    }

    /// The member with this number.
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.get(id)
    }

    /// The member who is this person.
    pub fn member_with_scope(&self, scope: &Scope) -> Option<&Member> {
        self.members.with_scope(scope)
    }

    /// Members with a higher number than this, in order; all for `None`.
    pub fn members_after(&self, after: Option<MemberId>) -> impl Iterator<Item = &Member> {
        self.members.after(after)
    }

    /// How many members there are.
    pub fn members_total(&self) -> usize {
        self.members.len()
    }

    /// What the log has to be amended for, as far as it does not say itself that it has been; in the order of the changes.
    pub fn owed(&self) -> impl Iterator<Item = OwedChange> {
        self.owed.iter()
    }

    /// How many those are; bounded by [`RoomLimits::owed_max`], except where an earlier program has written the log.
    pub fn owed_total(&self) -> usize {
        self.owed.len()
    }

    /// The first change for which the log is owed anything.
    pub fn first_owed(&self) -> Option<Seq> {
        let changed = self.owed().map(|owed| owed.change()).next();
        let freeze = self.owed_freezes().map(|owed| owed.change).next();
        changed.into_iter().chain(freeze).min()
    }

    /// Bytes of what messages say since they were edited, as far as that is owed; bounded by [`RoomLimits::owed_bytes_max`], or one edit.
    pub fn owed_bytes(&self) -> usize {
        self.owed.bytes()
    }

    /// Whether anything was ever edited in this incarnation.
    pub fn was_edited(&self) -> bool {
        self.edited
    }

    /// The last edit of a message that is remembered.
    #[cfg(feature = "engine")]
    pub(crate) fn last_edit(&self, target: Seq) -> Option<Seq> {
        self.changes.last_edit(target)
    }

    /// The same of the messages that a range covers.
    #[cfg(feature = "engine")]
    pub(crate) fn last_edits(&self, sweep: Sweep) -> impl Iterator<Item = Seq> {
        self.changes.last_edits(sweep)
    }

    /// The last edit of a message that is owed.
    pub(super) fn owed_edit(&self, target: Seq) -> Option<OwedEdit> {
        self.owed.edit_of(target)
    }

    /// The messages that take no more reactions, and whose records may lack those they have; in the order of the changes.
    pub fn owed_freezes(&self) -> impl Iterator<Item = OwedFreeze> {
        self.reactions.owed()
    }

    /// The messages that have reactions: those whose records may lack theirs, then those that take more.
    pub fn reacted(&self) -> impl Iterator<Item = Seq> {
        self.reactions.messages()
    }

    /// What one of these has been reacted to with; nothing for any other message.
    pub fn reactions_to(&self, message: Seq) -> Vec<Reaction> {
        self.reactions.shown(message)
    }

    /// Whether a message takes no reactions any more because it, or one after it, had some that were to be written into its record.
    #[cfg(feature = "engine")]
    pub(crate) fn has_closed_reactions(&self, message: Seq) -> bool {
        message <= self.reactions.closed()
    }

    /// Whether a message was taken back, as far as the room remembers it.
    pub fn is_taken_back(&self, message: Seq) -> bool {
        self.marks.find(message).is_some_and(|mark| mark.redacted) || self.changes.has_taken_back(message)
    }

    /// The last change that took something back, as far as that is remembered.
    #[cfg(feature = "fault_injection")]
    pub(crate) fn last_taken_back(&self) -> Seq {
        self.changes.last_taken_back()
    }

    /// Whether the messages that take reactions are as many as under these limits.
    #[cfg(feature = "engine")]
    pub(crate) fn is_reactable_as_under(&self, limits: &RoomLimits) -> bool {
        self.bounds.reactable_max == limits.reactable_max
    }

    /// The same under other limits: what no longer fits is forgotten, oldest first.
    pub(super) fn bounded(mut self, limits: &RoomLimits) -> Self {
        let bounds = Bounds::new(limits);
        if self.bounds != bounds {
            self.bounds = bounds;
            self.marks.bound(bounds.marks_max);
            self.former.bound(bounds.former_max);
            self.keys = self.keys.bounded(bounds.keys);
            self.changes.bound(bounds.changes_max);
            self.slowed.bound(bounds.slowed_max);
            self.member_changes.bound(bounds.member_changes);
            self.reactions.freeze(self.reactable_from(), self.head);
        }
        self
    }

    /// Who looks like this, but for one.
    pub(super) fn member_with_nick(&self, key: &NickKey, but: Option<MemberId>) -> Option<&Member> {
        self.members.with_nick(key, but)
    }

    /// When this member last changed what they are shown as, if that was lately.
    pub(super) fn changed_last(&self, member: MemberId) -> Option<Wall> {
        self.member_changes.last(member)
    }

    pub(super) fn reactions(&self) -> &Reactions {
        &self.reactions
    }

    /// The oldest message that takes reactions, if it was not too old before.
    pub(super) fn reactable_from(&self) -> Seq {
        self.marks.first_of_last(self.bounds.reactable_max)
    }

    /// The highest number that anybody has had.
    pub(super) fn last_member(&self) -> MemberId {
        self.last_member
    }

    pub(super) fn next_member(&self) -> MemberId {
        MemberId(self.last_member.0 + 1)
    }

    pub(super) fn least_used_color(&self) -> Color {
        self.members.least_used_color()
    }

    /// The place of this person, if they left and are remembered.
    pub(super) fn place(&self, scope: &Scope) -> Option<&Place> {
        self.former.place(self.hash(scope))
    }

    /// The places of all who left and are remembered.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.former.iter()
    }

    /// For whom the owner's seat is held, if it is.
    pub(super) fn held_seat(&self) -> Option<HeldSeat> {
        self.held
    }

    /// Whether only the host says who is the owner.
    pub fn is_protected(&self) -> bool {
        self.protected
    }

    pub(super) fn bans(&self) -> &Bans {
        &self.bans
    }

    /// Whether a person is kept out now.
    #[cfg(test)]
    pub(super) fn is_banned(&self, scope: &Scope) -> bool {
        self.bans.contains(scope, self.hash(scope), self.at)
    }

    /// The place of who has this number, if they left and are remembered.
    pub(super) fn place_of(&self, member: MemberId) -> Option<&Place> {
        self.former.with_number(member)
    }

    /// Whether somebody is, or ever was, known here under this number.
    pub(super) fn was_given(&self, member: MemberId) -> bool {
        (MemberId(1)..=self.last_member).contains(&member)
    }

    /// The ranges that were taken back, as far as they are remembered, or the log has not forgotten them.
    pub(super) fn sweeps(&self) -> impl Iterator<Item = Sweep> {
        let owed = self.owed.iter().filter_map(|owed| match owed {
            OwedChange::Sweep(sweep) => Some(sweep),
            _ => None,
        });
        owed.chain(self.changes.ranges_after(Seq(0)).copied())
    }

    /// As it was stored; by a program that kept no changes, it may have changed anything until its end. What one stored in two queues is
    /// one.
    pub(super) fn read_back(mut self) -> Self {
        self.owed = self.owed.with_sweeps(std::mem::take(&mut self.owed_sweeps));
        self.changes = self.changes.unknown_until(self.head);
        self
    }

    /// When this member last spoke in slow mode, if that is remembered.
    pub(super) fn spoke_last(&self, member: MemberId) -> Option<Wall> {
        self.slowed.last(member)
    }

    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Whether there may be a message of this number that is not remembered.
    pub(super) fn may_have_forgotten(&self, seq: Seq) -> bool {
        seq <= self.head && self.marks.may_have_forgotten(seq)
    }

    pub(super) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The send of this person under this key, if it is remembered.
    pub(super) fn sent_before(&self, scope: &Scope, key: &Key) -> Option<&Kept> {
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::ForgetKey) {
            return None;
        }
        self.keys.find(KeyHash::new(self.salt(), self.hash(scope), key))
    }

    /// Of what somebody sends.
    pub(super) fn digest(&self, said: &Said) -> Digest {
        dedup::digest(self.salt(), said)
    }

    /// Of what somebody makes of a message.
    pub(super) fn digest_of_edit(&self, target: Seq, content: &Content) -> Digest {
        dedup::digest_of_edit(self.salt(), target, content)
    }

    /// Panics when something is over its bound; with a look at every member and message when `deep`.
    pub(super) fn check(&self, depth: Depth) {
        assert!(self.head.0 <= self.offset.0, "what is told is recorded");
        assert!(self.marks.len() <= self.bounds.marks_max, "marks_max holds");
        assert!(self.former.len() <= self.bounds.former_max, "former_max holds");
        assert!(self.changes.len() <= self.bounds.changes_max, "changes_max holds");
        assert!(self.slowed.len() <= self.bounds.slowed_max, "slowed_max holds");
        assert!(self.member_changes.len() <= self.bounds.member_changes.max, "member_changes_max holds");
        assert!(self.settings.slow_ms > 0 || self.slowed.is_empty(), "without slow mode nobody is slowed");
        assert!(self.keys.len() <= self.bounds.keys.total_max, "keys_max holds");
        assert!(self.life.is_some() || self.members.len() == 0, "a room without an incarnation has no members");
        assert!(
            self.empty.is_none() || self.empty_since() == self.empty,
            "only a living room without members is empty"
        );
        if depth == Depth::Full {
            self.members.check();
            self.marks.check(self.head);
            self.owed.check(self.head);
            self.bans.check();
            self.changes.check(self.head);
            self.slowed.check();
            self.member_changes.check();
            self.reactions.check(self.head);
            let newest = self.members_after(None).last().map_or(MemberId(0), |member| member.id);
            assert!(newest <= self.last_member, "a new member has a new number");
            self.former.check(self.last_member, |id| self.member(id).is_some());
            assert!(self.members_after(None).all(|member| member.joined <= self.head), "nobody joined in the future");
            let floors = self.members_after(None).all(|member| member.sees <= member.joined);
            assert!(floors, "a floor is not above where events begin");
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

    /// Remembers under which key somebody did what stands at the head, if under any.
    fn remember_key(&mut self, by: MemberId, at: Wall, keyed: Option<&Keyed>) {
        if let (Some(keyed), Some(member)) = (keyed, self.members.get(by)) {
            let scope = self.hash(&member.scope);
            let key = KeyHash::new(self.salt(), scope, &keyed.key);
            let kept = Kept { scope, key, digest: keyed.digest, seq: self.head, at };
            self.keys.insert(kept, self.bounds.keys);
        }
    }

    /// Nobody has the owner's seat to come back to any more.
    fn free_seat(&mut self) {
        if let Some(seat) = self.held.take() {
            self.former.lower(seat.scope);
        }
    }

    /// Who may not come in does not come back: their place goes, and a seat that is held for them runs out now.
    fn forget_banned(&mut self, person: ScopeHash) {
        self.former.forget(person);
        if self.held.is_some_and(|seat| seat.scope == person) {
            self.held = (!self.protected).then_some(HeldSeat { scope: person, until: Some(self.at) });
        }
    }

    fn note_empty(&mut self) {
        if self.members.len() == 0 {
            self.empty = Some(self.at);
        }
    }

    pub(super) fn hash(&self, scope: &Scope) -> ScopeHash {
        ScopeHash::new(self.salt(), scope)
    }
}

fn is_first(version: &RecordVersion) -> bool {
    *version == RecordVersion::FIRST
}

/// How closely to look for a broken invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// At counts only: the same cost in a room of any size.
    Counts,
    /// At every member.
    Full,
}

fn actor(record: &Record) -> MemberId {
    record.by.expect("who joins, leaves or sends is named")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "what is told is recorded")]
    fn a_head_past_the_last_record_is_a_bug_that_counts_show() {
        let broken = Ledger { head: Seq(1), ..Ledger::new(&RoomLimits::default()) };
        broken.check(Depth::Counts);
    }

    /// With a message that is newer than the head.
    fn ahead() -> Ledger {
        let mut broken = Ledger::new(&RoomLimits::default());
        broken.marks.push(Seq(1), MemberId(1), 1);
        broken
    }

    #[test]
    #[should_panic(expected = "no message is newer than the head")]
    fn a_message_from_the_future_is_a_bug_that_a_full_look_shows() {
        ahead().check(Depth::Full);
    }

    #[test]
    fn counts_are_looked_at_without_a_look_at_every_message() {
        ahead().check(Depth::Counts);
    }
}
