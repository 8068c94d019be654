//! A page of earlier messages by number: from the backlog, and where that does not reach, from the log.
//!
//! Read when somebody can take it, not when it was asked for; so it shows the messages as they are then.

use std::sync::Arc;

use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::feed::segment::Segment;
use crate::engine::feed::taken_back::Stale;
use crate::ports::Log;
use crate::room::{HistorySlice, More};
use crate::types::Seq;
use crate::wire;

/// Messages read from a log at once. 16: with the longest texts they are 256 KiB, and three reads are a page of two screens.
const FETCH: usize = 16;

/// Encoded messages.
pub(crate) struct Page {
    newest_first: Vec<Message>,
    /// Of all of them.
    bytes: usize,
    pub(crate) more: bool,
    /// How many messages had been taken back when it was begun.
    taken_back: u64,
}

struct Message {
    seq: Seq,
    json: Json,
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
    pub(crate) fn at_hand(feed: &RoomFeed, slice: &HistorySlice, bytes_max: usize, has_log: bool) -> Option<Self> {
        match find(feed, slice, bytes_max, has_log) {
            Found::All(mut page) => {
                // Stale it is only where very much was taken back in this moment.
                page.mask(feed).is_ok().then_some(page)
            }
            Found::Newest { .. } => None,
        }
    }

    /// The same, and asks the log for what the backlog does not have. To be masked before it is shown. It shares nothing with
    /// the backlog: a page that waits for its reader must not keep segments that the backlog lets go of.
    pub(crate) async fn read(feed: &RoomFeed, slice: &HistorySlice, bytes_max: usize, log: Option<&dyn Log>) -> Self {
        let mut page = match (find(feed, slice, bytes_max, log.is_some()), log) {
            (Found::All(page), _) | (Found::Newest { page, .. }, None) => page,
            (Found::Newest { page, before, missing }, Some(log)) => {
                page.and_older(log, feed, Range { sees: slice.sees, before }, missing, bytes_max).await
            }
        };
        for message in &mut page.newest_first {
            if let Json::Shared(_) = message.json {
                message.json = Json::Owned(message.json().to_vec());
            }
        }
        page
    }

    /// The page where nothing could be read: it shows that there is something.
    pub(crate) fn unread() -> Self {
        Self { newest_first: Vec::new(), bytes: 0, more: true, taken_back: 0 }
    }

    /// Takes out the texts that were taken back since it was read.
    ///
    /// # Errors
    /// [`Stale`]: it has to be read again.
    pub(crate) fn mask(&mut self, feed: &RoomFeed) -> Result<(), Stale> {
        let messages = &mut self.newest_first;
        let place = |seq: Seq| messages.binary_search_by(|message| seq.cmp(&message.seq)).ok();
        for index in feed.taken_back.among(self.taken_back, place)? {
            let message = &mut messages[index];
            if let Some(bare) = wire::tombstone(message.json()) {
                message.json = Json::Owned(bare);
            }
        }
        Ok(())
    }

    /// Adds one that is older, if there is room for it; else says that there is more.
    fn push(&mut self, seq: Seq, json: Json, bytes_max: usize) -> bool {
        let message = Message { seq, json };
        let bytes = self.bytes + message.json().len();
        if bytes > bytes_max && !self.newest_first.is_empty() {
            self.more = true;
            return false;
        }
        self.bytes = bytes;
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
        bytes_max: usize,
    ) -> Self {
        loop {
            // One more than shown tells whether there is more.
            let wanted = (missing + 1).min(FETCH);
            let Ok(records) = log.messages(&feed.code, feed.epoch, before, wanted).await else {
                self.more = true;
                return self;
            };
            let is_last = records.len() < wanted;
            for record in records.into_iter().rev().filter(|record| record.event.is_message()) {
                let Some(seq) = record.seq else { continue };
                if seq <= sees {
                    return self;
                }
                let mut json = Vec::new();
                wire::encode_event(&feed.code, &record, &mut json);
                if missing == 0 {
                    self.more = true;
                    return self;
                }
                if !self.push(seq, Json::Owned(json), bytes_max) {
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
}

fn find(feed: &RoomFeed, slice: &HistorySlice, bytes_max: usize, has_log: bool) -> Found {
    let newest_first = Vec::with_capacity(slice.seqs.len());
    let mut page = Page { newest_first, bytes: 0, more: false, taken_back: feed.taken_back.count() };
    let mut last: Option<Arc<Segment>> = None;
    // The newest are in the backlog: walk back until one is not.
    for &seq in slice.seqs.iter().rev() {
        let segment =
            last.take().filter(|segment| segment.event(seq).is_some()).or_else(|| feed.backlog.segment_of(seq));
        let Some(segment) = segment else { break };
        if !page.push(seq, Json::Shared(Arc::clone(&segment)), bytes_max) {
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
