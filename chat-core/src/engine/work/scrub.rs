//! Makes the log forget the texts that were taken back, again and again until it has.

use crate::engine::rooms::backoff::Backoff;
use crate::engine::rooms::cell::RoomCell;
use crate::engine::rooms::state::RoomState;
use crate::engine::shared::Shared;
use crate::engine::work::recover::fault;
#[cfg(feature = "planted")]
use crate::planted::{self, Bug};

/// Scrubs what the room owes. What the log could not be made to forget is masked meanwhile, and tried again: the room's tick
/// comes for it though nobody says anything more.
pub(crate) async fn scrub(shared: &Shared, cell: &RoomCell, state: &mut RoomState) {
    let (Some(log), Some(life)) = (&shared.log, state.life.clone()) else { return };
    if state.unscrubbed.is_empty() || shared.clock.now().mono < state.scrub_backoff.until() {
        return;
    }
    state.wake_rest();
    while let Some(&seq) = state.unscrubbed.front() {
        if let Err(error) = log.scrub(&cell.code, life.epoch, seq).await {
            fault(shared, cell, &error);
            #[cfg(feature = "planted")]
            if planted::is(Bug::ForgetScrub) {
                life.taken_back.scrubbed(seq);
                state.unscrubbed.pop_front();
                continue;
            }
            return state.scrub_backoff.failed(shared.clock.now().mono);
        }
        life.taken_back.scrubbed(seq);
        state.unscrubbed.pop_front();
    }
    state.scrub_backoff = Backoff::default();
}
