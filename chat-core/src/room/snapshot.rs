//! A ledger as it is stored, under a version, so that a program never reads what it does not understand.

use serde::{Deserialize, Serialize};

use super::ledger::Ledger;

/// A stored ledger. Reading one of a later version is an error that names both; the log is replayed instead.
///
/// Retention may have cut the log that a snapshot covers, so every format that was ever written stays readable: a field that comes later has
/// a default, and a version that comes later reads the ones before. Fixtures hold it to that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    // The first field: it is looked at before the ledger, whose shape may be another.
    version: Version,
    ledger: Ledger,
}

impl Snapshot {
    /// The version written by this program, and the only one it reads.
    pub const VERSION: u32 = 1;
}

impl From<Ledger> for Snapshot {
    fn from(ledger: Ledger) -> Self {
        Self { version: Version, ledger }
    }
}

impl From<Snapshot> for Ledger {
    fn from(snapshot: Snapshot) -> Self {
        snapshot.ledger
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
struct Version;

/// The version found, which is not [`Snapshot::VERSION`].
#[derive(Debug, thiserror::Error)]
#[error("a snapshot of version {0}, and this program reads version {expected}", expected = Snapshot::VERSION)]
struct OtherVersion(u32);

impl TryFrom<u32> for Version {
    type Error = OtherVersion;

    fn try_from(version: u32) -> Result<Self, Self::Error> {
        if version == Snapshot::VERSION { Ok(Self) } else { Err(OtherVersion(version)) }
    }
}

impl From<Version> for u32 {
    fn from(_: Version) -> Self {
        Snapshot::VERSION
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Digest, Event, Keyed, LeaveReason, Recorded, Role};
    use crate::words::{
        Body, Color, Epoch, Identity, Key, MemberId, Nick, RoomLimits, Scope, Seq, SessionId, Topic, Wall,
    };

    #[test]
    fn a_snapshot_is_read_back() {
        let snapshot = Snapshot::from(Ledger::new(&RoomLimits::default()));
        let stored = serde_json::to_string(&snapshot).expect("a snapshot can be stored");
        let read: Snapshot = serde_json::from_str(&stored).expect("what was stored is read");
        assert_eq!(read, snapshot);
    }

    /// The records of one life.
    struct Life {
        ledger: Ledger,
        members: u32,
    }

    impl Life {
        fn new(limits: &RoomLimits) -> Self {
            let mut life = Self { ledger: Ledger::new(limits), members: 0 };
            life.record(None, None, Event::Created { epoch: Epoch(1), salt: 7 });
            life
        }

        fn record(&mut self, seq: Option<Seq>, by: Option<MemberId>, event: Event) {
            let offset = self.ledger.last_offset().next();
            self.ledger.apply(&Recorded { offset, seq, at: Wall(offset.0), by, event });
        }

        fn tell(&mut self, by: MemberId, event: Event) {
            self.record(Some(self.ledger.head().next()), Some(by), event);
        }

        fn join(&mut self, scope: Scope) -> MemberId {
            self.members += 1;
            let nick = Nick::parse(&format!("N{}", self.members)).expect("a valid nick");
            let (nick_key, by) = (nick.key(), MemberId(self.members));
            self.tell(by, Event::Joined { nick, nick_key, color: Color(0), role: Role::Member, scope });
            by
        }

        fn say(&mut self, by: MemberId, key: usize) {
            let key = Key::parse(&format!("k{key}")).expect("a valid key");
            let nick = Nick::parse("N").expect("a valid nick");
            let text = Body::parse("text", 10).expect("a valid text");
            let keyed = Some(Keyed { key, digest: Digest(3) });
            self.tell(by, Event::Sent { nick, color: Color(0), text, keyed });
        }
    }

    /// What is read back is bounded by the limits it was made under, also where they are wider than the defaults.
    #[test]
    fn a_snapshot_forgets_nothing_that_its_own_limits_allow() {
        let default = RoomLimits::default();
        let limits = RoomLimits {
            keys_per_scope_max: 2 * default.keys_max,
            keys_max: 2 * default.keys_max,
            marks_max: 2 * default.marks_max,
            former_max: 2 * default.former_max,
            bans_max: 2 * default.bans_max,
            ..default
        };
        let session = |number: usize| Scope::Session(SessionId::new(number as u128));
        let mut life = Life::new(&limits);
        let ann = life.join(Scope::Identity(Identity::new("ann").expect("a valid identity")));
        (0..limits.keys_max).for_each(|key| life.say(ann, key));
        for number in 0..limits.former_max {
            let guest = life.join(session(number));
            let nick = Nick::parse("N").expect("a valid nick");
            life.tell(guest, Event::Left { nick, reason: LeaveReason::Left });
        }
        for number in 0..limits.bans_max {
            life.record(None, Some(ann), Event::Banned { scope: session(limits.former_max + number) });
        }
        let bytes = serde_json::to_vec(&Snapshot::from(life.ledger.clone())).expect("a snapshot can be stored");
        let read = Ledger::from(serde_json::from_slice::<Snapshot>(&bytes).expect("what was stored is read"));
        assert!(read == life.ledger, "the same members, keys, marks, bans and people who left");
        let first = Key::parse("k0").expect("a valid key");
        let scope = Scope::Identity(Identity::new("ann").expect("a valid identity"));
        let kept = read.sent_before(&scope, &first).map(|kept| kept.seq);
        assert_eq!(kept, Some(Seq(2)), "the oldest key");
        assert!(read.former_joined(&session(0)).is_some() && read.is_banned(&session(limits.former_max)));
        assert_eq!(read.marks().len(), limits.marks_max);
        let same = read.bounded(&limits);
        assert!(same == life.ledger, "under the same limits nothing is forgotten");
    }

    /// A room with something of everything.
    fn full_life(limits: &RoomLimits) -> Life {
        let mut life = Life::new(limits);
        let ann = life.join(Scope::Identity(Identity::new("ann").expect("a valid identity")));
        let bob = life.join(Scope::Session(SessionId::new(42)));
        (0..3).for_each(|key| life.say(ann, key));
        life.tell(ann, Event::Redacted { target: Seq(4) });
        life.tell(ann, Event::TopicChanged { topic: Topic::parse("Lunch").expect("a valid topic") });
        life.tell(bob, Event::Left { nick: Nick::parse("N2").expect("a valid nick"), reason: LeaveReason::Timeout });
        life.record(None, Some(ann), Event::Banned { scope: Scope::Session(SessionId::new(43)) });
        life.join(Scope::Session(SessionId::new(44)));
        life
    }

    /// Every format that was ever written, newest last. A fixture is never changed: what it was made from is on somebody's disk.
    #[test]
    fn what_earlier_programs_wrote_can_be_read() {
        let limits = RoomLimits::default();
        let fixtures = [include_str!("fixtures/snapshot-1.json"), include_str!("fixtures/snapshot-1-entered.json")];
        for stored in fixtures {
            let read: Snapshot = serde_json::from_str(stored).expect("it can be read");
            let mut ledger = Ledger::from(read).bounded(&limits);
            assert_eq!((ledger.head(), ledger.members_total(), ledger.topic().as_str()), (Seq(9), 2, "Lunch"));
            assert!(ledger.is_banned(&Scope::Session(SessionId::new(43))));
            assert!(ledger.former_joined(&Scope::Session(SessionId::new(42))).is_some());
            assert!(ledger.marks().find(Seq(4)).is_some_and(|mark| mark.redacted));
            // And the log goes on behind it.
            let offset = ledger.last_offset().next();
            let left = Event::Left { nick: Nick::parse("N3").expect("a valid nick"), reason: LeaveReason::Left };
            ledger.apply(&Recorded { offset, seq: Some(Seq(10)), at: Wall(99), by: Some(MemberId(3)), event: left });
            assert_eq!(ledger.members_total(), 1);
        }
        let newest: Snapshot = serde_json::from_str(fixtures[fixtures.len() - 1]).expect("it can be read");
        assert!(newest == Snapshot::from(full_life(&limits).ledger), "what is written now");
    }

    /// A room whose only member has left, and whose topic has been changed since.
    fn emptied_life(limits: &RoomLimits) -> Life {
        let mut life = Life::new(limits);
        let ann = life.join(Scope::Identity(Identity::new("ann").expect("a valid identity")));
        life.tell(ann, Event::Left { nick: Nick::parse("N1").expect("a valid nick"), reason: LeaveReason::Left });
        let topic = Topic::parse("Lunch").expect("a valid topic");
        life.record(Some(life.ledger.head().next()), None, Event::TopicChanged { topic });
        life
    }

    #[test]
    fn since_when_a_room_is_empty_is_read_and_was_not_always_written() {
        let limits = RoomLimits::default();
        let fixtures =
            [include_str!("fixtures/snapshot-1-lingering.json"), include_str!("fixtures/snapshot-1-empty.json")];
        let read = fixtures.map(|stored| serde_json::from_str::<Snapshot>(stored).expect("it can be read"));
        assert!(read[1] == Snapshot::from(emptied_life(&limits).ledger), "what is written now");
        let since = read.map(|snapshot| Ledger::from(snapshot).bounded(&limits).empty_since());
        assert_eq!(since, [Some(Wall(4)), Some(Wall(3))], "without it, the last thing that is known to have happened");
        assert_eq!(full_life(&limits).ledger.empty_since(), None);
    }

    #[test]
    fn another_version_is_refused_by_its_number() {
        let error = serde_json::from_str::<Snapshot>(r#"{"version":7,"ledger":"of another shape"}"#).unwrap_err();
        let told = error.to_string();
        assert!(told.starts_with("a snapshot of version 7, and this program reads version 1"), "{told}");
    }
}
