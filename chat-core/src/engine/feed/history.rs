//! The messages of a history: on either side of a place, from the backlog, and where that does not reach, from the log.
//!
//! Each side begins at the place and goes on without a hole, so that what is cut off is always at an end, and is told as more.
//! Which of the two reaches further back is not known beforehand: retention may cut a log inside what the backlog has.

use std::sync::Arc;

use crate::engine::feed::backlog::BacklogRead;
use crate::engine::feed::page::{Json, Page, as_now};
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::feed::segment::Segment;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::{Log, ReadError};
use crate::room::{HistorySlice, More, NewerSlice};
use crate::types::Seq;
use crate::wire::FrameKind;

/// Messages read from a log at once. 16: with the longest texts they are 256 KiB, and three reads are a page of two screens.
const FETCH: usize = 16;

/// The log has to be asked.
struct AskLog;

/// Older messages that only the log can have: so many before that one. For none of them it is asked whether there is one.
struct Missing {
    before: Seq,
    count: usize,
}

/// What is still to be read of the messages from a place on.
struct Rest {
    /// Everything up to here was looked at.
    after: Seq,
    through: Seq,
    count: usize,
    bytes_max: usize,
    /// The last message that the page shows.
    shown: Option<Seq>,
}

impl NewerSlice {
    /// Whether there may be a message on this side, as far as the room knows.
    pub(super) fn may_have(&self) -> bool {
        self.newest.is_some() || self.forgotten == More::Yes
    }
}

impl Page {
    /// The page where the log has not to be asked.
    pub(super) fn history_at_hand(
        feed: &RoomFeed,
        slice: &HistorySlice,
        bytes_max: usize,
        has_log: bool,
    ) -> Option<Self> {
        let mut page = Self::empty(feed, slice.seqs.len() + slice.newer.seqs.len(), bytes_max);
        page.newer_at_hand(feed, &slice.newer, newer_bytes(slice, bytes_max), has_log).ok()?;
        page.newest_first.reverse();
        page.older_at_hand(feed, slice, has_log).is_none().then_some(page)
    }

    /// The page, and what the log has of it that the backlog does not have.
    pub(super) async fn history(
        feed: &RoomFeed,
        slice: &HistorySlice,
        bytes_max: usize,
        log: Option<&dyn Log>,
    ) -> Self {
        let mut page = Self::empty(feed, slice.seqs.len() + slice.newer.seqs.len(), bytes_max);
        let (newer, newer_max) = (&slice.newer, newer_bytes(slice, bytes_max));
        let at_hand = page.newer_at_hand(feed, newer, newer_max, log.is_some());
        if let (Err(AskLog), Some(log)) = (at_hand, log) {
            page = Self::empty(feed, slice.seqs.len() + newer.seqs.len(), bytes_max);
            let read = page.newer_of_both(log, feed, Rest::of(newer, newer_max)).await;
            if read.is_err() && newer.count > 0 && page.newest_first.is_empty() {
                // What begins with a message that cannot be read now shows none that is further away.
                page.more = true;
                return page;
            }
        }
        page.newest_first.reverse();
        if let (Some(missing), Some(log)) = (page.older_at_hand(feed, slice, log.is_some()), log) {
            page.older_from(log, feed, slice.sees, missing).await;
        }
        page
    }

    /// Adds the messages from the place on, oldest first, and says whether others follow.
    fn newer_at_hand(
        &mut self,
        feed: &RoomFeed,
        newer: &NewerSlice,
        bytes_max: usize,
        has_log: bool,
    ) -> Result<(), AskLog> {
        let is_remembered = newer.count == 0 && newer.newest.is_some();
        if !has_log && !is_remembered {
            self.newer_without_log(feed, Rest::of(newer, bytes_max));
            return Ok(());
        }
        if newer.count > 0 && newer.forgotten == More::Yes {
            return Err(AskLog);
        }
        let mut last: Option<Arc<Segment>> = None;
        let mut shown = None;
        for &seq in &newer.seqs {
            #[cfg(feature = "fault_injection")]
            if fault_injection::strikes(Bug::SkipNewer, seq) {
                continue;
            }
            let segment = segment_of(feed, last.take(), seq).ok_or(AskLog)?;
            if !self.takes(feed, seq, Json::Shared(Arc::clone(&segment)), bytes_max) {
                self.more_after = true;
                return Ok(());
            }
            (last, shown) = (Some(segment), Some(seq));
        }
        self.more_after = match (shown, newer.newest) {
            (Some(shown), Some(newest)) => newest > shown,
            // What is let go of is the oldest: where the newest is gone, all are.
            (None, Some(newest)) if feed.backlog.segment_of(newest).is_some() => true,
            (None, _) if has_log && newer.may_have() => return Err(AskLog),
            _ => false,
        };
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::HideNewer) {
            self.more_after = false;
        }
        Ok(())
    }

    /// The same where there is no log: what the backlog has let go of is gone, and the first that is left begins the page.
    fn newer_without_log(&mut self, feed: &RoomFeed, mut rest: Rest) {
        while self.newer_of_backlog(feed, &mut rest).is_err() {
            // It begins later; and if that is now, later still.
            rest.pass(before(feed.backlog.oldest()));
        }
    }

    /// Adds what the backlog has of the rest, and says whether others follow.
    ///
    /// # Errors
    /// [`AskLog`]: it does not have what comes next.
    fn newer_of_backlog(&mut self, feed: &RoomFeed, rest: &mut Rest) -> Result<(), AskLog> {
        while rest.after < rest.through {
            let BacklogRead::Events(segments) = feed.backlog.read(rest.after, rest.bytes_max) else {
                return Err(AskLog);
            };
            for segment in &segments {
                for (seq, kind, _) in segment.events(rest.after, rest.through) {
                    let json = || Json::Shared(Arc::clone(segment));
                    if kind == FrameKind::Message && !self.takes_next(feed, rest, seq, json) {
                        return Ok(());
                    }
                    rest.after = seq;
                }
            }
        }
        self.more_after = false;
        Ok(())
    }

    /// The same from both: from the log as far as the backlog does not reach. Where the log cannot be read, it is said that others follow.
    async fn newer_of_both(&mut self, log: &dyn Log, feed: &RoomFeed, mut rest: Rest) -> Result<(), ReadError> {
        self.more_after = true;
        while self.newer_of_backlog(feed, &mut rest).is_err() {
            // Before the log is asked: what is let go of meanwhile was in the backlog when it was.
            let oldest = feed.backlog.oldest();
            // Begins with the last one shown: where that has been cut meanwhile, others may have been that follow it.
            let after = rest.shown.map_or(rest.after, before);
            // One more than shown tells whether there is more.
            let wanted = (rest.count + 1 + usize::from(rest.shown.is_some())).min(FETCH);
            let records = log.messages_after(&feed.code, feed.epoch, after, wanted).await?;
            let is_last = records.len() < wanted;
            let mut records = records.into_iter().filter(|record| record.event.is_message()).peekable();
            if rest.shown.is_some() && records.next_if(|record| record.seq == rest.shown).is_none() {
                return Ok(());
            }
            let mut reaches_backlog = is_last;
            for record in records {
                let Some(seq) = record.seq else { continue };
                if seq >= oldest {
                    reaches_backlog = true;
                    break;
                }
                if seq > rest.through {
                    self.more_after = false;
                    return Ok(());
                }
                if !self.takes_next(feed, &mut rest, seq, || as_now(feed, record)) {
                    return Ok(());
                }
                rest.after = seq;
            }
            if reaches_backlog {
                rest.pass(before(oldest));
            }
        }
        Ok(())
    }

    /// Adds the next message, if there is room for it; else says that others follow.
    fn takes_next(&mut self, feed: &RoomFeed, rest: &mut Rest, seq: Seq, json: impl FnOnce() -> Json) -> bool {
        let takes = rest.count > 0 && self.takes(feed, seq, json(), rest.bytes_max);
        if takes {
            (rest.count, rest.shown) = (rest.count - 1, Some(seq));
        } else {
            self.more_after = true;
        }
        takes
    }

    /// Adds those before the place, newest first, as far as the backlog has them; and says what the log may have besides.
    fn older_at_hand(&mut self, feed: &RoomFeed, slice: &HistorySlice, has_log: bool) -> Option<Missing> {
        let mut last: Option<Arc<Segment>> = None;
        let mut shown = 0;
        // The newest are in the backlog: walk back until one is not.
        for &seq in slice.seqs.iter().rev() {
            let Some(segment) = segment_of(feed, last.take(), seq) else { break };
            if !self.push(feed, seq, Json::Shared(Arc::clone(&segment))) {
                return None;
            }
            last = Some(segment);
            shown += 1;
        }
        let named = slice.seqs.len();
        let count = named - shown + slice.wanted;
        // Where the backlog has none of them, all are missing, also the newest.
        let first = (shown > 0).then(|| slice.seqs[named - shown]);
        let before = first.or(slice.seqs.last().map(|last| last.next())).unwrap_or(slice.before);
        if count == 0 && slice.earlier.is_some_and(|earlier| feed.backlog.segment_of(earlier).is_some()) {
            self.more = true;
            return None;
        }
        if count == 0 && slice.more == More::No {
            return None;
        }
        let missing = self.older_of_backlog(feed, slice.sees, Missing { before, count })?;
        has_log.then_some(missing)
    }

    /// Adds what the backlog has that the room does not remember, and says what the log may have before that.
    fn older_of_backlog(&mut self, feed: &RoomFeed, sees: Seq, mut missing: Missing) -> Option<Missing> {
        while let Some(segment) = feed.backlog.segment_of(before(missing.before)) {
            for seq in (segment.first()..missing.before.0).rev().map(Seq) {
                if seq <= sees {
                    return None;
                }
                missing.before = seq;
                if segment.get(seq.0).is_none_or(|(kind, _)| kind != FrameKind::Message) {
                    continue;
                }
                if missing.count == 0 {
                    self.more = true;
                    return None;
                }
                if !self.push(feed, seq, Json::Shared(Arc::clone(&segment))) {
                    return None;
                }
                missing.count -= 1;
            }
        }
        Some(missing)
    }

    /// Adds what the log has. A log that cannot be read now leaves the older ones out, and it is said that there is more.
    async fn older_from(
        &mut self,
        log: &dyn Log,
        feed: &RoomFeed,
        sees: Seq,
        Missing { mut before, count: mut missing }: Missing,
    ) {
        loop {
            // One more than shown tells whether there is more.
            let wanted = (missing + 1).min(FETCH);
            let Ok(records) = log.messages(&feed.code, feed.epoch, before, wanted).await else {
                self.more = true;
                return;
            };
            let is_last = records.len() < wanted;
            for record in records.into_iter().rev().filter(|record| record.event.is_message()) {
                let Some(seq) = record.seq else { continue };
                if seq <= sees {
                    return;
                }
                if missing == 0 {
                    self.more = true;
                    return;
                }
                let json = as_now(feed, record);
                if !self.push(feed, seq, json) {
                    return;
                }
                (before, missing) = (seq, missing - 1);
            }
            if is_last {
                return;
            }
        }
    }
}

impl Rest {
    fn of(newer: &NewerSlice, bytes_max: usize) -> Self {
        Self { after: before(newer.from), through: newer.through, count: newer.count, bytes_max, shown: None }
    }

    /// There is nothing more up to here.
    fn pass(&mut self, seq: Seq) {
        self.after = self.after.max(seq);
    }
}

/// The number before this one.
fn before(seq: Seq) -> Seq {
    Seq(seq.0.saturating_sub(1))
}

/// Of a page that lies around a message no more than half goes to what follows it: the rest shows what was before.
fn newer_bytes(slice: &HistorySlice, bytes_max: usize) -> usize {
    let has_older = !slice.seqs.is_empty() || slice.wanted > 0;
    if has_older { bytes_max / 2 } else { bytes_max }
}

/// The segment with this number: mostly that of the one before.
fn segment_of(feed: &RoomFeed, last: Option<Arc<Segment>>, seq: Seq) -> Option<Arc<Segment>> {
    last.filter(|segment| segment.event(seq).is_some()).or_else(|| feed.backlog.segment_of(seq))
}
