//! A page of messages of a history, or of changed ones, by number: from the backlog, and where that does not reach, from the log.
//!
//! Read when somebody can take it, not when it was asked for; so it shows the messages as they are then.

use std::sync::Arc;

use crate::domain::Record;
use crate::engine::feed::overlay::{Seen, Stale};
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::feed::segment::Segment;
use crate::ports::Log;
use crate::room::{Changed, ChangesSlice, HistorySlice, More};
use crate::types::Seq;
use crate::wire::{self, SweptRange};

/// What a page is to show.
#[derive(Clone)]
pub(crate) enum PageSlice {
    History(Box<HistorySlice>),
    Changes(Box<ChangesSlice>),
}

/// Encoded messages.
pub(crate) struct Page {
    pub(super) newest_first: Vec<Message>,
    /// Of all of them, with what they have been reacted to with.
    bytes: usize,
    /// Of a history: whether there are earlier messages. Of changes: whether there are later ones.
    pub(crate) more: bool,
    /// Of a history: whether there are later messages.
    pub(crate) more_after: bool,
    /// Of changes: these are all up to this event.
    pub(crate) through: Seq,
    /// The last event that it reflects: as of when it was last looked over.
    pub(crate) as_of: Seq,
    /// What had been changed when it was begun, and when it was last looked over.
    seen: Seen,
    /// Up to where messages had had their reactions written into their records when it was begun.
    frozen: Seq,
    /// As many as it may hold, or one message.
    bytes_max: usize,
    /// Of these, those that were counted for reactions.
    reactions: usize,
    /// Of changes: the ranges among them.
    pub(crate) swept: Vec<SweptRange>,
}

pub(super) struct Message {
    pub(super) seq: Seq,
    pub(super) json: Json,
    /// As it was read, where it was given reactions.
    bare: Option<Json>,
}

pub(super) enum Json {
    /// In a segment of the backlog.
    Shared(Arc<Segment>),
    Owned(Vec<u8>),
}

impl Page {
    /// The messages, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.newest_first.iter().rev().map(Message::json)
    }

    /// How much it shows.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The page of a slice as it is now, of no more than `bytes_max` or one message; `None` where the log has to be asked.
    pub(crate) fn at_hand(feed: &RoomFeed, slice: &PageSlice, bytes_max: usize, has_log: bool) -> Option<Self> {
        let mut page = match slice {
            PageSlice::History(slice) => Self::history_at_hand(feed, slice, bytes_max, has_log)?,
            PageSlice::Changes(slice) => changed_at_hand(feed, slice, bytes_max, has_log)?,
        };
        // Stale it is only where very much was taken back in this moment.
        page.mask(feed).is_ok().then_some(page)
    }

    /// The same, and asks the log for what the backlog does not have. To be masked before it is shown. It shares nothing with
    /// the backlog: a page that waits for its reader must not keep segments that the backlog lets go of.
    pub(crate) async fn read(feed: &RoomFeed, slice: &PageSlice, bytes_max: usize, log: Option<&dyn Log>) -> Self {
        let mut page = match slice {
            PageSlice::History(slice) => Self::history(feed, slice, bytes_max, log).await,
            PageSlice::Changes(slice) => changed(feed, slice, bytes_max, log).await,
        };
        for message in &mut page.newest_first {
            if let Json::Shared(_) = message.json {
                message.json = Json::Owned(message.json().to_vec());
            }
        }
        page
    }

    /// The page where nothing could be read: it shows that there is something.
    pub(crate) fn unread(slice: &PageSlice) -> Self {
        let (through, more_after) = match slice {
            PageSlice::History(slice) => (Seq(0), slice.newer.may_have()),
            PageSlice::Changes(slice) => (slice.after, false),
        };
        Self {
            newest_first: Vec::new(),
            bytes: 0,
            more: true,
            more_after,
            through,
            as_of: Seq(0),
            seen: Seen::default(),
            frozen: Seq(0),
            bytes_max: 0,
            reactions: 0,
            swept: Vec::new(),
        }
    }

    pub(super) fn empty(feed: &RoomFeed, messages: usize, bytes_max: usize) -> Self {
        Self {
            newest_first: Vec::with_capacity(messages),
            bytes: 0,
            more: false,
            more_after: false,
            through: Seq(0),
            as_of: Seq(0),
            seen: feed.overlay.begin(),
            frozen: feed.reactions.frozen(),
            bytes_max,
            reactions: 0,
            swept: Vec::new(),
        }
    }

    /// Lays over it what was changed since it was read, shows what it has been reacted to with, and says as of when.
    ///
    /// # Errors
    /// [`Stale`]: it has to be read again.
    pub(crate) fn mask(&mut self, feed: &RoomFeed) -> Result<(), Stale> {
        // The head first: what is published after it may or may not be reflected, and what was published before it is.
        self.as_of = feed.backlog.head();
        let messages = &mut self.newest_first;
        messages.iter_mut().for_each(Message::undress);
        let place = |seq: Seq| messages.binary_search_by(|message| seq.cmp(&message.seq)).ok();
        let masks = feed.overlay.over(&mut self.seen, place)?;
        for (index, content, n) in masks.edited {
            let message = &mut messages[index];
            if let Some(edited) = wire::as_edited(message.json(), &content, n) {
                message.json = Json::Owned(edited);
            }
        }
        for index in masks.taken_back {
            let message = &mut messages[index];
            if let Some(bare) = wire::tombstone(message.json()) {
                message.json = Json::Owned(bare);
            }
        }
        for sweep in masks.swept {
            for message in messages.iter_mut().filter(|message| sweep.has(message.seq)) {
                let is_swept = wire::author(message.json()).is_some_and(|by| sweep.covers(by, message.seq));
                if let Some(bare) = is_swept.then(|| wire::tombstone(message.json())).flatten() {
                    message.json = Json::Owned(bare);
                }
            }
        }
        for unnamed in masks.erased {
            for message in messages.iter_mut() {
                if let Some(bare) = unnamed.unname(message.seq, message.json()) {
                    message.json = Json::Owned(bare);
                }
            }
        }
        self.show_reactions(feed)
    }

    /// After what was taken back: that has lost its reactions before.
    fn show_reactions(&mut self, feed: &RoomFeed) -> Result<(), Stale> {
        let messages = self.newest_first.iter().map(|message| message.seq);
        let mut reactions = 0;
        for (place, list) in feed.reactions.among(self.frozen, messages)? {
            reactions += wire::reactions_len(&list);
            self.newest_first[place].dress(&list);
        }
        self.bytes = self.newest_first.iter().map(|message| message.json().len()).sum();
        // So much has been reacted since it was read that it is too long now.
        let is_too_long = reactions > self.reactions && self.bytes > self.bytes_max && self.newest_first.len() > 1;
        if is_too_long { Err(Stale) } else { Ok(()) }
    }

    /// Adds one that is older, with what it has been reacted to with, if there is room for it; else says that there is more.
    pub(super) fn push(&mut self, feed: &RoomFeed, seq: Seq, json: Json) -> bool {
        self.push_of(seq, json, reactions_of(feed, seq))
    }

    fn push_of(&mut self, seq: Seq, json: Json, reactions: usize) -> bool {
        let fits = self.takes_of(seq, json, reactions, self.bytes_max);
        self.more |= !fits;
        fits
    }

    /// Adds one behind the others, with what it has been reacted to with, if there is room for it among so many bytes.
    pub(super) fn takes(&mut self, feed: &RoomFeed, seq: Seq, json: Json, bytes_max: usize) -> bool {
        self.takes_of(seq, json, reactions_of(feed, seq), bytes_max)
    }

    fn takes_of(&mut self, seq: Seq, json: Json, reactions: usize, bytes_max: usize) -> bool {
        let message = Message { seq, json, bare: None };
        let bytes = self.bytes + message.json().len() + reactions;
        let fits = bytes <= bytes_max || self.newest_first.is_empty();
        if fits {
            self.bytes = bytes;
            self.reactions += reactions;
            self.newest_first.push(message);
        }
        fits
    }
}

impl Message {
    fn json(&self) -> &[u8] {
        match &self.json {
            Json::Shared(segment) => segment.event(self.seq).expect("the segment was chosen for this number"),
            Json::Owned(json) => json,
        }
    }

    /// Shows what it has been reacted to with; one that nobody has any more shows nothing.
    fn dress(&mut self, list: &[u8]) {
        if wire::author(self.json()).is_none() {
            return;
        }
        if let Some(json) = wire::with_reactions(self.json(), list) {
            self.bare = Some(std::mem::replace(&mut self.json, Json::Owned(json)));
        }
    }

    /// As it was before that.
    fn undress(&mut self) {
        if let Some(bare) = self.bare.take() {
            self.json = bare;
        }
    }
}

/// A message from the log, changed as the log has not been amended for yet.
pub(super) fn as_now(feed: &RoomFeed, mut record: Record) -> Json {
    feed.overlay.apply(&mut record);
    let mut json = Vec::new();
    wire::encode_event(&feed.code, &record, &mut json);
    Json::Owned(json)
}

/// By how much a message is longer with what it has been reacted to with.
fn reactions_of(feed: &RoomFeed, seq: Seq) -> usize {
    feed.reactions.list(seq).map_or(0, |list| wire::reactions_len(&list))
}

/// The changed messages, where the backlog has all of them, or there is nobody else who could.
fn changed_at_hand(feed: &RoomFeed, slice: &ChangesSlice, bytes_max: usize, has_log: bool) -> Option<Page> {
    let mut page = Page::empty(feed, slice.changed.len(), bytes_max);
    for changed in &slice.changed {
        let json = match feed.backlog.segment_of(changed.target) {
            Some(segment) => Json::Shared(segment),
            None if has_log => return None,
            None => Json::Owned(wire::gone(changed.target)),
        };
        if !page.push(feed, changed.target, json) {
            break;
        }
    }
    Some(page.of_changes(slice))
}

/// The same, and asks the log for what the backlog does not have. What the log does not have either is gone. One that cannot be read now
/// ends the page.
async fn changed(feed: &RoomFeed, slice: &ChangesSlice, bytes_max: usize, log: Option<&dyn Log>) -> Page {
    let mut page = Page::empty(feed, slice.changed.len(), bytes_max);
    for &Changed { target, .. } in &slice.changed {
        let json = match (feed.backlog.segment_of(target), log) {
            (Some(segment), _) => Json::Shared(segment),
            (None, None) => Json::Owned(wire::gone(target)),
            (None, Some(log)) => match log.messages(&feed.code, feed.epoch, target.next(), 1).await {
                Err(_) => {
                    page.more = true;
                    break;
                }
                Ok(found) => {
                    let found = found.into_iter().next_back().filter(|found| found.seq == Some(target));
                    found.map_or_else(|| Json::Owned(wire::gone(target)), |record| as_now(feed, record))
                }
            },
        };
        if !page.push(feed, target, json) {
            break;
        }
    }
    page.of_changes(slice)
}

impl Page {
    /// Up to which event it has all, and that there is more where it was cut; in the order of the messages.
    fn of_changes(mut self, slice: &ChangesSlice) -> Self {
        let shown = self.newest_first.len();
        self.through = match shown.checked_sub(1) {
            _ if !self.more => slice.through,
            Some(last) => slice.changed[last].change,
            None => slice.after,
        };
        self.more |= slice.more == More::Yes;
        let swept = slice.swept.iter().filter(|sweep| sweep.change <= self.through);
        self.swept = swept.map(|sweep| SweptRange::new(sweep.member, sweep.from, sweep.to, sweep.change)).collect();
        self.newest_first.sort_unstable_by_key(|message| std::cmp::Reverse(message.seq));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Page {
        Page {
            newest_first: Vec::new(),
            bytes: 0,
            more: false,
            more_after: false,
            through: Seq(0),
            as_of: Seq(0),
            seen: Seen::default(),
            frozen: Seq(0),
            bytes_max: 10,
            reactions: 0,
            swept: Vec::new(),
        }
    }

    #[test]
    fn a_page_holds_as_many_bytes_as_it_may_and_one_message_however_long() {
        let push = |page: &mut Page, seq, bytes| page.push_of(Seq(seq), Json::Owned(vec![b'x'; bytes]), 0);
        let mut page = empty();
        assert!(push(&mut page, 9, 6) && push(&mut page, 8, 4), "exactly as many");
        assert!(!page.more);
        assert!(!push(&mut page, 7, 1));
        assert_eq!((page.bytes(), page.newest_first.len(), page.more), (10, 2, true));
        let mut page = empty();
        assert!(push(&mut page, 9, 11) && !page.more);
    }
}
