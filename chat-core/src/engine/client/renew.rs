//! New tokens for those who stay connected: told in time, so that nobody's runs out under them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use crate::engine::session::cell::SessionCell;
use crate::engine::session::token::{Kind, NEVER, day, until};
use crate::engine::shared::Shared;
use crate::types::Mono;
use crate::wire::{self, FrameKind};

/// Sessions that are looked at before others have their turn.
const SESSIONS_AT_ONCE: usize = 256;

impl Shared {
    /// The day, as tokens are dated.
    pub(crate) fn today(&self) -> u16 {
        day(self.clock.now().wall)
    }

    /// Somebody is connected whose token was made on this day.
    pub(crate) fn expect_renewal(&self, made: u16) {
        let due = self.signer.half_spent_on(made);
        if due < self.renew_on.fetch_min(due, Ordering::Relaxed) {
            self.timers.sooner.notify_one();
        }
    }

    /// Wakes whoever looks, where the day has come before they think.
    pub(crate) fn notice_day(&self) {
        let due = self.renew_on.load(Ordering::Relaxed);
        if due != NEVER && self.today() >= due {
            self.timers.sooner.notify_one();
        }
    }

    /// Where the day has come on which somebody's token is half its age, sees to it that they are told a new one. Says when to look
    /// again, if that is known.
    pub(crate) fn renew_tokens(self: &Arc<Self>) -> Option<Mono> {
        let now = self.clock.now();
        let (today, due) = (day(now.wall), self.renew_on.load(Ordering::Relaxed));
        if due == NEVER {
            return None;
        }
        if today < due {
            return Some(now.mono.after(until(due, now.wall)));
        }
        // Whoever connects from here on sets the next day, and so does whoever is found.
        self.renew_on.store(NEVER, Ordering::Relaxed);
        let mut sessions: Vec<_> = self.lock_sessions().by_id.values().cloned().collect();
        // A table of hashes has no order of its own.
        sessions.sort_unstable_by_key(|cell| cell.id);
        let sessions = sessions.iter().map(Arc::downgrade).collect();
        self.spawn(run(Arc::downgrade(self), sessions, today));
        None
    }

    fn renew(&self, cell: &SessionCell, today: u16) {
        let mut state = cell.lock();
        let Some(connection) = state.connection.clone() else { return };
        let made = connection.issue().day;
        if today < self.signer.half_spent_on(made) {
            return self.expect_renewal(made);
        }
        connection.renew(today);
        // A cursor is in the stream's next event.
        if connection.came_with == Kind::Token {
            let token = self.signer.sign(Kind::Token, cell.id, connection.issue(), state.identity.as_ref());
            state.mail_extra(FrameKind::Token, wire::token(token));
        }
        drop(state);
        connection.wake.wake();
        self.expect_renewal(today);
    }
}

async fn run(engine: Weak<Shared>, sessions: Vec<Weak<SessionCell>>, today: u16) {
    for some in sessions.chunks(SESSIONS_AT_ONCE) {
        let Some(shared) = engine.upgrade() else { return };
        some.iter().filter_map(Weak::upgrade).for_each(|cell| shared.renew(&cell, today));
        drop(shared);
        tokio::task::yield_now().await;
    }
}
