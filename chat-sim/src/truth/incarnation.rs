//! One life of a room, record by record, and what must be so of each record by those before it.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::room::{Ledger, Snapshot};
use chat_core::{
    Content, Event, MemberId, NewcomersSee, Offset, Record, RoomAbout, RoomCloseReason, RoomCode, RoomLimits, Seq, Wall,
};
use tokio::time::Instant;

use crate::bans::Bans;
use crate::homes::Homes;
use crate::people::People;
use crate::persons::Persons;
use crate::promise::{Broken, Promise, hold};
use crate::roles::{Roles, linger_after};
use crate::rules::RoomRules;

/// Everything that is known of it.
#[derive(Debug, Default)]
pub(super) struct Incarnation {
    pub(super) records: Vec<Record>,
    pub(super) redacted: BTreeSet<Seq>,
    /// Of each message that was edited, what it was edited to.
    pub(super) edits: BTreeMap<Seq, Vec<Edit>>,
    /// It went down with a server that had no log.
    pub(super) lost: bool,
    /// When members could be told up to which number.
    pub(super) due: Vec<(Instant, Seq)>,
    /// The last record that was published.
    pub(super) published: Offset,
    /// When it was last published that somebody is a member, or is not any more.
    pub(super) changed: Option<Instant>,
    /// When it was published that memberships have ended.
    pub(super) exits: BTreeMap<MemberId, Exits>,
    pub(super) persons: Persons,
    pub(super) rules: RoomRules,
    pub(super) roles: Roles,
    pub(super) bans: Bans,
    pub(super) people: People,
}

/// What a message was edited to.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub(super) change: Seq,
    pub(super) content: Content,
    pub(super) n: u32,
}

/// The ends of the stays of one person.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Exits {
    /// Of the last one, while they are out.
    pub(super) out: Option<Instant>,
    /// Of the one after which they came in again.
    pub(super) before: Option<Instant>,
}

impl Incarnation {
    /// The next record.
    pub(super) fn add(
        &mut self,
        room: &RoomCode,
        record: &Record,
        limits: &RoomLimits,
        homes: &Homes,
    ) -> Result<(), Broken> {
        hold!(!self.is_closed() && !self.lost, Promise::Lifetime, "{room}: {record:?} in a life that is over");
        let last = self.records.last();
        let offset = last.map_or(0, |last| last.offset.0);
        hold!(record.offset.0 == offset + 1, Promise::Dense, "{room}: {record:?} follows record {offset}");
        let seq = self.records.iter().rev().find_map(|record| record.seq).unwrap_or_default();
        let is_next = record.seq.is_none_or(|next| next == seq.next());
        hold!(is_next, Promise::Dense, "{room}: {record:?} follows number {seq}");
        let is_later = last.is_none_or(|last| last.at <= record.at);
        hold!(is_later, Promise::Dense, "{room}: time goes back to {record:?}");
        if matches!(record.event, Event::Closed { cause: RoomCloseReason::Empty }) {
            let (members, ends) = (self.members(Seq(u64::MAX)), self.empty_until(limits));
            let is_due = members.is_empty() && ends.is_some_and(|ends| ends <= record.at);
            hold!(is_due, Promise::Lifetime, "{room}: {record:?} with {members:?}, where it waits until {ends:?}");
        }
        if let Event::Redacted { target } = &record.event {
            self.redacted.insert(*target);
        }
        if let (Event::Edited { target, content: Some(content), n, .. }, Some(change)) = (&record.event, record.seq) {
            let edits = self.edits.entry(*target).or_default();
            let is_next = edits.len() as u32 + 1 == *n && !self.redacted.contains(target);
            hold!(is_next, Promise::Fold, "{room}: {record:?} follows {edits:?}");
            edits.push(Edit { change, content: content.clone(), n: *n });
        }
        if let Event::Swept { member, from, to } = &record.event {
            let said = self.records.iter().filter(|said| said.event.is_message() && said.by == Some(*member));
            let swept = said.filter_map(|said| said.seq).filter(|seq| (*from..=*to).contains(seq));
            self.redacted.extend(swept);
        }
        let is_new = matches!(&record.event, Event::Joined { scope, .. } if self.persons.is_new(scope));
        let newcomers_see = self.rules.newcomers_see(limits.newcomers_see);
        let added = self.persons.add(room, record, || floor_of_newcomer(&self.records, newcomers_see));
        let added = added.and(self.rules.add(room, record, is_new));
        let banned = self.bans.add(room, record, homes, is_new, |member| self.persons.scope(member));
        self.records.push(record.clone());
        added.and(banned)
    }

    /// Until when a room waits that nobody is in: longer for who was lost than for who left, or was put out. One that the host keeps does not end.
    fn empty_until(&self, limits: &RoomLimits) -> Option<Wall> {
        let said = self.records.iter().rev().find_map(|record| match record.event {
            Event::Kept { on } => Some(on),
            _ => None,
        });
        if said == Some(true) {
            return None;
        }
        let waits = |record: &Record| match record.event {
            Event::Left { reason, .. } => Some(linger_after(reason, limits)),
            Event::Kicked { .. } | Event::Kept { on: false } => Some(limits.empty_linger),
            _ => None,
        };
        self.records.iter().rev().find_map(|record| Some(record.at.after(waits(record)?)))
    }

    pub(super) fn members(&self, seq: Seq) -> BTreeSet<MemberId> {
        let mut members = BTreeSet::new();
        for record in self.records.iter().take_while(|record| record.seq.is_none_or(|at| at <= seq)) {
            match (&record.event, record.by) {
                (Event::Joined { .. }, Some(member)) => drop(members.insert(member)),
                (Event::Left { .. }, Some(member)) => drop(members.remove(&member)),
                (Event::Kicked { member, .. }, _) => drop(members.remove(member)),
                _ => {}
            }
        }
        members
    }

    /// What is known of it without reading it, as of the last record. A life that is over has nobody, and nothing that is said of it matters.
    pub(super) fn check_known(&self, room: &RoomCode, about: &RoomAbout) -> Result<(), Broken> {
        let Some(last) = self.records.last().filter(|_| !self.is_closed()) else { return Ok(()) };
        let topic = self.records.iter().rev().find_map(|record| match &record.event {
            Event::TopicChanged { topic } => Some(topic.as_str()),
            _ => None,
        });
        // No topic of a world is long.
        let expected = (self.members(Seq(u64::MAX)).len(), last.at, topic.unwrap_or_default());
        let known = (about.members, about.last_at, about.topic.as_str());
        hold!(known == expected, Promise::Fold, "{room}: the log is told of {known:?}, where it is {expected:?}");
        Ok(())
    }

    pub(super) fn was_put_out(&self, member: MemberId) -> bool {
        let mut scopes = BTreeMap::new();
        for record in &self.records {
            if let (Event::Joined { scope, .. }, Some(by)) = (&record.event, record.by) {
                scopes.insert(by, scope);
            }
        }
        let is_own = |other: &MemberId| scopes.get(other).is_some_and(|scope| scopes.get(&member) == Some(scope));
        let exits = self.records.iter().rev().filter_map(|record| match (&record.event, record.by) {
            (Event::Left { .. }, Some(by)) => Some((by, false)),
            (Event::Kicked { member, .. }, _) => Some((*member, true)),
            _ => None,
        });
        exits.into_iter().find(|(other, _)| is_own(other)).is_some_and(|(_, is_kick)| is_kick)
    }

    pub(super) fn at(&self, seq: Seq) -> Option<&Record> {
        let index = self.records.partition_point(|record| record.offset.0 < seq.0);
        self.records[index.saturating_sub(1)..].iter().find(|record| record.seq == Some(seq))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.records.last().is_some_and(|last| matches!(last.event, Event::Closed { .. }))
    }

    /// Replays it at once, and from a snapshot taken half way.
    pub(super) fn check_replay(&self, limits: &RoomLimits) -> Result<(), Broken> {
        let (mut whole, mut resumed) = (Ledger::new(limits), None);
        for (index, record) in self.records.iter().enumerate() {
            if index == self.records.len() / 2 && index > 0 {
                let stored = serde_json::to_vec(&Snapshot::from(whole.clone()));
                let bytes = stored.expect("a ledger has string keys, and a Vec takes every write");
                let snapshot: Result<Snapshot, _> = serde_json::from_slice(&bytes);
                resumed = snapshot.ok().map(Ledger::from);
                hold!(resumed.as_ref() == Some(&whole), Promise::Replay, "a snapshot read back is another ledger");
            }
            whole.apply(record);
            if let Some(ledger) = &mut resumed {
                ledger.apply(record);
            }
        }
        let is_same = resumed.is_none_or(|ledger| ledger == whole);
        hold!(is_same, Promise::Replay, "a snapshot and the rest give another ledger than the log");
        Ok(())
    }
}

/// Up to where somebody learns nothing who joins after these records. No world has so many messages that a room forgets some.
fn floor_of_newcomer(records: &[Record], newcomers_see: NewcomersSee) -> Seq {
    let head = records.iter().rev().find_map(|record| record.seq).unwrap_or_default();
    let said: Vec<Seq> =
        records.iter().filter(|record| record.event.is_message()).filter_map(|record| record.seq).collect();
    match newcomers_see {
        NewcomersSee::All => Seq(0),
        NewcomersSee::Last(shown) if said.len() <= shown as usize => Seq(0),
        NewcomersSee::Last(shown) => said.get(said.len() - shown as usize).map_or(head, |first| Seq(first.0 - 1)),
        _ => head,
    }
}
