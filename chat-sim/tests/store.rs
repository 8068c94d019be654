//! The model of the store that many servers share: it answers as PostgreSQL does, keeps its promises, and misses each rule that is left out.

use chat_sim::store::engine::{Answer, Engine, StatementId, Step};
use chat_sim::store::leases::{Rules, explore};
use chat_sim::store::rows::{Code, Life, NodeId, Said, SlotId, WriterId};
use chat_sim::store::what::{Append, Outcome, What};
use chat_sim::store::{Bug, play};

// What was seen of a real PostgreSQL (the schedules of log-postgres play the same), of the model.

/// Two nodes with a writer each; the first owns the slot.
fn two_nodes() -> Engine {
    let mut engine = Engine::new(None);
    for (node, writer) in [(NodeId(1), WriterId(1)), (NodeId(2), WriterId(2))] {
        done(&mut engine, What::Enter(node));
        done(&mut engine, What::Connect(writer, node));
    }
    done(&mut engine, What::Take(SlotId(0), NodeId(1)));
    engine
}

/// Carries a statement as far as it comes.
fn run(engine: &mut Engine, id: StatementId) {
    let of_this = |step: &Step| *step == Step::Send || step.statement() == Some(id);
    while let Some(step) = engine.steps().into_iter().find(of_this) {
        engine.step(step);
    }
}

/// Carries a statement to its end.
fn done(engine: &mut Engine, what: What) -> Outcome {
    let id = engine.begin(what);
    run(engine, id);
    match answer(engine, id) {
        Some(Answer::Done(outcome)) => outcome,
        other => panic!("{other:?}"),
    }
}

fn answer(engine: &Engine, id: StatementId) -> Option<Answer> {
    engine.answers.iter().find(|(of, _)| *of == id).map(|(_, answer)| answer.clone())
}

fn room(life: u32, after: u32, said: u32) -> Append {
    Append { code: Code(0), slot: SlotId(0), life: Life(life), term: 1, after, said: vec![Said(said)], closes: false }
}

/// Makes the one step of a statement that it can make.
fn once(engine: &mut Engine, id: StatementId) {
    let step = engine.steps().into_iter().find(|step| step.statement() == Some(id));
    engine.step(step.expect("it is held up by nobody"));
}

#[test]
fn who_deposes_a_node_waits_for_an_append_that_has_begun_and_sees_it() {
    let mut engine = two_nodes();
    done(&mut engine, What::Claim(WriterId(1), room(7, 0, 1)));
    let append = engine.begin(What::Append(WriterId(1), vec![room(7, 1, 2)]));
    once(&mut engine, append);
    let depose = engine.begin(What::Depose(NodeId(1), 0));
    run(&mut engine, depose);
    assert_eq!(answer(&engine, depose), None, "the writer's row is locked");
    run(&mut engine, append);
    run(&mut engine, depose);
    assert_eq!(answer(&engine, append), Some(Answer::Done(Outcome::Done(vec![Code(0)]))));
    assert_eq!(engine.rows.tails[&Code(0)].last, 2);
    assert_eq!(done(&mut engine, What::Append(WriterId(1), vec![room(7, 2, 3)])), Outcome::Deposed);
}

#[test]
fn an_append_that_begins_while_its_node_is_deposed_does_nothing() {
    let mut engine = two_nodes();
    done(&mut engine, What::Claim(WriterId(1), room(7, 0, 1)));
    let append = engine.begin(What::Append(WriterId(1), vec![room(7, 1, 2)]));
    assert_eq!(done(&mut engine, What::Depose(NodeId(1), 0)), Outcome::Done(vec![]));
    run(&mut engine, append);
    assert_eq!(answer(&engine, append), Some(Answer::Done(Outcome::Deposed)));
    assert_eq!(engine.rows.tails[&Code(0)].last, 1);
}

#[test]
fn a_claim_that_waited_for_a_rival_does_nothing_where_the_rival_was_first() {
    let mut engine = two_nodes();
    let first = engine.begin(What::Claim(WriterId(1), room(7, 0, 1)));
    once(&mut engine, first);
    once(&mut engine, first);
    done(&mut engine, What::Connect(WriterId(3), NodeId(1)));
    let second = engine.begin(What::Claim(WriterId(3), room(8, 0, 2)));
    run(&mut engine, second);
    assert_eq!(answer(&engine, second), None);
    run(&mut engine, first);
    run(&mut engine, second);
    assert_eq!(answer(&engine, second), Some(Answer::Done(Outcome::Nothing)));
    assert_eq!(engine.rows.tails[&Code(0)].life, Life(7));
}

#[test]
fn what_no_standby_has_is_called_success_with_a_warning_and_is_lost_with_the_primary() {
    let mut engine = two_nodes();
    let claim = engine.begin(What::Claim(WriterId(1), room(7, 0, 1)));
    (0..3).for_each(|_| once(&mut engine, claim));
    assert!(engine.rows.tails.is_empty(), "nobody sees it while it waits");
    engine.cancel(claim);
    assert_eq!(answer(&engine, claim), Some(Answer::Warned(Outcome::Done(vec![Code(0)]))));
    assert!(engine.rows.tails.contains_key(&Code(0)), "and now everybody does");
    engine.promote();
    assert!(engine.rows.tails.is_empty());
    assert!(engine.rows.writers.contains_key(&WriterId(1)), "what was confirmed is there");
}

#[test]
fn whose_client_is_gone_between_two_packets_keeps_its_locks_until_it_is_ended() {
    let mut engine = two_nodes();
    let claim = engine.begin(What::Claim(WriterId(1), room(7, 0, 1)));
    once(&mut engine, claim);
    engine.strand(claim);
    let settle = engine.begin(What::Settle(WriterId(1)));
    run(&mut engine, settle);
    assert_eq!(answer(&engine, settle), None);
    engine.terminate(WriterId(1));
    run(&mut engine, settle);
    assert_eq!(answer(&engine, settle), Some(Answer::Done(Outcome::Done(vec![]))));
    assert!(engine.rows.tails.is_empty(), "nothing of it has come to pass");
}

#[test]
fn a_slot_that_is_owned_is_not_taken() {
    let mut engine = two_nodes();
    assert_eq!(done(&mut engine, What::Take(SlotId(0), NodeId(2))), Outcome::Nothing);
    assert_eq!(engine.rows.slots[&SlotId(0)].node, Some(NodeId(1)));
}

#[test]
fn a_beat_that_came_first_makes_a_deposition_find_nothing() {
    let mut engine = two_nodes();
    let depose = engine.begin(What::Depose(NodeId(1), 0));
    done(&mut engine, What::Beat(NodeId(1)));
    run(&mut engine, depose);
    assert_eq!(answer(&engine, depose), Some(Answer::Done(Outcome::Nothing)));
    assert!(engine.rows.nodes.contains_key(&NodeId(1)));
}

// The promises.

#[test]
fn every_schedule_keeps_what_was_acked_and_lets_nobody_write_who_does_not_own() {
    let mut acked = 0;
    for seed in 0..1_000 {
        let schedule = play(seed, None);
        assert_eq!(schedule.broken, None, "seed {seed}");
        acked += schedule.acked;
    }
    assert!(acked > 1_000, "something is said in them: {acked}");
}

/// Each within so many schedules.
const TRIES: u64 = 4_000;

#[test]
fn a_rule_that_is_left_out_is_missed() {
    let bugs = [
        (Bug::AppendUnlocked, "was written by"),
        (Bug::ClaimUnlocked, "was written by"),
        (Bug::WarningIsSuccess, "is not there"),
        (Bug::AnswerEarly, "is not there"),
        (Bug::SnapshotAlways, "something of it is left"),
        (Bug::SettleByReading, "came after all"),
        (Bug::SaidInDoubt, "was said twice"),
        (Bug::DeleteOpen, "is not there"),
        (Bug::TrimTogether, "wait for each other"),
        (Bug::DeposeNodeAlone, "was written by"),
        (Bug::GiveUnsettled, "was written by"),
        (Bug::TermOfTable, "was written by"),
    ];
    for (bug, why) in bugs {
        let is_why = |broken: &String| broken.contains(why);
        let found = (0..TRIES).find_map(|seed| play(seed, Some(bug)).broken.filter(is_why));
        assert!(found.is_some(), "{bug:?} is found by none of {TRIES} schedules");
    }
}

/// So that a test run stays short: looks only make a deposition later.
fn rules() -> Rules {
    Rules { reads: 1, ..Rules::default() }
}

#[test]
fn in_no_state_of_the_table_do_two_nodes_answer_for_a_slot() {
    match explore(rules()) {
        Ok(states) => assert!(states > 100_000, "only {states} states were looked at"),
        Err(way) => panic!("two owners: {way:#?}"),
    }
}

#[test]
fn a_rule_of_the_leases_that_is_left_out_is_missed() {
    let rules = rules();
    let others = [
        ("a patience as long as the lease", Rules { patience: rules.lease + 1, ..rules }),
        ("a lease from the answer on", Rules { from_sending: false, ..rules }),
        ("a deposition whatever the beat is", Rules { as_seen: false, ..rules }),
        ("a slot that is perhaps given", Rules { settles: false, ..rules }),
        ("a table that was read before", Rules { reads_anew: false, ..rules }),
        ("a clock that stands still more often", Rules { steady: rules.lease / 2, ..rules }),
    ];
    for (what, rules) in others {
        assert!(explore(rules).is_err(), "{what} does no harm");
    }
}
