//! What the log has to forget: owed by the ledger, bounded, and settled by a quiet record.

use super::*;
use crate::domain::{RecordVersion, RoomCloseReason};

fn redact(by: Actor, target: u64) -> Input {
    Input::Redact { by, target: Seq(target), evidence: None }
}

fn owed(world: &World) -> Vec<(u64, u64)> {
    let owed = world.room.ledger().owed();
    owed.map(|owed| (owed.target().expect("one message").0, owed.change().0)).collect()
}

#[test]
fn what_is_taken_back_is_owed_until_a_quiet_record_settles_it() {
    let mut world = world();
    (0..3).for_each(|_| drop(world.run(&send(1, "hi"))));
    world.run(&redact(actor(1), 2)).expect("hers");
    world.run(&redact(actor(1), 4)).expect("hers");
    assert_eq!(owed(&world), [(2, 5), (4, 6)]);
    let settled = world.run(&Input::Settle { through: Seq(5) }).expect("never refused");
    assert_eq!((kinds(&settled), settled.answer), (vec![("settled", None)], Answer::Nothing));
    assert_eq!(owed(&world), [(4, 6)]);
    let again = world.run(&Input::Settle { through: Seq(5) }).expect("never refused");
    assert!(again.records.is_empty(), "nothing new");
    assert_eq!(world.room.head(), Seq(6), "nobody is told");
}

#[test]
fn while_it_owes_as_much_as_it_may_nothing_is_taken_back_and_everything_else_goes_on() {
    let mut world = world_with(|limits| limits.owed_max = 1);
    (0..3).for_each(|_| drop(world.run(&send(1, "hi"))));
    world.run(&redact(actor(1), 2)).expect("there is room");
    let reject = world.run(&redact(Actor::Host, 3)).expect_err("there is none");
    assert_eq!((reject.code, reject.retry_after.is_some()), (RejectCode::Unavailable, true));
    let again = world.run(&redact(actor(1), 2)).expect("it has been taken back");
    assert!(again.records.is_empty());
    assert_eq!(world.reject(&redact(actor(1), 9)), RejectCode::MessageNotFound, "what is wrong stays wrong");
    world.run(&send(1, "goes on")).expect("sent");
    world.run(&Input::Settle { through: world.room.head() }).expect("never refused");
    world.run(&redact(Actor::Host, 3)).expect("there is room again");
    assert_eq!(owed(&world), [(3, 7)]);
}

#[test]
fn who_does_not_know_what_is_owed_does_not_read_it() {
    let mut world = no_life(|_| {});
    world.room.write_up_to(RecordVersion::FIRST);
    world.create(1, EPOCH);
    world.send(1, "oops");
    assert_eq!(world.room.ledger().needs(), RecordVersion::FIRST);
    world.run(&redact(actor(1), 2)).expect("hers");
    assert_eq!(world.room.ledger().needs(), RecordVersion::PERSONS, "it would show the message");
}

#[test]
fn what_is_owed_ends_with_the_life() {
    let mut world = world();
    world.run(&send(1, "hi")).expect("sent");
    world.run(&redact(actor(1), 2)).expect("hers");
    world.run(&Input::Close { cause: RoomCloseReason::Host }).expect("never refused");
    assert_eq!(owed(&world), []);
    assert_eq!(world.reject(&Input::Settle { through: Seq(9) }), RejectCode::RoomNotFound);
}

#[test]
fn edits_are_owed_as_long_as_they_have_no_more_bytes_than_they_may() {
    let mut world = world_with(|limits| limits.owed_bytes_max = 4);
    (0..3).for_each(|_| drop(world.run(&send(1, "x")).expect("sent")));
    let edit = |target, text: &str| {
        let (by, content, permit) = (caller(1), Content::text(body(text)), SendPermit::Paid);
        let evidence = Some(Box::new(evidence(1, "x")));
        Input::Edit { by, target: Seq(target), content, as_sent: None, key: None, permit, evidence }
    };
    world.run(&edit(2, "ab")).expect("two");
    world.run(&edit(3, "cd")).expect("and two are four");
    assert_eq!(world.reject(&edit(4, "e")), RejectCode::Unavailable);
}
