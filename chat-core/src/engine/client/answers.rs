//! The large answers of a pull: histories and `joined` frames, encoded when the transport can take them.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;

use crate::engine::client::pull::{Pull, Sink};
use crate::engine::feed::page::{Page, PageSlice};
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::session::answers::{PageInHand, PageOf, Read, encoder};
use crate::engine::session::cell::{FrameEffect, SessionState};
use crate::engine::session::reply_to::NOT_IN_ANY_MORE;
use crate::engine::shared::Shared;
use crate::types::{Reject, RejectCode};
use crate::wire::{self, FrameKind};

impl<S: Sink> Pull<'_, S> {
    /// The histories that can be shown now, in order.
    pub(super) fn histories(&mut self, state: &mut SessionState) {
        for index in 0..state.answers.histories.len() {
            if self.is_full() {
                self.is_cut = true;
                return;
            }
            let answers = &mut state.answers;
            let history = &mut answers.histories[index];
            let (key, id, tag) = (history.key, history.id, history.tag);
            let feed = Arc::clone(&history.read.feed);
            let (kind, encode) = encoder(&history.read.slice);
            let encode = |page: &Page| encode(id, &feed, page);
            let json = match state.rooms.is_in(&feed) {
                true => self.read(&mut history.read, &mut answers.page, PageOf::History { key }, encode),
                false => Some(Bytes::new()),
            };
            let Some(json) = json else { continue };
            // Asked again once it has been read: who was put out meanwhile learns nothing of what was said, or changed, since.
            if state.rooms.is_in(&feed) {
                self.one(state, FrameEffect::History { key }, kind, &json, tag);
            } else {
                let reject = Reject::new(RejectCode::NotMember, NOT_IN_ANY_MORE);
                let json = wire::error(id, Some(&feed.code), &reject);
                self.one(state, FrameEffect::History { key }, FrameKind::Error, &json, tag);
            }
        }
    }

    /// The `joined` of a room; `false` where nothing of the room can be told yet.
    pub(super) fn pending(&mut self, state: &mut SessionState, index: usize) -> bool {
        let SessionState { rooms, answers, .. } = &mut *state;
        // An earlier stay in the same room is told to its end first.
        let (earlier, slot) = rooms.slots.split_at_mut(index);
        let slot = &mut slot[0];
        let Some(pending) = &mut slot.pending else { return true };
        if earlier.iter().any(|other| other.feed.code == slot.feed.code) {
            return false;
        }
        let (key, tag) = (slot.key, pending.tag);
        let parts = &pending.parts;
        let code = &slot.feed.code;
        let encode = |page: &Page| wire::joined(code, parts, page.iter(), page.more, page.as_of);
        let json = self.read(&mut pending.read, &mut answers.page, PageOf::PendingJoined { slot: key }, encode);
        let Some(json) = json else { return false };
        let was_fetched = pending.read.page.is_some();
        if was_fetched {
            // The room went on meanwhile.
            slot.has_come_late();
        }
        slot.joined_ahead = true;
        self.one(state, FrameEffect::PendingJoined { slot: key }, FrameKind::Joined, &json, tag);
        true
    }

    /// Encodes a page as it is now. Where the log has to be asked, it is, and nothing comes of it yet; one at a time.
    fn read(
        &mut self,
        read: &mut Read,
        in_hand: &mut PageInHand,
        of: PageOf,
        encode: impl FnOnce(&Page) -> Bytes,
    ) -> Option<Bytes> {
        if let Some(page) = &mut read.page {
            if page.mask(&read.feed).is_ok() {
                return Some(encode(page));
            }
            (read.page, *in_hand) = (None, PageInHand::None);
        }
        let bytes_max = self.shared.limits.session.page_bytes_max;
        if !read.needs_log {
            if let Some(page) = Page::at_hand(&read.feed, &read.slice, bytes_max, self.shared.log.is_some()) {
                read.pay(page.bytes());
                return Some(encode(&page));
            }
            read.needs_log = true;
        }
        // It is looked for again once what is in hand has been taken, or has come.
        self.is_cut = true;
        if *in_hand == PageInHand::None {
            *in_hand = PageInHand::One;
            let (feed, slice, charge) = (Arc::clone(&read.feed), read.slice.clone(), read.charge.take());
            let (shared, cell, connection) =
                (Arc::clone(self.shared), Arc::clone(self.cell), Arc::clone(self.connection));
            self.shared.spawn(async move {
                let page = shared.read_page(&feed, &slice).await;
                if let Some(mut charge) = charge {
                    charge.pay(page.bytes());
                }
                if let Some(mut state) = cell.lock_for(&connection) {
                    state.fetched(of, page);
                }
                connection.wake.wake();
            });
        }
        None
    }
}

impl Shared {
    /// Reads a page, from the log too. A log that panics is one that could not be read.
    pub(crate) async fn read_page(&self, feed: &RoomFeed, slice: &PageSlice) -> Page {
        let page = Page::read(feed, slice, self.limits.session.page_bytes_max, self.log.as_deref());
        AssertUnwindSafe(page).catch_unwind().await.unwrap_or_else(|_| {
            self.failures.note_panic();
            Page::unread(slice)
        })
    }
}
