//! Appends of many rooms in one statement, and of one room in another: both hold each room against its own tail.

mod support;

use std::sync::Arc;

use chat_core::{AppendError, Epoch, Event, Log, Record, RoomCloseReason, RoomCode, Seq, Tail};
use chat_testkit::lives::{code, open_life, tail_of};
use log_postgres::PgLog;
use support::Cluster;

/// What an append says of the tail that it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    AsItIs,
    AsItWas,
    /// With a record that nobody is told: no number of a message gives it away.
    AsItIsNotYet,
    OfAnotherLife,
    OfAnotherTerm,
    WithAnotherHead,
}

const ALL: [Says; 6] =
    [Says::AsItIs, Says::AsItWas, Says::AsItIsNotYet, Says::OfAnotherLife, Says::OfAnotherTerm, Says::WithAnotherHead];

/// An append that is to be made, and where its room ends before.
struct Attempt {
    room: RoomCode,
    says: Says,
    after: Tail,
    batch: Vec<Record>,
    end: Tail,
}

impl Attempt {
    /// One of a new room with three records.
    async fn prepare(log: &PgLog, name: &str, says: Says) -> Self {
        let room = code(name);
        let (mut scribe, opened) = open_life(log, &room, 1).await;
        let mut stale = scribe.clone();
        let end = log.append(&room, &opened, &scribe.talk(1)).await.expect("the tail is the end");
        let mut batch = scribe.talk(1);
        let after = match says {
            Says::AsItIs => end.clone(),
            Says::AsItWas => opened,
            Says::AsItIsNotYet => Tail { offset: end.offset.next(), ..end },
            Says::OfAnotherLife => Tail { epoch: Some(Epoch(99)), ..end },
            Says::OfAnotherTerm => Tail { token: end.token + 1, ..end },
            Says::WithAnotherHead => end.clone(),
        };
        match says {
            Says::AsItWas => batch = stale.talk(1),
            Says::AsItIsNotYet => batch = vec![scribe.quiet(None, Event::Closed { cause: RoomCloseReason::Host })],
            Says::WithAnotherHead => batch[0].seq = batch[0].seq.map(Seq::next),
            _ => {}
        }
        Self { room, says, after, batch, end }
    }

    async fn make(&self, log: &PgLog) -> Result<Tail, AppendError> {
        log.append(&self.room, &self.after, &self.batch).await
    }

    /// What was answered is right, and so is what the log has.
    async fn check(&self, log: &PgLog, answered: Result<Tail, AppendError>) {
        let says = self.says;
        match says {
            Says::AsItIs => {
                let end = answered.expect("the tail is the end");
                assert_eq!(end.offset, self.end.offset.next());
                assert_eq!(tail_of(log, &self.room).await, end);
            }
            _ => {
                assert_eq!(answered, Err(AppendError::Conflict), "{says:?}");
                assert_eq!(tail_of(log, &self.room).await, self.end, "{says:?}");
            }
        }
    }
}

#[tokio::test]
async fn alone_a_room_is_held_against_its_own_tail() {
    let Some(cluster) = Cluster::shared() else { return };
    let log = cluster.open(&support::options()).await;
    for says in ALL {
        let attempt = Attempt::prepare(&log, &format!("{says:?}"), says).await;
        let answered = attempt.make(&log).await;
        attempt.check(&log, answered).await;
    }
}

// On one thread: all are queued before the first is looked at, and go into one statement.
#[tokio::test]
async fn in_a_group_each_room_is_held_against_its_own_tail() {
    let Some(cluster) = Cluster::shared() else { return };
    let log = Arc::new(cluster.open(&support::options()).await);
    let mut making = Vec::new();
    for (number, says) in ALL.into_iter().cycle().take(4 * ALL.len()).enumerate() {
        making.push(Arc::new(Attempt::prepare(&log, &format!("{says:?}-{number}"), says).await));
    }
    let made = making.iter().map(|attempt| {
        let (log, attempt) = (Arc::clone(&log), Arc::clone(attempt));
        tokio::spawn(async move { attempt.make(&log).await })
    });
    for (made, attempt) in made.collect::<Vec<_>>().into_iter().zip(&making) {
        attempt.check(&log, made.await.expect("no panic")).await;
    }
}
