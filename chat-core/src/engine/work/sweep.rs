//! After a start every room of the log is visited once, so that graces and lingers run out in rooms that nobody opens.
//!
//! One room at a time, with a pause behind each: whoever opens a room meanwhile is not held up by those that nobody misses. A room that
//! was visited is put away at once, and takes no place from the next; where there is none, a visit waits for one. How many may be left for
//! later is a limit, [`rooms_revisited_max`](crate::EngineLimits::rooms_revisited_max).

use std::sync::Weak;
use std::time::Duration;

use crate::engine::shared::Shared;
use crate::engine::work::visit::{Visit, visit};
use crate::ports::{ReadError, Slot};
use crate::types::RoomCode;

/// Codes listed at once. 256: 6 KiB, or 14 KiB where names are long, held by one task.
const PAGE: usize = 256;
/// Between two rooms: 1,000 rooms take a second, beside the time of reading them.
const PACE: Duration = Duration::from_millis(1);
/// First and longest pause before a log that cannot be read is asked again, and before a place is looked for again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// A room that cannot be read although the log can be listed is left for later, after so many visits.
const VISITS_MAX: usize = 3;
/// First and longest pause before those that were left are visited again: a log that was out of order for a moment leaves nobody for ever, and
/// one that is damaged is seldom asked.
const LATER: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3_600));

/// Visits all rooms, those that could not be read again and again, and returns; also when the engine is gone or drains, or what the log lists
/// cannot be read by trying again.
pub(crate) async fn run(engine: Weak<Shared>) {
    let mut left = visit_all(&engine, None).await;
    let mut pause = LATER.0;
    while !left.is_empty() {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LATER.1);
        let mut still = Vec::new();
        for code in left {
            match visit_once(&engine, &code).await {
                Visit::Ended => return,
                Visit::Done => {}
                Visit::Failed | Visit::NoPlace => still.push(code),
            }
            tokio::time::sleep(PACE).await;
        }
        left = still;
    }
}

/// Visits the rooms of slots that have become this server's, once each.
pub(crate) async fn visit_slots(engine: Weak<Shared>, slots: Vec<Slot>) {
    for slot in slots {
        // What could not be read is read when it is asked for.
        let _ = visit_all(&engine, Some(slot)).await;
    }
}

/// Visits each room once, of one slot or of all; those that could not be read.
async fn visit_all(engine: &Weak<Shared>, slot: Option<Slot>) -> Vec<RoomCode> {
    let mut left = Vec::new();
    let mut after: Option<RoomCode> = None;
    let (mut pause, mut visits) = (PAUSE.0, 0);
    loop {
        let Some(shared) = engine.upgrade() else { return left };
        let left_max = shared.limits.engine.rooms_revisited_max;
        let Some(log) = shared.log.clone() else { return left };
        drop(shared);
        let listed = log.rooms(slot, after.as_ref(), PAGE).await;
        drop(log);
        let codes = match listed {
            Ok(codes) if codes.is_empty() => return left,
            Ok(codes) => codes,
            Err(ReadError::Damaged(_) | ReadError::Later { .. }) => return left,
            Err(ReadError::Unavailable(_)) => Vec::new(),
        };
        let mut is_reached = !codes.is_empty();
        for code in codes {
            match visit_once(engine, &code).await {
                Visit::Ended => return Vec::new(),
                Visit::Failed if visits + 1 < VISITS_MAX => {
                    visits += 1;
                    is_reached = false;
                    break;
                }
                Visit::NoPlace => {
                    is_reached = false;
                    break;
                }
                Visit::Failed => {
                    if left.len() < left_max {
                        left.push(code.clone());
                    }
                    (after, visits, pause) = (Some(code), 0, PAUSE.0);
                }
                Visit::Done => (after, visits, pause) = (Some(code), 0, PAUSE.0),
            }
            tokio::time::sleep(PACE).await;
        }
        if !is_reached {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }
}

/// Visits a room that was not opened and put away before its turn came, and that no other server decides.
async fn visit_once(engine: &Weak<Shared>, code: &RoomCode) -> Visit {
    match engine.upgrade().is_some_and(|shared| shared.away.has(code) || !shared.decides(code)) {
        true => Visit::Done,
        false => visit(engine, code).await,
    }
}
