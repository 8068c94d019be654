//! A room that another server decides from now on, or this one: what is known of it here stays, and so does everybody who reads it.

use std::sync::atomic::Ordering;

use crate::domain::RoomCloseReason;
use crate::engine::rooms::backoff::Backoff;
use crate::engine::rooms::batch::Batch;
use crate::engine::rooms::doubt::Doubt;
use crate::engine::rooms::state::Phase;
use crate::engine::rooms::unnamed::Unnamed;
use crate::engine::session::subscription::End;
use crate::engine::work::guests::DOWN_MAX;
use crate::engine::work::play::PAGE;
use crate::engine::work::task::RoomTask;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::{ReadError, Term};
use crate::room::Note;
use crate::types::{CloseReason, Generation, Now, Offset};

impl RoomTask {
    /// This server decides from now on, under this term: the copy that is here is brought to where the log ends, and then it is the room. `false`
    /// where the log cannot say that now, or the room is another's by then.
    pub(crate) async fn take_over(&mut self, term: Term) -> bool {
        let began = self.mono();
        if self.state.part.as_ref().is_some_and(|part| began < part.pause.until()) {
            return false;
        }
        if let Err(error) = Box::pin(self.read_on()).await {
            self.unread(&error);
            let failed = self.mono();
            self.state.part.get_or_insert_default().pause.failed(failed);
            return false;
        }
        let is_still = self.is_as_it_was();
        if is_still {
            self.begin_to_decide(term);
        }
        is_still
    }

    /// Brings what is known of the room to where the log ends. Where that has another life by now, or none, nothing is known any more.
    async fn read_on(&mut self) -> Result<(), ReadError> {
        let log = self.shared.log.clone().expect("servers share a log");
        while let Some((epoch, offset)) = self.stands() {
            self.let_readers_follow().await;
            // With the last that is known: it may be another.
            let before = Offset(offset.0.saturating_sub(1));
            let mut page = log.read(&self.cell.code, Some(epoch), before, self.page_max() + 1).await?;
            if page.tail.epoch != Some(epoch) {
                self.state.end_incarnation(RoomCloseReason::Host);
                break;
            }
            let is_another = page.records.first().is_some_and(|record| self.is_another(record));
            if page.tail.offset < offset || is_another {
                // Members have seen more of this incarnation than it holds.
                let now = self.mono();
                if !is_another && !self.state.part.get_or_insert_default().doubt.grows(now) {
                    return Err(ReadError::Unavailable(format!("ends at {:?}, before {offset:?}", page.tail)));
                }
                self.fork(offset, &page.tail);
                return Ok(());
            }
            page.records.retain(|record| record.offset > offset);
            match page.records.first() {
                None if page.tail.offset == offset => {
                    self.state.tail = page.tail;
                    return Ok(());
                }
                Some(first) if first.offset == offset.next() => {
                    let (now, mut batch) = (self.now(), Batch::default());
                    page.records.into_iter().for_each(|record| self.replay(now, record, &mut batch));
                    self.publish(batch);
                }
                // The log has let go of them.
                _ => match self.load_again(&*log).await? {
                    (Some(loaded), written) if loaded.ledger.epoch() == Some(epoch) => {
                        self.leap(loaded, &written).await
                    }
                    _ => {
                        self.state.end_incarnation(RoomCloseReason::Host);
                        break;
                    }
                },
            }
        }
        if !matches!(self.state.phase, Phase::Unread(_)) {
            // An incarnation that is over may still be in the way of the next.
            self.state.phase = Phase::Unread(Backoff::default());
        }
        Ok(())
    }

    /// How many records are read at once: no more than readers can follow, a quarter of what is kept for them.
    pub(crate) fn page_max(&self) -> usize {
        (self.shared.limits.room.backlog_events_max / 4).clamp(1, PAGE)
    }

    /// The copy is the room from now on. Who is attached elsewhere is said by the servers that follow, soon; nobody else is here but those who
    /// read here.
    fn begin_to_decide(&mut self, term: Term) {
        let now = self.now();
        self.shared.counters.takeovers.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(room = %self.tag(), term = term.0, "a room is decided here from now on");
        self.attach_readers(now);
        let attached = self.state.room.notes().into_iter().filter_map(|note| match note {
            Note::Attached { session, generation, .. } => Some((session, generation)),
            _ => None,
        });
        let elsewhere = attached.filter(|(session, _)| !self.state.subscribers.contains_key(session)).collect();
        let part = self.state.part.get_or_insert_default();
        (part.own, part.pause) = (Some(term), Backoff::default());
        part.doubt = Doubt::default();
        #[cfg(feature = "fault_injection")]
        {
            part.has_decided = true;
        }
        (part.fed_by, part.follow_at, part.silent_since) = (None, None, None);
        part.guests.clear();
        part.notes.clear();
        (part.unclaimed, part.claimed_until) = (elsewhere, now.mono.after(DOWN_MAX));
        if self.state.feed().is_none() {
            return;
        }
        self.state.debts.make().change_hands();
        if !self.state.room.read_positions().is_empty() {
            // Who decided before may not have come to it.
            self.state.debts.make().note_read(now.mono.after(self.shared.limits.room.reads_interval));
        }
        // Nobody could come back meanwhile.
        #[cfg(feature = "fault_injection")]
        let is_noted = !fault_injection::is(Bug::ForgetFreshGrace);
        #[cfg(not(feature = "fault_injection"))]
        let is_noted = true;
        if is_noted {
            self.state.note(now, Note::Recovered);
        }
        let mut batch = Batch::default();
        self.tell_decided_late(now, &mut batch);
        self.publish(batch);
    }

    /// Whoever reads here is attached, as far as they are still in the room and have no newer connection elsewhere.
    fn attach_readers(&mut self, now: Now) {
        let Some(head) = self.state.feed().map(|feed| feed.backlog.head()) else { return };
        let (room, mut attached, mut ended) = (&self.state.room, Vec::new(), Vec::new());
        self.state.subscribers.retain(|session, reader| {
            let generation = reader.connection.generation;
            let stay = room.member(reader.subscription.member).filter(|stay| reader.subscription.is_of(stay));
            let Some(stay) = stay else {
                reader.end(head, End::Quiet);
                reader.connection.wake.wake();
                return false;
            };
            let newer = room.generation_of(*session).filter(|newest| *newest > generation);
            match newer {
                None => {
                    let (session, member, network) = (*session, stay.id, reader.connection.network);
                    attached.push(Note::Attached { session, generation, member, network });
                }
                // It is ended, and still to be told so.
                Some(Generation::END) => ended.push(*session),
                Some(_) => reader.connection.close(CloseReason::Replaced),
            }
            newer.is_none_or(|newer| newer == Generation::END)
        });
        if let Some(part) = &mut self.state.part {
            part.dangling = ended.into_iter().collect();
        }
        attached.into_iter().for_each(|note| self.state.note(now, note));
    }

    /// Another server decides, or did in between: what is here is a copy from now on. Everything that was decided here has been published.
    pub(crate) fn become_copy(&mut self) {
        tracing::debug!(room = %self.tag(), "a room is decided elsewhere from now on");
        let part = self.state.part.get_or_insert_default();
        // What a log seemed to have lost then says nothing of what it says when the room comes back.
        (part.own, part.doubt) = (None, Doubt::default());
        part.guests.clear();
        part.notes.clear();
        part.unclaimed.clear();
        part.fed_by = None;
        self.state.debts.make().change_hands();
        self.state.unnamed = Unnamed::default();
    }
}
