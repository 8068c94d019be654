//! The fold of a room's log: what is so because of what has happened, and nothing else.
//!
//! Never here: who is attached right now, and any text of a message.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::bounds::Bounds;
pub(super) use self::check::Depth;
use super::bans::Bans;
use super::changes::Changes;
use super::erasures::Erasures;
use super::former::Former;
use super::invites::Invites;
use super::key_window::KeyWindow;
use super::marks::Marks;
use super::member_changes::MemberChanges;
use super::members::Members;
use super::owed::Owed;
use super::reactions::Reactions;
use super::seat::HeldSeat;
use super::slow_mode::SlowMode;
use super::sweeps::Sweep;
use super::time::linger_after;
use super::weight::beside;
use crate::domain::{LeaveReason, Notices, RecordVersion, Settings};
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::seldom::Seldom;
use crate::types::{Epoch, MemberId, Offset, RoomLimits, Seq, Topic, Wall};

mod bounds;
mod check;
mod erased;
mod fold;
mod messages;
mod people;

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
    /// Who was put out, and has not come back: not to come back to a place, but to be banned, or banned otherwise, by their number.
    #[serde(default, skip_serializing_if = "Former::is_empty")]
    put_out: Seldom<Former>,
    /// What a program has to know to read the records that this is made of.
    #[serde(default, skip_serializing_if = "is_first")]
    needs: RecordVersion,
    bans: Seldom<Bans>,
    marks: Marks,
    keys: Seldom<KeyWindow>,
    /// Those of the host, apart: nobody pushes them out, and they push out nobody's.
    #[serde(default, skip_serializing_if = "KeyWindow::is_empty")]
    host_keys: Seldom<KeyWindow>,
    /// When the last member went, if none is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    empty: Option<Wall>,
    /// Whether the last member was lost, and did not leave. A program that does not know it lets the room go sooner.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    lost: bool,
    /// Nothing in what programs before it stored: they stored a ledger only once nothing was owed.
    #[serde(default, skip_serializing_if = "Owed::is_empty")]
    owed: Seldom<Owed>,
    /// Where programs before it stored the ranges among them; see [`Ledger::read_back`].
    #[serde(default, skip_serializing)]
    owed_sweeps: Box<[Sweep]>,
    /// Whether anything was ever edited: where nothing was, no edit can be superseded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    edited: bool,
    #[serde(default = "unknown_changes")]
    changes: Seldom<Changes>,
    #[serde(default, skip_serializing_if = "Settings::is_default")]
    settings: Settings,
    #[serde(default, rename = "slowed", skip_serializing_if = "SlowMode::is_empty")]
    slow_mode: SlowMode,
    #[serde(default, skip_serializing_if = "MemberChanges::is_empty")]
    member_changes: MemberChanges,
    #[serde(default, skip_serializing_if = "Reactions::is_empty")]
    reactions: Seldom<Reactions>,
    /// For whom the owner's seat is held, while they are away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<HeldSeat>,
    /// Whether only the host says who is the owner.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    protected: bool,
    /// Whether it stays while nobody is in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    kept: bool,
    /// Who may come in once although the room lets nobody new in.
    #[serde(default, skip_serializing_if = "Invites::is_empty")]
    invites: Seldom<Invites>,
    /// Who was erased, and may still be named in the log.
    #[serde(default, skip_serializing_if = "Erasures::is_empty")]
    erasures: Seldom<Erasures>,
}

fn unknown_changes() -> Seldom<Changes> {
    Changes::unknown().into()
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Incarnation {
    epoch: Epoch,
    salt: u64,
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
            put_out: Seldom::default(),
            needs: RecordVersion::FIRST,
            bans: Seldom::default(),
            marks: Marks::default(),
            keys: Seldom::default(),
            host_keys: Seldom::default(),
            empty: None,
            lost: false,
            owed: Seldom::default(),
            owed_sweeps: Box::default(),
            edited: false,
            changes: Seldom::default(),
            settings: Settings::default(),
            slow_mode: SlowMode::default(),
            member_changes: MemberChanges::default(),
            reactions: Seldom::default(),
            held: None,
            protected: false,
            kept: false,
            invites: Seldom::default(),
            erasures: Seldom::default(),
        }
    }

    /// As it was stored; by a program that kept no changes, it may have changed anything until its end. What one stored in two queues is
    /// one.
    pub(super) fn read_back(mut self) -> Self {
        let sweeps = std::mem::take(&mut self.owed_sweeps);
        if !sweeps.is_empty() {
            let owed = self.owed.make();
            *owed = std::mem::take(owed).with_sweeps(sweeps);
        }
        if let Some(changes) = self.changes.if_any() {
            *changes = std::mem::take(changes).unknown_until(self.head);
        }
        self
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
            + self.put_out.weight()
            + self.bans.weight()
            + self.marks.weight()
            + self.keys.weight()
            + self.host_keys.weight()
            + self.owed.weight()
            + self.changes.weight()
            + self.slow_mode.weight()
            + self.member_changes.weight()
            + self.reactions.weight()
            + self.invites.weight()
            + self.erasures.weight()
            + self.parts()
            + beside(self.topic.as_str())
    }

    /// Bytes of the parts that not every room has.
    fn parts(&self) -> usize {
        let of_messages =
            self.keys.room() + self.host_keys.room() + self.owed.room() + self.changes.room() + self.reactions.room();
        of_messages + self.put_out.room() + self.bans.room() + self.invites.room() + self.erasures.room()
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

    /// When the last member went, or the host kept it no more; `None` while there are members, or no incarnation. A ledger stored by a program that did not write it
    /// down says the time of its last record.
    pub fn empty_since(&self) -> Option<Wall> {
        let is_empty = self.life.is_some() && self.members.len() == 0;
        is_empty.then(|| self.empty.unwrap_or(self.at))
    }

    /// Until when an empty room lingers; `None` while it is not empty, or is kept.
    pub(super) fn empty_until(&self, limits: &RoomLimits) -> Option<Wall> {
        self.empty_since().filter(|_| !self.is_kept()).map(|empty| empty.after(self.linger(limits)))
    }

    /// Whether it stays while nobody is in it.
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// How long it lingers, if it is empty.
    pub(super) fn linger(&self, limits: &RoomLimits) -> Duration {
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::ForgetLost) {
            return limits.empty_linger;
        }
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
}

fn is_first(version: &RecordVersion) -> bool {
    *version == RecordVersion::FIRST
}
