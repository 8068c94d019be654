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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn life() -> Life {
        ("AAA".to_owned(), Epoch(1))
    }

    fn member(number: u64, online: bool) -> MemberEntry {
        let entry = json!({"member": number, "nick": "Ann", "color": 1, "role": "member", "online": online});
        serde_json::from_value(entry).expect("a member as frames have it")
    }

    fn message(text: &str) -> MessageFrame {
        let frame = json!({
            "room": "AAA", "seq": 3, "at": "2026-11-22T18:00:00.123Z", "member": 1, "nick": "Ann", "color": 1, "text": text
        });
        serde_json::from_value(frame).expect("a message as frames have it")
    }

    #[test]
    fn everybody_is_told_what_the_first_was_told() {
        let agreement = Agreement::default();
        let told = |who, online| agreement.members(who, life(), &[member(1, online)]).map_err(|broken| broken.promise);
        assert_eq!(told("P0", true), Ok(()));
        assert_eq!(told("P1", true), Ok(()));
        assert_eq!(told("P2", false), Err(Promise::Agreement));
        let shown = |who, text| agreement.message(who, life(), &message(text)).map_err(|broken| broken.promise);
        assert_eq!(shown("P0", "hello"), Ok(()));
        assert_eq!(shown("P1", "hello"), Ok(()));
        assert_eq!(shown("P2", "bye"), Err(Promise::Agreement));
    }

    #[test]
    fn who_is_online_is_who_is_connected() {
        for (online, connected, is_so) in
            [(true, true, true), (false, false, true), (true, false, false), (false, true, false)]
        {
            let agreement = Agreement::default();
            agreement.members("P0", life(), &[member(1, online)]).expect("the first to be told");
            if connected {
                agreement.is_connected(life(), MemberId(1));
            }
            let checked = agreement.check_attendance().map_err(|broken| broken.promise);
            assert_eq!(checked, if is_so { Ok(()) } else { Err(Promise::Attendance) }, "{online} {connected}");
        }
    }
}
