//! Walks with readers that come and go: nobody is passed over, and how far behind anybody is.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

type Readers = BTreeMap<SessionId, usize>;

fn readers(count: u128) -> Readers {
    (0..count).map(|id| (SessionId::new(id), id as usize)).collect()
}

fn some(fanout: &mut Fanout, readers: &Readers) -> Vec<usize> {
    let mut woken = Vec::new();
    fanout.wake_some(readers, |_| true, |&reader| woken.push(reader));
    woken
}

#[test]
fn everybody_is_woken_once_and_a_few_at_a_time() {
    let (mut fanout, readers) = (Fanout::default(), readers(40));
    fanout.begin();
    let steps: Vec<_> = std::iter::from_fn(|| fanout.is_on().then(|| some(&mut fanout, &readers))).collect();
    assert_eq!(steps.iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 8]);
    assert_eq!(steps.concat(), (0..40).collect::<Vec<_>>());
}

#[test]
fn who_was_woken_before_the_latest_is_woken_again_after_the_others() {
    let (mut fanout, readers) = (Fanout::default(), readers(20));
    fanout.begin();
    assert_eq!(some(&mut fanout, &readers), (0..16).collect::<Vec<_>>());
    fanout.begin();
    assert_eq!(some(&mut fanout, &readers), [16, 17, 18, 19].into_iter().chain(0..12).collect::<Vec<_>>());
    assert_eq!(some(&mut fanout, &readers), [12, 13, 14, 15]);
    assert!(!fanout.is_on());
}

#[test]
fn those_who_are_left_can_be_woken_at_once() {
    let (mut fanout, readers) = (Fanout::default(), readers(100));
    fanout.begin();
    some(&mut fanout, &readers);
    let mut woken = Vec::new();
    fanout.wake_rest(&readers, |&reader| woken.push(reader));
    assert_eq!(woken, (16..100).collect::<Vec<_>>());
    assert!(!fanout.is_on() && fanout.take_woken() && !fanout.take_woken());
}

/// Whoever comes and goes meanwhile: who was there when the news came is woken for it, and is never behind by more than is said.
#[test]
fn nobody_is_passed_over_and_nobody_is_further_behind_than_is_said() {
    for seed in 0..300 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut fanout = Fanout::default();
        // Each reader with the events it has not been woken for.
        let mut readers = BTreeMap::<SessionId, std::cell::Cell<usize>>::new();
        for _ in 0..400 {
            match rng.random_range(0..8) {
                0 | 1 => {
                    let events = rng.random_range(1..5);
                    fanout.note(Extent { events, bytes: 10 * events });
                    fanout.begin();
                    readers.values().for_each(|behind| behind.set(behind.get() + events));
                }
                2 | 3 => drop(readers.insert(SessionId::new(rng.random_range(0..200)), 0.into())),
                4 => drop(readers.remove(&SessionId::new(rng.random_range(0..200)))),
                5 if rng.random_bool(0.1) => fanout.wake_rest(&readers, |behind| behind.set(0)),
                _ => fanout.wake_some(&readers, |behind| behind.get() == 0, |behind| behind.set(0)),
            }
            let furthest = readers.values().map(std::cell::Cell::get).max().unwrap_or(0);
            assert!(furthest <= fanout.unseen().events, "seed {seed}: {furthest} events, {:?}", fanout.unseen());
            assert_eq!(fanout.unseen().bytes, 10 * fanout.unseen().events);
            assert!(fanout.is_on() || furthest == 0, "seed {seed}: the walk is over, and somebody sleeps on");
        }
    }
}
