//! The time in which a room waits for its log, and what it owes those who came or went meanwhile.

use crate::engine::rooms::backoff::Backoff;
use crate::engine::rooms::cell::{Letter, RoomCell};
use crate::engine::rooms::state::RoomState;
use crate::engine::shared::{Shared, unavailable};
#[cfg(feature = "planted")]
use crate::planted::{self, Bug};
use crate::room::Note;
use crate::words::{Generation, SessionId};

/// The time in which a room waits for its log.
#[derive(Default)]
pub(super) struct Absence {
    /// Who has gone meanwhile.
    pub(super) gone: Vec<(SessionId, Generation)>,
    /// Whoever wanted to come back was turned away.
    pub(super) turns_away: bool,
}

impl Absence {
    /// Waits before the log is asked again. Meanwhile the room refuses what it is asked, and remembers who has gone.
    pub(super) async fn wait(&mut self, cell: &RoomCell, state: &mut RoomState, backoff: &mut Backoff) {
        tokio::time::sleep(backoff.next()).await;
        self.turns_away = true;
        for letter in cell.take_letters(usize::MAX) {
            match letter {
                Letter::Detach { session, generation } => self.gone.push((session, generation)),
                Letter::Tick => state.disarm(),
                letter => letter.refuse(&cell.code, None, unavailable()),
            }
        }
    }

    /// Takes in who has gone: their letters have been read, and nobody writes them again. Where nobody could come back, graces
    /// begin again.
    pub(super) fn end(&mut self, shared: &Shared, state: &mut RoomState) {
        let now = shared.clock.now();
        for (session, generation) in self.gone.drain(..) {
            state.forget_reader(now, session, generation);
        }
        #[cfg(feature = "planted")]
        if planted::is(Bug::RunGracesOut) {
            return;
        }
        if std::mem::take(&mut self.turns_away) {
            state.room.note(now, Note::Recovered);
        }
    }
}
