//! What really happened, as the engine's observer saw it: the measure of what people are told.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard};

use chat_core::wire::MemberEntry;
use chat_core::{Epoch, Event, LeaveReason, MemberId, Observer, ObserverEvent, Record, RoomCode, Seq};

/// Every record of every life.
pub(crate) struct Truth {
    /// Whether joins and leaves are told in every room.
    pub(crate) tells: bool,
    lives: Mutex<BTreeMap<(String, u64), Life>>,
}

#[derive(Default)]
struct Life {
    records: Vec<Record>,
    redacted: BTreeSet<Seq>,
}

impl Observer for Truth {
    fn observe(&self, event: ObserverEvent<'_>) {
        if let ObserverEvent::Published { room, epoch, record, .. } = event {
            let mut lives = self.lives();
            let life = lives.entry(key(room, epoch)).or_default();
            if let Event::Redacted { target } = &record.event {
                life.redacted.insert(*target);
            }
            life.records.push(record.clone());
        }
    }
}

impl Truth {
    pub(crate) fn new(tells: bool) -> Self {
        Self { tells, lives: Mutex::default() }
    }

    /// What a member may be told under this number, in the words of [`summary`](crate::support::summary).
    pub(crate) fn told(&self, room: &str, epoch: Epoch, seq: Seq) -> Vec<String> {
        let lives = self.lives();
        let life = &lives[&(room.to_owned(), epoch.0)];
        let record = life.records.iter().find(|record| record.seq == Some(seq)).expect("told, so recorded");
        let mut may_be = vec![brief_record(record)];
        if life.redacted.contains(&seq)
            && let Event::Sent { nick, .. } = &record.event
        {
            may_be.push(format!("{seq} {} (redacted)", nick.as_str()));
        }
        may_be
    }

    /// The numbers of the messages up to here.
    pub(crate) fn messages(&self, room: &str, epoch: Epoch, until: Seq) -> Vec<Seq> {
        let lives = self.lives();
        let records = lives[&(room.to_owned(), epoch.0)].records.iter();
        let messages = records.filter(|record| matches!(record.event, Event::Sent { .. }));
        messages.filter_map(|record| record.seq).filter(|seq| *seq <= until).collect()
    }

    /// The last number of a life.
    pub(crate) fn head(&self, room: &str, epoch: Epoch) -> Seq {
        let lives = self.lives();
        lives[&(room.to_owned(), epoch.0)].records.iter().filter_map(|record| record.seq).max().unwrap_or_default()
    }

    /// Whether the members shown are those of this number. Only where joins and leaves have numbers.
    pub(crate) fn check_members(&self, room: &str, epoch: Epoch, seq: Seq, shown: &[MemberEntry]) {
        if !self.tells {
            return;
        }
        let lives = self.lives();
        let mut members = BTreeSet::new();
        for record in &lives[&(room.to_owned(), epoch.0)].records {
            if record.seq.is_some_and(|at| at > seq) {
                break;
            }
            match &record.event {
                Event::Joined { .. } => drop(members.insert(record.by.expect("a join has a member"))),
                Event::Left { .. } => drop(members.remove(&record.by.expect("a leave has a member"))),
                Event::Kicked { member, .. } => drop(members.remove(member)),
                _ => {}
            }
        }
        let shown: BTreeSet<MemberId> = shown.iter().map(|entry| entry.member).collect();
        assert_eq!(shown, members, "the members of {room} as of {seq}");
    }

    /// Whether the room has said this, in any of its lives.
    pub(crate) fn has_said(&self, room: &str, seq: Seq, text: &str) -> bool {
        let lives = self.lives();
        let mut records = lives.iter().filter(|((code, _), _)| code == room).flat_map(|(_, life)| &life.records);
        records.any(|record| {
            let is_text = matches!(&record.event, Event::Sent { text: said, .. } if said.as_str() == text);
            is_text && record.seq == Some(seq)
        })
    }

    /// What holds of every life by itself.
    pub(crate) fn check(&self) {
        for ((room, epoch), life) in &*self.lives() {
            let offsets = life.records.iter().map(|record| record.offset.0);
            assert!(offsets.eq(1..=life.records.len() as u64), "{room}: every record, in order");
            let seqs: Vec<u64> = life.records.iter().filter_map(|record| record.seq).map(|seq| seq.0).collect();
            assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "{room}: numbers without holes");
            assert!(life.records.is_sorted_by_key(|record| record.at), "{room}: time does not go back");
            let closed = life.records.iter().filter(|record| matches!(record.event, Event::Closed { .. })).count();
            assert_eq!(closed, 1, "{room} in life {epoch} was closed");
            assert!(matches!(life.records.last().map(|record| &record.event), Some(Event::Closed { .. })));
            let mut keys = HashSet::new();
            for record in &life.records {
                if let Event::Sent { keyed: Some(keyed), .. } = &record.event {
                    assert!(keys.insert(keyed.key.clone()), "{room}: one key, one message");
                }
            }
        }
    }

    fn lives(&self) -> MutexGuard<'_, BTreeMap<(String, u64), Life>> {
        self.lives.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn key(room: &RoomCode, epoch: Epoch) -> (String, u64) {
    (room.as_str().to_owned(), epoch.0)
}

/// A told record in the words of [`summary`](crate::support::summary).
fn brief_record(record: &Record) -> String {
    let seq = record.seq.expect("told");
    let by = record.by.map_or(String::new(), |by| format!(" by {by}"));
    match &record.event {
        Event::Joined { nick, .. } => format!("{seq} +{}", nick.as_str()),
        Event::Left { nick, reason: LeaveReason::Left } => format!("{seq} -{} left", nick.as_str()),
        Event::Left { nick, reason: LeaveReason::Timeout } => format!("{seq} -{} timeout", nick.as_str()),
        Event::Sent { nick, text, keyed, .. } => {
            let key = keyed.as_ref().map_or(String::new(), |keyed| format!(" #{}", keyed.key.as_str()));
            format!("{seq} {}: {}{key}", nick.as_str(), text.as_str())
        }
        Event::Redacted { target } => format!("{seq} redacted {target}{by}"),
        Event::Kicked { nick, .. } => format!("{seq} -{} kicked{by}", nick.as_str()),
        Event::TopicChanged { topic } => format!("{seq} topic {:?}{by}", topic.as_str()),
        Event::RoleChanged { member, role } => format!("{seq} {member} is {role:?}"),
        Event::NoticesChanged { notices } => format!("{seq} notices {notices:?}"),
        other => panic!("never told: {other:?}"),
    }
}
