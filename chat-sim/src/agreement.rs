//! What people are told of the same rooms at several servers, once nothing happens there any more: the same, and of everybody who is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use chat_core::wire::{MemberEntry, MessageFrame};
use chat_core::{Epoch, MemberId, Seq};

use crate::locks::lock;
use crate::promise::{Broken, Promise, hold};

/// One life of a room.
type Life = (String, Epoch);

/// What was told of each life, to whom first; and who has a connection there.
#[derive(Debug, Default)]
pub(crate) struct Agreement(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    members: BTreeMap<Life, (String, Vec<MemberEntry>)>,
    messages: BTreeMap<(Life, Seq), (String, MessageFrame)>,
    connected: BTreeMap<Life, BTreeSet<MemberId>>,
}

impl Agreement {
    /// Somebody is told of all members.
    pub(crate) fn members(&self, who: &str, life: Life, members: &[MemberEntry]) -> Result<(), Broken> {
        let mut told = lock(&self.0);
        let first = told.members.entry(life.clone()).or_insert_with(|| (who.to_owned(), members.to_vec()));
        let (room, (other, before)) = (&life.0, first);
        hold!(before == members, Promise::Agreement, "{room}: {who} is told of {members:?}, and {other} of {before:?}");
        Ok(())
    }

    /// Somebody is shown a message.
    pub(crate) fn message(&self, who: &str, life: Life, message: &MessageFrame) -> Result<(), Broken> {
        let mut told = lock(&self.0);
        let room = life.0.clone();
        let first = told.messages.entry((life, message.seq)).or_insert_with(|| (who.to_owned(), message.clone()));
        let (other, before) = first;
        hold!(before == message, Promise::Agreement, "{room}: {who} is shown {message:?}, and {other} {before:?}");
        Ok(())
    }

    /// Somebody is a member, and connected.
    pub(crate) fn is_connected(&self, life: Life, member: MemberId) {
        lock(&self.0).connected.entry(life).or_default().insert(member);
    }

    /// Whether who was told to be online is whoever is connected.
    pub(crate) fn check_attendance(&self) -> Result<(), Broken> {
        let told = lock(&self.0);
        for (life, (who, members)) in &told.members {
            let online: BTreeSet<MemberId> = members.iter().filter(|one| one.online).map(|one| one.member).collect();
            let connected = told.connected.get(life).cloned().unwrap_or_default();
            let room = &life.0;
            hold!(
                online == connected,
                Promise::Attendance,
                "{room}: {who} is told that {online:?} are online, and {connected:?} are connected"
            );
        }
        Ok(())
    }
}
