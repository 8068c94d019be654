//! From items to a batch: each is decided by the pure room and applied at once. Nothing is waited for, and nothing is told.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::{Event, Record};
use crate::engine::feed::overlay::Change;
use crate::engine::parcel::{Attachment, Decided};
use crate::engine::rooms::batch::{Batch, Elsewhere, Outcome};
use crate::engine::rooms::inbox::{Eviction, InboxItem, JoinRequest};
use crate::engine::rooms::part::Guest;
use crate::engine::rooms::state::Phase;
use crate::engine::session::subscription::{End, Subscriber, Subscription};
use crate::engine::shared::unavailable;
use crate::engine::work::answer;
use crate::engine::work::capacity;
use crate::engine::work::task::RoomTask;
use crate::engine::work::visit::is_of_somebody;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::room::{Answer, Caller, Input, More, Note, ReadPosition};
use crate::types::{Generation, MemberId, Now, Reject, RejectCode, Seq, SessionId};
use crate::wire::{self, RemovalReason};

impl RoomTask {
    /// Decides as many items as make one batch; and what has run out, if that is its turn. Like everything else, only nobody has
    /// asked, so nobody is answered.
    pub(crate) fn decide(&mut self, items: &mut VecDeque<InboxItem>, may_elapse: bool) -> Batch {
        let mut batch = Batch::default();
        let now = self.now();
        self.state.room.write_up_to(self.shared.writes());
        self.state.room.keep_for_host(&self.shared.host_names);
        self.look_after_guests(now, items);
        while !self.is_full(&batch) {
            let Some(item) = items.pop_front() else { break };
            self.take(now, item, &mut batch);
        }
        while may_elapse && !self.is_full(&batch) && self.state.room.next_deadline().is_some_and(|at| at <= now.mono) {
            let _ = self.decide_one(now, &Input::Elapsed, &mut batch);
        }
        self.name_who_came_back(now, &mut batch);
        // What is settled is said by the way: a record that nobody is told causes no append of its own.
        if !batch.records.is_empty() {
            self.settle(now, &mut batch);
            self.settle_erasures(now, &mut batch);
        }
        #[cfg(feature = "fault_injection")]
        self.answer_too_early(&mut batch);
        batch
    }

    pub(crate) fn is_full(&self, batch: &Batch) -> bool {
        batch.is_full(self.state.feed(), &self.shared.limits.room)
    }

    fn take(&mut self, now: Now, item: InboxItem, batch: &mut Batch) {
        if is_of_somebody(&item) {
            self.state.asked = Some(now.mono);
        }
        let item = match item {
            InboxItem::Asked(asked) => {
                self.guest_asks(now, asked.reply.node, asked.follows);
                if self.is_too_early(&asked) {
                    return asked.reply.hand_back();
                }
                InboxItem::Asked(asked)
            }
            item => item,
        };
        let Some(item) = self.with_evidence(now, item, batch) else { return };
        if let Some(decided) = self.decide_item(now, &item, batch) {
            self.conclude(now, item, decided, batch);
        }
    }

    /// Asks the room, or does what is to be done; `None` where nobody is answered.
    fn decide_item(&mut self, now: Now, item: &InboxItem, batch: &mut Batch) -> Option<Result<Answer, Reject>> {
        match item {
            InboxItem::Enter { input, .. } => Some(self.enter(now, input, batch)),
            InboxItem::Asked(asked) if asked.input.is_entry() => Some(self.enter(now, &asked.input, batch)),
            InboxItem::Command { .. } | InboxItem::Host { .. } | InboxItem::Asked(_) => {
                let input = item.input()?;
                if matches!(
                    input,
                    Input::Redact { .. }
                        | Input::RedactAll { .. }
                        | Input::Ban { .. }
                        | Input::Edit { .. }
                        | Input::Erase { .. }
                ) {
                    self.make_room_to_owe(now, batch);
                }
                if matches!(input, Input::Erase { .. } | Input::Erased { .. }) {
                    // Whoever erases somebody waits for it.
                    self.settle_erasures(now, batch);
                }
                Some(self.decide_one(now, input, batch))
            }
            InboxItem::End { by, whole } => {
                self.end_session(now, by, *whole, batch);
                None
            }
            InboxItem::Detach { session, generation } => {
                self.state.forget_reader(now, *session, *generation);
                batch.gone.push((*session, *generation));
                None
            }
            InboxItem::Readmitted { cell, connection } => {
                self.readmit(cell, connection);
                None
            }
            // Looked at after the batch.
            InboxItem::GapView => None,
            InboxItem::Evict(eviction) => {
                self.give_back(*eviction);
                None
            }
            InboxItem::Tick => {
                if self.state.armed.is_some_and(|at| at <= now.mono) {
                    self.state.armed = None;
                }
                None
            }
            InboxItem::Peer(peer) => {
                self.hear_peer(now, peer, batch);
                None
            }
        }
    }

    /// Decides an entry. Where several servers disagree about which of two connections is the newer, the one that the room takes for the older
    /// may try again: nobody is told that they have left who have not.
    fn enter(&mut self, now: Now, input: &Input, batch: &mut Batch) -> Result<Answer, Reject> {
        let is_older = self.newer(input).is_some();
        let unmisled = self.without_what_was_lost(input);
        self.decide_entry(now, unmisled.as_ref().unwrap_or(input), batch)
            .map_err(|reject| if is_older { unavailable() } else { reject })
    }

    /// The connection of the session that is newer than the one which asks to come in, as far as the room knows: it came by another server.
    fn newer(&self, input: &Input) -> Option<Generation> {
        let by = input.caller().filter(|_| self.shared.cluster.is_some() && input.is_entry())?;
        self.state.room.generation_of(by.session).filter(|newest| *newest > by.generation)
    }

    /// Of which newer connection whoever was not let in is told. Who comes back has come last, and is; who comes in for the first time is the older
    /// one of two, where the other is there.
    fn tells_newer(&self, input: &Input) -> Option<Generation> {
        let (newer, by) = (self.newer(input)?, input.caller()?);
        let is_there = || self.state.room.member_of(&Caller { generation: newer, ..by.clone() }).is_some();
        Some(newer).filter(|_| matches!(input, Input::Attach { .. }) || is_there())
    }

    /// Makes of what the room has decided what is to be told to whoever asked.
    pub(crate) fn conclude(
        &mut self,
        now: Now,
        mut item: InboxItem,
        decided: Result<Answer, Reject>,
        batch: &mut Batch,
    ) {
        let outcome = match (&mut item, decided) {
            (InboxItem::Asked(asked), verdict) => {
                if matches!(verdict, Ok(Answer::Entered(_))) {
                    self.guest_has_come(asked, batch);
                }
                let after = batch.records.last().map_or(self.state.room.last_offset(), |last| last.offset);
                let (number, epoch) = (asked.reply.number, self.state.phase_epoch());
                let newer = if verdict.is_err() { self.tells_newer(&asked.input) } else { None };
                Outcome::Decided(Box::new(Decided { number, epoch, after, verdict, newer }))
            }
            (item, Err(reject)) => {
                if let (InboxItem::Enter { input, request, .. }, false) = (item, self.state.follows())
                    && let Some(newer) = self.tells_newer(input)
                {
                    request.is_late(newer);
                }
                Outcome::Rejected(reject)
            }
            (
                InboxItem::Command { input: Input::Members { after, .. }, reply },
                Ok(Answer::Members { page, total }),
            ) => {
                let limits = &self.shared.limits.session;
                // A page for a channel is the channel's, and the only one.
                let bytes_max = if reply.is_mailbox() { reply.claim_members(limits) } else { limits.page_bytes_max };
                self.members_page(&page, *after, total, bytes_max)
            }
            (InboxItem::Host { input, .. }, Ok(answer)) => match self.host_view(input, &answer) {
                Ok(Some(view)) => Outcome::Shown(Box::new(view)),
                Ok(None) => Outcome::Answer(answer),
                Err(reject) => Outcome::Rejected(reject),
            },
            (InboxItem::Command { reply, .. }, Ok(Answer::Bans { page, more })) => {
                let limits = &self.shared.limits.session;
                let bytes_max = if reply.is_mailbox() { reply.claim_members(limits) } else { limits.page_bytes_max };
                Outcome::Bans { page, more: more == More::Yes, bytes_max }
            }
            // It has been given up, or its connection is gone: it counts as having been there, and gone just now.
            (InboxItem::Enter { request, .. }, Ok(Answer::Entered(_))) if request.is_given_up() => {
                let (session, generation) = (request.cell().id, request.connection().generation);
                self.lose_reader(now, session, generation);
                batch.gone.push((session, generation));
                return;
            }
            (InboxItem::Enter { request, .. }, Ok(Answer::Entered(entered))) => {
                let session = request.cell().id;
                let feed = self.state.feed().expect("somebody has entered it");
                let stay = self.state.room.member(entered.member).expect("who has entered is a member");
                let subscription = Arc::new(Subscription::new(Arc::clone(feed), stay, entered.from));
                let subscriber = Subscriber {
                    connection: Arc::clone(request.connection()),
                    subscription: Arc::clone(&subscription),
                };
                self.state.subscribers.insert(session, subscriber);
                self.note_unattached(session, entered.member);
                self.supersede_guests(session);
                batch.begun.push((session, request.connection().generation, Arc::clone(&subscription)));
                let bytes_max = request.claim_members(&self.shared.limits.session);
                Outcome::Entered(Box::new(answer::admit(
                    &self.shared,
                    &self.state.room,
                    *entered,
                    subscription,
                    bytes_max,
                )))
            }
            (_, Ok(answer)) => Outcome::Answer(answer),
        };
        if let (
            InboxItem::Enter { input: Input::Attach { by, .. }, request: JoinRequest::Resume(resuming), .. },
            Outcome::Rejected(reject),
        ) = (&mut item, &outcome)
        {
            resuming.was_member = self.state.room.was_member(&by.scope());
            resuming.read = self.state.room.read_position_of_lost(&by.scope());
            resuming.banned_until = reject.until;
            resuming.put_out = match reject.code {
                RejectCode::Banned => Some(RemovalReason::Banned),
                _ => self.state.kicked.contains(&by.scope()).then_some(RemovalReason::Kicked),
            };
        }
        batch.outcomes.push((item, outcome));
    }

    /// A room lets nobody speak for a session without a connection: an ended one comes back in order to leave. Where it cannot leave, or
    /// this batch is undone, it goes by the grace; in two steps, something could come between them, and it would be there for ever.
    pub(crate) fn end_session(&mut self, now: Now, by: &Caller, whole: bool, batch: &mut Batch) {
        if self.shared.cluster.is_some() && !whole && self.is_elsewhere(by) {
            // Another device of the person is connected, maybe at another server: the person is still there. This one is until it is told.
            if by.generation == Generation::END {
                self.state.detach_ended(now, by.session, by.generation);
                batch.ended.push((by.session, by.generation));
            }
            return;
        }
        let attach = Input::Attach { by: by.clone(), after: None };
        if self.decide_one(now, &attach, batch).is_ok() {
            let _ = self.decide_one(now, &Input::Leave { by: by.clone() }, batch);
        }
        self.state.detach_ended(now, by.session, by.generation);
        batch.ended.push((by.session, by.generation));
    }

    /// Whether another session of the person is attached.
    fn is_elsewhere(&self, by: &Caller) -> bool {
        let member = self.state.room.member_with_scope(&by.scope());
        member.is_some_and(|member| self.state.room.sessions_of(member).iter().any(|session| *session != by.session))
    }

    /// Says what is settled before something is changed for which there would be no room else.
    fn make_room_to_owe(&mut self, now: Now, batch: &mut Batch) {
        let (ledger, limits) = (self.state.room.ledger(), &self.shared.limits.room);
        if ledger.owed_total() >= limits.owed_max || ledger.owed_bytes() > limits.owed_bytes_max / 2 {
            if self.shared.log.is_none() {
                // There is nothing to be amended.
                self.state.debts.make().amended(self.state.room.head());
            }
            self.settle(now, batch);
        }
    }

    /// Says for which changes the log has been amended, where the ledger does not know it.
    fn settle(&mut self, now: Now, batch: &mut Batch) {
        if let Some(through) = self.state.debts.settles(self.state.room.ledger()) {
            let _ = self.decide_one(now, &Input::Settle { through }, batch);
        }
    }

    /// Says which erasures the log has been scrubbed for, where the ledger does not know it.
    fn settle_erasures(&mut self, now: Now, batch: &mut Batch) {
        if let Some(through) = self.state.debts.settles_erasures(self.state.room.ledger()) {
            let _ = self.decide_one(now, &Input::Scrubbed { through }, batch);
        }
    }

    /// Gives memory back, as it was asked to.
    pub(crate) fn give_back(&mut self, eviction: Eviction) {
        self.cell.evicted();
        let Some(feed) = self.state.feed() else { return };
        match eviction {
            Eviction::Lingering if self.state.room.members_total() > 0 => {}
            // What is said in it is nowhere else.
            Eviction::Lingering if self.state.room.is_kept() && !feed.is_logged => {}
            Eviction::Lingering => feed.backlog.evict(0),
            Eviction::Above(share) => feed.backlog.evict(share),
            // Looked at when it rests, as if nobody had asked.
            Eviction::PutAway => self.state.asked = None,
        }
    }

    pub(crate) fn decide_one(&mut self, now: Now, input: &Input, batch: &mut Batch) -> Result<Answer, Reject> {
        let decision = self.state.room.decide(now, input)?;
        capacity::check(&self.shared.budget, input, &decision)?;
        for record in decision.records {
            self.apply(now, record, batch);
        }
        let has_read_on = matches!(decision.note, Some(Note::Read { .. }));
        if let Some(note) = decision.note {
            self.state.note(now, note);
        }
        if has_read_on && self.shared.log.is_some() {
            self.state.debts.make().note_read(now.mono.after(self.shared.limits.room.reads_interval));
        }
        if let (Input::Read { by, .. }, Answer::Read(position)) = (input, &decision.answer)
            && has_read_on
        {
            self.tell_read(by, *position);
        }
        Ok(decision.answer)
    }

    /// Tells the other sessions of a person how far they have read on this one.
    fn tell_read(&self, by: &Caller, position: ReadPosition) {
        let Some(member) = self.state.room.member_of(by) else { return };
        self.tell_sessions(member, Some(by.session), position);
    }

    /// The same, to all sessions but one that are connected here.
    pub(crate) fn tell_sessions(&self, member: MemberId, but: Option<SessionId>, position: ReadPosition) {
        let others = self.state.room.sessions_of(member).into_iter().filter(|session| Some(*session) != but);
        #[cfg(feature = "fault_injection")]
        let others: Vec<_> = match fault_injection::is(Bug::TellReadToAll) {
            true => self.state.subscribers.keys().copied().filter(|session| Some(*session) != but).collect(),
            false => others.collect(),
        };
        let readers = others.into_iter().filter_map(|session| self.state.subscribers.get(&session));
        for reader in readers {
            reader.tell_read(wire::read(None, &self.cell.code, position));
        }
    }

    /// Takes in one record, and notes what its publishing will bring.
    pub(crate) fn apply(&mut self, now: Now, record: Record, batch: &mut Batch) {
        let until = record.seq.unwrap_or(self.state.room.head());
        match &record.event {
            Event::Created { epoch, .. } => {
                self.state.subscribers.clear();
                #[cfg(feature = "fault_injection")]
                let told = self.state.presence_told.filter(|_| fault_injection::is(Bug::WithholdPresence));
                // What members of an earlier incarnation were told says nothing to those of this one.
                (self.state.gap_view_made, self.state.presence_told) = (None, None);
                #[cfg(feature = "fault_injection")]
                if told.is_some() {
                    self.state.presence_told = told;
                }
                self.state.typing_told.clear();
                self.state.kicked.clear();
                if let Some(part) = &mut self.state.part {
                    part.notes.clear();
                    part.guests.values_mut().for_each(Guest::begin_life);
                }
                let feed = self.shared.new_life(&self.cell.code, *epoch, Seq(0));
                self.state.phase = Phase::Live(Arc::new(feed));
            }
            Event::Left { .. } => {
                let member = record.by.expect("a leave has a member");
                let end = if record.seq.is_some() { End::Membership } else { End::Quiet };
                self.end_member(member, until, end, batch);
            }
            Event::Kicked { member, .. } => {
                batch.kicked.extend(self.state.room.member(*member).map(|member| member.scope.clone()));
                self.end_member(*member, until, End::Membership, batch);
            }
            #[cfg(feature = "fault_injection")]
            Event::Joined { .. } if fault_injection::is(Bug::RememberKick) => {}
            // Somebody who is back was not put out for good.
            Event::Joined { scope, .. } => {
                batch.kicked.retain(|kicked| kicked != scope);
                batch.back.push(scope.clone());
            }
            Event::Closed { cause } => {
                let is_empty = self.state.room.members_total() == 0;
                batch.open = (!is_empty && self.shared.log.is_some()).then(|| Box::new(self.state.room.clone()));
                let readers = std::mem::take(&mut self.state.subscribers);
                batch
                    .ends
                    .extend(readers.into_iter().map(|(session, reader)| (session, reader, until, End::Incarnation)));
                batch.closed = Some(*cause);
            }
            _ => {}
        }
        batch.changes.extend(Change::of(&record).or_else(|| Change::of_quiet(&record, self.state.room.head())));
        self.state.room.apply(now, &record);
        if record.seq.is_some() {
            let feed = self.state.feed().expect("told events belong to a feed");
            batch.encode(feed, &record);
        }
        batch.records.push(record);
    }

    fn end_member(&mut self, member: MemberId, until: Seq, end: End, batch: &mut Batch) {
        let mut sessions = self.state.room.sessions_of(member);
        if let Some(part) = &mut self.state.part {
            let begun = self.state.room.member(member).map(|stay| stay.begun);
            let network = self.state.room.network_of(member);
            let elsewhere = sessions.iter().filter_map(|&session| {
                let (node, generation) = part.forget_session(session)?;
                let attachment = Attachment { session, generation, member, begun: begun?, network };
                Some(Elsewhere { node, attachment })
            });
            batch.put_out.extend(elsewhere);
            let subscribers = &self.state.subscribers;
            let reads = |session: &SessionId| subscribers.get(session).map(|reader| reader.subscription.member);
            sessions.extend(part.dangling.extract_if(.., |session| reads(session) == Some(member)));
            part.dangling.retain(|session| reads(session).is_some());
        }
        for session in sessions {
            if let Some(reader) = self.state.subscribers.remove(&session) {
                batch.ends.push((session, reader, until, end));
            }
        }
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::TellOneDevice) {
            let quiet = batch.ends.iter_mut().filter(|(.., end)| *end == End::Quiet);
            quiet.skip(1).for_each(|(.., end)| *end = End::Membership);
        }
    }

    #[cfg(feature = "fault_injection")]
    fn answer_too_early(&self, batch: &mut Batch) {
        if fault_injection::is(Bug::AckBeforeAppend) {
            let early = batch.outcomes.extract_if(.., |(item, _)| matches!(item, InboxItem::Command { .. }));
            early.for_each(|(item, outcome)| {
                answer::deliver(&self.shared, &self.cell.code, self.state.feed(), item, outcome);
            });
        }
    }

    /// A page after a member; where it shows nobody, others follow that one.
    fn members_page(&self, page: &[MemberId], after: Option<MemberId>, total: usize, bytes_max: usize) -> Outcome {
        let (page, last) = answer::members_page(&self.state.room, page, bytes_max);
        let more = self.state.room.members_after(last.or(after)).next().is_some();
        Outcome::Members { page, total, more }
    }
}
