//! What a log is owed once a round is out: texts scrubbed, lives deleted, snapshots stored. Nobody waits for it but the room.

use crate::engine::feed::life::Life;
use crate::engine::rooms::backoff::Backoff;
use crate::engine::rooms::cell::RoomCell;
use crate::engine::rooms::round::Round;
use crate::engine::rooms::state::RoomState;
use crate::engine::shared::Shared;
use crate::engine::work::recover::fault;
#[cfg(feature = "planted")]
use crate::planted::{self, Bug};
use crate::ports::Log;
use crate::room::Snapshot;

/// Records after which a snapshot of the ledger is stored: about what a recovery replays at most, beside the backlog.
const SNAPSHOT_EVERY: usize = 1_000;

/// Pays what is owed after a round. What fails is owed on, and tried again after a pause.
pub(crate) async fn after_publish(shared: &Shared, cell: &RoomCell, state: &mut RoomState, life: &Life, round: &Round) {
    let Some(log) = &shared.log else { return };
    life.unscrubbed().extend(&round.redacted);
    let is_scrub_due = !round.redacted.is_empty() || is_scrub_due(shared, state, life);
    let is_snapshot_due = state.unsaved + round.records.len() >= SNAPSHOT_EVERY;
    if is_snapshot_due || round.closed.is_some() || is_scrub_due {
        state.wake_rest();
    }
    if is_scrub_due {
        scrub(shared, &**log, cell, state, life).await;
    }
    if round.closed.is_some() {
        state.unsaved = 0;
        if let Err(error) = log.delete(&cell.code, life.epoch).await {
            // Whoever uses the code next finds the life closed, and deletes it then.
            fault(shared, cell, &error);
            state.recovered = false;
        }
        return;
    }
    state.unsaved += round.records.len();
    if state.unsaved >= SNAPSHOT_EVERY {
        state.unsaved = 0;
        let snapshot = Snapshot::from(state.room.ledger().clone());
        let bytes = serde_json::to_vec(&snapshot).expect("a ledger has string keys, and a Vec takes every write");
        if let Err(error) = log.save_snapshot(&cell.code, life.epoch, state.room.last_offset(), &bytes).await {
            fault(shared, cell, &error);
        }
    }
}

/// Whether the log is to be asked again to forget a text that it could not forget before.
pub(crate) fn is_scrub_due(shared: &Shared, state: &RoomState, life: &Life) -> bool {
    !life.unscrubbed().is_empty() && state.scrubbing.until() <= shared.clock.now().mono
}

async fn scrub(shared: &Shared, log: &dyn Log, cell: &RoomCell, state: &mut RoomState, life: &Life) {
    let owed = life.unscrubbed().clone();
    for seq in owed {
        if let Err(error) = log.scrub(&cell.code, life.epoch, seq).await {
            fault(shared, cell, &error);
            #[cfg(feature = "planted")]
            if planted::is(Bug::ForgetScrub) {
                life.unscrubbed().clear();
                return;
            }
            return state.scrubbing.failed(shared.clock.now().mono);
        }
        life.unscrubbed().retain(|unscrubbed| *unscrubbed != seq);
    }
    state.scrubbing = Backoff::default();
}
