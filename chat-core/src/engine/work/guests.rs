//! The owner's half of a room of several servers: which of them follow, who is attached there, and what they are told.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use thin_vec::ThinVec;

use crate::domain::Event;
use crate::engine::parcel::{Attachment, Decided, Feed, Parcel};
use crate::engine::rooms::backoff::Backoff;
use crate::engine::rooms::batch::{Batch, Elsewhere, Outcome};
use crate::engine::rooms::from_peer::{Asked, FromPeer};
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::rooms::part::{Beginning, Guest};
use crate::engine::rooms::state::Phase;
use crate::engine::shared::{Shared, unavailable};
use crate::engine::work::task::RoomTask;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::Owner;
use crate::room::{Note, is_same_join};
use crate::types::{CloseReason, Generation, Mono, NodeId, Now, Offset, SessionId};

/// How long the link to a server may be down before whoever is attached there counts as gone. 3 s: a link that broke is up again sooner, and
/// their graces begin only then.
pub(crate) const DOWN_MAX: Duration = Duration::from_secs(3);
/// Before a server is told anew that has taken nothing more.
const AGAIN: Duration = Duration::from_millis(100);

impl Shared {
    /// A session has come in at another server: a connection that it had here before is told, in whatever rooms it was.
    pub(crate) fn close_older(&self, session: SessionId, generation: Generation) {
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::ForgetReplaced) {
            return;
        }
        if generation == Generation::END {
            // It is ended, and told so.
            return;
        }
        let cell = self.lock_sessions().cell(session);
        let connection = cell.and_then(|cell| cell.lock().connection.clone());
        if let Some(connection) = connection.filter(|connection| connection.generation < generation) {
            connection.close(CloseReason::Replaced);
        }
    }
}

impl RoomTask {
    /// What another server has to say of the room, or of itself.
    pub(crate) fn hear_peer(&mut self, now: Now, peer: &FromPeer, batch: &mut Batch) {
        match peer {
            FromPeer::Follow { node, epoch, attached, awaited } => {
                // Of another life nobody is in this one.
                let is_this = epoch.is_some() && *epoch == self.state.phase_epoch();
                self.guest_follows(now, *node, if is_this { attached } else { &[] }, awaited, batch);
            }
            FromPeer::Unfollow { node } => {
                if let Some(part) = &mut self.state.part
                    && part.guests.get(node).is_some_and(|guest| guest.sessions.is_empty())
                {
                    part.guests.remove(node);
                }
            }
            FromPeer::Link { node, is_up: false } => {
                self.lose_link(*node);
                let guest = self.state.part.as_mut().and_then(|part| part.guests.get_mut(node));
                if let Some(guest) = guest {
                    guest.down_since.get_or_insert(now.mono);
                }
            }
            FromPeer::Lost { node, session, generation } => {
                batch.put_out.retain(|of| of.node != Some(*node) || !of.is_of(*session, *generation));
                if self.guest_has_gone(*node, *session, *generation) {
                    self.state.forget_reader(now, *session, *generation);
                    batch.gone.push((*session, *generation));
                }
            }
            FromPeer::Ended { by, whole } => self.end_session(now, by, *whole, batch),
            // Of what was asked there before this server decided.
            FromPeer::Answered { from, answers, .. } => {
                self.keep_answers(*from, answers.clone());
                self.tell_decided_late(now, batch);
            }
            FromPeer::Undecided { from, numbers } => self.take_back_letters(*from, numbers),
            // Who follows says so; and the rest was said by another owner, before this one was.
            FromPeer::Link { is_up: true, .. } | FromPeer::Fed { .. } => {}
        }
    }

    /// Before anything is decided: those are heard who said something while the room waited for its log, and those let go whose link has been
    /// down for too long.
    pub(crate) fn look_after_guests(&mut self, now: Now, items: &mut VecDeque<InboxItem>) {
        let Some(part) = &mut self.state.part else { return };
        part.overdue(now.mono).into_iter().for_each(|item| self.cell.refuse(item, unavailable()));
        if !part.later.is_empty() {
            part.later.drain(..).rev().for_each(|item| items.push_front(item));
            // They may say that the link is up again.
            return;
        }
        // Who could not be told begins anew.
        let is_due = |guest: &Guest| {
            guest.is_new && guest.down_since.is_none() && guest.beginning.is_none() && guest.again.until() <= now.mono
        };
        let again: Vec<NodeId> = part.guests.iter().filter(|(_, guest)| is_due(guest)).map(|(node, _)| *node).collect();
        again.into_iter().for_each(|node| self.begin(node));
        self.let_unclaimed_go(now);
        let Some(part) = &mut self.state.part else { return };
        let is_lost = |down_since: Option<Mono>| down_since.is_some_and(|since| since.after(DOWN_MAX) <= now.mono);
        let lost: Vec<_> = part.guests.extract_if(.., |_, guest| is_lost(guest.down_since)).collect();
        for (_, guest) in lost {
            for (session, generation) in guest.sessions {
                self.state.note(now, Note::Detached { session, generation });
            }
        }
    }

    /// Nobody has said that these are attached there, since this server decides: they went with the server that decided before.
    fn let_unclaimed_go(&mut self, now: Now) {
        let Some(part) = self.state.part.as_mut().filter(|part| part.claimed_until <= now.mono) else { return };
        #[cfg(feature = "fault_injection")]
        let now = if fault_injection::is(Bug::ForgetFreshGrace) {
            fault_injection::a_grace_ago(now, self.shared.limits.room.grace)
        } else {
            now
        };
        for (session, generation) in std::mem::take(&mut part.unclaimed) {
            self.state.note(now, Note::Detached { session, generation });
        }
    }

    /// A server asks something. Where it does not follow, it does from now on.
    pub(crate) fn guest_asks(&mut self, now: Now, node: NodeId, follows: bool) {
        let is_down = !self.shared.peers.has(node);
        let Some(part) = &mut self.state.part else { return };
        let guest = part.guests.entry(node).or_insert_with(|| Guest { is_new: true, ..Guest::default() });
        guest.is_new |= !follows;
        if is_down {
            guest.down_since.get_or_insert(now.mono);
        }
        if guest.is_new && guest.beginning.is_none() {
            self.begin(node);
        }
    }

    /// Whether something is asked from a server that follows and has not said yet who is attached there: what it said may have been lost, or have
    /// come before this server knew that it decides. Nobody there is told that they are not in the room, and nothing is decided before what
    /// the same session has asked before.
    pub(crate) fn is_too_early(&self, asked: &Asked) -> bool {
        let guest = self.state.part.as_ref().and_then(|part| part.guests.get(&asked.reply.node));
        asked.follows && self.state.feed().is_some() && guest.is_none_or(|guest| !guest.has_followed)
    }

    /// From this moment on a server is told what happens; before that it is told how things stand.
    fn begin(&mut self, node: NodeId) {
        let (after, notes) = (self.state.room.last_offset(), self.state.room.notes());
        let Some(part) = &mut self.state.part else { return };
        let noted = part.notes.len();
        if let Some(guest) = part.guests.get_mut(&node) {
            guest.beginning = Some(Box::new(Beginning { after, notes, noted }));
        }
    }

    /// A server says who is attached there: nobody else of it is.
    fn guest_follows(
        &mut self,
        now: Now,
        node: NodeId,
        attached: &[Attachment],
        awaited: &[(SessionId, Generation)],
        batch: &mut Batch,
    ) {
        let Some(part) = &mut self.state.part else { return };
        batch.put_out.retain(|of| of.node != Some(node));
        let gone = part.replace(node, attached, awaited);
        #[cfg(feature = "fault_injection")]
        let gone = if fault_injection::is(Bug::AddFollowers) { Vec::new() } else { gone };
        for (session, generation) in gone {
            self.state.note(now, Note::Detached { session, generation });
        }
        for attachment in attached {
            let Attachment { session, generation, member, begun, network } = *attachment;
            let guest = self.state.part.as_ref().and_then(|part| part.guests.get(&node));
            if guest.and_then(|guest| guest.sessions.get(&session)) != Some(&generation) {
                // It has come in by a newer connection there, and has not heard of that.
                continue;
            }
            // Who has left, and has come in again since, is attached by that.
            let is_here = self.state.room.member(member).is_some_and(|stay| is_same_join(begun, stay.begun));
            if !is_here {
                self.forget_guest(node, session);
                // It may be that this very batch has put them out, and is undone.
                batch.put_out.retain(|of| !of.is_of(session, generation));
                batch.put_out.push(Elsewhere { node: Some(node), attachment: attachment.clone() });
                continue;
            }
            if let Some(newest) = self.state.room.generation_of(session).filter(|newest| *newest > generation) {
                self.forget_guest(node, session);
                if newest != Generation::END {
                    // It has come in elsewhere meanwhile, and this connection has not been told.
                    self.tell_replaced(session, vec![(node, generation)]);
                }
                continue;
            }
            if let Some(part) = &mut self.state.part {
                part.claim(node, session, generation);
            }
            let here = self.state.subscribers.get(&session);
            if here.is_some_and(|reader| reader.connection.generation < generation)
                && let Some(reader) = self.state.subscribers.remove(&session)
            {
                reader.connection.close(CloseReason::Replaced);
            }
            self.state.note(now, Note::Attached { session, generation, member, network });
        }
        self.begin(node);
    }

    /// A session has come in at another server: the connections that it had before are none of its any more.
    pub(crate) fn guest_has_come(&mut self, asked: &Asked, batch: &mut Batch) {
        let (Some(by), Some(part)) = (asked.input.caller(), &mut self.state.part) else { return };
        batch.guests.push((by.session, by.generation));
        let older = part.arrive(asked.reply.node, by.session, by.generation);
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::ForgetFollowersAttach) {
            let (session, generation) = (by.session, by.generation);
            self.state.note(self.now(), Note::Detached { session, generation });
        }
        if let Some(reader) = self.state.subscribers.remove(&by.session) {
            reader.connection.close(CloseReason::Replaced);
        }
        self.shared.close_older(by.session, by.generation);
        self.tell_replaced(by.session, older);
    }

    /// The batch that has put these out is undone: they are attached at other servers as before, but for those who had come in by it.
    pub(crate) fn put_back(&mut self, now: Now, put_out: ThinVec<Elsewhere>, came_in: &[(SessionId, Generation)]) {
        for Elsewhere { node, attachment } in put_out {
            let Attachment { session, generation, member, begun, network } = attachment;
            let room = &self.state.room;
            let is_in = room.member(member).is_some_and(|stay| is_same_join(begun, stay.begun));
            let is_newest = room.generation_of(session).is_none_or(|newest| newest <= generation);
            if is_in && is_newest && !came_in.contains(&(session, generation)) {
                self.state.note(now, Note::Attached { session, generation, member, network });
                self.state.part.get_or_insert_default().put_back(node, session, generation);
            }
        }
    }

    fn forget_guest(&mut self, node: NodeId, session: SessionId) {
        if let Some(guest) = self.state.part.as_mut().and_then(|part| part.guests.get_mut(&node)) {
            guest.sessions.remove(&session);
        }
    }

    /// A session has lost its connection at another server. Whether it was attached there, with that connection or an older one.
    fn guest_has_gone(&mut self, node: NodeId, session: SessionId, generation: Generation) -> bool {
        let guest = self.state.part.as_mut().and_then(|part| part.guests.get_mut(&node));
        let is_there = |guest: &&mut Guest| guest.sessions.get(&session).is_some_and(|theirs| *theirs <= generation);
        guest.filter(is_there).is_some_and(|guest| guest.sessions.remove(&session).is_some())
    }

    /// A session has come in here: the connections that it had at other servers are none of its any more.
    pub(crate) fn supersede_guests(&mut self, session: SessionId) {
        let Some(part) = &mut self.state.part else { return };
        let older = part.supersede(None, session);
        self.tell_replaced(session, older);
    }

    fn tell_replaced(&self, session: SessionId, older: Vec<(NodeId, Generation)>) {
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::ForgetReplaced) {
            return;
        }
        for (node, generation) in older {
            // Who cannot be told has lost its place here anyway.
            let _ = self.shared.send(node, &Parcel::Replaced { session, generation });
        }
    }

    /// Tells those who follow what a batch has brought, and whoever asked there what was decided.
    pub(crate) fn tell_guests(&mut self, batch: &mut Batch) {
        if self.state.part.is_none() {
            return;
        }
        self.tell_decided(batch);
        if self.state.part.as_ref().is_none_or(|part| part.guests.is_empty() || part.decides().is_none()) {
            return;
        }
        let now = self.mono();
        let (code, epoch, room) = (&self.cell.code, self.state.phase_epoch(), &self.state.room);
        let Some(part) = self.state.part.as_deref_mut() else { return };
        let (term, notes) = (part.decides().unwrap_or_default().0, std::mem::take(&mut part.notes));
        #[cfg(feature = "fault_injection")]
        let notes: Vec<_> = notes.into_iter().filter(|_| !fault_injection::is(Bug::ForgetNotes)).collect();
        let begins = batch.records.first().is_some_and(|record| matches!(record.event, Event::Created { .. }));
        let epoch = epoch.filter(|_| !begins);
        let after = batch.records.first().map_or(room.last_offset(), |first| Offset(first.offset.0 - 1));
        let last = Offset(after.0 + batch.records.len() as u64);
        let mut records = std::mem::take(&mut batch.records);
        // What was undone has left its notes behind.
        let among = |(offset, note): &(Offset, Note)| ((*offset).clamp(after, last), note.clone());
        let mut encode = |fresh, notes| {
            let feed =
                Feed { room: code.clone(), term, fresh, epoch, after, records: std::mem::take(&mut records), notes };
            let parcel = Parcel::Feed(Box::new(feed));
            let bytes = parcel.encode();
            if let Parcel::Feed(feed) = parcel {
                records = feed.records;
            }
            bytes
        };
        let mut news: Option<Vec<u8>> = None;
        for (node, guest) in part.guests.iter_mut().filter(|(_, guest)| guest.down_since.is_none()) {
            let bytes = match guest.beginning.take() {
                Some(beginning) => {
                    let first = beginning.notes.into_iter().map(|note| (beginning.after.clamp(after, last), note));
                    let since = notes.get(beginning.noted..).unwrap_or_default();
                    encode(Some(beginning.after.clamp(after, last)), first.chain(since.iter().map(among)).collect())
                }
                None if guest.is_new || last == after && notes.is_empty() => continue,
                None => news.get_or_insert_with(|| encode(None, notes.iter().map(among).collect())).clone(),
            };
            // A later one would not follow on this.
            guest.is_new = self.shared.send_bytes(*node, bytes).is_err();
            match guest.is_new {
                true => guest.again.failed(now),
                false => guest.again = Backoff::default(),
            }
        }
        batch.records = records;
    }

    /// Tells whoever asked at another server. It comes before what it rests on, and is heard there when that has been played.
    fn tell_decided(&mut self, batch: &mut Batch) {
        let is_asked = |item: &InboxItem| matches!(item, InboxItem::Asked(_));
        let mut by_node: BTreeMap<NodeId, Vec<Decided>> = BTreeMap::new();
        for (item, outcome) in batch.outcomes.extract_if(.., |(item, _)| is_asked(item)) {
            let (InboxItem::Asked(asked), Outcome::Decided(decided)) = (item, outcome) else { continue };
            by_node.entry(asked.reply.told()).or_default().push(*decided);
        }
        let part = self.state.part.as_deref();
        let has_news = !batch.records.is_empty() || part.is_some_and(|part| !part.notes.is_empty());
        for (node, answers) in by_node {
            let guest = self.state.part.as_ref().and_then(|part| part.guests.get(&node));
            let ahead = guest.is_some_and(|guest| guest.beginning.is_some() || has_news && !guest.is_new);
            let parcel = Parcel::Answers { room: self.cell.code.clone(), ahead, answers };
            if self.shared.send(node, &parcel).is_err()
                && let Some(guest) = self.state.part.as_mut().and_then(|part| part.guests.get_mut(&node))
            {
                guest.is_new = true;
            }
        }
    }

    /// When somebody who follows, or whoever waits for whom is followed, is to be looked after.
    pub(crate) fn part_deadline(&self, now: Mono) -> Option<Mono> {
        let part = self.state.part.as_ref()?;
        // The first was asked first.
        let letters = part.letters.values().map(|letter| letter.until).take(1);
        if part.decides().is_none() {
            let again = matches!(part.stands, Some(Owner::Me(_))).then(|| part.pause.until());
            let again = again.into_iter().chain(part.over.map(|(_, until)| until).filter(|until| *until > now)).min();
            let silent = part.silent_since.map(|since| since.after(DOWN_MAX));
            return letters.chain(part.follow_at).chain(again).chain(silent).chain(self.parked_deadline(now)).min();
        }
        // A room that cannot be read does nothing of it before it can, nor does one whose last life is still in the way.
        let is_ready = !matches!(self.state.phase, Phase::Unread(_)) && !self.is_to_be_deleted();
        let guests = part.guests.values().filter(|_| is_ready).filter_map(|guest| match guest.down_since {
            Some(since) => Some(since.after(DOWN_MAX)),
            None => guest.is_new.then(|| now.after(AGAIN).max(guest.again.until())),
        });
        let later = (is_ready && !part.later.is_empty()).then_some(now);
        let unclaimed = (is_ready && !part.unclaimed.is_empty()).then_some(part.claimed_until);
        letters.chain(guests).chain(part.follow_at).chain(later).chain(unclaimed).chain(self.parked_deadline(now)).min()
    }
}
