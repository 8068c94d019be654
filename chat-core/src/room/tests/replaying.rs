//! The ledger as the fold of the log: replayed, stored, replaced.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use super::*;
use crate::domain::BanTerms;
use crate::types::BanId;

fn replayed(world: &World) -> Ledger {
    let mut ledger = Ledger::new(&world.room.limits);
    world.log.iter().for_each(|record| ledger.apply(record));
    ledger
}

fn stored(ledger: &Ledger) -> Ledger {
    let json = serde_json::to_string(&Snapshot::from(ledger.clone())).expect("a snapshot can be stored");
    serde_json::from_str::<Snapshot>(&json).expect("what was stored is read").into()
}

#[test]
fn a_record_is_stored_and_read_back() {
    let mut world = world();
    world.run(&keyed(1, "k", "hi")).expect("sent");
    for record in &world.log {
        let json = serde_json::to_string(record).expect("a record can be stored");
        assert_eq!(serde_json::from_str::<Record>(&json).expect("what was stored is read"), *record);
    }
}

#[test]
#[should_panic(expected = "records are applied in order")]
fn a_record_out_of_order_is_a_bug() {
    let mut world = world();
    let mut record = world.log.last().expect("a join").clone();
    record.offset = Offset(9);
    world.room.apply(world.now, &record);
}

#[test]
#[should_panic(expected = "told events are applied in order")]
fn a_number_left_out_is_a_bug() {
    let mut world = world();
    let mut record = world.room.decide(world.now, &send(1, "hi")).expect("decided").records.remove(0);
    record.seq = Some(Seq(9));
    world.room.apply(world.now, &record);
}

#[test]
fn deciding_changes_nothing() {
    let world = world();
    let before = (world.room.ledger().clone(), world.room.next_deadline(), world.room.online());
    let first = world.room.decide(world.now, &join(caller(2)));
    assert_eq!(first, world.room.decide(world.now, &join(caller(2))));
    assert_eq!(before, (world.room.ledger().clone(), world.room.next_deadline(), world.room.online()));
}

#[test]
fn tighter_limits_forget_the_oldest_when_a_room_is_read_back() {
    let mut world = world();
    (0..9).for_each(|n| drop(world.run(&keyed(1, &format!("k{n}"), "hi")).expect("sent")));
    let tight = RoomLimits { marks_max: 2, keys_per_scope_max: 3, ..RoomLimits::default() };
    let room = Room::from_ledger(stored(world.room.ledger()), Arc::new(tight));
    room.check_invariants();
    world.room = room;
    world.note(attach());
    let answer = world
        .run(&Input::History { by: Actor::Member(caller(1)), anchor: HistoryAnchor::Newest, limit: None })
        .expect("answered")
        .answer;
    let Answer::History(slice) = answer else { panic!("not a history") };
    assert_eq!((numbers(&slice.seqs), slice.wanted), (vec![9, 10], 7));
    assert_eq!(kinds(&world.run(&keyed(1, "k8", "hi")).expect("remembered")), []);
    assert_eq!(kinds(&world.run(&keyed(1, "k5", "hi")).expect("forgotten")), [("sent", Some(11))]);
}

fn attach() -> Note {
    Note::Attached { session: SessionId::new(1), generation: Generation(1), member: MemberId(1), network: None }
}

#[test]
fn a_failed_append_keeps_who_is_attached() {
    let mut world = world();
    world.join(2);
    let published = world.room.ledger().clone();
    world.send(1, "lost");
    world.join(3);
    world.leave(2);
    world.room.replace_ledger(world.now, published.clone());
    world.room.check_invariants();
    assert_eq!(world.room.ledger(), &published);
    assert_eq!(world.room.member_of(&caller(1)), Some(MemberId(1)), "a slow disk puts nobody out");
    assert_eq!(world.room.member_of(&caller(3)), None, "whose join was lost has not joined");
    assert_eq!((world.room.online(), world.members()), (1, vec![1, 2]));
    assert_eq!(world.pass(30_000), [("left", Some(3))], "whose leave was lost is within a grace");
}

#[test]
fn a_later_membership_of_the_same_person_is_not_attached() {
    let mut world = world();
    world.join(2);
    let mut theirs = world.room.clone();
    for input in [Input::Leave { by: caller(2) }, join(caller(2))] {
        let decision = theirs.decide(world.now, &input).expect("decided");
        decision.records.iter().for_each(|record| theirs.apply(world.now, record));
    }
    world.room.replace_ledger(world.now, theirs.ledger().clone());
    world.room.check_invariants();
    assert_eq!((world.members(), world.room.online()), (vec![1, 2], 1), "the stay that was attached is over");
}

#[test]
fn a_grace_that_runs_is_not_started_anew_by_a_failed_append() {
    let mut world = world();
    world.join(2);
    world.detach(2);
    world.pass(20_000);
    world.room.replace_ledger(world.now, world.room.ledger().clone());
    assert_eq!(world.pass(10_000), [("left", Some(3))]);
}

#[test]
fn a_number_that_names_another_person_in_the_log_is_not_attached() {
    let mut world = world();
    let mut theirs = world.room.clone();
    let decision = theirs.decide(world.now, &join(caller(9))).expect("decided");
    decision.records.iter().for_each(|record| theirs.apply(world.now, record));
    world.join(2);
    world.room.replace_ledger(world.now, theirs.ledger().clone());
    world.room.check_invariants();
    assert_eq!((world.members(), world.room.member_of(&caller(2)), world.room.online()), (vec![1, 2], None, 1));
}

#[test]
fn a_lost_end_of_a_room_brings_its_members_back_within_a_grace() {
    let mut world = world();
    let published = world.room.ledger().clone();
    world.leave(1);
    world.room.replace_ledger(world.now, published);
    world.room.check_invariants();
    assert_eq!((world.room.epoch(), world.room.online()), (Some(EPOCH), 0));
    assert_eq!(world.pass(30_000), [("left", Some(2)), ("closed", None)]);
}

/// A small generator, so that a failure is the same one every time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Everybody reconnects now and then, and something of the connection before comes late.
fn any_generation(draw: &mut Draw, world: &World) -> Generation {
    Generation(2 + world.log.len() as u64 / 40 - draw.below(8) / 7)
}

fn any_input(draw: &mut Draw, world: &World) -> Input {
    let session = u128::from(1 + draw.below(5));
    let by = Caller {
        generation: any_generation(draw, world),
        ..if (session > 3) != (draw.below(20) == 0) { known(session, "bob") } else { caller(session) }
    };
    let actor = if draw.below(4) == 0 { Actor::Host } else { Actor::Member(by.clone()) };
    let member = MemberId(draw.below(u64::from(world.members().last().copied().unwrap_or(0)) + 2) as u32);
    let head = world.room.head().0;
    let after = (draw.below(2) == 0).then(|| world.here(draw.below(head + 3))).flatten();
    match draw.below(40) {
        _ if world.room.epoch().is_none() => {
            Input::Create { by, nick: nick("Ann"), data: None, epoch: Epoch(draw.below(1 << 30)), salt: draw.below(9) }
        }
        0 => Input::Create { by, nick: nick("Ann"), data: None, epoch: EPOCH, salt: SALT },
        1..=9 => join_after(by, after),
        10..=13 => Input::Attach { by, after },
        14..=23 => {
            let key = (draw.below(2) == 0).then(|| Key::parse(&format!("k{}", draw.below(6))).expect("a valid key"));
            let text = body(["hi", "ho"][draw.below(2) as usize]);
            Input::Send { by, said: text.into(), as_sent: None, key, permit: SendPermit::Paid }
        }
        24..=26 => Input::Leave { by },
        27..=28 => {
            let seq = Seq(draw.below(head + 3));
            let anchors = [HistoryAnchor::Before(seq), HistoryAnchor::After(seq), HistoryAnchor::Around(seq)];
            let anchor = anchors[draw.below(3) as usize];
            Input::History { by: Actor::Member(by), anchor, limit: Some(draw.below(9) as u32) }
        }
        29 => Input::Members { by: Actor::Member(by), after: Some(member), limit: None },
        30..=31 => Input::Typing { by, state: if draw.below(2) == 0 { TypingState::On } else { TypingState::Off } },
        32..=33 => Input::Redact { by: actor, target: Seq(draw.below(head + 2)), evidence: None },
        34 => Input::Kick { by: actor, member },
        35 => Input::Ban { by: actor, member, terms: any_terms(draw) },
        36 if draw.below(2) == 0 => Input::Unban { by: actor, ban: BanId(draw.below(9) as u32) },
        37 if draw.below(2) == 0 => Input::RedactAll { by: actor, member, from: None },
        36 => Input::SetTopic {
            by: actor,
            topic: crate::Topic::parse(["a", "b"][draw.below(2) as usize]).expect("valid"),
        },
        37 if draw.below(9) == 0 => Input::Close { cause: crate::RoomCloseReason::Host },
        _ => Input::Elapsed,
    }
}

fn any_terms(draw: &mut Draw) -> BanTerms {
    let terms = BanTerms::lasting(NonZeroU32::new(draw.below(2) as u32));
    if draw.below(2) == 0 { terms.with_sweep() } else { terms }
}

#[test]
fn whatever_happens_the_log_replays_to_the_same_ledger() {
    for seed in 0..8 {
        let mut draw = Draw(seed);
        let mut world = no_life(|limits| {
            (limits.members_max, limits.attachments_max, limits.marks_max) = (6, 2, 8);
            (limits.keys_per_scope_max, limits.keys_max, limits.former_max, limits.bans_max) = (3, 5, 3, 2);
            (limits.notices_members_max, limits.history_max) = (3, 6);
            limits.empty_linger = std::time::Duration::from_millis(500 * (seed % 2));
            limits.grace = std::time::Duration::from_millis(2_000);
        });
        let mut resumed = Ledger::new(&world.room.limits);
        let mut read = 0;
        for step in 0..2_500 {
            let input = any_input(&mut draw, &world);
            let (published, before) = (world.room.ledger().clone(), world.log.len());
            let outcome = world.run(&input);
            assert!(outcome.is_ok() || world.log.len() == before);
            if draw.below(40) == 0 {
                world.log.truncate(before);
                world.room.replace_ledger(world.now, published);
                world.room.check_invariants();
            }
            if draw.below(20) == 0 {
                let (session, generation) =
                    (SessionId::new(1 + u128::from(draw.below(5))), any_generation(&mut draw, &world));
                world.note(Note::Detached { session, generation });
            }
            world.pass(draw.below(200));
            world.now.wall = Wall(world.now.wall.0 - draw.below(300));
            if draw.below(50) == 0 {
                resumed = stored(&resumed);
                world.log[read..].iter().for_each(|record| resumed.apply(record));
                read = world.log.len();
                assert_eq!(&resumed, world.room.ledger(), "seed {seed}, step {step}");
            }
        }
        assert_eq!(&replayed(&world), world.room.ledger(), "seed {seed}");
        let seen: BTreeSet<_> = world.log.iter().map(|record| kind(&record.event)).collect();
        assert!(seen.len() >= 10 && world.log.len() > 300, "the walk went somewhere: {} {seen:?}", world.log.len());
        let lives = world.log.split(|record| matches!(record.event, Event::Created { .. })).skip(1);
        for life in lives {
            let told: Vec<u64> = life.iter().filter_map(|record| record.seq).map(|seq| seq.0).collect();
            assert!(told.iter().copied().eq(1..=told.len() as u64), "told events are dense");
            assert!(life.iter().is_sorted_by_key(|record| record.at), "time does not go back");
        }
    }
}
