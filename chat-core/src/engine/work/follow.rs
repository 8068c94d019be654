//! The follower's half of a room of several servers: what the owner has decided is played here, and what is asked here is asked there.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine::feed::fanout::yield_to_back_of_queue;
use crate::engine::parcel::{Attachment, Parcel};
use crate::engine::rooms::from_peer::FromPeer;
use crate::engine::rooms::host_view::HostAnswer;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::rooms::part::{Letter, Part};
use crate::engine::shared::unavailable;
use crate::engine::work::evict;
use crate::engine::work::guests::DOWN_MAX;
use crate::engine::work::task::RoomTask;
use crate::engine::work::visit::is_of_somebody;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::room::{Answer, Caller, Input};
use crate::types::{Generation, Mono, NodeId, Now, Reject, RejectCode, SessionId};

/// How long an owner has to tell a room afresh, before it is asked once more: its log may be slow, and it may not know that it is the owner.
pub(crate) const FOLLOW_AGAIN: Duration = Duration::from_secs(2);

impl RoomTask {
    /// Works through what has come in where another server decides, or nobody.
    pub(crate) async fn follow(&mut self, items: VecDeque<InboxItem>) {
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
            self.take_as_follower(item).await;
        }
        self.look_after_letters();
        self.sort_out(&mut VecDeque::new());
        self.announce();
        evict::keep(&self.shared);
    }

    /// Waits until nobody who reads is about to lose sight of what was published.
    pub(crate) async fn let_readers_follow(&mut self) {
        if std::mem::take(&mut self.state.has_let_in) {
            // Who has come back may be as far behind as the backlog goes, and is awake.
            yield_to_back_of_queue().await;
        }
        while self.state.is_far_ahead() {
            self.yield_to_readers().await;
        }
    }

    async fn take_as_follower(&mut self, item: InboxItem) {
        let owner = self.state.part.as_ref().and_then(|part| part.follows());
        match item {
            InboxItem::Peer(peer) => match *peer {
                FromPeer::Fed { from, feed, .. } => self.play(from, feed).await,
                FromPeer::Answered { from, ahead, answers } => self.hear_answers(from, ahead, answers),
                FromPeer::Undecided { from, numbers } => self.take_back_letters(from, &numbers),
                FromPeer::Link { node, is_up: true } if Some(node) == owner => self.ask_to_follow(node),
                FromPeer::Link { node, is_up: false } => self.lose_link(node),
                // Whoever said so takes this server for the owner.
                FromPeer::Ended { by, whole } => self.tell_ended(owner, by, whole),
                FromPeer::Follow { node, .. } => self.turn_away_guest(node),
                // The same; and the owner hears it once it is known there.
                _ => {}
            },
            InboxItem::Detach { session, generation } => self.lose_reader(self.now(), session, generation),
            InboxItem::End { by, whole } => self.tell_ended(owner, by, whole),
            InboxItem::Readmitted { cell, connection } => self.readmit_from_here(self.now(), &cell, &connection),
            InboxItem::Evict(eviction) => self.give_back(eviction),
            InboxItem::Tick => self.state.disarm(),
            // Nothing runs out here.
            InboxItem::Host { input: Input::Elapsed, answer } if owner.is_some() => {
                answer.send(Ok(HostAnswer::Told(Answer::Nothing)));
            }
            item @ (InboxItem::Command { .. }
            | InboxItem::Enter { .. }
            | InboxItem::Host { .. }
            | InboxItem::Asked(_)) => match owner {
                Some(owner) => self.ask(owner, item, None),
                None => self.cell.refuse(item, unavailable()),
            },
            // Looked at after the others.
            InboxItem::GapView => {}
        }
    }

    /// A session was ended. Who reads is ended by the record. Where it cannot be told, the owner finds out by the link; where nobody decides, it
    /// is told whoever does next.
    pub(crate) fn tell_ended(&mut self, owner: Option<NodeId>, by: Caller, whole: bool) {
        match owner {
            Some(owner) => drop(self.shared.send(owner, &Parcel::End { room: self.cell.code.clone(), by, whole })),
            None => self.state.part.get_or_insert_default().later.push(InboxItem::End { by, whole }),
        }
    }

    /// Asks the owner. What was asked waits here under a number.
    pub(crate) fn ask(&mut self, owner: NodeId, item: InboxItem, parked: Option<Mono>) {
        if let InboxItem::Asked(asked) = item {
            // By a server that does not know yet who decides.
            return asked.reply.hand_back();
        }
        let now = self.mono();
        // First: who is here is known there when it is asked.
        let is_unsaid = |part: &Part| part.follow_at.map_or(!part.is_in_step(), |at| at <= now);
        if self.state.part.as_deref().is_some_and(is_unsaid) {
            self.ask_to_follow(owner);
        }
        let number = self.shared.letters.fetch_add(1, Ordering::Relaxed) + 1;
        let limits = &self.shared.limits;
        let (Some(part), Some(input)) = (&mut self.state.part, item.input()) else { return };
        if item.is_bounded() && part.letters.len() >= limits.room.inbox_max {
            let reject = Reject::new(RejectCode::Busy, "too much waits for the room's owner");
            return self.cell.refuse(item, reject);
        }
        let (room, input) = (self.cell.code.clone(), Box::new(input.clone()));
        // Whoever has asked to is told the room afresh by that.
        let follows = part.is_in_step() || part.follow_at.is_some();
        let until = now.after(limits.engine.owner_timeout);
        part.letters.insert(number, Letter { to: owner, until, parked, item });
        if self.shared.send(owner, &Parcel::Ask { room, number, follows, input }).is_err()
            && let Some(part) = &mut self.state.part
            && let Some(Letter { item, .. }) = part.letters.remove(&number)
        {
            part.asking.failed(now);
            self.park(item, parked);
        }
    }

    /// A server follows the room from here, which does not decide, or not yet: it is to say so again.
    fn turn_away_guest(&self, node: NodeId) {
        let undecided = Parcel::Undecided { room: self.cell.code.clone(), numbers: Vec::new() };
        // Where the link is down, it says so again when that is up.
        let _ = self.shared.send(node, &undecided);
    }

    /// Nothing that the owner tells follows on what is known here, until it tells all anew.
    pub(crate) fn fall_out_of_step(&mut self) {
        let at = self.mono().after(self.shared.limits.room.gap_view_interval);
        if let Some(part) = &mut self.state.part {
            (part.fed_by, part.follow_at) = (None, Some(at));
        }
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
        let entering = letters
            .filter(|letter| letter.to == owner)
            .filter_map(|letter| letter.item.input().filter(|input| input.is_entry())?.caller());
        let awaited = entering.map(|by| (by.session, by.generation)).collect();
        let (room, epoch) = (self.cell.code.clone(), self.state.phase_epoch());
        let follow = Parcel::Follow { room, epoch, attached: attached.collect(), awaited };
        let is_sent = self.shared.send(owner, &follow).is_ok();
        let again = self.mono().after(FOLLOW_AGAIN);
        if let Some(part) = &mut self.state.part {
            // Where the link is down, it is asked once it is up.
            part.follow_at = (is_sent || self.shared.peers.has(owner)).then_some(again);
            if part.is_in_step() {
                part.fed_by = None;
            }
            part.is_unsaid &= !is_sent;
        }
    }

    /// What has waited too long is refused; and where the copy is out of step, it is asked for again.
    fn look_after_letters(&mut self) {
        let now = self.mono();
        let Some(part) = &mut self.state.part else { return };
        let overdue = part.overdue(now);
        // Something was lost on the way, there or back: whoever has come in by it is not here.
        let is_lost = !overdue.is_empty() || part.follow_at.is_some_and(|at| at <= now);
        let owner = part.follows();
        if owner.is_none() {
            part.follow_at = None;
        }
        overdue.into_iter().for_each(|item| self.cell.refuse(item, unavailable()));
        if let Some(owner) = owner.filter(|_| is_lost) {
            self.ask_to_follow(owner);
        }
        self.end_shown(self.now());
    }

    /// Nobody who decides has told anything for a while: what members show would never run out.
    pub(crate) fn end_shown(&mut self, now: Now) {
        let Some(part) = &mut self.state.part else { return };
        if part.silent_since.is_some_and(|since| since.after(DOWN_MAX) <= now.mono) {
            part.silent_since = None;
            self.state.room.ends_of_shown().into_iter().for_each(|note| self.state.note(now, note));
        }
    }

    /// A session has lost its connection, here: whoever decides is to know.
    pub(crate) fn lose_reader(&mut self, now: Now, session: SessionId, generation: Generation) {
        match self.state.part.as_ref().filter(|part| part.own.is_none()).map(|part| part.follows()) {
            None => self.state.forget_reader(now, session, generation),
            Some(owner) => {
                if self.state.subscribers.get(&session).is_some_and(|of| of.connection.generation <= generation) {
                    self.state.subscribers.remove(&session);
                }
                owner.into_iter().for_each(|owner| self.tell_lost(owner, session, generation));
            }
        }
    }

    pub(crate) fn tell_lost(&self, owner: NodeId, session: SessionId, generation: Generation) {
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::ForgetFollowersDetach) {
            return;
        }
        // Where it cannot be told, the owner finds out by the link.
        let _ = self.shared.send(owner, &Parcel::Detach { room: self.cell.code.clone(), session, generation });
    }
}
