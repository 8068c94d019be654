//! A page of earlier messages, or of changed ones, by number: from the backlog, and where that does not reach, from the log.
//!
//! Read when somebody can take it, not when it was asked for; so it shows the messages as they are then.

use std::sync::Arc;

use crate::engine::feed::overlay::{Seen, Stale};
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::feed::segment::Segment;
use crate::ports::Log;
use crate::room::{Changed, ChangesSlice, HistorySlice, More};
use crate::types::Seq;
use crate::wire::{self, SweptRange};

/// Messages read from a log at once. 16: with the longest texts they are 256 KiB, and three reads are a page of two screens.
const FETCH: usize = 16;

/// What a page is to show.
#[derive(Clone)]
pub(crate) enum PageSlice {
    History(HistorySlice),
    Changes(ChangesSlice),
}

/// Encoded messages.
pub(crate) struct Page {
    newest_first: Vec<Message>,
    /// Of all of them.
    bytes: usize,
    pub(crate) more: bool,
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

struct Message {
    seq: Seq,
    json: Json,
    /// Where its own ends, before the reactions that it was given; 0 where it is as it was read.
    bare: usize,
}

enum Json {
    /// In a segment of the backlog.
    Shared(Arc<Segment>),
    Owned(Vec<u8>),
}

/// Where the messages of a page lie: after a floor, before the oldest that is at hand.
struct Range {
    sees: Seq,
    before: Seq,
}

/// What the backlog has of a slice.
enum Found {
    /// All that is to be shown.
    All(Page),
    /// The newest; of those before `before` the log may have `missing`.
    Newest { page: Page, before: Seq, missing: usize },
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
            PageSlice::History(slice) => match find(feed, slice, bytes_max, has_log) {
                Found::All(page) => page,
                Found::Newest { .. } => return None,
            },
            PageSlice::Changes(slice) => changed_at_hand(feed, slice, bytes_max, has_log)?,
        };
        // Stale it is only where very much was taken back in this moment.
        page.mask(feed).is_ok().then_some(page)
    }

    /// The same, and asks the log for what the backlog does not have. To be masked before it is shown. It shares nothing with
    /// the backlog: a page that waits for its reader must not keep segments that the backlog lets go of.
    pub(crate) async fn read(feed: &RoomFeed, slice: &PageSlice, bytes_max: usize, log: Option<&dyn Log>) -> Self {
        let mut page = match slice {
            PageSlice::History(slice) => match (find(feed, slice, bytes_max, log.is_some()), log) {
                (Found::All(page), _) | (Found::Newest { page, .. }, None) => page,
                (Found::Newest { page, before, missing }, Some(log)) => {
                    page.and_older(log, feed, Range { sees: slice.sees, before }, missing).await
                }
            },
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
        let through = match slice {
            PageSlice::History(_) => Seq(0),
            PageSlice::Changes(slice) => slice.after,
        };
        Self {
            newest_first: Vec::new(),
            bytes: 0,
            more: true,
            through,
            as_of: Seq(0),
            seen: Seen::default(),
            frozen: Seq(0),
            bytes_max: 0,
            reactions: 0,
            swept: Vec::new(),
        }
    }

    fn empty(feed: &RoomFeed, messages: usize, bytes_max: usize) -> Self {
        let (seen, frozen) = (feed.overlay.begin(), feed.reactions.frozen());
        let newest_first = Vec::with_capacity(messages);
        let (through, as_of) = (Seq(0), Seq(0));
        let swept = Vec::new();
        Self { newest_first, bytes: 0, more: false, through, as_of, seen, frozen, bytes_max, reactions: 0, swept }
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
    fn push(&mut self, feed: &RoomFeed, seq: Seq, json: Json) -> bool {
        let reactions = feed.reactions.list(seq).map_or(0, |list| wire::reactions_len(&list));
        self.push_of(seq, json, reactions)
    }

    fn push_of(&mut self, seq: Seq, json: Json, reactions: usize) -> bool {
        let message = Message { seq, json, bare: 0 };
        let bytes = self.bytes + message.json().len() + reactions;
        if bytes > self.bytes_max && !self.newest_first.is_empty() {
            self.more = true;
            return false;
        }
        self.bytes = bytes;
        self.reactions += reactions;
        self.newest_first.push(message);
        true
    }

    /// Adds what the log has. A log that cannot be read now leaves the older ones out, and it is said that there is more.
    async fn and_older(
        mut self,
        log: &dyn Log,
        feed: &RoomFeed,
        Range { sees, mut before }: Range,
        mut missing: usize,
    ) -> Self {
        loop {
            // One more than shown tells whether there is more.
            let wanted = (missing + 1).min(FETCH);
            let Ok(records) = log.messages(&feed.code, feed.epoch, before, wanted).await else {
                self.more = true;
                return self;
            };
            let is_last = records.len() < wanted;
            for mut record in records.into_iter().rev().filter(|record| record.event.is_message()) {
                let Some(seq) = record.seq else { continue };
                if seq <= sees {
                    return self;
                }
                feed.overlay.apply(&mut record);
                let mut json = Vec::new();
                wire::encode_event(&feed.code, &record, &mut json);
                if missing == 0 {
                    self.more = true;
                    return self;
                }
                if !self.push(feed, seq, Json::Owned(json)) {
                    return self;
                }
                (before, missing) = (seq, missing - 1);
            }
            if is_last {
                return self;
            }
        }
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
        let bare = self.json().len() - 1;
        if let Some(json) = wire::with_reactions(self.json(), list) {
            (self.json, self.bare) = (Json::Owned(json), bare);
        }
    }

    /// As it was before that.
    fn undress(&mut self) {
        if let (Json::Owned(json), 1..) = (&mut self.json, self.bare) {
            json.truncate(self.bare);
            json.push(b'}');
            self.bare = 0;
        }
    }
}

fn find(feed: &RoomFeed, slice: &HistorySlice, bytes_max: usize, has_log: bool) -> Found {
    let mut page = Page::empty(feed, slice.seqs.len(), bytes_max);
    let mut last: Option<Arc<Segment>> = None;
    // The newest are in the backlog: walk back until one is not.
    for &seq in slice.seqs.iter().rev() {
        let segment =
            last.take().filter(|segment| segment.event(seq).is_some()).or_else(|| feed.backlog.segment_of(seq));
        let Some(segment) = segment else { break };
        if !page.push(feed, seq, Json::Shared(Arc::clone(&segment))) {
            return Found::All(page);
        }
        last = Some(segment);
    }
    let here = page.newest_first.len();
    let missing = slice.seqs.len() - here + slice.wanted;
    let first = page.newest_first.last().map(|oldest| oldest.seq);
    if has_log && missing > 0 {
        // Where the backlog has none of them, all are missing, also the newest.
        let before = first.or(slice.seqs.last().map(|last| last.next())).unwrap_or(slice.before);
        return Found::Newest { page, before, missing };
    }
    let has_earlier = slice.more == More::Yes;
    let first = first.unwrap_or(slice.before);
    page.more = missing == 0 && has_earlier && (has_log || feed.backlog.oldest() < first);
    Found::All(page)
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
                    Json::Owned(match found.into_iter().next_back().filter(|found| found.seq == Some(target)) {
                        None => wire::gone(target),
                        Some(mut record) => {
                            feed.overlay.apply(&mut record);
                            let mut json = Vec::new();
                            wire::encode_event(&feed.code, &record, &mut json);
                            json
                        }
                    })
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
        let (through, as_of, frozen, swept) = (Seq(0), Seq(0), Seq(0), Vec::new());
        let (newest_first, seen) = (Vec::new(), Seen::default());
        let (bytes_max, reactions) = (10, 0);
        Page { newest_first, bytes: 0, more: false, through, as_of, seen, frozen, bytes_max, reactions, swept }
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
