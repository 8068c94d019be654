//! Reactions are shown to readers, and those of a message that takes no more are written into its record.

use std::time::Duration;

use crate::domain::{Amend, Event, Reaction};
use crate::engine::feed::overlay::Change;
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::rooms::batch::Batch;
use crate::engine::work::task::RoomTask;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::{AppendError, Log, ReadError};
use crate::room::{Ledger, OwedFreeze, Room};
use crate::types::Seq;
use crate::wire;

/// How long messages that take no more wait for others to be written with. 5 s: nothing hangs on it, and a busy room would write for each message
/// that is said.
const FREEZE_AFTER: Duration = Duration::from_secs(5);
/// So many do not wait. 256: what one transaction takes anyway. No limit: how many messages have reactions is one
/// ([`reactable_max`](crate::RoomLimits::reactable_max)), and this says when they are written.
const TOGETHER: usize = 256;

impl RoomTask {
    /// Before a batch is published: its readers are shown what it makes of the reactions.
    pub(crate) fn show_reactions(&self, feed: &RoomFeed, batch: &Batch) {
        let reacted = batch.records.iter().filter_map(|record| match &record.event {
            Event::Reacted { target, .. } => Some(*target),
            _ => None,
        });
        let mut messages: Vec<Seq> = reacted.collect();
        for change in &batch.changes {
            match change {
                Change::TakeBack { target, .. } => messages.push(*target),
                Change::Sweep(_) => messages.extend(feed.reactions.messages()),
                // Whatever a message says, it has been reacted to with the same.
                Change::Edit { .. } | Change::Erase(_) => {}
            }
        }
        messages.sort_unstable();
        messages.dedup();
        let room = &self.state.room;
        for message in messages {
            // The ledger has let go of what it takes for written: a copy shows it on, until the backlog has it.
            let settled = batch.settled.iter().find(|(settled, _)| *settled == message);
            match settled.filter(|_| !room.ledger().is_taken_back(message)) {
                Some((_, reactions)) => feed.reactions.set(message, reactions),
                None => feed.reactions.set(message, &room.reactions_to(message)),
            }
        }
    }

    /// Writes what messages have been reacted to with into their records, of those that took no more up to this change. All at once: they have
    /// no more reactions than a room keeps.
    pub(crate) async fn write_freezes(&mut self, log: &dyn Log, through: Seq) -> Result<(), AppendError> {
        let Some(feed) = self.feed() else { return Ok(()) };
        let mut amends = Vec::new();
        let messages = self.freezes_through(through, &mut amends);
        let Some(last) = amends.last().map(|amend: &Amend| amend.change) else { return Ok(()) };
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::ForgetFreeze) {
            amends.clear();
        }
        if !amends.is_empty() {
            log.amend(&feed.code, feed.epoch, &amends).await?;
        }
        self.frozen(&feed, &messages);
        self.state.debts.make().amended(last);
        Ok(())
    }

    /// Adds what the log is asked to write for the messages that took no more up to this change, and says which they are.
    pub(crate) fn freezes_through(&self, through: Seq, amends: &mut Vec<Amend>) -> Vec<Seq> {
        let (room, debts) = (&self.state.room, &self.state.debts);
        let owed = debts.freezes(room.ledger()).take_while(|owed| owed.change <= through);
        let amend = |OwedFreeze { target, change }| {
            amends.push(Amend::freeze(target, change, room.reactions_to(target)));
            target
        };
        owed.map(amend).collect()
    }

    /// Sees to it that those are written that a batch leaves owed: soon, and together.
    pub(crate) fn note_freezes(&mut self) {
        let (is_any, are_many) = {
            let mut owed = self.state.debts.freezes(self.state.room.ledger());
            (owed.next().is_some(), owed.nth(TOGETHER - 2).is_some())
        };
        if is_any {
            let now = self.mono();
            self.state.debts.make().note_freeze(if are_many { now } else { now.after(FREEZE_AFTER) });
        }
    }

    /// The records of these messages have their reactions, or nothing has records: the backlog is given them, and nobody looks elsewhere.
    pub(crate) fn frozen(&self, feed: &RoomFeed, messages: &[Seq]) {
        let list = |message: &Seq| Some((*message, feed.reactions.list(*message)?));
        let mut lists: Vec<_> = messages.iter().filter_map(list).collect();
        lists.sort_unstable_by_key(|(message, _)| *message);
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::ForgetFreeze) {
            lists.clear();
        }
        feed.backlog.freeze(&lists);
        messages.iter().for_each(|message| feed.reactions.freeze(*message));
    }

    /// All that an incarnation has been reacted to with, as far as its records may lack it. For one that was just read.
    pub(crate) fn show_all_reactions(&self, feed: &RoomFeed) {
        let (room, debts) = (&self.state.room, &self.state.debts);
        let of_records: Vec<Seq> = room.ledger().owed_freezes().map(|owed| owed.target).collect();
        let owed: Vec<Seq> = debts.freezes(room.ledger()).map(|owed| owed.target).collect();
        let lacks = |message: &Seq| !of_records.contains(message) || owed.contains(message);
        show(feed, room, room.ledger().reacted().filter(lacks));
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::CountReactionsTwice) {
            for message in feed.reactions.messages() {
                let mut twice = room.reactions_to(message);
                twice.iter_mut().for_each(|reaction| reaction.count *= 2);
                feed.reactions.set(message, &twice);
            }
        }
    }
}

fn show(feed: &RoomFeed, room: &Room, messages: impl Iterator<Item = Seq>) {
    messages.for_each(|message| feed.reactions.set(message, &room.reactions_to(message)));
}

/// After a log that others have written was read again: what is shown here to have reactions and has none any more that the ledger knows, each
/// with what its record has. Others have written them there, or taken back the message, or its last reaction.
pub(crate) async fn known_by_records_alone(
    log: &dyn Log,
    feed: &RoomFeed,
    ledger: &Ledger,
) -> Result<Vec<(Seq, Vec<Reaction>)>, ReadError> {
    let still: Vec<Seq> = ledger.reacted().collect();
    let mut known = Vec::new();
    for message in feed.reactions.messages().into_iter().filter(|message| !still.contains(message)) {
        let mut reactions = Vec::new();
        if ledger.has_closed_reactions(message) && !ledger.is_taken_back(message) {
            let rows = log.messages(&feed.code, feed.epoch, message.next(), 1).await?;
            let row = rows.last().filter(|row| row.seq == Some(message));
            reactions = row.map_or_else(Vec::new, |row| row.event.frozen_reactions().to_vec());
        }
        known.push((message, reactions));
    }
    Ok(known)
}

/// Shows of these messages what their records have.
pub(crate) fn leave_to_records(feed: &RoomFeed, known: &[(Seq, Vec<Reaction>)]) {
    for (message, reactions) in known {
        if reactions.is_empty() {
            feed.reactions.set(*message, &[]);
        } else {
            feed.backlog.freeze(&[(*message, wire::reaction_list(reactions).into())]);
            feed.reactions.freeze(*message);
        }
    }
}
