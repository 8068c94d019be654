//! A message that its room has forgotten is looked for in the log before it is taken back: whose it is, and whether it was already.

use std::sync::Arc;

use crate::engine::rooms::inbox::InboxItem;
use crate::engine::shared::unavailable;
use crate::engine::work::task::RoomTask;
use crate::room::{Evidence, Input};
use crate::types::{Now, Reject, RejectCode, Seq};

impl RoomTask {
    /// The message that only the log can say whose it is; `None` where the room can decide by itself, or would refuse the asker anyway.
    pub(crate) fn has_forgotten(&self, now: Now, item: &InboxItem) -> Option<Seq> {
        let (InboxItem::Command { input, .. } | InboxItem::Host { input, .. }) = item else { return None };
        let Input::Redact { target, evidence: None, .. } = input else { return None };
        if self.shared.log.is_none() || !self.state.room.may_have_forgotten(*target) {
            return None;
        }
        let refused = self.state.room.decide(now, input).err();
        refused.filter(|reject| reject.code == RejectCode::MessageNotFound).map(|_| *target)
    }

    /// Asks the log, and then the room again. The room does not wait for it: what the same session asks next may come before it.
    pub(crate) fn look_for(&self, target: Seq, mut item: InboxItem) {
        let (shared, code) = (Arc::clone(&self.shared), self.cell.code.clone());
        let (Some(log), Some(epoch)) = (self.shared.log.clone(), self.state.room.epoch()) else { return };
        self.shared.spawn(async move {
            let refusal = match log.messages(&code, epoch, target.next(), 1).await {
                Err(_) => unavailable(),
                Ok(found) => match found.last().filter(|record| record.seq == Some(target)) {
                    None => Reject::new(RejectCode::MessageNotFound, "there is no such message, or it is out of reach"),
                    Some(record) => {
                        let by = record.by.expect("a message has a sender");
                        let shown = Evidence { epoch, by, is_taken_back: record.event.is_taken_back() };
                        if let InboxItem::Command { input: Input::Redact { evidence, .. }, .. }
                        | InboxItem::Host { input: Input::Redact { evidence, .. }, .. } = &mut item
                        {
                            *evidence = Some(shown);
                        }
                        return shared.enqueue(&code, item);
                    }
                },
            };
            shared.count_reject(refusal.code);
            item.refuse(&code, Some(epoch), refusal);
        });
    }
}
