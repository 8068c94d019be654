//! A person's part in a round: at one of the servers, and when that has gone at another, until everything they have said is acked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio::time::Instant;

use super::client::{Client, Gone, Heard, Person};
use super::fleet::Places;

/// Between two messages, in milliseconds.
const PACE: std::ops::Range<u64> = 30..150;
/// After a refusal.
const PAUSE: Duration = Duration::from_millis(100);

/// What everybody is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Talk,
    /// Nothing new is said.
    Finish,
}

/// A message that was said and acked.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) room: String,
    /// Since when it was to be said, however often it was.
    pub(crate) said: Instant,
    pub(crate) acked: Instant,
}

/// What all have seen in a round.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Those who have come back and found everything.
    pub(crate) inside: usize,
    pub(crate) answers: Vec<Answer>,
    /// Commands that were refused for now, and with which code.
    pub(crate) refused: Vec<String>,
    /// Connections that went after their room was there, at which server.
    pub(crate) lost: Vec<(usize, Gone)>,
    /// Times that somebody came in vain.
    pub(crate) in_vain: usize,
}

pub(crate) struct Talker {
    pub(crate) person: Person,
    /// Messages that are on their way at once.
    pub(crate) window: usize,
    /// Where they begin.
    pub(crate) home: usize,
    /// Whether they stay at a server that says nothing.
    pub(crate) is_patient: bool,
    pub(crate) draw: StdRng,
    pub(crate) places: watch::Receiver<Places>,
    pub(crate) orders: watch::Receiver<Order>,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

impl Talker {
    pub(crate) async fn take_part(mut self) -> Person {
        let mut waiting: BTreeMap<u64, Instant> =
            self.person.pending().map(|number| (number, Instant::now())).collect();
        let (mut has_looked, mut next) = (false, self.home);
        loop {
            let Some(address) = self.places.borrow()[next].clone() else {
                next = self.another().await;
                continue;
            };
            let mut places = self.places.clone();
            let is_patient = self.is_patient;
            let left = async {
                let goes = |places: &Places| !is_patient && places[next].as_ref() != Some(&address);
                let _ = places.wait_for(goes).await;
            };
            let mut is_back = false;
            let gone = tokio::select! {
                stayed = self.stay(&address, &mut is_back, &mut has_looked, &mut waiting) => match stayed {
                    Ok(()) => return self.person,
                    Err(gone) => gone,
                },
                () = left => Gone::Broken,
            };
            if let Gone::Closed(code) = gone {
                assert!(
                    matches!(code, 4001 | 4006),
                    "{} of {} was closed with {code}",
                    self.person.name(),
                    self.person.room()
                );
            }
            self.note(|seen| match is_back {
                true => seen.lost.push((next, gone)),
                false => seen.in_vain += 1,
            });
            tokio::time::sleep(Duration::from_millis(self.draw.random_range(10..150))).await;
            next = self.another().await;
        }
    }

    /// One of those who can be reached.
    async fn another(&mut self) -> usize {
        loop {
            let there: Vec<usize> = {
                let places = self.places.borrow_and_update();
                (0..places.len()).filter(|index| places[*index].is_some()).collect()
            };
            match there.len() {
                0 => self.places.changed().await.expect("the servers outlive the round"),
                count => return there[self.draw.random_range(0..count)],
            }
        }
    }

    /// At one server, for as long as it is there or until everything is said.
    async fn stay(
        &mut self,
        address: &str,
        is_back: &mut bool,
        has_looked: &mut bool,
        waiting: &mut BTreeMap<u64, Instant>,
    ) -> Result<(), Gone> {
        let mut client = Client::connect(address).await.ok_or(Gone::Broken)?;
        self.person.come_back_in_time(&mut client).await?;
        *is_back = true;
        if !*has_looked {
            self.person.look_back(&mut client).await?;
            *has_looked = true;
            self.note(|seen| seen.inside += 1);
        }
        self.converse(&mut client, waiting).await
    }

    async fn converse(&mut self, client: &mut Client, waiting: &mut BTreeMap<u64, Instant>) -> Result<(), Gone> {
        let mut repeats: VecDeque<u64> = self.person.pending().collect();
        let mut on_the_way = BTreeSet::new();
        let mut next = Instant::now();
        loop {
            let is_over = *self.orders.borrow_and_update() == Order::Finish;
            if is_over && waiting.is_empty() {
                return Ok(());
            }
            let has_more = !repeats.is_empty() || !is_over;
            tokio::select! {
                frame = client.hear() => { let frame = frame?; match self.person.take(&frame) {
                    Heard::Event => {}
                    Heard::Acked(number) => {
                        on_the_way.remove(&number);
                        let said = waiting.remove(&number).expect("it was said");
                        let room = self.person.room().to_owned();
                        self.note(|seen| seen.answers.push(Answer { room, said, acked: Instant::now() }));
                    }
                    Heard::Refused(number, code) => {
                        let is_for_now = matches!(code.as_str(), "unavailable" | "draining");
                        assert!(is_for_now, "{} is refused: {frame}", self.person.line(number));
                        on_the_way.remove(&number);
                        repeats.push_back(number);
                        next = Instant::now() + PAUSE;
                        self.note(|seen| seen.refused.push(code));
                    }
                }}
                () = tokio::time::sleep_until(next), if has_more && on_the_way.len() < self.window => {
                    let number = repeats.pop_front().unwrap_or_else(|| self.person.begin());
                    waiting.entry(number).or_insert_with(Instant::now);
                    on_the_way.insert(number);
                    client.say(self.person.line(number)).await?;
                    next = Instant::now() + Duration::from_millis(self.draw.random_range(PACE));
                }
                _ = self.orders.changed() => {}
            }
        }
    }

    fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().expect("no panic"));
    }
}
