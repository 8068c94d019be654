//! What the owner of a room has told is played at a server that follows it: in its order, and from the log where something has not come.

use std::collections::VecDeque;

use crate::domain::{Event, Record, RoomCloseReason};
use crate::engine::parcel::{Decided, Feed};
use crate::engine::rooms::backoff::Backoff;
use crate::engine::rooms::batch::Batch;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::rooms::part::Letter;
use crate::engine::rooms::state::Phase;
use crate::engine::session::subscription::End;
use crate::engine::shared::unavailable;
use crate::engine::work::follow::FOLLOW_AGAIN;
use crate::engine::work::freeze::known_by_records_alone;
use crate::engine::work::load::load_copy;
use crate::engine::work::task::RoomTask;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::{Owner, ReadError, Tail, Term};
use crate::room::{Answer, Input, Note, ReadPosition, Room};
use crate::types::{Epoch, MemberId, NodeId, Now, Offset, SessionId};

/// Records read at once where some have not come.
pub(crate) const PAGE: usize = 256;

impl RoomTask {
    /// Plays what the owner has published since. What has not come is read from the log, which has it.
    pub(crate) async fn play(&mut self, from: NodeId, feed: Feed) {
        self.let_readers_follow().await;
        let Some(part) = &mut self.state.part else { return };
        let source = (from, Term(feed.term));
        let is_of_owner = part.stands == Some(Owner::Other(source.0, source.1));
        if feed.fresh.is_some() && is_of_owner {
            (part.fed_by, part.silent_since) = (Some(source), None);
        }
        if part.fed_by != Some(source) {
            if is_of_owner {
                self.play_records(feed);
            }
            return;
        }
        if feed.fresh.is_some() && self.is_past(&feed) {
            // The owner reads on from where the log ends; so would this server.
            match self.has_lost().await {
                Ok(true) => self.fork_from(&feed),
                Ok(false) => {}
                Err(error) => {
                    self.unread(&error);
                    return self.fall_out_of_step();
                }
            }
        }
        if !self.is_ahead_of(&feed) {
            if let Err(error) = self.catch_up(feed.epoch, feed.after).await {
                self.unread(&error);
                return self.fall_out_of_step();
            }
            self.let_readers_follow().await;
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
            self.tell_decided_here(now, &mut batch);
            self.replay(now, record, &mut batch);
        }
        if begins.is_some() {
            self.state.room.forget_who_is_here(now);
        }
        notes.for_each(|(_, note)| self.replay_note(now, note, is_fresh));
        self.tell_decided_here(now, &mut batch);
        if is_fresh {
            // What they rest on was before, and is not played any more.
            self.tell_decided_late(now, &mut batch);
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
        let now = self.mono();
        let again = now.after(FOLLOW_AGAIN);
        let head = self.state.feed().map(|feed| feed.backlog.head());
        let room = &self.state.room;
        let Some(part) = &mut self.state.part else { return };
        // Who has just come in is said at once.
        let is_unsaid = part.is_unsaid;
        part.follow_at = part.follow_at.filter(|at| *at <= now || is_unsaid);
        let Some(head) = head else { return };
        self.state.subscribers.retain(|session, reader| {
            let stay = room.member(reader.subscription.member).filter(|stay| reader.subscription.is_of(stay));
            match stay {
                Some(stay) if room.sessions_of(stay.id).contains(session) => {}
                Some(_) => {
                    part.follow_at.get_or_insert(again);
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
    pub(crate) fn stands(&self) -> Option<(Epoch, Offset)> {
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

    /// Whether more is known here of the same incarnation than the owner has told, all of which is in the log.
    fn is_past(&self, feed: &Feed) -> bool {
        let end = Offset(feed.after.0 + feed.records.len() as u64);
        self.stands().is_some_and(|(epoch, offset)| Some(epoch) == feed.epoch && offset > end)
    }

    fn fork_from(&mut self, feed: &Feed) {
        let (had, offset) = (self.state.room.last_offset(), Offset(feed.after.0 + feed.records.len() as u64));
        let fed_by = self.state.part.as_ref().and_then(|part| part.fed_by);
        self.fork(had, &Tail { offset, ..Tail::default() });
        if let Some(part) = &mut self.state.part {
            part.fed_by = fed_by;
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
            let missing = (after.0 - offset.0).min(self.page_max() as u64);
            let page = log.read(&self.cell.code, Some(epoch), offset, missing as usize).await?;
            if page.tail.epoch != Some(epoch) {
                return Err(moved_on());
            }
            if page.records.first().is_none_or(|first| first.offset != offset.next()) {
                // The log has let go of them.
                let loaded = load_copy(&*log, &self.cell.code, &self.shared.limits.room, epoch, after).await?;
                let Some(feed) = self.feed() else { return Err(moved_on()) };
                let written = known_by_records_alone(&*log, &feed, &loaded.ledger).await?;
                self.leap(loaded, &written).await;
                continue;
            }
            let (now, mut batch) = (self.now(), Batch::default());
            page.records.into_iter().for_each(|record| self.replay(now, record, &mut batch));
            self.publish(batch);
        }
        Ok(())
    }

    /// Plays a record that is not known yet.
    pub(crate) fn replay(&mut self, now: Now, record: Record, batch: &mut Batch) {
        let is_known = self.stands().is_some_and(|(epoch, offset)| {
            record.offset <= offset && !matches!(record.event, Event::Created { epoch: theirs, .. } if theirs != epoch)
        });
        if is_known {
            return;
        }
        #[cfg(feature = "fault_injection")]
        let record = fault_injection::misread(record);
        if let Event::Settled { through, .. } = record.event {
            let room = &self.state.room;
            let frozen = room.ledger().owed_freezes().filter(|owed| owed.change <= through);
            batch.settled.extend(frozen.map(|owed| (owed.target, room.reactions_to(owed.target))));
        }
        self.apply(now, record, batch);
    }

    /// Notes what the owner has noted. What is told afresh is nothing new: whoever comes in here is told how far they have read.
    fn replay_note(&mut self, now: Now, note: Note, is_afresh: bool) {
        let Note::Read { member, through } = note else {
            self.note_reader(now, &note);
            return self.state.room.note(now, note);
        };
        let scope = self.state.room.member(member).map(|member| member.scope.clone());
        let read = |room: &Room| scope.as_ref().and_then(|scope| room.read_position(scope));
        let before = read(&self.state.room);
        self.state.room.note(now, note);
        let is_news = |now: &ReadPosition| !is_afresh && before.is_none_or(|before| before.through < now.through);
        let Some(position) = read(&self.state.room).filter(is_news) else { return };
        // Who has read that on this server is answered.
        let (letters, head) = (self.state.part.iter().flat_map(|part| part.letters.values()), self.state.room.head());
        let mut readers = letters.filter_map(|letter| match letter.item.input() {
            // Nobody has read further than the room goes, whatever they said.
            Some(Input::Read { by, through: theirs }) if through == head.min(*theirs) => Some(by.session),
            _ => None,
        });
        let sessions = self.state.room.sessions_of(member);
        let reader = readers.find(|session| sessions.contains(session));
        self.tell_sessions(member, reader, position);
    }

    /// Keeps in mind who reads here and is not attached any more, as far as the owner knows: they are ended with their membership.
    fn note_reader(&mut self, now: Now, note: &Note) {
        let Some(part) = &mut self.state.part else { return };
        match note {
            Note::Detached { session, generation } => {
                let reader = self.state.subscribers.get(session).map(|reader| reader.connection.generation);
                if reader.is_some_and(|reader| reader <= *generation) {
                    part.dangling.push(*session);
                    // As far as the owner knows, and it may not have been told.
                    let again = self.shared.clock.now().mono.after(FOLLOW_AGAIN);
                    part.follow_at.get_or_insert(again);
                }
                if reader == Some(*generation) {
                    // What was said of them came before the owner knew that it is. It is said once more.
                    part.follow_at = Some(now.mono);
                }
            }
            Note::Attached { session, generation, .. } => {
                part.dangling.retain(|dangling| dangling != session);
                self.shared.close_older(*session, *generation);
            }
            _ => {}
        }
    }

    /// Somebody has come in here. Where the room was told afresh as of a later record, they are not known to be attached: they are ended with their
    /// membership all the same.
    pub(crate) fn note_unattached(&mut self, session: SessionId, member: MemberId) {
        if let Some(part) = &mut self.state.part
            && part.decides().is_none()
            && !self.state.room.sessions_of(member).contains(&session)
        {
            part.dangling.push(session);
        }
    }

    /// Who decides, or did, has decided what was asked here.
    pub(crate) fn hear_answers(&mut self, from: NodeId, ahead: bool, answers: Vec<Decided>) {
        #[cfg(feature = "fault_injection")]
        let ahead = ahead && !fault_injection::is(Bug::AnswerAhead);
        self.keep_answers(from, answers);
        let Some(part) = &mut self.state.part else { return };
        let (now, mut batch) = (self.shared.clock.now(), Batch::default());
        match part.fed_by {
            // What they rest on comes next.
            Some((by, _)) if ahead && by == from => {}
            Some(_) => self.tell_decided_here(now, &mut batch),
            None if ahead => {}
            None => {
                // What the owner has refused without a look at the room rests on nothing.
                let is_refused = |decided: &Decided| decided.epoch.is_none() && decided.verdict.is_err();
                let (refused, rest): (VecDeque<_>, VecDeque<_>) = part.decided.drain(..).partition(is_refused);
                part.decided = rest;
                refused.into_iter().for_each(|decided| self.tell_decided_of(now, decided, false, &mut batch));
            }
        }
        self.publish(batch);
    }

    /// What nobody waits for any more is not kept.
    pub(crate) fn keep_answers(&mut self, from: NodeId, answers: Vec<Decided>) {
        let Some(part) = &mut self.state.part else { return };
        if part.follows() == Some(from) {
            part.asking = Backoff::default();
        }
        let letters = &part.letters;
        let is_awaited = |decided: &Decided| letters.get(&decided.number).is_some_and(|letter| letter.to == from);
        part.decided.extend(answers.into_iter().filter(is_awaited));
    }

    /// Tells what was decided at the record up to which the copy has come, or rests on no record.
    fn tell_decided_here(&mut self, now: Now, batch: &mut Batch) {
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
                self.tell_decided_of(now, decided, is_past, batch);
            }
        }
    }

    /// Tells what was decided at records that are not played any more.
    pub(crate) fn tell_decided_late(&mut self, now: Now, batch: &mut Batch) {
        while let Some(decided) = self.state.part.as_mut().and_then(|part| part.decided.pop_front()) {
            self.tell_decided_of(now, decided, true, batch);
        }
    }

    /// The last record that is played.
    fn at(&self, batch: &Batch) -> Offset {
        batch.records.last().map_or(self.state.room.last_offset(), |last| last.offset)
    }

    fn tell_decided_of(&mut self, now: Now, decided: Decided, is_past: bool, batch: &mut Batch) {
        let letter = self.state.part.as_mut().and_then(|part| part.letters.remove(&decided.number));
        let Some(Letter { to, item, parked, .. }) = letter else { return };
        if let (InboxItem::Enter { request, .. }, Some(newer)) = (&item, decided.newer) {
            request.is_late(newer);
        }
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
                let (session, generation) = (by.session, by.generation);
                match self.state.part.as_ref().and_then(|part| part.follows()) {
                    Some(owner) => self.tell_lost(owner, session, generation),
                    None if self.state.follows() => {}
                    None => self.state.note(now, Note::Detached { session, generation }),
                }
            }
            let comes_again = matches!(item.input(), Some(Input::Join { .. } | Input::Attach { .. }));
            if comes_again && parked.is_none() {
                return self.park(item, None);
            }
            verdict = Err(unavailable());
        }
        #[cfg(feature = "fault_injection")]
        if let (InboxItem::Command { reply, .. }, Err(reject)) = (&item, &verdict)
            && fault_injection::is(Bug::ChargeTwice)
        {
            reply.cell.lock().allowance.refused(reject.code);
        }
        if let (Ok(Answer::Entered(_)), Some(part)) = (&verdict, &mut self.state.part)
            && part.follows().is_some_and(|owner| owner != to)
        {
            // By the owner before. The next has been told who is here, and is told once more before anything is asked of it.
            part.follow_at = Some(now.mono);
        }
        self.conclude(now, item, verdict, batch);
    }
}

/// Whether this incarnation begins with the record.
fn begins(record: &Record, epoch: Epoch) -> bool {
    matches!(record.event, Event::Created { epoch: begun, .. } if begun == epoch)
}
