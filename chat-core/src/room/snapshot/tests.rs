//! What every program ever stored can be read, and what this one stores of rooms that hold something of everything.

mod lives;

use self::lives::{
    Incarnation, edited_life, emptied_life, full_life, life_of_host, life_of_invites, life_of_people, life_of_roles,
    life_of_the_hosts, reacted_life, swept_life,
};
use super::*;
use crate::domain::{Event, LeaveReason, Record, RecordVersion, Role};
use crate::room::OwnerSeat;
use crate::types::{Identity, Key, MemberId, Nick, PersonData, RoomLimits, Scope, Seq, SessionId, Wall};

#[test]
fn a_snapshot_is_read_back() {
    let snapshot = Snapshot::from(Ledger::new(&RoomLimits::default()));
    let stored = serde_json::to_string(&snapshot).expect("a snapshot can be stored");
    let read: Snapshot = serde_json::from_str(&stored).expect("what was stored is read");
    assert_eq!(read, snapshot);
    assert!(!stored.contains(r#""needs""#), "what goes without saying is not said: {stored}");
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

/// Every format that was ever written, newest last. A fixture is never changed: what it was made from is on somebody's disk.
#[test]
fn what_earlier_programs_wrote_can_be_read() {
    let limits = RoomLimits::default();
    let fixtures = [
        include_str!("../fixtures/snapshot-1.json"),
        include_str!("../fixtures/snapshot-1-entered.json"),
        include_str!("../fixtures/snapshot-1-readable-from.json"),
        include_str!("../fixtures/snapshot-1-owed.json"),
        include_str!("../fixtures/snapshot-1-persons.json"),
        include_str!("../fixtures/snapshot-1-floors.json"),
        include_str!("../fixtures/snapshot-2.json"),
        include_str!("../fixtures/snapshot-2-changes.json"),
        include_str!("../fixtures/snapshot-2-bans.json"),
        include_str!("../fixtures/snapshot-2-lost.json"),
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

#[test]
fn since_when_a_room_is_empty_is_read_and_was_not_always_written() {
    let limits = RoomLimits::default();
    let fixtures = [
        include_str!("../fixtures/snapshot-1-lingering.json"),
        include_str!("../fixtures/snapshot-1-empty.json"),
        include_str!("../fixtures/snapshot-1-empty-changes.json"),
        include_str!("../fixtures/snapshot-1-empty-persons.json"),
        include_str!("../fixtures/snapshot-2-empty.json"),
        include_str!("../fixtures/snapshot-2-empty-changes.json"),
        include_str!("../fixtures/snapshot-2-empty-bans.json"),
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

#[test]
fn bans_with_their_ends_and_what_is_owed_in_ranges_are_read() {
    let limits = RoomLimits::default();
    let stored = include_str!("../fixtures/snapshot-2-swept.json");
    let read = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it can be read")).bounded(&limits);
    let bob = Scope::Session(SessionId::new(42));
    assert!(read.is_banned(&bob) && read.bans().holding(None, Wall(99)).next().is_none());
    assert_eq!(read.owed().map(|owed| owed.change()).collect::<Vec<_>>(), [Seq(5)]);
    assert!(read.marks().find(Seq(3)).is_some_and(|mark| mark.redacted));
    assert!(read.owed().eq(swept_life(&limits).ledger.owed()), "what was stored in two queues is one");
    assert!(read.put_out(MemberId(2)).is_none(), "it was not stored then");
}

#[test]
fn what_is_owed_for_edits_is_stored() {
    let limits = RoomLimits::default();
    let stored = include_str!("../fixtures/snapshot-2-put-out.json");
    let newest = Snapshot::from(edited_life(&limits).ledger);
    assert_eq!(serde_json::to_string(&newest).expect("it can be stored"), stored.trim_end(), "what is written now");
    // And by programs that did not say which edit was before each, nor who was put out.
    let [edits, owed] =
        [include_str!("../fixtures/snapshot-2-edits.json"), include_str!("../fixtures/snapshot-2-owed.json")];
    for stored in [stored, edits, owed] {
        let read = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it can be read")).bounded(&limits);
        let owed: Vec<_> = read.owed().map(|owed| (owed.change().0, owed.target().map(|seq| seq.0))).collect();
        assert_eq!(owed, [(5, None), (9, Some(7)), (10, Some(7)), (11, Some(8))]);
        assert_eq!((read.owed_bytes(), read.was_edited()), (6, true));
    }
    let read = Snapshot::read(stored.as_bytes()).expect("it can be read");
    assert!(Ledger::from(read).put_out(MemberId(2)).is_some(), "who was put out");
}

#[test]
fn who_has_reacted_and_what_the_log_has_still_to_write_of_it_is_read() {
    let limits = RoomLimits { reactable_max: 1, ..RoomLimits::default() };
    let stored = include_str!("../fixtures/snapshot-2-reactions.json");
    let newest = Snapshot::from(reacted_life(&limits).ledger);
    assert_eq!(serde_json::to_string(&newest).expect("it can be stored"), stored.trim_end(), "what is written now");
    let read = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it can be read")).bounded(&limits);
    let counts = [3, 5].map(|seq| read.reactions_to(Seq(seq)).iter().map(|one| one.count).collect::<Vec<_>>());
    assert_eq!(counts, [vec![1], vec![2]]);
    assert_eq!(read.owed_freezes().map(|owed| (owed.target, owed.change)).collect::<Vec<_>>(), [(Seq(3), Seq(5))]);
}

#[test]
fn what_the_host_said_under_which_key_is_stored() {
    let limits = RoomLimits::default();
    let stored = include_str!("../fixtures/snapshot-2-host.json");
    let newest = Snapshot::from(life_of_host(&limits).ledger);
    assert_eq!(serde_json::to_string(&newest).expect("it can be stored"), stored.trim_end(), "what is written now");
    let read = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it can be read"));
    let kept =
        |ledger: &Ledger, key: &str| ledger.said_before(&Key::parse(key).expect("a valid key")).map(|kept| kept.seq);
    assert_eq!(
        [kept(&read, "feed:1"), kept(&read, "feed:2"), kept(&read, "feed:3")],
        [Some(Seq(2)), Some(Seq(3)), None]
    );
    let fewer = read.bounded(&RoomLimits { host_keys_max: 1, ..RoomLimits::default() });
    assert_eq!([kept(&fewer, "feed:1"), kept(&fewer, "feed:2")], [None, Some(Seq(3))], "the newest stays");
}

#[test]
fn who_may_come_in_once_is_stored() {
    let limits = RoomLimits::default();
    let stored = include_str!("../fixtures/snapshot-2-invited.json");
    let mut life = life_of_invites(&limits);
    let newest = Snapshot::from(life.ledger.clone());
    assert_eq!(serde_json::to_string(&newest).expect("it can be stored"), stored.trim_end(), "what is written now");
    let read = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it can be read"));
    assert_eq!((read == life.ledger, read.needs()), (true, RecordVersion::PERSONS));
    life.join(Scope::Identity(Identity::new("user:ann").expect("an identity")));
    assert!(Snapshot::from(life.ledger) != newest && read.invites().holding(Wall(9)).count() == 2);
}

#[test]
fn that_a_room_is_kept_and_who_is_to_own_it_is_stored() {
    let limits = RoomLimits::default();
    let stored = include_str!("../fixtures/snapshot-2-kept.json");
    let mut life = life_of_the_hosts(&limits);
    let newest = Snapshot::from(life.ledger.clone());
    assert_eq!(serde_json::to_string(&newest).expect("it can be stored"), stored.trim_end(), "what is written now");
    let read = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it can be read"));
    assert!(read.is_kept() && read == life.ledger);
    assert_eq!((read.owner_seat(), read.needs()), (OwnerSeat::Held(None), RecordVersion::PERSONS));
    life.record(None, None, Event::Kept { on: false });
    assert_eq!((life.ledger.is_kept(), life.ledger.empty_since()), (false, Some(Wall(4))));
}

/// A program that kept no changes may have made some: whoever was there before its end pages anew.
#[test]
fn what_was_changed_in_a_room_that_an_earlier_program_stored_is_not_known() {
    let limits = RoomLimits::default();
    let fixtures = [include_str!("../fixtures/snapshot-1.json"), include_str!("../fixtures/snapshot-1-owed.json")];
    let [before, now] = fixtures.map(|stored| {
        let ledger = Ledger::from(Snapshot::read(stored.as_bytes()).expect("it can be read")).bounded(&limits);
        [5, 6, 9].map(|after| ledger.changes().after(Seq(after)).map(|changed| changed.len()))
    });
    assert_eq!(before, [None, None, Some(0)]);
    assert_eq!(now, [Some(1), Some(0), Some(0)]);
}

#[test]
fn whose_the_room_is_and_who_moderates_it_is_stored() {
    let limits = RoomLimits::default();
    // Without the names of those who left, with them, and with who of them was lost.
    let fixtures = [
        include_str!("../fixtures/snapshot-2-roles.json"),
        include_str!("../fixtures/snapshot-2-roles-named.json"),
        include_str!("../fixtures/snapshot-2-roles-lost.json"),
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

#[test]
fn what_people_are_shown_as_and_when_they_changed_it_is_stored() {
    let limits = RoomLimits::default();
    let stored = include_str!("../fixtures/snapshot-2-people.json");
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
    let ours = [&br#"{"version":1,"ledger":{}}"#[..], br#"{"version":2,"ledger":{}}"#];
    for damaged in [&b""[..], b"{}", br#"{"version":-1,"ledger":{}}"#].into_iter().chain(ours) {
        assert!(matches!(refused(damaged), Unreadable::Damaged(_)), "{}", damaged.escape_ascii());
    }
}
