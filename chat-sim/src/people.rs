//! What the members of one life of a room are shown as, record by record; and what one person's screen makes of the frames.

use std::collections::BTreeMap;

use chat_core::wire::{Joined, MemberEntry};
use chat_core::{Event, MemberId, NickKey, PersonData, Record, RoomCode, RoomLimits, Seq, ServerFrame, Wall};

use crate::promise::{Broken, Promise, hold};

/// Name and data.
pub(crate) type Shown = (String, Option<PersonData>);

/// Everybody who is a member, as the log says, and when each last changed what they are shown as.
#[derive(Debug, Default)]
pub(crate) struct People {
    here: BTreeMap<MemberId, Shown>,
    keys: BTreeMap<MemberId, NickKey>,
    changed: BTreeMap<MemberId, Wall>,
}

impl People {
    /// The next record. No world has a policy that gives names: no two of them may look alike.
    pub(crate) fn add(&mut self, room: &RoomCode, record: &Record, limits: &RoomLimits) -> Result<(), Broken> {
        match (&record.event, record.by) {
            (Event::Joined { nick, data, .. }, Some(by)) => {
                self.here.insert(by, (nick.to_string(), data.clone()));
                self.call(room, record, by, nick.key())?;
            }
            (Event::Left { .. }, Some(by)) => self.leave(by),
            (Event::Kicked { member, .. }, _) => self.leave(*member),
            (Event::MemberChanged { member, nick, data, .. }, by) => {
                let Some(shown) = self.here.get_mut(member) else {
                    let how = format!("{room}: {record:?} of nobody who is there");
                    return Err(Broken { promise: Promise::People, how });
                };
                let before = shown.clone();
                if let Some(nick) = nick {
                    shown.0 = nick.to_string();
                }
                if let Some(data) = data {
                    shown.1.clone_from(data);
                }
                hold!(*shown != before, Promise::People, "{room}: {record:?} changes nothing of {before:?}");
                hold!(by.is_none_or(|by| by == *member), Promise::People, "{room}: {record:?} of somebody else");
                let waits = self.changed.get(member).map(|last| last.after(limits.member_change_interval));
                let is_due = waits.is_none_or(|until| until <= record.at);
                hold!(is_due, Promise::People, "{room}: {record:?} before {waits:?}");
                self.changed.insert(*member, record.at);
                if let Some(nick) = nick {
                    self.call(room, record, *member, nick.key())?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn call(&mut self, room: &RoomCode, record: &Record, member: MemberId, key: NickKey) -> Result<(), Broken> {
        let alike = self.keys.iter().find(|(other, held)| **other != member && held.looks_like(&key));
        hold!(alike.is_none(), Promise::People, "{room}: {record:?} takes the name of {alike:?}");
        self.keys.insert(member, key);
        Ok(())
    }

    fn leave(&mut self, member: MemberId) {
        self.here.remove(&member);
        self.keys.remove(&member);
    }
}

/// What members were shown as after these records, up to a number.
pub(crate) fn shown(records: &[Record], seq: Seq) -> BTreeMap<MemberId, Shown> {
    let mut here: BTreeMap<MemberId, Shown> = BTreeMap::new();
    for record in records.iter().take_while(|record| record.seq.is_none_or(|at| at <= seq)) {
        match (&record.event, record.by) {
            (Event::Joined { nick, data, .. }, Some(by)) => {
                here.insert(by, (nick.to_string(), data.clone()));
            }
            (Event::Left { .. }, Some(by)) => drop(here.remove(&by)),
            (Event::Kicked { member, .. }, _) => drop(here.remove(member)),
            (Event::MemberChanged { member, nick, data, .. }, _) => {
                let Some(shown) = here.get_mut(member) else { continue };
                if let Some(nick) = nick {
                    shown.0 = nick.to_string();
                }
                if let Some(data) = data {
                    shown.1.clone_from(data);
                }
            }
            _ => {}
        }
    }
    here
}

/// The members that a person sees, folded from frames as the protocol page says.
#[derive(Debug, Default)]
pub(crate) struct MemberList(BTreeMap<MemberId, Shown>);

impl MemberList {
    /// The room is shown afresh.
    pub(crate) fn joined(joined: &Joined) -> Self {
        Self::of(&joined.members)
    }

    /// As a `joined` or a `gap` has it.
    pub(crate) fn of(members: &[MemberEntry]) -> Self {
        Self(members.iter().map(|entry| (entry.member, (entry.nick.clone(), entry.data.clone()))).collect())
    }

    /// An event of the room.
    pub(crate) fn event(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::MemberJoined { member, nick, data, .. } => {
                self.0.insert(*member, (nick.clone(), data.clone()));
            }
            ServerFrame::MemberLeft { member, .. } => drop(self.0.remove(member)),
            ServerFrame::MemberChanged { member, nick, data, .. } => {
                let Some(shown) = self.0.get_mut(member) else { return };
                if let Some(nick) = nick {
                    shown.0.clone_from(nick);
                }
                if let Some(data) = data {
                    shown.1.clone_from(data);
                }
            }
            _ => {}
        }
    }

    /// Everything has been read and nothing happens any more.
    pub(crate) fn check(&self, room: &str, name: &str, truth: &BTreeMap<MemberId, Shown>) -> Result<(), Broken> {
        let listed = &self.0;
        hold!(listed == truth, Promise::Screen, "{name} lists {listed:?} in {room}, the log says {truth:?}");
        Ok(())
    }
}
