//! What members fill, as one session is told it: the newest of what its client does not have.

use smallvec::SmallVec;

use crate::engine::client::pull::{Pull, Sink};
use crate::engine::feed::slots::{LiveEntry, MemberSlots};
use crate::engine::session::cell::{FrameEffect, SessionState};
use crate::types::Seq;
use crate::wire::{self, FrameKind};

impl<S: Sink> Pull<'_, S> {
    /// Tells what there is to be told of the slots that members fill.
    pub(super) fn slots(&mut self, state: &mut SessionState, index: usize, slots: &MemberSlots) {
        let heard = &state.rooms.slots[index].seldom.slots;
        let (live, signals) = (heard.live_version, heard.signals_version);
        let version = slots.live.version();
        if version != live && self.live(state, index, slots) {
            state.rooms.slots[index].seldom.make().slots.live_version = version;
        }
        let version = slots.signals.version();
        if version != signals && !self.is_full() {
            let key = state.rooms.slots[index].key;
            let json = slots.signals.json();
            self.one(state, FrameEffect::Signals { slot: key, version }, FrameKind::Signals, &json, None);
        }
    }

    /// Tells of the messages that grow: first of those that do not any more, so that a client never shows more than there may be. Whether
    /// there was nothing to tell.
    ///
    /// Nobody is told of a message before the message, or the gap that it lies in; nor of one up to their floor. Of one that they were not told,
    /// in a gap or before they came in, they are: a history has it.
    fn live(&mut self, state: &SessionState, index: usize, slots: &MemberSlots) -> bool {
        let slot = &state.rooms.slots[index];
        let (key, code, ahead, sees) = (slot.key, &slot.feed.code, slot.ahead, slot.subscription.sees);
        let texts = slots.live.texts();
        let heard = &slot.seldom.slots.live;
        let is_over = |target: Seq| texts.iter().all(|entry| entry.target != target);
        let over: SmallVec<[Seq; 4]> =
            heard.iter().map(|(target, _)| *target).filter(|target| is_over(*target)).collect();
        let is_news = |entry: &&LiveEntry| entry.target > sees && !heard.contains(&(entry.target, entry.revision));
        let news: SmallVec<[&LiveEntry; 4]> = texts.iter().filter(is_news).collect();
        for target in &over {
            if self.is_full() {
                return false;
            }
            let json = wire::live_ended(code, *target);
            self.one(state, FrameEffect::LiveEnded { slot: key, target: *target }, FrameKind::Live, &json, None);
        }
        for entry in news.iter().filter(|entry| entry.target <= ahead) {
            if self.is_full() {
                return false;
            }
            let mark = FrameEffect::Live { slot: key, target: entry.target, revision: entry.revision };
            self.one(state, mark, FrameKind::Live, &entry.json, None);
        }
        over.is_empty() && news.is_empty()
    }
}
