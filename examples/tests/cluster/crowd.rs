//! Everybody of all rooms, spread over the servers, and what they see in a round.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::time::Instant;

use super::client::{Client, Gone, Person};
use super::fleet::{Fleet, LONG, SERVERS};
use super::talker::{Order, Seen, Talker};

pub(crate) const ROOMS: usize = 3;
/// In each room; the first makes it. More than servers, so that what everybody finds when they look back is looked for at each of them.
pub(crate) const PEOPLE: usize = 4;
/// Messages of each room that show that it goes on.
const GOES_ON: usize = 5;

/// Everybody's part, while it goes on.
pub(crate) struct Crowd {
    parts: Vec<tokio::task::JoinHandle<Person>>,
    orders: watch::Sender<Order>,
    seen: Arc<Mutex<Seen>>,
}

impl Crowd {
    /// Everybody comes back, each at the server after the one before, and talks.
    pub(crate) fn gather(fleet: &Fleet, people: Vec<Person>, draw: &mut StdRng, round: usize) -> Self {
        let (orders, watched) = watch::channel(Order::Talk);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let part = |(number, person): (usize, Person)| Talker {
            person,
            window: if is_hasty(number) { 4 } else { 1 },
            home: (number / ROOMS + round) % SERVERS,
            is_patient: draw.random_bool(0.5),
            draw: StdRng::seed_from_u64(draw.random()),
            places: fleet.places(),
            orders: watched.clone(),
            seen: Arc::clone(&seen),
        };
        let parts = people.into_iter().enumerate().map(part).map(|talker| tokio::spawn(talker.take_part())).collect();
        Self { parts, orders, seen }
    }

    /// Waits until what they have seen is so.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Seen) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.seen.lock().expect("no panic")) {
            for part in &mut self.parts {
                if part.is_finished() {
                    part.await.expect("what a client sees is right");
                    panic!("nobody goes before they are told to");
                }
            }
            assert!(begun.elapsed() < LONG, "not within {LONG:?}: {what}; {:?}", self.seen);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Nothing new is said, and everybody goes once what they have said is acked.
    pub(crate) async fn finish(self) -> (Vec<Person>, Seen) {
        self.orders.send_replace(Order::Finish);
        let mut people = Vec::new();
        for part in self.parts {
            let person = tokio::time::timeout(LONG, part).await;
            people.push(person.expect("everything is acked in time").expect("what a client sees is right"));
        }
        let seen = std::mem::take(&mut *self.seen.lock().expect("no panic"));
        (people, seen)
    }
}

/// Whether a person has several messages on their way at once.
fn is_hasty(number: usize) -> bool {
    number % 2 == 1
}

/// The rooms with everybody in them.
pub(crate) async fn begin(fleet: &Fleet) -> Vec<Person> {
    let mut people = Vec::new();
    for number in 0..ROOMS * PEOPLE {
        let address = fleet.places().borrow()[number % SERVERS].clone().expect("it runs");
        let person = Person::new(number % ROOMS, number / ROOMS);
        let mut person = if is_hasty(number) { person.in_any_order() } else { person };
        let begun = Instant::now();
        loop {
            let mut client = Client::connect(&address).await.expect("it listens");
            match person.enter(&mut client).await {
                Ok(()) => break,
                // It has not heard yet whose the room is.
                Err(gone) => assert!(gone == Gone::Unavailable && begun.elapsed() < LONG, "{gone:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        people.push(person);
    }
    people
}

/// Whether enough was said in every room after this moment, and acked.
pub(crate) fn goes_on(seen: &Seen, since: Instant) -> bool {
    (0..ROOMS).all(|room| {
        let room = format!("ROOM-{room}");
        seen.answers.iter().filter(|answer| answer.room == room && answer.said > since).count() >= GOES_ON
    })
}

/// The longest that a room was silent: between two acks that came after another, the later one after this moment.
pub(crate) fn silence(seen: &Seen, room: &str, since: Instant) -> Duration {
    let mut acked: Vec<Instant> =
        seen.answers.iter().filter(|answer| answer.room == room).map(|answer| answer.acked).collect();
    acked.sort();
    let pairs = acked.windows(2).filter(|pair| pair[1] > since).map(|pair| pair[1] - pair[0]);
    pairs.max().unwrap_or_default()
}
