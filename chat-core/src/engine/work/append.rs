//! A batch goes into the log; and what became of it, where the log did not say so.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::domain::{Reaction, RoomCloseReason};
use crate::engine::rooms::about::about;
use crate::engine::rooms::backoff::Backoff;
use crate::engine::rooms::batch::{Batch, Outcome};
use crate::engine::rooms::doubt::Doubt;
use crate::engine::rooms::from_peer::FromPeer;
use crate::engine::rooms::inbox::{InboxItem, JoinRequest};
use crate::engine::rooms::state::RoomState;
use crate::engine::session::subscription::Subscriber;
use crate::engine::shared::unavailable;
use crate::engine::work::freeze::known_by_records_alone;
use crate::engine::work::load::{Loaded, Over, load};
use crate::engine::work::others::{IsHere, is_there};
use crate::engine::work::task::RoomTask;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::{AppendError, Log, ReadError, Tail};
use crate::room::{Answer, Input, Note};
use crate::types::{Generation, Mono, Now, Seq, SessionId};

/// How long nothing is decided under a term under which the log has refused a batch. 1 s: whoever says whose the slot is has heard of it by then.
const OVER: Duration = Duration::from_secs(1);

/// What became of a batch's append.
pub(crate) enum Appended {
    /// The log has it.
    Done(Batch),
    /// Somebody else has written, or decides by now, and the log has none of it: the items are to be decided again, by what the room is now.
    Again(VecDeque<InboxItem>),
    /// The log has none of it, and everybody who asked for a record has been told. Those who come back need none: they are let in all the same.
    Refused(VecDeque<InboxItem>),
}

/// What the log holds behind the published tail.
enum Found {
    /// The batch, whole.
    Ours(Tail),
    /// Nothing.
    Nothing,
    /// Something else.
    Others,
    /// Less than what was published: it has been lost.
    Fork(Tail),
}

/// Everything that happened while the room waited for its log.
struct Meanwhile {
    /// Until then those whose commands are in the batch wait for its end.
    patience: Mono,
    /// They have been told that nobody knows.
    has_told: bool,
    /// Those of them who were about to come in: if they have, they are gone again.
    turned_away: Vec<(SessionId, Generation)>,
    /// Sessions that have lost their connection.
    gone: Vec<(SessionId, Generation)>,
    /// Those that were ended: their connections are still to be told so.
    ended: Vec<(SessionId, Generation)>,
    /// Whoever wanted to come back in this time was refused.
    has_refused: bool,
}

impl Meanwhile {
    fn new(patience: Mono) -> Self {
        Self {
            patience,
            has_told: false,
            turned_away: Vec::new(),
            gone: Vec::new(),
            ended: Vec::new(),
            has_refused: false,
        }
    }

    /// Takes in who has gone: their items have been read, and nobody writes them again. Graces begin again where nobody could
    /// come back.
    fn end(&mut self, now: Now, state: &mut RoomState) {
        for (session, generation) in self.gone.iter().chain(&self.ended).copied() {
            if let Some(part) = &mut state.part {
                part.lose_session(session, generation);
            }
        }
        self.gone.drain(..).for_each(|(session, generation)| state.forget_reader(now, session, generation));
        self.ended.drain(..).for_each(|(session, generation)| state.detach_ended(now, session, generation));
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::RunGracesOut) {
            return;
        }
        if std::mem::take(&mut self.has_refused) {
            state.note(now, Note::Recovered);
        }
    }
}

impl RoomTask {
    /// Appends a batch's records; after a failure that wrote nothing, once more.
    pub(crate) async fn append(&mut self, mut batch: Batch) -> Appended {
        let log = self.shared.log.clone().expect("only rooms with a log append");
        let mut meanwhile = Meanwhile::new(self.mono().after(self.shared.limits.engine.log_timeout));
        let (mut others, mut is_known) = (false, true);
        let about = about(&self.state.room).encode();
        for attempt in 0..2 {
            let begun = self.shared.counters.time();
            let appended = log.append_with(&self.cell.code, &self.state.tail, &batch.records, &about).await;
            let micros = self.shared.counters.appended(begun, appended.as_ref().err());
            tracing::trace!(room = %self.tag(), records = batch.records.len(), micros, "an append");
            if let Err(error) = &appended {
                tracing::debug!(room = %self.tag(), error = kind(error), "an append has failed");
            }
            let error = match appended {
                Ok(tail) => {
                    self.state.tail = tail;
                    meanwhile.end(self.now(), &mut self.state);
                    return Appended::Done(batch);
                }
                Err(error) => error,
            };
            self.fault(&error);
            if error == AppendError::Deposed {
                let until = self.mono().after(OVER);
                if let Some(part) = &mut self.state.part {
                    part.over = part.decides().map(|term| (term, until));
                }
            }
            match self.find_out(&mut batch, &mut meanwhile).await {
                Found::Ours(tail) => {
                    // Only the answer was lost.
                    self.state.tail = tail;
                    meanwhile.gone.append(&mut meanwhile.turned_away);
                    meanwhile.end(self.now(), &mut self.state);
                    return Appended::Done(batch);
                }
                // A message that was called lost is not said after all: it may have been said again.
                Found::Nothing
                    if attempt == 0 && may_be_tried_again(&error) && !meanwhile.has_told && self.is_as_it_was() => {}
                Found::Nothing => break,
                Found::Others => {
                    // Of what another server has changed since it would not be known whether it is this batch.
                    (others, is_known) = (true, !matches!(error, AppendError::Unknown(_)));
                    break;
                }
                Found::Fork(tail) => {
                    self.abandon(batch, &tail);
                    return Appended::Again(VecDeque::new());
                }
            }
        }
        if others {
            self.shared.counters.overtaken.fetch_add(1, Ordering::Relaxed);
        }
        let named = std::mem::take(&mut batch.named);
        let items = self.roll_back(batch, &mut meanwhile).await;
        self.state.unnamed.put_back(named, others);
        let is_as_it_was = self.is_as_it_was();
        if others && is_as_it_was || !is_as_it_was && is_known {
            return Appended::Again(items);
        }
        let comes_back = |item: &InboxItem| match item {
            InboxItem::Enter { request, .. } => matches!(request, JoinRequest::Resume(_)),
            InboxItem::Asked(asked) => matches!(asked.input, Input::Attach { .. }),
            _ => false,
        };
        let (back, refused): (VecDeque<_>, VecDeque<_>) = items.into_iter().partition(comes_back);
        refused.into_iter().for_each(|item| item.refuse(&self.cell.code, None, unavailable()));
        Appended::Refused(back)
    }

    /// Asks the log what it holds, until it can be read.
    async fn find_out(&mut self, batch: &mut Batch, meanwhile: &mut Meanwhile) -> Found {
        let log = self.shared.log.clone().expect("only rooms with a log ask it");
        let last = batch.records.last().expect("a batch that is appended has records").offset;
        let (mut backoff, mut doubt) = (Backoff::default(), Doubt::default());
        loop {
            let ours = &batch.records;
            // A claim of the code is looked for in whichever incarnation has it.
            let Tail { epoch, offset, .. } = self.state.tail;
            match log.read(&self.cell.code, epoch, offset, ours.len()).await {
                #[cfg(feature = "fault_injection")]
                Ok(page) if fault_injection::is(Bug::MistakeOthers) && page.records.len() == ours.len() => {
                    return Found::Ours(Tail { offset: last, ..page.tail });
                }
                Ok(page) if page.records.starts_with(ours) => {
                    // What somebody else has put behind it is found by the next append.
                    return Found::Ours(Tail { offset: last, ..page.tail });
                }
                Ok(page) if page.tail.epoch != self.state.tail.epoch => return Found::Others,
                Ok(page) if page.tail.offset > self.state.tail.offset => return Found::Others,
                Ok(page) if page.tail.offset == self.state.tail.offset => {
                    // By which the log knows, perhaps, under which term it was read.
                    self.state.tail = page.tail;
                    return Found::Nothing;
                }
                // Members have seen more of this incarnation than it holds.
                Ok(page) if doubt.grows(self.mono()) => return Found::Fork(page.tail),
                Ok(page) => self.fault(&format!("ends at {:?}, before {:?}", page.tail, self.state.tail)),
                Err(error) => self.fault(&error),
            }
            self.wait(batch, &mut backoff, meanwhile).await;
        }
    }

    /// Waits before the log is asked again. Meanwhile the room refuses what it is asked, and remembers who has gone.
    async fn wait(&mut self, batch: &mut Batch, backoff: &mut Backoff, meanwhile: &mut Meanwhile) {
        tokio::time::sleep(backoff.next()).await;
        meanwhile.has_refused = true;
        for item in self.cell.take_items(usize::MAX) {
            match item {
                InboxItem::Detach { session, generation } => meanwhile.gone.push((session, generation)),
                InboxItem::Peer(peer) => match *peer {
                    FromPeer::Lost { session, generation, .. } => meanwhile.gone.push((session, generation)),
                    // Said by another owner, before this one was.
                    FromPeer::Fed { .. } => {}
                    peer => self.state.part.get_or_insert_default().later.push(peer.into()),
                },
                InboxItem::Tick => self.state.disarm(),
                InboxItem::Evict(eviction) => self.give_back(eviction),
                item => {
                    match &item {
                        // The connection that it comes back from is gone, and nobody says so: this one has taken its place.
                        InboxItem::Enter { request: JoinRequest::Resume(back), .. } => {
                            meanwhile.gone.push((back.cell.id, back.connection.generation));
                        }
                        InboxItem::Asked(asked) => {
                            if let Input::Attach { by, .. } = &asked.input {
                                meanwhile.gone.push((by.session, by.generation));
                            }
                        }
                        _ => {}
                    }
                    self.cell.refuse(item, unavailable());
                }
            }
        }
        if self.mono() >= meanwhile.patience && !meanwhile.has_told {
            self.turn_away(batch, meanwhile);
        }
    }

    /// Each asker in the batch is told that nobody knows what became of it. One who was about to come in counts as gone
    /// again, if they are in at all; those who come back are told by their own patience's end.
    fn turn_away(&self, batch: &mut Batch, meanwhile: &mut Meanwhile) {
        meanwhile.has_told = true;
        let is_command = |item: &InboxItem| match item {
            InboxItem::Enter { request, .. } => !matches!(request, JoinRequest::Resume(_)),
            item => item.is_asked(),
        };
        for (mut item, outcome) in batch.outcomes.extract_if(.., |(item, _)| is_command(item)) {
            if let (InboxItem::Enter { request, .. }, Outcome::Entered(_)) = (&mut item, &outcome) {
                meanwhile.turned_away.push((request.cell().id, request.connection().generation));
                request.keep_founding();
            }
            if let (InboxItem::Asked(asked), Outcome::Decided(decided)) = (&item, &outcome)
                && let (Ok(Answer::Entered(_)), Some(by)) = (&decided.verdict, asked.input.caller())
            {
                meanwhile.turned_away.push((by.session, by.generation));
            }
            self.cell.refuse(item, unavailable());
        }
    }

    /// The log has lost what this batch follows on. Nothing of it is there, nor ever was.
    fn abandon(&mut self, mut batch: Batch, tail: &Tail) {
        for (session, reader, ..) in batch.ends.drain(..) {
            self.state.subscribers.insert(session, reader);
        }
        self.fork(self.state.tail.offset, tail);
        batch.outcomes.into_iter().for_each(|(item, _)| self.cell.refuse(item, unavailable()));
    }

    /// What the log says of the room, and of the messages whose reactions it alone has now.
    pub(crate) async fn load_again(
        &self,
        log: &dyn Log,
    ) -> Result<(Option<Loaded>, Vec<(Seq, Vec<Reaction>)>), ReadError> {
        let over = if self.is_as_it_was() { Over::Delete } else { Over::Leave };
        let loaded = load(log, &self.cell.code, &self.shared.limits.room, over).await?;
        let mut written = Vec::new();
        if let Some((ledger, feed)) = loaded.as_ref().map(|loaded| &loaded.ledger).zip(self.state.feed())
            && ledger.epoch() == Some(feed.epoch)
        {
            written = known_by_records_alone(log, feed, ledger).await?;
        }
        Ok((loaded, written))
    }

    /// Undoes a batch: the ledger is read again, attendance stays, and what others have logged is published. Gives back the batch's
    /// items.
    async fn roll_back(&mut self, mut batch: Batch, meanwhile: &mut Meanwhile) -> VecDeque<InboxItem> {
        let log = self.shared.log.clone().expect("only rooms with a log roll back");
        let mut backoff = Backoff::default();
        let (loaded, written) = loop {
            match self.load_again(&*log).await {
                Ok(loaded) => break loaded,
                Err(error) => self.unread(&error),
            }
            self.wait(&mut batch, &mut backoff, meanwhile).await;
        };
        let now = self.now();
        // Joins and leaves of the batch have not happened.
        for (session, generation, _) in &batch.begun {
            self.state.subscribers.remove(session);
            self.state.note(now, Note::Detached { session: *session, generation: *generation });
        }
        let came_in = std::mem::take(&mut batch.guests);
        for &(session, generation) in &came_in {
            if let Some(part) = &mut self.state.part {
                part.forget_session(session);
            }
            self.state.note(now, Note::Detached { session, generation });
        }
        let feed = self.feed().filter(|feed| {
            let epoch = loaded.as_ref().and_then(|loaded| loaded.ledger.epoch());
            epoch == Some(feed.epoch)
        });
        match (loaded, feed) {
            (Some(loaded), Some(feed)) => {
                let published = self.state.tail.offset;
                if let Some(open) = batch.open.take() {
                    self.state.room = *open;
                }
                if !loaded.ledger.is_reactable_as_under(&self.shared.room_limits) {
                    self.state.debts.make().freeze_otherwise();
                }
                self.state.room.replace_ledger(now, loaded.ledger);
                // A session that came in with this batch and went with it was never there.
                let begun = std::mem::take(&mut batch.begun);
                let is_begun = |reader: &Subscriber| begun.iter().any(|(.., of)| Arc::ptr_eq(of, &reader.subscription));
                for (session, reader, ..) in batch.ends.drain(..).filter(|(_, reader, ..)| !is_begun(reader)) {
                    let (generation, member) = (reader.connection.generation, reader.subscription.member);
                    if is_there(&self.state.room, &reader.subscription) {
                        let network = reader.connection.network;
                        self.state.note(now, Note::Attached { session, generation, member, network });
                        if let Some(part) = &mut self.state.part
                            && !self.state.room.sessions_of(member).contains(&session)
                        {
                            // It was ended in this very batch, or before.
                            part.dangle(session);
                        }
                    }
                    self.state.subscribers.insert(session, reader);
                }
                self.put_back(now, std::mem::take(&mut batch.put_out), &came_in);
                self.state.tail = loaded.tail;
                let is_here: IsHere = |room, session, member| room.sessions_of(member).contains(&session);
                self.begin_to_show(&feed, &written);
                let mut shown = published;
                while let Err(error) = self.show_from_log(&*log, &feed, &mut shown, is_here).await {
                    self.unread(&error);
                    self.wait(&mut batch, &mut backoff, meanwhile).await;
                }
                if shown < self.state.tail.offset {
                    self.let_go_of_shown(&feed);
                }
                for record in loaded.recent.iter().filter(|record| record.offset > shown) {
                    self.show(&feed, record, is_here).await;
                }
                self.end_showing(&feed, is_here);
            }
            (loaded, _) => {
                // The incarnation was never there, or is over for everyone.
                for (session, reader, ..) in batch.ends.drain(..) {
                    self.state.subscribers.insert(session, reader);
                }
                self.state.end_incarnation(RoomCloseReason::Host);
                self.install(loaded);
            }
        }
        if let Some(part) = &mut self.state.part {
            // They may have noted what is undone, and lack what others have logged.
            part.begin_anew();
        }
        meanwhile.gone.splice(0..0, batch.gone);
        meanwhile.ended.extend(batch.ended);
        // Whatever ran out with this batch has not: graces begin again, also where the log was not waited for.
        meanwhile.has_refused = true;
        meanwhile.end(self.now(), &mut self.state);
        batch.outcomes.into_iter().map(|(item, _)| item).collect()
    }
}

/// Which error it is. Its words are the log's: they may name the room.
fn kind(error: &AppendError) -> &'static str {
    match error {
        AppendError::Conflict => "conflict",
        AppendError::Deposed => "deposed",
        AppendError::NotWritten(_) => "not written",
        AppendError::Unknown(_) => "unknown",
    }
}

/// Whether nothing but a fault kept the log from taking a batch that it does not have.
fn may_be_tried_again(error: &AppendError) -> bool {
    !matches!(error, AppendError::Conflict | AppendError::Deposed)
}
