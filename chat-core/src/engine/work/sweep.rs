//! After a start every room of the log is visited once, so that graces run out in rooms that nobody opens.
//!
//! One room at a time, with a pause behind each: whoever opens a room meanwhile is not held up by those that nobody misses.

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::engine::rooms::cell::Letter;
use crate::engine::shared::Shared;
use crate::ports::ReadError;
use crate::room::Input;
use crate::words::{RejectCode, RoomCode};

/// Codes listed at once.
const PAGE: usize = 256;
/// Between two rooms: 1,000 rooms take a second, beside the time of reading them.
const PACE: Duration = Duration::from_millis(1);
/// First and longest pause before a log that cannot be read is asked again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// A room that cannot be read although the log can be listed is left to whoever opens it, after so many visits.
const VISITS_MAX: usize = 3;

/// Visits all rooms and returns; also when the engine is gone or drains, or what the log lists cannot be read by trying again.
pub(crate) async fn run(engine: Weak<Shared>) {
    let mut after: Option<RoomCode> = None;
    let (mut pause, mut visits) = (PAUSE.0, 0);
    loop {
        let Some(log) = engine.upgrade().and_then(|shared| shared.log.clone()) else { return };
        let listed = log.rooms(after.as_ref(), PAGE).await;
        drop(log);
        let codes = match listed {
            Ok(codes) if codes.is_empty() => return,
            Ok(codes) => codes,
            Err(ReadError::Damaged(_) | ReadError::Later { .. }) => return,
            Err(ReadError::Unavailable(_)) => Vec::new(),
        };
        let mut is_reached = !codes.is_empty();
        for code in codes {
            match visit(&engine, &code).await {
                Visit::Ended => return,
                Visit::Failed if visits + 1 < VISITS_MAX => {
                    visits += 1;
                    is_reached = false;
                    break;
                }
                Visit::Done | Visit::Failed => (after, visits, pause) = (Some(code), 0, PAUSE.0),
            }
            tokio::time::sleep(PACE).await;
        }
        if !is_reached {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }
}

/// What became of a visit.
enum Visit {
    /// The room is in memory, and keeps its own deadlines from now on; or there is none any more.
    Done,
    /// It could not be read.
    Failed,
    /// The engine is gone, or goes down.
    Ended,
}

/// Has a room brought into memory as if somebody had asked for it. Nothing is due in it yet: graces begin again.
async fn visit(engine: &Weak<Shared>, code: &RoomCode) -> Visit {
    let answered = {
        let Some(shared) = engine.upgrade().filter(|shared| !shared.draining.load(Ordering::Acquire)) else {
            return Visit::Ended;
        };
        let (answer, answered) = oneshot::channel();
        shared.post(code, Letter::Host { input: Input::Elapsed, answer });
        answered
    };
    match answered.await {
        Ok(Err(reject)) if matches!(reject.code, RejectCode::Unavailable | RejectCode::AtCapacity) => Visit::Failed,
        _ => Visit::Done,
    }
}
