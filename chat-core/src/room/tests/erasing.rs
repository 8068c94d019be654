//! People whom the host has erased.

use super::*;
use crate::domain::{BanTerms, MemberChange, RecordVersion, SettingsChange};

const BOB: &str = "user:bob-77";
const ALIAS: SessionId = SessionId::new(0xE5A);

fn erase(who: &str, members: &[u32]) -> Input {
    let identity = Identity::new(who).expect("an identity");
    let members = members.iter().map(|&id| MemberId(id)).collect();
    Input::Erase { identity, alias: ALIAS, members, is_told_of: false }
}

fn say(world: &mut World, by: Caller, key: &str, text: &str) -> Seq {
    let key = Key::parse(key).ok();
    let send = Input::Send { by, said: body(text).into(), as_sent: None, key, permit: SendPermit::Paid };
    let Answer::Sent { seq, .. } = world.run(&send).expect("sent").answer else { panic!("not sent") };
    seq
}

/// A room in which Bob, whom the policy knows, has said something under a key.
fn with_bob() -> (World, Seq) {
    let mut world = world();
    world.run(&join(known(2, BOB))).expect("joined");
    let said = say(&mut world, known(2, BOB), "bobs-key-1", "as Bob says");
    (world, said)
}

fn stored(world: &World) -> String {
    serde_json::to_string(&Snapshot::from(world.room.ledger().clone())).expect("it can be stored")
}

/// The log as it is once it has been made to name nobody who was erased.
fn scrub(world: &World) -> Vec<Record> {
    let ledger = world.room.ledger();
    let owed = ledger.owed_erasures().next().expect("it is owed").clone();
    let mut log = world.log.clone();
    for record in &mut log {
        if let Some(scrub) = ledger.scrub(&owed, record) {
            scrub.apply(record);
        }
    }
    log
}

fn replayed(log: &[Record], limits: &RoomLimits) -> Ledger {
    let mut ledger = Ledger::new(limits);
    log.iter().for_each(|record| ledger.apply(record));
    ledger
}

#[test]
fn who_is_erased_leaves_says_nothing_any_more_and_is_forgotten() {
    let (mut world, said) = with_bob();
    let erased = world.run(&erase(BOB, &[])).expect("erased");
    assert_eq!(kinds(&erased), [("swept", Some(4)), ("left", Some(5)), ("erased", None)]);
    assert_eq!(erased.answer, Answer::Erased { is_owed: true });
    assert_eq!((world.members(), world.room.ledger().is_taken_back(said)), (vec![1], true));
    let stored = stored(&world);
    for trace in ["P2", "bob", "bobs-key"] {
        assert!(!stored.contains(trace), "{trace} in {stored}");
    }
    assert!(!world.room.was_member(&known(2, BOB).scope()));
    let back = world.run(&join(known(2, BOB))).expect("joined");
    assert_eq!(entered(&back).member, MemberId(3), "as somebody new");
}

#[test]
fn of_whom_nothing_is_known_nothing_follows_and_who_is_asked_again_finds_it_owed() {
    let (mut world, _) = with_bob();
    let nobody = world.run(&erase("user:cid", &[])).expect("nothing to do");
    assert_eq!((kinds(&nobody), nobody.answer), (vec![], Answer::Erased { is_owed: false }));
    world.run(&erase(BOB, &[])).expect("erased");
    for again in [erase(BOB, &[2]), Input::Erased { alias: ALIAS }] {
        let again = world.run(&again).expect("it is answered");
        assert_eq!((kinds(&again), again.answer), (vec![], Answer::Erased { is_owed: true }));
    }
    let through = world.room.last_offset();
    let scrubbed = world.run(&Input::Scrubbed { through }).expect("it is done");
    assert_eq!(kinds(&scrubbed), [("scrubbed", None)]);
    let done = world.run(&Input::Erased { alias: ALIAS }).expect("it is answered").answer;
    assert_eq!((done, world.room.ledger().owed_erasures().count()), (Answer::Erased { is_owed: false }, 0));
}

#[test]
fn the_scrubbed_log_names_nobody_and_comes_to_the_same_room() {
    let (mut world, _) = with_bob();
    let change = MemberChange::new().nick(nick("Bobby"));
    world.run(&Input::ChangeMember { member: MemberId(2), change }).expect("changed");
    world.run(&Input::Leave { by: known(2, BOB) }).expect("left");
    world.run(&join(known(2, BOB))).expect("back");
    world.run(&Input::Kick { by: Actor::Host, member: MemberId(2) }).expect("put out");
    world.run(&join(known(3, BOB))).expect("back");
    say(&mut world, known(3, BOB), "bobs-key-2", "more of Bob");
    let owner = OwnerSeat::Taken(MemberId(1));
    // Who is put out and comes back has another number, and the room knows the last one alone.
    world.run(&erase(BOB, &[2])).expect("erased");
    let log = scrub(&world);
    let text = serde_json::to_string(&log).expect("it can be stored");
    for trace in ["P2", "P3", "obby", "ob says", "of Bob", "bob-77", "bobs-key"] {
        assert!(!text.contains(trace), "{trace} in {text}");
    }
    let ledger = replayed(&log, &world.room.limits);
    let room = Room::from_ledger(ledger, Arc::clone(&world.room.limits));
    room.check_invariants();
    assert_eq!((room.owner_seat(), world.room.owner_seat()), (owner, owner));
    assert_eq!(room.head(), world.room.head());
    assert_eq!(room.members().collect::<Vec<_>>(), world.room.members().collect::<Vec<_>>());
}

/// A copy may have read the first records as they were, and the others as they are since.
#[test]
fn whoever_reads_on_in_a_log_that_was_scrubbed_meanwhile_comes_to_a_room_without_them() {
    let (mut world, _) = with_bob();
    world.run(&Input::Leave { by: known(2, BOB) }).expect("left");
    world.run(&join(known(2, BOB))).expect("back");
    say(&mut world, known(2, BOB), "bobs-key-2", "more");
    world.run(&Input::Leave { by: known(2, BOB) }).expect("left");
    world.run(&erase(BOB, &[])).expect("erased");
    let scrubbed = scrub(&world);
    for split in 0..=scrubbed.len() {
        let log: Vec<Record> = world.log[..split].iter().chain(&scrubbed[split..]).cloned().collect();
        let ledger = replayed(&log, &world.room.limits);
        let stored = serde_json::to_string(&Snapshot::from(ledger.clone())).expect("it can be stored");
        assert!(!stored.contains("P2") && !stored.contains("bob"), "from {split} on: {stored}");
        Room::from_ledger(ledger, Arc::clone(&world.room.limits)).check_invariants();
    }
}

#[test]
fn numbers_that_the_room_has_forgotten_are_swept_where_the_log_knows_them() {
    let mut world = world_with(|limits| limits.former_max = 0);
    world.run(&join(known(2, BOB))).expect("joined");
    let said = say(&mut world, known(2, BOB), "bobs-key-1", "as Bob says");
    world.run(&Input::Leave { by: known(2, BOB) }).expect("left");
    let erased = world.run(&erase(BOB, &[2, 9])).expect("erased");
    assert_eq!(kinds(&erased), [("swept", Some(5)), ("erased", None)], "and nobody was ever number 9");
    assert!(world.room.ledger().is_taken_back(said));
}

/// A run of the model found it: each of several numbers was taken for the only one.
#[test]
fn no_more_is_owed_for_who_is_erased_than_may_be_and_more_than_that_alone() {
    for (owed_max, may_be_owed) in [(2, false), (1, true)] {
        let mut world = world_with(|limits| (limits.former_max, limits.owed_max) = (0, owed_max));
        for key in ["bobs-key-1", "bobs-key-2"] {
            world.run(&join(known(2, BOB))).expect("joined");
            say(&mut world, known(2, BOB), key, "as Bob says");
            world.run(&Input::Leave { by: known(2, BOB) }).expect("left");
        }
        if !may_be_owed {
            let said = say(&mut world, caller(1), "anns-key-1", "as Ann says");
            let redact = Input::Redact { by: Actor::Host, target: said, evidence: None };
            world.run(&redact).expect("taken back");
            assert_eq!(world.reject(&erase(BOB, &[2, 3])), RejectCode::Unavailable);
            world.run(&Input::Settle { through: world.room.head() }).expect("settled");
        }
        let erased = world.run(&erase(BOB, &[2, 3])).expect("erased");
        assert_eq!(kinds(&erased).iter().filter(|(kind, _)| *kind == "swept").count(), 2);
        assert_eq!(world.room.ledger().owed_total(), 2);
    }
}

#[test]
fn a_ban_stays_and_names_nobody() {
    let (mut world, _) = with_bob();
    world.run(&Input::Ban { by: Actor::Host, member: MemberId(2), terms: BanTerms::default() }).expect("banned");
    world.run(&erase(BOB, &[])).expect("erased");
    assert!(!stored(&world).contains("P2"));
    assert_eq!(world.reject(&join(known(2, BOB))), RejectCode::Banned);
    let Answer::Bans { page, .. } =
        world.run(&Input::Bans { by: Actor::Host, after: None, limit: None }).expect("shown").answer
    else {
        panic!("no bans")
    };
    assert_eq!((page.len(), page[0].nick.as_ref()), (1, None));
}

#[test]
fn an_invite_and_a_seat_that_is_held_go() {
    let mut world = world();
    world.run(&Input::Settings { by: Actor::Host, change: SettingsChange::new().locked(true) }).expect("set");
    world.run(&Input::Invite { identity: Identity::new(BOB).expect("an identity") }).expect("invited");
    world.run(&erase(BOB, &[])).expect("erased");
    assert_eq!(world.reject(&join(known(2, BOB))), RejectCode::RoomLocked);

    let mut world = no_life(|_| {});
    world
        .run(&Input::Create { by: known(2, BOB), nick: nick("Bob"), data: None, epoch: EPOCH, salt: SALT })
        .expect("made");
    world.join(3);
    let erased = world.run(&erase(BOB, &[])).expect("erased");
    assert_eq!(kinds(&erased), [("left", Some(3)), ("role_changed", Some(4)), ("erased", None)]);
    assert_eq!(world.room.owner_seat(), OwnerSeat::Taken(MemberId(2)));
}

#[test]
fn a_room_that_ends_with_them_owes_nothing() {
    let mut world = no_life(|limits| limits.empty_linger = std::time::Duration::ZERO);
    world
        .run(&Input::Create { by: known(2, BOB), nick: nick("Bob"), data: None, epoch: EPOCH, salt: SALT })
        .expect("made");
    let erased = world.run(&erase(BOB, &[])).expect("erased");
    assert_eq!(
        (kinds(&erased), erased.answer),
        (vec![("left", Some(2)), ("closed", None)], Answer::Erased { is_owed: false })
    );
}

#[test]
fn nobody_is_erased_where_an_earlier_program_would_not_read_it() {
    let (mut world, _) = with_bob();
    world.room.write_up_to(RecordVersion::FIRST);
    assert_eq!(world.reject(&erase(BOB, &[])), RejectCode::Unavailable);
}

#[test]
fn how_far_they_have_read_is_forgotten() {
    let (mut world, said) = with_bob();
    world.run(&Input::Read { by: known(2, BOB), through: said }).expect("read");
    assert_eq!(world.room.read_positions().len(), 1);
    world.run(&erase(BOB, &[])).expect("erased");
    assert!(world.room.read_positions().is_empty());
}

#[test]
fn what_a_log_tells_of_somebody_is_found_until_it_is_scrubbed() {
    let (mut world, _) = with_bob();
    let look = |log: &[Record]| {
        let mut traces = Traces::new(Identity::new(BOB).expect("an identity"));
        log.iter().for_each(|record| traces.read(record));
        (traces.are_there(), traces.members().to_vec(), traces.is_owed(ALIAS))
    };
    assert_eq!(look(&world.log), (true, vec![MemberId(2)], false));
    world.run(&erase(BOB, &[])).expect("erased");
    assert_eq!(look(&world.log), (true, vec![MemberId(2)], true));
    let through = world.room.last_offset();
    let mut log = scrub(&world);
    assert_eq!(look(&log), (false, vec![], true));
    world.run(&Input::Scrubbed { through }).expect("it is done");
    log.extend(world.log.last().cloned());
    assert_eq!(look(&log), (false, vec![], false));
    let mut stored = Traces::new(Identity::new(BOB).expect("an identity"));
    stored.look_at(world.room.ledger());
    assert!(!stored.are_there() && !stored.is_owed(ALIAS));
}
