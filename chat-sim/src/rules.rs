//! What is set in one life of a room, record by record, and whether each record may be there by it.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::wire::RoomSettings;
use chat_core::{Event, MemberId, NewcomersSee, Record, Role, RoomCode, Seq, Settings, Wall};

use crate::promise::{Broken, Promise, hold};

/// What is set, and what is to be known to hold anybody to it.
#[derive(Debug, Default)]
pub(crate) struct RoomRules {
    /// Each time that something was set, with its number.
    set: Vec<(Seq, Settings)>,
    moderators: BTreeSet<MemberId>,
    owner: Option<MemberId>,
    /// When members last spoke since slow mode is on.
    spoke: BTreeMap<MemberId, Wall>,
}

impl RoomRules {
    /// What newcomers see now, where the limits say this.
    pub(crate) fn newcomers_see(&self, limits: NewcomersSee) -> NewcomersSee {
        self.now().history.unwrap_or(limits)
    }

    /// What somebody is told who is shown the room as of a number.
    pub(crate) fn told(&self, seq: Seq) -> RoomSettings {
        let set = self.set.iter().rev().find(|(at, _)| *at <= seq);
        set.map_or_else(RoomSettings::default, |(_, settings)| settings.into())
    }

    /// The next record; `is_new` of a join of somebody whom the room does not know.
    pub(crate) fn add(&mut self, room: &RoomCode, record: &Record, is_new: bool) -> Result<(), Broken> {
        let settings = self.now();
        match (&record.event, record.by) {
            (Event::Joined { role, .. }, Some(by)) => {
                let gets_in = !is_new || !settings.locked;
                hold!(gets_in, Promise::Settings, "{room}: locked, and somebody new gets in by {record:?}");
                self.give(by, *role);
            }
            (Event::RoleChanged { member, role }, _) => self.give(*member, *role),
            (Event::Left { .. }, Some(by)) => drop(self.moderators.remove(&by)),
            (Event::Kicked { member, .. }, _) => {
                self.moderators.remove(member);
                self.spoke.remove(member);
            }
            (Event::Sent { .. }, Some(by)) => {
                let moderates = self.moderators.contains(&by);
                let speaks = moderates || !settings.read_only;
                hold!(speaks, Promise::Settings, "{room}: read-only, and {by} says {record:?}");
                let waits = self.spoke.get(&by).map(|last| last.after(settings.slow_wait()));
                let is_due = moderates || waits.is_none_or(|until| until <= record.at);
                hold!(is_due, Promise::Settings, "{room}: slow until {waits:?}, and {by} says {record:?}");
                if settings.slow_ms > 0 {
                    self.spoke.insert(by, record.at);
                }
            }
            (Event::Edited { .. }, Some(by)) => {
                let speaks = self.moderators.contains(&by) || !settings.read_only;
                hold!(speaks, Promise::Settings, "{room}: read-only, and {by} says {record:?}");
            }
            (Event::SettingsChanged { settings: set }, by) => {
                let may_open = set.history == settings.history || by.is_none() || by == self.owner;
                hold!(may_open, Promise::Settings, "{room}: {:?} owns it, and {record:?}", self.owner);
                let settings = set;
                self.set.push((record.seq.expect("it is told"), *settings));
                if settings.slow_ms == 0 {
                    self.spoke.clear();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn now(&self) -> Settings {
        self.set.last().map(|(_, settings)| *settings).unwrap_or_default()
    }

    fn give(&mut self, member: MemberId, role: Role) {
        if role == Role::Owner {
            self.owner = Some(member);
        } else if self.owner == Some(member) {
            self.owner = None;
        }
        match role {
            Role::Member => self.moderators.remove(&member),
            _ => self.moderators.insert(member),
        };
    }
}
