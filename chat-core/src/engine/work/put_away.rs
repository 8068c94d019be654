//! A room of the log that nobody is attached to and nobody asks for leaves memory; what it waits for is kept, and it is visited then.
//!
//! **The rule.** Nobody gains or loses time by it: each grace, and the linger of an empty room, ends at the moment at which it would have
//! ended in memory, however often the room is read back in between. Only where somebody could not come back, because the log could not be
//! read or there was no place, or somebody else has written the room meanwhile, everything begins anew.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::engine::feed::budget::LedgerShare;
use crate::engine::rooms::away::{Away, Next};
use crate::engine::shared::Shared;
use crate::engine::work::task::RoomTask;
use crate::engine::work::visit::{Visit, visit};
use crate::ports::Term;
use crate::room::Note;
use crate::types::{Epoch, Mono};

/// A room in which something is due so soon is left where it is.
const SOON: Duration = Duration::from_secs(1);
/// Before a room that could not be visited is visited again, and before one that could not be put away is looked at again.
const AGAIN: Duration = Duration::from_secs(5);
/// Rooms visited at once: one that the log takes long to read holds up few others. No limit: each needs a place among
/// [`rooms_max`](crate::EngineLimits::rooms_max), and the others wait.
const VISITS_MAX: usize = 16;

impl RoomTask {
    /// Whether it could be put away as far as anybody outside is concerned.
    pub(crate) fn is_unattended(&self) -> bool {
        if self.state.has_lapsed() {
            // Others may be attached at servers that have not heard of it.
            return false;
        }
        if self.state.follows() {
            return self.state.subscribers.is_empty() && !self.state.has_letters() && self.state.feed().is_some();
        }
        self.state.subscribers.is_empty()
            && self.state.room.online() == 0
            && self.next_debt().is_none()
            // Whoever reads it back would not know that its log was scrubbed, and have it done once more.
            && self.state.debts.settles_erasures(self.state.room.ledger()).is_none()
            && self.state.feed().is_some_and(|feed| feed.is_logged)
    }

    /// When to look whether it can be put away; `None` while it cannot.
    pub(crate) fn put_away_at(&self, now: Mono) -> Option<Mono> {
        let idle = self.shared.limits.engine.room_idle;
        let at = self.state.asked.map(|asked| asked.after(idle)).filter(|&at| at > now);
        // Long since: it is tried right after this, and once more later where that does not succeed.
        self.is_unattended().then(|| at.unwrap_or(now.after(idle.max(AGAIN))))
    }

    /// Under which term it is decided here.
    fn term(&self) -> Term {
        self.state.part.as_ref().and_then(|part| part.decides()).unwrap_or_default()
    }

    /// Puts the room away, unless somebody is here or was lately. Then the state is worth nothing any more.
    pub(crate) fn put_away(&mut self) -> bool {
        let now = self.shared.clock.now().mono;
        let idle = self.shared.limits.engine.room_idle;
        if !self.is_unattended() || self.state.asked.is_some_and(|asked| now < asked.after(idle)) {
            return false;
        }
        #[cfg(feature = "fault_injection")]
        if self.state.follows() && crate::fault_injection::is(crate::fault_injection::Bug::FollowForEver) {
            return false;
        }
        if self.state.follows() {
            let is_read = self.state.feed().is_some_and(|feed| Arc::strong_count(feed) > 1);
            return !is_read && self.shared.registry.remove(&self.cell);
        }
        let (Some(epoch), Some(vacancy)) = (self.state.room.epoch(), self.state.room.vacancy()) else { return false };
        let at = vacancy.next_deadline();
        // Readers of the old incarnation would not hear of redactions in the next one.
        let is_read = self.state.feed().is_none_or(|feed| Arc::strong_count(feed) > 1);
        if is_read || at.is_some_and(|at| at <= now.after(SOON)) {
            return false;
        }
        let kicked = std::mem::take(&mut self.state.kicked);
        let (last, foundings) = (self.state.room.last_offset(), self.cell.take_foundings());
        let (time, held) = (self.state.room.time_so_far(), LedgerShare::default());
        let (is_listed, vacancy) = (self.state.room.settings().listed, Some(vacancy));
        let term = self.term();
        let mut away = Box::new(Away { term, epoch, last, vacancy, time, kicked, foundings, is_listed, held });
        away.weigh(&self.shared.budget);
        // Before the cell goes: who comes after that finds it here.
        let kept = self.shared.away.put(&self.cell.code, away, at, self.shared.limits.engine.rooms_away_max);
        let is_away = kept.is_ok() && self.shared.registry.remove(&self.cell);
        if !is_away && let Some(away) = kept.err().or_else(|| self.shared.away.take(&self.cell.code)) {
            self.take_back(*away);
        }
        is_away
    }

    /// The room has been read. It goes on where it was put away; where it was not, or not as it is now, graces begin.
    pub(crate) fn come_back(&mut self, epoch: Epoch) {
        let away = self.shared.away.take(&self.cell.code).filter(|away| away.epoch == epoch);
        let vacancy = away.and_then(|away| {
            self.state.room.go_on_in_time(self.mono(), away.time);
            // Who is attached stands in no log: under another owner somebody may have come and gone.
            let is_as_it_was = away.last == self.state.room.last_offset() && away.term == self.term();
            let vacancy = self.take_back(*away);
            vacancy.filter(|_| is_as_it_was)
        });
        match vacancy {
            Some(vacancy) => self.state.room.go_on_waiting(&vacancy),
            None => self.state.note(self.shared.clock.now(), Note::Recovered),
        }
    }

    fn take_back(&mut self, away: Away) -> Option<crate::room::Vacancy> {
        self.state.kicked = away.kicked;
        self.cell.put_foundings(away.foundings);
        away.vacancy
    }
}

/// Visits rooms that are away when their time has come, until the engine is gone or goes down.
pub(crate) async fn run(engine: Weak<Shared>) {
    let Some(rooms) = engine.upgrade().map(|shared| Arc::clone(&shared.away)) else { return };
    let visits = Arc::new(Semaphore::new(VISITS_MAX));
    loop {
        let Ok(visiting) = Arc::clone(&visits).acquire_owned().await else { return };
        let next = {
            let is_open = |shared: &Arc<Shared>| !shared.draining.load(Ordering::Acquire);
            let Some(shared) = engine.upgrade().filter(is_open) else { return };
            match rooms.next(shared.clock.now().mono) {
                Next::Due(code) if !shared.decides(&code) => {
                    rooms.take(&code);
                    continue;
                }
                Next::Due(code) => {
                    let engine = Weak::clone(&engine);
                    shared.spawn(async move {
                        let found = visit(&engine, &code).await;
                        if !matches!(found, Visit::Ended)
                            && let Some(shared) = engine.upgrade()
                        {
                            shared.away.visit_again(&code, shared.clock.now().mono.after(AGAIN));
                        }
                        drop(visiting);
                    });
                    continue;
                }
                Next::At(at) => Some(shared.clock.instant(at)),
                Next::Nothing => None,
            }
        };
        match next {
            Some(at) => tokio::select! {
                biased;
                () = tokio::time::sleep_until(at) => {}
                () = rooms.changed() => {}
            },
            None => rooms.changed().await,
        }
    }
}
