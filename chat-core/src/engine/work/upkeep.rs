//! What a log is owed once a round is out: texts scrubbed, lives deleted, snapshots stored. Nobody waits for it but the room.

use std::collections::VecDeque;

use crate::engine::feed::life::Life;
use crate::engine::rooms::cell::RoomCell;
use crate::engine::rooms::round::Round;
use crate::engine::rooms::state::RoomState;
use crate::engine::shared::Shared;
use crate::engine::work::recover::fault;
use crate::engine::work::scrub;
use crate::room::Snapshot;

/// Records after which a snapshot of the ledger is stored: about what a recovery replays at most, beside the backlog.
const SNAPSHOT_EVERY: usize = 1_000;

/// Pays what is owed after a round.
pub(crate) async fn after_publish(shared: &Shared, cell: &RoomCell, state: &mut RoomState, life: &Life, round: &Round) {
    let Some(log) = &shared.log else { return };
    state.unscrubbed.extend(&round.redacted);
    let is_snapshot_due = state.unsaved + round.records.len() >= SNAPSHOT_EVERY;
    if is_snapshot_due || round.closed.is_some() {
        state.wake_rest();
    }
    scrub::scrub(shared, cell, state).await;
    if round.closed.is_some() {
        // They go with the life. The numbers mean other messages in the next.
        (state.unscrubbed, state.unsaved) = (VecDeque::new(), 0);
        if let Err(error) = log.delete(&cell.code, life.epoch).await {
            // Whoever uses the code next finds the life closed, and deletes it then.
            fault(shared, cell, &error);
            state.recovered = false;
        }
        return;
    }
    state.unsaved += round.records.len();
    // A snapshot knows nothing of texts that are still to be scrubbed: who reads the room back replays what says so.
    if state.unsaved >= SNAPSHOT_EVERY && state.unscrubbed.is_empty() {
        state.unsaved = 0;
        let snapshot = Snapshot::from(state.room.ledger().clone());
        let bytes = serde_json::to_vec(&snapshot).expect("a ledger has string keys, and a Vec takes every write");
        if let Err(error) = log.save_snapshot(&cell.code, life.epoch, state.room.last_offset(), &bytes).await {
            fault(shared, cell, &error);
        }
    }
}
