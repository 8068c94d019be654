//! A message is looked for where messages are kept, before it is changed: the room itself remembers nothing of what it says.

use std::sync::Arc;

use crate::domain::Event;
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::rooms::batch::Batch;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::shared::unavailable;
use crate::engine::work::task::RoomTask;
use crate::room::{Evidence, Input};
use crate::types::{Now, Reject, RejectCode, Seq};
use crate::wire;

impl RoomTask {
    /// An item with what it takes to decide about it, as far as there is more to know than the room knows; `None` where the log has to be
    /// asked: the item comes again after that.
    pub(crate) fn with_evidence(&mut self, now: Now, mut item: InboxItem, batch: &Batch) -> Option<InboxItem> {
        let Some((target, shown)) = evidence(&mut item) else { return Some(item) };
        // Where there is no room, the item is refused like any other.
        let Some(feed) = self.state.feed() else { return Some(item) };
        if let Some(shown) = shown {
            // What was changed since the log was asked lies over it, or is in the log by now.
            let is_new = self.state.room.may_have_changed(target, shown.by, shown.as_of);
            if !is_new || feed.overlay.apply_to(target, shown) {
                return Some(item);
            }
            // The log would show the same once more, until it has been amended.
            if self.as_of(feed) <= shown.as_of {
                let reject = unavailable();
                self.shared.count_reject(reject.code);
                item.refuse(&self.cell.code, Some(feed.epoch), reject);
                return None;
            }
            return self.look_for(target, item);
        }
        let Some(input) = item.input() else { return Some(item) };
        let refused = self.state.room.decide(now, input).err();
        if refused.is_none_or(|reject| reject.code != RejectCode::MessageNotFound) {
            // The room can decide by itself, or would refuse the asker anyway.
            return Some(item);
        }
        if let Some(at_hand) = self.at_hand(target, batch).filter(|_| matches!(input, Input::Edit { .. })) {
            if let Some((_, shown)) = evidence(&mut item) {
                *shown = Some(Box::new(at_hand));
            }
            return Some(item);
        }
        let may_be = self.state.room.may_be_message(target);
        if self.shared.log.is_some() && may_be { self.look_for(target, item) } else { Some(item) }
    }

    /// A message that the batch or the backlog has.
    fn at_hand(&self, target: Seq, batch: &Batch) -> Option<Evidence> {
        let (feed, as_of) = (self.state.feed()?, self.state.room.head());
        let said = batch.records.iter().find(|record| record.seq == Some(target));
        let said = said.and_then(|record| Evidence::of(feed.epoch, record, as_of));
        let told = || {
            let segment = feed.backlog.segment_of(target)?;
            wire::evidence(segment.event(target)?, feed.epoch, as_of)
        };
        let mut shown = said.or_else(told)?;
        for record in &batch.records {
            if let Event::Edited { target: of, content: Some(content), n, .. } = &record.event
                && *of == target
            {
                (shown.content, shown.edits) = (content.clone(), *n);
            }
        }
        Some(shown)
    }

    /// The last event of which the log shows what it changed: it has been amended for all up to there.
    fn as_of(&self, feed: &RoomFeed) -> Seq {
        let owed = self.state.debts.owed(self.state.room.ledger()).next();
        owed.map_or(Seq(u64::MAX), |owed| Seq(owed.change().0 - 1)).min(feed.backlog.head())
    }

    /// Asks the log, and then the room again. The room does not wait for it: what the same session asks next may come before it.
    fn look_for(&self, target: Seq, mut item: InboxItem) -> Option<InboxItem> {
        let (Some(log), Some(feed)) = (self.shared.log.clone(), self.feed()) else { return Some(item) };
        let (shared, code, epoch) = (Arc::clone(&self.shared), self.cell.code.clone(), feed.epoch);
        let as_of = self.as_of(&feed);
        self.shared.spawn(async move {
            let refusal = match log.messages(&code, epoch, target.next(), 1).await {
                Err(_) => unavailable(),
                Ok(found) => {
                    let found = found.last().filter(|record| record.seq == Some(target));
                    match found.and_then(|record| Evidence::of(epoch, record, as_of)) {
                        None => {
                            Reject::new(RejectCode::MessageNotFound, "there is no such message, or it is out of reach")
                        }
                        found => {
                            if let Some((_, shown)) = evidence(&mut item) {
                                *shown = found.map(Box::new);
                            }
                            return shared.enqueue(&code, item);
                        }
                    }
                }
            };
            shared.count_reject(refusal.code);
            item.refuse(&code, Some(epoch), refusal);
        });
        None
    }
}

/// The message that an item is about, and what is shown of it.
fn evidence(item: &mut InboxItem) -> Option<(Seq, &mut Option<Box<Evidence>>)> {
    let input = match item {
        InboxItem::Command { input, .. } | InboxItem::Host { input, .. } => input,
        InboxItem::Asked(asked) => &mut asked.input,
        _ => return None,
    };
    match input {
        Input::Redact { target, evidence, .. } | Input::Edit { target, evidence, .. } => Some((*target, evidence)),
        _ => None,
    }
}
