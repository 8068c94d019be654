//! A ledger as it is stored, under the version that wrote it and the first that can read it.

use serde::{Deserialize, Serialize};

use super::ledger::Ledger;
use crate::domain::RecordVersion;

/// A stored ledger.
///
/// Retention may have cut the log that a snapshot covers. Then the snapshot is all there is, so it has to be readable across
/// versions, both ways:
///
/// - Every format that was ever written stays readable: a field that comes later has a default. Fixtures hold it to that.
/// - What a later program writes says from which version on it can be read. One that only adds what may be done without names this one,
///   which passes over the fields it does not know; they are lost with the next snapshot it stores itself. Where a program is not to
///   do without what was added, the snapshot names a later version, and this one refuses it: see [`Unreadable`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    version: u32,
    // Before the ledger, whose shape may be another. Those of version 1 did not always say so.
    #[serde(default)]
    readable_from: ReadableFrom,
    ledger: Ledger,
}

/// Why what was stored is no snapshot for this program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// A later program wrote it, for programs of this version and later.
    #[error("a snapshot of version {version}, to be read from version {readable_from} on")]
    Later {
        /// Which version wrote it.
        version: u32,
        /// The first version that can read it, as it says itself.
        readable_from: u32,
    },
    /// It cannot be right; trying again does not help.
    #[error("no snapshot: {0}")]
    Damaged(String),
}

impl Snapshot {
    /// The version that this program writes, and the latest of which it knows everything: that of the records it reads.
    pub const VERSION: u32 = RecordVersion::LATEST.0;

    /// Reads what was stored as JSON. Of the engine: the pure half knows no format.
    ///
    /// # Errors
    /// See [`Unreadable`].
    #[cfg(any(feature = "engine", test))]
    pub fn read(stored: &[u8]) -> Result<Self, Unreadable> {
        /// What every snapshot says, whatever else.
        #[derive(Deserialize)]
        struct Head {
            version: u32,
            #[serde(default = "first")]
            readable_from: u32,
        }
        let head: Head = serde_json::from_slice(stored).map_err(|error| Unreadable::Damaged(error.to_string()))?;
        let Head { version, readable_from } = head;
        if readable_from > Self::VERSION {
            return Err(Unreadable::Later { version, readable_from });
        }
        serde_json::from_slice(stored).map_err(|error| match version > Self::VERSION {
            // It says that it can be read, and it cannot.
            true => Unreadable::Later { version, readable_from },
            false => Unreadable::Damaged(error.to_string()),
        })
    }
}

impl From<Ledger> for Snapshot {
    fn from(ledger: Ledger) -> Self {
        // What cannot read the records cannot do with what they came to.
        Self { version: Self::VERSION, readable_from: ReadableFrom(ledger.needs().0), ledger }
    }
}

impl From<Snapshot> for Ledger {
    fn from(snapshot: Snapshot) -> Self {
        snapshot.ledger.read_back()
    }
}

/// The first version that can read a snapshot; one that this program is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
struct ReadableFrom(u32);

fn first() -> u32 {
    1
}

impl Default for ReadableFrom {
    fn default() -> Self {
        Self(first())
    }
}

/// The version named, which is later than [`Snapshot::VERSION`].
#[derive(Debug, thiserror::Error)]
#[error("a snapshot to be read from version {0} on, and this program reads version {reads}", reads = Snapshot::VERSION)]
struct LaterVersion(u32);

impl TryFrom<u32> for ReadableFrom {
    type Error = LaterVersion;

    fn try_from(version: u32) -> Result<Self, Self::Error> {
        if version <= Snapshot::VERSION { Ok(Self(version)) } else { Err(LaterVersion(version)) }
    }
}

impl From<ReadableFrom> for u32 {
    fn from(version: ReadableFrom) -> Self {
        version.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BanTerm, Content, Digest, Event, Keyed, LeaveReason, Record, Role};
    use crate::room::OwnerSeat;
    use crate::types::{
        Body, Color, Epoch, Identity, Key, MemberId, NetworkTag, Nick, PersonData, ReactionName, RoomLimits, Scope,
        Seq, SessionId, Topic, Wall,
    };

    #[test]
    fn a_snapshot_is_read_back() {
        let snapshot = Snapshot::from(Ledger::new(&RoomLimits::default()));
        let stored = serde_json::to_string(&snapshot).expect("a snapshot can be stored");
        let read: Snapshot = serde_json::from_str(&stored).expect("what was stored is read");
        assert_eq!(read, snapshot);
    }

    /// The records of one incarnation.
    struct Incarnation {
        ledger: Ledger,
        members: u32,
    }

    impl Incarnation {
        fn new(limits: &RoomLimits) -> Self {
            let mut life = Self { ledger: Ledger::new(limits), members: 0 };
            life.record(None, None, Event::Created { epoch: Epoch(1), salt: 7 });
            life
        }

        fn record(&mut self, seq: Option<Seq>, by: Option<MemberId>, event: Event) {
            let offset = self.ledger.last_offset().next();
            self.ledger.apply(&Record { offset, seq, at: Wall(offset.0), by, event });
        }

        fn tell(&mut self, by: MemberId, event: Event) {
            self.record(Some(self.ledger.head().next()), Some(by), event);
        }

        fn join(&mut self, scope: Scope) -> MemberId {
            self.members += 1;
            let nick = Nick::parse(&format!("N{}", self.members)).expect("a valid nick");
            let (nick_key, by, sees) = (nick.key(), MemberId(self.members), Some(self.ledger.head()));
            self.tell(
                by,
                Event::Joined { nick, nick_key, color: Color(0), role: Role::Member, scope, sees, data: None },
            );
            by
        }

        fn say(&mut self, by: MemberId, key: usize) {
            let key = Key::parse(&format!("k{key}")).expect("a valid key");
            let nick = Nick::parse("N").expect("a valid nick");
            let text = Body::parse("text", 10).expect("a valid text");
            let keyed = Some(Keyed { key, digest: Digest(3) });
            self.tell(
                by,
                Event::Sent { nick, color: Color(0), text, keyed, amended: None, data: None, reply_to: None },
            );
        }
    }

    /// A snapshot is bounded by the limits it was made under, also where they are wider than the defaults.
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
        let mut life = Incarnation::new(&limits);
        let ann = life.join(Scope::Identity(Identity::new("ann").expect("a valid identity")));
        (0..limits.keys_max).for_each(|key| life.say(ann, key));
        for number in 0..limits.former_max {
            let guest = life.join(session(number));
            let nick = Nick::parse("N").expect("a valid nick");
            life.tell(guest, Event::Left { nick, reason: LeaveReason::Left, held: None });
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
        assert!(read.place(&session(0)).is_some() && read.is_banned(&session(limits.former_max)));
        assert_eq!(read.marks().len(), limits.marks_max);
        let same = read.bounded(&limits);
        assert!(same == life.ledger, "under the same limits nothing is forgotten");
    }

    /// A room with something of everything.
    fn full_life(limits: &RoomLimits) -> Incarnation {
        let mut life = Incarnation::new(limits);
        let ann = life.join(Scope::Identity(Identity::new("ann").expect("a valid identity")));
        let bob = life.join(Scope::Session(SessionId::new(42)));
        (0..3).for_each(|key| life.say(ann, key));
        life.tell(ann, Event::Redacted { target: Seq(4) });
        life.tell(ann, Event::TopicChanged { topic: Topic::parse("Lunch").expect("a valid topic") });
        life.tell(
            bob,
            Event::Left { nick: Nick::parse("N2").expect("a valid nick"), reason: LeaveReason::Timeout, held: None },
        );
        life.record(None, Some(ann), Event::Banned { scope: Scope::Session(SessionId::new(43)) });
        life.join(Scope::Session(SessionId::new(44)));
        life
    }

    /// Every format that was ever written, newest last. A fixture is never changed: what it was made from is on somebody's disk.
    #[test]
    fn what_earlier_programs_wrote_can_be_read() {
        let limits = RoomLimits::default();
        let fixtures = [
            include_str!("fixtures/snapshot-1.json"),
            include_str!("fixtures/snapshot-1-entered.json"),
            include_str!("fixtures/snapshot-1-readable-from.json"),
            include_str!("fixtures/snapshot-1-owed.json"),
            include_str!("fixtures/snapshot-1-persons.json"),
            include_str!("fixtures/snapshot-1-floors.json"),
            include_str!("fixtures/snapshot-2.json"),
            include_str!("fixtures/snapshot-2-changes.json"),
            include_str!("fixtures/snapshot-2-bans.json"),
            include_str!("fixtures/snapshot-2-lost.json"),
        ];
        for stored in fixtures {
            let read = Snapshot::read(stored.as_bytes()).expect("it can be read");
            let mut ledger = Ledger::from(read).bounded(&limits);
            assert_eq!((ledger.head(), ledger.members_total(), ledger.topic().as_str()), (Seq(9), 2, "Lunch"));
            assert!(ledger.is_banned(&Scope::Session(SessionId::new(43))));
            assert!(ledger.place(&Scope::Session(SessionId::new(42))).is_some());
            assert!(ledger.marks().find(Seq(4)).is_some_and(|mark| mark.redacted));
            // And the log goes on behind it.
            let offset = ledger.last_offset().next();
            let left =
                Event::Left { nick: Nick::parse("N3").expect("a valid nick"), reason: LeaveReason::Left, held: None };
            ledger.apply(&Record { offset, seq: Some(Seq(10)), at: Wall(99), by: Some(MemberId(3)), event: left });
            assert_eq!(ledger.members_total(), 1);
        }
        let newest = serde_json::to_string(&Snapshot::from(full_life(&limits).ledger)).expect("it can be stored");
        assert_eq!(newest, fixtures[fixtures.len() - 1].trim_end(), "what is written now");
    }

    /// A room with something of everything, as a later program might store it.
    fn later(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
        let snapshot = Snapshot::from(full_life(&RoomLimits::default()).ledger);
        let mut stored = serde_json::to_value(snapshot).expect("it can be stored");
        change(&mut stored);
        serde_json::to_vec(&stored).expect("it can be stored")
    }

    /// A room whose only member has left, and whose topic has been changed since.
    fn emptied_life(limits: &RoomLimits) -> Incarnation {
        let mut life = Incarnation::new(limits);
        let ann = life.join(Scope::Identity(Identity::new("ann").expect("a valid identity")));
        life.tell(
            ann,
            Event::Left { nick: Nick::parse("N1").expect("a valid nick"), reason: LeaveReason::Left, held: None },
        );
        let topic = Topic::parse("Lunch").expect("a valid topic");
        life.record(Some(life.ledger.head().next()), None, Event::TopicChanged { topic });
        life
    }

    #[test]
    fn since_when_a_room_is_empty_is_read_and_was_not_always_written() {
        let limits = RoomLimits::default();
        let fixtures = [
            include_str!("fixtures/snapshot-1-lingering.json"),
            include_str!("fixtures/snapshot-1-empty.json"),
            include_str!("fixtures/snapshot-1-empty-changes.json"),
            include_str!("fixtures/snapshot-1-empty-persons.json"),
            include_str!("fixtures/snapshot-2-empty.json"),
            include_str!("fixtures/snapshot-2-empty-changes.json"),
            include_str!("fixtures/snapshot-2-empty-bans.json"),
        ];
        let read = fixtures.map(|stored| serde_json::from_str::<Snapshot>(stored).expect("it can be read"));
        assert!(read[6] == Snapshot::from(emptied_life(&limits).ledger), "what is written now");
        let since = read.map(|snapshot| Ledger::from(snapshot).bounded(&limits).empty_since());
        let said = Some(Wall(3));
        assert_eq!(
            since,
            [Some(Wall(4)), said, said, said, said, said, said],
            "without it, the last thing that is known to have happened"
        );
        assert_eq!(full_life(&limits).ledger.empty_since(), None);
    }

    /// A room in which somebody was banned for a time, and what they said was taken back.
    fn swept_life(limits: &RoomLimits) -> Incarnation {
        let mut life = Incarnation::new(limits);
        let ann = life.join(Scope::Identity(Identity::new("ann").expect("a valid identity")));
        let bob = life.join(Scope::Session(SessionId::new(42)));
        (0..2).for_each(|key| life.say(bob, key));
        let (nick, until) = (Nick::parse("N2").expect("a valid nick"), Some(Wall(99)));
        let person = life.ledger.hash(&Scope::Session(SessionId::new(42))).into();
        let (ban, networks) = (life.ledger.bans().next(), vec![NetworkTag(5)]);
        let added = Event::BanAdded { ban, person, member: bob, nick: Some(nick.clone()), until, networks };
        life.record(None, Some(ann), added);
        life.tell(ann, Event::Swept { member: bob, from: Seq(1), to: Seq(4) });
        life.tell(ann, Event::Kicked { member: bob, nick, ban: Some(BanTerm::until(until)) });
        life
    }

    #[test]
    fn bans_with_their_ends_and_what_is_owed_in_ranges_are_read() {
        let limits = RoomLimits::default();
        let stored = include_str!("fixtures/snapshot-2-swept.json");
        let read = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it can be read")).bounded(&limits);
        let bob = Scope::Session(SessionId::new(42));
        assert!(read.is_banned(&bob) && read.bans().holding(None, Wall(99)).next().is_none());
        assert_eq!(read.owed().map(|owed| owed.change()).collect::<Vec<_>>(), [Seq(5)]);
        assert!(read.marks().find(Seq(3)).is_some_and(|mark| mark.redacted));
        assert!(read == swept_life(&limits).ledger, "what was stored in two queues is one");
    }

    /// A room in which messages were edited, taken back and swept, and the log has not been amended for any of it.
    fn edited_life(limits: &RoomLimits) -> Incarnation {
        let mut life = swept_life(limits);
        let ann = MemberId(1);
        (2..4).for_each(|key| life.say(ann, key));
        let content = Content::text(Body::parse("edited", 10).expect("a valid text"));
        let edited = |n| Event::Edited { target: Seq(7), content: Some(content.clone()), n, keyed: None };
        life.tell(ann, edited(1));
        life.tell(ann, edited(2));
        life.tell(ann, Event::Redacted { target: Seq(8) });
        life
    }

    #[test]
    fn what_is_owed_for_edits_is_stored() {
        let limits = RoomLimits::default();
        let stored = include_str!("fixtures/snapshot-2-edits.json");
        let newest = Snapshot::from(edited_life(&limits).ledger);
        assert_eq!(serde_json::to_string(&newest).expect("it can be stored"), stored.trim_end(), "what is written now");
        // And by a program that did not say which edit was before each.
        for stored in [stored, include_str!("fixtures/snapshot-2-owed.json")] {
            let read = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it can be read")).bounded(&limits);
            let owed: Vec<_> = read.owed().map(|owed| (owed.change().0, owed.target().map(|seq| seq.0))).collect();
            assert_eq!(owed, [(5, None), (9, Some(7)), (10, Some(7)), (11, Some(8))]);
            assert_eq!((read.owed_bytes(), read.was_edited()), (6, true));
        }
    }

    /// A room whose last message alone takes reactions: two people have reacted to it, and one to the one before.
    fn reacted_life(limits: &RoomLimits) -> Incarnation {
        let mut life = Incarnation::new(limits);
        let [ann, bob] = [41, 42].map(|session| life.join(Scope::Session(SessionId::new(session))));
        let react = |life: &mut Incarnation, by, target, text, on, count| {
            let name = ReactionName::parse(text).expect("a valid name");
            life.tell(by, Event::Reacted { target: Seq(target), name, on, count, keyed: None });
        };
        life.say(ann, 0);
        react(&mut life, bob, 3, "+1", true, 1);
        life.say(ann, 1);
        react(&mut life, bob, 5, "+1", true, 1);
        react(&mut life, ann, 5, "+1", true, 2);
        react(&mut life, ann, 5, "\u{1F44D}", true, 1);
        react(&mut life, ann, 5, "\u{1F44D}", false, 0);
        life
    }

    #[test]
    fn who_has_reacted_and_what_the_log_has_still_to_write_of_it_is_read() {
        let limits = RoomLimits { reactable_max: 1, ..RoomLimits::default() };
        let stored = include_str!("fixtures/snapshot-2-reactions.json");
        let newest = Snapshot::from(reacted_life(&limits).ledger);
        assert_eq!(serde_json::to_string(&newest).expect("it can be stored"), stored.trim_end(), "what is written now");
        let read = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it can be read")).bounded(&limits);
        let counts = [3, 5].map(|seq| read.reactions_to(Seq(seq)).iter().map(|one| one.count).collect::<Vec<_>>());
        assert_eq!(counts, [vec![1], vec![2]]);
        assert_eq!(read.owed_freezes().map(|owed| (owed.target, owed.change)).collect::<Vec<_>>(), [(Seq(3), Seq(5))]);
    }

    /// A program that kept no changes may have made some: whoever was there before its end pages anew.
    #[test]
    fn what_was_changed_in_a_room_that_an_earlier_program_stored_is_not_known() {
        let limits = RoomLimits::default();
        let fixtures = [include_str!("fixtures/snapshot-1.json"), include_str!("fixtures/snapshot-1-owed.json")];
        let [before, now] = fixtures.map(|stored| {
            let ledger = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it can be read")).bounded(&limits);
            [5, 6, 9].map(|after| ledger.changes().after(Seq(after)).map(|changed| changed.len()))
        });
        assert_eq!(before, [None, None, Some(0)]);
        assert_eq!(now, [Some(1), Some(0), Some(0)]);
    }

    /// A room whose owner was lost, and of whose moderators one has left.
    fn life_of_roles(limits: &RoomLimits) -> Incarnation {
        let mut life = Incarnation::new(limits);
        let [ann, bob, cid] = [41, 42, 43].map(|session| life.join(Scope::Session(SessionId::new(session))));
        life.tell(ann, Event::RoleChanged { member: ann, role: Role::Owner });
        [bob, cid].into_iter().for_each(|member| {
            life.tell(ann, Event::RoleChanged { member, role: Role::Moderator });
        });
        let left =
            |nick: &str, reason, held| Event::Left { nick: Nick::parse(nick).expect("a valid nick"), reason, held };
        life.tell(bob, left("N2", LeaveReason::Left, None));
        life.tell(ann, left("N1", LeaveReason::Timeout, Some(Wall(600_009))));
        life
    }

    #[test]
    fn whose_the_room_is_and_who_moderates_it_is_stored() {
        let limits = RoomLimits::default();
        // Without the names of those who left, with them, and with who of them was lost.
        let fixtures = [
            include_str!("fixtures/snapshot-2-roles.json"),
            include_str!("fixtures/snapshot-2-roles-named.json"),
            include_str!("fixtures/snapshot-2-roles-lost.json"),
        ];
        let [.., read] = fixtures.map(|stored| {
            let read = Snapshot::read(stored.as_bytes()).expect("it can be read");
            assert_eq!(serde_json::to_string(&read).expect("it can be stored"), stored.trim_end());
            read
        });
        let mut life = life_of_roles(&limits);
        assert!(read == Snapshot::from(life.ledger.clone()), "what is written now");
        let read = Ledger::from(read).bounded(&limits);
        assert_eq!(read.owner_seat(), OwnerSeat::Held(Some(Wall(600_009))));
        let kept = [1, 2, 3, 4].map(|number| read.role_kept(MemberId(number)));
        assert_eq!(kept, [Some(Role::Owner), Some(Role::Moderator), Some(Role::Moderator), None]);
        life.record(None, None, Event::Protected);
        let stored = serde_json::to_vec(&Snapshot::from(life.ledger.clone())).expect("it can be stored");
        assert!(Ledger::from(Snapshot::read(&stored).expect("it can be read")) == life.ledger);
        assert_eq!(life.ledger.owner_seat(), OwnerSeat::Held(None));
        life.record(None, None, Event::Banned { scope: Scope::Session(SessionId::new(41)) });
        assert_eq!(life.ledger.owner_seat(), OwnerSeat::Free, "who may not come in has nothing to come back to");
        let mut other = life_of_roles(&limits).ledger;
        let offset = other.last_offset().next();
        let event = Event::Banned { scope: Scope::Session(SessionId::new(41)) };
        other.apply(&Record { offset, seq: None, at: Wall(77), by: None, event });
        assert_eq!(other.owner_seat(), OwnerSeat::Held(Some(Wall(77))), "it runs out at once, and somebody follows");
    }

    /// A room in which two have changed what they are shown as, one of them again and again.
    fn life_of_people(limits: &RoomLimits) -> Incarnation {
        let mut life = Incarnation::new(limits);
        let [ann, bob] = [41, 42].map(|session| life.join(Scope::Session(SessionId::new(session))));
        let data = PersonData::parse(r#"{"id":"u1","avatar":null}"#).expect("valid");
        for (member, name) in [(ann, "Ann"), (bob, "Rob"), (bob, "Bo\u{431}")] {
            let nick = Nick::parse(name).expect("a valid nick");
            let (nick_key, data) = (Some(nick.key()), (member == ann).then(|| Some(data.clone())));
            life.tell(member, Event::MemberChanged { member, nick: Some(nick), nick_key, data });
        }
        life
    }

    #[test]
    fn what_people_are_shown_as_and_when_they_changed_it_is_stored() {
        let limits = RoomLimits::default();
        let stored = include_str!("fixtures/snapshot-2-people.json");
        let life = life_of_people(&limits);
        let written = serde_json::to_string(&Snapshot::from(life.ledger.clone())).expect("it can be stored");
        assert_eq!(written, stored.trim_end(), "what is written now");
        let read = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it can be read"));
        assert!(read == life.ledger);
        let shown: Vec<_> = read.members_after(None).map(|member| (member.nick.as_str(), &member.data)).collect();
        assert_eq!((shown[0].0, shown[1].0, shown[1].1), ("Ann", "Bo\u{431}", &None));
        assert_eq!(shown[0].1.as_ref().map(PersonData::as_str), Some(r#"{"id":"u1","avatar":null}"#));
        assert_eq!((read.changed_last(MemberId(1)), read.changed_last(MemberId(2))), (Some(Wall(4)), Some(Wall(6))));
        assert!(read.member_with_nick(&Nick::parse("N2").expect("valid").key(), None).is_none(), "it is free again");
        let other = RoomLimits { member_changes_max: 1, ..RoomLimits::default() };
        assert_eq!(read.bounded(&other).changed_last(MemberId(1)), None);
    }

    #[test]
    fn a_snapshot_says_which_records_it_is_made_of() {
        let limits = RoomLimits::default();
        let readable_from = |ledger: &Ledger| Snapshot::from(ledger.clone()).readable_from.0;
        let mut life = Incarnation::new(&limits);
        assert_eq!(readable_from(&life.ledger), 1, "any program can read it");
        life.join(Scope::Session(SessionId::new(42)));
        assert_eq!(readable_from(&life.ledger), 2, "a join that says what may be seen");
    }

    #[test]
    fn what_a_later_version_adds_is_passed_over_where_it_says_so() {
        let added = later(|stored| {
            stored["version"] = 3.into();
            stored["written_by"] = "a later program".into();
            stored["ledger"]["pins"] = serde_json::json!({"first": 4, "shown": false});
            stored["ledger"]["members"][0]["badges"] = serde_json::json!([1, {"deep": null}]);
        });
        let read = Ledger::from(Snapshot::read(&added).expect("it can be read"));
        assert!(read == full_life(&RoomLimits::default()).ledger);
        let read: Snapshot = serde_json::from_slice(&added).expect("by whoever reads it in another way, too");
        assert_eq!(read.version, 3);
    }

    #[test]
    fn what_only_a_later_version_can_read_is_refused_by_both_numbers() {
        let refused = |stored: &[u8]| Snapshot::read(stored).map(|_| ()).unwrap_err();
        let needed = later(|stored| (stored["version"], stored["readable_from"]) = (7.into(), 3.into()));
        assert_eq!(refused(&needed), Unreadable::Later { version: 7, readable_from: 3 });
        let told = serde_json::from_slice::<Snapshot>(&needed).unwrap_err().to_string();
        assert!(told.contains("from version 3 on, and this program reads version 2"), "{told}");
        // The shape is looked at last; and one that fits no program is the fault of whoever wrote it.
        let other = br#"{"version":7,"readable_from":2,"ledger":"of another shape"}"#;
        assert_eq!(refused(other), Unreadable::Later { version: 7, readable_from: 2 }, "it cannot, whatever it says");
        let wrong = br#"{"version":3,"ledger":"of another shape"}"#;
        assert_eq!(refused(wrong), Unreadable::Later { version: 3, readable_from: 1 });
        for damaged in [&b""[..], b"{}", br#"{"version":1,"ledger":{}}"#, br#"{"version":-1,"ledger":{}}"#] {
            assert!(matches!(refused(damaged), Unreadable::Damaged(_)), "{}", damaged.escape_ascii());
        }
    }
}
