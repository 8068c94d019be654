//! The follower's half of a room of several servers: what the owner has decided is played here, and what is asked here is asked there.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine::parcel::{Attachment, Parcel};
use crate::engine::rooms::from_peer::FromPeer;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::rooms::part::Letter;
use crate::engine::shared::unavailable;
use crate::engine::work::evict;
use crate::engine::work::task::RoomTask;
use crate::engine::work::visit::is_of_somebody;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::ports::{Owner, Term};
use crate::room::{Answer, Input};
use crate::types::{Generation, NodeId, Now, Reject, RejectCode, SessionId};

/// How long an owner has to tell a room afresh, before it is asked once more: its log may be slow, and it may not know that it is the owner.
pub(crate) const FOLLOW_AGAIN: Duration = Duration::from_secs(2);

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
    pub(crate) async fn let_readers_follow(&mut self) {
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

    /// Nothing that the owner tells follows on what is known here, until it tells all anew.
    pub(crate) fn fall_out_of_step(&mut self) {
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
