//! The follower's half of a room of several servers: what the owner has decided is played here, and what is asked here is asked there.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::domain::{Event, Record, RoomCloseReason};
use crate::engine::parcel::{Attachment, Decided, Feed, Parcel};
use crate::engine::rooms::batch::Batch;
use crate::engine::rooms::from_peer::FromPeer;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::rooms::part::Letter;
use crate::engine::rooms::state::Phase;
use crate::engine::session::subscription::End;
use crate::engine::shared::unavailable;
use crate::engine::work::evict;
use crate::engine::work::load::load_copy;
use crate::engine::work::task::RoomTask;
use crate::engine::work::visit::is_of_somebody;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::{Owner, ReadError, Term};
use crate::room::{Answer, Input, Note, ReadPosition, Room};
use crate::types::{Epoch, Generation, NodeId, Now, Offset, Reject, RejectCode, SessionId};

/// How long an owner has to tell a room afresh, before it is asked once more: its log may be slow, and it may not know that it is the owner.
const FOLLOW_AGAIN: Duration = Duration::from_secs(2);
/// Records read at once where some have not come.
const PAGE: u64 = 256;

impl RoomTask {
    /// Works through what has come in where another server decides.
    pub(crate) async fn follow(&mut self, owner: NodeId, items: VecDeque<InboxItem>) {
        self.yield_to_readers().await;
        self.let_readers_follow().await;
        self.state.has_worked = true;
        if self.cell.take_lost() {
            self.fall_out_of_step();
        }
        for item in items {
            if is_of_somebody(&item) {
                self.state.asked = Some(self.mono());
            }
            self.take_as_follower(owner, item).await;
        }
        self.look_after_letters(owner);
        self.announce();
        evict::keep(&self.shared);
    }

    /// Waits until nobody who reads is about to lose sight of what was published.
    async fn let_readers_follow(&mut self) {
        while self.state.is_far_ahead() {
            self.yield_to_readers().await;
        }
    }

    async fn take_as_follower(&mut self, owner: NodeId, item: InboxItem) {
        match item {
            InboxItem::Peer(peer) => match *peer {
                FromPeer::Fed { from, feed, .. } if self.is_owner(from, Some(feed.term)) => {
                    self.play(owner, feed).await
                }
                FromPeer::Answered { from, ahead, answers } if self.is_owner(from, None) => {
                    self.hear_answers(owner, ahead, answers);
                }
                FromPeer::Link { node, is_up: true } if node == owner => self.ask_to_follow(owner),
                FromPeer::Link { node, is_up: false } if node == owner => self.lose_owner(),
                // Of a server that is no owner, or meant for one, who this is no more.
                _ => {}
            },
            InboxItem::Detach { session, generation } => self.lose_reader(self.now(), session, generation),
            InboxItem::End { by, whole } => {
                // Who reads is ended by the record. Where it cannot be told, the owner finds out by the link.
                let _ = self.shared.send(owner, &Parcel::End { room: self.cell.code.clone(), by, whole });
            }
            InboxItem::Evict(eviction) => self.give_back(eviction),
            InboxItem::Tick => self.state.disarm(),
            // Nothing runs out here.
            InboxItem::Host { input: Input::Elapsed, answer } => {
                let _ = answer.send(Ok(Answer::Nothing));
            }
            item @ (InboxItem::Command { .. } | InboxItem::Enter { .. } | InboxItem::Host { .. }) => {
                self.ask(owner, item);
            }
            // Meant for an owner, who this is no more.
            InboxItem::Asked(asked) => asked.reply.reject(unavailable()),
            // Looked at after the others.
            InboxItem::GapView => {}
        }
    }

    /// Whether this server decides, under this term.
    fn is_owner(&self, node: NodeId, term: Option<u64>) -> bool {
        let stands = self.state.part.as_ref().and_then(|part| part.stands);
        matches!(stands, Some(Owner::Other(owner, Term(now))) if owner == node && term.is_none_or(|term| term == now))
    }

    /// Asks the owner. What was asked waits here under a number.
    fn ask(&mut self, owner: NodeId, item: InboxItem) {
        if self.state.part.as_ref().is_some_and(|part| !part.is_in_step && part.follow_at.is_none()) {
            self.ask_to_follow(owner);
        }
        let number = self.shared.letters.fetch_add(1, Ordering::Relaxed) + 1;
        let limits = &self.shared.limits;
        let until = self.mono().after(limits.engine.owner_timeout);
        let (Some(part), Some(input)) = (&mut self.state.part, item.input()) else { return };
        if item.is_bounded() && part.letters.len() >= limits.room.inbox_max {
            let reject = Reject::new(RejectCode::Busy, "too much waits for the room's owner");
            return self.cell.refuse(item, reject);
        }
        let (room, input) = (self.cell.code.clone(), Box::new(input.clone()));
        // Whoever has asked to is told the room afresh by that.
        let follows = part.is_in_step || part.follow_at.is_some();
        part.letters.insert(number, Letter { until, item });
        if self.shared.send(owner, &Parcel::Ask { room, number, follows, input }).is_err()
            && let Some(Letter { item, .. }) = self.state.part.as_mut().and_then(|part| part.letters.remove(&number))
        {
            self.cell.refuse(item, unavailable());
        }
    }

    /// Plays what the owner has published since. What has not come is read from the log, which has it.
    async fn play(&mut self, owner: NodeId, feed: Feed) {
        self.let_readers_follow().await;
        let Some(part) = &mut self.state.part else { return };
        part.is_in_step |= feed.fresh.is_some();
        if !part.is_in_step {
            return self.play_records(feed);
        }
        if !self.is_ahead_of(&feed)
            && let Err(error) = self.catch_up(feed.epoch, feed.after).await
        {
            self.unread(&error);
            return self.fall_out_of_step();
        }
        let (now, is_fresh, mut begins) = (self.now(), feed.fresh.is_some(), feed.fresh);
        let mut batch = Batch::default();
        let mut notes = feed.notes.into_iter().peekable();
        for record in feed.records {
            // Whom these records put out is who was here before.
            if begins.take_if(|begins| *begins < record.offset).is_some() {
                self.state.room.forget_who_is_here(now);
            }
            while let Some((_, note)) = notes.next_if(|(after, _)| *after < record.offset) {
                self.replay_note(now, note, is_fresh);
            }
            self.tell_decided_here(owner, now, &mut batch);
            self.replay(now, record, &mut batch);
        }
        if begins.is_some() {
            self.state.room.forget_who_is_here(now);
        }
        notes.for_each(|(_, note)| self.replay_note(now, note, is_fresh));
        self.tell_decided_here(owner, now, &mut batch);
        if is_fresh {
            // What they rest on was before, and is not played any more.
            self.tell_decided_late(owner, now, &mut batch);
        }
        self.publish(batch);
        if is_fresh {
            self.look_after_readers();
        }
    }

    /// Out of step, what is noted beside the log is not known any more; records hold all the same where they follow on what is known. They may
    /// be the last of an incarnation, which nobody can read once it is over.
    fn play_records(&mut self, feed: Feed) {
        if feed.epoch.is_none() || !self.is_ahead_of(&feed) {
            return;
        }
        let (now, mut batch) = (self.now(), Batch::default());
        feed.records.into_iter().for_each(|record| self.replay(now, record, &mut batch));
        self.publish(batch);
    }

    /// The room was told afresh: whoever reads here is in it, as far as the owner knows, or reads no more. Where the owner does not know of one
    /// who is, it is told once more.
    fn look_after_readers(&mut self) {
        let again = self.mono().after(FOLLOW_AGAIN);
        let head = self.state.feed().map(|feed| feed.backlog.head());
        let room = &self.state.room;
        let Some(part) = &mut self.state.part else { return };
        part.follow_at = None;
        let Some(head) = head else { return };
        self.state.subscribers.retain(|session, reader| {
            let stay = room.member(reader.subscription.member).filter(|stay| reader.subscription.is_of(stay));
            match stay {
                Some(stay) if room.sessions_of(stay.id).contains(session) => {}
                Some(_) => {
                    part.follow_at = Some(again);
                    part.dangling.push(*session);
                }
                None => {
                    reader.end(head, End::Quiet);
                    reader.connection.wake.wake();
                }
            }
            stay.is_some()
        });
    }

    /// Where the copy stands: in which incarnation, and after which record.
    fn stands(&self) -> Option<(Epoch, Offset)> {
        self.state.feed().map(|feed| (feed.epoch, self.state.room.last_offset()))
    }

    /// Whether everything is known here that these records follow on.
    fn is_ahead_of(&self, feed: &Feed) -> bool {
        match (self.stands(), feed.epoch) {
            (None, None) => matches!(self.state.phase, Phase::NoRoom),
            (Some((epoch, offset)), Some(theirs)) => epoch == theirs && offset >= feed.after,
            // It begins with these records, and was read from the log meanwhile.
            (Some((epoch, _)), None) => feed.records.first().is_some_and(|record| begins(record, epoch)),
            (None, Some(_)) => false,
        }
    }

    /// Brings the copy to this record of this incarnation, and no further, or to where there is no room: what was decided there is told as of
    /// there.
    async fn catch_up(&mut self, epoch: Option<Epoch>, after: Offset) -> Result<(), ReadError> {
        let log = self.shared.log.clone().expect("servers share a log");
        let Some(epoch) = epoch else {
            self.state.end_incarnation(RoomCloseReason::Host);
            self.install(None);
            return Ok(());
        };
        let moved_on = || ReadError::Unavailable("the room has moved on".into());
        if self.stands().is_none_or(|(ours, _)| ours != epoch) {
            let loaded = load_copy(&*log, &self.cell.code, &self.shared.limits.room, epoch, after).await?;
            self.state.end_incarnation(RoomCloseReason::Host);
            self.install(Some(loaded));
            return Ok(());
        }
        while let Some((_, offset)) = self.stands().filter(|(_, offset)| *offset < after) {
            self.let_readers_follow().await;
            // No more at once than readers can follow: a quarter of what is kept for them.
            let most = (self.shared.limits.room.backlog_events_max as u64 / 4).clamp(1, PAGE);
            let missing = (after.0 - offset.0).min(most);
            let page = log.read(&self.cell.code, Some(epoch), offset, missing as usize).await?;
            if page.records.first().is_none_or(|first| first.offset != offset.next()) {
                // It is over, or the log has let go of them.
                return Err(moved_on());
            }
            let (now, mut batch) = (self.now(), Batch::default());
            page.records.into_iter().for_each(|record| self.replay(now, record, &mut batch));
            self.publish(batch);
        }
        Ok(())
    }

    /// Plays a record that is not known yet.
    fn replay(&mut self, now: Now, record: Record, batch: &mut Batch) {
        let is_known = self.stands().is_some_and(|(epoch, offset)| {
            record.offset <= offset && !matches!(record.event, Event::Created { epoch: theirs, .. } if theirs != epoch)
        });
        if is_known {
            return;
        }
        #[cfg(feature = "fault_injection")]
        let record = fault_injection::misread(record);
        if let Event::Settled { through, .. } = record.event {
            let frozen = self.state.room.ledger().owed_freezes().filter(|owed| owed.change <= through);
            batch.settled.extend(frozen.map(|owed| owed.target));
        }
        self.apply(now, record, batch);
    }

    /// Notes what the owner has noted. What is told afresh is nothing new: whoever comes in here is told how far they have read.
    fn replay_note(&mut self, now: Now, note: Note, is_afresh: bool) {
        let Note::Read { member, through } = note else {
            self.note_reader(&note);
            return self.state.room.note(now, note);
        };
        let scope = self.state.room.member(member).map(|member| member.scope.clone());
        let read = |room: &Room| scope.as_ref().and_then(|scope| room.read_position(scope));
        let before = read(&self.state.room);
        self.state.room.note(now, note);
        let is_news = |now: &ReadPosition| !is_afresh && before.is_none_or(|before| before.through < now.through);
        let Some(position) = read(&self.state.room).filter(is_news) else { return };
        // Who has read that on this server is answered.
        let letters = self.state.part.iter().flat_map(|part| part.letters.values());
        let mut readers = letters.filter_map(|letter| match letter.item.input() {
            Some(Input::Read { by, through: theirs }) if *theirs == through => Some(by.session),
            _ => None,
        });
        let sessions = self.state.room.sessions_of(member);
        let reader = readers.find(|session| sessions.contains(session));
        self.tell_sessions(member, reader, position);
    }

    /// Keeps in mind who reads here and is not attached any more, as far as the owner knows: they are ended with their membership.
    fn note_reader(&mut self, note: &Note) {
        let Some(part) = &mut self.state.part else { return };
        match note {
            Note::Detached { session, generation } => {
                let reader = self.state.subscribers.get(session);
                if reader.is_some_and(|reader| reader.connection.generation <= *generation) {
                    part.dangling.push(*session);
                }
            }
            Note::Attached { session, generation, .. } => {
                part.dangling.retain(|dangling| dangling != session);
                self.shared.close_older(*session, *generation);
            }
            _ => {}
        }
    }

    /// The owner has decided what was asked here.
    fn hear_answers(&mut self, owner: NodeId, ahead: bool, answers: Vec<Decided>) {
        #[cfg(feature = "fault_injection")]
        let ahead = ahead && !fault_injection::is(Bug::AnswerAhead);
        let Some(part) = &mut self.state.part else { return };
        // What nobody waits for any more is not kept.
        part.decided.extend(answers.into_iter().filter(|decided| part.letters.contains_key(&decided.number)));
        if !ahead && !part.is_in_step {
            // What the owner has refused without a look at the room rests on nothing.
            let is_refused = |decided: &Decided| decided.epoch.is_none() && decided.verdict.is_err();
            let (refused, rest): (VecDeque<_>, VecDeque<_>) = part.decided.drain(..).partition(is_refused);
            part.decided = rest;
            let (now, mut batch) = (self.now(), Batch::default());
            refused.into_iter().for_each(|decided| self.tell_decided_of(owner, now, decided, false, &mut batch));
            self.publish(batch);
        } else if part.is_in_step && !ahead {
            let (now, mut batch) = (self.now(), Batch::default());
            self.tell_decided_here(owner, now, &mut batch);
            self.publish(batch);
        }
    }

    /// Tells what was decided at the record up to which the copy has come, or rests on no record.
    fn tell_decided_here(&mut self, owner: NodeId, now: Now, batch: &mut Batch) {
        loop {
            let here = (self.state.phase_epoch(), self.at(batch));
            let Some(part) = &mut self.state.part else { return };
            let is_due = |decided: &&Decided| match decided.epoch {
                None => decided.verdict.is_err() || here.0.is_none(),
                Some(_) => decided.epoch == here.0 && decided.after <= here.1,
            };
            if part.decided.front().filter(is_due).is_none() {
                return;
            }
            if let Some(decided) = part.decided.pop_front() {
                let is_past = decided.epoch.is_some() && decided.after < here.1;
                self.tell_decided_of(owner, now, decided, is_past, batch);
            }
        }
    }

    /// Tells what was decided at records that are not played any more.
    fn tell_decided_late(&mut self, owner: NodeId, now: Now, batch: &mut Batch) {
        while let Some(decided) = self.state.part.as_mut().and_then(|part| part.decided.pop_front()) {
            self.tell_decided_of(owner, now, decided, true, batch);
        }
    }

    /// The last record that is played.
    fn at(&self, batch: &Batch) -> Offset {
        batch.records.last().map_or(self.state.room.last_offset(), |last| last.offset)
    }

    fn tell_decided_of(&mut self, owner: NodeId, now: Now, decided: Decided, is_past: bool, batch: &mut Batch) {
        let letter = self.state.part.as_mut().and_then(|part| part.letters.remove(&decided.number));
        let Some(Letter { item, .. }) = letter else { return };
        let mut verdict = decided.verdict;
        let is_shown = matches!(
            &verdict,
            Ok(Answer::History(_) | Answer::Changes(_) | Answer::Members { .. } | Answer::Bans { .. })
        );
        if is_shown && decided.epoch != self.state.phase_epoch() {
            // Its numbers are of another life.
            verdict = Err(unavailable());
        }
        if let Ok(Answer::Entered(entered)) = &verdict
            && (is_past || self.state.feed().is_none() || self.state.room.member(entered.member).is_none())
        {
            // What the room was when they came in is not known any more: they come in again.
            if let Some(by) = item.input().and_then(Input::caller) {
                self.tell_lost(owner, by.session, by.generation);
            }
            verdict = Err(unavailable());
        }
        self.conclude(now, item, verdict, batch);
    }

    /// Nothing that the owner tells follows on what is known here, until it tells all anew.
    fn fall_out_of_step(&mut self) {
        let at = self.mono().after(self.shared.limits.room.gap_view_interval);
        if let Some(part) = &mut self.state.part {
            (part.is_in_step, part.follow_at) = (false, Some(at));
        }
    }

    /// The link to the owner is down: what was asked is not answered any more.
    pub(crate) fn lose_owner(&mut self) {
        let Some(part) = &mut self.state.part else { return };
        (part.is_in_step, part.follow_at) = (false, None);
        part.take_letters().into_iter().for_each(|item| self.cell.refuse(item, unavailable()));
    }

    /// Says who is attached here, and is told the room afresh.
    pub(crate) fn ask_to_follow(&mut self, owner: NodeId) {
        let attached = self.state.subscribers.iter().map(|(session, reader)| Attachment {
            session: *session,
            generation: reader.connection.generation,
            member: reader.subscription.member,
            begun: reader.subscription.begun,
            network: reader.connection.network,
        });
        let letters = self.state.part.iter().flat_map(|part| part.letters.values());
        let entering = letters.filter_map(|letter| letter.item.input().filter(|input| input.is_entry())?.caller());
        let awaited = entering.map(|by| (by.session, by.generation)).collect();
        let (room, epoch) = (self.cell.code.clone(), self.state.phase_epoch());
        let follow = Parcel::Follow { room, epoch, attached: attached.collect(), awaited };
        let is_sent = self.shared.send(owner, &follow).is_ok();
        let again = self.mono().after(FOLLOW_AGAIN);
        if let Some(part) = &mut self.state.part {
            // Where the link is down, it is asked once it is up.
            (part.is_in_step, part.follow_at) = (false, is_sent.then_some(again));
        }
    }

    /// What has waited too long is refused; and where the copy is out of step, it is asked for again.
    fn look_after_letters(&mut self, owner: NodeId) {
        let now = self.mono();
        let Some(part) = &mut self.state.part else { return };
        let overdue = part.overdue(now);
        // Something was lost on the way, there or back: whoever has come in by it is not here.
        let is_lost = !overdue.is_empty() || part.follow_at.is_some_and(|at| at <= now);
        overdue.into_iter().for_each(|item| self.cell.refuse(item, unavailable()));
        if is_lost {
            self.ask_to_follow(owner);
        }
    }

    /// A session has lost its connection, here: whoever decides is to know.
    pub(crate) fn lose_reader(&mut self, now: Now, session: SessionId, generation: Generation) {
        match self.state.part.as_ref().filter(|part| part.decides().is_none()).map(|part| part.follows()) {
            None => self.state.forget_reader(now, session, generation),
            Some(owner) => {
                if self.state.subscribers.get(&session).is_some_and(|of| of.connection.generation <= generation) {
                    self.state.subscribers.remove(&session);
                }
                owner.into_iter().for_each(|owner| self.tell_lost(owner, session, generation));
            }
        }
    }

    fn tell_lost(&self, owner: NodeId, session: SessionId, generation: Generation) {
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::ForgetFollowersDetach) {
            return;
        }
        // Where it cannot be told, the owner finds out by the link.
        let _ = self.shared.send(owner, &Parcel::Detach { room: self.cell.code.clone(), session, generation });
    }
}

/// Whether this incarnation begins with the record.
fn begins(record: &Record, epoch: Epoch) -> bool {
    matches!(record.event, Event::Created { epoch: begun, .. } if begun == epoch)
}
