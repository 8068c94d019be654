//! What members fill, from the room into its slots: at most so often, and what has ended at once.

use std::time::Duration;

use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::feed::slots::{LiveEntry, MemberSlots, Told};
use crate::engine::work::task::RoomTask;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::types::Mono;
use crate::wire;

impl RoomTask {
    /// Takes away what does not grow any more. Before a batch is published: whoever has read that a message was changed, or that its author
    /// has gone, is told no text of it after that. What has ended and is shown anew in the same batch is another.
    pub(crate) fn end_live(&self) {
        let Some(slots) = self.state.feed().and_then(|feed| feed.slots.get()) else { return };
        let room = &self.state.room;
        if slots.live_told.revision() != room.live_revision() {
            #[cfg(feature = "fault_injection")]
            if fault_injection::is(Bug::KeepLive) {
                return;
            }
            let grows = |entry: &LiveEntry| {
                room.live_texts().iter().any(|live| (live.target, live.begun) == (entry.target, entry.begun))
            };
            slots.live.retain(grows);
        }
    }

    /// Says what members show, where it is something else and the last time is long enough ago. Whether it was said; else when it will be.
    pub(crate) fn tell_slots(&self, feed: &RoomFeed, now: Mono) -> (bool, Option<Mono>) {
        let (room, limits) = (&self.state.room, &self.shared.limits.room);
        let (live, signals) = (room.live_revision(), room.signals_revision());
        // What ended before it was told, or in an earlier incarnation, was never in these slots.
        if feed.slots.get().is_none() && room.live_texts().is_empty() && room.signals().is_empty() {
            return (false, None);
        }
        let slots = feed.slots.get_or_init(Box::<MemberSlots>::default);
        let (mut is_told, mut next) = (false, None);
        let mut tell = |told: &Told, revision: u32, interval: Duration, set: &dyn Fn()| match told
            .at()
            .map(|at| at.after(interval))
            .filter(|at| now < *at)
        {
            _ if told.revision() == revision => {}
            Some(at) => next = next.into_iter().chain([at]).min(),
            None => {
                set();
                told.note(revision, now);
                is_told = true;
            }
        };
        tell(&slots.live_told, live, limits.live_interval, &|| {
            let texts = room.live_texts();
            #[cfg(feature = "fault_injection")]
            if fault_injection::is(Bug::KeepLive) && texts.is_empty() {
                return;
            }
            slots.live.set(&feed.code, texts);
        });
        tell(&slots.signals_told, signals, limits.signals_interval, &|| {
            slots.signals.set(wire::signals(&feed.code, room.signals()), room.signals().is_empty());
        });
        (is_told, next)
    }
}
