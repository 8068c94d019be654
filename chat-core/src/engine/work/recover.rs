//! A room is read back from its log when its code is first used.

use std::sync::Arc;

use crate::engine::rooms::debts::Debts;
use crate::engine::rooms::state::Phase;
use crate::engine::work::load::{Loaded, Over, load, publish_records};
use crate::engine::work::task::RoomTask;
use crate::ports::Tail;
use crate::room::Room;
use crate::seldom::Seldom;
use crate::types::Seq;

impl RoomTask {
    /// Reads the room back. `false` where the log cannot be read now.
    pub(crate) async fn recover(&mut self) -> bool {
        let log = self.shared.log.clone().expect("only rooms with a log are recovered");
        let now = self.mono();
        if matches!(&self.state.phase, Phase::Unread(backoff) if now < backoff.until()) {
            return false;
        }
        match load(&*log, &self.cell.code, &self.shared.limits.room, Over::Delete).await {
            Ok(loaded) => {
                self.install(loaded);
                true
            }
            Err(error) => {
                self.unread(&error);
                let failed = self.mono();
                if let Phase::Unread(backoff) = &mut self.state.phase {
                    backoff.failed(failed);
                }
                self.shared.away.miss(&self.cell.code);
                false
            }
        }
    }

    /// Puts what the log says in the place of whatever the room was; nobody is attached.
    pub(crate) fn install(&mut self, loaded: Option<Loaded>) {
        let (shared, state) = (Arc::clone(&self.shared), &mut self.state);
        state.phase = Phase::NoRoom;
        state.tail = Tail::default();
        // What was told is told anew to those who read what is here now.
        (state.gap_view_made, state.presence_told) = (None, None);
        state.typing_told.clear();
        // The debts were those of another incarnation.
        state.debts = Seldom::default();
        state.room = Room::new(Arc::clone(&shared.room_limits));
        let Some(Loaded { ledger, tail, recent, mut owed, unsaved, reads }) = loaded else {
            shared.away.take(&self.cell.code);
            return;
        };
        let epoch = ledger.epoch().expect("a loaded room has an epoch");
        // A room is put away only once the log has been amended for all that it owes.
        let is_amended = shared.away.last(&self.cell.code) == Some((epoch, tail.offset));
        let mut debts = Debts::of(unsaved, if is_amended { ledger.head() } else { Seq(0) });
        if !ledger.is_reactable_as_under(&shared.room_limits) {
            debts.freeze_otherwise();
        }
        state.debts = debts.into();
        if is_amended {
            owed.clear();
        }
        state.room = Room::from_ledger(ledger, Arc::clone(&shared.room_limits));
        state.room.put_read_positions(reads);
        self.come_back(epoch);
        let state = &mut self.state;
        let first = recent.front().and_then(|record| record.seq).unwrap_or(state.room.head().next());
        let feed = Arc::new(shared.new_life(&self.cell.code, epoch, Seq(first.0 - 1)));
        feed.overlay.add(&owed);
        publish_records(&feed, recent.iter());
        state.tail = tail;
        self.show_all_reactions(&feed);
        self.state.phase = Phase::Live(feed);
    }
}
