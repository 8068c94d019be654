//! A log that holds less of a room than was read of it, or something else: what it holds is the room, and everybody is told who has seen more.
//!
//! A database that went over to a standby which was behind is one, and so is one that was restored from a backup. What it lost is lost, and the
//! same numbers are given again.

use crate::domain::Record;
use crate::engine::rooms::backoff::Backoff;
use crate::engine::rooms::doubt::Doubt;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::rooms::state::Phase;
use crate::engine::rooms::unnamed::Unnamed;
use crate::engine::work::task::RoomTask;
use crate::ports::{ObserverEvent, ReadError, Tail};
use crate::room::{Input, Note};
use crate::types::Offset;

impl RoomTask {
    /// Whether this is the record up to which the room is known here, by its number, and not by the time that it bears: numbers come back, a time
    /// does not.
    pub(crate) fn is_another(&self, record: &Record) -> bool {
        record.offset == self.state.room.last_offset() && record.at != self.state.room.ledger().last_at()
    }

    /// Whether the log has lost what is known here of the room: asked by one who follows it, and is told of less.
    pub(crate) async fn has_lost(&self) -> Result<bool, ReadError> {
        let log = self.shared.log.clone().expect("servers share a log");
        let Some((epoch, offset)) = self.stands() else { return Ok(false) };
        let page = log.read(&self.cell.code, Some(epoch), Offset(offset.0.saturating_sub(1)), 1).await?;
        let is_another = page.records.first().is_some_and(|record| self.is_another(record));
        Ok(page.tail.epoch == Some(epoch) && (page.tail.offset < offset || is_another))
    }

    /// Of somebody who had seen what the log has lost: the same, as of one who has seen nothing. Until they
    /// are let in, however often that is decided; after that they name what they were shown since.
    pub(crate) fn without_what_was_lost(&mut self, input: &Input) -> Option<Input> {
        if self.state.misled.is_empty() || !self.state.misled.contains(&input.caller()?.session) {
            return None;
        }
        let mut input = input.clone();
        if let Input::Join { after, .. } | Input::Attach { after, .. } = &mut input {
            *after = None;
        }
        Some(input)
    }

    /// What is known here of the room is not what the log holds, and never will be again: it is read anew when somebody asks. Connections of those
    /// who read here end as a `fault`: they come back, and are shown the room as it is.
    pub(crate) fn fork(&mut self, had: Offset, found: &Tail) {
        tracing::error!(room = %self.tag(), had = had.0, found = found.offset.0, "the log has lost what was acked");
        self.shared.observe(ObserverEvent::Forked { room: &self.cell.code, had, found: found.offset });
        let attached = self.state.room.notes().into_iter().filter_map(|note| match note {
            Note::Attached { session, .. } => Some(session),
            _ => None,
        });
        self.state.misled = attached.chain(self.state.subscribers.keys().copied()).collect();
        self.state.give_up();
        self.state.phase = Phase::Unread(Backoff::default());
        self.state.unnamed = Unnamed::default();
        if let Some(part) = &mut self.state.part {
            (part.fed_by, part.doubt) = (None, Doubt::default());
            part.notes.clear();
            part.unclaimed.clear();
            part.dangling.clear();
            part.begin_anew();
            part.guests.values_mut().for_each(|guest| {
                guest.sessions.clear();
                guest.has_followed = false;
            });
        }
        // Those who follow are to be told, whether anybody asks or not.
        self.shared.enqueue(&self.cell.code, InboxItem::GapView);
    }
}
