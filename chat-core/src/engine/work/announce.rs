//! What a room owes once a batch is out: signals, a snapshot for those who fell behind, its weight, the next tick.

use std::sync::Arc;

use crate::engine::feed::life::{PRESENCE, RoomSnapshot, TYPING};
use crate::engine::rooms::cell::{RoomCell, Weight};
use crate::engine::rooms::state::RoomState;
use crate::engine::shared::Shared;
use crate::engine::work::answer;
use crate::messages::Notices;
use crate::wire;
use crate::words::Mono;

impl RoomState {
    /// Says what is owed, and sees to it that those are woken whom it is said to.
    pub(crate) fn announce(&mut self, shared: &Shared, cell: &Arc<RoomCell>) {
        self.held.set(&shared.budget, self.room.weight());
        let Some(life) = self.life.clone() else { return };
        cell.weigh(Weight {
            bytes: life.backlog.spare(),
            is_lingering: self.room.members_total() == 0,
            is_vacant: self.is_vacant(),
        });
        let now = shared.clock.now().mono;
        let mut wake = false;
        let mut soonest = self.room.next_deadline();
        let mut at_latest = |at: Mono| soonest = Some(soonest.map_or(at, |soonest| soonest.min(at)));

        if let Some(at) = self.vacant_until(shared, now) {
            at_latest(at);
        }
        if !self.unscrubbed.is_empty() {
            at_latest(self.scrub_backoff.until());
        }

        let typing = self.room.typing();
        if typing != self.typing_told {
            life.signals[TYPING].set(wire::typing(&cell.code, typing.clone()), typing.is_empty());
            self.typing_told = typing;
            wake = true;
        }

        if self.room.notices() == Notices::Told && self.presence_told.take().is_some() {
            life.signals[PRESENCE].withdraw();
        }
        if self.room.notices() == Notices::Counted {
            let counts = (self.room.members_total(), self.room.online());
            match self.presence_told {
                Some((_, members, online)) if (members, online) == counts => {}
                Some((told, ..)) if now < told.after(shared.limits.room.presence_interval) => {
                    at_latest(told.after(shared.limits.room.presence_interval));
                }
                _ => {
                    life.signals[PRESENCE].set(wire::presence(&cell.code, counts.0, counts.1), false);
                    self.presence_told = Some((now, counts.0, counts.1));
                    wake = true;
                }
            }
        }

        if life.snapshot.is_wanted() {
            let next = self.snapshot_made.map(|made| made.after(shared.limits.room.snapshot_interval));
            match next {
                Some(next) if now < next => at_latest(next),
                _ => {
                    let json = answer::gap_snapshot(shared, &self.room);
                    life.snapshot.set(RoomSnapshot { seq: life.backlog.head(), json });
                    self.snapshot_made = Some(now);
                    wake = true;
                }
            }
        }

        if wake {
            self.fanout.begin();
        }
        if let Some(at) = soonest
            && self.armed.is_none_or(|armed| at < armed || armed <= now)
        {
            self.armed = Some(at);
            shared.timers.tick_room(at, cell);
        }
    }
}
