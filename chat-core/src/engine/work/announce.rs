//! What a room owes once a batch is out: signals, the view of the room for those who fell behind, its weight, the next tick.

use crate::domain::Notices;
use crate::engine::feed::room_feed::GapView;
use crate::engine::feed::signal_slot::{PRESENCE, TYPING};
use crate::engine::rooms::cell::Weight;
use crate::engine::rooms::state::Phase;
use crate::engine::work::answer;
use crate::engine::work::task::RoomTask;
use crate::types::Mono;
use crate::wire;

impl RoomTask {
    /// Says what is owed, and sees to it that those are woken whom it is said to.
    pub(crate) fn announce(&mut self) {
        let reactions = self.state.feed().map_or(0, |feed| feed.reactions.weight());
        self.state.held.set(&self.shared.budget, self.state.room.weight() + reactions);
        let Some(feed) = self.feed() else {
            self.cell.weigh(Weight::default());
            self.cell.note_members(0);
            return self.arm(None);
        };
        self.cell.weigh(Weight {
            bytes: feed.backlog.spare(),
            is_lingering: self.state.room.members_total() == 0,
            is_unattended: self.is_unattended(),
            is_listed: self.state.room.settings().listed,
        });
        self.cell.note_members(if self.state.follows() { 0 } else { self.state.room.members_total() });
        let now = self.mono();
        let mut wake = false;
        let mut soonest = None;
        let mut at_latest = |at: Mono| soonest = sooner(soonest, Some(at));

        if let Some(at) = self.put_away_at(now) {
            at_latest(at);
        }

        let typing = self.state.room.typing();
        if typing != self.state.typing_told {
            feed.signals[TYPING].set(wire::typing(&self.cell.code, typing.clone()), typing.is_empty());
            self.state.typing_told = typing;
            wake = true;
        }

        if self.state.room.notices() == Notices::Told && self.state.presence_told.take().is_some() {
            feed.signals[PRESENCE].withdraw();
        }
        if self.state.room.notices() == Notices::Counted {
            let counts = (self.state.room.members_total(), self.state.room.online());
            match self.state.presence_told {
                Some((_, members, online)) if (members, online) == counts => {}
                Some((told, ..)) if now < told.after(self.shared.limits.room.presence_interval) => {
                    at_latest(told.after(self.shared.limits.room.presence_interval));
                }
                _ => {
                    feed.signals[PRESENCE].set(wire::presence(&self.cell.code, counts.0, counts.1), false);
                    self.state.presence_told = Some((now, counts.0, counts.1));
                    wake = true;
                }
            }
        }

        let (is_told, next) = self.tell_slots(&feed, now);
        wake |= is_told;
        next.into_iter().for_each(&mut at_latest);

        if feed.gap_view.is_wanted() {
            let next = self.state.gap_view_made.map(|made| made.after(self.shared.limits.room.gap_view_interval));
            match next {
                Some(next) if now < next => at_latest(next),
                _ => {
                    let json = answer::gap_view(&self.shared, &self.state.room);
                    feed.gap_view.set(GapView { seq: feed.backlog.head(), made: now, json });
                    self.state.gap_view_made = Some(now);
                    wake = true;
                }
            }
        }

        if wake {
            self.state.fanout.begin();
        }
        self.arm(soonest);
    }

    /// Sees to it that the room looks again at `soonest`, or before that when it has to.
    pub(crate) fn arm(&mut self, soonest: Option<Mono>) {
        let now = self.mono();
        let own = match &self.state.phase {
            // Of a copy nothing runs out.
            _ if self.state.follows() => None,
            Phase::Live(_) => self.state.room.next_deadline(),
            Phase::NoRoom => None,
            // It is kept while its log is given time, so that not every command asks; then it goes.
            Phase::Unread(backoff) => Some(backoff.is_over_at()).filter(|&at| now < at),
        };
        let soonest = sooner(sooner(soonest, own), self.next_debt().map(|(at, _)| at));
        let soonest = sooner(soonest, self.part_deadline(now));
        if let Some(at) = soonest
            && self.state.armed.is_none_or(|armed| at < armed || armed <= now)
        {
            self.state.armed = Some(at);
            self.shared.timers.tick_room(at, &self.cell);
        }
    }
}

fn sooner(one: Option<Mono>, other: Option<Mono>) -> Option<Mono> {
    one.into_iter().chain(other).min()
}
