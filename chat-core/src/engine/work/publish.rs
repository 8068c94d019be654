//! Makes a batch known that the log has: to the readers, to whoever asked, to the observer.

use std::sync::Arc;

use crate::domain::Event;
use crate::engine::feed::overlay::Change;
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::rooms::batch::{Batch, Outcome};
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::session::subscription::Subscriber;
use crate::engine::work::answer::{self, Stray};
use crate::engine::work::task::RoomTask;
use crate::ports::{ObserverEvent, Tail};
use crate::seldom::Seldom;
use crate::types::{Now, Seq};

impl RoomTask {
    /// Publishes a batch, answers whoever asked, and takes up what is owed for it.
    pub(crate) fn publish(&mut self, mut batch: Batch) {
        self.end_live();
        self.tell_all(&mut batch);
        self.tell_guests(&mut batch);
        let feed = self.feed();
        for (item, outcome) in batch.outcomes.drain(..) {
            if let (InboxItem::Enter { request, .. }, Outcome::Entered(_)) = (&item, &outcome) {
                self.state.misled.remove(&request.cell().id);
                self.state.has_let_in = true;
            }
            if let Some(stray) = answer::deliver(&self.shared, &self.cell.code, feed.as_ref(), item, outcome) {
                self.forget_stray(self.now(), stray);
            }
        }
        self.tell_readers(&mut batch);
        let Some(feed) = feed.filter(|_| !batch.records.is_empty()) else { return };
        let is_logged = self.shared.log.is_some();
        if batch.closed.is_some() {
            self.state.vacate();
            self.shared.ended.note(&feed);
            self.state.tail = Tail::default();
            if self.state.follows() {
                return;
            }
            match is_logged {
                true => self.state.debts.make().note_over(feed.epoch),
                // The numbers mean other messages in the next incarnation.
                false => self.state.debts = Seldom::default(),
            }
        } else if self.state.follows() {
            self.settle_copy(&feed, &batch);
            // Whoever decides next stores a snapshot in time.
            self.state.debts.make().note(batch.records.len());
        } else if !is_logged {
            // There is nothing to be amended.
            if self.state.room.ledger().first_owed().is_some() {
                let freezes = self.state.debts.freezes(self.state.room.ledger());
                let freezes: Vec<Seq> = freezes.map(|owed| owed.target).collect();
                self.frozen(&feed, &freezes);
                self.state.debts.make().amended(self.state.room.head());
            }
            if self.state.room.ledger().owed_erasures().next().is_some() {
                self.state.debts.make().scrubbed(self.state.room.last_offset());
            }
        } else {
            self.state.debts.make().note(batch.records.len());
            if batch.records.iter().any(|record| matches!(record.event, Event::Scrubbed { .. })) {
                // What is stored knows by hash who was erased.
                self.state.debts.make().store_soon();
            }
            self.note_freezes();
        }
    }

    /// What the owner has made the log do, as the records say: whoever pages reads it there.
    fn settle_copy(&self, feed: &RoomFeed, batch: &Batch) {
        for record in &batch.records {
            match record.event {
                Event::Settled { through, .. } => feed.overlay.amended(through),
                Event::Scrubbed { through } => feed.overlay.scrubbed(through),
                _ => {}
            }
        }
        let settled: Vec<Seq> = batch.settled.iter().map(|(message, _)| *message).collect();
        self.frozen(feed, &settled);
    }

    /// Makes a batch known: the log has it.
    fn tell_all(&mut self, batch: &mut Batch) {
        if batch.records.is_empty() {
            return;
        }
        let feed = Arc::clone(self.state.feed().expect("records belong to a feed"));
        self.note_nicks(batch);
        for (_, reader, until, end) in &*batch.ends {
            reader.end(*until, *end);
        }
        if let Some(cause) = batch.closed {
            let _ = feed.closed.set(cause);
        }
        // Before what is changed: what is taken back loses its reactions; and that before the segments: whoever has heard that a message was
        // changed is not shown what it said before.
        self.show_reactions(&feed, batch);
        feed.overlay.add(&batch.changes);
        if let Some(segment) = batch.segments.first() {
            feed.probe.publish(Seq(segment.first()), self.shared.counters.time());
        }
        for segment in batch.segments.drain(..) {
            self.state.fanout.note(segment.size());
            feed.backlog.publish(segment);
        }
        // After the segments: a message may be changed in the batch that says it.
        batch.changes.iter().for_each(|change| feed.backlog.amend(change));
        if batch.changes.iter().any(|change| matches!(change, Change::Erase(_))) {
            self.let_go_of_view(&feed);
        }
        // Without a log there is nothing else to be amended. Not before: a page that is begun in between has what was there before.
        if let Some(last) = batch.changes.last().filter(|_| !feed.is_logged) {
            feed.overlay.amended(last.seq());
            feed.overlay.scrubbed(self.state.room.last_offset());
        }
        self.state.kicked.retain(|kicked| !batch.back.contains(kicked));
        for scope in batch.kicked.drain(..) {
            if self.state.kicked.len() >= self.shared.limits.room.bans_max {
                self.state.kicked.pop_front();
            }
            self.state.kicked.push_back(scope);
        }
        self.shared.tell_feeds();
        // Where there are several servers, the owner's observer is told, once.
        let is_told = !self.state.follows();
        #[cfg(feature = "fault_injection")]
        let is_told = is_told || crate::fault_injection::is(crate::fault_injection::Bug::PublishFollowed);
        for record in batch.records.iter().filter(|_| is_told) {
            self.shared.observe(ObserverEvent::Published { room: &self.cell.code, epoch: feed.epoch, record });
            #[cfg(feature = "fault_injection")]
            crate::fault_injection::trip(record);
        }
    }

    /// Under which names members are shown from now on, those among them too whose stay ends with this batch. Not before the log has it: a
    /// stay that ends otherwise ends under the name before.
    fn note_nicks(&self, batch: &Batch) {
        for record in &batch.records {
            let Event::MemberChanged { member, nick: Some(nick), .. } = &record.event else { continue };
            let sessions = self.state.room.sessions_of(*member).into_iter();
            let readers = sessions.filter_map(|session| self.state.subscribers.get(&session));
            let ending = batch.ends.iter().filter(|(_, _, until, _)| record.seq.is_some_and(|seq| seq <= *until));
            for Subscriber { subscription, .. } in readers.chain(ending.map(|(_, reader, ..)| reader)) {
                // A later stay begins under a name of its own.
                if subscription.member == *member && subscription.begun < record.offset {
                    subscription.note_nick(nick);
                }
            }
        }
    }

    /// Sees to it that everybody is woken for whom the batch brought something. After the answers: who asked stands before the
    /// others in the runtime's queue, and has the next command here while they are still being served.
    fn tell_readers(&mut self, batch: &mut Batch) {
        // A quiet record brings nobody anything: in a big room each join would wake all.
        if batch.records.iter().any(|record| record.seq.is_some()) {
            self.state.fanout.begin();
        }
        for (_, reader, ..) in batch.ends.drain(..) {
            reader.connection.wake.wake();
        }
    }

    /// Lets somebody go who was let in, and was not there any more when they were to be told. A later join of theirs stays.
    fn forget_stray(&mut self, now: Now, stray: Stray) {
        let Stray { session, generation, subscription } = stray;
        let reader = self.state.subscribers.get(&session);
        if reader.is_none_or(|reader| Arc::ptr_eq(&reader.subscription, &subscription)) {
            self.lose_reader(now, session, generation);
        }
    }
}
